/* SPDX-License-Identifier: MIT */
/*
 * A stream of the guest's card, see sound.h.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>

#include "pattern.h"
#include "sound.h"

/*
 * How far the position may be off the time since the start, in frames: the graph takes a
 * whole quantum at once, of 2048 frames at most, and starts at its next cycle; and the
 * emulated machine has one processor for all.
 */
#define MOST_AHEAD (2048 + 480)
#define MOST_BEHIND (2 * 2048 + 1920)

#define BLOCK 1024u
#define PATIENCE 5.0
#define WRONG 20000000u		/* numbers that no exercise writes as its own */

void fail(const char *format, ...)
{
	va_list args;

	fputs("pcm-exercise: FAILED: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void must(int res, const char *what)
{
	if (res < 0)
		fail("%s: %s", what, snd_strerror(res));
}

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void nap(unsigned int msec)
{
	struct timespec t = { msec / 1000, msec % 1000 * 1000000L };

	nanosleep(&t, NULL);
}

void sound_open(struct sound *s, bool capture)
{
	s->capture = capture;
	must(snd_pcm_open(&s->pcm, "hw:0,0", capture ? SND_PCM_STREAM_CAPTURE :
			SND_PCM_STREAM_PLAYBACK, 0), "open");
}

static void choose_hw_params(struct sound *s, snd_pcm_hw_params_t *hw,
		snd_pcm_uframes_t buffer, snd_pcm_uframes_t period)
{
	must(snd_pcm_hw_params_any(s->pcm, hw), "hw_params_any");
	must(snd_pcm_hw_params_set_access(s->pcm, hw, SND_PCM_ACCESS_RW_INTERLEAVED), "access");
	must(snd_pcm_hw_params_set_format(s->pcm, hw, SND_PCM_FORMAT_S16_LE), "format");
	must(snd_pcm_hw_params_set_channels(s->pcm, hw, SOUND_CHANNELS), "channels");
	must(snd_pcm_hw_params_set_rate(s->pcm, hw, SOUND_RATE, 0), "rate");
	must(snd_pcm_hw_params_set_period_size(s->pcm, hw, period, 0), "period");
	must(snd_pcm_hw_params_set_buffer_size(s->pcm, hw, buffer), "buffer");
}

static void set_hw_params(struct sound *s, snd_pcm_uframes_t buffer, snd_pcm_uframes_t period)
{
	snd_pcm_hw_params_t *hw;

	snd_pcm_hw_params_alloca(&hw);
	choose_hw_params(s, hw, buffer, period);
	must(snd_pcm_hw_params(s->pcm, hw), "hw_params");
	s->buffer = buffer;
	s->period = period;
}

/* libasound's opaque snd_pcm_hw_params_t is the kernel's own structure. */
void sound_overrule_params(struct sound *s, snd_pcm_uframes_t buffer, snd_pcm_uframes_t period)
{
	snd_pcm_hw_params_t *hw;
	struct pollfd fd;

	snd_pcm_hw_params_alloca(&hw);
	choose_hw_params(s, hw, buffer, period);
	if (snd_pcm_poll_descriptors(s->pcm, &fd, 1) != 1)
		fail("no descriptor");
	if (ioctl(fd.fd, _IOC(_IOC_READ | _IOC_WRITE, 'A', 0x11, snd_pcm_hw_params_sizeof()), hw) < 0)
		fail("the kernel's hw_params: %m");
	if (ioctl(fd.fd, _IO('A', 0x40)) < 0)
		fail("the kernel's prepare: %m");
}

static void set_sw_params(struct sound *s)
{
	snd_pcm_sw_params_t *sw;

	snd_pcm_sw_params_alloca(&sw);
	must(snd_pcm_sw_params_current(s->pcm, sw), "sw_params_current");
	must(snd_pcm_sw_params_set_start_threshold(s->pcm, sw, s->capture ? 1 : s->buffer),
			"start threshold");
	must(snd_pcm_sw_params(s->pcm, sw), "sw_params");
}

static void forget(struct sound *s)
{
	s->put = 0;
	s->position = 0;
	s->started = 0;
}

void sound_set_params(struct sound *s, snd_pcm_uframes_t buffer, snd_pcm_uframes_t period)
{
	set_hw_params(s, buffer, period);
	set_sw_params(s);
	forget(s);
}

void sound_prepare(struct sound *s)
{
	snd_pcm_sframes_t room, due = s->capture ? 0 : (snd_pcm_sframes_t)s->buffer;

	must(snd_pcm_prepare(s->pcm), "prepare");
	forget(s);
	room = snd_pcm_avail(s->pcm);
	if (room != due)
		fail("avail is %ld after prepare, not %ld", room, due);
}

/* The clock starts with the first position that is not 0: a new node has to be linked. */
static void check_time(struct sound *s, int64_t position)
{
	double off;

	if (s->started == 0) {
		if (position > 0)
			s->started = now() - (double)position / SOUND_RATE;
		return;
	}
	off = (double)position - (now() - s->started) * SOUND_RATE;
	if (off > MOST_AHEAD || off < -MOST_BEHIND)
		fail("position %lld is %.0f frames off the time since the start",
				(long long)position, off);
	if (off < 0)
		off = -off;
	if (off > s->most_off)
		s->most_off = off;
}

static void check_position(struct sound *s, snd_pcm_sframes_t avail)
{
	int64_t position;

	if (s->capture)
		position = (int64_t)s->put + avail;
	else
		position = (int64_t)s->put - ((int64_t)s->buffer - avail);
	if (position < s->position)
		fail("the position went back from %lld to %lld", (long long)s->position,
				(long long)position);
	if (avail < 0 || (!s->runs_on && avail > (snd_pcm_sframes_t)s->buffer))
		fail("avail %ld in a buffer of %lu", avail, s->buffer);
	check_time(s, position);
	s->position = position;
}

/* The delay is asked for a moment later: it may be less than the buffer's content was. */
static void check_delay(struct sound *s, snd_pcm_sframes_t avail)
{
	snd_pcm_sframes_t delay, most = s->capture ? (snd_pcm_sframes_t)s->buffer :
			(snd_pcm_sframes_t)s->buffer - avail;
	int res = snd_pcm_delay(s->pcm, &delay);

	if (res == -EPIPE)
		return;
	must(res, "delay");
	if (delay > most || (!s->runs_on && delay < 0))
		fail("delay %ld where %ld frames are in the buffer", delay, most);
}

snd_pcm_sframes_t sound_look(struct sound *s)
{
	snd_pcm_sframes_t avail = snd_pcm_avail(s->pcm);

	if (avail == -EPIPE || avail == -ESTRPIPE)
		return avail;
	must((int)avail, "avail");
	check_position(s, avail);
	check_delay(s, avail);
	return avail;
}

void sound_wait(struct sound *s, snd_pcm_uframes_t frames)
{
	double until = now() + PATIENCE;
	snd_pcm_sframes_t avail;

	while ((avail = sound_look(s)) < (snd_pcm_sframes_t)frames) {
		must((int)avail, "waiting");
		if (now() > until)
			fail("after %.0f s there are %ld frames, not %lu", PATIENCE, avail, frames);
		nap(5);
	}
}

static void write_numbers(struct sound *s, uint64_t number, snd_pcm_uframes_t frames)
{
	uint8_t block[BLOCK * SOUND_FRAME];

	while (frames > 0) {
		snd_pcm_uframes_t n = frames < BLOCK ? frames : BLOCK;
		snd_pcm_sframes_t done;

		pattern_fill(block, number, n, SOUND_CHANNELS);
		done = snd_pcm_writei(s->pcm, block, n);
		must((int)done, "write");
		if (done != (snd_pcm_sframes_t)n)
			fail("%ld frames were written, not %lu", done, n);
		s->put += n;
		number += n;
		frames -= n;
		must((int)sound_look(s), "after a write");
	}
}

void sound_write(struct sound *s, snd_pcm_uframes_t frames)
{
	write_numbers(s, s->next, frames);
	s->next += frames;
}

void sound_write_wrong(struct sound *s, snd_pcm_uframes_t frames)
{
	write_numbers(s, WRONG, frames);
}

void sound_rewind(struct sound *s, snd_pcm_uframes_t frames)
{
	snd_pcm_sframes_t done = snd_pcm_rewind(s->pcm, frames);

	must((int)done, "rewind");
	if (done != (snd_pcm_sframes_t)frames)
		fail("%ld frames were rewound, not %lu", done, frames);
	s->put -= frames;
}

void sound_forward(struct sound *s, snd_pcm_uframes_t frames)
{
	snd_pcm_sframes_t done = snd_pcm_forward(s->pcm, frames);

	must((int)done, "forward");
	if (done != (snd_pcm_sframes_t)frames)
		fail("%ld frames were forwarded, not %lu", done, frames);
	s->put += frames;
}

void sound_drain(struct sound *s)
{
	double from = now(), left = (double)((int64_t)s->put - s->position) / SOUND_RATE, took;

	must(snd_pcm_drain(s->pcm), "drain");
	took = now() - from;
	if (snd_pcm_state(s->pcm) != SND_PCM_STATE_SETUP)
		fail("the state is %s after a drain", snd_pcm_state_name(snd_pcm_state(s->pcm)));
	/* it ends with an event past the end and past a period */
	if (took > left + (double)(s->period + MOST_BEHIND) / SOUND_RATE ||
			took < left - (double)MOST_AHEAD / SOUND_RATE)
		fail("the drain of %.3f s took %.3f s", left, took);
}
