/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What a cycle of the node costs: the plugin as it was built, on the stream as it is, beside
 * memcpy() of the same octets between the same pages. Prints a line for each case:
 *
 *   DIRECTION FORMAT CHANNELS QUANTUM NS-OF-THE-NODE NS-OF-MEMCPY
 *
 * With --count nothing is timed, and a line ends with how many cycles were run: callgrind, told
 * to collect in the node's process() and in measured_copy() and to dump after part_over(), counts
 * instructions, part after part: warming up, of the node, of memcpy(), case after case. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "driven-node.h"
#include "event-page.h"
#include "state.h"
#include "stream.h"

#define BUFFER		16384u		/* frames: a whole number of each quantum */
#define PERIOD		4096u
#define MAX_CHANNELS	8u
#define ROUNDS		11u
#define OFTEN		64u		/* times around the ring in a round */
#define SOME		4u

struct bench {
	bool count;
	struct stream *stream;
	struct stream_events events;
	struct stream_watcher watcher;
	struct state_record record;
	struct driven_node node;
	uint8_t *page, *ring;
	driven_memory *memory;
	uint32_t offset;		/* octets: where in the ring memcpy() goes on */
};

struct part {
	struct bench *bench;
	uint32_t quantum;
	void (*cycle)(struct bench *b, uint32_t quantum);
};

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "process-cost: not so: %s\n", what);
	exit(1);
}

#define MUST(condition)	must(condition, #condition)

/* In the place of libxenevtchn's, whose part is a system call. */
int xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port)
{
	return 0;
}

static void on_changed(struct stream_watcher *watcher, struct stream *stream)
{
}

/* Pages of their own, all of them there, as granted ones are. */
static void *map_pages(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	MUST(pages != MAP_FAILED);
	memset(pages, 0x3c, size);
	return pages;
}

static void open_stream(struct bench *b, uint32_t format, uint32_t channels, bool capture)
{
	static const struct stream_identity identity = { .guest = "bench", .domid = 3 };
	const struct xen_snd_geometry geometry =
		driven_geometry(format, channels, BUFFER, PERIOD);

	b->watcher.changed = on_changed;
	memset(b->page, 0, WIRE_PAGE_SIZE);
	event_page_init(&b->events.page, &wire_dialects[WIRE_DIALECT_2], b->page);
	b->stream = stream_open(&(struct stream_config) {
		.identity = &identity, .geometry = &geometry, .capture = capture,
		.data = b->ring, .events = &b->events, .watcher = &b->watcher, .record = &b->record,
	});
	MUST(b->stream != NULL);
	atomic_store(&b->stream->linked, true);
	xen_snd_stream_allow(&b->stream->iface, true);
	MUST(driven_node_make(&b->node, XEN_SND_PLUGIN, &b->stream->iface, capture, NULL, 0) == 0);
	MUST(driven_node_start(&b->node, *b->memory) == 0);
	/* as long as links are settling a new node is not heard */
	while (!atomic_load(&b->stream->settled))
		MUST(driven_node_process(&b->node, DRIVEN_MAX_QUANTUM) == 0);
	if (!capture)
		stream_write(b->stream, 0, BUFFER);
	MUST(stream_trigger(b->stream, WIRE_TRIGGER_START) == 0);
}

static void close_stream(struct bench *b)
{
	spa_handle_clear(b->node.handle);
	free(b->node.handle);
	stream_close(b->stream);
	stream_unref(b->stream);
}

/* The guest has read its events: each cycle posts. */
static void read_events(struct bench *b)
{
	uint32_t *in_cons = (uint32_t *)(void *)b->page, *in_prod = in_cons + 1;

	__atomic_store_n(in_cons, __atomic_load_n(in_prod, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
}

static void cycle_of_node(struct bench *b, uint32_t quantum)
{
	driven_node_process(&b->node, quantum);
}

/* callgrind goes by the names of these two. */
__attribute__((noinline)) void measured_copy(void *to, const void *from, size_t size);
void measured_copy(void *to, const void *from, size_t size)
{
	memcpy(to, from, size);
	__asm__ volatile ("" ::: "memory");
}

__attribute__((noinline)) void part_over(void);
void part_over(void)
{
	__asm__ volatile ("" ::: "memory");
}

static void cycle_of_memcpy(struct bench *b, uint32_t quantum)
{
	uint32_t size = quantum * b->node.frame_size;
	uint8_t *ring = b->ring + b->offset, *buffer = (*b->memory)[0];

	measured_copy(b->stream->capture ? ring : buffer, b->stream->capture ? buffer : ring, size);
	b->offset = (b->offset + size) % (BUFFER * b->node.frame_size);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)SPA_TIMESPEC_TO_NSEC(&t);
}

/* ns of a cycle, over so many turns around the ring */
static double run(const struct part *p, uint32_t turns)
{
	uint64_t ns = 0, start;
	uint32_t turn, n, cycles = BUFFER / p->quantum;

	for (turn = 0; turn < turns; turn++) {
		if (!p->bench->stream->capture)
			stream_write(p->bench->stream, 0, BUFFER);
		start = now();
		for (n = 0; n < cycles; n++) {
			p->cycle(p->bench, p->quantum);
			read_events(p->bench);
		}
		ns += now() - start;
	}
	return (double)ns / turns / cycles;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values)
{
	qsort(values, ROUNDS, sizeof(values[0]), compare);
	return values[ROUNDS / 2];
}

static void measure(const struct part *node, const struct part *copy)
{
	double ns[2][ROUNDS];
	uint32_t i;

	run(node, 1);
	part_over();
	for (i = 0; i < (node->bench->count ? 1 : ROUNDS); i++) {
		ns[0][i] = run(node, node->bench->count ? SOME : OFTEN);
		part_over();
		ns[1][i] = run(copy, node->bench->count ? SOME : OFTEN);
		part_over();
	}
	if (node->bench->count)
		printf(" %u\n", SOME * BUFFER / node->quantum);
	else
		printf(" %.1f %.1f\n", median(ns[0]), median(ns[1]));
}

/* What was measured is the node at its work: every cycle moved sound and posted. */
static void must_have_played(const struct bench *b, uint32_t quantum)
{
	uint64_t turns = 1 + (b->count ? SOME : ROUNDS * OFTEN);
	uint64_t events = atomic_load(&b->stream->counters.events);
	uint64_t underruns = atomic_load(&b->stream->counters.underruns);

	MUST(underruns == 0);
	MUST(events == turns * (BUFFER / quantum));
}

static void run_case(struct bench *b, uint32_t format, uint32_t channels, bool capture)
{
	static const uint32_t quanta[] = { 64, 256, 1024 };
	uint32_t i;

	for (i = 0; i < SPA_N_ELEMENTS(quanta); i++) {
		const struct part node = { b, quanta[i], cycle_of_node };
		const struct part copy = { b, quanta[i], cycle_of_memcpy };

		open_stream(b, format, channels, capture);
		printf("%s %s %u %u", capture ? "capture" : "playback", wire_format_info(format)->name,
				channels, quanta[i]);
		measure(&node, &copy);
		must_have_played(b, quanta[i]);
		close_stream(b);
	}
}

int main(int argc, char *argv[])
{
	static struct bench b;

	b.count = argc == 2 && strcmp(argv[1], "--count") == 0;
	b.page = map_pages(WIRE_PAGE_SIZE);
	b.ring = map_pages(BUFFER * MAX_CHANNELS * sizeof(int32_t));
	b.memory = map_pages(sizeof(*b.memory));
	for (int capture = 0; capture <= 1; capture++) {
		run_case(&b, WIRE_FORMAT_S16_LE, 2, capture);
		run_case(&b, WIRE_FORMAT_S32_LE, MAX_CHANNELS, capture);
	}
	return 0;
}
