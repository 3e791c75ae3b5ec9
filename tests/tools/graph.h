/* SPDX-License-Identifier: MIT */
/*
 * A client of the graph for tests: it watches nodes and ports, and links nodes by name
 * as soon as both are there.
 */
#ifndef XEN_SND_TEST_GRAPH_H
#define XEN_SND_TEST_GRAPH_H

#include <time.h>

#include <pipewire/filter.h>
#include <pipewire/pipewire.h>

#define GRAPH_MAX_CHANNELS 32u

struct graph {
	struct pw_main_loop *loop;
	struct pw_context *context;
	struct pw_core *core;
	struct pw_registry *registry;
	struct spa_hook core_listener;
	struct spa_hook registry_listener;
	struct spa_list objects;
	struct spa_list routes;
	void (*on_end)(struct graph *g);	/* asked to end; without it graph_quit() */
	bool over;
	int result;
};

/* Two nodes that are to be linked, over and over if one of them goes and comes. */
struct graph_route {
	struct graph *graph;
	struct spa_list link;
	const char *output;	/* names of the nodes */
	const char *input;
	uint32_t channels;
	bool linger;		/* the links outlive this client */
	uint32_t n_links;
	struct link {
		struct graph_route *route;
		struct pw_proxy *proxy;
		struct spa_hook listener;
		struct spa_hook proxy_listener;
		bool ready;
	} links[GRAPH_MAX_CHANNELS];
	void (*on_linked)(struct graph_route *r);
};

/* Did this client run in every cycle, and was it done in time? If not, what it saw proves nothing:
 * in the next cycle buffers are written again, whoever still reads them. */
struct cycle_watch {
	uint64_t next;		/* position at which the next cycle is due */
	uint32_t missed;
};

/* When all is done, with the clock as it was at the beginning. */
static inline void cycle_watch_count(struct cycle_watch *w, const struct spa_io_clock *clock)
{
	uint64_t length = clock->duration * SPA_NSEC_PER_SEC * clock->rate.num / clock->rate.denom;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (w->next != 0 && (clock->position != w->next ||
			(uint64_t)SPA_TIMESPEC_TO_NSEC(&now) > clock->nsec + length))
		w->missed++;
	w->next = clock->position + clock->duration;
}

/* A node of this client, with a port for each channel. */
struct graph_filter {
	struct pw_filter *filter;
	struct spa_hook listener;
	char name[64];		/* node.name: the program's, and its pid */
	void *ports[GRAPH_MAX_CHANNELS];
};

/** connect; 0 or a negative errno */
int graph_init(struct graph *g, int *argc, char ***argv);
/** link the two nodes when both are there; before graph_watch() */
void graph_add_route(struct graph *g, struct graph_route *r);
/** all of its links are there */
bool graph_is_linked(const struct graph_route *r);
/** start to look for nodes */
void graph_watch(struct graph *g);
/** run until a signal to end or graph_quit(); the result */
int graph_run(struct graph *g);
void graph_quit(struct graph *g, int result);
void graph_clear(struct graph *g);

/** make the node; its `events` come with `data`, its cycles on a realtime thread */
int graph_filter_init(struct graph_filter *f, struct graph *g, const char *program,
		enum pw_direction direction, uint32_t channels,
		const struct pw_filter_events *events, void *data);
/** say that what goes in is heard so many frames later */
void graph_filter_set_latency(struct graph_filter *f, uint32_t frames);
void graph_filter_clear(struct graph_filter *f);

/** tell whoever waits: a line on stdout, and on the FIFO if there is one */
void graph_say_ready(const char *fifo);

#endif
