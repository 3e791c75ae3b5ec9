/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* To be preloaded into xl where there is no Xen, for it to read a configuration and do nothing else:
 * a hypervisor that tells next to nothing, and an empty XenStore. */

#include <errno.h>
#include <stdlib.h>

#include <xenctrl.h>
#include <xenstore.h>

#define EXPORT	__attribute__((visibility("default")))

/* They are never looked into. */
static char interface;
static char store;

EXPORT xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild_logger,
		unsigned int flags)
{
	return (xc_interface *)(void *)&interface;
}

EXPORT int xc_interface_close(xc_interface *xch)
{
	return 0;
}

EXPORT int xc_physinfo(xc_interface *xch, xc_physinfo_t *info)
{
	return 0;
}

EXPORT int xc_get_max_cpus(xc_interface *xch)
{
	return 4;
}

EXPORT int xc_get_max_nodes(xc_interface *xch)
{
	return 1;
}

EXPORT long xc_sharing_freed_pages(xc_interface *xch)
{
	return 0;
}

EXPORT long xc_sharing_used_frames(xc_interface *xch)
{
	return 0;
}

EXPORT long xc_memory_op(xc_interface *xch, unsigned int cmd, void *arg, size_t len)
{
	return 0;
}

EXPORT int xc_version(xc_interface *xch, int cmd, void *arg)
{
	errno = ENOSYS;
	return -1;
}

EXPORT struct xs_handle *xs_open(unsigned long flags)
{
	return (struct xs_handle *)(void *)&store;
}

EXPORT void xs_close(struct xs_handle *h)
{
}

EXPORT void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *len)
{
	errno = ENOENT;
	return NULL;
}

EXPORT char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *num)
{
	errno = ENOENT;
	return NULL;
}
