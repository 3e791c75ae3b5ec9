/* SPDX-License-Identifier: MIT */
/*
 * The numbered sequence in every sample format: a value for each frame number and channel
 * that PipeWire carries through its 32-bit floats without loss, and that is never silent.
 * Where a sample is too narrow to hold a number, its neighbours tell which frame it is.
 */
#ifndef XEN_SND_TEST_SEQUENCE_H
#define XEN_SND_TEST_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

#define SEQUENCE_MAX_CHANNELS 32u
#define SEQUENCE_MAX_FRAME (8u * SEQUENCE_MAX_CHANNELS)

/* How the frames of a recording lie in memory: as in a guest's ring, or as the graph's
 * 32-bit floats of what is in that ring. */
struct sequence {
	const struct sequence_format *format;
	uint32_t channels;
	bool graph;
};

/** by the name in XenStore; NULL for a format that is not linear PCM or a law */
const struct sequence_format *sequence_format(const char *name);
/** octets of a frame */
uint32_t sequence_frame_size(const struct sequence *s);
void sequence_put(const struct sequence *s, uint64_t number, uint8_t *frame);
/** frames `number` .. in a row */
void sequence_fill(const struct sequence *s, uint64_t number, uint32_t frames, uint8_t *to);
/** what the sample of a frame is in the graph */
float sequence_value(const struct sequence_format *format, uint64_t number, uint32_t channel);
/** no channel carries anything: never true of a numbered frame */
bool sequence_is_silent(const struct sequence *s, const uint8_t *frame);

#endif
