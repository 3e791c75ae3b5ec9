/* SPDX-License-Identifier: MIT */
/*
 * The program `graph-generator`: feeds a node with the pattern, from frame 0 on and
 * without a gap, starting when it is linked or when SIGUSR1 says so.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"
#include "pattern.h"

struct generator {
	struct graph graph;
	struct graph_route route;
	struct graph_filter filter;
	uint32_t channels;
	const char *target;
	const char *ready_fifo;
	struct spa_source *ready;
	bool linked;
	bool hold;
	bool going;		/* set by the main loop, read by the data thread */

	bool running;		/* the data thread's, as what follows */
	uint64_t next;
	uint64_t frames;	/* 0: without end */
	struct cycle_watch watch;
};

static void put_frames(struct generator *g, float *out, uint32_t channel, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t number = g->next + i;
		bool over = g->frames > 0 && number >= g->frames;

		out[i] = over ? 0.0f : (float)pattern_sample(number, channel, g->channels) / 32768.0f;
	}
}

static void on_process(void *data, struct spa_io_position *position)
{
	struct generator *g = data;
	const struct spa_io_clock clock = position->clock;
	uint32_t n = (uint32_t)clock.duration;
	bool going = __atomic_load_n(&g->going, __ATOMIC_ACQUIRE);
	bool fed = true;

	for (uint32_t c = 0; c < g->channels; c++) {
		float *out = pw_filter_get_dsp_buffer(g->filter.ports[c], n);

		if (out == NULL)
			fed = false;
		else if (going)
			put_frames(g, out, c, n);
		else
			memset(out, 0, n * sizeof(float));
	}
	if (going && fed)
		g->next += n;
	cycle_watch_count(&g->watch, &clock);
	if (!g->running) {
		g->running = true;
		pw_loop_signal_event(pw_main_loop_get_loop(g->graph.loop), g->ready);
	}
}

static const struct pw_filter_events filter_events = {
	PW_VERSION_FILTER_EVENTS,
	.process = on_process,
};

static void say_ready_if_so(struct generator *g)
{
	if (g->linked && g->running)
		graph_say_ready(g->ready_fifo);
}

static void on_first_cycle(void *data, uint64_t count)
{
	say_ready_if_so(data);
}

static void on_linked(struct graph_route *route)
{
	struct generator *g = SPA_CONTAINER_OF(route, struct generator, route);

	g->linked = true;
	if (!g->hold)
		__atomic_store_n(&g->going, true, __ATOMIC_RELEASE);
	say_ready_if_so(g);
}

static void on_go(void *data, int signal_number)
{
	struct generator *g = data;

	__atomic_store_n(&g->going, true, __ATOMIC_RELEASE);
}

static int usage(void)
{
	fputs("usage: graph-generator --target NODE [--channels C] [--frames N] [--hold]\n"
	      "           [--ready FIFO]\n", stderr);
	return 2;
}

static bool parse_options(struct generator *g, int argc, char *argv[])
{
	static const struct option known[] = {
		{ "target", required_argument, NULL, 't' },
		{ "channels", required_argument, NULL, 'c' },
		{ "frames", required_argument, NULL, 'n' },
		{ "hold", no_argument, NULL, 'h' },
		{ "ready", required_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 't':
			g->target = optarg;
			break;
		case 'c':
			g->channels = (uint32_t)atoi(optarg);
			break;
		case 'n':
			g->frames = strtoull(optarg, NULL, 10);
			break;
		case 'h':
			g->hold = true;
			break;
		case 'f':
			g->ready_fifo = optarg;
			break;
		default:
			return false;
		}
	}
	return g->target != NULL && g->channels >= 1 && g->channels <= GRAPH_MAX_CHANNELS;
}

static int generate(struct generator *g)
{
	struct pw_loop *loop = pw_main_loop_get_loop(g->graph.loop);
	int res;

	g->ready = pw_loop_add_event(loop, on_first_cycle, g);
	pw_loop_add_signal(loop, SIGUSR1, on_go, g);
	if ((res = graph_filter_init(&g->filter, &g->graph, "graph-generator",
			PW_DIRECTION_OUTPUT, g->channels, &filter_events, g)) < 0)
		return res;
	g->route.output = g->filter.name;
	g->route.input = g->target;
	g->route.channels = g->channels;
	g->route.on_linked = on_linked;
	graph_add_route(&g->graph, &g->route);
	graph_watch(&g->graph);
	res = graph_run(&g->graph);
	graph_filter_clear(&g->filter);
	printf("missed %u cycles\n", g->watch.missed);
	return res;
}

int main(int argc, char *argv[])
{
	static struct generator g = { .channels = 2 };
	int res;

	if (!parse_options(&g, argc, argv))
		return usage();
	res = graph_init(&g.graph, &argc, &argv);
	if (res == 0)
		res = generate(&g);
	graph_clear(&g.graph);
	return res < 0 ? 1 : 0;
}
