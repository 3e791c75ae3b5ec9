/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Page directories of honest guests and of others, over a grant table that the
 * test keeps. */

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "grants.h"
#include "test.h"
#include "wire.h"

#define DOMID		5u
#define FIRST		100u		/* gref of pages[0] */
#define N_PAGES		4u
#define A_GREF		70000u		/* of the buffer: any will do */

static uint32_t pages[N_PAGES][WIRE_PAGE_SIZE / 4] __attribute__((aligned(WIRE_PAGE_SIZE)));

static struct grants grants;
static struct budgets budgets;
static struct {
	unsigned int mapped;		/* pages, now */
	unsigned int calls;
	uint32_t *grefs;		/* of the last mapping of more than a directory page */
	uint32_t n_grefs;
	int prot;			/* of the last mapping */
	void *memory;			/* of buffers, if any */
} table;

static bool is_directory(uint32_t gref)
{
	return gref >= FIRST && gref < FIRST + N_PAGES;
}

/* in the place of libxengnttab's */

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned int flags)
{
	return (xengnttab_handle *)&table;
}

int xengnttab_close(xengnttab_handle *handle)
{
	check_eq(table.mapped, 0);
	free(table.grefs);
	return 0;
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *handle, uint32_t count, uint32_t domid,
		uint32_t *grefs, int prot)
{
	uint32_t i;

	check(handle == (xengnttab_handle *)&table);
	check_eq(domid, DOMID);
	table.calls++;
	for (i = 0; i < count; i++)
		check(grefs[i] != 0 && grefs[i] != UINT32_MAX);
	if (count == 1 && !is_directory(grefs[0]) && grefs[0] < A_GREF) {
		errno = ENOENT;		/* granted to nobody */
		return NULL;
	}
	table.mapped += count;
	table.prot = prot;
	if (count == 1 && is_directory(grefs[0]))
		return pages[grefs[0] - FIRST];
	free(table.grefs);
	table.grefs = malloc(count * sizeof(*grefs));
	memcpy(table.grefs, grefs, count * sizeof(*grefs));
	table.n_grefs = count;
	return table.memory ? table.memory : table.grefs;
}

int xengnttab_unmap(xengnttab_handle *handle, void *address, uint32_t count)
{
	check(address != NULL);
	check(table.mapped >= count);
	table.mapped -= count;
	return 0;
}

/* A directory of `n` grefs over as many pages as it takes, from pages[0] on. */
static void write_directory(uint32_t n)
{
	uint32_t i, page = 0;

	memset(pages, 0, sizeof(pages));
	budgets_set_normal(&budgets);
	check_eq(grants_open(&grants, DOMID, &budgets, NULL), 0);
	for (i = 0; i < n; i++) {
		page = i / WIRE_DIRECTORY_GREFS;
		pages[page][1 + i % WIRE_DIRECTORY_GREFS] = A_GREF + i;
		if (page > 0)
			pages[page - 1][0] = FIRST + page;
	}
}

static void maps(uint32_t n, uint32_t size)
{
	struct mapping map = { 0 };
	uint32_t i;

	write_directory(n);
	check_eq(grants_map_buffer(&grants, FIRST, size, &map), 0);
	check_eq(map.pages, n);
	check_eq(table.n_grefs, n);
	for (i = 0; i < n; i++)
		check_eq(table.grefs[i], A_GREF + i);
	/* the directory's own pages are not kept */
	check_eq(table.mapped, n);
	grants_unmap(&grants, &map);
	check(map.data == NULL);
	grants_unmap(&grants, &map);
	grants_close(&grants);
	memset(&table, 0, sizeof(table));
}

static void refuses(uint32_t directory, uint32_t n, int res)
{
	struct mapping map = { 0 };

	check_eq(grants_map_buffer(&grants, directory, n * WIRE_PAGE_SIZE, &map), res);
	check_eq(table.mapped, 0);
	/* as many pages were looked at as the buffer has, and no more */
	check(table.calls <= n / WIRE_DIRECTORY_GREFS + 1);
	grants_close(&grants);
	memset(&table, 0, sizeof(table));
}

TEST(a_buffer_is_mapped_in_the_order_of_its_directory)
{
	maps(1, 1);
	maps(1, WIRE_PAGE_SIZE);
	maps(2, WIRE_PAGE_SIZE + 1);
	maps(16, 65536);
}

TEST(a_directory_goes_on_over_several_pages)
{
	maps(1023, 1023 * WIRE_PAGE_SIZE);
	maps(1024, 1024 * WIRE_PAGE_SIZE);
	maps(2046, 2046 * WIRE_PAGE_SIZE);
	maps(2047, 2046 * WIRE_PAGE_SIZE + 4);
}

TEST(a_directory_that_is_nowhere_is_refused)
{
	write_directory(1);
	refuses(0, 1, -EINVAL);
	write_directory(1);
	refuses(UINT32_MAX, 1, -EINVAL);
	write_directory(1);
	refuses(FIRST + N_PAGES, 1, -ENOENT);
}

TEST(a_directory_that_is_too_short_is_refused)
{
	write_directory(15);
	refuses(FIRST, 16, -EINVAL);
	write_directory(1023);
	refuses(FIRST, 1024, -EINVAL);
	write_directory(2046);
	pages[0][0] = UINT32_MAX;
	refuses(FIRST, 2046, -EINVAL);
}

TEST(a_directory_that_goes_on_in_itself_is_refused)
{
	write_directory(2046);
	pages[0][0] = FIRST;
	refuses(FIRST, 2046, -EINVAL);
	write_directory(3069);
	pages[1][0] = FIRST;
	refuses(FIRST, 3069, -EINVAL);
}

TEST(a_circle_further_on_is_refused)
{
	write_directory(3069);
	pages[1][0] = FIRST + 1;
	refuses(FIRST, 3069, -EINVAL);
	write_directory(4092);
	pages[2][0] = FIRST + 1;
	refuses(FIRST, 4092, -EINVAL);
}

TEST(a_gref_that_is_none_is_refused)
{
	write_directory(16);
	pages[0][1 + 7] = 0;
	refuses(FIRST, 16, -EINVAL);
	write_directory(16);
	pages[0][1 + 15] = UINT32_MAX;
	refuses(FIRST, 16, -EINVAL);
}

TEST(what_lies_behind_the_last_gref_does_not_matter)
{
	struct mapping map = { 0 };

	write_directory(16);
	memset(&pages[0][17], 0xff, sizeof(pages[0]) - 17 * 4);
	check_eq(grants_map_buffer(&grants, FIRST, 65536, &map), 0);
	grants_unmap(&grants, &map);
	grants_close(&grants);
}

TEST(a_single_page_is_mapped_for_both_ways)
{
	struct mapping map = { 0 };

	write_directory(0);
	check_eq(grants_map_page(&grants, FIRST, &map), 0);
	check(map.data == pages[0]);
	check_eq(table.prot, PROT_READ | PROT_WRITE);
	grants_unmap(&grants, &map);
	check_eq(grants_map_page(&grants, 0, &map), -EINVAL);
	check_eq(grants_map_page(&grants, UINT32_MAX, &map), -EINVAL);
	check_eq(grants_map_page(&grants, 7, &map), -ENOENT);
	check(map.data == NULL);
	grants_close(&grants);
}

TEST(the_pages_of_a_buffer_are_there_before_the_graph_is)
{
	const size_t size = 16 * WIRE_PAGE_SIZE;
	struct mapping map = { 0 };
	unsigned char there[16];
	unsigned int i;

	table.memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(table.memory != MAP_FAILED);
	check_eq(mincore(table.memory, size, there), 0);
	check_eq(there[0] & 1, 0);
	write_directory(16);
	check_eq(grants_map_buffer(&grants, FIRST, size, &map), 0);
	check_eq(mincore(table.memory, size, there), 0);
	for (i = 0; i < 16; i++)
		check_eq(there[i] & 1, 1);
	grants_unmap(&grants, &map);
	grants_close(&grants);
	munmap(table.memory, size);
}
