/* SPDX-License-Identifier: MIT */
/*
 * The driver's side of XenBus, as the guest's kernel plays it.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "card.h"
#include "config.h"

static void write_state(struct card *c, enum xenbus_state state)
{
	char path[STORE_PATH * 2];
	char *now;

	snprintf(path, sizeof(path), "%s/state", c->frontend);
	now = store_read(c->xs, XBT_NULL, "%s", path);
	if (now != NULL)
		store_write(c->xs, XBT_NULL, path, "%d", (int)state);
	free(now);
	pthread_mutex_lock(&c->mutex);
	c->state = state;
	if (state == XENBUS_CONNECTED)
		c->connects++;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
}

/* snd_card_free(): blocks until every application has closed. */
static void wait_until_closed(struct pcm *p)
{
	pthread_mutex_lock(&p->lock);
	while (p->state != PCM_CLOSED)
		pthread_cond_wait(&p->wake, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

static void disconnect(struct card *c)
{
	for (uint32_t i = 0; i < c->n_streams; i++)
		pcm_disconnect(&c->streams[i].substream);
	for (uint32_t i = 0; i < c->n_streams; i++) {
		wait_until_closed(&c->streams[i].substream);
		pcm_report(&c->streams[i].substream);
		pcm_stop_device(&c->streams[i].substream);
	}
	pthread_mutex_lock(&c->mutex);
	c->n_streams = 0;
	pthread_mutex_unlock(&c->mutex);
}

static int add_stream(struct card *c, uint32_t pcm, uint32_t index, const struct limits *limits,
		bool playback)
{
	struct stream *s = &c->streams[c->n_streams];
	char name[32];
	int res;

	if (c->n_streams == MAX_STREAMS)
		return -ENOSPC;
	s->pcm = pcm;
	s->index = index;
	snprintf(name, sizeof(name), "%u/%u/%u", c->devid, pcm, index);
	res = pcm_start_device(&s->substream, c->domain, name, playback, limits, c->dialect,
			c->generation);
	if (res == 0)
		c->n_streams++;
	return res;
}

/* PCMs and streams are those that follow one another from 0 on. */
static int create_streams(struct card *c)
{
	struct limits card_limits = config_defaults(), pcm_limits, limits;
	char path[STORE_PATH * 2];
	int type, res;

	config_read(c->xs, c->frontend, &card_limits);
	for (uint32_t p = 0; store_exists(c->xs, "%s/%u", c->frontend, p); p++) {
		pcm_limits = card_limits;
		snprintf(path, sizeof(path), "%s/%u", c->frontend, p);
		config_read(c->xs, path, &pcm_limits);
		for (uint32_t s = 0; store_exists(c->xs, "%s/%u/%u", c->frontend, p, s); s++) {
			limits = pcm_limits;
			snprintf(path, sizeof(path), "%s/%u/%u", c->frontend, p, s);
			config_read(c->xs, path, &limits);
			type = config_type(c->xs, path);
			if (type < 0)
				return type;
			if ((res = add_stream(c, p, s, &limits, type == 'p')) < 0)
				return res;
		}
	}
	return 0;
}

static bool publish_number(struct card *c, xs_transaction_t t, const struct stream *s,
		const char *prefix, const char *key, uint32_t value)
{
	char path[STORE_PATH * 2];

	snprintf(path, sizeof(path), "%s/%u/%u/%s%s", c->frontend, s->pcm, s->index, prefix, key);
	return store_write(c->xs, t, path, "%u", value);
}

static bool publish_stream(struct card *c, xs_transaction_t t, const struct stream *s)
{
	const struct channel *ch = &s->substream.channel;
	const char *prefix = c->dialect->key_prefix;
	bool ok;

	ok = publish_number(c, t, s, prefix, "ring-ref", ch->req_page.grefs[0]) &&
			publish_number(c, t, s, prefix, "event-channel", ch->req_line.port);
	if (c->dialect->event_slots > 0)
		ok = ok && publish_number(c, t, s, "evt-", "ring-ref", ch->evt_page.grefs[0]) &&
				publish_number(c, t, s, "evt-", "event-channel", ch->evt_line.port);
	return ok;
}

static int publish(struct card *c)
{
	xs_transaction_t t;
	bool ok;

	do {
		t = xs_transaction_start(c->xs);
		ok = t != XBT_NULL;
		for (uint32_t i = 0; ok && i < c->n_streams; i++)
			ok = publish_stream(c, t, &c->streams[i]);
		if (!ok) {
			xs_transaction_end(c->xs, t, true);
			return -EIO;
		}
		ok = xs_transaction_end(c->xs, t, false);
	} while (!ok && errno == EAGAIN);
	return ok ? 0 : -EIO;
}

static void initialise(struct card *c)
{
	int res;

	disconnect(c);
	res = create_streams(c);
	if (res == 0)
		res = publish(c);
	if (res < 0)
		report_violation("card", "the driver fails with %d", res);
	write_state(c, res < 0 ? XENBUS_CLOSING : XENBUS_INITIALISED);
}

static void on_backend_state(struct card *c, enum xenbus_state state)
{
	switch (state) {
	case XENBUS_INITIALISING:
		disconnect(c);
		write_state(c, XENBUS_INITIALISING);
		break;
	case XENBUS_INIT_WAIT:
		initialise(c);
		break;
	case XENBUS_CONNECTED:
		if (c->state != XENBUS_INITIALISED)
			break;
		for (uint32_t i = 0; i < c->n_streams; i++)
			channel_ready(&c->streams[i].substream.channel);
		write_state(c, XENBUS_CONNECTED);
		break;
	case XENBUS_GONE:
	case XENBUS_CLOSED:
		if (c->state == XENBUS_CLOSED)
			break;
		disconnect(c);
		write_state(c, XENBUS_INITIALISING);
		break;
	default:
		break;
	}
}

static void look(struct card *c)
{
	enum xenbus_state state = (enum xenbus_state)store_read_number(c->xs, XENBUS_GONE,
			"%s/state", c->backend);

	if (state == c->backend_state)
		return;
	pthread_mutex_lock(&c->mutex);
	c->backend_state = state;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
	on_backend_state(c, state);
}

static void *run_card(void *data)
{
	struct card *c = data;
	char path[STORE_PATH * 2];
	unsigned int n;

	snprintf(path, sizeof(path), "%s/state", c->backend);
	xs_watch(c->xs, path, "backend");
	while (true) {
		struct pollfd p[2] = {
			{ .fd = xs_fileno(c->xs), .events = POLLIN },
			{ .fd = c->quit_fd, .events = POLLIN },
		};

		poll(p, 2, -1);
		if (p[1].revents)
			break;
		if (p[0].revents) {
			free(xs_read_watch(c->xs, &n));
			look(c);
		}
	}
	xs_unwatch(c->xs, path, "backend");
	return NULL;
}

static int run_thread(struct card *c)
{
	c->quit_fd = eventfd(0, EFD_CLOEXEC);
	c->xs = xs_open(0);
	if (c->xs == NULL)
		return -errno;
	c->running = pthread_create(&c->thread, NULL, run_card, c) == 0;
	return c->running ? 0 : -EAGAIN;
}

static int run(struct card *c)
{
	c->backend_state = XENBUS_GONE;
	c->state = XENBUS_INITIALISING;
	return run_thread(c);
}

static void halt(struct card *c)
{
	uint64_t one = 1;

	if (!c->running)
		return;
	if (write(c->quit_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(c->thread, NULL);
	c->running = false;
	close(c->quit_fd);
}

int card_start(struct card *c, struct domain *d, uint32_t devid, const struct dialect *dialect,
		enum generation generation)
{
	pthread_condattr_t attr;

	memset(c, 0, sizeof(*c));
	c->devid = devid;
	c->domain = d;
	c->dialect = dialect;
	c->generation = generation;
	snprintf(c->frontend, sizeof(c->frontend), "/local/domain/%u/device/vsnd/%u", d->domid,
			devid);
	snprintf(c->backend, sizeof(c->backend), "/local/domain/%u/backend/vsnd/%u/%u",
			hv_backend_domid(), d->domid, devid);
	pthread_mutex_init(&c->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->changed, &attr);
	pthread_condattr_destroy(&attr);
	return run(c);
}

/* once, if its connection was never renewed */
static void report_connects(struct card *c)
{
	char name[32];

	snprintf(name, sizeof(name), "card-%u", c->devid);
	report_figure(name, "connects", c->connects);
}

void card_stop(struct card *c)
{
	if (c->xs == NULL)
		return;
	halt(c);
	disconnect(c);
	report_connects(c);
	xs_close(c->xs);
	c->xs = NULL;
}

int card_reconnect(struct card *c)
{
	halt(c);
	xs_close(c->xs);
	return run_thread(c);
}

static struct timespec deadline(uint32_t ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000 + 1;
	return t;
}

int card_wait_connected(struct card *c, uint32_t timeout_ms)
{
	struct timespec until = deadline(timeout_ms);
	int res = 0;

	pthread_mutex_lock(&c->mutex);
	while (res == 0 && (c->state != XENBUS_CONNECTED || c->backend_state != XENBUS_CONNECTED))
		res = pthread_cond_timedwait(&c->changed, &c->mutex, &until);
	pthread_mutex_unlock(&c->mutex);
	return -res;
}

static int wait_backend(struct card *c, enum xenbus_state state, uint32_t ms, const char *when)
{
	char path[STORE_PATH * 2];
	int64_t last;

	snprintf(path, sizeof(path), "%s/state", c->backend);
	last = store_wait_number(path, state, ms);
	if (last == state)
		return 0;
	report_violation("card", "backend state %d instead of %d %s", (int)last, (int)state, when);
	return -ETIMEDOUT;
}

int card_unload(struct card *c)
{
	int res;

	halt(c);
	write_state(c, XENBUS_CLOSING);
	res = wait_backend(c, XENBUS_INIT_WAIT, 1000, "at module unload");
	disconnect(c);
	write_state(c, XENBUS_CLOSED);
	xs_close(c->xs);
	c->xs = NULL;
	return res;
}

int card_reload(struct card *c)
{
	struct xs_handle *xs = xs_open(0);
	char path[STORE_PATH * 2];

	snprintf(path, sizeof(path), "%s/state", c->frontend);
	store_write(xs, XBT_NULL, path, "1");
	xs_close(xs);
	return run(c);
}

int card_shutdown(struct card *c)
{
	int res;

	halt(c);
	write_state(c, XENBUS_CLOSING);
	res = wait_backend(c, XENBUS_CLOSING, 5000, "at guest shutdown");
	write_state(c, XENBUS_CLOSED);
	disconnect(c);
	return res;
}

/* As Linux's xenbus_reset_frontend(). The old kernel's pages are taken back last. */
int card_kexec(struct card *c)
{
	static const struct {
		enum xenbus_state ours, wanted;
	} steps[] = {
		{ XENBUS_CLOSING, XENBUS_CLOSING },
		{ XENBUS_CLOSED, XENBUS_CLOSED },
		{ XENBUS_INITIALISING, XENBUS_INIT_WAIT },
	};
	int res = 0;

	halt(c);
	for (uint32_t i = 0; i < c->n_streams; i++) {
		pcm_disconnect(&c->streams[i].substream);
		pcm_close(&c->streams[i].substream);
	}
	for (uint32_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && res == 0; i++) {
		write_state(c, steps[i].ours);
		res = wait_backend(c, steps[i].wanted, 5000, "while XenBus is reset");
	}
	disconnect(c);
	xs_close(c->xs);
	c->xs = NULL;
	return res < 0 ? res : run(c);
}

struct pcm *card_find(struct card *c, uint32_t pcm, uint32_t index)
{
	struct pcm *found = NULL;

	pthread_mutex_lock(&c->mutex);
	for (uint32_t i = 0; i < c->n_streams; i++)
		if (c->streams[i].pcm == pcm && c->streams[i].index == index)
			found = &c->streams[i].substream;
	pthread_mutex_unlock(&c->mutex);
	return found;
}
