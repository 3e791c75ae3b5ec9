/* SPDX-License-Identifier: MIT */
/*
 * The program `graph-link`: links two nodes as soon as both are there, and ends when the
 * links are. What pw-link does for those who wait.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "graph.h"

static void on_linked(struct graph_route *r)
{
	graph_quit(r->graph, 0);
}

int main(int argc, char *argv[])
{
	struct graph g;
	struct graph_route r = { .channels = 2, .linger = true, .on_linked = on_linked };
	int c, res;

	while ((c = getopt(argc, argv, "c:")) == 'c')
		r.channels = (uint32_t)atoi(optarg);
	if (c != -1 || optind + 2 != argc || r.channels < 1 || r.channels > GRAPH_MAX_CHANNELS) {
		fputs("usage: graph-link [-c CHANNELS] OUTPUT-NODE INPUT-NODE\n", stderr);
		return 2;
	}
	res = graph_init(&g, &argc, &argv);
	if (res == 0) {
		r.output = argv[optind];
		r.input = argv[optind + 1];
		graph_add_route(&g, &r);
		graph_watch(&g);
		res = graph_run(&g);
	}
	graph_clear(&g);
	return res < 0 ? 1 : 0;
}
