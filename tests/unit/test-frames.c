/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Copying frames: what a guest writes is not all sound. */

#include <endian.h>
#include <math.h>

#include <spa/param/audio/raw.h>
#include <spa/utils/defs.h>

#include "frames.h"
#include "test.h"

#define N	9

static const float floats[N] = {
	0.0f, -1.0f, NAN, 0.5f, INFINITY, -INFINITY, 1e-40f, -NAN, 3.4e38f,
};
static const float clean_floats[N] = {
	0.0f, -1.0f, 0.0f, 0.5f, 0.0f, 0.0f, 1e-40f, 0.0f, 3.4e38f,
};

static uint32_t bits_32(float value, bool big)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return big ? htobe32(bits) : htole32(bits);
}

static uint64_t bits_64(double value, bool big)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return big ? htobe64(bits) : htole64(bits);
}

static void scrubs_32(uint32_t format, bool big)
{
	uint32_t from[N], wanted[N], to[N + 1];
	int i;

	for (i = 0; i < N; i++) {
		from[i] = bits_32(floats[i], big);
		wanted[i] = bits_32(clean_floats[i], big);
	}
	to[N] = 0x5a5a5a5a;
	frames_copy(frames_find_mend(format), to, from, sizeof(from));
	check_mem(to, wanted, sizeof(wanted));
	check_eq(to[N], 0x5a5a5a5a);
}

static void scrubs_64(uint32_t format, bool big)
{
	uint64_t from[N], wanted[N], to[N + 1];
	int i;

	for (i = 0; i < N; i++) {
		from[i] = bits_64(floats[i], big);
		memcpy(&wanted[i], &(double){ clean_floats[i] }, sizeof(wanted[i]));
	}
	to[N] = UINT64_C(0x5a5a5a5a5a5a5a5a);
	frames_copy(frames_find_mend(format), to, from, sizeof(from));
	check_mem(to, wanted, sizeof(wanted));
	check_eq(to[N], UINT64_C(0x5a5a5a5a5a5a5a5a));
}

TEST(floats_that_are_not_finite_become_zero)
{
	scrubs_32(SPA_AUDIO_FORMAT_F32_LE, false);
	scrubs_32(SPA_AUDIO_FORMAT_F32_BE, true);
}

/* whatever the guest's order, the graph has this machine's; and back is the same step */
TEST(doubles_that_are_not_finite_become_zero)
{
	scrubs_64(SPA_AUDIO_FORMAT_F64_LE, false);
	scrubs_64(SPA_AUDIO_FORMAT_F64_BE, true);
}

/* The octets of a NaN mean something else in them. */
TEST(integers_are_copied_as_they_are)
{
	static const uint32_t formats[] = {
		SPA_AUDIO_FORMAT_S8, SPA_AUDIO_FORMAT_U8,
		SPA_AUDIO_FORMAT_S16_LE, SPA_AUDIO_FORMAT_S16_BE,
		SPA_AUDIO_FORMAT_S24_32_LE, SPA_AUDIO_FORMAT_S24_32_BE,
		SPA_AUDIO_FORMAT_S32_LE, SPA_AUDIO_FORMAT_S32_BE,
		SPA_AUDIO_FORMAT_ULAW, SPA_AUDIO_FORMAT_ALAW,
	};
	uint8_t from[64], to[65];
	size_t i;

	memset(from, 0xff, sizeof(from));
	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		memset(to, 0, sizeof(to));
		frames_copy(frames_find_mend(formats[i]), to, from, sizeof(from));
		check_mem(to, from, sizeof(from));
		check_eq(to[64], 0);
	}
}

static void becomes(uint32_t format, uint32_t from, uint32_t wanted)
{
	uint32_t to;

	frames_copy(frames_find_mend(format), &to, &from, sizeof(to));
	check_eq(to, wanted);
}

TEST(unsigned_samples_become_signed_and_back)
{
	becomes(SPA_AUDIO_FORMAT_U16_LE, htole32(0x8001ffff), htole32(0x00017fff));
	becomes(SPA_AUDIO_FORMAT_U16_BE, htobe32(0x8001ffff), htobe32(0x00017fff));
	becomes(SPA_AUDIO_FORMAT_U32_LE, htole32(0x7fffffff), htole32(0xffffffff));
	becomes(SPA_AUDIO_FORMAT_U32_BE, htobe32(0x7fffffff), htobe32(0xffffffff));
	becomes(SPA_AUDIO_FORMAT_U24_32_LE, htole32(0x00800001), htole32(0x00000001));
	becomes(SPA_AUDIO_FORMAT_U24_32_BE, htobe32(0x00000001), htobe32(0x00800001));
}

/* A negative sample has its sign there: an unsigned one of 24 bits has none. */
TEST(nothing_is_left_above_unsigned_24_bits)
{
	becomes(SPA_AUDIO_FORMAT_U24_32_LE, htole32(0xffffffff), htole32(0x007fffff));
	becomes(SPA_AUDIO_FORMAT_U24_32_BE, htobe32(0xff800000), htobe32(0x00000000));
}

static void silence_is(uint32_t format, const uint8_t *sample, size_t octets)
{
	uint8_t to[33];
	size_t i;

	memset(to, 0x5a, sizeof(to));
	frames_silence(format, to, 32);
	for (i = 0; i < 32; i++)
		check_eq(to[i], sample[i % octets]);
	check_eq(to[32], 0x5a);
}

#define SILENCE(format,...)							\
	silence_is(SPA_AUDIO_FORMAT_##format, (const uint8_t[]) { __VA_ARGS__ },	\
			sizeof((const uint8_t[]) { __VA_ARGS__ }))

TEST(silence_is_what_each_format_takes_for_it)
{
	SILENCE(S8, 0);
	SILENCE(U8, 0x80);
	SILENCE(S16_LE, 0, 0);
	SILENCE(U16_LE, 0, 0x80);
	SILENCE(U16_BE, 0x80, 0);
	SILENCE(S24_32_BE, 0, 0, 0, 0);
	SILENCE(U24_32_LE, 0, 0, 0x80, 0);
	SILENCE(U24_32_BE, 0, 0x80, 0, 0);
	SILENCE(S32_BE, 0, 0, 0, 0);
	SILENCE(U32_LE, 0, 0, 0, 0x80);
	SILENCE(U32_BE, 0x80, 0, 0, 0);
	SILENCE(F32_LE, 0, 0, 0, 0);
	SILENCE(F64_BE, 0, 0, 0, 0, 0, 0, 0, 0);
	SILENCE(ULAW, 0xff);
	SILENCE(ALAW, 0xd5);
}

/* as the graph sees it: unsigned samples become signed on the way there */
TEST(silence_of_unsigned_samples_is_their_middle)
{
	static const uint32_t formats[] = {
		SPA_AUDIO_FORMAT_U16_LE, SPA_AUDIO_FORMAT_U16_BE, SPA_AUDIO_FORMAT_U24_32_LE,
		SPA_AUDIO_FORMAT_U24_32_BE, SPA_AUDIO_FORMAT_U32_LE, SPA_AUDIO_FORMAT_U32_BE,
	};
	uint8_t silence[32], heard[32], zero[32] = { 0 };
	size_t i;

	for (i = 0; i < SPA_N_ELEMENTS(formats); i++) {
		frames_silence(formats[i], silence, sizeof(silence));
		check(memcmp(silence, zero, sizeof(zero)) != 0);
		frames_copy(frames_find_mend(formats[i]), heard, silence, sizeof(silence));
		check_mem(heard, zero, sizeof(zero));
	}
}

TEST(nothing_is_copied_when_there_is_nothing)
{
	uint32_t to = 0x5a5a5a5a, from = 1;

	frames_copy(frames_find_mend(SPA_AUDIO_FORMAT_F32_LE), &to, &from, 0);
	frames_silence(SPA_AUDIO_FORMAT_F32_LE, &to, 0);
	check_eq(to, 0x5a5a5a5a);
}
