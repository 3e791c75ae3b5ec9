/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The position's arithmetic, with Linux on the other side: is the guest's
 * application woken in time, does its pointer agree with ours? */

#include "linux-frontend.h"
#include "position.h"
#include "test.h"

/* An application that reads or writes all it can whenever it is woken, and a
 * graph that goes on by its quantum. */
struct session {
	struct position pos;
	struct linux_frontend guest;
	uint64_t app;		/* frames written or read, since OPEN */
	uint64_t origin;	/* position that Linux's pointer is counted from */
	uint8_t page[4096];
};

static struct session s;

static void start(uint32_t buffer, uint32_t period, bool capture)
{
	memset(&s, 0, sizeof(s));
	position_init(&s.pos, buffer, period, capture);
	linux_init(&s.guest, LINUX_OLDER, s.page);
	linux_set_geometry(&s.guest, buffer, period, 1);
	s.app = capture ? 0 : buffer;		/* filled before START */
}

static void tell(void)
{
	linux_position(&s.guest, position_now(&s.pos));
	position_told(&s.pos);
}

/* one cycle of the graph; false: it found too little, or too little room */
static bool cycle(uint32_t quantum)
{
	uint64_t wakes = s.guest.wakes, now;

	if (s.pos.capture && s.pos.taken + quantum > s.app + s.pos.buffer)
		return false;
	position_advance(&s.pos, quantum);
	if (!s.pos.capture && s.pos.taken > s.app)
		return false;
	tell();
	if (s.guest.wakes == wakes)
		return true;
	now = s.guest.told;
	/* what Linux takes for an XRUN */
	if (s.pos.capture ? now - s.app >= s.pos.buffer : now >= s.app)
		return false;
	s.app = s.pos.capture ? now : now + s.pos.buffer;
	return true;
}

static bool runs(uint32_t buffer, uint32_t period, uint32_t quantum, bool capture)
{
	uint32_t i;

	start(buffer, period, capture);
	for (i = 0; i < 1000; i++) {
		if (!cycle(quantum))
			return false;
	}
	return true;
}

static const uint32_t periods[] = { 64, 100, 441, 480, 1000, 1024, 4801 };

static void two_periods(bool capture, uint32_t numerator, uint32_t denominator)
{
	uint32_t i, period, quantum;

	for (i = 0; i < sizeof(periods) / sizeof(periods[0]); i++) {
		period = periods[i];
		quantum = period * numerator / denominator;
		if (!runs(2 * period, period, quantum, capture))
			test_fail(__FILE__, __LINE__, "period %u, quantum %u: not woken in time",
					period, quantum);
		/* once a period, but for the first in capture */
		check(s.guest.wakes >= 1000 * (uint64_t)quantum / period - 2);
	}
}

TEST(playback_of_two_periods_runs_with_half_a_period_a_cycle)
{
	two_periods(false, 1, 2);
}

TEST(playback_of_two_periods_runs_with_three_quarters_a_cycle)
{
	two_periods(false, 3, 4);
}

TEST(playback_of_two_periods_runs_with_a_period_a_cycle)
{
	two_periods(false, 1, 1);
}

TEST(capture_of_two_periods_runs_with_half_a_period_a_cycle)
{
	two_periods(true, 1, 2);
}

TEST(capture_of_two_periods_runs_with_three_quarters_a_cycle)
{
	two_periods(true, 3, 4);
}

TEST(capture_of_two_periods_runs_with_a_period_a_cycle)
{
	two_periods(true, 1, 1);
}

static void any_quantum(bool capture)
{
	const uint32_t period = 96;
	uint32_t buffer, quantum;

	for (buffer = 2 * period; buffer <= 5 * period; buffer += 16) {
		for (quantum = 1; quantum <= period; quantum++) {
			if (!runs(buffer, period, quantum, capture))
				test_fail(__FILE__, __LINE__, "buffer %u, period %u, quantum %u: "
						"not woken in time", buffer, period, quantum);
		}
	}
}

TEST(playback_runs_with_any_quantum_up_to_the_period)
{
	any_quantum(false);
}

TEST(capture_runs_with_any_quantum_up_to_the_period)
{
	any_quantum(true);
}

TEST(playback_runs_with_a_quantum_of_whole_periods_in_a_large_buffer)
{
	check(runs(8 * 480, 480, 2 * 480, false));
	check(runs(8 * 480, 480, 4 * 480, false));
	check(runs(4 * 480, 480, 3 * 480, false));
}

TEST(capture_runs_with_a_quantum_of_whole_periods_in_a_large_buffer)
{
	check(runs(8 * 480, 480, 2 * 480, true));
	check(runs(8 * 480, 480, 4 * 480, true));
	check(runs(4 * 480, 480, 3 * 480, true));
}

/* The proof that the model above tells the difference. */
TEST(without_a_slip_a_period_a_cycle_would_not_run)
{
	uint32_t i;

	start(2 * 480, 480, false);
	for (i = 0; i < 2; i++) {
		s.pos.taken += 480;
		tell();
	}
	check_eq(s.guest.wakes, 1);
	check(s.guest.told >= s.app);
}

TEST(playback_slips_once_and_only_where_it_must)
{
	uint32_t i, slips = 0;

	start(2 * 480, 480, false);
	for (i = 0; i < 100; i++) {
		slips += position_advance(&s.pos, 480);
		tell();
	}
	check_eq(slips, 1);
	check_eq(s.pos.taken, 100 * 480 + 1);

	start(4 * 480, 480, false);
	for (i = 0; i < 100; i++) {
		check(!position_advance(&s.pos, 480));
		tell();
	}
}

TEST(capture_tells_of_one_frame_less_after_a_slip)
{
	start(2 * 480, 480, true);
	check(!position_advance(&s.pos, 480));
	check_eq(s.pos.taken, 480);
	check_eq(position_now(&s.pos), 479);
}

TEST(without_periods_nothing_slips)
{
	uint32_t i;

	start(960, 0, false);
	for (i = 0; i < 100; i++) {
		check(!position_advance(&s.pos, 480));
		position_told(&s.pos);
	}
	check_eq(position_now(&s.pos), 100 * 480);
}

/* The frames that Linux has counted since it woke its application are ours too. */
TEST(pending_frames_are_those_that_linux_counts)
{
	uint32_t i, step = 1;

	start(4096, 1000, false);
	for (i = 0; i < 10000; i++) {
		step = (step * 1103515245 + 12345) & 0x7fff;
		position_advance(&s.pos, step % 1500);
		tell();
		check_eq(s.pos.pending, s.guest.out_frames);
	}
}

/* Linux's pointer is at 0 again after STOP, whatever the buffer's size. */
static void stop_aligns(uint32_t buffer, bool capture)
{
	uint32_t i, quantum = buffer / 3;
	uint64_t before;

	start(buffer, buffer / 2, capture);
	for (i = 1; i < 20; i++) {
		position_advance(&s.pos, quantum + i);
		tell();
		before = s.guest.told;
		position_align(&s.pos);
		tell();
		check_eq(s.guest.told % buffer, 0);
		check_eq(s.guest.hw_ptr, 0);
		check_eq(s.pos.taken, s.guest.told);
		check(s.guest.told >= before && s.guest.told < before + 2 * buffer);
		/* or the first frame after the next start would wake the guest */
		check(s.guest.out_frames < s.guest.period);
	}
}

TEST(stop_goes_on_to_a_whole_buffer)
{
	static const uint32_t buffers[] = { 1024, 4096, 4800, 9600, 22050, 44101, 3 };
	size_t i;

	for (i = 0; i < sizeof(buffers) / sizeof(buffers[0]); i++) {
		stop_aligns(buffers[i], false);
		stop_aligns(buffers[i], true);
	}
}

/* A ring of four periods that stops in its last: a buffer's end is a period's, too,
 * and nothing has woken the guest for just that period. */
TEST(stop_does_not_end_on_a_period_that_has_woken_nobody)
{
	start(4096, 1024, false);
	position_advance(&s.pos, 3072);
	tell();
	position_align(&s.pos);
	tell();
	check_eq(s.guest.told, 8192);
	check_eq(s.guest.hw_ptr, 0);
	check_eq(s.guest.out_frames, 0);
}

TEST(stop_at_a_whole_buffer_stays_there)
{
	start(4800, 2400, false);
	position_align(&s.pos);
	check_eq(s.pos.taken, 0);
	position_advance(&s.pos, 4800);
	tell();
	position_align(&s.pos);
	check_eq(s.pos.taken, 4800);
}

static void restarts(bool capture)
{
	uint32_t round, i;

	start(960, 480, capture);
	for (round = 0; round < 50; round++) {
		for (i = 0; i < 20 + round; i++)
			check(cycle(480));
		position_align(&s.pos);
		tell();
		s.app = s.guest.told + (capture ? 0 : 960);
	}
}

TEST(playback_of_two_periods_goes_on_after_each_stop)
{
	restarts(false);
}

TEST(capture_of_two_periods_goes_on_after_each_stop)
{
	restarts(true);
}

static void far_away(bool capture)
{
	const uint64_t far = UINT64_C(7) << 32;
	uint32_t i;

	start(4800, 2400, capture);
	s.pos.taken = s.pos.posted = s.guest.told = far * 4800;
	s.app = s.guest.told + (capture ? 0 : 4800);
	for (i = 0; i < 1000; i++)
		check(cycle(2400));
	position_align(&s.pos);
	check_eq(position_now(&s.pos) % 4800, 0);
	check(position_now(&s.pos) > far * 4800 + 999 * 2400);
}

TEST(playback_runs_beyond_32_bits)
{
	far_away(false);
}

TEST(capture_runs_beyond_32_bits)
{
	far_away(true);
}

TEST(seeking_goes_on_to_where_the_offset_is_next)
{
	start(1000, 0, false);
	s.pos.taken = 1500;
	position_seek(&s.pos, 600);
	check_eq(s.pos.taken, 1600);
	position_seek(&s.pos, 600);
	check_eq(s.pos.taken, 1600);
	position_seek(&s.pos, 599);
	check_eq(s.pos.taken, 2599);
	position_seek(&s.pos, 0);
	check_eq(s.pos.taken, 3000);
}

/* position_fill(): a ring of 1000 frames, the graph in its second round */
static uint64_t fill(uint64_t filled, uint64_t taken, uint32_t offset, uint32_t length)
{
	return position_fill(filled, taken, 1000, offset, length);
}

TEST(sequential_data_is_behind_what_was_there)
{
	check_eq(fill(0, 0, 0, 100), 100);
	check_eq(fill(100, 0, 100, 900), 1000);
	check_eq(fill(1500, 1100, 500, 200), 1700);
}

TEST(data_goes_on_at_the_rings_start)
{
	check_eq(fill(1900, 1500, 900, 100), 2000);
	check_eq(fill(2000, 1500, 0, 50), 2050);
}

TEST(a_whole_ring_can_be_filled)
{
	check_eq(fill(0, 0, 0, 1000), 1000);
	check_eq(fill(3000, 3000, 0, 1000), 4000);
}

TEST(a_rewind_takes_nothing_away)
{
	check_eq(fill(1500, 1100, 300, 100), 1500);
	check_eq(fill(1500, 1100, 300, 200), 1500);
}

TEST(a_rewind_that_goes_further_adds_the_rest)
{
	check_eq(fill(1500, 1100, 300, 400), 1700);
}

TEST(data_ahead_is_valid_with_what_lies_before_it)
{
	check_eq(fill(1500, 1100, 600, 100), 1700);
	check_eq(fill(1500, 1100, 0, 100), 2100);
}

TEST(data_that_comes_late_in_sequence_is_valid_where_it_is_not_late)
{
	check_eq(fill(1500, 1600, 500, 200), 1700);
	check_eq(fill(1500, 1800, 500, 200), 1700);
}

TEST(data_that_straddles_the_graph_counts_from_behind)
{
	check_eq(fill(1100, 1100, 50, 100), 1150);
	check_eq(fill(1400, 1100, 50, 100), 1400);
	check_eq(fill(500, 1100, 0, 1000), 2000);
}

TEST(after_an_underrun_new_data_is_where_its_offset_says)
{
	/* the graph is 250 frames past the end of data, the guest starts afresh */
	check_eq(fill(1000, 1250, 300, 200), 1500);
}

TEST(nothing_written_adds_nothing)
{
	check_eq(fill(1500, 1100, 500, 0), 1500);
	check_eq(fill(1500, 1100, 200, 0), 1500);
}

TEST(the_ring_is_never_more_than_full)
{
	uint32_t offset, length;
	uint64_t taken;

	for (taken = 1000; taken < 2000; taken += 37) {
		for (offset = 0; offset < 1000; offset += 13) {
			for (length = 0; offset + length <= 1000; length += 11)
				check(fill(taken, taken, offset, length) <= taken + 1000);
		}
	}
}

TEST(data_is_placed_beyond_32_bits)
{
	const uint64_t far = UINT64_C(5000000000) * 1000;

	check_eq(fill(far + 500, far + 100, 500, 200), far + 700);
	check_eq(fill(far + 500, far + 100, 600, 100), far + 700);
	check_eq(fill(far + 100, far + 100, 50, 100), far + 150);
}
