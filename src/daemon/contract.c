/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The contract on a stream's latency, see contract.h. */

#include <errno.h>

#include "config.h"
#include "contract.h"
#include "graph.h"
#include "identity.h"
#include "names.h"

int contract_make(const struct guest_env *env, const struct stream_identity *identity,
		bool capture, const struct xen_snd_geometry *geometry, struct latency *latency)
{
	const struct latency_graph graph = graph_get_settings(env->graph);
	struct pw_properties *props;
	struct config *config;

	latency_init(latency, geometry, &graph, 0);
	if ((props = pw_properties_new(NULL, NULL)) == NULL)
		return -errno;
	identity_set(props, identity, capture);
	config = config_get(env->config);
	config_apply(config, props);
	config_unref(config);
	latency_init(latency, geometry, &graph,
			latency_parse_min(pw_properties_get(props, XEN_SND_KEY_LATENCY_MIN)));
	latency_limit(latency, pw_properties_get(props, KEY_XEN_LATENCY_MAX),
			pw_properties_get(props, KEY_XEN_LATENCY_POLICY));
	pw_properties_free(props);
	/* parameters that the guest can choose others for */
	return latency->refuse && latency_exceeds(latency) ? -EINVAL : 0;
}
