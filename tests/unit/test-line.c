/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A line's requests and their answers: what a guest may ask, in what order, and
 * what it gets for the rest. Grants and event channels are the test's. */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include <xen/errno.h>
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/io/ring.h>
#include <xen/io/sndif.h>

#include "clock.h"
#include "guest.h"
#include "log.h"
#include "test.h"

#define RING_GREF	11u
#define EVENTS_GREF	12u
#define DIRECTORY_GREF	13u
#define BUFFER_GREF	100u		/* and those after it */
#define REQUEST_PORT	21
#define EVENT_PORT	22
#define BUFFER		65536u
#define FRAME		4u

PW_LOG_TOPIC(xen_snd_log_topic, "test");

/* the guest's pages */
static struct {
	uint32_t req_prod, req_event, rsp_prod, rsp_event;
	uint8_t pad[48];
	union {
		struct xensnd_req req;
		struct xensnd_resp resp;
	} slots[32];
} ring __attribute__((aligned(4096)));
static uint32_t event_page[1024] __attribute__((aligned(4096)));
static uint32_t directory[1024] __attribute__((aligned(4096)));
static uint8_t buffer[BUFFER] __attribute__((aligned(4096)));

static struct state_record record;

static struct {
	struct line line;
	struct guest guest;
	struct guest_env env;
	struct budgets budgets;
	struct stream_watcher watcher;
	atomic_uint_least64_t min_period;
	unsigned int changes;

	uint32_t mapped;		/* pages, now */
	unsigned int handles;		/* of event channels, now */
	bool restricted;		/* the last one, to the guest */
	unsigned int bound;		/* ports, now */
	unsigned int answers;		/* notifications of the request channel */
	unsigned int unmasked;
	bool deny_buffer;
	evtchn_port_t deny_port;
	uint16_t id;
} t;

/* in the place of libxengnttab's and libxenevtchn's */

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned int flags)
{
	return (xengnttab_handle *)&t;
}

int xengnttab_close(xengnttab_handle *handle)
{
	check_eq(t.mapped, 0);
	return 0;
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *handle, uint32_t count, uint32_t domid,
		uint32_t *grefs, int prot)
{
	void *page;

	switch (grefs[0]) {
	case RING_GREF:
		page = &ring;
		break;
	case EVENTS_GREF:
		page = event_page;
		break;
	case DIRECTORY_GREF:
		page = directory;
		break;
	case BUFFER_GREF:
		page = t.deny_buffer ? NULL : buffer;
		break;
	default:
		page = NULL;
	}
	if (page)
		t.mapped += count;
	else
		errno = EFAULT;
	return page;
}

int xengnttab_unmap(xengnttab_handle *handle, void *address, uint32_t count)
{
	t.mapped -= count;
	return 0;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
	t.handles++;
	t.restricted = false;
	return (xenevtchn_handle *)&t.handles;
}

int xenevtchn_restrict(xenevtchn_handle *handle, domid_t domid)
{
	check_eq(domid, t.guest.domid);
	t.restricted = true;
	return 0;
}

int xenevtchn_close(xenevtchn_handle *handle)
{
	t.handles--;
	/* which unbinds the events' */
	if (t.deny_port != EVENT_PORT)
		t.bound--;
	return 0;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *handle, uint32_t domid,
		evtchn_port_t port)
{
	check(port != EVENT_PORT || t.restricted);
	if (port == t.deny_port) {
		errno = EINVAL;
		return -1;
	}
	t.bound++;
	return port;
}

int xenevtchn_unbind(xenevtchn_handle *handle, evtchn_port_t port)
{
	check_eq(port, REQUEST_PORT);
	t.bound--;
	return 0;
}

int xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port)
{
	t.answers += port == REQUEST_PORT;
	return 0;
}

int xenevtchn_unmask(xenevtchn_handle *handle, evtchn_port_t port)
{
	/* never the events': a guest has no reason to signal it */
	check_eq(port, REQUEST_PORT);
	t.unmasked++;
	return 0;
}

/* the guest thread's clock */
void guest_wake(struct guest *guest)
{
}

static void on_changed(struct stream_watcher *watcher, struct stream *stream)
{
	t.changes++;
}

/* Setting up. */

/* what a test is not about does not limit it */
static void set_budgets_to_most(void)
{
	uint32_t id;

	budgets_set_normal(&t.budgets);
	for (id = BUDGET_CARDS; id <= BUDGET_OPENS; id++)
		t.budgets.of[id].limit = budget_infos[id].most;
}

static void start(bool capture)
{
	uint32_t i;

	pw_init(NULL, NULL);
	t.watcher.changed = on_changed;
	t.env = (struct guest_env) { .watcher = &t.watcher, .min_period = &t.min_period };
	t.guest.env = &t.env;
	t.guest.domid = 3;
	set_budgets_to_most();
	t.guest.budgets = &t.budgets;
	t.guest.evtchn = (xenevtchn_handle *)&t.guest;
	check_eq(grants_open(&t.guest.grants, 3, &t.budgets, NULL), 0);
	check_eq(worker_init(&t.guest.worker), 0);

	t.line.config = (struct line_config) {
		.identity = { .guest = "test", .domid = 3 },
		.capture = capture,
		.dialect = &wire_dialects[WIRE_DIALECT_2],
		.ring_ref = RING_GREF,
		.event_channel = REQUEST_PORT,
		.evt_ring_ref = EVENTS_GREF,
		.evt_event_channel = EVENT_PORT,
	};
	t.line.record = &record;
	limits_init(&t.line.config.limits, UINT64_C(1) << WIRE_FORMAT_S16_LE, BUFFER);
	ring.req_event = ring.rsp_event = 1;
	for (i = 0; i < BUFFER / 4096; i++)
		directory[1 + i] = BUFFER_GREF + i;
	check_eq(line_connect(&t.line, &t.guest), 0);
	check_eq(t.mapped, 2);
}

static void stop(void)
{
	line_disconnect(&t.line);
	check_eq(t.mapped, 0);
	check_eq(t.handles, 0);
	check_eq(t.bound, 0);
	check_eq(budget_held(&t.budgets, BUDGET_GRANTS), 0);
	check_eq(budget_held(&t.budgets, BUDGET_OCTETS), 0);
	grants_close(&t.guest.grants);
	worker_clear(&t.guest.worker);
	pw_deinit();
}

static struct xensnd_req make(uint8_t operation)
{
	struct xensnd_req req;

	/* Linux leaves in a slot what was there */
	memset(&req, 0xa5, sizeof(req));
	req.id = ++t.id;
	req.operation = operation;
	return req;
}

static void put(struct xensnd_req req)
{
	ring.slots[ring.req_prod++ % 32].req = req;
}

/* the answer's status, after all that has to be right with any answer */
static int ask(struct xensnd_req req)
{
	unsigned int answers = t.answers, unmasked = t.unmasked;
	const struct xensnd_resp *resp = &ring.slots[ring.rsp_prod % 32].resp;

	put(req);
	line_serve(&t.line);
	check_eq(ring.rsp_prod, ring.req_prod);
	check_eq(resp->id, req.id);
	check_eq(resp->operation, req.operation);
	check_eq(resp->reserved, 0);
	check(resp->status <= 0);
	check_eq(t.answers, answers + 1);
	check_eq(t.unmasked, unmasked + 1);
	return resp->status;
}

static struct xensnd_req make_open(void)
{
	struct xensnd_req req = make(XENSND_OP_OPEN);

	req.op.open.pcm_rate = 48000;
	req.op.open.pcm_format = XENSND_PCM_FORMAT_S16_LE;
	req.op.open.pcm_channels = 2;
	req.op.open.buffer_sz = BUFFER;
	req.op.open.gref_directory = DIRECTORY_GREF;
	req.op.open.period_sz = BUFFER / 4;
	return req;
}

static int ask_span(uint8_t operation, uint32_t offset, uint32_t length)
{
	struct xensnd_req req = make(operation);

	req.op.rw.offset = offset;
	req.op.rw.length = length;
	return ask(req);
}

static int ask_trigger(uint8_t type)
{
	struct xensnd_req req = make(XENSND_OP_TRIGGER);

	req.op.trigger.type = type;
	return ask(req);
}

static uint32_t state(void)
{
	return atomic_load(&t.line.stream->state);
}

/* The life of a stream. */

TEST(a_stream_as_linux_uses_it)
{
	start(false);
	check_eq(ask(make_open()), 0);
	check_eq(t.changes, 1);
	check_eq(t.mapped, 2 + BUFFER / 4096);
	check_eq(ask_span(XENSND_OP_WRITE, 0, BUFFER), 0);
	check_eq(ask_trigger(XENSND_OP_TRIGGER_START), 0);
	check_eq(state(), STREAM_RUNNING);
	check_eq(ask_trigger(XENSND_OP_TRIGGER_STOP), 0);
	check_eq(state(), STREAM_PREPARED);
	check_eq(ask(make(XENSND_OP_CLOSE)), 0);
	check(t.line.stream == NULL);
	check_eq(t.mapped, 2);
	stop();
}

/* a second hw_params() in the guest */
TEST(open_while_open_begins_anew)
{
	start(false);
	check_eq(ask(make_open()), 0);
	check_eq(ask_trigger(XENSND_OP_TRIGGER_START), 0);
	check_eq(ask(make_open()), 0);
	check_eq(state(), STREAM_PREPARED);
	check_eq(t.mapped, 2 + BUFFER / 4096);
	stop();
}

TEST(close_without_open_is_fine)
{
	start(false);
	check_eq(ask(make(XENSND_OP_CLOSE)), 0);
	check_eq(ask(make_open()), 0);
	check_eq(ask(make(XENSND_OP_CLOSE)), 0);
	check_eq(ask(make(XENSND_OP_CLOSE)), 0);
	stop();
}

TEST(without_open_there_is_nothing_to_play)
{
	start(false);
	check_eq(ask_span(XENSND_OP_WRITE, 0, 4), -XEN_EIO);
	check_eq(ask_trigger(XENSND_OP_TRIGGER_START), -XEN_EIO);
	check_eq(ask_span(XENSND_OP_SET_VOLUME, 0, 8), -XEN_EIO);
	check_eq(ask_span(XENSND_OP_GET_VOLUME, 0, 8), -XEN_EIO);
	check_eq(ask_span(XENSND_OP_MUTE, 0, 8), -XEN_EIO);
	check_eq(ask_span(XENSND_OP_UNMUTE, 0, 8), -XEN_EIO);
	stop();
}

TEST(disconnecting_closes_what_is_open)
{
	start(true);
	check_eq(ask(make_open()), 0);
	check_eq(ask_trigger(XENSND_OP_TRIGGER_START), 0);
	stop();
}

/* What is refused. */

static void open_refused(struct xensnd_req req, int status)
{
	check_eq(ask(req), status);
	check(t.line.stream == NULL);
	check_eq(t.mapped, 2);
}

/* each is right but for one field */
static const struct wrong_open {
	enum { RATE, FORMAT, CHANNELS, BUFFER_SIZE, PERIOD_SIZE } field;
	uint32_t value;
} wrong_opens[] = {
	{ RATE, 0 }, { RATE, 5511 }, { RATE, 48001 }, { RATE, 96000 }, { RATE, UINT32_MAX },
	{ FORMAT, XENSND_PCM_FORMAT_U8 }, { FORMAT, XENSND_PCM_FORMAT_IEC958_SUBFRAME_LE },
	{ FORMAT, XENSND_PCM_FORMAT_IMA_ADPCM }, { FORMAT, XENSND_PCM_FORMAT_MPEG },
	{ FORMAT, XENSND_PCM_FORMAT_GSM }, { FORMAT, 25 }, { FORMAT, 63 }, { FORMAT, 64 },
	{ FORMAT, 200 }, { FORMAT, 234 }, { FORMAT, 255 },
	{ CHANNELS, 0 }, { CHANNELS, 3 }, { CHANNELS, 33 }, { CHANNELS, 255 },
	{ BUFFER_SIZE, 0 }, { BUFFER_SIZE, FRAME }, { BUFFER_SIZE, BUFFER - 1 },
	{ BUFFER_SIZE, BUFFER + FRAME }, { BUFFER_SIZE, UINT32_MAX - 3 }, { BUFFER_SIZE, UINT32_MAX },
	{ PERIOD_SIZE, 1 }, { PERIOD_SIZE, FRAME + 1 }, { PERIOD_SIZE, BUFFER + FRAME },
	{ PERIOD_SIZE, UINT32_MAX - 3 }, { PERIOD_SIZE, UINT32_MAX },
};

static struct xensnd_req make_wrong_open(const struct wrong_open *w)
{
	struct xensnd_req req = make_open();

	switch (w->field) {
	case RATE:
		req.op.open.pcm_rate = w->value;
		break;
	case FORMAT:
		req.op.open.pcm_format = w->value;
		break;
	case CHANNELS:
		req.op.open.pcm_channels = w->value;
		break;
	case BUFFER_SIZE:
		req.op.open.buffer_sz = w->value;
		break;
	case PERIOD_SIZE:
		req.op.open.period_sz = w->value;
		break;
	}
	return req;
}

static void refuses_wrong_opens(bool capture)
{
	size_t i;

	start(capture);
	for (i = 0; i < SPA_N_ELEMENTS(wrong_opens); i++)
		open_refused(make_wrong_open(&wrong_opens[i]), -XEN_EINVAL);
	/* nor do they end what is open */
	check_eq(ask(make_open()), 0);
	check_eq(ask_trigger(XENSND_OP_TRIGGER_START), 0);
	for (i = 0; i < SPA_N_ELEMENTS(wrong_opens); i++) {
		check_eq(ask(make_wrong_open(&wrong_opens[i])), -XEN_EINVAL);
		check_eq(state(), STREAM_RUNNING);
		check_eq(t.mapped, 2 + BUFFER / 4096);
	}
	/* opened, started, and that something was refused */
	check_eq(t.changes, 3);
	stop();
}

TEST(open_with_what_was_not_offered_is_refused)
{
	refuses_wrong_opens(false);
}

TEST(open_of_a_capture_with_what_was_not_offered_is_refused)
{
	refuses_wrong_opens(true);
}

/* in the place of the rules': no more than half the buffer of make_open() */
static int promise(const struct guest_env *env, const struct stream_identity *identity,
		bool capture, const struct xen_snd_geometry *geometry, struct latency *latency)
{
	check(env == &t.env);
	check_str(identity->guest, "test");
	check(!capture);
	*latency = (struct latency) { .rate = geometry->rate, .ring = geometry->buffer_frames };
	return geometry->buffer_frames * FRAME > BUFFER / 2 ? -EINVAL : 0;
}

TEST(open_with_a_latency_that_the_rules_refuse_maps_nothing)
{
	struct xensnd_req req;

	start(false);
	t.env.contract = promise;
	check_eq(ask(make_open()), -XEN_EINVAL);
	check(t.line.stream == NULL);
	check_eq(t.mapped, 2);
	check_eq(t.changes, 0);
	/* with another buffer the same guest is welcome */
	req = make_open();
	req.op.open.buffer_sz = BUFFER / 2;
	check_eq(ask(req), 0);
	check_eq(t.line.stream->latency.ring, BUFFER / 2 / FRAME);
	stop();
}

TEST(open_with_pages_that_are_not_there_is_refused)
{
	struct xensnd_req req;

	start(false);
	req = make_open();
	req.op.open.gref_directory = 7;
	open_refused(req, -XEN_EFAULT);
	req = make_open();
	req.op.open.gref_directory = UINT32_MAX;
	open_refused(req, -XEN_EINVAL);
	t.deny_buffer = true;
	open_refused(make_open(), -XEN_EFAULT);
	t.deny_buffer = false;
	directory[5] = 0;
	open_refused(make_open(), -XEN_EINVAL);
	stop();
}

TEST(a_span_outside_of_the_buffer_is_refused)
{
	start(false);
	check_eq(ask(make_open()), 0);
	check_eq(ask_span(XENSND_OP_WRITE, BUFFER - FRAME, FRAME), 0);
	check_eq(ask_span(XENSND_OP_WRITE, BUFFER, 0), 0);
	check_eq(ask_span(XENSND_OP_WRITE, BUFFER, FRAME), -XEN_EINVAL);
	check_eq(ask_span(XENSND_OP_WRITE, 0, BUFFER + FRAME), -XEN_EINVAL);
	check_eq(ask_span(XENSND_OP_WRITE, UINT32_MAX - 3, 8), -XEN_EINVAL);
	check_eq(ask_span(XENSND_OP_WRITE, 4, UINT32_MAX - 3), -XEN_EINVAL);
	check_eq(atomic_load(&t.line.stream->counters.refused), 4);
	stop();
}

TEST(a_span_of_broken_frames_is_refused)
{
	start(false);
	check_eq(ask(make_open()), 0);
	check_eq(ask_span(XENSND_OP_WRITE, 2, FRAME), -XEN_EINVAL);
	check_eq(ask_span(XENSND_OP_WRITE, 0, FRAME + 1), -XEN_EINVAL);
	stop();
}

TEST(the_wrong_direction_is_refused)
{
	start(false);
	check_eq(ask(make_open()), 0);
	check_eq(ask_span(XENSND_OP_READ, 0, FRAME), -XEN_EINVAL);
	stop();
}

TEST(a_capture_stream_is_read_and_not_written)
{
	start(true);
	check_eq(ask(make_open()), 0);
	check_eq(ask_span(XENSND_OP_READ, 0, FRAME), 0);
	check_eq(ask_span(XENSND_OP_WRITE, 0, FRAME), -XEN_EINVAL);
	stop();
}

TEST(an_unknown_trigger_is_refused)
{
	start(false);
	check_eq(ask(make_open()), 0);
	check_eq(ask_trigger(4), -XEN_EINVAL);
	check_eq(ask_trigger(255), -XEN_EINVAL);
	check_eq(state(), STREAM_PREPARED);
	stop();
}

TEST(an_unknown_operation_is_answered)
{
	unsigned int op;

	start(false);
	for (op = XENSND_OP_HW_PARAM_QUERY + 1; op <= 255; op++)
		check_eq(ask(make(op)), -XEN_EOPNOTSUPP);
	check_eq(ask(make_open()), 0);
	check_eq(ask(make(0xff)), -XEN_EOPNOTSUPP);
	stop();
}

/* Queries. */

TEST(a_query_is_answered_with_the_cards_limits)
{
	const struct xensnd_query_hw_param *hw = &ring.slots[0].resp.resp.hw_param;
	struct xensnd_req req;

	start(false);
	req = make(XENSND_OP_HW_PARAM_QUERY);
	memset(&req.op.hw_param, 0xff, sizeof(req.op.hw_param));
	req.op.hw_param.rates.min = req.op.hw_param.channels.min = 0;
	req.op.hw_param.buffer.min = req.op.hw_param.period.min = 0;
	check_eq(ask(req), 0);
	check_eq(hw->formats, 1u << XENSND_PCM_FORMAT_S16_LE);
	check_eq(hw->rates.max, 48000);
	check_eq(hw->channels.max, 2);
	check_eq(hw->buffer.max, BUFFER / 2);
	check_eq(hw->period.max, BUFFER / 4);
	stop();
}

TEST(a_query_that_leaves_nothing_is_refused_and_answered_with_zeroes)
{
	static const uint8_t zeroes[56];
	struct xensnd_req req;

	start(false);
	req = make(XENSND_OP_HW_PARAM_QUERY);
	memset(&req.op.hw_param, 0, sizeof(req.op.hw_param));
	check_eq(ask(req), -XEN_EINVAL);
	check_mem(&ring.slots[0].resp.resp, zeroes, sizeof(zeroes));
	stop();
}

/* Volume and mute, whose values lie in the ring itself. */

static int32_t volume(uint32_t channel)
{
	return atomic_load(&t.line.stream->channels[channel].volume);
}

static bool mute(uint32_t channel)
{
	return atomic_load(&t.line.stream->channels[channel].mute);
}

TEST(volumes_are_set_from_the_ring_and_got_into_it)
{
	static const int32_t cells[2] = { -6000, -12000 }, loud[2] = { 1, INT32_MAX };

	start(false);
	check_eq(ask(make_open()), 0);
	/* anywhere in it */
	memcpy(buffer + 6, cells, sizeof(cells));
	check_eq(ask_span(XENSND_OP_SET_VOLUME, 6, 8), 0);
	check_eq(volume(0), -6000);
	check_eq(volume(1), -12000);
	memset(buffer, 0x5a, 32);
	check_eq(ask_span(XENSND_OP_GET_VOLUME, 9, 8), 0);
	check_mem(buffer + 9, cells, sizeof(cells));
	check_eq(buffer[8], 0x5a);
	check_eq(buffer[17], 0x5a);
	/* no louder than it is */
	memcpy(buffer, loud, sizeof(loud));
	check_eq(ask_span(XENSND_OP_SET_VOLUME, 0, 8), 0);
	check_eq(volume(0), 0);
	check_eq(volume(1), 0);
	stop();
}

TEST(channels_are_muted_by_octets_or_by_cells)
{
	static const uint8_t octets[2] = { 0, 1 };
	static const uint32_t cells[2] = { 1, 0 };

	start(false);
	check_eq(ask(make_open()), 0);
	memcpy(buffer, octets, sizeof(octets));
	check_eq(ask_span(XENSND_OP_MUTE, 0, 2), 0);
	check(!mute(0) && mute(1));
	memcpy(buffer, cells, sizeof(cells));
	check_eq(ask_span(XENSND_OP_MUTE, 0, 8), 0);
	check(mute(0) && mute(1));
	check_eq(ask_span(XENSND_OP_UNMUTE, 0, 8), 0);
	check(!mute(0) && mute(1));
	stop();
}

TEST(volumes_of_another_count_or_beyond_the_ring_are_refused)
{
	static const uint8_t operations[] = { XENSND_OP_SET_VOLUME, XENSND_OP_GET_VOLUME,
		XENSND_OP_MUTE, XENSND_OP_UNMUTE };
	unsigned int i;

	start(false);
	check_eq(ask(make_open()), 0);
	for (i = 0; i < sizeof(operations); i++) {
		check_eq(ask_span(operations[i], 0, 0), -XEN_EINVAL);
		check_eq(ask_span(operations[i], 0, 7), -XEN_EINVAL);
		check_eq(ask_span(operations[i], 0, 12), -XEN_EINVAL);
		check_eq(ask_span(operations[i], BUFFER - 7, 8), -XEN_EINVAL);
		check_eq(ask_span(operations[i], UINT32_MAX, 8), -XEN_EINVAL);
		check_eq(ask_span(operations[i], UINT32_MAX - 3, 8), -XEN_EINVAL);
	}
	check_eq(volume(0), 0);
	check(!mute(0));
	stop();
}

/* The ring. */

TEST(a_full_ring_is_served_in_turns)
{
	unsigned int i;

	start(false);
	pw_loop_enter(t.guest.worker.loop);
	for (i = 0; i < 32; i++)
		put(make(XENSND_OP_CLOSE));
	line_serve(&t.line);
	check_eq(t.answers, 32);
	/* other lines of the guest have their turn before it looks again */
	check_eq(t.unmasked, 0);
	pw_loop_iterate(t.guest.worker.loop, 0);
	check_eq(t.unmasked, 1);
	pw_loop_leave(t.guest.worker.loop);
	stop();
}

TEST(a_broken_ring_ends_the_stream_and_wakes_nobody_again)
{
	start(false);
	check_eq(ask(make_open()), 0);
	t.answers = t.unmasked = 0;
	ring.req_prod += 33;
	line_serve(&t.line);
	check(t.line.stream == NULL);
	check_eq(t.mapped, 2);
	ring.req_prod = ring.rsp_prod + 1;
	line_serve(&t.line);
	check_eq(t.answers, 0);
	check_eq(t.unmasked, 0);
	stop();
}

TEST(a_guest_that_signals_without_requests_is_heard_ever_more_rarely)
{
	uint64_t begin = clock_now(), now = begin;
	unsigned int wakes = 0;

	start(false);
	pw_loop_enter(t.guest.worker.loop);
	/* as often as it can, for half a second */
	for (; now < begin + 500 * SPA_NSEC_PER_MSEC; now = clock_now()) {
		t.unmasked = 0;
		line_serve(&t.line);
		wakes++;
		while (t.unmasked == 0)
			pw_loop_iterate(t.guest.worker.loop, -1);
	}
	/* 3 at once, then after 1, 2, 4, 8, 16, 32, 64, and 100 ms each time */
	check(wakes >= 8 && wakes <= 15);
	pw_loop_leave(t.guest.worker.loop);
	stop();
}

TEST(a_guest_that_asks_again_is_heard_at_once_again)
{
	unsigned int i;

	start(false);
	for (i = 0; i < 4; i++)
		line_serve(&t.line);
	check_eq(t.unmasked, 3);
	check_eq(ask(make(XENSND_OP_CLOSE)), 0);
	check_eq(t.unmasked, 4);
	/* the signal of a request that was answered along with the one before */
	for (i = 0; i < 10; i++) {
		line_serve(&t.line);
		check_eq(ask(make(XENSND_OP_CLOSE)), 0);
	}
	check_eq(t.unmasked, 24);
	stop();
}

/* Budgets. */

static void set(const char *key, const char *value)
{
	budgets_set(&t.budgets, key, value);
}

static uint64_t reached(enum budget_id id)
{
	return budget_reached(&t.budgets, id);
}

/* Until all that is in the ring was answered; how long it took in ms. */
static uint64_t serve_all(void)
{
	uint64_t begin = clock_now();

	line_serve(&t.line);
	while (ring.rsp_prod != ring.req_prod)
		pw_loop_iterate(t.guest.worker.loop, -1);
	return (clock_now() - begin) / SPA_NSEC_PER_MSEC;
}

/* All of it is spent, and half a second's worth more. */
static void use_up(enum budget_id id)
{
	t.budgets.of[id].spent = clock_now() + 1500 * SPA_NSEC_PER_MSEC;
}

TEST(requests_that_are_too_many_wait_and_are_answered_in_their_order)
{
	unsigned int i;

	start(false);
	set("xen.max-requests", "200");
	pw_loop_enter(t.guest.worker.loop);
	for (i = 0; i < 30; i++)
		put(make(XENSND_OP_CLOSE));
	use_up(BUDGET_REQUESTS);
	check(serve_all() >= 100);
	for (i = 0; i < 30; i++)
		check_eq(ring.slots[(ring.rsp_prod - 30 + i) % 32].resp.id, t.id - 29 + i);
	check(reached(BUDGET_REQUESTS) > 0);
	/* as often as they were answered, and the port is open again */
	check_eq(t.answers, 30);
	check_eq(t.unmasked, 1);
	pw_loop_leave(t.guest.worker.loop);
	stop();
}

TEST(a_guest_whose_request_waits_is_not_heard)
{
	start(false);
	set("xen.max-opens", "1");
	check_eq(ask(make_open()), 0);
	t.unmasked = 0;
	put(make_open());
	line_serve(&t.line);
	check_eq(t.unmasked, 0);
	check_eq(t.answers, 1);
	check_eq(atomic_load(&t.line.stream->counters.delayed), 1);
	stop();
}

TEST(opens_that_are_too_many_wait)
{
	start(false);
	set("xen.max-opens", "20");
	pw_loop_enter(t.guest.worker.loop);
	check_eq(ask(make_open()), 0);
	check_eq(reached(BUDGET_OPENS), 0);
	use_up(BUDGET_OPENS);
	put(make_open());
	check(serve_all() >= 100);
	check_eq(ring.slots[(ring.rsp_prod - 1) % 32].resp.status, 0);
	check_eq(reached(BUDGET_OPENS), 1);
	/* others do not */
	use_up(BUDGET_OPENS);
	check_eq(ask(make(XENSND_OP_CLOSE)), 0);
	pw_loop_leave(t.guest.worker.loop);
	stop();
}

/* Linux would give up after three seconds, and take the answer for another's. */
TEST(an_open_that_has_waited_long_is_refused)
{
	uint64_t ms;

	start(false);
	set("xen.max-opens", "1");
	pw_loop_enter(t.guest.worker.loop);
	check_eq(ask(make_open()), 0);
	/* somebody else of the guest is always first */
	t.budgets.of[BUDGET_OPENS].spent += 60 * SPA_NSEC_PER_SEC;
	put(make_open());
	/* who asks at the wrong time has no turn */
	for (ms = clock_now(); clock_now() - ms < 2100 * SPA_NSEC_PER_MSEC;)
		line_serve(&t.line);
	check_eq(ring.rsp_prod, ring.req_prod);
	check_eq(ring.slots[(ring.rsp_prod - 1) % 32].resp.status, -XEN_EBUSY);
	/* the stream that was open is as it was */
	check_eq(state(), STREAM_PREPARED);
	pw_loop_leave(t.guest.worker.loop);
	stop();
}

TEST(an_open_of_more_than_the_guest_may_map_is_refused)
{
	start(false);
	set("xen.max-mapped", "65535");
	open_refused(make_open(), -XEN_ENOMEM);
	set("xen.max-mapped", "65536");
	check_eq(ask(make_open()), 0);
	/* the one that it replaces is none any more */
	check_eq(ask(make_open()), 0);
	check_eq(ask(make(XENSND_OP_CLOSE)), 0);
	check_eq(budget_held(&t.budgets, BUDGET_OCTETS), 0);

	/* the buffer, the ring and the page of events */
	set("xen.max-grants", "17");
	open_refused(make_open(), -XEN_ENOMEM);
	set("xen.max-grants", "18");
	check_eq(ask(make_open()), 0);
	check_eq(budget_held(&t.budgets, BUDGET_GRANTS), 18);
	check_eq(reached(BUDGET_OCTETS), 1);
	check_eq(reached(BUDGET_GRANTS), 1);
	stop();
}

TEST(a_failed_open_gives_back_what_it_took)
{
	struct xensnd_req req;

	start(false);
	req = make_open();
	req.op.open.gref_directory = 7;
	open_refused(req, -XEN_EFAULT);
	t.deny_buffer = true;
	open_refused(make_open(), -XEN_EFAULT);
	check_eq(budget_held(&t.budgets, BUDGET_GRANTS), 2);
	check_eq(budget_held(&t.budgets, BUDGET_OCTETS), 0);
	stop();
}

TEST(a_connection_of_more_pages_than_the_guest_may_map_is_refused)
{
	start(false);
	line_disconnect(&t.line);
	budgets_set(&t.budgets, "xen.max-grants", "2");
	check(budget_take(&t.budgets, BUDGET_GRANTS, 1));
	check_eq(line_connect(&t.line, &t.guest), -ENOMEM);
	check_eq(t.mapped, 0);
	check_eq(budget_held(&t.budgets, BUDGET_GRANTS), 1);
	budget_give(&t.budgets, BUDGET_GRANTS, 1);
	check_eq(line_connect(&t.line, &t.guest), 0);
	stop();
}

/* Connecting. */

static void does_not_connect(uint32_t ring_ref, uint32_t evt_ring_ref)
{
	t.line.config.ring_ref = ring_ref;
	t.line.config.evt_ring_ref = evt_ring_ref;
	check(line_connect(&t.line, &t.guest) < 0);
	check_eq(t.mapped, 0);
	check_eq(t.handles, 0);
	check_eq(t.bound, 0);
}

TEST(a_connection_that_fails_leaves_nothing_behind)
{
	start(false);
	line_disconnect(&t.line);
	does_not_connect(7, EVENTS_GREF);
	does_not_connect(0, EVENTS_GREF);
	does_not_connect(RING_GREF, 7);
	does_not_connect(RING_GREF, UINT32_MAX);
	t.deny_port = REQUEST_PORT;
	does_not_connect(RING_GREF, EVENTS_GREF);
	t.deny_port = EVENT_PORT;
	does_not_connect(RING_GREF, EVENTS_GREF);
	line_disconnect(&t.line);
	stop();
}

/* Killed, and resumed by the next backend. */

/* what the kernel would take back is no leak: it is kept where a leak checker looks */
static struct line killed[8] __attribute__((used));
static unsigned int n_killed;

static void kill_it(void)
{
	check(n_killed < SPA_N_ELEMENTS(killed));
	killed[n_killed++] = t.line;
	t.line = (struct line) { .config = t.line.config, .record = &record };
	memset(&t.budgets, 0, sizeof(t.budgets));
	set_budgets_to_most();
	t.mapped = t.handles = t.bound = 0;
}

static void resume_it(void)
{
	t.answers = 0;
	check_eq(line_resume(&t.line, &t.guest), 0);
	check_eq(t.handles, 1);
	check_eq(t.bound, 2);
	/* the guest is woken for what it was shown */
	check_eq(t.answers, 1);
}

/* a cycle of the graph */
static void cycle(uint32_t frames)
{
	static const struct xen_snd_cycle now = { .length = SPA_NSEC_PER_MSEC };
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];

	atomic_store(&t.line.stream->settled, true);
	check(xen_snd_stream_acquire(&t.line.stream->iface, frames, &now, spans) > 0);
	xen_snd_stream_release(&t.line.stream->iface, frames);
}

static uint64_t position(void)
{
	return atomic_load(&t.line.stream->counters.position);
}

static uint64_t filled(void)
{
	return atomic_load(&t.line.stream->filled);
}

static void start_playing(void)
{
	start(false);
	check_eq(ask(make_open()), 0);
	check_eq(ask_span(XENSND_OP_WRITE, 0, BUFFER), 0);
	check_eq(ask_trigger(XENSND_OP_TRIGGER_START), 0);
	cycle(1024);
}

TEST(a_stream_goes_on_where_it_was_killed)
{
	start_playing();
	check_eq(event_page[1], 2);
	kill_it();
	event_page[1] = 99;
	ring.rsp_prod = 77;
	resume_it();
	check_eq(ring.rsp_prod, 3);
	check_eq(event_page[1], 2);
	check_eq(t.mapped, 2 + BUFFER / 4096);
	check_eq(state(), STREAM_RUNNING);
	check_eq(position(), 1024);
	check_eq(filled(), BUFFER / FRAME);
	check_eq(t.changes, 3);
	cycle(1024);
	check_eq(event_page[1], 4);
	check_eq(ask_span(XENSND_OP_WRITE, 0, 2048 * FRAME), 0);
	check_eq(filled(), BUFFER / FRAME + 2048);
	check_eq(ask_trigger(XENSND_OP_TRIGGER_STOP), 0);
	check_eq(position(), BUFFER / FRAME);
	check_eq(ask(make(XENSND_OP_CLOSE)), 0);
	check_eq(t.mapped, 2);
	stop();
}

TEST(a_line_without_a_stream_goes_on_too)
{
	start_playing();
	check_eq(ask(make(XENSND_OP_CLOSE)), 0);
	kill_it();
	resume_it();
	check(t.line.stream == NULL);
	check_eq(t.mapped, 2);
	check_eq(ask(make_open()), 0);
	check_eq(ask_trigger(XENSND_OP_TRIGGER_START), 0);
	cycle(1024);
	/* older Linux counts from the making of the page */
	check_eq(event_page[1], 4);
	stop();
}

TEST(what_was_asked_meanwhile_is_answered)
{
	start_playing();
	kill_it();
	put(make(XENSND_OP_TRIGGER));
	ring.slots[(ring.req_prod - 1) % 32].req.op.trigger.type = XENSND_OP_TRIGGER_PAUSE;
	resume_it();
	line_serve(&t.line);
	check_eq(ring.rsp_prod, ring.req_prod);
	check_eq(state(), STREAM_PAUSED);
	stop();
}

/* Killed when the work was done and the answer not yet on record. */
static void again(void)
{
	atomic_store(&record.answered, --ring.rsp_prod);
	kill_it();
	resume_it();
	line_serve(&t.line);
	check_eq(ring.rsp_prod, ring.req_prod);
	check_eq(ring.slots[(ring.rsp_prod - 1) % 32].resp.status, 0);
}

/* the slot holds the answer then: what was asked is put there again */
static void put_again(struct xensnd_req req)
{
	ring.slots[(ring.req_prod - 1) % 32].req = req;
}

TEST(a_request_that_is_served_twice_does_what_it_does_once)
{
	struct xensnd_req req;

	start(false);
	req = make_open();
	check_eq(ask(req), 0);
	put_again(req);
	again();
	check_eq(t.mapped, 2 + BUFFER / 4096);

	req = make(XENSND_OP_WRITE);
	req.op.rw.offset = 0;
	req.op.rw.length = BUFFER;
	check_eq(ask(req), 0);
	put_again(req);
	again();
	check_eq(filled(), BUFFER / FRAME);

	req = make(XENSND_OP_TRIGGER);
	req.op.trigger.type = XENSND_OP_TRIGGER_START;
	check_eq(ask(req), 0);
	put_again(req);
	again();
	check_eq(state(), STREAM_RUNNING);
	check_eq(position(), 0);
	cycle(1000);

	req.op.trigger.type = XENSND_OP_TRIGGER_STOP;
	check_eq(ask(req), 0);
	put_again(req);
	again();
	check_eq(state(), STREAM_PREPARED);
	check_eq(position(), BUFFER / FRAME);

	req = make(XENSND_OP_CLOSE);
	check_eq(ask(req), 0);
	put_again(req);
	again();
	check_eq(t.mapped, 2);
	stop();
}

/* A guest that waited too long has freed its pages: others may have them now. */
static void gives_up_the_pages(struct xensnd_req req)
{
	start_playing();
	kill_it();
	put(req);
	resume_it();
	check(t.line.stream == NULL);
	check_eq(t.mapped, 2);
	line_serve(&t.line);
	check_eq(ring.rsp_prod, ring.req_prod);
	check_eq(ring.slots[(ring.rsp_prod - 1) % 32].resp.status, 0);
}

TEST(pages_that_the_guest_wants_closed_are_not_mapped_again)
{
	gives_up_the_pages(make(XENSND_OP_CLOSE));
	check(t.line.stream == NULL);
	stop();
}

TEST(pages_that_the_guest_has_replaced_are_not_mapped_again)
{
	gives_up_the_pages(make_open());
	check_eq(state(), STREAM_PREPARED);
	check_eq(position(), 0);
	stop();
}

TEST(pages_that_are_gone_end_the_connection)
{
	start_playing();
	kill_it();
	t.deny_buffer = true;
	check_eq(line_resume(&t.line, &t.guest), -EFAULT);
	check_eq(t.mapped, 0);
	check_eq(t.handles, 0);
	check_eq(t.bound, 0);
	check_eq(line_connect(&t.line, &t.guest), 0);
	stop();
}

/* between two hw_params() */
TEST(a_stream_that_does_not_run_may_lose_its_pages)
{
	start(false);
	check_eq(ask(make_open()), 0);
	kill_it();
	t.deny_buffer = true;
	resume_it();
	check(t.line.stream == NULL);
	check_eq(t.mapped, 2);
	t.deny_buffer = false;
	check_eq(ask(make_open()), 0);
	stop();
}

TEST(a_record_that_says_what_can_not_be_ends_the_connection)
{
	start_playing();
	kill_it();
	record.moments[atomic_load(&record.current)].posted = UINT64_MAX;
	check_eq(line_resume(&t.line, &t.guest), -EINVAL);
	check_eq(t.mapped, 0);
	check_eq(line_connect(&t.line, &t.guest), 0);
	stop();
}

TEST(volume_and_mute_outlast_a_kill)
{
	int32_t *cells = (int32_t *)buffer;

	start(false);
	check_eq(ask(make_open()), 0);
	cells[0] = -6000;
	cells[1] = -20000;
	check_eq(ask_span(XENSND_OP_SET_VOLUME, 0, 8), 0);
	cells[0] = 0;
	cells[1] = 1;
	check_eq(ask_span(XENSND_OP_MUTE, 0, 8), 0);
	kill_it();
	resume_it();
	check_eq(atomic_load(&t.line.stream->channels[0].volume), -6000);
	check_eq(atomic_load(&t.line.stream->channels[1].volume), -20000);
	check_eq(atomic_load(&t.line.stream->channels[0].mute), false);
	check_eq(atomic_load(&t.line.stream->channels[1].mute), true);
	check(t.line.stream->iface.gains.channel[0] < 0.51f);
	check(t.line.stream->iface.gains.channel[1] == 0.0f);
	/* a stream that is opened is as loud as any */
	check_eq(ask(make_open()), 0);
	kill_it();
	resume_it();
	check_eq(atomic_load(&t.line.stream->channels[0].volume), 0);
	check_eq(atomic_load(&t.line.stream->channels[1].mute), false);
	stop();
}

TEST(leaving_changes_nothing_that_the_guest_sees)
{
	start_playing();
	line_leave(&t.line);
	check_eq(t.mapped, 0);
	check_eq(t.handles, 0);
	check_eq(t.bound, 0);
	check_eq(t.changes, 3);
	/* the event's type: still a position */
	check_eq(((uint8_t *)event_page)[64 + 2], XENSND_EVT_CUR_POS);
	t.line.record = &record;
	resume_it();
	check_eq(state(), STREAM_RUNNING);
	check_eq(position(), 1024);
	stop();
}

TEST(without_a_record_all_is_as_ever)
{
	start(false);
	t.line.record = NULL;
	check_eq(ask(make_open()), 0);
	check_eq(ask_span(XENSND_OP_WRITE, 0, BUFFER), 0);
	check_eq(ask_trigger(XENSND_OP_TRIGGER_START), 0);
	cycle(1024);
	check_eq(position(), 1024);
	stop();
}
