/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The wire format of sndif, see wire.h. */

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "wire.h"

/* where things are in a packet, in octets */
enum {
	AT_ID = 0,
	AT_OP = 2,
	AT_STATUS = 4,
	AT_BODY = 8,

	AT_OPEN_RATE = 8,
	AT_OPEN_FORMAT = 12,
	AT_OPEN_CHANNELS = 13,
	AT_OPEN_BUFFER = 16,
	AT_OPEN_DIRECTORY = 20,
	AT_OPEN_PERIOD = 24,

	AT_SPAN_OFFSET = 8,
	AT_SPAN_LENGTH = 12,

	AT_TRIGGER_TYPE = 8,

	AT_HW_FORMATS = 8,
	AT_HW_RATE = 16,
	AT_HW_CHANNELS = 24,
	AT_HW_BUFFER = 32,
	AT_HW_PERIOD = 40,
};

const struct wire_dialect wire_dialects[WIRE_N_DIALECTS] = {
	[WIRE_DIALECT_1] = {
		.name = "1",
		.packet_size = 32,
		.ring_slots = 64,
		.last_op = WIRE_OP_UNMUTE,
		.ring_ref_key = "ring-ref",
		.event_channel_key = "event-channel",
	},
	[WIRE_DIALECT_RFC] = {
		.name = "2-rfc",
		.packet_size = 32,
		.ring_slots = 64,
		.event_slots = 127,
		.last_op = WIRE_OP_TRIGGER,
		.ring_ref_key = "req-ring-ref",
		.event_channel_key = "req-event-channel",
	},
	[WIRE_DIALECT_2] = {
		.name = "2",
		.packet_size = 64,
		.ring_slots = 32,
		.event_slots = 63,
		.last_op = WIRE_OP_HW_PARAM_QUERY,
		.ring_ref_key = "ring-ref",
		.event_channel_key = "event-channel",
	},
};

/* `octets` from the lowest on, 4 at most */
static inline uint32_t get(const uint8_t *p, unsigned int octets)
{
	uint32_t value = 0;

	memcpy(&value, p, octets);
	return le32toh(value);
}

static inline void put(uint8_t *p, unsigned int octets, uint64_t value)
{
	value = htole64(value);
	memcpy(p, &value, octets);
}

static struct wire_range get_range(const uint8_t *p)
{
	return (struct wire_range) { .min = get(p, 4), .max = get(p + 4, 4) };
}

static void put_range(uint8_t *p, struct wire_range range)
{
	put(p, 4, range.min);
	put(p + 4, 4, range.max);
}

static void get_hw(const uint8_t *p, struct wire_hw *hw)
{
	hw->formats = (uint64_t)get(p + AT_HW_FORMATS + 4, 4) << 32 | get(p + AT_HW_FORMATS, 4);
	hw->rate = get_range(p + AT_HW_RATE);
	hw->channels = get_range(p + AT_HW_CHANNELS);
	hw->buffer = get_range(p + AT_HW_BUFFER);
	hw->period = get_range(p + AT_HW_PERIOD);
}

static void put_hw(uint8_t *p, const struct wire_hw *hw)
{
	put(p + AT_HW_FORMATS, 8, hw->formats);
	put_range(p + AT_HW_RATE, hw->rate);
	put_range(p + AT_HW_CHANNELS, hw->channels);
	put_range(p + AT_HW_BUFFER, hw->buffer);
	put_range(p + AT_HW_PERIOD, hw->period);
}

void wire_get_request(const struct wire_dialect *dialect,
		const uint8_t packet[WIRE_PACKET_SIZE], struct wire_request *req)
{
	memset(req, 0, sizeof(*req));
	req->id = get(packet + AT_ID, 2);
	req->op = packet[AT_OP];
	if (req->op > dialect->last_op)
		return;

	switch (req->op) {
	case WIRE_OP_OPEN:
		req->open.rate = get(packet + AT_OPEN_RATE, 4);
		req->open.format = packet[AT_OPEN_FORMAT];
		req->open.channels = packet[AT_OPEN_CHANNELS];
		req->open.buffer_size = get(packet + AT_OPEN_BUFFER, 4);
		req->open.directory = get(packet + AT_OPEN_DIRECTORY, 4);
		/* reserved octets where there are no events */
		if (dialect->event_slots > 0)
			req->open.period_size = get(packet + AT_OPEN_PERIOD, 4);
		break;
	case WIRE_OP_READ:
	case WIRE_OP_WRITE:
	case WIRE_OP_SET_VOLUME:
	case WIRE_OP_GET_VOLUME:
	case WIRE_OP_MUTE:
	case WIRE_OP_UNMUTE:
		req->span.offset = get(packet + AT_SPAN_OFFSET, 4);
		req->span.length = get(packet + AT_SPAN_LENGTH, 4);
		break;
	case WIRE_OP_TRIGGER:
		req->trigger = packet[AT_TRIGGER_TYPE];
		break;
	case WIRE_OP_HW_PARAM_QUERY:
		get_hw(packet, &req->hw);
		break;
	}
}

void wire_put_response(const struct wire_dialect *dialect, uint8_t packet[WIRE_PACKET_SIZE],
		const struct wire_request *req, int status, const struct wire_hw *hw)
{
	memset(packet, 0, dialect->packet_size);
	put(packet + AT_ID, 2, req->id);
	packet[AT_OP] = req->op;
	put(packet + AT_STATUS, 4, (uint32_t)wire_status(status));
	if (hw)
		put_hw(packet, hw);
}

int32_t wire_status(int res)
{
	static const struct {
		int host;
		int32_t xen;
	} map[] = {
		{ EPERM, 1 }, { ENOENT, 2 }, { EIO, 5 }, { ENXIO, 6 }, { E2BIG, 7 },
		{ EAGAIN, 11 }, { ENOMEM, 12 }, { EACCES, 13 }, { EFAULT, 14 }, { EBUSY, 16 },
		{ EEXIST, 17 }, { ENODEV, 19 }, { EINVAL, 22 }, { ENOSPC, 28 }, { ERANGE, 34 },
		{ ENOSYS, 38 }, { EOPNOTSUPP, 95 }, { ETIMEDOUT, 110 },
	};
	size_t i;

	if (res >= 0)
		return 0;
	for (i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		if (map[i].host == -res)
			return -map[i].xen;
	}
	return -5;
}

static const struct wire_format_info formats[WIRE_N_FORMATS] = {
	[WIRE_FORMAT_S8] = { "s8", 1 },
	[WIRE_FORMAT_U8] = { "u8", 1 },
	[WIRE_FORMAT_S16_LE] = { "s16_le", 2 },
	[WIRE_FORMAT_S16_BE] = { "s16_be", 2 },
	[WIRE_FORMAT_U16_LE] = { "u16_le", 2 },
	[WIRE_FORMAT_U16_BE] = { "u16_be", 2 },
	[WIRE_FORMAT_S24_LE] = { "s24_le", 4 },
	[WIRE_FORMAT_S24_BE] = { "s24_be", 4 },
	[WIRE_FORMAT_U24_LE] = { "u24_le", 4 },
	[WIRE_FORMAT_U24_BE] = { "u24_be", 4 },
	[WIRE_FORMAT_S32_LE] = { "s32_le", 4 },
	[WIRE_FORMAT_S32_BE] = { "s32_be", 4 },
	[WIRE_FORMAT_U32_LE] = { "u32_le", 4 },
	[WIRE_FORMAT_U32_BE] = { "u32_be", 4 },
	[WIRE_FORMAT_F32_LE] = { "float_le", 4 },
	[WIRE_FORMAT_F32_BE] = { "float_be", 4 },
	[WIRE_FORMAT_F64_LE] = { "float64_le", 8 },
	[WIRE_FORMAT_F64_BE] = { "float64_be", 8 },
	[WIRE_FORMAT_IEC958_LE] = { "iec958_subframe_le", 4 },
	[WIRE_FORMAT_IEC958_BE] = { "iec958_subframe_be", 4 },
	[WIRE_FORMAT_MU_LAW] = { "mu_law", 1 },
	[WIRE_FORMAT_A_LAW] = { "a_law", 1 },
	[WIRE_FORMAT_IMA_ADPCM] = { "ima_adpcm", 0 },
	[WIRE_FORMAT_MPEG] = { "mpeg", 0 },
	[WIRE_FORMAT_GSM] = { "gsm", 0 },
};

/* libxl writes its own names for these */
static const struct {
	const char *name;
	enum wire_format format;
} libxl_names[] = {
	{ "f32_le", WIRE_FORMAT_F32_LE },
	{ "f32_be", WIRE_FORMAT_F32_BE },
	{ "f64_le", WIRE_FORMAT_F64_LE },
	{ "f64_be", WIRE_FORMAT_F64_BE },
};

const struct wire_format_info *wire_format_info(uint32_t format)
{
	return format < WIRE_N_FORMATS ? &formats[format] : NULL;
}

static bool same_name(const char *name, const char *token, size_t len)
{
	return strlen(name) == len && strncasecmp(name, token, len) == 0;
}

int wire_format_from_name(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < WIRE_N_FORMATS; i++) {
		if (same_name(formats[i].name, name, len))
			return i;
	}
	for (i = 0; i < sizeof(libxl_names) / sizeof(libxl_names[0]); i++) {
		if (same_name(libxl_names[i].name, name, len))
			return libxl_names[i].format;
	}
	return -EINVAL;
}
