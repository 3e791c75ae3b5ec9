/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A file of the configuration as a text, where in it something stands, and what is wrong
 * with it: SPA's relaxed JSON, of which PipeWire minds no mistake. Pure. */

#ifndef XEN_SND_CONFIG_TEXT_H
#define XEN_SND_CONFIG_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <spa/utils/defs.h>
#include <spa/utils/json.h>
#include <spa/utils/list.h>

#define CONFIG_KEY_SIZE	256

struct config_text {
	struct spa_list link;
	char *file;			/* where it is from, for people */
	char *text;
	size_t size;
};

/* one line for people: FILE:LINE: KEY: what is wrong */
struct config_error {
	char text[1024];
};

/* a value as it stands in a text, whole if it is a container; NULL: there is none */
struct config_value {
	const struct config_text *in;
	const char *text;
	int len;
};

/* Copies both. NULL with errno. */
struct config_text *config_text_new(const char *file, const char *text, size_t size);
void config_text_free(struct config_text *text);

/* Write the line: what is wrong stands at `at` of the text, or in all of it (NULL).
 * Returns -EINVAL. */
SPA_PRINTF_FUNC(4, 5)
int config_fail(struct config_error *error, const struct config_text *text, const char *at,
		const char *format, ...);

/* Brackets and strings are closed, keys have values, no section is there twice:
 * 0 or -EINVAL. The other functions want a text of which that is true. */
int config_text_check(const struct config_text *text, struct config_error *error);

/* The next section of a text, or the next key of an object. `it` as of config_enter().
 * false: there is no more. */
bool config_next_key(struct spa_json *it, const struct config_text *in,
		char key[CONFIG_KEY_SIZE], const char **at, struct config_value *value);

/* The next item of an array. */
bool config_next_item(struct spa_json *it, const struct config_text *in,
		struct config_value *value);

/* Into a text, or into an object or array. */
void config_enter_text(struct spa_json *it, const struct config_text *text);
void config_enter(struct spa_json *it, const struct config_value *value);

/* The value of a section. */
struct config_value config_find(const struct config_text *text, const char *section);

/* a value as a string: false if it is none or does not fit */
bool config_get_string(const struct config_value *value, char *string, size_t size);

static inline bool config_is_object(const struct config_value *value)
{
	return spa_json_is_object(value->text, value->len);
}

static inline bool config_is_array(const struct config_value *value)
{
	return spa_json_is_array(value->text, value->len);
}

/* a value in a line of an error */
#define CONFIG_VALUE_FORMAT	"%.*s"
#define CONFIG_VALUE_ARGS(v)	(int)SPA_MIN(strcspn((v)->text, "\n"), (size_t)SPA_MIN((v)->len, 80)), (v)->text

#endif /* XEN_SND_CONFIG_TEXT_H */
