/* SPDX-License-Identifier: MIT */
/*
 * Proves that the stand-ins behave as the Xen libraries do, for what they forgive no other
 * test can find. It is linked against the real libraries and told to load the stand-ins.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "domain.h"

#define DOMID 5u

static unsigned int number, failures;
static struct domain guest;
static xengnttab_handle *gnttab;
static xenevtchn_handle *evtchn;

static void ok(bool good, const char *what)
{
	printf("%s %u - %s\n", good ? "ok" : "not ok", ++number, what);
	failures += !good;
}

static uint32_t maps(void)
{
	int token = hv_lock();
	uint32_t count = hv_map_count(DOMID);

	hv_unlock(token);
	return count;
}

static uint32_t ports(void)
{
	int token = hv_lock();
	uint32_t count = hv_bound_count(DOMID);

	hv_unlock(token);
	return count;
}

/* In a child, for it should die of it. */
static bool can_write(volatile char *page)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		*page = 1;
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status);
}

static void test_maps(void)
{
	struct pages p;
	uint32_t refs[4];
	char *a, *b;

	domain_pages_alloc(&guest, &p, 2);
	memcpy(refs, p.grefs, 2 * sizeof(refs[0]));
	memcpy(refs + 2, p.grefs, 2 * sizeof(refs[0]));
	ok(p.grefs[1] != p.grefs[0] + 1, "grants of neighbouring pages are no neighbours");

	a = xengnttab_map_domain_grant_refs(gnttab, 2, DOMID, refs, PROT_READ | PROT_WRITE);
	strcpy((char *)p.address + HV_PAGE_SIZE, "guest");
	ok(a != NULL && strcmp(a + HV_PAGE_SIZE, "guest") == 0, "the backend reads what the guest wrote");
	strcpy(a, "backend");
	ok(strcmp((char *)p.address, "backend") == 0, "the guest reads what the backend wrote");
	ok(maps() == 2, "two pages are counted as mapped");
	ok(xengnttab_unmap(gnttab, a, 1) < 0 && errno == EINVAL && maps() == 2,
			"an unmap of a part is refused");
	ok(domain_revoke(&guest, refs[0]) == -EBUSY, "a mapped page cannot be taken back");
	ok(domain_deferred(&guest) == 1, "and is waited for");
	ok(xengnttab_unmap(gnttab, a, 2) == 0 && maps() == 0, "an unmap of the whole is done");
	ok(domain_deferred(&guest) == 0, "then the page is taken back");
	ok(xengnttab_map_grant_ref(gnttab, DOMID, refs[0], PROT_READ) == NULL && errno == EINVAL,
			"a page that was taken back cannot be mapped");
	ok(xengnttab_map_domain_grant_refs(gnttab, 2, DOMID, refs, PROT_READ) == NULL && maps() == 0,
			"a map is all or nothing");

	domain_grant(&guest, refs[0], false);
	a = xengnttab_map_domain_grant_refs(gnttab, 4, DOMID, refs, PROT_READ | PROT_WRITE);
	strcpy(a + HV_PAGE_SIZE, "mirror");
	ok(strcmp(a + 3 * HV_PAGE_SIZE, "mirror") == 0, "a page mapped twice in one call mirrors");
	xengnttab_unmap(gnttab, a, 4);

	a = xengnttab_map_grant_ref(gnttab, DOMID, refs[1], PROT_READ);
	ok(!can_write(a), "what is mapped for reading cannot be written");
	ok(mprotect(a, HV_PAGE_SIZE, PROT_READ | PROT_WRITE) < 0, "nor be made writable");
	domain_grant(&guest, refs[1], true);
	b = xengnttab_map_grant_ref(gnttab, DOMID, refs[1], PROT_READ | PROT_WRITE);
	ok(b == NULL, "a read-only grant cannot be mapped for writing");
	xengnttab_unmap(gnttab, a, 1);
	ok(xengnttab_map_grant_ref(gnttab, DOMID + 1, refs[1], PROT_READ) == NULL,
			"a grant of one domain is none of another");
}

static void test_copy(void)
{
	char text[] = "copied", back[8] = "";
	xengnttab_grant_copy_segment_t s = { .len = sizeof(text) };
	struct pages p;

	domain_pages_alloc(&guest, &p, 1);
	s.source.virt = text;
	s.dest.foreign.ref = p.grefs[0];
	s.dest.foreign.domid = DOMID;
	s.dest.foreign.offset = 100;
	s.flags = GNTCOPY_dest_gref;
	ok(xengnttab_grant_copy(gnttab, 1, &s) == 0 && s.status == GNTST_okay &&
			strcmp((char *)p.address + 100, text) == 0, "a copy into a granted page");
	s.source = s.dest;
	s.dest.virt = back;
	s.flags = GNTCOPY_source_gref;
	ok(xengnttab_grant_copy(gnttab, 1, &s) == 0 && s.status == GNTST_okay &&
			strcmp(back, text) == 0, "a copy out of a granted page");
	s.source.foreign.ref = 7;
	ok(xengnttab_grant_copy(gnttab, 1, &s) == 0 && s.status == GNTST_bad_gntref,
			"a copy out of a page that is not granted");
	domain_pages_free(&guest, &p);
}

static bool is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void test_ports(void)
{
	int fd = xenevtchn_fd(evtchn), port;
	struct line l;

	line_open(&guest, &l);
	port = xenevtchn_bind_interdomain(evtchn, DOMID, l.port);
	ok(port > 0 && ports() == 1, "a port is bound and counted");
	ok(xenevtchn_bind_interdomain(evtchn, DOMID, l.port) < 0 && errno == EINVAL,
			"a bound port cannot be bound again");
	ok(is_readable(fd) && xenevtchn_pending(evtchn) == port, "binding leaves the port pending once");
	line_notify(&l);
	ok(!is_readable(fd), "a port that was delivered is masked");
	xenevtchn_unmask(evtchn, (evtchn_port_t)port);
	ok(is_readable(fd) && xenevtchn_pending(evtchn) == port, "unmasking delivers what came meanwhile");
	xenevtchn_unmask(evtchn, (evtchn_port_t)port);
	line_notify(&l);
	line_notify(&l);
	xenevtchn_pending(evtchn);
	xenevtchn_unmask(evtchn, (evtchn_port_t)port);
	ok(is_readable(fd), "what came between two notifies and the unmask is not lost");
	xenevtchn_pending(evtchn);
	xenevtchn_unmask(evtchn, (evtchn_port_t)port);
	ok(!is_readable(fd), "notifies of a pending port are one");
	ok(xenevtchn_notify(evtchn, (evtchn_port_t)port) == 0, "the backend notifies");
	line_wait(&l);
	line_done(&l);
	ok(true, "and the guest wakes");
	ok(xenevtchn_unbind(evtchn, (evtchn_port_t)port) == 0 && ports() == 0, "a port is unbound");
	ok(xenevtchn_notify(evtchn, (evtchn_port_t)port) < 0, "and cannot be notified any more");
	port = xenevtchn_bind_interdomain(evtchn, DOMID, l.port);
	ok(port > 0, "the guest's port can be bound anew");
	line_close(&l);
}

static void test_restrict(void)
{
	xenevtchn_handle *h = xenevtchn_open(NULL, 0);
	struct line l;

	line_open(&guest, &l);
	ok(xenevtchn_open(NULL, 1u << 7) == NULL && errno == EINVAL, "unknown flags are refused");
	ok(xenevtchn_restrict(h, DOMID + 1) == 0, "a handle is restricted");
	ok(xenevtchn_bind_interdomain(h, DOMID, l.port) < 0 && errno == EACCES,
			"and binds to no other domain");
	xenevtchn_close(h);
	h = xenevtchn_open(NULL, 0);
	xenevtchn_bind_interdomain(h, DOMID, l.port);
	ok(ports() > 0, "a port is bound");
	xenevtchn_close(h);
	line_close(&l);
}

/* A backend that dies holds nothing. */
static void test_death(void)
{
	struct pages p;
	pid_t pid;

	domain_pages_alloc(&guest, &p, 1);
	pid = fork();
	if (pid == 0) {
		xengnttab_handle *h = xengnttab_open(NULL, 0);

		_exit(xengnttab_map_grant_ref(h, DOMID, p.grefs[0], PROT_READ) == NULL);
	}
	waitpid(pid, NULL, 0);
	ok(maps() == 0, "maps of a process that died are gone");
	ok(domain_pages_free(&guest, &p) == 0, "and its pages can be taken back");
}

int main(void)
{
	gnttab = xengnttab_open(NULL, 0);
	evtchn = xenevtchn_open(NULL, 0);
	ok(gnttab != NULL && evtchn != NULL, "the libraries that are loaded need no Xen");
	ok(hv_domain_create(0) != NULL && domain_create(&guest, DOMID) == 0, "there is a guest");
	if (failures == 0) {
		test_maps();
		test_copy();
		test_ports();
		test_restrict();
		test_death();
	}
	xenevtchn_close(evtchn);
	xengnttab_close(gnttab);
	ok(maps() == 0 && ports() == 0, "closing the handles lets everything go");
	printf("1..%u\n", number);
	return failures ? 1 : 0;
}
