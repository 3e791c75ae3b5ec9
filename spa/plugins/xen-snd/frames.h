/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Copying frames between a guest's pages and the graph's buffers, and silence on both
 * sides. Part of the plugin and of the module. Realtime safe. */

#ifndef XEN_SND_FRAMES_H
#define XEN_SND_FRAMES_H

#include <stddef.h>
#include <stdint.h>

/* Copy `size` octets of samples of `format` (enum spa_audio_format, the guest's).
 * Unsigned samples of more than 8 bits become signed, or back: it is the same
 * step. Doubles in the other order of octets are swapped. Floats that are no finite number become 0: one of them would poison every
 * filter and mixer after us. Each octet of `from` is read once. */
void frames_copy(uint32_t format, void *to, const void *from, size_t size);

/* Fill `size` octets with the silence of `format`, the graph's or the guest's. */
void frames_silence(uint32_t format, void *to, size_t size);

#endif /* XEN_SND_FRAMES_H */
