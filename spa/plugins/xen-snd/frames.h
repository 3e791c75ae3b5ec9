/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Copying frames between a guest's pages and the graph's buffers, and silence on both
 * sides. Part of the plugin and of the module. Realtime safe. */

#ifndef XEN_SND_FRAMES_H
#define XEN_SND_FRAMES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What copied samples need before they are used; `size` in octets. */
typedef void (*frames_mend_t)(void *samples, size_t size);

/* That of `format` (enum spa_audio_format, the guest's), NULL: none. Unsigned samples of
 * more than 8 bits become signed, or back: it is the same step. Doubles in the other order
 * of octets are swapped. Floats that are no finite number become 0: one of them would
 * poison every filter and mixer after us. */
frames_mend_t frames_find_mend(uint32_t format);

/* Copy `size` octets of samples. Only the copy is mended: the guest can change its pages
 * meanwhile. */
static inline void frames_copy(frames_mend_t mend, void *to, const void *from, size_t size)
{
	memcpy(to, from, size);
	if (mend)
		mend(to, size);
}

/* Copy one frame of `size` octets: no call for those of stereo, which each cycle does it for. */
static inline void frames_copy_one(void *to, const void *from, size_t size)
{
	switch (size) {
	case 4:
		memcpy(to, from, 4);
		break;
	case 8:
		memcpy(to, from, 8);
		break;
	default:
		memcpy(to, from, size);
		break;
	}
}

/* Fill `size` octets with the silence of `format`, the graph's or the guest's. */
void frames_silence(uint32_t format, void *to, size_t size);

#endif /* XEN_SND_FRAMES_H */
