/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Scaling samples, see scale.h. */

#include <endian.h>
#include <math.h>
#include <string.h>

#include <spa/param/audio/raw.h>

#include "scale.h"

/* One sample times a gain of at most 1, so that nothing can overflow. */

static void scale_s8(void *p, float gain)
{
	int8_t *s = p;

	*s = lrintf(*s * gain);
}

static void scale_u8(void *p, float gain)
{
	uint8_t *s = p;

	*s = 0x80 + lrintf((*s - 0x80) * gain);
}

#define SCALE_INT(name,type,load,store)						\
static void scale_ ## name(void *p, float gain)					\
{										\
	type s;									\
	memcpy(&s, p, sizeof(s));						\
	s = store((type)lrint((double)(type)load(s) * gain));			\
	memcpy(p, &s, sizeof(s));						\
}

SCALE_INT(s16_le, int16_t, le16toh, htole16)
SCALE_INT(s16_be, int16_t, be16toh, htobe16)
SCALE_INT(s32_le, int32_t, le32toh, htole32)
SCALE_INT(s32_be, int32_t, be32toh, htobe32)

/* the high octet of four means nothing */
#define SIGNED_24(s)	((int32_t)((uint32_t)(s) << 8) >> 8)
#define LOAD_24_LE(s)	SIGNED_24(le32toh(s))
#define LOAD_24_BE(s)	SIGNED_24(be32toh(s))

SCALE_INT(s24_le, int32_t, LOAD_24_LE, htole32)
SCALE_INT(s24_be, int32_t, LOAD_24_BE, htobe32)

#define SCALE_FLOAT(name,type,bits,load,store)					\
static void scale_ ## name(void *p, float gain)					\
{										\
	bits b;									\
	type s;									\
	memcpy(&b, p, sizeof(b));						\
	b = load(b);								\
	memcpy(&s, &b, sizeof(s));						\
	s *= gain;								\
	memcpy(&b, &s, sizeof(b));						\
	b = store(b);								\
	memcpy(p, &b, sizeof(b));						\
}

SCALE_FLOAT(f32_le, float, uint32_t, le32toh, htole32)
SCALE_FLOAT(f32_be, float, uint32_t, be32toh, htobe32)
SCALE_FLOAT(f64_le, double, uint64_t, le64toh, htole64)
SCALE_FLOAT(f64_be, double, uint64_t, be64toh, htobe64)

/* The laws of G.711: an octet is a sign, a segment and a step in it. The octet
 * for a value is the one whose own value is next below it in magnitude. */

static int32_t law_find(int32_t (*value)(uint8_t magnitude), int32_t wanted)
{
	int32_t low = 0, high = 127;

	while (low < high) {
		int32_t middle = (low + high + 1) / 2;
		if (value(middle) <= wanted)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/* magnitudes 0..127 of mu-law, before the complement */
static int32_t ulaw_value(uint8_t magnitude)
{
	return ((((magnitude & 0x0f) << 3) + 0x84) << (magnitude >> 4)) - 0x84;
}

/* magnitudes 0..127 of A-law, before every second bit is flipped */
static int32_t alaw_value(uint8_t magnitude)
{
	int32_t segment = magnitude >> 4, step = (magnitude & 0x0f) << 4;

	return segment == 0 ? step + 8 : (step + 0x108) << (segment - 1);
}

static void scale_ulaw(void *p, float gain)
{
	uint8_t *s = p, octet = ~*s;

	*s = ~((octet & 0x80) | law_find(ulaw_value, lrintf(ulaw_value(octet & 0x7f) * gain)));
}

static void scale_alaw(void *p, float gain)
{
	uint8_t *s = p, octet = *s ^ 0x55;

	*s = ((octet & 0x80) | law_find(alaw_value, lrintf(alaw_value(octet & 0x7f) * gain))) ^ 0x55;
}

scale_func_t scale_find(uint32_t format)
{
	switch (format) {
	case SPA_AUDIO_FORMAT_S8:
		return scale_s8;
	case SPA_AUDIO_FORMAT_U8:
		return scale_u8;
	case SPA_AUDIO_FORMAT_S16_LE:
		return scale_s16_le;
	case SPA_AUDIO_FORMAT_S16_BE:
		return scale_s16_be;
	case SPA_AUDIO_FORMAT_S24_32_LE:
		return scale_s24_le;
	case SPA_AUDIO_FORMAT_S24_32_BE:
		return scale_s24_be;
	case SPA_AUDIO_FORMAT_S32_LE:
		return scale_s32_le;
	case SPA_AUDIO_FORMAT_S32_BE:
		return scale_s32_be;
	case SPA_AUDIO_FORMAT_F32_LE:
		return scale_f32_le;
	case SPA_AUDIO_FORMAT_F32_BE:
		return scale_f32_be;
	case SPA_AUDIO_FORMAT_F64_LE:
		return scale_f64_le;
	case SPA_AUDIO_FORMAT_F64_BE:
		return scale_f64_be;
	case SPA_AUDIO_FORMAT_ULAW:
		return scale_ulaw;
	case SPA_AUDIO_FORMAT_ALAW:
		return scale_alaw;
	default:
		return NULL;
	}
}
