/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A card: one vsnd device of a guest, its XenBus states, and its lines.
 * Xenbus thread only. */

#ifndef XEN_SND_CARD_H
#define XEN_SND_CARD_H

#include "domain.h"
#include "guest.h"
#include "store.h"

struct xenbus;

/* xen/io/xenbus.h */
enum xenbus_state {
	XENBUS_UNKNOWN = 0,		/* the node is not there */
	XENBUS_INITIALISING = 1,
	XENBUS_INIT_WAIT = 2,
	XENBUS_INITIALISED = 3,
	XENBUS_CONNECTED = 4,
	XENBUS_CLOSING = 5,
	XENBUS_CLOSED = 6,
};

struct card {
	struct spa_list link;
	struct xenbus *xenbus;

	uint32_t domid, device;
	char backend[STORE_PATH_SIZE];	/* our directory */
	char frontend[STORE_PATH_SIZE];	/* the guest's directory, as ours names it */
	char token[32];			/* of the watch on the frontend's state */

	struct domain *domain;
	struct guest *guest;		/* and its budgets of cards and streams are taken */
	struct connection connection;
	bool resumable;			/* a backend before us may have connected it */
	bool connected;			/* the guest thread has the lines */
	bool busy;			/* its reply is awaited */
	bool domain_gone;
	bool deaf;			/* nothing watches the frontend; the timer is armed */

	enum xenbus_state written;	/* what we wrote last */
	uint32_t failures;		/* to connect, in a row */
	uint64_t not_before;		/* CLOCK_MONOTONIC ns: no new attempt until then */
	uint64_t closing_until;		/* so long Closing stays for the frontend to see */
	uint64_t offer_at;		/* when a driver that could not start is to try again, or 0 */
	uint32_t offers;		/* of that, in a row */
	struct spa_source *timer;	/* looks again */
};

/* Take up the directory backend/vsnd/<domid>/<device>. NULL with errno. */
struct card *card_new(struct xenbus *xenbus, uint32_t domid, uint32_t device);

/* Look at both sides' states and do what they call for. May free the card, when
 * its directory has gone. */
void card_look(struct card *card);

/* The frontend's state has changed: look, if the guest's budget allows it. */
void card_hear(struct card *card);

/* xenstored was started anew, and knows no watch. */
void card_watch(struct card *card);

/* Lets go of everything; no threads run any more. */
void card_free(struct card *card);

#endif /* XEN_SND_CARD_H */
