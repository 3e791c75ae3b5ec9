/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A node of the plugin without a graph. */

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spa/node/utils.h>
#include <spa/param/param.h>
#include <spa/pod/pod.h>

#include "driven-node.h"
#include "sample.h"
#include "wire.h"

struct xen_snd_geometry driven_geometry(uint32_t format, uint32_t channels, uint32_t buffer,
		uint32_t period)
{
	struct xen_snd_geometry geometry = {
		.format = sample_graph_format(format),
		.guest_format = sample_guest_format(format),
		.rate = DRIVEN_RATE,
		.channels = channels,
		.frame_size = channels * wire_format_info(format)->size,
		.buffer_frames = buffer,
		.period_frames = period,
	};

	sample_default_position(channels, geometry.position);
	return geometry;
}

static void on_result(void *data, int seq, int res, uint32_t type, const void *result)
{
	const struct spa_result_node_params *params = result;
	struct driven_node *n = data;

	if (SPA_POD_SIZE(params->param) <= sizeof(n->param))
		memcpy(n->param, params->param, SPA_POD_SIZE(params->param));
}

static const struct spa_node_events node_events = {
	SPA_VERSION_NODE_EVENTS,
	.result = on_result,
};

static const struct spa_handle_factory *find_factory(const char *plugin, bool capture)
{
	const struct spa_handle_factory *factory;
	spa_handle_factory_enum_func_t enumerate;
	void *library = dlopen(plugin, RTLD_NOW);
	uint32_t index = capture ? 1 : 0;

	if (library == NULL)
		return NULL;
	enumerate = (spa_handle_factory_enum_func_t)dlsym(library,
			SPA_HANDLE_FACTORY_ENUM_FUNC_NAME);
	return enumerate != NULL && enumerate(&factory, &index) == 1 ? factory : NULL;
}

int driven_node_make(struct driven_node *n, const char *plugin, struct xen_snd_stream *stream,
		bool capture, const struct spa_support *support, uint32_t n_support)
{
	const struct spa_handle_factory *factory = find_factory(plugin, capture);
	struct spa_dict_item item;
	char pointer[64];
	void *node;
	int res;

	memset(n, 0, sizeof(*n));
	if (factory == NULL)
		return -ENOENT;
	snprintf(pointer, sizeof(pointer), "pointer:%p", (void *)stream);
	item = SPA_DICT_ITEM_INIT(XEN_SND_KEY_STREAM, pointer);
	n->direction = capture ? SPA_DIRECTION_INPUT : SPA_DIRECTION_OUTPUT;
	n->frame_size = stream->geometry.frame_size;
	n->handle = calloc(1, spa_handle_factory_get_size(factory, NULL));
	if (n->handle == NULL)
		return -ENOMEM;
	if ((res = spa_handle_factory_init(factory, n->handle, &SPA_DICT_INIT(&item, 1), support,
				n_support)) < 0 ||
			(res = spa_handle_get_interface(n->handle, SPA_TYPE_INTERFACE_Node, &node)) < 0)
		return res;
	n->node = node;
	spa_node_add_listener(n->node, &n->listener, &node_events, n);
	return 0;
}

static void make_buffers(struct driven_node *n, driven_memory memory)
{
	uint32_t i;

	for (i = 0; i < DRIVEN_N_BUFFERS; i++) {
		n->pointers[i] = &n->buffers[i];
		n->buffers[i] = (struct spa_buffer) { .n_datas = 1, .datas = &n->datas[i] };
		n->datas[i] = (struct spa_data) { .type = SPA_DATA_MemPtr, .data = memory[i],
			.maxsize = sizeof(memory[i]), .chunk = &n->chunks[i] };
	}
}

int driven_node_start(struct driven_node *n, driven_memory memory)
{
	int res;

	make_buffers(n, memory);
	n->clock.clock.rate = SPA_FRACTION(1, DRIVEN_RATE);
	n->io = SPA_IO_BUFFERS_INIT;
	if ((res = spa_node_set_io(n->node, SPA_IO_Position, &n->clock, sizeof(n->clock))) < 0 ||
			(res = spa_node_port_enum_params(n->node, 0, n->direction, 0,
				SPA_PARAM_EnumFormat, 0, 1, NULL)) < 0 ||
			(res = spa_node_port_set_param(n->node, n->direction, 0, SPA_PARAM_Format, 0,
				(struct spa_pod *)n->param)) < 0 ||
			(res = spa_node_port_use_buffers(n->node, n->direction, 0, 0, n->pointers,
				DRIVEN_N_BUFFERS)) < 0 ||
			(res = spa_node_port_set_io(n->node, n->direction, 0, SPA_IO_Buffers, &n->io,
				sizeof(n->io))) < 0)
		return res;
	return spa_node_send_command(n->node, &SPA_NODE_COMMAND_INIT(SPA_NODE_COMMAND_Start));
}

int driven_node_process(struct driven_node *n, uint32_t quantum)
{
	uint32_t size = quantum * n->frame_size;

	n->clock.clock.duration = quantum;
	if (n->direction == SPA_DIRECTION_INPUT) {
		n->io.buffer_id = 0;
		*n->datas[0].chunk = (struct spa_chunk) { .size = size,
			.stride = (int32_t)n->frame_size };
		n->io.status = SPA_STATUS_HAVE_DATA;
		return spa_node_process(n->node) == SPA_STATUS_NEED_DATA ? 0 : -EPROTO;
	}
	n->io.status = SPA_STATUS_NEED_DATA;
	return spa_node_process(n->node) == SPA_STATUS_HAVE_DATA &&
			n->datas[n->io.buffer_id].chunk->size == size ? 0 : -EPROTO;
}
