/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Mapping what a guest has granted, see grants.h. */

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <spa/utils/defs.h>

#include "grants.h"
#include "shared-page.h"
#include "wire.h"

#define INVALID_GREF	UINT32_MAX	/* Linux's INVALID_GRANT_REF; 0 is reserved */

/* the directory page */
enum {
	AT_NEXT_PAGE = 0,
	AT_GREFS = 4,
};

int grants_open(struct grants *grants, uint32_t domid, struct budgets *budgets,
		struct xentoollog_logger *logger)
{
	grants->domid = domid;
	grants->budgets = budgets;
	grants->handle = xengnttab_open(logger, 0);
	return grants->handle ? 0 : -errno;
}

void grants_close(struct grants *grants)
{
	xengnttab_close(grants->handle);
	grants->handle = NULL;
}

static bool is_gref(uint32_t gref)
{
	return gref != 0 && gref != INVALID_GREF;
}

/* The graph is not to wait for a page that is touched first. Xen's own driver has them
 * all there, and may say that this is not for such mappings. */
static void touch(const struct mapping *map, int prot)
{
	madvise(map->data, (size_t)map->pages * WIRE_PAGE_SIZE,
			prot & PROT_WRITE ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

static int map(struct grants *grants, uint32_t *grefs, uint32_t n_grefs, int prot,
		struct mapping *map)
{
	int res;

	map->data = NULL;
	if (!budget_take(grants->budgets, BUDGET_GRANTS, n_grefs))
		return -EDQUOT;
	map->data = xengnttab_map_domain_grant_refs(grants->handle, n_grefs, grants->domid,
			grefs, prot);
	map->pages = n_grefs;
	if (map->data) {
		touch(map, prot);
		return 0;
	}
	res = -errno;
	budget_give(grants->budgets, BUDGET_GRANTS, n_grefs);
	return res;
}

int grants_map_page(struct grants *grants, uint32_t gref, struct mapping *page)
{
	if (!is_gref(gref))
		return -EINVAL;
	return map(grants, &gref, 1, PROT_READ | PROT_WRITE, page);
}

void grants_unmap(struct grants *grants, struct mapping *map)
{
	if (map->data) {
		xengnttab_unmap(grants->handle, map->data, map->pages);
		budget_give(grants->budgets, BUDGET_GRANTS, map->pages);
	}
	*map = (struct mapping) { .data = NULL };
}

/* Copy what is needed of one directory page, once, and drop the page. */
static int read_directory_page(struct grants *grants, uint32_t gref, uint32_t *grefs,
		uint32_t n_grefs, uint32_t *next)
{
	struct mapping page;
	int res;

	if (!is_gref(gref))
		return -EINVAL;
	res = map(grants, &gref, 1, PROT_READ, &page);
	if (page.data == NULL)
		return res;
	*next = page_load(page.data, AT_NEXT_PAGE);
	page_read(grefs, page.data, AT_GREFS, n_grefs * sizeof(*grefs));
	grants_unmap(grants, &page);
	return 0;
}

static bool has_gref(const uint32_t *grefs, uint32_t n_grefs, uint32_t gref)
{
	while (n_grefs > 0) {
		if (grefs[--n_grefs] == gref)
			return true;
	}
	return false;
}

/* `pages`: room for the grefs of the directory's own pages */
static int read_directory(struct grants *grants, uint32_t directory, uint32_t *grefs,
		uint32_t n_grefs, uint32_t *pages)
{
	uint32_t done, n, i, n_pages = 0, next = directory;
	int res;

	for (done = 0; done < n_grefs; done += n) {
		n = SPA_MIN(n_grefs - done, WIRE_DIRECTORY_GREFS);
		/* a chain that goes in circles */
		if (has_gref(pages, n_pages, next))
			return -EINVAL;
		pages[n_pages++] = next;
		if ((res = read_directory_page(grants, next, grefs + done, n, &next)) < 0)
			return res;
		for (i = done; i < done + n; i++) {
			if (!is_gref(grefs[i]))
				return -EINVAL;
		}
	}
	return 0;
}

int grants_map_buffer(struct grants *grants, uint32_t directory, uint32_t size,
		struct mapping *buffer)
{
	uint32_t n_grefs = (size - 1) / WIRE_PAGE_SIZE + 1;
	uint32_t n_pages = (n_grefs - 1) / WIRE_DIRECTORY_GREFS + 1;
	uint32_t *grefs;
	int res;

	if ((grefs = calloc(n_grefs + n_pages, sizeof(*grefs))) == NULL)
		return -errno;
	if ((res = read_directory(grants, directory, grefs, n_grefs, grefs + n_grefs)) >= 0)
		res = map(grants, grefs, n_grefs, PROT_READ | PROT_WRITE, buffer);
	free(grefs);
	return res;
}
