/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Asking for what keeps sound in time, see realtime.h. */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <pipewire/impl.h>

#include "clock.h"
#include "log.h"
#include "realtime.h"

/* by then the data loop runs, and RTKit has answered, if it was asked */
#define SETTLE_NSEC	(500 * SPA_NSEC_PER_MSEC)

static int lock_memory(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
		return -errno;
	/* at the limit it would not be swapping, but mappings that fail */
	if (limit.rlim_cur != RLIM_INFINITY && geteuid() != 0)
		return -EPERM;
	/* not the whole stack of every thread: what is touched */
	return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0 ? -errno : 0;
}

struct schedule {
	int policy, priority;
};

/* data loop */
static int get_schedule(struct spa_loop *loop, bool async, uint32_t seq, const void *data,
		size_t size, void *user_data)
{
	struct schedule *schedule = user_data;
	struct sched_param param;

	pthread_getschedparam(pthread_self(), &schedule->policy, &param);
	schedule->priority = param.sched_priority;
	return 0;
}

static void on_timer(void *data, uint64_t expirations)
{
	struct realtime *realtime = data;
	struct schedule schedule = { .policy = SCHED_OTHER };
	struct pw_data_loop *loop = pw_context_get_data_loop(realtime->context);

	pw_data_loop_invoke(loop, get_schedule, 0, NULL, 0, true, &schedule);
	schedule.policy &= ~SCHED_RESET_ON_FORK;
	if (schedule.policy == SCHED_FIFO || schedule.policy == SCHED_RR)
		pw_log_info("sound is played in realtime: %s, priority %d",
				schedule.policy == SCHED_FIFO ? "SCHED_FIFO" : "SCHED_RR",
				schedule.priority);
	else
		pw_log_warn("sound is not played in realtime, and may break when the machine is busy: "
				"libpipewire-module-rt, in context.modules, asks for it; the unit's "
				"LimitRTPRIO= or RTKit grants it");
}

int realtime_init(struct realtime *realtime, struct pw_context *context, bool own)
{
	struct pw_loop *loop = pw_context_get_main_loop(context);
	int res;

	if (own && (res = lock_memory()) < 0)
		pw_log_warn("memory that sound needs may be swapped out: %s (the unit's "
				"LimitMEMLOCK=infinity allows locking it)", strerror(-res));

	realtime->context = context;
	if ((realtime->timer = pw_loop_add_timer(loop, on_timer, realtime)) == NULL)
		return -errno;
	clock_fire_after(loop, realtime->timer, SETTLE_NSEC);
	return 0;
}

void realtime_clear(struct realtime *realtime)
{
	if (realtime->timer)
		pw_loop_destroy_source(pw_context_get_main_loop(realtime->context), realtime->timer);
	realtime->timer = NULL;
}
