/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A guest's own volume, on samples of every format. */

#include <math.h>
#include <stdatomic.h>

#include "gain.h"
#include "test.h"

#define RATE		48000u
#define RAMP		240u		/* frames in 5 ms */
#define FRAMES		1024u

static struct xen_snd_stream stream;
static struct gain gain;

static void make_stream(uint32_t format, uint32_t sample_size, uint32_t channels)
{
	memset(&stream, 0, sizeof(stream));
	stream.geometry = (struct xen_snd_geometry) {
		.format = format,
		.guest_format = format,
		.rate = RATE,
		.channels = channels,
		.frame_size = sample_size * channels,
	};
	gain_init(&gain, &stream);
}

static void set_gain(uint32_t channel, float value)
{
	atomic_store(&stream.gains.channel[channel], value);
}

static void publish(void)
{
	atomic_fetch_add(&stream.gains.serial, 1);
}

TEST(samples_are_not_touched_at_unity)
{
	int16_t samples[FRAMES], wanted[FRAMES];
	uint32_t i;

	make_stream(SPA_AUDIO_FORMAT_S16_LE, 2, 1);
	for (i = 0; i < FRAMES; i++)
		samples[i] = wanted[i] = i * 64 - 32768;
	gain_apply(&gain, &stream, samples, FRAMES);
	check_mem(samples, wanted, sizeof(wanted));
}

TEST(a_gain_is_reached_by_a_ramp_without_a_step)
{
	int16_t samples[FRAMES];
	uint32_t i;

	make_stream(SPA_AUDIO_FORMAT_S16_LE, 2, 1);
	set_gain(0, 0.5f);
	publish();
	for (i = 0; i < FRAMES; i++)
		samples[i] = 20000;
	gain_apply(&gain, &stream, samples, FRAMES);
	for (i = 1; i < FRAMES; i++) {
		check(samples[i] <= samples[i - 1]);
		check(samples[i - 1] - samples[i] <= 20000 / 2 / (int)RAMP + 2);
	}
	check(samples[RAMP - 2] > 10000);
	check_eq(samples[RAMP], 10000);
	check_eq(samples[FRAMES - 1], 10000);
}

TEST(a_ramp_goes_on_over_the_end_of_a_cycle)
{
	int16_t samples[FRAMES];
	uint32_t i;

	make_stream(SPA_AUDIO_FORMAT_S16_LE, 2, 1);
	set_gain(0, 0.0f);
	publish();
	for (i = 0; i < FRAMES; i++)
		samples[i] = 24000;
	for (i = 0; i < FRAMES; i += 64)
		gain_apply(&gain, &stream, samples + i, 64);
	for (i = 1; i < FRAMES; i++)
		check(samples[i - 1] - samples[i] <= 24000 / (int)RAMP + 2);
	check_eq(samples[RAMP], 0);
}

TEST(a_channel_has_a_gain_of_its_own)
{
	int16_t samples[2 * FRAMES];
	uint32_t i;

	make_stream(SPA_AUDIO_FORMAT_S16_LE, 2, 2);
	set_gain(0, 1.0f);
	set_gain(1, 0.25f);
	publish();
	for (i = 0; i < 2 * FRAMES; i++)
		samples[i] = -8000;
	gain_apply(&gain, &stream, samples, FRAMES);
	for (i = 0; i < FRAMES; i++)
		check_eq(samples[2 * i], -8000);
	check_eq(samples[2 * FRAMES - 1], -2000);
}

TEST(back_at_unity_samples_are_not_touched_again)
{
	int32_t samples[FRAMES];
	uint32_t i;

	make_stream(SPA_AUDIO_FORMAT_S32_LE, 4, 1);
	set_gain(0, 0.1f);
	publish();
	memset(samples, 0, sizeof(samples));
	gain_apply(&gain, &stream, samples, FRAMES);
	set_gain(0, 1.0f);
	publish();
	gain_apply(&gain, &stream, samples, FRAMES);
	check(gain.unity);
	for (i = 0; i < FRAMES; i++)
		samples[i] = INT32_MAX - i;
	gain_apply(&gain, &stream, samples, FRAMES);
	for (i = 0; i < FRAMES; i++)
		check_eq(samples[i], INT32_MAX - i);
}

/* One sample, half as loud: what it must be, by the format's own definition. */

static void halve(uint32_t format, void *sample, uint32_t size)
{
	uint8_t samples[FRAMES * 8];
	uint32_t i;

	make_stream(format, size, 1);
	set_gain(0, 0.5f);
	publish();
	for (i = 0; i < FRAMES; i++)
		memcpy(samples + i * size, sample, size);
	gain_apply(&gain, &stream, samples, FRAMES);
	memcpy(sample, samples + (FRAMES - 1) * size, size);
}

TEST(every_linear_format_is_scaled_as_what_it_is)
{
	uint8_t u8 = 0x80 + 100, s16_be[] = { 0x20, 0x00 }, s24_be[] = { 0, 0xc0, 0, 0 };
	uint8_t s24_le[] = { 0, 0, 0x40, 0x55 }, wanted_24[] = { 0, 0, 0x20, 0 };
	uint8_t wanted_24_be[] = { 0xff, 0xe0, 0, 0 };
	int8_t s8 = -100;
	int32_t s32 = INT32_MIN;
	float f32 = -0.5f;
	double f64 = 0.75;

	halve(SPA_AUDIO_FORMAT_U8, &u8, 1);
	check_eq(u8, 0x80 + 50);
	halve(SPA_AUDIO_FORMAT_S8, &s8, 1);
	check_eq(s8, -50);
	halve(SPA_AUDIO_FORMAT_S16_BE, s16_be, 2);
	check_eq(s16_be[0], 0x10);
	halve(SPA_AUDIO_FORMAT_S24_32_LE, s24_le, 4);
	check_mem(s24_le, wanted_24, 4);
	halve(SPA_AUDIO_FORMAT_S24_32_BE, s24_be, 4);
	check_mem(s24_be, wanted_24_be, 4);
	halve(SPA_AUDIO_FORMAT_S32_LE, &s32, 4);
	check_eq(s32, INT32_MIN / 2);
	halve(SPA_AUDIO_FORMAT_F32_LE, &f32, 4);
	check(f32 == -0.25f);
	halve(SPA_AUDIO_FORMAT_F64_LE, &f64, 8);
	check(f64 == 0.375);
}

/* G.711's tables, by their best known points: silence stays silence, the loudest
 * octet halves to the one a segment below. */
TEST(the_laws_are_scaled_in_their_segments)
{
	uint8_t ulaw_silence = 0xff, ulaw_loud = 0x80, alaw_loud = 0xaa, alaw_negative = 0x2a;

	halve(SPA_AUDIO_FORMAT_ULAW, &ulaw_silence, 1);
	check_eq(ulaw_silence, 0xff);
	halve(SPA_AUDIO_FORMAT_ULAW, &ulaw_loud, 1);
	check_eq(ulaw_loud & 0xf0, 0x90);
	halve(SPA_AUDIO_FORMAT_ALAW, &alaw_loud, 1);
	check_eq((alaw_loud ^ 0x55) & 0xf0, 0xe0);
	halve(SPA_AUDIO_FORMAT_ALAW, &alaw_negative, 1);
	check_eq((alaw_negative ^ 0x55) & 0xf0, 0x60);
}
