/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The nodes of open streams: made, activated and removed as the streams say.
 * Main loop, but for the watcher. */

#ifndef XEN_SND_NODE_H
#define XEN_SND_NODE_H

#include "config.h"
#include "graph.h"
#include "stream.h"

struct nodes {
	struct stream_watcher watcher;	/* give this to the streams; guest threads call it */
	struct mailbox mailbox;
	struct config_holder *config;
	struct graph *graph;		/* used while there is a core */
	struct pw_loop *loop;
	bool connected;
	struct spa_list list;
	struct spa_source *timer;	/* once a second, while a node wants it */
	bool ticking;
	uint64_t denied;		/* CLOCK_MONOTONIC ns when all of DENIED_LINES may be said again */
	struct spa_source *ending;	/* when the next node goes whose stream is closed */
};

int nodes_init(struct nodes *nodes, struct config_holder *config, struct graph *graph,
		struct pw_loop *loop);

/* No stream is open any more, and no thread calls the watcher. */
void nodes_clear(struct nodes *nodes);

/* PipeWire came or went. */
void nodes_core_changed(struct nodes *nodes, bool connected);

#endif /* XEN_SND_NODE_H */
