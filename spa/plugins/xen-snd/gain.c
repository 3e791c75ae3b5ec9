/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A guest's own volume, see gain.h. */

#include <string.h>

#include "gain.h"

#define RAMP_MSEC	5u

void gain_init(struct gain *gain, const struct xen_snd_stream *stream)
{
	uint32_t i;

	memset(gain, 0, sizeof(*gain));
	for (i = 0; i < stream->geometry.channels; i++)
		gain->now[i] = gain->target[i] = 1.0f;
	gain->unity = true;
	gain->scale = scale_find(stream->geometry.format);
}

static void take_target(struct gain *gain, const struct xen_snd_stream *stream)
{
	uint32_t serial = atomic_load_explicit(&stream->gains.serial, memory_order_acquire);
	uint32_t i;

	if (serial == gain->serial)
		return;
	gain->serial = serial;
	for (i = 0; i < stream->geometry.channels; i++)
		gain->target[i] = atomic_load_explicit(&stream->gains.channel[i],
				memory_order_relaxed);
	gain->ramp = SPA_MAX(stream->geometry.rate * RAMP_MSEC / 1000, 1u);
	gain->unity = false;
}

static void step(struct gain *gain, uint32_t channels)
{
	uint32_t i;

	if (gain->ramp == 0)
		return;
	for (i = 0; i < channels; i++)
		gain->now[i] += (gain->target[i] - gain->now[i]) / gain->ramp;
	gain->ramp--;
}

/* after a ramp */
static void settle(struct gain *gain, uint32_t channels)
{
	uint32_t i;

	if (gain->ramp > 0)
		return;
	gain->unity = true;
	for (i = 0; i < channels; i++)
		gain->unity = gain->unity && gain->target[i] == 1.0f;
}

void gain_scale(struct gain *gain, const struct xen_snd_stream *stream, void *data,
		uint32_t frames)
{
	const struct xen_snd_geometry *g = &stream->geometry;
	uint32_t sample = g->frame_size / g->channels, i;
	uint8_t *p = data;

	take_target(gain, stream);
	if (gain->unity || gain->scale == NULL)
		return;
	for (; frames > 0; frames--) {
		step(gain, g->channels);
		for (i = 0; i < g->channels; i++, p += sample)
			gain->scale(p, gain->now[i]);
	}
	settle(gain, g->channels);
}
