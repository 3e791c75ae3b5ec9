/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Page directories of any shape: as many pages of them as the buffer needs are
 * read, once each and read-only, and the buffer is what the directory said when
 * it was read, or nothing. Everything that was mapped is unmapped again. */

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "grants.h"
#include "input.h"
#include "pages.h"
#include "test.h"
#include "wire.h"

#define DOMID		5u
#define FIRST		100u		/* gref of directory page 0 */
#define N_PAGES		6u
#define FIRST_DATA	0x10000u
#define MAX_BUFFER	(64u << 20)	/* the most that a configuration allows */

static struct pages pages;

static struct {
	struct input in;
	struct grants grants;
	uint32_t calls, deny;		/* mappings made; the one that is to fail */
	uint32_t mapped;		/* pages, now */
	struct budgets budgets;
	uint32_t *grefs;		/* of the buffer, as the directory has them */
	uint32_t n_grefs, n_wanted;
	uint32_t next;			/* directory page to come; */
	bool good;			/* until now the directory is one */
	bool seen[N_PAGES];
	bool moving;			/* the guest changes pages as they are unmapped */
} t;

static uint32_t *entry(uint32_t page, uint32_t index)
{
	return (uint32_t *)(pages.guest + page * WIRE_PAGE_SIZE) + index;
}

/* the oracle: what a page says at the time it is mapped */
static void expect_page(uint32_t page)
{
	uint32_t i, n = SPA_MIN(t.n_wanted - t.n_grefs, WIRE_DIRECTORY_GREFS);

	check(!t.seen[page]);
	check_eq(FIRST + page, t.next);
	t.seen[page] = true;
	for (i = 0; i < n; i++) {
		uint32_t gref = *entry(page, 1 + i);
		t.grefs[t.n_grefs++] = gref;
		t.good = t.good && gref != 0 && gref != UINT32_MAX;
	}
	t.next = *entry(page, 0);
}

/* in the place of libxengnttab's */

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned int flags)
{
	return (xengnttab_handle *)&t;
}

int xengnttab_close(xengnttab_handle *handle)
{
	check_eq(t.mapped, 0);
	return 0;
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *handle, uint32_t count, uint32_t domid,
		uint32_t *grefs, int prot)
{
	check_eq(domid, DOMID);
	check(t.good);
	if (++t.calls == t.deny) {
		errno = ENOMEM;
		return NULL;
	}
	if (t.n_grefs == t.n_wanted) {
		check_eq(count, t.n_wanted);
		check_mem(grefs, t.grefs, count * sizeof(*grefs));
		check_eq(prot, PROT_READ | PROT_WRITE);
		t.mapped += count;
		return &t;		/* nobody looks into it */
	}
	check_eq(count, 1);
	check_eq(prot, PROT_READ);
	if (grefs[0] < FIRST || grefs[0] >= FIRST + N_PAGES) {
		errno = ENOENT;
		return NULL;
	}
	expect_page(grefs[0] - FIRST);
	t.mapped++;
	return pages_map(&pages, grefs[0] - FIRST, 1, prot);
}

int xengnttab_unmap(xengnttab_handle *handle, void *address, uint32_t count)
{
	int page = pages_find(&pages, address);

	check(t.mapped >= count);
	t.mapped -= count;
	if (page < 0)
		return 0;
	check_eq(count, 1);
	pages_unmap(&pages, page, 1);
	if (t.moving)
		memset(entry(page, 0), 0xff, WIRE_PAGE_SIZE);
	return 0;
}

/* What an honest guest would write, and then what this one makes of it. */
static void write_directory(void)
{
	uint32_t page, i;

	for (page = 0; page < N_PAGES; page++) {
		*entry(page, 0) = FIRST + page + 1;
		for (i = 0; i < WIRE_DIRECTORY_GREFS; i++)
			*entry(page, 1 + i) = FIRST_DATA + page * WIRE_DIRECTORY_GREFS + i;
	}
	while (t.in.size > 0) {
		uint8_t how = input_u8(&t.in);
		uint32_t index = how & 1 ? 0 : input_u16(&t.in) % 1024;
		page = (how >> 4) % N_PAGES;
		*entry(page, index) = how & 2 ? input_u32(&t.in) : FIRST + input_u8(&t.in) % 8;
	}
}

static uint32_t take_size(uint8_t how)
{
	if (how & 1)
		return input_u32(&t.in) % MAX_BUFFER + 1;
	return (input_u16(&t.in) % ((N_PAGES + 1) * WIRE_DIRECTORY_GREFS) + 1) * WIRE_PAGE_SIZE;
}

static bool is_complete(void)
{
	return t.good && t.n_grefs == t.n_wanted;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mapping map = { 0 };
	uint32_t buffer;
	uint8_t how;
	int res;

	memset(&t, 0, sizeof(t));
	t.in = (struct input) { data, size };
	t.good = true;
	pages_make(&pages, N_PAGES);
	how = input_u8(&t.in);
	buffer = take_size(how);
	t.n_wanted = (buffer + WIRE_PAGE_SIZE - 1) / WIRE_PAGE_SIZE;
	t.grefs = calloc(t.n_wanted, sizeof(*t.grefs));
	t.moving = how & 2;
	t.deny = how & 4 ? input_u8(&t.in) : 0;
	t.next = how & 8 ? input_u32(&t.in) : FIRST;
	write_directory();

	budgets_set_normal(&t.budgets);
	check_eq(grants_open(&t.grants, DOMID, &t.budgets, NULL), 0);
	res = grants_map_buffer(&t.grants, t.next, buffer, &map);
	check(t.calls <= t.n_wanted / WIRE_DIRECTORY_GREFS + 2);
	if (res >= 0) {
		check(is_complete());
		check_eq(map.pages, t.n_wanted);
		check_eq(t.mapped, t.n_wanted);
	} else {
		check(res == -EINVAL || res == -ENOENT || res == -ENOMEM);
		/* a good one is refused only if the hypervisor does */
		check(!is_complete() || t.calls == t.deny);
		check(map.data == NULL);
		check_eq(t.mapped, 0);
	}
	grants_unmap(&t.grants, &map);
	check_eq(t.mapped, 0);
	check_eq(budget_held(&t.budgets, BUDGET_GRANTS), 0);
	grants_close(&t.grants);
	free(t.grefs);
	return 0;
}
