/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The files of the configuration, those that PipeWire reads and those that it passes over. */

#ifndef XEN_SND_CONFIG_FILE_H
#define XEN_SND_CONFIG_FILE_H

#include <pipewire/pipewire.h>

#include "config-text.h"

/* Read the file `name`, as PipeWire finds it (below `prefix`, or NULL), and those of its .d directories
 * into the list `texts` (struct config_text), in the order in which they count. -EINVAL:
 * there is none, or one can't be read; `error` says it. Blocks on files. */
int config_files_read(struct spa_list *texts, const char *prefix, const char *name,
		struct config_error *error);

/* Takes apart a list of texts. */
void config_files_free(struct spa_list *texts);

#endif /* XEN_SND_CONFIG_FILE_H */
