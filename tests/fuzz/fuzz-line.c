/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Requests of any kind and in any order, with the guest's pages changing between,
 * and the graph and the fallback clock running on what comes of it.
 *
 * Each request is answered once, in its place, with a status that sndif knows; or
 * none is any more, since the ring is broken. No event is posted before OPEN or
 * after CLOSE, nor by a graph while the stream does not run. Positions are whole
 * frames and never go back. Frontends that keep to the rules are told of each
 * position by the ids that they expect. Whatever was mapped or bound is given back,
 * and nothing is touched that is not mapped. */

#include <endian.h>
#include <errno.h>
#include <stdlib.h>

#include "frames.h"
#include "guest.h"
#include "hypervisor.h"
#include "input.h"
#include "linux-frontend.h"
#include "log-check.h"
#include "sample.h"
#include "test.h"

#define REQUEST_PORT	21
#define EVENT_PORT	22
#define MAX_BUFFER	(PAGES_MAX * WIRE_PAGE_SIZE)
#define MSEC		UINT64_C(1000000)
#define MAX_QUANTUM	8192u
#define MAX_FRAME	(8u * LIMITS_MAX_CHANNELS)

enum command {
	SERVE,			/* the port is signalled */
	RAW,			/* 64 octets into the next slot */
	ASK_OPEN,
	ASK_CLOSE,
	ASK_SPAN,
	ASK_TRIGGER,
	ASK_QUERY,
	CYCLE,			/* of the graph */
	TICK,			/* of the fallback clock */
	LINK,
	INTERRUPT,		/* of the guest, by events */
	SCRIBBLE,		/* on any page */
	INDEX,			/* of the ring */
	RECONNECT,
	N_COMMANDS
};

static struct {
	struct input in;
	struct guest guest;
	struct guest_env env;
	struct budgets budgets;
	struct stream_watcher watcher;
	atomic_uint_least64_t min_period;
	struct line line;
	struct stream *node;		/* what a node holds of the stream opened last */
	uint64_t now;

	/* the guest */
	bool honest;			/* keeps to the rules */
	struct linux_frontend model;
	uint32_t asked;			/* requests put into the ring */
	uint16_t id;

	/* what must hold */
	uint8_t before[WIRE_PAGE_SIZE];	/* the ring, as the backend finds it */
	uint32_t answered;
	unsigned int unmasked;
	bool serving;
	bool quiet;			/* no event may come now */
	uint64_t told;			/* octets since OPEN */
	uint32_t base;			/* event slots used before OPEN */
} t;

static const struct wire_dialect *dialect(void)
{
	return t.line.config.dialect;
}

/* The ring. */

static uint32_t get(const uint8_t *p)
{
	uint32_t n;

	memcpy(&n, p, sizeof(n));
	return le32toh(n);
}

static void set(uint8_t *p, uint32_t n)
{
	n = htole32(n);
	memcpy(p, &n, sizeof(n));
}

static uint32_t slot_at(uint32_t index)
{
	return WIRE_RING_HEADER + index % dialect()->ring_slots * dialect()->packet_size;
}

static bool is_xen_errno(int32_t error)
{
	static const int errors[] = {
#define XEN_ERRNO(name, value) value,
#include <xen/errno.h>
	};
	size_t i;

	for (i = 0; i < SPA_N_ELEMENTS(errors); i++) {
		if (errors[i] == error)
			return true;
	}
	return false;
}

static void check_narrowed(const struct wire_range *was, const struct wire_range *is)
{
	check(is->min >= was->min && is->max <= was->max && is->min <= is->max);
}

/* What is offered lies within what was asked for. */
static void check_query(const uint8_t *request, const uint8_t *answer)
{
	struct wire_request was, is;

	wire_get_request(dialect(), request, &was);
	wire_get_request(dialect(), answer, &is);
	check(is.hw.formats != 0 && (is.hw.formats & ~was.hw.formats) == 0);
	check_narrowed(&was.hw.rate, &is.hw.rate);
	check_narrowed(&was.hw.channels, &is.hw.channels);
	check_narrowed(&was.hw.buffer, &is.hw.buffer);
	check_narrowed(&was.hw.period, &is.hw.period);
}

/* What was granted lies in the ring of the stream that is open. */
static void check_span(const uint8_t *request)
{
	uint64_t offset = get(request + 8), length = get(request + 12);
	const struct xen_snd_geometry *g;

	check(t.line.stream != NULL);
	g = &t.line.stream->iface.geometry;
	check(offset + length <= (uint64_t)g->buffer_frames * g->frame_size);
	if (request[2] == WIRE_OP_READ || request[2] == WIRE_OP_WRITE)
		check_eq(request[2] == WIRE_OP_READ, t.line.stream->capture);
}

static void check_answer(void)
{
	static const uint8_t zeroes[WIRE_PACKET_SIZE];
	const uint8_t *request = t.before + slot_at(t.answered);
	const uint8_t *answer = hypervisor.ring.guest + slot_at(t.answered);
	int32_t status = get(answer + 4);
	uint8_t op = request[2];
	uint32_t size = 8;

	check_mem(answer, request, 3);
	check_eq(answer[3], 0);
	check(status == 0 || is_xen_errno(-status));
	if (op > dialect()->last_op)
		check_eq(status, -95);
	if (op >= WIRE_OP_READ && op <= WIRE_OP_UNMUTE && status == 0)
		check_span(request);
	if (op == WIRE_OP_CLOSE) {
		check_eq(status, 0);
		check(t.line.stream == NULL);
		check_eq(hypervisor.buffer_pages, 0);
	}
	if (op == WIRE_OP_HW_PARAM_QUERY && status == 0) {
		check_query(request, answer);
		size += 40;
	}
	check_mem(answer + size, zeroes, dialect()->packet_size - size);
	check_eq(get(hypervisor.ring.guest + 8), t.answered + 1);
}

static void on_answer(void)
{
	check(t.serving);
	if (!hypervisor.aliased)
		check_answer();
	t.answered++;
}

/* The event page: two slots a position. */

static void on_event(void)
{
	static const uint8_t zeroes[WIRE_PACKET_SIZE];
	const struct event_page *events = &t.line.events.page;
	uint32_t frame, size = dialect()->packet_size, i, index;
	uint64_t position;
	const uint8_t *p;
	uint16_t id;

	check(!t.quiet);
	check(t.line.stream != NULL && t.line.stream->iface.geometry.period_frames > 0);
	frame = t.line.stream->iface.geometry.frame_size;
	if (hypervisor.aliased)
		return;
	for (i = 2; i > 0; i--) {
		index = events->produced - i;
		p = hypervisor.events.guest + (1 + index % dialect()->event_slots) * size;
		memcpy(&id, p, sizeof(id));
		check_eq(id, (uint16_t)(index - (i == 1 ? t.base : 0)));
		check_mem(p + 2, zeroes, 6);
		memcpy(&position, p + 8, sizeof(position));
		check_eq(position % frame, 0);
		check(position >= t.told);
		check_mem(p + 16, zeroes, size - 16);
	}
	t.told = position;
	check_eq(get(hypervisor.events.guest + 4), events->produced);
}

static void on_notified(xenevtchn_handle *handle, evtchn_port_t port)
{
	if (handle == t.line.events.handle) {
		check_eq(port, EVENT_PORT);
		on_event();
	} else {
		check_eq(port, REQUEST_PORT);
		on_answer();
	}
}

static void on_unmasked(xenevtchn_handle *handle, evtchn_port_t port)
{
	/* the events' never is */
	check(handle == t.guest.evtchn && port == REQUEST_PORT);
	t.unmasked++;
}

/* the guest thread's clock */
void guest_wake(struct guest *guest)
{
}

static void on_changed(struct stream_watcher *watcher, struct stream *stream)
{
	if (stream == t.node)
		return;
	if (t.node)
		stream_unref(t.node);
	t.node = stream_ref(stream);
	t.told = 0;
	t.base = t.line.events.page.produced;
}

/* One turn of the backend's, by a signal or by its own letter. */
static void turn(bool letter)
{
	uint32_t first = t.answered, waiting, slots = dialect()->ring_slots;
	bool broken = t.line.broken;

	memcpy(t.before, hypervisor.ring.guest, sizeof(t.before));
	waiting = get(t.before) - first;
	t.unmasked = 0;
	t.serving = true;
	if (letter)
		mailbox_read_all(&t.guest.worker.mailbox);
	else
		line_serve(&t.line);
	t.serving = false;
	if (hypervisor.aliased)
		return;
	if (broken || waiting > slots) {
		check(t.line.broken);
		check_eq(t.answered, first);
	} else {
		check_eq(t.answered - first, waiting);
	}
	/* a guest that signals for nothing has to wait */
	if (waiting > 0 || letter)
		check_eq(t.unmasked, !t.line.broken && waiting < slots);
	else
		check(t.unmasked <= !t.line.broken);
}

static void serve(void)
{
	turn(false);
	if (t.line.more.posted)
		turn(true);
	check(!t.line.more.posted);
}

/* What the guest asks. */

static int32_t ask(const uint8_t *packet)
{
	uint32_t at = slot_at(t.asked);

	memcpy(hypervisor.ring.guest + at, packet, dialect()->packet_size);
	set(hypervisor.ring.guest, ++t.asked);
	if (!t.honest && (input_u8(&t.in) & 1))
		return 0;
	serve();
	return get(hypervisor.ring.guest + at + 4);
}

static int32_t ask_words(uint8_t op, const uint32_t *words, uint32_t n)
{
	uint8_t packet[WIRE_PACKET_SIZE];
	uint32_t i;

	memset(packet, 0xa5, sizeof(packet));
	packet[0] = ++t.id & 0xff;
	packet[1] = t.id >> 8;
	packet[2] = op;
	for (i = 0; i < n; i++)
		set(packet + 8 + 4 * i, words[i]);
	return ask(packet);
}

static void ask_raw(void)
{
	uint8_t packet[WIRE_PACKET_SIZE];

	input_take(&t.in, packet, sizeof(packet));
	if (!t.honest)
		ask(packet);
}

static void ask_trigger(uint32_t type)
{
	if (dialect()->last_op >= WIRE_OP_TRIGGER || !t.honest)
		ask_words(WIRE_OP_TRIGGER, &type, 1);
}

static bool has_events(void)
{
	return dialect()->event_slots > 0;
}

static void ask_close(void)
{
	ask_words(WIRE_OP_CLOSE, NULL, 0);
	if (t.honest && has_events())
		linux_free(&t.model);
}

/* Frames and periods are whole, unless something is added to them. */
static void ask_open(void)
{
	static const uint32_t rates[] = { 8000, 44100, 48000, 384000 };
	uint8_t how = input_u8(&t.in), format = input_u8(&t.in);
	uint8_t odd = t.honest ? 0 : input_u8(&t.in);
	uint32_t channels = odd & 2 ? input_u8(&t.in) : 1 + (how >> 2) % 8;
	const struct wire_format_info *info = wire_format_info(format);
	uint32_t frame = SPA_MAX((info ? info->size : 4) * channels, 1u);
	uint32_t period = input_u8(&t.in), words[5];

	words[0] = odd & 1 ? input_u32(&t.in) : rates[how & 3];
	words[1] = format | channels << 8;
	words[2] = (period + input_u16(&t.in) % 2048) * frame + (odd & 4 ? input_u32(&t.in) : 0);
	words[3] = odd & 8 ? input_u32(&t.in) : GREF_DIRECTORY;
	words[4] = period * frame + (odd & 16 ? input_u32(&t.in) : 0);
	if (t.honest) {
		/* as Linux does before hw_params() */
		if (t.line.stream && has_events())
			ask_trigger(WIRE_TRIGGER_STOP);
		ask_close();
		if (has_events())
			linux_set_geometry(&t.model, words[2] / frame, period, frame);
	}
	if (ask_words(WIRE_OP_OPEN, words, 5) < 0 && t.honest && has_events())
		linux_free(&t.model);
}

static void ask_span(void)
{
	uint8_t how = input_u8(&t.in);
	uint32_t frame = t.line.stream ? t.line.stream->iface.geometry.frame_size : 4;
	uint32_t words[2];

	words[0] = how & 0x80 ? input_u32(&t.in) : input_u16(&t.in) * frame;
	words[1] = how & 0x40 ? input_u32(&t.in) : input_u16(&t.in) * frame;
	/* what would come out at the beginning if it were added up in 32 bits */
	if (how & 0x20)
		words[0] = -words[1];
	ask_words(WIRE_OP_READ + how % 6, words, 2);
}

static void ask_query(void)
{
	uint8_t how = input_u8(&t.in);
	uint32_t words[10], i;

	for (i = 0; i < SPA_N_ELEMENTS(words); i++)
		words[i] = i % 2 || i == 0 ? UINT32_MAX : 0;
	for (i = 0; i < (how & 3); i++)
		words[input_u8(&t.in) % SPA_N_ELEMENTS(words)] = input_u32(&t.in);
	atomic_store(&t.min_period, how & 0x80 ? input_u32(&t.in) : 0);
	ask_words(WIRE_OP_HW_PARAM_QUERY, words, SPA_N_ELEMENTS(words));
}

/* The graph. */

static bool is_running(const struct stream *s)
{
	return atomic_load(&s->state) == STREAM_RUNNING;
}

static void play(const struct xen_snd_span *span, const struct xen_snd_geometry *g)
{
	static uint8_t sound[MAX_QUANTUM * MAX_FRAME] __attribute__((aligned(8)));
	size_t size = (size_t)span->frames * g->frame_size;

	if (span->data)
		frames_copy(frames_find_mend(g->guest_format), sound, span->data, size);
}

static void record(const struct xen_snd_span *span, const struct xen_snd_geometry *g)
{
	check(span->data != NULL);
	memset(span->data, 0x5a, (size_t)span->frames * g->frame_size);
}

static void cycle(void)
{
	uint8_t how = input_u8(&t.in);
	uint32_t quantum = how & 1 ? input_u16(&t.in) % (MAX_QUANTUM + 1) : 64u << (how >> 5) % 7;
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	const struct xen_snd_geometry *g;
	struct xen_snd_cycle now = { 0 };
	uint32_t frames = 0;
	int i, n;

	if (t.node == NULL)
		return;
	g = &t.node->iface.geometry;
	t.quiet = !is_running(t.node);
	xen_snd_stream_allow(&t.node->iface, !(how & 4));
	now.length = quantum * UINT64_C(1000000000) / g->rate;
	n = xen_snd_stream_acquire(&t.node->iface, quantum, &now, spans);
	check(n <= (int)XEN_SND_MAX_SPANS && (n >= 0 || n == -EAGAIN || n == -ENODEV));
	check(n < 0 || is_running(t.node));
	check(n < 0 || !t.node->capture || !(how & 4));
	for (i = 0; i < n; i++) {
		frames += spans[i].frames;
		if (t.node->capture)
			record(&spans[i], g);
		else
			play(&spans[i], g);
	}
	if (n >= 0) {
		check_eq(frames, SPA_MIN(quantum, g->buffer_frames));
		xen_snd_stream_release(&t.node->iface, how & 2 ? frames / 2 : frames);
	}
	t.quiet = false;
}

static void tick(void)
{
	uint64_t next;

	t.now += input_u8(&t.in) * MSEC;
	if (t.line.stream == NULL || !is_running(t.line.stream))
		return;
	next = stream_tick(t.line.stream, t.now);
	/* neither at once, without end, nor asleep; the guest's thread waits a ms at least */
	if (next == 0 || next > 1000 * MSEC)
		test_fail(__FILE__, __LINE__, "the clock wants to be called after %"PRIu64" ns", next);
}

/* The guest. */

static void interrupt(void)
{
	if (t.honest && has_events())
		linux_interrupt(&t.model);
}

static void scribble(void)
{
	struct pages *all[] = { &hypervisor.ring, &hypervisor.events, &hypervisor.directory,
		&hypervisor.buffer };
	struct pages *pages = all[input_u8(&t.in) % SPA_N_ELEMENTS(all)];
	uint32_t size = pages->n * WIRE_PAGE_SIZE, at = input_u32(&t.in) % size;
	uint8_t n = input_u8(&t.in);

	if (!t.honest || pages == &hypervisor.buffer)
		input_take(&t.in, pages->guest + at, SPA_MIN(n, size - at));
}

static void set_index(void)
{
	uint8_t how = input_u8(&t.in);

	if (t.honest)
		return;
	if (how & 1)
		set(hypervisor.ring.guest + 4 * (how >> 6), input_u32(&t.in));
	else
		set(hypervisor.ring.guest, t.asked = t.answered + input_u8(&t.in) % 80);
}

static void make_pages(void)
{
	uint32_t i;

	memset(hypervisor.ring.guest, 0, WIRE_PAGE_SIZE);
	set(hypervisor.ring.guest + 4, 1);
	set(hypervisor.ring.guest + 12, 1);
	linux_init(&t.model, t.model.generation, hypervisor.events.guest);
	t.model.packet = dialect()->packet_size;
	for (i = 1; i <= WIRE_DIRECTORY_GREFS; i++)
		set(hypervisor.directory.guest + 4 * i, 100 + i);
	t.asked = t.answered = 0;
}

static void disconnect(void)
{
	line_disconnect(&t.line);
	check_eq(hypervisor.mapped, 0);
	check_eq(hypervisor.bound, 0);
	check_eq(hypervisor.handles, 1);	/* the guest's own */
}

static void reconnect(void)
{
	disconnect();
	hypervisor.aliased = false;
	make_pages();
	check_eq(line_connect(&t.line, &t.guest), 0);
}

static void command(void)
{
	switch (input_u8(&t.in) % N_COMMANDS) {
	case SERVE:
		serve();
		break;
	case RAW:
		ask_raw();
		break;
	case ASK_OPEN:
		ask_open();
		break;
	case ASK_CLOSE:
		ask_close();
		break;
	case ASK_SPAN:
		ask_span();
		break;
	case ASK_TRIGGER:
		ask_trigger(input_u8(&t.in) % 5);
		break;
	case ASK_QUERY:
		ask_query();
		break;
	case CYCLE:
		cycle();
		break;
	case TICK:
		tick();
		break;
	case LINK:
		if (t.node)
			atomic_store(&t.node->linked, input_u8(&t.in) & 1);
		break;
	case INTERRUPT:
		interrupt();
		break;
	case SCRIBBLE:
		scribble();
		break;
	case INDEX:
		set_index();
		break;
	case RECONNECT:
		reconnect();
		break;
	}
}

/* What is the same for all. */
static void start_once(void)
{
	static struct worker worker;

	if (worker.loop == NULL) {
		pw_init(NULL, NULL);
		log_check_start();
		check_eq(worker_init(&worker), 0);
	}
	t.guest.worker = worker;
	spa_list_init(&t.guest.worker.mailbox.letters);
}

/* Requests are answered when they are served: these run out of none. A ring that is full
 * of OPENs takes few octets of input, so that what rules allow at most would not do. */
static void set_budgets(void)
{
	uint32_t id;

	budgets_set_normal(&t.budgets);
	for (id = BUDGET_CARDS; id < BUDGET_REQUESTS; id++)
		t.budgets.of[id].limit = budget_infos[id].most;
	t.budgets.of[BUDGET_REQUESTS].limit = t.budgets.of[BUDGET_OPENS].limit = 1000000000;
}

static void start(void)
{
	uint8_t how;

	memset(&t.guest, 0, sizeof(t.guest));
	start_once();
	hypervisor_start();
	hypervisor.notified = on_notified;
	hypervisor.unmasked = on_unmasked;
	how = input_u8(&t.in);
	t.honest = how & 1;
	t.model.generation = how & 2 ? LINUX_NEWER : LINUX_OLDER;
	t.watcher.changed = on_changed;
	t.env = (struct guest_env) { .watcher = &t.watcher, .min_period = &t.min_period };
	t.guest.env = &t.env;
	t.guest.domid = 3;
	set_budgets();
	t.guest.budgets = &t.budgets;
	t.guest.evtchn = xenevtchn_open(NULL, 0);
	check_eq(grants_open(&t.guest.grants, 3, &t.budgets, NULL), 0);
	t.now = 1000 * MSEC;

	t.line.config = (struct line_config) {
		.identity = { .guest = "test", .domid = 3 },
		.capture = how & 4,
		.dialect = &wire_dialects[(how >> 3) % WIRE_N_DIALECTS],
		.ring_ref = GREF_RING,
		.event_channel = REQUEST_PORT,
		.evt_ring_ref = GREF_EVENTS,
		.evt_event_channel = EVENT_PORT,
	};
	limits_init(&t.line.config.limits, sample_supported(), MAX_BUFFER);
	t.line.config.limits.rate.max = LIMITS_MAX_RATE;
	t.line.config.limits.channels.max = LIMITS_MAX_CHANNELS;
	make_pages();
	check_eq(line_connect(&t.line, &t.guest), 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&t, 0, sizeof(t));
	t.in = (struct input) { data, size };
	start();
	while (t.in.size > 0)
		command();
	interrupt();
	disconnect();
	if (t.node)
		stream_unref(t.node);
	xenevtchn_close(t.guest.evtchn);
	grants_close(&t.guest.grants);
	hypervisor_check_empty();
	return 0;
}
