/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Handles for event channels, each for those of one guest. */

#ifndef XEN_SND_CHANNELS_H
#define XEN_SND_CHANNELS_H

#include <stdint.h>

#include <xenevtchn.h>

/* A handle that binds channels of this domain and of no other, where the kernel can
 * restrict one. NULL with errno. */
xenevtchn_handle *channels_open(uint32_t domid, struct xentoollog_logger *logger);

#endif /* XEN_SND_CHANNELS_H */
