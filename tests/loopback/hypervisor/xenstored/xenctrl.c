/* SPDX-License-Identifier: MIT */
/*
 * Stand-in for the little of libxenctrl that xenstored uses: which domains exist and how
 * they are. It comes before libc in xenstored's symbol search, so it also opens in place
 * of the two files of /proc/xen that tell Dom0's xenstored about itself.
 */
#undef _FILE_OFFSET_BITS	/* else both opens have one name */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <xenctrl.h>

#include "state.h"

#define EXPORT __attribute__((visibility("default")))

int open(const char *path, int flags, ...);
int open64(const char *path, int flags, ...);

EXPORT xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild_logger,
		unsigned int open_flags)
{
	return hv_attach() != NULL ? calloc(1, 16) : NULL;
}

EXPORT int xc_interface_close(xc_interface *xch)
{
	free(xch);
	return 0;
}

/* Like the real one, it answers with the first domains from `first_domid` on. */
EXPORT int xc_domain_getinfo(xc_interface *xch, uint32_t first_domid, unsigned int max_doms,
		xc_dominfo_t *info)
{
	unsigned int n = 0;

	for (uint32_t domid = first_domid; domid < HV_DOMAINS && n < max_doms; domid++) {
		struct hv_domain *d = hv_domain_find(domid);

		if (d == NULL)
			continue;
		memset(&info[n], 0, sizeof(info[n]));
		info[n].domid = domid;
		info[n].running = d->state == HV_DOMAIN_RUNNING;
		info[n].shutdown = info[n].crashed = d->state == HV_DOMAIN_CRASHED;
		info[n].dying = d->state == HV_DOMAIN_DYING;
		n++;
	}
	if (n == 0 && max_doms > 0) {
		errno = ESRCH;
		return -1;
	}
	return (int)n;
}

static int open_file(const char *path, int flags, mode_t mode)
{
	char other[512];

	if (strncmp(path, "/proc/xen/xsd_", strlen("/proc/xen/xsd_")) == 0) {
		snprintf(other, sizeof(other), "%s/%s", getenv("XEN_LOOPBACK_DIR"),
				strrchr(path, '/') + 1);
		path = other;
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static mode_t take_mode(int flags, va_list ap)
{
	return flags & O_CREAT ? va_arg(ap, mode_t) : 0;
}

EXPORT int open(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = take_mode(flags, ap);
	va_end(ap);
	return open_file(path, flags, mode);
}

EXPORT int open64(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = take_mode(flags, ap);
	va_end(ap);
	return open_file(path, flags | O_LARGEFILE, mode);
}
