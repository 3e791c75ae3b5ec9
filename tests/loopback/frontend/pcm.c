/* SPDX-License-Identifier: MIT */
/*
 * The life of a substream: open, hw_params, prepare, trigger, hw_free, close.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "formats.h"
#include "pcm.h"
#include "pointer.h"
#include "timed.h"

int pcm_start_device(struct pcm *p, struct domain *d, const char *name, bool playback,
		const struct limits *limits, const struct dialect *dialect,
		enum generation generation)
{
	pthread_condattr_t attr;
	int res;

	memset(p, 0, sizeof(*p));
	p->domain = d;
	p->playback = playback;
	p->limits = *limits;
	pthread_mutex_init(&p->call, NULL);
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->wake, &attr);
	pthread_condattr_destroy(&attr);
	res = channel_start(&p->channel, d, name, dialect, generation);
	p->channel.on_position = pointer_on_position;
	p->channel.data = p;
	return res;
}

static int free_buffer(struct pcm *p)
{
	int res = domain_pages_free(p->domain, &p->buffer);

	return domain_pages_free(p->domain, &p->directory) < 0 ? -EBUSY : res;
}

/* The driver's stream_free(): everything about the stream starts again. */
static int clear_stream(struct pcm *p)
{
	channel_clear(&p->channel);
	pthread_mutex_lock(&p->channel.evt_mutex);
	p->be_frame = 0;
	p->driver_hw_ptr = 0;
	p->out_frames = 0;
	pthread_mutex_unlock(&p->channel.evt_mutex);
	p->is_open = false;
	return free_buffer(p);
}

/* With the lock held. */
static void enter(struct pcm *p, enum pcm_state state)
{
	if (p->state != PCM_DISCONNECTED)
		p->state = state;
	pthread_cond_broadcast(&p->wake);
}

static void set_state(struct pcm *p, enum pcm_state state)
{
	pthread_mutex_lock(&p->lock);
	enter(p, state);
	pthread_mutex_unlock(&p->lock);
}

static enum pcm_state get_state(struct pcm *p)
{
	enum pcm_state state;

	pthread_mutex_lock(&p->lock);
	state = p->state;
	pthread_mutex_unlock(&p->lock);
	return state;
}

void pcm_disconnect(struct pcm *p)
{
	pthread_mutex_lock(&p->lock);
	if (p->state != PCM_CLOSED)
		p->state = PCM_DISCONNECTED;
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
}

void pcm_stop_device(struct pcm *p)
{
	channel_stop(&p->channel, p->domain);
	free_buffer(p);
}

int pcm_open(struct pcm *p)
{
	int res = -EBUSY;

	pthread_mutex_lock(&p->call);
	if (get_state(p) == PCM_CLOSED) {
		clear_stream(p);
		p->driver_frame_sz = p->driver_buffer = p->driver_period = 0;
		channel_connect_requests(&p->channel, true);
		if (p->channel.generation == GENERATION_A)
			channel_connect_events(&p->channel, true);
		set_state(p, PCM_OPEN);
		p->opened++;
		p->started = 0;
		res = 0;
	}
	pthread_mutex_unlock(&p->call);
	return res;
}

static int alloc_buffer(struct pcm *p, uint32_t octets)
{
	uint32_t pages = (octets + HV_PAGE_SIZE - 1) / HV_PAGE_SIZE;
	uint32_t directories = (pages + GREFS_PER_PAGE - 1) / GREFS_PER_PAGE;
	uint8_t *dir;
	int res;

	if ((res = domain_pages_alloc(p->domain, &p->buffer, pages)) < 0 ||
			(res = domain_pages_alloc(p->domain, &p->directory, directories)) < 0)
		return res;
	for (uint32_t i = 0; i < pages; i++) {
		dir = p->directory.address + i / GREFS_PER_PAGE * HV_PAGE_SIZE;
		put32(dir + 4 + i % GREFS_PER_PAGE * 4, p->buffer.grefs[i]);
	}
	for (uint32_t i = 0; i + 1 < directories; i++)
		put32(p->directory.address + i * HV_PAGE_SIZE, p->directory.grefs[i + 1]);
	return 0;
}

static bool has(const char *what, struct range r, uint32_t value)
{
	if (r.min <= value && value <= r.max)
		return true;
	fprintf(stderr, "%s %u is not in the offered %u..%u\n", what, value, r.min, r.max);
	return false;
}

/* As an application does it: one parameter after the other, each refined at once. */
static int refine_to(struct pcm *p, const struct geometry *g)
{
	struct space s = pcm_all(p);
	int res;

	if ((res = pcm_refine(p, &s)) < 0)
		return res;
	s.formats &= 1ull << g->format;
	if (s.formats == 0 || !has("rate", s.rate, g->rate) || !has("channels", s.channels, g->channels))
		return -EINVAL;
	s.channels = (struct range){ g->channels, g->channels };
	s.rate = (struct range){ g->rate, g->rate };
	if ((res = pcm_refine(p, &s)) < 0)
		return res;
	if (!has("buffer", s.buffer, g->buffer))
		return -EINVAL;
	s.buffer = (struct range){ g->buffer, g->buffer };
	if ((res = pcm_refine(p, &s)) < 0)
		return res;
	if (!has("period", s.period, g->period))
		return -EINVAL;
	s.period = (struct range){ g->period, g->period };
	return pcm_refine(p, &s);
}

static int hw_params(struct pcm *p, const struct geometry *g)
{
	int res = refine_to(p, g);

	if (res < 0)
		return res;
	clear_stream(p);
	p->geometry = *g;
	p->frame_sz = format_octets(g->format) * g->channels;
	/* without START the first data starts it */
	p->start_threshold = p->playback && p->channel.dialect->has_trigger ? g->buffer : 1;
	pthread_mutex_lock(&p->channel.evt_mutex);
	p->driver_frame_sz = p->frame_sz;
	p->driver_buffer = g->buffer;
	p->driver_period = g->period;
	pthread_mutex_unlock(&p->channel.evt_mutex);
	res = alloc_buffer(p, g->buffer * p->frame_sz);
	set_state(p, PCM_SETUP);
	return res;
}

int pcm_hw_params(struct pcm *p, const struct geometry *g)
{
	enum pcm_state state;
	int res;

	pthread_mutex_lock(&p->call);
	state = get_state(p);
	if (state == PCM_OPEN || state == PCM_SETUP || state == PCM_PREPARED)
		res = hw_params(p, g);
	else
		res = state == PCM_DISCONNECTED ? -ENODEV : -EBADFD;
	pthread_mutex_unlock(&p->call);
	return res;
}

static int open_stream(struct pcm *p, bool events)
{
	const struct geometry *g = &p->geometry;
	int res;

	p->timed = !events || p->channel.dialect->event_slots == 0;
	timed_mark(p);
	res = channel_open(&p->channel, g->rate, (uint8_t)g->format, (uint8_t)g->channels,
			g->buffer * p->frame_sz, p->directory.grefs[0],
			events ? g->period * p->frame_sz : 0, p->frame_sz);
	if (res < 0)
		return res;
	p->is_open = true;
	if (p->channel.generation == GENERATION_B)
		channel_connect_events(&p->channel, true);
	return 0;
}

static int prepare(struct pcm *p, bool events)
{
	enum pcm_state state;
	int res = 0;

	pthread_mutex_lock(&p->call);
	state = get_state(p);
	if (state == PCM_CLOSED || state == PCM_OPEN || state == PCM_RUNNING)
		res = -EBADFD;
	else if (state == PCM_DISCONNECTED)
		res = -ENODEV;
	else if (!p->is_open)
		res = open_stream(p, events);
	if (res == 0) {
		pthread_mutex_lock(&p->lock);
		p->hw_ptr = p->hw_ptr_base = p->hw_ptr_interrupt = p->appl_ptr = 0;
		enter(p, PCM_PREPARED);
		pthread_mutex_unlock(&p->lock);
	}
	pthread_mutex_unlock(&p->call);
	return res;
}

int pcm_prepare(struct pcm *p)
{
	return prepare(p, true);
}

int pcm_prepare_without_events(struct pcm *p)
{
	return prepare(p, false);
}

/* With the lock held. A START that fails is undone by a STOP, as the sound core does. */
int pcm_start_locked(struct pcm *p, enum pcm_state state)
{
	int res;

	if (p->state == PCM_DISCONNECTED)
		return -ENODEV;
	if (p->state != PCM_PREPARED)
		return -EBADFD;
	p->hw_ptr_ns = now_ns();
	__atomic_store_n(&p->started_ns, p->hw_ptr_ns, __ATOMIC_SEQ_CST);
	p->state = state;
	p->started++;
	res = channel_trigger(&p->channel, TRIGGER_START);
	if (res == 0)
		return timed_start(p);
	channel_trigger(&p->channel, TRIGGER_STOP);
	enter(p, PCM_PREPARED);
	return res;
}

/* With the lock held, and perhaps from inside the handling of an event. */
void pcm_stop_locked(struct pcm *p, enum pcm_state state)
{
	if (p->state == PCM_RUNNING || p->state == PCM_DRAINING)
		channel_trigger(&p->channel, TRIGGER_STOP);
	enter(p, state);
}

int pcm_start(struct pcm *p)
{
	int res;

	pthread_mutex_lock(&p->lock);
	res = pcm_start_locked(p, PCM_RUNNING);
	pthread_mutex_unlock(&p->lock);
	return res;
}

int pcm_drop(struct pcm *p)
{
	int res = -EBADFD;

	pthread_mutex_lock(&p->lock);
	if (p->state == PCM_DISCONNECTED) {
		res = -ENODEV;
	} else if (p->state >= PCM_SETUP) {
		pcm_stop_locked(p, PCM_SETUP);
		res = 0;
	}
	pthread_mutex_unlock(&p->lock);
	return res;
}

/* Sleep of the guest machine: PAUSE is sent, and nothing undoes it but the next START. */
int pcm_suspend(struct pcm *p)
{
	int res = 0;

	pthread_mutex_lock(&p->lock);
	if (p->state == PCM_RUNNING)
		res = channel_trigger(&p->channel, TRIGGER_PAUSE);
	enter(p, PCM_SUSPENDED);
	pthread_mutex_unlock(&p->lock);
	return res;
}

/* Without the stream lock, as in Linux: the event thread may be waiting for it. */
static int hw_free(struct pcm *p)
{
	int res;

	pthread_mutex_lock(&p->lock);
	pcm_stop_locked(p, PCM_SETUP);
	pthread_mutex_unlock(&p->lock);
	res = channel_close(&p->channel);
	if (res < 0)
		report_violation(p->channel.name, "CLOSE was answered %d", res);
	if (p->channel.generation == GENERATION_B)
		channel_connect_events(&p->channel, false);
	if (clear_stream(p) < 0)
		report_violation(p->channel.name, "pages still mapped after CLOSE was answered");
	set_state(p, PCM_OPEN);
	return res;
}

int pcm_hw_free(struct pcm *p)
{
	enum pcm_state state;
	int res = -EBADFD;

	pthread_mutex_lock(&p->call);
	state = get_state(p);
	if (state == PCM_OPEN || state == PCM_SETUP || state == PCM_PREPARED)
		res = hw_free(p);
	else if (state == PCM_DISCONNECTED)
		res = -ENODEV;
	pthread_mutex_unlock(&p->call);
	return res;
}

/* When the card has gone nobody answers, so nobody is asked. */
int pcm_close(struct pcm *p)
{
	enum pcm_state state;

	pthread_mutex_lock(&p->call);
	state = get_state(p);
	if (state != PCM_DISCONNECTED && state != PCM_CLOSED)
		hw_free(p);
	channel_connect_requests(&p->channel, false);
	channel_connect_events(&p->channel, false);
	pthread_mutex_lock(&p->lock);
	p->state = PCM_CLOSED;
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
	pthread_mutex_unlock(&p->call);
	return 0;
}

static FILE *positions;

void pcm_log_positions(FILE *f)
{
	positions = f;
}

static const char *name_state(enum pcm_state state)
{
	switch (state) {
	case PCM_RUNNING:
		return "running";
	case PCM_DRAINING:
		return "draining";
	default:
		return "other";
	}
}

static void log_positions(struct pcm *p)
{
	for (uint32_t i = 0; positions != NULL && i < p->n_seen; i++)
		fprintf(positions, "%s %u %u %s %llu %llu %llu\n", p->channel.name,
				p->seen[i].opened, p->seen[i].started,
				name_state(p->seen[i].state),
				(unsigned long long)p->seen[i].frames,
				(unsigned long long)p->seen[i].ns,
				(unsigned long long)p->seen[i].notified_ns);
	free(p->seen);
	p->seen = NULL;
	p->n_seen = p->room_seen = 0;
}

void pcm_report(struct pcm *p)
{
	channel_report(&p->channel);
	report_figure(p->channel.name, "opened", p->opened);
	report_figure(p->channel.name, "xruns", p->xruns);
	report_figure(p->channel.name, "periods", p->periods);
	report_figure(p->channel.name, "positions", p->n_seen);
	durations_report(&p->firsts, p->channel.name, "first-position");
	durations_clear(&p->firsts);
	log_positions(p);
}
