/* SPDX-License-Identifier: MIT */
/*
 * A tone of 500 Hz.
 */
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "tone.h"

#define AMPLITUDE 16000.0
#define CYCLE 96.0		/* samples, at 48 kHz */
#define TOLERANCE 0.5
#define EDGE 4u			/* cycles at both ends, where a resampler's filter begins and ends */

int16_t tone_sample(uint64_t n, uint32_t rate)
{
	return (int16_t)lrint(AMPLITUDE * sin(2 * M_PI * TONE_HZ * (double)(n % rate) / rate));
}

static int16_t sample_at(const uint8_t *data, size_t frame, unsigned int channel)
{
	const uint8_t *p = data + 4 * frame + 2 * channel;

	return (int16_t)(uint16_t)(p[0] | p[1] << 8);
}

/*
 * The next time at which the tone rises through 0, having been well below it: a filter
 * rings at both ends. false if there is none.
 */
static bool find_rise(const uint8_t *data, size_t frames, size_t *frame, double *when)
{
	bool below = false;

	for (; *frame + 1 < frames; (*frame)++) {
		double a = sample_at(data, *frame, 0), b = sample_at(data, *frame + 1, 0);

		below = below || a < -AMPLITUDE / 4;
		if (below && a < 0 && b >= 0) {
			*when = (double)*frame + a / (a - b);
			(*frame)++;
			return true;
		}
	}
	return false;
}

static uint64_t count_unlike(const uint8_t *data, size_t frames)
{
	uint64_t unlike = 0;

	for (size_t i = 0; i < frames; i++)
		unlike += sample_at(data, i, 0) != sample_at(data, i, 1);
	return unlike;
}

void tone_judge(struct tone_verdict *v, const uint8_t *data, size_t frames)
{
	double previous = 0, when, end;
	size_t frame = 0;
	bool first = true;

	memset(v, 0, sizeof(*v));
	end = (double)frames - EDGE * CYCLE;
	while (find_rise(data, frames, &frame, &when)) {
		double off = fabs(when - previous - CYCLE);

		v->cycles++;
		if (!first && previous > EDGE * CYCLE && when < end) {
			if (off > TOLERANCE)
				v->breaks++;
			else if (off > v->worst)
				v->worst = off;
		}
		first = false;
		previous = when;
	}
	v->breaks += count_unlike(data, frames);
}
