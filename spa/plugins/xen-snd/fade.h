/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The end of a sound that breaks off: a decay from its last frame in place of a step to
 * silence, which would make loudspeakers bang. The guest's own frames are not touched.
 * Data thread, realtime safe. */

#ifndef XEN_SND_FADE_H
#define XEN_SND_FADE_H

#include <stdbool.h>

#include "scale.h"
#include "xen-snd.h"

#define FADE_MSEC	5u

struct fade {
	scale_func_t scale;		/* NULL: it breaks off */
	uint32_t length;		/* frames of a whole decay */
	uint32_t left;			/* frames to go, 0: there is none */
	uint8_t last[SPA_AUDIO_MAX_CHANNELS * sizeof(double)];	/* the frame it is from */
};

/* `wanted`: or else the sound breaks off as it is. */
void fade_init(struct fade *fade, const struct xen_snd_stream *stream, bool wanted);

/* Of the `frames` interleaved frames in the graph's format the first `valid` are the
 * guest's, the rest is silence: let it begin with what is left of the decay. */
void fade_apply(struct fade *fade, const struct xen_snd_stream *stream, void *data,
		uint32_t valid, uint32_t frames);

#endif /* XEN_SND_FADE_H */
