/* SPDX-License-Identifier: MIT */

/* Measures how long this (virtual) processor stood still: sleeps 5 ms at a time at the highest
 * priority and notes by how much it woke up too late. Prints the result when it is told to end.
 * What it finds is the machine's doing, not that of any program under test. */

#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define STEP_NSEC	5000000LL
#define STALL_NSEC	15000000LL	/* later than this is counted */

static volatile sig_atomic_t ended;

static void end(int signal)
{
	(void)signal;
	ended = 1;
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void sleep_until(int64_t nsec)
{
	struct timespec t = { nsec / 1000000000LL, nsec % 1000000000LL };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

int main(void)
{
	struct sched_param param = { .sched_priority = 99 };
	int64_t longest = 0;
	unsigned int stalls = 0;

	signal(SIGTERM, end);
	sched_setscheduler(0, SCHED_FIFO, &param);
	while (!ended) {
		int64_t due = now() + STEP_NSEC;

		sleep_until(due);
		if (ended)
			break;

		int64_t late = now() - due;

		longest = late > longest ? late : longest;
		stalls += late > STALL_NSEC;
	}
	printf("%.1f %u\n", longest / 1e6, stalls);
	return 0;
}
