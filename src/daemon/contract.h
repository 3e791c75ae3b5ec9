/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What a stream that is opened will have as its latency, and whether the rules allow it. */

#ifndef XEN_SND_CONTRACT_H
#define XEN_SND_CONTRACT_H

#include "guest.h"

/* Guest thread, guest_env.contract: what `latency` will be, and what the rules that match say
 * of it. -EINVAL: they refuse it. */
int contract_make(const struct guest_env *env, const struct stream_identity *identity,
		bool capture, const struct xen_snd_geometry *geometry, struct latency *latency);

#endif /* XEN_SND_CONTRACT_H */
