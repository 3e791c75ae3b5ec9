/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The wire format of sndif: octets in, checked values out, and back.
 *
 * Pure: no I/O, no Xen library, no PipeWire. All functions may be called from
 * any thread. Everything on the wire is little-endian. Layouts are those of
 * Xen's public/io/sndif.h, and of its two forerunners that frontends speak. */

#ifndef XEN_SND_WIRE_H
#define XEN_SND_WIRE_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WIRE_PAGE_SIZE		4096u	/* octets in a granted page, on every architecture */
#define WIRE_PACKET_SIZE	64u	/* octets in the largest request, response or event */

/* page directory page: the next page's gref (0 = last), then the grefs of the buffer */
#define WIRE_DIRECTORY_GREFS	1023u

/* The request ring page is a header of 64 octets and as many slots as a power of
 * two allows (ring.h of Xen, sring). The event page is a header as large as a
 * packet and all the slots that fit, no power of two. */
#define WIRE_RING_HEADER	64u

/* What is different in the dialects, in one place. */
struct wire_dialect {
	const char *name;		/* as logs and properties call it */
	uint32_t packet_size;		/* octets in a request, a response and an event */
	uint32_t ring_slots;
	uint32_t event_slots;		/* 0: no event page */
	uint32_t last_op;		/* enum wire_op */
	/* keys of the request ring in XenStore; those of the events are the same */
	const char *ring_ref_key, *event_channel_key;
};

enum wire_dialect_id {
	WIRE_DIALECT_1,			/* Xen 4.9: no events, no trigger */
	WIRE_DIALECT_RFC,		/* the 2017 draft of version 2 */
	WIRE_DIALECT_2,			/* Xen 4.11 and later, upstream Linux */
	WIRE_N_DIALECTS
};

extern const struct wire_dialect wire_dialects[WIRE_N_DIALECTS];

enum wire_op {
	WIRE_OP_OPEN = 0,
	WIRE_OP_CLOSE = 1,
	WIRE_OP_READ = 2,
	WIRE_OP_WRITE = 3,
	WIRE_OP_SET_VOLUME = 4,
	WIRE_OP_GET_VOLUME = 5,
	WIRE_OP_MUTE = 6,
	WIRE_OP_UNMUTE = 7,
	WIRE_OP_TRIGGER = 8,
	WIRE_OP_HW_PARAM_QUERY = 9,
};

enum wire_trigger {
	WIRE_TRIGGER_START = 0,
	WIRE_TRIGGER_PAUSE = 1,
	WIRE_TRIGGER_STOP = 2,
	WIRE_TRIGGER_RESUME = 3,
};

enum wire_event {
	WIRE_EVENT_CUR_POS = 0,
	WIRE_EVENT_NONE = 0xff,		/* known to no frontend: skipped by all */
};

/* sample formats: the number in OPEN and the bit in HW_PARAM_QUERY's mask */
enum wire_format {
	WIRE_FORMAT_S8 = 0,
	WIRE_FORMAT_U8 = 1,
	WIRE_FORMAT_S16_LE = 2,
	WIRE_FORMAT_S16_BE = 3,
	WIRE_FORMAT_U16_LE = 4,
	WIRE_FORMAT_U16_BE = 5,
	WIRE_FORMAT_S24_LE = 6,		/* 24 bits in the low octets of 4 */
	WIRE_FORMAT_S24_BE = 7,
	WIRE_FORMAT_U24_LE = 8,
	WIRE_FORMAT_U24_BE = 9,
	WIRE_FORMAT_S32_LE = 10,
	WIRE_FORMAT_S32_BE = 11,
	WIRE_FORMAT_U32_LE = 12,
	WIRE_FORMAT_U32_BE = 13,
	WIRE_FORMAT_F32_LE = 14,
	WIRE_FORMAT_F32_BE = 15,
	WIRE_FORMAT_F64_LE = 16,
	WIRE_FORMAT_F64_BE = 17,
	WIRE_FORMAT_IEC958_LE = 18,
	WIRE_FORMAT_IEC958_BE = 19,
	WIRE_FORMAT_MU_LAW = 20,
	WIRE_FORMAT_A_LAW = 21,
	WIRE_FORMAT_IMA_ADPCM = 22,
	WIRE_FORMAT_MPEG = 23,
	WIRE_FORMAT_GSM = 24,
	WIRE_N_FORMATS
};

struct wire_open {
	uint32_t rate;			/* Hz */
	uint32_t format;		/* enum wire_format, unchecked */
	uint32_t channels;
	uint32_t buffer_size;		/* octets */
	uint32_t directory;		/* gref of the first page directory page */
	uint32_t period_size;		/* octets, 0 = no events */
};

struct wire_range {
	uint32_t min, max;
};

/* the ranges of HW_PARAM_QUERY, request and response alike */
struct wire_hw {
	uint64_t formats;		/* mask, bit = enum wire_format */
	struct wire_range rate;		/* Hz */
	struct wire_range channels;
	struct wire_range buffer;	/* frames */
	struct wire_range period;	/* frames */
};

struct wire_request {
	uint16_t id;
	uint8_t op;			/* enum wire_op, unchecked */
	union {
		struct wire_open open;
		struct {
			uint32_t offset, length;	/* octets */
		} span;			/* READ, WRITE, and the volume operations */
		uint32_t trigger;	/* enum wire_trigger, unchecked */
		struct wire_hw hw;
	};
};

/* Take a request of the dialect's packet size apart. The octets must be a private copy: a frontend can
 * change its page at any time. Reserved octets are not looked at, since Linux
 * does not clear them. */
void wire_get_request(const struct wire_dialect *dialect,
		const uint8_t packet[WIRE_PACKET_SIZE], struct wire_request *req);

/* Write the answer to `req`: `status` is 0 or a negative errno of this host,
 * `hw` the answer to HW_PARAM_QUERY or NULL. All padding is zeroed. */
void wire_put_response(const struct wire_dialect *dialect, uint8_t packet[WIRE_PACKET_SIZE],
		const struct wire_request *req, int status, const struct wire_hw *hw);

/* Write an event of the dialect's packet size. `position` in octets since OPEN. */
static inline void wire_put_event(const struct wire_dialect *dialect, uint8_t *packet,
		uint16_t id, enum wire_event type, uint64_t position)
{
	/* id, type and five reserved octets; the position; the rest is reserved */
	const uint64_t words[] = { htole64(id | (uint64_t)type << 16), htole64(position) };

	memcpy(packet, words, sizeof(words));
	/* what the compiler knows the size of is no call */
	if (dialect->packet_size == WIRE_PACKET_SIZE)
		memset(packet + sizeof(words), 0, WIRE_PACKET_SIZE - sizeof(words));
	else
		memset(packet + sizeof(words), 0, dialect->packet_size - sizeof(words));
}

/* The status on the wire for a negative errno of this host (sndif.h: -XEN_Exx
 * of public/errno.h): what that list does not have becomes -EIO. */
int32_t wire_status(int res);

/* name in XenStore, octets a sample (0: not linear PCM) */
struct wire_format_info {
	const char *name;
	uint32_t size;
};

/* NULL for a number that is none */
const struct wire_format_info *wire_format_info(uint32_t format);

/* The number of a format's name, of sndif.h ("float_le") or as libxl spells it
 * ("f32_le"), compared without case; -EINVAL if there is none. */
int wire_format_from_name(const char *name, size_t len);

#endif /* XEN_SND_WIRE_H */
