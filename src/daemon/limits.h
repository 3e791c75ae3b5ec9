/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What a stream may be opened with: read from XenStore's strings, narrowed by
 * HW_PARAM_QUERY, checked at OPEN. Pure, any thread. */

#ifndef XEN_SND_LIMITS_H
#define XEN_SND_LIMITS_H

#include "wire.h"

#define LIMITS_MAX_RATES	32
#define LIMITS_MAX_CHANNELS	32u
#define LIMITS_MIN_RATE		5512u
#define LIMITS_MAX_RATE		384000u

struct limits {
	uint64_t formats;			/* mask, bit = enum wire_format */
	uint32_t rates[LIMITS_MAX_RATES];	/* Hz; none: all of `rate` */
	uint32_t n_rates;
	struct wire_range rate;			/* Hz */
	struct wire_range channels;
	uint32_t buffer_size;			/* octets, at most */
};

/* What a frontend offers where its card says nothing (xen_snd_front's defaults),
 * with buffers of at most `buffer_size` octets. */
void limits_init(struct limits *limits, uint64_t formats, uint32_t buffer_size);

/* Take over the value of a key of the card, the PCM or the stream, in this order:
 * as in Linux a lower layer replaces what a higher one said. `supported` masks
 * the formats, `buffer_size` (octets) caps the buffer. A value that means
 * nothing leaves the limits alone: -EINVAL. -ENOENT: no such key. */
int limits_set(struct limits *limits, const char *key, const char *value,
		uint64_t supported, uint32_t buffer_size);

/* The keys that limits_set() knows; NULL ends the list. */
extern const char * const limits_keys[];

/* Narrow a query's ranges in place. `min_period_nsec` is the shortest period
 * that can work with the graph as it is now. -EINVAL: nothing is left. */
int limits_narrow(const struct limits *limits, uint64_t min_period_nsec, struct wire_hw *hw);

/* Can a stream be opened so? 0 or -EINVAL with `why` (a constant string). */
int limits_check(const struct limits *limits, const struct wire_open *open, const char **why);

#endif /* XEN_SND_LIMITS_H */
