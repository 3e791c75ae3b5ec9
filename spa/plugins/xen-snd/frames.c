/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Copying frames, see frames.h. */

#include <byteswap.h>
#include <endian.h>
#include <string.h>

#include <spa/param/audio/raw.h>

#include "frames.h"

/* exponents of infinity and NaN */
#define F32_EXPONENT	UINT32_C(0x7f800000)
#define F64_EXPONENT	UINT64_C(0x7ff0000000000000)

static void scrub_32(void *samples, size_t size, uint32_t exponent)
{
	uint32_t *s = samples, *end = s + size / sizeof(*s);

	for (; s < end; s++) {
		if ((*s & exponent) == exponent)
			*s = 0;
	}
}

static void scrub_64(void *samples, size_t size, uint64_t exponent)
{
	uint64_t *s = samples, *end = s + size / sizeof(*s);

	for (; s < end; s++) {
		if ((*s & exponent) == exponent)
			*s = 0;
	}
}

static void swap_64(void *samples, size_t size)
{
	uint64_t *s = samples, *end = s + size / sizeof(*s);

	for (; s < end; s++)
		*s = bswap_64(*s);
}

/* the sign bit of unsigned samples, to flip it */
static void flip_16(void *samples, size_t size, uint16_t sign)
{
	uint16_t *s = samples, *end = s + size / sizeof(*s);

	for (; s < end; s++)
		*s ^= sign;
}

/* and what is in the octet above 24 bits means nothing: a guest is given none of it */
static void flip_24(void *samples, size_t size, uint32_t sign, uint32_t bits)
{
	uint32_t *s = samples, *end = s + size / sizeof(*s);

	for (; s < end; s++)
		*s = (*s ^ sign) & bits;
}

static void flip_32(void *samples, size_t size, uint32_t sign)
{
	uint32_t *s = samples, *end = s + size / sizeof(*s);

	for (; s < end; s++)
		*s ^= sign;
}

static void flip_signs(uint32_t format, void *samples, size_t size)
{
	switch (format) {
	case SPA_AUDIO_FORMAT_U16_LE:
		flip_16(samples, size, htole16(0x8000));
		break;
	case SPA_AUDIO_FORMAT_U16_BE:
		flip_16(samples, size, htobe16(0x8000));
		break;
	case SPA_AUDIO_FORMAT_U24_32_LE:
		flip_24(samples, size, htole32(UINT32_C(0x00800000)), htole32(UINT32_C(0x00ffffff)));
		break;
	case SPA_AUDIO_FORMAT_U24_32_BE:
		flip_24(samples, size, htobe32(UINT32_C(0x00800000)), htobe32(UINT32_C(0x00ffffff)));
		break;
	case SPA_AUDIO_FORMAT_U32_LE:
		flip_32(samples, size, htole32(UINT32_C(0x80000000)));
		break;
	case SPA_AUDIO_FORMAT_U32_BE:
		flip_32(samples, size, htobe32(UINT32_C(0x80000000)));
		break;
	}
}

void frames_copy(uint32_t format, void *to, const void *from, size_t size)
{
	/* the guest can change its pages meanwhile: check the copy */
	memcpy(to, from, size);
	switch (format) {
	case SPA_AUDIO_FORMAT_F32_LE:
		scrub_32(to, size, htole32(F32_EXPONENT));
		break;
	case SPA_AUDIO_FORMAT_F32_BE:
		scrub_32(to, size, htobe32(F32_EXPONENT));
		break;
	case SPA_AUDIO_FORMAT_F64_OE:
		/* on the way to a guest nothing is found: the graph's floats leave the
		 * octets zero that the exponent is looked for in */
		swap_64(to, size);
		scrub_64(to, size, F64_EXPONENT);
		break;
	case SPA_AUDIO_FORMAT_F64:
		scrub_64(to, size, F64_EXPONENT);
		break;
	default:
		flip_signs(format, to, size);
		break;
	}
}

void frames_silence(uint32_t format, void *to, size_t size)
{
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
		flip_signs(format, to, size);
		break;
	}
}
