/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The plugin's list of factories. */

#include <errno.h>

#include <spa/support/plugin.h>

#include "compat.h"
#include "log.h"
#include "pcm.h"

XEN_SND_LOG_TOPIC_DEFINE(xen_snd_plugin_log_topic, "spa.xen-snd");

SPA_EXPORT
int spa_handle_factory_enum(const struct spa_handle_factory **factory, uint32_t *index)
{
	static const struct spa_handle_factory * const factories[] = {
		&xen_snd_source_factory,
		&xen_snd_sink_factory,
	};

	spa_return_val_if_fail(factory != NULL, -EINVAL);
	spa_return_val_if_fail(index != NULL, -EINVAL);

	if (*index >= SPA_N_ELEMENTS(factories))
		return 0;
	*factory = factories[(*index)++];
	return 1;
}
