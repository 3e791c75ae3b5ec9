/* SPDX-License-Identifier: MIT */
/*
 * The program `graph-profile`: writes down when a node of the graph ran, by PipeWire's own
 * profiler; a line a cycle, times on CLOCK_MONOTONIC in ns:
 *
 *   POSITION DUE STARTED SIGNALLED AWAKE FINISHED STATUS
 *
 * POSITION and DUE are what the driver's clock says of the cycle, STARTED is when the driver
 * really began it; the rest is the node's: 3 is the STATUS of one that was done in time.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spa/param/profiler.h>
#include <spa/pod/iter.h>
#include <spa/pod/parser.h>

#include <pipewire/impl.h>
#include <pipewire/extensions/profiler.h>

#include "graph.h"

#define PROTOCOL "libpipewire-module-profiler"	/* what its objects are spoken with */

struct profile {
	struct graph graph;
	struct spa_hook registry_listener;
	struct pw_proxy *profiler;
	struct spa_hook listener;
	const char *node;
	const char *log_file;
	const char *ready_fifo;
	FILE *log;
	bool ready;
};

struct cycle {
	int64_t position;
	int64_t due;
	int64_t started;
};

static int read_clock(const struct spa_pod *pod, struct cycle *c)
{
	int32_t flags, id;
	const char *name;
	struct spa_fraction rate;

	return spa_pod_parse_struct(pod, SPA_POD_Int(&flags), SPA_POD_Int(&id), SPA_POD_String(&name),
			SPA_POD_Long(&c->due), SPA_POD_Fraction(&rate), SPA_POD_Long(&c->position));
}

static int read_driver(const struct spa_pod *pod, struct cycle *c)
{
	int32_t id;
	const char *name;
	int64_t before;

	return spa_pod_parse_struct(pod, SPA_POD_Int(&id), SPA_POD_String(&name), SPA_POD_Long(&before),
			SPA_POD_Long(&c->started));
}

static void log_follower(struct profile *p, const struct spa_pod *pod, const struct cycle *c)
{
	int64_t before, signalled, awake, finished;
	int32_t id, status;
	const char *name;

	if (spa_pod_parse_struct(pod, SPA_POD_Int(&id), SPA_POD_String(&name), SPA_POD_Long(&before),
			SPA_POD_Long(&signalled), SPA_POD_Long(&awake), SPA_POD_Long(&finished),
			SPA_POD_Int(&status)) < 0 || strcmp(name, p->node) != 0)
		return;
	fprintf(p->log, "%lld %lld %lld %lld %lld %lld %d\n", (long long)c->position, (long long)c->due,
			(long long)c->started, (long long)signalled, (long long)awake,
			(long long)finished, status);
	if (!p->ready)
		graph_say_ready(p->ready_fifo);
	p->ready = true;
}

static void log_cycle(struct profile *p, const struct spa_pod_object *object)
{
	struct cycle c = { 0 };
	struct spa_pod_prop *prop;

	SPA_POD_OBJECT_FOREACH(object, prop) {
		if (prop->key == SPA_PROFILER_clock && read_clock(&prop->value, &c) < 0)
			return;
		if (prop->key == SPA_PROFILER_driverBlock && read_driver(&prop->value, &c) < 0)
			return;
		if (prop->key == SPA_PROFILER_followerBlock)
			log_follower(p, &prop->value, &c);
	}
}

static void on_profile(void *data, const struct spa_pod *pod)
{
	struct spa_pod *o;

	SPA_POD_STRUCT_FOREACH(pod, o)
		if (spa_pod_is_object_type(o, SPA_TYPE_OBJECT_Profiler))
			log_cycle(data, (const struct spa_pod_object *)o);
}

static const struct pw_profiler_events profiler_events = {
	PW_VERSION_PROFILER_EVENTS,
	.profile = on_profile,
};

static void on_global(void *data, uint32_t id, uint32_t permissions, const char *type,
		uint32_t version, const struct spa_dict *props)
{
	struct profile *p = data;

	if (p->profiler != NULL || strcmp(type, PW_TYPE_INTERFACE_Profiler) != 0)
		return;
	p->profiler = pw_registry_bind(p->graph.registry, id, type, PW_VERSION_PROFILER, 0);
	if (p->profiler == NULL)
		graph_quit(&p->graph, -errno);
	else
		pw_proxy_add_object_listener(p->profiler, &p->listener, &profiler_events, p);
}

static const struct pw_registry_events registry_events = {
	PW_VERSION_REGISTRY_EVENTS,
	.global = on_global,
};

static int usage(void)
{
	fputs("usage: graph-profile --node NODE --log FILE [--ready FIFO]\n", stderr);
	return 2;
}

static bool parse_options(struct profile *p, int argc, char *argv[])
{
	static const struct option known[] = {
		{ "node", required_argument, NULL, 'n' },
		{ "log", required_argument, NULL, 'l' },
		{ "ready", required_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'n':
			p->node = optarg;
			break;
		case 'l':
			p->log_file = optarg;
			break;
		case 'f':
			p->ready_fifo = optarg;
			break;
		default:
			return false;
		}
	}
	return p->node != NULL && p->log_file != NULL;
}

static int run(struct profile *p)
{
	int res;

	p->log = fopen(p->log_file, "w");
	if (p->log == NULL)
		return -errno;
	if (pw_context_load_module(p->graph.context, PROTOCOL, NULL, NULL) == NULL)
		return -errno;
	graph_watch(&p->graph);
	pw_registry_add_listener(p->graph.registry, &p->registry_listener, &registry_events, p);
	res = graph_run(&p->graph);
	if (p->profiler != NULL)
		pw_proxy_destroy(p->profiler);
	if (fclose(p->log) != 0 && res == 0)
		res = -errno;
	return res;
}

int main(int argc, char *argv[])
{
	static struct profile p;
	int res;

	if (!parse_options(&p, argc, argv))
		return usage();
	res = graph_init(&p.graph, &argc, &argv);
	if (res == 0)
		res = run(&p);
	if (res < 0)
		fprintf(stderr, "graph-profile: %s\n", strerror(-res));
	graph_clear(&p.graph);
	return res < 0 ? 1 : 0;
}
