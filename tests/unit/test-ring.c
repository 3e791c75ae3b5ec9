/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The request ring, with a frontend that is honest and one that is not. */

#include <errno.h>

#include "ring.h"
#include "test.h"

/* what the dialects' headers make of a page, written out */
static const struct shape {
	enum wire_dialect_id dialect;
	uint32_t packet, slots;
} shapes[] = {
	{ WIRE_DIALECT_1, 32, 64 },
	{ WIRE_DIALECT_RFC, 32, 64 },
	{ WIRE_DIALECT_2, 64, 32 },
};
static const struct shape *shape;

#define EACH_DIALECT								\
	for (shape = shapes; shape < shapes + sizeof(shapes) / sizeof(shapes[0]); shape++)

/* the frontend's side of the page */
static struct {
	uint32_t req_prod, req_event, rsp_prod, rsp_event;
	uint8_t pad[48];
	uint8_t slots[WIRE_PAGE_SIZE - 64];
} __attribute__((aligned(WIRE_PAGE_SIZE))) page;

static struct ring ring;

static uint8_t *slot(uint32_t index)
{
	return page.slots + index % shape->slots * shape->packet;
}

static void start_at(uint32_t index)
{
	memset(&page, 0, sizeof(page));
	page.req_event = page.rsp_event = 1;
	ring_init(&ring, &wire_dialects[shape->dialect], &page);
	/* as after that many requests */
	ring.consumed = ring.answered = index;
	page.req_prod = page.rsp_prod = index;
}

static void put_request(uint8_t fill)
{
	memset(slot(page.req_prod), fill, shape->packet);
	page.req_prod++;
}

static void check_packet(const uint8_t *packet, uint8_t fill)
{
	uint8_t wanted[WIRE_PACKET_SIZE];

	memset(wanted, fill, sizeof(wanted));
	check_mem(packet, wanted, shape->packet);
}

/* `n` requests, one after the other, each answered before the next */
static void play(uint32_t n)
{
	uint8_t packet[WIRE_PACKET_SIZE];
	uint32_t i, at;

	for (i = 0; i < n; i++) {
		at = page.req_prod;
		check_eq(ring_take(&ring, packet), 0);
		put_request(i);
		check_eq(ring_take(&ring, packet), 1);
		check_packet(packet, i);
		memset(packet, ~i, sizeof(packet));
		ring_answer(&ring, packet);
		ring_show(&ring);
		check_eq(page.rsp_prod, at + 1);
		check_packet(slot(at), ~i);
	}
	check_eq(ring_take(&ring, packet), 0);
}

TEST(a_fresh_ring_is_empty)
{
	uint8_t packet[WIRE_PACKET_SIZE];

	EACH_DIALECT {
		start_at(0);
		check_eq(ring_take(&ring, packet), 0);
	}
}

TEST(requests_go_round_the_ring_in_order)
{
	EACH_DIALECT {
		start_at(0);
		play(5 * shape->slots + 3);
	}
}

TEST(requests_go_on_where_the_index_wraps)
{
	EACH_DIALECT {
		start_at(UINT32_MAX - shape->slots - 1);
		play(2 * shape->slots);
		check(page.req_prod < shape->slots);
	}
}

TEST(a_full_ring_is_taken_whole)
{
	uint8_t packet[WIRE_PACKET_SIZE];
	uint32_t i;

	EACH_DIALECT {
		start_at(UINT32_MAX - 3);
		for (i = 0; i < shape->slots; i++)
			put_request(i);
		for (i = 0; i < shape->slots; i++) {
			check_eq(ring_take(&ring, packet), 1);
			check_packet(packet, i);
			ring_answer(&ring, packet);
			ring_show(&ring);
		}
		check_eq(ring_take(&ring, packet), 0);
	}
}

TEST(an_index_further_ahead_than_the_ring_is_large_breaks_it)
{
	uint8_t packet[WIRE_PACKET_SIZE];

	EACH_DIALECT {
		start_at(0);
		page.req_prod = shape->slots + 1;
		check_eq(ring_take(&ring, packet), -EPROTO);
		page.req_prod = UINT32_MAX;
		check_eq(ring_take(&ring, packet), -EPROTO);
		start_at(UINT32_MAX);
		page.req_prod += shape->slots + 1;
		check_eq(ring_take(&ring, packet), -EPROTO);
	}
}

TEST(an_index_that_goes_back_breaks_the_ring)
{
	uint8_t packet[WIRE_PACKET_SIZE];

	EACH_DIALECT {
		start_at(1000);
		page.req_prod--;
		check_eq(ring_take(&ring, packet), -EPROTO);
	}
}

TEST(what_the_guest_writes_after_the_take_has_no_effect)
{
	uint8_t packet[WIRE_PACKET_SIZE];

	EACH_DIALECT {
		start_at(0);
		put_request(0x11);
		check_eq(ring_take(&ring, packet), 1);
		memset(page.slots, 0x22, sizeof(page.slots));
		check_packet(packet, 0x11);
	}
}

/* The backend's indices are its own: what stands in the page is not read back. */
TEST(the_guest_can_not_move_the_backends_indices)
{
	uint8_t packet[WIRE_PACKET_SIZE] = { 0 };

	EACH_DIALECT {
		start_at(5);
		put_request(1);
		check_eq(ring_take(&ring, packet), 1);
		page.rsp_prod = 0xdeadbeef;
		page.rsp_event = 0xdeadbeef;
		page.req_event = 0xdeadbeef;
		ring_answer(&ring, packet);
		ring_show(&ring);
		check_eq(page.rsp_prod, 6);
		check_eq(ring_rearm(&ring), false);
		check_eq(page.req_event, 7);
	}
}

TEST(rearming_asks_for_the_next_request)
{
	uint8_t packet[WIRE_PACKET_SIZE];

	EACH_DIALECT {
		start_at(UINT32_MAX);
		put_request(0);
		check_eq(ring_take(&ring, packet), 1);
		check_eq(ring_rearm(&ring), false);
		check_eq(page.req_event, 1);
	}
}

TEST(rearming_sees_a_request_that_came_before_it)
{
	EACH_DIALECT {
		start_at(3);
		put_request(0);
		check_eq(ring_rearm(&ring), true);
	}
}

/* Killed between writing a response and showing it, or right after: the same. */
TEST(a_resumed_ring_shows_what_was_answered_and_serves_the_rest)
{
	uint8_t packet[WIRE_PACKET_SIZE] = { 0 };

	EACH_DIALECT {
		start_at(UINT32_MAX - 1);
		put_request(1);
		put_request(2);
		check_eq(ring_take(&ring, packet), 1);
		memset(packet, 0x77, sizeof(packet));
		ring_answer(&ring, packet);
		check_eq(page.rsp_prod, UINT32_MAX - 1);
		ring_resume(&ring, &wire_dialects[shape->dialect], &page, UINT32_MAX);
		check_eq(page.rsp_prod, UINT32_MAX);
		check_packet(slot(UINT32_MAX - 1), 0x77);
		check_eq(ring_take(&ring, packet), 1);
		check_packet(packet, 2);
		ring_answer(&ring, packet);
		ring_show(&ring);
		check_eq(page.rsp_prod, 0);
		check_eq(ring_take(&ring, packet), 0);
	}
}

TEST(a_resumed_ring_does_not_believe_the_guest)
{
	uint8_t packet[WIRE_PACKET_SIZE];

	EACH_DIALECT {
		start_at(7);
		page.rsp_prod = 3;
		ring_resume(&ring, &wire_dialects[shape->dialect], &page, 7);
		check_eq(page.rsp_prod, 7);
		check_eq(ring_take(&ring, packet), 0);
	}
}

static void put_operation(uint8_t op)
{
	memset(slot(page.req_prod), 0xa5, shape->packet);
	slot(page.req_prod)[2] = op;
	page.req_prod++;
}

TEST(a_waiting_request_is_found_and_stays)
{
	uint8_t packet[WIRE_PACKET_SIZE];

	EACH_DIALECT {
		start_at(UINT32_MAX);
		put_operation(WIRE_OP_OPEN);
		ring.consumed = ring.answered = 0;	/* that one was taken */
		check(!ring_has(&ring, WIRE_OP_OPEN, WIRE_OP_CLOSE));
		put_operation(WIRE_OP_WRITE);
		check(!ring_has(&ring, WIRE_OP_OPEN, WIRE_OP_CLOSE));
		put_operation(WIRE_OP_CLOSE);
		check(ring_has(&ring, WIRE_OP_OPEN, WIRE_OP_CLOSE));
		check_eq(ring_take(&ring, packet), 1);
		check_eq(packet[2], WIRE_OP_WRITE);
		/* an index out of all reason is no reason to look for ever */
		page.req_prod = UINT32_MAX;
		ring_has(&ring, WIRE_OP_SET_VOLUME, WIRE_OP_MUTE);
		check_eq(ring_take(&ring, packet), -EPROTO);
	}
}
