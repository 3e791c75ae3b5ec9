/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The request ring: one granted page that a frontend fills with requests and
 * the backend with responses (Xen's public/io/ring.h).
 *
 * The page is the guest's to scribble on at any time, so nothing is read from
 * it twice and the backend's own indices are kept here. Guest thread only. */

#ifndef XEN_SND_RING_H
#define XEN_SND_RING_H

#include "wire.h"

struct ring {
	const struct wire_dialect *dialect;
	uint8_t *page;		/* WIRE_PAGE_SIZE octets, shared with the guest */
	uint32_t consumed;	/* requests taken, free-running; equals the responses made */
	uint32_t answered;	/* responses put into the ring, free-running */
};

/* Take over a ring that the frontend has just made. */
void ring_init(struct ring *ring, const struct wire_dialect *dialect, void *page);

/* Take over a ring that a backend before us has served: `answered` requests have
 * their response in it, whatever the page says, and all of them or all but the
 * last were shown. The rest is waiting. */
void ring_resume(struct ring *ring, const struct wire_dialect *dialect, void *page,
		uint32_t answered);

/* Is a request of one of the two operations waiting? It stays where it is. */
bool ring_has(const struct ring *ring, enum wire_op op, enum wire_op other);

/* Copy the next request. 1: there is one, 0: none, -EPROTO: the frontend's
 * index is out of all reason and the ring can't be trusted any more. */
int ring_take(struct ring *ring, uint8_t packet[WIRE_PACKET_SIZE]);

/* Put the response to the request taken last into the ring. */
void ring_answer(struct ring *ring, const uint8_t packet[WIRE_PACKET_SIZE]);

/* Let the frontend see what was answered. The caller notifies, always: a frontend
 * that closed a channel with a response under way asks for no notification ever
 * again. */
void ring_show(struct ring *ring);

/* Ask for a notification on the next request. True: one is there already. */
bool ring_rearm(struct ring *ring);

#endif /* XEN_SND_RING_H */
