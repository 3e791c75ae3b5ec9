/* SPDX-License-Identifier: MIT */
/*
 * Stand-in for libxengnttab: a grant is a page of the granting domain's file. As with the
 * real one, a map is all or nothing, what is mapped for reading cannot be written, and an
 * unmap must name the whole map.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <xengnttab.h>

#include "state.h"

#define EXPORT __attribute__((visibility("default")))

struct map {
	struct map *next;
	void *address;
	uint32_t count;
	int records[];
};

struct xengntdev_handle {
	pthread_mutex_t mutex;
	struct map *maps;	/* under mutex */
	int fd;
};

EXPORT xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned int open_flags)
{
	xengnttab_handle *h;

	if (hv_attach() == NULL)
		return NULL;
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return NULL;
	h->fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	pthread_mutex_init(&h->mutex, NULL);
	return h;
}

static void release(struct map *m)
{
	int token = hv_lock();

	for (uint32_t i = 0; i < m->count; i++)
		if (m->records[i] >= 0)
			hv_map_del(m->records[i]);
	hv_unlock(token);
	munmap(m->address, (size_t)m->count * HV_PAGE_SIZE);
	free(m);
}

EXPORT int xengnttab_close(xengnttab_handle *h)
{
	struct map *m, *next;

	if (h == NULL)
		return 0;
	for (m = h->maps; m != NULL; m = next) {
		next = m->next;
		release(m);
	}
	close(h->fd);
	pthread_mutex_destroy(&h->mutex);
	free(h);
	return 0;
}

EXPORT int xengnttab_fd(xengnttab_handle *h)
{
	return h->fd;
}

EXPORT int xengnttab_set_max_grants(xengnttab_handle *h, uint32_t nr_grants)
{
	return 0;
}

static bool is_granted(const struct hv_domain *d, uint32_t ref, bool writable)
{
	uint32_t flags;

	if (ref >= HV_PAGES)
		return false;
	flags = d->grants[ref].flags;
	return (flags & HV_GRANT_VALID) && !(writable && (flags & HV_GRANT_READONLY));
}

static void wait_for_guest(const struct hv_domain *d)
{
	struct timespec t = { d->map_delay_ms / 1000, d->map_delay_ms % 1000 * 1000000l };

	if (d->map_delay_ms > 0)
		nanosleep(&t, NULL);
}

/* One page of the map; with the hypervisor's lock held. */
static int record_page(struct map *m, uint32_t i, uint32_t domid, uint32_t ref, int prot)
{
	struct hv_domain *d = hv_domain_find(domid);

	if (d == NULL || !is_granted(d, ref, prot & PROT_WRITE)) {
		errno = EINVAL;
		return -1;
	}
	m->records[i] = hv_map_add(domid, ref);
	return m->records[i] < 0 ? -1 : 0;
}

/* `n` pages that follow one another with their guest, too: as Xen does it, in one call and not
 * one for each page, which takes the long way through the kernel's locks. */
static int map_run(struct map *m, uint32_t i, uint32_t n, uint32_t domid, uint32_t ref, int prot)
{
	void *pages = mmap((char *)m->address + (size_t)i * HV_PAGE_SIZE, (size_t)n * HV_PAGE_SIZE,
			prot, MAP_SHARED | MAP_FIXED, hv_domain_fd(domid, prot & PROT_WRITE),
			hv_page_offset(ref));

	return pages == MAP_FAILED ? -1 : 0;
}

static int map_pages(struct map *m, const uint32_t *domids, size_t domid_stride,
		const uint32_t *refs, int prot)
{
	int token = hv_lock(), res = 0;
	uint32_t i, n;

	for (i = 0; i < m->count && res == 0; i++)
		res = record_page(m, i, domids[i * domid_stride], refs[i], prot);
	for (i = 0; i < m->count && res == 0; i += n) {
		for (n = 1; i + n < m->count && refs[i + n] == refs[i] + n && domids[(i + n) *
				domid_stride] == domids[i * domid_stride]; n++)
			;
		res = map_run(m, i, n, domids[i * domid_stride], refs[i], prot);
	}
	hv_unlock(token);
	return res;
}

static void *do_map(xengnttab_handle *h, uint32_t count, const uint32_t *domids,
		size_t domid_stride, const uint32_t *refs, int prot)
{
	struct hv_domain *d;
	struct map *m;
	int err;

	if (count == 0 || count > 65536 || (d = hv_domain_find(domids[0])) == NULL) {
		errno = EINVAL;
		return NULL;
	}
	wait_for_guest(d);
	m = calloc(1, sizeof(*m) + count * sizeof(m->records[0]));
	if (m == NULL)
		return NULL;
	m->count = count;
	memset(m->records, 0xff, count * sizeof(m->records[0]));
	m->address = mmap(NULL, (size_t)count * HV_PAGE_SIZE, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m->address == MAP_FAILED) {
		free(m);
		return NULL;
	}
	if (map_pages(m, domids, domid_stride, refs, prot) < 0) {
		err = errno;
		release(m);
		errno = err;
		return NULL;
	}
	pthread_mutex_lock(&h->mutex);
	m->next = h->maps;
	h->maps = m;
	pthread_mutex_unlock(&h->mutex);
	return m->address;
}

EXPORT void *xengnttab_map_grant_ref(xengnttab_handle *h, uint32_t domid, uint32_t ref, int prot)
{
	return do_map(h, 1, &domid, 0, &ref, prot);
}

EXPORT void *xengnttab_map_grant_refs(xengnttab_handle *h, uint32_t count, uint32_t *domids,
		uint32_t *refs, int prot)
{
	return do_map(h, count, domids, 1, refs, prot);
}

EXPORT void *xengnttab_map_domain_grant_refs(xengnttab_handle *h, uint32_t count, uint32_t domid,
		uint32_t *refs, int prot)
{
	return do_map(h, count, &domid, 0, refs, prot);
}

/* The notification is for protocols that define a byte for it: the sound protocol has none. */
EXPORT void *xengnttab_map_grant_ref_notify(xengnttab_handle *h, uint32_t domid, uint32_t ref,
		int prot, uint32_t notify_offset, evtchn_port_t notify_port)
{
	if (notify_offset == UINT32_MAX && notify_port == UINT32_MAX)
		return do_map(h, 1, &domid, 0, &ref, prot);
	errno = ENOSYS;
	return NULL;
}

EXPORT int xengnttab_unmap(xengnttab_handle *h, void *start_address, uint32_t count)
{
	struct map **at, *m = NULL;

	pthread_mutex_lock(&h->mutex);
	for (at = &h->maps; *at != NULL; at = &(*at)->next)
		if ((*at)->address == start_address && (*at)->count == count) {
			m = *at;
			*at = m->next;
			break;
		}
	pthread_mutex_unlock(&h->mutex);
	if (m == NULL) {
		errno = EINVAL;
		return -1;
	}
	release(m);
	return 0;
}

static int16_t copy_octets(xengnttab_grant_copy_segment_t *s, uint8_t *octets, bool out)
{
	union xengnttab_copy_ptr *side = out ? &s->dest : &s->source;
	bool foreign = s->flags & (out ? GNTCOPY_dest_gref : GNTCOPY_source_gref);
	struct hv_domain *d;
	ssize_t n;
	off_t at;

	if (!foreign) {
		memcpy(out ? side->virt : octets, out ? octets : side->virt, s->len);
		return GNTST_okay;
	}
	d = hv_domain_find(side->foreign.domid);
	if (d == NULL || !is_granted(d, side->foreign.ref, out))
		return GNTST_bad_gntref;
	if (side->foreign.offset + s->len > HV_PAGE_SIZE)
		return GNTST_bad_copy_arg;
	at = hv_page_offset(side->foreign.ref) + side->foreign.offset;
	n = out ? pwrite(hv_domain_fd(d->domid, true), octets, s->len, at)
		: pread(hv_domain_fd(d->domid, false), octets, s->len, at);
	return n == s->len ? GNTST_okay : GNTST_general_error;
}

EXPORT int xengnttab_grant_copy(xengnttab_handle *h, uint32_t count,
		xengnttab_grant_copy_segment_t *segs)
{
	uint8_t octets[HV_PAGE_SIZE];

	for (uint32_t i = 0; i < count; i++) {
		if (segs[i].len > sizeof(octets)) {
			segs[i].status = GNTST_bad_copy_arg;
			continue;
		}
		segs[i].status = copy_octets(&segs[i], octets, false);
		if (segs[i].status == GNTST_okay)
			segs[i].status = copy_octets(&segs[i], octets, true);
	}
	return 0;
}

static int not_here(void)
{
	errno = ENOSYS;
	return -1;
}

EXPORT int xengnttab_dmabuf_exp_from_refs(xengnttab_handle *h, uint32_t domid, uint32_t flags,
		uint32_t count, const uint32_t *refs, uint32_t *fd)
{
	return not_here();
}

EXPORT int xengnttab_dmabuf_exp_wait_released(xengnttab_handle *h, uint32_t fd, uint32_t wait_to_ms)
{
	return not_here();
}

EXPORT int xengnttab_dmabuf_imp_to_refs(xengnttab_handle *h, uint32_t domid, uint32_t fd,
		uint32_t count, uint32_t *refs)
{
	return not_here();
}

EXPORT int xengnttab_dmabuf_imp_release(xengnttab_handle *h, uint32_t fd)
{
	return not_here();
}

EXPORT xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger, unsigned int open_flags)
{
	not_here();
	return NULL;
}

EXPORT int xengntshr_close(xengntshr_handle *h)
{
	return not_here();
}

EXPORT int xengntshr_fd(xengntshr_handle *h)
{
	return not_here();
}

EXPORT void *xengntshr_share_pages(xengntshr_handle *h, uint32_t domid, int count, uint32_t *refs,
		int writable)
{
	not_here();
	return NULL;
}

EXPORT void *xengntshr_share_page_notify(xengntshr_handle *h, uint32_t domid, uint32_t *ref,
		int writable, uint32_t notify_offset, evtchn_port_t notify_port)
{
	not_here();
	return NULL;
}

EXPORT int xengntshr_unshare(xengntshr_handle *h, void *start_address, uint32_t count)
{
	return not_here();
}
