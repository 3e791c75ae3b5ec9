/* SPDX-License-Identifier: MIT */
/*
 * The program `canary`: wants to run every few milliseconds, at normal priority as the
 * backend's threads do, and counts how often it was kept from that for long. Where it was,
 * the machine was too busy for a test of latency to prove anything.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define STEP_NS 5000000l
#define LATE_NS 15000000ll

static volatile sig_atomic_t over;

static void on_signal(int number)
{
	over = 1;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

int main(void)
{
	const struct timespec step = { .tv_nsec = STEP_NS };
	unsigned int missed = 0;
	int64_t before, late, worst = 0;

	signal(SIGTERM, on_signal);
	while (!over) {
		before = now_ns();
		nanosleep(&step, NULL);
		late = now_ns() - before - STEP_NS;
		if (late > worst)
			worst = late;
		missed += late > LATE_NS;
	}
	printf("missed %u steps, the worst by %lld ms\n", missed, (long long)worst / 1000000);
	return 0;
}
