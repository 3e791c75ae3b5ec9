/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The connection to PipeWire: kept up, and what its settings say of the quantum. */

#ifndef XEN_SND_GRAPH_H
#define XEN_SND_GRAPH_H

#include <stdatomic.h>

#include <pipewire/pipewire.h>

#include "latency.h"

struct graph_events {
	/* Main loop: PipeWire is there, or there no more (core NULL). Nodes that
	 * were exported go with the core. */
	void (*core_changed)(void *data, struct pw_core *core);
};

struct graph {
	struct pw_context *context;
	struct pw_loop *loop;
	bool in_server;			/* the module runs in PipeWire itself */
	const struct graph_events *events;
	void *data;

	/* main loop */
	struct pw_core *core;
	struct spa_hook core_proxy_listener, core_listener;
	struct pw_registry *registry;
	struct spa_hook registry_listener;
	struct pw_proxy *metadata;
	struct spa_hook metadata_listener;
	struct spa_source *retry;
	bool said;			/* that PipeWire is not there */

	/* PipeWire's settings, frames. Main loop writes, any thread reads. */
	struct {
		atomic_uint rate, min_quantum, max_quantum, force_quantum;
	} settings;

	/* The shortest period that the graph can serve, in ns: two of its smallest
	 * quanta. Main loop writes, any thread reads. */
	atomic_uint_least64_t min_period;
};

/* Connects, now or as soon as it can. */
int graph_init(struct graph *graph, struct pw_context *context,
		const struct graph_events *events, void *data);
void graph_clear(struct graph *graph);

/* Any thread: what its settings are now. */
struct latency_graph graph_get_settings(const struct graph *graph);

#endif /* XEN_SND_GRAPH_H */
