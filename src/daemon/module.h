/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What the daemon and the module that it hosts agree on. */

#ifndef XEN_SND_MODULE_H
#define XEN_SND_MODULE_H

/* Set by the module in its context's properties when it can't work, to one of
 * the words below. It stays loaded, idle: PipeWire must not fail to start because a
 * machine has no Xen. Our own daemon looks here and ends. */
#define KEY_XEN_SND_FAILURE	"xen-snd.failure"

#define FAILURE_NO_XEN		"no-xen"	/* nothing of Xen to talk to */
#define FAILURE_CONFIG		"config"	/* a key or value is wrong */
#define FAILURE_OTHER		"other"

#endif /* XEN_SND_MODULE_H */
