/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* libxengnttab and libxenevtchn for fuzz targets, see hypervisor.h. */

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hypervisor.h"
#include "test.h"
#include "wire.h"

#define MAX_PORTS	64u

/* Ports are as the guest numbers them: each can be bound once. */
struct xenevtchn_handle {
	int fd;
	uint32_t n_ports;
	evtchn_port_t ports[MAX_PORTS];
};

struct hypervisor hypervisor;

void hypervisor_start(void)
{
	struct hypervisor *h = &hypervisor;

	pages_make(&h->ring, 1);
	pages_make(&h->events, 1);
	pages_make(&h->directory, N_DIRECTORY);
	pages_make(&h->buffer, PAGES_MAX);
	memset(h->ring.guest, 0, WIRE_PAGE_SIZE);
	memset(h->events.guest, 0, WIRE_PAGE_SIZE);
	memset(h->directory.guest, 0, N_DIRECTORY * WIRE_PAGE_SIZE);
	h->mapped = h->bound = h->handles = h->buffer_pages = 0;
	h->aliased = false;
	h->notified = h->unmasked = NULL;
}

void hypervisor_check_empty(void)
{
	check_eq(hypervisor.mapped, 0);
	check_eq(hypervisor.bound, 0);
	check_eq(hypervisor.handles, 0);
}

/* Grants. */

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned int flags)
{
	return (xengnttab_handle *)&hypervisor;
}

int xengnttab_close(xengnttab_handle *handle)
{
	return 0;
}

static struct pages *find_single(uint32_t gref, uint32_t *page)
{
	*page = 0;
	if (gref == GREF_RING)
		return &hypervisor.ring;
	if (gref == GREF_EVENTS)
		return &hypervisor.events;
	*page = gref - GREF_DIRECTORY;
	return *page < N_DIRECTORY ? &hypervisor.directory : NULL;
}

static void *map_buffer(uint32_t count, int prot)
{
	struct pages *pages = &hypervisor.buffer;

	/* one ends where nothing is */
	if (hypervisor.buffer_pages > 0 || count > pages->n) {
		errno = ENOMEM;
		return NULL;
	}
	hypervisor.buffer_pages = count;
	return pages_map(pages, pages->n - count, count, prot);
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *handle, uint32_t count, uint32_t domid,
		uint32_t *grefs, int prot)
{
	struct pages *pages;
	uint32_t i, page;
	void *at;

	check(count > 0);
	for (i = 0; i < count; i++) {
		check(grefs[i] != 0 && grefs[i] != UINT32_MAX);
		if (grefs[i] >= GREF_END) {
			errno = ENOENT;
			return NULL;
		}
	}
	if (count == 1 && (pages = find_single(grefs[0], &page)) != NULL) {
		hypervisor.aliased = hypervisor.aliased || pages->mapped[page] > 0 ||
			(pages == &hypervisor.directory && (prot & PROT_WRITE));
		at = pages_map(pages, page, 1, prot);
	} else {
		at = map_buffer(count, prot);
	}
	hypervisor.mapped += at != NULL;
	return at;
}

int xengnttab_unmap(xengnttab_handle *handle, void *address, uint32_t count)
{
	struct pages *all[] = { &hypervisor.ring, &hypervisor.events, &hypervisor.directory,
		&hypervisor.buffer };
	unsigned int i;
	int page = -1;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if ((page = pages_find(all[i], address)) >= 0)
			break;
	}
	check(page >= 0);
	if (all[i] == &hypervisor.buffer) {
		check_eq(count, hypervisor.buffer_pages);
		hypervisor.buffer_pages = 0;
	} else {
		check_eq(count, 1);
	}
	pages_unmap(all[i], page, count);
	check(hypervisor.mapped > 0);
	hypervisor.mapped--;
	return 0;
}

/* Event channels. */

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
	xenevtchn_handle *handle = calloc(1, sizeof(*handle));

	handle->fd = -1;
	hypervisor.handles++;
	return handle;
}

int xenevtchn_close(xenevtchn_handle *handle)
{
	hypervisor.bound -= handle->n_ports;
	hypervisor.handles--;
	if (handle->fd >= 0)
		close(handle->fd);
	free(handle);
	return 0;
}

/* never readable: targets call what would be called */
int xenevtchn_fd(xenevtchn_handle *handle)
{
	if (handle->fd < 0)
		handle->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return handle->fd;
}

int xenevtchn_restrict(xenevtchn_handle *handle, domid_t domid)
{
	return 0;
}

static int find_port(xenevtchn_handle *handle, evtchn_port_t port)
{
	uint32_t i;

	for (i = 0; i < handle->n_ports; i++) {
		if (handle->ports[i] == port)
			return i;
	}
	return -1;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *handle, uint32_t domid,
		evtchn_port_t port)
{
	if (port == 0 || port > 4096 || handle->n_ports == MAX_PORTS ||
	    find_port(handle, port) >= 0) {
		errno = EINVAL;
		return -1;
	}
	handle->ports[handle->n_ports++] = port;
	hypervisor.bound++;
	return port;
}

int xenevtchn_unbind(xenevtchn_handle *handle, evtchn_port_t port)
{
	int i = find_port(handle, port);

	check(i >= 0);
	handle->ports[i] = handle->ports[--handle->n_ports];
	hypervisor.bound--;
	return 0;
}

int xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port)
{
	check(find_port(handle, port) >= 0);
	if (hypervisor.notified)
		hypervisor.notified(handle, port);
	return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *handle)
{
	errno = EAGAIN;
	return -1;
}

int xenevtchn_unmask(xenevtchn_handle *handle, evtchn_port_t port)
{
	check(find_port(handle, port) >= 0);
	if (hypervisor.unmasked)
		hypervisor.unmasked(handle, port);
	return 0;
}
