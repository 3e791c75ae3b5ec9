/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The arithmetic of a stream's position: where the graph is in the guest's
 * ring, and what the guest is told of it.
 *
 *	              taken mod buffer            filled mod buffer
 *	                     |                          |
 *	  +------------------v--------------------------v-----------+
 *	  |   consumed       |  written by the guest    |  stale    |   playback
 *	  +------------------+--------------------------+-----------+
 *
 * All counts are frames since OPEN and never go back. Pure: no I/O, no clock.
 * One thread at a time, whoever holds the stream's gate. What each cycle of the
 * graph does is inline. */

#ifndef XEN_SND_POSITION_H
#define XEN_SND_POSITION_H

#include <stdbool.h>
#include <stdint.h>

struct position {
	uint32_t buffer;	/* frames, > 0 */
	uint32_t period;	/* frames, 0: the guest wants no events */
	bool capture;

	uint64_t taken;		/* frames that left the ring (playback) or entered it */
	uint64_t posted;	/* the position that the guest was told last */
	uint32_t slip;		/* 0, or 1: see position_advance() */
	uint32_t pending;	/* frames that Linux has counted since it last woke its application */
};

void position_init(struct position *pos, uint32_t buffer, uint32_t period, bool capture);

/* What to tell the guest now. */
static inline uint64_t position_now(const struct position *pos)
{
	return pos->taken - (pos->capture ? pos->slip : 0);
}

/* frames that Linux will have counted when it is told position_now() */
static inline uint64_t position_pending(const struct position *pos)
{
	return pos->pending + (position_now(pos) - pos->posted);
}

/* The graph went on by `frames`.
 *
 * Linux wakes the application only by an event strictly past a period. With a
 * quantum of a whole number of periods every event falls on a boundary, every
 * second wake is lost, and a buffer of two periods runs empty. Where that would
 * happen the ring slips by one frame against the graph until the next STOP:
 * playback takes a frame ahead of the graph, capture tells of a frame one later.
 *
 * True: playback has just slipped, the caller keeps the frame at `taken` - 1 and
 * gives it to the graph first next time. */
static inline bool position_advance(struct position *pos, uint32_t frames)
{
	pos->taken += frames;
	/* would the next event find the buffer used up, and does this one wake nobody? */
	if ((uint64_t)pos->period + frames < pos->buffer || position_pending(pos) != pos->period ||
	    pos->period == 0 || pos->slip > 0)
		return false;
	pos->slip = 1;
	if (pos->capture)
		return false;
	pos->taken++;
	return true;
}

/* The guest was told position_now(). */
static inline void position_told(struct position *pos)
{
	uint64_t pending = position_pending(pos);

	pos->posted = position_now(pos);
	if (pending > pos->period && pos->period != 0)
		pending %= pos->period;
	pos->pending = pending;
}

/* How many frames more it takes until an event wakes the guest's application. 0: no
 * number does, it wants no events. */
uint32_t position_until_wake(const struct position *pos);

/* The guest stopped: go on to the next whole buffer. After a restart without
 * OPEN Linux counts from zero again but keeps this as its origin, and the two
 * agree only on a multiple of the buffer. */
void position_align(struct position *pos);

/* Go on to where `offset` frames into the ring is next. */
void position_seek(struct position *pos, uint32_t offset);

/* The next position >= `position` at which the ring begins. */
uint64_t position_of_ring(uint64_t position, uint32_t buffer);

/* Where valid data ends after the guest wrote `length` frames at `offset` frames
 * into its ring, when it ended at `filled` before and the graph is at `taken`:
 * right behind what was there, or else wherever in the ring's window that
 * offset is (silence ahead, rewinds). Data behind the graph came too late and
 * adds nothing. */
uint64_t position_fill(uint64_t filled, uint64_t taken, uint32_t buffer,
		uint32_t offset, uint32_t length);

#endif /* XEN_SND_POSITION_H */
