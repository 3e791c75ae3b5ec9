/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A stream's unique-id in the syntax of snd_be: KIND<DEVICE>PROPERTY:VALUE, KIND being pulse or
 * alsa. The guest's own words: what is not as it should be is nothing. Pure. */

#ifndef XEN_SND_UNIQUE_ID_H
#define XEN_SND_UNIQUE_ID_H

#define UNIQUE_ID_TARGET_SIZE	80	/* octets with the final NUL */
#define UNIQUE_ID_ROLE_SIZE	32

struct unique_id {
	char target[UNIQUE_ID_TARGET_SIZE];	/* name of a node; "": any */
	char role[UNIQUE_ID_ROLE_SIZE];		/* media.role; "": none */
};

/* -EINVAL with `why` (a constant string), and nothing in `id`: it is not in that syntax, or it
 * names what no node can be called. */
int unique_id_parse(const char *text, struct unique_id *id, const char **why);

#endif /* XEN_SND_UNIQUE_ID_H */
