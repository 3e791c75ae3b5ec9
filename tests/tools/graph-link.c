/* SPDX-License-Identifier: MIT */
/*
 * The program `graph-link`: links two nodes as soon as both are there, and ends when the
 * links are. What pw-link does for those who wait. A node that goes while it is linked
 * may have a successor of its name.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "graph.h"

#define ATTEMPTS 10

static void on_linked(struct graph_route *r)
{
	graph_quit(r->graph, 0);
}

static int make_links(struct graph_route *r, int argc, char *argv[])
{
	struct graph g;
	int res = graph_init(&g, &argc, &argv);

	if (res == 0) {
		graph_add_route(&g, r);
		graph_watch(&g);
		res = graph_run(&g);
	}
	graph_clear(&g);
	return res < 0 ? 1 : 0;
}

/* In a process of its own, so that each attempt begins with nothing. */
static int attempt(struct graph_route *r, int argc, char *argv[])
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		exit(make_links(r, argc, argv));
	if (pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("graph-link");
		return 1;
	}
	return status;
}

int main(int argc, char *argv[])
{
	struct graph_route r = { .channels = 2, .linger = true, .on_linked = on_linked };
	int c;

	while ((c = getopt(argc, argv, "c:")) == 'c')
		r.channels = (uint32_t)atoi(optarg);
	if (c != -1 || optind + 2 != argc || r.channels < 1 || r.channels > GRAPH_MAX_CHANNELS) {
		fputs("usage: graph-link [-c CHANNELS] OUTPUT-NODE INPUT-NODE\n", stderr);
		return 2;
	}
	r.output = argv[optind];
	r.input = argv[optind + 1];
	for (int i = 0; i < ATTEMPTS; i++)
		if (attempt(&r, argc, argv) == 0)
			return 0;
	return 1;
}
