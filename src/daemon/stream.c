/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A guest's stream from OPEN to CLOSE, see stream.h. */

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <spa/utils/defs.h>

#include "stream.h"

#define MSEC(n)			((n) * (uint64_t)SPA_NSEC_PER_MSEC)

/* A node that was just linked gets its ports one by one, and their buffers a moment
 * before what is in them is heard. The first frame is consumed when all of them
 * have been there for a cycle and this long, or when some have waited long. */
#define SETTLE_LINKED		MSEC(20)
#define SETTLE_MAX		MSEC(100)
#define SETTLE_CYCLES		2u	/* it takes so many at most, if they are long */

/* A Linux guest gives up a write or a drain when its application was not woken for
 * 1.1 buffers, 100 ms at least, and a period has to pass to wake it, and the cycle
 * that ends it. Wait for the graph as long as that allows before the clock takes
 * over: what the clock consumes is not heard. */
#define GUEST_PATIENCE(buffer)	SPA_MAX((buffer) * 11 / 10, MSEC(100))
#define MARGIN			MSEC(40)
#define PATIENCE_MIN		MSEC(20)
#define PATIENCE_MAX		MSEC(1000)
#define PATIENCE_CYCLES		3u

#define TICK_IDLE		MSEC(40)
#define TICK_MIN		MSEC(2)
#define TICK_MAX		MSEC(20)

/* The gate. Held for a copy of one quantum at most. */

static bool gate_try(struct stream *s)
{
	return !atomic_flag_test_and_set_explicit(&s->gate, memory_order_acquire);
}

/* guest thread only */
static void gate_take(struct stream *s)
{
	while (!gate_try(s))
		sched_yield();
}

static void gate_give(struct stream *s)
{
	atomic_flag_clear_explicit(&s->gate, memory_order_release);
}

/* Under the gate: what the guest is told. */

static void count(atomic_uint_least64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void keep(struct stream *s)
{
	const struct state_moment moment = {
		.taken = s->position.taken,
		.posted = s->position.posted,
		.slip = s->position.slip,
		.pending = s->position.pending,
		.produced = s->events->page.produced,
		.run = atomic_load_explicit(&s->state, memory_order_relaxed),
	};

	state_set_moment(s->record, &moment);
}

/* true: an event is written, to be shown */
static bool write_position(struct stream *s)
{
	const struct xen_snd_geometry *g = &s->iface.geometry;
	uint64_t now = position_now(&s->position);

	atomic_store_explicit(&s->counters.position, now, memory_order_relaxed);
	if (g->period_frames == 0 || now == s->position.posted)
		return false;
	if (!event_page_write(&s->events->page, now * g->frame_size)) {
		count(&s->counters.coalesced);
		return false;
	}
	position_told(&s->position);
	count(&s->counters.events);
	return true;
}

/* Killed before keep(), none of it has been; after it, a resume shows the event. */
static void tell_position(struct stream *s)
{
	bool written = write_position(s);

	keep(s);
	if (!written)
		return;
	event_page_show(&s->events->page);
	xenevtchn_notify(s->events->handle, s->events->port);
}

/* Under the gate: the ring. */

static uint8_t *frame_at(const struct stream *s, uint64_t position)
{
	const struct xen_snd_geometry *g = &s->iface.geometry;

	return s->data + (position % g->buffer_frames) * g->frame_size;
}

/* `frames` from `position` on, in one or two spans */
static int ring_spans(const struct stream *s, uint64_t position, uint32_t frames,
		struct xen_snd_span *spans)
{
	uint32_t buffer = s->iface.geometry.buffer_frames;
	uint32_t ahead = buffer - position % buffer;
	uint32_t first = SPA_MIN(frames, ahead);

	if (frames == 0)
		return 0;
	spans[0] = (struct xen_snd_span) { frame_at(s, position), first };
	if (first == frames)
		return 1;
	spans[1] = (struct xen_snd_span) { s->data, frames - first };
	return 2;
}

/* how many of the next `frames` frames the guest has written */
static uint32_t valid_frames(const struct stream *s, uint32_t frames)
{
	uint64_t filled = atomic_load_explicit(&s->filled, memory_order_acquire);

	if (filled <= s->position.taken)
		return 0;
	return SPA_MIN(frames, filled - s->position.taken);
}

/* Running dry is an underrun if the guest goes on: the end of all sound is none. */
static void end_starving(struct stream *s)
{
	if (s->starving)
		count(&s->counters.underruns);
	s->starving = false;
}

static int playback_spans(struct stream *s, uint32_t frames, struct xen_snd_span *spans)
{
	uint32_t valid;
	int n = 0;

	if (s->holding && frames > 0) {
		spans[n++] = (struct xen_snd_span) { s->held, 1 };
		frames--;
	}
	valid = valid_frames(s, frames);
	n += ring_spans(s, s->position.taken, valid, &spans[n]);
	if (valid < frames)
		spans[n++] = (struct xen_snd_span) { NULL, frames - valid };

	if (valid < frames)
		s->starving = true;
	else
		end_starving(s);
	return n;
}

/* keep the frame at `taken` - 1 for the next cycle */
static void hold_frame(struct stream *s)
{
	uint32_t size = s->iface.geometry.frame_size;
	uint64_t filled = atomic_load_explicit(&s->filled, memory_order_acquire);

	if (filled >= s->position.taken)
		memcpy(s->held, frame_at(s, s->position.taken - 1), size);
	else
		memset(s->held, 0, size);
	s->holding = true;
}

static void advance(struct stream *s, uint32_t frames)
{
	bool slipped = position_advance(&s->position, frames);

	if (slipped || s->holding)
		hold_frame(s);
	tell_position(s);
}

/* Data thread: the node's side. */

/* true when all ports of a new node carry data, or have had their time */
static bool is_settled(struct stream *s, uint64_t cycle_nsec)
{
	uint64_t linked = s->settling.linked, all = s->settling.all;
	bool done = atomic_load_explicit(&s->settled, memory_order_relaxed);

	if (done)
		return true;
	s->settling.all += cycle_nsec;
	if (atomic_load_explicit(&s->linked, memory_order_relaxed))
		s->settling.linked += cycle_nsec;
	done = linked >= SPA_MAX(SETTLE_LINKED, cycle_nsec) || all >= SETTLE_MAX;
	atomic_store_explicit(&s->settled, done, memory_order_relaxed);
	return done;
}

static bool is_running(const struct stream *s)
{
	return atomic_load_explicit(&s->state, memory_order_acquire) == STREAM_RUNNING;
}

static int impl_acquire(void *object, uint32_t frames, uint64_t cycle_nsec,
		struct xen_snd_span spans[XEN_SND_MAX_SPANS])
{
	struct stream *s = object;

	atomic_store_explicit(&s->cycle_nsec, cycle_nsec, memory_order_relaxed);
	if (!is_settled(s, cycle_nsec) || !gate_try(s))
		return -EAGAIN;
	if (!is_running(s)) {
		gate_give(s);
		return -EAGAIN;
	}
	frames = SPA_MIN(frames, s->iface.geometry.buffer_frames);
	return s->capture ? ring_spans(s, s->position.taken, frames, spans) :
		playback_spans(s, frames, spans);
}

static void impl_release(void *object, uint32_t frames)
{
	struct stream *s = object;

	if (frames > 0) {
		advance(s, frames);
		atomic_fetch_add_explicit(&s->cycles, 1, memory_order_relaxed);
	}
	gate_give(s);
}

static const struct xen_snd_stream_methods impl_stream = {
	XEN_SND_VERSION_STREAM_METHODS,
	.acquire = impl_acquire,
	.release = impl_release,
};

/* Guest thread. */

static void set_filled(struct stream *s, uint64_t filled)
{
	atomic_store_explicit(&s->filled, filled, memory_order_release);
	state_set_filled(s->record, filled);
}

static struct stream *stream_new(const struct stream_config *config)
{
	const struct xen_snd_geometry *g = config->geometry;
	struct stream *s;

	if ((s = calloc(1, sizeof(*s) + g->frame_size)) == NULL)
		return NULL;
	s->iface.iface = SPA_INTERFACE_INIT(XEN_SND_TYPE_STREAM, XEN_SND_VERSION_STREAM,
			&impl_stream, s);
	s->iface.geometry = *g;
	s->identity = *config->identity;
	s->capture = config->capture;
	s->watcher = config->watcher;
	s->data = config->data;
	s->events = config->events;
	s->record = config->record;
	s->held = (uint8_t *)(s + 1);
	atomic_init(&s->refs, 1);
	atomic_init(&s->state, STREAM_PREPARED);
	atomic_flag_clear(&s->gate);
	position_init(&s->position, g->buffer_frames, g->period_frames, s->capture);
	return s;
}

struct stream *stream_open(const struct stream_config *config)
{
	struct stream *s;
	uint32_t i;

	if ((s = stream_new(config)) == NULL)
		return NULL;
	event_page_open(&s->events->page);
	set_filled(s, 0);
	for (i = 0; i < s->iface.geometry.channels; i++)
		state_set_volume(s->record, i, 0, false);
	keep(s);
	return s;
}

static int resume_position(struct stream *s, const struct state_moment *moment)
{
	struct position *pos = &s->position;

	pos->taken = moment->taken;
	pos->posted = moment->posted;
	pos->slip = moment->slip;
	pos->pending = moment->pending;
	if (moment->slip > 1 || moment->taken < moment->slip ||
	    position_now(pos) < pos->posted ||
	    (moment->run != STREAM_PREPARED && moment->run != STREAM_RUNNING &&
	     moment->run != STREAM_PAUSED))
		return -EINVAL;
	atomic_store(&s->counters.position, position_now(pos));
	atomic_store(&s->state, moment->run);
	return 0;
}

/* what the guest has written, and how loud it is */
static void resume_sound(struct stream *s)
{
	uint64_t filled = atomic_load(&s->record->filled);
	uint32_t i;

	set_filled(s, SPA_MIN(filled, s->position.taken + s->position.buffer));
	if (s->position.slip > 0 && !s->capture)
		hold_frame(s);
	/* the guest was told that this one is taken, and has used its place again */
	if (s->holding && filled >= s->position.taken + s->position.buffer)
		memset(s->held, 0, s->iface.geometry.frame_size);
	for (i = 0; i < s->iface.geometry.channels; i++) {
		int32_t volume = atomic_load(&s->record->volumes[i].volume);
		bool mute = atomic_load(&s->record->volumes[i].mute);

		stream_set_volume(s, i, volume);
		stream_set_mute(s, i, mute);
	}
	stream_apply_volume(s);
}

struct stream *stream_resume(const struct stream_config *config)
{
	const struct state_moment moment = state_get_moment(config->record);
	struct stream *s;
	int res;

	if ((s = stream_new(config)) == NULL)
		return NULL;
	if ((res = resume_position(s, &moment)) < 0) {
		stream_unref(s);
		errno = -res;
		return NULL;
	}
	resume_sound(s);
	return s;
}

struct stream *stream_ref(struct stream *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void stream_unref(struct stream *s)
{
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		free(s);
}

static void set_state(struct stream *s, enum stream_state state)
{
	atomic_store_explicit(&s->state, state, memory_order_release);
}

static enum stream_state get_state(const struct stream *s)
{
	return atomic_load_explicit(&s->state, memory_order_relaxed);
}

/* Under the gate: whole buffers, and nothing valid ahead. */
static void align(struct stream *s)
{
	position_align(&s->position);
	s->holding = false;
	set_filled(s, s->position.taken);
	tell_position(s);
}

static void start(struct stream *s)
{
	/* Linux resumes by START after PAUSE, having forgotten where it was */
	if (get_state(s) == STREAM_PAUSED)
		align(s);
	end_starving(s);
	s->fallback.cycles = atomic_load(&s->cycles);
	s->fallback.since = 0;
	set_state(s, STREAM_RUNNING);
}

static void stop(struct stream *s)
{
	set_state(s, STREAM_PREPARED);
	atomic_store(&s->counters.fallback, false);
	align(s);
}

int stream_trigger(struct stream *s, uint32_t type)
{
	enum stream_state old = get_state(s);

	gate_take(s);
	switch (type) {
	case WIRE_TRIGGER_START:
		if (old != STREAM_RUNNING)
			start(s);
		break;
	case WIRE_TRIGGER_STOP:
		if (old != STREAM_PREPARED)
			stop(s);
		break;
	case WIRE_TRIGGER_PAUSE:
		if (old == STREAM_RUNNING)
			set_state(s, STREAM_PAUSED);
		break;
	case WIRE_TRIGGER_RESUME:
		if (old == STREAM_PAUSED)
			set_state(s, STREAM_RUNNING);
		break;
	}
	keep(s);
	gate_give(s);
	if (type > WIRE_TRIGGER_RESUME)
		return -EINVAL;
	if (get_state(s) != old)
		s->watcher->changed(s->watcher, s);
	return 0;
}

/* has the graph taken all that the guest has written? */
static bool is_dry(const struct stream *s)
{
	return atomic_load_explicit(&s->filled, memory_order_relaxed) <=
		atomic_load_explicit(&s->counters.position, memory_order_relaxed);
}

void stream_start_at(struct stream *s, uint32_t offset)
{
	bool started = get_state(s) != STREAM_RUNNING;

	/* the gate would cost the graph a cycle: only if it must be */
	if (!started && !is_dry(s))
		return;
	gate_take(s);
	position_seek(&s->position, offset);
	set_filled(s, s->position.taken);
	s->holding = false;
	if (started)
		start(s);
	tell_position(s);
	gate_give(s);
	if (started)
		s->watcher->changed(s->watcher, s);
}

void stream_write(struct stream *s, uint32_t offset, uint32_t length)
{
	uint64_t filled = atomic_load_explicit(&s->filled, memory_order_relaxed);
	uint64_t taken = atomic_load_explicit(&s->counters.position, memory_order_relaxed);

	filled = position_fill(filled, taken, s->iface.geometry.buffer_frames, offset, length);
	set_filled(s, filled);
}

static void keep_volume(struct stream *s, uint32_t channel)
{
	state_set_volume(s->record, channel, atomic_load(&s->channels[channel].volume),
			atomic_load(&s->channels[channel].mute));
}

void stream_set_volume(struct stream *s, uint32_t channel, int32_t volume)
{
	/* no louder than Dom0 lets it be */
	atomic_store(&s->channels[channel].volume, SPA_MIN(volume, 0));
	keep_volume(s, channel);
}

void stream_set_mute(struct stream *s, uint32_t channel, bool mute)
{
	atomic_store(&s->channels[channel].mute, mute);
	keep_volume(s, channel);
}

void stream_apply_volume(struct stream *s)
{
	struct xen_snd_gains *gains = &s->iface.gains;
	uint32_t i;

	for (i = 0; i < s->iface.geometry.channels; i++) {
		float gain = atomic_load(&s->channels[i].mute) ? 0.0f :
			powf(10.0f, atomic_load(&s->channels[i].volume) / 20000.0f);
		atomic_store_explicit(&gains->channel[i], gain, memory_order_relaxed);
	}
	atomic_fetch_add_explicit(&gains->serial, 1, memory_order_release);
}

static void end(struct stream *s, bool leave)
{
	gate_take(s);
	set_state(s, STREAM_CLOSED);
	if (!leave)
		event_page_close(&s->events->page);
	s->data = NULL;
	s->events = NULL;
	s->record = NULL;
	gate_give(s);
	s->watcher->changed(s->watcher, s);
}

void stream_close(struct stream *s)
{
	end(s, false);
}

void stream_leave(struct stream *s)
{
	end(s, true);
}

/* Guest thread: the fallback clock. */

static uint64_t to_nsec(const struct stream *s, uint64_t frames)
{
	return frames * SPA_NSEC_PER_SEC / s->iface.geometry.rate;
}

/* How long to wait for a graph that has shown up, at least: a few cycles if the node
 * has settled; before that two, if the guest then still is woken in time. */
static uint64_t least_patience(const struct stream *s, uint64_t most)
{
	uint64_t cycle = atomic_load_explicit(&s->cycle_nsec, memory_order_relaxed);
	uint64_t period = to_nsec(s, s->iface.geometry.period_frames);
	uint64_t wake = s->capture ? period : period - SPA_MIN(period, cycle);

	if (atomic_load_explicit(&s->settled, memory_order_relaxed))
		return SPA_MAX(PATIENCE_CYCLES * cycle, PATIENCE_MIN);
	if (SETTLE_CYCLES * cycle + wake > most)
		return PATIENCE_MIN;
	return SPA_MAX(SETTLE_CYCLES * cycle, PATIENCE_MIN);
}

static uint64_t patience(const struct stream *s)
{
	const struct xen_snd_geometry *g = &s->iface.geometry;
	uint64_t most = GUEST_PATIENCE(to_nsec(s, g->buffer_frames));
	uint64_t needed = to_nsec(s, g->period_frames * 3 / 2) + MARGIN;

	return SPA_CLAMP(most > needed ? most - needed : 0, least_patience(s, most), PATIENCE_MAX);
}

/* Silence from the graph that is not there. */
static void clear_ahead(struct stream *s, uint32_t frames)
{
	struct xen_snd_span spans[2];
	int i, n;

	n = ring_spans(s, s->position.taken, frames, spans);
	for (i = 0; i < n; i++)
		memset(spans[i].data, 0, (size_t)spans[i].frames * s->iface.geometry.frame_size);
}

static void consume_by_clock(struct stream *s, uint64_t elapsed)
{
	const struct xen_snd_geometry *g = &s->iface.geometry;
	uint64_t due = elapsed * g->rate / SPA_NSEC_PER_SEC - s->fallback.done;
	uint32_t frames = SPA_MIN(due, g->buffer_frames / 2);

	s->fallback.done += due;
	gate_take(s);
	/* the graph may have come back just now */
	if (frames > 0 && atomic_load(&s->cycles) == s->fallback.cycles) {
		if (s->capture)
			clear_ahead(s, frames);
		advance(s, frames);
	}
	gate_give(s);
}

static uint64_t fallback_interval(const struct stream *s)
{
	const struct xen_snd_geometry *g = &s->iface.geometry;
	uint32_t frames = g->period_frames ? g->period_frames / 2 : g->buffer_frames / 4;

	return SPA_CLAMP(to_nsec(s, frames), TICK_MIN, TICK_MAX);
}

uint64_t stream_tick(struct stream *s, uint64_t now)
{
	uint32_t cycles = atomic_load_explicit(&s->cycles, memory_order_acquire);
	bool fallback = atomic_load_explicit(&s->counters.fallback, memory_order_relaxed);

	if (cycles != s->fallback.cycles || s->fallback.since == 0) {
		s->fallback.cycles = cycles;
		s->fallback.since = now;
		atomic_store(&s->counters.fallback, false);
		return TICK_IDLE;
	}
	if (!fallback) {
		uint64_t end = s->fallback.since + patience(s);
		if (now < end)
			return SPA_MIN(end - now, TICK_IDLE);
		s->fallback.since = now;
		s->fallback.done = 0;
		atomic_store(&s->counters.fallback, true);
	}
	consume_by_clock(s, now - s->fallback.since);
	return fallback_interval(s);
}
