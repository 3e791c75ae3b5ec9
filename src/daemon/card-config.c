/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Reading a card's frontend directory, see card-config.h. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "card-config.h"
#include "log.h"
#include "sample.h"

#define MAX_LOGGED	80	/* octets of the guest's words in a log line */

struct reader {
	struct xs_handle *xs;
	const char *frontend;
	uint32_t max_buffer;		/* octets */
	struct budgets *budgets;
	struct line lines[CARD_MAX_PCMS * CARD_MAX_STREAMS];
	uint32_t n_lines;
	char *why;
	size_t why_size;
};

/* One layer of limits: what `directory` says replaces what the layer above said. */
static void read_limits(struct reader *r, const char *directory, struct limits *limits)
{
	char value[STORE_VALUE_SIZE];
	const char * const *key;

	for (key = limits_keys; *key; key++) {
		if (store_read(r->xs, value, sizeof(value), "%s/%s", directory, *key) < 0)
			continue;
		if (limits_set(limits, *key, value, sample_supported(), r->max_buffer) >= 0)
			continue;
		store_make_printable(value, MAX_LOGGED);
		guest_log_warn(r->budgets, "%s/%s: \"%s\" offers nothing usable: ignored",
				directory, *key, value);
	}
}

/* Who the domain is, in Dom0's words. */
static void read_domain(struct xs_handle *xs, uint32_t domid, struct stream_identity *id)
{
	char vm[STREAM_NAME_SIZE];
	const char *uuid;

	store_read_label(xs, id->guest, sizeof(id->guest), "/local/domain/%u/name", domid);
	if (id->guest[0] == '\0')
		snprintf(id->guest, sizeof(id->guest), "domain-%u", domid);
	store_read_label(xs, vm, sizeof(vm), "/local/domain/%u/vm", domid);
	if ((uuid = strrchr(vm, '/')) != NULL)
		snprintf(id->uuid, sizeof(id->uuid), "%s", uuid + 1);
}

static int read_type(struct reader *r, const char *directory, bool *capture)
{
	char type[16];
	int res;

	if ((res = store_read(r->xs, type, sizeof(type), "%s/type", directory)) < 0)
		goto error;
	res = -EINVAL;
	if (strcasecmp(type, "p") != 0 && strcasecmp(type, "c") != 0)
		goto error;
	*capture = strcasecmp(type, "c") == 0;
	return 0;

error:
	snprintf(r->why, r->why_size, "%s/type is not \"p\" or \"c\"", directory);
	return res;
}

/* A number that the frontend published: 1, or 0 if it did not, or -EINVAL. */
static int read_published(struct reader *r, const char *directory, const char *key,
		uint32_t *number)
{
	int res = store_read_number(r->xs, number, "%s/%s", directory, key);

	if (res >= 0)
		return 1;
	if (res == -ENOENT)
		return 0;
	snprintf(r->why, r->why_size, "%s/%s is no number", directory, key);
	return -EINVAL;
}

/* The ring and channel that stand under two keys: 1, or 0 if none does. One
 * without the other is an error. */
static int read_pair(struct reader *r, const char *directory, const char *ref_key,
		const char *channel_key, uint32_t *ref, uint32_t *channel)
{
	int has_ref, has_channel;

	if ((has_ref = read_published(r, directory, ref_key, ref)) < 0)
		return has_ref;
	if ((has_channel = read_published(r, directory, channel_key, channel)) < 0)
		return has_channel;
	if (has_ref != has_channel) {
		snprintf(r->why, r->why_size, "%s has %s but no %s", directory,
				has_ref ? ref_key : channel_key, has_ref ? channel_key : ref_key);
		return -EINVAL;
	}
	return has_ref;
}

/* Frontends do not say which dialect they speak, the keys that they use do. */
static int read_rings(struct reader *r, const char *directory, struct line_config *config)
{
	const struct wire_dialect *rfc = &wire_dialects[WIRE_DIALECT_RFC];
	const struct wire_dialect *upstream = &wire_dialects[WIRE_DIALECT_2];
	struct line_config draft = *config;
	int plain, prefixed, events;

	if ((plain = read_pair(r, directory, upstream->ring_ref_key, upstream->event_channel_key,
			&config->ring_ref, &config->event_channel)) < 0)
		return plain;
	if ((prefixed = read_pair(r, directory, rfc->ring_ref_key, rfc->event_channel_key,
			&draft.ring_ref, &draft.event_channel)) < 0)
		return prefixed;
	if ((events = read_pair(r, directory, "evt-ring-ref", "evt-event-channel",
			&config->evt_ring_ref, &config->evt_event_channel)) < 0)
		return events;

	if (plain && prefixed) {
		snprintf(r->why, r->why_size, "%s has both %s and %s", directory,
				upstream->ring_ref_key, rfc->ring_ref_key);
		return -EINVAL;
	}
	if ((!plain && !prefixed) || (prefixed && !events)) {
		snprintf(r->why, r->why_size, "%s/%s: missing", directory,
				prefixed ? "evt-ring-ref" : upstream->ring_ref_key);
		return -ENOENT;
	}
	if (prefixed) {
		config->ring_ref = draft.ring_ref;
		config->event_channel = draft.event_channel;
	}
	config->dialect = prefixed ? rfc : events ? upstream : &wire_dialects[WIRE_DIALECT_1];
	config->identity.protocol = config->dialect->name;
	return 0;
}

static int read_stream(struct reader *r, const char *directory, struct line_config config)
{
	int res;

	if ((res = read_type(r, directory, &config.capture)) < 0 ||
	    (res = read_rings(r, directory, &config)) < 0)
		return res;
	store_read_label(r->xs, config.identity.unique_id, sizeof(config.identity.unique_id),
			"%s/unique-id", directory);
	read_limits(r, directory, &config.limits);
	r->lines[r->n_lines++].config = config;
	return 0;
}

/* Linux counts up from 0 and stops at the first index that is not there. */
static int read_pcm(struct reader *r, const char *directory, struct line_config config)
{
	char stream[STORE_PATH_SIZE];
	unsigned int n = 0;
	char **listing;
	int res = 0;

	if ((listing = xs_directory(r->xs, XBT_NULL, directory, &n)) == NULL)
		return -errno;
	store_read_label(r->xs, config.identity.pcm_label, sizeof(config.identity.pcm_label),
			"%s/name", directory);
	read_limits(r, directory, &config.limits);
	while (res == 0 && config.identity.stream < CARD_MAX_STREAMS &&
	    store_has_entry(listing, n, config.identity.stream)) {
		snprintf(stream, sizeof(stream), "%.200s/%u", directory, config.identity.stream);
		res = read_stream(r, stream, config);
		config.identity.stream++;
	}
	free(listing);
	return res;
}

static int read_card(struct reader *r, struct line_config config)
{
	char pcm[STORE_PATH_SIZE];
	unsigned int n = 0;
	char **listing;
	int res = 0;

	if ((listing = xs_directory(r->xs, XBT_NULL, r->frontend, &n)) == NULL)
		return -errno;
	store_read_label(r->xs, config.identity.card_label, sizeof(config.identity.card_label),
			"%s/short-name", r->frontend);
	limits_init(&config.limits, UINT64_C(1) << WIRE_FORMAT_U8 |
			UINT64_C(1) << WIRE_FORMAT_S16_LE, SPA_MIN(65536u, r->max_buffer));
	read_limits(r, r->frontend, &config.limits);
	while (res == 0 && config.identity.pcm < CARD_MAX_PCMS &&
	    store_has_entry(listing, n, config.identity.pcm)) {
		snprintf(pcm, sizeof(pcm), "%.200s/%u", r->frontend, config.identity.pcm);
		res = read_pcm(r, pcm, config);
		config.identity.pcm++;
	}
	free(listing);
	return res;
}

int card_config_read(struct xs_handle *xs, const struct card *card, uint32_t max_buffer,
		struct line **lines, char *why, size_t size)
{
	struct line_config config = {
		.identity = { .domid = card->domid, .device = card->device },
	};
	struct reader *r;
	int res;

	snprintf(why, size, "no memory to read %s", card->frontend);
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return -errno;
	*r = (struct reader) {
		.xs = xs, .frontend = card->frontend, .max_buffer = max_buffer,
		.budgets = &card->domain->budgets,
		.why = why, .why_size = size,
	};
	snprintf(why, size, "can't read %s", card->frontend);
	read_domain(xs, card->domid, &config.identity);
	if ((res = read_card(r, config)) < 0)
		goto done;
	if (r->n_lines == 0) {
		snprintf(why, size, "%s/0/0: the card has no stream", card->frontend);
		res = -ENOENT;
		goto done;
	}
	if ((*lines = calloc(r->n_lines, sizeof(**lines))) == NULL) {
		res = -errno;
		snprintf(why, size, "no memory for the %u streams of %s", r->n_lines,
				card->frontend);
		goto done;
	}
	memcpy(*lines, r->lines, r->n_lines * sizeof(**lines));
	res = r->n_lines;
done:
	free(r);
	return res;
}
