/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What a card may be opened with: XenStore's strings, HW_PARAM_QUERY as Linux
 * sends it, OPEN. */

#include <errno.h>
#include <stdlib.h>

#include "limits.h"
#include "test.h"

#define BIT(f)		(UINT64_C(1) << WIRE_FORMAT_##f)
#define SUPPORTED	(BIT(U8) | BIT(S16_LE) | BIT(S24_LE) | BIT(F32_LE))
#define MAX_BUFFER	(1024u * 1024)
#define MSEC		UINT64_C(1000000)

static struct limits limits;

static void start(void)
{
	limits_init(&limits, BIT(U8) | BIT(S16_LE), 65536);
}

static int set(const char *key, const char *value)
{
	return limits_set(&limits, key, value, SUPPORTED, MAX_BUFFER);
}

/* a value that means nothing changes nothing */
static void refused(const char *key, const char *value)
{
	struct limits before = limits;

	check_eq(set(key, value), -EINVAL);
	check_mem(&limits, &before, sizeof(before));
}

TEST(a_card_that_says_nothing_has_linuxs_defaults)
{
	start();
	check_eq(limits.formats, BIT(U8) | BIT(S16_LE));
	check_eq(limits.rate.min, 5512);
	check_eq(limits.rate.max, 48000);
	check_eq(limits.n_rates, 0);
	check_eq(limits.channels.min, 1);
	check_eq(limits.channels.max, 2);
	check_eq(limits.buffer_size, 65536);
}

TEST(all_keys_are_known_and_no_other)
{
	const char * const *key;

	for (key = limits_keys; *key; key++)
		check(set(*key, "") != -ENOENT);
	check_eq(set("unique-id", "1"), -ENOENT);
	check_eq(set("", "1"), -ENOENT);
	check_eq(set("sample-rates ", "8000"), -ENOENT);
}

TEST(rates_are_a_list)
{
	start();
	check_eq(set("sample-rates", "44100,8000,96000"), 0);
	check_eq(limits.n_rates, 3);
	check_eq(limits.rate.min, 8000);
	check_eq(limits.rate.max, 96000);
}

TEST(rates_that_are_none_are_left_out)
{
	start();
	check_eq(set("sample-rates", "x,44100,,-8000,0,+8000, 8000,1e4,0x1f40,5511,384001,"
			"99999999999999999999,4294967296,48000"), 0);
	check_eq(limits.n_rates, 2);
	check_eq(limits.rates[0], 44100);
	check_eq(limits.rates[1], 48000);
}

TEST(a_list_without_a_rate_is_refused)
{
	start();
	refused("sample-rates", "");
	refused("sample-rates", ",,,");
	refused("sample-rates", "fast");
	refused("sample-rates", "44100;48000");
	refused("sample-rates", "4294967296");
	refused("sample-rates", "\xff\xfe\x01");
}

TEST(a_list_of_more_rates_than_there_is_room_for_is_cut)
{
	char value[8192] = "";
	size_t n = 0;

	while (n < sizeof(value) - 8) {
		memcpy(value + n, "48000,", 7);
		n += 6;
	}
	start();
	check_eq(set("sample-rates", value), 0);
	check_eq(limits.n_rates, LIMITS_MAX_RATES);
}

TEST(formats_are_those_that_we_support)
{
	start();
	check_eq(set("sample-formats", "s16_le,gsm,f32_le,s8,nonsense"), 0);
	check_eq(limits.formats, BIT(S16_LE) | BIT(F32_LE));
	check_eq(set("sample-formats", "FLOAT_LE"), 0);
	check_eq(limits.formats, BIT(F32_LE));
}

TEST(a_list_without_a_format_of_ours_is_refused)
{
	start();
	refused("sample-formats", "");
	refused("sample-formats", "gsm,mpeg");
	refused("sample-formats", "s16_le;u8");
	refused("sample-formats", ",");
}

TEST(channels_are_1_to_32)
{
	start();
	check_eq(set("channels-max", "32"), 0);
	check_eq(set("channels-min", "6"), 0);
	check_eq(limits.channels.min, 6);
	check_eq(limits.channels.max, 32);
	refused("channels-max", "0");
	refused("channels-max", "33");
	refused("channels-max", "2 ");
	refused("channels-max", "-1");
	refused("channels-min", "");
	refused("channels-min", "4294967297");
}

/* as Linux does it */
TEST(the_minimum_of_channels_gives_way_to_the_maximum)
{
	start();
	check_eq(set("channels-max", "8"), 0);
	check_eq(set("channels-min", "8"), 0);
	check_eq(set("channels-max", "4"), 0);
	check_eq(limits.channels.min, 4);
	check_eq(limits.channels.max, 4);
}

TEST(the_maximum_of_channels_is_read_before_the_minimum)
{
	const char * const *key;
	bool seen = false;

	for (key = limits_keys; *key; key++) {
		seen |= strcmp(*key, "channels-max") == 0;
		if (strcmp(*key, "channels-min") == 0)
			check(seen);
	}
}

/* The guest writes the card's buffer-size, Dom0 has the last word. */
TEST(the_buffer_is_capped_by_dom0)
{
	start();
	check_eq(set("buffer-size", "1000000"), 0);
	check_eq(limits.buffer_size, 1000000);
	check_eq(set("buffer-size", "4294967295"), 0);
	check_eq(limits.buffer_size, MAX_BUFFER);
	refused("buffer-size", "0");
	refused("buffer-size", "4294967296");
	refused("buffer-size", "64k");
	refused("buffer-size", "");
}

TEST(a_lower_layer_replaces_what_a_higher_one_said)
{
	start();
	check_eq(set("sample-rates", "48000"), 0);
	check_eq(set("sample-rates", "44100,8000"), 0);
	check_eq(limits.n_rates, 2);
	check_eq(limits.rate.min, 8000);
	check_eq(limits.rate.max, 44100);
}

/* HW_PARAM_QUERY */

static const struct wire_hw everything = {
	.formats = UINT64_MAX,
	.rate = { 0, UINT32_MAX },
	.channels = { 0, UINT32_MAX },
	.buffer = { 0, UINT32_MAX },
	.period = { 0, UINT32_MAX },
};

TEST(a_query_for_everything_says_what_the_card_can)
{
	struct wire_hw hw = everything;

	start();
	check_eq(limits_narrow(&limits, 10 * MSEC, &hw), 0);
	check_eq(hw.formats, BIT(U8) | BIT(S16_LE));
	check_eq(hw.rate.min, 5512);
	check_eq(hw.rate.max, 48000);
	check_eq(hw.channels.min, 1);
	check_eq(hw.channels.max, 2);
	check_eq(hw.buffer.max, 65536);
	/* 10 ms at 5512 Hz, rounded up */
	check_eq(hw.period.min, 56);
	check_eq(hw.buffer.min, 112);
	check_eq(hw.period.max, 32768);
}

TEST(an_answer_is_never_wider_than_its_query)
{
	struct wire_hw hw = {
		.formats = BIT(S16_LE) | BIT(GSM),
		.rate = { 44100, 48000 },
		.channels = { 2, 4 },
		.buffer = { 2000, 4000 },
		.period = { 500, 4000 },
	};

	start();
	check_eq(limits_narrow(&limits, 0, &hw), 0);
	check_eq(hw.formats, BIT(S16_LE));
	check_eq(hw.rate.min, 44100);
	check_eq(hw.rate.max, 48000);
	check_eq(hw.channels.min, 2);
	check_eq(hw.channels.max, 2);
	check_eq(hw.buffer.min, 2000);
	check_eq(hw.buffer.max, 4000);
	check_eq(hw.period.min, 500);
	check_eq(hw.period.max, 2000);
}

TEST(a_list_of_rates_pulls_the_ends_in)
{
	struct wire_hw hw = everything;

	start();
	check_eq(set("sample-rates", "8000,44100,96000"), 0);
	hw.rate = (struct wire_range) { 8001, 95999 };
	check_eq(limits_narrow(&limits, 0, &hw), 0);
	check_eq(hw.rate.min, 44100);
	check_eq(hw.rate.max, 44100);
}

static void nothing_left(struct wire_hw hw, uint64_t min_period)
{
	check_eq(limits_narrow(&limits, min_period, &hw), -EINVAL);
}

TEST(a_query_that_leaves_nothing_is_an_error)
{
	struct wire_hw hw;

	start();
	hw = everything;
	hw.formats = 0;
	nothing_left(hw, 0);
	hw.formats = BIT(GSM);
	nothing_left(hw, 0);
	hw = everything;
	hw.rate = (struct wire_range) { 48001, 96000 };
	nothing_left(hw, 0);
	hw.rate = (struct wire_range) { 48000, 44100 };
	nothing_left(hw, 0);
	hw = everything;
	hw.channels = (struct wire_range) { 3, 8 };
	nothing_left(hw, 0);
	hw = everything;
	hw.buffer = (struct wire_range) { 65537, 70000 };
	nothing_left(hw, 0);
	hw = everything;
	hw.period = (struct wire_range) { 32769, 32769 };
	nothing_left(hw, 0);
	/* a graph so slow that no buffer of this card is large enough */
	nothing_left(everything, 3600000 * MSEC);
	nothing_left(everything, UINT64_MAX / 400000);
}

TEST(no_rate_is_offered_at_which_two_periods_do_not_fit)
{
	struct wire_hw hw = everything;

	start();
	check_eq(limits_set(&limits, "sample-rates", "48000,96000,192000", BIT(S16_LE), 16384), 0);
	check_eq(limits_set(&limits, "sample-formats", "s16_le", BIT(S16_LE), 16384), 0);
	check_eq(limits_set(&limits, "channels-min", "2", BIT(S16_LE), 16384), 0);
	check_eq(limits_set(&limits, "buffer-size", "16384", BIT(S16_LE), 16384), 0);
	/* 4096 frames are two periods of 20 ms up to 102400 Hz */
	check_eq(limits_narrow(&limits, 20 * MSEC, &hw), 0);
	check_eq(hw.rate.min, 48000);
	check_eq(hw.rate.max, 96000);
}

TEST(no_period_is_offered_that_the_graph_can_not_serve)
{
	struct wire_hw hw = everything;

	start();
	hw.rate = (struct wire_range) { 48000, 48000 };
	check_eq(limits_narrow(&limits, 20 * MSEC, &hw), 0);
	check_eq(hw.period.min, 960);
	check_eq(hw.buffer.min, 1920);
	hw.period = (struct wire_range) { 1, 959 };
	nothing_left(hw, 20 * MSEC);
}

/* Linux asks again for each parameter and takes that one from the answer, until
 * nothing changes. */
static void intersect(struct wire_range *range, struct wire_range other)
{
	if (range->min < other.min)
		range->min = other.min;
	if (range->max > other.max)
		range->max = other.max;
	check(range->min <= range->max);
}

static void refine_one(struct wire_hw *hw, unsigned int parameter, uint64_t min_period)
{
	struct wire_hw answer = *hw;

	check_eq(limits_narrow(&limits, min_period, &answer), 0);
	switch (parameter) {
	case 0:
		hw->formats &= answer.formats;
		break;
	case 1:
		intersect(&hw->rate, answer.rate);
		break;
	case 2:
		intersect(&hw->channels, answer.channels);
		break;
	case 3:
		intersect(&hw->period, answer.period);
		break;
	case 4:
		intersect(&hw->buffer, answer.buffer);
		break;
	}
}

static void refine(struct wire_hw *hw, uint64_t min_period)
{
	unsigned int parameter, rounds = 0;
	struct wire_hw before;

	do {
		before = *hw;
		for (parameter = 0; parameter < 5; parameter++)
			refine_one(hw, parameter, min_period);
		check(++rounds < 10);
	} while (memcmp(&before, hw, sizeof(before)) != 0);
}

static uint32_t seed = 1;

static uint32_t pick(struct wire_range *range)
{
	seed = seed * 1664525 + 1013904223;
	range->min += (seed >> 8) % ((uint64_t)range->max - range->min + 1);
	range->max = range->min;
	return range->min;
}

static uint32_t pick_format(struct wire_hw *hw)
{
	uint32_t f;

	do {
		seed = seed * 1664525 + 1013904223;
		f = (seed >> 8) % WIRE_N_FORMATS;
	} while ((hw->formats & UINT64_C(1) << f) == 0);
	hw->formats = UINT64_C(1) << f;
	return f;
}

/* Two of the shortest periods that the graph can serve do not fit into the buffer. */
static bool is_too_small(const struct wire_open *open, uint64_t min_period)
{
	uint32_t frame = wire_format_info(open->format)->size * open->channels;

	return limits.buffer_size / frame * UINT64_C(1000000000) / open->rate < 2 * min_period;
}

/* Whatever an application picks from what is left, step by step: OPEN takes it.
 * False: it picked a rate at which the card's buffer is too short a time. */
static bool choose_and_open(uint64_t min_period)
{
	struct wire_hw hw = everything;
	struct wire_open open = { 0 };
	const char *why;
	uint32_t frame;

	/* what Linux itself starts from */
	hw.rate = (struct wire_range) { 5512, 192000 };
	hw.period.min = 1;
	hw.buffer.min = 2;
	refine(&hw, min_period);
	open.format = pick_format(&hw);
	refine(&hw, min_period);
	open.channels = pick(&hw.channels);
	refine(&hw, min_period);
	open.rate = limits.n_rates ? limits.rates[seed % limits.n_rates] : pick(&hw.rate);
	if (is_too_small(&open, min_period))
		return false;
	hw.rate = (struct wire_range) { open.rate, open.rate };
	refine(&hw, min_period);
	frame = wire_format_info(open.format)->size * open.channels;
	open.buffer_size = pick(&hw.buffer) * frame;
	refine(&hw, min_period);
	/* Linux: at least two periods a buffer */
	open.period_size = pick(&hw.period) * frame;
	check(open.period_size <= open.buffer_size / 2);
	check(open.period_size / frame * UINT64_C(1000000000) >= min_period * open.rate);
	if (limits_check(&limits, &open, &why) < 0)
		test_fail(__FILE__, __LINE__, "offered, then refused: %s", why);
	return true;
}

TEST(what_refinement_leaves_can_be_opened)
{
	static const char * const rates[] = { NULL, "48000", "8000,44100,48000,192000" };
	static const char * const formats[] = { NULL, "u8,s16_le,s24_le,float_le", "s24_le" };
	static const char * const buffers[] = { NULL, "16384", "1048576" };
	uint32_t i, opened = 0;

	for (i = 0; i < 27 * 40; i++) {
		start();
		if (rates[i % 3])
			check_eq(set("sample-rates", rates[i % 3]), 0);
		if (formats[i / 3 % 3])
			check_eq(set("sample-formats", formats[i / 3 % 3]), 0);
		if (buffers[i / 9 % 3])
			check_eq(set("buffer-size", buffers[i / 9 % 3]), 0);
		if (i & 1)
			check_eq(set("channels-max", "8"), 0);
		opened += choose_and_open(i % 5 * MSEC);
	}
	check(opened > 1000);
}

/* OPEN */

static const struct wire_open good = {
	.rate = 44100, .format = WIRE_FORMAT_S16_LE, .channels = 2,
	.buffer_size = 4 * 4800, .directory = 1, .period_size = 4 * 480,
};

static void opens(struct wire_open open)
{
	const char *why = "unset";

	check_eq(limits_check(&limits, &open, &why), 0);
	check(why == NULL);
}

static void does_not_open(struct wire_open open, const char *because)
{
	const char *why = NULL;

	check_eq(limits_check(&limits, &open, &why), -EINVAL);
	check_str(why, because);
}

#define WITH(member, value)	({ struct wire_open o_ = good; o_.member = value; o_; })

TEST(open_with_what_was_offered)
{
	start();
	opens(good);
	opens(WITH(rate, 5512));
	opens(WITH(rate, 48000));
	opens(WITH(format, WIRE_FORMAT_U8));
	opens(WITH(channels, 1));
	opens(WITH(buffer_size, 65536));
	opens(WITH(buffer_size, 1920));
	opens(WITH(period_size, 0));
	opens(WITH(period_size, 4 * 4800));
}

TEST(open_with_a_format_that_was_not_offered)
{
	start();
	does_not_open(WITH(format, WIRE_FORMAT_S8), "format not offered");
	does_not_open(WITH(format, WIRE_FORMAT_GSM), "format not offered");
	does_not_open(WITH(format, WIRE_N_FORMATS), "format not offered");
	does_not_open(WITH(format, 66), "format not offered");
	does_not_open(WITH(format, 255), "format not offered");
}

TEST(open_with_a_rate_that_was_not_offered)
{
	start();
	does_not_open(WITH(rate, 0), "rate not offered");
	does_not_open(WITH(rate, 5511), "rate not offered");
	does_not_open(WITH(rate, UINT32_MAX), "rate not offered");
	check_eq(set("sample-rates", "32000,48000"), 0);
	does_not_open(good, "rate not offered");
	opens(WITH(rate, 32000));
}

TEST(open_with_a_channel_count_that_was_not_offered)
{
	start();
	does_not_open(WITH(channels, 0), "channel count not offered");
	does_not_open(WITH(channels, 3), "channel count not offered");
	does_not_open(WITH(channels, 255), "channel count not offered");
}

TEST(open_with_a_buffer_that_can_not_be)
{
	start();
	does_not_open(WITH(buffer_size, 0), "buffer size out of range");
	does_not_open(WITH(buffer_size, 4), "buffer size out of range");
	does_not_open(WITH(buffer_size, 65540), "buffer size out of range");
	does_not_open(WITH(buffer_size, UINT32_MAX), "buffer size out of range");
	does_not_open(WITH(buffer_size, 4 * 4800 + 2),
			"buffer size is no whole number of frames");
}

TEST(open_with_a_period_that_can_not_be)
{
	start();
	does_not_open(WITH(period_size, 4 * 4801), "period is larger than the buffer");
	does_not_open(WITH(period_size, UINT32_MAX), "period is larger than the buffer");
	does_not_open(WITH(period_size, 4 * 480 + 1), "period is no whole number of frames");
}
