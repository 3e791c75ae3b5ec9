/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The event page, see event-page.h. */

#include "event-page.h"
#include "shared-page.h"

/* the event page's header */
enum {
	AT_IN_CONS = 0,		/* frontend writes */
	AT_IN_PROD = 4,		/* backend writes */
};

#define SLOTS_PER_POSITION	2u

static size_t slot_at(const struct event_page *events, uint32_t index)
{
	const struct wire_dialect *d = events->dialect;

	/* the header is as large as a packet */
	return (size_t)(1 + index % d->event_slots) * d->packet_size;
}

void event_page_init(struct event_page *events, const struct wire_dialect *dialect, void *page)
{
	*events = (struct event_page) { .dialect = dialect, .page = page };
}

void event_page_resume(struct event_page *events, const struct wire_dialect *dialect, void *page,
		uint32_t produced, uint32_t base)
{
	event_page_init(events, dialect, page);
	events->produced = produced;
	events->base = base;
	if (page)
		event_page_show(events);
}

void event_page_open(struct event_page *events)
{
	events->base = events->produced;
}

static bool has_room(const struct event_page *events)
{
	uint32_t consumed = page_load(events->page, AT_IN_CONS);
	uint32_t used = events->produced - consumed;

	if (used == 0)
		return true;
	/* The index wraps at 2^32 but the slots do not: 2^32 is no multiple of
	 * their number. Let the frontend empty the page on either side of it. */
	if (consumed > events->produced + SLOTS_PER_POSITION)
		return false;
	return used <= events->dialect->event_slots - SLOTS_PER_POSITION;
}

/* It is not shown yet. */
static inline void write_slot(struct event_page *events, uint32_t index, uint16_t id,
		enum wire_event type, uint64_t position)
{
	wire_put_event(events->dialect, events->page + slot_at(events, index), id, type, position);
}

bool event_page_write(struct event_page *events, uint64_t position)
{
	uint32_t at = events->produced;

	if (events->page == NULL || !has_room(events))
		return false;
	write_slot(events, at, (uint16_t)at, WIRE_EVENT_CUR_POS, position);
	write_slot(events, at + 1, (uint16_t)(at + 1 - events->base), WIRE_EVENT_CUR_POS, position);
	events->produced += SLOTS_PER_POSITION;
	return true;
}

void event_page_show(struct event_page *events)
{
	page_store(events->page, AT_IN_PROD, events->produced);
}

void event_page_close(struct event_page *events)
{
	uint32_t unread;

	if (events->page == NULL)
		return;
	unread = events->produced - page_load(events->page, AT_IN_CONS);
	if (unread > events->dialect->event_slots)
		unread = events->dialect->event_slots;
	for (; unread > 0; unread--)
		write_slot(events, events->produced - unread, 0, WIRE_EVENT_NONE, 0);
}
