/* SPDX-License-Identifier: MIT */
/*
 * An application's blocking reads, writes and drain on a substream. As in Linux only an
 * elapsed period wakes it.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "pcm.h"
#include "pointer.h"

#define TRANSFER_TIMEOUT_MS 10000u

static int sleep_on(struct pcm *p, uint64_t ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000l;
	if (until.tv_nsec >= 1000000000l) {
		until.tv_nsec -= 1000000000l;
		until.tv_sec++;
	}
	return -pthread_cond_timedwait(&p->wake, &p->lock, &until);
}

static int check_state(const struct pcm *p)
{
	switch (p->state) {
	case PCM_PREPARED:
	case PCM_RUNNING:
		return 0;
	case PCM_DRAINING:
		return p->playback ? -EPIPE : 0;
	case PCM_XRUN:
		return -EPIPE;
	case PCM_SUSPENDED:
		return -ESTRPIPE;
	case PCM_DISCONNECTED:
		return -ENODEV;
	default:
		return -EBADFD;
	}
}

/* Wait until `wanted` frames, or as many as a period, can be transferred. The state counts
 * before what is available: what an xrun left is not to be written to. */
static int64_t wait_avail(struct pcm *p, uint32_t wanted)
{
	int64_t avail;
	int res;

	p->wake_at = wanted < p->geometry.period ? wanted : p->geometry.period;
	while ((avail = pointer_avail(p)) < p->wake_at) {
		if (p->state == PCM_DRAINING)
			return avail;
		if (sleep_on(p, TRANSFER_TIMEOUT_MS) == -ETIMEDOUT) {
			report_violation(p->channel.name, "no wake-up in %u ms", TRANSFER_TIMEOUT_MS);
			return -EIO;
		}
		if ((res = check_state(p)) < 0)
			return res;
	}
	return avail;
}

static int transfer_part(struct pcm *p, uint8_t *data, uint32_t frames)
{
	uint32_t offset = (uint32_t)(p->appl_ptr % p->geometry.buffer) * p->frame_sz;
	uint32_t octets = frames * p->frame_sz;
	int res;

	pthread_mutex_unlock(&p->lock);
	if (p->playback)
		memcpy(p->buffer.address + offset, data, octets);
	res = channel_transfer(&p->channel, p->playback ? OP_WRITE : OP_READ, offset, octets);
	if (!p->playback && res == 0)
		memcpy(data, p->buffer.address + offset, octets);
	pthread_mutex_lock(&p->lock);
	if (res < 0)
		return res;
	res = check_state(p);
	if (res == 0)
		p->appl_ptr += frames;
	return res;
}

static int start_if_due(struct pcm *p, uint32_t wanted)
{
	uint32_t filled = (uint32_t)(p->geometry.buffer - pointer_avail(p));

	if (p->state != PCM_PREPARED)
		return 0;
	if (p->playback ? filled >= p->start_threshold : wanted >= p->start_threshold)
		return pcm_start_locked(p, PCM_RUNNING);
	return 0;
}

static uint32_t next_part(struct pcm *p, uint32_t left, int64_t avail)
{
	uint32_t to_end = p->geometry.buffer - (uint32_t)(p->appl_ptr % p->geometry.buffer);
	uint32_t part = left < (uint64_t)avail ? left : (uint32_t)avail;

	return part < to_end ? part : to_end;
}

static int64_t transfer(struct pcm *p, uint8_t *data, uint32_t frames)
{
	int64_t done = 0, avail;
	uint32_t part;
	int res;

	if ((res = check_state(p)) < 0)
		return res;
	if (!p->playback && (res = start_if_due(p, frames)) < 0)
		return res;
	if (p->state == PCM_RUNNING)
		pointer_update(p);
	while (done < frames) {
		avail = pointer_avail(p);
		if (avail <= 0 && (avail = wait_avail(p, frames - (uint32_t)done)) <= 0)
			return done > 0 ? done : avail;
		part = next_part(p, frames - (uint32_t)done, avail);
		if ((res = transfer_part(p, data + done * p->frame_sz, part)) < 0)
			return done > 0 ? done : res;
		done += part;
		if (p->playback && (res = start_if_due(p, 0)) < 0)
			return res;
	}
	return done;
}

int64_t pcm_write(struct pcm *p, const uint8_t *data, uint32_t frames)
{
	int64_t res;

	pthread_mutex_lock(&p->lock);
	res = transfer(p, (uint8_t *)(uintptr_t)data, frames);
	pthread_mutex_unlock(&p->lock);
	return res;
}

int64_t pcm_read(struct pcm *p, uint8_t *data, uint32_t frames)
{
	int64_t res;

	pthread_mutex_lock(&p->lock);
	res = transfer(p, data, frames);
	pthread_mutex_unlock(&p->lock);
	return res;
}

static int begin_drain(struct pcm *p)
{
	switch (p->state) {
	case PCM_PREPARED:
		if (p->playback && p->appl_ptr > p->hw_ptr)
			return pcm_start_locked(p, PCM_DRAINING);
		p->state = PCM_SETUP;
		return 0;
	case PCM_RUNNING:
		p->state = PCM_DRAINING;
		return 0;
	case PCM_XRUN:
	case PCM_SETUP:
		p->state = PCM_SETUP;
		return 0;
	case PCM_DISCONNECTED:
		return -ENODEV;
	default:
		return -EBADFD;
	}
}

static int wait_drained(struct pcm *p)
{
	uint64_t ms = (uint64_t)p->geometry.buffer * 1100 / p->geometry.rate;

	p->wake_at = p->geometry.period;
	while (p->state == PCM_DRAINING)
		if (sleep_on(p, ms > 100 ? ms : 100) == -ETIMEDOUT) {
			report_violation(p->channel.name, "drain made no progress in %llu ms",
					(unsigned long long)(ms > 100 ? ms : 100));
			pcm_stop_locked(p, PCM_SETUP);
			return -EIO;
		}
	return p->state == PCM_DISCONNECTED ? -ENODEV : 0;
}

int pcm_drain(struct pcm *p)
{
	int res;

	pthread_mutex_lock(&p->lock);
	if (!p->playback) {
		pcm_stop_locked(p, PCM_SETUP);
		res = 0;
	} else {
		res = begin_drain(p);
		if (res == 0)
			res = wait_drained(p);
	}
	pthread_mutex_unlock(&p->lock);
	return res;
}

int pcm_wait_xrun(struct pcm *p, uint32_t ms)
{
	int res = 0;

	pthread_mutex_lock(&p->lock);
	while (p->state == PCM_RUNNING && res == 0)
		res = sleep_on(p, ms);
	res = p->state == PCM_XRUN ? 0 : -ETIMEDOUT;
	pthread_mutex_unlock(&p->lock);
	return res;
}
