/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* sndif's sample formats and channel counts in PipeWire's terms. Pure. */

#ifndef XEN_SND_SAMPLE_H
#define XEN_SND_SAMPLE_H

#include <stdint.h>

/* The formats that PipeWire's converter takes, as HW_PARAM_QUERY's mask. */
uint64_t sample_supported(void);

/* enum spa_audio_format of an enum wire_format, as it lies in the guest's ring;
 * SPA_AUDIO_FORMAT_UNKNOWN: none that we carry. sndif's 24 bits sit in 4 octets,
 * which SPA calls S24_32. */
uint32_t sample_guest_format(uint32_t format);

/* What the node makes of it for the converter, which knows no unsigned samples
 * but those of 8 bits, and spoils doubles that are not in this machine's order. */
uint32_t sample_graph_format(uint32_t format);

/* The usual order of `channels` channels (at most SPA_AUDIO_MAX_CHANNELS). */
void sample_default_position(uint32_t channels, uint32_t *position);

#endif /* XEN_SND_SAMPLE_H */
