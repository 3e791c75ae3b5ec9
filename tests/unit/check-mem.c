/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* check_mem() of test.h, for unit tests and fuzz targets. */

#include <string.h>

#include "test.h"

void test_check_mem(const char *file, int line, const char *what, const void *value,
		const void *wanted, size_t size)
{
	const uint8_t *v = value, *w = wanted;
	size_t i = 0;

	if (memcmp(v, w, size) == 0)	/* a fuzzer counts what each octet's comparison finds */
		return;
	while (v[i] == w[i])
		i++;
	test_fail(file, line, "%s: octet %zu is %02x, not %02x", what, i, v[i], w[i]);
}
