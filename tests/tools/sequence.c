/* SPDX-License-Identifier: MIT */
/*
 * Makes the numbered sequence.
 */
#include <string.h>

#include "sequence.h"

enum kind { SIGNED, UNSIGNED, FLOAT, MU_LAW, A_LAW };

struct sequence_format {
	const char *name;
	enum kind kind;
	uint32_t octets;
	uint32_t bits;		/* significant ones */
	uint32_t shift;		/* zero bits below them */
	bool big_endian;
};

#define BOTH(name,kind,octets,bits,shift)				\
	{ name "_le", kind, octets, bits, shift, false },		\
	{ name "_be", kind, octets, bits, shift, true }

static const struct sequence_format formats[] = {
	{ "s8", SIGNED, 1, 8, 0, false },
	{ "u8", UNSIGNED, 1, 8, 0, false },
	BOTH("s16", SIGNED, 2, 16, 0),
	BOTH("u16", UNSIGNED, 2, 16, 0),
	BOTH("s24", SIGNED, 4, 24, 0),
	BOTH("u24", UNSIGNED, 4, 24, 0),
	BOTH("s32", SIGNED, 4, 24, 8),
	BOTH("u32", UNSIGNED, 4, 24, 8),
	BOTH("float", FLOAT, 4, 24, 0),
	BOTH("float64", FLOAT, 8, 24, 0),
	{ "mu_law", MU_LAW, 1, 8, 0, false },
	{ "a_law", A_LAW, 1, 8, 0, false },
};

const struct sequence_format *sequence_format(const char *name)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}

uint32_t sequence_frame_size(const struct sequence *s)
{
	return (s->graph ? sizeof(float) : s->format->octets) * s->channels;
}

/* Any two frames have as little to do with one another as two channels. */
static uint64_t mix(uint64_t number, uint32_t channel)
{
	uint64_t x = number * 0x9e3779b97f4a7c15u + (channel + 1) * 0xd1b54a32d192ed03u;

	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 32;
	return x;
}

/* What the eight bits stand for, in 1/32768 (G.711). */
static int32_t expand(enum kind kind, uint8_t code)
{
	uint8_t bits = kind == MU_LAW ? (uint8_t)~code : code ^ 0x55;
	uint32_t segment = bits >> 4 & 7;
	int32_t step = bits & 15, value;

	if (kind == MU_LAW) {
		value = (((step << 3) + 0x84) << segment) - 0x84;
		return bits & 0x80 ? -value : value;
	}
	value = (step << 4) + 8;
	if (segment > 0)
		value = (value + 0x100) << (segment - 1);
	return bits & 0x80 ? value : -value;
}

static bool is_smallest(enum kind kind, uint8_t code)
{
	int32_t value = expand(kind, code);

	return value >= -8 && value <= 8 && (kind == A_LAW || value == 0);
}

static uint8_t law_code(enum kind kind, uint64_t number, uint32_t channel)
{
	uint64_t x = mix(number, channel);
	uint8_t code = (uint8_t)(x >> 8);

	/* of a pair that differs in the sign, or is the smallest, any other will do */
	while (is_smallest(kind, code))
		code = (uint8_t)(code + 1 + (x >> 20 & 7));
	return code;
}

/* From -(2^(bits-1) - 1) to 2^(bits-1) - 1, but not 0. */
static int32_t linear(uint32_t bits, uint64_t number, uint32_t channel)
{
	uint64_t x = mix(number, channel);
	int32_t value = (int32_t)((x >> 8) % ((1u << (bits - 1)) - 1)) + 1;

	return x & 1 ? -value : value;
}

float sequence_value(const struct sequence_format *f, uint64_t number, uint32_t channel)
{
	if (f->kind == MU_LAW || f->kind == A_LAW)
		return (float)expand(f->kind, law_code(f->kind, number, channel)) / 32768.0f;
	return (float)linear(f->bits, number, channel) / (float)(1u << (f->bits - 1));
}

/* The octets of a sample as a number. */
static uint64_t encode(const struct sequence_format *f, uint64_t number, uint32_t channel)
{
	float value = sequence_value(f, number, channel);
	double wide = value;
	uint64_t bits = 0;
	uint32_t narrow;

	switch (f->kind) {
	case SIGNED:
		narrow = (uint32_t)linear(f->bits, number, channel) << f->shift;
		return narrow;
	case UNSIGNED:
		narrow = (uint32_t)linear(f->bits, number, channel) + (1u << (f->bits - 1));
		return (uint64_t)narrow << f->shift;
	case FLOAT:
		if (f->octets == sizeof(wide)) {
			memcpy(&bits, &wide, sizeof(wide));
			return bits;
		}
		memcpy(&narrow, &value, sizeof(narrow));
		return narrow;
	default:
		return law_code(f->kind, number, channel);
	}
}

static void put_sample(const struct sequence_format *f, uint64_t code, uint8_t *to)
{
	for (uint32_t i = 0; i < f->octets; i++, code >>= 8)
		to[f->big_endian ? f->octets - 1 - i : i] = (uint8_t)code;
}

void sequence_put(const struct sequence *s, uint64_t number, uint8_t *frame)
{
	float value;

	for (uint32_t c = 0; c < s->channels; c++) {
		if (!s->graph) {
			put_sample(s->format, encode(s->format, number, c), frame);
			frame += s->format->octets;
			continue;
		}
		value = sequence_value(s->format, number, c);
		memcpy(frame, &value, sizeof(value));
		frame += sizeof(value);
	}
}

void sequence_fill(const struct sequence *s, uint64_t number, uint32_t frames, uint8_t *to)
{
	for (uint32_t i = 0; i < frames; i++, to += sequence_frame_size(s))
		sequence_put(s, number + i, to);
}

static bool is_silent_value(const struct sequence_format *f, const uint8_t *sample)
{
	float value;

	memcpy(&value, sample, sizeof(value));
	return value == 0.0f || (f->kind == A_LAW && value == 8.0f / 32768.0f);
}

static bool is_silent_code(const struct sequence_format *f, const uint8_t *sample)
{
	uint8_t zero[8];

	if (f->kind == MU_LAW || f->kind == A_LAW)
		return is_smallest(f->kind, *sample);
	put_sample(f, f->kind == UNSIGNED ? (uint64_t)1 << (f->bits - 1 + f->shift) : 0, zero);
	return memcmp(sample, zero, f->octets) == 0;
}

bool sequence_is_silent(const struct sequence *s, const uint8_t *frame)
{
	for (uint32_t c = 0; c < s->channels; c++)
		if (s->graph ? !is_silent_value(s->format, frame + c * sizeof(float)) :
				!is_silent_code(s->format, frame + c * s->format->octets))
			return false;
	return true;
}
