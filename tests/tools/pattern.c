/* SPDX-License-Identifier: MIT */
/*
 * The self-numbering pattern: making it, reading a number back, judging a recording.
 */
#include <string.h>

#include "pattern.h"

/* Mono values run 1..MONO_CYCLE, so that no frame of the pattern is silent. */
#define MONO_CYCLE 32767u

/* Silence that parts one stretch of sound from the next: half a second at 48 kHz. */
#define PART_SILENCE 24000u

int16_t pattern_sample(uint64_t n, unsigned int c, unsigned int channels)
{
	if (channels == 1)
		return (int16_t)(n % MONO_CYCLE + 1);
	switch (c) {
	case 0:
		return (int16_t)(n & 0x7fff);
	case 1:
		return (int16_t)(((n >> 15) & 0x7fff) + 1);
	default:
		return (int16_t)((n * 31 + c * 1009) & 0x7fff);
	}
}

static int16_t get_sample(const uint8_t *p)
{
	return (int16_t)(uint16_t)(p[0] | p[1] << 8);
}

static void put_sample(uint8_t *p, int16_t value)
{
	p[0] = (uint8_t)((uint16_t)value & 0xff);
	p[1] = (uint8_t)((uint16_t)value >> 8);
}

void pattern_fill(uint8_t *dst, uint64_t start, size_t frames, unsigned int channels)
{
	for (size_t i = 0; i < frames; i++)
		for (unsigned int c = 0; c < channels; c++, dst += 2)
			put_sample(dst, pattern_sample(start + i, c, channels));
}

bool pattern_is_silent(const uint8_t *frame, unsigned int channels)
{
	for (unsigned int i = 0; i < channels * 2; i++)
		if (frame[i] != 0)
			return false;
	return true;
}

static bool mono_number(int16_t value, uint64_t expected, uint64_t *n)
{
	uint64_t ahead;

	if (value < 1)
		return false;
	ahead = ((uint64_t)value - 1 + MONO_CYCLE - expected % MONO_CYCLE) % MONO_CYCLE;
	if (ahead > MONO_CYCLE / 2 && expected + ahead >= MONO_CYCLE)
		*n = expected + ahead - MONO_CYCLE;
	else
		*n = expected + ahead;
	return true;
}

bool pattern_number(const uint8_t *frame, unsigned int channels, uint64_t expected, uint64_t *n)
{
	int16_t low = get_sample(frame), high;

	if (channels == 1)
		return mono_number(low, expected, n);
	high = get_sample(frame + 2);
	if (low < 0 || high < 1)
		return false;
	*n = (uint64_t)(high - 1) << 15 | (uint64_t)low;
	for (unsigned int c = 2; c < channels; c++)
		if (get_sample(frame + 2 * c) != pattern_sample(*n, c, channels))
			return false;
	return true;
}

/* A number that breaks the run counts only if the frame after it agrees. */
static bool is_confirmed(const uint8_t *frame, size_t left, unsigned int channels, uint64_t n)
{
	const uint8_t *after = frame + 2 * channels;
	uint64_t m;

	if (left < 2 || pattern_is_silent(after, channels))
		return true;
	return pattern_number(after, channels, n + 1, &m) && m == n + 1;
}

/* lrint() without libm, which guests do not have */
static long round_even(double x)
{
	volatile double sum = x + 0x1.8p52;

	return (long)(sum - 0x1.8p52);
}

bool pattern_is_decay(const uint8_t *frame, unsigned int channels, uint64_t n, unsigned int k)
{
	const float gain = (float)(PATTERN_DECAY_FRAMES - k) / PATTERN_DECAY_FRAMES;

	if (k == 0 || k >= PATTERN_DECAY_FRAMES)
		return false;
	for (unsigned int c = 0; c < channels; c++, frame += 2)
		if (get_sample(frame) != round_even((double)pattern_sample(n, c, channels) * gain))
			return false;
	return true;
}

/* A frame that is not the one that is due: does the one before it decay? Only at the end of
 * all sound is that no fault; in the middle it is silence. */
static bool is_decayed(struct pattern_verdict *v, const uint8_t *frame, unsigned int channels)
{
	uint64_t n;

	if (v->frames == 0)
		return false;
	if (pattern_number(frame, channels, v->next, &n) && n == v->next)
		return false;
	if (!pattern_is_decay(frame, channels, v->next - 1, (unsigned int)v->decayed + 1))
		return false;
	v->decayed++;
	return true;
}

static void judge_frame(struct pattern_verdict *v, const uint8_t *frame, size_t left,
		unsigned int channels, bool after_silence)
{
	uint64_t n;

	if (is_decayed(v, frame, channels))
		return;
	if (!pattern_number(frame, channels, v->next, &n) ||
			(n != v->next && !is_confirmed(frame, left, channels, n))) {
		v->corrupt++;
		v->next++;
		return;
	}
	v->gaps += n > v->next || after_silence;
	if (n > v->next)
		v->dropped += n - v->next;
	else
		v->repeated += v->next - n;
	v->silent_inside += v->decayed;
	v->decayed = 0;
	v->frames++;
	v->next = n + 1;
}

void pattern_judge(struct pattern_verdict *v, const uint8_t *data, size_t frames,
		unsigned int channels, bool start_any, uint64_t start)
{
	const size_t stride = 2u * channels;
	size_t first = 0, end = frames;
	bool silent = false;

	memset(v, 0, sizeof(*v));
	while (first < end && pattern_is_silent(data + first * stride, channels))
		first++;
	while (end > first && pattern_is_silent(data + (end - 1) * stride, channels))
		end--;
	v->silent_before = first;
	v->silent_after = frames - end;
	if (first == end)
		return;
	if (!start_any || !pattern_number(data + first * stride, channels, 0, &v->next))
		v->next = start;
	v->first = v->next;
	if (!start_any)
		pattern_number(data + first * stride, channels, start, &v->first);
	for (size_t i = first; i < end; i++) {
		bool after_silence = silent;

		silent = pattern_is_silent(data + i * stride, channels);
		if (silent)
			v->silent_inside++;
		else
			judge_frame(v, data + i * stride, end - i, channels, after_silence);
	}
}

unsigned int pattern_find_part(const uint8_t *data, unsigned int channels, unsigned int part,
		size_t *first, size_t *frames)
{
	const size_t stride = 2u * channels, all = *frames;
	size_t silent = PART_SILENCE, start = 0;
	unsigned int parts = 0;

	*frames = 0;
	for (size_t i = 0; i < all; i++) {
		if (pattern_is_silent(data + i * stride, channels)) {
			silent++;
			continue;
		}
		if (silent >= PART_SILENCE) {
			parts++;
			start = i;
		}
		silent = 0;
		if (parts == part) {
			*first = start;
			*frames = i + 1 - start;
		}
	}
	return parts;
}

bool pattern_is_exact(const struct pattern_verdict *v)
{
	return v->frames > 0 && v->dropped == 0 && v->repeated == 0 && v->corrupt == 0 &&
			v->silent_inside == 0;
}

bool pattern_is_gapped(const struct pattern_verdict *v, uint64_t gaps)
{
	return v->frames > 0 && v->repeated == 0 && v->corrupt == 0 && v->gaps <= gaps;
}
