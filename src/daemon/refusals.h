/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The last refusals: cards and OPENs for which there is no node that could say so. They
 * are properties of whoever serves the guests, for xen-snd-top and others to see. A domain
 * that is refused again and again takes no other's place. */

#ifndef XEN_SND_REFUSALS_H
#define XEN_SND_REFUSALS_H

#include <pthread.h>

#include <pipewire/pipewire.h>

#include "names.h"

#define REFUSAL_SIZE	256		/* octets with the final NUL */

struct refusal {
	uint32_t domid;
	char text[REFUSAL_SIZE];
};

struct refusals {
	struct pw_loop *loop;		/* the main loop */
	struct spa_source *event;	/* any thread signals: there is a new one */
	struct spa_source *timer;
	/* main loop */
	bool armed;			/* the timer is */
	uint64_t next;			/* CLOCK_MONOTONIC ns when they may be told again */
	/* make these properties be seen */
	void (*publish)(void *data, const struct spa_dict *props);
	void *data;

	pthread_mutex_t lock;		/* of the rest: held for a copy */
	struct refusal last[REFUSALS_SHOWN];	/* oldest first */
	uint32_t n_last;
};

int refusals_init(struct refusals *refusals, struct pw_loop *loop,
		void (*publish)(void *data, const struct spa_dict *props), void *data);

/* No thread adds any more. */
void refusals_clear(struct refusals *refusals);

/* Any thread but a realtime one. Guests may cause as many as they like: of the domain that has
 * most of the list the oldest goes, what stands there already is not new, and they are told once
 * a second at most. NULL: nobody wants to know. */
SPA_PRINTF_FUNC(3, 4)
void refusals_add(struct refusals *refusals, uint32_t domid, const char *format, ...);

/* Main loop: tell them, to a PipeWire that is new. */
void refusals_tell(struct refusals *refusals);

#endif /* XEN_SND_REFUSALS_H */
