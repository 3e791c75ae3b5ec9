/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A guest's own volume: gains of 0.0 to 1.0 a channel, reached by a ramp so that
 * nothing clicks. Data thread, realtime safe. */

#ifndef XEN_SND_GAIN_H
#define XEN_SND_GAIN_H

#include <stdatomic.h>
#include <stdbool.h>

#include "scale.h"
#include "xen-snd.h"

struct gain {
	scale_func_t scale;		/* NULL: samples of this format can't */
	float now[SPA_AUDIO_MAX_CHANNELS];
	float target[SPA_AUDIO_MAX_CHANNELS];
	uint32_t serial;		/* of the gains that `target` was taken from */
	uint32_t ramp;			/* frames to go, 0: there */
	bool unity;			/* there, and nothing to do */
};

/* Start at unity: the guest of a new stream has set nothing yet. */
void gain_init(struct gain *gain, const struct xen_snd_stream *stream);

/* For gain_apply(): take the gains over if they are new, and scale. */
void gain_scale(struct gain *gain, const struct xen_snd_stream *stream, void *data,
		uint32_t frames);

/* Apply the stream's gains to `frames` interleaved frames of the graph's format,
 * in place. At unity, which is all that most guests know, the samples are not touched. */
static inline void gain_apply(struct gain *gain, const struct xen_snd_stream *stream, void *data,
		uint32_t frames)
{
	if (!gain->unity ||
	    gain->serial != atomic_load_explicit(&stream->gains.serial, memory_order_acquire))
		gain_scale(gain, stream, data, frames);
}

#endif /* XEN_SND_GAIN_H */
