/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Pages of a guest's, seen twice: by the guest always, by the backend only while
 * it has them mapped, and with nothing it could touch on either side. */

#ifndef XEN_SND_FUZZ_PAGES_H
#define XEN_SND_FUZZ_PAGES_H

#include <stdint.h>

#define PAGES_MAX	64u

struct pages {
	uint8_t *guest;			/* NULL: not made yet */
	uint8_t *backend;
	uint32_t n;
	uint8_t mapped[PAGES_MAX];	/* times */
};

/* Once: they stay, as the fuzzer comes back for them. */
void pages_make(struct pages *pages, uint32_t n);

/* Map `n` from page `first` on, PROT_READ or PROT_READ | PROT_WRITE. */
void *pages_map(struct pages *pages, uint32_t first, uint32_t n, int prot);
void pages_unmap(struct pages *pages, uint32_t first, uint32_t n);

/* The page of a mapping, or -1. */
int pages_find(const struct pages *pages, const void *address);

#endif /* XEN_SND_FUZZ_PAGES_H */
