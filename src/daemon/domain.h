/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A domain that has cards, connected or not, and its budgets. Xenbus thread only, but for
 * the budgets. */

#ifndef XEN_SND_DOMAIN_H
#define XEN_SND_DOMAIN_H

#include "budget.h"
#include "mailbox.h"
#include "stream.h"

struct xenbus;

struct domain {
	struct spa_list link;
	struct xenbus *xenbus;
	uint32_t domid;
	uint32_t cards;			/* that there are */
	struct budgets budgets;

	struct letter letter;		/* to the xenbus thread: lines of log were dropped */
	struct spa_source *timer;	/* asks whether there are more, once a second */
	uint64_t dropped;		/* lines since it began */
};

/* The one of that number, for one card more. NULL with errno. */
struct domain *domain_get(struct xenbus *xenbus, uint32_t domid);
void domain_put(struct domain *domain);

/* Before a card of it is connected, one stream of which is `id`: set the limits as the
 * rules say now. Those of a guest that is connected already stay. */
void domain_set_limits(struct domain *domain, const struct stream_identity *id);

/* Count that a budget was reached, and say so the first time, of `what`. */
void domain_reach(struct domain *domain, enum budget_id id);

#endif /* XEN_SND_DOMAIN_H */
