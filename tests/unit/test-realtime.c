/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What runs in the graph's realtime thread neither calls the system, but to notify
 * the guest once in a cycle that posts a position, nor allocates, locks, or touches
 * a page for the first time: the plugin as it was built, on the stream as it is. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <spa/support/log.h>
#include <spa/support/plugin.h>

#include "driven-node.h"
#include "linux-frontend.h"
#include "sample.h"
#include "stream.h"
#include "test.h"
#include "watchdog.h"

#define BUFFER		3000u		/* frames: no multiple of any quantum */
#define N_CYCLES	400u
#define N_WARM		100u

/* what the guest's event channel does in a cycle, beside counting */
enum sin {
	NONE,
	ALLOCATE,
	LOCK,
	CALL,
	TOUCH,
	TWICE,
};

static struct {
	enum sin sin;
	bool in_cycle;
	unsigned int notified;		/* in this cycle */

	struct stream *stream;
	struct stream_events events;
	struct stream_watcher watcher;
	struct linux_frontend guest;
	uint32_t written;		/* frames: where in the ring the guest writes next */

	struct driven_node node;
} t;

static uint8_t page[WIRE_PAGE_SIZE] __attribute__((aligned(WIRE_PAGE_SIZE)));
static uint8_t ring[BUFFER * DRIVEN_MAX_FRAME] __attribute__((aligned(WIRE_PAGE_SIZE)));
static driven_memory memory __attribute__((aligned(16)));
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void must(bool true_, const char *what)
{
	if (!true_)
		watchdog_bark("not true: %s", what);
}

#define MUST(condition)	must(condition, #condition)

static void sin_once(void)
{
	static volatile uint8_t *fresh;
	void *volatile data;

	switch (t.sin) {
	case ALLOCATE:
		data = malloc(100);
		free(data);
		break;
	case LOCK:
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
		break;
	case CALL:
		syscall(SYS_getppid);
		break;
	case TOUCH:
		if (t.in_cycle)
			*fresh = 1;
		else if (fresh == NULL)
			fresh = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		break;
	default:
		break;
	}
}

/* in the place of libxenevtchn's: the one call that is allowed */
int xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port)
{
	t.notified += t.sin == TWICE ? 2 : 1;
	if (t.in_cycle)
		sin_once();
	return 0;
}

static void on_changed(struct stream_watcher *watcher, struct stream *stream)
{
}

/* A node says nothing while it works. */
static void on_log(void *object, enum spa_log_level level, const struct spa_log_topic *topic,
		const char *file, int line, const char *func, const char *format, ...)
{
	if (t.in_cycle)
		watchdog_bark("%s:%d logs", file, line);
}

static const struct spa_log_methods log_methods = { SPA_VERSION_LOG_METHODS, .logt = on_log };
static struct spa_log logger = {
	.iface = { SPA_TYPE_INTERFACE_Log, SPA_VERSION_LOG, { &log_methods, NULL } },
	.level = SPA_LOG_LEVEL_DEBUG,
};

/* Setting up. */

static void open_stream(uint32_t format, uint32_t channels, bool capture, uint32_t period)
{
	static const struct stream_identity identity = { .guest = "test", .domid = 3 };
	const struct xen_snd_geometry geometry =
		driven_geometry(format, channels, BUFFER, period);

	t.watcher.changed = on_changed;
	linux_init(&t.guest, LINUX_OLDER, page);
	event_page_init(&t.events.page, &wire_dialects[WIRE_DIALECT_2], page);
	linux_set_geometry(&t.guest, BUFFER, period, geometry.frame_size);
	t.stream = stream_open(&(struct stream_config) {
		.identity = &identity, .geometry = &geometry, .capture = capture,
		.data = ring, .events = &t.events, .watcher = &t.watcher,
	});
	MUST(t.stream != NULL);
	atomic_store(&t.stream->linked, true);
}

static void make_node(bool capture)
{
	struct spa_support support = SPA_SUPPORT_INIT(SPA_TYPE_INTERFACE_Log, &logger);

	MUST(driven_node_make(&t.node, XEN_SND_PLUGIN, &t.stream->iface, capture, &support, 1) == 0);
	MUST(driven_node_start(&t.node, memory) == 0);
}

/* A cycle. */

static void cycle(uint32_t quantum)
{
	uint64_t faults = watchdog_faults(), events = atomic_load(&t.stream->counters.events);

	t.notified = 0;
	t.in_cycle = true;
	MUST(driven_node_process(&t.node, quantum) == 0);
	t.in_cycle = false;
	faults = watchdog_faults() - faults;
	if (faults > 0)
		watchdog_bark("%u page faults", (unsigned int)faults);
	events = atomic_load(&t.stream->counters.events) - events;
	MUST(t.notified <= 1);
	MUST(t.notified == events);
}

/* The guest between two cycles: fills its ring most of the time, changes its volume,
 * stops, pauses and starts, and does not always read its events. */
static void guest_turn(uint32_t n)
{
	uint32_t i, channels = t.stream->iface.geometry.channels;

	if (!t.stream->capture && n % 16 < 12) {
		uint32_t run = SPA_MIN(700u, BUFFER - t.written);
		stream_write(t.stream, t.written, run);
		t.written = (t.written + run) % BUFFER;
	}
	if (n % 20 == 0) {
		for (i = 0; i < channels; i++)
			stream_set_volume(t.stream, i, -(int32_t)(n % 7) * 3000);
		stream_set_mute(t.stream, 0, n % 3 == 0);
		stream_apply_volume(t.stream);
	}
	if (n % 60 == 0)
		xen_snd_stream_allow(&t.stream->iface, n % 120 != 0);
	if (n % 50 == 49) {
		stream_trigger(t.stream, n % 100 == 99 ? WIRE_TRIGGER_STOP : WIRE_TRIGGER_PAUSE);
		t.written = 0;
	}
	if (n % 50 == 3)
		stream_trigger(t.stream, WIRE_TRIGGER_START);
	if (n % 200 < 120)
		linux_interrupt(&t.guest);
}

struct plan {
	uint32_t format, channels, period;
	bool capture;
	enum sin sin;
};

static void run_cycles(void *data)
{
	static const uint32_t quanta[] = { 256, 1024, 64, 333, 1, 512 };
	const struct plan *plan = data;
	uint32_t n;

	memset(&t, 0, sizeof(t));
	memset(ring, 0x3c, sizeof(ring));
	memset(memory, 0x3c, sizeof(memory));
	t.sin = plan->sin;
	open_stream(plan->format, plan->channels, plan->capture, plan->period);
	make_node(plan->capture);
	sin_once();
	/* what the host does, too, before a node is in its graph: all pages are there */
	for (n = 0; n < N_WARM; n++) {
		MUST(driven_node_process(&t.node, quanta[n % SPA_N_ELEMENTS(quanta)]) == 0);
		guest_turn(n);
	}
	watchdog_faults();
	watchdog_loose();
	for (n = 0; n < N_CYCLES; n++) {
		cycle(quanta[n % SPA_N_ELEMENTS(quanta)]);
		guest_turn(n);
	}
	MUST(plan->period == 0 || atomic_load(&t.stream->counters.coalesced) > 0);
	MUST(plan->capture || atomic_load(&t.stream->counters.underruns) > 0);
}

static void runs_quietly(bool capture, uint32_t channels)
{
	struct plan plan = { .capture = capture, .channels = channels };
	const char *end;

	for (plan.format = 0; plan.format < WIRE_N_FORMATS; plan.format++) {
		if ((sample_supported() & UINT64_C(1) << plan.format) == 0)
			continue;
		for (plan.period = 0; plan.period <= 512; plan.period += 256) {
			end = watchdog_run(run_cycles, &plan);
			if (end[0] != '\0')
				test_fail(__FILE__, __LINE__, "format %s, %u channels, period %u: %s",
						wire_format_info(plan.format)->name, channels,
						plan.period, end);
		}
	}
}

TEST(playback_of_every_format_is_safe_for_realtime)
{
	runs_quietly(false, 1);
	runs_quietly(false, 2);
	runs_quietly(false, 8);
}

TEST(capture_of_every_format_is_safe_for_realtime)
{
	runs_quietly(true, 1);
	runs_quietly(true, 2);
	runs_quietly(true, 8);
}

/* The watchdog sees what it is there to see. */

static const char *sins(enum sin sin)
{
	struct plan plan = { WIRE_FORMAT_S16_LE, 2, 256, false, sin };
	return watchdog_run(run_cycles, &plan);
}

TEST(an_allocation_in_a_cycle_would_be_noticed)
{
	check_str(sins(ALLOCATE), "malloc was called");
}

TEST(a_lock_in_a_cycle_would_be_noticed)
{
	check_str(sins(LOCK), "pthread_mutex_lock was called");
}

TEST(a_system_call_in_a_cycle_would_be_noticed)
{
	char text[64];

	snprintf(text, sizeof(text), "system call %d", SYS_getppid);
	check_str(sins(CALL), text);
}

TEST(a_page_fault_in_a_cycle_would_be_noticed)
{
	/* one, or two where AddressSanitizer keeps account of the page in another */
	check(strstr(sins(TOUCH), " page faults") != NULL);
}

TEST(a_second_notification_in_a_cycle_would_be_noticed)
{
	check_str(sins(TWICE), "not true: t.notified <= 1");
}
