/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Pages of a guest's, see pages.h. */

#include <sys/mman.h>
#include <unistd.h>

#include "pages.h"
#include "test.h"
#include "wire.h"

void pages_make(struct pages *p, uint32_t n)
{
	size_t size = (size_t)n * WIRE_PAGE_SIZE;
	uint8_t *reserved;
	int fd;

	if (p->guest)
		return;
	check(n <= PAGES_MAX);
	p->n = n;
	check((fd = memfd_create("guest", MFD_CLOEXEC)) >= 0);
	check_eq(ftruncate(fd, size), 0);
	p->guest = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(p->guest != MAP_FAILED);
	reserved = mmap(NULL, size + 2 * WIRE_PAGE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	check(reserved != MAP_FAILED);
	p->backend = mmap(reserved + WIRE_PAGE_SIZE, size, PROT_NONE, MAP_SHARED | MAP_FIXED, fd, 0);
	check(p->backend != MAP_FAILED);
	close(fd);
}

void *pages_map(struct pages *p, uint32_t first, uint32_t n, int prot)
{
	uint8_t *at = p->backend + (size_t)first * WIRE_PAGE_SIZE;
	uint32_t i;

	check(first + n <= p->n);
	for (i = first; i < first + n; i++)
		prot |= p->mapped[i]++ ? PROT_WRITE : 0;
	check_eq(mprotect(at, (size_t)n * WIRE_PAGE_SIZE, prot), 0);
	return at;
}

static void close_pages(struct pages *p, uint32_t first, uint32_t n)
{
	if (n > 0)
		check_eq(mprotect(p->backend + (size_t)first * WIRE_PAGE_SIZE,
				(size_t)n * WIRE_PAGE_SIZE, PROT_NONE), 0);
}

void pages_unmap(struct pages *p, uint32_t first, uint32_t n)
{
	uint32_t i, from = first;	/* of those that nobody has mapped any more */

	check(first + n <= p->n);
	for (i = first; i < first + n; i++) {
		check(p->mapped[i] > 0);
		if (--p->mapped[i] > 0) {
			close_pages(p, from, i - from);
			from = i + 1;
		}
	}
	close_pages(p, from, i - from);
}

int pages_find(const struct pages *p, const void *address)
{
	const uint8_t *at = address;

	if (p->guest == NULL || at < p->backend ||
	    at >= p->backend + (size_t)p->n * WIRE_PAGE_SIZE)
		return -1;
	return (at - p->backend) / WIRE_PAGE_SIZE;
}
