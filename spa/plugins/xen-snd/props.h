/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What can be switched while a stream is open: by the node's Props, in their struct of names
 * and values. Main thread. */

#ifndef XEN_SND_PROPS_H
#define XEN_SND_PROPS_H

#include <spa/pod/builder.h>
#include <spa/support/log.h>
#include <spa/utils/dict.h>

#include "xen-snd.h"

#define PROPS_MAX	3

/* The same as properties of the node. */
struct props_shown {
	struct spa_dict_item items[PROPS_MAX];
	uint32_t n;
	char texts[PROPS_MAX][24];
};

void props_show(const struct xen_snd_stream *stream, bool sink, struct props_shown *shown);

/* PropInfo, the `index`th; NULL at the end. */
struct spa_pod *props_build_info(const struct xen_snd_stream *stream, bool sink,
		struct spa_pod_builder *b, uint32_t index);

/* Props with all of them. */
struct spa_pod *props_build(const struct xen_snd_stream *stream, bool sink,
		struct spa_pod_builder *b);

/* Take over what is ours of Props; the rest is the converter's, which is given the same.
 * -EINVAL: one is not what it must be, those after it are not taken. */
int props_set(struct xen_snd_stream *stream, bool sink, struct spa_log *log,
		const struct spa_pod *param);

#endif /* XEN_SND_PROPS_H */
