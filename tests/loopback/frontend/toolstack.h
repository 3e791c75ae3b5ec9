/* SPDX-License-Identifier: MIT */
/*
 * What xl and libxl do in XenStore around a guest with sound cards.
 */
#ifndef MODEL_FRONTEND_TOOLSTACK_H
#define MODEL_FRONTEND_TOOLSTACK_H

#include <stdint.h>

#include "domain.h"
#include "store.h"

/* One line of a sound configuration: a node below the frontend's directory. */
struct setting {
	uint32_t devid;
	char path[64];
	char value[128];
};

struct toolstack {
	struct xs_handle *xs;
	struct domain *domain;
	const char *name;
	const char *uuid;
	const struct setting *settings;
	uint32_t n_settings;
};

/** the domain's own nodes, then introduce it */
int toolstack_create(struct toolstack *t);
/** xenstored is another one: reach it, and introduce the domain */
int toolstack_reconnect(struct toolstack *t);
/** add a sound card; waits for the backend's state 2 as `xl create` does if `wait` */
int toolstack_attach(struct toolstack *t, uint32_t devid, bool wait);
/** `xl vsnd-detach`: ask for the end, wait for it, remove the nodes */
int toolstack_detach(struct toolstack *t, uint32_t devid);
/** `xl destroy`: the guest's nodes go at once, then the domain */
int toolstack_destroy(struct toolstack *t);
/** anything left of the backend's directories for this domain is a violation */
void toolstack_judge_remains(struct toolstack *t);

#endif
