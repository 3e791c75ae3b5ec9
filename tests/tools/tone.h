/* SPDX-License-Identifier: MIT */
/*
 * A tone of 500 Hz, for sound that is resampled on its way: it is whole if every cycle is
 * as long as the others and there are as many as there should be.
 */
#ifndef XEN_SND_TEST_TONE_H
#define XEN_SND_TEST_TONE_H

#include <stddef.h>
#include <stdint.h>

#define TONE_HZ 500u

struct tone_verdict {
	uint64_t cycles;
	uint64_t breaks;	/* cycles that are too long or too short, all other sound included */
	double worst;		/* samples that the worst of the others is off */
};

/** the sample of frame `n` at `rate` */
int16_t tone_sample(uint64_t n, uint32_t rate);

/** judge S16_LE stereo at 48 kHz, both channels being the same tone */
void tone_judge(struct tone_verdict *v, const uint8_t *data, size_t frames);

#endif
