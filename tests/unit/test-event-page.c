/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The event page, read by both generations of Linux. */

#include "event-page.h"
#include "linux-frontend.h"
#include "test.h"

#define FRAME_SIZE	4u
#define POSITIONS	31u	/* that fit into 63 slots, two each */
#define RFC_POSITIONS	63u	/* and into 127 */

/* the page, between two that nobody may write */
static uint8_t pages[3][WIRE_PAGE_SIZE] __attribute__((aligned(WIRE_PAGE_SIZE)));
static uint8_t * const page = pages[1];

static struct event_page events;
static struct linux_frontend guest;
static uint64_t position;	/* frames, since OPEN */

static enum wire_dialect_id dialect = WIRE_DIALECT_2;

static void start(enum linux_generation generation)
{
	memset(pages[0], 0xa5, WIRE_PAGE_SIZE);
	memset(pages[2], 0xa5, WIRE_PAGE_SIZE);
	linux_init(&guest, generation, page);
	if (dialect == WIRE_DIALECT_RFC)
		guest.packet = 32;
	event_page_init(&events, &wire_dialects[dialect], page);
}

static void open_stream(void)
{
	linux_clear(&guest);			/* open() */
	linux_set_geometry(&guest, 4800, 480, FRAME_SIZE);
	event_page_open(&events);
	position = 0;
}

static bool post(void)
{
	if (!event_page_write(&events, ++position * FRAME_SIZE))
		return false;
	event_page_show(&events);
	return true;
}

static void must_post(void)
{
	check(post());
}

static uint32_t in_cons(void)
{
	return ((uint32_t *)page)[0];
}

static uint32_t in_prod(void)
{
	return ((uint32_t *)page)[1];
}

static void set_in_cons(uint32_t value)
{
	((uint32_t *)page)[0] = value;
}

/* post `n` positions, the guest reading each `every` */
static void play(uint32_t n, uint32_t every)
{
	uint64_t accepted = guest.accepted;
	uint32_t i;

	for (i = 1; i <= n; i++) {
		must_post();
		if (i % every == 0)
			linux_interrupt(&guest);
	}
	linux_interrupt(&guest);
	check_eq(guest.accepted - accepted, n);
	check_eq(guest.told, position);
}

/* more positions than ids have numbers */
static void every_position_once(enum linux_generation generation)
{
	uint32_t i;

	start(generation);
	for (i = 1; i <= 6; i++) {
		open_stream();
		play(20000 + i, i);
		event_page_close(&events);
		linux_free(&guest);
	}
	check(in_prod() > UINT16_MAX);
}

TEST(older_linux_takes_every_position_once_over_five_reopens)
{
	every_position_once(LINUX_OLDER);
	/* the second of two was accepted only where both count alike: in the first OPEN */
	check(guest.duplicates <= 20001);
}

TEST(newer_linux_takes_every_position_once_over_five_reopens)
{
	every_position_once(LINUX_NEWER);
	check(guest.duplicates <= 20001);
}

/* hw_params() twice: OPEN comes again, without CLOSE */
static void open_again(enum linux_generation generation)
{
	start(generation);
	open_stream();
	play(100, 7);
	must_post();
	event_page_close(&events);
	open_stream();
	play(100, 7);
}

TEST(older_linux_goes_on_after_open_while_open)
{
	open_again(LINUX_OLDER);
}

TEST(newer_linux_goes_on_after_open_while_open)
{
	open_again(LINUX_NEWER);
}

/* A guest that does not read: no id may be used up by what was not written. */
static void full_page(enum linux_generation generation)
{
	uint32_t i, accepted = 0;

	start(generation);
	open_stream();
	play(10, 1);
	while (post())
		accepted++;
	check_eq(accepted, dialect == WIRE_DIALECT_RFC ? RFC_POSITIONS : POSITIONS);
	for (i = 0; i < 1000; i++)
		check(!post());
	linux_interrupt(&guest);
	check_eq(guest.accepted, 10 + accepted);
	must_post();
	linux_interrupt(&guest);
	/* the next position says all that those without room would have */
	check_eq(guest.told, position);
	play(100, 3);
}

TEST(older_linux_loses_no_id_to_a_full_page)
{
	full_page(LINUX_OLDER);
}

TEST(newer_linux_loses_no_id_to_a_full_page)
{
	full_page(LINUX_NEWER);
}

/* 2^32 is no multiple of 63, and the index wraps all the same. */
static void index_wrap(enum linux_generation generation, uint32_t every)
{
	const uint32_t before = UINT32_MAX - 199;
	uint32_t i, refused = 0;
	uint64_t accepted;

	start(generation);
	((uint32_t *)page)[0] = ((uint32_t *)page)[1] = before;
	events.produced = before;
	guest.id = generation == LINUX_OLDER ? (uint16_t)before : 0;
	open_stream();
	for (i = 1; i <= 400; i++) {
		refused += !post();
		if (i % every == 0)
			linux_interrupt(&guest);
	}
	linux_interrupt(&guest);
	accepted = guest.accepted;
	check_eq(accepted + refused, 400);
	check(refused <= 2 * every);
	check(in_prod() < before);
	/* and with room nothing is refused any more */
	play(400, every);
}

TEST(older_linux_follows_when_the_index_wraps)
{
	index_wrap(LINUX_OLDER, 1);
	index_wrap(LINUX_OLDER, 5);
	index_wrap(LINUX_OLDER, 30);
}

TEST(newer_linux_follows_when_the_index_wraps)
{
	index_wrap(LINUX_NEWER, 1);
	index_wrap(LINUX_NEWER, 5);
	index_wrap(LINUX_NEWER, 30);
}

TEST(a_lying_guest_gets_nothing_written_outside_its_page)
{
	static const uint8_t reserved[56];
	uint8_t canary[WIRE_PAGE_SIZE];
	uint32_t i, lie = 1;

	memset(canary, 0xa5, sizeof(canary));
	start(LINUX_OLDER);
	open_stream();
	for (i = 0; i < 100000; i++) {
		lie = lie * 1664525 + 1013904223;
		set_in_cons(i % 3 ? lie : in_prod() - lie % 70 + 3);
		post();
		if (i % 1000 == 0) {
			event_page_close(&events);
			event_page_open(&events);
		}
	}
	check_mem(pages[0], canary, sizeof(canary));
	check_mem(pages[2], canary, sizeof(canary));
	check_mem(page + 8, reserved, sizeof(reserved));
}

TEST(a_guest_that_claims_to_be_ahead_is_posted_nothing)
{
	start(LINUX_OLDER);
	open_stream();
	play(10, 1);
	set_in_cons(in_prod() + 1);
	check(!post());
	set_in_cons(in_prod() - 63 - 1);
	check(!post());
	set_in_cons(in_prod());
	must_post();
}

/* The position is in the page before the index that shows it. */
TEST(the_index_moves_by_two_slots_a_position)
{
	start(LINUX_OLDER);
	open_stream();
	must_post();
	check_eq(in_prod(), 2);
	must_post();
	check_eq(in_prod(), 4);
	check_eq(in_cons(), 0);
}

static void close_with_unread(enum linux_generation generation, uint32_t unread)
{
	uint64_t accepted;

	start(generation);
	open_stream();
	play(50, 1);
	accepted = guest.accepted;
	while (unread-- > 0)
		must_post();
	event_page_close(&events);
	/* from here a position would divide by zero in the guest; hw_free() of
	 * the older one reads what is there still, sooner or later */
	linux_free(&guest);
	linux_interrupt(&guest);
	check_eq(guest.accepted, accepted);
	open_stream();
	play(50, 1);
}

TEST(older_linux_reads_no_position_after_close)
{
	close_with_unread(LINUX_OLDER, 0);
	close_with_unread(LINUX_OLDER, 1);
	close_with_unread(LINUX_OLDER, POSITIONS);
}

TEST(newer_linux_reads_no_position_after_close)
{
	close_with_unread(LINUX_NEWER, 0);
	close_with_unread(LINUX_NEWER, 1);
	close_with_unread(LINUX_NEWER, POSITIONS);
}

/* The drivers of 2017 were not published: whichever way they count. */
TEST(the_rfc_takes_every_position_once_over_five_reopens)
{
	dialect = WIRE_DIALECT_RFC;
	every_position_once(LINUX_OLDER);
	every_position_once(LINUX_NEWER);
}

TEST(the_rfc_loses_no_id_to_a_full_page)
{
	dialect = WIRE_DIALECT_RFC;
	full_page(LINUX_OLDER);
	full_page(LINUX_NEWER);
}

TEST(the_rfc_follows_when_the_index_wraps)
{
	dialect = WIRE_DIALECT_RFC;
	index_wrap(LINUX_OLDER, 5);
	index_wrap(LINUX_NEWER, 5);
}

TEST(the_rfc_reads_no_position_after_close)
{
	dialect = WIRE_DIALECT_RFC;
	close_with_unread(LINUX_OLDER, RFC_POSITIONS);
	close_with_unread(LINUX_NEWER, RFC_POSITIONS);
}

TEST(version_1_has_no_page_and_no_event)
{
	event_page_init(&events, &wire_dialects[WIRE_DIALECT_1], NULL);
	event_page_open(&events);
	check(!post());
	event_page_close(&events);
}

TEST(a_position_beyond_32_bits_arrives_whole)
{
	const uint64_t far = UINT64_C(0x123456789a) * FRAME_SIZE;

	start(LINUX_NEWER);
	open_stream();
	check(event_page_write(&events, far));
	event_page_show(&events);
	linux_interrupt(&guest);
	check_eq(guest.told, far / FRAME_SIZE);
}

/* The backend is killed after each step of a post in turn, and the next goes on. */
static void killed_while_posting(enum linux_generation generation)
{
	const struct wire_dialect *d = &wire_dialects[WIRE_DIALECT_2];
	uint64_t accepted;
	uint32_t i;

	start(generation);
	for (i = 0; i < 3; i++) {
		open_stream();
		play(50 + i, 3);
		/* the slots are written: the guest does not know */
		check(event_page_write(&events, ++position * FRAME_SIZE));
		linux_interrupt(&guest);
		check_eq(guest.told, position - 1);
		/* and writes what it likes where we count */
		((uint32_t *)page)[1] = 0xdeadbeef;
		accepted = guest.accepted;
		event_page_resume(&events, d, page, events.produced, events.base);
		linux_interrupt(&guest);
		check_eq(guest.accepted, accepted + 1);
		check_eq(guest.told, position);
		/* after the last step there is nothing to be made good */
		event_page_resume(&events, d, page, events.produced, events.base);
		linux_interrupt(&guest);
		check_eq(guest.accepted, accepted + 1);
		play(100, 7);
		event_page_close(&events);
		linux_free(&guest);
	}
}

TEST(older_linux_takes_every_position_of_a_resumed_page)
{
	killed_while_posting(LINUX_OLDER);
}

TEST(newer_linux_takes_every_position_of_a_resumed_page)
{
	killed_while_posting(LINUX_NEWER);
}

TEST(version_1_resumes_without_a_page)
{
	event_page_resume(&events, &wire_dialects[WIRE_DIALECT_1], NULL, 0, 0);
	check(!event_page_write(&events, 4));
}
