/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A card and its XenBus states, see card.h. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spa/utils/defs.h>

#include "card-config.h"
#include "clock.h"
#include "log.h"
#include "xenbus.h"

#define VERSIONS	"1,2"		/* XENSND_LIST_SEPARATOR "," */

/* A frontend that is closed for good goes on to Closed when it sees Closing; a
 * driver that is being unloaded waits for InitWait instead. */
#define CLOSING_NSEC	(500 * SPA_NSEC_PER_MSEC)

/* after a failure to connect: doubled each time */
#define BACKOFF_MIN	(1 * SPA_NSEC_PER_SEC)
#define BACKOFF_STEPS	6u

#define CARD_FORMAT	"vsnd %u/%u"
#define CARD_ARGS(c)	(c)->domid, (c)->device

/* what a card looks like in XenStore now */
struct states {
	enum xenbus_state backend, frontend;
	bool online;
};

static enum xenbus_state read_state(const struct card *card, const char *directory)
{
	uint32_t state;

	if (store_read_number(card->xenbus->xs, &state, "%s/state", directory) < 0)
		return XENBUS_UNKNOWN;
	return state;
}

static struct states read_states(const struct card *card)
{
	uint32_t online = 1;

	store_read_number(card->xenbus->xs, &online, "%s/online", card->backend);
	return (struct states) {
		.backend = read_state(card, card->backend),
		.frontend = read_state(card, card->frontend),
		.online = online != 0,
	};
}

static int write_state(struct card *card, enum xenbus_state state)
{
	char value[16];
	int res;

	snprintf(value, sizeof(value), "%u", (uint32_t)state);
	card->written = state;
	res = store_write_if(card->xenbus->xs, card->backend, value, "%s/state", card->backend);
	if (res < 0 && res != -ENOENT)
		pw_log_error(CARD_FORMAT": can't write %s/state: %s", CARD_ARGS(card),
				card->backend, strerror(-res));
	pw_log_debug(CARD_FORMAT": backend state %u", CARD_ARGS(card), state);
	return res;
}

/* The convention of Linux's backends: errors stand in a tree of their own. */
static void write_error(struct card *card, const char *why)
{
	store_write_if(card->xenbus->xs, card->backend, why,
			"/local/domain/%u/error/backend/vsnd/%u/%u/error",
			card->xenbus->domid, card->domid, card->device);
	pw_log_error(CARD_FORMAT": refused: %s", CARD_ARGS(card), why);
}

static void look_again_in(struct card *card, uint64_t nsec)
{
	clock_fire_after(card->xenbus->worker.loop, card->timer, nsec);
}

static void back_off(struct card *card)
{
	uint64_t wait = BACKOFF_MIN << SPA_MIN(card->failures, BACKOFF_STEPS);

	card->failures++;
	card->not_before = clock_now() + wait;
	look_again_in(card, wait);
}

static void failed(struct card *card, const char *why)
{
	write_error(card, why);
	back_off(card);
	write_state(card, XENBUS_CLOSED);
}

/* Connecting. */

static void drop_lines(struct card *card)
{
	free(card->connection.lines);
	card->connection.lines = NULL;
	card->connection.n_lines = 0;
	if (card->guest)
		xenbus_put_guest(card->xenbus, card->guest);
	card->guest = NULL;
}

static void on_reply(struct letter *letter)
{
	struct card *card = SPA_CONTAINER_OF(letter, struct card, connection.reply);
	char why[STORE_VALUE_SIZE];

	card->busy = false;
	card->connected = card->connection.connect && card->connection.res >= 0;
	if (card->connected) {
		pw_log_info(CARD_FORMAT": connected, %u streams", CARD_ARGS(card),
				card->connection.n_lines);
		if (write_state(card, XENBUS_CONNECTED) < 0)
			back_off(card);
		else
			card->failures = 0;
	} else {
		drop_lines(card);
		if (card->connection.connect) {
			snprintf(why, sizeof(why), "can't map the rings of %s: %s",
					card->frontend, strerror(-card->connection.res));
			failed(card, why);
		} else {
			pw_log_info(CARD_FORMAT": disconnected", CARD_ARGS(card));
		}
	}
	card_look(card);
}

static void disconnect(struct card *card)
{
	card->busy = true;
	guest_connect(&card->connection, false);
}

static void connect(struct card *card)
{
	struct xenbus *xenbus = card->xenbus;
	char why[STORE_VALUE_SIZE];
	int res;

	res = card_config_read(xenbus->xs, card, xenbus->env->max_buffer,
			&card->connection.lines, why, sizeof(why));
	if (res < 0) {
		failed(card, why);
		return;
	}
	card->connection.n_lines = res;
	if ((card->guest = xenbus_get_guest(xenbus, card->domid)) == NULL) {
		snprintf(why, sizeof(why), "can't start a thread for domain %u: %m", card->domid);
		drop_lines(card);
		failed(card, why);
		return;
	}
	card->connection.guest = card->guest;
	card->connection.reply_to = &xenbus->worker.mailbox;
	card->connection.reply.read = on_reply;
	card->busy = true;
	guest_connect(&card->connection, true);
}

/* The state machine: one look at both sides, at most one step. */

static bool is_removed(const struct card *card, const struct states *st)
{
	return card->domain_gone || !st->online ||
		st->frontend == XENBUS_UNKNOWN ||
		(st->backend == XENBUS_CLOSING && card->written != XENBUS_UNKNOWN &&
		 card->written != XENBUS_CLOSING);
}

/* False: too soon after a failure; the timer will look again. */
static bool is_time(struct card *card)
{
	uint64_t now = clock_now();

	if (now >= card->not_before)
		return true;
	look_again_in(card, card->not_before - now);
	return false;
}

/* The frontend waits for a fresh start. */
static void restart(struct card *card, const struct states *st)
{
	if (st->backend == XENBUS_INIT_WAIT || !is_time(card))
		return;
	store_write_if(card->xenbus->xs, card->backend, VERSIONS, "%s/versions", card->backend);
	write_state(card, XENBUS_INIT_WAIT);
}

static void close_with_frontend(struct card *card, const struct states *st)
{
	uint64_t now = clock_now();

	if (st->backend == XENBUS_INIT_WAIT)
		return;
	if (st->backend != XENBUS_CLOSING) {
		card->not_before = now + CLOSING_NSEC;
		look_again_in(card, CLOSING_NSEC);
		write_state(card, XENBUS_CLOSING);
		return;
	}
	restart(card, st);
}

static void step(struct card *card, const struct states *st)
{
	if (is_removed(card, st)) {
		if (st->backend != XENBUS_CLOSED)
			write_state(card, XENBUS_CLOSED);
		return;
	}
	if (st->backend == XENBUS_INITIALISING) {
		restart(card, st);
		return;
	}
	switch (st->frontend) {
	case XENBUS_INITIALISED:
		/* the state says nothing of a failure that could not be written */
		if (st->backend != XENBUS_INIT_WAIT)
			restart(card, st);
		else if (is_time(card))
			connect(card);
		break;
	case XENBUS_CLOSING:
		close_with_frontend(card, st);
		break;
	case XENBUS_CLOSED:
		if (st->backend != XENBUS_INIT_WAIT && st->backend != XENBUS_CLOSED)
			write_state(card, XENBUS_CLOSED);
		break;
	default:
		/* Initialising; or Connected, to a backend before us */
		restart(card, st);
		break;
	}
}

void card_look(struct card *card)
{
	struct states st;
	bool alive;

	if (card->busy)
		return;
	st = read_states(card);
	alive = st.backend == XENBUS_CONNECTED && !is_removed(card, &st) &&
		(st.frontend == XENBUS_INITIALISED || st.frontend == XENBUS_CONNECTED);
	pw_log_debug(CARD_FORMAT": backend %u frontend %u%s%s", CARD_ARGS(card), st.backend,
			st.frontend, st.online ? "" : " offline", alive ? "" : " not alive");

	if (card->connected && !alive)
		disconnect(card);
	else if (st.backend == XENBUS_UNKNOWN)
		card_free(card);
	else if (!card->connected)
		step(card, &st);
}

static void on_timer(void *data, uint64_t expirations)
{
	card_look(data);
}

/* The frontend's directory is what ours names, if that is where it must be. */
static int find_frontend(struct card *card)
{
	char expected[STORE_PATH_SIZE];
	int res;

	res = store_read(card->xenbus->xs, card->frontend, sizeof(card->frontend),
			"%s/frontend", card->backend);
	if (res < 0)
		return res;
	snprintf(expected, sizeof(expected), "/local/domain/%u/device/vsnd/%u",
			card->domid, card->device);
	if (strcmp(card->frontend, expected) != 0) {
		store_make_printable(card->frontend, sizeof(card->frontend));
		pw_log_error(CARD_FORMAT": %s/frontend is %s, expected %s", CARD_ARGS(card),
				card->backend, card->frontend, expected);
		return -EINVAL;
	}
	return 0;
}

/* xs_watch() or xs_unwatch() the frontend's state */
static int watch_frontend(struct card *card,
		bool (*func)(struct xs_handle *xs, const char *path, const char *token))
{
	char path[STORE_PATH_SIZE + 8];

	snprintf(path, sizeof(path), "%s/state", card->frontend);
	return func(card->xenbus->xs, path, card->token) ? 0 : -errno;
}

struct card *card_new(struct xenbus *xenbus, uint32_t domid, uint32_t device)
{
	struct card *card;
	int res;

	if ((card = calloc(1, sizeof(*card))) == NULL)
		return NULL;
	card->xenbus = xenbus;
	card->domid = domid;
	card->device = device;
	snprintf(card->backend, sizeof(card->backend), "%.200s/%u/%u", xenbus->root, domid, device);
	snprintf(card->token, sizeof(card->token), "%u/%u", domid, device);

	if ((res = find_frontend(card)) < 0)
		goto error_frontend;
	card->timer = pw_loop_add_timer(xenbus->worker.loop, on_timer, card);
	if (card->timer == NULL) {
		res = -errno;
		goto error_frontend;
	}
	if ((res = watch_frontend(card, xs_watch)) < 0)
		goto error_watch;
	spa_list_append(&xenbus->cards, &card->link);
	pw_log_info(CARD_FORMAT": found", CARD_ARGS(card));
	return card;

error_watch:
	pw_loop_destroy_source(xenbus->worker.loop, card->timer);
error_frontend:
	free(card);
	errno = -res;
	return NULL;
}

void card_free(struct card *card)
{
	pw_log_info(CARD_FORMAT": gone", CARD_ARGS(card));
	spa_list_remove(&card->link);
	watch_frontend(card, xs_unwatch);
	pw_loop_destroy_source(card->xenbus->worker.loop, card->timer);
	mailbox_cancel(&card->xenbus->worker.mailbox, &card->connection.reply);
	drop_lines(card);
	free(card);
}
