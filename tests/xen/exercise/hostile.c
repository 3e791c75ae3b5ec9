/* SPDX-License-Identifier: MIT */
/*
 * The program `xen-hostile`: a frontend that means harm, in a guest whose own driver has let
 * go of the card. It grants Dom0 two pages for each stream, makes the event channels, and
 * says what to write into XenStore for them:
 *
 *   STREAM RING-REF EVENT-CHANNEL EVT-RING-REF EVT-EVENT-CHANNEL
 *
 * Then each line on its standard input is a thing to do, for SECONDS:
 *
 *   signal SECONDS     signals as fast as it can, without a request
 *   request SECONDS    requests of random octets, as fast as they are answered
 *   index SECONDS      nonsense as the producer's index, and in the event page
 *
 * and is answered with a line that says how often it did it.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <xen/xen.h>
#include <xen/evtchn.h>
#include <xen/gntalloc.h>

#define PAGE		4096u
#define STREAMS		2u
#define BACKEND		0u		/* Dom0 */

/* sndif.h: the ring of requests, as DEFINE_RING_TYPES() makes it */
#define SLOTS		32u
#define SLOT_SIZE	64u
struct ring {
	uint32_t req_prod, req_event, rsp_prod, rsp_event;
	uint8_t pad[48];
	uint8_t slots[SLOTS][SLOT_SIZE];
};

struct channel {
	void *page;
	uint32_t gref;
	unsigned int port;
};

struct stream {
	struct channel requests, events;
};

struct frontend {
	int gntalloc, evtchn;
	struct stream streams[STREAMS];
	uint64_t done;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void make_channel(const struct frontend *f, struct channel *c)
{
	struct ioctl_gntalloc_alloc_gref grant = {
		.domid = BACKEND, .flags = GNTALLOC_FLAG_WRITABLE, .count = 1 };
	struct ioctl_evtchn_bind_unbound_port bind = { .remote_domain = BACKEND };
	int port;

	if (ioctl(f->gntalloc, IOCTL_GNTALLOC_ALLOC_GREF, &grant) < 0)
		fail("granting a page");
	c->gref = grant.gref_ids[0];
	c->page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, f->gntalloc,
			(off_t)grant.index);
	if (c->page == MAP_FAILED)
		fail("mapping a granted page");
	if ((port = ioctl(f->evtchn, IOCTL_EVTCHN_BIND_UNBOUND_PORT, &bind)) < 0)
		fail("making an event channel");
	c->port = (unsigned int)port;
}

static void signal_backend(struct frontend *f, const struct channel *c)
{
	struct ioctl_evtchn_notify notify = { .port = c->port };

	if (ioctl(f->evtchn, IOCTL_EVTCHN_NOTIFY, &notify) < 0)
		fail("signalling");
}

static void storm(struct frontend *f, struct stream *s)
{
	signal_backend(f, &s->requests);
	signal_backend(f, &s->events);
	f->done += 2;
}

/* One more, if there is room; the operation is one that there is, mostly. */
static void request(struct frontend *f, struct stream *s)
{
	struct ring *ring = s->requests.page;
	uint32_t prod = ring->req_prod, answered = __atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE);
	uint8_t *slot = ring->slots[prod % SLOTS];

	if (prod - answered >= SLOTS)
		return;
	for (uint32_t i = 0; i < SLOT_SIZE; i++)
		slot[i] = (uint8_t)rand();
	slot[2] %= 12;
	__atomic_store_n(&ring->req_prod, prod + 1, __ATOMIC_RELEASE);
	signal_backend(f, &s->requests);
	f->done++;
}

static void spoil(struct frontend *f, struct stream *s)
{
	struct ring *ring = s->requests.page;
	uint32_t *events = s->events.page;

	ring->req_prod = (uint32_t)rand();
	ring->rsp_prod = (uint32_t)rand();
	ring->req_event = (uint32_t)rand();
	for (uint32_t i = 0; i < PAGE / sizeof(*events); i++)
		events[i] = (uint32_t)rand();
	storm(f, s);
}

static const struct deed {
	const char *name;
	void (*run)(struct frontend *f, struct stream *s);
} deeds[] = {
	{ "signal", storm },
	{ "request", request },
	{ "index", spoil },
};

static void run(struct frontend *f, const struct deed *deed, double seconds)
{
	double until = now() + seconds;

	f->done = 0;
	while (now() < until) {
		for (uint32_t i = 0; i < STREAMS; i++)
			deed->run(f, &f->streams[i]);
	}
	printf("%s %llu times\n", deed->name, (unsigned long long)f->done);
}

static void obey(struct frontend *f, const char *line)
{
	double seconds;
	char name[16];

	if (sscanf(line, "%15s %lf", name, &seconds) == 2) {
		for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
			if (strcmp(deeds[i].name, name) == 0) {
				run(f, &deeds[i], seconds);
				return;
			}
		}
	}
	fprintf(stderr, "xen-hostile: what is \"%s\"?\n", line);
	exit(2);
}

int main(void)
{
	struct frontend f = {
		.gntalloc = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC),
		.evtchn = open("/dev/xen/evtchn", O_RDWR | O_CLOEXEC),
	};
	char line[80];

	if (f.gntalloc < 0 || f.evtchn < 0)
		fail("opening Xen's devices");
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (uint32_t i = 0; i < STREAMS; i++) {
		struct stream *s = &f.streams[i];

		make_channel(&f, &s->requests);
		make_channel(&f, &s->events);
		printf("%u %u %u %u %u\n", i, s->requests.gref, s->requests.port,
				s->events.gref, s->events.port);
	}
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		obey(&f, line);
	}
	return 0;
}
