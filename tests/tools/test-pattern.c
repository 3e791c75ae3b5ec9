/* SPDX-License-Identifier: MIT */
/*
 * Proves that the pattern's judge tells every kind of damage apart, for it is the judge
 * of all other tests.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"

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

int main(void)
{
	static const unsigned int channels[] = { 1, 2, 3, 8 };

	printf("1..%zu\n", 10 * sizeof(channels) / sizeof(channels[0]));
	for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++)
		test_channels(channels[i]);
	return failures ? 1 : 0;
}
