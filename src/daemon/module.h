/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What the daemon and the module that it hosts agree on. */

#ifndef XEN_SND_MODULE_H
#define XEN_SND_MODULE_H

/* Set in the context's properties by our own daemon: a module that can't work
 * fails to load then. In anybody else's process it stays loaded and idle, since
 * PipeWire must not fail to start because a machine has no Xen. */
#define KEY_XEN_SND_DAEMON	"xen-snd.daemon"

#endif /* XEN_SND_MODULE_H */
