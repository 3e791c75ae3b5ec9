/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A stream between a model of Linux and a graph that is stepped by hand. The
 * event channel is a counter, time is what the test says. */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <spa/utils/defs.h>

#include "linux-frontend.h"
#include "stream.h"
#include "test.h"

#define RATE		48000u
#define FRAME_SIZE	4u
#define MSEC		UINT64_C(1000000)
#define SEC		UINT64_C(1000000000)
#define NOW		(5 * SEC)	/* when each test begins */

static struct {
	struct stream *stream;
	struct stream_events events;
	struct stream_watcher watcher;
	unsigned int changes;		/* that the watcher was told of */
	unsigned int notified;		/* of the event channel */

	struct linux_frontend guest;
	uint32_t *ring;			/* the guest's, a number in each frame */
	uint64_t app;			/* frames written or read, since START */
	uint64_t origin;		/* position at START */
	uint64_t due;			/* the next cycle, ns; 0: not told */
	uint32_t number;		/* of the next frame written, or expected */

	uint64_t heard;			/* frames of the guest's that went into the graph */
	uint64_t silent;		/* frames of silence after the first of these */
} t;

static struct state_record record;
static uint8_t page[WIRE_PAGE_SIZE] __attribute__((aligned(WIRE_PAGE_SIZE)));

/* in the place of libxenevtchn's */
int xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port)
{
	check(handle == t.events.handle);
	check_eq(port, 77);
	t.notified++;
	return 0;
}

static void on_changed(struct stream_watcher *watcher, struct stream *stream)
{
	check(watcher == &t.watcher);
	t.changes++;
}

static void open_stream_of(uint32_t format, uint32_t buffer, uint32_t period, bool capture)
{
	static const struct stream_identity identity = { .guest = "test", .domid = 3 };
	struct xen_snd_geometry geometry = {
		.format = format,
		.guest_format = format,
		.rate = RATE,
		.channels = 2,
		.position = { SPA_AUDIO_CHANNEL_FL, SPA_AUDIO_CHANNEL_FR },
		.frame_size = FRAME_SIZE,
		.buffer_frames = buffer,
		.period_frames = period,
	};

	t.events.handle = (xenevtchn_handle *)&t;
	t.events.port = 77;
	t.watcher.changed = on_changed;
	linux_init(&t.guest, LINUX_OLDER, page);
	event_page_init(&t.events.page, &wire_dialects[WIRE_DIALECT_2], page);
	linux_set_geometry(&t.guest, buffer, period, FRAME_SIZE);
	t.ring = calloc(buffer, FRAME_SIZE);
	t.number = 1;
	t.stream = stream_open(&(struct stream_config) {
		.identity = &identity, .geometry = &geometry, .capture = capture,
		.data = t.ring, .events = &t.events, .watcher = &t.watcher, .record = &record,
	});
	check(t.stream != NULL);
	stream_permit(t.stream, true);
}

static void open_stream(uint32_t buffer, uint32_t period, bool capture)
{
	open_stream_of(SPA_AUDIO_FORMAT_S16_LE, buffer, period, capture);
}

static const struct xen_snd_cycle a_msec = { .length = MSEC };

/* its node has links, and the graph has run since */
static void link_node(void)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	int i;

	atomic_store(&t.stream->linked, true);
	for (i = 0; i < 40; i++)
		check_eq(xen_snd_stream_acquire(&t.stream->iface, 0, &a_msec, spans), -EAGAIN);
}

static void close_stream(void)
{
	stream_close(t.stream);
	stream_unref(t.stream);
	free(t.ring);
	memset(&t, 0, sizeof(t));
}

static uint32_t buffer_frames(void)
{
	return t.guest.buffer;
}

static uint64_t position(void)
{
	return atomic_load(&t.stream->counters.position);
}

/* The guest's application: fills the ring, or empties it, as far as its pointer allows. */

static void app_write_frames(uint64_t n)
{
	uint32_t at, run, i;

	while (n > 0) {
		at = t.app % buffer_frames();
		run = SPA_MIN(n, buffer_frames() - at);
		for (i = 0; i < run; i++)
			t.ring[at + i] = t.number++;
		stream_write(t.stream, at, run);
		t.app += run;
		n -= run;
	}
}

static void app_read_frames(uint64_t n)
{
	for (; n > 0; n--, t.app++)
		check_eq(t.ring[t.app % buffer_frames()], t.number++);
}

static void app_turn(void)
{
	uint64_t now = t.guest.told - t.origin;

	if (t.stream->capture) {
		check(now - t.app < buffer_frames());
		app_read_frames(now - t.app);
	} else {
		check(t.app > now || t.app == 0);
		app_write_frames(now + buffer_frames() - t.app);
	}
}

static void interrupt(void)
{
	uint64_t wakes = t.guest.wakes;

	linux_interrupt(&t.guest);
	if (t.guest.wakes > wakes)
		app_turn();
}

static void start(void)
{
	linux_interrupt(&t.guest);
	t.origin = t.guest.told;
	t.app = 0;
	if (!t.stream->capture)
		app_write_frames(buffer_frames());
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_START), 0);
}

static void stop(void)
{
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_STOP), 0);
	linux_interrupt(&t.guest);
}

/* The graph. */

static uint32_t spanned(const struct xen_snd_span *spans, int n)
{
	uint32_t frames = 0;

	while (n > 0)
		frames += spans[--n].frames;
	return frames;
}

/* every frame of the guest's once and in order, with silence between if need be */
static void hear(const struct xen_snd_span *span, uint64_t *expected)
{
	const uint32_t *frames = span->data;
	uint32_t i;

	for (i = 0; i < span->frames; i++) {
		if (frames == NULL || frames[i] == 0) {
			t.silent += t.heard > 0;
			continue;
		}
		check_eq(frames[i], ++*expected);
		t.heard++;
	}
}

static int acquire(uint32_t quantum, struct xen_snd_span *spans)
{
	const struct xen_snd_cycle now = { .nsec = t.due, .length = quantum * SEC / RATE };

	t.due += t.due ? now.length : 0;
	return xen_snd_stream_acquire(&t.stream->iface, quantum, &now, spans);
}

static void release(uint32_t frames)
{
	xen_snd_stream_release(&t.stream->iface, frames);
}

static void play_cycle(uint32_t quantum)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	uint64_t expected = t.heard;
	int i, n = acquire(quantum, spans);

	check(n >= 0 && n <= XEN_SND_MAX_SPANS);
	check_eq(spanned(spans, n), quantum);
	for (i = 0; i < n; i++)
		hear(&spans[i], &expected);
	release(quantum);
}

/* whatever is in it */
static void skip_cycle(uint32_t quantum)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];

	check(acquire(quantum, spans) > 0);
	release(quantum);
}

static void record_cycle(uint32_t quantum, uint32_t *number)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	int i, n = acquire(quantum, spans);
	uint32_t k;

	check(n >= 0 && n <= XEN_SND_MAX_SPANS);
	check_eq(spanned(spans, n), quantum);
	for (i = 0; i < n; i++) {
		for (k = 0; k < spans[i].frames; k++)
			((uint32_t *)spans[i].data)[k] = ++*number;
	}
	release(quantum);
}

/* Playback. */

static void plays_gapless(uint32_t buffer, uint32_t period, uint32_t quantum)
{
	uint32_t i;

	open_stream(buffer, period, false);
	link_node();
	start();
	for (i = 0; i < 500; i++) {
		play_cycle(quantum);
		interrupt();
		check_eq(t.guest.told, position());
	}
	check_eq(t.silent, 0);
	check_eq(t.heard, 500 * (uint64_t)quantum);
	check_eq(atomic_load(&t.stream->counters.underruns), 0);
	close_stream();
}

TEST(playback_is_gapless_whatever_the_quantum)
{
	uint32_t quantum;

	for (quantum = 1; quantum <= 240; quantum += 7)
		plays_gapless(480, 240, quantum);
	plays_gapless(480, 240, 120);
	plays_gapless(480, 240, 180);
}

/* Dom0 wants fewer of them: none is less far from the last than that, but for those that
 * wake the guest, and what is told is still exact. */
static void has_events_seldom(uint32_t quantum, uint32_t interval)
{
	uint64_t events, before, wakes;
	uint32_t i;

	open_stream(4800, 1200, false);
	atomic_store(&t.stream->iface.events_interval, interval);
	link_node();
	start();
	for (i = 0; i < 500; i++) {
		events = atomic_load(&t.stream->counters.events);
		before = t.guest.told;
		wakes = t.guest.wakes;
		play_cycle(quantum);
		interrupt();
		if (atomic_load(&t.stream->counters.events) == events)
			continue;
		check_eq(t.guest.told, position());
		check(t.guest.told - before >= interval || t.guest.wakes > wakes);
	}
	check_eq(t.silent, 0);
	check_eq(atomic_load(&t.stream->counters.underruns), 0);
	events = atomic_load(&t.stream->counters.events);
	check(events <= 1 + 2 * 500 * quantum / SPA_MIN(interval, 1200));
	check(events >= 500 * quantum / (1200 + quantum));
	stop();
	check_eq(t.guest.told, position());
	check_eq(position() % 4800, 0);
	close_stream();
}

/* A period of most of the buffer: Linux counts modulo the buffer. */
TEST(events_are_never_a_whole_buffer_apart)
{
	uint64_t before;
	uint32_t i;

	open_stream(4800, 3360, false);
	atomic_store(&t.stream->iface.events_interval, 1000000);
	link_node();
	start();
	for (i = 0; i < 500; i++) {
		before = t.guest.told;
		play_cycle(1632);
		linux_interrupt(&t.guest);
		check(t.guest.told - before < 4800);
	}
	stop();
	close_stream();
}

TEST(events_are_as_seldom_as_wanted_but_wake_the_guest)
{
	has_events_seldom(64, 480);
	has_events_seldom(64, 1100);
	has_events_seldom(100, 1000000);
	has_events_seldom(480, 10);
}

/* The ring slips by a frame against the graph here: held back, and delivered. */
TEST(playback_is_gapless_with_a_period_a_cycle)
{
	plays_gapless(480, 240, 240);
	plays_gapless(1000, 500, 500);
	plays_gapless(9602, 4801, 4801);
}

TEST(playback_is_gapless_in_a_ring_that_is_no_multiple_of_anything)
{
	plays_gapless(1009, 211, 64);
	plays_gapless(4799, 480, 1024);
}

TEST(a_cycle_of_changing_size_is_gapless)
{
	static const uint32_t quanta[] = { 240, 64, 1, 240, 239, 32, 17, 240, 240, 3 };
	uint32_t i;

	open_stream(480, 240, false);
	link_node();
	start();
	for (i = 0; i < 5000; i++) {
		play_cycle(quanta[i % SPA_N_ELEMENTS(quanta)]);
		interrupt();
	}
	check_eq(t.silent, 0);
	check(t.heard > 500000);
	close_stream();
}

TEST(the_held_frame_is_the_graphs_first)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];

	open_stream(480, 240, false);
	link_node();
	start();
	play_cycle(240);
	check_eq(position(), 241);
	check(acquire(240, spans) >= 2);
	check_eq(spans[0].frames, 1);
	check(spans[0].data < (void *)t.ring || spans[0].data >= (void *)(t.ring + 480));
	check_eq(*(uint32_t *)spans[0].data, 241);
	release(240);
	close_stream();
}

/* as if a stream had run for so many hours: a few buffers before the hour is full */
static void preset_hours(uint64_t hours)
{
	uint64_t far = (hours * 3600 * RATE / buffer_frames() - 5) * buffer_frames();

	t.stream->position.taken = t.stream->position.posted = far;
	atomic_store(&t.stream->counters.position, far);
	atomic_store(&t.stream->filled, far);
	t.guest.told = far;
}

static void runs_on_after(uint64_t hours, uint32_t buffer, bool capture)
{
	uint32_t i, number = 0;

	open_stream(buffer, buffer / 4, capture);
	link_node();
	preset_hours(hours);
	start();
	for (i = 0; i < 2000; i++) {
		if (capture)
			record_cycle(buffer / 10, &number);
		else
			play_cycle(buffer / 10);
		interrupt();
		check_eq(t.guest.told, position());
	}
	check(position() > hours * 3600 * RATE);
	check_eq(t.silent, 0);
	stop();
	check_eq(position() % buffer, 0);
	close_stream();
}

/* after 53 a position in nanoseconds does not fit into 63 bits, after 106 not into 64 */
TEST(playback_runs_on_after_hours)
{
	runs_on_after(24, 4800, false);
	runs_on_after(53, 4800, false);
	runs_on_after(54, 4096, false);
	runs_on_after(107, 9600, false);
}

TEST(capture_runs_on_after_hours)
{
	runs_on_after(24, 4800, true);
	runs_on_after(53, 4800, true);
	runs_on_after(54, 4096, true);
	runs_on_after(107, 9600, true);
}

TEST(the_ring_wraps_into_two_spans)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];

	open_stream(1000, 0, false);
	link_node();
	start();
	play_cycle(600);
	app_write_frames(600);
	check_eq(acquire(600, spans), 2);
	check(spans[0].data == t.ring + 600);
	check_eq(spans[0].frames, 400);
	check(spans[1].data == t.ring);
	check_eq(spans[1].frames, 200);
	release(600);
	close_stream();
}

TEST(no_more_than_the_ring_is_given_at_once)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	int n;

	open_stream(1000, 100, false);
	link_node();
	start();
	n = acquire(100000, spans);
	check(n > 0);
	check_eq(spanned(spans, n), 1000);
	release(1000);
	check_eq(position(), 1000);
	close_stream();
}

TEST(a_release_of_nothing_moves_nothing)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];

	open_stream(1000, 100, false);
	link_node();
	start();
	check_eq(acquire(0, spans), 0);
	release(0);
	check_eq(position(), 0);
	check_eq(t.notified, 0);
	close_stream();
}

/* Underruns. */

TEST(a_ring_that_ran_dry_gives_silence_and_goes_on)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];

	open_stream(1000, 100, false);
	link_node();
	start();
	play_cycle(900);
	check_eq(acquire(300, spans), 2);
	check_eq(spans[0].frames, 100);
	check(spans[0].data != NULL);
	check_eq(spans[1].frames, 200);
	check(spans[1].data == NULL);
	release(300);
	check_eq(position(), 1200);
	check_eq(acquire(300, spans), 1);
	check(spans[0].data == NULL);
	release(300);
	check_eq(position(), 1500);
	close_stream();
}

TEST(an_underrun_is_one_if_the_guest_goes_on)
{
	open_stream(1000, 100, false);
	link_node();
	start();
	skip_cycle(1000);
	skip_cycle(100);
	skip_cycle(100);
	check_eq(atomic_load(&t.stream->counters.underruns), 0);
	app_write_frames(1000);
	skip_cycle(100);
	check_eq(atomic_load(&t.stream->counters.underruns), 1);
	skip_cycle(100);
	check_eq(atomic_load(&t.stream->counters.underruns), 1);
	close_stream();
}

TEST(the_end_of_all_sound_is_no_underrun)
{
	open_stream(1000, 100, false);
	link_node();
	start();
	play_cycle(1000);
	play_cycle(100);
	stop();
	check_eq(atomic_load(&t.stream->counters.underruns), 0);
	close_stream();
}

/* What the guest has rewritten before the graph took it is what is heard. */
TEST(a_rewind_is_heard)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];

	open_stream(1000, 100, false);
	link_node();
	start();
	play_cycle(100);
	t.ring[300] = 0xabcdef;
	stream_write(t.stream, 300, 1);
	check_eq(acquire(900, spans), 1);
	check_eq(((uint32_t *)spans[0].data)[200], 0xabcdef);
	release(900);
	close_stream();
}

/* Capture. */

static void records_gapless(uint32_t buffer, uint32_t period, uint32_t quantum)
{
	uint32_t i, number = 0;

	open_stream(buffer, period, true);
	link_node();
	start();
	for (i = 0; i < 500; i++) {
		record_cycle(quantum, &number);
		interrupt();
		check(position() == number || position() == number - 1);
	}
	check(t.number > 499 * quantum - 2 * period);
	close_stream();
}

TEST(capture_is_gapless_whatever_the_quantum)
{
	uint32_t quantum;

	for (quantum = 1; quantum <= 240; quantum += 7)
		records_gapless(480, 240, quantum);
	records_gapless(480, 240, 120);
	records_gapless(480, 240, 180);
}

TEST(capture_is_gapless_with_a_period_a_cycle)
{
	records_gapless(480, 240, 240);
	records_gapless(1000, 500, 500);
}

TEST(capture_never_gives_a_span_without_memory)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	int i, n;

	open_stream(1000, 100, true);
	link_node();
	start();
	while (position() < 10000) {
		n = acquire(300, spans);
		for (i = 0; i < n; i++)
			check(spans[i].data != NULL);
		release(300);
	}
	close_stream();
}

/* Triggers. */

static bool is_served(void)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	int n = acquire(10, spans);

	if (n >= 0)
		release(10);
	else
		check_eq(n, -EAGAIN);
	return n >= 0;
}

TEST(the_graph_is_served_from_start_to_stop)
{
	open_stream(1000, 100, false);
	link_node();
	check(!is_served());
	start();
	check(is_served());
	stop();
	check(!is_served());
	start();
	check(is_served());
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_PAUSE), 0);
	check(!is_served());
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_RESUME), 0);
	check(is_served());
	close_stream();
}

TEST(no_event_is_posted_outside_start_and_stop)
{
	open_stream(1000, 100, false);
	link_node();
	is_served();
	check_eq(t.notified, 0);
	start();
	check_eq(t.notified, 0);
	play_cycle(300);
	check_eq(t.notified, 1);
	stop();
	check_eq(t.notified, 2);
	is_served();
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_STOP), 0);
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_RESUME), 0);
	is_served();
	check_eq(t.notified, 2);
	check_eq(atomic_load(&t.stream->counters.events), 2);
	close_stream();
}

TEST(a_cycle_posts_one_event)
{
	uint32_t i;

	open_stream(1000, 100, false);
	link_node();
	start();
	for (i = 1; i <= 20; i++) {
		play_cycle(30);
		interrupt();
		check_eq(t.notified, i);
		check_eq(t.guest.accepted, i);
		check_eq(t.guest.told, 30 * i);
	}
	close_stream();
}

TEST(a_stream_without_periods_gets_no_events)
{
	uint32_t i;

	open_stream(1000, 0, false);
	link_node();
	start();
	for (i = 0; i < 100; i++)
		play_cycle(100);
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_STOP), 0);
	check_eq(t.notified, 0);
	check_eq(position(), 10000);
	close_stream();
}

TEST(stop_aligns_before_it_is_answered)
{
	open_stream(4800, 480, false);
	link_node();
	start();
	play_cycle(700);
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_STOP), 0);
	linux_interrupt(&t.guest);
	check_eq(t.guest.told, 4800);
	check_eq(t.guest.hw_ptr, 0);
	close_stream();
}

TEST(stop_at_a_whole_buffer_has_nothing_to_tell)
{
	open_stream(4800, 480, false);
	link_node();
	start();
	play_cycle(4800);
	check_eq(t.notified, 1);
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_STOP), 0);
	check_eq(t.notified, 1);
	check_eq(position(), 4800);
	close_stream();
}

TEST(what_was_left_at_stop_is_not_heard_after_the_next_start)
{
	uint32_t round, i;

	open_stream(960, 480, false);
	link_node();
	for (round = 0; round < 20; round++) {
		t.number = 1;
		t.heard = t.silent = 0;
		start();
		for (i = 0; i <= round; i++) {
			play_cycle(480);
			interrupt();
		}
		check_eq(t.silent, 0);
		stop();
	}
	close_stream();
}

/* A write that was under way when the guest stopped comes after the stop. */
TEST(a_write_that_a_stop_has_overtaken_is_not_heard)
{
	open_stream(4800, 480, false);
	link_node();
	start();
	play_cycle(480);
	interrupt();
	stop();
	stream_write(t.stream, 3 * 480, 480);

	/* it starts again with less than that in its ring */
	t.origin = t.guest.told;
	t.app = t.heard = t.silent = 0;
	t.number = 1;
	app_write_frames(480);
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_START), 0);
	play_cycle(480);
	play_cycle(4 * 480);
	check_eq(t.heard, 480);
	check_eq(t.silent, 4 * 480);
	close_stream();
}

TEST(a_guest_that_missed_the_position_at_stop_has_it_before_it_starts)
{
	uint32_t i;

	open_stream(4800, 480, false);
	link_node();
	start();
	/* it reads no events until the page is full */
	for (i = 0; i < 40; i++)
		skip_cycle(490);
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_STOP), 0);
	linux_interrupt(&t.guest);
	check(t.guest.told != position());

	stream_write(t.stream, 0, 480);
	linux_interrupt(&t.guest);
	check_eq(t.guest.told, position());
	check_eq(t.guest.hw_ptr, 0);
	close_stream();
}

/* What a guest writes after a suspend, before it starts, begins where it starts. */
TEST(what_a_suspended_guest_writes_before_it_starts_is_heard)
{
	uint32_t played, i;

	for (played = 480; played <= 9600; played += 480) {
		open_stream(4800, 480, false);
		link_node();
		start();
		for (i = 0; i < played; i += 240) {
			play_cycle(240);
			interrupt();
		}
		check_eq(stream_trigger(t.stream, WIRE_TRIGGER_PAUSE), 0);

		t.number = 1;
		t.app = t.heard = t.silent = 0;
		app_write_frames(buffer_frames());
		check_eq(stream_trigger(t.stream, WIRE_TRIGGER_START), 0);
		linux_interrupt(&t.guest);
		check_eq(t.guest.told, position());
		check_eq(t.guest.hw_ptr, 0);
		t.origin = t.guest.told;
		for (i = 0; i < 9600; i += 240) {
			play_cycle(240);
			interrupt();
		}
		check_eq(t.heard, 9600);
		check_eq(t.silent, 0);
		close_stream();
	}
}

/* A guest that was suspended forgot where it was, and says START without STOP. */
TEST(start_after_pause_aligns)
{
	open_stream(4800, 480, false);
	link_node();
	start();
	play_cycle(700);
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_PAUSE), 0);
	check_eq(position(), 700);
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_START), 0);
	check_eq(position(), 4800);
	close_stream();
}

TEST(nothing_is_heard_after_pause_that_was_not_written_since)
{
	open_stream(4800, 480, false);
	link_node();
	start();
	play_cycle(700);
	interrupt();
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_PAUSE), 0);
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_START), 0);
	play_cycle(480);
	check_eq(t.heard, 700);
	close_stream();
}

/* What it wrote where it was is for RESUME. */
TEST(what_is_written_in_sequence_while_paused_is_heard_after_resume)
{
	open_stream(4800, 480, false);
	link_node();
	start();
	play_cycle(700);
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_PAUSE), 0);
	app_write_frames(700);
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_RESUME), 0);
	play_cycle(4800);
	check_eq(t.heard, 700 + 4800);
	check_eq(t.silent, 0);
	close_stream();
}

TEST(resume_after_pause_goes_on_where_it_was)
{
	open_stream(4800, 480, false);
	link_node();
	start();
	play_cycle(700);
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_PAUSE), 0);
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_RESUME), 0);
	play_cycle(700);
	check_eq(position(), 1400);
	check_eq(t.silent, 0);
	close_stream();
}

TEST(a_trigger_that_is_none_is_refused)
{
	open_stream(4800, 480, false);
	check_eq(stream_trigger(t.stream, WIRE_TRIGGER_RESUME + 1), -EINVAL);
	check_eq(stream_trigger(t.stream, UINT32_MAX), -EINVAL);
	check_eq(t.changes, 0);
	check_eq(atomic_load(&t.stream->state), STREAM_PREPARED);
	close_stream();
}

TEST(the_watcher_is_told_of_every_change_and_nothing_else)
{
	static const uint32_t triggers[] = {
		WIRE_TRIGGER_START, WIRE_TRIGGER_START, WIRE_TRIGGER_PAUSE, WIRE_TRIGGER_PAUSE,
		WIRE_TRIGGER_RESUME, WIRE_TRIGGER_STOP, WIRE_TRIGGER_STOP, WIRE_TRIGGER_PAUSE,
	};
	static const unsigned int changes[] = { 1, 1, 2, 2, 3, 4, 4, 4 };
	size_t i;

	open_stream(4800, 480, false);
	for (i = 0; i < SPA_N_ELEMENTS(triggers); i++) {
		check_eq(stream_trigger(t.stream, triggers[i]), 0);
		check_eq(t.changes, changes[i]);
	}
	stream_close(t.stream);
	check_eq(t.changes, 5);
	stream_unref(t.stream);
	free(t.ring);
}

/* Version 1 has no triggers: data starts the stream. */

static void write_at(uint32_t offset, uint32_t length)
{
	stream_start_at(t.stream, offset);
	stream_write(t.stream, offset, length);
}

static void next_is(uint32_t offset, uint32_t length)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];

	check(acquire(length, spans) >= 1);
	check(spans[0].data == t.ring + offset);
	check_eq(spans[0].frames, length);
	release(length);
}

TEST(without_triggers_the_first_data_starts_the_stream)
{
	open_stream(1000, 0, false);
	link_node();
	check(!is_served());
	write_at(200, 300);
	check_eq(t.changes, 1);
	next_is(200, 300);
	close_stream();
}

TEST(without_triggers_data_in_sequence_is_played_in_sequence)
{
	open_stream(1000, 0, false);
	link_node();
	write_at(0, 500);
	write_at(500, 500);
	next_is(0, 400);
	write_at(0, 400);
	next_is(400, 600);
	next_is(0, 400);
	check_eq(t.changes, 1);
	close_stream();
}

TEST(without_triggers_data_after_silence_is_played_at_once)
{
	open_stream(1000, 0, false);
	link_node();
	write_at(0, 100);
	skip_cycle(350);
	write_at(100, 200);
	next_is(100, 200);
	check_eq(t.changes, 1);
	close_stream();
}

/* Events. */

TEST(a_guest_that_does_not_read_events_gets_the_last_one_when_it_does)
{
	uint32_t i;

	open_stream(1000, 100, false);
	link_node();
	start();
	for (i = 0; i < 100; i++)
		play_cycle(10);
	check_eq(atomic_load(&t.stream->counters.events), 31);
	check_eq(atomic_load(&t.stream->counters.coalesced), 69);
	check_eq(t.notified, 31);
	linux_interrupt(&t.guest);
	check_eq(t.guest.told, 310);
	play_cycle(10);
	linux_interrupt(&t.guest);
	check_eq(t.guest.told, 1010);
	close_stream();
}

TEST(a_reopened_stream_counts_from_zero)
{
	uint8_t again;

	open_stream(1000, 100, false);
	link_node();
	start();
	play_cycle(300);
	interrupt();
	stream_close(t.stream);
	stream_unref(t.stream);
	linux_free(&t.guest);
	free(t.ring);

	for (again = 0; again < 5; again++) {
		linux_set_geometry(&t.guest, 1000, 100, FRAME_SIZE);
		t.ring = calloc(1000, FRAME_SIZE);
		t.number = 1;
		t.heard = 0;
		t.stream = stream_open(&(struct stream_config) {
			.identity = &(struct stream_identity) { .domid = 3 },
			.geometry = &(struct xen_snd_geometry) { .rate = RATE,
				.frame_size = FRAME_SIZE, .buffer_frames = 1000,
				.period_frames = 100 },
			.data = t.ring, .events = &t.events,
			.watcher = &t.watcher,
		});
		link_node();
		start();
		play_cycle(150);
		interrupt();
		check_eq(t.guest.told, 150);
		stream_close(t.stream);
		stream_unref(t.stream);
		linux_free(&t.guest);
		free(t.ring);
	}
}

/* A node gets its links one by one. */

TEST(no_frame_is_consumed_before_all_ports_are_linked)
{
	uint32_t i;

	open_stream(4800, 480, false);
	start();
	for (i = 0; i < 3; i++)
		check(!is_served());
	check_eq(position(), 0);
	atomic_store(&t.stream->linked, true);
	for (i = 0; i < 200 && !is_served(); i++);
	check(i < 200);
	close_stream();
}

TEST(a_stream_with_a_port_that_is_never_linked_plays_all_the_same)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	uint32_t cycles = 0;

	open_stream(4800, 480, false);
	start();
	while (acquire(480, spans) < 0)
		check(++cycles < 20);
	release(480);
	check_eq(position(), 480);
	close_stream();
}

/* Closing. */

static void *close_in_thread(void *data)
{
	stream_close(t.stream);
	atomic_store((atomic_bool *)data, true);
	return NULL;
}

TEST(closing_waits_for_the_cycle_that_is_under_way)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	atomic_bool closed = false;
	pthread_t thread;

	open_stream(1000, 100, false);
	link_node();
	start();
	check_eq(acquire(100, spans), 1);
	check_eq(pthread_create(&thread, NULL, close_in_thread, &closed), 0);
	usleep(50000);
	check(!atomic_load(&closed));
	check_eq(((uint32_t *)spans[0].data)[99], 100);
	release(100);
	pthread_join(thread, NULL);
	check(atomic_load(&closed));
	check_eq(acquire(100, spans), -EAGAIN);
	stream_unref(t.stream);
	free(t.ring);
}

/* Older Linux reads it later, when its buffer has no frames to divide by. */
TEST(a_position_that_was_not_read_before_close_is_none_after_it)
{
	uint64_t accepted;

	open_stream(1000, 100, false);
	link_node();
	start();
	play_cycle(300);
	interrupt();
	play_cycle(300);
	accepted = t.guest.accepted;
	stream_close(t.stream);
	linux_free(&t.guest);
	linux_interrupt(&t.guest);
	check_eq(t.guest.accepted, accepted);
	stream_unref(t.stream);
	free(t.ring);
}

/* What breaks off is faded out; what was over when the guest went is not. */
TEST(a_node_is_told_that_its_guest_has_gone_in_the_middle_of_its_sound)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	bool running;
	int i;

	for (i = 0; i < 2; i++) {
		running = i == 0;
		open_stream(1000, 100, false);
		link_node();
		start();
		play_cycle(300);
		if (!running)
			stream_trigger(t.stream, WIRE_TRIGGER_STOP);
		stream_lose(t.stream);
		check_eq(acquire(100, spans), running ? -ENODEV : -EAGAIN);
		stream_unref(t.stream);
		free(t.ring);
		memset(&t, 0, sizeof(t));
	}
}

TEST(a_closed_stream_touches_neither_pages_nor_events)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	struct stream *node;
	uint32_t i;

	open_stream(1000, 100, false);
	link_node();
	start();
	node = stream_ref(t.stream);
	stream_close(t.stream);
	stream_unref(t.stream);
	free(t.ring);
	t.notified = 0;
	for (i = 0; i < 10; i++)
		check_eq(xen_snd_stream_acquire(&node->iface, 100, &a_msec, spans), -EAGAIN);
	check_eq(t.notified, 0);
	check_eq(atomic_load(&node->state), STREAM_CLOSED);
	stream_unref(node);
}

static void *trigger_in_thread(void *data)
{
	uint32_t i;

	for (i = 0; i < 2000; i++) {
		stream_trigger(t.stream, i % 2 ? WIRE_TRIGGER_STOP : WIRE_TRIGGER_START);
		stream_write(t.stream, i % 1000, 1);
	}
	return close_in_thread(data);
}

/* For the thread sanitizer too. */
TEST(graph_and_guest_may_meet_at_any_time)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	atomic_bool closed = false;
	uint64_t last = 0, now;
	pthread_t thread;
	int n;

	open_stream(1000, 100, false);
	link_node();
	check_eq(pthread_create(&thread, NULL, trigger_in_thread, &closed), 0);
	while (!atomic_load(&closed)) {
		if ((n = acquire(100, spans)) < 0)
			continue;
		check_eq(spanned(spans, n), 100);
		release(100);
		now = position();
		check(now >= last);
		last = now;
	}
	pthread_join(thread, NULL);
	stream_unref(t.stream);
	free(t.ring);
}

/* The fallback clock: `now` is when the stream was started. */

static uint64_t run_clock(uint64_t now, uint64_t until)
{
	uint64_t wait;

	while (now < until) {
		wait = stream_tick(t.stream, now);
		check(wait >= MSEC && wait <= 1000 * MSEC);
		linux_interrupt(&t.guest);
		now += wait;
	}
	return now;
}

/* when the guest's application was woken first, after START */
static uint64_t first_wake(uint64_t now)
{
	uint64_t wait = 0;

	for (; t.guest.wakes == 0; now += wait) {
		check(now < NOW + 5 * SEC);
		wait = stream_tick(t.stream, now);
		linux_interrupt(&t.guest);
	}
	return now - wait - NOW;
}

/* A guest waits for a tenth more than its buffer, 100 ms at least, then its drain
 * or write fails. */
static void wakes_in_time(uint32_t buffer, uint32_t period, bool capture)
{
	uint64_t limit = SPA_MAX(buffer * SEC / RATE * 11 / 10, 100 * MSEC), woken;

	open_stream(buffer, period, capture);
	start();
	woken = first_wake(NOW);
	if (woken > limit)
		test_fail(__FILE__, __LINE__, "buffer %u, period %u: woken after %"PRIu64" ms of "
				"%"PRIu64, buffer, period, woken / MSEC, limit / MSEC);
	close_stream();
}

TEST(without_a_graph_the_guest_is_woken_before_it_gives_up)
{
	static const uint32_t buffers[] = { 960, 1920, 4800, 9600, 24000, 48000 };
	uint32_t i, divisor;

	for (i = 0; i < SPA_N_ELEMENTS(buffers); i++) {
		for (divisor = 2; divisor <= 8; divisor *= 2) {
			wakes_in_time(buffers[i], buffers[i] / divisor, false);
			wakes_in_time(buffers[i], buffers[i] / divisor, true);
		}
	}
}

static void at_the_nominal_rate(uint32_t buffer, uint32_t period)
{
	uint64_t now, begin, from;

	open_stream(buffer, period, false);
	start();
	now = run_clock(NOW, NOW + 2 * SEC);
	check(atomic_load(&t.stream->counters.fallback));
	stream_tick(t.stream, now);
	begin = now;
	from = position();
	now = run_clock(now, now + 100 * SEC);
	stream_tick(t.stream, now);
	check_eq((position() - from) / 2, (now - begin) * RATE / SEC / 2);
	close_stream();
}

TEST(the_fallback_clock_runs_at_the_nominal_rate)
{
	at_the_nominal_rate(4800, 480);
	at_the_nominal_rate(24000, 6000);
	at_the_nominal_rate(4800, 0);
	at_the_nominal_rate(1009, 211);
}

TEST(a_stream_that_holds_waits_for_the_graph_however_long)
{
	uint64_t now = NOW, before;

	open_stream(4800, 480, false);
	link_node();
	atomic_store(&t.stream->holds, true);
	start();
	play_cycle(480);
	before = position();
	now = run_clock(now, now + 60 * SEC);
	check(!atomic_load(&t.stream->counters.fallback));
	check_eq(position(), before);
	/* none of it is lost */
	play_cycle(480);
	check_eq(position(), before + 480);
	check_eq(t.heard, 960);
	check_eq(t.silent, 0);
	/* and it may be told otherwise */
	atomic_store(&t.stream->holds, false);
	run_clock(now, now + 2 * SEC);
	check(position() > before + RATE);
	close_stream();
}

TEST(the_fallback_clock_takes_turns_with_the_graph_without_a_gap)
{
	uint64_t now = NOW, before;
	uint32_t i;

	open_stream(4800, 480, false);
	link_node();
	start();
	now = run_clock(now, now + 2 * SEC);
	check(atomic_load(&t.stream->counters.fallback));
	before = position();
	check(before > 0);
	for (i = 0; i < 100; i++) {
		check(is_served());
		now += 10 * SEC / RATE;
		stream_tick(t.stream, now);
		check(!atomic_load(&t.stream->counters.fallback));
	}
	/* what the graph took and nothing by the clock */
	check_eq(position(), before + 1000);
	close_stream();
}

/* The driver of the graph is held up, and then runs all the cycles that it has missed. */
TEST(what_the_clock_has_consumed_is_not_consumed_again)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	const uint32_t quantum = 480;
	uint64_t now = NOW, stalled, before, wanted;

	open_stream(14400, 2400, false);
	link_node();
	start();
	t.due = NOW;
	before = position();
	/* since `now` nothing came: it is all due from then on */
	now = run_clock(now, now + 500 * MSEC);
	stalled = stream_tick(t.stream, now);
	check(atomic_load(&t.stream->counters.fallback) && stalled > 0);
	while (t.due + quantum * SEC / RATE <= now) {
		int n = acquire(quantum, spans);

		if (n >= 0)
			release(quantum);
		else
			check_eq(n, -EAGAIN);
	}
	wanted = (now - NOW) * RATE / SEC;
	check(position() - before + 2 * quantum >= wanted);
	check(position() - before <= wanted + quantum);
	/* the next one is of now */
	check(acquire(quantum, spans) >= 0);
	release(quantum);
	close_stream();
}

TEST(a_graph_that_runs_keeps_the_clock_away)
{
	uint64_t now = NOW;
	uint32_t i;

	open_stream(48000, 4800, false);
	link_node();
	start();
	for (i = 0; i < 500; i++) {
		is_served();
		now += 21 * MSEC;
		stream_tick(t.stream, now);
		check(!atomic_load(&t.stream->counters.fallback));
	}
	check_eq(position(), 5000);
	close_stream();
}

TEST(the_clock_begins_anew_with_each_start)
{
	uint64_t now = NOW;

	open_stream(4800, 480, false);
	start();
	now = run_clock(now, now + 2 * SEC);
	stop();
	check(!atomic_load(&t.stream->counters.fallback));
	/* an hour later: nothing of it is made up for */
	now += 3600 * SEC;
	start();
	stream_tick(t.stream, now);
	check_eq(position(), t.origin);
	now = run_clock(now, now + 2 * SEC);
	check(position() - t.origin <= 2 * RATE + 4800);
	close_stream();
}

TEST(a_late_clock_takes_no_more_than_linux_can_count)
{
	uint64_t now = NOW, before;

	open_stream(4800, 480, false);
	start();
	now = run_clock(now, now + 2 * SEC);
	before = position();
	stream_tick(t.stream, now + 10 * SEC);
	check(position() > before);
	check(position() - before < 4800);
	/* and what it missed is gone */
	before = position();
	stream_tick(t.stream, now + 10 * SEC + MSEC);
	check(position() - before <= RATE / 1000 + 1);
	close_stream();
}

/* nanoseconds times the rate do not fit into 64 bits after 106 hours at 48 kHz */
TEST(the_clock_runs_on_for_weeks)
{
	uint64_t hour, now = NOW, before;

	open_stream(4800, 480, false);
	start();
	now = run_clock(now, now + 2 * SEC);
	for (hour = 50; hour < 1000; hour += 1) {
		/* as if it had run for so long */
		t.stream->fallback.since = now;
		t.stream->fallback.done = hour * 3600 * RATE;
		now += hour * 3600 * SEC;
		before = position();
		stream_tick(t.stream, now);
		check_eq(position(), before);
		now += 10 * MSEC;
		stream_tick(t.stream, now);
		check_eq(position(), before + RATE / 100);
	}
	close_stream();
}

TEST(without_a_graph_capture_hears_silence)
{
	static const struct {
		uint32_t format;
		uint8_t silence;	/* each octet of it */
	} formats[] = {
		{ SPA_AUDIO_FORMAT_S16_LE, 0 },
		{ SPA_AUDIO_FORMAT_ULAW, 0xff },
		{ SPA_AUDIO_FORMAT_U8, 0x80 },
	};
	uint32_t f, i;

	for (f = 0; f < SPA_N_ELEMENTS(formats); f++) {
		open_stream_of(formats[f].format, 4800, 480, true);
		memset(t.ring, 0x5a, 4800 * FRAME_SIZE);
		start();
		run_clock(NOW, NOW + 3 * SEC);
		for (i = 0; i < 4800 * FRAME_SIZE; i++)
			check_eq(((uint8_t *)t.ring)[i], formats[f].silence);
		close_stream();
	}
}

/* A node whose links are not there yet: what it hears is not the guest's affair. */
TEST(capture_hears_silence_until_all_ports_are_linked)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	uint32_t i;

	open_stream(4800, 480, true);
	memset(t.ring, 0x5a, 4800 * FRAME_SIZE);
	start();
	for (i = 1; i <= 3; i++) {
		check_eq(acquire(1000, spans), -EAGAIN);
		check_eq(position(), i * 1000);
	}
	for (i = 0; i < 3000; i++)
		check_eq(t.ring[i], 0);
	check_eq(t.ring[3000], 0x5a5a5a5a);
	atomic_store(&t.stream->linked, true);
	check_eq(acquire(1000, spans), 1);
	release(1000);
	check_eq(position(), 4000);
	check_eq(t.ring[3000], 0x5a5a5a5a);
	close_stream();
}

/* Permission to capture. */

static void hears_silence_of(uint32_t format, uint8_t even, uint8_t odd)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	uint32_t i;

	open_stream_of(format, 4800, 480, true);
	stream_permit(t.stream, false);
	memset(t.ring, 0x5a, 4800 * FRAME_SIZE);
	link_node();
	start();
	for (i = 1; i <= 20; i++) {
		check_eq(acquire(256, spans), -EAGAIN);
		check_eq(position(), i * 256);
		linux_interrupt(&t.guest);
		check_eq(t.guest.told, position());
	}
	check_eq(atomic_load(&t.stream->counters.events), 20);
	for (i = 0; i < 4800 * FRAME_SIZE; i++)
		check_eq(((uint8_t *)t.ring)[i], i & 1 ? odd : even);
	close_stream();
}

TEST(capture_that_is_not_allowed_goes_on_in_silence)
{
	hears_silence_of(SPA_AUDIO_FORMAT_S16_LE, 0, 0);
	hears_silence_of(SPA_AUDIO_FORMAT_F32_BE, 0, 0);
	hears_silence_of(SPA_AUDIO_FORMAT_U8, 0x80, 0x80);
	hears_silence_of(SPA_AUDIO_FORMAT_U16_LE, 0, 0x80);
	hears_silence_of(SPA_AUDIO_FORMAT_ALAW, 0xd5, 0xd5);
}

TEST(capture_is_not_allowed_until_somebody_says_so)
{
	static const struct stream_identity identity = { .guest = "test" };
	static const struct xen_snd_geometry geometry = { .frame_size = 4, .buffer_frames = 480 };
	struct stream *stream;

	stream = stream_open(&(struct stream_config) {
		.identity = &identity, .geometry = &geometry, .capture = true,
		.events = &t.events, .watcher = &t.watcher,
	});
	check(!stream_may_hear(stream));
	stream_unref(stream);
}

TEST(capture_is_allowed_and_not_from_the_next_cycle_on)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	uint32_t i, number = 0;

	open_stream(4800, 480, true);
	stream_permit(t.stream, false);
	link_node();
	start();
	check_eq(acquire(1000, spans), -EAGAIN);
	xen_snd_stream_allow(&t.stream->iface, true);
	record_cycle(1000, &number);
	check_eq(position(), 2000);
	xen_snd_stream_allow(&t.stream->iface, false);
	check_eq(acquire(1000, spans), -EAGAIN);
	check_eq(position(), 3000);
	for (i = 0; i < 3000; i++)
		check_eq(t.ring[i], i >= 1000 && i < 2000 ? i - 999 : 0);
	close_stream();
}

/* A graph that runs and has no links for the node: the guest is woken with time to spare. */
static void unlinked_wakes_in_time(uint32_t quantum, uint32_t period, bool capture)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	uint64_t limit = SPA_MAX(2 * period * SEC / RATE * 11 / 10, 100 * MSEC);
	uint64_t now = NOW, cycle = quantum * SEC / RATE, due = NOW + cycle - 1, tick = NOW;

	open_stream(2 * period, period, capture);
	start();
	while (t.guest.wakes == 0) {
		now = SPA_MIN(due, tick);
		check(now < NOW + SEC);
		if (now == due) {
			check_eq(acquire(quantum, spans), -EAGAIN);
			due += cycle;
		}
		if (now == tick)
			tick += stream_tick(t.stream, now);
		linux_interrupt(&t.guest);
	}
	if (now - NOW + 10 * MSEC > limit)
		test_fail(__FILE__, __LINE__, "quantum %u, period %u: woken after %"PRIu64" ms of "
				"%"PRIu64, quantum, period, (now - NOW) / MSEC, limit / MSEC);
	close_stream();
}

TEST(in_a_graph_without_links_the_guest_is_woken_before_it_gives_up)
{
	unlinked_wakes_in_time(1024, 2048, false);
	unlinked_wakes_in_time(1024, 2048, true);
	unlinked_wakes_in_time(512, 2048, false);
	unlinked_wakes_in_time(512, 2048, true);
	unlinked_wakes_in_time(2048, 2048, false);
	unlinked_wakes_in_time(2048, 4096, true);
	unlinked_wakes_in_time(2048, 4096, false);
	unlinked_wakes_in_time(256, 512, false);
	unlinked_wakes_in_time(256, 512, true);
}

/* which is not zero to a guest that records unsigned samples */
TEST(without_a_graph_capture_hears_silence_in_its_own_format)
{
	uint32_t i;

	open_stream(4800, 480, true);
	t.stream->iface.geometry.guest_format = SPA_AUDIO_FORMAT_U16_BE;
	start();
	run_clock(NOW, NOW + 3 * SEC);
	for (i = 0; i < 4800 * FRAME_SIZE; i += 2) {
		check_eq(((uint8_t *)t.ring)[i], 0x80);
		check_eq(((uint8_t *)t.ring)[i + 1], 0);
	}
	close_stream();
}

/* The backend is killed, and the next one goes on. */

static void kill_and_resume(void)
{
	const struct state_moment moment = state_get_moment(&record);
	struct stream *old = t.stream;

	event_page_resume(&t.events.page, &wire_dialects[WIRE_DIALECT_2], page, moment.produced,
			t.events.page.base);
	t.stream = stream_resume(&(struct stream_config) {
		.identity = &old->identity, .geometry = &old->iface.geometry,
		.capture = old->capture, .data = t.ring, .events = &t.events,
		.watcher = &t.watcher, .record = &record,
	});
	check(t.stream != NULL);
	stream_permit(t.stream, true);
	/* no more than memory now */
	stream_unref(old);
	atomic_store(&t.stream->settled, true);
}

static void plays_through_kills(uint32_t buffer, uint32_t period, uint32_t quantum,
		enum linux_generation generation, bool woken)
{
	uint32_t i;

	open_stream(buffer, period, false);
	t.guest.generation = generation;
	link_node();
	start();
	for (i = 0; i < 300; i++) {
		play_cycle(quantum);
		if (woken)
			interrupt();
		if (i % 7 == 3)
			kill_and_resume();
		interrupt();
		check_eq(t.guest.told, position());
	}
	check_eq(t.silent, 0);
	check_eq(t.heard, 300 * (uint64_t)quantum);
	stop();
	check_eq(t.guest.told % buffer, 0);
	kill_and_resume();
	check_eq(atomic_load(&t.stream->state), STREAM_PREPARED);
	close_stream();
}

TEST(playback_goes_on_through_kills_frame_by_frame)
{
	plays_through_kills(480, 240, 120, LINUX_OLDER, false);
	plays_through_kills(480, 240, 120, LINUX_NEWER, true);
	plays_through_kills(1009, 211, 64, LINUX_OLDER, true);
	plays_through_kills(1009, 211, 64, LINUX_NEWER, false);
	plays_through_kills(4799, 480, 1024, LINUX_NEWER, true);
}

/* The frame that is held back is in the ring still, as long as the guest does not know. */
TEST(playback_goes_on_through_kills_while_a_frame_is_held)
{
	plays_through_kills(480, 240, 240, LINUX_OLDER, false);
	plays_through_kills(1000, 500, 500, LINUX_NEWER, false);
}

TEST(a_held_frame_that_was_overwritten_is_silent)
{
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];

	open_stream(480, 240, false);
	link_node();
	start();
	play_cycle(240);
	interrupt();
	check_eq(t.app, 241 + 480);
	kill_and_resume();
	check(acquire(240, spans) >= 2);
	check_eq(spans[0].frames, 1);
	check_eq(*(uint32_t *)spans[0].data, 0);
	release(240);
	close_stream();
}

static void records_through_kills(uint32_t quantum, enum linux_generation generation)
{
	uint32_t i, number = 0;

	open_stream(480, 120, true);
	t.guest.generation = generation;
	link_node();
	start();
	for (i = 0; i < 300; i++) {
		record_cycle(quantum, &number);
		if (i % 7 == 3)
			kill_and_resume();
		interrupt();
		check_eq(t.guest.told, position());
	}
	check(t.app > 290 * quantum);
	close_stream();
}

TEST(capture_goes_on_through_kills_frame_by_frame)
{
	records_through_kills(60, LINUX_OLDER);
	records_through_kills(120, LINUX_NEWER);
	records_through_kills(49, LINUX_NEWER);
}

/* resumed before the rules were asked again */
static bool is_kept(bool allowed, bool wanted)
{
	const struct state_moment moment = state_get_moment(&record);
	struct stream *resumed;
	bool hears;

	event_page_resume(&t.events.page, &wire_dialects[WIRE_DIALECT_2], page, moment.produced,
			t.events.page.base);
	resumed = stream_resume(&(struct stream_config) {
		.identity = &t.stream->identity, .geometry = &t.stream->iface.geometry,
		.capture = true, .data = t.ring, .events = &t.events, .watcher = &t.watcher,
		.record = &record,
	});
	check(resumed != NULL);
	check_eq(stream_may_hear(resumed), wanted);
	stream_permit(resumed, allowed);
	hears = stream_may_hear(resumed);
	stream_unref(resumed);
	return hears == wanted;
}

TEST(what_was_switched_holds_when_the_backend_was_killed)
{
	uint32_t number = 0;

	open_stream(4800, 480, true);
	link_node();
	xen_snd_stream_allow(&t.stream->iface, false);
	check(is_kept(true, false));
	start();
	xen_snd_stream_allow(&t.stream->iface, true);
	check(is_kept(false, true));
	record_cycle(100, &number);
	check(is_kept(false, true));
	stop();
	xen_snd_stream_allow(&t.stream->iface, false);
	check(is_kept(true, false));
	close_stream();
}

TEST(what_rules_have_said_is_asked_anew_when_the_backend_was_killed)
{
	open_stream(4800, 480, true);
	start();
	stop();
	check(!is_kept(true, false));
	check(is_kept(false, false));
	close_stream();
}

TEST(the_next_stream_on_the_line_is_as_the_rules_say)
{
	open_stream(4800, 480, true);
	xen_snd_stream_allow(&t.stream->iface, true);
	close_stream();
	open_stream(4800, 480, true);
	check(is_kept(false, false));
	close_stream();
}

TEST(a_switch_after_the_end_is_harmless)
{
	struct stream *stream;

	open_stream(4800, 480, true);
	stream = stream_ref(t.stream);
	close_stream();
	xen_snd_stream_allow(&stream->iface, true);
	stream_unref(stream);
}

TEST(news_are_told_of_once_until_they_are_read)
{
	unsigned int i;

	open_stream(4800, 480, false);
	t.changes = 0;
	for (i = 0; i < 3; i++)
		stream_refused(t.stream);
	stream_apply_volume(t.stream);
	check_eq(t.changes, 1);
	stream_news_are_told(t.stream);
	check_eq(t.changes, 1);
	stream_apply_volume(t.stream);
	check_eq(t.changes, 2);
	check_eq(atomic_load(&t.stream->counters.refused), 3);
	close_stream();
}
