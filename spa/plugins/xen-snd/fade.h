/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The end of a sound that breaks off: a decay from its last frame in place of a step to
 * silence, which would make loudspeakers bang. The guest's own frames are not touched.
 * Data thread, realtime safe. */

#ifndef XEN_SND_FADE_H
#define XEN_SND_FADE_H

#include <stdbool.h>

#include <spa/utils/defs.h>

#include "frames.h"
#include "scale.h"
#include "xen-snd.h"

#define FADE_MSEC	5u

struct fade {
	scale_func_t scale;		/* NULL: samples of this format can't */
	bool always;			/* or else only where the guest is gone */
	uint32_t length;		/* frames of a whole decay */
	uint32_t left;			/* frames to go, 0: it is over */
	uint8_t last[SPA_AUDIO_MAX_CHANNELS * sizeof(double)];	/* the frame it is from */
};

void fade_init(struct fade *fade, const struct xen_snd_stream *stream, bool always);

/* For fade_apply(): what follows the `valid` frames, if there is any. */
void fade_decay(struct fade *fade, const struct xen_snd_geometry *g, void *data,
		uint32_t valid, uint32_t frames, bool gone);

/* Of the `frames` interleaved frames in the graph's format the first `valid` are the
 * guest's, the rest is silence: let it begin with what is left of the decay, if there
 * is to be one. */
static inline void fade_apply(struct fade *fade, const struct xen_snd_geometry *g, void *data,
		uint32_t valid, uint32_t frames, bool gone)
{
	uint32_t frame = g->frame_size;

	if (valid > 0) {
		frames_copy_one(fade->last, SPA_PTROFF(data, (size_t)(valid - 1) * frame, void), frame);
		fade->left = fade->length;
	}
	if (valid < frames)
		fade_decay(fade, g, data, valid, frames, gone);
}

#endif /* XEN_SND_FADE_H */
