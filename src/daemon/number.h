/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Numbers as XenStore and rules spell them. Pure. */

#ifndef XEN_SND_NUMBER_H
#define XEN_SND_NUMBER_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

/* A decimal number and nothing else, up to 2^32 - 1. 0 or -EINVAL. */
static inline int number_parse(const char *str, size_t len, uint32_t *number)
{
	uint64_t value = 0;
	size_t i;

	if (len == 0 || len > 10)
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (str[i] < '0' || str[i] > '9')
			return -EINVAL;
		value = value * 10 + (str[i] - '0');
	}
	if (value > UINT32_MAX)
		return -EINVAL;
	*number = value;
	return 0;
}

#endif /* XEN_SND_NUMBER_H */
