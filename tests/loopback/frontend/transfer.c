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
#include "timed.h"

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

/* Until something may have changed; a stream without events has to look by itself. */
static int sleep_a_while(struct pcm *p, uint64_t ms)
{
	if (!p->timed)
		return sleep_on(p, ms);
	timed_sleep(p);
	return 0;
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
		if (sleep_a_while(p, TRANSFER_TIMEOUT_MS) == -ETIMEDOUT) {
			report_violation(p->channel.name, "no wake-up in %u ms", TRANSFER_TIMEOUT_MS);
			return -EIO;
		}
		if ((res = check_state(p)) < 0)
			return res;
	}
	return avail;
}

static uint32_t ring_offset(const struct pcm *p)
{
	return (uint32_t)((p->appl_ptr + p->ring_base) % p->geometry.buffer);
}

static int transfer_part(struct pcm *p, uint8_t *data, uint32_t frames)
{
	uint32_t offset = ring_offset(p) * p->frame_sz;
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
	uint32_t to_end = p->geometry.buffer - ring_offset(p);
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
	if (p->state == PCM_RUNNING && !p->timed)
		pointer_update(p);
	while (done < frames) {
		avail = pointer_avail(p);
		if (avail <= 0 && !p->playback && p->state == PCM_DRAINING) {
			p->state = PCM_SETUP;
			return done;
		}
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
		if (sleep_a_while(p, ms > 100 ? ms : 100) == -ETIMEDOUT) {
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
		if (p->state == PCM_RUNNING && pointer_avail(p) > 0)
			pcm_stop_locked(p, PCM_DRAINING);
		else
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
		res = sleep_a_while(p, ms);
	res = p->state == PCM_XRUN ? 0 : -ETIMEDOUT;
	pthread_mutex_unlock(&p->lock);
	return res;
}

/* Only what the graph has not come to yet, or what it has not written over yet, can be had again. */
static int rewind_by(struct pcm *p, int64_t frames)
{
	int64_t room = p->playback ? p->appl_ptr - p->hw_ptr :
			p->geometry.buffer - (p->hw_ptr - p->appl_ptr);

	if (frames > room)
		return -EPIPE;
	p->appl_ptr -= frames;
	return 0;
}

static int forward_by(struct pcm *p, int64_t frames)
{
	int res = check_state(p);

	while (res == 0 && pointer_avail(p) < frames) {
		p->wake_at = (uint32_t)frames;
		if (sleep_a_while(p, TRANSFER_TIMEOUT_MS) == -ETIMEDOUT)
			return -ETIMEDOUT;
		res = check_state(p);
	}
	if (res == 0)
		p->appl_ptr += frames;
	return res;
}

int pcm_move(struct pcm *p, int32_t frames)
{
	int res;

	pthread_mutex_lock(&p->lock);
	if (p->state == PCM_RUNNING && !p->timed)
		pointer_update(p);
	res = frames < 0 ? rewind_by(p, -(int64_t)frames) : forward_by(p, frames);
	pthread_mutex_unlock(&p->lock);
	return res;
}

static int write_at(struct pcm *p, int64_t at, const uint8_t *data, uint32_t frames)
{
	uint32_t offset = (uint32_t)(at % p->geometry.buffer) * p->frame_sz;
	uint32_t octets = frames * p->frame_sz;

	memcpy(p->buffer.address + offset, data, octets);
	return channel_transfer(&p->channel, OP_WRITE, offset, octets);
}

int pcm_rewrite(struct pcm *p, const uint8_t *data, int64_t *from, uint64_t *ns)
{
	uint32_t frames, first;
	int res;

	pthread_mutex_lock(&p->lock);
	if (p->state == PCM_RUNNING && !p->timed)
		pointer_update(p);
	*from = p->hw_ptr;
	*ns = now_ns();
	frames = (uint32_t)(p->appl_ptr - p->hw_ptr);
	res = check_state(p);
	pthread_mutex_unlock(&p->lock);
	if (res < 0)
		return res;
	first = p->geometry.buffer - (uint32_t)(*from % p->geometry.buffer);
	first = frames < first ? frames : first;
	res = write_at(p, *from, data, first);
	if (res == 0 && first < frames)
		res = write_at(p, *from + first, data + first * p->frame_sz, frames - first);
	return res < 0 ? res : (int)frames;
}

/* Octets of zero whatever the format, as in Linux. */
int pcm_fill_silence(struct pcm *p, uint32_t frames)
{
	uint32_t offset, part;
	int res = 0;

	pthread_mutex_lock(&p->lock);
	part = next_part(p, frames, pointer_avail(p));
	offset = ring_offset(p) * p->frame_sz;
	pthread_mutex_unlock(&p->lock);
	if (part > 0) {
		memset(p->buffer.address + offset, 0, (size_t)part * p->frame_sz);
		res = channel_transfer(&p->channel, OP_WRITE, offset, part * p->frame_sz);
	}
	return res;
}

static bool is_moving(const struct pcm *p)
{
	if (p->state != PCM_RUNNING)
		return false;
	if (p->timed)
		return timed_has_moved(p);
	return __atomic_load_n(&p->driver_hw_ptr, __ATOMIC_SEQ_CST) != 0;
}

int pcm_wait_moving(struct pcm *p, uint32_t ms)
{
	const struct timespec step = { .tv_nsec = 2000000l };
	uint64_t end = now_ns() + ms * 1000000ull;
	bool moving;

	do {
		pthread_mutex_lock(&p->lock);
		moving = is_moving(p);
		pthread_mutex_unlock(&p->lock);
		if (!moving)
			nanosleep(&step, NULL);
	} while (!moving && now_ns() < end);
	return moving ? 0 : -ETIMEDOUT;
}
