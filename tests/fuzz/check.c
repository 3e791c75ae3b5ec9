/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What test.h promises, for a fuzzer: whatever is not as it must be aborts. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "test.h"

void test_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: ", file, line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

void test_check_mem(const char *file, int line, const char *what, const void *value,
		const void *wanted, size_t size)
{
	const uint8_t *v = value, *w = wanted;
	size_t i;

	for (i = 0; i < size; i++) {
		if (v[i] != w[i])
			test_fail(file, line, "%s: octet %zu is %02x, not %02x",
					what, i, v[i], w[i]);
	}
}
