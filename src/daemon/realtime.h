/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What we ask of the kernel so that sound is never late, and whether it was granted.
 * Realtime priority itself is asked for by libpipewire-module-rt. */

#ifndef XEN_SND_REALTIME_H
#define XEN_SND_REALTIME_H

#include <stdbool.h>

#include <pipewire/pipewire.h>

struct realtime {
	struct pw_context *context;
	struct spa_source *timer;
};

/* Main loop. `own`: the process is ours, and not PipeWire's: what it has touched is to stay
 * in memory. How the data loop is scheduled is said when the modules have had their time to
 * ask for it. 0 or a negative errno. */
int realtime_init(struct realtime *realtime, struct pw_context *context, bool own);

void realtime_clear(struct realtime *realtime);

#endif /* XEN_SND_REALTIME_H */
