/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Mapping what a guest has granted: single pages, and buffers by their page
 * directory. May block on that guest: its own thread only. */

#ifndef XEN_SND_GRANTS_H
#define XEN_SND_GRANTS_H

#include <stdint.h>

#include <xengnttab.h>

#include "budget.h"

struct grants {
	xengnttab_handle *handle;
	uint32_t domid;
	struct budgets *budgets;	/* of which what is mapped is held */
};

struct mapping {
	void *data;		/* NULL: nothing mapped */
	uint32_t pages;
};

int grants_open(struct grants *grants, uint32_t domid, struct budgets *budgets,
		struct xentoollog_logger *logger);

/* All mappings must have been unmapped. */
void grants_close(struct grants *grants);

/* Map one page for reading and writing. -EDQUOT, as in all cases: the guest's budget
 * allows no more. */
int grants_map_page(struct grants *grants, uint32_t gref, struct mapping *page);

/* Map the `size` octets (> 0) that the directory at `directory` lists, for reading
 * and writing. -EINVAL: the directory is too short, goes in circles, or names no
 * page. */
int grants_map_buffer(struct grants *grants, uint32_t directory, uint32_t size,
		struct mapping *buffer);

/* Does nothing for a mapping of nothing. */
void grants_unmap(struct grants *grants, struct mapping *map);

#endif /* XEN_SND_GRANTS_H */
