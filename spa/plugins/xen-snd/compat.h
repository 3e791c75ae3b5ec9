/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What PipeWire's versions do differently. */

#ifndef XEN_SND_COMPAT_H
#define XEN_SND_COMPAT_H

#include <spa/support/log.h>
#include <spa/utils/json.h>

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

/* What stands in a bracket, without it: some versions want to know which one it is. */
#ifdef SPA_JSON_INIT_RELAX
#define XEN_SND_JSON_INIT(bracket, data, size)	SPA_JSON_INIT_RELAX(bracket, data, size)
#else
#define XEN_SND_JSON_INIT(bracket, data, size)	SPA_JSON_INIT(data, size)
#endif

#endif /* XEN_SND_COMPAT_H */
