/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Guests' streams as PipeWire publishes them: the properties of their nodes, and what was
 * refused, which is in properties of whoever serves the guests. One thread. */

#ifndef XEN_SND_WATCH_H
#define XEN_SND_WATCH_H

#include <pipewire/pipewire.h>

/* A node of a stream; or a client or module, of which only refusals are looked at. */
struct watched {
	struct spa_list link;		/* in `streams` or `others` */
	struct watch *watch;
	uint32_t id;
	bool is_stream;
	struct pw_properties *props;	/* all that there are */
	struct pw_proxy *proxy;
	struct spa_hook listener, object_listener;
};

struct watch_events {
	void (*ready)(void *data);	/* once: all that there is now is known */
	void (*gone)(void *data, const char *why);	/* PipeWire is not there any more */
};

struct watch {
	struct pw_context *context;
	struct pw_core *core;
	struct spa_hook core_listener;
	struct pw_registry *registry;
	struct spa_hook registry_listener;
	int pending;			/* sequence number that is awaited */
	int rounds;			/* to go until all is known */
	struct spa_list streams;	/* by guest, card, PCM and stream */
	struct spa_list others;
	const struct watch_events *events;
	void *data;
};

/* Connect to the PipeWire of that name; NULL: the usual one. Negative errno. */
int watch_start(struct watch *watch, struct pw_loop *loop, const char *remote,
		const struct watch_events *events, void *data);
void watch_stop(struct watch *watch);

/* A property, "" if there is none. */
const char *watched_get(const struct watched *watched, const char *key);

/* Are two streams of the same guest? */
bool watched_same_guest(const struct watched *a, const struct watched *b);

/* Calls `found` with each refusal, the oldest of each first. */
void watch_for_each_refusal(const struct watch *watch,
		void (*found)(void *data, const char *text), void *data);

#endif /* XEN_SND_WATCH_H */
