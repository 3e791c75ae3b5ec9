/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What a stream's latency adds up to, and what a rule makes of it. */

#include "latency.h"
#include "test.h"

static const struct latency_graph graph = {
	.rate = 48000, .min_quantum = 32, .max_quantum = 2048,
};

static struct latency latency_of(uint32_t rate, uint32_t buffer, uint32_t period,
		const struct latency_graph *g)
{
	const struct xen_snd_geometry geometry = {
		.rate = rate, .buffer_frames = buffer, .period_frames = period,
	};
	struct latency l;

	latency_init(&l, &geometry, g, 0);
	return l;
}

static void describes(const struct latency *l, const char *wanted)
{
	char text[LATENCY_TEXT_SIZE];

	latency_describe(l, text);
	check_str(text, wanted);
}

TEST(it_is_the_sum_of_its_parts)
{
	struct latency l = latency_of(48000, 4096, 1024, &graph);

	check_eq(l.ring, 4096);
	check_eq(l.quantum, 512);
	check_eq(l.converter, 0);
	check_eq(latency_frames(&l), 4608);
	check_eq(latency_usec(&l), 96000);
	describes(&l, "96.000 ms at most (frames: ring 4096, quantum 512, converter 0, device not "
			"known yet)");
	l.linked = true;
	l.device = 480;
	check_eq(latency_usec(&l), 106000);
	describes(&l, "106.000 ms at most (frames: ring 4096, quantum 512, converter 0, device 480)");
}

TEST(the_quantum_is_a_power_of_two_within_the_graphs_limits)
{
	struct latency_graph forced = graph;

	check_eq(latency_of(48000, 2400, 1200, &graph).quantum, 512);
	check_eq(latency_of(48000, 64, 32, &graph).quantum, 32);
	check_eq(latency_of(48000, 65536, 32768, &graph).quantum, 2048);
	forced.force_quantum = 1000;
	check_eq(latency_of(48000, 4096, 1024, &forced).quantum, 1000);
}

TEST(a_stream_without_periods_is_woken_twice_a_buffer)
{
	check_eq(latency_of(48000, 4096, 0, &graph).quantum, 1024);
}

TEST(dom0_can_ask_for_a_longer_cycle_up_to_the_period)
{
	const struct xen_snd_geometry geometry = {
		.rate = 48000, .buffer_frames = 4096, .period_frames = 1024,
	};
	struct latency l;

	check_eq(latency_cycle(&geometry, latency_parse_min(NULL)), 512);
	check_eq(latency_cycle(&geometry, latency_parse_min("1")), 512);
	check_eq(latency_cycle(&geometry, latency_parse_min("12.5")), 600);
	check_eq(latency_cycle(&geometry, latency_parse_min("40")), 1024);
	latency_init(&l, &geometry, &graph, latency_parse_min("40"));
	check_eq(l.quantum, 1024);
	check_eq(latency_parse_min("-1"), 0);
	check_eq(latency_parse_min("1e30"), 0);
}

/* of the lower of the two rates */
TEST(another_rate_takes_a_resampler)
{
	struct latency l = latency_of(24000, 1024, 512, &graph);

	check_eq(l.quantum, 256);
	check_eq(l.converter, 24);
	check_eq(latency_of(96000, 1024, 512, &graph).converter, 48);
	check_eq(latency_frames(&l), 1024 + 256 + 24);
}

TEST(a_maximum_is_milliseconds)
{
	check(latency_is_max("20"));
	check(latency_is_max("0.001"));
	check(latency_is_max("10000"));
	check(!latency_is_max("0"));
	check(!latency_is_max(""));
	check(!latency_is_max("."));
	check(!latency_is_max("-1"));
	check(!latency_is_max("20ms"));
	check(!latency_is_max("10001"));
	check(!latency_is_max("99999999999999999999"));
	check(!latency_is_max("1e3"));
	check(!latency_is_max("0.0001"));
	check(latency_is_policy("refuse"));
	check(latency_is_policy("flag"));
	check(!latency_is_policy("Refuse"));
}

TEST(what_is_more_than_the_maximum_exceeds_it)
{
	struct latency l = latency_of(48000, 4096, 1024, &graph);

	check(!latency_exceeds(&l));
	latency_limit(&l, "96", NULL);
	check(!latency_exceeds(&l));
	check(!l.refuse);
	latency_limit(&l, "95.999", "refuse");
	check(latency_exceeds(&l));
	check(l.refuse);
	describes(&l, "96.000 ms at most (frames: ring 4096, quantum 512, converter 0, device not "
			"known yet), xen.latency.max 95.999 ms");
	latency_limit(&l, NULL, "refuse");
	check(!latency_exceeds(&l));
}

/* a few days of frames, which no device has */
TEST(the_largest_numbers_fit)
{
	struct latency l = latency_of(384000, UINT32_MAX, UINT32_MAX, &graph);

	l.linked = true;
	l.device = UINT32_MAX;
	check_eq(latency_frames(&l), 2 * (uint64_t)UINT32_MAX + l.quantum + l.converter);
	check_eq(latency_usec(&l), latency_frames(&l) * 1000000 / 384000);
}
