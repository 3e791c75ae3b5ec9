/* SPDX-License-Identifier: MIT */
/*
 * The program `xen-loopback`: makes an empty loopback hypervisor in $XEN_LOOPBACK_DIR,
 * and says how many pages and ports of a domain the backend holds now.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "state.h"

#define XENSTORED_PORT 1

static int make_file(const char *name, const char *text, off_t size)
{
	char path[512];
	int fd, res = -1;

	snprintf(path, sizeof(path), "%s/%s", getenv("XEN_LOOPBACK_DIR"), name);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (write(fd, text, strlen(text)) == (ssize_t)strlen(text))
		res = size > 0 ? ftruncate(fd, size) : 0;
	close(fd);
	return res;
}

/* Dom0 with the port that its kernel would have left for xenstored. */
static int init(void)
{
	int token = hv_lock(), port;
	struct hv_domain *dom0 = hv_domain_create(0);

	if (dom0 == NULL) {
		hv_unlock(token);
		return -1;
	}
	port = hv_port_alloc(dom0, HV_NO_QUEUE);
	dom0->ports[port].pid = 0;
	dom0->store_port = XENSTORED_PORT;
	hv_unlock(token);
	if (make_file("xsd_port", "1", 0) < 0)
		return -1;
	return make_file("xsd_kva", "", HV_PAGE_SIZE);
}

static void print_balance(uint32_t domid)
{
	int token = hv_lock();

	printf("domain=%u maps=%u ports=%u\n", domid, hv_map_count(domid), hv_bound_count(domid));
	hv_unlock(token);
}

int main(int argc, char *argv[])
{
	if (argc == 2 && strcmp(argv[1], "init") == 0) {
		if (init() == 0)
			return 0;
		perror("xen-loopback: init");
		return 1;
	}
	if (argc == 3 && strcmp(argv[1], "balance") == 0) {
		if (hv_attach() == NULL) {
			perror("xen-loopback: balance");
			return 1;
		}
		print_balance((uint32_t)strtoul(argv[2], NULL, 10));
		return 0;
	}
	fputs("usage: xen-loopback init | balance DOMID\n", stderr);
	return 2;
}
