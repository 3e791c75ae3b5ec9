/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* XenStore as the toolstack and a guest make it, and its watches in any order, with
 * all threads of the backend run by hand. The input is text, a command a line:
 *
 *	F/0/0/type=p	write a node ("F" and "B" begin the frontend's and the backend's
 *			directory of device 0, "D" that of the guest domain)
 *	-F/0		remove a node and all below
 *	!PATH		fire the watches on it, for nothing
 *	@		a domain has gone
 *	+MILLISECONDS	time goes by
 *	?		all threads run
 *	*N		the Nth call from now on fails, as when xenstored is short of memory
 *	~		all writes fail from now on, or no more
 *
 * The backend writes its own state, its versions and its errors, and nothing else;
 * it is Connected only to a frontend that was Initialised, with all of its rings
 * mapped. What it logs is fit to be read. An event costs a bounded number of
 * round trips. At the end nothing is mapped, bound, watched or running. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "card.h"
#include "card-config.h"
#include "clock.h"
#include "config.h"
#include "hypervisor.h"
#include "input.h"
#include "log-check.h"
#include "test.h"
#include "xenbus.h"

#define GUEST		"/local/domain/7"
#define FRONTEND	GUEST"/device/vsnd/0"
#define BACKENDS	"/local/domain/0/backend/vsnd"
#define BACKEND		BACKENDS"/7/0"
#define ERRORS		"/local/domain/0/error/backend/vsnd/"

#define MAX_NODES	160u
#define MAX_WATCHES	16u
#define MAX_EVENTS	64u
#define MAX_PATH	512u
#define MAX_TRIPS	4096u		/* for one event */
#define MAX_LINES	64u		/* for one event */

struct node {
	char path[MAX_PATH];
	char *value;			/* may hold anything */
	unsigned int size;
};

struct watch {
	char path[MAX_PATH], token[64];
};

static struct {
	struct input in;
	struct xenbus *xenbus;
	struct guest_env env;
	struct stream_watcher watcher;
	atomic_uint_least64_t min_period;
	uint64_t offset;		/* ns that the clock was put forward */

	struct node nodes[MAX_NODES];
	uint32_t n_nodes;
	struct watch watches[MAX_WATCHES];
	uint32_t n_watches;
	struct watch events[MAX_EVENTS];
	uint32_t first_event, n_events;
	int fd;				/* readable while there are events */
	unsigned int trips;		/* calls since the last event */
	uint32_t deny;			/* calls until one fails, 0: none does */
	bool transaction;
	bool read_only;
} t;

/* in the place of config.c's: no rule says anything */

static struct config config = { .max_buffer = 1 << 20 };

struct config *config_get(struct config_holder *holder)
{
	return &config;
}

void config_unref(struct config *c)
{
	check(c == &config);
}

void config_set_budgets(const struct config *c, const struct spa_dict *props,
		struct budgets *budgets)
{
	budgets_set_normal(budgets);
}

/* The threads: none is made, their loops run when the target says so. */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
		void *(*run)(void *data), void *data);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
		void *(*run)(void *data), void *data);
int __real_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_join(pthread_t thread, void **result);
int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);

static bool by_hand;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
		void *(*run)(void *data), void *data)
{
	if (!by_hand)
		return __real_pthread_create(thread, attr, run, data);
	*thread = pthread_self();
	return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
	return pthread_equal(thread, pthread_self()) ? 0 : __real_pthread_join(thread, result);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	int res = __real_clock_gettime(clock, ts);
	uint64_t now = SPA_TIMESPEC_TO_NSEC(ts) + (by_hand ? t.offset : 0);

	*ts = clock_timespec(now);
	return res;
}

static void run_worker(struct worker *worker)
{
	pw_loop_iterate(worker->loop, 0);
	mailbox_read_all(&worker->mailbox);
}

/* What a card promises while its guest thread has its lines, or has not. */
static void check_cards(void)
{
	const struct stream_identity *id;
	struct card *card;
	uint32_t i, rings = 0, watched = 0;

	spa_list_for_each(card, &t.xenbus->cards, link) {
		check(!card->busy);
		watched += !card->deaf;
		if (card->connected)
			rings += card->connection.n_lines;
		check(card->connected || card->guest == NULL);
		for (i = 0; i < card->connection.n_lines; i++) {
			id = &card->connection.lines[i].config.identity;
			check(id->pcm < CARD_MAX_PCMS && id->stream < CARD_MAX_STREAMS);
		}
	}
	check(hypervisor.mapped >= rings && hypervisor.mapped <= 2 * rings);
	check(hypervisor.bound >= rings && hypervisor.bound <= 2 * rings);
	check_eq(t.n_watches, 2 + watched);
}

static void run_threads(void)
{
	struct guest *guest;
	unsigned int quiet, n = 0;

	/* the loops' timers are real: one may go off at any time, and make an event */
	for (quiet = 0; quiet < 8; quiet = t.n_events > 0 ? 0 : quiet + 1) {
		check(n++ < 100);
		run_worker(&t.xenbus->worker);
		spa_list_for_each(guest, &t.xenbus->guests, link)
			run_worker(&guest->worker);
	}
	check_eq(t.n_events, 0);
	check_cards();
}

/* The tree. */

/* Octets that two paths have in common. They are compared all the time: a fuzzer that looks at
 * each comparison learns nothing from it and takes half as long again. */
FUZZ_UNSEEN
static size_t common(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] != '\0' && a[n] == b[n])
		n++;
	return n;
}

static struct node *find_node(const char *path)
{
	uint32_t i;
	size_t n;

	for (i = 0; i < t.n_nodes; i++) {
		n = common(t.nodes[i].path, path);
		if (t.nodes[i].path[n] == path[n])
			return &t.nodes[i];
	}
	return NULL;
}

static bool is_below(const char *path, const char *directory)
{
	size_t n = common(path, directory);

	return directory[n] == '\0' && (path[n] == '/' || path[n] == '\0');
}

static bool exists(const char *path)
{
	uint32_t i;

	for (i = 0; i < t.n_nodes; i++) {
		if (is_below(t.nodes[i].path, path))
			return true;
	}
	return false;
}

static void push_event(const char *path, const char *token)
{
	struct watch *event;

	if (t.n_events == MAX_EVENTS)
		return;
	event = &t.events[(t.first_event + t.n_events++) % MAX_EVENTS];
	snprintf(event->path, sizeof(event->path), "%s", path);
	snprintf(event->token, sizeof(event->token), "%s", token);
	check_eq(eventfd_write(t.fd, 1), 0);
}

static void fire(const char *path)
{
	uint32_t i;

	for (i = 0; i < t.n_watches; i++) {
		if (is_below(path, t.watches[i].path))
			push_event(path, t.watches[i].token);
		else if (is_below(t.watches[i].path, path))
			push_event(t.watches[i].path, t.watches[i].token);
	}
}

static void write_node(const char *path, const char *value, size_t size)
{
	struct node *node = find_node(path);

	if (strlen(path) >= MAX_PATH)
		return;
	if (node == NULL) {
		if (t.n_nodes == MAX_NODES)
			return;
		node = &t.nodes[t.n_nodes++];
		snprintf(node->path, sizeof(node->path), "%s", path);
	} else {
		free(node->value);
	}
	node->value = malloc(size + 1);
	memcpy(node->value, value, size);
	node->value[size] = '\0';
	node->size = size;
	fire(path);
}

static void remove_nodes(const char *path)
{
	uint32_t i = 0;

	while (i < t.n_nodes) {
		if (!is_below(t.nodes[i].path, path)) {
			i++;
			continue;
		}
		free(t.nodes[i].value);
		t.nodes[i] = t.nodes[--t.n_nodes];
	}
	fire(path);
}

static bool is_state(const char *path, unsigned long state)
{
	const struct node *node = find_node(path);

	return node && strtoul(node->value, NULL, 10) == state;
}

/* in the place of libxenstore's */

static bool trip(void)
{
	check(++t.trips <= MAX_TRIPS);
	if (t.deny > 0 && --t.deny == 0) {
		errno = ENOMEM;
		return false;
	}
	return true;
}

struct xs_handle *xs_open(unsigned long flags)
{
	return (struct xs_handle *)&t;
}

void xs_close(struct xs_handle *xs)
{
}

int xs_fileno(struct xs_handle *xs)
{
	return t.fd;
}

void *xs_read(struct xs_handle *xs, xs_transaction_t transaction, const char *path,
		unsigned int *len)
{
	struct node *node;
	unsigned int size;
	char *copy;

	if (!trip())
		return NULL;
	if (!exists(path)) {
		errno = ENOENT;
		return NULL;
	}
	/* a directory is a node with no value */
	node = find_node(path);
	size = node ? node->size : 0;
	copy = malloc(size + 1);
	memcpy(copy, node ? node->value : "", size + 1);
	if (len)
		*len = size;
	return copy;
}

static bool is_listed(char **listing, uint32_t n, const char *name)
{
	while (n > 0) {
		if (strcmp(listing[--n], name) == 0)
			return true;
	}
	return false;
}

char **xs_directory(struct xs_handle *xs, xs_transaction_t transaction, const char *path,
		unsigned int *num)
{
	size_t len = strlen(path);
	uint32_t i, n = 0;
	char **listing, *names;

	if (!trip())
		return NULL;
	if (!exists(path)) {
		errno = ENOENT;
		return NULL;
	}
	/* one allocation, as libxenstore's */
	listing = malloc(t.n_nodes * (sizeof(*listing) + MAX_PATH) + 1);
	names = (char *)(listing + t.n_nodes);
	for (i = 0; i < t.n_nodes; i++) {
		if (!is_below(t.nodes[i].path, path) || t.nodes[i].path[len] == '\0')
			continue;
		snprintf(names, MAX_PATH, "%s", t.nodes[i].path + len + 1);
		names[strcspn(names, "/")] = '\0';
		if (is_listed(listing, n, names))
			continue;
		listing[n++] = names;
		names += strlen(names) + 1;
	}
	*num = n;
	return listing;
}

bool xs_write(struct xs_handle *xs, xs_transaction_t transaction, const char *path,
		const void *data, unsigned int len)
{
	check(t.transaction);
	if (!trip())
		return false;
	if (t.read_only) {
		errno = ENOSPC;
		return false;
	}
	if (strcmp(path, BACKEND"/state") == 0) {
		check(len == 1 && strchr("2456", *(const char *)data));
		if (*(const char *)data == '4')
			check(hypervisor.mapped > 0 && is_state(BACKEND"/state", 2) &&
					is_state(FRONTEND"/state", 3));
	} else if (strcmp(path, BACKEND"/versions") != 0) {
		check(strncmp(path, ERRORS, strlen(ERRORS)) == 0);
	}
	write_node(path, data, len);
	return true;
}

xs_transaction_t xs_transaction_start(struct xs_handle *xs)
{
	check(!t.transaction);
	if (!trip())
		return XBT_NULL;
	t.transaction = true;
	return 1;
}

bool xs_transaction_end(struct xs_handle *xs, xs_transaction_t transaction, bool abort)
{
	check(t.transaction);
	t.transaction = false;
	return trip();
}

bool xs_watch(struct xs_handle *xs, const char *path, const char *token)
{
	struct watch *watch;

	if (!trip())
		return false;
	check(t.n_watches < MAX_WATCHES);
	watch = &t.watches[t.n_watches++];
	snprintf(watch->path, sizeof(watch->path), "%s", path);
	snprintf(watch->token, sizeof(watch->token), "%s", token);
	push_event(path, token);
	return true;
}

bool xs_unwatch(struct xs_handle *xs, const char *path, const char *token)
{
	uint32_t i;

	for (i = 0; i < t.n_watches; i++) {
		if (strcmp(t.watches[i].path, path) == 0 &&
		    strcmp(t.watches[i].token, token) == 0) {
			t.watches[i] = t.watches[--t.n_watches];
			return true;
		}
	}
	errno = ENOENT;
	return false;
}

bool xs_is_domain_introduced(struct xs_handle *xs, unsigned int domid)
{
	return domid == 7 && trip() && exists(GUEST);
}

/* One block: the vector, then its strings. */
char **xs_check_watch(struct xs_handle *xs)
{
	struct watch *event;
	eventfd_t value;
	char **vector;

	if (t.n_events == 0) {
		eventfd_read(t.fd, &value);
		errno = EAGAIN;
		return NULL;
	}
	t.trips = 0;
	check(log_check_lines() <= MAX_LINES);
	event = &t.events[t.first_event];
	t.first_event = (t.first_event + 1) % MAX_EVENTS;
	t.n_events--;
	vector = malloc(2 * sizeof(*vector) + sizeof(*event));
	memcpy(vector + 2, event, sizeof(*event));
	vector[XS_WATCH_PATH] = ((struct watch *)(vector + 2))->path;
	vector[XS_WATCH_TOKEN] = ((struct watch *)(vector + 2))->token;
	return vector;
}

/* What the others do. */

static void expand(const char *shorthand, char path[MAX_PATH])
{
	const char *root = shorthand[0] == 'F' ? FRONTEND : shorthand[0] == 'B' ? BACKEND :
		shorthand[0] == 'D' ? GUEST : NULL;

	if (root)
		snprintf(path, MAX_PATH, "%s%s", root, shorthand + 1);
	else
		snprintf(path, MAX_PATH, "%s", shorthand);
}

static void command(char *line, size_t len)
{
	char path[MAX_PATH], *equals;

	switch (line[0]) {
	case '?':
		run_threads();
		break;
	case '@':
		push_event("@releaseDomain", "domains");
		break;
	case '+':
		t.offset += SPA_MIN(strtoul(line + 1, NULL, 10), 100000u) * SPA_NSEC_PER_MSEC;
		break;
	case '*':
		t.deny = strtoul(line + 1, NULL, 10) % 1000;
		break;
	case '~':
		t.read_only = !t.read_only;
		break;
	case '!':
		expand(line + 1, path);
		fire(path);
		break;
	case '-':
		expand(line + 1, path);
		remove_nodes(path);
		break;
	default:
		if ((equals = memchr(line, '=', len)) == NULL)
			break;
		*equals++ = '\0';
		expand(line, path);
		write_node(path, equals, line + len - equals);
		break;
	}
}

static void run_commands(void)
{
	static char line[8192];
	const uint8_t *end;
	size_t len;

	while (t.in.size > 0) {
		end = memchr(t.in.data, '\n', t.in.size);
		len = end ? (size_t)(end - t.in.data) : t.in.size;
		len = SPA_MIN(len, sizeof(line) - 1);
		input_take(&t.in, line, len);
		line[len] = '\0';
		if (len > 0)
			command(line, len);
		else
			input_u8(&t.in);
	}
}

static void start(void)
{
	static struct pw_loop *loop;

	if (loop == NULL) {
		pw_init(NULL, NULL);
		/* keeps the loops' plugin loaded */
		check((loop = pw_loop_new(NULL)) != NULL);
		log_check_start();
	}
	by_hand = true;
	hypervisor_start();
	t.env = (struct guest_env) { .watcher = &t.watcher, .min_period = &t.min_period };
	check((t.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) >= 0);
	check((t.xenbus = xenbus_new(&t.env)) != NULL);
	pw_loop_enter(t.xenbus->worker.loop);
}

static void finish(void)
{
	t.deny = 0;
	t.read_only = false;
	run_threads();
	pw_loop_leave(t.xenbus->worker.loop);
	xenbus_free(t.xenbus);
	by_hand = false;
	hypervisor_check_empty();
	check_eq(t.n_watches, 2);	/* closing the connection ends these */
	close(t.fd);
	while (t.n_nodes > 0)
		free(t.nodes[--t.n_nodes].value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&t, 0, offsetof(__typeof__(t), nodes));
	t.n_nodes = t.n_watches = t.first_event = t.n_events = t.trips = t.deny = 0;
	t.transaction = t.read_only = false;
	t.in = (struct input) { data, size };
	start();
	run_commands();
	finish();
	return 0;
}
