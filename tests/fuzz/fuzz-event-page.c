/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The event page, with a guest that reads it as Linux does or scribbles on it.
 *
 * Nothing but the two slots of a position and the backend's index may change,
 * whatever the guest's index says; and to a guest that keeps to the rules every
 * position gets, in its generation's way of counting. */

#include <sys/mman.h>

#include "event-page.h"
#include "input.h"
#include "linux-frontend.h"
#include "pages.h"
#include "test.h"

#define FRAME		4u
#define IN_CONS		0u
#define IN_PROD		4u

enum command {
	POST,
	POST_FAR,
	OPEN,
	CLOSE,
	INTERRUPT,
	SCRIBBLE,
	INDEX,
	N_COMMANDS
};

static struct pages pages;

static struct {
	struct input in;
	struct event_page events;
	struct linux_frontend guest;
	bool honest;
	bool open;
	uint32_t base;			/* slots used before OPEN */
	uint64_t position;		/* frames */
	uint64_t lost;			/* positions that found no room since the last */
} t;

static uint32_t word(uint32_t at)
{
	uint32_t value;

	memcpy(&value, pages.guest + at, sizeof(value));
	return value;
}

static void set_word(uint32_t at, uint32_t value)
{
	memcpy(pages.guest + at, &value, sizeof(value));
}

FUZZ_UNSEEN
static uint8_t *slot(uint32_t index)
{
	const struct wire_dialect *d = t.events.dialect;

	return pages.guest + (1 + index % d->event_slots) * d->packet_size;
}

static void check_slot(uint32_t index, uint16_t id)
{
	static const uint8_t zeroes[64];
	const uint8_t *p = slot(index);
	uint64_t position;
	uint16_t found;

	memcpy(&found, p, sizeof(found));
	memcpy(&position, p + 8, sizeof(position));
	check_eq(found, id);
	check_mem(p + 2, zeroes, 6);
	check_eq(position, t.position * FRAME);
	check_mem(p + 16, zeroes, t.events.dialect->packet_size - 16);
}

/* All but `n` slots from `from` on, and the backend's index, is as it was. */
FUZZ_UNSEEN
static void check_rest(const uint8_t *before, uint32_t from, uint32_t n)
{
	uint8_t wanted[WIRE_PAGE_SIZE];
	uint32_t i, size = t.events.dialect->packet_size;

	memcpy(wanted, before, sizeof(wanted));
	memcpy(wanted + IN_PROD, pages.guest + IN_PROD, 4);
	for (i = 0; i < n; i++) {
		uint8_t *p = slot(from + i);
		memcpy(wanted + (p - pages.guest), p, size);
	}
	check_mem(pages.guest, wanted, sizeof(wanted));
}

static void post(uint64_t frames)
{
	uint8_t before[WIRE_PAGE_SIZE];
	uint32_t at = t.events.produced;
	uint32_t used = at - word(IN_CONS);

	t.position += frames;
	memcpy(before, pages.guest, sizeof(before));
	if (!event_page_write(&t.events, t.position * FRAME)) {
		/* no room that a frontend could see: it has events to read */
		check(used != 0);
		check_eq(t.events.produced, at);
		check_mem(pages.guest, before, sizeof(before));
		t.lost++;
		return;
	}
	/* written, and shown to nobody yet */
	check_mem(pages.guest + IN_PROD, before + IN_PROD, 4);
	event_page_show(&t.events);
	check(used <= t.events.dialect->event_slots - 2);
	check_eq(t.events.produced, at + 2);
	check_eq(word(IN_PROD), at + 2);
	check_slot(at, at);
	check_slot(at + 1, at + 1 - t.base);
	check_rest(before, at, 2);
	t.lost = 0;
}

static void interrupt(void)
{
	bool all = t.lost == 0 && t.open;

	if (!t.honest)
		return;
	linux_interrupt(&t.guest);
	if (all)
		check_eq(t.guest.told, t.position);
}

static void close_stream(void)
{
	uint8_t before[WIRE_PAGE_SIZE];
	uint32_t unread = t.events.produced - word(IN_CONS);
	uint32_t n = SPA_MIN(unread, t.events.dialect->event_slots);

	memcpy(before, pages.guest, sizeof(before));
	event_page_close(&t.events);
	check_rest(before, t.events.produced - n, n);
	check_mem(pages.guest + IN_PROD, before + IN_PROD, 4);
	t.open = false;
	if (t.honest)
		linux_free(&t.guest);
}

static void open_stream(void)
{
	if (t.open)
		close_stream();
	if (t.honest)
		linux_set_geometry(&t.guest, 1024, 256, FRAME);
	t.base = t.events.produced;
	event_page_open(&t.events);
	t.open = true;
	t.position = 0;
	t.lost = 0;
}

static void scribble(void)
{
	uint16_t at = input_u16(&t.in) % WIRE_PAGE_SIZE;
	uint8_t size = input_u8(&t.in);

	if (!t.honest)
		input_take(&t.in, pages.guest + at, SPA_MIN(size, WIRE_PAGE_SIZE - at));
}

/* near where ours are, or anywhere */
static void set_index(void)
{
	uint8_t how = input_u8(&t.in);
	uint32_t value = how & 1 ? input_u32(&t.in) :
		t.events.produced + (int8_t)input_u8(&t.in);

	if (!t.honest)
		set_word(how & 2 ? IN_PROD : IN_CONS, value);
}

static void start(void)
{
	uint8_t how = input_u8(&t.in);
	uint32_t produced = how & 1 ? input_u32(&t.in) : 0;

	t.honest = how & 2;
	pages_make(&pages, 1);
	linux_init(&t.guest, how & 4 ? LINUX_NEWER : LINUX_OLDER, pages.guest);
	event_page_init(&t.events, &wire_dialects[how & 8 ? WIRE_DIALECT_RFC : WIRE_DIALECT_2],
			pages_map(&pages, 0, 1, PROT_READ | PROT_WRITE));
	t.guest.packet = t.events.dialect->packet_size;
	/* as after so many events */
	t.events.produced = produced;
	t.guest.id = produced;
	set_word(IN_CONS, produced);
	set_word(IN_PROD, produced);
}

static void command(void)
{
	switch (input_u8(&t.in) % N_COMMANDS) {
	case POST:
		if (t.open)
			post(input_u8(&t.in));
		break;
	case POST_FAR:
		if (t.open)
			post(input_u32(&t.in));
		break;
	case OPEN:
		open_stream();
		break;
	case CLOSE:
		close_stream();
		break;
	case INTERRUPT:
		interrupt();
		break;
	case SCRIBBLE:
		scribble();
		break;
	case INDEX:
		set_index();
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&t, 0, sizeof(t));
	t.in = (struct input) { data, size };
	start();
	while (t.in.size > 0)
		command();
	interrupt();
	pages_unmap(&pages, 0, 1);
	return 0;
}
