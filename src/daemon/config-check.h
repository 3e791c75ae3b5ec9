/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Is what a text says of us right? Sections, rules, and the properties that they set. Pure.
 * All return 0, or -EINVAL and `error` says what is wrong and where. */

#ifndef XEN_SND_CONFIG_CHECK_H
#define XEN_SND_CONFIG_CHECK_H

#include "config-text.h"

/* The names of a text's sections. `ours`: it is the daemon's, not PipeWire's own. */
int config_check_sections(const struct config_text *text, bool ours, struct config_error *error);

/* The section xen-snd.rules. */
int config_check_rules(const struct config_value *value, struct config_error *error);

/* A property that `where`, stream.props or a rule, sets for a stream. */
int config_check_property(const char *where, const char *key, const char *at,
		const struct config_value *value, struct config_error *error);

#endif /* XEN_SND_CONFIG_CHECK_H */
