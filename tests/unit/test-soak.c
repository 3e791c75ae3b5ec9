/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A week of a stream at 192 kHz in compressed time: between a graph whose quantum is never
 * the same for long and both generations of Linux, and by the fallback clock. No sample is
 * looked at, but every cycle must be given the frames that are next in the ring, and the
 * guest be told of them. Event ids wrap many times, the index of the event page once. */

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include <spa/utils/defs.h>

#include "linux-frontend.h"
#include "stream.h"
#include "test.h"

#define RATE		192000u
#define FRAME_SIZE	8u		/* 32 bits, stereo */
#define BUFFER		65536u
#define PERIOD		16384u
#define SEC		UINT64_C(1000000000)
#define MSEC		UINT64_C(1000000)
#define WEEK		(7u * 24u)	/* hours */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HOURS		12u
#else
#define HOURS		WEEK
#endif
#define BEFORE_WRAP	5000000u	/* slots */

static struct {
	struct stream *stream;
	struct stream_events events;
	struct stream_watcher watcher;
	struct linux_frontend guest;
	uint64_t app;			/* frames that the application wrote or read */
	uint64_t graph;			/* frames that the graph consumed or gave */
	uint64_t wakes;
	size_t memory;			/* octets in use when the stream was open */
} t;

static uint8_t page[WIRE_PAGE_SIZE] __attribute__((aligned(WIRE_PAGE_SIZE)));
static uint8_t ring[BUFFER * FRAME_SIZE];

/* in the place of libxenevtchn's */
int xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port)
{
	return 0;
}

static void on_changed(struct stream_watcher *watcher, struct stream *stream)
{
}

/* Less where a tool makes the program slow: XEN_SND_SOAK_HOURS says how much. */
static uint64_t frames_to_go(void)
{
	const char *str = getenv("XEN_SND_SOAK_HOURS");
	uint64_t hours = str ? strtoul(str, NULL, 10) : HOURS;

	check(hours > 0);
	if (hours < WEEK)
		fprintf(stderr, "# %"PRIu64" hours instead of %u\n", hours, WEEK);
	return hours * 3600 * RATE;
}

/* As after five million slots less than there are. */
static void preset_index(void)
{
	uint32_t *header = (uint32_t *)page, at = -BEFORE_WRAP;

	header[0] = header[1] = at;
	t.events.page.produced = at;
	t.guest.id = at;
}

static size_t memory_in_use(void)
{
	return mallinfo2().uordblks;
}

static void open_stream(enum linux_generation generation, bool capture)
{
	static const struct stream_identity identity = { .guest = "soak", .domid = 3 };
	static const struct xen_snd_geometry geometry = {
		.format = SPA_AUDIO_FORMAT_S32_LE,
		.guest_format = SPA_AUDIO_FORMAT_S32_LE,
		.rate = RATE,
		.channels = 2,
		.frame_size = FRAME_SIZE,
		.buffer_frames = BUFFER,
		.period_frames = PERIOD,
	};

	t.watcher.changed = on_changed;
	linux_init(&t.guest, generation, page);
	event_page_init(&t.events.page, &wire_dialects[WIRE_DIALECT_2], page);
	preset_index();
	linux_set_geometry(&t.guest, BUFFER, PERIOD, FRAME_SIZE);
	t.stream = stream_open(&(struct stream_config) {
		.identity = &identity, .geometry = &geometry, .capture = capture,
		.data = ring, .events = &t.events, .watcher = &t.watcher,
	});
	check(t.stream != NULL);
	stream_permit(t.stream, true);
	t.memory = memory_in_use();
}

static void close_stream(void)
{
	check_eq(memory_in_use(), t.memory);
	check_eq(atomic_load(&t.stream->counters.coalesced), 0);
	check_eq(atomic_load(&t.stream->counters.underruns), 0);
	stream_close(t.stream);
	stream_unref(t.stream);
}

/* its node has links, and the graph has run since */
static void link_node(void)
{
	static const struct xen_snd_cycle now = { .length = MSEC };
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	int i;

	atomic_store(&t.stream->linked, true);
	for (i = 0; i < 40; i++)
		check_eq(xen_snd_stream_acquire(&t.stream->iface, 0, &now, spans), -EAGAIN);
}

static void app_fills_the_ring(void)
{
	uint64_t end = t.guest.told + BUFFER;

	while (t.app < end) {
		uint32_t at = t.app % BUFFER;
		uint32_t run = SPA_MIN(end - t.app, BUFFER - at);

		stream_write(t.stream, at, run);
		t.app += run;
	}
}

static void app_turn(void)
{
	check(t.guest.told >= t.app || !t.stream->capture);
	if (t.stream->capture)
		t.app = t.guest.told;
	else
		app_fills_the_ring();
}

static void interrupt(void)
{
	linux_interrupt(&t.guest);
	if (t.guest.wakes != t.wakes)
		app_turn();
	t.wakes = t.guest.wakes;
}

/* the frames that are next, and nothing else */
static void cycle(uint32_t quantum)
{
	const struct xen_snd_cycle now = { .length = quantum * SEC / RATE };
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	int i, n;

	n = xen_snd_stream_acquire(&t.stream->iface, quantum, &now, spans);
	check(n > 0);
	for (i = 0; i < n; i++) {
		check(spans[i].data == ring + t.graph % BUFFER * FRAME_SIZE);
		t.graph += spans[i].frames;
	}
	xen_snd_stream_release(&t.stream->iface, quantum);
}

static void start(void)
{
	if (!t.stream->capture)
		app_fills_the_ring();
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_START), 0);
}

static void soak(enum linux_generation generation, bool capture)
{
	static const uint32_t quanta[] = { 8192, 8192, 4096, 8192, 6000, 8192, 64, 8191, 8192, 1 };
	uint64_t end = frames_to_go(), expected = 0;
	uint32_t quantum, i = 0;

	open_stream(generation, capture);
	link_node();
	start();
	while (t.graph < end) {
		/* each for a while, and then none for long */
		quantum = quanta[(i >> (i & 0x10000 ? 12 : 0)) % SPA_N_ELEMENTS(quanta)];
		i++;
		cycle(quantum);
		expected += quantum;
		check_eq(t.graph, expected);
		interrupt();
		check_eq(t.guest.told, expected);
	}
	check_eq(atomic_load(&t.stream->counters.position), t.graph);
	check_eq(atomic_load(&t.stream->counters.events), i);
	check(i < BEFORE_WRAP / 2 || t.events.page.produced < BEFORE_WRAP * 10);
	close_stream();
}

TEST(a_week_of_playback_on_older_linux)
{
	soak(LINUX_OLDER, false);
}

TEST(a_week_of_playback_on_newer_linux)
{
	soak(LINUX_NEWER, false);
}

TEST(a_week_of_capture_on_older_linux)
{
	soak(LINUX_OLDER, true);
}

TEST(a_week_of_capture_on_newer_linux)
{
	soak(LINUX_NEWER, true);
}

/* No graph: nanoseconds times this rate exceed 64 bits after 26.7 hours, after 53.4 at half. */
TEST(a_week_by_the_fallback_clock)
{
	uint64_t end = frames_to_go(), now = 5 * SEC, since = 0;

	open_stream(LINUX_OLDER, false);
	start();
	while (!atomic_load(&t.stream->counters.fallback)) {
		since = now;
		stream_tick(t.stream, now);
		now += MSEC;
	}
	while (t.guest.told < end) {
		now += 137 * MSEC;
		stream_tick(t.stream, now);
		interrupt();
		check_eq(t.guest.told, (now - since) / MSEC * (RATE / 1000));
	}
	close_stream();
}
