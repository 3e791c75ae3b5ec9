/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* sndif's formats and channels in PipeWire's terms. */

#include <spa/param/audio/raw.h>

#include "sample.h"
#include "test.h"
#include "wire.h"

/* octets of a sample, in PipeWire's own accounting */
static uint32_t spa_size(uint32_t format)
{
	switch (format) {
	case SPA_AUDIO_FORMAT_S8:
	case SPA_AUDIO_FORMAT_U8:
	case SPA_AUDIO_FORMAT_ULAW:
	case SPA_AUDIO_FORMAT_ALAW:
		return 1;
	case SPA_AUDIO_FORMAT_S16_LE:
	case SPA_AUDIO_FORMAT_S16_BE:
		return 2;
	case SPA_AUDIO_FORMAT_S24_32_LE:
	case SPA_AUDIO_FORMAT_S24_32_BE:
	case SPA_AUDIO_FORMAT_S32_LE:
	case SPA_AUDIO_FORMAT_S32_BE:
	case SPA_AUDIO_FORMAT_F32_LE:
	case SPA_AUDIO_FORMAT_F32_BE:
		return 4;
	case SPA_AUDIO_FORMAT_F64_LE:
	case SPA_AUDIO_FORMAT_F64_BE:
		return 8;
	default:
		test_fail(__FILE__, __LINE__, "SPA format %u is not known to this test", format);
	}
}

TEST(a_supported_format_has_the_same_size_on_both_sides)
{
	uint64_t supported = sample_supported();
	uint32_t f;

	for (f = 0; f < 64; f++) {
		if (supported & UINT64_C(1) << f)
			check_eq(spa_size(sample_graph_format(f)), wire_format_info(f)->size);
		else
			check_eq(sample_graph_format(f), SPA_AUDIO_FORMAT_UNKNOWN);
	}
}

/* what Linux offers when its card says nothing */
TEST(the_usual_formats_are_supported)
{
	check(sample_supported() & UINT64_C(1) << WIRE_FORMAT_U8);
	check(sample_supported() & UINT64_C(1) << WIRE_FORMAT_S16_LE);
	check_eq(sample_graph_format(WIRE_FORMAT_U8), SPA_AUDIO_FORMAT_U8);
	check_eq(sample_graph_format(WIRE_FORMAT_S16_LE), SPA_AUDIO_FORMAT_S16_LE);
}

/* sndif's 24 bits sit in 4 octets, as ALSA's S24_LE does; SPA's S24_LE in 3 */
TEST(a_sample_of_24_bits_has_4_octets)
{
	check_eq(sample_graph_format(WIRE_FORMAT_S24_LE), SPA_AUDIO_FORMAT_S24_32_LE);
	check_eq(sample_graph_format(WIRE_FORMAT_S24_BE), SPA_AUDIO_FORMAT_S24_32_BE);
}

/* the converter knows them signed only */
TEST(unsigned_samples_are_signed_in_the_graph)
{
	check_eq(sample_guest_format(WIRE_FORMAT_U16_LE), SPA_AUDIO_FORMAT_U16_LE);
	check_eq(sample_graph_format(WIRE_FORMAT_U16_LE), SPA_AUDIO_FORMAT_S16_LE);
	check_eq(sample_guest_format(WIRE_FORMAT_U24_BE), SPA_AUDIO_FORMAT_U24_32_BE);
	check_eq(sample_graph_format(WIRE_FORMAT_U24_BE), SPA_AUDIO_FORMAT_S24_32_BE);
	check_eq(sample_guest_format(WIRE_FORMAT_U32_BE), SPA_AUDIO_FORMAT_U32_BE);
	check_eq(sample_graph_format(WIRE_FORMAT_U32_BE), SPA_AUDIO_FORMAT_S32_BE);
	/* the only unsigned format that it does know */
	check_eq(sample_graph_format(WIRE_FORMAT_U8), SPA_AUDIO_FORMAT_U8);
}

/* PipeWire swaps what it has already rounded to an integer */
TEST(doubles_have_this_machines_order_in_the_graph)
{
	check_eq(sample_guest_format(WIRE_FORMAT_F64_BE), SPA_AUDIO_FORMAT_F64_BE);
	check_eq(sample_graph_format(WIRE_FORMAT_F64_BE), SPA_AUDIO_FORMAT_F64);
	check_eq(sample_graph_format(WIRE_FORMAT_F64_LE), SPA_AUDIO_FORMAT_F64);
	check_eq(sample_graph_format(WIRE_FORMAT_F32_BE), SPA_AUDIO_FORMAT_F32_BE);
}

TEST(a_format_that_is_none_is_unknown)
{
	check_eq(sample_graph_format(WIRE_N_FORMATS), SPA_AUDIO_FORMAT_UNKNOWN);
	check_eq(sample_graph_format(UINT32_MAX), SPA_AUDIO_FORMAT_UNKNOWN);
	check_eq(sample_graph_format(WIRE_FORMAT_GSM), SPA_AUDIO_FORMAT_UNKNOWN);
}

TEST(one_and_two_channels_are_mono_and_stereo)
{
	uint32_t position[SPA_AUDIO_MAX_CHANNELS];

	sample_default_position(1, position);
	check_eq(position[0], SPA_AUDIO_CHANNEL_MONO);
	sample_default_position(2, position);
	check_eq(position[0], SPA_AUDIO_CHANNEL_FL);
	check_eq(position[1], SPA_AUDIO_CHANNEL_FR);
}

/* ALSA's order: the rear pair comes before the centre */
TEST(six_channels_are_in_alsas_order)
{
	static const uint32_t wanted[] = {
		SPA_AUDIO_CHANNEL_FL, SPA_AUDIO_CHANNEL_FR, SPA_AUDIO_CHANNEL_RL,
		SPA_AUDIO_CHANNEL_RR, SPA_AUDIO_CHANNEL_FC, SPA_AUDIO_CHANNEL_LFE,
	};
	uint32_t position[SPA_AUDIO_MAX_CHANNELS];

	sample_default_position(6, position);
	check_mem(position, wanted, sizeof(wanted));
}

TEST(every_channel_has_a_place_of_its_own)
{
	uint32_t n, i, k, position[SPA_AUDIO_MAX_CHANNELS];

	for (n = 1; n <= SPA_AUDIO_MAX_CHANNELS; n++) {
		memset(position, 0, sizeof(position));
		sample_default_position(n, position);
		for (i = 0; i < n; i++) {
			check(position[i] != SPA_AUDIO_CHANNEL_UNKNOWN);
			for (k = 0; k < i; k++)
				check(position[i] != position[k]);
		}
		for (; i < SPA_AUDIO_MAX_CHANNELS; i++)
			check_eq(position[i], 0);
	}
}
