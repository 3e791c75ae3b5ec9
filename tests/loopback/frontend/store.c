/* SPDX-License-Identifier: MIT */
/*
 * Small helpers over libxenstore.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "store.h"

#define VALUE_ROOM 1024

static char *read_path(struct xs_handle *xs, xs_transaction_t t, const char *path)
{
	unsigned int length;

	return xs_read(xs, t, path, &length);
}

char *store_read(struct xs_handle *xs, xs_transaction_t t, const char *format, ...)
{
	char path[STORE_PATH];
	va_list ap;

	va_start(ap, format);
	vsnprintf(path, sizeof(path), format, ap);
	va_end(ap);
	return read_path(xs, t, path);
}

static int64_t read_number(struct xs_handle *xs, int64_t missing, const char *path)
{
	char *value = read_path(xs, XBT_NULL, path), *end;
	int64_t number = missing;

	if (value != NULL) {
		number = strtoll(value, &end, 10);
		if (end == value || *end != '\0')
			number = missing;
		free(value);
	}
	return number;
}

int64_t store_read_number(struct xs_handle *xs, int64_t missing, const char *format, ...)
{
	char path[STORE_PATH];
	va_list ap;

	va_start(ap, format);
	vsnprintf(path, sizeof(path), format, ap);
	va_end(ap);
	return read_number(xs, missing, path);
}

bool store_write(struct xs_handle *xs, xs_transaction_t t, const char *path,
		const char *format, ...)
{
	char value[VALUE_ROOM];
	va_list ap;

	va_start(ap, format);
	vsnprintf(value, sizeof(value), format, ap);
	va_end(ap);
	return xs_write(xs, t, path, value, (unsigned int)strlen(value));
}

bool store_exists(struct xs_handle *xs, const char *format, ...)
{
	char path[STORE_PATH], *value;
	va_list ap;

	va_start(ap, format);
	vsnprintf(path, sizeof(path), format, ap);
	va_end(ap);
	value = read_path(xs, XBT_NULL, path);
	free(value);
	return value != NULL;
}

bool store_make(struct xs_handle *xs, xs_transaction_t t, const char *path, uint32_t owner,
		uint32_t reader)
{
	struct xs_permissions permissions[2] = {
		{ .id = owner, .perms = XS_PERM_NONE },
		{ .id = reader, .perms = XS_PERM_READ },
	};

	return xs_mkdir(xs, t, path) && xs_set_permissions(xs, t, path, permissions, 2);
}

static bool next_change(struct xs_handle *xs, uint64_t until)
{
	struct pollfd p = { .fd = xs_fileno(xs), .events = POLLIN };
	uint64_t now = now_ns();
	unsigned int n;
	char **event;

	if (now >= until || poll(&p, 1, (int)((until - now) / 1000000) + 1) <= 0)
		return false;
	event = xs_read_watch(xs, &n);
	free(event);
	return true;
}

int64_t store_wait_number(const char *path, int64_t wanted, uint32_t timeout_ms)
{
	uint64_t until = now_ns() + (uint64_t)timeout_ms * 1000000u;
	struct xs_handle *xs = xs_open(0);
	int64_t number = -1;

	if (xs == NULL || !xs_watch(xs, path, "wait"))
		return number;
	do {
		number = read_number(xs, 0, path);
	} while (number != wanted && next_change(xs, until));
	xs_close(xs);
	return number;
}
