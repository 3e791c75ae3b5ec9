/* SPDX-License-Identifier: MIT */
/*
 * The files of the loopback hypervisor: opening them, and the tables in them.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state.h"

#define PATH_ROOM 512

struct attached_domain {
	struct hv_domain *domain;	/* never unmapped: ports point into it */
	int fd;
	int fd_readonly;
};

static struct {
	pthread_mutex_t mutex;
	const char *dir;
	struct hv_global *global;
	struct attached_domain domains[HV_DOMAINS];
} self = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static void make_path(char path[PATH_ROOM], const char *name, uint32_t number)
{
	if (number == UINT32_MAX)
		snprintf(path, PATH_ROOM, "%s/%s", self.dir, name);
	else
		snprintf(path, PATH_ROOM, "%s/%s-%u", self.dir, name, number);
}

static void *map_file(int fd, size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? NULL : p;
}

static struct hv_global *attach_locked(void)
{
	char path[PATH_ROOM];
	int fd;

	if (self.global != NULL)
		return self.global;
	self.dir = getenv("XEN_LOOPBACK_DIR");
	if (self.dir == NULL) {
		errno = ENOENT;
		return NULL;
	}
	make_path(path, "global", UINT32_MAX);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return NULL;
	if (ftruncate(fd, sizeof(struct hv_global)) == 0)
		self.global = map_file(fd, sizeof(struct hv_global));
	close(fd);
	return self.global;
}

struct hv_global *hv_attach(void)
{
	struct hv_global *g;

	pthread_mutex_lock(&self.mutex);
	g = attach_locked();
	pthread_mutex_unlock(&self.mutex);
	return g;
}

uint32_t hv_backend_domid(void)
{
	const char *domid = getenv("XEN_LOOPBACK_BACKEND");

	return domid != NULL ? (uint32_t)strtoul(domid, NULL, 10) : 0;
}

/* A descriptor of its own for every holder: so threads keep each other out as well. */
int hv_lock(void)
{
	char path[PATH_ROOM];
	int fd;

	if (hv_attach() == NULL)
		return -1;
	make_path(path, "lock", UINT32_MAX);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
			;
	return fd;
}

void hv_unlock(int token)
{
	if (token >= 0)
		close(token);
}

static size_t header_size(void)
{
	return (sizeof(struct hv_domain) + HV_PAGE_SIZE - 1) / HV_PAGE_SIZE * HV_PAGE_SIZE;
}

off_t hv_page_offset(uint32_t index)
{
	return (off_t)(header_size() + (size_t)index * HV_PAGE_SIZE);
}

/* A domain that was removed, and perhaps made anew under the same number, is forgotten. */
static bool is_stale(const struct attached_domain *a)
{
	struct stat st;

	return fstat(a->fd, &st) < 0 || st.st_nlink == 0;
}

static struct attached_domain *attach_domain(uint32_t domid, int flags)
{
	struct attached_domain *a;
	char path[PATH_ROOM];

	if (domid >= HV_DOMAINS || attach_locked() == NULL) {
		errno = ESRCH;
		return NULL;
	}
	a = &self.domains[domid];
	if (a->domain != NULL && !is_stale(a))
		return a;
	memset(a, 0, sizeof(*a));
	make_path(path, "domain", domid);
	a->fd = open(path, O_RDWR | O_CLOEXEC | flags, 0600);
	if (a->fd < 0)
		goto error;
	if ((flags & O_CREAT) && ftruncate(a->fd, hv_page_offset(HV_PAGES)) < 0)
		goto error_close;
	a->fd_readonly = open(path, O_RDONLY | O_CLOEXEC);
	a->domain = map_file(a->fd, header_size());
	if (a->domain != NULL && a->fd_readonly >= 0)
		return a;
error_close:
	close(a->fd);
	a->domain = NULL;
error:
	errno = ESRCH;
	return NULL;
}

static struct attached_domain *find_attached(uint32_t domid, int flags)
{
	struct attached_domain *a;

	pthread_mutex_lock(&self.mutex);
	a = attach_domain(domid, flags);
	pthread_mutex_unlock(&self.mutex);
	return a;
}

struct hv_domain *hv_domain_create(uint32_t domid)
{
	struct attached_domain *a = find_attached(domid, O_CREAT | O_EXCL);

	if (a == NULL)
		return NULL;
	a->domain->domid = domid;
	return a->domain;
}

struct hv_domain *hv_domain_find(uint32_t domid)
{
	struct attached_domain *a = find_attached(domid, 0);

	return a != NULL ? a->domain : NULL;
}

int hv_domain_remove(uint32_t domid)
{
	char path[PATH_ROOM];

	if (hv_attach() == NULL)
		return -1;
	make_path(path, "domain", domid);
	return unlink(path);
}

int hv_domain_fd(uint32_t domid, bool writable)
{
	struct attached_domain *a = find_attached(domid, 0);

	if (a == NULL)
		return -1;
	return writable ? a->fd : a->fd_readonly;
}

bool hv_process_is_alive(int32_t pid)
{
	return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

static bool map_is_live(const struct hv_map *m)
{
	return m->pid != 0 && hv_process_is_alive(m->pid);
}

/* A record that was given back, or a new one; those of the dead only when there is no other, for
 * it is a system call each to find out. */
static struct hv_map *find_free_map(struct hv_global *g)
{
	for (uint32_t i = 0; i < g->maps_used; i++)
		if (g->maps[i].pid == 0)
			return &g->maps[i];
	if (g->maps_used < HV_MAPS)
		return &g->maps[g->maps_used++];
	for (uint32_t i = 0; i < HV_MAPS; i++)
		if (!map_is_live(&g->maps[i]))
			return &g->maps[i];
	return NULL;
}

int hv_map_add(uint32_t domid, uint32_t gref)
{
	struct hv_global *g = self.global;
	struct hv_map *map = find_free_map(g);

	if (map == NULL) {
		errno = ENOSPC;
		return -1;
	}
	*map = (struct hv_map){ .pid = getpid(), .domid = domid, .gref = gref };
	return (int)(map - g->maps);
}

void hv_map_del(int record)
{
	self.global->maps[record].pid = 0;
}

uint32_t hv_map_count(uint32_t domid)
{
	struct hv_global *g = self.global;
	uint32_t count = 0;

	for (uint32_t i = 0; i < g->maps_used; i++)
		if (g->maps[i].domid == domid && g->maps[i].gref >= HV_FIRST_GREF)
			count += map_is_live(&g->maps[i]);
	return count;
}

bool hv_grant_is_mapped(uint32_t domid, uint32_t gref)
{
	struct hv_global *g = self.global;

	for (uint32_t i = 0; i < g->maps_used; i++)
		if (g->maps[i].domid == domid && g->maps[i].gref == gref && map_is_live(&g->maps[i]))
			return true;
	return false;
}

uint32_t hv_bound_count(uint32_t domid)
{
	struct hv_domain *backend = hv_domain_find(hv_backend_domid()), *d = hv_domain_find(domid);
	uint32_t count = 0;

	for (uint32_t i = 1; backend != NULL && i < HV_PORTS; i++) {
		const struct hv_port *p = &backend->ports[i];

		if (p->kind == HV_PORT_INTERDOMAIN && p->remote_domid == domid &&
				hv_process_is_alive(p->pid) &&
				(d == NULL || p->remote_port != d->store_port))
			count++;
	}
	return count;
}
