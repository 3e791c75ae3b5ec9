/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The module's log topic: PIPEWIRE_DEBUG="mod.xen-snd:4" shows its debug lines. */

#ifndef XEN_SND_LOG_H
#define XEN_SND_LOG_H

#include <pipewire/log.h>

PW_LOG_TOPIC_EXTERN(xen_snd_log_topic);
#define PW_LOG_TOPIC_DEFAULT xen_snd_log_topic

#endif /* XEN_SND_LOG_H */
