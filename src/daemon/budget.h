/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What one guest may take of Dom0 at most, and what it has taken: each of it is held,
 * so many at a time, or done, so often a second. Pure. */

#ifndef XEN_SND_BUDGET_H
#define XEN_SND_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* what the keys of all budgets begin with */
#define BUDGET_PREFIX	"xen.max-"

enum budget_id {
	/* held */
	BUDGET_CARDS,
	BUDGET_STREAMS,
	BUDGET_OCTETS,
	BUDGET_GRANTS,
	/* a second */
	BUDGET_REQUESTS,
	BUDGET_OPENS,
	BUDGET_STATES,
	BUDGET_IDLE_SIGNALS,
	BUDGET_LOG_LINES,
	N_BUDGETS
};

struct budget_info {
	const char *key;		/* that a rule sets it by */
	uint32_t normal, least, most;
	const char *what;		/* there are more than so many of */
	const char *effect;		/* that it then has */
};

extern const struct budget_info budget_infos[N_BUDGETS];

struct budget {
	uint32_t limit;			/* xenbus thread writes, while there is no guest thread */
	/* any thread but a realtime one: how many are held; or CLOCK_MONOTONIC ns, when
	 * all of a second's worth is there again */
	atomic_uint_least64_t spent;
	atomic_uint_least64_t reached;	/* any: how often it was */
};

struct budgets {
	struct budget of[N_BUDGETS];
	atomic_uint_least64_t dropped;	/* any: lines since somebody has asked */
	/* in the thread of the first of them; NULL: nobody asks */
	void (*on_dropped)(struct budgets *budgets);
};

/* The defaults, of what is limited; what is held and counted stays. */
void budgets_set_normal(struct budgets *budgets);

/* A key and its value, as text: -ENOENT: no budget has that key, -EINVAL: it is no
 * number or out of range, `id` says of which. */
int budget_parse(const char *key, const char *value, enum budget_id *id, uint32_t *limit);

/* Take over what budget_parse() understands; the rest changes nothing. */
void budgets_set(struct budgets *budgets, const char *key, const char *value);

/* What is held: false, and nothing taken, if it would be more than the limit. */
bool budget_take(struct budgets *budgets, enum budget_id id, uint32_t n);
void budget_give(struct budgets *budgets, enum budget_id id, uint32_t n);
uint64_t budget_held(const struct budgets *budgets, enum budget_id id);

/* What is done, at `now` (CLOCK_MONOTONIC ns): 0 if it may be, or the ns to wait for
 * that. budget_spend() counts it, if it may be. */
uint64_t budget_wait(const struct budgets *budgets, enum budget_id id, uint64_t now);
uint64_t budget_spend(struct budgets *budgets, enum budget_id id, uint64_t now);

/* Count that it was reached. True: for the first time, which is to be said. */
bool budget_reach(struct budgets *budgets, enum budget_id id);
uint64_t budget_reached(const struct budgets *budgets, enum budget_id id);

/* A line of log: false, and counted, if there are too many. */
bool budgets_may_log(struct budgets *budgets, uint64_t now);

#endif /* XEN_SND_BUDGET_H */
