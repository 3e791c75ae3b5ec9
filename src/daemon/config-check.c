/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What is right in the configuration, see config-check.h.
 *
 * PipeWire takes no offence at a key that it does not know. We do: a rule that
 * was mistyped would never match, and a guest would play where it must not. */

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

#include <spa/utils/string.h>
#include <pipewire/keys.h>

#include "budget.h"
#include "config-check.h"
#include "config.h"
#include "latency.h"
#include "names.h"
#include "xen-snd.h"

/* Sections. */

/* of PipeWire, that a daemon's file can have */
static const char * const sections[] = {
	"context.properties", "context.properties.rules", "context.spa-libs", "context.modules",
	"context.modules.rules", "context.objects", "context.objects.rules", "context.exec",
	"context.exec.rules", "stream.properties", "stream.rules", "filter.properties",
	"filter.rules", "node.rules", "device.rules", NULL
};

static bool has_key(const char * const *keys, const char *key)
{
	for (; *keys; keys++) {
		if (spa_streq(*keys, key))
			return true;
	}
	return false;
}

int config_check_sections(const struct config_text *text, bool ours, struct config_error *error)
{
	char key[CONFIG_KEY_SIZE];
	struct config_value value;
	struct spa_json it;
	const char *at;

	config_enter_text(&it, text);
	while (config_next_key(&it, text, key, &at, &value)) {
		if (spa_streq(key, CONFIG_RULES) || has_key(sections, key))
			continue;
		if (ours || spa_strstartswith(key, "xen-snd."))
			return config_fail(error, text, at, "%s: no such section, there is "
					CONFIG_RULES, key);
	}
	return 0;
}

/* Properties of ours that stream.props and rules can set: the others say what a stream
 * is. One that there is not would do nothing, and nobody would know. */

static bool is_bool(const struct config_value *value)
{
	char word[8];

	return config_get_string(value, word, sizeof(word)) &&
		(spa_streq(word, "true") || spa_streq(word, "false"));
}

static bool is_max_latency(const struct config_value *value)
{
	char text[32];

	return config_get_string(value, text, sizeof(text)) && latency_is_max(text);
}

static bool is_number(const struct config_value *value, double most)
{
	char text[32];
	double number;

	return config_get_string(value, text, sizeof(text)) && spa_atod(text, &number) &&
		number >= 0 && number <= most;
}

static bool is_interval(const struct config_value *value)
{
	return is_number(value, XEN_SND_MAX_EVENTS_INTERVAL);
}

static bool is_min_latency(const struct config_value *value)
{
	return is_number(value, XEN_SND_MAX_LATENCY_MIN);
}

static bool is_without_graph(const struct config_value *value)
{
	char word[16];

	return config_get_string(value, word, sizeof(word)) &&
		(spa_streq(word, "consume") || spa_streq(word, "hold"));
}

static bool is_latency_policy(const struct config_value *value)
{
	char text[32];

	return config_get_string(value, text, sizeof(text)) && latency_is_policy(text);
}

static const struct setting {
	const char *key;
	const char *wanted;
	bool (*is_right)(const struct config_value *value);
} settings[] = {
	{ XEN_SND_KEY_FADE, "true or false", is_bool },
	{ XEN_SND_KEY_CAPTURE_ALLOWED, "true or false", is_bool },
	{ KEY_XEN_UNIQUE_ID_HONOURED, "true or false", is_bool },
	{ XEN_SND_KEY_EVENTS_INTERVAL, "a number of frames, 0 to 10000000", is_interval },
	{ XEN_SND_KEY_LATENCY_MIN, "a number of milliseconds, 0 to 10000", is_min_latency },
	{ KEY_XEN_WITHOUT_GRAPH, "consume or hold", is_without_graph },
	{ KEY_XEN_LATENCY_MAX, "a number of milliseconds, 0.001 to 10000", is_max_latency },
	{ KEY_XEN_LATENCY_POLICY, "refuse or flag", is_latency_policy },
};

int config_check_property(const char *where, const char *key, const char *at,
		const struct config_value *value, struct config_error *error)
{
	size_t i;

	if (!spa_strstartswith(key, "xen."))
		return 0;
	for (i = 0; i < SPA_N_ELEMENTS(settings); i++) {
		if (!spa_streq(settings[i].key, key))
			continue;
		if (settings[i].is_right(value))
			return 0;
		return config_fail(error, value->in, at, "%s: %s = "CONFIG_VALUE_FORMAT": must be %s",
				where, key, CONFIG_VALUE_ARGS(value), settings[i].wanted);
	}
	return config_fail(error, value->in, at, "%s: %s: there is no such property to set",
			where, key);
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

/* "~" and a regular expression, as PipeWire will compile it; or any other string */
static bool is_pattern(const struct config_value *value)
{
	char pattern[1024];
	regex_t regex;

	if (!config_get_string(value, pattern, sizeof(pattern)))
		return false;
	if (pattern[0] != '~')
		return true;
	if (regcomp(&regex, pattern + 1, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	regfree(&regex);
	return true;
}

/* what the parts of a rule say of one another */
struct rule {
	const struct config_text *in;
	struct config_error *error;
	const char *matches, *actions;	/* where they stand */
	const char *of_streams;		/* where it is that no guest as a whole can match */
	const char *of_guests;		/* where it sets a budget */
};

static int check_match(struct rule *rule, const struct config_value *match)
{
	char key[CONFIG_KEY_SIZE];
	struct config_value value;
	struct spa_json it;
	const char *at;

	config_enter(&it, match);
	while (config_next_key(&it, rule->in, key, &at, &value)) {
		if (!has_key(match_keys, key))
			return config_fail(rule->error, rule->in, at, CONFIG_RULES": matches: no "
					"stream has a property \"%s\" to match", key);
		if (!is_pattern(&value))
			return config_fail(rule->error, rule->in, at, CONFIG_RULES": matches: %s: "
					"must be a string, or ~ and a regular expression", key);
		if (!has_key(guest_keys, key))
			rule->of_streams = at;
	}
	return 0;
}

static int check_matches(struct rule *rule, const struct config_value *matches)
{
	struct config_value match;
	struct spa_json it;
	int n = 0, res;

	if (config_is_array(matches)) {
		config_enter(&it, matches);
		for (; config_next_item(&it, rule->in, &match); n++) {
			if (!config_is_object(&match))
				return config_fail(rule->error, rule->in, match.text, CONFIG_RULES
						": matches: must be an array of objects");
			if ((res = check_match(rule, &match)) < 0)
				return res;
		}
	}
	if (n == 0)
		return config_fail(rule->error, rule->in, matches->text, CONFIG_RULES
				": matches: must be an array of objects, one at least");
	return 0;
}

static int check_budget(struct rule *rule, const char *key, const char *at,
		const struct config_value *value)
{
	char text[16] = "";
	enum budget_id id;
	uint32_t limit;
	int res;

	if (!config_get_string(value, text, sizeof(text)))
		text[0] = '\0';
	rule->of_guests = at;
	if ((res = budget_parse(key, text, &id, &limit)) == -ENOENT)
		return config_fail(rule->error, rule->in, at, CONFIG_RULES": update-props: %s: "
				"there is no such budget", key);
	if (res < 0)
		return config_fail(rule->error, rule->in, at, CONFIG_RULES": update-props: %s = "
				CONFIG_VALUE_FORMAT": must be a number from %u to %u", key,
				CONFIG_VALUE_ARGS(value), budget_infos[id].least,
				budget_infos[id].most);
	return 0;
}

/* nothing but keys with values, and ours are right */
static int check_update_props(struct rule *rule, const struct config_value *props)
{
	char key[CONFIG_KEY_SIZE];
	struct config_value value;
	struct spa_json it;
	const char *at;
	int res;

	if (!config_is_object(props))
		return config_fail(rule->error, rule->in, props->text, CONFIG_RULES": update-props: "
				"must be an object of keys and values");
	config_enter(&it, props);
	while (config_next_key(&it, rule->in, key, &at, &value)) {
		if (spa_strstartswith(key, BUDGET_PREFIX))
			res = check_budget(rule, key, at, &value);
		else
			res = config_check_property(CONFIG_RULES": update-props", key, at, &value,
					rule->error);
		if (res < 0)
			return res;
	}
	return 0;
}

static int check_actions(struct rule *rule, const struct config_value *actions)
{
	char key[CONFIG_KEY_SIZE];
	struct config_value value;
	struct spa_json it;
	const char *at;
	int n = 0, res;

	if (config_is_object(actions)) {
		config_enter(&it, actions);
		for (; config_next_key(&it, rule->in, key, &at, &value); n++) {
			if (!spa_streq(key, "update-props"))
				return config_fail(rule->error, rule->in, at, CONFIG_RULES": actions: "
						"%s: the only action is update-props", key);
			if ((res = check_update_props(rule, &value)) < 0)
				return res;
		}
	}
	if (n == 0)
		return config_fail(rule->error, rule->in, actions->text, CONFIG_RULES": actions: "
				"must be { update-props = { … } }");
	return 0;
}

static int check_part(struct rule *rule, const char *key, const char *at,
		const struct config_value *value)
{
	if (spa_streq(key, "matches")) {
		rule->matches = at;
		return check_matches(rule, value);
	}
	if (spa_streq(key, "actions")) {
		rule->actions = at;
		return check_actions(rule, value);
	}
	return config_fail(rule->error, rule->in, at, CONFIG_RULES": %s: a rule has matches and "
			"actions", key);
}

static int check_rule(const struct config_value *value, struct config_error *error)
{
	struct rule rule = { .in = value->in, .error = error };
	char key[CONFIG_KEY_SIZE];
	struct config_value part;
	struct spa_json it;
	const char *at;
	int res;

	if (!config_is_object(value))
		return config_fail(error, value->in, value->text, CONFIG_RULES": "
				CONFIG_VALUE_FORMAT": a rule is an object", CONFIG_VALUE_ARGS(value));
	config_enter(&it, value);
	while (config_next_key(&it, value->in, key, &at, &part)) {
		if ((res = check_part(&rule, key, at, &part)) < 0)
			return res;
	}
	if (!rule.matches || !rule.actions)
		return config_fail(error, value->in, value->text, CONFIG_RULES": a rule without %s",
				rule.matches ? "actions" : "matches");
	if (rule.of_guests && rule.of_streams)
		return config_fail(error, value->in, rule.of_guests, CONFIG_RULES": "BUDGET_PREFIX
				"… is of a guest: matches must name "KEY_XEN_DOMID", "
				KEY_XEN_GUEST_NAME" or "KEY_XEN_GUEST_UUID" only");
	return 0;
}

int config_check_rules(const struct config_value *value, struct config_error *error)
{
	struct config_value rule;
	struct spa_json it;
	int res;

	if (!config_is_array(value))
		return config_fail(error, value->in, value->text, CONFIG_RULES": must be an array "
				"of rules, from [ to ]");
	config_enter(&it, value);
	while (config_next_item(&it, value->in, &rule)) {
		if ((res = check_rule(&rule, error)) < 0)
			return res;
	}
	return 0;
}
