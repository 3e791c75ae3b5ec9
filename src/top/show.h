/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What is known of the streams as lines for people, or as JSON for machines. */

#ifndef XEN_SND_SHOW_H
#define XEN_SND_SHOW_H

#include <stdio.h>

#include "watch.h"

#define SHOW_LINE_SIZE	512

/* Calls `line` with each line, at most SHOW_LINE_SIZE octets of UTF-8, without its end. */
void show_text(const struct watch *watch, void (*line)(void *data, const char *text), void *data);

/* One object in one line: { "streams": [ … ], "refused": [ … ] } */
void show_json(const struct watch *watch, FILE *to);

#endif /* XEN_SND_SHOW_H */
