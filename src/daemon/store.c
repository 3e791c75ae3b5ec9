/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Reading and writing XenStore, see store.h. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "store.h"

static SPA_PRINTF_FUNC(5, 0)
int read_value(struct xs_handle *xs, char *value, size_t size, bool cut,
		const char *format, va_list args)
{
	char path[STORE_PATH_SIZE];
	unsigned int len;
	char *data;
	int res = 0;

	if (xs == NULL)
		return -ENOTCONN;
	if (vsnprintf(path, sizeof(path), format, args) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	if ((data = xs_read(xs, XBT_NULL, path, &len)) == NULL)
		return -errno;
	len = strnlen(data, len);
	if (len >= size) {
		len = size - 1;
		res = cut ? 0 : -E2BIG;
	}
	memcpy(value, data, len);
	value[len] = '\0';
	free(data);
	return res;
}

int store_read(struct xs_handle *xs, char *value, size_t size, const char *path, ...)
{
	va_list args;
	int res;

	va_start(args, path);
	res = read_value(xs, value, size, false, path, args);
	va_end(args);
	return res;
}

/* octets of the UTF-8 character at `s`, 0 if there is no printable one */
static size_t printable(const unsigned char *s)
{
	static const struct {
		unsigned char mask, lead;
		uint32_t least;			/* that needs so many octets */
	} forms[] = {
		{ 0x80, 0x00, 0x20 },
		{ 0xe0, 0xc0, 0xa0 },		/* what is below are controls */
		{ 0xf0, 0xe0, 0x800 },
		{ 0xf8, 0xf0, 0x10000 },
	};
	uint32_t code;
	size_t i, len;

	for (len = 0; len < SPA_N_ELEMENTS(forms); len++) {
		if ((s[0] & forms[len].mask) == forms[len].lead)
			break;
	}
	if (len == SPA_N_ELEMENTS(forms))
		return 0;
	code = s[0] & ~forms[len].mask;
	for (i = 1; i <= len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < forms[len].least || code == 0x7f || code > 0x10ffff ||
	    (code >= 0xd800 && code < 0xe000))
		return 0;
	return len + 1;
}

void store_make_printable(char *words, size_t most)
{
	size_t i, len;

	if (strlen(words) > most)
		words[most] = '\0';
	for (i = 0; words[i] != '\0'; i += len) {
		if ((len = printable((unsigned char *)words + i)) == 0) {
			words[i] = '?';
			len = 1;
		}
	}
}

void store_read_label(struct xs_handle *xs, char *label, size_t size, const char *path, ...)
{
	va_list args;

	va_start(args, path);
	if (read_value(xs, label, size, true, path, args) < 0)
		label[0] = '\0';
	va_end(args);
	store_make_printable(label, size - 1);
}

int store_read_number(struct xs_handle *xs, uint32_t *number, const char *path, ...)
{
	char value[16] = "";
	unsigned long long n;
	va_list args;
	int res;

	va_start(args, path);
	res = read_value(xs, value, sizeof(value), false, path, args);
	va_end(args);
	if (res < 0)
		return res;
	if (value[0] == '\0' || strspn(value, "0123456789") != strlen(value))
		return -EBADMSG;
	n = strtoull(value, NULL, 10);
	if (n > UINT32_MAX)
		return -EBADMSG;
	*number = n;
	return 0;
}

static int try_write(struct xs_handle *xs, const char *guard, const char *value,
		const char *path)
{
	xs_transaction_t t;
	int res = 0;
	void *old;

	if (xs == NULL)
		return -ENOTCONN;
	if ((t = xs_transaction_start(xs)) == XBT_NULL)
		return -errno;
	if ((old = xs_read(xs, t, guard, NULL)) == NULL ||
	    !xs_write(xs, t, path, value, strlen(value)))
		res = -errno;
	free(old);
	if (!xs_transaction_end(xs, t, res < 0) && res == 0)
		res = -errno;
	return res;
}

int store_write_if(struct xs_handle *xs, const char *guard, const char *value,
		const char *format, ...)
{
	char path[STORE_PATH_SIZE];
	va_list args;
	int res;

	va_start(args, format);
	res = vsnprintf(path, sizeof(path), format, args);
	va_end(args);
	if (res >= (int)sizeof(path))
		return -ENAMETOOLONG;
	/* somebody else's transaction came between */
	while ((res = try_write(xs, guard, value, path)) == -EAGAIN);
	return res;
}

bool store_is_lost(int res)
{
	switch (res) {
	case -ENOENT:
	case -EACCES:
	case -E2BIG:
	case -ENAMETOOLONG:
	case -EBADMSG:
		return false;
	default:
		return res < 0;
	}
}

/* where libxenstore looks for it */
static int socket_path(struct sockaddr_un *address)
{
	const char *path = getenv("XENSTORED_PATH"), *directory = getenv("XENSTORED_RUNDIR");
	size_t size = sizeof(address->sun_path);
	int len;

	if (path)
		len = snprintf(address->sun_path, size, "%s", path);
	else
		len = snprintf(address->sun_path, size, "%s/socket",
				directory ? directory : "/run/xenstored");
	return len < (int)size ? 0 : -ENAMETOOLONG;
}

int store_open_lifeline(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, res;

	if ((res = socket_path(&address)) < 0)
		return res;
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		res = -errno;
		close(fd);
		return res;
	}
	return fd;
}

bool store_has_entry(char **listing, unsigned int n, uint32_t index)
{
	char name[16];
	unsigned int i;

	snprintf(name, sizeof(name), "%u", index);
	for (i = 0; i < n; i++) {
		if (strcmp(listing[i], name) == 0)
			return true;
	}
	return false;
}
