/* SPDX-License-Identifier: MIT */
/*
 * The self-numbering S16_LE pattern: every frame says which frame it is, so that a
 * frame lost, repeated, shifted or replaced by silence shows wherever it happened.
 */
#ifndef XEN_SND_TEST_PATTERN_H
#define XEN_SND_TEST_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN_MAX_CHANNELS 64u

/* What a stretch of recorded frames turned out to hold. */
struct pattern_verdict {
	uint64_t frames;	/* frames that carry a number */
	uint64_t first;		/* number of the first of them */
	uint64_t next;		/* number that would have come after the last */
	uint64_t dropped;
	uint64_t repeated;
	uint64_t corrupt;	/* frames that are neither numbered nor silent */
	uint64_t gaps;		/* places with frames dropped, or silence inside, or both */
	uint64_t silent_before;
	uint64_t silent_inside;
	uint64_t silent_after;
	uint64_t decayed;	/* frames of a decay after the last, not longer than it may be */
};

/* Where a sound breaks off the plugin lets it decay, for 5 ms at 48 kHz. */
#define PATTERN_DECAY_FRAMES 240u

/** the sample of frame number `n` in channel `c` of `channels` */
int16_t pattern_sample(uint64_t n, unsigned int c, unsigned int channels);

/** write frames `start` .. `start + frames - 1`, interleaved, as S16_LE octets */
void pattern_fill(uint8_t *dst, uint64_t start, size_t frames, unsigned int channels);

/** no channel carries anything: never true of a numbered frame */
bool pattern_is_silent(const uint8_t *frame, unsigned int channels);

/**
 * The number a frame carries. Mono has no room for it: there it is the number nearest
 * to `expected`. false when the frame is no frame of the pattern.
 */
bool pattern_number(const uint8_t *frame, unsigned int channels, uint64_t expected, uint64_t *n);

/**
 * Is this the `k`th frame, from 1 on, of the decay that follows frame `n`? Low numbers have
 * decays whose first frames look like that frame, or like others before it.
 */
bool pattern_is_decay(const uint8_t *frame, unsigned int channels, uint64_t n, unsigned int k);

/** judge a recording; the first number is taken as it is when `start_any`, else `start` is due */
void pattern_judge(struct pattern_verdict *v, const uint8_t *data, size_t frames,
		unsigned int channels, bool start_any, uint64_t start);

/**
 * The `part`th stretch of sound, counted from 1, where half a second of silence or more
 * parts them: `first` and `frames`, all there is at first, become that stretch, `frames` 0
 * if there is none. Returns how many there are.
 */
unsigned int pattern_find_part(const uint8_t *data, unsigned int channels, unsigned int part,
		size_t *first, size_t *frames);

/** nothing lost, repeated, corrupt or silent inside, and there is something at all */
bool pattern_is_exact(const struct pattern_verdict *v);

/** as exact, but for that many gaps at most */
bool pattern_is_gapped(const struct pattern_verdict *v, uint64_t gaps);

#endif
