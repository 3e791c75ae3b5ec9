/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What PipeWire's versions do differently. */

#ifndef XEN_SND_COMPAT_H
#define XEN_SND_COMPAT_H

#include <spa/support/log.h>

/* Define a plugin's only log topic, once, at the top level of a file: from 1.2 on
 * the log finds topics by enumeration, before that each is registered. */
#ifdef SPA_LOG_TOPIC_ENUM_DEFINE_REGISTERED
#define XEN_SND_LOG_TOPIC_DEFINE(topic,name)					\
	SPA_LOG_TOPIC_DEFINE(topic, name);					\
	SPA_LOG_TOPIC_ENUM_DEFINE_REGISTERED
#else
#define XEN_SND_LOG_TOPIC_DEFINE(topic,name)					\
	struct spa_log_topic topic = SPA_LOG_TOPIC(0, name)
#endif

#endif /* XEN_SND_COMPAT_H */
