/* SPDX-License-Identifier: MIT */
/*
 * The program `graph-link`: links two nodes as soon as both are there, and ends when the
 * links are. What pw-link does for those who wait.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "graph.h"

static void on_linked(struct graph *g)
{
	graph_quit(g, 0);
}

int main(int argc, char *argv[])
{
	struct graph g;
	uint32_t channels = 2;
	int c, res;

	while ((c = getopt(argc, argv, "c:")) == 'c')
		channels = (uint32_t)atoi(optarg);
	if (c != -1 || optind + 2 != argc || channels < 1 || channels > GRAPH_MAX_CHANNELS) {
		fputs("usage: graph-link [-c CHANNELS] OUTPUT-NODE INPUT-NODE\n", stderr);
		return 2;
	}
	res = graph_init(&g, &argc, &argv);
	if (res == 0) {
		g.output = argv[optind];
		g.input = argv[optind + 1];
		g.channels = channels;
		g.linger = true;
		g.on_linked = on_linked;
		graph_watch(&g);
		res = graph_run(&g);
	}
	graph_clear(&g);
	return res < 0 ? 1 : 0;
}
