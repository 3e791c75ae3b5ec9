/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The wire format against Xen's own structures. */

#include <errno.h>
#include <stdint.h>

#include <xen/errno.h>
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#define xen_mb()	__sync_synchronize()
#define xen_rmb()	__sync_synchronize()
#define xen_wmb()	__sync_synchronize()
#include <xen/io/ring.h>
#include <xen/io/sndif.h>

#include "test.h"
#include "wire.h"

_Static_assert(sizeof(struct xensnd_req) == WIRE_PACKET_SIZE, "request");
_Static_assert(sizeof(struct xensnd_resp) == WIRE_PACKET_SIZE, "response");
_Static_assert(sizeof(struct xensnd_evt) == WIRE_PACKET_SIZE, "event");

/* A request as Linux sends it: what it does not set is left from before. */
static struct xensnd_req make_request(uint8_t operation)
{
	struct xensnd_req req;

	memset(&req, 0xa5, sizeof(req));
	req.id = 0x1234;
	req.operation = operation;
	return req;
}

static struct wire_request parse(const struct xensnd_req *req)
{
	struct wire_request parsed;

	memset(&parsed, 0x5a, sizeof(parsed));
	wire_get_request(&wire_dialects[WIRE_DIALECT_2], (const uint8_t *)req, &parsed);
	check_eq(parsed.id, 0x1234);
	check_eq(parsed.op, req->operation);
	return parsed;
}

static const struct wire_hw hw_sample = {
	.formats = UINT64_C(0x8000000100000004),
	.rate = { 8000, 192000 },
	.channels = { 1, 8 },
	.buffer = { 64, 4294967295u },
	.period = { 32, 65536 },
};

static struct xensnd_query_hw_param make_hw(const struct wire_hw *hw)
{
	struct xensnd_query_hw_param p = { .formats = hw->formats };

	p.rates.min = hw->rate.min;
	p.rates.max = hw->rate.max;
	p.channels.min = hw->channels.min;
	p.channels.max = hw->channels.max;
	p.buffer.min = hw->buffer.min;
	p.buffer.max = hw->buffer.max;
	p.period.min = hw->period.min;
	p.period.max = hw->period.max;
	return p;
}

TEST(numbers_are_those_of_sndif)
{
	check_eq(WIRE_OP_OPEN, XENSND_OP_OPEN);
	check_eq(WIRE_OP_CLOSE, XENSND_OP_CLOSE);
	check_eq(WIRE_OP_READ, XENSND_OP_READ);
	check_eq(WIRE_OP_WRITE, XENSND_OP_WRITE);
	check_eq(WIRE_OP_SET_VOLUME, XENSND_OP_SET_VOLUME);
	check_eq(WIRE_OP_GET_VOLUME, XENSND_OP_GET_VOLUME);
	check_eq(WIRE_OP_MUTE, XENSND_OP_MUTE);
	check_eq(WIRE_OP_UNMUTE, XENSND_OP_UNMUTE);
	check_eq(WIRE_OP_TRIGGER, XENSND_OP_TRIGGER);
	check_eq(WIRE_OP_HW_PARAM_QUERY, XENSND_OP_HW_PARAM_QUERY);
	check_eq(WIRE_TRIGGER_START, XENSND_OP_TRIGGER_START);
	check_eq(WIRE_TRIGGER_PAUSE, XENSND_OP_TRIGGER_PAUSE);
	check_eq(WIRE_TRIGGER_STOP, XENSND_OP_TRIGGER_STOP);
	check_eq(WIRE_TRIGGER_RESUME, XENSND_OP_TRIGGER_RESUME);
	check_eq(WIRE_EVENT_CUR_POS, XENSND_EVT_CUR_POS);
}

TEST(sizes_of_rings_are_those_of_sndif)
{
	struct xen_sndif_sring page, *ring = &page;

	check_eq(WIRE_RING_HEADER, offsetof(struct xen_sndif_sring, ring));
	check_eq(wire_dialects[WIRE_DIALECT_2].ring_slots, __RING_SIZE(ring, WIRE_PAGE_SIZE));
	check_eq(wire_dialects[WIRE_DIALECT_2].packet_size, XENSND_IN_RING_OFFS);
	check_eq(wire_dialects[WIRE_DIALECT_2].event_slots, XENSND_IN_RING_LEN);
	check_eq(WIRE_PAGE_SIZE, XENSND_EVENT_PAGE_SIZE);
	check_eq(WIRE_DIRECTORY_GREFS, (WIRE_PAGE_SIZE -
			offsetof(struct xensnd_page_directory, gref)) / sizeof(grant_ref_t));
}

static void check_format(enum wire_format format, uint32_t number, const char *name,
		uint32_t octets)
{
	const struct wire_format_info *info = wire_format_info(format);

	check_eq(format, number);
	check_str(info->name, name);
	check_eq(info->size, octets);
	check_eq(wire_format_from_name(name, strlen(name)), format);
}

#define FORMAT(f, octets)							\
	check_format(WIRE_FORMAT_##f, XENSND_PCM_FORMAT_##f, XENSND_PCM_FORMAT_##f##_STR, octets)

TEST(every_format_has_its_number_name_and_size)
{
	FORMAT(S8, 1);
	FORMAT(U8, 1);
	FORMAT(S16_LE, 2);
	FORMAT(S16_BE, 2);
	FORMAT(U16_LE, 2);
	FORMAT(U16_BE, 2);
	FORMAT(S24_LE, 4);
	FORMAT(S24_BE, 4);
	FORMAT(U24_LE, 4);
	FORMAT(U24_BE, 4);
	FORMAT(S32_LE, 4);
	FORMAT(S32_BE, 4);
	FORMAT(U32_LE, 4);
	FORMAT(U32_BE, 4);
	FORMAT(F32_LE, 4);
	FORMAT(F32_BE, 4);
	FORMAT(F64_LE, 8);
	FORMAT(F64_BE, 8);
	check_format(WIRE_FORMAT_IEC958_LE, XENSND_PCM_FORMAT_IEC958_SUBFRAME_LE,
			XENSND_PCM_FORMAT_IEC958_SUBFRAME_LE_STR, 4);
	check_format(WIRE_FORMAT_IEC958_BE, XENSND_PCM_FORMAT_IEC958_SUBFRAME_BE,
			XENSND_PCM_FORMAT_IEC958_SUBFRAME_BE_STR, 4);
	FORMAT(MU_LAW, 1);
	FORMAT(A_LAW, 1);
	FORMAT(IMA_ADPCM, 0);
	FORMAT(MPEG, 0);
	FORMAT(GSM, 0);
	check_eq(WIRE_N_FORMATS, XENSND_PCM_FORMAT_GSM + 1);
	check(wire_format_info(WIRE_N_FORMATS) == NULL);
	check(wire_format_info(UINT32_MAX) == NULL);
}

TEST(format_names_are_taken_as_libxl_and_people_write_them)
{
	check_eq(wire_format_from_name("f32_le", 6), WIRE_FORMAT_F32_LE);
	check_eq(wire_format_from_name("f32_be", 6), WIRE_FORMAT_F32_BE);
	check_eq(wire_format_from_name("f64_le", 6), WIRE_FORMAT_F64_LE);
	check_eq(wire_format_from_name("f64_be", 6), WIRE_FORMAT_F64_BE);
	check_eq(wire_format_from_name("S16_LE", 6), WIRE_FORMAT_S16_LE);
	check_eq(wire_format_from_name("s16_le,u8", 6), WIRE_FORMAT_S16_LE);
}

TEST(what_is_no_format_name_is_refused)
{
	check_eq(wire_format_from_name("", 0), -EINVAL);
	check_eq(wire_format_from_name("s16_l", 5), -EINVAL);
	check_eq(wire_format_from_name("s16_le ", 7), -EINVAL);
	check_eq(wire_format_from_name("s16_le\0", 7), -EINVAL);
	check_eq(wire_format_from_name("\xff\xfe", 2), -EINVAL);
}

TEST(open_is_taken_apart)
{
	struct xensnd_req req = make_request(XENSND_OP_OPEN);
	struct wire_request parsed;

	req.op.open.pcm_rate = 44100;
	req.op.open.pcm_format = 0xfe;
	req.op.open.pcm_channels = 0xfd;
	req.op.open.buffer_sz = 0xfffffffc;
	req.op.open.gref_directory = 0xdeadbeef;
	req.op.open.period_sz = 0x12345678;
	parsed = parse(&req);
	check_eq(parsed.open.rate, 44100);
	check_eq(parsed.open.format, 0xfe);
	check_eq(parsed.open.channels, 0xfd);
	check_eq(parsed.open.buffer_size, 0xfffffffc);
	check_eq(parsed.open.directory, 0xdeadbeef);
	check_eq(parsed.open.period_size, 0x12345678);
}

TEST(spans_of_all_six_operations_are_taken_apart)
{
	static const uint8_t operations[] = {
		XENSND_OP_READ, XENSND_OP_WRITE, XENSND_OP_SET_VOLUME,
		XENSND_OP_GET_VOLUME, XENSND_OP_MUTE, XENSND_OP_UNMUTE,
	};
	size_t i;

	for (i = 0; i < sizeof(operations); i++) {
		struct xensnd_req req = make_request(operations[i]);
		struct wire_request parsed;

		req.op.rw.offset = 0x80000000;
		req.op.rw.length = 0xffffffff;
		parsed = parse(&req);
		check_eq(parsed.span.offset, 0x80000000);
		check_eq(parsed.span.length, 0xffffffff);
	}
}

TEST(a_trigger_is_one_octet)
{
	struct xensnd_req req = make_request(XENSND_OP_TRIGGER);

	req.op.trigger.type = XENSND_OP_TRIGGER_RESUME;
	check_eq(parse(&req).trigger, WIRE_TRIGGER_RESUME);
	req.op.trigger.type = 0xff;
	check_eq(parse(&req).trigger, 0xff);
}

TEST(a_query_is_taken_apart)
{
	struct xensnd_req req = make_request(XENSND_OP_HW_PARAM_QUERY);
	struct wire_request parsed;

	req.op.hw_param = make_hw(&hw_sample);
	parsed = parse(&req);
	check_mem(&parsed.hw, &hw_sample, sizeof(hw_sample));
}

TEST(operations_without_a_body_have_none)
{
	static const struct wire_request nothing = { 0 };
	static const uint8_t operations[] = { XENSND_OP_CLOSE, 10, 0xff };
	size_t i;

	for (i = 0; i < sizeof(operations); i++) {
		struct xensnd_req req = make_request(operations[i]);
		struct wire_request parsed = parse(&req);

		check_mem(&parsed.hw, &nothing.hw, sizeof(nothing.hw));
	}
}

TEST(a_response_is_built_with_zeroes_around)
{
	struct wire_request req = { .id = 0xbeef, .op = WIRE_OP_WRITE };
	struct xensnd_resp wanted = {
		.id = 0xbeef, .operation = XENSND_OP_WRITE, .status = -XEN_EIO,
	};
	uint8_t packet[WIRE_PACKET_SIZE];

	memset(packet, 0xa5, sizeof(packet));
	req.span.offset = 0x11111111;
	req.span.length = 0x22222222;
	wire_put_response(&wire_dialects[WIRE_DIALECT_2], packet, &req, -EIO, NULL);
	check_mem(packet, &wanted, sizeof(wanted));
}

TEST(the_answer_to_a_query_is_built_with_zeroes_around)
{
	struct wire_request req = { .id = 7, .op = WIRE_OP_HW_PARAM_QUERY };
	struct xensnd_resp wanted = { .id = 7, .operation = XENSND_OP_HW_PARAM_QUERY };
	uint8_t packet[WIRE_PACKET_SIZE];

	wanted.resp.hw_param = make_hw(&hw_sample);
	memset(packet, 0xa5, sizeof(packet));
	wire_put_response(&wire_dialects[WIRE_DIALECT_2], packet, &req, 0, &hw_sample);
	check_mem(packet, &wanted, sizeof(wanted));
}

TEST(an_event_is_built_with_zeroes_around)
{
	struct xensnd_evt wanted = { .id = 0xfffe, .type = XENSND_EVT_CUR_POS };
	uint8_t packet[WIRE_PACKET_SIZE];

	wanted.op.cur_pos.position = UINT64_C(0x123456789abcdef0);
	memset(packet, 0xa5, sizeof(packet));
	wire_put_event(&wire_dialects[WIRE_DIALECT_2], packet, 0xfffe, WIRE_EVENT_CUR_POS,
			UINT64_C(0x123456789abcdef0));
	check_mem(packet, &wanted, sizeof(wanted));
	/* half of it, and nothing behind */
	memset(packet, 0xa5, sizeof(packet));
	wire_put_event(&wire_dialects[WIRE_DIALECT_RFC], packet, 0xfffe, WIRE_EVENT_CUR_POS,
			UINT64_C(0x123456789abcdef0));
	check_mem(packet, &wanted, 32);
	check_eq(packet[32], 0xa5);
}

TEST(a_status_is_xens_errno)
{
	check_eq(wire_status(0), 0);
	check_eq(wire_status(-EPERM), -XEN_EPERM);
	check_eq(wire_status(-EIO), -XEN_EIO);
	check_eq(wire_status(-EAGAIN), -XEN_EAGAIN);
	check_eq(wire_status(-ENOMEM), -XEN_ENOMEM);
	check_eq(wire_status(-EACCES), -XEN_EACCES);
	check_eq(wire_status(-EBUSY), -XEN_EBUSY);
	check_eq(wire_status(-ENODEV), -XEN_ENODEV);
	check_eq(wire_status(-EINVAL), -XEN_EINVAL);
	check_eq(wire_status(-ENOSYS), -XEN_ENOSYS);
	check_eq(wire_status(-EOPNOTSUPP), -XEN_EOPNOTSUPP);
}

/* A frontend takes a positive status for success or worse. */
TEST(a_status_is_never_positive_nor_unknown_to_xen)
{
	int res;

	check_eq(wire_status(1), 0);
	check_eq(wire_status(INT32_MAX), 0);
	check_eq(wire_status(-INT32_MAX), -XEN_EIO);
	check_eq(wire_status(-EBADFD), -XEN_EIO);
	check_eq(wire_status(-ESTRPIPE), -XEN_EIO);
	check_eq(wire_status(-EINTR), -XEN_EIO);
	for (res = -4096; res < 0; res++)
		check(wire_status(res) < 0);
}

/* The dialects that no header describes any more. */

static void is_shaped(enum wire_dialect_id id, uint32_t packet, uint32_t ring, uint32_t events,
		uint32_t last_op)
{
	const struct wire_dialect *d = &wire_dialects[id];

	check_eq(d->packet_size, packet);
	check_eq(d->ring_slots, ring);
	check_eq(d->event_slots, events);
	check_eq(d->last_op, last_op);
	check(d->packet_size <= WIRE_PACKET_SIZE);
	check(WIRE_RING_HEADER + d->ring_slots * d->packet_size <= WIRE_PAGE_SIZE);
	check((1 + d->event_slots) * d->packet_size <= WIRE_PAGE_SIZE);
}

TEST(dialects_have_their_shapes)
{
	is_shaped(WIRE_DIALECT_1, 32, 64, 0, WIRE_OP_UNMUTE);
	is_shaped(WIRE_DIALECT_RFC, 32, 64, 127, WIRE_OP_TRIGGER);
	is_shaped(WIRE_DIALECT_2, 64, 32, 63, WIRE_OP_HW_PARAM_QUERY);
}

TEST(dialects_have_their_keys)
{
	check_str(wire_dialects[WIRE_DIALECT_1].ring_ref_key, "ring-ref");
	check_str(wire_dialects[WIRE_DIALECT_1].event_channel_key, "event-channel");
	check_str(wire_dialects[WIRE_DIALECT_RFC].ring_ref_key, "req-ring-ref");
	check_str(wire_dialects[WIRE_DIALECT_RFC].event_channel_key, "req-event-channel");
	check_str(wire_dialects[WIRE_DIALECT_2].ring_ref_key, XENSND_FIELD_RING_REF);
	check_str(wire_dialects[WIRE_DIALECT_2].event_channel_key, XENSND_FIELD_EVT_CHNL);
}

TEST(version_1_has_no_period)
{
	struct xensnd_req req = make_request(XENSND_OP_OPEN);
	struct wire_request parsed;

	req.op.open.period_sz = 4096;
	wire_get_request(&wire_dialects[WIRE_DIALECT_1], (const uint8_t *)&req, &parsed);
	check_eq(parsed.open.period_size, 0);
	wire_get_request(&wire_dialects[WIRE_DIALECT_RFC], (const uint8_t *)&req, &parsed);
	check_eq(parsed.open.period_size, 4096);
}

/* Octets beyond a short packet are the next request's. */
TEST(an_operation_that_the_dialect_lacks_has_no_body)
{
	static const struct wire_request nothing = { 0 };
	struct xensnd_req req = make_request(XENSND_OP_HW_PARAM_QUERY);
	struct wire_request parsed;

	wire_get_request(&wire_dialects[WIRE_DIALECT_RFC], (const uint8_t *)&req, &parsed);
	check_eq(parsed.op, XENSND_OP_HW_PARAM_QUERY);
	check_mem(&parsed.hw, &nothing.hw, sizeof(nothing.hw));
	req.operation = XENSND_OP_TRIGGER;
	wire_get_request(&wire_dialects[WIRE_DIALECT_1], (const uint8_t *)&req, &parsed);
	check_eq(parsed.op, XENSND_OP_TRIGGER);
	check_mem(&parsed.hw, &nothing.hw, sizeof(nothing.hw));
}

TEST(a_short_response_is_not_written_past_its_end)
{
	struct wire_request req = { .id = 1, .op = WIRE_OP_CLOSE };
	uint8_t packet[WIRE_PACKET_SIZE];

	memset(packet, 0xa5, sizeof(packet));
	wire_put_response(&wire_dialects[WIRE_DIALECT_1], packet, &req, 0, NULL);
	check_eq(packet[31], 0);
	check_eq(packet[32], 0xa5);
}
