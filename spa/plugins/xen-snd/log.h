/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The plugin's log topic: PIPEWIRE_DEBUG="spa.xen-snd:4" shows its debug lines. */

#ifndef XEN_SND_PLUGIN_LOG_H
#define XEN_SND_PLUGIN_LOG_H

#include <spa/support/log.h>

extern struct spa_log_topic xen_snd_plugin_log_topic;

#undef SPA_LOG_TOPIC_DEFAULT
#define SPA_LOG_TOPIC_DEFAULT &xen_snd_plugin_log_topic

#endif /* XEN_SND_PLUGIN_LOG_H */
