/* SPDX-License-Identifier: MIT */
/*
 * The program `xen-xenbus`: makes the domain $XEN_LOOPBACK_BACKEND, as xl does, and is its
 * /dev/xen/xenbus, a terminal whose name it prints. What goes through there goes over the
 * domain's own ring: for xenstored it is that domain, with no more rights than it has.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <xenstore.h>
#include <xen/io/xs_wire.h>

#include "domain.h"

#define PATH_ROOM 128

struct xenbus {
	struct domain domain;
	struct line line;
	struct xenstore_domain_interface *ring;
	int terminal;
};

static bool write_node(struct xs_handle *xs, uint32_t domid, const char *name, const char *value)
{
	char path[PATH_ROOM];

	snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, name);
	return xs_write(xs, XBT_NULL, path, value, (unsigned int)strlen(value));
}

/* A directory of `owner`, which the domain may read. */
static bool make_directory(struct xs_handle *xs, uint32_t domid, const char *name, uint32_t owner)
{
	struct xs_permissions permissions[2] = {
		{ .id = owner, .perms = XS_PERM_NONE },
		{ .id = domid, .perms = XS_PERM_READ },
	};
	char path[PATH_ROOM];

	snprintf(path, sizeof(path), "/local/domain/%u%s", domid, name);
	return xs_mkdir(xs, XBT_NULL, path) && xs_set_permissions(xs, XBT_NULL, path, permissions, 2);
}

/* The toolstack's part. */
static int introduce(struct xenbus *x)
{
	uint32_t domid = x->domain.domid;
	struct xs_handle *xs = xs_open(0);
	char number[16];
	bool ok;

	snprintf(number, sizeof(number), "%u", domid);
	ok = xs != NULL && make_directory(xs, domid, "", 0) &&
			make_directory(xs, domid, "/error", domid) &&
			write_node(xs, domid, "domid", number) &&
			write_node(xs, domid, "name", "sound") &&
			xs_introduce_domain(xs, domid, HV_XENSTORE_GREF, x->domain.hv->store_port);
	if (xs != NULL)
		xs_close(xs);
	return ok ? 0 : -errno;
}

/* It stays open at both ends: who uses it may come and go. */
static int open_terminal(struct xenbus *x)
{
	struct termios raw;
	int user;

	x->terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (x->terminal < 0 || grantpt(x->terminal) < 0 || unlockpt(x->terminal) < 0)
		return -errno;
	user = open(ptsname(x->terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (user < 0 || tcgetattr(user, &raw) < 0)
		return -errno;
	cfmakeraw(&raw);
	return tcsetattr(user, TCSANOW, &raw) == 0 ? 0 : -errno;
}

static uint32_t free_room(const struct xenstore_domain_interface *r)
{
	return XENSTORE_RING_SIZE - (r->req_prod - __atomic_load_n(&r->req_cons, __ATOMIC_SEQ_CST));
}

static int send_requests(struct xenbus *x)
{
	uint8_t octets[XENSTORE_RING_SIZE];
	uint32_t prod = x->ring->req_prod;
	ssize_t n = read(x->terminal, octets, free_room(x->ring));

	if (n <= 0)
		return -EIO;
	for (ssize_t i = 0; i < n; i++)
		x->ring->req[MASK_XENSTORE_IDX(prod++)] = (char)octets[i];
	__atomic_store_n(&x->ring->req_prod, prod, __ATOMIC_SEQ_CST);
	line_notify(&x->line);
	return 0;
}

static int take_replies(struct xenbus *x)
{
	uint8_t octets[XENSTORE_RING_SIZE];
	uint32_t cons = x->ring->rsp_cons, n = 0;

	while (n < sizeof(octets) && cons != __atomic_load_n(&x->ring->rsp_prod, __ATOMIC_SEQ_CST))
		octets[n++] = (uint8_t)x->ring->rsp[MASK_XENSTORE_IDX(cons++)];
	if (n == 0)
		return 0;
	__atomic_store_n(&x->ring->rsp_cons, cons, __ATOMIC_SEQ_CST);
	line_notify(&x->line);
	return write(x->terminal, octets, n) == (ssize_t)n ? 0 : -EIO;
}

/* xenstored signals when it has taken requests, and when there are replies. */
static int serve(struct xenbus *x)
{
	struct pollfd p[2] = { { .fd = x->line.fd, .events = POLLIN }, { .fd = x->terminal } };
	int res = 0;

	while (res == 0) {
		p[1].events = free_room(x->ring) > 0 ? POLLIN : 0;
		poll(p, 2, -1);
		if (p[0].revents) {
			line_wait(&x->line);
			line_done(&x->line);
			res = take_replies(x);
		}
		if (res == 0 && (p[1].revents & POLLIN))
			res = send_requests(x);
	}
	return res;
}

int main(void)
{
	struct xenbus *x = calloc(1, sizeof(*x));
	int res = -ENOMEM;

	if (x == NULL || (res = domain_create(&x->domain, hv_backend_domid())) < 0 ||
			(res = domain_open_store(&x->domain, &x->line, (void **)&x->ring)) < 0 ||
			(res = introduce(x)) < 0 || (res = open_terminal(x)) < 0)
		goto error;
	printf("xenbus: %s\n", ptsname(x->terminal));
	fflush(stdout);
	res = serve(x);

error:
	fprintf(stderr, "xen-xenbus: %s\n", strerror(-res));
	return 1;
}
