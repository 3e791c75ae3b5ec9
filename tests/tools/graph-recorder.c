/* SPDX-License-Identifier: MIT */
/*
 * The program `graph-recorder`: records what a node gives out, every frame of every cycle
 * as it was given: the samples as raw S16_LE, and a line a cycle:
 *
 *   CYCLE-NSEC CYCLE-POSITION CYCLE-FRAMES FRAMES-SO-FAR LAST-NUMBER
 *
 * FRAMES-SO-FAR counts from the first frame that was not silent; LAST-NUMBER is that of
 * the last pattern frame so far, -1 before the first.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"
#include "pattern.h"

#define SHORTEST_CYCLE 32u
#define CYCLES_AFTER_END 3u	/* what a driver's monitor gives out is a cycle late */

struct cycle {
	uint64_t nsec;
	uint64_t position;
	uint32_t frames;
	uint64_t so_far;
	int64_t number;
};

struct recorder {
	struct graph graph;
	struct graph_route route;
	struct graph_filter filter;
	uint32_t channels;
	uint32_t seconds;
	uint32_t latency;	/* frames that it says it has */
	const char *target;
	const char *raw_file;
	const char *log_file;
	const char *ready_fifo;
	struct spa_source *ready;
	struct spa_source *over;
	struct spa_source *timeout;
	bool linked;
	uint32_t to_go;		/* cycles until the end, set by the main loop; 0: no end */

	/* all room is made before the first cycle; only the data thread writes from here */
	uint8_t *samples;
	size_t room_frames;
	size_t n_frames;
	struct cycle *cycles;
	size_t room_cycles;
	size_t n_cycles;
	uint64_t so_far;
	int64_t number;
	unsigned int decay;	/* frames that the last numbered one has decayed for */
	bool overrun;
	bool running;
	struct cycle_watch watch;
};

static int16_t to_s16(float x)
{
	long v = lrintf(x * 32768.0f);

	return (int16_t)(v < -32768 ? -32768 : v > 32767 ? 32767 : v);
}

static void put_frames(struct recorder *r, uint32_t n)
{
	uint8_t *at = r->samples + r->n_frames * r->channels * 2;

	for (uint32_t c = 0; c < r->channels; c++) {
		const float *in = pw_filter_get_dsp_buffer(r->filter.ports[c], n);

		for (uint32_t i = 0; i < n; i++) {
			int16_t v = in != NULL ? to_s16(in[i]) : 0;
			uint8_t *p = at + (i * r->channels + c) * 2;

			p[0] = (uint8_t)((uint16_t)v & 0xff);
			p[1] = (uint8_t)((uint16_t)v >> 8);
		}
	}
}

static void follow_number(struct recorder *r, const uint8_t *frame)
{
	uint64_t due = (uint64_t)(r->number + 1), number;
	bool numbered = pattern_number(frame, r->channels, due, &number);

	if ((!numbered || number != due) && r->number >= 0 &&
			pattern_is_decay(frame, r->channels, (uint64_t)r->number, r->decay + 1)) {
		r->decay++;
	} else if (numbered) {
		r->number = (int64_t)number;
		r->decay = 0;
	}
}

static void follow_numbers(struct recorder *r, uint32_t n)
{
	const uint8_t *frame = r->samples + r->n_frames * r->channels * 2;

	for (uint32_t i = 0; i < n; i++, frame += r->channels * 2) {
		bool silent = pattern_is_silent(frame, r->channels);

		if (r->so_far > 0 || !silent)
			r->so_far++;
		if (!silent)
			follow_number(r, frame);
	}
}

static void on_process(void *data, struct spa_io_position *position)
{
	struct recorder *r = data;
	const struct spa_io_clock clock = position->clock;
	uint32_t n = (uint32_t)clock.duration;

	if (r->n_frames + n > r->room_frames || r->n_cycles == r->room_cycles) {
		r->overrun = true;
		return;
	}
	put_frames(r, n);
	follow_numbers(r, n);
	r->n_frames += n;
	r->cycles[r->n_cycles++] = (struct cycle){
		.nsec = clock.nsec,
		.position = clock.position,
		.frames = n,
		.so_far = r->so_far,
		.number = r->number,
	};
	cycle_watch_count(&r->watch, &clock);
	if (!r->running) {
		r->running = true;
		pw_loop_signal_event(pw_main_loop_get_loop(r->graph.loop), r->ready);
	}
	if (__atomic_load_n(&r->to_go, __ATOMIC_ACQUIRE) > 0 &&
			__atomic_sub_fetch(&r->to_go, 1, __ATOMIC_ACQ_REL) == 0)
		pw_loop_signal_event(pw_main_loop_get_loop(r->graph.loop), r->over);
}

static const struct pw_filter_events filter_events = {
	PW_VERSION_FILTER_EVENTS,
	.process = on_process,
};

static void say_ready_if_so(struct recorder *r)
{
	if (r->linked && r->running)
		graph_say_ready(r->ready_fifo);
}

static void on_first_cycle(void *data, uint64_t count)
{
	say_ready_if_so(data);
}

static void on_linked(struct graph_route *route)
{
	struct recorder *r = SPA_CONTAINER_OF(route, struct recorder, route);

	r->linked = true;
	say_ready_if_so(r);
}

static void on_last_cycle(void *data, uint64_t count)
{
	struct recorder *r = data;

	graph_quit(&r->graph, 0);
}

static void on_timeout(void *data, uint64_t expirations)
{
	on_last_cycle(data, expirations);
}

/* A graph that runs no more is not waited for. */
static void on_end(struct graph *g)
{
	struct recorder *r = SPA_CONTAINER_OF(g, struct recorder, graph);
	struct timespec second = { .tv_sec = 1 };

	__atomic_store_n(&r->to_go, CYCLES_AFTER_END, __ATOMIC_RELEASE);
	pw_loop_update_timer(pw_main_loop_get_loop(g->loop), r->timeout, &second, NULL, false);
}

/* Touched now, so that no page fault waits in a cycle. */
static int make_room(struct recorder *r)
{
	r->room_frames = (size_t)r->seconds * 48000;
	r->room_cycles = r->room_frames / SHORTEST_CYCLE;
	r->samples = malloc(r->room_frames * r->channels * 2);
	r->cycles = malloc(r->room_cycles * sizeof(r->cycles[0]));
	if (r->samples == NULL || r->cycles == NULL)
		return -ENOMEM;
	memset(r->samples, 0, r->room_frames * r->channels * 2);
	memset(r->cycles, 0, r->room_cycles * sizeof(r->cycles[0]));
	r->number = -1;
	return 0;
}

static int write_files(const struct recorder *r)
{
	FILE *raw = fopen(r->raw_file, "wb"), *log = fopen(r->log_file, "w");
	bool ok = raw != NULL && log != NULL && !r->overrun;

	if (raw != NULL) {
		ok &= fwrite(r->samples, r->channels * 2, r->n_frames, raw) == r->n_frames;
		ok &= fclose(raw) == 0;
	}
	for (size_t i = 0; log != NULL && i < r->n_cycles; i++)
		fprintf(log, "%llu %llu %u %llu %lld\n", (unsigned long long)r->cycles[i].nsec,
				(unsigned long long)r->cycles[i].position, r->cycles[i].frames,
				(unsigned long long)r->cycles[i].so_far, (long long)r->cycles[i].number);
	if (log != NULL)
		ok &= fclose(log) == 0;
	if (!ok)
		fprintf(stderr, "graph-recorder: %s\n", r->overrun ? "ran out of room" : "cannot write");
	return ok ? 0 : -EIO;
}

static int usage(void)
{
	fputs("usage: graph-recorder --target NODE --raw FILE --log FILE [--channels C]\n"
	      "           [--seconds N] [--ready FIFO] [--latency FRAMES]\n", stderr);
	return 2;
}

static bool parse_options(struct recorder *r, int argc, char *argv[])
{
	static const struct option known[] = {
		{ "target", required_argument, NULL, 't' },
		{ "raw", required_argument, NULL, 'r' },
		{ "log", required_argument, NULL, 'l' },
		{ "channels", required_argument, NULL, 'c' },
		{ "seconds", required_argument, NULL, 's' },
		{ "ready", required_argument, NULL, 'f' },
		{ "latency", required_argument, NULL, 'd' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 't':
			r->target = optarg;
			break;
		case 'r':
			r->raw_file = optarg;
			break;
		case 'l':
			r->log_file = optarg;
			break;
		case 'c':
			r->channels = (uint32_t)atoi(optarg);
			break;
		case 's':
			r->seconds = (uint32_t)atoi(optarg);
			break;
		case 'f':
			r->ready_fifo = optarg;
			break;
		case 'd':
			r->latency = (uint32_t)atoi(optarg);
			break;
		default:
			return false;
		}
	}
	return r->target != NULL && r->raw_file != NULL && r->log_file != NULL &&
			r->channels >= 1 && r->channels <= GRAPH_MAX_CHANNELS;
}

static int record(struct recorder *r)
{
	struct pw_loop *loop = pw_main_loop_get_loop(r->graph.loop);
	int res;

	r->ready = pw_loop_add_event(loop, on_first_cycle, r);
	r->over = pw_loop_add_event(loop, on_last_cycle, r);
	r->timeout = pw_loop_add_timer(loop, on_timeout, r);
	if ((res = make_room(r)) < 0 || (res = graph_filter_init(&r->filter, &r->graph, "graph-recorder",
			PW_DIRECTION_INPUT, r->channels, &filter_events, r)) < 0)
		return res;
	if (r->latency > 0)
		graph_filter_set_latency(&r->filter, r->latency);
	r->route.output = r->target;
	r->route.input = r->filter.name;
	r->route.channels = r->channels;
	r->route.on_linked = on_linked;
	r->graph.on_end = on_end;
	graph_add_route(&r->graph, &r->route);
	graph_watch(&r->graph);
	res = graph_run(&r->graph);
	graph_filter_clear(&r->filter);
	if (write_files(r) < 0)
		res = -EIO;
	printf("missed %u cycles\n", r->watch.missed);
	return res;
}

int main(int argc, char *argv[])
{
	static struct recorder r = { .channels = 2, .seconds = 60 };
	int res;

	if (!parse_options(&r, argc, argv))
		return usage();
	res = graph_init(&r.graph, &argc, &argv);
	if (res == 0)
		res = record(&r);
	graph_clear(&r.graph);
	return res < 0 ? 1 : 0;
}
