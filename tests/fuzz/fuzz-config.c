/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The module's arguments and the section xen-snd.rules, whatever their text: they
 * are taken, or refused with a line that says what is wrong; what was taken can be
 * applied. The input is the arguments, a NUL, and the rules. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <pipewire/conf.h>

#include "config.h"
#include "input.h"
#include "log.h"
#include "names.h"
#include "test.h"

#define FILE_NAME	"fuzz.conf"

PW_LOG_TOPIC(xen_snd_log_topic, "fuzz");

static struct {
	char *args, *rules;
	unsigned int lines;		/* of errors, that name the file */
} t;

/* in the place of libpipewire's: a context whose configuration is the input */

int pw_context_conf_section_for_each(struct pw_context *context, const char *section,
		int (*callback)(void *data, const char *location, const char *section,
			const char *str, size_t len), void *data)
{
	const char *text = strcmp(section, CONFIG_RULES) == 0 ? t.rules : "[]";

	return callback(data, FILE_NAME, section, text, strlen(text));
}

int pw_context_conf_section_match_rules(struct pw_context *context, const char *section,
		const struct spa_dict *props,
		int (*callback)(void *data, const char *location, const char *action,
			const char *str, size_t len), void *data)
{
	return pw_conf_match_rules(t.rules, strlen(t.rules), FILE_NAME, props, callback, data);
}

const char *pw_context_get_conf_section(struct pw_context *context, const char *section)
{
	return NULL;
}

static SPA_PRINTF_FUNC(7, 0)
void on_logtv(void *object, enum spa_log_level level, const struct spa_log_topic *topic,
		const char *file, int line, const char *func, const char *format, va_list args)
{
	char text[2048];

	vsnprintf(text, sizeof(text), format, args);
	t.lines += topic == xen_snd_log_topic && level == SPA_LOG_LEVEL_ERROR;
}

static SPA_PRINTF_FUNC(7, 8)
void on_logt(void *object, enum spa_log_level level, const struct spa_log_topic *topic,
		const char *file, int line, const char *func, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	on_logtv(object, level, topic, file, line, func, format, args);
	va_end(args);
}

static void start_log(void)
{
	static const struct spa_log_methods methods = {
		SPA_VERSION_LOG_METHODS,
		.logt = on_logt,
		.logtv = on_logtv,
	};
	static struct spa_log log = {
		.iface = { SPA_TYPE_INTERFACE_Log, SPA_VERSION_LOG, { &methods, NULL } },
		.level = SPA_LOG_LEVEL_WARN,
	};

	pw_log_set(&log);
	pw_log_set_level(SPA_LOG_LEVEL_WARN);
}

/* Exactly as large as it is, so that reading beyond it is noticed. */
static char *take_text(struct input *in)
{
	size_t len = in->size > 0 ? strnlen((const char *)in->data, in->size) : 0;
	char *text = malloc(len + 1);

	input_take(in, text, len);
	text[len] = '\0';
	input_u8(in);
	return text;
}

static void apply(struct config *config)
{
	struct budgets budgets = { 0 };
	struct pw_properties *props;
	uint32_t id;

	props = pw_properties_new(KEY_XEN_DOMID, "7", KEY_XEN_GUEST_NAME, "ivi",
			KEY_XEN_DEVICE, "0", KEY_XEN_PCM, "0", KEY_XEN_STREAM, "0",
			KEY_XEN_DIRECTION, "playback", PW_KEY_NODE_NAME, "xen.ivi.0.0.0",
			PW_KEY_MEDIA_CLASS, "Stream/Output/Audio", NULL);
	check(props != NULL);
	config_set_budgets(config, &props->dict, &budgets);
	for (id = 0; id < N_BUDGETS; id++)
		check(budgets.of[id].limit >= budget_infos[id].least &&
				budgets.of[id].limit <= budget_infos[id].most);
	config_apply(config, props);
	pw_properties_free(props);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct config config;
	int res;

	start_log();
	t.lines = 0;
	t.args = take_text(&in);
	t.rules = take_text(&in);
	if ((res = config_init(&config, NULL, t.args)) >= 0) {
		check_eq(t.lines, 0);
		check(config.max_buffer >= 4096 && config.max_buffer <= 64 << 20);
		apply(&config);
		config_clear(&config);
	} else {
		check_eq(res, -EINVAL);
		check_eq(t.lines, 1);
	}
	free(t.args);
	free(t.rules);
	return 0;
}
