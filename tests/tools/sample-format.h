/* SPDX-License-Identifier: MIT */
/*
 * The pattern in other sample formats, and back from what PipeWire makes of them.
 *
 * Formats of 16 bits and more hold the S16 sample in their upper bits. Formats of 8 bits
 * have no room for it: there a stereo frame holds the mono pattern's sample as two
 * digits, in codes that are silence in none of these formats.
 */
#ifndef XEN_SND_TEST_SAMPLE_FORMAT_H
#define XEN_SND_TEST_SAMPLE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sample_format {
	const char *name;	/* as ALSA's programs spell it, in lower case */
	unsigned int size;
	bool narrow;
	/* wide: the octets of an S16 sample; narrow: the S16 value of a code */
	void (*put)(uint8_t *dst, int16_t sample);
	int16_t (*value)(uint8_t code);
	uint8_t silence;	/* narrow: the code of what PipeWire makes of no sound */
};

/** NULL if there is no such format */
const struct sample_format *sample_format_find(const char *name);

/** write frames `start` .. `start + frames - 1` in a format; stereo if it is narrow */
void sample_format_fill(const struct sample_format *f, uint8_t *dst, uint64_t start,
		size_t frames, unsigned int channels);

/**
 * What was recorded of a narrow format, S16_LE stereo, in place turned into the mono
 * pattern; frames that no code stands for become -1, which is no sample of the pattern.
 */
void sample_format_widen(const struct sample_format *f, uint8_t *data, size_t frames);

#endif
