/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The SPA plugin as it was built, its nodes stepped by hand over a stream that
 * does what the test says. */

#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <spa/node/io.h>
#include <spa/node/node.h>
#include <spa/node/utils.h>
#include <spa/param/audio/format-utils.h>
#include <spa/param/buffers.h>
#include <spa/param/latency-utils.h>
#include <spa/param/param.h>
#include <spa/param/props.h>
#include <spa/pod/iter.h>
#include <spa/pod/parser.h>
#include <spa/support/log.h>
#include <spa/support/plugin.h>

#include "test.h"
#include "xen-snd.h"

#define RATE		48000u
#define DECAY		240u		/* frames in 5 ms */
#define QUANTUM		256u
#define FRAME_SIZE	4u
#define RING		1000u
#define N_BUFFERS	2u
#define MAX_SIZE	(1024u * FRAME_SIZE)

static struct {
	void *library;
	struct spa_handle *handle;
	bool fade;			/* is wanted of it */
	struct spa_node *node;
	enum spa_direction direction;

	/* the stream */
	struct xen_snd_stream stream;
	uint32_t ring[RING];
	uint64_t position;
	int refuse;			/* acquire answers with this, if negative */
	uint32_t silence;		/* frames of silence at the end of each cycle */
	uint32_t wanted;		/* frames of the last acquire */
	uint64_t nsec;			/* of its cycle */
	uint32_t n_acquired, n_released;
	uint32_t released;		/* frames of the last release */
	uint32_t n_allowed;		/* times it was switched */
	uint32_t n_told;		/* times it was told of a latency */
	struct spa_latency_info told;

	/* what the host gives */
	struct spa_io_buffers io;
	struct spa_io_position clock;
	struct spa_io_rate_match match;
	struct spa_buffer buffers[N_BUFFERS], *pointers[N_BUFFERS];
	struct spa_data datas[N_BUFFERS];
	struct spa_chunk chunks[N_BUFFERS];
	uint8_t memory[N_BUFFERS][MAX_SIZE + 16];

	/* what the node says */
	struct spa_hook listener;
	uint8_t param[4096];
	uint32_t n_params;
	uint32_t n_inputs, n_outputs;
	uint32_t n_node_params;
	uint32_t props_flags;		/* of its parameter */
	char allowed[8];		/* its property */
	uint64_t port_flags;
} t;

/* The stream. */

static int fake_acquire(void *object, uint32_t frames, const struct xen_snd_cycle *cycle,
		struct xen_snd_span spans[XEN_SND_MAX_SPANS])
{
	uint32_t at = t.position % RING, sound, first;
	int n = 0;

	check(object == &t);
	check_eq(t.n_acquired, t.n_released);
	t.wanted = frames;
	t.nsec = cycle->length;
	if (t.refuse < 0)
		return t.refuse;
	t.n_acquired++;
	frames = SPA_MIN(frames, RING);
	sound = frames - SPA_MIN(frames, t.silence);
	first = SPA_MIN(sound, RING - at);
	if (first > 0)
		spans[n++] = (struct xen_snd_span) { &t.ring[at], first };
	if (sound > first)
		spans[n++] = (struct xen_snd_span) { &t.ring[0], sound - first };
	if (frames > sound)
		spans[n++] = (struct xen_snd_span) { NULL, frames - sound };
	return n;
}

static void fake_release(void *object, uint32_t frames)
{
	check(object == &t);
	t.n_released++;
	check_eq(t.n_acquired, t.n_released);
	t.released = frames;
	t.position += frames;
}

static void fake_allow(void *object, bool allowed)
{
	check(object == &t);
	t.n_allowed++;
	atomic_store(&t.stream.permission,
			XEN_SND_SWITCHED | (allowed ? XEN_SND_MAY_HEAR : 0));
}

static void fake_tell_latency(void *object, const struct spa_latency_info *info)
{
	check(object == &t);
	t.n_told++;
	t.told = *info;
}

static const struct xen_snd_stream_methods fake_methods = {
	XEN_SND_VERSION_STREAM_METHODS,
	.acquire = fake_acquire,
	.release = fake_release,
	.allow = fake_allow,
	.tell_latency = fake_tell_latency,
};

/* The host. */

static void on_info(void *data, const struct spa_node_info *info)
{
	const char *allowed;
	uint32_t i;

	t.n_inputs = info->max_input_ports;
	t.n_outputs = info->max_output_ports;
	if (info->change_mask & SPA_NODE_CHANGE_MASK_PROPS) {
		allowed = spa_dict_lookup(info->props, XEN_SND_KEY_CAPTURE_ALLOWED);
		snprintf(t.allowed, sizeof(t.allowed), "%s", allowed ? allowed : "none");
	}
	if (info->change_mask & SPA_NODE_CHANGE_MASK_PARAMS) {
		t.n_node_params = info->n_params;
		for (i = 0; i < info->n_params; i++) {
			if (info->params[i].id == SPA_PARAM_Props)
				t.props_flags = info->params[i].flags;
		}
	}
}

static void on_port_info(void *data, enum spa_direction direction, uint32_t port,
		const struct spa_port_info *info)
{
	check_eq(direction, t.direction);
	check_eq(port, 0);
	t.port_flags = info->flags;
}

static void on_result(void *data, int seq, int res, uint32_t type, const void *result)
{
	const struct spa_result_node_params *params = result;

	if (type != SPA_RESULT_TYPE_NODE_PARAMS)
		return;
	check(SPA_POD_SIZE(params->param) <= sizeof(t.param));
	memcpy(t.param, params->param, SPA_POD_SIZE(params->param));
	t.n_params++;
}

static const struct spa_node_events node_events = {
	SPA_VERSION_NODE_EVENTS,
	.info = on_info,
	.port_info = on_port_info,
	.result = on_result,
};

static const struct spa_handle_factory *find_factory(const char *name)
{
	const struct spa_handle_factory *factory;
	spa_handle_factory_enum_func_t enumerate;
	uint32_t index = 0;

	if ((t.library = dlopen(XEN_SND_PLUGIN, RTLD_NOW | RTLD_LOCAL)) == NULL)
		test_fail(__FILE__, __LINE__, "%s", dlerror());
	enumerate = (spa_handle_factory_enum_func_t)dlsym(t.library,
			SPA_HANDLE_FACTORY_ENUM_FUNC_NAME);
	check(enumerate != NULL);
	while (enumerate(&factory, &index) > 0) {
		if (strcmp(factory->name, name) == 0)
			return factory;
	}
	test_fail(__FILE__, __LINE__, "no factory %s", name);
}

/* PipeWire always gives one */
static void no_log(void *object, enum spa_log_level level, const char *file, int line,
		const char *func, const char *format, va_list args)
{
}

static void no_logt(void *object, enum spa_log_level level, const struct spa_log_topic *topic,
		const char *file, int line, const char *func, const char *format, ...)
{
}

static const struct spa_log_methods log_methods = {
	SPA_VERSION_LOG_METHODS,
	.logv = no_log,
	.logt = no_logt,
};

static struct spa_log no_logger = {
	.iface = { SPA_TYPE_INTERFACE_Log, SPA_VERSION_LOG, { &log_methods, NULL } },
	.level = SPA_LOG_LEVEL_TRACE,
};

static int init_handle(const char *factory_name, const char *value)
{
	const struct spa_handle_factory *factory = find_factory(factory_name);
	const struct spa_dict_item items[] = {
		SPA_DICT_ITEM_INIT(XEN_SND_KEY_STREAM, value),
		SPA_DICT_ITEM_INIT(XEN_SND_KEY_FADE, t.fade ? "true" : "false"),
	};
	struct spa_support support = SPA_SUPPORT_INIT(SPA_TYPE_INTERFACE_Log, &no_logger);

	t.handle = calloc(1, spa_handle_factory_get_size(factory, NULL));
	return spa_handle_factory_init(factory, t.handle,
			value ? &SPA_DICT_INIT_ARRAY(items) : NULL, &support, 1);
}

static void make_stream(uint32_t format)
{
	t.stream.iface = SPA_INTERFACE_INIT(XEN_SND_TYPE_STREAM, XEN_SND_VERSION_STREAM,
			&fake_methods, &t);
	t.stream.geometry = (struct xen_snd_geometry) {
		.format = format,
		.guest_format = format,
		.rate = RATE,
		.channels = 2,
		.position = { SPA_AUDIO_CHANNEL_FL, SPA_AUDIO_CHANNEL_FR },
		.frame_size = FRAME_SIZE,
		.buffer_frames = RING,
		.period_frames = QUANTUM,
	};
	if (format == SPA_AUDIO_FORMAT_F32_LE) {
		t.stream.geometry.channels = 1;
		t.stream.geometry.position[0] = SPA_AUDIO_CHANNEL_MONO;
	}
	if (format == SPA_AUDIO_FORMAT_U8)
		t.stream.geometry.channels = FRAME_SIZE;
}

static void make_node(bool source, uint32_t format)
{
	char pointer[64];
	uint32_t i;

	make_stream(format);
	for (i = 0; i < RING; i++)
		t.ring[i] = i + 1;
	snprintf(pointer, sizeof(pointer), "pointer:%p", (void *)&t.stream);
	t.direction = source ? SPA_DIRECTION_OUTPUT : SPA_DIRECTION_INPUT;
	check_eq(init_handle(source ? XEN_SND_NAME_SOURCE : XEN_SND_NAME_SINK, pointer), 0);
	check_eq(spa_handle_get_interface(t.handle, SPA_TYPE_INTERFACE_Node, (void **)&t.node), 0);
	check_eq(spa_node_add_listener(t.node, &t.listener, &node_events, NULL), 0);
	t.clock.clock.rate = SPA_FRACTION(1, RATE);
	t.clock.clock.duration = QUANTUM;
	t.io = SPA_IO_BUFFERS_INIT;
	check_eq(spa_node_set_io(t.node, SPA_IO_Position, &t.clock, sizeof(t.clock)), 0);
}

static int enum_port(uint32_t id)
{
	t.n_params = 0;
	return spa_node_port_enum_params(t.node, 0, t.direction, 0, id, 0, UINT32_MAX, NULL);
}

static int set_format(const struct spa_pod *format)
{
	return spa_node_port_set_param(t.node, t.direction, 0, SPA_PARAM_Format, 0, format);
}

static int use_buffers(uint32_t n)
{
	uint32_t i;

	for (i = 0; i < N_BUFFERS; i++) {
		t.pointers[i] = &t.buffers[i];
		t.buffers[i] = (struct spa_buffer) { .n_datas = 1, .datas = &t.datas[i] };
		t.datas[i] = (struct spa_data) { .type = SPA_DATA_MemPtr, .data = t.memory[i],
			.maxsize = MAX_SIZE, .chunk = &t.chunks[i] };
		memset(t.memory[i], 0x5a, sizeof(t.memory[i]));
	}
	return spa_node_port_use_buffers(t.node, t.direction, 0, 0, t.pointers, n);
}

static int command(uint32_t id)
{
	return spa_node_send_command(t.node, &SPA_NODE_COMMAND_INIT(id));
}

static void start_node(bool source, uint32_t format)
{
	make_node(source, format);
	check_eq(enum_port(SPA_PARAM_EnumFormat), 0);
	check_eq(set_format((struct spa_pod *)t.param), 0);
	check_eq(use_buffers(N_BUFFERS), 0);
	check_eq(spa_node_port_set_io(t.node, t.direction, 0, SPA_IO_Buffers, &t.io,
			sizeof(t.io)), 0);
	check_eq(command(SPA_NODE_COMMAND_Start), 0);
}

static void end_node(void)
{
	spa_hook_remove(&t.listener);
	check_eq(spa_handle_clear(t.handle), 0);
	free(t.handle);
	dlclose(t.library);
}

static struct spa_data *process_source(void)
{
	t.io.status = SPA_STATUS_NEED_DATA;
	check_eq(spa_node_process(t.node), SPA_STATUS_HAVE_DATA);
	check_eq(t.io.status, SPA_STATUS_HAVE_DATA);
	check(t.io.buffer_id < N_BUFFERS);
	return &t.datas[t.io.buffer_id];
}

static void process_sink(uint32_t id, uint32_t offset, uint32_t size)
{
	*t.datas[id].chunk = (struct spa_chunk) { .offset = offset, .size = size,
		.stride = FRAME_SIZE };
	t.io.buffer_id = id;
	t.io.status = SPA_STATUS_HAVE_DATA;
	check_eq(spa_node_process(t.node), SPA_STATUS_NEED_DATA);
	check_eq(t.io.status, SPA_STATUS_NEED_DATA);
}

/* Factories. */

TEST(there_are_two_factories)
{
	const struct spa_handle_factory *factory;
	spa_handle_factory_enum_func_t enumerate;
	uint32_t index = 0;

	check((t.library = dlopen(XEN_SND_PLUGIN, RTLD_NOW)) != NULL);
	enumerate = (spa_handle_factory_enum_func_t)dlsym(t.library,
			SPA_HANDLE_FACTORY_ENUM_FUNC_NAME);
	check_eq(enumerate(&factory, &index), 1);
	check_str(factory->name, XEN_SND_NAME_SOURCE);
	check_eq(enumerate(&factory, &index), 1);
	check_str(factory->name, XEN_SND_NAME_SINK);
	check_eq(enumerate(&factory, &index), 0);
	dlclose(t.library);
}

static void refuses_to_be_made(const char *value)
{
	check_eq(init_handle(XEN_SND_NAME_SOURCE, value), -EINVAL);
	free(t.handle);
	dlclose(t.library);
}

TEST(a_node_is_not_made_without_its_stream)
{
	char pointer[64];

	refuses_to_be_made(NULL);
	refuses_to_be_made("");
	refuses_to_be_made("stream");
	make_stream(SPA_AUDIO_FORMAT_S16_LE);
	snprintf(pointer, sizeof(pointer), "pointer:%p", (void *)&t.stream);
	t.stream.iface.type = "Spa:Pointer:Interface:Other";
	refuses_to_be_made(pointer);
	make_stream(SPA_AUDIO_FORMAT_S16_LE);
	t.stream.iface.version = XEN_SND_VERSION_STREAM + 1;
	refuses_to_be_made(pointer);
}

TEST(a_source_has_one_output_a_sink_one_input)
{
	make_node(true, SPA_AUDIO_FORMAT_S16_LE);
	check_eq(t.n_outputs, 1);
	check_eq(t.n_inputs, 0);
	check(t.port_flags & SPA_PORT_FLAG_TERMINAL);
	check(!(t.port_flags & SPA_PORT_FLAG_PHYSICAL));
	end_node();
	make_node(false, SPA_AUDIO_FORMAT_S16_LE);
	check_eq(t.n_outputs, 0);
	check_eq(t.n_inputs, 1);
	end_node();
}

/* Parameters. */

static const struct spa_pod *build_format(uint8_t *octets, size_t size,
		struct spa_audio_info_raw *info)
{
	struct spa_pod_builder b = SPA_POD_BUILDER_INIT(octets, size);

	return spa_format_audio_raw_build(&b, SPA_PARAM_Format, info);
}

TEST(the_guests_format_is_the_only_one)
{
	struct spa_audio_info_raw info = { 0 };
	uint8_t octets[1024];

	make_node(true, SPA_AUDIO_FORMAT_S16_LE);
	check_eq(enum_port(SPA_PARAM_EnumFormat), 0);
	check_eq(t.n_params, 1);
	check(spa_format_audio_raw_parse((struct spa_pod *)t.param, &info) >= 0);
	check_eq(info.format, SPA_AUDIO_FORMAT_S16_LE);
	check_eq(info.rate, RATE);
	check_eq(info.channels, 2);
	check_eq(info.position[1], SPA_AUDIO_CHANNEL_FR);
	check_eq(set_format((struct spa_pod *)t.param), 0);

	info.rate = 44100;
	check_eq(set_format(build_format(octets, sizeof(octets), &info)), -ENOTSUP);
	info.rate = RATE;
	info.channels = 1;
	check_eq(set_format(build_format(octets, sizeof(octets), &info)), -ENOTSUP);
	info.channels = 2;
	info.format = SPA_AUDIO_FORMAT_F32_LE;
	check_eq(set_format(build_format(octets, sizeof(octets), &info)), -ENOTSUP);
	end_node();
}

TEST(buffers_are_told_of_after_the_format)
{
	int32_t blocks = 0, stride = 0;
	struct spa_pod *param = (struct spa_pod *)t.param;

	make_node(true, SPA_AUDIO_FORMAT_S16_LE);
	check_eq(enum_port(SPA_PARAM_Format), -EIO);
	check_eq(enum_port(SPA_PARAM_Buffers), -EIO);
	check_eq(enum_port(SPA_PARAM_EnumFormat), 0);
	check_eq(set_format(param), 0);
	check_eq(enum_port(SPA_PARAM_Format), 0);
	check_eq(t.n_params, 1);
	check_eq(enum_port(SPA_PARAM_Buffers), 0);
	check_eq(t.n_params, 1);
	check(spa_pod_parse_object(param, SPA_TYPE_OBJECT_ParamBuffers, NULL,
			SPA_PARAM_BUFFERS_blocks, SPA_POD_Int(&blocks),
			SPA_PARAM_BUFFERS_stride, SPA_POD_Int(&stride)) >= 0);
	check_eq(blocks, 1);
	check_eq(stride, FRAME_SIZE);
	check_eq(set_format(NULL), 0);
	check_eq(enum_port(SPA_PARAM_Buffers), -EIO);
	end_node();
}

TEST(the_adapter_finds_the_io_areas_it_needs)
{
	make_node(true, SPA_AUDIO_FORMAT_S16_LE);
	check_eq(enum_port(SPA_PARAM_IO), 0);
	check_eq(t.n_params, 2);
	check_eq(enum_port(SPA_PARAM_Latency), 0);
	check_eq(t.n_params, 2);
	check_eq(enum_port(SPA_PARAM_Props), -ENOENT);
	end_node();
}

TEST(latency_comes_from_the_other_side_only)
{
	struct spa_latency_info info = SPA_LATENCY_INFO(SPA_DIRECTION_INPUT,
			.min_rate = 100, .max_rate = 200);
	struct spa_pod_builder b = { 0 };
	uint8_t octets[1024];

	make_node(true, SPA_AUDIO_FORMAT_S16_LE);
	spa_pod_builder_init(&b, octets, sizeof(octets));
	check_eq(spa_node_port_set_param(t.node, t.direction, 0, SPA_PARAM_Latency, 0,
			spa_latency_build(&b, SPA_PARAM_Latency, &info)), 0);
	check_eq(t.n_told, 1);
	check_eq(spa_latency_info_compare(&t.told, &info), 0);
	info.direction = SPA_DIRECTION_OUTPUT;
	spa_pod_builder_init(&b, octets, sizeof(octets));
	check_eq(spa_node_port_set_param(t.node, t.direction, 0, SPA_PARAM_Latency, 0,
			spa_latency_build(&b, SPA_PARAM_Latency, &info)), -EINVAL);
	check_eq(t.n_told, 1);
	end_node();
}

TEST(there_is_no_other_port)
{
	make_node(true, SPA_AUDIO_FORMAT_S16_LE);
	check_eq(spa_node_port_enum_params(t.node, 0, SPA_DIRECTION_INPUT, 0,
			SPA_PARAM_EnumFormat, 0, 1, NULL), -EINVAL);
	check_eq(spa_node_port_enum_params(t.node, 0, SPA_DIRECTION_OUTPUT, 1,
			SPA_PARAM_EnumFormat, 0, 1, NULL), -EINVAL);
	check_eq(spa_node_port_set_io(t.node, SPA_DIRECTION_OUTPUT, 1, SPA_IO_Buffers,
			&t.io, sizeof(t.io)), -EINVAL);
	end_node();
}

TEST(a_node_starts_with_format_and_buffers_only)
{
	make_node(true, SPA_AUDIO_FORMAT_S16_LE);
	check_eq(command(SPA_NODE_COMMAND_Start), -EIO);
	check_eq(use_buffers(N_BUFFERS), -EIO);
	check_eq(enum_port(SPA_PARAM_EnumFormat), 0);
	check_eq(set_format((struct spa_pod *)t.param), 0);
	check_eq(command(SPA_NODE_COMMAND_Start), -EIO);
	check_eq(spa_node_process(t.node), -EIO);
	check_eq(use_buffers(N_BUFFERS), 0);
	check_eq(command(SPA_NODE_COMMAND_Start), 0);
	check_eq(spa_node_process(t.node), -EIO);	/* no io area */
	check_eq(command(SPA_NODE_COMMAND_Flush), -ENOTSUP);
	end_node();
}

TEST(buffers_that_can_not_be_used_are_refused)
{
	struct spa_buffer *many[64];
	int i;

	make_node(true, SPA_AUDIO_FORMAT_S16_LE);
	check_eq(enum_port(SPA_PARAM_EnumFormat), 0);
	check_eq(set_format((struct spa_pod *)t.param), 0);
	check_eq(use_buffers(N_BUFFERS), 0);
	for (i = 0; i < 64; i++)
		many[i] = &t.buffers[0];
	check_eq(spa_node_port_use_buffers(t.node, t.direction, 0, 0, many, 64), -ENOSPC);
	t.datas[1].data = NULL;
	check_eq(spa_node_port_use_buffers(t.node, t.direction, 0, 0, t.pointers, 2), -EINVAL);
	end_node();
}

TEST(a_stopped_node_does_not_process)
{
	start_node(true, SPA_AUDIO_FORMAT_S16_LE);
	process_source();
	check_eq(command(SPA_NODE_COMMAND_Pause), 0);
	check_eq(spa_node_process(t.node), -EIO);
	check_eq(command(SPA_NODE_COMMAND_Start), 0);
	process_source();
	check_eq(set_format(NULL), 0);
	check_eq(spa_node_process(t.node), -EIO);
	end_node();
}

/* The source. */

TEST(a_source_gives_the_frames_in_order_without_end)
{
	uint32_t number = 0, i, k;
	struct spa_data *d;

	start_node(true, SPA_AUDIO_FORMAT_S16_LE);
	for (i = 0; i < 50; i++) {
		d = process_source();
		check_eq(d->chunk->offset, 0);
		check_eq(d->chunk->size, QUANTUM * FRAME_SIZE);
		check_eq(d->chunk->stride, FRAME_SIZE);
		for (k = 0; k < QUANTUM; k++)
			check_eq(((uint32_t *)d->data)[k], number++ % RING + 1);
	}
	check_eq(t.n_acquired, 50);
	check_eq(t.position, 50 * QUANTUM);
	end_node();
}

TEST(the_stream_knows_how_long_the_cycle_is)
{
	start_node(true, SPA_AUDIO_FORMAT_S16_LE);
	process_source();
	check_eq(t.nsec, QUANTUM * UINT64_C(1000000000) / RATE);
	end_node();
}

TEST(a_resampler_says_how_much_it_wants)
{
	struct spa_data *d;

	start_node(true, SPA_AUDIO_FORMAT_S16_LE);
	check_eq(spa_node_port_set_io(t.node, t.direction, 0, SPA_IO_RateMatch, &t.match,
			sizeof(t.match)), 0);
	t.match.size = 236;
	d = process_source();
	check_eq(d->chunk->size, 236 * FRAME_SIZE);
	check_eq(t.released, 236);
	t.match.size = 0;
	d = process_source();
	check_eq(d->chunk->size, QUANTUM * FRAME_SIZE);
	end_node();
}

TEST(no_more_is_given_than_the_buffer_holds)
{
	struct spa_data *d;

	start_node(true, SPA_AUDIO_FORMAT_S16_LE);
	t.clock.clock.duration = 100000;
	d = process_source();
	check_eq(d->chunk->size, MAX_SIZE);
	/* the ring has less, and silence follows */
	check_eq(t.released, RING);
	check_eq(((uint32_t *)d->data)[RING - 1], RING);
	check_eq(((uint32_t *)d->data)[RING], 0);
	check_eq(((uint8_t *)d->data)[MAX_SIZE], 0x5a);
	end_node();
}

TEST(a_stream_that_does_not_run_is_a_whole_cycle_of_silence)
{
	struct spa_data *d;
	uint32_t i;

	start_node(true, SPA_AUDIO_FORMAT_S16_LE);
	t.refuse = -EAGAIN;
	d = process_source();
	check_eq(d->chunk->size, QUANTUM * FRAME_SIZE);
	for (i = 0; i < QUANTUM; i++)
		check_eq(((uint32_t *)d->data)[i], 0);
	check_eq(t.n_released, 0);
	end_node();
}

/* Closed, stopped, or its guest destroyed: the node plays the decay all the same. */
TEST(a_stream_that_runs_no_more_decays_if_that_is_wanted)
{
	struct spa_data *d;
	uint32_t last, i;

	t.fade = true;
	start_node(true, SPA_AUDIO_FORMAT_S16_LE);
	d = process_source();
	last = ((uint32_t *)d->data)[QUANTUM - 1];
	check_eq(last, QUANTUM);
	t.refuse = -EAGAIN;
	d = process_source();
	for (i = 0; i < DECAY; i++) {
		check(((uint32_t *)d->data)[i] <= last);
		last = ((uint32_t *)d->data)[i];
	}
	check(((uint32_t *)d->data)[0] > 0);
	check_eq(((uint32_t *)d->data)[DECAY - 1], 0);
	check_eq(((uint32_t *)d->data)[DECAY], 0);
	d = process_source();
	check_eq(((uint32_t *)d->data)[0], 0);
	end_node();
}

TEST(silence_in_a_cycle_is_silence_of_its_format)
{
	struct spa_data *d;

	start_node(true, SPA_AUDIO_FORMAT_U8);
	t.silence = 100;
	d = process_source();
	check_eq(((uint32_t *)d->data)[QUANTUM - 101], QUANTUM - 100);
	check_eq(((uint32_t *)d->data)[QUANTUM - 100], 0x80808080);
	check_eq(((uint32_t *)d->data)[QUANTUM - 1], 0x80808080);
	check_eq(t.released, QUANTUM);
	end_node();
}

TEST(what_is_no_number_does_not_reach_the_graph)
{
	float nan = NAN;
	struct spa_data *d;

	start_node(true, SPA_AUDIO_FORMAT_F32_LE);
	memset(t.ring, 0, sizeof(t.ring));
	memcpy(&t.ring[17], &nan, sizeof(nan));
	d = process_source();
	check_eq(((uint32_t *)d->data)[17], 0);
	end_node();
}

TEST(a_buffer_that_was_not_taken_is_kept)
{
	start_node(true, SPA_AUDIO_FORMAT_S16_LE);
	process_source();
	check_eq(spa_node_process(t.node), SPA_STATUS_HAVE_DATA);
	check_eq(t.n_acquired, 1);
	end_node();
}

TEST(without_a_free_buffer_no_frame_is_consumed)
{
	start_node(true, SPA_AUDIO_FORMAT_S16_LE);
	process_source();
	t.io.buffer_id = SPA_ID_INVALID;
	process_source();
	t.io.buffer_id = SPA_ID_INVALID;
	t.io.status = SPA_STATUS_NEED_DATA;
	check_eq(spa_node_process(t.node), -EPIPE);
	check_eq(t.n_acquired, 2);
	check_eq(spa_node_port_reuse_buffer(t.node, 0, 1), 0);
	check_eq(spa_node_port_reuse_buffer(t.node, 0, 1), 0);
	check_eq(spa_node_port_reuse_buffer(t.node, 0, 99), 0);
	check(process_source() == &t.datas[1]);
	t.io.buffer_id = SPA_ID_INVALID;
	t.io.status = SPA_STATUS_NEED_DATA;
	check_eq(spa_node_process(t.node), -EPIPE);
	end_node();
}

/* The sink. */

TEST(a_sink_writes_the_frames_into_the_ring)
{
	uint32_t i, k, number = 0, *frames;

	start_node(false, SPA_AUDIO_FORMAT_S16_LE);
	memset(t.ring, 0, sizeof(t.ring));
	for (i = 0; i < 50; i++) {
		frames = (uint32_t *)t.memory[i % N_BUFFERS];
		for (k = 0; k < QUANTUM; k++)
			frames[k] = ++number;
		process_sink(i % N_BUFFERS, 0, QUANTUM * FRAME_SIZE);
		check_eq(t.released, QUANTUM);
	}
	for (i = 0; i < RING; i++)
		check_eq(t.ring[(t.position - 1 - i) % RING], number - i);
	end_node();
}

TEST(a_sink_reads_where_the_chunk_says)
{
	uint32_t i, *frames = (uint32_t *)t.memory[0];

	start_node(false, SPA_AUDIO_FORMAT_S16_LE);
	for (i = 0; i < 1024; i++)
		frames[i] = 5000 + i;
	process_sink(0, 100 * FRAME_SIZE, 10 * FRAME_SIZE);
	check_eq(t.released, 10);
	check_eq(t.ring[0], 5100);
	check_eq(t.ring[9], 5109);
	check_eq(t.ring[10], 11);
	end_node();
}

TEST(a_chunk_that_lies_is_cut)
{
	start_node(false, SPA_AUDIO_FORMAT_S16_LE);
	process_sink(0, MAX_SIZE - 8, 100);
	check_eq(t.released, 2);
	process_sink(0, UINT32_MAX, UINT32_MAX);
	check_eq(t.released, 0);
	process_sink(0, 0, UINT32_MAX);
	check_eq(t.released, RING);
	end_node();
}

TEST(a_sink_of_a_stream_that_does_not_run_drops_its_input)
{
	uint32_t i;

	start_node(false, SPA_AUDIO_FORMAT_S16_LE);
	t.refuse = -EAGAIN;
	process_sink(0, 0, QUANTUM * FRAME_SIZE);
	check_eq(t.n_released, 0);
	for (i = 0; i < RING; i++)
		check_eq(t.ring[i], i + 1);
	end_node();
}

TEST(a_sink_without_data_or_with_a_wrong_buffer_does_nothing)
{
	start_node(false, SPA_AUDIO_FORMAT_S16_LE);
	t.io.status = SPA_STATUS_NEED_DATA;
	check_eq(spa_node_process(t.node), SPA_STATUS_NEED_DATA);
	t.io.status = SPA_STATUS_HAVE_DATA;
	t.io.buffer_id = N_BUFFERS;
	check_eq(spa_node_process(t.node), SPA_STATUS_NEED_DATA);
	t.io.status = SPA_STATUS_HAVE_DATA;
	t.io.buffer_id = SPA_ID_INVALID;
	check_eq(spa_node_process(t.node), SPA_STATUS_NEED_DATA);
	check_eq(t.n_acquired, 0);
	end_node();
}

/* Permission to capture. */

/* Props with a struct of a name and `value`, and volumes as others set them */
static int switch_to(const char *name, const struct spa_pod *value)
{
	const float volumes[] = { 0.5f, 0.5f };
	struct spa_pod_builder b = { 0 };
	struct spa_pod_frame object, params;
	uint8_t octets[1024];

	spa_pod_builder_init(&b, octets, sizeof(octets));
	spa_pod_builder_push_object(&b, &object, SPA_TYPE_OBJECT_Props, SPA_PARAM_Props);
	spa_pod_builder_prop(&b, SPA_PROP_channelVolumes, 0);
	spa_pod_builder_array(&b, sizeof(float), SPA_TYPE_Float, 2, volumes);
	if (name) {
		spa_pod_builder_prop(&b, SPA_PROP_params, 0);
		spa_pod_builder_push_struct(&b, &params);
		spa_pod_builder_string(&b, "channelmix.upmix");
		spa_pod_builder_bool(&b, false);
		spa_pod_builder_string(&b, name);
		spa_pod_builder_primitive(&b, value);
		spa_pod_builder_pop(&b, &params);
	}
	return spa_node_set_param(t.node, SPA_PARAM_Props, 0, spa_pod_builder_pop(&b, &object));
}

static int switch_by_bool(bool value)
{
	const struct spa_pod_bool pod = SPA_POD_INIT_Bool(value);

	return switch_to(XEN_SND_KEY_CAPTURE_ALLOWED, &pod.pod);
}

static int switch_by_word(const char *word)
{
	struct { struct spa_pod pod; char word[8]; } pod;

	pod.pod = SPA_POD_INIT(strlen(word) + 1, SPA_TYPE_String);
	strcpy(pod.word, word);
	return switch_to(XEN_SND_KEY_CAPTURE_ALLOWED, &pod.pod);
}

TEST(a_sink_shows_whether_it_is_allowed_and_a_source_does_not)
{
	make_node(false, SPA_AUDIO_FORMAT_S16_LE);
	check_str(t.allowed, "false");
	check_eq(t.n_node_params, 3);
	end_node();
	atomic_store(&t.stream.permission, XEN_SND_MAY_HEAR);
	make_node(false, SPA_AUDIO_FORMAT_S16_LE);
	check_str(t.allowed, "true");
	end_node();
	make_node(true, SPA_AUDIO_FORMAT_S16_LE);
	check_str(t.allowed, "none");
	check_eq(t.n_node_params, 3);
	check_eq(switch_by_bool(true), 0);
	check_eq(t.n_allowed, 0);
	end_node();
}

TEST(props_switch_and_show_it)
{
	uint32_t flags;

	make_node(false, SPA_AUDIO_FORMAT_S16_LE);
	flags = t.props_flags;
	check_eq(switch_by_bool(true), 0);
	check_str(t.allowed, "true");
	check((flags ^ t.props_flags) & SPA_PARAM_INFO_SERIAL);
	check_eq(atomic_load(&t.stream.permission), XEN_SND_MAY_HEAR | XEN_SND_SWITCHED);
	check_eq(switch_by_bool(false), 0);
	check_str(t.allowed, "false");
	check_eq(switch_by_word("true"), 0);
	check_str(t.allowed, "true");
	check_eq(switch_by_word("false"), 0);
	check_str(t.allowed, "false");
	check_eq(t.n_allowed, 4);
	end_node();
}

TEST(props_of_others_and_wrong_ones_switch_nothing)
{
	const struct spa_pod_bool on = SPA_POD_INIT_Bool(true);
	const struct spa_pod_int one = SPA_POD_INIT_Int(1);

	make_node(false, SPA_AUDIO_FORMAT_S16_LE);
	check_eq(switch_to(NULL, NULL), 0);
	check_eq(switch_to("resample.quality", &on.pod), 0);
	check_eq(switch_to(XEN_SND_KEY_CAPTURE_ALLOWED, &one.pod), -EINVAL);
	check_eq(switch_by_word("yes"), -EINVAL);
	check_eq(spa_node_set_param(t.node, SPA_PARAM_Props, 0, NULL), 0);
	check_eq(spa_node_set_param(t.node, SPA_PARAM_ProcessLatency, 0, NULL), -ENOENT);
	check_eq(t.n_allowed, 0);
	check_str(t.allowed, "false");
	end_node();
}

static void has_props(bool allowed)
{
	const struct spa_pod_prop *params;
	struct spa_pod_parser parser;
	struct spa_pod_frame frame;
	struct spa_pod *pod;
	const char *name;
	bool value;

	t.n_params = 0;
	check_eq(spa_node_enum_params(t.node, 0, SPA_PARAM_Props, 0, UINT32_MAX, NULL), 0);
	check_eq(t.n_params, 1);
	params = spa_pod_find_prop((struct spa_pod *)t.param, NULL, SPA_PROP_params);
	check(params != NULL);
	spa_pod_parser_pod(&parser, &params->value);
	check(spa_pod_parser_push_struct(&parser, &frame) >= 0);
	do {
		check(spa_pod_parser_get_string(&parser, &name) >= 0);
		check(spa_pod_parser_get_pod(&parser, &pod) >= 0);
	} while (strcmp(name, XEN_SND_KEY_CAPTURE_ALLOWED) != 0);
	check(spa_pod_get_bool(pod, &value) >= 0);
	check_eq(value, allowed);
}

TEST(props_can_be_read)
{
	make_node(false, SPA_AUDIO_FORMAT_S16_LE);
	has_props(false);
	check_eq(switch_by_bool(true), 0);
	has_props(true);
	t.n_params = 0;
	check_eq(spa_node_enum_params(t.node, 0, SPA_PARAM_PropInfo, 0, UINT32_MAX, NULL), 0);
	check_eq(t.n_params, 3);
	end_node();
}

static int switch_number(const char *name, double number)
{
	const struct spa_pod_double pod = SPA_POD_INIT_Double(number);

	return switch_to(name, &pod.pod);
}

TEST(events_and_latency_are_switched_by_numbers_in_their_range)
{
	const struct spa_pod_int frames = SPA_POD_INIT_Int(480);
	const struct spa_pod_float msec = SPA_POD_INIT_Float(2.5f);

	make_node(true, SPA_AUDIO_FORMAT_S16_LE);
	check_eq(switch_to(XEN_SND_KEY_EVENTS_INTERVAL, &frames.pod), 0);
	check_eq(atomic_load(&t.stream.events_interval), 480);
	check_eq(switch_to(XEN_SND_KEY_LATENCY_MIN, &msec.pod), 0);
	check_eq(atomic_load(&t.stream.latency_min), 2500);
	check_eq(switch_number(XEN_SND_KEY_EVENTS_INTERVAL, -1), -EINVAL);
	check_eq(switch_number(XEN_SND_KEY_EVENTS_INTERVAL, 10000001), -EINVAL);
	check_eq(switch_number(XEN_SND_KEY_LATENCY_MIN, 10000.5), -EINVAL);
	check_eq(switch_number(XEN_SND_KEY_LATENCY_MIN, 0.0 / 0.0), -EINVAL);
	check_eq(atomic_load(&t.stream.events_interval), 480);
	check_eq(atomic_load(&t.stream.latency_min), 2500);
	check_eq(switch_number(XEN_SND_KEY_EVENTS_INTERVAL, 0), 0);
	check_eq(atomic_load(&t.stream.events_interval), 0);
	end_node();
}
