/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A card and its XenBus states, see card.h. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spa/utils/defs.h>

#include "card-config.h"
#include "config.h"
#include "clock.h"
#include "log.h"
#include "refusals.h"
#include "xenbus.h"

#define VERSIONS	"1,2"		/* XENSND_LIST_SEPARATOR "," */

/* A frontend that is closed for good goes on to Closed when it sees Closing; a
 * driver that is being unloaded waits for InitWait instead. */
#define CLOSING_NSEC	(500 * SPA_NSEC_PER_MSEC)

/* xenstored did not answer */
#define LOST_NSEC	SPA_NSEC_PER_SEC

/* after a failure to connect: doubled each time */
#define BACKOFF_MIN	(1 * SPA_NSEC_PER_SEC)
#define BACKOFF_STEPS	6u

/* a frontend that changes its state too often is looked at so rarely */
#define DEAF_NSEC	SPA_NSEC_PER_SEC

#define CARD_FORMAT	"vsnd %u/%u"
#define CARD_ARGS(c)	(c)->domid, (c)->device
#define BUDGETS(c)	(&(c)->domain->budgets)

/* what a card looks like in XenStore now */
struct states {
	enum xenbus_state backend, frontend;
	bool online;
};

static int read_state(const struct card *card, const char *directory, enum xenbus_state *state)
{
	uint32_t number = XENBUS_UNKNOWN;
	int res = store_read_number(card->xenbus->xs, &number, "%s/state", directory);

	*state = number;
	return store_is_lost(res) ? res : 0;
}

/* What xenstored does not say for it is gone says nothing of the card: an error. */
static int read_states(const struct card *card, struct states *st)
{
	uint32_t online = 1;
	int res;

	*st = (struct states) { .backend = XENBUS_UNKNOWN };
	res = store_read_number(card->xenbus->xs, &online, "%s/online", card->backend);
	st->online = online != 0;
	if (store_is_lost(res) || (res = read_state(card, card->backend, &st->backend)) < 0 ||
	    (res = read_state(card, card->frontend, &st->frontend)) < 0)
		return res;
	return 0;
}

static int write_state(struct card *card, enum xenbus_state state)
{
	char value[16];
	int res;

	snprintf(value, sizeof(value), "%u", (uint32_t)state);
	card->written = state;
	res = store_write_if(card->xenbus->xs, card->backend, value, "%s/state", card->backend);
	if (res < 0 && res != -ENOENT)
		guest_log_error(BUDGETS(card), CARD_FORMAT": can't write %s/state: %s", CARD_ARGS(card),
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
	guest_log_error(BUDGETS(card), CARD_FORMAT": refused: %s", CARD_ARGS(card), why);
	refusals_add(card->xenbus->env->refusals, card->domid, CARD_FORMAT": the card is refused: %s",
			CARD_ARGS(card), why);
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

static bool take_budget(struct card *card, enum budget_id id, uint32_t n, char *why, size_t size)
{
	if (budget_take(BUDGETS(card), id, n))
		return true;
	domain_reach(card->domain, id);
	snprintf(why, size, "domain %u would have more than %u %s (%s)", card->domid,
			BUDGETS(card)->of[id].limit, budget_infos[id].what, budget_infos[id].key);
	return false;
}

/* The guest and its budgets of what there is in the connection. */
static int get_guest(struct card *card, char *why, size_t size)
{
	uint32_t n_lines = card->connection.n_lines;
	int res;

	domain_set_limits(card->domain, &card->connection.lines[0].config.identity);
	if (!take_budget(card, BUDGET_CARDS, 1, why, size))
		return -EDQUOT;
	res = -EDQUOT;
	if (!take_budget(card, BUDGET_STREAMS, n_lines, why, size))
		goto error_streams;
	if ((card->guest = xenbus_get_guest(card->xenbus, card->domain)) == NULL) {
		res = -errno;
		snprintf(why, size, "can't start a thread for domain %u: %s", card->domid,
				strerror(-res));
		goto error_guest;
	}
	return 0;

error_guest:
	budget_give(BUDGETS(card), BUDGET_STREAMS, n_lines);
error_streams:
	budget_give(BUDGETS(card), BUDGET_CARDS, 1);
	return res;
}

static void put_guest(struct card *card)
{
	if (card->guest == NULL)
		return;
	xenbus_put_guest(card->xenbus, card->guest);
	card->guest = NULL;
	budget_give(BUDGETS(card), BUDGET_STREAMS, card->connection.n_lines);
	budget_give(BUDGETS(card), BUDGET_CARDS, 1);
}

static void drop_lines(struct card *card)
{
	uint32_t i;

	for (i = 0; i < card->connection.n_lines; i++)
		state_drop(card->xenbus->env->state, card->connection.lines[i].record);
	free(card->connection.lines);
	card->connection.lines = NULL;
	put_guest(card);
	card->connection.n_lines = 0;
}

static void on_connected(struct card *card)
{
	card->connected = true;
	guest_log_info(BUDGETS(card), CARD_FORMAT": connected%s, %u streams", CARD_ARGS(card),
			card->connection.step == CONNECTION_RESUME ? " again" : "",
			card->connection.n_lines);
	if (card->connection.step == CONNECTION_RESUME) {
		card->written = XENBUS_CONNECTED;
	} else if (write_state(card, XENBUS_CONNECTED) < 0) {
		back_off(card);
		return;
	}
	card->failures = 0;
	card->offers = 0;
}

static void on_not_connected(struct card *card)
{
	char why[STORE_VALUE_SIZE];

	drop_lines(card);
	if (card->connection.step == CONNECTION_RESUME) {
		guest_log_warn(BUDGETS(card), CARD_FORMAT": can't go on with its streams: %s; "
				"the guest connects anew", CARD_ARGS(card),
				strerror(-card->connection.res));
		return;
	}
	snprintf(why, sizeof(why), "can't map the rings of %s: %s", card->frontend,
			strerror(-card->connection.res));
	failed(card, why);
}

static void on_reply(struct letter *letter)
{
	struct card *card = SPA_CONTAINER_OF(letter, struct card, connection.reply);

	card->busy = false;
	card->connected = false;
	if (card->connection.step == CONNECTION_DISCONNECT) {
		drop_lines(card);
		guest_log_info(BUDGETS(card), CARD_FORMAT": disconnected", CARD_ARGS(card));
	} else if (card->connection.res >= 0) {
		on_connected(card);
	} else {
		on_not_connected(card);
	}
	card_look(card);
}

static void disconnect(struct card *card)
{
	card->busy = true;
	guest_connect(&card->connection, CONNECTION_DISCONNECT);
}

static struct state_key make_key(const struct line_config *config)
{
	const struct stream_identity *id = &config->identity;
	struct state_key key;

	memset(&key, 0, sizeof(key));
	snprintf(key.uuid, sizeof(key.uuid), "%s", id->uuid);
	key.domid = id->domid;
	key.device = id->device;
	key.pcm = id->pcm;
	key.stream = id->stream;
	key.dialect = config->dialect - wire_dialects;
	key.capture = config->capture;
	key.ring_ref = config->ring_ref;
	key.event_channel = config->event_channel;
	key.evt_ring_ref = config->evt_ring_ref;
	key.evt_event_channel = config->evt_event_channel;
	return key;
}

/* Every line must have left one: -ENOENT. */
static int find_records(struct card *card)
{
	uint32_t i;

	for (i = 0; i < card->connection.n_lines; i++) {
		struct line *line = &card->connection.lines[i];
		const struct state_key key = make_key(&line->config);

		if ((line->record = state_find(card->xenbus->env->state, &key)) == NULL)
			return -ENOENT;
	}
	return 0;
}

/* one that there is no room for makes the guest connect anew after a restart */
static void add_records(struct card *card)
{
	uint32_t i;

	for (i = 0; i < card->connection.n_lines; i++) {
		struct line *line = &card->connection.lines[i];
		const struct state_key key = make_key(&line->config);

		line->record = state_add(card->xenbus->env->state, &key);
	}
}

/* Read the lines, and hand them to the guest thread. On error nothing has happened. */
static int take_lines(struct card *card, enum connection_step step, char *why, size_t size)
{
	struct xenbus *xenbus = card->xenbus;
	struct connection *c = &card->connection;
	struct config *config;
	int res;

	config = config_get(xenbus->env->config);
	res = card_config_read(xenbus->xs, card, config->max_buffer, &c->lines, why, size);
	config_unref(config);
	if (res < 0)
		return res;
	c->n_lines = res;
	if (step == CONNECTION_CONNECT) {
		add_records(card);
	} else if ((res = find_records(card)) < 0) {
		snprintf(why, size, "nothing is known of its streams");
		goto error;
	}
	if ((res = get_guest(card, why, size)) < 0)
		goto error;
	c->guest = card->guest;
	c->reply_to = &xenbus->worker.mailbox;
	c->reply.read = on_reply;
	card->busy = true;
	guest_connect(c, step);
	return 0;

error:
	drop_lines(card);
	return res;
}

static void connect(struct card *card)
{
	char why[STORE_VALUE_SIZE];

	if (take_lines(card, CONNECTION_CONNECT, why, sizeof(why)) < 0)
		failed(card, why);
}

/* Both sides were connected when a backend before us ended. False: it can't be gone
 * on with. */
static bool resume(struct card *card)
{
	char why[STORE_VALUE_SIZE];

	if (take_lines(card, CONNECTION_RESUME, why, sizeof(why)) >= 0)
		return true;
	guest_log_warn(BUDGETS(card), CARD_FORMAT": %s; the guest connects anew", CARD_ARGS(card), why);
	return false;
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

static void start_closing(struct card *card, uint64_t now)
{
	card->closing_until = now + CLOSING_NSEC;
	look_again_in(card, CLOSING_NSEC);
	write_state(card, XENBUS_CLOSING);
}

/* A driver that is being unloaded goes on to Closed by itself, in its time, and takes no
 * notice. One that could not start, as Linux's in a guest that was restored, tries again
 * only if it is offered to. */
static void offer_again(struct card *card, uint64_t now)
{
	if (card->offer_at == 0) {
		card->offer_at = now + (BACKOFF_MIN << SPA_MIN(card->offers, BACKOFF_STEPS));
		card->offers++;
	}
	if (now < card->offer_at) {
		look_again_in(card, card->offer_at - now);
		return;
	}
	guest_log_info(BUDGETS(card), CARD_FORMAT": the guest's driver neither starts nor closes: "
			"it may start again", CARD_ARGS(card));
	start_closing(card, now);
}

static void close_with_frontend(struct card *card, const struct states *st)
{
	uint64_t now = clock_now();

	if (st->backend == XENBUS_INIT_WAIT) {
		offer_again(card, now);
		return;
	}
	card->offer_at = 0;
	if (st->backend != XENBUS_CLOSING) {
		start_closing(card, now);
		return;
	}
	if (now < card->closing_until)
		look_again_in(card, card->closing_until - now);
	else
		restart(card, st);
}

static void step(struct card *card, const struct states *st)
{
	bool resumable = card->resumable;

	card->resumable = false;
	if (is_removed(card, st)) {
		if (st->backend != XENBUS_CLOSED)
			write_state(card, XENBUS_CLOSED);
		return;
	}
	if (st->backend == XENBUS_INITIALISING) {
		restart(card, st);
		return;
	}
	if (resumable && st->backend == XENBUS_CONNECTED && st->frontend == XENBUS_CONNECTED &&
	    resume(card))
		return;
	if (st->frontend != XENBUS_CLOSING)
		card->offer_at = 0;
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

/* A xenstored that was started anew may get its content back: no reason to end what
 * goes well. Looked at again when the time for it is over. */
static bool may_come_back(const struct card *card, const struct states *st)
{
	return card->connected && card->xenbus->settling &&
		(st->backend == XENBUS_UNKNOWN || st->frontend == XENBUS_UNKNOWN);
}

void card_look(struct card *card)
{
	struct states st;
	bool alive;

	if (card->busy)
		return;
	if (read_states(card, &st) < 0) {
		look_again_in(card, LOST_NSEC);
		return;
	}
	if (may_come_back(card, &st))
		return;
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

void card_watch(struct card *card)
{
	int res = watch_frontend(card, xs_watch);

	card->deaf = res < 0;
	if (res >= 0)
		return;
	guest_log_error(BUDGETS(card), CARD_FORMAT": can't watch %s/state: %s", CARD_ARGS(card),
			card->frontend, strerror(-res));
	look_again_in(card, DEAF_NSEC);
}

/* Where nothing watches, not even the news of a change costs us anything. */
static void look_seldom(struct card *card)
{
	domain_reach(card->domain, BUDGET_STATES);
	card->deaf = watch_frontend(card, xs_unwatch) >= 0;
	look_again_in(card, DEAF_NSEC);
}

void card_hear(struct card *card)
{
	/* on its way when the watch ended */
	if (card->deaf)
		return;
	if (budget_spend(BUDGETS(card), BUDGET_STATES, clock_now()) == 0)
		card_look(card);
	else
		look_seldom(card);
}

static void on_timer(void *data, uint64_t expirations)
{
	struct card *card = data;

	/* which is an event, too: what was missed is looked at */
	if (card->deaf && card->xenbus->xs)
		card_watch(card);
	card_look(card);
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
	card->resumable = true;
	snprintf(card->backend, sizeof(card->backend), "%.200s/%u/%u", xenbus->root, domid, device);
	snprintf(card->token, sizeof(card->token), "%u/%u", domid, device);

	if ((res = find_frontend(card)) < 0)
		goto error_frontend;
	if ((card->domain = domain_get(xenbus, domid)) == NULL) {
		res = -errno;
		goto error_frontend;
	}
	card->timer = pw_loop_add_timer(xenbus->worker.loop, on_timer, card);
	if (card->timer == NULL) {
		res = -errno;
		goto error_timer;
	}
	if ((res = watch_frontend(card, xs_watch)) < 0)
		goto error_watch;
	spa_list_append(&xenbus->cards, &card->link);
	guest_log_info(BUDGETS(card), CARD_FORMAT": found", CARD_ARGS(card));
	return card;

error_watch:
	pw_loop_destroy_source(xenbus->worker.loop, card->timer);
error_timer:
	domain_put(card->domain);
error_frontend:
	free(card);
	errno = -res;
	return NULL;
}

void card_free(struct card *card)
{
	guest_log_info(BUDGETS(card), CARD_FORMAT": gone", CARD_ARGS(card));
	spa_list_remove(&card->link);
	if (card->xenbus->xs && !card->deaf)
		watch_frontend(card, xs_unwatch);
	pw_loop_destroy_source(card->xenbus->worker.loop, card->timer);
	mailbox_cancel(&card->xenbus->worker.mailbox, &card->connection.reply);
	drop_lines(card);
	domain_put(card->domain);
	free(card);
}
