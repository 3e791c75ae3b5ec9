/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The nodes of open streams, see node.h. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spa/debug/types.h>
#include <spa/monitor/device.h>
#include <spa/param/audio/type-info.h>
#include <spa/utils/names.h>
#include <spa/utils/result.h>
#include <spa/utils/string.h>

#include <pipewire/impl.h>

#include "clock.h"
#include "fade.h"
#include "identity.h"
#include "log.h"
#include "names.h"
#include "node.h"
#include "unique-id.h"

#define LIBRARY_NAME	"xen-snd/libspa-xen-snd"

#define TICK_NSEC	SPA_NSEC_PER_SEC
#define DENIED_NSEC	(SPA_NSEC_PER_SEC / 2)
#define DENIED_LINES	8u
#define IDLE_TICKS	3	/* a stopped stream lets the graph sleep after this */

/* A guest closes its stream as soon as it is told of the last frames, which is in the
 * middle of the cycle that plays them; and what breaks off fades out. */
#define LAST_CYCLES	2u
#define LAST_FADE	(FADE_MSEC * SPA_NSEC_PER_MSEC)
#define LAST_MAX	(80 * SPA_NSEC_PER_MSEC)

struct node {
	struct spa_list link;
	struct nodes *nodes;
	struct stream *stream;		/* a reference */
	struct config *config;		/* a reference: what held when it was opened */

	struct spa_handle *handle;	/* NULL: there is no node now */
	struct pw_impl_node *impl;
	struct spa_hook impl_listener;
	struct pw_proxy *proxy;		/* if it is exported */
	struct spa_hook proxy_listener;
	bool bound;			/* the server has told all of the exported node */
	struct letter letter;		/* to the main loop itself: it is bound now */
	struct spa_list ports;
	uint32_t idle;			/* ticks since it ran */
	uint32_t latency_min;		/* microseconds, as PipeWire was told last */
	bool hears;			/* what it captures, as was said last */
	bool late;			/* its latency is more than a rule allows, as was said last */
	uint64_t end;			/* the stream is closed: CLOCK_MONOTONIC ns when the
					 * node may go; 0: not yet */
	char name[IDENTITY_NAME_SIZE];	/* node.name, for the log */
};

struct port {
	struct spa_list link;
	struct node *node;
	struct spa_hook listener;
	bool linked;
};

/* Properties. */

static void set_labels(struct pw_properties *props, const struct stream_identity *id)
{
	const char *pcm = id->pcm_label[0] ? id->pcm_label : "sound";

	pw_properties_setf(props, PW_KEY_NODE_DESCRIPTION, "%s: %s%s%s", id->guest,
			id->card_label, id->card_label[0] ? " " : "", pcm);
	pw_properties_setf(props, PW_KEY_MEDIA_NAME, "%s %u/%u/%u", pcm,
			id->device, id->pcm, id->stream);
}

static void set_quantum(struct pw_properties *props, const struct stream *s)
{
	const struct xen_snd_geometry *g = &s->iface.geometry;

	pw_properties_setf(props, PW_KEY_NODE_LATENCY, "%u/%u",
			latency_cycle(g, atomic_load(&s->iface.latency_min)), g->rate);
}

static void set_geometry(struct pw_properties *props, const struct xen_snd_geometry *g)
{
	pw_properties_setf(props, PW_KEY_NODE_RATE, "1/%u", g->rate);
	pw_properties_setf(props, PW_KEY_NODE_MAX_LATENCY, "%u/%u", latency_period(g), g->rate);
	pw_properties_set(props, KEY_XEN_FORMAT,
			spa_debug_type_find_short_name(spa_type_audio_format, g->guest_format));
	pw_properties_setf(props, KEY_XEN_RATE, "%u", g->rate);
	pw_properties_setf(props, KEY_XEN_CHANNELS, "%u", g->channels);
	pw_properties_setf(props, KEY_XEN_BUFFER, "%u", g->buffer_frames);
	pw_properties_setf(props, KEY_XEN_PERIOD, "%u", g->period_frames);
}

static const char *state_name(uint32_t state)
{
	static const char * const names[] = {
		[STREAM_PREPARED] = "prepared",
		[STREAM_RUNNING] = "running",
		[STREAM_PAUSED] = "paused",
		[STREAM_CLOSED] = "closed",
	};
	return names[state];
}

static void set_number(struct pw_properties *props, const char *key,
		const atomic_uint_least64_t *counter)
{
	pw_properties_setf(props, key, "%"PRIuLEAST64,
			atomic_load_explicit(counter, memory_order_relaxed));
}

/* the guest's own, as lists with an item a channel */
static void set_volume(struct pw_properties *props, const struct stream *s)
{
	char volumes[16 * SPA_AUDIO_MAX_CHANNELS], mutes[8 * SPA_AUDIO_MAX_CHANNELS];
	int v = 0, m = 0;
	uint32_t i;

	for (i = 0; i < s->iface.geometry.channels; i++) {
		int32_t volume = atomic_load(&s->channels[i].volume);
		v += snprintf(volumes + v, sizeof(volumes) - v, " -%d.%03d", -(volume / 1000),
				-(volume % 1000));
		m += snprintf(mutes + m, sizeof(mutes) - m, " %s",
				atomic_load(&s->channels[i].mute) ? "true" : "false");
	}
	pw_properties_setf(props, KEY_XEN_VOLUME, "[%s ]", volumes);
	pw_properties_setf(props, KEY_XEN_MUTE, "[%s ]", mutes);
}

/* frames, rounded */
static uint64_t get_quantum(const struct stream *s)
{
	uint64_t nsec = atomic_load_explicit(&s->cycle_nsec, memory_order_relaxed);

	return (nsec * s->iface.geometry.rate + SPA_NSEC_PER_SEC / 2) / SPA_NSEC_PER_SEC;
}

static void set_counters(struct pw_properties *props, const struct stream *s)
{
	const struct stream_counters *c = &s->counters;

	pw_properties_set(props, KEY_XEN_STATE, state_name(atomic_load(&s->state)));
	pw_properties_set(props, KEY_XEN_FALLBACK, atomic_load(&c->fallback) ? "true" : "false");
	set_volume(props, s);
	pw_properties_setf(props, KEY_XEN_QUANTUM, "%"PRIu64, get_quantum(s));
	set_number(props, KEY_XEN_POSITION, &c->position);
	set_number(props, KEY_XEN_UNDERRUNS, &c->underruns);
	set_number(props, KEY_XEN_EVENTS, &c->events);
	set_number(props, KEY_XEN_COALESCED, &c->coalesced);
	set_number(props, KEY_XEN_REFUSED, &c->refused);
	set_number(props, KEY_XEN_DELAYED, &c->delayed);
	if (!s->capture) {
		uint64_t filled = atomic_load(&s->filled), position = atomic_load(&c->position);
		pw_properties_setf(props, KEY_XEN_FILL, "%"PRIu64,
				filled > position ? filled - position : 0);
	}
}

/* Latency. What was computed at OPEN gives way to what is. */

/* Frames of the stream. Whoever is linked says it: no more than a minute of each is believed. */
static uint32_t get_device(const struct spa_latency_info *behind, const struct latency *l,
		uint32_t graph_rate)
{
	uint64_t most = 60 * (uint64_t)l->rate;
	uint64_t frames = (uint64_t)behind->max_rate * l->rate / graph_rate;

	frames = SPA_MIN(frames, most);
	frames += SPA_MIN(behind->max_ns, 60 * SPA_NSEC_PER_SEC) * l->rate / SPA_NSEC_PER_SEC;
	if (behind->max_quantum > 0.0f && behind->max_quantum < 1000.0f)
		frames += behind->max_quantum * l->quantum;
	return frames;
}

static struct latency get_latency(const struct node *node)
{
	const struct latency_graph graph = graph_get_settings(node->nodes->graph);
	const struct spa_latency_info *behind = &node->stream->behind;
	const struct stream *s = node->stream;
	uint64_t quantum = get_quantum(s);
	struct latency l = s->latency;

	if (quantum > 0)
		l.quantum = quantum;
	l.linked = atomic_load_explicit(&s->linked, memory_order_relaxed);
	l.device = get_device(behind, &l, graph.rate);
	return l;
}

static void set_latency(struct pw_properties *props, const struct latency *l)
{
	char text[LATENCY_TEXT_SIZE];
	uint64_t usec = latency_usec(l);

	latency_describe(l, text);
	pw_properties_setf(props, KEY_XEN_LATENCY_RING, "%u", l->ring);
	pw_properties_setf(props, KEY_XEN_LATENCY_QUANTUM, "%u", l->quantum);
	pw_properties_setf(props, KEY_XEN_LATENCY_CONVERTER, "%u", l->converter);
	pw_properties_set(props, KEY_XEN_LATENCY_DEVICE, "unknown");
	if (l->linked)
		pw_properties_setf(props, KEY_XEN_LATENCY_DEVICE, "%u", l->device);
	pw_properties_setf(props, KEY_XEN_LATENCY_FRAMES, "%"PRIu64, latency_frames(l));
	pw_properties_setf(props, KEY_XEN_LATENCY_MSEC, "%"PRIu64".%03u", usec / 1000,
			(unsigned int)(usec % 1000));
	pw_properties_set(props, KEY_XEN_LATENCY_EXCEEDED, latency_exceeds(l) ? text : "");
}

/* What Dom0 says of target and role goes before what the guest says. */
static void honour_unique_id(struct pw_properties *props, const struct stream *s)
{
	struct unique_id id;
	const char *why;

	if (!pw_properties_get_bool(props, KEY_XEN_UNIQUE_ID_HONOURED, false) ||
	    unique_id_parse(s->identity.unique_id, &id, &why) < 0)
		return;
	if (id.target[0] && pw_properties_get(props, PW_KEY_TARGET_OBJECT) == NULL)
		pw_properties_set(props, PW_KEY_TARGET_OBJECT, id.target);
	if (id.role[0] && pw_properties_get(props, PW_KEY_MEDIA_ROLE) == NULL)
		pw_properties_set(props, PW_KEY_MEDIA_ROLE, id.role);
}

static struct pw_properties *make_properties(struct node *node)
{
	struct stream *s = node->stream;
	const struct latency latency = get_latency(node);
	struct pw_properties *props;

	props = pw_properties_new(
			PW_KEY_MEDIA_TYPE, "Audio",
			PW_KEY_MEDIA_CATEGORY, s->capture ? "Capture" : "Playback",
			PW_KEY_NODE_VIRTUAL, "true",
			PW_KEY_NODE_AUTOCONNECT, "true",
			PW_KEY_NODE_WANT_DRIVER, "true",
			SPA_KEY_DEVICE_API, "xen-snd",
			NULL);
	if (props == NULL)
		return NULL;
	identity_set(props, &s->identity, s->capture);
	/* what WirePlumber keeps a stream's volume and target under */
	pw_properties_set(props, PW_KEY_APP_ID, node->name);
	pw_properties_set(props, PW_KEY_APP_NAME, s->identity.guest);
	set_labels(props, &s->identity);
	set_geometry(props, &s->iface.geometry);
	set_quantum(props, s);
	set_counters(props, s);
	set_latency(props, &latency);
	config_apply(node->config, props);
	honour_unique_id(props, s);
	/* says nothing of playback; of capture, what holds is said by the plugin */
	if (!s->capture)
		pw_properties_set(props, XEN_SND_KEY_CAPTURE_ALLOWED, NULL);
	return props;
}

/* Permission to capture. */

/* Guests can open streams as they like, and the nodes' properties say it, too. */
static bool may_say(struct nodes *nodes)
{
	uint64_t now = clock_now(), next = SPA_MAX(nodes->denied, now) + DENIED_NSEC;

	if (next > now + DENIED_LINES * DENIED_NSEC)
		return false;
	nodes->denied = next;
	return true;
}

static void say_denied(const struct node *node)
{
	const struct stream_identity *id = &node->stream->identity;

	if (!may_say(node->nodes))
		return;
	pw_log_warn("%s: the guest \"%s\" captures silence, since no rule lets it hear. For good: put "
			CONFIG_RULES" = [ { matches = [ { xen.guest.name = \"%s\" } ] actions = { "
			"update-props = { "XEN_SND_KEY_CAPTURE_ALLOWED" = true } } } ] into "
			"/etc/pipewire/%s.conf.d/50-capture.conf and start %s again. Now, until the "
			"guest closes the stream: pw-cli set-param %s Props '{ params = [ \""
			XEN_SND_KEY_CAPTURE_ALLOWED"\" true ] }'",
			node->name, id->guest, id->guest,
			node->nodes->graph->in_server ? "pipewire" : "xen-snd",
			node->nodes->graph->in_server ? "PipeWire" : "pipewire-xen-snd", node->name);
}

/* Once each time that it becomes more than a rule allows. */
static void say_late(struct node *node, const struct latency *l)
{
	bool late = latency_exceeds(l);
	char text[LATENCY_TEXT_SIZE];

	if (late && !node->late && may_say(node->nodes)) {
		latency_describe(l, text);
		pw_log_warn("%s: the latency is more than a rule allows: %s", node->name, text);
	}
	node->late = late;
}

/* A rule honours what there is nothing to honour in. */
static void say_unique_id(const struct node *node, const struct pw_properties *props)
{
	const char *text = node->stream->identity.unique_id, *why;
	struct unique_id id;

	if (pw_properties_get_bool(props, KEY_XEN_UNIQUE_ID_HONOURED, false) && text[0] &&
	    unique_id_parse(text, &id, &why) < 0 && may_say(node->nodes))
		pw_log_warn("%s: unique-id \"%s\" %s: ignored, though a rule honours it",
				node->name, text, why);
}

/* what the rules say of a capture stream holds until it is switched */
static void permit(struct node *node, const struct pw_properties *props)
{
	bool allowed;

	if (!node->stream->capture)
		return;
	allowed = pw_properties_get_bool(props, XEN_SND_KEY_CAPTURE_ALLOWED, false);
	stream_permit(node->stream, allowed);
	node->hears = stream_may_hear(node->stream);
	if (!allowed && !node->hears)
		say_denied(node);
}

static double get_number(const struct pw_properties *props, const char *key)
{
	double number;

	return spa_atod(pw_properties_get(props, key), &number) ? number : 0;
}

/* what the rules say holds until it is switched */
static void set_switches(struct node *node, const struct pw_properties *props)
{
	struct xen_snd_stream *iface = &node->stream->iface;

	atomic_store(&iface->events_interval, (uint32_t)get_number(props, XEN_SND_KEY_EVENTS_INTERVAL));
	atomic_store(&iface->latency_min,
			latency_parse_min(pw_properties_get(props, XEN_SND_KEY_LATENCY_MIN)));
	node->latency_min = atomic_load(&iface->latency_min);
	atomic_store(&node->stream->holds,
			spa_streq(pw_properties_get(props, KEY_XEN_WITHOUT_GRAPH), "hold"));
}

/* The stream was opened. */
static void take_rules(struct node *node)
{
	struct pw_properties *props;

	if ((props = make_properties(node)) == NULL)
		return;
	permit(node, props);
	set_switches(node, props);
	say_unique_id(node, props);
	pw_properties_free(props);
}

/* The graph's cycle is to be another. */
static void change_quantum(struct node *node)
{
	struct pw_properties *props = pw_properties_new(NULL, NULL);

	if (props == NULL)
		return;
	node->latency_min = atomic_load(&node->stream->iface.latency_min);
	set_quantum(props, node->stream);
	pw_impl_node_update_properties(node->impl, &props->dict);
	pw_properties_free(props);
}

/* maybe since somebody has switched */
static void on_info_changed(void *data, const struct pw_node_info *info)
{
	struct node *node = data;
	bool hears = stream_may_hear(node->stream);

	if (hears != node->hears)
		pw_log_info("%s: from now on the guest captures %s", node->name,
				hears ? "what there is to hear" : "silence");
	node->hears = hears;
	if (node->latency_min != atomic_load(&node->stream->iface.latency_min))
		change_quantum(node);
}

/* Ports: a stream waits for all of them before it consumes its first frame. */

static void update_linked(struct node *node)
{
	struct port *port;
	bool linked = !spa_list_is_empty(&node->ports);

	spa_list_for_each(port, &node->ports, link)
		linked = linked && port->linked;
	if (linked != atomic_load_explicit(&node->stream->linked, memory_order_relaxed))
		pw_log_debug("%s: %s", node->name, linked ? "linked" : "not linked");
	atomic_store_explicit(&node->stream->linked, linked, memory_order_relaxed);
}

static void on_port_state(void *data, enum pw_impl_port_state old,
		enum pw_impl_port_state state, const char *error)
{
	struct port *port = data;

	/* it has buffers, which only a link gives it */
	port->linked = state == PW_IMPL_PORT_STATE_PAUSED;
	update_linked(port->node);
}

static void port_free(struct port *port)
{
	spa_list_remove(&port->link);
	spa_hook_remove(&port->listener);
	free(port);
}

static void on_port_destroy(void *data)
{
	struct port *port = data;
	struct node *node = port->node;

	port_free(port);
	update_linked(node);
}

static const struct pw_impl_port_events port_events = {
	PW_VERSION_IMPL_PORT_EVENTS,
	.destroy = on_port_destroy,
	.state_changed = on_port_state,
};

static void on_port_added(void *data, struct pw_impl_port *impl)
{
	struct node *node = data;
	struct port *port;

	if (pw_impl_port_get_direction(impl) !=
	    (node->stream->capture ? PW_DIRECTION_INPUT : PW_DIRECTION_OUTPUT))
		return;
	if ((port = calloc(1, sizeof(*port))) == NULL) {
		pw_log_warn("%s: no memory to watch a port: the stream may start before it is linked",
				node->name);
		return;
	}
	port->node = node;
	spa_list_append(&node->ports, &port->link);
	pw_impl_port_add_listener(impl, &port->listener, &port_events, port);
	update_linked(node);
}

/* The tick. */

/* false: it is no more, but pieces may be */
static bool is_whole(const struct node *node)
{
	return node->impl != NULL && (node->proxy != NULL || node->nodes->graph->in_server);
}

static bool is_running(const struct node *node)
{
	return atomic_load(&node->stream->state) == STREAM_RUNNING;
}

/* Is there something to look at, or to make anew? */
static bool wants_tick(const struct node *node)
{
	return node->end != 0 || is_running(node) || node->idle < IDLE_TICKS ||
		(node->nodes->connected && !is_whole(node));
}

/* A tick a second while a node wants one: who is idle wakes nobody. */
static void update_timer(struct nodes *nodes)
{
	struct node *node;
	bool ticking = false;

	spa_list_for_each(node, &nodes->list, link)
		ticking = ticking || wants_tick(node);
	if (ticking != nodes->ticking)
		clock_fire_every(nodes->loop, nodes->timer, ticking ? TICK_NSEC : 0);
	nodes->ticking = ticking;
}

/* The node. */

/* Its end is no news to us any more; the proxy, to be destroyed, or NULL. */
static struct pw_proxy *forget_proxy(struct node *node)
{
	struct pw_proxy *proxy = node->proxy;

	if (proxy)
		spa_hook_remove(&node->proxy_listener);
	node->proxy = NULL;
	return proxy;
}

static void drop_ports(struct node *node)
{
	struct port *port;

	spa_list_consume(port, &node->ports, link)
		port_free(port);
	update_linked(node);
}

static void node_remove(struct node *node)
{
	struct pw_proxy *proxy;

	if (node->impl) {
		spa_hook_remove(&node->impl_listener);
		drop_ports(node);
		/* out of the data thread's hands before anything it may look at is freed */
		pw_impl_node_set_active(node->impl, false);
		if ((proxy = forget_proxy(node)) != NULL)
			pw_proxy_destroy(proxy);
		pw_impl_node_destroy(node->impl);
		node->impl = NULL;
	}
	if (node->handle)
		pw_unload_spa_handle(node->handle);
	node->handle = NULL;
}

/* Somebody else removes it, say a session manager: the next tick makes it anew.
 * The handle has to outlive this. */
static void on_node_destroy(void *data)
{
	struct node *node = data;

	pw_log_info("%s: node removed by somebody else: made anew", node->name);
	spa_hook_remove(&node->impl_listener);
	drop_ports(node);
	forget_proxy(node);
	node->impl = NULL;
	update_timer(node->nodes);
}

static const struct pw_impl_node_events node_events = {
	PW_VERSION_IMPL_NODE_EVENTS,
	.destroy = on_node_destroy,
	.info_changed = on_info_changed,
	.port_added = on_port_added,
};

static void on_proxy_destroy(void *data)
{
	struct node *node = data;

	forget_proxy(node);
	update_timer(node->nodes);
}

/* PipeWire has removed it: so does the next tick, with the node */
static void on_proxy_removed(void *data)
{
	struct node *node = data;

	pw_log_info("%s: node removed by somebody else: made anew", node->name);
	pw_proxy_destroy(node->proxy);
}

static void on_proxy_bound(void *data, uint32_t global_id)
{
	struct node *node = data;

	node->bound = true;
	if (node->end != 0)
		mailbox_post(&node->nodes->mailbox, &node->letter);
}

static const struct pw_proxy_events proxy_events = {
	PW_VERSION_PROXY_EVENTS,
	.bound = on_proxy_bound,
	.destroy = on_proxy_destroy,
	.removed = on_proxy_removed,
};

static int load_handle(struct node *node, const struct pw_properties *props)
{
	static const char * const passed[] = { SPA_KEY_AUDIO_POSITION, XEN_SND_KEY_FADE };
	struct spa_dict_item items[2 + SPA_N_ELEMENTS(passed)];
	const char *value;
	char pointer[64];
	size_t i, n = 2;

	snprintf(pointer, sizeof(pointer), "pointer:%p", (void *)&node->stream->iface);
	items[0] = SPA_DICT_ITEM_INIT(XEN_SND_KEY_STREAM, pointer);
	items[1] = SPA_DICT_ITEM_INIT(SPA_KEY_LIBRARY_NAME, LIBRARY_NAME);
	for (i = 0; i < SPA_N_ELEMENTS(passed); i++) {
		if ((value = pw_properties_get(props, passed[i])) != NULL)
			items[n++] = SPA_DICT_ITEM_INIT(passed[i], value);
	}
	node->handle = pw_context_load_spa_handle(node->nodes->graph->context,
			node->stream->capture ? XEN_SND_NAME_SINK : XEN_SND_NAME_SOURCE,
			&SPA_DICT_INIT(items, n));
	if (node->handle == NULL) {
		int res = -errno;
		pw_log_error("can't load "LIBRARY_NAME".so: %m (is it installed, or "
				"SPA_PLUGIN_DIR set?)");
		return res;
	}
	return 0;
}

static int load_adapter(struct node *node, struct pw_properties *props)
{
	struct pw_context *context = node->nodes->graph->context;
	struct pw_impl_factory *factory;
	void *iface;
	int res;

	if ((factory = pw_context_find_factory(context, "adapter")) == NULL) {
		pw_log_error("no adapter factory: context.modules must name "
				"libpipewire-module-adapter before this module");
		pw_properties_free(props);
		return -ENOENT;
	}
	if ((res = spa_handle_get_interface(node->handle, SPA_TYPE_INTERFACE_Node, &iface)) < 0) {
		pw_properties_free(props);
		return res;
	}
	pw_properties_setf(props, "adapt.follower.spa-node", "pointer:%p", iface);
	pw_properties_set(props, PW_KEY_OBJECT_REGISTER,
			node->nodes->graph->in_server ? "true" : "false");
	node->impl = pw_impl_factory_create_object(factory, NULL, PW_TYPE_INTERFACE_Node,
			PW_VERSION_NODE, props, 0);
	return node->impl ? 0 : -errno;
}

static void export_node(struct node *node)
{
	struct graph *graph = node->nodes->graph;

	if (graph->in_server)
		return;
	node->bound = false;
	node->proxy = pw_core_export(graph->core, PW_TYPE_INTERFACE_Node, NULL, node->impl, 0);
	if (node->proxy)
		pw_proxy_add_listener(node->proxy, &node->proxy_listener, &proxy_events, node);
}

static int collect_port(void *data, struct pw_impl_port *port)
{
	on_port_added(data, port);
	return 0;
}

/* Is one of the same name on its way out? Two of them would be one too many, and a
 * guest could heap them up while PipeWire does not answer. */
static bool must_wait(const struct node *node)
{
	const struct node *other;

	spa_list_for_each(other, &node->nodes->list, link) {
		if (other->end != 0 && spa_streq(other->name, node->name))
			return true;
	}
	return false;
}

static void node_make(struct node *node)
{
	enum pw_direction direction = node->stream->capture ?
		PW_DIRECTION_INPUT : PW_DIRECTION_OUTPUT;
	struct pw_properties *props;
	int res;

	if (!node->nodes->connected || must_wait(node))
		return;
	if ((props = make_properties(node)) == NULL)
		return;
	if (load_handle(node, props) < 0) {
		pw_properties_free(props);
		return;
	}
	if ((res = load_adapter(node, props)) < 0) {
		pw_log_error("%s: can't make the node: %s", node->name, spa_strerror(res));
		node_remove(node);
		return;
	}
	pw_impl_node_add_listener(node->impl, &node->impl_listener, &node_events, node);
	pw_impl_node_for_each_port(node->impl, direction, collect_port, node);
	pw_impl_node_set_active(node->impl, true);
	node->idle = 0;
	export_node(node);
	pw_log_debug("%s: node made", node->name);
}

static void node_renew(struct node *node)
{
	if (is_whole(node))
		return;
	node_remove(node);
	node_make(node);
}

static void renew_nodes(struct nodes *nodes)
{
	struct node *node;

	spa_list_for_each(node, &nodes->list, link) {
		if (node->end == 0)
			node_renew(node);
	}
}

static void node_free(struct node *node)
{
	mailbox_cancel(&node->nodes->mailbox, &node->letter);
	node_remove(node);
	spa_list_remove(&node->link);
	node->stream->node = NULL;
	stream_unref(node->stream);
	config_unref(node->config);
	free(node);
}

/* Descriptors that the server sends for a node which is no more would be lost: a
 * guest that opens and closes quickly could use up all there are. So none goes before
 * it is bound. */
static bool may_go(const struct node *node, uint64_t now)
{
	return node->end != 0 && node->end <= now && (node->proxy == NULL || node->bound);
}

/* Frees what has ended by `now`, waits for the rest, and makes what has waited for that. */
static void end_nodes(struct nodes *nodes, uint64_t now)
{
	struct node *node, *tmp;
	uint64_t next = UINT64_MAX;
	bool freed = false;

	spa_list_for_each_safe(node, tmp, &nodes->list, link) {
		if (may_go(node, now)) {
			node_free(node);
			freed = true;
		} else if (node->end > now) {
			next = SPA_MIN(next, node->end);
		}
	}
	if (freed)
		renew_nodes(nodes);
	clock_fire_after(nodes->loop, nodes->ending, next == UINT64_MAX ? 0 : next - now);
	update_timer(nodes);
}

static void on_bound(struct letter *letter)
{
	struct node *node = SPA_CONTAINER_OF(letter, struct node, letter);

	end_nodes(node->nodes, clock_now());
}

/* The stream is closed: out with what is on its way. */
static void node_close(struct node *node)
{
	struct stream *s = node->stream;
	uint64_t cycle = atomic_load_explicit(&s->cycle_nsec, memory_order_relaxed);
	uint64_t last = LAST_CYCLES * cycle + LAST_FADE;

	node->end = clock_now();
	if (!s->capture && atomic_load(&s->linked))
		node->end += SPA_MIN(last, LAST_MAX);
}

/* The one before it on the same line, which bears the same name, has had its time. */
static void end_predecessor(const struct node *node)
{
	struct node *other;

	spa_list_for_each(other, &node->nodes->list, link) {
		if (other->end != 0 && spa_streq(other->name, node->name))
			other->end = 1;
	}
	end_nodes(node->nodes, clock_now());
}

static struct node *node_new(struct nodes *nodes, struct stream *stream)
{
	struct node *node;

	if ((node = calloc(1, sizeof(*node))) == NULL) {
		pw_log_error("%s %u/%u/%u: no memory for the node: nobody hears the stream until it "
				"is started anew", stream->identity.guest, stream->identity.device,
				stream->identity.pcm, stream->identity.stream);
		return NULL;
	}
	node->nodes = nodes;
	node->stream = stream_ref(stream);
	node->config = config_get(nodes->config);
	node->letter.read = on_bound;
	identity_make_name(&stream->identity, node->name);
	take_rules(node);
	end_predecessor(node);
	spa_list_init(&node->ports);
	spa_list_append(&nodes->list, &node->link);
	stream->node = node;
	node_make(node);
	return node;
}

static void node_set_active(struct node *node, bool active)
{
	if (node->impl && pw_impl_node_is_active(node->impl) != active)
		pw_impl_node_set_active(node->impl, active);
}

static void node_tick(struct node *node)
{
	struct pw_properties *props;
	struct latency latency;

	node_renew(node);
	if (node->impl == NULL)
		return;
	if (is_running(node))
		node->idle = 0;
	else if (node->idle < IDLE_TICKS && ++node->idle == IDLE_TICKS)
		node_set_active(node, false);

	if ((props = pw_properties_new(NULL, NULL)) == NULL)
		return;
	stream_news_are_told(node->stream);
	set_counters(props, node->stream);
	latency = get_latency(node);
	set_latency(props, &latency);
	say_late(node, &latency);
	pw_impl_node_update_properties(node->impl, &props->dict);
	pw_properties_free(props);
}

static void on_tick(void *data, uint64_t expirations)
{
	struct nodes *nodes = data;
	struct node *node;

	spa_list_for_each(node, &nodes->list, link) {
		if (node->end == 0)
			node_tick(node);
	}
	end_nodes(nodes, clock_now());
}

static void on_ending(void *data, uint64_t expirations)
{
	end_nodes(data, clock_now());
}

/* A stream was opened, started, stopped or closed: do what its state calls for. Or
 * there are news of it, which ticks tell. */
static void on_letter(struct letter *letter)
{
	struct stream *stream = SPA_CONTAINER_OF(letter, struct stream, letter);
	struct nodes *nodes = SPA_CONTAINER_OF(stream->watcher, struct nodes, watcher);
	struct node *node = stream->node;
	uint32_t state = atomic_load(&stream->state);

	if (state == STREAM_CLOSED && node && node->end == 0)
		node_close(node);
	else if (state != STREAM_CLOSED && node == NULL)
		node = node_new(nodes, stream);
	if (state == STREAM_RUNNING && node)
		node_set_active(node, true);
	if (node)
		node->idle = 0;
	end_nodes(nodes, clock_now());
	stream_unref(stream);
}

/* guest threads */
static void on_stream_changed(struct stream_watcher *watcher, struct stream *stream)
{
	struct nodes *nodes = SPA_CONTAINER_OF(watcher, struct nodes, watcher);

	/* the letter has a reference of its own */
	stream_ref(stream);
	if (!mailbox_post(&nodes->mailbox, &stream->letter))
		stream_unref(stream);
}

void nodes_core_changed(struct nodes *nodes, bool connected)
{
	struct node *node;

	nodes->connected = connected;
	if (!connected) {
		spa_list_for_each(node, &nodes->list, link)
			node_remove(node);
	}
	end_nodes(nodes, UINT64_MAX);
	renew_nodes(nodes);
}

static void remove_timers(struct nodes *nodes)
{
	if (nodes->timer)
		pw_loop_destroy_source(nodes->loop, nodes->timer);
	if (nodes->ending)
		pw_loop_destroy_source(nodes->loop, nodes->ending);
}

int nodes_init(struct nodes *nodes, struct config_holder *config, struct graph *graph,
		struct pw_loop *loop)
{
	int res;

	*nodes = (struct nodes) {
		.watcher = { .changed = on_stream_changed, .read = on_letter },
		.config = config,
		.graph = graph,
		.loop = loop,
	};
	spa_list_init(&nodes->list);
	if ((res = mailbox_init(&nodes->mailbox, loop)) < 0)
		return res;
	nodes->timer = pw_loop_add_timer(loop, on_tick, nodes);
	nodes->ending = pw_loop_add_timer(loop, on_ending, nodes);
	if (nodes->timer && nodes->ending)
		return 0;
	res = -errno;
	remove_timers(nodes);
	mailbox_clear(&nodes->mailbox);
	return res;
}

void nodes_clear(struct nodes *nodes)
{
	struct node *node;

	mailbox_read_all(&nodes->mailbox);
	spa_list_consume(node, &nodes->list, link)
		node_free(node);
	remove_timers(nodes);
	mailbox_clear(&nodes->mailbox);
}
