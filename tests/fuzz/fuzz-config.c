/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The module's arguments and a file of the configuration, whatever their text: they
 * are taken, or refused with a line that says what is wrong and where; what was taken
 * can be applied. The input is the arguments, a NUL, and the file. */

#include <stdio.h>
#include <string.h>

#include "config.h"
#include "input.h"
#include "names.h"
#include "test.h"

#define FILE_NAME	"fuzz.conf"

/* Up to a NUL, which is never in a text. */
static struct config_text *take_text(struct input *in)
{
	size_t len = in->size > 0 ? strnlen((const char *)in->data, in->size) : 0;
	struct config_text *text = config_text_new(FILE_NAME, (const char *)in->data, len);

	check(text != NULL);
	in->data += len;
	in->size -= len;
	input_u8(in);
	return text;
}

static void apply(const struct config *config)
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

/* FILE:LINE: or FILE: and something, in one line */
static void check_error(const struct config_error *error)
{
	size_t len = strlen(error->text);

	check(strncmp(error->text, FILE_NAME":", strlen(FILE_NAME":")) == 0);
	check(len > strlen(FILE_NAME": ") && len < sizeof(error->text));
	check(strpbrk(error->text, "\n\r\t\033") == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct config_error error;
	struct config_text *args, *text;
	struct config *config;
	struct spa_list texts;

	args = take_text(&in);
	text = take_text(&in);
	spa_list_init(&texts);
	spa_list_append(&texts, &text->link);
	if ((config = config_new(&texts, args, true, &error)) != NULL) {
		check(config->max_buffer >= 4096 && config->max_buffer <= 64 << 20);
		apply(config);
		config_unref(config);
	} else {
		check_error(&error);
	}
	return 0;
}
