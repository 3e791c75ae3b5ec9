/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The configuration, see config.h. */

#include <errno.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spa/utils/string.h>

#include <pipewire/conf.h>

#include "config-check.h"
#include "config-file.h"
#include "config.h"

#define DEFAULT_MAX_BUFFER	(1024 * 1024)
#define HARD_MAX_BUFFER		(64 * 1024 * 1024)

/* Module arguments. Each is documented in man/libpipewire-module-xen-snd.7. */

static int set_stream_props(struct config *config, const struct config_value *value,
		struct config_error *error)
{
	char key[CONFIG_KEY_SIZE];
	struct config_value prop;
	struct spa_json it;
	const char *at;
	int res;

	if (!config_is_object(value))
		return -ERANGE;
	config_enter(&it, value);
	while (config_next_key(&it, value->in, key, &at, &prop)) {
		if ((res = config_check_property("stream.props", key, at, &prop, error)) < 0)
			return res;
	}
	return pw_properties_update_string(config->stream_props, value->text, value->len) < 0 ?
		-ERANGE : 0;
}

static int set_max_buffer(struct config *config, const struct config_value *value,
		struct config_error *error)
{
	char text[16];
	int octets;

	if (!config_get_string(value, text, sizeof(text)) ||
	    spa_json_parse_int(text, strlen(text), &octets) <= 0 ||
	    octets < 4096 || octets > HARD_MAX_BUFFER)
		return -ERANGE;
	config->max_buffer = octets;
	return 0;
}

static int set_state_file(struct config *config, const struct config_value *value,
		struct config_error *error)
{
	char path[PATH_MAX];

	if (!config_get_string(value, path, sizeof(path)) || (path[0] != '/' && path[0] != '\0'))
		return -ERANGE;
	free(config->state_file);
	config->state_file = strdup(path);
	return config->state_file ? 0 : -ERANGE;
}

/* -ERANGE: not what is wanted */
static const struct option {
	const char *key;
	const char *wanted;
	int (*set)(struct config *config, const struct config_value *value,
			struct config_error *error);
} options[] = {
	{ "stream.props", "an object of node properties", set_stream_props },
	{ "stream.max-buffer", "a number of octets, 4096 to 67108864", set_max_buffer },
	{ "state.file", "an absolute path, or \"\" for none", set_state_file },
};

static int set_option(struct config *config, const char *key, const char *at,
		const struct config_value *value, struct config_error *error)
{
	size_t i;
	int res;

	for (i = 0; i < SPA_N_ELEMENTS(options); i++) {
		if (!spa_streq(options[i].key, key))
			continue;
		if ((res = options[i].set(config, value, error)) == -ERANGE)
			return config_fail(error, value->in, at, "%s = "CONFIG_VALUE_FORMAT": must be "
					"%s", key, CONFIG_VALUE_ARGS(value), options[i].wanted);
		return res;
	}
	return config_fail(error, value->in, at, "%s: "MODULE_NAME" has no such option", key);
}

static int read_options(struct config *config, struct spa_json *it, const struct config_text *in,
		struct config_error *error)
{
	char key[CONFIG_KEY_SIZE];
	struct config_value value;
	const char *at;
	int res;

	while (config_next_key(it, in, key, &at, &value)) {
		if ((res = set_option(config, key, at, &value, error)) < 0)
			return res;
	}
	return 0;
}

/* Where the module is loaded. */

/* An item of context.modules: true if it is ours, with its args. */
static bool is_our_module(const struct config_value *item, struct config_value *args)
{
	char key[CONFIG_KEY_SIZE], name[CONFIG_KEY_SIZE];
	struct config_value value;
	struct spa_json it;
	bool ours = false;
	const char *at;

	*args = (struct config_value) { .in = item->in };
	if (!config_is_object(item))
		return false;
	config_enter(&it, item);
	while (config_next_key(&it, item->in, key, &at, &value)) {
		if (spa_streq(key, "name"))
			ours = config_get_string(&value, name, sizeof(name)) &&
				spa_streq(name, MODULE_NAME);
		else if (spa_streq(key, "args"))
			*args = value;
	}
	return ours;
}

/* Calls `found` with the args of each; returns how many there are, or its error. */
static int for_each_module(const struct spa_list *texts,
		int (*found)(void *data, const struct config_value *args), void *data)
{
	const struct config_text *text;
	struct config_value modules, item, args;
	struct spa_json it;
	int n = 0, res;

	spa_list_for_each(text, texts, link) {
		modules = config_find(text, "context.modules");
		if (!config_is_array(&modules))
			continue;
		config_enter(&it, &modules);
		while (config_next_item(&it, text, &item)) {
			if (!is_our_module(&item, &args))
				continue;
			if ((res = found(data, &args)) < 0)
				return res;
			n++;
		}
	}
	return n;
}

struct args_reader {
	struct config *config;
	struct config_error *error;
};

static int read_args(void *data, const struct config_value *args)
{
	struct args_reader *r = data;
	struct spa_json it;

	if (args->text == NULL)
		return 0;
	if (!config_is_object(args))
		return config_fail(r->error, args->in, args->text, "args: must be { … }");
	config_enter(&it, args);
	return read_options(r->config, &it, args->in, r->error);
}

static int read_own(struct config *config, const struct config_text *own,
		struct config_error *error)
{
	struct spa_json it;
	int res;

	if ((res = config_text_check(own, error)) < 0)
		return res;
	config_enter_text(&it, own);
	return read_options(config, &it, own, error);
}

static int is_same(void *data, const struct config_value *args)
{
	const char *wanted = data;

	return args->text && strlen(wanted) == (size_t)args->len &&
		strncmp(wanted, args->text, args->len) == 0 ? -EEXIST : 0;
}

/* The arguments as a text, if they stand in no file. */
static struct config_text *own_args(const struct spa_list *texts, const char *args)
{
	if (args == NULL || for_each_module(texts, is_same, (void *)args) == -EEXIST)
		return NULL;
	return config_text_new("arguments of "MODULE_NAME, args, strlen(args));
}

/* The texts. */

static int check_text(const struct config_text *text, bool ours, struct config_error *error)
{
	struct config_value rules;
	int res;

	/* what is PipeWire's own need not be right for us */
	if (!ours && strstr(text->text, "xen-snd") == NULL)
		return 0;
	if ((res = config_text_check(text, error)) < 0 ||
	    (res = config_check_sections(text, ours, error)) < 0)
		return res;
	rules = config_find(text, CONFIG_RULES);
	return rules.text ? config_check_rules(&rules, error) : 0;
}

static int read_texts(struct config *config, const struct config_text *own, bool ours,
		struct config_error *error)
{
	struct args_reader reader = { config, error };
	const struct config_text *text;
	int res;

	spa_list_for_each(text, &config->texts, link) {
		if ((res = check_text(text, ours, error)) < 0)
			return res;
	}
	if (own)
		return read_own(config, own, error);
	if ((res = for_each_module(&config->texts, read_args, &reader)) != 0 || !ours)
		return res;
	text = spa_list_first(&config->texts, struct config_text, link);
	return config_fail(error, text, NULL, "context.modules does not name "MODULE_NAME
			": nothing to do");
}

/* where systemd has made us a directory, or where it would have */
static char *default_state_file(void)
{
	const char *directory = getenv("RUNTIME_DIRECTORY");
	char *path;

	if (directory == NULL || directory[0] != '/')
		directory = "/run/pipewire-xen-snd";
	if (asprintf(&path, "%.*s/state", (int)strcspn(directory, ":"), directory) < 0)
		return NULL;
	return path;
}

struct config *config_new(struct spa_list *texts, struct config_text *own, bool ours,
		struct config_error *error)
{
	struct config *config;
	int res = -ENOMEM;

	snprintf(error->text, sizeof(error->text), "no memory for the configuration");
	if ((config = calloc(1, sizeof(*config))) == NULL) {
		config_files_free(texts);
		goto done;
	}
	atomic_init(&config->refs, 1);
	config->own = own != NULL;
	config->max_buffer = DEFAULT_MAX_BUFFER;
	spa_list_init(&config->texts);
	spa_list_insert_list(&config->texts, texts);
	config->stream_props = pw_properties_new(NULL, NULL);
	config->state_file = default_state_file();
	if (config->stream_props && config->state_file)
		res = read_texts(config, own, ours, error);
	if (res < 0) {
		config_unref(config);
		config = NULL;
	}
done:
	if (own)
		config_text_free(own);
	return config;
}

struct config *config_load(const struct config_origin *origin, struct config_error *error)
{
	struct spa_list texts;

	if (config_files_read(&texts, origin->prefix, origin->name, error) < 0)
		return NULL;
	return config_new(&texts, own_args(&texts, origin->args), origin->ours, error);
}

struct config *config_ref(struct config *config)
{
	atomic_fetch_add_explicit(&config->refs, 1, memory_order_relaxed);
	return config;
}

void config_unref(struct config *config)
{
	if (atomic_fetch_sub_explicit(&config->refs, 1, memory_order_acq_rel) > 1)
		return;
	pw_properties_free(config->stream_props);
	free(config->state_file);
	config_files_free(&config->texts);
	free(config);
}

static unsigned int count_rules(const struct config *config)
{
	const struct config_text *text;
	struct config_value rules, rule;
	struct spa_json it;
	unsigned int n = 0;

	spa_list_for_each(text, &config->texts, link) {
		rules = config_find(text, CONFIG_RULES);
		if (rules.text == NULL)
			continue;
		config_enter(&it, &rules);
		while (config_next_item(&it, text, &rule))
			n++;
	}
	return n;
}

void config_print(const struct config *config, FILE *to)
{
	const struct config_text *text;
	unsigned int rules = count_rules(config);

	spa_list_for_each(text, &config->texts, link)
		fprintf(to, "%s%s", text->file, text->link.next == &config->texts ? "" : ", ");
	fprintf(to, ": right, %u rule%s\n", rules, rules == 1 ? "" : "s");
}

/* Using it. */

static int apply_rule(void *data, const char *file, const char *action,
		const char *value, size_t len)
{
	if (spa_streq(action, "update-props"))
		pw_properties_update_string(data, value, len);
	return 0;
}

/* what the rules that match `props` set */
static void match_rules(const struct config *config, const struct spa_dict *props,
		struct pw_properties *set)
{
	const struct config_text *text;
	struct config_value rules;

	spa_list_for_each(text, &config->texts, link) {
		rules = config_find(text, CONFIG_RULES);
		if (rules.text)
			pw_conf_match_rules(rules.text, rules.len, text->file, props, apply_rule,
					set);
	}
}

void config_apply(const struct config *config, struct pw_properties *props)
{
	struct pw_properties *matched;

	pw_properties_update(props, &config->stream_props->dict);
	/* rules match what the stream is, not what an earlier rule made of it */
	if ((matched = pw_properties_copy(props)) == NULL)
		return;
	match_rules(config, &matched->dict, props);
	pw_properties_free(matched);
}

void config_set_budgets(const struct config *config, const struct spa_dict *props,
		struct budgets *budgets)
{
	struct pw_properties *found;
	const char *key;
	void *state = NULL;

	budgets_set_normal(budgets);
	if ((found = pw_properties_new(NULL, NULL)) == NULL)
		return;
	match_rules(config, props, found);
	while ((key = pw_properties_iterate(found, &state)) != NULL)
		budgets_set(budgets, key, pw_properties_get(found, key));
	pw_properties_free(found);
}

/* The holder. */

void config_holder_init(struct config_holder *holder, struct config *config)
{
	pthread_mutex_init(&holder->lock, NULL);
	holder->now = config;
}

void config_holder_clear(struct config_holder *holder)
{
	if (holder->now == NULL)
		return;
	config_unref(holder->now);
	holder->now = NULL;
	pthread_mutex_destroy(&holder->lock);
}

struct config *config_get(struct config_holder *holder)
{
	struct config *config;

	pthread_mutex_lock(&holder->lock);
	config = config_ref(holder->now);
	pthread_mutex_unlock(&holder->lock);
	return config;
}

void config_set(struct config_holder *holder, struct config *config)
{
	struct config *old;

	pthread_mutex_lock(&holder->lock);
	old = holder->now;
	holder->now = config;
	pthread_mutex_unlock(&holder->lock);
	config_unref(old);
}
