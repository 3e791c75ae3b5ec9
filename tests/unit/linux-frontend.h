/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A model of what Linux's sound driver does with an event page and the positions
 * in it, in both generations.
 *
 * The older one (up to 6.1 and beyond) counts event ids from the making of the
 * page and never again from 0. The newer one starts over whenever a stream is
 * cleared, and skips what lies in the page then. */

#ifndef XEN_SND_LINUX_FRONTEND_H
#define XEN_SND_LINUX_FRONTEND_H

#include <stdbool.h>
#include <stdint.h>

enum linux_generation {
	LINUX_OLDER,
	LINUX_NEWER,
};

struct linux_frontend {
	enum linux_generation generation;
	uint8_t *page;			/* the event page */
	uint32_t packet;		/* octets of an event: 64, or 32 in the RFC of 2017 */
	uint32_t buffer, period;	/* frames */
	uint32_t frame_size;		/* octets, 0: no geometry, as before hw_params */

	uint16_t id;			/* expected next */
	uint64_t told;			/* last position, frames since OPEN */
	uint64_t hw_ptr;		/* frames in the ring */
	uint32_t out_frames;		/* since the application was woken */

	uint64_t accepted;		/* positions that moved the pointer */
	uint64_t duplicates;		/* positions that did not */
	uint64_t wakes;			/* periods elapsed */
};

/* Makes the page: zeroes it. */
void linux_init(struct linux_frontend *fe, enum linux_generation generation, void *page);

/* open(), hw_params() and hw_free() of the PCM do this. */
void linux_clear(struct linux_frontend *fe);

/* hw_params(), with what it clears */
void linux_set_geometry(struct linux_frontend *fe, uint32_t buffer, uint32_t period,
		uint32_t frame_size);

/* hw_free(), with what it clears: a position that comes after it divides by zero
 * in older kernels, and fails the test here. */
void linux_free(struct linux_frontend *fe);

/* The event channel's interrupt: reads all of the page. */
void linux_interrupt(struct linux_frontend *fe);

/* A position that was accepted, in frames. */
void linux_position(struct linux_frontend *fe, uint64_t position);

#endif /* XEN_SND_LINUX_FRONTEND_H */
