/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* CLOCK_MONOTONIC and timers of a loop, in nanoseconds. */

#ifndef XEN_SND_CLOCK_H
#define XEN_SND_CLOCK_H

#include <time.h>

#include <pipewire/pipewire.h>
#include <spa/utils/defs.h>

static inline uint64_t clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return SPA_TIMESPEC_TO_NSEC(&ts);
}

static inline struct timespec clock_timespec(uint64_t nsec)
{
	return (struct timespec) {
		.tv_sec = nsec / SPA_NSEC_PER_SEC,
		.tv_nsec = nsec % SPA_NSEC_PER_SEC,
	};
}

/* In the loop's thread: fire once after `nsec`; 0: not any more. */
static inline void clock_fire_after(struct pw_loop *loop, struct spa_source *timer, uint64_t nsec)
{
	struct timespec value = clock_timespec(nsec);

	pw_loop_update_timer(loop, timer, &value, NULL, false);
}

/* In the loop's thread: fire every `nsec`; 0: not any more. */
static inline void clock_fire_every(struct pw_loop *loop, struct spa_source *timer, uint64_t nsec)
{
	struct timespec value = clock_timespec(nsec);

	pw_loop_update_timer(loop, timer, &value, &value, false);
}

#endif /* XEN_SND_CLOCK_H */
