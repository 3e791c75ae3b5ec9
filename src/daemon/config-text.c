/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Texts of the configuration, see config-text.h. */

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spa/utils/string.h>

#include "compat.h"
#include "config-text.h"

#define MAX_DEPTH	32

/* what ends a word, and what stands between words */
#define BLANKS		" \t\r\n:=,"

struct config_text *config_text_new(const char *file, const char *text, size_t size)
{
	struct config_text *t;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		return NULL;
	t->file = strdup(file);
	t->text = malloc(size + 1);
	t->size = size;
	if (t->file == NULL || t->text == NULL) {
		config_text_free(t);
		errno = ENOMEM;
		return NULL;
	}
	memcpy(t->text, text, size);
	t->text[size] = '\0';
	return t;
}

void config_text_free(struct config_text *t)
{
	free(t->file);
	free(t->text);
	free(t);
}

static unsigned int line_of(const struct config_text *text, const char *at)
{
	const char *c = text->text;
	unsigned int line = 1;

	while (c < at && (c = memchr(c, '\n', at - c)) != NULL) {
		line++;
		c++;
	}
	return line;
}

int config_fail(struct config_error *error, const struct config_text *text, const char *at,
		const char *format, ...)
{
	va_list args;
	int n;

	if (at)
		n = snprintf(error->text, sizeof(error->text), "%s:%u: ", text->file,
				line_of(text, at));
	else
		n = snprintf(error->text, sizeof(error->text), "%s: ", text->file);
	n = SPA_CLAMP(n, 0, (int)sizeof(error->text) - 1);
	va_start(args, format);
	vsnprintf(error->text + n, sizeof(error->text) - n, format, args);
	va_end(args);
	/* a key may have been written with \n in it */
	for (char *c = error->text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	return -EINVAL;
}

/* Checking. */

struct level {
	const char *open;		/* the bracket; NULL: the text itself */
	const char *key;		/* in an object: the key whose value is awaited */
	int key_len;
};

struct checker {
	const struct config_text *text;
	struct config_error *error;
	const char *cur, *end;
	struct level levels[MAX_DEPTH];
	unsigned int depth;		/* the level that `cur` is in */
	bool begun;			/* something came before */
};

#define KEY_FORMAT	"%.*s%s"

/* the section that a mistake is in, to begin a line with */
#define SECTION(c)								\
	(c)->levels[0].key ? SPA_MIN((c)->levels[0].key_len, 80) : 0,		\
	(c)->levels[0].key ? (c)->levels[0].key : "",				\
	(c)->levels[0].key ? ": " : ""

static bool is_object(const struct level *level)
{
	return level->open == NULL || *level->open == '{';
}

/* a value, or a key, has begun at `at`, and is `len` octets if it is a word */
static int take(struct checker *c, const char *at, int len, bool container)
{
	struct level *level = &c->levels[c->depth];

	if (!is_object(level))
		return 0;
	if (level->key) {
		/* a section's name is kept for as long as its value is read */
		if (!container)
			level->key = NULL;
		return 0;
	}
	if (container)
		return config_fail(c->error, c->text, at, KEY_FORMAT"%c where a key is awaited: "
				"write KEY = %c", SECTION(c), *at, *at);
	level->key = at;
	level->key_len = len;
	return 0;
}

/* octets that follow this one in UTF-8, or -1 if it begins nothing */
static int more_octets(unsigned char octet)
{
	if (octet >= 32 && octet <= 126)
		return 0;
	if (octet >= 0xc0 && octet < 0xf8)
		return octet >= 0xf0 ? 3 : octet >= 0xe0 ? 2 : 1;
	return -1;
}

/* the octet or octets after `s` of a string; NULL if they can't be in one */
static const char *skip_octet(const char *s, const char *end)
{
	int n;

	if (*s == '\\')
		return s + 1 < end && s[1] != '\0' && strchr("\"\\/bfnrtu", s[1]) ? s + 2 : NULL;
	if ((n = more_octets(*s++)) < 0)
		return NULL;
	for (; n > 0; n--, s++) {
		if (s == end || (*s & 0xc0) != 0x80)
			return NULL;
	}
	return s;
}

static int check_string(struct checker *c)
{
	const char *begin = c->cur, *s = begin + 1;

	while (s < c->end && *s != '"') {
		if (*s == '\n')
			break;
		if ((s = skip_octet(s, c->end)) == NULL)
			return config_fail(c->error, c->text, begin, KEY_FORMAT"the string that "
					"begins here has an octet that is not UTF-8, or an escape that "
					"there is not", SECTION(c));
	}
	if (s == c->end || *s != '"')
		return config_fail(c->error, c->text, begin, KEY_FORMAT"the string that begins "
				"here is not closed in its line: write \" at its end", SECTION(c));
	c->cur = s + 1;
	return take(c, begin, c->cur - begin, false);
}

static int check_word(struct checker *c)
{
	const char *begin = c->cur;

	/* PipeWire's versions differ in what they make of these */
	for (; c->cur < c->end && strchr(BLANKS"]}", *c->cur) == NULL; c->cur++) {
		if (strchr("[{\"#\\", *c->cur))
			return config_fail(c->error, c->text, c->cur, KEY_FORMAT"%c inside of a "
					"word: write \"\" around it, or a space before", SECTION(c),
					*c->cur);
		if (*c->cur < 32 || *c->cur > 126)
			return config_fail(c->error, c->text, c->cur, KEY_FORMAT"a word has an "
					"octet that is not ASCII: write \"\" around it", SECTION(c));
	}
	return take(c, begin, c->cur - begin, false);
}

static int check_open(struct checker *c)
{
	int res;

	/* the whole of a text may be in { } */
	if ((c->begun || *c->cur != '{') && (res = take(c, c->cur, 1, true)) < 0)
		return res;
	if (c->depth + 1 == MAX_DEPTH)
		return config_fail(c->error, c->text, c->cur, KEY_FORMAT"more than %u brackets one "
				"in another", SECTION(c), MAX_DEPTH - 1);
	c->levels[++c->depth] = (struct level) { .open = c->cur++ };
	return 0;
}

static int check_key_has_value(struct checker *c)
{
	const struct level *level = &c->levels[c->depth];

	if (!is_object(level) || level->key == NULL)
		return 0;
	if (c->depth == 0)
		return config_fail(c->error, c->text, level->key, KEY_FORMAT"no value", SECTION(c));
	return config_fail(c->error, c->text, level->key, KEY_FORMAT"%.*s: no value: write it, or "
			"remove the key", SECTION(c), SPA_MIN(level->key_len, 80), level->key);
}

static int check_close(struct checker *c)
{
	const struct level *level = &c->levels[c->depth];
	int res;

	if (c->depth == 0)
		return config_fail(c->error, c->text, c->cur, "%c closes nothing: remove it",
				*c->cur);
	if ((*c->cur == '}') != (*level->open == '{'))
		return config_fail(c->error, c->text, c->cur, KEY_FORMAT"%c closes the %c of line "
				"%u: one of them is wrong", SECTION(c), *c->cur, *level->open,
				line_of(c->text, level->open));
	if ((res = check_key_has_value(c)) < 0)
		return res;
	c->cur++;
	/* the key that it is the value of has it */
	c->levels[--c->depth].key = NULL;
	return 0;
}

static int check_token(struct checker *c)
{
	switch (*c->cur) {
	case '"':
		return check_string(c);
	case '[': case '{':
		return check_open(c);
	case ']': case '}':
		return check_close(c);
	default:
		return check_word(c);
	}
}

/* What stands between a key and its value stands nowhere else. */
static int check_separator(struct checker *c)
{
	const struct level *level = &c->levels[c->depth];

	if (strchr("=:", *c->cur) == NULL || (is_object(level) && level->key))
		return 0;
	return config_fail(c->error, c->text, c->cur, KEY_FORMAT"%c without a key before it: write "
			"\"\" around a value that has one", SECTION(c), *c->cur);
}

/* 0 at the end */
static int skip_blanks(struct checker *c)
{
	int res;

	while (c->cur < c->end) {
		if (*c->cur == '#') {
			c->cur += strcspn(c->cur, "\r\n");
			continue;
		}
		if (strchr(BLANKS, *c->cur) == NULL)
			return 1;
		if ((res = check_separator(c)) < 0)
			return res;
		c->cur++;
	}
	return 0;
}

/* The last one would be the only one that counts. */
static int check_sections(const struct config_text *text, struct config_error *error)
{
	char key[CONFIG_KEY_SIZE], other[CONFIG_KEY_SIZE];
	const char *at, *other_at;
	struct spa_json it, rest;
	struct config_value value;

	config_enter_text(&it, text);
	while (config_next_key(&it, text, key, &at, &value)) {
		rest = it;
		while (config_next_key(&rest, text, other, &other_at, &value)) {
			if (spa_streq(key, other))
				return config_fail(error, text, other_at, "%s: is in line %u already: "
						"put both into one", key, line_of(text, at));
		}
	}
	return 0;
}

int config_text_check(const struct config_text *text, struct config_error *error)
{
	struct checker c = {
		.text = text, .error = error, .cur = text->text, .end = text->text + text->size,
	};
	int res;

	if (strlen(text->text) != text->size)
		return config_fail(error, text, text->text + strlen(text->text),
				"an octet that is 0: this is no text");
	while ((res = skip_blanks(&c)) > 0) {
		if ((res = check_token(&c)) < 0)
			return res;
		c.begun = true;
	}
	if (res < 0)
		return res;
	if (c.depth > 0)
		return config_fail(error, text, c.levels[c.depth].open, KEY_FORMAT"the %c of this "
				"line is never closed: write %c at its end", SECTION(&c),
				*c.levels[c.depth].open, *c.levels[c.depth].open == '{' ? '}' : ']');
	if ((res = check_key_has_value(&c)) < 0)
		return res;
	return check_sections(text, error);
}

/* Reading. */

/* which may stand in { } */
void config_enter_text(struct spa_json *it, const struct config_text *text)
{
	struct config_value all;

	*it = XEN_SND_JSON_INIT('{', text->text, text->size);
	if (config_next_item(it, text, &all) && config_is_object(&all))
		config_enter(it, &all);
	else
		*it = XEN_SND_JSON_INIT('{', text->text, text->size);
}

void config_enter(struct spa_json *it, const struct config_value *value)
{
	*it = XEN_SND_JSON_INIT(*value->text, value->text + 1, SPA_MAX(value->len - 2, 0));
}

bool config_next_item(struct spa_json *it, const struct config_text *in,
		struct config_value *value)
{
	value->in = in;
	if ((value->len = spa_json_next(it, &value->text)) <= 0)
		return false;
	if (spa_json_is_container(value->text, value->len))
		value->len = spa_json_container_len(it, value->text, value->len);
	return value->len > 0;
}

bool config_next_key(struct spa_json *it, const struct config_text *in,
		char key[CONFIG_KEY_SIZE], const char **at, struct config_value *value)
{
	int len;

	if ((len = spa_json_next(it, at)) <= 0)
		return false;
	/* one that is too long is none of ours */
	if (len >= CONFIG_KEY_SIZE)
		snprintf(key, CONFIG_KEY_SIZE, "%.*s", CONFIG_KEY_SIZE - 1, *at);
	else
		spa_json_parse_stringn(*at, len, key, CONFIG_KEY_SIZE);
	return config_next_item(it, in, value);
}

struct config_value config_find(const struct config_text *text, const char *section)
{
	char key[CONFIG_KEY_SIZE];
	struct config_value value;
	struct spa_json it;
	const char *at;

	config_enter_text(&it, text);
	while (config_next_key(&it, text, key, &at, &value)) {
		if (spa_streq(key, section))
			return value;
	}
	return (struct config_value) { .in = text };
}

bool config_get_string(const struct config_value *value, char *string, size_t size)
{
	return !spa_json_is_container(value->text, value->len) && value->len < (int)size &&
		spa_json_parse_stringn(value->text, value->len, string, size) > 0;
}
