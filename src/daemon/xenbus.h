/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The xenbus thread: finds cards in XenStore, watches them and their frontends. */

#ifndef XEN_SND_XENBUS_H
#define XEN_SND_XENBUS_H

#include "domain.h"
#include "guest.h"
#include "store.h"

struct xenbus {
	const struct guest_env *env;	/* constant */
	struct worker worker;
	struct xs_handle *xs;		/* the rest: xenbus thread. NULL: xenstored is gone */
	struct spa_source *source;
	struct spa_source *lifeline;	/* hangs up when xenstored ends; NULL: nobody tells */
	struct spa_source *timer;	/* tries to reach it again, or ends the settling */
	uint64_t retry_nsec;
	bool settling;			/* it came back, perhaps without all that it knew */
	uint32_t domid;			/* our own: 0, or a driver domain's */
	char root[STORE_PATH_SIZE];	/* the directory of all vsnd backends */
	struct spa_list cards;
	struct spa_list domains;
	struct spa_list guests;
};

/* Is there a Xen to work with? 0, or a negative errno with one line of `why` that
 * says what is missing and how to get it. Any thread. */
int xenbus_probe(struct xentoollog_logger *logger, char *why, size_t size);

/* Main loop. NULL with errno. */
struct xenbus *xenbus_new(const struct guest_env *env);

/* Main loop: ends all threads, closes all streams. States in XenStore stay. */
void xenbus_free(struct xenbus *xenbus);

/* Xenbus thread: the guest of a domain, with its thread, counted. NULL with errno. */
struct guest *xenbus_get_guest(struct xenbus *xenbus, struct domain *domain);
void xenbus_put_guest(struct xenbus *xenbus, struct guest *guest);

#endif /* XEN_SND_XENBUS_H */
