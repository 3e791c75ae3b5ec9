/* SPDX-License-Identifier: MIT */
/*
 * Pointers by the clock.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "pointer.h"
#include "timed.h"

#define MARK 0xa5
#define MARGIN_NS 300000000u	/* from START until the graph consumes, and when it stands still */
#define STEP_NS 5000000l
#define LOCATE_STEPS 400

void timed_mark(struct pcm *p)
{
	p->ring_base = 0;
	p->located = false;
	if (p->timed && !p->playback)
		memset(p->buffer.address, MARK, (size_t)p->geometry.buffer * p->frame_sz);
}

static bool is_marked(const struct pcm *p, uint32_t frame)
{
	const uint8_t *at = p->buffer.address + (size_t)frame * p->frame_sz;

	for (uint32_t i = 0; i < p->frame_sz; i++)
		if (at[i] != MARK)
			return false;
	return true;
}

/* A frame that was written behind one that was not. */
static bool find_written(struct pcm *p)
{
	const uint32_t buffer = p->geometry.buffer;

	for (uint32_t i = 0; i < buffer; i++)
		if (!is_marked(p, i) && is_marked(p, (i + buffer - 1) % buffer)) {
			p->ring_base = i;
			return true;
		}
	return false;
}

bool timed_has_moved(const struct pcm *p)
{
	if (!p->channel.dialect->has_trigger && !p->playback)
		return p->located;
	for (uint32_t i = 0; i < p->geometry.buffer; i++)
		if (!is_marked(p, i))
			return true;
	return false;
}

static void sleep_unlocked(struct pcm *p)
{
	const struct timespec step = { .tv_nsec = STEP_NS };

	pthread_mutex_unlock(&p->lock);
	nanosleep(&step, NULL);
	pthread_mutex_lock(&p->lock);
}

int timed_start(struct pcm *p)
{
	if (!p->timed)
		return 0;
	p->origin_ns = now_ns();
	if (p->playback || p->channel.dialect->has_trigger)
		return 0;
	timed_mark(p);
	for (int i = 0; i < LOCATE_STEPS; i++) {
		if (find_written(p)) {
			p->origin_ns = now_ns();
			p->located = true;
			return 0;
		}
		sleep_unlocked(p);
	}
	report_violation(p->channel.name, "nothing is captured");
	return -EIO;
}

void timed_sleep(struct pcm *p)
{
	uint64_t passed;
	int64_t frames;

	sleep_unlocked(p);
	passed = now_ns() - p->origin_ns;
	if ((p->state != PCM_RUNNING && p->state != PCM_DRAINING) || passed < MARGIN_NS)
		return;
	frames = (int64_t)((passed - MARGIN_NS) * p->geometry.rate / 1000000000u);
	if (frames > p->hw_ptr && (p->playback || p->state == PCM_RUNNING)) {
		p->hw_ptr = frames;
		pointer_judge(p);
	}
}
