/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The request ring, see ring.h. */

#include <errno.h>

#include "ring.h"
#include "shared-page.h"

/* the ring page's header: four free-running indices */
enum {
	AT_REQ_PROD = 0,	/* frontend writes */
	AT_REQ_EVENT = 4,	/* backend writes: notify me when req_prod reaches this */
	AT_RSP_PROD = 8,	/* backend writes */
};

static size_t slot_at(const struct ring *ring, uint32_t index)
{
	const struct wire_dialect *d = ring->dialect;

	return WIRE_RING_HEADER + (size_t)(index % d->ring_slots) * d->packet_size;
}

void ring_init(struct ring *ring, const struct wire_dialect *dialect, void *page)
{
	*ring = (struct ring) { .dialect = dialect, .page = page };
}

void ring_resume(struct ring *ring, const struct wire_dialect *dialect, void *page,
		uint32_t answered)
{
	ring_init(ring, dialect, page);
	ring->consumed = ring->answered = answered;
	ring_show(ring);
}

bool ring_has(const struct ring *ring, enum wire_op op, enum wire_op other)
{
	uint32_t waiting = page_load(ring->page, AT_REQ_PROD) - ring->consumed, i;
	uint8_t packet[WIRE_PACKET_SIZE];
	struct wire_request req;

	for (i = 0; i < waiting && i < ring->dialect->ring_slots; i++) {
		page_read(packet, ring->page, slot_at(ring, ring->consumed + i),
				ring->dialect->packet_size);
		wire_get_request(ring->dialect, packet, &req);
		if (req.op == op || req.op == other)
			return true;
	}
	return false;
}

int ring_take(struct ring *ring, uint8_t packet[WIRE_PACKET_SIZE])
{
	uint32_t waiting = page_load(ring->page, AT_REQ_PROD) - ring->consumed;

	if (waiting == 0)
		return 0;
	if (waiting > ring->dialect->ring_slots)
		return -EPROTO;
	page_read(packet, ring->page, slot_at(ring, ring->consumed), ring->dialect->packet_size);
	ring->consumed++;
	return 1;
}

void ring_answer(struct ring *ring, const uint8_t packet[WIRE_PACKET_SIZE])
{
	page_write(ring->page, slot_at(ring, ring->answered), packet, ring->dialect->packet_size);
	ring->answered++;
}

void ring_show(struct ring *ring)
{
	page_store(ring->page, AT_RSP_PROD, ring->answered);
}

bool ring_rearm(struct ring *ring)
{
	page_store(ring->page, AT_REQ_EVENT, ring->consumed + 1);
	/* the frontend stores req_prod, then reads req_event: one of us must see the other */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return page_load(ring->page, AT_REQ_PROD) != ring->consumed;
}
