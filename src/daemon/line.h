/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A line: one stream directory of a card in XenStore, with its request ring and
 * its event page. On it a stream is opened and closed, over and over.
 *
 * Configured by the xenbus thread; from line_connect() to line_disconnect() the
 * guest thread's alone. */

#ifndef XEN_SND_LINE_H
#define XEN_SND_LINE_H

#include "grants.h"
#include "limits.h"
#include "ring.h"
#include "stream.h"

struct guest;

struct line_config {
	struct stream_identity identity;
	bool capture;
	struct limits limits;
	const struct wire_dialect *dialect;
	/* what the frontend made for it */
	uint32_t ring_ref, event_channel;
	uint32_t evt_ring_ref, evt_event_channel;	/* if the dialect has events */
};

struct line {
	struct line_config config;

	struct guest *guest;		/* while connected */
	struct mapping ring_map, event_map;
	struct ring ring;
	struct stream_events events;	/* handle and port of its own */
	evtchn_port_t port;		/* of the requests, on the guest's handle */
	struct state_record *record;	/* set by the xenbus thread before; NULL: nothing is kept */
	struct letter more;		/* to the guest thread itself: go on in the next turn */
	struct spa_source *timer;	/* goes on with what waits, or unmasks the port of a
					 * guest that signals too much */
	uint8_t packet[WIRE_PACKET_SIZE];	/* the request that is served */
	uint64_t waits_since;		/* CLOCK_MONOTONIC ns, when it was taken and the guest's
					 * budgets did not allow it; 0: none waits */
	uint32_t idle_wakes;		/* in a row, with nothing in the ring */
	bool served;			/* a request since the port was unmasked last */

	struct mapping buffer_map;	/* while a stream is open */
	uint32_t octets;		/* of the buffer, of the guest's budget */
	struct stream *stream;
	bool broken;			/* the ring can't be trusted: no more answers */
};

/* Map and bind what the frontend offers. Undoes everything on error. */
int line_connect(struct line *line, struct guest *guest);

/* The same where a backend before us was connected and the frontend is still: go on
 * with what the record says, which there must be, and wake the guest. */
int line_resume(struct line *line, struct guest *guest);

/* Close the stream, unmap and unbind. */
void line_disconnect(struct line *line);

/* Unmap and unbind for a backend that resumes the line: the guest does not notice. */
void line_leave(struct line *line);

/* Its port was signalled and is masked now: answer what is in the ring, a ring
 * full a turn and no more than the guest's budgets allow, and unmask the port when
 * all is done; later, if again and again nothing was. */
void line_serve(struct line *line);

#endif /* XEN_SND_LINE_H */
