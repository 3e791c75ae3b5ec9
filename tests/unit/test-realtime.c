/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What runs in the graph's realtime thread neither calls the system, but to notify
 * the guest once in a cycle that posts a position, nor allocates, locks, or touches
 * a page for the first time: the plugin as it was built, on the stream as it is. */

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <spa/node/io.h>
#include <spa/node/node.h>
#include <spa/node/utils.h>
#include <spa/param/audio/format-utils.h>
#include <spa/param/param.h>
#include <spa/support/log.h>
#include <spa/support/plugin.h>

#include "linux-frontend.h"
#include "sample.h"
#include "stream.h"
#include "test.h"
#include "watchdog.h"

#define RATE		48000u
#define MAX_QUANTUM	1024u
#define MAX_FRAME	64u		/* octets: 8 channels of 8 */
#define BUFFER		3000u		/* frames: no multiple of any quantum */
#define N_BUFFERS	2u
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
	uint32_t frame_size;
	uint32_t written;		/* frames: where in the ring the guest writes next */

	struct spa_handle *handle;
	struct spa_node *node;
	enum spa_direction direction;
	struct spa_hook listener;
	uint8_t param[4096];
	struct spa_io_buffers io;
	struct spa_io_position clock;
	struct spa_buffer buffers[N_BUFFERS], *pointers[N_BUFFERS];
	struct spa_data datas[N_BUFFERS];
	struct spa_chunk chunks[N_BUFFERS];
} t;

static uint8_t page[WIRE_PAGE_SIZE] __attribute__((aligned(WIRE_PAGE_SIZE)));
static uint8_t ring[BUFFER * MAX_FRAME] __attribute__((aligned(WIRE_PAGE_SIZE)));
static uint8_t memory[N_BUFFERS][MAX_QUANTUM * MAX_FRAME] __attribute__((aligned(16)));
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
	struct xen_snd_geometry geometry = {
		.format = sample_graph_format(format),
		.guest_format = sample_guest_format(format),
		.rate = RATE,
		.channels = channels,
		.frame_size = channels * wire_format_info(format)->size,
		.buffer_frames = BUFFER,
		.period_frames = period,
	};

	sample_default_position(channels, geometry.position);
	t.frame_size = geometry.frame_size;
	t.watcher.changed = on_changed;
	linux_init(&t.guest, LINUX_OLDER, page);
	event_page_init(&t.events.page, &wire_dialects[WIRE_DIALECT_2], page);
	linux_set_geometry(&t.guest, BUFFER, period, t.frame_size);
	t.stream = stream_open(&(struct stream_config) {
		.identity = &identity, .geometry = &geometry, .capture = capture,
		.data = ring, .events = &t.events, .watcher = &t.watcher,
	});
	MUST(t.stream != NULL);
	atomic_store(&t.stream->linked, true);
}

static void on_result(void *data, int seq, int res, uint32_t type, const void *result)
{
	const struct spa_result_node_params *params = result;

	MUST(SPA_POD_SIZE(params->param) <= sizeof(t.param));
	memcpy(t.param, params->param, SPA_POD_SIZE(params->param));
}

static const struct spa_node_events node_events = {
	SPA_VERSION_NODE_EVENTS,
	.result = on_result,
};

static void make_node(bool capture)
{
	const struct spa_handle_factory *factory;
	spa_handle_factory_enum_func_t enumerate;
	struct spa_support support = SPA_SUPPORT_INIT(SPA_TYPE_INTERFACE_Log, &logger);
	struct spa_dict_item item;
	char pointer[64];
	uint32_t index = capture ? 1 : 0;
	void *library;

	MUST((library = dlopen(XEN_SND_PLUGIN, RTLD_NOW)) != NULL);
	enumerate = (spa_handle_factory_enum_func_t)dlsym(library,
			SPA_HANDLE_FACTORY_ENUM_FUNC_NAME);
	MUST(enumerate(&factory, &index) == 1);
	snprintf(pointer, sizeof(pointer), "pointer:%p", (void *)&t.stream->iface);
	item = SPA_DICT_ITEM_INIT(XEN_SND_KEY_STREAM, pointer);
	t.direction = capture ? SPA_DIRECTION_INPUT : SPA_DIRECTION_OUTPUT;
	t.handle = calloc(1, spa_handle_factory_get_size(factory, NULL));
	MUST(spa_handle_factory_init(factory, t.handle, &SPA_DICT_INIT(&item, 1), &support, 1) == 0);
	MUST(spa_handle_get_interface(t.handle, SPA_TYPE_INTERFACE_Node, (void **)&t.node) == 0);
	spa_node_add_listener(t.node, &t.listener, &node_events, NULL);
}

static void start_node(void)
{
	uint32_t i;

	for (i = 0; i < N_BUFFERS; i++) {
		t.pointers[i] = &t.buffers[i];
		t.buffers[i] = (struct spa_buffer) { .n_datas = 1, .datas = &t.datas[i] };
		t.datas[i] = (struct spa_data) { .type = SPA_DATA_MemPtr, .data = memory[i],
			.maxsize = sizeof(memory[i]), .chunk = &t.chunks[i] };
	}
	t.clock.clock.rate = SPA_FRACTION(1, RATE);
	t.io = SPA_IO_BUFFERS_INIT;
	MUST(spa_node_set_io(t.node, SPA_IO_Position, &t.clock, sizeof(t.clock)) == 0);
	MUST(spa_node_port_enum_params(t.node, 0, t.direction, 0, SPA_PARAM_EnumFormat, 0, 1,
				NULL) == 0);
	MUST(spa_node_port_set_param(t.node, t.direction, 0, SPA_PARAM_Format, 0,
				(struct spa_pod *)t.param) == 0);
	MUST(spa_node_port_use_buffers(t.node, t.direction, 0, 0, t.pointers, N_BUFFERS) == 0);
	MUST(spa_node_port_set_io(t.node, t.direction, 0, SPA_IO_Buffers, &t.io,
				sizeof(t.io)) == 0);
	MUST(spa_node_send_command(t.node, &SPA_NODE_COMMAND_INIT(SPA_NODE_COMMAND_Start)) == 0);
}

/* A cycle. */

static void process(uint32_t quantum)
{
	uint32_t size = quantum * t.frame_size;

	t.clock.clock.duration = quantum;
	if (t.direction == SPA_DIRECTION_INPUT) {
		t.io.buffer_id = 0;
		*t.datas[0].chunk = (struct spa_chunk) { .size = size, .stride = t.frame_size };
		t.io.status = SPA_STATUS_HAVE_DATA;
		MUST(spa_node_process(t.node) == SPA_STATUS_NEED_DATA);
	} else {
		t.io.status = SPA_STATUS_NEED_DATA;
		MUST(spa_node_process(t.node) == SPA_STATUS_HAVE_DATA);
		MUST(t.datas[t.io.buffer_id].chunk->size == size);
	}
}

static void cycle(uint32_t quantum)
{
	uint64_t faults = watchdog_faults(), events = atomic_load(&t.stream->counters.events);

	t.notified = 0;
	t.in_cycle = true;
	process(quantum);
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

	if (t.direction == SPA_DIRECTION_OUTPUT && n % 16 < 12) {
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
	start_node();
	sin_once();
	/* what the host does, too, before a node is in its graph: all pages are there */
	for (n = 0; n < N_WARM; n++) {
		process(quanta[n % SPA_N_ELEMENTS(quanta)]);
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
