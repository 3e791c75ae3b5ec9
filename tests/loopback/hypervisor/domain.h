/* SPDX-License-Identifier: MIT */
/*
 * What a guest does with the loopback hypervisor: it has pages, grants them to the backend's
 * domain and takes them back, and has event channel ports. For model frontends.
 */
#ifndef XEN_LOOPBACK_DOMAIN_H
#define XEN_LOOPBACK_DOMAIN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "state.h"

struct domain {
	uint32_t domid;
	struct hv_domain *hv;
	pthread_mutex_t mutex;	/* the rest */
	uint8_t use[HV_PAGES];	/* enum page_use */
	uint32_t cursor;
};

enum page_use {
	PAGE_FREE,
	PAGE_USED,
	PAGE_DEFERRED,	/* to be freed, but the backend still has it mapped */
};

/* Pages that are one stretch in the guest's memory, and anywhere in its file. */
struct pages {
	uint8_t *address;
	uint32_t count;
	uint32_t *grefs;
};

/* An event channel port of the guest, with a queue of its own: one interrupt line. */
struct line {
	struct hv_domain *hv;
	uint32_t port;
	uint32_t queue;
	int fd;
	int peer_fd;
	uint32_t peer_queue;
};

int domain_create(struct domain *d, uint32_t domid);
/** the guest stopped, as after a crash: xenstored and the toolstack come to know it */
void domain_set_state(struct domain *d, enum hv_domain_state state);
void domain_destroy(struct domain *d);
/** the ring to xenstored, and the line that goes with it: before the domain is introduced */
int domain_open_store(struct domain *d, struct line *l, void **ring);

int domain_pages_alloc(struct domain *d, struct pages *p, uint32_t count);
/**
 * End the grants. Pages that are still mapped stay granted and out of use until they are
 * mapped no more, as in Linux; then this is -EBUSY.
 */
int domain_pages_free(struct domain *d, struct pages *p);
void domain_grant(struct domain *d, uint32_t gref, bool readonly);
int domain_revoke(struct domain *d, uint32_t gref);
/** pages that were freed and are still mapped */
uint32_t domain_deferred(struct domain *d);

int line_open(struct domain *d, struct line *l);
void line_close(struct line *l);
/** wait until it is signalled; it stays masked until line_done() */
void line_wait(struct line *l);
/** when the other end last notified it, on CLOCK_MONOTONIC */
uint64_t line_notified(const struct line *l);
void line_done(struct line *l);
/** signal the other end */
void line_notify(struct line *l);
/** signal this end: wakes a thread in line_wait() */
void line_wake(struct line *l);

#endif
