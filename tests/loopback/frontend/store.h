/* SPDX-License-Identifier: MIT */
/*
 * Small helpers over libxenstore: formatted paths, and waiting for a state.
 */
#ifndef MODEL_FRONTEND_STORE_H
#define MODEL_FRONTEND_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <xenstore.h>

#define STORE_PATH 256

enum xenbus_state {
	XENBUS_GONE = 0,
	XENBUS_INITIALISING = 1,
	XENBUS_INIT_WAIT = 2,
	XENBUS_INITIALISED = 3,
	XENBUS_CONNECTED = 4,
	XENBUS_CLOSING = 5,
	XENBUS_CLOSED = 6,
};

/** the value, to be freed; NULL when there is none */
char *store_read(struct xs_handle *xs, xs_transaction_t t, const char *format, ...)
		__attribute__((format(printf, 3, 4)));
/** the value as a number, `missing` when there is none or it is no number */
int64_t store_read_number(struct xs_handle *xs, int64_t missing, const char *format, ...)
		__attribute__((format(printf, 3, 4)));
bool store_write(struct xs_handle *xs, xs_transaction_t t, const char *path,
		const char *format, ...) __attribute__((format(printf, 4, 5)));
bool store_exists(struct xs_handle *xs, const char *format, ...)
		__attribute__((format(printf, 2, 3)));
/** owner `owner`, readable by `reader` */
bool store_make(struct xs_handle *xs, xs_transaction_t t, const char *path, uint32_t owner,
		uint32_t reader);

/** wait until the number at `path` is `wanted`; the last one seen, which may differ */
int64_t store_wait_number(const char *path, int64_t wanted, uint32_t timeout_ms);

#endif
