/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The xenbus thread, see xenbus.h. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "card.h"
#include "clock.h"
#include "log.h"
#include "xenbus.h"

/* to reach a xenstored that is gone */
#define RETRY_MIN	(50 * SPA_NSEC_PER_MSEC)
#define RETRY_MAX	(400 * SPA_NSEC_PER_MSEC)

/* for one that is back to get its content back */
#define SETTLE_NSEC	(10 * SPA_NSEC_PER_SEC)

/* events, before timers and the replies of guest threads have their turn */
#define WATCHES_A_TURN	16u

#define TOKEN_BACKENDS	"backends"
#define TOKEN_DOMAINS	"domains"

static int probe_store(char *why, size_t size)
{
	struct xs_handle *xs;
	int res;

	if ((xs = xs_open(0)) == NULL) {
		res = -errno;
		snprintf(why, size, "can't reach xenstored: %m (is this Dom0 or a driver domain "
				"of Xen, with the xen-utils package installed and xenstored running? "
				"Who is not root needs access to /dev/xen/xenbus)");
		return res;
	}
	xs_close(xs);
	return 0;
}

static int probe_devices(struct xentoollog_logger *logger, char *why, size_t size)
{
	xenevtchn_handle *evtchn;
	xengnttab_handle *gnttab;
	int res;

	if ((evtchn = xenevtchn_open(logger, 0)) == NULL) {
		res = -errno;
		snprintf(why, size, "can't open /dev/xen/evtchn: %m (modprobe xen-evtchn, or give "
				"this user access to it)");
		return res;
	}
	xenevtchn_close(evtchn);
	if ((gnttab = xengnttab_open(logger, 0)) == NULL) {
		res = -errno;
		snprintf(why, size, "can't open /dev/xen/gntdev: %m (modprobe xen-gntdev, or give "
				"this user access to it)");
		return res;
	}
	xengnttab_close(gnttab);
	return 0;
}

int xenbus_probe(struct xentoollog_logger *logger, char *why, size_t size)
{
	int res;

	if ((res = probe_store(why, size)) < 0)
		return res;
	return probe_devices(logger, why, size);
}

/* Guests. */

struct guest *xenbus_get_guest(struct xenbus *xenbus, struct domain *domain)
{
	struct guest *guest;

	spa_list_for_each(guest, &xenbus->guests, link) {
		if (guest->domid == domain->domid) {
			guest->cards++;
			return guest;
		}
	}
	if ((guest = guest_new(xenbus->env, domain->domid, &domain->budgets)) == NULL)
		return NULL;
	guest->cards = 1;
	spa_list_append(&xenbus->guests, &guest->link);
	return guest;
}

void xenbus_put_guest(struct xenbus *xenbus, struct guest *guest)
{
	if (--guest->cards > 0)
		return;
	spa_list_remove(&guest->link);
	guest_free(guest);
}

/* Cards. */

static struct card *find_card(struct xenbus *xenbus, uint32_t domid, uint32_t device)
{
	struct card *card;

	spa_list_for_each(card, &xenbus->cards, link) {
		if (card->domid == domid && card->device == device)
			return card;
	}
	return NULL;
}

static void look_at(struct xenbus *xenbus, uint32_t domid, uint32_t device)
{
	struct card *card = find_card(xenbus, domid, device);

	if (card == NULL && (card = card_new(xenbus, domid, device)) == NULL) {
		if (errno != ENOENT)
			pw_log_error("vsnd %u/%u: can't take up the card: %m", domid, device);
		return;
	}
	card_look(card);
}

/* An index in XenStore, or -1 */
static long to_index(const char *name)
{
	if (name[0] == '\0' || strlen(name) > 5 || strspn(name, "0123456789") != strlen(name))
		return -1;
	return strtol(name, NULL, 10);
}

/* Call `func` for each entry of a directory that is a number. */
static void for_each_index(struct xenbus *xenbus, const char *path, uint32_t parent,
		void (*func)(struct xenbus *xenbus, uint32_t parent, uint32_t index))
{
	unsigned int i, n = 0;
	char **listing;

	if ((listing = xs_directory(xenbus->xs, XBT_NULL, path, &n)) == NULL)
		return;
	for (i = 0; i < n; i++) {
		if (to_index(listing[i]) >= 0)
			func(xenbus, parent, to_index(listing[i]));
	}
	free(listing);
}

static void scan_domain(struct xenbus *xenbus, uint32_t unused, uint32_t domid)
{
	char path[STORE_PATH_SIZE];

	snprintf(path, sizeof(path), "%.200s/%u", xenbus->root, domid);
	for_each_index(xenbus, path, domid, look_at);
}

/* Look at every card that is known, and find the others. */
static void scan(struct xenbus *xenbus)
{
	struct card *card, *next;

	spa_list_for_each_safe(card, next, &xenbus->cards, link)
		card_look(card);
	for_each_index(xenbus, xenbus->root, 0, scan_domain);
	state_sweep(xenbus->env->state);
}

/* Watches. */

/* somewhere below `root`, or `root` or one above it, when that was removed */
static void on_backends(struct xenbus *xenbus, const char *path)
{
	unsigned int domid, device;
	size_t len = strlen(xenbus->root);

	if (strncmp(path, xenbus->root, len) == 0 &&
	    sscanf(path + len, "/%5u/%5u", &domid, &device) == 2)
		look_at(xenbus, domid, device);
	else
		scan(xenbus);
}

static void on_domains(struct xenbus *xenbus)
{
	struct card *card, *next;

	/* a new xenstored may have to be told of domains first */
	if (xenbus->settling)
		return;
	spa_list_for_each_safe(card, next, &xenbus->cards, link) {
		card->domain_gone = !xs_is_domain_introduced(xenbus->xs, card->domid);
		if (card->domain_gone)
			card_look(card);
	}
}

static void on_frontend(struct xenbus *xenbus, const char *token)
{
	unsigned int domid, device;
	struct card *card;

	if (sscanf(token, "%5u/%5u", &domid, &device) == 2 &&
	    (card = find_card(xenbus, domid, device)) != NULL)
		card_hear(card);
}

static void on_watch(void *data, int fd, uint32_t mask)
{
	struct xenbus *xenbus = data;
	char **event;
	uint32_t n;

	for (n = 0; n < WATCHES_A_TURN && (event = xs_check_watch(xenbus->xs)) != NULL; n++) {
		const char *path = event[XS_WATCH_PATH], *token = event[XS_WATCH_TOKEN];

		if (strcmp(token, TOKEN_BACKENDS) == 0)
			on_backends(xenbus, path);
		else if (strcmp(token, TOKEN_DOMAINS) == 0)
			on_domains(xenbus);
		else
			on_frontend(xenbus, token);
		free(event);
	}
}

/* The connection to xenstored. Where it goes, streams play on: they need none. */

static int watch(struct xenbus *xenbus)
{
	xenbus->source = pw_loop_add_io(xenbus->worker.loop, xs_fileno(xenbus->xs), SPA_IO_IN,
			false, on_watch, xenbus);
	if (xenbus->source == NULL ||
	    !xs_watch(xenbus->xs, xenbus->root, TOKEN_BACKENDS) ||
	    !xs_watch(xenbus->xs, "@releaseDomain", TOKEN_DOMAINS))
		return -errno;
	return 0;
}

static void remove_source(struct xenbus *xenbus, struct spa_source **source)
{
	if (*source)
		pw_loop_destroy_source(xenbus->worker.loop, *source);
	*source = NULL;
}

static void close_store(struct xenbus *xenbus)
{
	remove_source(xenbus, &xenbus->source);
	remove_source(xenbus, &xenbus->lifeline);
	if (xenbus->xs)
		xs_close(xenbus->xs);
	xenbus->xs = NULL;
}

static void retry_later(struct xenbus *xenbus)
{
	clock_fire_after(xenbus->worker.loop, xenbus->timer, xenbus->retry_nsec);
	xenbus->retry_nsec = SPA_MIN(2 * xenbus->retry_nsec, RETRY_MAX);
}

static void on_lifeline(void *data, int fd, uint32_t mask)
{
	struct xenbus *xenbus = data;

	pw_log_warn("xenstored is gone: streams go on, no card comes or goes until it is back");
	close_store(xenbus);
	xenbus->settling = false;
	xenbus->retry_nsec = RETRY_MIN;
	retry_later(xenbus);
}

/* Where xenstored is no process that we can reach, there is none to be watched. */
static int add_lifeline(struct xenbus *xenbus)
{
	int fd = store_open_lifeline();

	if (fd < 0)
		return fd;
	xenbus->lifeline = pw_loop_add_io(xenbus->worker.loop, fd, SPA_IO_IN | SPA_IO_HUP, true,
			on_lifeline, xenbus);
	if (xenbus->lifeline == NULL) {
		int res = -errno;
		close(fd);
		return res;
	}
	return 0;
}

/* Not without a lifeline: xs_open() would take the kernel's way, and block there. */
static int reopen_store(struct xenbus *xenbus)
{
	struct card *card;
	int res;

	if ((res = add_lifeline(xenbus)) < 0)
		return res;
	if ((xenbus->xs = xs_open(0)) == NULL) {
		res = -errno;
		goto error;
	}
	if ((res = watch(xenbus)) < 0)
		goto error;
	spa_list_for_each(card, &xenbus->cards, link)
		card_watch(card);
	return 0;

error:
	close_store(xenbus);
	return res;
}

static void on_timer(void *data, uint64_t expirations)
{
	struct xenbus *xenbus = data;

	if (xenbus->xs) {
		xenbus->settling = false;
		on_domains(xenbus);
		scan(xenbus);
	} else if (reopen_store(xenbus) < 0) {
		retry_later(xenbus);
	} else {
		pw_log_info("xenstored is back");
		xenbus->settling = true;
		clock_fire_after(xenbus->worker.loop, xenbus->timer, SETTLE_NSEC);
	}
}

/* Main loop. */

static int open_store(struct xenbus *xenbus)
{
	/* relative paths are below the caller's own domain; Dom0's own entry may
	 * be missing where no toolstack has run yet */
	if ((xenbus->xs = xs_open(0)) == NULL)
		return -errno;
	if (store_read_number(xenbus->xs, &xenbus->domid, "domid") < 0)
		xenbus->domid = 0;
	snprintf(xenbus->root, sizeof(xenbus->root), "/local/domain/%u/backend/vsnd",
			xenbus->domid);
	return 0;
}

static int add_sources(struct xenbus *xenbus)
{
	if ((xenbus->timer = pw_loop_add_timer(xenbus->worker.loop, on_timer, xenbus)) == NULL)
		return -errno;
	add_lifeline(xenbus);
	return watch(xenbus);
}

static void remove_sources(struct xenbus *xenbus)
{
	close_store(xenbus);
	remove_source(xenbus, &xenbus->timer);
}

struct xenbus *xenbus_new(const struct guest_env *env)
{
	struct xenbus *xenbus;
	int res;

	if ((xenbus = calloc(1, sizeof(*xenbus))) == NULL)
		return NULL;
	xenbus->env = env;
	spa_list_init(&xenbus->cards);
	spa_list_init(&xenbus->domains);
	spa_list_init(&xenbus->guests);

	if ((res = open_store(xenbus)) < 0)
		goto error_store;
	if ((res = worker_init(&xenbus->worker)) < 0)
		goto error_worker;
	if ((res = add_sources(xenbus)) < 0 ||
	    (res = worker_start(&xenbus->worker, "xen-snd-xenbus")) < 0)
		goto error_sources;
	pw_log_info("serving %s", xenbus->root);
	return xenbus;

error_sources:
	remove_sources(xenbus);
	worker_clear(&xenbus->worker);
error_worker:
	close_store(xenbus);
error_store:
	free(xenbus);
	errno = -res;
	return NULL;
}

void xenbus_free(struct xenbus *xenbus)
{
	struct guest *guest;
	struct card *card;

	worker_stop(&xenbus->worker);
	spa_list_for_each(guest, &xenbus->guests, link)
		guest_stop(guest);
	spa_list_consume(card, &xenbus->cards, link)
		card_free(card);
	remove_sources(xenbus);
	worker_clear(&xenbus->worker);
	free(xenbus);
}
