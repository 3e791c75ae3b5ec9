/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A guest domain and its thread, see guest.h. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spa/utils/defs.h>

#include "channels.h"
#include "clock.h"
#include "guest.h"

/* Guest thread: the clock that runs while a stream does. */

static void arm_timer(struct guest *guest, uint64_t nsec)
{
	if (nsec == guest->timer_nsec)
		return;
	guest->timer_nsec = nsec;
	clock_fire_every(guest->worker.loop, guest->timer, nsec);
}

static void on_timer(void *data, uint64_t expirations)
{
	struct guest *guest = data;
	struct connection *c;
	uint64_t wanted, next = UINT64_MAX, now = clock_now();
	uint32_t i;

	spa_list_for_each(c, &guest->connections, link) {
		for (i = 0; i < c->n_lines; i++) {
			struct stream *s = c->lines[i].stream;

			if (s == NULL || atomic_load(&s->state) != STREAM_RUNNING)
				continue;
			wanted = stream_tick(s, now);
			next = SPA_MIN(next, wanted);
		}
	}
	arm_timer(guest, next == UINT64_MAX ? 0 : SPA_MAX(next, SPA_NSEC_PER_MSEC));
}

void guest_wake(struct guest *guest)
{
	on_timer(guest, 0);
}

/* Guest thread: its requests. */

static struct line *find_line(struct guest *guest, evtchn_port_t port)
{
	struct connection *c;
	uint32_t i;

	spa_list_for_each(c, &guest->connections, link) {
		for (i = 0; i < c->n_lines; i++) {
			if (c->lines[i].port == port)
				return &c->lines[i];
		}
	}
	return NULL;
}

static void on_channel(void *data, int fd, uint32_t mask)
{
	struct guest *guest = data;
	struct line *line;
	int port;

	if ((port = xenevtchn_pending(guest->evtchn)) < 0)
		return;
	if ((line = find_line(guest, port)) != NULL)
		line_serve(line);
}

/* Guest thread: connecting. */

static void disconnect_lines(struct connection *c, uint32_t n_lines)
{
	while (n_lines > 0)
		line_disconnect(&c->lines[--n_lines]);
}

static int connect_lines(struct connection *c, int (*connect)(struct line *, struct guest *))
{
	uint32_t i;
	int res;

	for (i = 0; i < c->n_lines; i++) {
		if ((res = connect(&c->lines[i], c->guest)) < 0) {
			disconnect_lines(c, i);
			return res;
		}
	}
	spa_list_append(&c->guest->connections, &c->link);
	/* streams may run already */
	guest_wake(c->guest);
	return 0;
}

static void on_letter(struct letter *letter)
{
	struct connection *c = SPA_CONTAINER_OF(letter, struct connection, letter);

	switch (c->step) {
	case CONNECTION_CONNECT:
		c->res = connect_lines(c, line_connect);
		break;
	case CONNECTION_RESUME:
		c->res = connect_lines(c, line_resume);
		break;
	case CONNECTION_DISCONNECT:
		spa_list_remove(&c->link);
		disconnect_lines(c, c->n_lines);
		c->res = 0;
		break;
	}
	mailbox_post(c->reply_to, &c->reply);
}

void guest_connect(struct connection *c, enum connection_step step)
{
	c->step = step;
	c->letter.read = on_letter;
	mailbox_post(&c->guest->worker.mailbox, &c->letter);
}

/* Xenbus thread. */

static int open_channels(struct guest *guest)
{
	guest->evtchn = channels_open(guest->domid, guest->env->logger);
	return guest->evtchn ? 0 : -errno;
}

static int add_sources(struct guest *guest)
{
	struct pw_loop *loop = guest->worker.loop;

	guest->source = pw_loop_add_io(loop, xenevtchn_fd(guest->evtchn), SPA_IO_IN, false,
			on_channel, guest);
	guest->timer = pw_loop_add_timer(loop, on_timer, guest);
	return guest->source && guest->timer ? 0 : -errno;
}

static void remove_sources(struct guest *guest)
{
	if (guest->source)
		pw_loop_destroy_source(guest->worker.loop, guest->source);
	if (guest->timer)
		pw_loop_destroy_source(guest->worker.loop, guest->timer);
}

struct guest *guest_new(const struct guest_env *env, uint32_t domid, struct budgets *budgets)
{
	struct guest *guest;
	char name[16];
	int res;

	if ((guest = calloc(1, sizeof(*guest))) == NULL)
		return NULL;
	guest->env = env;
	guest->domid = domid;
	guest->budgets = budgets;
	spa_list_init(&guest->connections);

	if ((res = grants_open(&guest->grants, domid, budgets, env->logger)) < 0)
		goto error_grants;
	if ((res = open_channels(guest)) < 0)
		goto error_channels;
	/* the kernel makes files of it, /proc/irq/N/evtchn:NAME: no slash */
	snprintf(name, sizeof(name), "xen-snd-%u", domid);
	if ((res = worker_init(&guest->worker)) < 0)
		goto error_worker;
	if ((res = add_sources(guest)) < 0)
		goto error_sources;
	if ((res = worker_start(&guest->worker, name)) < 0)
		goto error_sources;
	return guest;

error_sources:
	remove_sources(guest);
	worker_clear(&guest->worker);
error_worker:
	xenevtchn_close(guest->evtchn);
error_channels:
	grants_close(&guest->grants);
error_grants:
	free(guest);
	errno = -res;
	return NULL;
}

void guest_stop(struct guest *guest)
{
	struct connection *c;
	uint32_t i;

	worker_stop(&guest->worker);
	guest->stopped = true;
	spa_list_consume(c, &guest->connections, link) {
		spa_list_remove(&c->link);
		for (i = 0; i < c->n_lines; i++)
			line_leave(&c->lines[i]);
	}
}

void guest_free(struct guest *guest)
{
	if (!guest->stopped)
		guest_stop(guest);
	remove_sources(guest);
	worker_clear(&guest->worker);
	xenevtchn_close(guest->evtchn);
	grants_close(&guest->grants);
	free(guest);
}
