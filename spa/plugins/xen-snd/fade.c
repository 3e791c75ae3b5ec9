/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The end of a sound that breaks off, see fade.h. */

#include "fade.h"

void fade_init(struct fade *fade, const struct xen_snd_stream *stream, bool always)
{
	const struct xen_snd_geometry *g = &stream->geometry;

	*fade = (struct fade) {
		.scale = scale_find(g->format),
		.always = always,
		.length = SPA_MAX(g->rate * FADE_MSEC / 1000, 1u),
	};
}

static void step(const struct fade *fade, const struct xen_snd_geometry *g, uint8_t *frame)
{
	uint32_t sample = g->frame_size / g->channels, i;

	frames_copy_one(frame, fade->last, g->frame_size);
	for (i = 0; i < g->channels; i++, frame += sample)
		fade->scale(frame, (float)fade->left / fade->length);
}

void fade_decay(struct fade *fade, const struct xen_snd_geometry *g, void *data,
		uint32_t valid, uint32_t frames, bool gone)
{
	uint8_t *frame = SPA_PTROFF(data, (size_t)valid * g->frame_size, uint8_t);

	if (fade->scale == NULL || (!gone && !fade->always))
		fade->left = 0;
	/* the last step is to the silence that is there */
	for (; valid < frames && fade->left > 1; valid++, frame += g->frame_size) {
		fade->left--;
		step(fade, g, frame);
	}
	if (valid < frames)
		fade->left = 0;
}
