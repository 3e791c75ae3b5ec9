/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Who a stream is, as its node's properties say it: what rules match. Any thread. */

#ifndef XEN_SND_IDENTITY_H
#define XEN_SND_IDENTITY_H

#include <pipewire/properties.h>

#include "stream.h"

#define IDENTITY_NAME_SIZE	(STREAM_NAME_SIZE + 64)

/* node.name, which is part of the interface: letters, digits, '-', '_' and '.' only */
void identity_make_name(const struct stream_identity *identity, char name[IDENTITY_NAME_SIZE]);

/* Set all that a rule can match, and sndif's version. */
void identity_set(struct pw_properties *props, const struct stream_identity *identity,
		bool capture);

#endif /* XEN_SND_IDENTITY_H */
