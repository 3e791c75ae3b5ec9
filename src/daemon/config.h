/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The module's own configuration: its arguments and the section xen-snd.rules.
 * Main loop only. */

#ifndef XEN_SND_CONFIG_H
#define XEN_SND_CONFIG_H

#include <pipewire/pipewire.h>

/* the section of rules, beside context.modules in the configuration file */
#define CONFIG_RULES	"xen-snd.rules"

struct config {
	struct pw_context *context;
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

#endif /* XEN_SND_CONFIG_H */
