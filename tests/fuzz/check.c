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
