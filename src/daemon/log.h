/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The module's log topic: PIPEWIRE_DEBUG="mod.xen-snd:4" shows its debug lines. */

#ifndef XEN_SND_LOG_H
#define XEN_SND_LOG_H

#include <pipewire/log.h>

#include "budget.h"
#include "clock.h"

PW_LOG_TOPIC_EXTERN(xen_snd_log_topic);
#define PW_LOG_TOPIC_DEFAULT xen_snd_log_topic

/* A line that a guest can cause, by what it does: it costs the guest's budgets, if it is
 * shown. Any thread but a realtime one; all such lines at level info and above. */
#define guest_log(budgets, level, ...)						\
do {										\
	if (pw_log_topic_enabled(level, PW_LOG_TOPIC_DEFAULT) &&		\
	    budgets_may_log(budgets, clock_now()))				\
		pw_log(level, __VA_ARGS__);					\
} while (0)

#define guest_log_error(budgets, ...)	guest_log(budgets, SPA_LOG_LEVEL_ERROR, __VA_ARGS__)
#define guest_log_warn(budgets, ...)	guest_log(budgets, SPA_LOG_LEVEL_WARN, __VA_ARGS__)
#define guest_log_info(budgets, ...)	guest_log(budgets, SPA_LOG_LEVEL_INFO, __VA_ARGS__)

/* Count that a budget was reached, and say so the first time, beginning with who it was. */
#define GUEST_REACHED_FORMAT(who)	who ": more than %u %s: %s (a rule can set %s)"
#define GUEST_REACHED_ARGS(budgets, id)						\
	(budgets)->of[id].limit, budget_infos[id].what, budget_infos[id].effect,	\
	budget_infos[id].key

#define guest_reached(budgets, id, who, ...)					\
do {										\
	if (budget_reach(budgets, id))						\
		guest_log_warn(budgets, GUEST_REACHED_FORMAT(who), __VA_ARGS__,	\
				GUEST_REACHED_ARGS(budgets, id));		\
} while (0)

#endif /* XEN_SND_LOG_H */
