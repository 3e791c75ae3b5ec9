/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into a backend: lets one call fail, as when the machine has no more of what it
 * asks for. $XEN_LOOPBACK_DIR/faults says which; the test writes it.
 *
 *   grants        opening the device, and mapping
 *   channels      opening the device, and binding
 *   descriptors   event, timer and poll descriptors, whoever in the process wants them
 *   threads       likewise
 *   memory        what the module itself allocates: PipeWire does not live without
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#define EXPORT __attribute__((visibility("default")))
#define MODULE "libpipewire-module-xen-snd.so"

enum resource {
	NOTHING,
	GRANTS,
	CHANNELS,
	DESCRIPTORS,
	THREADS,
	MEMORY,
};

/* as the test writes it */
struct faults {
	uint32_t resource;
	int32_t to_go;		/* calls until the one that fails */
	uint32_t hits;
};

static struct faults none, *faults = &none;

__attribute__((constructor)) static void attach(void)
{
	const char *dir = getenv("XEN_LOOPBACK_DIR");
	char path[512];
	void *map;
	int fd;

	snprintf(path, sizeof(path), "%s/faults", dir != NULL ? dir : "");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	map = mmap(NULL, sizeof(*faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED)
		faults = map;
}

static bool fails(enum resource resource, int error)
{
	if (__atomic_load_n(&faults->resource, __ATOMIC_ACQUIRE) != resource ||
			__atomic_sub_fetch(&faults->to_go, 1, __ATOMIC_ACQ_REL) != 0)
		return false;
	__atomic_add_fetch(&faults->hits, 1, __ATOMIC_ACQ_REL);
	errno = error;
	return true;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* the module brings these with it, where RTLD_NEXT does not look */
#define OF(library,name) ((__typeof__(&name))dlsym(dlopen(library, RTLD_LAZY), #name))
#define GNTTAB(name) OF("libxengnttab.so.1", name)
#define EVTCHN(name) OF("libxenevtchn.so.1", name)

EXPORT xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned int flags)
{
	return fails(GRANTS, EMFILE) ? NULL : GNTTAB(xengnttab_open)(logger, flags);
}

EXPORT void *xengnttab_map_domain_grant_refs(xengnttab_handle *h, uint32_t count, uint32_t domid,
		uint32_t *refs, int prot)
{
	if (fails(GRANTS, ENOSPC))
		return NULL;
	return GNTTAB(xengnttab_map_domain_grant_refs)(h, count, domid, refs, prot);
}

EXPORT xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
	return fails(CHANNELS, EMFILE) ? NULL : EVTCHN(xenevtchn_open)(logger, flags);
}

EXPORT xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *h, uint32_t domid,
		evtchn_port_t port)
{
	if (fails(CHANNELS, ENOSPC))
		return -1;
	return EVTCHN(xenevtchn_bind_interdomain)(h, domid, port);
}

EXPORT int eventfd(unsigned int count, int flags)
{
	return fails(DESCRIPTORS, EMFILE) ? -1 : NEXT(eventfd)(count, flags);
}

EXPORT int timerfd_create(clockid_t clock, int flags)
{
	return fails(DESCRIPTORS, EMFILE) ? -1 : NEXT(timerfd_create)(clock, flags);
}

EXPORT int epoll_create1(int flags)
{
	return fails(DESCRIPTORS, EMFILE) ? -1 : NEXT(epoll_create1)(flags);
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
		void *data)
{
	return fails(THREADS, EAGAIN) ? EAGAIN : NEXT(pthread_create)(thread, attr, start, data);
}

static bool is_module(const void *caller)
{
	Dl_info info;

	return dladdr(caller, &info) != 0 && strstr(info.dli_fname, MODULE) != NULL;
}

/* dlsym() itself allocates: these have names of their own */
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

EXPORT void *calloc(size_t n, size_t size)
{
	if (__atomic_load_n(&faults->resource, __ATOMIC_ACQUIRE) == MEMORY &&
			is_module(__builtin_return_address(0)) && fails(MEMORY, ENOMEM))
		return NULL;
	return __libc_calloc(n, size);
}

EXPORT void *realloc(void *p, size_t size)
{
	if (__atomic_load_n(&faults->resource, __ATOMIC_ACQUIRE) == MEMORY &&
			is_module(__builtin_return_address(0)) && fails(MEMORY, ENOMEM))
		return NULL;
	return __libc_realloc(p, size);
}
