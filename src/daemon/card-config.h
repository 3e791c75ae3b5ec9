/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Reading a card's frontend directory: its PCMs and streams, what they offer, and
 * the rings and channels the frontend made for them. Xenbus thread only. */

#ifndef XEN_SND_CARD_CONFIG_H
#define XEN_SND_CARD_CONFIG_H

#include "card.h"

/* Linux's own bounds: SNDRV_PCM_DEVICES, VSND_MAX_STREAM */
#define CARD_MAX_PCMS		8u
#define CARD_MAX_STREAMS	8u

/* Returns the number of lines (> 0) with `lines` to be freed, or a negative errno
 * with `why` saying which node is wrong, in `size` octets. */
int card_config_read(struct xs_handle *xs, const struct card *card, uint32_t max_buffer,
		struct line **lines, char *why, size_t size);

#endif /* XEN_SND_CARD_CONFIG_H */
