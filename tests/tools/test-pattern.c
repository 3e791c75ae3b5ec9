/* SPDX-License-Identifier: MIT */
/*
 * Proves that the pattern's judge tells every kind of damage apart, for it is the judge
 * of all other tests.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"
#include "sample-format.h"
#include "tone.h"

#define FRAMES 100000u

static unsigned int number, failures;

static void ok(bool good, const char *what, unsigned int channels)
{
	printf("%s %u - %s (%u channels)\n", good ? "ok" : "not ok", ++number, what, channels);
	failures += !good;
}

static struct pattern_verdict judge(const uint8_t *data, size_t frames, unsigned int channels)
{
	struct pattern_verdict v;

	pattern_judge(&v, data, frames, channels, true, 0);
	return v;
}

/* of frame `n`, over 5 ms, as the plugin makes it */
static void decay(uint8_t *frame, uint64_t n, unsigned int channels)
{
	for (unsigned int k = 1; k <= PATTERN_DECAY_FRAMES; k++)
		for (unsigned int c = 0; c < channels; c++, frame += 2) {
			float gain = (float)(PATTERN_DECAY_FRAMES - k) / PATTERN_DECAY_FRAMES;
			int16_t s = (int16_t)lrint((double)pattern_sample(n, c, channels) * gain);

			frame[0] = (uint8_t)((uint16_t)s & 0xff);
			frame[1] = (uint8_t)((uint16_t)s >> 8);
		}
}

static void test_channels(unsigned int channels)
{
	const size_t stride = 2u * channels, half = FRAMES / 2 * stride;
	uint8_t *data = calloc(FRAMES + 200, stride);
	struct pattern_verdict v;

	pattern_fill(data + 100 * stride, 7, FRAMES, channels);
	v = judge(data, FRAMES + 200, channels);
	ok(pattern_is_exact(&v) && v.frames == FRAMES && v.first == 7 && v.silent_before == 100 &&
			v.silent_after == 100, "an intact recording is exact", channels);

	pattern_fill(data, 40000, FRAMES, channels);
	memmove(data + half, data + half + 5 * stride, (FRAMES / 2 - 5) * stride);
	v = judge(data, FRAMES - 5, channels);
	ok(v.dropped == 5 && v.repeated == 0 && v.corrupt == 0, "5 frames dropped", channels);

	pattern_fill(data, 40000, FRAMES, channels);
	pattern_fill(data + half, 40000 + FRAMES / 2 - 3, FRAMES / 2, channels);
	v = judge(data, FRAMES, channels);
	ok(v.repeated == 3 && v.dropped == 0 && v.corrupt == 0 && !pattern_is_gapped(&v, 9),
			"3 frames repeated", channels);

	pattern_fill(data, 40000, FRAMES, channels);
	memset(data + half, 0, 9 * stride);
	v = judge(data, FRAMES, channels);
	ok(v.silent_inside == 9 && v.dropped == 9 && !pattern_is_exact(&v),
			"9 frames replaced by silence", channels);
	ok(v.gaps == 1 && pattern_is_gapped(&v, 1) && !pattern_is_gapped(&v, 0),
			"they are one gap", channels);

	memmove(data + 100 * stride, data + 107 * stride, (FRAMES - 107) * stride);
	v = judge(data, FRAMES - 7, channels);
	ok(v.gaps == 2 && v.dropped == 16 && !pattern_is_gapped(&v, 1), "and 7 dropped another",
			channels);

	pattern_fill(data, 40000, 300, channels);
	memset(data + 300 * stride, 0, 50 * stride);
	pattern_fill(data + 350 * stride, 40300, 300, channels);
	v = judge(data, 650, channels);
	ok(v.gaps == 1 && v.dropped == 0 && v.silent_inside == 50 && pattern_is_gapped(&v, 1),
			"50 frames of silence put in are a gap", channels);

	memset(data, 0, (FRAMES + 200) * stride);
	pattern_fill(data, 40000, FRAMES - 100, channels);
	decay(data + (FRAMES - 100) * stride, 40000 + FRAMES - 101, channels);
	v = judge(data, FRAMES + 200, channels);
	ok(pattern_is_exact(&v) && v.frames == FRAMES - 100 && v.decayed > 0 &&
			v.silent_after + v.decayed == 300, "a decay after the end is none of it", channels);

	decay(data + half, 40000 + FRAMES / 2 - 1, channels);
	v = judge(data, FRAMES + 200, channels);
	ok(!pattern_is_exact(&v) && v.silent_inside > 0, "a decay in the middle is silence", channels);

	data[(FRAMES - 60) * stride] ^= 2;
	pattern_fill(data, 40000, FRAMES - 100, channels);
	v = judge(data, FRAMES + 200, channels);
	ok(!pattern_is_exact(&v), "a decay that is not smooth is damage", channels);

	pattern_fill(data, 40000, FRAMES, channels);
	memset(data + half, 0x80, 4 * stride);
	v = judge(data, FRAMES, channels);
	ok(v.corrupt == 4 && !pattern_is_exact(&v), "4 frames of rubbish", channels);

	pattern_fill(data, 40000, FRAMES, channels);
	v = judge(data + 1, FRAMES - 1, channels);
	ok(!pattern_is_exact(&v), "a recording shifted by one octet", channels);

	memset(data, 0, FRAMES * stride);
	v = judge(data, FRAMES, channels);
	ok(!pattern_is_exact(&v) && v.frames == 0, "silence alone is not exact", channels);
	free(data);
}

static void test_gaps(void)
{
	uint8_t *data = calloc(3 * FRAMES, 4);
	struct pattern_verdict v;
	size_t first = 0, frames = 3 * FRAMES;

	pattern_fill(data + 4 * 500, 0, FRAMES, 2);
	pattern_fill(data + 4 * (600 + FRAMES), FRAMES, 10, 2);
	v = judge(data, 3 * FRAMES, 2);
	ok(v.gaps == 1 && v.silent_inside == 100 && v.dropped == 0 && v.frames == FRAMES + 10,
			"a gap that the sound waits for loses nothing", 2);

	pattern_fill(data + 4 * 2 * FRAMES, 7, 1000, 2);
	ok(pattern_find_part(data, 2, 2, &first, &frames) == 2 && first == 2 * FRAMES &&
			frames == 1000, "sound after a long silence is a part of its own", 2);
	frames = 3 * FRAMES;
	ok(pattern_find_part(data, 2, 1, &first, &frames) == 2 && first == 500 &&
			frames == FRAMES + 110, "a short silence parts nothing", 2);
	frames = 3 * FRAMES;
	ok(pattern_find_part(data, 2, 3, &first, &frames) == 2 && frames == 0,
			"a part that is not there is empty", 2);
	free(data);
}

/* What a narrow format's octets become in PipeWire, as S16_LE. */
static void record_narrow(const struct sample_format *f, uint8_t *to, const uint8_t *from)
{
	for (size_t i = 0; i < 2 * FRAMES; i++) {
		int16_t value = f->value(from[i]);

		to[2 * i] = (uint8_t)((uint16_t)value & 0xff);
		to[2 * i + 1] = (uint8_t)((uint16_t)value >> 8);
	}
}

static void test_narrow(const char *name)
{
	const struct sample_format *f = sample_format_find(name);
	uint8_t *octets = malloc(2 * FRAMES), *data = malloc(4 * FRAMES);
	struct pattern_verdict v;

	sample_format_fill(f, octets, 11, FRAMES, 2);
	record_narrow(f, data, octets);
	sample_format_widen(f, data, FRAMES);
	v = judge(data, FRAMES, 1);
	ok(pattern_is_exact(&v) && v.frames == FRAMES && v.first == 11, name, 2);

	memset(octets + 2 * 100, f->silence, 2 * 20);
	octets[2 * 500] ^= 0x01;
	record_narrow(f, data, octets);
	sample_format_widen(f, data, FRAMES);
	v = judge(data, FRAMES, 1);
	ok(v.silent_inside == 20 && v.frames < FRAMES - 20, "silence and a wrong octet in it", 2);
	free(octets);
	free(data);
}

/* The laws' values at the ends of their segments, from G.711's tables. */
static void test_laws(void)
{
	const struct sample_format *mu = sample_format_find("mu_law"), *a = sample_format_find("a_law");

	ok(mu->value(0xff) == 0 && mu->value(0x80) == 32124 && mu->value(0x00) == -32124 &&
			mu->value(0xef) == 132, "mu-law's values", 1);
	ok(a->value(0xd5) == 8 && a->value(0xaa) == 32256 && a->value(0x2a) == -32256 &&
			a->value(0x55) == -8, "A-law's values", 1);
}

static void fill_tone(uint8_t *data, uint64_t from, size_t frames)
{
	for (size_t i = 0; i < frames; i++, data += 4) {
		uint16_t s = (uint16_t)tone_sample(from + i, 48000);

		data[0] = data[2] = (uint8_t)(s & 0xff);
		data[1] = data[3] = (uint8_t)(s >> 8);
	}
}

static void test_tone(void)
{
	uint8_t *data = calloc(48000, 4);
	struct tone_verdict v;

	fill_tone(data, 0, 48000);
	tone_judge(&v, data, 48000);
	ok(v.cycles == 499 && v.breaks == 0 && v.worst < 0.1, "a whole tone", 2);

	fill_tone(data + 4 * 24000, 24005, 24000);
	tone_judge(&v, data, 48000);
	ok(v.breaks >= 1, "5 frames of a tone dropped", 2);

	fill_tone(data, 0, 48000);
	memset(data + 4 * 20000, 0, 4 * 960);
	tone_judge(&v, data, 48000);
	ok(v.breaks > 0 && v.cycles < 495, "silence in a tone", 2);

	fill_tone(data, 0, 48000);
	data[4 * 20000]++;
	tone_judge(&v, data, 48000);
	ok(v.breaks == 1, "channels that differ", 2);
	free(data);
}

int main(void)
{
	static const unsigned int channels[] = { 1, 2, 3, 8 };

	printf("1..%zu\n", 13 * sizeof(channels) / sizeof(channels[0]) + 18);
	for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++)
		test_channels(channels[i]);
	test_gaps();
	test_narrow("s8");
	test_narrow("u8");
	test_narrow("mu_law");
	test_narrow("a_law");
	test_laws();
	test_tone();
	return failures ? 1 : 0;
}
