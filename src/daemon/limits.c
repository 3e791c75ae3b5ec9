/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What a stream may be opened with, see limits.h. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "number.h"

#define NSEC_PER_SEC	UINT64_C(1000000000)

const char * const limits_keys[] = {
	/* the maximum before the minimum: it may have to give way */
	"sample-rates", "sample-formats", "channels-max", "channels-min", "buffer-size", NULL
};

void limits_init(struct limits *limits, uint64_t formats, uint32_t buffer_size)
{
	*limits = (struct limits) {
		.formats = formats,
		.rate = { LIMITS_MIN_RATE, 48000 },
		.channels = { 1, 2 },
		.buffer_size = buffer_size,
	};
}

/* The next item of a list with commas; false at its end. */
static bool next_item(const char **list, const char **item, size_t *len)
{
	if (*list == NULL)
		return false;
	*item = *list;
	*len = strcspn(*list, ",");
	*list = (*list)[*len] == ',' ? *list + *len + 1 : NULL;
	return true;
}

static int set_rates(struct limits *limits, const char *value)
{
	struct limits l = { .n_rates = 0 };
	const char *item;
	uint32_t rate;
	size_t len;

	while (next_item(&value, &item, &len) && l.n_rates < LIMITS_MAX_RATES) {
		if (number_parse(item, len, &rate) < 0 ||
		    rate < LIMITS_MIN_RATE || rate > LIMITS_MAX_RATE)
			continue;
		if (l.n_rates == 0 || rate < l.rate.min)
			l.rate.min = rate;
		if (rate > l.rate.max)
			l.rate.max = rate;
		l.rates[l.n_rates++] = rate;
	}
	if (l.n_rates == 0)
		return -EINVAL;
	memcpy(limits->rates, l.rates, sizeof(l.rates));
	limits->n_rates = l.n_rates;
	limits->rate = l.rate;
	return 0;
}

static int set_formats(struct limits *limits, const char *value, uint64_t supported)
{
	uint64_t formats = 0;
	const char *item;
	size_t len;
	int format;

	while (next_item(&value, &item, &len)) {
		if ((format = wire_format_from_name(item, len)) >= 0)
			formats |= UINT64_C(1) << format;
	}
	if ((formats &= supported) == 0)
		return -EINVAL;
	limits->formats = formats;
	return 0;
}

static int set_channels(struct limits *limits, bool max, const char *value)
{
	uint32_t channels;

	if (number_parse(value, strlen(value), &channels) < 0 ||
	    channels == 0 || channels > LIMITS_MAX_CHANNELS)
		return -EINVAL;
	if (max)
		limits->channels.max = channels;
	else
		limits->channels.min = channels;
	if (limits->channels.min > limits->channels.max) {
		/* what Linux does with a pair that contradicts itself */
		limits->channels.min = limits->channels.max;
	}
	return 0;
}

static int set_buffer_size(struct limits *limits, const char *value, uint32_t most)
{
	uint32_t size;

	if (number_parse(value, strlen(value), &size) < 0 || size == 0)
		return -EINVAL;
	limits->buffer_size = size < most ? size : most;
	return 0;
}

int limits_set(struct limits *limits, const char *key, const char *value,
		uint64_t supported, uint32_t buffer_size)
{
	if (strcmp(key, "sample-rates") == 0)
		return set_rates(limits, value);
	if (strcmp(key, "sample-formats") == 0)
		return set_formats(limits, value, supported);
	if (strcmp(key, "channels-min") == 0)
		return set_channels(limits, false, value);
	if (strcmp(key, "channels-max") == 0)
		return set_channels(limits, true, value);
	if (strcmp(key, "buffer-size") == 0)
		return set_buffer_size(limits, value, buffer_size);
	return -ENOENT;
}

static void intersect(struct wire_range *range, uint64_t min, uint64_t max)
{
	if (range->min < min)
		range->min = min < UINT32_MAX ? min : UINT32_MAX;
	if (range->max > max)
		range->max = max;
}

/* octets of the smallest sample in a mask of formats, 0 for none */
static uint32_t smallest_sample(uint64_t formats)
{
	uint32_t f, size, smallest = 0;

	for (f = 0; f < WIRE_N_FORMATS; f++) {
		if ((formats & UINT64_C(1) << f) == 0)
			continue;
		size = wire_format_info(f)->size;
		if (smallest == 0 || size < smallest)
			smallest = size;
	}
	return smallest;
}

/* pull the range's ends in to the nearest rates of the list */
static void intersect_rates(const struct limits *limits, struct wire_range *range)
{
	struct wire_range r = { UINT32_MAX, 0 };
	uint32_t i;

	intersect(range, limits->rate.min, limits->rate.max);
	if (limits->n_rates == 0)
		return;
	for (i = 0; i < limits->n_rates; i++) {
		uint32_t rate = limits->rates[i];
		if (rate < range->min || rate > range->max)
			continue;
		if (rate < r.min)
			r.min = rate;
		if (rate > r.max)
			r.max = rate;
	}
	*range = r;
}

static bool is_empty(const struct wire_range *range)
{
	return range->min > range->max;
}

int limits_narrow(const struct limits *limits, uint64_t min_period_nsec, struct wire_hw *hw)
{
	uint64_t min_period;
	uint32_t sample;

	hw->formats &= limits->formats;
	if ((sample = smallest_sample(hw->formats)) == 0)
		return -EINVAL;
	intersect_rates(limits, &hw->rate);
	intersect(&hw->channels, limits->channels.min, limits->channels.max);
	if (is_empty(&hw->rate) || is_empty(&hw->channels))
		return -EINVAL;

	/* the ranges hold for every rate, format and channel count that is left */
	min_period = (min_period_nsec * hw->rate.min + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
	if (min_period == 0)
		min_period = 1;
	intersect(&hw->buffer, 2 * min_period, limits->buffer_size / sample / hw->channels.min);
	intersect(&hw->period, min_period, hw->buffer.max / 2);
	if (is_empty(&hw->buffer) || is_empty(&hw->period))
		return -EINVAL;

	/* a rate at which not two of the shortest periods fit is none */
	if (min_period_nsec > 0)
		intersect(&hw->rate, 0, hw->buffer.max / 2 * NSEC_PER_SEC / min_period_nsec);
	intersect_rates(limits, &hw->rate);
	return is_empty(&hw->rate) ? -EINVAL : 0;
}

static bool has_rate(const struct limits *limits, uint32_t rate)
{
	uint32_t i;

	for (i = 0; i < limits->n_rates; i++) {
		if (limits->rates[i] == rate)
			return true;
	}
	return limits->n_rates == 0 && rate >= limits->rate.min && rate <= limits->rate.max;
}

int limits_check(const struct limits *limits, const struct wire_open *open, const char **why)
{
	uint32_t frame;

	*why = NULL;
	if (open->format >= WIRE_N_FORMATS ||
	    (limits->formats & UINT64_C(1) << open->format) == 0)
		*why = "format not offered";
	else if (!has_rate(limits, open->rate))
		*why = "rate not offered";
	else if (open->channels < limits->channels.min || open->channels > limits->channels.max)
		*why = "channel count not offered";
	if (*why)
		return -EINVAL;

	frame = wire_format_info(open->format)->size * open->channels;
	if (open->buffer_size < 2 * frame || open->buffer_size > limits->buffer_size)
		*why = "buffer size out of range";
	else if (open->buffer_size % frame != 0)
		*why = "buffer size is no whole number of frames";
	else if (open->period_size > open->buffer_size)
		*why = "period is larger than the buffer";
	else if (open->period_size % frame != 0)
		*why = "period is no whole number of frames";
	return *why ? -EINVAL : 0;
}
