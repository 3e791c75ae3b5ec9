/* SPDX-License-Identifier: MIT */
/*
 * A stream of the guest's card, S16_LE stereo at 48 kHz, which carries the pattern. What
 * ALSA says of its position is checked whenever it is asked.
 *
 * Whatever goes wrong ends the program, with words that say what.
 */
#ifndef XEN_SND_TEST_SOUND_H
#define XEN_SND_TEST_SOUND_H

#include <stdbool.h>
#include <stdint.h>

#include <alsa/asoundlib.h>

#define SOUND_RATE 48000
#define SOUND_CHANNELS 2
#define SOUND_FRAME 4u

struct sound {
	snd_pcm_t *pcm;
	snd_pcm_uframes_t buffer;
	snd_pcm_uframes_t period;
	bool capture;
	bool runs_on;		/* no underrun: the position may pass the data */

	uint64_t next;		/* number of the pattern's next frame */
	uint64_t put;		/* frames put into the stream, or taken out, since prepare */
	int64_t position;	/* that was seen last: frames heard, or captured, since prepare */
	double started;		/* 0 before the first frame moves */
	double most_off;	/* how far the position was off the clock at most, in frames */
};

/** end the program; `format` says what was not as it should be */
void fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/** `res` is what an ALSA function returned: fail if it is an error */
void must(int res, const char *what);

double now(void);
void nap(unsigned int msec);

void sound_open(struct sound *s, bool capture);

/** hw_params, sw_params: playback starts when the buffer is full */
void sound_set_params(struct sound *s, snd_pcm_uframes_t buffer, snd_pcm_uframes_t period);

/**
 * hw_params and prepare once more, past libasound, which would free the old ones first: the
 * kernel does not ask for that. What libasound knows is wrong then until sound_set_params().
 */
void sound_overrule_params(struct sound *s, snd_pcm_uframes_t buffer, snd_pcm_uframes_t period);

void sound_prepare(struct sound *s);

/** write the pattern's next frames */
void sound_write(struct sound *s, snd_pcm_uframes_t frames);

/** write frames that must never be heard */
void sound_write_wrong(struct sound *s, snd_pcm_uframes_t frames);

/** frames of room in the buffer, or of captured ones in it; -EPIPE in an xrun */
snd_pcm_sframes_t sound_look(struct sound *s);

/** until there are `frames` of room, or captured; fails at an xrun */
void sound_wait(struct sound *s, snd_pcm_uframes_t frames);

/** take back the last `frames`, all of them */
void sound_rewind(struct sound *s, snd_pcm_uframes_t frames);
void sound_forward(struct sound *s, snd_pcm_uframes_t frames);

/** until what was written is played; fails if that takes longer than the sound, or less */
void sound_drain(struct sound *s);

#endif
