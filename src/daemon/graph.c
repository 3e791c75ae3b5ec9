/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The connection to PipeWire, see graph.h. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <spa/utils/hook.h>
#include <spa/utils/result.h>
#include <spa/utils/string.h>
#include <pipewire/extensions/metadata.h>

#include "clock.h"
#include "graph.h"
#include "log.h"

#define RETRY_NSEC	(200 * SPA_NSEC_PER_MSEC)

/* PipeWire's own defaults, until its settings were read */
#define DEFAULT_RATE		48000u
#define DEFAULT_MIN_QUANTUM	32u
#define DEFAULT_MAX_QUANTUM	2048u

/* The settings. */

struct latency_graph graph_get_settings(const struct graph *graph)
{
	return (struct latency_graph) {
		.rate = atomic_load(&graph->settings.rate),
		.min_quantum = atomic_load(&graph->settings.min_quantum),
		.max_quantum = atomic_load(&graph->settings.max_quantum),
		.force_quantum = atomic_load(&graph->settings.force_quantum),
	};
}

static void update_min_period(struct graph *graph)
{
	const struct latency_graph g = graph_get_settings(graph);
	uint64_t quantum = SPA_MAX(g.min_quantum, g.force_quantum);

	atomic_store(&graph->min_period, 2 * quantum * SPA_NSEC_PER_SEC / g.rate);
}

static int on_metadata_property(void *data, uint32_t subject, const char *key,
		const char *type, const char *value)
{
	struct graph *graph = data;
	uint32_t number = 0;

	if (subject != 0 || key == NULL)
		return 0;
	if (value)
		spa_atou32(value, &number, 0);
	if (spa_streq(key, "clock.rate") && number > 0)
		atomic_store(&graph->settings.rate, number);
	else if (spa_streq(key, "clock.min-quantum") && number > 0)
		atomic_store(&graph->settings.min_quantum, number);
	else if (spa_streq(key, "clock.max-quantum") && number > 0)
		atomic_store(&graph->settings.max_quantum, number);
	else if (spa_streq(key, "clock.force-quantum"))
		atomic_store(&graph->settings.force_quantum, number);
	update_min_period(graph);
	return 0;
}

static const struct pw_metadata_events metadata_events = {
	PW_VERSION_METADATA_EVENTS,
	.property = on_metadata_property,
};

static void on_registry_global(void *data, uint32_t id, uint32_t permissions,
		const char *type, uint32_t version, const struct spa_dict *props)
{
	struct graph *graph = data;
	const char *name = props ? spa_dict_lookup(props, PW_KEY_METADATA_NAME) : NULL;

	if (graph->metadata || !spa_streq(type, PW_TYPE_INTERFACE_Metadata) ||
	    !spa_streq(name, "settings"))
		return;
	graph->metadata = pw_registry_bind(graph->registry, id, type, PW_VERSION_METADATA, 0);
	if (graph->metadata)
		pw_metadata_add_listener((struct pw_metadata *)graph->metadata,
				&graph->metadata_listener, &metadata_events, graph);
}

static const struct pw_registry_events registry_events = {
	PW_VERSION_REGISTRY_EVENTS,
	.global = on_registry_global,
};

/* The core. */

static void retry_later(struct graph *graph)
{
	clock_fire_after(graph->loop, graph->retry, RETRY_NSEC);
}

static void forget_core(struct graph *graph)
{
	spa_hook_remove(&graph->core_listener);
	spa_hook_remove(&graph->core_proxy_listener);
	if (graph->metadata) {
		spa_hook_remove(&graph->metadata_listener);
		pw_proxy_destroy(graph->metadata);
	}
	if (graph->registry) {
		spa_hook_remove(&graph->registry_listener);
		pw_proxy_destroy((struct pw_proxy *)graph->registry);
	}
	graph->metadata = NULL;
	graph->registry = NULL;
	graph->core = NULL;
}

/* before anything of the core is taken down */
static void leave_core(struct graph *graph)
{
	graph->events->core_changed(graph->data, NULL);
	forget_core(graph);
}

static void disconnect_core(struct graph *graph)
{
	struct pw_core *core = graph->core;

	if (core == NULL)
		return;
	leave_core(graph);
	pw_core_disconnect(core);
}

static void on_core_destroy(void *data)
{
	leave_core(data);
}

static const struct pw_proxy_events core_proxy_events = {
	PW_VERSION_PROXY_EVENTS,
	.destroy = on_core_destroy,
};

static void on_core_error(void *data, uint32_t id, int seq, int res, const char *message)
{
	struct graph *graph = data;

	if (id != PW_ID_CORE || res != -EPIPE) {
		pw_log_warn("PipeWire reports an error on object %u: %s (%s)", id, message,
				spa_strerror(res));
		return;
	}
	pw_log_warn("PipeWire is gone: streams go on by the fallback clock until it is back");
	graph->said = true;
	retry_later(graph);
}

static const struct pw_core_events core_events = {
	PW_VERSION_CORE_EVENTS,
	.error = on_core_error,
};

static struct pw_core *connect_core(struct graph *graph)
{
	if (graph->in_server)
		return pw_context_connect_self(graph->context, NULL, 0);
	return pw_context_connect(graph->context,
			pw_properties_new(PW_KEY_MEDIA_CATEGORY, "Manager", NULL), 0);
}

static void graph_connect(struct graph *graph)
{
	if ((graph->core = connect_core(graph)) == NULL) {
		if (!graph->said)
			pw_log_warn("can't connect to PipeWire: %m (is it running, for this user? "
					"PIPEWIRE_REMOTE and PIPEWIRE_RUNTIME_DIR say where it is "
					"looked for); trying on");
		graph->said = true;
		retry_later(graph);
		return;
	}
	pw_proxy_add_listener((struct pw_proxy *)graph->core, &graph->core_proxy_listener,
			&core_proxy_events, graph);
	pw_core_add_listener(graph->core, &graph->core_listener, &core_events, graph);
	graph->registry = pw_core_get_registry(graph->core, PW_VERSION_REGISTRY, 0);
	if (graph->registry)
		pw_registry_add_listener(graph->registry, &graph->registry_listener,
				&registry_events, graph);
	if (graph->said)
		pw_log_info("connected to PipeWire");
	graph->said = false;
	graph->events->core_changed(graph->data, graph->core);
}

/* the broken core is taken down here, where none of its callbacks is running */
static void on_retry(void *data, uint64_t expirations)
{
	struct graph *graph = data;

	disconnect_core(graph);
	graph_connect(graph);
}

int graph_init(struct graph *graph, struct pw_context *context,
		const struct graph_events *events, void *data)
{
	const struct pw_properties *props = pw_context_get_properties(context);

	*graph = (struct graph) {
		.context = context,
		.loop = pw_context_get_main_loop(context),
		.in_server = pw_properties_get_bool(props, PW_KEY_CORE_DAEMON, false),
		.events = events,
		.data = data,
		.settings = { DEFAULT_RATE, DEFAULT_MIN_QUANTUM, DEFAULT_MAX_QUANTUM, 0 },
	};
	update_min_period(graph);
	if ((graph->retry = pw_loop_add_timer(graph->loop, on_retry, graph)) == NULL)
		return -errno;
	graph_connect(graph);
	return 0;
}

void graph_clear(struct graph *graph)
{
	disconnect_core(graph);
	pw_loop_destroy_source(graph->loop, graph->retry);
}
