/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The module's own configuration, see config.h.
 *
 * PipeWire takes no offence at a key that it does not know. We do: a rule that
 * was mistyped would never match, and a guest would play where it must not. */

#include <errno.h>
#include <linux/limits.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spa/utils/json.h>
#include <spa/utils/result.h>
#include <spa/utils/string.h>

#include <pipewire/conf.h>

#include "config.h"
#include "log.h"
#include "names.h"
#include "xen-snd.h"

#define MODULE_NAME	"libpipewire-module-xen-snd"
#define KEY_SIZE	256

#define DEFAULT_MAX_BUFFER	(1024 * 1024)
#define HARD_MAX_BUFFER		(64 * 1024 * 1024)

/* Module arguments. Each is documented in man/libpipewire-module-xen-snd.7. */

static int set_stream_props(struct config *config, const char *value, size_t len)
{
	if (!spa_json_is_object(value, len))
		return -EINVAL;
	return pw_properties_update_string(config->stream_props, value, len) < 0 ? -EINVAL : 0;
}

static int set_max_buffer(struct config *config, const char *value, size_t len)
{
	int octets;

	if (spa_json_parse_int(value, len, &octets) <= 0 ||
	    octets < 4096 || octets > HARD_MAX_BUFFER)
		return -EINVAL;
	config->max_buffer = octets;
	return 0;
}

static int set_state_file(struct config *config, const char *value, size_t len)
{
	char path[PATH_MAX];

	if (spa_json_is_container(value, len) ||
	    spa_json_parse_stringn(value, len, path, sizeof(path)) <= 0 ||
	    (path[0] != '/' && path[0] != '\0'))
		return -EINVAL;
	free(config->state_file);
	config->state_file = strdup(path);
	return config->state_file ? 0 : -errno;
}

static const struct option {
	const char *key;
	const char *wanted;
	int (*set)(struct config *config, const char *value, size_t len);
} options[] = {
	{ "stream.props", "an object of node properties", set_stream_props },
	{ "stream.max-buffer", "a number of octets, 4096 to 67108864", set_max_buffer },
	{ "state.file", "an absolute path, or \"\" for none", set_state_file },
};

static int find_location(void *data, const char *location, const char *section,
		const char *str, size_t len)
{
	const char **file = data;

	if (memmem(str, len, MODULE_NAME, strlen(MODULE_NAME)))
		*file = location;
	return 0;
}

/* the file that loads this module */
static const char *args_location(struct config *config)
{
	const char *file = "arguments of "MODULE_NAME;

	pw_context_conf_section_for_each(config->context, "context.modules",
			find_location, &file);
	return file;
}

static int set_option(struct config *config, const char *file, const char *key,
		const char *value, size_t len)
{
	size_t i;
	int res;

	for (i = 0; i < SPA_N_ELEMENTS(options); i++) {
		if (!spa_streq(options[i].key, key))
			continue;
		if ((res = options[i].set(config, value, len)) < 0)
			pw_log_error("%s: %s = %.*s: must be %s", file, key,
					(int)SPA_MIN(len, 80u), value, options[i].wanted);
		return res;
	}
	pw_log_error("%s: %s: "MODULE_NAME" has no such option", file, key);
	return -EINVAL;
}

/* The next value, whole if it is a container. 0 at the end. */
static int next_value(struct spa_json *it, const char **value)
{
	int len = spa_json_next(it, value);

	if (len > 0 && spa_json_is_container(*value, len))
		len = spa_json_container_len(it, *value, len);
	return len;
}

static int read_args(struct config *config, const char *args)
{
	const char *file = args_location(config), *value;
	struct spa_json it[2];
	char key[KEY_SIZE];
	int len, res;

	if (args == NULL)
		return 0;
	spa_json_init(&it[0], args, strlen(args));
	if (spa_json_enter_object(&it[0], &it[1]) <= 0)
		spa_json_init(&it[1], args, strlen(args));

	while (spa_json_get_string(&it[1], key, sizeof(key)) > 0) {
		if ((len = next_value(&it[1], &value)) <= 0) {
			pw_log_error("%s: %s: no value", file, key);
			return -EINVAL;
		}
		if ((res = set_option(config, file, key, value, len)) < 0)
			return res;
	}
	return 0;
}

/* Properties of ours that stream.props and rules can set: the others say what a stream
 * is. One that there is not would do nothing, and nobody would know. */

static bool is_bool(const char *value, int len)
{
	char word[8];

	if (spa_json_is_container(value, len) || len >= (int)sizeof(word))
		return false;
	spa_json_parse_stringn(value, len, word, sizeof(word));
	return spa_streq(word, "true") || spa_streq(word, "false");
}

static const struct setting {
	const char *key;
	const char *wanted;
	bool (*is_right)(const char *value, int len);
} settings[] = {
	{ XEN_SND_KEY_FADE, "true or false", is_bool },
	{ XEN_SND_KEY_CAPTURE_ALLOWED, "true or false", is_bool },
};

static int check_setting(const char *file, const char *where, const char *key,
		const char *value, int len)
{
	size_t i;

	if (!spa_strstartswith(key, "xen."))
		return 0;
	for (i = 0; i < SPA_N_ELEMENTS(settings); i++) {
		if (!spa_streq(settings[i].key, key))
			continue;
		if (settings[i].is_right(value, len))
			return 0;
		pw_log_error("%s: %s: %s = %.*s: must be %s", file, where, key,
				SPA_MIN(len, 80), value, settings[i].wanted);
		return -EINVAL;
	}
	pw_log_error("%s: %s: %s: there is no such property to set", file, where, key);
	return -EINVAL;
}

static int check_stream_props(struct config *config)
{
	const char *key, *value;
	void *state = NULL;
	int res;

	while ((key = pw_properties_iterate(config->stream_props, &state)) != NULL) {
		value = pw_properties_get(config->stream_props, key);
		if ((res = check_setting(args_location(config), "stream.props", key, value,
				strlen(value))) < 0)
			return res;
	}
	return 0;
}

/* Rules. */

/* what a rule can match: what a node has before any rule has spoken */
static const char * const match_keys[] = {
	KEY_XEN_DOMID, KEY_XEN_GUEST_NAME, KEY_XEN_GUEST_UUID, KEY_XEN_DEVICE, KEY_XEN_PCM,
	KEY_XEN_STREAM, KEY_XEN_DIRECTION, KEY_XEN_CARD_LABEL, KEY_XEN_PCM_LABEL,
	KEY_XEN_UNIQUE_ID, PW_KEY_NODE_NAME, PW_KEY_MEDIA_CLASS, NULL
};

/* those of a guest as a whole */
static const char * const guest_keys[] = {
	KEY_XEN_DOMID, KEY_XEN_GUEST_NAME, KEY_XEN_GUEST_UUID, NULL
};

static bool has_key(const char * const *keys, const char *key)
{
	for (; *keys; keys++) {
		if (spa_streq(*keys, key))
			return true;
	}
	return false;
}

/* "~" and a regular expression, as PipeWire will compile it; or any other string */
static bool is_pattern(const char *value, int len)
{
	char pattern[1024];
	regex_t regex;

	if (spa_json_is_container(value, len) || len >= (int)sizeof(pattern))
		return false;
	spa_json_parse_stringn(value, len, pattern, sizeof(pattern));
	if (pattern[0] != '~')
		return true;
	if (regcomp(&regex, pattern + 1, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	regfree(&regex);
	return true;
}

/* what the parts of a rule say of one another */
struct rule {
	bool matches, actions;
	bool of_streams;		/* no guest as a whole can match */
	bool of_guests;			/* sets budgets */
};

static int check_match(const char *file, struct spa_json *match, struct rule *rule)
{
	char key[KEY_SIZE];
	const char *value;
	int len;

	while (spa_json_get_string(match, key, sizeof(key)) > 0) {
		if (!has_key(match_keys, key)) {
			pw_log_error("%s: "CONFIG_RULES": matches: no stream has a property \"%s\" "
					"to match", file, key);
			return -EINVAL;
		}
		if ((len = next_value(match, &value)) <= 0 || !is_pattern(value, len)) {
			pw_log_error("%s: "CONFIG_RULES": matches: %s: must be a string, or ~ and "
					"a regular expression", file, key);
			return -EINVAL;
		}
		rule->of_streams = rule->of_streams || !has_key(guest_keys, key);
	}
	return 0;
}

static int check_matches(const char *file, const char *value, size_t len, struct rule *rule)
{
	struct spa_json it[3];
	int res = 0, n_matches = 0, n;

	spa_json_init(&it[0], value, len);
	if (spa_json_enter_array(&it[0], &it[1]) <= 0)
		goto error;
	for (; (n = next_value(&it[1], &value)) > 0; n_matches++) {
		if (!spa_json_is_object(value, n))
			goto error;
		spa_json_init(&it[2], value + 1, n - 2);
		if ((res = check_match(file, &it[2], rule)) < 0)
			return res;
	}
	if (n_matches > 0)
		return 0;
error:
	pw_log_error("%s: "CONFIG_RULES": matches: must be an array of objects", file);
	return -EINVAL;
}

static int check_budget(const char *file, const char *key, const char *value, int len)
{
	char text[16] = "";
	enum budget_id id;
	uint32_t limit;
	int res;

	if (len < (int)sizeof(text) && !spa_json_is_container(value, len))
		spa_json_parse_stringn(value, len, text, sizeof(text));
	if ((res = budget_parse(key, text, &id, &limit)) == -ENOENT)
		pw_log_error("%s: "CONFIG_RULES": update-props: %s: there is no such budget",
				file, key);
	else if (res < 0)
		pw_log_error("%s: "CONFIG_RULES": update-props: %s = %.*s: must be a number from "
				"%u to %u", file, key, SPA_MIN(len, 80), value,
				budget_infos[id].least, budget_infos[id].most);
	return res < 0 ? -EINVAL : 0;
}

/* nothing but keys with values, and ours are right */
static int check_update_props(const char *file, const char *value, int len,
		struct rule *rule)
{
	struct spa_json it;
	char key[KEY_SIZE];
	int res;

	if (!spa_json_is_object(value, len))
		goto error;
	spa_json_init(&it, value + 1, len - 2);
	while (spa_json_get_string(&it, key, sizeof(key)) > 0) {
		if ((len = next_value(&it, &value)) <= 0)
			goto error;
		if (spa_strstartswith(key, BUDGET_PREFIX)) {
			res = check_budget(file, key, value, len);
			rule->of_guests = true;
		} else {
			res = check_setting(file, CONFIG_RULES": update-props", key, value, len);
		}
		if (res < 0)
			return res;
	}
	return 0;
error:
	pw_log_error("%s: "CONFIG_RULES": update-props: must be an object of keys and values", file);
	return -EINVAL;
}

static int check_actions(const char *file, const char *value, size_t len, struct rule *rule)
{
	struct spa_json it[2];
	char key[KEY_SIZE];
	int n = 0, res;

	spa_json_init(&it[0], value, len);
	if (spa_json_enter_object(&it[0], &it[1]) > 0) {
		for (; spa_json_get_string(&it[1], key, sizeof(key)) > 0; n++) {
			if (!spa_streq(key, "update-props")) {
				pw_log_error("%s: "CONFIG_RULES": actions: %s: the only action is "
						"update-props", file, key);
				return -EINVAL;
			}
			len = SPA_MAX(next_value(&it[1], &value), 0);
			if ((res = check_update_props(file, value, len, rule)) < 0)
				return res;
		}
	}
	if (n == 0) {
		pw_log_error("%s: "CONFIG_RULES": actions: must be { update-props = { … } }", file);
		return -EINVAL;
	}
	return 0;
}

static int check_rule(const char *file, struct spa_json *it)
{
	struct rule rule = { .matches = false };
	char key[KEY_SIZE];
	const char *value;
	int len, res;

	while (spa_json_get_string(it, key, sizeof(key)) > 0) {
		len = SPA_MAX(next_value(it, &value), 0);
		if (spa_streq(key, "matches") && (rule.matches = true)) {
			res = check_matches(file, value, len, &rule);
		} else if (spa_streq(key, "actions") && (rule.actions = true)) {
			res = check_actions(file, value, len, &rule);
		} else {
			pw_log_error("%s: "CONFIG_RULES": %s: a rule has matches and actions",
					file, key);
			res = -EINVAL;
		}
		if (res < 0)
			return res;
	}
	if (!rule.matches || !rule.actions) {
		pw_log_error("%s: "CONFIG_RULES": a rule without %s", file,
				rule.matches ? "actions" : "matches");
		return -EINVAL;
	}
	if (rule.of_guests && rule.of_streams) {
		pw_log_error("%s: "CONFIG_RULES": "BUDGET_PREFIX"… is of a guest: matches must name "
				KEY_XEN_DOMID", "KEY_XEN_GUEST_NAME" or "KEY_XEN_GUEST_UUID" only", file);
		return -EINVAL;
	}
	return 0;
}

static int check_rules(void *data, const char *file, const char *section,
		const char *str, size_t len)
{
	struct spa_json it[3];
	const char *value;
	int n, res;

	spa_json_init(&it[0], str, len);
	/* the whole of it: PipeWire does not mind one that is never closed */
	n = next_value(&it[0], &value);
	if (n <= 0 || value + n > str + len || value[0] != '[' || value[n - 1] != ']') {
		pw_log_error("%s: "CONFIG_RULES": must be an array of rules, from [ to ]", file);
		return -EINVAL;
	}
	spa_json_init(&it[1], value + 1, n - 2);
	while ((n = next_value(&it[1], &value)) > 0) {
		if (!spa_json_is_object(value, n)) {
			pw_log_error("%s: "CONFIG_RULES": %.*s: a rule is an object", file,
					SPA_MIN(n, 80), value);
			return -EINVAL;
		}
		spa_json_init(&it[2], value + 1, n - 2);
		if ((res = check_rule(file, &it[2])) < 0)
			return res;
	}
	return 0;
}

/* Sections. */

/* the files that PipeWire has read: the main one, and those of its .d directories */
#define MAX_LEVELS	8
#define MAX_FILES	128

static int check_sections(const char *file)
{
	struct pw_properties *sections;
	const char *key;
	void *state = NULL;
	int res = 0;

	if ((sections = pw_properties_new(NULL, NULL)) == NULL)
		return -errno;
	if (pw_conf_load_conf(NULL, file, sections) < 0)
		goto done;
	while ((key = pw_properties_iterate(sections, &state)) != NULL) {
		if (!spa_strstartswith(key, "xen-snd.") || spa_streq(key, CONFIG_RULES))
			continue;
		pw_log_error("%s: %s: no such section, there is "CONFIG_RULES, file, key);
		res = -EINVAL;
	}
done:
	pw_properties_free(sections);
	return res;
}

static int check_files(struct config *config)
{
	const char *file;
	char key[KEY_SIZE];
	int level, i, res;

	file = pw_context_get_conf_section(config->context, "config.path");
	if (file && (res = check_sections(file)) < 0)
		return res;
	for (level = 0; level < MAX_LEVELS; level++) {
		for (i = 0; i < MAX_FILES; i++) {
			snprintf(key, sizeof(key), "override.%d.%d.config.path", level, i);
			file = pw_context_get_conf_section(config->context, key);
			if (file && (res = check_sections(file)) < 0)
				return res;
		}
	}
	return 0;
}

static int apply_rule(void *data, const char *file, const char *action,
		const char *value, size_t len)
{
	if (spa_streq(action, "update-props"))
		pw_properties_update_string(data, value, len);
	return 0;
}

void config_apply(struct config *config, struct pw_properties *props)
{
	struct pw_properties *matched;

	pw_properties_update(props, &config->stream_props->dict);
	/* rules match what the stream is, not what an earlier rule made of it */
	if ((matched = pw_properties_copy(props)) == NULL)
		return;
	pw_context_conf_section_match_rules(config->context, CONFIG_RULES, &matched->dict,
			apply_rule, props);
	pw_properties_free(matched);
}

void config_set_budgets(const struct config *config, const struct spa_dict *props,
		struct budgets *budgets)
{
	const struct config_rules *rules;
	struct pw_properties *found;
	const char *key;
	void *state = NULL;

	budgets_set_normal(budgets);
	if ((found = pw_properties_new(NULL, NULL)) == NULL)
		return;
	spa_list_for_each(rules, &config->rules, link) {
		pw_conf_match_rules(rules->text, strlen(rules->text), rules->file, props,
				apply_rule, found);
	}
	while ((key = pw_properties_iterate(found, &state)) != NULL)
		budgets_set(budgets, key, pw_properties_get(found, key));
	pw_properties_free(found);
}

/* The context's are the main loop's. */
static int keep_rules(void *data, const char *file, const char *section,
		const char *str, size_t len)
{
	struct config *config = data;
	struct config_rules *rules;

	if ((rules = calloc(1, sizeof(*rules))) == NULL)
		return -errno;
	spa_list_append(&config->rules, &rules->link);
	rules->file = strdup(file ? file : "");
	rules->text = strndup(str, len);
	return rules->file && rules->text ? 0 : -ENOMEM;
}

static void drop_rules(struct config *config)
{
	struct config_rules *rules;

	spa_list_consume(rules, &config->rules, link) {
		spa_list_remove(&rules->link);
		free(rules->file);
		free(rules->text);
		free(rules);
	}
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

int config_init(struct config *config, struct pw_context *context, const char *args)
{
	int res;

	*config = (struct config) { .context = context, .max_buffer = DEFAULT_MAX_BUFFER };
	spa_list_init(&config->rules);
	if ((config->stream_props = pw_properties_new(NULL, NULL)) == NULL)
		return -errno;
	if ((config->state_file = default_state_file()) == NULL) {
		res = -errno;
		goto error;
	}
	if ((res = read_args(config, args)) < 0 || (res = check_stream_props(config)) < 0 ||
	    (res = check_files(config)) < 0)
		goto error;
	if ((res = pw_context_conf_section_for_each(context, CONFIG_RULES, check_rules, NULL)) < 0 ||
	    (res = pw_context_conf_section_for_each(context, CONFIG_RULES, keep_rules, config)) < 0)
		goto error;
	return 0;
error:
	config_clear(config);
	return res;
}

void config_clear(struct config *config)
{
	pw_properties_free(config->stream_props);
	config->stream_props = NULL;
	free(config->state_file);
	config->state_file = NULL;
	drop_rules(config);
}
