/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Scaling one sample of any format of the graph. Realtime safe. */

#ifndef XEN_SND_SCALE_H
#define XEN_SND_SCALE_H

#include <stdint.h>

/* A sample times a gain of 0.0 to 1.0, so that nothing can overflow, in place. */
typedef void (*scale_func_t)(void *sample, float gain);

/* NULL: samples of this format can't be scaled. */
scale_func_t scale_find(uint32_t format);

#endif /* XEN_SND_SCALE_H */
