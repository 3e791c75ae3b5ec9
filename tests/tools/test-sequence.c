/* SPDX-License-Identifier: MIT */
/*
 * Proves that the judge of the numbered sequence tells every kind of damage apart, in
 * every format and as the graph's floats.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sequence-judge.h"

#define FRAMES 5000u
#define ROOM (FRAMES + 300)

static const char *const names[] = { "s8", "u8", "s16_le", "s16_be", "u16_le", "u16_be", "s24_le",
	"s24_be", "u24_le", "u24_be", "s32_le", "s32_be", "u32_le", "u32_be", "float_le", "float_be",
	"float64_le", "float64_be", "mu_law", "a_law" };

static unsigned int number, failures;
static uint8_t silence[ROOM * SEQUENCE_MAX_FRAME];

static void ok(bool good, const char *what, const char *format, const struct sequence *s)
{
	printf("%s %u - %s: %s, %u channels%s\n", good ? "ok" : "not ok", ++number, format, what,
			s->channels, s->graph ? ", in the graph" : "");
	failures += !good;
}

static struct judge_verdict judge(const struct sequence *s, const char *spans, const uint8_t *data,
		size_t frames)
{
	struct judge_span parsed[JUDGE_MAX_SPANS];
	struct judge_verdict v = { 0 };
	uint32_t n = judge_parse(spans, parsed);

	if (n > 0)
		judge_recording(&v, s, parsed, n, data, frames);
	return v;
}

static bool differs(const struct judge_verdict *v, const char *how)
{
	return !v->exact && strstr(v->why, how) != NULL;
}

/* The one sample of this format that nobody hears. */
static void put_silence(const struct sequence *s, const char *name)
{
	const uint32_t size = sequence_frame_size(s);
	const uint32_t octets = size / s->channels;

	memset(silence, 0, sizeof(silence));
	if (s->graph || *name == 's' || *name == 'f')
		return;
	for (uint32_t i = 0; i < ROOM * s->channels; i++) {
		if (*name == 'm' || *name == 'a')
			silence[i] = *name == 'm' ? 0xff : 0xd5;
		else if (strstr(name, "be") != NULL)
			silence[i * octets + (strncmp(name, "u24", 3) == 0)] = 0x80;
		else
			silence[i * octets + (strncmp(name, "u24", 3) == 0 ? 2 : octets - 1)] = 0x80;
	}
}

static void test_damage(const struct sequence *s, const char *name)
{
	const size_t size = sequence_frame_size(s), half = FRAMES / 2 * size;
	uint8_t *data = malloc(ROOM * size);
	struct judge_verdict v;

	put_silence(s, name);
	memcpy(data, silence, ROOM * size);
	sequence_fill(s, 7, FRAMES, data + 100 * size);
	v = judge(s, "7+5000", data, ROOM);
	ok(v.exact && v.lead == 100 && v.frames == FRAMES && v.last == FRAMES + 6,
			"an intact recording is exact", name, s);
	v = judge(s, "?+6000~", data, ROOM);
	ok(v.exact && v.first == 7, "any start and at most", name, s);
	v = judge(s, "8+5000", data, ROOM);
	ok(differs(&v, "1 frames repeated"), "a start one early", name, s);

	memmove(data + half, data + half + 5 * size, ROOM * size - half - 5 * size);
	v = judge(s, "7+5000", data, ROOM - 5);
	ok(differs(&v, "5 frames dropped"), "5 frames dropped", name, s);

	sequence_fill(s, 0, FRAMES / 2, data);
	sequence_fill(s, FRAMES / 2 - 3, FRAMES / 2, data + half);
	v = judge(s, "0+5000", data, FRAMES);
	ok(differs(&v, "3 frames repeated"), "3 frames repeated", name, s);
	v = judge(s, "0+2500,2497+2500", data, FRAMES);
	ok(v.exact, "3 frames repeated, as they should be", name, s);

	sequence_fill(s, 0, FRAMES, data);
	memcpy(data + half, silence, 9 * size);
	v = judge(s, "0+5000", data, FRAMES);
	ok(differs(&v, "9 silent"), "9 frames replaced by silence", name, s);
	v = judge(s, "0+4000~/2509+2491", data, FRAMES);
	ok(v.exact, "9 frames of silence where they may be", name, s);
	v = judge(s, "*2509+2491", data, FRAMES);
	ok(v.exact, "the last frames are exact whatever is before", name, s);
	v = judge(s, "*2508+2492", data, FRAMES);
	ok(!v.exact, "not all of the last frames are exact", name, s);

	sequence_fill(s, 0, FRAMES, data);
	data[half] ^= 0x10;
	v = judge(s, "0+5000", data, FRAMES);
	ok(!v.exact, "one bit is wrong", name, s);
	v = judge(s, "0+4999", data, FRAMES);
	ok(!v.exact, "a frame too many", name, s);
	memcpy(data, silence, ROOM * size);
	v = judge(s, "0+5000~", data, ROOM);
	ok(!v.exact, "silence alone is not exact", name, s);
	free(data);
}

/* A channel in the place of the other is no frame of the sequence. */
static void test_swapped(const char *name)
{
	struct sequence s = { .format = sequence_format(name), .channels = 2 };
	uint32_t size = sequence_frame_size(&s) / 2;
	uint8_t data[64 * 16], sample[8];
	struct judge_verdict v;

	sequence_fill(&s, 0, 64, data);
	for (uint32_t i = 0; i < 64; i++) {
		memcpy(sample, data + 2 * i * size, size);
		memcpy(data + 2 * i * size, data + (2 * i + 1) * size, size);
		memcpy(data + (2 * i + 1) * size, sample, size);
	}
	v = judge(&s, "0+64", data, 64);
	ok(differs(&v, "none of the sequence"), "channels swapped", name, &s);
}

/* What a sample is worth does not depend on how it is written: known by its octets. */
static void test_octets(void)
{
	static const struct {
		const char *format;
		uint32_t octets;
	} as[] = { { "s24_le", 4 }, { "s24_be", 4 }, { "s32_le", 4 }, { "s32_be", 4 } };
	bool good = true;

	for (uint64_t n = 0; n < 1000; n++) {
		int32_t value = (int32_t)(sequence_value(sequence_format("s24_le"), n, 0) * 8388608.0f);

		for (uint32_t i = 0; i < 4; i++) {
			const struct sequence s = { sequence_format(as[i].format), 1, false };
			uint8_t b[4];
			uint32_t word;

			sequence_put(&s, n, b);
			word = i % 2 == 0 ? b[0] | b[1] << 8 | b[2] << 16 | (uint32_t)b[3] << 24 :
				b[3] | b[2] << 8 | b[1] << 16 | (uint32_t)b[0] << 24;
			good &= word == (uint32_t)value << (i < 2 ? 0 : 8);
		}
	}
	printf("%s %u - samples of 24 and 32 bits are written as they are worth\n",
			good ? "ok" : "not ok", ++number);
	failures += !good;
}

static void test_spans(void)
{
	struct judge_span spans[JUDGE_MAX_SPANS];
	bool good = judge_parse("5", spans) == 0 && judge_parse("x+5", spans) == 0 &&
		judge_parse("1+2;3+4", spans) == 0 && sequence_format("mpeg") == NULL;

	printf("%s %u - what is no span and no format is refused\n", good ? "ok" : "not ok", ++number);
	failures += !good;
}

int main(void)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (uint32_t channels = 1; channels <= 2; channels++)
			for (int graph = 0; graph < 2; graph++) {
				const struct sequence s = { sequence_format(names[i]), channels, graph };

				test_damage(&s, names[i]);
			}
		test_swapped(names[i]);
	}
	test_octets();
	test_spans();
	printf("1..%u\n", number);
	return failures ? 1 : 0;
}
