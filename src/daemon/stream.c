/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A guest's stream from OPEN to CLOSE, see stream.h. */

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include <spa/utils/defs.h>

#include "frames.h"
#include "stream.h"

#define MSEC(n)			((n) * (uint64_t)SPA_NSEC_PER_MSEC)

/* A node that was just linked gets its ports one by one, and their buffers a moment
 * before what is in them is heard. The first frame is played when all of them have
 * been there for a cycle and this long, or when some have waited long. What is
 * captured before they are there is silence. */
#define SETTLE_LINKED		MSEC(20)
#define SETTLE_MAX		MSEC(100)
#define SETTLE_CYCLES		2u	/* it takes so many at most, if they are long */

/* A Linux guest gives up a read, a write or a drain when its application was not woken
 * for 1.1 buffers, 100 ms at least. Wait for the graph as long as that allows before
 * the clock takes over: what the clock consumes is not heard. */
#define GUEST_PATIENCE(buffer)	SPA_MAX((buffer) * 11 / 10, MSEC(100))
#define MARGIN			MSEC(25)	/* for the clock's wake to reach the guest */
#define MARGIN_GRAPH		MSEC(10)	/* for the graph's */
#define PATIENCE_MIN		MSEC(20)
#define PATIENCE_MAX		MSEC(1000)
#define PATIENCE_CYCLES		3u

#define TICK_IDLE		MSEC(40)
#define TICK_MIN		MSEC(2)
#define TICK_MAX		MSEC(20)

/* News. One letter until they are told, however many there are. */

static void have_news(struct stream *s)
{
	if (!atomic_exchange(&s->news, true))
		s->watcher->changed(s->watcher, s);
}

/* The gate. Held for a copy of one quantum at most. */

static bool gate_try(struct stream *s)
{
	return !atomic_flag_test_and_set_explicit(&s->gate, memory_order_acquire);
}

/* not the data thread */
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

static inline void keep(struct stream *s)
{
	struct state_moment *moment = state_next_moment(s->record);

	if (moment == NULL)
		return;
	*moment = (struct state_moment) {
		.taken = s->position.taken,
		.posted = s->position.posted,
		.slip = s->position.slip,
		.pending = s->position.pending,
		.produced = s->events->page.produced,
		.run = atomic_load_explicit(&s->state, memory_order_relaxed),
		.permission = atomic_load_explicit(&s->iface.permission, memory_order_relaxed),
	};
	state_set_moment(s->record, moment);
}

/* true: an event is written, to be shown */
static inline bool write_position(struct stream *s)
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
static inline void tell_position(struct stream *s)
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
	const struct xen_snd_geometry *g = &s->iface.geometry;
	uint32_t offset = position % g->buffer_frames;
	uint32_t first = SPA_MIN(frames, g->buffer_frames - offset);

	if (frames == 0)
		return 0;
	spans[0] = (struct xen_snd_span) { s->data + (size_t)offset * g->frame_size, first };
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
		frames_silence(s->iface.geometry.guest_format, s->held, size);
	s->holding = true;
}

/* Where fewer events are wanted: any that wakes the guest is posted, and any that is half a
 * ring away, since the next could be a whole one: Linux counts modulo the ring and would lose
 * a lap. Apart from what most streams do in each cycle. */
__attribute__((noinline))
static void tell_seldom(struct stream *s)
{
	uint32_t interval = atomic_load_explicit(&s->iface.events_interval, memory_order_relaxed);
	uint64_t untold = position_now(&s->position) - s->position.posted;

	if (untold >= interval || position_pending(&s->position) > s->position.period ||
	    2 * untold >= s->position.buffer) {
		tell_position(s);
		return;
	}
	atomic_store_explicit(&s->counters.position, position_now(&s->position),
			memory_order_relaxed);
	keep(s);
}

static inline void advance(struct stream *s, uint32_t frames)
{
	bool slipped = position_advance(&s->position, frames);

	if (slipped || s->holding)
		hold_frame(s);
	if (atomic_load_explicit(&s->iface.events_interval, memory_order_relaxed) == 0)
		tell_position(s);
	else
		tell_seldom(s);
}

/* Silence from a graph that is not there, not ready, or not to be heard. */
static void capture_silence(struct stream *s, uint32_t frames)
{
	const struct xen_snd_geometry *g = &s->iface.geometry;
	struct xen_snd_span spans[2];
	int i, n;

	n = ring_spans(s, s->position.taken, frames, spans);
	for (i = 0; i < n; i++)
		frames_silence(g->guest_format, spans[i].data, (size_t)spans[i].frames * g->frame_size);
	advance(s, frames);
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

/* Under the gate: the graph went on by `frames`. */
static void end_cycle(struct stream *s)
{
	atomic_fetch_add_explicit(&s->cycles, 1, memory_order_relaxed);
	gate_give(s);
}

/* A driver that was held up makes up for all the cycles it has missed, at once. For
 * these the clock has consumed already. */
static bool is_made_up(const struct stream *s, const struct xen_snd_cycle *cycle)
{
	return cycle->nsec > s->by_clock.from && cycle->nsec + cycle->length <= s->by_clock.to;
}

static int impl_acquire(void *object, uint32_t frames, const struct xen_snd_cycle *cycle,
		struct xen_snd_span spans[XEN_SND_MAX_SPANS])
{
	struct stream *s = object;
	bool ready = is_settled(s, cycle->length) ||
		(s->capture && atomic_load_explicit(&s->linked, memory_order_relaxed));

	atomic_store_explicit(&s->cycle_nsec, cycle->length, memory_order_relaxed);
	frames = SPA_MIN(frames, s->iface.geometry.buffer_frames);
	if ((!ready && !s->capture) || !gate_try(s))
		return -EAGAIN;
	if (!is_running(s)) {
		int res = s->lost ? -ENODEV : -EAGAIN;

		gate_give(s);
		return res;
	}
	if (is_made_up(s, cycle)) {
		end_cycle(s);
		return -EAGAIN;
	}
	if (!s->capture)
		return playback_spans(s, frames, spans);
	if (ready && stream_may_hear(s))
		return ring_spans(s, s->position.taken, frames, spans);
	capture_silence(s, frames);
	end_cycle(s);
	return -EAGAIN;
}

static void impl_release(void *object, uint32_t frames)
{
	struct stream *s = object;

	if (frames > 0) {
		advance(s, frames);
		end_cycle(s);
	} else {
		gate_give(s);
	}
}

/* Main loop. */

bool stream_may_hear(const struct stream *s)
{
	return atomic_load_explicit(&s->iface.permission, memory_order_relaxed) & XEN_SND_MAY_HEAR;
}

static void set_permission(struct stream *s, uint32_t permission)
{
	atomic_store(&s->iface.permission, permission);
}

void stream_permit(struct stream *s, bool allowed)
{
	if ((atomic_load(&s->iface.permission) & XEN_SND_SWITCHED) == 0)
		set_permission(s, allowed ? XEN_SND_MAY_HEAR : 0);
}

/* Kept at once: there may be no cycle for a while, and the next backend must not open
 * what was closed. */
static void impl_allow(void *object, bool allowed)
{
	struct stream *s = object;

	set_permission(s, XEN_SND_SWITCHED | (allowed ? XEN_SND_MAY_HEAR : 0));
	gate_take(s);
	if (s->events)
		keep(s);
	gate_give(s);
}

static void impl_tell_latency(void *object, const struct spa_latency_info *info)
{
	struct stream *s = object;

	s->behind = *info;
	have_news(s);
}

static const struct xen_snd_stream_methods impl_stream = {
	XEN_SND_VERSION_STREAM_METHODS,
	.acquire = impl_acquire,
	.release = impl_release,
	.allow = impl_allow,
	.tell_latency = impl_tell_latency,
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
	if (config->latency)
		s->latency = *config->latency;
	s->capture = config->capture;
	s->watcher = config->watcher;
	s->letter.read = config->watcher->read;
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
	/* what rules have said is asked anew */
	if (moment->permission & XEN_SND_SWITCHED)
		set_permission(s, moment->permission);
	return 0;
}

static void apply_gains(struct stream *s)
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
	apply_gains(s);
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

/* Under the gate: whole buffers, and `valid` frames ahead. */
static void align(struct stream *s, uint64_t valid)
{
	position_align(&s->position);
	s->holding = false;
	set_filled(s, s->position.taken + valid);
	tell_position(s);
}

static void start(struct stream *s)
{
	/* Linux resumes by START after PAUSE, having forgotten where it was and begun
	 * to fill its ring anew */
	if (get_state(s) == STREAM_PAUSED)
		align(s, s->anew);
	else
		tell_position(s);
	end_starving(s);
	s->fallback.cycles = atomic_load(&s->cycles);
	s->fallback.since = 0;
	set_state(s, STREAM_RUNNING);
}

static void pause_stream(struct stream *s)
{
	s->anew = 0;
	set_state(s, STREAM_PAUSED);
}

static void stop(struct stream *s)
{
	set_state(s, STREAM_PREPARED);
	atomic_store(&s->counters.fallback, false);
	align(s, 0);
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
		if (old == STREAM_RUNNING) {
			pause_stream(s);
			s->anew = 0;
		}
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

/* While the graph waits: the event page may have been full when the guest stopped,
 * and it must know the position before it starts. */
static void tell_before_start(struct stream *s)
{
	gate_take(s);
	tell_position(s);
	gate_give(s);
}

void stream_write(struct stream *s, uint32_t offset, uint32_t length)
{
	uint32_t buffer = s->iface.geometry.buffer_frames;
	uint64_t filled = atomic_load_explicit(&s->filled, memory_order_relaxed);
	uint64_t taken = atomic_load_explicit(&s->counters.position, memory_order_relaxed);
	enum stream_state state = get_state(s);

	if (state != STREAM_RUNNING)
		tell_before_start(s);
	if (state == STREAM_PAUSED && offset == s->anew % buffer)
		s->anew = SPA_MIN(s->anew + length, buffer);
	/* A guest that prepares begins at the start of its ring, and nobody tells us.
	 * What is there of before, or of a write that a stop has overtaken, is old. */
	if (state == STREAM_PREPARED && offset == 0)
		filled = position_of_ring(taken, buffer) + length;
	else
		filled = position_fill(filled, taken, buffer, offset, length);
	set_filled(s, filled);
}

void stream_news_are_told(struct stream *s)
{
	atomic_store(&s->news, false);
}

void stream_refused(struct stream *s)
{
	count(&s->counters.refused);
	have_news(s);
}

/* Guest thread: volume. */

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
	apply_gains(s);
	have_news(s);
}

enum end { CLOSED, LOST, LEFT };

static void end(struct stream *s, enum end how)
{
	gate_take(s);
	s->lost = how == LOST && get_state(s) == STREAM_RUNNING;
	set_state(s, STREAM_CLOSED);
	if (how != LEFT)
		event_page_close(&s->events->page);
	s->data = NULL;
	s->events = NULL;
	s->record = NULL;
	gate_give(s);
	s->watcher->changed(s->watcher, s);
}

void stream_close(struct stream *s)
{
	end(s, CLOSED);
}

void stream_lose(struct stream *s)
{
	end(s, LOST);
}

void stream_leave(struct stream *s)
{
	end(s, LEFT);
}

/* Guest thread: the fallback clock. */

static uint64_t to_nsec(const struct stream *s, uint64_t frames)
{
	return frames * SPA_NSEC_PER_SEC / s->iface.geometry.rate;
}

/* in two steps: the product would not fit after some days without a graph */
static uint64_t to_frames(const struct stream *s, uint64_t nsec)
{
	uint64_t rate = s->iface.geometry.rate;

	return nsec / SPA_NSEC_PER_SEC * rate + nsec % SPA_NSEC_PER_SEC * rate / SPA_NSEC_PER_SEC;
}

/* From the first cycle that plays to the one that wakes the guest. */
static uint64_t graph_wake(const struct stream *s, uint64_t cycle)
{
	const struct xen_snd_geometry *g = &s->iface.geometry;
	uint32_t quantum = (cycle * g->rate + SPA_NSEC_PER_SEC / 2) / SPA_NSEC_PER_SEC;
	uint32_t cycles = quantum ? g->period_frames / quantum : 0;

	/* where a frame is taken ahead it is one less, see position_advance() */
	if (cycles > 0 && g->period_frames % quantum == 0 &&
	    g->period_frames + quantum >= g->buffer_frames)
		cycles--;
	return cycles * cycle;
}

/* How long to wait for a graph that has shown up, at least: a few cycles if it plays;
 * until it does, if all it needs for that is there and the guest is woken in time. */
static uint64_t least_patience(const struct stream *s, uint64_t most)
{
	uint64_t cycle = atomic_load_explicit(&s->cycle_nsec, memory_order_relaxed);

	if (atomic_load_explicit(&s->settled, memory_order_relaxed))
		return SPA_MAX(PATIENCE_CYCLES * cycle, PATIENCE_MIN);
	if (atomic_load_explicit(&s->linked, memory_order_relaxed) &&
	    SETTLE_CYCLES * cycle + graph_wake(s, cycle) + MARGIN_GRAPH <= most)
		return SPA_MAX(SETTLE_CYCLES * cycle, PATIENCE_MIN);
	return PATIENCE_MIN;
}

static uint64_t patience(const struct stream *s)
{
	const struct xen_snd_geometry *g = &s->iface.geometry;
	uint64_t most = GUEST_PATIENCE(to_nsec(s, g->buffer_frames));
	uint64_t needed = to_nsec(s, g->period_frames) + MARGIN;

	return SPA_CLAMP(most > needed ? most - needed : 0, least_patience(s, most), PATIENCE_MAX);
}

/* Often enough for a guest that looks, and when its application is to be woken. */
static uint64_t fallback_interval(const struct stream *s)
{
	const struct xen_snd_geometry *g = &s->iface.geometry;
	uint32_t frames = g->period_frames ? g->period_frames / 2 : g->buffer_frames / 4;
	uint32_t wake = position_until_wake(&s->position);
	uint64_t interval = SPA_CLAMP(to_nsec(s, frames), TICK_MIN, TICK_MAX);

	/* a frame more: what the clock consumes is rounded down */
	return wake ? SPA_CLAMP(to_nsec(s, wake + 1), TICK_MIN, interval) : interval;
}

/* Returns the time until it wants to do so again. */
static uint64_t consume_by_clock(struct stream *s, uint64_t elapsed)
{
	const struct xen_snd_geometry *g = &s->iface.geometry;
	uint64_t due = to_frames(s, elapsed) - s->fallback.done, interval;
	uint32_t frames = SPA_MIN(due, g->buffer_frames / 2);

	s->fallback.done += due;
	gate_take(s);
	/* the graph may have come back just now */
	if (frames > 0 && atomic_load(&s->cycles) == s->fallback.cycles) {
		if (s->capture)
			capture_silence(s, frames);
		else
			advance(s, frames);
		s->by_clock.from = s->fallback.since;
		s->by_clock.to = s->fallback.since + elapsed;
	}
	interval = fallback_interval(s);
	gate_give(s);
	return interval;
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
		if (atomic_load_explicit(&s->holds, memory_order_relaxed))
			return TICK_IDLE;
		if (now < end)
			return SPA_MIN(end - now, TICK_IDLE);
		s->fallback.since = now;
		s->fallback.done = 0;
		atomic_store(&s->counters.fallback, true);
	}
	return consume_by_clock(s, now - s->fallback.since);
}
