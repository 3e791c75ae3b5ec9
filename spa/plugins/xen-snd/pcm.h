/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The node of a guest's stream, in both directions. */

#ifndef XEN_SND_PCM_H
#define XEN_SND_PCM_H

#include <spa/support/plugin.h>

extern const struct spa_handle_factory xen_snd_source_factory;
extern const struct spa_handle_factory xen_snd_sink_factory;

#endif /* XEN_SND_PCM_H */
