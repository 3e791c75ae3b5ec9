/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* libxengnttab and libxenevtchn for fuzz targets: grants of the pages of one guest,
 * event channels that only count. What is mapped and bound is kept count of, so that
 * a target can tell that all was given back. */

#ifndef XEN_SND_FUZZ_HYPERVISOR_H
#define XEN_SND_FUZZ_HYPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "pages.h"

/* grefs, each of a page that lies alone */
enum {
	GREF_RING = 8,
	GREF_EVENTS = 9,
	GREF_DIRECTORY = 10,		/* and the one after it */
	N_DIRECTORY = 2,
	/* All others, up to this, are of a buffer, as many pages as are asked for. */
	GREF_END = 0x10000,
};

struct hypervisor {
	struct pages ring, events, directory, buffer;

	uint32_t mapped;		/* mappings, now */
	uint32_t bound;			/* ports, now */
	uint32_t handles;		/* of event channels, now */
	uint32_t buffer_pages;		/* of the mapped buffer */
	bool aliased;			/* a page is mapped twice, for different purposes */

	void (*notified)(xenevtchn_handle *handle, evtchn_port_t port);
	void (*unmasked)(xenevtchn_handle *handle, evtchn_port_t port);
};

extern struct hypervisor hypervisor;

/* Make the pages if need be, zero them, forget all counts. */
void hypervisor_start(void);

/* Nothing is mapped, bound or open. */
void hypervisor_check_empty(void);

#endif /* XEN_SND_FUZZ_HYPERVISOR_H */
