/* SPDX-License-Identifier: MIT */
/*
 * How Linux turns CUR_POS events into pointers. Two layers, kept apart as they are there:
 * the driver counts modulo the buffer and reports periods, the core unwraps and judges.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "pointer.h"

int64_t pointer_avail(const struct pcm *p)
{
	if (p->playback)
		return p->hw_ptr + p->geometry.buffer - p->appl_ptr;
	return p->hw_ptr - p->appl_ptr;
}

static void xrun(struct pcm *p)
{
	p->xruns++;
	fprintf(stderr, "%s: xrun %u: hw_ptr %lld appl_ptr %lld\n", p->channel.name, p->xruns,
			(long long)p->hw_ptr, (long long)p->appl_ptr);
	pcm_stop_locked(p, PCM_XRUN);
}

int pointer_judge(struct pcm *p)
{
	int64_t avail = pointer_avail(p);

	if (p->state == PCM_DRAINING) {
		if (avail >= p->geometry.buffer) {
			pcm_stop_locked(p, PCM_SETUP);
			return -EPIPE;
		}
	} else if (p->state == PCM_RUNNING && avail >= p->geometry.buffer) {
		xrun(p);
		return -EPIPE;
	}
	if (avail >= p->wake_at)
		pthread_cond_broadcast(&p->wake);
	return 0;
}

#define JIFFY_NS 4000000u

/* Half a buffer of time without an update, and the pointer not even a period ahead. */
static bool lost_a_wrap(const struct pcm *p, int64_t new_ptr, uint64_t now)
{
	uint64_t half = (uint64_t)p->geometry.buffer * 500000000u / p->geometry.rate;

	return p->hw_ptr_interrupt + p->geometry.period > new_ptr && now - p->hw_ptr_ns > half + JIFFY_NS;
}

static int update(struct pcm *p, bool in_interrupt)
{
	const struct geometry *g = &p->geometry;
	uint64_t now = now_ns();
	uint32_t pos = __atomic_load_n(&p->driver_hw_ptr, __ATOMIC_SEQ_CST);
	int64_t base = p->hw_ptr_base, new_ptr = base + pos, ahead;

	if (in_interrupt && lost_a_wrap(p, new_ptr, now))
		new_ptr = (base += g->buffer) + pos;
	else if (new_ptr < p->hw_ptr)
		new_ptr = (base += g->buffer) + pos;
	if (new_ptr - p->hw_ptr >= (int64_t)g->buffer + g->period) {
		report_violation(p->channel.name, "the guest's core rejects a jump of %lld frames",
				(long long)(new_ptr - p->hw_ptr));
		return 0;
	}
	p->hw_ptr_ns = now;
	if (new_ptr == p->hw_ptr)
		return 0;
	if (in_interrupt) {
		ahead = new_ptr - p->hw_ptr_interrupt;
		p->hw_ptr_interrupt += ahead - ahead % g->period;
	}
	p->hw_ptr_base = base;
	p->hw_ptr = new_ptr;
	return pointer_judge(p);
}

int pointer_update(struct pcm *p)
{
	return update(p, false);
}

static void period_elapsed(struct pcm *p)
{
	pthread_mutex_lock(&p->lock);
	p->periods++;
	if (p->state == PCM_RUNNING || (p->state == PCM_DRAINING && p->playback))
		update(p, true);
	pthread_mutex_unlock(&p->lock);
}

static void remember(struct pcm *p, uint64_t frames, uint64_t ns)
{
	struct seen_position *grown;

	if (p->n_seen == p->room_seen) {
		grown = realloc(p->seen, (p->room_seen * 2 + 4096) * sizeof(*grown));
		if (grown == NULL)
			return;
		p->seen = grown;
		p->room_seen = p->room_seen * 2 + 4096;
	}
	p->seen[p->n_seen++] = (struct seen_position){
		.frames = frames, .ns = ns, .notified_ns = p->channel.notified_ns,
		.state = p->state, .opened = p->opened, .started = p->started };
}

/* What is unsigned here is so in the driver: a position that goes back is a huge step. */
void pointer_on_position(void *data, uint64_t octets, uint64_t ns)
{
	struct pcm *p = data;
	uint64_t frames, step, started = __atomic_exchange_n(&p->started_ns, 0, __ATOMIC_SEQ_CST);

	if (started != 0)
		durations_add(&p->firsts, ns - started);

	if (p->driver_frame_sz == 0 || p->driver_buffer == 0) {
		report_violation(p->channel.name, "an event without hw_params: "
				"this guest's kernel divides by zero");
		return;
	}
	frames = octets / p->driver_frame_sz;
	step = frames - p->be_frame;
	p->be_frame = frames;
	remember(p, frames, ns);
	__atomic_store_n(&p->driver_hw_ptr, (uint32_t)((p->driver_hw_ptr + step) % p->driver_buffer),
			__ATOMIC_SEQ_CST);
	p->out_frames += (uint32_t)step;
	if (p->out_frames > p->driver_period) {
		p->out_frames %= p->driver_period;
		period_elapsed(p);
	}
}
