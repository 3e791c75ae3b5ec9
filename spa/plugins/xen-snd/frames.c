/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Copying frames, see frames.h. */

#include <byteswap.h>
#include <endian.h>
#include <string.h>

#include <spa/param/audio/raw.h>

#include "frames.h"

#define MEND(name,type,mended)							\
static void mend_ ## name(void *samples, size_t size)				\
{										\
	uint8_t *p = samples, *end = p + size;					\
	type s;									\
	for (; p < end; p += sizeof(s)) {					\
		memcpy(&s, p, sizeof(s));					\
		s = (mended);							\
		memcpy(p, &s, sizeof(s));					\
	}									\
}

/* floats that are no finite number have an exponent of ones */
#define FINITE(s,exponent)	(((s) & (exponent)) == (exponent) ? 0 : (s))
#define F32_EXPONENT	UINT32_C(0x7f800000)
#define F64_EXPONENT	UINT64_C(0x7ff0000000000000)

MEND(f32_le, uint32_t, FINITE(s, htole32(F32_EXPONENT)))
MEND(f32_be, uint32_t, FINITE(s, htobe32(F32_EXPONENT)))
MEND(f64, uint64_t, FINITE(s, F64_EXPONENT))
/* on the way to a guest nothing is found: the graph's floats leave the octets zero that
 * the exponent is looked for in */
MEND(f64_oe, uint64_t, FINITE(bswap_64(s), F64_EXPONENT))

/* unsigned samples have their sign bit flipped; and what is in the octet above 24 bits
 * means nothing: a guest is given none of it */
#define FLIP(s,sign)		((s) ^ (sign))
#define BITS_24			UINT32_C(0x00ffffff)

MEND(u16_le, uint16_t, FLIP(s, htole16(0x8000)))
MEND(u16_be, uint16_t, FLIP(s, htobe16(0x8000)))
MEND(u24_le, uint32_t, FLIP(s, htole32(UINT32_C(0x00800000))) & htole32(BITS_24))
MEND(u24_be, uint32_t, FLIP(s, htobe32(UINT32_C(0x00800000))) & htobe32(BITS_24))
MEND(u32_le, uint32_t, FLIP(s, htole32(UINT32_C(0x80000000))))
MEND(u32_be, uint32_t, FLIP(s, htobe32(UINT32_C(0x80000000))))

frames_mend_t frames_find_mend(uint32_t format)
{
	switch (format) {
	case SPA_AUDIO_FORMAT_F32_LE:
		return mend_f32_le;
	case SPA_AUDIO_FORMAT_F32_BE:
		return mend_f32_be;
	case SPA_AUDIO_FORMAT_F64:
		return mend_f64;
	case SPA_AUDIO_FORMAT_F64_OE:
		return mend_f64_oe;
	case SPA_AUDIO_FORMAT_U16_LE:
		return mend_u16_le;
	case SPA_AUDIO_FORMAT_U16_BE:
		return mend_u16_be;
	case SPA_AUDIO_FORMAT_U24_32_LE:
		return mend_u24_le;
	case SPA_AUDIO_FORMAT_U24_32_BE:
		return mend_u24_be;
	case SPA_AUDIO_FORMAT_U32_LE:
		return mend_u32_le;
	case SPA_AUDIO_FORMAT_U32_BE:
		return mend_u32_be;
	default:
		return NULL;
	}
}

void frames_silence(uint32_t format, void *to, size_t size)
{
	frames_mend_t mend;

	switch (format) {
	case SPA_AUDIO_FORMAT_U8:
		memset(to, 0x80, size);
		break;
	case SPA_AUDIO_FORMAT_ULAW:
		memset(to, 0xff, size);
		break;
	case SPA_AUDIO_FORMAT_ALAW:
		memset(to, 0xd5, size);
		break;
	default:
		memset(to, 0, size);
		/* of unsigned samples it is their middle */
		if ((mend = frames_find_mend(format)) != NULL)
			mend(to, size);
		break;
	}
}
