/* SPDX-License-Identifier: MIT */
/*
 * Stand-in for libxenevtchn: a handle is a queue of port numbers, its descriptor a FIFO
 * that reads as /dev/xen/evtchn does. Notifying takes no lock and is one write() at most.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <xenevtchn.h>

#include "state.h"

#define EXPORT __attribute__((visibility("default")))
#define UNRESTRICTED UINT32_MAX

struct binding {
	struct hv_port *local;
	struct hv_port *remote;
	uint32_t remote_number;
	int remote_fd;
};

struct xenevtchn_handle {
	int fd;		/* what the user polls and reads */
	int feed_fd;	/* the same queue, never blocking: what is written to */
	uint32_t queue;
	uint32_t restricted;
	struct binding bindings[HV_PORTS];
};

/* Of its pages only those of bindings that are used take memory: the real one takes next to none. */
static xenevtchn_handle *handle_new(uint32_t queue, int fd)
{
	xenevtchn_handle *h = mmap(NULL, sizeof(*h), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (h == MAP_FAILED)
		return NULL;
	h->queue = queue;
	h->restricted = UNRESTRICTED;
	h->fd = fd;
	h->feed_fd = hv_queue_open(queue, O_NONBLOCK | O_CLOEXEC);
	if (h->fd >= 0 && h->feed_fd >= 0)
		return h;
	munmap(h, sizeof(*h));
	return NULL;
}

EXPORT xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
	uint32_t queue;

	if (flags & ~(unsigned int)XENEVTCHN_NO_CLOEXEC) {
		errno = EINVAL;
		return NULL;
	}
	queue = hv_queue_create();
	if (queue == HV_NO_QUEUE)
		return NULL;
	return handle_new(queue,
			hv_queue_open(queue, flags & XENEVTCHN_NO_CLOEXEC ? 0 : O_CLOEXEC));
}

static void adopt(xenevtchn_handle *h, uint32_t port)
{
	struct hv_domain *local = hv_domain_find(hv_backend_domid()), *remote;
	struct binding *b = &h->bindings[port];

	b->local = &local->ports[port];
	b->remote_fd = -1;
	if (b->local->kind != HV_PORT_INTERDOMAIN)
		return;
	remote = hv_domain_find(b->local->remote_domid);
	if (remote == NULL)
		return;
	b->remote_number = b->local->remote_port;
	b->remote = &remote->ports[b->remote_number];
	b->remote_fd = hv_queue_open(b->remote->queue, O_NONBLOCK | O_CLOEXEC);
}

EXPORT xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd,
		unsigned int open_flags)
{
	uint32_t queue = hv_queue_of_fd(fd);
	struct hv_domain *local = hv_domain_find(hv_backend_domid());
	xenevtchn_handle *h;

	if (open_flags != 0 || queue == HV_NO_QUEUE || local == NULL) {
		errno = EINVAL;
		return NULL;
	}
	h = handle_new(queue, fd);
	for (uint32_t i = 1; h != NULL && i < HV_PORTS; i++)
		if (local->ports[i].kind != HV_PORT_FREE && local->ports[i].queue == queue)
			adopt(h, i);
	return h;
}

static struct binding *find_binding(xenevtchn_handle *h, evtchn_port_t port, int error)
{
	if (port < HV_PORTS && h->bindings[port].local != NULL)
		return &h->bindings[port];
	errno = error;
	return NULL;
}

EXPORT int xenevtchn_unbind(xenevtchn_handle *h, evtchn_port_t port)
{
	struct binding *b = find_binding(h, port, ENOTCONN);
	struct hv_domain *local = hv_domain_find(hv_backend_domid());
	int token;

	if (b == NULL || local == NULL)
		return -1;
	token = hv_lock();
	hv_port_free(local, port);
	hv_unlock(token);
	if (b->remote_fd >= 0)
		close(b->remote_fd);
	*b = (struct binding){ .remote_fd = -1 };
	return 0;
}

EXPORT int xenevtchn_close(xenevtchn_handle *h)
{
	if (h == NULL)
		return 0;
	for (uint32_t i = 1; i < HV_PORTS; i++)
		if (h->bindings[i].local != NULL)
			xenevtchn_unbind(h, i);
	hv_queue_remove(h->queue);
	close(h->fd);
	close(h->feed_fd);
	munmap(h, sizeof(*h));
	return 0;
}

EXPORT int xenevtchn_fd(xenevtchn_handle *h)
{
	return h->fd;
}

/* When it was is for who measures. */
EXPORT int xenevtchn_notify(xenevtchn_handle *h, evtchn_port_t port)
{
	struct binding *b = find_binding(h, port, ENOTCONN);
	struct timespec t;

	if (b == NULL)
		return -1;
	if (b->remote == NULL)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &t);
	__atomic_store_n(&b->remote->notified_ns, (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec,
			__ATOMIC_SEQ_CST);
	return hv_port_raise(b->remote, b->remote_number, b->remote_fd);
}

/* With $XEN_LOOPBACK_STRICT a handle has to be restricted first; Xen takes any. */
static bool may_bind(const xenevtchn_handle *h, uint32_t domid)
{
	if (h->restricted == UNRESTRICTED)
		return getenv("XEN_LOOPBACK_STRICT") == NULL;
	return h->restricted == domid;
}

/* Binding leaves the local port pending, as Xen does: something may have been sent before. */
EXPORT xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *h, uint32_t domid,
		evtchn_port_t remote_port)
{
	int token, port;

	if (!may_bind(h, domid)) {
		errno = EACCES;
		return -1;
	}
	token = hv_lock();
	port = hv_port_bind(hv_backend_domid(), h->queue, domid, remote_port);
	if (port > 0)
		adopt(h, (uint32_t)port);
	hv_unlock(token);
	if (port > 0)
		hv_port_raise(h->bindings[port].local, (uint32_t)port, h->feed_fd);
	return port;
}

static xenevtchn_port_or_error_t bind_local(xenevtchn_handle *h, uint32_t domid,
		enum hv_port_kind kind, uint32_t virq)
{
	struct hv_domain *local = hv_domain_find(hv_backend_domid());
	int token, port;

	if (local == NULL || h->restricted != UNRESTRICTED) {
		errno = EACCES;
		return -1;
	}
	token = hv_lock();
	port = hv_port_alloc(local, h->queue);
	if (port > 0) {
		local->ports[port].remote_domid = domid;
		local->ports[port].virq = virq;
		local->ports[port].kind = kind;
		adopt(h, (uint32_t)port);
	}
	hv_unlock(token);
	return port;
}

EXPORT xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *h, uint32_t domid)
{
	return bind_local(h, domid, HV_PORT_UNBOUND, 0);
}

EXPORT xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *h, unsigned int virq)
{
	return bind_local(h, 0, HV_PORT_VIRQ, virq);
}

EXPORT xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *h)
{
	uint32_t port;
	ssize_t n;

	n = read(h->fd, &port, sizeof(port));
	return n == sizeof(port) ? (xenevtchn_port_or_error_t)port : -1;
}

EXPORT int xenevtchn_unmask(xenevtchn_handle *h, evtchn_port_t port)
{
	struct binding *b = find_binding(h, port, EINVAL);

	return b != NULL ? hv_port_unmask(b->local, port, h->feed_fd) : -1;
}

EXPORT int xenevtchn_restrict(xenevtchn_handle *h, domid_t domid)
{
	if (h->restricted != UNRESTRICTED) {
		errno = EACCES;
		return -1;
	}
	h->restricted = domid;
	return 0;
}
