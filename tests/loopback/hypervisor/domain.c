/* SPDX-License-Identifier: MIT */
/*
 * The guest's side of the loopback hypervisor.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "domain.h"

#include <xen/xen.h>

#define DOM0 0

/* Xen raises it in Dom0 when a domain stops or dies: xenstored listens. */
static void raise_virq(uint32_t virq)
{
	struct hv_domain *dom0 = hv_domain_find(DOM0);
	int fd;

	for (uint32_t i = 1; dom0 != NULL && i < HV_PORTS; i++) {
		struct hv_port *p = &dom0->ports[i];

		if (p->kind != HV_PORT_VIRQ || p->virq != virq)
			continue;
		fd = hv_queue_open(p->queue, O_NONBLOCK | O_CLOEXEC);
		hv_port_raise(p, i, fd);
		if (fd >= 0)
			close(fd);
	}
}

int domain_create(struct domain *d, uint32_t domid)
{
	int token, port;

	memset(d, 0, sizeof(*d));
	d->domid = domid;
	pthread_mutex_init(&d->mutex, NULL);
	token = hv_lock();
	d->hv = hv_domain_create(domid);
	if (d->hv == NULL)
		goto error;
	port = hv_port_alloc(d->hv, HV_NO_QUEUE);
	d->hv->store_port = (uint32_t)port;
	d->hv->grants[HV_XENSTORE_GREF] = (struct hv_grant){ .flags = HV_GRANT_VALID };
	hv_unlock(token);
	return 0;

error:
	hv_unlock(token);
	return -EEXIST;
}

void domain_set_state(struct domain *d, enum hv_domain_state state)
{
	__atomic_store_n(&d->hv->state, (uint32_t)state, __ATOMIC_SEQ_CST);
	raise_virq(VIRQ_DOM_EXC);
}

void domain_destroy(struct domain *d)
{
	domain_set_state(d, HV_DOMAIN_DYING);
	hv_domain_remove(d->domid);
}

static void reap(struct domain *d)
{
	for (uint32_t i = HV_FIRST_GREF; i < HV_PAGES; i++)
		if (d->use[i] == PAGE_DEFERRED && !hv_grant_is_mapped(d->domid, i)) {
			d->hv->grants[i].flags = 0;
			d->use[i] = PAGE_FREE;
		}
}

/* Neighbours in the guest's memory are strangers in its grant table. */
static uint32_t take_page(struct domain *d)
{
	const uint32_t room = HV_PAGES - HV_FIRST_GREF;
	uint32_t page = 0;

	pthread_mutex_lock(&d->mutex);
	for (uint32_t i = 0; i < room && page == 0; i++) {
		page = HV_FIRST_GREF + (uint32_t)((uint64_t)d->cursor++ * 2741 % room);
		if (d->use[page] != PAGE_FREE)
			page = 0;
	}
	if (page != 0)
		d->use[page] = PAGE_USED;
	pthread_mutex_unlock(&d->mutex);
	return page;
}

int domain_pages_alloc(struct domain *d, struct pages *p, uint32_t count)
{
	void *at;

	p->count = count;
	p->grefs = calloc(count, sizeof(p->grefs[0]));
	p->address = mmap(NULL, (size_t)count * HV_PAGE_SIZE, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p->grefs == NULL || p->address == MAP_FAILED)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		p->grefs[i] = take_page(d);
		if (p->grefs[i] == 0)
			return -ENOMEM;
		at = mmap(p->address + (size_t)i * HV_PAGE_SIZE, HV_PAGE_SIZE,
				PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
				hv_domain_fd(d->domid, true), hv_page_offset(p->grefs[i]));
		if (at == MAP_FAILED)
			return -errno;
		domain_grant(d, p->grefs[i], false);
	}
	memset(p->address, 0, (size_t)count * HV_PAGE_SIZE);
	return 0;
}

int domain_pages_free(struct domain *d, struct pages *p)
{
	int res = 0;

	if (p->address == NULL)
		return 0;
	for (uint32_t i = 0; i < p->count; i++)
		if (domain_revoke(d, p->grefs[i]) < 0)
			res = -EBUSY;
	munmap(p->address, (size_t)p->count * HV_PAGE_SIZE);
	free(p->grefs);
	memset(p, 0, sizeof(*p));
	return res;
}

void domain_grant(struct domain *d, uint32_t gref, bool readonly)
{
	uint32_t flags = HV_GRANT_VALID | (readonly ? HV_GRANT_READONLY : 0);

	d->hv->grants[gref].domid = hv_backend_domid();
	__atomic_store_n(&d->hv->grants[gref].flags, flags, __ATOMIC_SEQ_CST);
}

int domain_revoke(struct domain *d, uint32_t gref)
{
	int token = hv_lock();
	int res;

	pthread_mutex_lock(&d->mutex);
	d->use[gref] = PAGE_DEFERRED;
	reap(d);
	res = d->use[gref] == PAGE_DEFERRED ? -EBUSY : 0;
	pthread_mutex_unlock(&d->mutex);
	hv_unlock(token);
	return res;
}

uint32_t domain_deferred(struct domain *d)
{
	int token = hv_lock();
	uint32_t count = 0;

	pthread_mutex_lock(&d->mutex);
	reap(d);
	for (uint32_t i = 0; i < HV_PAGES; i++)
		count += d->use[i] == PAGE_DEFERRED;
	pthread_mutex_unlock(&d->mutex);
	hv_unlock(token);
	return count;
}

static int open_line_to(struct domain *d, struct line *l, uint32_t peer)
{
	int token, port = -1;

	memset(l, 0, sizeof(*l));
	l->hv = d->hv;
	l->peer_fd = -1;
	l->peer_queue = HV_NO_QUEUE;
	l->queue = hv_queue_create();
	l->fd = hv_queue_open(l->queue, O_NONBLOCK | O_CLOEXEC);
	if (l->fd < 0)
		return -errno;
	token = hv_lock();
	port = hv_port_alloc(d->hv, l->queue);
	if (port > 0)
		d->hv->ports[port].remote_domid = peer;
	hv_unlock(token);
	l->port = (uint32_t)port;
	return port > 0 ? 0 : -ENOSPC;
}

int line_open(struct domain *d, struct line *l)
{
	return open_line_to(d, l, hv_backend_domid());
}

int domain_open_store(struct domain *d, struct line *l, void **ring)
{
	int res = open_line_to(d, l, DOM0);

	if (res < 0)
		return res;
	d->hv->store_port = l->port;
	*ring = mmap(NULL, HV_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			hv_domain_fd(d->domid, true), hv_page_offset(HV_XENSTORE_GREF));
	return *ring != MAP_FAILED ? 0 : -errno;
}

void line_close(struct line *l)
{
	int token;

	if (l->hv == NULL)
		return;
	token = hv_lock();
	hv_port_free(l->hv, l->port);
	hv_unlock(token);
	hv_queue_remove(l->queue);
	close(l->fd);
	if (l->peer_fd >= 0)
		close(l->peer_fd);
	memset(l, 0, sizeof(*l));
}

void line_wait(struct line *l)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };
	uint32_t port;

	while (read(l->fd, &port, sizeof(port)) != sizeof(port))
		poll(&p, 1, -1);
}

uint64_t line_notified(const struct line *l)
{
	return __atomic_load_n(&l->hv->ports[l->port].notified_ns, __ATOMIC_SEQ_CST);
}

void line_done(struct line *l)
{
	hv_port_unmask(&l->hv->ports[l->port], l->port, l->fd);
}

void line_wake(struct line *l)
{
	hv_port_raise(&l->hv->ports[l->port], l->port, l->fd);
}

void line_notify(struct line *l)
{
	struct hv_port *own = &l->hv->ports[l->port], *peer;
	struct hv_domain *other;

	if (own->kind != HV_PORT_INTERDOMAIN || (other = hv_domain_find(own->remote_domid)) == NULL)
		return;
	peer = &other->ports[own->remote_port];
	if (peer->queue != l->peer_queue) {
		if (l->peer_fd >= 0)
			close(l->peer_fd);
		l->peer_queue = peer->queue;
		l->peer_fd = hv_queue_open(peer->queue, O_NONBLOCK | O_CLOEXEC);
	}
	hv_port_raise(peer, own->remote_port, l->peer_fd);
}
