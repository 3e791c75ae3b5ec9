/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Access to the indices and slots of a page that a guest writes as we do. What is read
 * is read once; an index is one load or one store, with the order named. */

#ifndef XEN_SND_SHARED_PAGE_H
#define XEN_SND_SHARED_PAGE_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t page_load(const uint8_t *page, size_t at)
{
	return le32toh(__atomic_load_n((const uint32_t *)(page + at), __ATOMIC_ACQUIRE));
}

static inline void page_store(uint8_t *page, size_t at, uint32_t value)
{
	__atomic_store_n((uint32_t *)(page + at), htole32(value), __ATOMIC_RELEASE);
}

/* Copy out of a slot, each word once. `size` in octets, a multiple of 4. */
static inline void page_read(void *to, const uint8_t *page, size_t at, size_t size)
{
	const volatile uint32_t *from = (const volatile uint32_t *)(page + at);
	uint8_t *octets = to;
	uint32_t word;

	for (; size >= sizeof(word); size -= sizeof(word), octets += sizeof(word)) {
		word = *from++;
		memcpy(octets, &word, sizeof(word));
	}
}

/* Copy into a slot that is not shown yet. */
static inline void page_write(uint8_t *page, size_t at, const void *from, size_t size)
{
	memcpy(page + at, from, size);
}

#endif /* XEN_SND_SHARED_PAGE_H */
