/* SPDX-License-Identifier: MIT */
/*
 * Watches the graph and links nodes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spa/param/latency-utils.h>
#include <spa/utils/result.h>

#include "graph.h"

struct object {
	struct spa_list link;
	uint32_t id;
	bool is_port;
	bool is_output;
	uint32_t node_id;	/* of a port */
	uint32_t index;		/* of a port */
	char name[256];		/* of a node */
};

/* The youngest of that name: ids are used again and say nothing about age. */
static struct object *find_node(struct graph *g, const char *name)
{
	struct object *o, *found = NULL;

	spa_list_for_each(o, &g->objects, link)
		if (!o->is_port && strcmp(o->name, name) == 0)
			found = o;
	return found;
}

static struct object *find_port(struct graph *g, uint32_t node_id, bool is_output, uint32_t rank)
{
	struct object *o, *found = NULL;
	int64_t last = -1;

	for (uint32_t i = 0; i <= rank; i++) {
		found = NULL;
		spa_list_for_each(o, &g->objects, link)
			if (o->is_port && o->node_id == node_id && o->is_output == is_output &&
					(int64_t)o->index > last &&
					(found == NULL || o->index < found->index))
				found = o;
		if (found == NULL)
			return NULL;
		last = found->index;
	}
	return found;
}

bool graph_is_linked(const struct graph_route *r)
{
	for (uint32_t i = 0; i < r->n_links; i++)
		if (!r->links[i].ready)
			return false;
	return r->n_links > 0;
}

static void on_link_info(void *data, const struct pw_link_info *info)
{
	struct link *l = data;
	bool was_ready = l->ready;

	if (info->state == PW_LINK_STATE_ERROR) {
		fprintf(stderr, "link failed: %s\n", info->error != NULL ? info->error : "?");
		graph_quit(l->route->graph, -EIO);
		return;
	}
	l->ready = info->state >= PW_LINK_STATE_PAUSED;
	if (l->ready && !was_ready && l->route->on_linked != NULL && graph_is_linked(l->route))
		l->route->on_linked(l->route);
}

static const struct pw_link_events link_events = {
	PW_VERSION_LINK_EVENTS,
	.info = on_link_info,
};

/* A node went, and all its links with it; perhaps another of that name comes. */
static void on_link_removed(void *data)
{
	struct link *l = data;
	struct graph_route *r = l->route;

	pw_proxy_destroy(l->proxy);
	l->proxy = NULL;
	l->ready = false;
	for (uint32_t i = 0; i < r->n_links; i++)
		if (r->links[i].proxy != NULL)
			return;
	r->n_links = 0;
}

static void on_link_error(void *data, int seq, int res, const char *message)
{
	struct link *l = data;

	fprintf(stderr, "link failed: %s\n", message);
	graph_quit(l->route->graph, res);
}

static const struct pw_proxy_events link_proxy_events = {
	PW_VERSION_PROXY_EVENTS,
	.removed = on_link_removed,
	.error = on_link_error,
};

static void make_link(struct graph_route *r, const struct object *out, const struct object *in)
{
	struct link *l = &r->links[r->n_links];
	struct pw_properties *props = pw_properties_new(NULL, NULL);

	pw_properties_setf(props, PW_KEY_LINK_OUTPUT_NODE, "%u", out->node_id);
	pw_properties_setf(props, PW_KEY_LINK_OUTPUT_PORT, "%u", out->id);
	pw_properties_setf(props, PW_KEY_LINK_INPUT_NODE, "%u", in->node_id);
	pw_properties_setf(props, PW_KEY_LINK_INPUT_PORT, "%u", in->id);
	pw_properties_set(props, PW_KEY_OBJECT_LINGER, r->linger ? "true" : "false");
	memset(l, 0, sizeof(*l));
	l->route = r;
	l->proxy = pw_core_create_object(r->graph->core, "link-factory", PW_TYPE_INTERFACE_Link,
			PW_VERSION_LINK, &props->dict, 0);
	pw_properties_free(props);
	if (l->proxy == NULL) {
		graph_quit(r->graph, -errno);
		return;
	}
	r->n_links++;
	pw_proxy_add_listener(l->proxy, &l->proxy_listener, &link_proxy_events, l);
	pw_proxy_add_object_listener(l->proxy, &l->listener, &link_events, l);
}

static void try_to_link(struct graph_route *r)
{
	struct object *from, *to, *out[GRAPH_MAX_CHANNELS], *in[GRAPH_MAX_CHANNELS];

	if (r->n_links > 0)
		return;
	from = find_node(r->graph, r->output);
	to = find_node(r->graph, r->input);
	if (from == NULL || to == NULL)
		return;
	for (uint32_t i = 0; i < r->channels; i++) {
		out[i] = find_port(r->graph, from->id, true, i);
		in[i] = find_port(r->graph, to->id, false, i);
		if (out[i] == NULL || in[i] == NULL)
			return;
	}
	for (uint32_t i = 0; i < r->channels; i++)
		make_link(r, out[i], in[i]);
}

static const char *get_prop(const struct spa_dict *props, const char *key)
{
	const char *value = props != NULL ? spa_dict_lookup(props, key) : NULL;

	return value != NULL ? value : "";
}

static void on_global(void *data, uint32_t id, uint32_t permissions, const char *type,
		uint32_t version, const struct spa_dict *props)
{
	struct graph *g = data;
	struct graph_route *r;
	struct object *o;

	if (strcmp(type, PW_TYPE_INTERFACE_Node) != 0 && strcmp(type, PW_TYPE_INTERFACE_Port) != 0)
		return;
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return;
	o->id = id;
	o->is_port = strcmp(type, PW_TYPE_INTERFACE_Port) == 0;
	o->is_output = strcmp(get_prop(props, PW_KEY_PORT_DIRECTION), "out") == 0;
	o->node_id = (uint32_t)atoi(get_prop(props, PW_KEY_NODE_ID));
	o->index = (uint32_t)atoi(get_prop(props, PW_KEY_PORT_ID));
	snprintf(o->name, sizeof(o->name), "%s", get_prop(props, PW_KEY_NODE_NAME));
	spa_list_append(&g->objects, &o->link);
	spa_list_for_each(r, &g->routes, link)
		try_to_link(r);
}

static void on_global_remove(void *data, uint32_t id)
{
	struct graph *g = data;
	struct object *o, *next;

	spa_list_for_each_safe(o, next, &g->objects, link)
		if (o->id == id) {
			spa_list_remove(&o->link);
			free(o);
		}
}

static const struct pw_registry_events registry_events = {
	PW_VERSION_REGISTRY_EVENTS,
	.global = on_global,
	.global_remove = on_global_remove,
};

static void on_core_error(void *data, uint32_t id, int seq, int res, const char *message)
{
	struct graph *g = data;

	if (id == PW_ID_CORE) {
		fprintf(stderr, "graph: %s (%s)\n", message, spa_strerror(res));
		graph_quit(g, res);
	}
}

static const struct pw_core_events core_events = {
	PW_VERSION_CORE_EVENTS,
	.error = on_core_error,
};

static void on_signal(void *data, int signal_number)
{
	struct graph *g = data;

	if (g->on_end != NULL)
		g->on_end(g);
	else
		graph_quit(g, 0);
}

/* Before the first thread is made: all of them inherit it, and only the loop gets signals. */
static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

int graph_init(struct graph *g, int *argc, char ***argv)
{
	memset(g, 0, sizeof(*g));
	block_signals();
	pw_init(argc, argv);
	spa_list_init(&g->objects);
	spa_list_init(&g->routes);
	g->loop = pw_main_loop_new(NULL);
	g->context = pw_context_new(pw_main_loop_get_loop(g->loop),
			pw_properties_new(PW_KEY_CONFIG_NAME, "client-rt.conf", NULL), 0);
	if (g->context == NULL)
		return -errno;
	g->core = pw_context_connect(g->context, NULL, 0);
	if (g->core == NULL)
		return -errno;
	pw_core_add_listener(g->core, &g->core_listener, &core_events, g);
	pw_loop_add_signal(pw_main_loop_get_loop(g->loop), SIGINT, on_signal, g);
	pw_loop_add_signal(pw_main_loop_get_loop(g->loop), SIGTERM, on_signal, g);
	return 0;
}

void graph_add_route(struct graph *g, struct graph_route *r)
{
	r->graph = g;
	spa_list_append(&g->routes, &r->link);
}

void graph_watch(struct graph *g)
{
	g->registry = pw_core_get_registry(g->core, PW_VERSION_REGISTRY, 0);
	pw_registry_add_listener(g->registry, &g->registry_listener, &registry_events, g);
}

/* The loop forgets a quit() that comes before run(). */
int graph_run(struct graph *g)
{
	if (!g->over)
		pw_main_loop_run(g->loop);
	return g->result;
}

void graph_quit(struct graph *g, int result)
{
	g->over = true;
	g->result = result;
	pw_main_loop_quit(g->loop);
}

void graph_clear(struct graph *g)
{
	struct graph_route *r;

	spa_list_for_each(r, &g->routes, link)
		for (uint32_t i = 0; i < r->n_links; i++)
			if (r->links[i].proxy != NULL)
				pw_proxy_destroy(r->links[i].proxy);
	if (g->registry != NULL)
		pw_proxy_destroy((struct pw_proxy *)g->registry);
	if (g->core != NULL)
		pw_core_disconnect(g->core);
	if (g->context != NULL)
		pw_context_destroy(g->context);
	if (g->loop != NULL)
		pw_main_loop_destroy(g->loop);
	pw_deinit();
}

int graph_filter_init(struct graph_filter *f, struct graph *g, const char *program,
		enum pw_direction direction, uint32_t channels,
		const struct pw_filter_events *events, void *data)
{
	const struct spa_dict_item items[] = {
		{ PW_KEY_NODE_NAME, f->name },
		{ PW_KEY_MEDIA_TYPE, "Audio" },
		{ PW_KEY_MEDIA_CATEGORY, "Filter" },
		{ PW_KEY_NODE_AUTOCONNECT, "false" },
	};

	snprintf(f->name, sizeof(f->name), "%s-%d", program, (int)getpid());
	/* on our own core, for its data thread is a realtime one */
	f->filter = pw_filter_new(g->core, f->name,
			pw_properties_new_dict(&SPA_DICT_INIT_ARRAY(items)));
	if (f->filter == NULL)
		return -errno;
	pw_filter_add_listener(f->filter, &f->listener, events, data);
	for (uint32_t i = 0; i < channels; i++) {
		struct pw_properties *props = pw_properties_new(
				PW_KEY_FORMAT_DSP, "32 bit float mono audio", NULL);

		pw_properties_setf(props, PW_KEY_PORT_NAME, "%s_%u",
				direction == PW_DIRECTION_INPUT ? "input" : "output", i);
		f->ports[i] = pw_filter_add_port(f->filter, direction,
				PW_FILTER_PORT_FLAG_MAP_BUFFERS, sizeof(void *), props, NULL, 0);
	}
	return pw_filter_connect(f->filter, PW_FILTER_FLAG_RT_PROCESS, NULL, 0);
}

void graph_filter_set_latency(struct graph_filter *f, uint32_t frames)
{
	struct spa_latency_info info = SPA_LATENCY_INFO(SPA_DIRECTION_INPUT,
			.min_rate = frames, .max_rate = frames);
	struct spa_pod_builder b = { 0 };
	const struct spa_pod *param;
	uint8_t octets[1024];

	for (uint32_t i = 0; i < GRAPH_MAX_CHANNELS && f->ports[i] != NULL; i++) {
		spa_pod_builder_init(&b, octets, sizeof(octets));
		param = spa_latency_build(&b, SPA_PARAM_Latency, &info);
		pw_filter_update_params(f->filter, f->ports[i], &param, 1);
	}
}

void graph_filter_clear(struct graph_filter *f)
{
	pw_filter_destroy(f->filter);
}

/* The FIFO stays open, so that the word waits there for a reader that comes later. */
void graph_say_ready(const char *fifo)
{
	static int fd = -1;

	printf("ready\n");
	fflush(stdout);
	if (fifo == NULL || fd >= 0)
		return;
	fd = open(fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || write(fd, "ready\n", 6) != 6)
		perror(fifo);
}
