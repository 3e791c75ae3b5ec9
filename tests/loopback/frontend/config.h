/* SPDX-License-Identifier: MIT */
/*
 * The sound configuration in XenStore as the guest's driver reads it: a level replaces
 * what the level above it says.
 */
#ifndef MODEL_FRONTEND_CONFIG_H
#define MODEL_FRONTEND_CONFIG_H

#include "pcm.h"
#include "store.h"

struct limits config_defaults(void);
/** what `dir` says replaces what is in `limits` */
void config_read(struct xs_handle *xs, const char *dir, struct limits *limits);
/** 'p' or 'c', or a negative errno */
int config_type(struct xs_handle *xs, const char *dir);

#endif
