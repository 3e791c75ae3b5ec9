/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The arithmetic of a stream's position, see position.h. */

#include "position.h"

void position_init(struct position *pos, uint32_t buffer, uint32_t period, bool capture)
{
	*pos = (struct position) { .buffer = buffer, .period = period, .capture = capture };
}

uint32_t position_until_wake(const struct position *pos)
{
	uint64_t pending = position_pending(pos);

	if (pos->period == 0)
		return 0;
	return pending > pos->period ? 1 : pos->period - pending + 1;
}

void position_align(struct position *pos)
{
	pos->taken = position_of_ring(position_now(pos), pos->buffer);
	pos->slip = 0;
	/* Not onto the boundary of a period: after the next start the first frame
	 * would wake the guest, and Linux takes a wake-up so early in the buffer for
	 * a lap if it comes late in time. */
	if (pos->period != 0 && pos->pending + (pos->taken - pos->posted) == pos->period)
		pos->taken += pos->buffer;
}

void position_seek(struct position *pos, uint32_t offset)
{
	pos->taken += (offset + pos->buffer - pos->taken % pos->buffer) % pos->buffer;
	pos->slip = 0;
}

uint64_t position_of_ring(uint64_t position, uint32_t buffer)
{
	return (position + buffer - 1) / buffer * buffer;
}

uint64_t position_fill(uint64_t filled, uint64_t taken, uint32_t buffer,
		uint32_t offset, uint32_t length)
{
	uint64_t start, end;

	if (filled % buffer == offset && filled + length <= taken + buffer) {
		start = filled;
	} else {
		start = taken + (offset + buffer - taken % buffer) % buffer;
		/* does not fit ahead of the graph: it straddles it, from behind */
		if (start + length > taken + buffer)
			start -= buffer;
	}
	end = start + length;
	/* a ring that is full is so also when the guest says it twice */
	if (end > taken + buffer)
		end = taken + buffer;
	return end > filled ? end : filled;
}
