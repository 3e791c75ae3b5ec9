/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* sndif's sample formats and channel counts in PipeWire's terms, see sample.h. */

#include <string.h>

#include <spa/param/audio/raw.h>

#include "sample.h"
#include "wire.h"

static const uint32_t guest_formats[WIRE_N_FORMATS] = {
	[WIRE_FORMAT_S8] = SPA_AUDIO_FORMAT_S8,
	[WIRE_FORMAT_U8] = SPA_AUDIO_FORMAT_U8,
	[WIRE_FORMAT_S16_LE] = SPA_AUDIO_FORMAT_S16_LE,
	[WIRE_FORMAT_S16_BE] = SPA_AUDIO_FORMAT_S16_BE,
	[WIRE_FORMAT_U16_LE] = SPA_AUDIO_FORMAT_U16_LE,
	[WIRE_FORMAT_U16_BE] = SPA_AUDIO_FORMAT_U16_BE,
	[WIRE_FORMAT_S24_LE] = SPA_AUDIO_FORMAT_S24_32_LE,
	[WIRE_FORMAT_S24_BE] = SPA_AUDIO_FORMAT_S24_32_BE,
	[WIRE_FORMAT_U24_LE] = SPA_AUDIO_FORMAT_U24_32_LE,
	[WIRE_FORMAT_U24_BE] = SPA_AUDIO_FORMAT_U24_32_BE,
	[WIRE_FORMAT_S32_LE] = SPA_AUDIO_FORMAT_S32_LE,
	[WIRE_FORMAT_S32_BE] = SPA_AUDIO_FORMAT_S32_BE,
	[WIRE_FORMAT_U32_LE] = SPA_AUDIO_FORMAT_U32_LE,
	[WIRE_FORMAT_U32_BE] = SPA_AUDIO_FORMAT_U32_BE,
	[WIRE_FORMAT_F32_LE] = SPA_AUDIO_FORMAT_F32_LE,
	[WIRE_FORMAT_F32_BE] = SPA_AUDIO_FORMAT_F32_BE,
	[WIRE_FORMAT_F64_LE] = SPA_AUDIO_FORMAT_F64_LE,
	[WIRE_FORMAT_F64_BE] = SPA_AUDIO_FORMAT_F64_BE,
	[WIRE_FORMAT_MU_LAW] = SPA_AUDIO_FORMAT_ULAW,
	[WIRE_FORMAT_A_LAW] = SPA_AUDIO_FORMAT_ALAW,
};

uint64_t sample_supported(void)
{
	uint64_t mask = 0;
	uint32_t f;

	for (f = 0; f < WIRE_N_FORMATS; f++) {
		if (guest_formats[f] != SPA_AUDIO_FORMAT_UNKNOWN)
			mask |= UINT64_C(1) << f;
	}
	return mask;
}

uint32_t sample_guest_format(uint32_t format)
{
	return format < WIRE_N_FORMATS ? guest_formats[format] : SPA_AUDIO_FORMAT_UNKNOWN;
}

uint32_t sample_graph_format(uint32_t format)
{
	switch (format) {
	case WIRE_FORMAT_U16_LE:
		return SPA_AUDIO_FORMAT_S16_LE;
	case WIRE_FORMAT_U16_BE:
		return SPA_AUDIO_FORMAT_S16_BE;
	case WIRE_FORMAT_U24_LE:
		return SPA_AUDIO_FORMAT_S24_32_LE;
	case WIRE_FORMAT_U24_BE:
		return SPA_AUDIO_FORMAT_S24_32_BE;
	case WIRE_FORMAT_U32_LE:
		return SPA_AUDIO_FORMAT_S32_LE;
	case WIRE_FORMAT_U32_BE:
		return SPA_AUDIO_FORMAT_S32_BE;
	case WIRE_FORMAT_F64_LE:
	case WIRE_FORMAT_F64_BE:
		return SPA_AUDIO_FORMAT_F64;
	default:
		return sample_guest_format(format);
	}
}

/* one sample, repeated; all sizes divide `size` */
static void repeat(void *to, size_t size, const uint8_t *sample, size_t octets)
{
	uint8_t *at = to;

	for (; size >= octets; size -= octets, at += octets)
		memcpy(at, sample, octets);
}

void sample_silence(uint32_t guest_format, void *to, size_t size)
{
	switch (guest_format) {
	case SPA_AUDIO_FORMAT_U8:
		memset(to, 0x80, size);
		break;
	case SPA_AUDIO_FORMAT_ULAW:
		memset(to, 0xff, size);
		break;
	case SPA_AUDIO_FORMAT_ALAW:
		memset(to, 0xd5, size);
		break;
	case SPA_AUDIO_FORMAT_U16_LE:
		repeat(to, size, (const uint8_t[]) { 0, 0x80 }, 2);
		break;
	case SPA_AUDIO_FORMAT_U16_BE:
		repeat(to, size, (const uint8_t[]) { 0x80, 0 }, 2);
		break;
	case SPA_AUDIO_FORMAT_U24_32_LE:
		repeat(to, size, (const uint8_t[]) { 0, 0, 0x80, 0 }, 4);
		break;
	case SPA_AUDIO_FORMAT_U24_32_BE:
		repeat(to, size, (const uint8_t[]) { 0, 0x80, 0, 0 }, 4);
		break;
	case SPA_AUDIO_FORMAT_U32_LE:
		repeat(to, size, (const uint8_t[]) { 0, 0, 0, 0x80 }, 4);
		break;
	case SPA_AUDIO_FORMAT_U32_BE:
		repeat(to, size, (const uint8_t[]) { 0x80, 0, 0, 0 }, 4);
		break;
	default:
		memset(to, 0, size);
		break;
	}
}

void sample_default_position(uint32_t channels, uint32_t *position)
{
	static const uint32_t maps[8][8] = {
		{ SPA_AUDIO_CHANNEL_MONO },
		{ SPA_AUDIO_CHANNEL_FL, SPA_AUDIO_CHANNEL_FR },
		{ SPA_AUDIO_CHANNEL_FL, SPA_AUDIO_CHANNEL_FR, SPA_AUDIO_CHANNEL_LFE },
		{ SPA_AUDIO_CHANNEL_FL, SPA_AUDIO_CHANNEL_FR,
		  SPA_AUDIO_CHANNEL_RL, SPA_AUDIO_CHANNEL_RR },
		{ SPA_AUDIO_CHANNEL_FL, SPA_AUDIO_CHANNEL_FR,
		  SPA_AUDIO_CHANNEL_RL, SPA_AUDIO_CHANNEL_RR, SPA_AUDIO_CHANNEL_FC },
		{ SPA_AUDIO_CHANNEL_FL, SPA_AUDIO_CHANNEL_FR,
		  SPA_AUDIO_CHANNEL_RL, SPA_AUDIO_CHANNEL_RR,
		  SPA_AUDIO_CHANNEL_FC, SPA_AUDIO_CHANNEL_LFE },
		{ SPA_AUDIO_CHANNEL_FL, SPA_AUDIO_CHANNEL_FR,
		  SPA_AUDIO_CHANNEL_RL, SPA_AUDIO_CHANNEL_RR,
		  SPA_AUDIO_CHANNEL_FC, SPA_AUDIO_CHANNEL_LFE, SPA_AUDIO_CHANNEL_RC },
		{ SPA_AUDIO_CHANNEL_FL, SPA_AUDIO_CHANNEL_FR,
		  SPA_AUDIO_CHANNEL_RL, SPA_AUDIO_CHANNEL_RR,
		  SPA_AUDIO_CHANNEL_FC, SPA_AUDIO_CHANNEL_LFE,
		  SPA_AUDIO_CHANNEL_SL, SPA_AUDIO_CHANNEL_SR },
	};
	uint32_t i;

	for (i = 0; i < channels; i++) {
		position[i] = channels <= 8 ? maps[channels - 1][i] : SPA_AUDIO_CHANNEL_AUX0 + i;
	}
}
