/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A node of the plugin, as it was built, without a graph: whoever holds it is its host and
 * its driver. */

#ifndef XEN_SND_DRIVEN_NODE_H
#define XEN_SND_DRIVEN_NODE_H

#include <spa/node/io.h>
#include <spa/node/node.h>
#include <spa/support/plugin.h>

#include "xen-snd.h"

#define DRIVEN_RATE		48000u
#define DRIVEN_MAX_QUANTUM	1024u
#define DRIVEN_MAX_FRAME	64u		/* octets: 8 channels of 8 */
#define DRIVEN_N_BUFFERS	2u

struct driven_node {
	struct spa_handle *handle;
	struct spa_node *node;
	enum spa_direction direction;
	uint32_t frame_size;
	struct spa_hook listener;
	uint8_t param[4096];
	struct spa_io_buffers io;
	struct spa_io_position clock;
	struct spa_buffer buffers[DRIVEN_N_BUFFERS], *pointers[DRIVEN_N_BUFFERS];
	struct spa_data datas[DRIVEN_N_BUFFERS];
	struct spa_chunk chunks[DRIVEN_N_BUFFERS];
};

/* What the node's buffers are made of. */
typedef uint8_t driven_memory[DRIVEN_N_BUFFERS][DRIVEN_MAX_QUANTUM * DRIVEN_MAX_FRAME];

/* Of a stream of such samples, a WIRE_FORMAT_*; buffer and period in frames. */
struct xen_snd_geometry driven_geometry(uint32_t format, uint32_t channels, uint32_t buffer,
		uint32_t period);

/* The node of this stream, from the plugin in that file. These return a negative errno. */
int driven_node_make(struct driven_node *n, const char *plugin, struct xen_snd_stream *stream,
		bool capture, const struct spa_support *support, uint32_t n_support);

/* In the one format that it has. */
int driven_node_start(struct driven_node *n, driven_memory memory);

/* One cycle of `quantum` frames: -EPROTO if it does not do with its buffer what it must. */
int driven_node_process(struct driven_node *n, uint32_t quantum);

#endif /* XEN_SND_DRIVEN_NODE_H */
