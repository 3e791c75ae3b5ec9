/* SPDX-License-Identifier: MIT */
/*
 * Reads a stream's limits as the guest's driver does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config.h"
#include "formats.h"

static const uint32_t known_rates[] = { 5512, 8000, 11025, 16000, 22050, 32000, 44100, 48000, 64000,
	96000, 176400, 192000 };

struct limits config_defaults(void)
{
	return (struct limits){
		.formats = 1u << 1 | 1u << FORMAT_S16_LE,
		.rate = { 5512, 48000 },
		.channels = { 1, 2 },
		.buffer_octets = 65536,
	};
}

static bool is_known_rate(uint32_t rate)
{
	for (size_t i = 0; i < sizeof(known_rates) / sizeof(known_rates[0]); i++)
		if (known_rates[i] == rate)
			return true;
	return false;
}

/* A list without a word that the driver knows is as good as none. */
static void read_rates(struct xs_handle *xs, const char *dir, struct limits *limits)
{
	char *list = store_read(xs, XBT_NULL, "%s/sample-rates", dir), *rest = list, *word;
	struct range r = { UINT32_MAX, 0 };
	uint32_t rate;

	while (rest != NULL && (word = strsep(&rest, ",")) != NULL) {
		rate = (uint32_t)strtoul(word, NULL, 10);
		if (!is_known_rate(rate))
			continue;
		r.min = rate < r.min ? rate : r.min;
		r.max = rate > r.max ? rate : r.max;
	}
	if (r.max > 0)
		limits->rate = r;
	free(list);
}

static void read_formats(struct xs_handle *xs, const char *dir, struct limits *limits)
{
	char *list = store_read(xs, XBT_NULL, "%s/sample-formats", dir), *rest = list, *word;
	uint64_t formats = 0;
	int format;

	while (rest != NULL && (word = strsep(&rest, ",")) != NULL)
		if ((format = format_from_name(word)) >= 0)
			formats |= 1ull << format;
	if (formats != 0)
		limits->formats = formats;
	free(list);
}

void config_read(struct xs_handle *xs, const char *dir, struct limits *limits)
{
	read_rates(xs, dir, limits);
	read_formats(xs, dir, limits);
	limits->channels.min = (uint32_t)store_read_number(xs, limits->channels.min,
			"%s/channels-min", dir);
	limits->channels.max = (uint32_t)store_read_number(xs, limits->channels.max,
			"%s/channels-max", dir);
	if (limits->channels.min > limits->channels.max)
		limits->channels.min = limits->channels.max;
	limits->buffer_octets = (uint32_t)store_read_number(xs, limits->buffer_octets,
			"%s/buffer-size", dir);
}

int config_type(struct xs_handle *xs, const char *dir)
{
	char *type = store_read(xs, XBT_NULL, "%s/type", dir);
	int res = -EINVAL;

	if (type == NULL)
		return -ENOENT;
	if (strcasecmp(type, "p") == 0)
		res = 'p';
	else if (strcasecmp(type, "c") == 0)
		res = 'c';
	free(type);
	return res;
}
