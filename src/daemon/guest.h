/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A guest domain: the thread that maps its pages and answers its requests. What
 * this guest makes slow is slow for itself. */

#ifndef XEN_SND_GUEST_H
#define XEN_SND_GUEST_H

#include "line.h"
#include "mailbox.h"

struct config_holder;
struct graph;
struct refusals;

/* What all guests share, constant. */
struct guest_env {
	struct xentoollog_logger *logger;	/* for the Xen libraries */
	struct stream_watcher *watcher;
	const atomic_uint_least64_t *min_period;	/* ns that the graph can serve, any time */
	struct config_holder *config;
	const struct graph *graph;		/* for what any thread may do with it */
	/* contract_make(); NULL: any latency will do */
	int (*contract)(const struct guest_env *env, const struct stream_identity *identity,
			bool capture, const struct xen_snd_geometry *geometry,
			struct latency *latency);
	struct refusals *refusals;		/* or NULL */
	struct state *state;			/* xenbus thread; NULL: nothing is kept */
};

struct guest {
	struct spa_list link;		/* the rest of this block: xenbus thread */
	uint32_t cards;			/* that use this guest */

	const struct guest_env *env;	/* constant */
	uint32_t domid;			/* constant */
	struct budgets *budgets;	/* the domain's, constant */
	struct worker worker;
	bool stopped;

	/* guest thread */
	struct grants grants;
	xenevtchn_handle *evtchn;	/* the request channels of all its lines */
	struct spa_source *source, *timer;
	struct spa_list connections;
	uint64_t timer_nsec;		/* interval it is armed with, 0 = not */
};

enum connection_step {
	CONNECTION_CONNECT,
	CONNECTION_RESUME,	/* what a backend before us has connected */
	CONNECTION_DISCONNECT,
};

/* A card's lines, connected or to be. */
struct connection {
	struct spa_list link;		/* guest thread */
	struct guest *guest;
	struct line *lines;
	uint32_t n_lines;

	struct letter letter;		/* to the guest thread */
	enum connection_step step;	/* set before posting: what to do */
	int res;			/* set by the guest thread before it answers */
	struct mailbox *reply_to;
	struct letter reply;		/* to `reply_to`, when done */
};

/* Xenbus thread. NULL with errno. */
struct guest *guest_new(const struct guest_env *env, uint32_t domid, struct budgets *budgets);

/* No other thread runs: end the guest's, and leave what is connected still. */
void guest_stop(struct guest *guest);

/* Xenbus thread, or after guest_stop(): all its connections are gone. */
void guest_free(struct guest *guest);

/* Xenbus thread: take the step; `reply` is posted when it is done. One at a time.
 * From connecting to the reply after disconnecting the lines belong
 * to the guest thread. */
void guest_connect(struct connection *connection, enum connection_step step);

/* Guest thread: a stream of one of its lines was started. */
void guest_wake(struct guest *guest);

#endif /* XEN_SND_GUEST_H */
