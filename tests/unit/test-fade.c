/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The decay of a sound that breaks off. */

#include <stdlib.h>

#include "fade.h"
#include "frames.h"
#include "test.h"

#define RATE		48000u
#define DECAY		240u		/* frames in 5 ms */
#define FRAMES		1024u

static struct xen_snd_stream stream;
static struct fade fade;

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
	fade_init(&fade, &stream, true);
}

/* `valid` frames of the value, then silence */
static void fill(int16_t *samples, int16_t value, uint32_t valid, uint32_t frames)
{
	uint32_t i;

	for (i = 0; i < frames; i++)
		samples[i] = i < valid ? value : 0;
}

TEST(a_sound_that_goes_on_is_not_touched)
{
	int16_t samples[FRAMES], wanted[FRAMES];

	make_stream(SPA_AUDIO_FORMAT_S16_LE, 2, 1);
	fill(samples, 20000, FRAMES, FRAMES);
	memcpy(wanted, samples, sizeof(wanted));
	fade_apply(&fade, &stream.geometry, samples, FRAMES, FRAMES, false);
	check_mem(samples, wanted, sizeof(wanted));
	fade_apply(&fade, &stream.geometry, samples, FRAMES, FRAMES, false);
	check_mem(samples, wanted, sizeof(wanted));
}

TEST(a_sound_that_breaks_off_decays_in_five_milliseconds)
{
	int16_t samples[FRAMES];
	uint32_t i;

	make_stream(SPA_AUDIO_FORMAT_S16_LE, 2, 1);
	fill(samples, 24000, 100, FRAMES);
	fade_apply(&fade, &stream.geometry, samples, 100, FRAMES, false);
	for (i = 0; i < 100; i++)
		check_eq(samples[i], 24000);
	for (i = 100; i < 100 + DECAY; i++)
		check_eq(samples[i - 1] - samples[i], 100);
	for (; i < FRAMES; i++)
		check_eq(samples[i], 0);
}

/* The end of a cycle is the end of a sound if the next one brings nothing. */
TEST(a_decay_goes_on_over_short_cycles)
{
	int16_t samples[64];
	uint32_t i, n, frame = 0;

	make_stream(SPA_AUDIO_FORMAT_S16_LE, 2, 1);
	fill(samples, -24000, 64, 64);
	fade_apply(&fade, &stream.geometry, samples, 64, 64, false);
	for (n = 0; n < 8; n++) {
		fill(samples, 0, 0, 64);
		fade_apply(&fade, &stream.geometry, samples, 0, 64, false);
		for (i = 0; i < 64; i++, frame++)
			check_eq(samples[i], frame < DECAY ? -24000 + 100 * (int)(frame + 1) : 0);
	}
}

TEST(a_sound_that_is_back_begins_exactly_as_it_is)
{
	int16_t samples[64], wanted[64];

	make_stream(SPA_AUDIO_FORMAT_S16_LE, 2, 1);
	fill(samples, 24000, 32, 64);
	fade_apply(&fade, &stream.geometry, samples, 32, 64, false);
	check(samples[63] != 0);
	fill(samples, 1234, 64, 64);
	memcpy(wanted, samples, sizeof(wanted));
	fade_apply(&fade, &stream.geometry, samples, 64, 64, false);
	check_mem(samples, wanted, sizeof(wanted));
}

/* Where no rule wants more, what is heard of a guest is what it has written. */
TEST(without_a_rule_a_sound_ends_where_the_guest_ends_it)
{
	int16_t samples[FRAMES], wanted[FRAMES];

	make_stream(SPA_AUDIO_FORMAT_S16_LE, 2, 1);
	fade_init(&fade, &stream, false);
	fill(samples, 24000, 100, FRAMES);
	memcpy(wanted, samples, sizeof(wanted));
	fade_apply(&fade, &stream.geometry, samples, 100, FRAMES, false);
	check_mem(samples, wanted, sizeof(wanted));
	/* it is over: that the guest goes is not heard any more */
	fill(wanted, 0, 0, FRAMES);
	fill(samples, 0, 0, FRAMES);
	fade_apply(&fade, &stream.geometry, samples, 0, FRAMES, true);
	check_mem(samples, wanted, sizeof(wanted));
}

TEST(without_a_rule_a_guest_that_has_gone_decays)
{
	int16_t samples[FRAMES];
	uint32_t i;

	make_stream(SPA_AUDIO_FORMAT_S16_LE, 2, 1);
	fade_init(&fade, &stream, false);
	fill(samples, 24000, FRAMES, FRAMES);
	fade_apply(&fade, &stream.geometry, samples, FRAMES, FRAMES, false);
	fill(samples, 0, 0, FRAMES);
	fade_apply(&fade, &stream.geometry, samples, 0, FRAMES, true);
	check_eq(samples[0], 23900);
	for (i = 1; i < DECAY; i++)
		check_eq(samples[i - 1] - samples[i], 100);
	for (; i < FRAMES; i++)
		check_eq(samples[i], 0);
}

TEST(nothing_follows_silence)
{
	int16_t samples[FRAMES], silence[FRAMES];

	make_stream(SPA_AUDIO_FORMAT_S16_LE, 2, 1);
	fill(samples, 24000, 10, FRAMES);
	samples[10] = 0;
	memset(silence, 0, sizeof(silence));
	fade_apply(&fade, &stream.geometry, samples, 11, FRAMES, false);
	check_mem(samples + 10, silence, sizeof(silence) - 20);
	fade_apply(&fade, &stream.geometry, silence, 0, FRAMES, false);
	check_mem(samples + 10, silence, sizeof(silence) - 20);
}

/* Each channel by itself, and the end is the format's own silence. */
static void decays_in(uint32_t format, uint32_t size)
{
	uint32_t frame = 2 * size, i;
	uint8_t *data = calloc(FRAMES, frame), *silence = calloc(FRAMES, frame);

	make_stream(format, size, 2);
	frames_silence(format, data, FRAMES * frame);
	frames_silence(format, silence, FRAMES * frame);
	/* half of full scale, near enough, of whatever it is, and never NaN */
	memset(data, 0x35, size);
	fade_apply(&fade, &stream.geometry, data, 1, FRAMES, false);
	check(memcmp(data + frame, silence, size) != 0);
	for (i = 1; i < FRAMES; i++)
		check_mem(data + i * frame + size, silence, size);
	check_mem(data + DECAY * frame, silence, (FRAMES - DECAY) * frame);
	free(data);
	free(silence);
}

TEST(every_format_ends_in_its_own_silence)
{
	static const struct {
		uint32_t format, size;
	} formats[] = {
		{ SPA_AUDIO_FORMAT_S8, 1 }, { SPA_AUDIO_FORMAT_U8, 1 },
		{ SPA_AUDIO_FORMAT_S16_LE, 2 }, { SPA_AUDIO_FORMAT_S16_BE, 2 },
		{ SPA_AUDIO_FORMAT_S24_32_LE, 4 }, { SPA_AUDIO_FORMAT_S24_32_BE, 4 },
		{ SPA_AUDIO_FORMAT_S32_LE, 4 }, { SPA_AUDIO_FORMAT_S32_BE, 4 },
		{ SPA_AUDIO_FORMAT_F32_LE, 4 }, { SPA_AUDIO_FORMAT_F32_BE, 4 },
		{ SPA_AUDIO_FORMAT_F64_LE, 8 }, { SPA_AUDIO_FORMAT_F64_BE, 8 },
	};
	uint32_t i;

	for (i = 0; i < SPA_N_ELEMENTS(formats); i++)
		decays_in(formats[i].format, formats[i].size);
}
