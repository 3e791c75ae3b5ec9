/* SPDX-License-Identifier: MIT */
/*
 * The toolstack's part, as libxl plays it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "toolstack.h"

#define CREATE_TIMEOUT_MS 10000u
#define DESTROY_TIMEOUT_MS 10000u

struct paths {
	char frontend[STORE_PATH];
	char backend[STORE_PATH];
	char libxl[STORE_PATH];
};

static struct paths make_paths(const struct toolstack *t, uint32_t devid)
{
	struct paths p;
	uint32_t domid = t->domain->domid;

	snprintf(p.frontend, STORE_PATH, "/local/domain/%u/device/vsnd/%u", domid, devid);
	snprintf(p.backend, STORE_PATH, "/local/domain/%u/backend/vsnd/%u/%u", hv_backend_domid(), domid,
			devid);
	snprintf(p.libxl, STORE_PATH, "/libxl/%u/device/vsnd/%u", domid, devid);
	return p;
}

static bool write_below(struct toolstack *t, xs_transaction_t x, const char *dir, const char *key,
		const char *value)
{
	char path[STORE_PATH * 2];

	snprintf(path, sizeof(path), "%s/%s", dir, key);
	return store_write(t->xs, x, path, "%s", value);
}

static int introduce(struct toolstack *t)
{
	return xs_introduce_domain(t->xs, t->domain->domid, HV_XENSTORE_GREF,
			t->domain->hv->store_port) ? 0 : -errno;
}

int toolstack_create(struct toolstack *t)
{
	uint32_t domid = t->domain->domid;
	char dom[64], vm[128], path[STORE_PATH];
	bool ok;

	snprintf(dom, sizeof(dom), "/local/domain/%u", domid);
	snprintf(vm, sizeof(vm), "/vm/%s", t->uuid);
	snprintf(path, sizeof(path), "%s/device", dom);
	ok = store_make(t->xs, XBT_NULL, dom, 0, domid) &&
			store_make(t->xs, XBT_NULL, vm, 0, domid) &&
			store_make(t->xs, XBT_NULL, path, domid, hv_backend_domid()) &&
			write_below(t, XBT_NULL, dom, "vm", vm) &&
			write_below(t, XBT_NULL, dom, "name", t->name) &&
			write_below(t, XBT_NULL, vm, "uuid", t->uuid) &&
			write_below(t, XBT_NULL, vm, "name", t->name);
	snprintf(path, sizeof(path), "%u", domid);
	ok = ok && write_below(t, XBT_NULL, dom, "domid", path);
	return ok ? introduce(t) : -errno;
}

int toolstack_reconnect(struct toolstack *t)
{
	xs_close(t->xs);
	t->xs = xs_open(0);
	return t->xs != NULL ? introduce(t) : -errno;
}

static bool write_card(struct toolstack *t, xs_transaction_t x, uint32_t devid,
		const struct paths *p)
{
	uint32_t domid = t->domain->domid;
	char number[16], backend[16];
	bool ok;

	snprintf(number, sizeof(number), "%u", domid);
	snprintf(backend, sizeof(backend), "%u", hv_backend_domid());
	ok = store_make(t->xs, x, p->libxl, 0, 0) &&
			write_below(t, x, p->libxl, "frontend", p->frontend) &&
			write_below(t, x, p->libxl, "backend", p->backend) &&
			write_below(t, x, p->libxl, "frontend-id", number) &&
			store_make(t->xs, x, p->frontend, domid, hv_backend_domid()) &&
			write_below(t, x, p->frontend, "backend", p->backend) &&
			write_below(t, x, p->frontend, "backend-id", backend) &&
			write_below(t, x, p->frontend, "state", "1") &&
			store_make(t->xs, x, p->backend, hv_backend_domid(), domid) &&
			write_below(t, x, p->backend, "frontend", p->frontend) &&
			write_below(t, x, p->backend, "frontend-id", number) &&
			write_below(t, x, p->backend, "online", "1") &&
			write_below(t, x, p->backend, "state", "1");
	for (uint32_t i = 0; ok && i < t->n_settings; i++)
		if (t->settings[i].devid == devid)
			ok = write_below(t, x, p->frontend, t->settings[i].path,
					t->settings[i].value);
	return ok;
}

static int commit(struct toolstack *t, xs_transaction_t x, bool ok)
{
	if (!ok) {
		xs_transaction_end(t->xs, x, true);
		return -EIO;
	}
	if (xs_transaction_end(t->xs, x, false))
		return 0;
	return errno == EAGAIN ? -EAGAIN : -EIO;
}

int toolstack_attach(struct toolstack *t, uint32_t devid, bool wait)
{
	struct paths p = make_paths(t, devid);
	char state[STORE_PATH * 2];
	xs_transaction_t x;
	uint64_t start = now_ns();
	int64_t last;
	int res;

	do {
		x = xs_transaction_start(t->xs);
		res = commit(t, x, write_card(t, x, devid, &p));
	} while (res == -EAGAIN);
	if (res < 0 || !wait)
		return res;
	snprintf(state, sizeof(state), "%s/state", p.backend);
	last = store_wait_number(state, XENBUS_INIT_WAIT, CREATE_TIMEOUT_MS);
	report_figure("toolstack", "ms-to-state-2", (int64_t)(now_ns() - start) / 1000000);
	if (last == XENBUS_INIT_WAIT)
		return 0;
	report_violation("toolstack", "the backend is in state %d, not 2, so xl create fails",
			(int)last);
	return -ETIMEDOUT;
}

static bool ask_for_end(struct toolstack *t, xs_transaction_t x, const struct paths *p)
{
	char state[STORE_PATH * 2];
	char *now;
	bool ok;

	snprintf(state, sizeof(state), "%s/state", p->backend);
	now = store_read(t->xs, x, "%s", state);
	ok = write_below(t, x, p->backend, "online", "0");
	if (now != NULL && strcmp(now, "6") != 0)
		ok = ok && store_write(t->xs, x, state, "5");
	free(now);
	return ok;
}

static void remove_if_empty(struct toolstack *t, const char *path)
{
	unsigned int n = 0;
	char **names = xs_directory(t->xs, XBT_NULL, path, &n);

	if (names != NULL && n == 0)
		xs_rm(t->xs, XBT_NULL, path);
	free(names);
}

static void remove_card(struct toolstack *t, const struct paths *p)
{
	char parent[STORE_PATH];

	xs_rm(t->xs, XBT_NULL, p->frontend);
	xs_rm(t->xs, XBT_NULL, p->libxl);
	xs_rm(t->xs, XBT_NULL, p->backend);
	snprintf(parent, sizeof(parent), "/local/domain/%u/backend/vsnd/%u", hv_backend_domid(),
			t->domain->domid);
	remove_if_empty(t, parent);
	*strrchr(parent, '/') = '\0';
	remove_if_empty(t, parent);
}

static int wait_for_closed(const struct paths *p)
{
	char state[STORE_PATH * 2];
	uint64_t start = now_ns();
	int64_t last;

	snprintf(state, sizeof(state), "%s/state", p->backend);
	last = store_wait_number(state, XENBUS_CLOSED, DESTROY_TIMEOUT_MS);
	report_figure("toolstack", "ms-to-state-6", (int64_t)(now_ns() - start) / 1000000);
	if (last == XENBUS_CLOSED)
		return 0;
	report_violation("toolstack", "the backend is in state %d, not 6, %u s after the detach",
			(int)last, DESTROY_TIMEOUT_MS / 1000);
	return -ETIMEDOUT;
}

int toolstack_detach(struct toolstack *t, uint32_t devid)
{
	struct paths p = make_paths(t, devid);
	xs_transaction_t x;
	int res;

	do {
		x = xs_transaction_start(t->xs);
		res = commit(t, x, ask_for_end(t, x, &p));
	} while (res == -EAGAIN);
	if (res == 0)
		res = wait_for_closed(&p);
	remove_card(t, &p);
	return res;
}

/* By force: the guest's directory goes in the transaction that asks for the end. */
static int destroy_card(struct toolstack *t, uint32_t devid)
{
	struct paths p = make_paths(t, devid);
	xs_transaction_t x;
	int res;

	do {
		x = xs_transaction_start(t->xs);
		res = commit(t, x, ask_for_end(t, x, &p) && xs_rm(t->xs, x, p.frontend));
	} while (res == -EAGAIN);
	if (res == 0)
		res = wait_for_closed(&p);
	remove_card(t, &p);
	return res;
}

int toolstack_destroy(struct toolstack *t)
{
	uint32_t domid = t->domain->domid;
	char path[STORE_PATH];
	unsigned int n = 0;
	char **devices;
	int res = 0;

	snprintf(path, sizeof(path), "/local/domain/%u/backend/vsnd/%u", hv_backend_domid(), domid);
	devices = xs_directory(t->xs, XBT_NULL, path, &n);
	for (unsigned int i = 0; devices != NULL && i < n; i++)
		if (destroy_card(t, (uint32_t)strtoul(devices[i], NULL, 10)) < 0)
			res = -ETIMEDOUT;
	free(devices);
	domain_set_state(t->domain, HV_DOMAIN_DYING);
	snprintf(path, sizeof(path), "/local/domain/%u", domid);
	xs_rm(t->xs, XBT_NULL, path);
	snprintf(path, sizeof(path), "/vm/%s", t->uuid);
	xs_rm(t->xs, XBT_NULL, path);
	snprintf(path, sizeof(path), "/libxl/%u", domid);
	xs_rm(t->xs, XBT_NULL, path);
	return res;
}

void toolstack_judge_remains(struct toolstack *t)
{
	if (store_exists(t->xs, "/local/domain/%u/backend/vsnd/%u", hv_backend_domid(), t->domain->domid))
		report_violation("toolstack", "the backend's directory was made again after removal");
}
