/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The module's own configuration: its arguments and the section xen-snd.rules.
 * Main loop only, if nothing else is said. */

#ifndef XEN_SND_CONFIG_H
#define XEN_SND_CONFIG_H

#include <pipewire/pipewire.h>

#include "budget.h"

/* the section of rules, beside context.modules in the configuration file */
#define CONFIG_RULES	"xen-snd.rules"

/* the section as one file has it, constant */
struct config_rules {
	struct spa_list link;
	char *file;
	char *text;
};

struct config {
	struct pw_context *context;
	struct spa_list rules;			/* struct config_rules, constant */
	struct pw_properties *stream_props;	/* for every stream's node */
	uint32_t max_buffer;			/* octets a stream may map */
	char *state_file;			/* "": none */
};

/* Read and check everything. -EINVAL: a key that does not exist or a value that
 * makes no sense; it was logged with file and key. */
int config_init(struct config *config, struct pw_context *context, const char *args);
void config_clear(struct config *config);

/* Let stream.props and then the rules that match `props` update them. */
void config_apply(struct config *config, struct pw_properties *props);

/* Any thread: set the budgets of a guest, of which `props` has what rules can match, to
 * the defaults and then to what the rules say. */
void config_set_budgets(const struct config *config, const struct spa_dict *props,
		struct budgets *budgets);

#endif /* XEN_SND_CONFIG_H */
