/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Reading and writing XenStore, with paths like printf's and values of bounded
 * size. Each call is a round trip to xenstored: xenbus thread only. A handle may be
 * NULL, while there is no xenstored: -ENOTCONN. */

#ifndef XEN_SND_STORE_H
#define XEN_SND_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <spa/utils/defs.h>

#include <xenstore.h>

#define STORE_PATH_SIZE		256	/* octets, with the final NUL */
#define STORE_VALUE_SIZE	1024

/* Read a value, which ends at its first NUL. -ENOENT, -E2BIG when it does not
 * fit into `size` octets, or another negative errno. */
int store_read(struct xs_handle *xs, char *value, size_t size, const char *path, ...)
	SPA_PRINTF_FUNC(4, 5);

/* Read words that somebody else chose, to be shown: cut to fit, and all that is
 * no printable UTF-8 becomes '?'. "" if there are none. */
void store_read_label(struct xs_handle *xs, char *label, size_t size, const char *path, ...)
	SPA_PRINTF_FUNC(4, 5);

/* Cut somebody else's words to `most` octets, and make '?' of all that is no printable
 * UTF-8: what a terminal would act on, or what fakes a line of its own in a log. */
void store_make_printable(char *words, size_t most);

/* Read a decimal number of at most 32 bits. -EBADMSG when it is none. */
int store_read_number(struct xs_handle *xs, uint32_t *number, const char *path, ...)
	SPA_PRINTF_FUNC(3, 4);

/* Write a value if the node `guard` is there still: a plain write would bring a
 * directory back that the toolstack has just removed. -ENOENT: it is gone. */
int store_write_if(struct xs_handle *xs, const char *guard, const char *value,
		const char *format, ...) SPA_PRINTF_FUNC(4, 5);

/* Does the result of one of these say that xenstored did not answer? */
bool store_is_lost(int res);

/* A connection to xenstored's socket that nothing is sent over: it hangs up when
 * xenstored ends, of which libxenstore does not tell. -ENOENT or -ECONNREFUSED: no
 * xenstored listens there now, or it is reached by the kernel only. */
int store_open_lifeline(void);

/* Has the directory an entry of that name? The listing is of xs_directory(). */
bool store_has_entry(char **listing, unsigned int n, uint32_t index);

#endif /* XEN_SND_STORE_H */
