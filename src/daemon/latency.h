/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* How long a frame is on its way between a guest and a device, at most: what each part of the
 * path adds, and what a rule allows. Pure. */

#ifndef XEN_SND_LATENCY_H
#define XEN_SND_LATENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xen-snd.h"

/* what PipeWire's settings say, in frames at the graph's rate */
struct latency_graph {
	uint32_t rate;
	uint32_t min_quantum, max_quantum, force_quantum;
};

/* Frames at the stream's rate. */
struct latency {
	uint32_t rate;
	uint32_t ring;			/* the guest's buffer */
	uint32_t quantum;		/* a cycle of the graph */
	uint32_t converter;		/* its resampler */
	uint32_t device;		/* what lies behind the node, as PipeWire says */
	bool linked;			/* there is something behind the node: `device` is known */
	uint64_t max;			/* microseconds that a rule allows, 0: any */
	bool refuse;			/* at OPEN, what is more */
};

/* Frames between the events that the guest wants, or what it gets if it wants none. */
uint32_t latency_period(const struct xen_snd_geometry *geometry);

/* Frames at the stream's rate that a cycle of the graph is asked to last: half a period, or as
 * long as Dom0 says, xen.latency.min in microseconds, but no longer than a period. */
uint32_t latency_cycle(const struct xen_snd_geometry *geometry, uint32_t min_usec);

/* What a rule says of xen.latency.min, in microseconds; NULL: nothing. */
uint32_t latency_parse_min(const char *min);

/* What there will be of a stream that is opened now; nothing is linked. */
void latency_init(struct latency *latency, const struct xen_snd_geometry *geometry,
		const struct latency_graph *graph, uint32_t min_usec);

/* Take over what a rule sets: milliseconds, which may have a point, and "refuse" or "flag".
 * NULL: the rules say nothing. Whether the two are right: */
void latency_limit(struct latency *latency, const char *max, const char *policy);
bool latency_is_max(const char *text);
bool latency_is_policy(const char *text);

/* The sum, in frames and in microseconds, of what is known. */
uint64_t latency_frames(const struct latency *latency);
uint64_t latency_usec(const struct latency *latency);

bool latency_exceeds(const struct latency *latency);

/* For people: the sum, its parts, and what a rule allows. */
#define LATENCY_TEXT_SIZE	192
void latency_describe(const struct latency *latency, char text[LATENCY_TEXT_SIZE]);

#endif /* XEN_SND_LATENCY_H */
