/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A guest's own volume: gains of 0.0 to 1.0 a channel, reached by a ramp so that
 * nothing clicks. Data thread, realtime safe. */

#ifndef XEN_SND_GAIN_H
#define XEN_SND_GAIN_H

#include <stdbool.h>

#include "xen-snd.h"

struct gain {
	float now[SPA_AUDIO_MAX_CHANNELS];
	float target[SPA_AUDIO_MAX_CHANNELS];
	uint32_t serial;		/* of the gains that `target` was taken from */
	uint32_t ramp;			/* frames to go, 0: there */
	bool unity;			/* there, and nothing to do */
};

/* Start at unity: the guest of a new stream has set nothing yet. */
void gain_init(struct gain *gain, const struct xen_snd_stream *stream);

/* Apply the stream's gains to `frames` interleaved frames of the graph's format,
 * in place. At unity the samples are not touched. */
void gain_apply(struct gain *gain, const struct xen_snd_stream *stream, void *data,
		uint32_t frames);

#endif /* XEN_SND_GAIN_H */
