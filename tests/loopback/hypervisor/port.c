/* SPDX-License-Identifier: MIT */
/*
 * Event channels of the loopback hypervisor: ports, and the queues they are delivered to.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state.h"

#define PATH_ROOM 512

static void make_queue_path(char path[PATH_ROOM], uint32_t queue)
{
	snprintf(path, PATH_ROOM, "%s/queue-%u", getenv("XEN_LOOPBACK_DIR"), queue);
}

uint32_t hv_queue_create(void)
{
	struct hv_global *g = hv_attach();
	char path[PATH_ROOM];
	uint32_t queue;

	if (g == NULL)
		return HV_NO_QUEUE;
	queue = __atomic_fetch_add(&g->next_queue, 1, __ATOMIC_RELAXED);
	make_queue_path(path, queue);
	return mkfifo(path, 0600) == 0 ? queue : HV_NO_QUEUE;
}

void hv_queue_remove(uint32_t queue)
{
	char path[PATH_ROOM];

	make_queue_path(path, queue);
	unlink(path);
}

/* Always for reading too: then a reader that died never makes a writer fail or die. */
int hv_queue_open(uint32_t queue, int flags)
{
	char path[PATH_ROOM];

	if (queue == HV_NO_QUEUE) {
		errno = ENOENT;
		return -1;
	}
	make_queue_path(path, queue);
	return open(path, O_RDWR | flags);
}

uint32_t hv_queue_of_fd(int fd)
{
	char link[64], path[PATH_ROOM];
	const char *name;
	unsigned int queue;
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return HV_NO_QUEUE;
	path[n] = '\0';
	name = strrchr(path, '/');
	if (name == NULL || sscanf(name, "/queue-%u", &queue) != 1)
		return HV_NO_QUEUE;
	return queue;
}

int hv_port_alloc(struct hv_domain *d, uint32_t queue)
{
	for (uint32_t i = 1; i < HV_PORTS; i++) {
		struct hv_port *p = &d->ports[i];

		if (p->kind != HV_PORT_FREE && (p->pid == 0 || hv_process_is_alive(p->pid)))
			continue;
		*p = (struct hv_port){ .kind = HV_PORT_UNBOUND, .queue = queue, .pid = getpid() };
		return (int)i;
	}
	errno = ENOSPC;
	return -1;
}

/* As in Xen, the other end goes back to waiting for whom it was waiting before. */
void hv_port_free(struct hv_domain *d, uint32_t port)
{
	struct hv_port *p = &d->ports[port], *remote;
	struct hv_domain *other;

	if (p->kind == HV_PORT_INTERDOMAIN && (other = hv_domain_find(p->remote_domid)) != NULL) {
		remote = &other->ports[p->remote_port];
		if (remote->kind == HV_PORT_INTERDOMAIN && remote->remote_domid == d->domid &&
				remote->remote_port == port)
			remote->kind = HV_PORT_UNBOUND;
	}
	memset(p, 0, sizeof(*p));
}

/* A port whose other end died with its process waits again, as after a close in Xen. */
static bool is_bindable(const struct hv_domain *remote, uint32_t number, struct hv_domain *local)
{
	const struct hv_port *p = &remote->ports[number], *peer;

	if (p->remote_domid != local->domid)
		return false;
	if (p->kind == HV_PORT_UNBOUND)
		return true;
	peer = &local->ports[p->remote_port];
	return p->kind == HV_PORT_INTERDOMAIN && !(peer->kind == HV_PORT_INTERDOMAIN &&
			peer->remote_domid == remote->domid && peer->remote_port == number &&
			hv_process_is_alive(peer->pid));
}

int hv_port_bind(uint32_t local_domid, uint32_t queue, uint32_t remote_domid, uint32_t remote_port)
{
	struct hv_domain *local = hv_domain_find(local_domid);
	struct hv_domain *remote = hv_domain_find(remote_domid);
	int port;

	if (local == NULL || remote == NULL)
		return -1;
	if (remote_port == 0 || remote_port >= HV_PORTS ||
			!is_bindable(remote, remote_port, local)) {
		errno = EINVAL;
		return -1;
	}
	port = hv_port_alloc(local, queue);
	if (port < 0)
		return -1;
	local->ports[port].remote_domid = remote_domid;
	local->ports[port].remote_port = remote_port;
	local->ports[port].kind = HV_PORT_INTERDOMAIN;
	remote->ports[remote_port].remote_port = (uint32_t)port;
	remote->ports[remote_port].kind = HV_PORT_INTERDOMAIN;
	return port;
}

/* A full queue cannot be: a port waits in it at most once, and it holds more than all. */
static int deliver(struct hv_port *p, uint32_t number, int queue_fd)
{
	uint32_t old = __atomic_load_n(&p->signal, __ATOMIC_SEQ_CST), new;

	do {
		if (!(old & HV_SIGNAL_PENDING) || (old & HV_SIGNAL_MASKED))
			return 0;
		new = (old | HV_SIGNAL_MASKED) & ~(uint32_t)HV_SIGNAL_PENDING;
	} while (!__atomic_compare_exchange_n(&p->signal, &old, new, false, __ATOMIC_SEQ_CST,
			__ATOMIC_SEQ_CST));
	if (queue_fd < 0)
		return 0;
	return write(queue_fd, &number, sizeof(number)) == sizeof(number) ? 0 : -1;
}

int hv_port_raise(struct hv_port *p, uint32_t number, int queue_fd)
{
	__atomic_fetch_or(&p->signal, HV_SIGNAL_PENDING, __ATOMIC_SEQ_CST);
	return deliver(p, number, queue_fd);
}

int hv_port_unmask(struct hv_port *p, uint32_t number, int queue_fd)
{
	__atomic_fetch_and(&p->signal, ~(uint32_t)HV_SIGNAL_MASKED, __ATOMIC_SEQ_CST);
	return deliver(p, number, queue_fd);
}
