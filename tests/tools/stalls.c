/* SPDX-License-Identifier: MIT */
/*
 * The program `stalls`: a thread on each processor, above all that is measured, wants to run
 * every millisecond. When it does not, for long, the machine itself has stalled: another one had
 * the processor. Writes down from when to when, on CLOCK_MONOTONIC in ns.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define PRIORITY 90	/* PipeWire's are less */
#define STEP_NS 1000000
#define LATE_NS 300000

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* on one processor; never returns */
static void *watch(void *data)
{
	const struct timespec step = { .tv_nsec = STEP_NS };
	int64_t due, now;

	while (true) {
		due = now_ns() + STEP_NS;
		nanosleep(&step, NULL);
		now = now_ns();
		if (now > due + LATE_NS)
			printf("%lld %lld\n", (long long)due, (long long)now);
	}
	return NULL;
}

static int start(int processor)
{
	struct sched_param priority = { .sched_priority = PRIORITY };
	pthread_attr_t attr;
	pthread_t thread;
	cpu_set_t set;
	int res;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(set), &set);
	pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attr, SCHED_FIFO);
	pthread_attr_setschedparam(&attr, &priority);
	res = pthread_create(&thread, &attr, watch, NULL);
	pthread_attr_destroy(&attr);
	return res;
}

int main(void)
{
	int processors = (int)sysconf(_SC_NPROCESSORS_ONLN), number;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < processors; i++)
		if (start(i) != 0) {
			fputs("stalls: no right to be realtime\n", stderr);
			return 1;
		}
	sigwait(&set, &number);
	fflush(stdout);
	return 0;
}
