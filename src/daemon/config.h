/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The configuration: the module's arguments and the section xen-snd.rules, of the files that
 * PipeWire reads. What was read stays as it is; whoever looks at it has a reference. */

#ifndef XEN_SND_CONFIG_H
#define XEN_SND_CONFIG_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include <pipewire/pipewire.h>

#include "budget.h"
#include "config-text.h"

#define MODULE_NAME	"libpipewire-module-xen-snd"

/* the section of rules, beside context.modules in the configuration file */
#define CONFIG_RULES	"xen-snd.rules"

/* Constant. Any thread. */
struct config {
	atomic_uint refs;
	struct spa_list texts;			/* struct config_text */
	bool own;				/* the arguments stand in none of them */
	struct pw_properties *stream_props;	/* for every stream's node */
	uint32_t max_buffer;			/* octets a stream may map */
	char *state_file;			/* "": none */
};

/* Where it is to be read. */
struct config_origin {
	const char *prefix, *name;	/* of the main file; the first may be NULL */
	bool ours;			/* the daemon's, not PipeWire's own */
	const char *args;		/* what the module was loaded with; NULL: what the files say */
};

/* Read and check the files. NULL: `error` says what is wrong. Blocks on files. */
struct config *config_load(const struct config_origin *origin, struct config_error *error);

/* The same of texts, which are taken from their list. `own`: of one that is in no file, the
 * arguments; or NULL, it is taken, too. Pure. */
struct config *config_new(struct spa_list *texts, struct config_text *own, bool ours,
		struct config_error *error);

/* One line: of which files it is, and how many rules there are. */
void config_print(const struct config *config, FILE *to);

struct config *config_ref(struct config *config);
void config_unref(struct config *config);

/* Let stream.props and then the rules that match `props` update them. */
void config_apply(const struct config *config, struct pw_properties *props);

/* Set the budgets of a guest, of which `props` has what rules can match, to the defaults
 * and then to what the rules say. */
void config_set_budgets(const struct config *config, const struct spa_dict *props,
		struct budgets *budgets);

/* The one that holds now. */
struct config_holder {
	pthread_mutex_t lock;		/* held for taking a reference */
	struct config *now;
};

/* Takes the reference. */
void config_holder_init(struct config_holder *holder, struct config *config);
void config_holder_clear(struct config_holder *holder);

/* Any thread but a realtime one: a reference to it. */
struct config *config_get(struct config_holder *holder);

/* Takes the reference: from now on this one holds. */
void config_set(struct config_holder *holder, struct config *config);

#endif /* XEN_SND_CONFIG_H */
