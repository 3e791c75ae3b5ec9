/* SPDX-License-Identifier: MIT */
/*
 * The program `hostile-frontend`: a guest that does all that it must not, at full speed and
 * all at once, each stream in a way of its own. It knows the protocol as well as any, for
 * what makes no sense at all is refused at the first glance. What it got done is reported;
 * a violation is only a backend that does not let go of it in the end.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "report.h"
#include "toolstack.h"
#include "wire.h"

#define RATE 48000u
#define BUFFER_PAGES 16u
#define BUFFER_OCTETS (BUFFER_PAGES * HV_PAGE_SIZE)
#define PACKET 64u
#define SLOTS 32u
#define N_STREAMS 8u
#define STATE_TIMEOUT_MS 3000u

struct hostile;

/* A stream with its rings, and the thread that drives it. */
struct attacker {
	struct hostile *guest;
	uint32_t devid;
	uint32_t index;
	const char *name;
	void (*attack)(struct attacker *a);	/* again and again */
	pthread_t thread;
	uint64_t random;

	struct pages ring;
	struct pages events;
	struct pages buffer;
	struct pages directory;
	struct line requests_line;
	struct line events_line;
	uint32_t req_prod;

	uint64_t sent;		/* requests */
	uint64_t answered;
	uint64_t signals;
	uint64_t changes;	/* of the store */
};

struct hostile {
	struct domain domain;
	struct toolstack toolstack;
	bool over;
	struct attacker streams[N_STREAMS];	/* of card 0 */
	struct attacker bus;			/* of card 1 */
};

/* xorshift: a run can be done again by its seed */
static uint32_t draw(struct attacker *a, uint32_t below)
{
	a->random ^= a->random << 13;
	a->random ^= a->random >> 7;
	a->random ^= a->random << 17;
	return (uint32_t)(a->random >> 32) % below;
}

static void fill(struct attacker *a, uint8_t *data, uint32_t octets)
{
	for (uint32_t i = 0; i < octets; i++)
		data[i] = (uint8_t)draw(a, 256);
}

/* Requests. */

static bool is_over(const struct attacker *a)
{
	return __atomic_load_n(&a->guest->over, __ATOMIC_RELAXED);
}

static void notify(struct attacker *a)
{
	line_notify(&a->requests_line);
	a->signals++;
}

/* What the ring says is the backend's, unless this guest has written it itself. */
static uint32_t waiting(struct attacker *a)
{
	return a->req_prod - load32(a->ring.address, RING_RSP_PROD);
}

static void send(struct attacker *a, const uint8_t packet[PACKET])
{
	memcpy(a->ring.address + RING_SLOTS + a->req_prod % SLOTS * PACKET, packet, PACKET);
	store32(a->ring.address, RING_REQ_PROD, ++a->req_prod);
	notify(a);
	a->sent++;
}

/* True if there is room; else the rest of the machine may go on. */
static bool has_room(struct attacker *a)
{
	if (waiting(a) < SLOTS)
		return true;
	notify(a);
	sched_yield();
	return false;
}

static void make(struct attacker *a, uint8_t packet[PACKET], enum operation op)
{
	fill(a, packet, PACKET);
	packet[REQ_OPERATION] = (uint8_t)op;
}

static void make_open(struct attacker *a, uint8_t packet[PACKET])
{
	make(a, packet, OP_OPEN);
	put32(packet + OPEN_RATE, RATE);
	packet[OPEN_FORMAT] = 2;
	packet[OPEN_CHANNELS] = 2;
	put32(packet + OPEN_BUFFER_SZ, BUFFER_OCTETS);
	put32(packet + OPEN_GREF, a->directory.grefs[0]);
	put32(packet + OPEN_PERIOD_SZ, 64u << draw(a, 8));
}

static void make_span(struct attacker *a, uint8_t packet[PACKET], enum operation op)
{
	make(a, packet, op);
	put32(packet + RW_OFFSET, 4 * draw(a, BUFFER_OCTETS / 4));
	put32(packet + RW_LENGTH, op < OP_SET_VOLUME ? 4 * draw(a, BUFFER_OCTETS / 4) : 8);
}

/* A directory of its own buffer, as it should be. */
static void write_directory(struct attacker *a)
{
	put32(a->directory.address, 0);
	for (uint32_t i = 0; i < BUFFER_PAGES; i++)
		put32(a->directory.address + 4 + 4 * i, a->buffer.grefs[i]);
}

/* The ways. */

/* well-formed requests, many of which are right; only a few that are limited most */
static void flood(struct attacker *a)
{
	enum operation op = (enum operation)(OP_READ + draw(a, OP_HW_PARAM_QUERY));
	uint8_t packet[PACKET];

	if (!has_room(a))
		return;
	if (draw(a, 4096) == 0 || a->sent == 0)
		make_open(a, packet);
	else if (op <= OP_UNMUTE)
		make_span(a, packet, op);
	else
		make(a, packet, op);
	if (op == OP_TRIGGER)
		packet[TRIGGER_TYPE] = (uint8_t)draw(a, 5);
	send(a, packet);
}

/* opens and closes, and starts between */
static void churn(struct attacker *a)
{
	static const enum operation ops[] = { OP_OPEN, OP_WRITE, OP_TRIGGER, OP_CLOSE };
	uint8_t packet[PACKET];

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		while (!has_room(a))
			if (is_over(a))
				return;
		if (ops[i] == OP_OPEN)
			make_open(a, packet);
		else
			make_span(a, packet, ops[i]);
		if (ops[i] == OP_TRIGGER)
			packet[TRIGGER_TYPE] = TRIGGER_START;
		send(a, packet);
	}
}

static void storm(struct attacker *a)
{
	for (int i = 0; i < 1000; i++)
		notify(a);
	sched_yield();
}

/* circles, pages that are none, pages of the rings, and all of it changing meanwhile */
static void misdirect(struct attacker *a)
{
	const uint32_t grefs[] = { 0, NO_GREF, a->directory.grefs[0], a->ring.grefs[0],
		a->events.grefs[0], a->buffer.grefs[0], 7, draw(a, HV_PAGES), draw(a, NO_GREF) };
	const uint32_t n = sizeof(grefs) / sizeof(grefs[0]);
	uint8_t packet[PACKET];

	write_directory(a);
	for (uint32_t i = draw(a, BUFFER_PAGES + 2); i > 0; i--)
		put32(a->directory.address + 4 * draw(a, BUFFER_PAGES + 1), grefs[draw(a, n)]);
	if (!has_room(a))
		return;
	make_open(a, packet);
	if (draw(a, 4) == 0)
		put32(packet + OPEN_GREF, grefs[draw(a, n)]);
	send(a, packet);
}

/* plays, and writes on all that it shares */
static void scribble(struct attacker *a)
{
	uint8_t packet[PACKET];

	if (has_room(a)) {
		if (draw(a, 1000) == 0)
			make_open(a, packet);
		else
			make_span(a, packet, (enum operation)draw(a, OP_TRIGGER));
		send(a, packet);
		make(a, packet, OP_TRIGGER);
		packet[TRIGGER_TYPE] = (uint8_t)draw(a, 4);
		send(a, packet);
	}
	for (int i = 0; i < 16; i++) {
		put32(a->events.address + 4 * draw(a, HV_PAGE_SIZE / 4), draw(a, NO_GREF));
		store32(a->events.address, 4 * draw(a, 2), draw(a, NO_GREF));
		store32(a->ring.address, 4 * (1 + 2 * draw(a, 2)), draw(a, NO_GREF));
		put32(a->buffer.address + 4 * draw(a, BUFFER_OCTETS / 4), draw(a, NO_GREF));
	}
	line_notify(&a->events_line);
}

static void babble(struct attacker *a)
{
	uint8_t packet[PACKET];

	if (!has_room(a))
		return;
	fill(a, packet, sizeof(packet));
	send(a, packet);
	line_notify(&a->events_line);
}

static const struct {
	const char *name;
	char type;
	void (*attack)(struct attacker *a);
} ways[N_STREAMS] = {
	{ "flood", 'p', flood },
	{ "flood-capture", 'c', flood },
	{ "churn", 'p', churn },
	{ "churn-capture", 'c', churn },
	{ "storm", 'p', storm },
	{ "misdirect", 'p', misdirect },
	{ "scribble", 'p', scribble },
	{ "babble", 'c', babble },
};

/* XenStore. */

static void write_key(struct attacker *a, const char *key, const void *value, uint32_t octets)
{
	char path[STORE_PATH];

	snprintf(path, sizeof(path), "/local/domain/%u/device/vsnd/%u/%s", a->guest->domain.domid,
			a->devid, key);
	xs_write(a->guest->toolstack.xs, XBT_NULL, path, value, octets);
	a->changes++;
}

static void write_stream_number(struct attacker *a, const char *key, uint32_t number)
{
	char path[64], value[16];

	snprintf(path, sizeof(path), "0/%u/%s", a->index, key);
	snprintf(value, sizeof(value), "%u", number);
	write_key(a, path, value, (uint32_t)strlen(value));
}

static void write_state(struct attacker *a, uint32_t state)
{
	char value[16];

	snprintf(value, sizeof(value), "%u", state);
	write_key(a, "state", value, (uint32_t)strlen(value));
}

static void publish(struct attacker *a)
{
	write_stream_number(a, "ring-ref", a->ring.grefs[0]);
	write_stream_number(a, "event-channel", a->requests_line.port);
	write_stream_number(a, "evt-ring-ref", a->events.grefs[0]);
	write_stream_number(a, "evt-event-channel", a->events_line.port);
}

static bool wait_backend(struct attacker *a, enum xenbus_state state)
{
	char path[STORE_PATH];

	snprintf(path, sizeof(path), "/local/domain/%u/backend/vsnd/%u/%u/state",
			hv_backend_domid(), a->guest->domain.domid, a->devid);
	return store_wait_number(path, state, STATE_TIMEOUT_MS) == state;
}

/* A new connection to a backend that waits for one. */
static bool connect_card(struct attacker *streams, uint32_t n)
{
	if (!wait_backend(streams, XENBUS_INIT_WAIT))
		return false;
	for (uint32_t i = 0; i < n; i++) {
		streams[i].req_prod = 0;
		memset(streams[i].ring.address, 0, HV_PAGE_SIZE);
		publish(&streams[i]);
	}
	write_state(streams, XENBUS_INITIALISED);
	if (!wait_backend(streams, XENBUS_CONNECTED))
		return false;
	write_state(streams, XENBUS_CONNECTED);
	return true;
}

static void write_rubbish(struct attacker *a)
{
	static const char *const keys[] = { "state", "state/below", "0/0/type", "0/0/ring-ref",
		"0/0/event-channel", "0/0/evt-ring-ref", "short-name", "sample-rates",
		"sample-formats", "channels-max", "buffer-size", "0/name", "0/0/unique-id", "1/0/type",
		"0/1/type", "0/255/type", "255/0/type" };
	static const char *const values[] = { "", "-1", "4294967296", "99999999999999999999", "4 ",
		"0x4", "p", "c", "\x1b[2J", "\xff\xfe", "a,b,,,", "48000,,0", "../../../1", "%s%n" };
	const char *key = keys[draw(a, sizeof(keys) / sizeof(keys[0]))];
	const char *value = values[draw(a, sizeof(values) / sizeof(values[0]))];
	uint8_t noise[2048];

	if (draw(a, 4) != 0) {
		write_key(a, key, value, (uint32_t)strlen(value));
		return;
	}
	fill(a, noise, sizeof(noise));
	write_key(a, key, noise, draw(a, sizeof(noise)));
}

/* A connection whose ring has an index out of all reason; then states and rubbish in any order. */
static void flap(struct attacker *a)
{
	write_state(a, XENBUS_INITIALISING);
	write_key(a, "0/0/type", "p", 1);
	if (connect_card(a, 1)) {
		store32(a->ring.address, RING_REQ_PROD, draw(a, NO_GREF));
		notify(a);
	}
	for (int i = 0; i < 5000 && !is_over(a); i++) {
		write_state(a, draw(a, 8));
		if (draw(a, 8) == 0)
			write_rubbish(a);
	}
}

/* The guest. */

static void *run_attacker(void *data)
{
	struct attacker *a = data;

	/* what it takes of this machine is not to be felt, only what it has Dom0 do */
	setpriority(PRIO_PROCESS, (id_t)gettid(), 19);
	while (!is_over(a))
		a->attack(a);
	a->answered = load32(a->ring.address, RING_RSP_PROD);
	return NULL;
}

static int prepare(struct attacker *a, struct hostile *h, uint32_t devid, uint32_t index,
		uint64_t seed)
{
	struct domain *d = &h->domain;
	int res;

	a->guest = h;
	a->devid = devid;
	a->index = index;
	a->random = seed * 0x9e3779b97f4a7c15u + 1;
	if ((res = domain_pages_alloc(d, &a->ring, 1)) < 0 ||
			(res = domain_pages_alloc(d, &a->events, 1)) < 0 ||
			(res = domain_pages_alloc(d, &a->buffer, BUFFER_PAGES)) < 0 ||
			(res = domain_pages_alloc(d, &a->directory, 1)) < 0 ||
			(res = line_open(d, &a->requests_line)) < 0 ||
			(res = line_open(d, &a->events_line)) < 0)
		return res;
	write_directory(a);
	return 0;
}

static void add_setting(struct setting *s, uint32_t devid, uint32_t index, char type)
{
	s->devid = devid;
	snprintf(s->path, sizeof(s->path), "0/%u/type", index);
	snprintf(s->value, sizeof(s->value), "%c", type);
}

static int start(struct hostile *h, uint64_t seed)
{
	static struct setting settings[N_STREAMS + 1];
	uint32_t i;
	int res = 0;

	for (i = 0; i < N_STREAMS && res == 0; i++) {
		struct attacker *a = &h->streams[i];

		a->name = ways[i].name;
		a->attack = ways[i].attack;
		add_setting(&settings[i], 0, i, ways[i].type);
		res = prepare(a, h, 0, i, seed + i);
	}
	add_setting(&settings[i], 1, 0, 'p');
	h->bus.name = "flap";
	h->bus.attack = flap;
	h->toolstack.settings = settings;
	h->toolstack.n_settings = N_STREAMS + 1;
	if (res < 0 || (res = prepare(&h->bus, h, 1, 0, seed + N_STREAMS)) < 0 ||
			(res = toolstack_create(&h->toolstack)) < 0 ||
			(res = toolstack_attach(&h->toolstack, 0, true)) < 0 ||
			(res = toolstack_attach(&h->toolstack, 1, true)) < 0)
		return res;
	return connect_card(h->streams, N_STREAMS) ? 0 : -ETIMEDOUT;
}

static void attack(struct hostile *h, unsigned int seconds)
{
	for (uint32_t i = 0; i < N_STREAMS; i++)
		pthread_create(&h->streams[i].thread, NULL, run_attacker, &h->streams[i]);
	pthread_create(&h->bus.thread, NULL, run_attacker, &h->bus);
	printf("attacking\n");
	fflush(stdout);
	sleep(seconds);
	__atomic_store_n(&h->over, true, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < N_STREAMS; i++)
		pthread_join(h->streams[i].thread, NULL);
	pthread_join(h->bus.thread, NULL);
}

static void report(const struct attacker *a)
{
	report_figure(a->name, "sent", (int64_t)a->sent);
	report_figure(a->name, "answered", (int64_t)a->answered);
	report_figure(a->name, "signals", (int64_t)a->signals);
	report_figure(a->name, "changes", (int64_t)a->changes);
}

static int end(struct hostile *h, const char *path)
{
	FILE *f = path != NULL ? fopen(path, "w") : stdout;

	for (uint32_t i = 0; i < N_STREAMS; i++)
		report(&h->streams[i]);
	report(&h->bus);
	toolstack_destroy(&h->toolstack);
	toolstack_judge_remains(&h->toolstack);
	if (f == NULL)
		return 2;
	report_write(f);
	if (f != stdout)
		fclose(f);
	domain_destroy(&h->domain);
	return report_violations() > 0 ? 1 : 0;
}

struct options {
	uint32_t domid;
	unsigned int seconds;
	uint64_t seed;
	const char *report;
};

static bool parse_options(struct options *o, int argc, char *argv[])
{
	static const struct option known[] = {
		{ "domid", required_argument, NULL, 'd' },
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'r' },
		{ "report", required_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*o = (struct options){ .domid = 1, .seconds = 10, .seed = 1 };
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 'd')
			o->domid = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 's')
			o->seconds = (unsigned int)strtoul(optarg, NULL, 10);
		else if (c == 'r')
			o->seed = strtoull(optarg, NULL, 10);
		else if (c == 'o')
			o->report = optarg;
		else
			return false;
	}
	return optind == argc;
}

int main(int argc, char *argv[])
{
	struct hostile *h = calloc(1, sizeof(*h));
	struct options o;
	int res;

	if (h == NULL || !parse_options(&o, argc, argv)) {
		fputs("usage: hostile-frontend [--domid N] [--seconds N] [--seed N] [--report FILE]\n",
				stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	h->toolstack.name = "hostile";
	h->toolstack.uuid = "66666666-6666-6666-6666-666666666666";
	h->toolstack.domain = &h->domain;
	h->toolstack.xs = xs_open(0);
	res = h->toolstack.xs != NULL ? domain_create(&h->domain, o.domid) : -errno;
	if (res < 0 || (res = start(h, o.seed)) < 0) {
		fprintf(stderr, "hostile-frontend: %s\n", strerror(-res));
		return 2;
	}
	attack(h, o.seconds);
	return end(h, o.report);
}
