/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The event page: one granted page of slots that the backend fills with
 * positions and a frontend empties.
 *
 * Linux drops an event whose id is not the one it expects, and two generations
 * expect differently: older kernels count slots since the page was made, newer
 * ones since the last OPEN. So every position goes into two slots in a row, one
 * with each id; whichever the kernel takes, the other has no effect.
 *
 * One thread at a time: whoever holds the stream's gate (stream.h). Nothing
 * here allocates, locks or calls the system. */

#ifndef XEN_SND_EVENT_PAGE_H
#define XEN_SND_EVENT_PAGE_H

#include "wire.h"

struct event_page {
	const struct wire_dialect *dialect;
	uint8_t *page;		/* WIRE_PAGE_SIZE octets, shared with the guest; NULL:
				 * the dialect has none, nothing is posted */
	uint32_t produced;	/* slots written since the page was made, free-running */
	uint32_t base;		/* `produced` when the stream was opened */
};

/* Take over a page that the frontend has just made, if the dialect has one. */
void event_page_init(struct event_page *events, const struct wire_dialect *dialect, void *page);

/* Take over a page that a backend before us has used: we have written `produced`
 * slots, whatever the page says, and shown all of them or all but the last post. */
void event_page_resume(struct event_page *events, const struct wire_dialect *dialect, void *page,
		uint32_t produced, uint32_t base);

/* The frontend opened its stream: newer kernels count from here. */
void event_page_open(struct event_page *events);

/* Write a position in octets since OPEN. True: written, the caller shows it and
 * notifies. False: no room; no id is used up, and since positions are absolute
 * the next one says all that this one would have. */
bool event_page_write(struct event_page *events, uint64_t position);

/* Let the frontend see what was written. */
void event_page_show(struct event_page *events);

/* The frontend closed its stream: make what it has not read yet meaningless,
 * since older kernels divide by a geometry that is gone. */
void event_page_close(struct event_page *events);

#endif /* XEN_SND_EVENT_PAGE_H */
