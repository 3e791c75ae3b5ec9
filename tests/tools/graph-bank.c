/* SPDX-License-Identifier: MIT */
/*
 * The program `graph-bank`: records many nodes and feeds many others with the numbered
 * sequence in the format of each. It does what the lines on a FIFO say, and answers each
 * with a line on another when it is done:
 *
 *   linked          wait until every node is there and its ports carry data
 *   gone            wait until none is
 *   go              feed from number 0 on
 *   dump PREFIX     write what came since the last dump, begin anew, feed silence
 *
 * PREFIX-LABEL.raw holds the floats of a recorded node, PREFIX-LABEL.cycles of any node a
 * line a cycle: CYCLE-NSEC RUN FRAMES-SO-FAR. A run of a recorded node begins with the first
 * frame that is not silent, and again after each silence; its frames count from there. A fed node has one, which begins with `go`.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "graph.h"
#include "sequence.h"

#define MAX_SLOTS 64u
#define SHORTEST_CYCLE 256u
#define CYCLES_TO_RUN 4u
#define LOOK_NS 5000000l
#define WAIT_S 5

struct cycle {
	uint64_t nsec;
	uint32_t run;
	uint64_t so_far;
};

/* What one node gave or got since the last dump. */
struct take {
	float *samples;		/* interleaved; of a recorded node only */
	size_t n_frames;
	struct cycle *cycles;
	size_t n_cycles;
	uint32_t run;
	uint64_t so_far;	/* frames of this run */
	bool quiet;		/* the last frame was silent */
	bool overrun;
};

struct slot {
	struct bank *bank;
	const char *label;
	struct sequence sequence;
	bool feeds;
	struct graph_route route;
	struct graph_filter filter;
	char program[32];

	/* the data thread's, but while it is held in a dump */
	struct take take;
	struct take spare;
};

struct bank {
	struct graph graph;
	uint32_t channels;
	uint32_t seconds;
	const char *commands;
	const char *answers;
	int in, out;
	char line[256];
	size_t n_line;
	struct spa_source *timer;
	enum { WAIT_LINKED, WAIT_GONE } waits_for;
	uint32_t looks;		/* so often again, then it is given up */

	bool going;		/* the data thread's */
	struct cycle_watch watch;
	struct slot *first;	/* its cycles stand for all */

	uint32_t n_slots;
	struct slot slots[MAX_SLOTS];
};

static size_t room_frames(const struct bank *b)
{
	return (size_t)b->seconds * 48000;
}

static size_t room_cycles(const struct bank *b)
{
	return room_frames(b) / SHORTEST_CYCLE;
}

static void count_run(struct slot *s, const float *frames, uint32_t n)
{
	struct take *t = &s->take;

	for (uint32_t i = 0; i < n; i++, frames += s->sequence.channels) {
		bool silent = sequence_is_silent(&s->sequence, (const uint8_t *)frames);

		if (!silent && (t->quiet || t->run == 0)) {
			t->run++;
			t->so_far = 0;
		}
		t->quiet = silent;
		t->so_far += t->run > 0;
	}
}

static void record(struct slot *s, uint32_t n)
{
	const uint32_t channels = s->sequence.channels;
	struct take *t = &s->take;
	float *to = t->samples + t->n_frames * channels;

	for (uint32_t c = 0; c < channels; c++) {
		const float *in = pw_filter_get_dsp_buffer(s->filter.ports[c], n);

		for (uint32_t i = 0; i < n; i++)
			to[i * channels + c] = in != NULL ? in[i] : 0.0f;
	}
	count_run(s, to, n);
}

static void feed(struct slot *s, uint32_t n)
{
	bool fed = s->bank->going;

	for (uint32_t c = 0; c < s->sequence.channels; c++) {
		float *out = pw_filter_get_dsp_buffer(s->filter.ports[c], n);

		if (out == NULL) {
			fed = false;
			continue;
		}
		for (uint32_t i = 0; i < n; i++)
			out[i] = s->bank->going ? sequence_value(s->sequence.format,
					s->take.so_far + i, c) : 0.0f;
	}
	if (fed)
		s->take.so_far += n;
}

static void on_process(void *data, struct spa_io_position *position)
{
	struct slot *s = data;
	struct take *t = &s->take;
	const struct spa_io_clock clock = position->clock;
	uint32_t n = (uint32_t)clock.duration;

	if (t->n_frames + n > room_frames(s->bank) || t->n_cycles == room_cycles(s->bank)) {
		t->overrun = true;
		return;
	}
	if (s->feeds)
		feed(s, n);
	else
		record(s, n);
	t->n_frames += n;
	t->cycles[t->n_cycles] = (struct cycle){
		.nsec = clock.nsec,
		.run = t->run,
		.so_far = t->so_far,
	};
	__atomic_store_n(&t->n_cycles, t->n_cycles + 1, __ATOMIC_RELEASE);
	if (s == s->bank->first)
		cycle_watch_count(&s->bank->watch, &clock);
}

static const struct pw_filter_events filter_events = {
	PW_VERSION_FILTER_EVENTS,
	.process = on_process,
};

/* Touched now, so that no page fault waits in a cycle. */
static int make_take(const struct slot *s, struct take *t)
{
	size_t samples = s->feeds ? 0 : room_frames(s->bank) * s->sequence.channels;
	size_t cycles = room_cycles(s->bank);

	memset(t, 0, sizeof(*t));
	t->samples = malloc((samples + 1) * sizeof(*t->samples));
	t->cycles = malloc(cycles * sizeof(*t->cycles));
	if (t->samples == NULL || t->cycles == NULL)
		return -ENOMEM;
	memset(t->samples, 0, samples * sizeof(*t->samples));
	memset(t->cycles, 0, cycles * sizeof(*t->cycles));
	return 0;
}

static bool write_take(const struct slot *s, const struct take *t, const char *prefix)
{
	size_t frame = sequence_frame_size(&s->sequence);
	char path[512];
	bool ok = !t->overrun;
	FILE *f;

	if (t->overrun)
		fprintf(stderr, "graph-bank: %s ran out of room\n", s->label);
	snprintf(path, sizeof(path), "%s-%s.raw", prefix, s->label);
	if (!s->feeds && (f = fopen(path, "wb")) != NULL) {
		ok &= fwrite(t->samples, frame, t->n_frames, f) == t->n_frames;
		ok &= fclose(f) == 0;
	}
	snprintf(path, sizeof(path), "%s-%s.cycles", prefix, s->label);
	if ((f = fopen(path, "w")) == NULL)
		return false;
	for (size_t i = 0; i < t->n_cycles; i++)
		fprintf(f, "%llu %u %llu\n", (unsigned long long)t->cycles[i].nsec,
				t->cycles[i].run, (unsigned long long)t->cycles[i].so_far);
	return fclose(f) == 0 && ok;
}

/* In the data thread, between two cycles. */
static int swap_takes(struct spa_loop *loop, bool async, uint32_t seq, const void *data,
		size_t size, void *user_data)
{
	struct bank *b = user_data;

	b->going = false;
	for (uint32_t i = 0; i < b->n_slots; i++) {
		struct slot *s = &b->slots[i];
		struct take t = s->take;

		s->take = s->spare;
		s->take.n_frames = s->take.n_cycles = 0;
		s->take.so_far = s->take.run = 0;
		s->take.quiet = false;
		s->take.overrun = false;
		s->spare = t;
	}
	return 0;
}

static int begin_feed(struct spa_loop *loop, bool async, uint32_t seq, const void *data,
		size_t size, void *user_data)
{
	struct bank *b = user_data;

	b->going = true;
	return 0;
}

static void in_data_thread(struct bank *b, spa_invoke_func_t func)
{
	pw_data_loop_invoke(pw_context_get_data_loop(b->graph.context), func, 0, NULL, 0, true, b);
}

static void answer(struct bank *b, const char *text)
{
	if (write(b->out, text, strlen(text)) != (ssize_t)strlen(text))
		perror(b->answers);
}

static void do_dump(struct bank *b, const char *prefix)
{
	bool ok = true;

	in_data_thread(b, swap_takes);
	for (uint32_t i = 0; i < b->n_slots; i++)
		ok &= write_take(&b->slots[i], &b->slots[i].spare, prefix);
	answer(b, ok ? "ok\n" : "the dump is not whole\n");
}

/* A link that is there carries data a moment later. */
static bool has_run(const struct slot *s)
{
	return __atomic_load_n(&s->take.n_cycles, __ATOMIC_ACQUIRE) >= CYCLES_TO_RUN;
}

static uint32_t count_linked(const struct bank *b)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->n_slots; i++)
		n += graph_is_linked(&b->slots[i].route) && has_run(&b->slots[i]);
	return n;
}

static uint32_t count_links(const struct bank *b)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < b->n_slots; i++)
		n += b->slots[i].route.n_links;
	return n;
}

static void look_again(struct bank *b, bool on)
{
	struct timespec t = { .tv_nsec = on ? LOOK_NS : 0 };

	pw_loop_update_timer(pw_main_loop_get_loop(b->graph.loop), b->timer, &t, &t, false);
}

static void answer_if_so(struct bank *b)
{
	if ((b->waits_for == WAIT_LINKED && count_linked(b) < b->n_slots) ||
			(b->waits_for == WAIT_GONE && count_links(b) > 0))
		return;
	look_again(b, false);
	answer(b, "ok\n");
}

static void on_timer(void *data, uint64_t expirations)
{
	struct bank *b = data;
	char text[64];

	if (b->looks-- > 0) {
		answer_if_so(b);
		return;
	}
	look_again(b, false);
	snprintf(text, sizeof(text), "%u of %u nodes are linked\n", count_linked(b), b->n_slots);
	answer(b, text);
}

static void do_wait(struct bank *b, int what)
{
	b->waits_for = what;
	b->looks = WAIT_S * (SPA_NSEC_PER_SEC / LOOK_NS);
	look_again(b, true);
}

static void obey(struct bank *b, const char *line)
{
	if (strcmp(line, "linked") == 0) {
		do_wait(b, WAIT_LINKED);
	} else if (strcmp(line, "gone") == 0) {
		do_wait(b, WAIT_GONE);
	} else if (strcmp(line, "go") == 0) {
		in_data_thread(b, begin_feed);
		answer(b, "ok\n");
	} else if (strncmp(line, "dump ", 5) == 0) {
		do_dump(b, line + 5);
	} else {
		answer(b, "what?\n");
	}
}

static void on_command(void *data, int fd, uint32_t mask)
{
	struct bank *b = data;
	ssize_t n = read(fd, b->line + b->n_line, sizeof(b->line) - 1 - b->n_line);
	char *end;

	if (n <= 0)
		return;
	b->n_line += (size_t)n;
	b->line[b->n_line] = '\0';
	while ((end = strchr(b->line, '\n')) != NULL) {
		*end++ = '\0';
		obey(b, b->line);
		b->n_line = strlen(end);
		memmove(b->line, end, b->n_line + 1);
	}
}

/* record:LABEL:FORMAT:NODE or feed:LABEL:FORMAT:NODE */
static bool parse_slot(struct bank *b, char *text)
{
	struct slot *s = &b->slots[b->n_slots];
	const char *kind = strsep(&text, ":"), *label = strsep(&text, ":");
	const char *format = strsep(&text, ":");

	if (text == NULL || b->n_slots == MAX_SLOTS ||
			(s->sequence.format = sequence_format(format)) == NULL)
		return false;
	s->bank = b;
	s->label = label;
	s->feeds = strcmp(kind, "feed") == 0;
	s->sequence.channels = b->channels;
	s->sequence.graph = true;
	snprintf(s->program, sizeof(s->program), "graph-bank-%s", label);
	s->route.output = s->feeds ? s->filter.name : text;
	s->route.input = s->feeds ? text : s->filter.name;
	s->route.channels = b->channels;
	b->n_slots++;
	return true;
}

static int usage(void)
{
	fputs("usage: graph-bank --commands FIFO --answers FIFO [--channels C] [--seconds N]\n"
	      "           record|feed:LABEL:FORMAT:NODE..\n", stderr);
	return 2;
}

static bool parse_options(struct bank *b, int argc, char *argv[])
{
	static const struct option known[] = {
		{ "commands", required_argument, NULL, 'i' },
		{ "answers", required_argument, NULL, 'o' },
		{ "channels", required_argument, NULL, 'c' },
		{ "seconds", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'i':
			b->commands = optarg;
			break;
		case 'o':
			b->answers = optarg;
			break;
		case 'c':
			b->channels = (uint32_t)atoi(optarg);
			break;
		case 's':
			b->seconds = (uint32_t)atoi(optarg);
			break;
		default:
			return false;
		}
	}
	if (b->channels < 1 || b->channels > GRAPH_MAX_CHANNELS)
		return false;
	for (; optind < argc; optind++)
		if (!parse_slot(b, argv[optind]))
			return false;
	return b->commands != NULL && b->answers != NULL && b->n_slots > 0;
}

static int open_slot(struct slot *s)
{
	struct graph *g = &s->bank->graph;
	int res;

	if ((res = make_take(s, &s->take)) < 0 || (res = make_take(s, &s->spare)) < 0)
		return res;
	res = graph_filter_init(&s->filter, g, s->program,
			s->feeds ? PW_DIRECTION_OUTPUT : PW_DIRECTION_INPUT, s->bank->channels,
			&filter_events, s);
	if (res >= 0)
		graph_add_route(g, &s->route);
	return res;
}

/* Both ends of each FIFO are held, so that whoever comes and goes there ends nothing. */
static int open_fifos(struct bank *b)
{
	b->in = open(b->commands, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	b->out = open(b->answers, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return b->in >= 0 && b->out >= 0 ? 0 : -errno;
}

static int run(struct bank *b)
{
	struct pw_loop *loop = pw_main_loop_get_loop(b->graph.loop);
	uint32_t n;
	int res;

	if ((res = open_fifos(b)) < 0)
		return res;
	b->first = &b->slots[0];
	b->timer = pw_loop_add_timer(loop, on_timer, b);
	pw_loop_add_io(loop, b->in, SPA_IO_IN, false, on_command, b);
	for (n = 0; n < b->n_slots && res >= 0; n++)
		res = open_slot(&b->slots[n]);
	graph_watch(&b->graph);
	if (res >= 0)
		res = graph_run(&b->graph);
	while (n-- > 0)
		if (b->slots[n].filter.filter != NULL)
			graph_filter_clear(&b->slots[n].filter);
	printf("missed %u cycles\n", b->watch.missed);
	return res;
}

int main(int argc, char *argv[])
{
	static struct bank b = { .channels = 1, .seconds = 5 };
	int res;

	if (!parse_options(&b, argc, argv))
		return usage();
	argc = 1;
	res = graph_init(&b.graph, &argc, &argv);
	if (res == 0)
		res = run(&b);
	if (res < 0)
		fprintf(stderr, "graph-bank: %s\n", strerror(-res));
	graph_clear(&b.graph);
	return res < 0 ? 1 : 0;
}
