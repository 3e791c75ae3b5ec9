/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What PipeWire publishes of guests' streams, see watch.h. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <spa/utils/result.h>
#include <spa/utils/string.h>

#include "names.h"
#include "watch.h"

/* what the names of guests' nodes begin with */
#define NODE_PREFIX	"xen-snd."

/* of the registry, and of what it has named */
#define ROUNDS		2

const char *watched_get(const struct watched *watched, const char *key)
{
	const char *value = pw_properties_get(watched->props, key);

	return value ? value : "";
}

/* The order. */

static const char * const order[] = {
	KEY_XEN_GUEST_NAME, KEY_XEN_DOMID, KEY_XEN_DEVICE, KEY_XEN_PCM, KEY_XEN_STREAM,
};

/* names by their letters, numbers by their value */
static int compare(const struct watched *a, const struct watched *b)
{
	size_t i;
	int res = strcmp(watched_get(a, order[0]), watched_get(b, order[0]));

	for (i = 1; i < SPA_N_ELEMENTS(order) && res == 0; i++)
		res = atoi(watched_get(a, order[i])) - atoi(watched_get(b, order[i]));
	return res;
}

static void sort_in(struct watch *watch, struct watched *new)
{
	struct watched *other;

	spa_list_for_each(other, &watch->streams, link) {
		if (other != new && compare(new, other) < 0)
			break;
	}
	/* before the first that comes later; at the end, `other` is the list itself */
	spa_list_append(&other->link, &new->link);
}

bool watched_same_guest(const struct watched *a, const struct watched *b)
{
	return spa_streq(watched_get(a, KEY_XEN_GUEST_NAME), watched_get(b, KEY_XEN_GUEST_NAME)) &&
		spa_streq(watched_get(a, KEY_XEN_DOMID), watched_get(b, KEY_XEN_DOMID));
}

void watch_for_each_refusal(const struct watch *watch,
		void (*found)(void *data, const char *text), void *data)
{
	struct watched *other;
	char key[64];
	int i;

	spa_list_for_each(other, &watch->others, link) {
		for (i = 0; i < REFUSALS_SHOWN; i++) {
			snprintf(key, sizeof(key), KEY_XEN_REFUSALS".%d", i);
			if (watched_get(other, key)[0] != '\0')
				found(data, watched_get(other, key));
		}
	}
}

/* What is watched. */

static void watched_free(struct watched *watched)
{
	spa_list_remove(&watched->link);
	spa_hook_remove(&watched->object_listener);
	spa_hook_remove(&watched->listener);
	pw_proxy_destroy(watched->proxy);
	pw_properties_free(watched->props);
	free(watched);
}

static void take_props(struct watched *watched, const struct spa_dict *props)
{
	struct pw_properties *all = props ? pw_properties_new_dict(props) : NULL;
	bool first = watched_get(watched, KEY_XEN_GUEST_NAME)[0] == '\0';

	if (all == NULL)
		return;
	pw_properties_free(watched->props);
	watched->props = all;
	/* whose it is never changes */
	if (watched->is_stream && first) {
		spa_list_remove(&watched->link);
		sort_in(watched->watch, watched);
	}
}

static void on_node_info(void *data, const struct pw_node_info *info)
{
	if (info->change_mask & PW_NODE_CHANGE_MASK_PROPS)
		take_props(data, info->props);
}

static void on_client_info(void *data, const struct pw_client_info *info)
{
	if (info->change_mask & PW_CLIENT_CHANGE_MASK_PROPS)
		take_props(data, info->props);
}

static void on_module_info(void *data, const struct pw_module_info *info)
{
	if (info->change_mask & PW_MODULE_CHANGE_MASK_PROPS)
		take_props(data, info->props);
}

static const struct pw_node_events node_events = {
	PW_VERSION_NODE_EVENTS, .info = on_node_info,
};

static const struct pw_client_events client_events = {
	PW_VERSION_CLIENT_EVENTS, .info = on_client_info,
};

static const struct pw_module_events module_events = {
	PW_VERSION_MODULE_EVENTS, .info = on_module_info,
};

/* gone from the registry, or refused to us */
static void on_proxy_removed(void *data)
{
	watched_free(data);
}

static const struct pw_proxy_events proxy_events = {
	PW_VERSION_PROXY_EVENTS, .removed = on_proxy_removed,
};

static const struct kind {
	const char *type;
	uint32_t version;
	const void *events;
	const char *key, *prefix;	/* what one of it has to have, to be looked at */
	bool is_stream;
} kinds[] = {
	{ PW_TYPE_INTERFACE_Node, PW_VERSION_NODE, &node_events,
		PW_KEY_NODE_NAME, NODE_PREFIX, true },
	{ PW_TYPE_INTERFACE_Client, PW_VERSION_CLIENT, &client_events,
		PW_KEY_APP_NAME, "pipewire-xen-snd", false },
	{ PW_TYPE_INTERFACE_Module, PW_VERSION_MODULE, &module_events,
		PW_KEY_MODULE_NAME, "libpipewire-module-xen-snd", false },
};

static const struct kind *find_kind(const char *type, const struct spa_dict *props)
{
	const char *value;
	size_t i;

	for (i = 0; i < SPA_N_ELEMENTS(kinds); i++) {
		if (!spa_streq(kinds[i].type, type))
			continue;
		value = props ? spa_dict_lookup(props, kinds[i].key) : NULL;
		return value && spa_strstartswith(value, kinds[i].prefix) ? &kinds[i] : NULL;
	}
	return NULL;
}

static void on_global(void *data, uint32_t id, uint32_t permissions, const char *type,
		uint32_t version, const struct spa_dict *props)
{
	struct watch *watch = data;
	const struct kind *kind = find_kind(type, props);
	struct watched *watched;

	if (kind == NULL || (watched = calloc(1, sizeof(*watched))) == NULL)
		return;
	watched->watch = watch;
	watched->id = id;
	watched->is_stream = kind->is_stream;
	watched->props = pw_properties_new(NULL, NULL);
	watched->proxy = pw_registry_bind(watch->registry, id, type, kind->version, 0);
	if (watched->props == NULL || watched->proxy == NULL) {
		pw_properties_free(watched->props);
		free(watched);
		return;
	}
	if (kind->is_stream)
		sort_in(watch, watched);
	else
		spa_list_append(&watch->others, &watched->link);
	pw_proxy_add_listener(watched->proxy, &watched->listener, &proxy_events, watched);
	pw_proxy_add_object_listener(watched->proxy, &watched->object_listener, kind->events, watched);
}

static const struct pw_registry_events registry_events = {
	PW_VERSION_REGISTRY_EVENTS, .global = on_global,
};

/* The connection. */

static void on_done(void *data, uint32_t id, int seq)
{
	struct watch *watch = data;

	if (id != PW_ID_CORE || seq != watch->pending || watch->rounds == 0)
		return;
	if (--watch->rounds > 0)
		watch->pending = pw_core_sync(watch->core, PW_ID_CORE, 0);
	else
		watch->events->ready(watch->data);
}

static void on_error(void *data, uint32_t id, int seq, int res, const char *message)
{
	struct watch *watch = data;

	/* of another object: it went while we asked for it */
	if (id == PW_ID_CORE && res == -EPIPE)
		watch->events->gone(watch->data, spa_strerror(res));
}

static const struct pw_core_events core_events = {
	PW_VERSION_CORE_EVENTS, .done = on_done, .error = on_error,
};

int watch_start(struct watch *watch, struct pw_loop *loop, const char *remote,
		const struct watch_events *events, void *data)
{
	int res;

	*watch = (struct watch) { .events = events, .data = data, .rounds = ROUNDS };
	spa_list_init(&watch->streams);
	spa_list_init(&watch->others);
	if ((watch->context = pw_context_new(loop, NULL, 0)) == NULL)
		return -errno;
	watch->core = pw_context_connect(watch->context,
			pw_properties_new(PW_KEY_REMOTE_NAME, remote, NULL), 0);
	if (watch->core == NULL) {
		res = -errno;
		goto error_context;
	}
	pw_core_add_listener(watch->core, &watch->core_listener, &core_events, watch);
	watch->registry = pw_core_get_registry(watch->core, PW_VERSION_REGISTRY, 0);
	if (watch->registry == NULL) {
		res = -errno;
		goto error_context;
	}
	pw_registry_add_listener(watch->registry, &watch->registry_listener, &registry_events, watch);
	watch->pending = pw_core_sync(watch->core, PW_ID_CORE, 0);
	return 0;

error_context:
	pw_context_destroy(watch->context);
	watch->context = NULL;
	return res;
}

void watch_stop(struct watch *watch)
{
	struct watched *watched;

	if (watch->context == NULL)
		return;
	spa_list_consume(watched, &watch->streams, link)
		watched_free(watched);
	spa_list_consume(watched, &watch->others, link)
		watched_free(watched);
	pw_proxy_destroy((struct pw_proxy *)watch->registry);
	pw_context_destroy(watch->context);
	watch->context = NULL;
}
