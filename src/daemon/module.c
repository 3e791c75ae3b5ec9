/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The session module: puts the parts together, takes them apart. */

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <xentoollog.h>

#include <spa/utils/result.h>
#include <spa/utils/string.h>
#include <pipewire/impl.h>

#include "config.h"
#include "contract.h"
#include "graph.h"
#include "log.h"
#include "module.h"
#include "node.h"
#include "realtime.h"
#include "refusals.h"
#include "xenbus.h"

PW_LOG_TOPIC(xen_snd_log_topic, "mod.xen-snd");

#define MODULE_USAGE	"( stream.props=<node properties> ) "			\
			"( stream.max-buffer=<octets> ) "			\
			"( state.file=<path> )"

static const struct spa_dict_item module_props[] = {
	{ PW_KEY_MODULE_AUTHOR, "the pipewire-xen-snd authors" },
	{ PW_KEY_MODULE_DESCRIPTION, "Sound of Xen guests (vsnd backend)" },
	{ PW_KEY_MODULE_USAGE, MODULE_USAGE },
	{ PW_KEY_MODULE_VERSION, XEN_SND_VERSION },
};

struct impl {
	struct pw_impl_module *module;
	struct spa_hook module_listener;
	struct spa_hook context_listener;

	struct config_origin origin;	/* strings are ours */
	struct config_holder config;
	struct graph graph;
	struct nodes nodes;
	struct realtime realtime;
	struct refusals refusals;
	struct guest_env env;
	struct state *state;
	struct xenbus *xenbus;
	struct spa_source *reload;	/* SIGHUP; NULL in PipeWire itself */
	xentoollog_logger_stdiostream *logger;
};

/* of the client that we are, or of us if there is none */
static void publish_refusals(void *data, const struct spa_dict *props)
{
	struct impl *impl = data;

	if (impl->graph.in_server)
		pw_impl_module_update_properties(impl->module, props);
	else if (impl->graph.core)
		pw_core_update_properties(impl->graph.core, props);
}

static void on_core_changed(void *data, struct pw_core *core)
{
	struct impl *impl = data;

	nodes_core_changed(&impl->nodes, core != NULL);
	if (core)
		refusals_tell(&impl->refusals);
}

static const struct graph_events graph_events = {
	.core_changed = on_core_changed,
};

/* Without one we work as well, until we are restarted. Not so beside another. */
static int open_state(struct impl *impl)
{
	const char *file = impl->config.now->state_file;
	int res;

	if (file[0] == '\0' || (impl->state = state_open(file)) != NULL)
		return 0;
	res = -errno;
	if (res == -EBUSY) {
		pw_log_error("%s is in use: another pipewire-xen-snd, or PipeWire with "
				"libpipewire-module-xen-snd, serves the guests; stop it first", file);
		return res;
	}
	if (res == -EPERM)
		pw_log_warn("%s is not a file of this user alone (remove it): guests will "
				"have to connect anew after a restart", file);
	else
		pw_log_warn("can't open %s: %s (state.file names another place): guests will "
				"have to connect anew after a restart", file, strerror(-res));
	return 0;
}

static char *copy(const char *string)
{
	return string ? strdup(string) : NULL;
}

/* Where PipeWire has found its configuration, and with it us. */
static void find_config(struct impl *impl, struct pw_context *context, const char *args)
{
	const struct pw_properties *props = pw_context_get_properties(context);

	impl->origin = (struct config_origin) {
		.prefix = copy(pw_context_get_conf_section(context, "config.prefix")),
		.name = copy(pw_context_get_conf_section(context, "config.name")),
		.ours = !pw_properties_get_bool(props, PW_KEY_CORE_DAEMON, false),
		.args = copy(args),
	};
}

static void forget_config(struct impl *impl)
{
	free((char *)impl->origin.prefix);
	free((char *)impl->origin.name);
	free((char *)impl->origin.args);
}

static int read_config(struct impl *impl)
{
	struct config_error error;
	struct config *config;

	if ((config = config_load(&impl->origin, &error)) == NULL) {
		pw_log_error("%s", error.text);
		return -EINVAL;
	}
	if (!config->own) {
		free((char *)impl->origin.args);
		impl->origin.args = NULL;
	}
	config_holder_init(&impl->config, config);
	return 0;
}

/* Main loop. What is read anew holds for what begins from now on: nodes and guests keep
 * what held when they did. */
static void on_reload(void *data, int number)
{
	struct impl *impl = data;
	struct config_error error;
	struct config *config;

	if ((config = config_load(&impl->origin, &error)) == NULL) {
		pw_log_error("%s", error.text);
		pw_log_error("the configuration stays as it was; after correcting it, reload again");
		return;
	}
	if (!spa_streq(config->state_file, impl->config.now->state_file))
		pw_log_warn("state.file = \"%s\" holds from the next start on", config->state_file);
	config_set(&impl->config, config);
	pw_log_info("the configuration was read anew: it holds for streams that are opened "
			"from now on");
}

/* The daemon has blocked the signal in all threads. In PipeWire it is not ours. */
static int add_reload(struct impl *impl, struct pw_context *context)
{
	if (!impl->origin.ours)
		return 0;
	impl->reload = pw_loop_add_signal(pw_context_get_main_loop(context), SIGHUP, on_reload,
			impl);
	return impl->reload ? 0 : -errno;
}

static void remove_reload(struct impl *impl, struct pw_context *context)
{
	if (impl->reload)
		pw_loop_destroy_source(pw_context_get_main_loop(context), impl->reload);
	impl->reload = NULL;
}

static int start(struct impl *impl, struct pw_context *context, const char *args)
{
	char why[256];
	int res;

	find_config(impl, context, args);
	if ((res = read_config(impl)) < 0)
		return res;
	if (xenbus_probe((struct xentoollog_logger *)impl->logger, why, sizeof(why)) < 0) {
		pw_log_error("%s", why);
		res = -ENODEV;
		goto error_probe;
	}
	if ((res = open_state(impl)) < 0)
		goto error_probe;
	if ((res = refusals_init(&impl->refusals, pw_context_get_main_loop(context),
			publish_refusals, impl)) < 0)
		goto error_state;
	if ((res = nodes_init(&impl->nodes, &impl->config, &impl->graph,
			pw_context_get_main_loop(context))) < 0)
		goto error_nodes;
	if ((res = graph_init(&impl->graph, context, &graph_events, impl)) < 0)
		goto error_graph;
	if ((res = realtime_init(&impl->realtime, context, !impl->graph.in_server)) < 0)
		goto error_realtime;

	if ((res = add_reload(impl, context)) < 0)
		goto error_reload;
	impl->env = (struct guest_env) {
		.logger = (struct xentoollog_logger *)impl->logger,
		.watcher = &impl->nodes.watcher,
		.min_period = &impl->graph.min_period,
		.config = &impl->config,
		.graph = &impl->graph,
		.contract = contract_make,
		.refusals = &impl->refusals,
		.state = impl->state,
	};
	if ((impl->xenbus = xenbus_new(&impl->env)) == NULL) {
		res = -errno;
		pw_log_error("can't serve XenStore: %m");
		goto error_xenbus;
	}
	return 0;

error_xenbus:
	remove_reload(impl, context);
error_reload:
	realtime_clear(&impl->realtime);
error_realtime:
	graph_clear(&impl->graph);
error_graph:
	nodes_clear(&impl->nodes);
error_nodes:
	refusals_clear(&impl->refusals);
error_state:
	state_close(impl->state);
	impl->state = NULL;
error_probe:
	config_holder_clear(&impl->config);
	return res;
}

static void stop(struct impl *impl)
{
	if (impl->xenbus == NULL)
		return;
	xenbus_free(impl->xenbus);
	impl->xenbus = NULL;
	remove_reload(impl, impl->graph.context);
	state_close(impl->state);
	realtime_clear(&impl->realtime);
	graph_clear(&impl->graph);
	nodes_clear(&impl->nodes);
	refusals_clear(&impl->refusals);
	config_holder_clear(&impl->config);
}

/* before it takes down the connection, and then the modules */
static void on_context_destroy(void *data)
{
	stop(data);
}

static const struct pw_context_events context_events = {
	PW_VERSION_CONTEXT_EVENTS,
	.destroy = on_context_destroy,
};

static void on_module_destroy(void *data)
{
	struct impl *impl = data;

	spa_hook_remove(&impl->context_listener);
	spa_hook_remove(&impl->module_listener);
	stop(impl);
	forget_config(impl);
	xtl_logger_destroy((struct xentoollog_logger *)impl->logger);
	free(impl);
}

static const struct pw_impl_module_events module_events = {
	PW_VERSION_IMPL_MODULE_EVENTS,
	.destroy = on_module_destroy,
};

static const char *failure_name(int res)
{
	switch (res) {
	case -ENODEV:
		return FAILURE_NO_XEN;
	case -EINVAL:
		return FAILURE_CONFIG;
	default:
		return FAILURE_OTHER;
	}
}

static void tell_failure(struct pw_context *context, int res)
{
	const struct spa_dict_item items[] = {
		{ KEY_XEN_SND_FAILURE, failure_name(res) },
	};

	pw_context_update_properties(context, &SPA_DICT_INIT_ARRAY(items));
}

/* what PipeWire looks for in the library */
int pipewire__module_init(struct pw_impl_module *module, const char *args);

SPA_EXPORT
int pipewire__module_init(struct pw_impl_module *module, const char *args)
{
	struct pw_context *context = pw_impl_module_get_context(module);
	struct impl *impl;
	int res;

	PW_LOG_TOPIC_INIT(xen_snd_log_topic);
	/* libxenstore before 4.20 writes to a socket that may have been closed */
	signal(SIGPIPE, SIG_IGN);

	if ((impl = calloc(1, sizeof(*impl))) == NULL)
		return -errno;
	/* what libxengnttab and libxenevtchn have to say is said by us, with the
	 * guest's name; a guest could fill the log otherwise */
	impl->module = module;
	impl->logger = xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
	if (impl->logger == NULL) {
		free(impl);
		return -ENOMEM;
	}
	if ((res = start(impl, context, args)) < 0)
		tell_failure(context, res);
	pw_impl_module_add_listener(module, &impl->module_listener, &module_events, impl);
	pw_context_add_listener(context, &impl->context_listener, &context_events, impl);
	pw_impl_module_update_properties(module, &SPA_DICT_INIT_ARRAY(module_props));
	return 0;
}
