/* SPDX-License-Identifier: MIT */
/*
 * The pattern in other sample formats.
 */
#include <string.h>

#include "pattern.h"
#include "sample-format.h"

/* Digits of a mono sample in a narrow format: 151 * 217 = 32767 numbers. */
#define BASE 217u

static void put_bits(uint8_t *dst, uint64_t bits, unsigned int size, bool big)
{
	for (unsigned int i = 0; i < size; i++)
		dst[big ? size - 1 - i : i] = (uint8_t)(bits >> 8 * i);
}

static void put_s16_le(uint8_t *dst, int16_t s)
{
	put_bits(dst, (uint16_t)s, 2, false);
}

static void put_s16_be(uint8_t *dst, int16_t s)
{
	put_bits(dst, (uint16_t)s, 2, true);
}

static void put_u16_le(uint8_t *dst, int16_t s)
{
	put_bits(dst, (uint16_t)s ^ 0x8000u, 2, false);
}

static void put_u16_be(uint8_t *dst, int16_t s)
{
	put_bits(dst, (uint16_t)s ^ 0x8000u, 2, true);
}

/* 24 bits in the low octets of four */
static void put_s24_le(uint8_t *dst, int16_t s)
{
	put_bits(dst, (uint32_t)(s * 256), 4, false);
}

static void put_s24_be(uint8_t *dst, int16_t s)
{
	put_bits(dst, (uint32_t)(s * 256), 4, true);
}

static void put_u24_le(uint8_t *dst, int16_t s)
{
	put_bits(dst, ((uint32_t)(s * 256) ^ 0x800000u) & 0xffffffu, 4, false);
}

static void put_s32_le(uint8_t *dst, int16_t s)
{
	put_bits(dst, (uint32_t)(s * 65536), 4, false);
}

static void put_s32_be(uint8_t *dst, int16_t s)
{
	put_bits(dst, (uint32_t)(s * 65536), 4, true);
}

static void put_u32_le(uint8_t *dst, int16_t s)
{
	put_bits(dst, (uint32_t)(s * 65536) ^ 0x80000000u, 4, false);
}

static void put_float_le(uint8_t *dst, int16_t s)
{
	float value = s / 32768.0f;
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	put_bits(dst, bits, 4, false);
}

static void put_float64_le(uint8_t *dst, int16_t s)
{
	double value = s / 32768.0;
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	put_bits(dst, bits, 8, false);
}

static int16_t value_s8(uint8_t code)
{
	return (int16_t)((int8_t)code * 256);
}

static int16_t value_u8(uint8_t code)
{
	return (int16_t)((code - 128) * 256);
}

/* G.711: a sign, three bits of segment, four of step */

static int16_t value_mu_law(uint8_t code)
{
	unsigned int bits = (uint8_t)~code, segment = bits >> 4 & 7, step = bits & 15;
	int value = (int)(((step << 3) + 132) << segment) - 132;

	return (int16_t)(bits & 0x80 ? -value : value);
}

static int16_t value_a_law(uint8_t code)
{
	unsigned int bits = code ^ 0x55u, segment = bits >> 4 & 7, step = bits & 15;
	int value = (int)(segment == 0 ? (step << 4) + 8 : ((step << 4) + 264) << (segment - 1));

	return (int16_t)(bits & 0x80 ? value : -value);
}

static const struct sample_format formats[] = {
	{ "s8", 1, true, NULL, value_s8, 0x00 },
	{ "u8", 1, true, NULL, value_u8, 0x80 },
	{ "mu_law", 1, true, NULL, value_mu_law, 0xff },
	{ "a_law", 1, true, NULL, value_a_law, 0xd5 },
	{ "s16_le", 2, false, put_s16_le, NULL, 0 },
	{ "s16_be", 2, false, put_s16_be, NULL, 0 },
	{ "u16_le", 2, false, put_u16_le, NULL, 0 },
	{ "u16_be", 2, false, put_u16_be, NULL, 0 },
	{ "s24_le", 4, false, put_s24_le, NULL, 0 },
	{ "s24_be", 4, false, put_s24_be, NULL, 0 },
	{ "u24_le", 4, false, put_u24_le, NULL, 0 },
	{ "s32_le", 4, false, put_s32_le, NULL, 0 },
	{ "s32_be", 4, false, put_s32_be, NULL, 0 },
	{ "u32_le", 4, false, put_u32_le, NULL, 0 },
	{ "float_le", 4, false, put_float_le, NULL, 0 },
	{ "float64_le", 8, false, put_float64_le, NULL, 0 },
};

const struct sample_format *sample_format_find(const char *name)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}

/* Silence in one of the narrow formats; the laws of G.711 have two of it. */
static bool is_reserved(uint8_t code)
{
	return code == 0x00 || code == 0x80 || code == 0x7f || code == 0xff ||
			code == 0xd5 || code == 0x55;
}

/* The codes of the digits 0 .. BASE - 1. */
static void list_codes(uint8_t codes[BASE])
{
	unsigned int digit = 0;

	for (unsigned int code = 0; digit < BASE; code++)
		if (!is_reserved((uint8_t)code))
			codes[digit++] = (uint8_t)code;
}

static void fill_narrow(uint8_t *dst, uint64_t start, size_t frames)
{
	uint8_t codes[BASE];

	list_codes(codes);
	for (size_t i = 0; i < frames; i++) {
		unsigned int n = (unsigned int)pattern_sample(start + i, 0, 1) - 1;

		*dst++ = codes[n % BASE];
		*dst++ = codes[n / BASE];
	}
}

void sample_format_fill(const struct sample_format *f, uint8_t *dst, uint64_t start,
		size_t frames, unsigned int channels)
{
	if (f->narrow) {
		fill_narrow(dst, start, frames);
		return;
	}
	for (size_t i = 0; i < frames; i++)
		for (unsigned int c = 0; c < channels; c++, dst += f->size)
			f->put(dst, pattern_sample(start + i, c, channels));
}

/* `digits` by recorded value: BASE for silence, -1 for what no code stands for */
static void list_digits(const struct sample_format *f, int16_t digits[65536])
{
	uint8_t codes[BASE];

	memset(digits, -1, 65536 * sizeof(digits[0]));
	list_codes(codes);
	/* ALSA and PipeWire do not agree on the sign of A-law's */
	digits[0] = BASE;
	digits[(uint16_t)f->value(f->silence)] = BASE;
	digits[(uint16_t)-f->value(f->silence)] = BASE;
	for (unsigned int i = 0; i < BASE; i++)
		digits[(uint16_t)f->value(codes[i])] = (int16_t)i;
}

static int16_t widen_frame(int low, int high)
{
	if (low == BASE && high == BASE)
		return 0;
	if (low < 0 || low >= (int)BASE || high < 0 || high * (int)BASE + low >= 32767)
		return -1;
	return (int16_t)(high * (int)BASE + low + 1);
}

void sample_format_widen(const struct sample_format *f, uint8_t *data, size_t frames)
{
	static int16_t digits[65536];
	const uint8_t *p = data;

	list_digits(f, digits);
	for (size_t i = 0; i < frames; i++, p += 4)
		put_s16_le(data + 2 * i, widen_frame(digits[p[0] | p[1] << 8], digits[p[2] | p[3] << 8]));
}
