/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The node of a guest's stream: one port, one fixed format, no clock of its own.
 *
 * A source copies the frames that a cycle asks for out of the guest's ring, a
 * sink copies the frames that a cycle brings into it; what the guest is told of
 * it is the stream's affair (xen-snd.h). Meant to be an adapter's follower, which
 * converts and resamples. */

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <spa/debug/types.h>
#include <spa/node/io.h>
#include <spa/node/keys.h>
#include <spa/node/node.h>
#include <spa/node/utils.h>
#include <spa/param/audio/format-utils.h>
#include <spa/param/audio/type-info.h>
#include <spa/param/buffers.h>
#include <spa/param/latency-utils.h>
#include <spa/param/param.h>
#include <spa/param/props.h>
#include <spa/pod/filter.h>
#include <spa/pod/parser.h>
#include <spa/utils/keys.h>
#include <spa/utils/json.h>
#include <spa/utils/names.h>
#include <spa/utils/result.h>
#include <spa/utils/string.h>

#include "fade.h"
#include "frames.h"
#include "gain.h"
#include "log.h"
#include "pcm.h"
#include "props.h"
#include "xen-snd.h"

#define MAX_BUFFERS		16
#define DEFAULT_QUANTUM_LIMIT	8192u

struct impl {
	struct spa_handle handle;
	struct spa_node node;

	/* constant */
	struct spa_log *log;
	struct xen_snd_stream *stream;
	enum spa_direction direction;	/* of the port: OUTPUT for a source */
	uint32_t quantum_limit;
	frames_mend_t mend;
	uint32_t positions[SPA_AUDIO_MAX_CHANNELS];

	/* main thread */
	struct spa_hook_list hooks;
	struct spa_callbacks callbacks;
	uint64_t info_all;
	struct spa_node_info info;
#define NODE_IO		0
#define NODE_PropInfo	1
#define NODE_Props	2
#define N_NODE_PARAMS	3
	struct spa_param_info params[N_NODE_PARAMS];

	uint64_t port_info_all;
	struct spa_port_info port_info;
#define PORT_EnumFormat	0
#define PORT_Format	1
#define PORT_Buffers	2
#define PORT_IO		3
#define PORT_Latency	4
#define N_PORT_PARAMS	5
	struct spa_param_info port_params[N_PORT_PARAMS];
	struct spa_latency_info latency[2];
	bool have_format;

	/* main thread while stopped, data thread while started */
	struct spa_buffer *buffers[MAX_BUFFERS];
	uint32_t n_buffers;
	uint32_t free;			/* a bit each; a source's */
	struct spa_io_buffers *io;
	struct spa_io_rate_match *rate_match;
	struct spa_io_position *position;
	bool started;
	struct gain gain;
	struct fade fade;
};

#define CHECK_PORT(this,d,p)	((d) == (this)->direction && (p) == 0)

/* What the node tells of itself. */

static bool is_sink(const struct impl *this)
{
	return this->direction == SPA_DIRECTION_INPUT;
}

static void emit_node_info(struct impl *this, bool full)
{
	struct spa_dict_item items[1 + PROPS_MAX] = {
		SPA_DICT_ITEM_INIT(SPA_KEY_NODE_DRIVER, "false"),
	};
	struct props_shown shown;
	uint64_t old = full ? this->info.change_mask : 0;

	if (full)
		this->info.change_mask = this->info_all;
	if (this->info.change_mask) {
		props_show(this->stream, is_sink(this), &shown);
		memcpy(&items[1], shown.items, shown.n * sizeof(items[0]));
		this->info.props = &SPA_DICT_INIT(items, 1 + shown.n);
		spa_node_emit_info(&this->hooks, &this->info);
		this->info.change_mask = old;
	}
}

static void emit_port_info(struct impl *this, bool full)
{
	uint64_t old = full ? this->port_info.change_mask : 0;

	if (full)
		this->port_info.change_mask = this->port_info_all;
	if (this->port_info.change_mask) {
		spa_node_emit_port_info(&this->hooks, this->direction, 0, &this->port_info);
		this->port_info.change_mask = old;
	}
}

static int impl_node_add_listener(void *object, struct spa_hook *listener,
		const struct spa_node_events *events, void *data)
{
	struct impl *this = object;
	struct spa_hook_list save;

	spa_return_val_if_fail(this != NULL, -EINVAL);

	spa_hook_list_isolate(&this->hooks, &save, listener, events, data);
	emit_node_info(this, true);
	emit_port_info(this, true);
	spa_hook_list_join(&this->hooks, &save);
	return 0;
}

static int impl_node_set_callbacks(void *object, const struct spa_node_callbacks *callbacks,
		void *data)
{
	struct impl *this = object;

	spa_return_val_if_fail(this != NULL, -EINVAL);
	this->callbacks = SPA_CALLBACKS_INIT(callbacks, data);
	return 0;
}

static int impl_node_sync(void *object, int seq)
{
	struct impl *this = object;

	spa_return_val_if_fail(this != NULL, -EINVAL);
	spa_node_emit_result(&this->hooks, seq, 0, 0, NULL);
	return 0;
}

/* Parameters. Each build function makes the `index`th or returns NULL at the end. */

static struct spa_pod *build_node_io(struct spa_pod_builder *b, uint32_t index)
{
	switch (index) {
	case 0:
		return spa_pod_builder_add_object(b,
			SPA_TYPE_OBJECT_ParamIO, SPA_PARAM_IO,
			SPA_PARAM_IO_id, SPA_POD_Id(SPA_IO_Clock),
			SPA_PARAM_IO_size, SPA_POD_Int(sizeof(struct spa_io_clock)));
	case 1:
		return spa_pod_builder_add_object(b,
			SPA_TYPE_OBJECT_ParamIO, SPA_PARAM_IO,
			SPA_PARAM_IO_id, SPA_POD_Id(SPA_IO_Position),
			SPA_PARAM_IO_size, SPA_POD_Int(sizeof(struct spa_io_position)));
	default:
		return NULL;
	}
}

static struct spa_pod *build_node_param(struct impl *this, struct spa_pod_builder *b,
		uint32_t id, uint32_t index)
{
	switch (id) {
	case SPA_PARAM_IO:
		return build_node_io(b, index);
	case SPA_PARAM_PropInfo:
		return props_build_info(this->stream, is_sink(this), b, index);
	case SPA_PARAM_Props:
		return index == 0 ? props_build(this->stream, is_sink(this), b) : NULL;
	default:
		return NULL;
	}
}

static bool has_node_param(uint32_t id)
{
	return id == SPA_PARAM_IO || id == SPA_PARAM_PropInfo || id == SPA_PARAM_Props;
}

static struct spa_pod *build_format(struct impl *this, struct spa_pod_builder *b, uint32_t id,
		uint32_t index)
{
	const struct xen_snd_geometry *g = &this->stream->geometry;
	struct spa_audio_info_raw raw = {
		.format = g->format,
		.rate = g->rate,
		.channels = g->channels,
	};

	if (index > 0)
		return NULL;
	memcpy(raw.position, this->positions, g->channels * sizeof(raw.position[0]));
	return spa_format_audio_raw_build(b, id, &raw);
}

static struct spa_pod *build_buffers(struct impl *this, struct spa_pod_builder *b, uint32_t index)
{
	uint32_t frame = this->stream->geometry.frame_size;

	if (index > 0)
		return NULL;
	return spa_pod_builder_add_object(b,
		SPA_TYPE_OBJECT_ParamBuffers, SPA_PARAM_Buffers,
		SPA_PARAM_BUFFERS_buffers, SPA_POD_CHOICE_RANGE_Int(2, 1, MAX_BUFFERS),
		SPA_PARAM_BUFFERS_blocks, SPA_POD_Int(1),
		SPA_PARAM_BUFFERS_size, SPA_POD_CHOICE_RANGE_Int(
				this->quantum_limit * frame, 16 * frame, INT32_MAX),
		SPA_PARAM_BUFFERS_stride, SPA_POD_Int(frame));
}

static struct spa_pod *build_port_io(struct spa_pod_builder *b, uint32_t index)
{
	switch (index) {
	case 0:
		return spa_pod_builder_add_object(b,
			SPA_TYPE_OBJECT_ParamIO, SPA_PARAM_IO,
			SPA_PARAM_IO_id, SPA_POD_Id(SPA_IO_Buffers),
			SPA_PARAM_IO_size, SPA_POD_Int(sizeof(struct spa_io_buffers)));
	case 1:
		return spa_pod_builder_add_object(b,
			SPA_TYPE_OBJECT_ParamIO, SPA_PARAM_IO,
			SPA_PARAM_IO_id, SPA_POD_Id(SPA_IO_RateMatch),
			SPA_PARAM_IO_size, SPA_POD_Int(sizeof(struct spa_io_rate_match)));
	default:
		return NULL;
	}
}

static struct spa_pod *build_port_param(struct impl *this, struct spa_pod_builder *b,
		uint32_t id, uint32_t index)
{
	switch (id) {
	case SPA_PARAM_EnumFormat:
		return build_format(this, b, id, index);
	case SPA_PARAM_Format:
		return this->have_format ? build_format(this, b, id, index) : NULL;
	case SPA_PARAM_Buffers:
		return this->have_format ? build_buffers(this, b, index) : NULL;
	case SPA_PARAM_IO:
		return build_port_io(b, index);
	case SPA_PARAM_Latency:
		return index < 2 ? spa_latency_build(b, id, &this->latency[index]) : NULL;
	default:
		return NULL;
	}
}

static bool has_port_param(uint32_t id)
{
	return id == SPA_PARAM_EnumFormat || id == SPA_PARAM_Format ||
		id == SPA_PARAM_Buffers || id == SPA_PARAM_IO || id == SPA_PARAM_Latency;
}

/* Emit the parameters that pass the filter: of the port, or of the node itself. */
static int enum_params(struct impl *this, bool port, int seq, uint32_t id, uint32_t start,
		uint32_t num, const struct spa_pod *filter)
{
	struct spa_result_node_params result = { .id = id, .next = start };
	uint8_t octets[1024];
	struct spa_pod_builder b;
	struct spa_pod *param;
	uint32_t count = 0;

	while (count < num) {
		result.index = result.next++;
		spa_pod_builder_init(&b, octets, sizeof(octets));
		param = port ? build_port_param(this, &b, id, result.index) :
			build_node_param(this, &b, id, result.index);
		if (param == NULL)
			break;
		if (spa_pod_filter(&b, &result.param, param, filter) < 0)
			continue;
		spa_node_emit_result(&this->hooks, seq, 0, SPA_RESULT_TYPE_NODE_PARAMS, &result);
		count++;
	}
	return 0;
}

static int impl_node_enum_params(void *object, int seq, uint32_t id, uint32_t start,
		uint32_t num, const struct spa_pod *filter)
{
	struct impl *this = object;

	spa_return_val_if_fail(this != NULL, -EINVAL);
	spa_return_val_if_fail(num != 0, -EINVAL);
	if (!has_node_param(id))
		return -ENOENT;
	return enum_params(this, false, seq, id, start, num, filter);
}

static int impl_node_port_enum_params(void *object, int seq, enum spa_direction direction,
		uint32_t port_id, uint32_t id, uint32_t start, uint32_t num,
		const struct spa_pod *filter)
{
	struct impl *this = object;

	spa_return_val_if_fail(this != NULL, -EINVAL);
	spa_return_val_if_fail(num != 0, -EINVAL);
	spa_return_val_if_fail(CHECK_PORT(this, direction, port_id), -EINVAL);
	if (!has_port_param(id))
		return -ENOENT;
	if (!this->have_format && (id == SPA_PARAM_Format || id == SPA_PARAM_Buffers))
		return -EIO;
	return enum_params(this, true, seq, id, start, num, filter);
}

/* Setting the node's parameters. */

static int set_props(struct impl *this, const struct spa_pod *param)
{
	int res = props_set(this->stream, is_sink(this), this->log, param);

	this->params[NODE_Props].flags ^= SPA_PARAM_INFO_SERIAL;
	this->info.change_mask |= SPA_NODE_CHANGE_MASK_PROPS | SPA_NODE_CHANGE_MASK_PARAMS;
	emit_node_info(this, false);
	return res;
}

static int impl_node_set_param(void *object, uint32_t id, uint32_t flags,
		const struct spa_pod *param)
{
	struct impl *this = object;

	spa_return_val_if_fail(this != NULL, -EINVAL);
	if (id != SPA_PARAM_Props)
		return -ENOENT;
	return set_props(this, param);
}

/* Buffers. */

static void recycle(struct impl *this, uint32_t id)
{
	if (id < this->n_buffers)
		this->free |= 1u << id;
}

static void clear_buffers(struct impl *this)
{
	this->n_buffers = this->free = 0;
	this->started = false;
}

static int impl_node_port_use_buffers(void *object, enum spa_direction direction,
		uint32_t port_id, uint32_t flags, struct spa_buffer **buffers, uint32_t n_buffers)
{
	struct impl *this = object;
	uint32_t i;

	spa_return_val_if_fail(this != NULL, -EINVAL);
	spa_return_val_if_fail(CHECK_PORT(this, direction, port_id), -EINVAL);

	clear_buffers(this);
	if (n_buffers > 0 && !this->have_format)
		return -EIO;
	if (n_buffers > MAX_BUFFERS)
		return -ENOSPC;

	for (i = 0; i < n_buffers; i++) {
		if (buffers[i]->n_datas < 1 || buffers[i]->datas[0].data == NULL) {
			spa_log_error(this->log, "%p: buffer %u has no memory", this, i);
			return -EINVAL;
		}
		this->buffers[i] = buffers[i];
	}
	this->n_buffers = n_buffers;
	this->free = (1u << n_buffers) - 1;
	return 0;
}

static int impl_node_port_reuse_buffer(void *object, uint32_t port_id, uint32_t buffer_id)
{
	struct impl *this = object;

	spa_return_val_if_fail(this != NULL, -EINVAL);
	spa_return_val_if_fail(port_id == 0, -EINVAL);
	recycle(this, buffer_id);
	return 0;
}

/* Format, latency, io areas. */

static int check_format(struct impl *this, const struct spa_pod *format)
{
	const struct xen_snd_geometry *g = &this->stream->geometry;
	struct spa_audio_info info = { 0 };
	int res;

	if ((res = spa_format_parse(format, &info.media_type, &info.media_subtype)) < 0)
		return res;
	if (info.media_type != SPA_MEDIA_TYPE_audio ||
	    info.media_subtype != SPA_MEDIA_SUBTYPE_raw ||
	    spa_format_audio_raw_parse(format, &info.info.raw) < 0)
		return -EINVAL;
	if (info.info.raw.format != g->format || info.info.raw.rate != g->rate ||
	    info.info.raw.channels != g->channels)
		return -ENOTSUP;
	return 0;
}

static int set_format(struct impl *this, const struct spa_pod *format)
{
	int res;

	if (format && (res = check_format(this, format)) < 0)
		return res;
	if (format == NULL)
		clear_buffers(this);
	this->have_format = format != NULL;

	this->port_params[PORT_Format] = SPA_PARAM_INFO(SPA_PARAM_Format,
			format ? SPA_PARAM_INFO_READWRITE : SPA_PARAM_INFO_WRITE);
	this->port_params[PORT_Buffers] = SPA_PARAM_INFO(SPA_PARAM_Buffers,
			format ? SPA_PARAM_INFO_READ : 0);
	this->port_info.change_mask |= SPA_PORT_CHANGE_MASK_PARAMS;
	emit_port_info(this, false);
	return 0;
}

/* the other side's, for people to look at: a guest can't be told */
static int set_latency(struct impl *this, const struct spa_pod *param)
{
	enum spa_direction other = SPA_DIRECTION_REVERSE(this->direction);
	struct spa_latency_info info = SPA_LATENCY_INFO(other);
	int res;

	if (param && (res = spa_latency_parse(param, &info)) < 0)
		return res;
	if (info.direction != other)
		return -EINVAL;
	this->latency[other] = info;
	xen_snd_stream_tell_latency(this->stream, &info);
	this->port_params[PORT_Latency].flags ^= SPA_PARAM_INFO_SERIAL;
	this->port_info.change_mask |= SPA_PORT_CHANGE_MASK_PARAMS;
	emit_port_info(this, false);
	return 0;
}

static int impl_node_port_set_param(void *object, enum spa_direction direction,
		uint32_t port_id, uint32_t id, uint32_t flags, const struct spa_pod *param)
{
	struct impl *this = object;

	spa_return_val_if_fail(this != NULL, -EINVAL);
	spa_return_val_if_fail(CHECK_PORT(this, direction, port_id), -EINVAL);

	switch (id) {
	case SPA_PARAM_Format:
		return set_format(this, param);
	case SPA_PARAM_Latency:
		return set_latency(this, param);
	default:
		return -ENOENT;
	}
}

static int impl_node_port_set_io(void *object, enum spa_direction direction,
		uint32_t port_id, uint32_t id, void *data, size_t size)
{
	struct impl *this = object;

	spa_return_val_if_fail(this != NULL, -EINVAL);
	spa_return_val_if_fail(CHECK_PORT(this, direction, port_id), -EINVAL);

	switch (id) {
	case SPA_IO_Buffers:
		this->io = data;
		return 0;
	case SPA_IO_RateMatch:
		this->rate_match = data;
		return 0;
	default:
		return -ENOENT;
	}
}

static int impl_node_set_io(void *object, uint32_t id, void *data, size_t size)
{
	struct impl *this = object;

	spa_return_val_if_fail(this != NULL, -EINVAL);

	switch (id) {
	case SPA_IO_Clock:
		return 0;	/* a follower has none */
	case SPA_IO_Position:
		this->position = data;
		return 0;
	default:
		return -ENOENT;
	}
}

static int impl_node_send_command(void *object, const struct spa_command *command)
{
	struct impl *this = object;

	spa_return_val_if_fail(this != NULL, -EINVAL);
	spa_return_val_if_fail(command != NULL, -EINVAL);

	switch (SPA_NODE_COMMAND_ID(command)) {
	case SPA_NODE_COMMAND_Start:
		if (!this->have_format || this->n_buffers == 0)
			return -EIO;
		this->started = true;
		return 0;
	case SPA_NODE_COMMAND_Suspend:
	case SPA_NODE_COMMAND_Pause:
		this->started = false;
		return 0;
	case SPA_NODE_COMMAND_ParamBegin:
	case SPA_NODE_COMMAND_ParamEnd:
		return 0;
	default:
		return -ENOTSUP;
	}
}

/* Data thread. */

static struct xen_snd_cycle this_cycle(const struct impl *this)
{
	const struct spa_io_clock *clock;

	if (this->position == NULL || this->position->clock.rate.denom == 0)
		return (struct xen_snd_cycle) { 0 };
	clock = &this->position->clock;
	return (struct xen_snd_cycle) {
		.nsec = clock->nsec,
		.length = clock->duration * SPA_NSEC_PER_SEC * clock->rate.num / clock->rate.denom,
	};
}

/* how many frames the graph wants now, at the guest's rate */
static uint32_t wanted_frames(const struct impl *this)
{
	if (this->rate_match && this->rate_match->size > 0)
		return this->rate_match->size;
	return this->position ? this->position->clock.duration : 0;
}

/* Frames out of the guest's ring. Always all of them: the rest is silence. */
static void read_frames(struct impl *this, void *data, uint32_t frames)
{
	const struct xen_snd_geometry *g = &this->stream->geometry;
	const struct xen_snd_cycle cycle = this_cycle(this);
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	uint32_t frame = g->frame_size, done = 0, valid = 0;
	uint8_t *to = data;
	int i, n;

	n = xen_snd_stream_acquire(this->stream, frames, &cycle, spans);
	for (i = 0; i < n; i++) {
		size_t size = (size_t)spans[i].frames * frame;

		done += spans[i].frames;
		if (spans[i].data) {
			frames_copy(this->mend, to, spans[i].data, size);
			valid = done;	/* silence is last */
		} else {
			frames_silence(g->format, to, size);
		}
		to += size;
	}
	if (n >= 0)
		xen_snd_stream_release(this->stream, done);
	gain_apply(&this->gain, this->stream, data, done);
	if (done < frames)
		frames_silence(g->format, to, (size_t)(frames - done) * frame);
	fade_apply(&this->fade, g, data, valid, frames, n == -ENODEV);
}

/* Frames into the guest's ring. Changes them: nobody else reads this buffer, the
 * converter's. */
static void write_frames(struct impl *this, void *data, uint32_t frames)
{
	const struct xen_snd_geometry *g = &this->stream->geometry;
	const struct xen_snd_cycle cycle = this_cycle(this);
	struct xen_snd_span spans[XEN_SND_MAX_SPANS];
	const uint8_t *from = data;
	uint32_t done = 0;
	int i, n;

	gain_apply(&this->gain, this->stream, data, frames);
	n = xen_snd_stream_acquire(this->stream, frames, &cycle, spans);
	for (i = 0; i < n; i++) {
		size_t size = (size_t)spans[i].frames * g->frame_size;

		frames_copy(this->mend, spans[i].data, from, size);
		from += size;
		done += spans[i].frames;
	}
	if (n >= 0)
		xen_snd_stream_release(this->stream, done);
}

static int process_source(struct impl *this)
{
	uint32_t frame = this->stream->geometry.frame_size, frames;
	struct spa_io_buffers *io = this->io;
	struct spa_data *d;
	uint32_t id;

	if (io->status == SPA_STATUS_HAVE_DATA)
		return SPA_STATUS_HAVE_DATA;
	recycle(this, io->buffer_id);
	io->buffer_id = SPA_ID_INVALID;
	if (this->free == 0)
		return io->status = -EPIPE;
	id = __builtin_ctz(this->free);
	this->free &= ~(1u << id);

	d = &this->buffers[id]->datas[0];
	frames = SPA_MIN(wanted_frames(this), d->maxsize / frame);
	read_frames(this, d->data, frames);
	*d->chunk = (struct spa_chunk) { .size = frames * frame, .stride = frame };

	io->buffer_id = id;
	io->status = SPA_STATUS_HAVE_DATA;
	return SPA_STATUS_HAVE_DATA;
}

static int process_sink(struct impl *this)
{
	uint32_t frame = this->stream->geometry.frame_size, offset, size;
	struct spa_io_buffers *io = this->io;
	struct spa_data *d;

	if (io->status != SPA_STATUS_HAVE_DATA || io->buffer_id >= this->n_buffers)
		return io->status = SPA_STATUS_NEED_DATA;

	d = &this->buffers[io->buffer_id]->datas[0];
	offset = SPA_MIN(d->chunk->offset, d->maxsize);
	size = SPA_MIN(d->chunk->size, d->maxsize - offset);
	write_frames(this, SPA_PTROFF(d->data, offset, void), size / frame);

	io->status = SPA_STATUS_NEED_DATA;
	return SPA_STATUS_NEED_DATA;
}

static int impl_node_process(void *object)
{
	struct impl *this = object;

	spa_return_val_if_fail(this != NULL, -EINVAL);
	if (this->io == NULL || !this->started)
		return -EIO;
	return this->direction == SPA_DIRECTION_OUTPUT ?
		process_source(this) : process_sink(this);
}

static const struct spa_node_methods impl_node = {
	SPA_VERSION_NODE_METHODS,
	.add_listener = impl_node_add_listener,
	.set_callbacks = impl_node_set_callbacks,
	.sync = impl_node_sync,
	.enum_params = impl_node_enum_params,
	.set_param = impl_node_set_param,
	.set_io = impl_node_set_io,
	.send_command = impl_node_send_command,
	.port_enum_params = impl_node_port_enum_params,
	.port_set_param = impl_node_port_set_param,
	.port_use_buffers = impl_node_port_use_buffers,
	.port_set_io = impl_node_port_set_io,
	.port_reuse_buffer = impl_node_port_reuse_buffer,
	.process = impl_node_process,
};

/* The handle. */

static int impl_get_interface(struct spa_handle *handle, const char *type, void **interface)
{
	struct impl *this = SPA_CONTAINER_OF(handle, struct impl, handle);

	spa_return_val_if_fail(interface != NULL, -EINVAL);
	if (!spa_streq(type, SPA_TYPE_INTERFACE_Node))
		return -ENOENT;
	*interface = &this->node;
	return 0;
}

static int impl_clear(struct spa_handle *handle)
{
	return 0;
}

static size_t impl_get_size(const struct spa_handle_factory *factory,
		const struct spa_dict *params)
{
	return sizeof(struct impl);
}

static struct xen_snd_stream *find_stream(const struct spa_dict *info)
{
	const char *str = info ? spa_dict_lookup(info, XEN_SND_KEY_STREAM) : NULL;
	void *pointer;
	struct xen_snd_stream *stream;

	if (str == NULL || sscanf(str, "pointer:%p", &pointer) != 1)
		return NULL;
	stream = pointer;
	if (!spa_streq(stream->iface.type, XEN_SND_TYPE_STREAM) ||
	    stream->iface.version != XEN_SND_VERSION_STREAM)
		return NULL;
	return stream;
}

static uint32_t find_channel(const char *name)
{
	const struct spa_type_info *type;

	for (type = spa_type_audio_channel; type->name; type++) {
		if (spa_streq(name, spa_debug_type_short_name(type->name)))
			return type->type;
	}
	return SPA_AUDIO_CHANNEL_UNKNOWN;
}

/* "[ FL FR ]" instead of the usual order, if it has as many channels */
static void init_positions(struct impl *this, const char *str)
{
	const struct xen_snd_geometry *g = &this->stream->geometry;
	uint32_t positions[SPA_AUDIO_MAX_CHANNELS], n = 0;
	struct spa_json it[2];
	char name[32];

	memcpy(this->positions, g->position, sizeof(this->positions));
	if (str == NULL)
		return;
	spa_json_init(&it[0], str, strlen(str));
	if (spa_json_enter_array(&it[0], &it[1]) <= 0)
		spa_json_init(&it[1], str, strlen(str));
	while (n < SPA_AUDIO_MAX_CHANNELS && spa_json_get_string(&it[1], name, sizeof(name)) > 0)
		positions[n++] = find_channel(name);
	if (n == g->channels)
		memcpy(this->positions, positions, n * sizeof(positions[0]));
	else
		spa_log_warn(this->log, "%p: "SPA_KEY_AUDIO_POSITION" \"%s\" names %u channels of a "
				"stream of %u: ignored", this, str, n, g->channels);
}

static void init_node_info(struct impl *this)
{
	this->info_all = SPA_NODE_CHANGE_MASK_FLAGS | SPA_NODE_CHANGE_MASK_PROPS |
		SPA_NODE_CHANGE_MASK_PARAMS;
	this->info = SPA_NODE_INFO_INIT();
	this->info.max_output_ports = this->direction == SPA_DIRECTION_OUTPUT;
	this->info.max_input_ports = this->direction == SPA_DIRECTION_INPUT;
	this->info.flags = SPA_NODE_FLAG_RT;
	this->params[NODE_IO] = SPA_PARAM_INFO(SPA_PARAM_IO, SPA_PARAM_INFO_READ);
	this->params[NODE_PropInfo] = SPA_PARAM_INFO(SPA_PARAM_PropInfo, SPA_PARAM_INFO_READ);
	this->params[NODE_Props] = SPA_PARAM_INFO(SPA_PARAM_Props, SPA_PARAM_INFO_READWRITE);
	this->info.params = this->params;
	this->info.n_params = N_NODE_PARAMS;
}

static void init_port_info(struct impl *this)
{
	this->port_info_all = SPA_PORT_CHANGE_MASK_FLAGS | SPA_PORT_CHANGE_MASK_PARAMS;
	this->port_info = SPA_PORT_INFO_INIT();
	this->port_info.flags = SPA_PORT_FLAG_LIVE | SPA_PORT_FLAG_TERMINAL;
	this->port_params[PORT_EnumFormat] =
		SPA_PARAM_INFO(SPA_PARAM_EnumFormat, SPA_PARAM_INFO_READ);
	this->port_params[PORT_Format] = SPA_PARAM_INFO(SPA_PARAM_Format, SPA_PARAM_INFO_WRITE);
	this->port_params[PORT_Buffers] = SPA_PARAM_INFO(SPA_PARAM_Buffers, 0);
	this->port_params[PORT_IO] = SPA_PARAM_INFO(SPA_PARAM_IO, SPA_PARAM_INFO_READ);
	this->port_params[PORT_Latency] =
		SPA_PARAM_INFO(SPA_PARAM_Latency, SPA_PARAM_INFO_READWRITE);
	this->port_info.params = this->port_params;
	this->port_info.n_params = N_PORT_PARAMS;
	this->latency[SPA_DIRECTION_INPUT] = SPA_LATENCY_INFO(SPA_DIRECTION_INPUT);
	this->latency[SPA_DIRECTION_OUTPUT] = SPA_LATENCY_INFO(SPA_DIRECTION_OUTPUT);
	/* what the guest has written, or has not read yet */
	this->latency[this->direction].max_ns = (uint64_t)this->stream->geometry.buffer_frames *
		SPA_NSEC_PER_SEC / this->stream->geometry.rate;
}

static int impl_init(const struct spa_handle_factory *factory, struct spa_handle *handle,
		const struct spa_dict *info, const struct spa_support *support,
		uint32_t n_support)
{
	struct impl *this = SPA_CONTAINER_OF(handle, struct impl, handle);
	const char *str;

	spa_return_val_if_fail(factory != NULL, -EINVAL);
	spa_return_val_if_fail(handle != NULL, -EINVAL);

	handle->get_interface = impl_get_interface;
	handle->clear = impl_clear;
	this->log = spa_support_find(support, n_support, SPA_TYPE_INTERFACE_Log);
	spa_log_topic_init(this->log, &xen_snd_plugin_log_topic);

	if ((this->stream = find_stream(info)) == NULL) {
		spa_log_error(this->log, "%s is made by libpipewire-module-xen-snd, which gives it "
				XEN_SND_KEY_STREAM"; it can't be used by itself", factory->name);
		return -EINVAL;
	}
	this->direction = factory == &xen_snd_source_factory ?
		SPA_DIRECTION_OUTPUT : SPA_DIRECTION_INPUT;
	this->quantum_limit = DEFAULT_QUANTUM_LIMIT;
	if ((str = spa_dict_lookup(info, "clock.quantum-limit")) != NULL)
		spa_atou32(str, &this->quantum_limit, 0);

	this->node.iface = SPA_INTERFACE_INIT(SPA_TYPE_INTERFACE_Node, SPA_VERSION_NODE,
			&impl_node, this);
	spa_hook_list_init(&this->hooks);
	this->mend = frames_find_mend(this->stream->geometry.guest_format);
	gain_init(&this->gain, this->stream);
	fade_init(&this->fade, this->stream, spa_atob(spa_dict_lookup(info, XEN_SND_KEY_FADE)));
	init_positions(this, spa_dict_lookup(info, SPA_KEY_AUDIO_POSITION));
	init_node_info(this);
	init_port_info(this);
	return 0;
}

static const struct spa_interface_info impl_interfaces[] = {
	{ SPA_TYPE_INTERFACE_Node, },
};

static int impl_enum_interface_info(const struct spa_handle_factory *factory,
		const struct spa_interface_info **info, uint32_t *index)
{
	spa_return_val_if_fail(info != NULL, -EINVAL);
	spa_return_val_if_fail(index != NULL, -EINVAL);

	if (*index >= SPA_N_ELEMENTS(impl_interfaces))
		return 0;
	*info = &impl_interfaces[(*index)++];
	return 1;
}

static const struct spa_dict_item source_items[] = {
	{ SPA_KEY_FACTORY_AUTHOR, "the pipewire-xen-snd authors" },
	{ SPA_KEY_FACTORY_DESCRIPTION, "Plays what a Xen guest's vsnd stream plays" },
	{ SPA_KEY_FACTORY_USAGE, "["XEN_SND_KEY_STREAM"=<pointer>]" },
};

static const struct spa_dict_item sink_items[] = {
	{ SPA_KEY_FACTORY_AUTHOR, "the pipewire-xen-snd authors" },
	{ SPA_KEY_FACTORY_DESCRIPTION, "Lets a Xen guest's vsnd stream record" },
	{ SPA_KEY_FACTORY_USAGE, "["XEN_SND_KEY_STREAM"=<pointer>]" },
};

static const struct spa_dict source_info = SPA_DICT_INIT_ARRAY(source_items);
static const struct spa_dict sink_info = SPA_DICT_INIT_ARRAY(sink_items);

const struct spa_handle_factory xen_snd_source_factory = {
	SPA_VERSION_HANDLE_FACTORY,
	XEN_SND_NAME_SOURCE,
	&source_info,
	impl_get_size,
	impl_init,
	impl_enum_interface_info,
};

const struct spa_handle_factory xen_snd_sink_factory = {
	SPA_VERSION_HANDLE_FACTORY,
	XEN_SND_NAME_SINK,
	&sink_info,
	impl_get_size,
	impl_init,
	impl_enum_interface_info,
};
