/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A line and the requests on it, see line.h. */

#include <endian.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <spa/utils/result.h>

#include "channels.h"
#include "clock.h"
#include "guest.h"
#include "line.h"
#include "log.h"
#include "refusals.h"
#include "sample.h"

#define LINE_FORMAT	"%s %u/%u/%u"
#define LINE_ARGS(l)	(l)->config.identity.guest, (l)->config.identity.device,	\
			(l)->config.identity.pcm, (l)->config.identity.stream
#define BUDGETS(l)	((l)->guest->budgets)

/* A signal can be that of a request that was answered already, once after each. A guest
 * that goes on signalling without a request is heard ever more rarely. */
#define IDLE_WAKES_FREE	3u
#define UNMASK_MIN	(1 * SPA_NSEC_PER_MSEC)
#define UNMASK_STEPS	10u

/* What waits for a budget waits so long at least: not each of many has the thread woken. */
#define WAIT_MIN	(20 * SPA_NSEC_PER_MSEC)

/* An OPEN is refused rather than left to Linux's time limit of 3 s. */
#define OPEN_PATIENCE	(2 * SPA_NSEC_PER_SEC)

/* Connecting. */

static int bind_events(struct line *line)
{
	const struct guest *guest = line->guest;
	int port;

	if ((line->events.handle = channels_open(guest->domid, guest->env->logger)) == NULL)
		return -errno;
	port = xenevtchn_bind_interdomain(line->events.handle, guest->domid,
			line->config.evt_event_channel);
	if (port < 0) {
		int res = -errno;
		xenevtchn_close(line->events.handle);
		line->events.handle = NULL;
		return res;
	}
	line->events.port = port;
	return 0;
}

static void disconnect_events(struct line *line)
{
	if (line->events.handle)
		xenevtchn_close(line->events.handle);
	line->events.handle = NULL;
	grants_unmap(&line->guest->grants, &line->event_map);
}

static int connect_events(struct line *line)
{
	int res;

	if (line->config.dialect->event_slots > 0) {
		if ((res = grants_map_page(&line->guest->grants, line->config.evt_ring_ref,
				&line->event_map)) < 0)
			return res;
		if ((res = bind_events(line)) < 0) {
			grants_unmap(&line->guest->grants, &line->event_map);
			return res;
		}
	}
	return 0;
}

static int bind_requests(struct line *line)
{
	int port = xenevtchn_bind_interdomain(line->guest->evtchn, line->guest->domid,
			line->config.event_channel);

	if (port < 0)
		return -errno;
	line->port = port;
	return 0;
}

static void on_more(struct letter *letter)
{
	line_serve(SPA_CONTAINER_OF(letter, struct line, more));
}

static void unmask(struct line *line)
{
	xenevtchn_unmask(line->guest->evtchn, line->port);
}

static void on_timer(void *data, uint64_t expirations)
{
	struct line *line = data;

	if (line->waits_since != 0)
		line_serve(line);
	else
		unmask(line);
}

static void reach(const struct line *line, enum budget_id id)
{
	guest_reached(BUDGETS(line), id, LINE_FORMAT, LINE_ARGS(line));
}

/* What a mapping failed with, as the guest is told. */
static int map_error(const struct line *line, int res)
{
	if (res != -EDQUOT)
		return res;
	reach(line, BUDGET_GRANTS);
	return -ENOMEM;
}

static int connect(struct line *line, struct guest *guest)
{
	int res;

	line->guest = guest;
	line->broken = line->served = false;
	line->idle_wakes = 0;
	line->waits_since = 0;
	line->more = (struct letter) { .read = on_more };
	if ((line->timer = pw_loop_add_timer(guest->worker.loop, on_timer, line)) == NULL) {
		res = -errno;
		goto error;
	}
	if ((res = grants_map_page(&guest->grants, line->config.ring_ref, &line->ring_map)) < 0)
		goto error_timer;
	if ((res = connect_events(line)) < 0)
		goto error_ring;
	if ((res = bind_requests(line)) < 0)
		goto error_events;
	return 0;

error_events:
	disconnect_events(line);
error_ring:
	grants_unmap(&guest->grants, &line->ring_map);
error_timer:
	pw_loop_destroy_source(guest->worker.loop, line->timer);
error:
	res = map_error(line, res);
	guest_log_error(BUDGETS(line), LINE_FORMAT": can't take up the stream (ring %u, channel %u, "
			"events %u, channel %u): %s", LINE_ARGS(line),
			line->config.ring_ref, line->config.event_channel,
			line->config.evt_ring_ref, line->config.evt_event_channel, strerror(-res));
	line->guest = NULL;
	return res;
}

int line_connect(struct line *line, struct guest *guest)
{
	int res;

	if ((res = connect(line, guest)) < 0)
		return res;
	ring_init(&line->ring, line->config.dialect, line->ring_map.data);
	event_page_init(&line->events.page, line->config.dialect, line->event_map.data);
	return 0;
}

static void drop_buffer(struct line *line)
{
	grants_unmap(&line->guest->grants, &line->buffer_map);
	budget_give(BUDGETS(line), BUDGET_OCTETS, line->octets);
	line->octets = 0;
}

static void drop_stream(struct line *line)
{
	stream_unref(line->stream);
	line->stream = NULL;
	drop_buffer(line);
}

static void forget_stream(struct line *line)
{
	drop_stream(line);
	state_set_opened(line->record, NULL);
}

static void close_stream(struct line *line)
{
	if (line->stream == NULL)
		return;
	stream_close(line->stream);
	forget_stream(line);
}

static void lose_stream(struct line *line)
{
	if (line->stream == NULL)
		return;
	stream_lose(line->stream);
	forget_stream(line);
}

static void disconnect(struct line *line)
{
	struct guest *guest = line->guest;

	mailbox_cancel(&guest->worker.mailbox, &line->more);
	pw_loop_destroy_source(guest->worker.loop, line->timer);
	xenevtchn_unbind(guest->evtchn, line->port);
	disconnect_events(line);
	grants_unmap(&guest->grants, &line->ring_map);
	line->guest = NULL;
}

void line_disconnect(struct line *line)
{
	if (line->guest == NULL)
		return;
	lose_stream(line);
	disconnect(line);
}

void line_leave(struct line *line)
{
	if (line->guest == NULL)
		return;
	if (line->stream) {
		stream_leave(line->stream);
		drop_stream(line);
	}
	disconnect(line);
	line->record = NULL;
}

/* Without one, playback starts with the data and capture with OPEN. */
static bool has_trigger(const struct line *line)
{
	return line->config.dialect->last_op >= WIRE_OP_TRIGGER;
}

static void count(atomic_uint_least64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* Does the request stay within the ring of the open stream? */
static bool in_ring(const struct line *line, const struct wire_request *req)
{
	const struct xen_snd_geometry *g = &line->stream->iface.geometry;

	return (uint64_t)req->span.offset + req->span.length <=
		(uint64_t)g->buffer_frames * g->frame_size;
}

/* The requests. Each returns 0 or the negative errno of its answer. */

static struct xen_snd_geometry make_geometry(const struct wire_open *open)
{
	struct xen_snd_geometry geometry = {
		.format = sample_graph_format(open->format),
		.guest_format = sample_guest_format(open->format),
		.rate = open->rate,
		.channels = open->channels,
	};

	geometry.frame_size = wire_format_info(open->format)->size * open->channels;
	geometry.buffer_frames = open->buffer_size / geometry.frame_size;
	geometry.period_frames = open->period_size / geometry.frame_size;
	sample_default_position(geometry.channels, geometry.position);
	return geometry;
}

/* An OPEN: in the log, and for those who look. */
SPA_PRINTF_FUNC(2, 3)
static void say_refused(struct line *line, const char *format, ...)
{
	char why[REFUSAL_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	guest_log_warn(BUDGETS(line), LINE_FORMAT": OPEN refused: %s", LINE_ARGS(line), why);
	refusals_add(line->guest->env->refusals, line->guest->domid, LINE_FORMAT": OPEN refused: %s",
			LINE_ARGS(line), why);
}

static int map_buffer(struct line *line, const struct wire_open *open)
{
	int res;

	if (!budget_take(BUDGETS(line), BUDGET_OCTETS, open->buffer_size)) {
		reach(line, BUDGET_OCTETS);
		return -ENOMEM;
	}
	line->octets = open->buffer_size;
	/* GET_VOLUME writes into a playback ring, too */
	if ((res = grants_map_buffer(&line->guest->grants, open->directory, open->buffer_size,
			&line->buffer_map)) < 0) {
		drop_buffer(line);
		return map_error(line, res);
	}
	return 0;
}

/* What its latency will be. Negative: more than a rule allows. */
static int agree(struct line *line, const struct xen_snd_geometry *geometry,
		struct latency *latency)
{
	const struct guest_env *env = line->guest->env;

	*latency = (struct latency) { .rate = geometry->rate };
	if (env->contract == NULL)
		return 0;
	return env->contract(env, &line->config.identity, line->config.capture, geometry, latency);
}

/* Map the buffer, and make the stream by stream_open() or stream_resume(). */
static int make_stream(struct line *line, const struct wire_open *open,
		struct stream *(*make)(const struct stream_config *config))
{
	const struct line_config *config = &line->config;
	const struct xen_snd_geometry geometry = make_geometry(open);
	struct guest *guest = line->guest;
	char text[LATENCY_TEXT_SIZE];
	struct latency latency;
	int res;

	/* what is resumed is refused nothing */
	if ((res = agree(line, &geometry, &latency)) < 0 && make == stream_open) {
		latency_describe(&latency, text);
		say_refused(line, "the latency is more than a rule allows: %s", text);
		return res;
	}
	if ((res = map_buffer(line, open)) < 0) {
		say_refused(line, "can't map the %u octets of directory %u: %s", open->buffer_size,
				open->directory, strerror(-res));
		return res;
	}
	line->stream = make(&(struct stream_config) {
		.identity = &config->identity, .geometry = &geometry, .latency = &latency,
		.capture = config->capture,
		.data = line->buffer_map.data, .events = &line->events,
		.watcher = guest->env->watcher, .record = line->record,
	});
	if (line->stream == NULL) {
		res = -errno;
		say_refused(line, "no memory for the stream");
		drop_buffer(line);
		return res;
	}
	line->stream->watcher->changed(line->stream->watcher, line->stream);
	latency_describe(&latency, text);
	guest_log_info(BUDGETS(line), LINE_FORMAT": open for %s: %s %u Hz %u channels, buffer %u, "
			"period %u frames, latency %s", LINE_ARGS(line), config->capture ? "capture" : "playback",
			wire_format_info(open->format)->name, geometry.rate, geometry.channels,
			geometry.buffer_frames, geometry.period_frames, text);
	return 0;
}

static int open_stream(struct line *line, const struct wire_open *open)
{
	struct state_opened opened;
	int res;

	if ((res = make_stream(line, open, stream_open)) < 0)
		return res;
	opened = (struct state_opened) { .open = *open, .base = line->events.page.base };
	state_set_opened(line->record, &opened);
	if (line->config.capture && !has_trigger(line)) {
		stream_trigger(line->stream, WIRE_TRIGGER_START);
		guest_wake(line->guest);
	}
	return 0;
}

static int do_open(struct line *line, const struct wire_request *req)
{
	const char *why;
	int res;

	if ((res = limits_check(&line->config.limits, &req->open, &why)) < 0) {
		say_refused(line, "%s (format %u, %u Hz, %u channels, buffer %u, period %u octets)", why,
				req->open.format, req->open.rate, req->open.channels,
				req->open.buffer_size, req->open.period_size);
		return res;
	}
	/* a second hw_params in the guest comes without CLOSE */
	close_stream(line);
	return open_stream(line, &req->open);
}

static int do_close(struct line *line)
{
	/* unmapped before the answer: the guest frees its pages then */
	close_stream(line);
	return 0;
}

static int do_transfer(struct line *line, const struct wire_request *req)
{
	bool capture = req->op == WIRE_OP_READ;
	const struct xen_snd_geometry *g;

	if (line->stream == NULL)
		return -EIO;
	g = &line->stream->iface.geometry;
	if (capture != line->config.capture || !in_ring(line, req) ||
	    req->span.offset % g->frame_size != 0 || req->span.length % g->frame_size != 0)
		return -EINVAL;
	if (capture)
		return 0;
	if (!has_trigger(line)) {
		stream_start_at(line->stream, req->span.offset / g->frame_size);
		guest_wake(line->guest);
	}
	stream_write(line->stream, req->span.offset / g->frame_size,
			req->span.length / g->frame_size);
	return 0;
}

/* Volume and mute travel in the ring itself, a cell of 4 octets for each channel. */

#define CELL	4u

static uint8_t *find_cells(struct line *line, const struct wire_request *req)
{
	return (uint8_t *)line->buffer_map.data + req->span.offset;
}

static int do_volume(struct line *line, const struct wire_request *req)
{
	uint32_t channels, i;
	int32_t volume;
	uint8_t *cells;

	if (line->stream == NULL)
		return -EIO;
	channels = line->stream->iface.geometry.channels;
	if (req->span.length != channels * CELL || !in_ring(line, req))
		return -EINVAL;
	cells = find_cells(line, req);
	for (i = 0; i < channels; i++) {
		if (req->op == WIRE_OP_GET_VOLUME) {
			volume = htole32(atomic_load(&line->stream->channels[i].volume));
			memcpy(cells + (size_t)i * CELL, &volume, sizeof(volume));
		} else {
			memcpy(&volume, cells + (size_t)i * CELL, sizeof(volume));
			stream_set_volume(line->stream, i, le32toh(volume));
		}
	}
	if (req->op == WIRE_OP_SET_VOLUME)
		stream_apply_volume(line->stream);
	return 0;
}

/* sndif calls the values octets in cells of 4: both strides are understood. */
static int do_mute(struct line *line, const struct wire_request *req)
{
	uint32_t channels, stride, i;
	const uint8_t *cells;

	if (line->stream == NULL)
		return -EIO;
	channels = line->stream->iface.geometry.channels;
	stride = req->span.length / channels;
	if ((stride != 1 && stride != CELL) || req->span.length % channels != 0 ||
	    !in_ring(line, req))
		return -EINVAL;
	cells = find_cells(line, req);
	for (i = 0; i < channels; i++) {
		if (cells[(size_t)i * stride] != 0)
			stream_set_mute(line->stream, i, req->op == WIRE_OP_MUTE);
	}
	stream_apply_volume(line->stream);
	return 0;
}

static int do_trigger(struct line *line, const struct wire_request *req)
{
	int res;

	if (line->stream == NULL)
		return -EIO;
	if ((res = stream_trigger(line->stream, req->trigger)) >= 0)
		guest_wake(line->guest);
	return res;
}

static int do_query(struct line *line, const struct wire_request *req, struct wire_hw *hw)
{
	const atomic_uint_least64_t *min_period = line->guest->env->min_period;

	*hw = req->hw;
	return limits_narrow(&line->config.limits,
			atomic_load_explicit(min_period, memory_order_relaxed), hw);
}

static int dispatch(struct line *line, const struct wire_request *req, struct wire_hw *hw)
{
	switch (req->op) {
	case WIRE_OP_OPEN:
		return do_open(line, req);
	case WIRE_OP_CLOSE:
		return do_close(line);
	case WIRE_OP_READ:
	case WIRE_OP_WRITE:
		return do_transfer(line, req);
	case WIRE_OP_SET_VOLUME:
	case WIRE_OP_GET_VOLUME:
		return do_volume(line, req);
	case WIRE_OP_MUTE:
	case WIRE_OP_UNMUTE:
		return do_mute(line, req);
	case WIRE_OP_TRIGGER:
		return do_trigger(line, req);
	case WIRE_OP_HW_PARAM_QUERY:
		return do_query(line, req, hw);
	default:
		return -EOPNOTSUPP;
	}
}

/* The guest's budgets: the ns to wait until the request may be served, 0 if it may now. */

/* a request or an OPEN too many has come */
static void begin_to_wait(struct line *line, enum budget_id id, uint64_t now)
{
	if (line->waits_since != 0)
		return;
	line->waits_since = now;
	reach(line, id);
	if (line->stream)
		count(&line->stream->counters.delayed);
}

static uint64_t spend_budgets(struct line *line, const struct wire_request *req, bool *refused)
{
	uint64_t now = clock_now(), wait;

	*refused = false;
	if ((wait = budget_wait(BUDGETS(line), BUDGET_REQUESTS, now)) > 0) {
		begin_to_wait(line, BUDGET_REQUESTS, now);
		return wait;
	}
	if (req->op == WIRE_OP_OPEN &&
	    (wait = budget_spend(BUDGETS(line), BUDGET_OPENS, now)) > 0) {
		begin_to_wait(line, BUDGET_OPENS, now);
		if (now - line->waits_since < OPEN_PATIENCE)
			return wait;
		*refused = true;
	}
	budget_spend(BUDGETS(line), BUDGET_REQUESTS, now);
	line->waits_since = 0;
	return 0;
}

static void serve(struct line *line, const struct wire_request *req, bool refused)
{
	uint8_t answer[WIRE_PACKET_SIZE];
	struct wire_hw hw;
	int res;

	line->served = true;
	if (refused) {
		res = -EBUSY;
		refusals_add(line->guest->env->refusals, line->guest->domid,
				LINE_FORMAT": OPEN refused: more than %u %s (%s)", LINE_ARGS(line),
				BUDGETS(line)->of[BUDGET_OPENS].limit,
				budget_infos[BUDGET_OPENS].what, budget_infos[BUDGET_OPENS].key);
	} else if (req->op > line->config.dialect->last_op) {
		res = -EOPNOTSUPP;
	} else {
		res = dispatch(line, req, &hw);
	}
	pw_log_trace(LINE_FORMAT": request %u, operation %u: %s", LINE_ARGS(line),
			req->id, req->op, spa_strerror(res));
	if (res < 0 && line->stream)
		stream_refused(line->stream);

	wire_put_response(line->config.dialect, answer, req, res,
			req->op == WIRE_OP_HW_PARAM_QUERY && res >= 0 ? &hw : NULL);
	/* killed before it is on record, the request is served again; after it, the
	 * answer is shown by who resumes */
	ring_answer(&line->ring, answer);
	state_set_answered(line->record, line->ring.answered);
	ring_show(&line->ring);
	xenevtchn_notify(line->guest->evtchn, line->port);
}

/* The request that waits, or the next one of the ring: as ring_take(). */
static int take_request(struct line *line, struct wire_request *req)
{
	int res = 1;

	if (line->waits_since == 0)
		res = ring_take(&line->ring, line->packet);
	if (res > 0)
		wire_get_request(line->config.dialect, line->packet, req);
	return res;
}

/* A ring full at most: 1 there may be more, 0 all is done, -EPROTO it is corrupt,
 * -EAGAIN the timer will go on. */
static int serve_turn(struct line *line)
{
	struct wire_request req;
	uint64_t wait;
	bool refused;
	uint32_t n;
	int res;

	for (n = 0; n < line->config.dialect->ring_slots; n++) {
		if ((res = take_request(line, &req)) < 0)
			return res;
		if (res == 0)
			return ring_rearm(&line->ring);
		if ((wait = spend_budgets(line, &req, &refused)) > 0) {
			clock_fire_after(line->guest->worker.loop, line->timer,
					SPA_MAX(wait, WAIT_MIN));
			return -EAGAIN;
		}
		serve(line, &req, refused);
	}
	return 1;
}

static void give_up(struct line *line)
{
	guest_log_error(BUDGETS(line), LINE_FORMAT": the request ring is corrupt: the stream is "
			"given up until the guest connects again", LINE_ARGS(line));
	lose_stream(line);
	line->broken = true;
}

static void be_woken_again(struct line *line)
{
	uint64_t wait, most;
	uint32_t step;

	line->idle_wakes = line->served ? 0 : line->idle_wakes + 1;
	line->served = false;
	if (line->idle_wakes <= IDLE_WAKES_FREE) {
		unmask(line);
		return;
	}
	step = SPA_MIN(line->idle_wakes - IDLE_WAKES_FREE - 1, UNMASK_STEPS);
	most = SPA_NSEC_PER_SEC / BUDGETS(line)->of[BUDGET_IDLE_SIGNALS].limit;
	if ((wait = UNMASK_MIN << step) >= most) {
		wait = most;
		reach(line, BUDGET_IDLE_SIGNALS);
	}
	clock_fire_after(line->guest->worker.loop, line->timer, wait);
}

void line_serve(struct line *line)
{
	int res;

	/* stays masked: a guest that has broken its ring can't wake us any more */
	if (line->broken)
		return;
	res = serve_turn(line);
	if (res == -EPROTO)
		give_up(line);
	else if (res > 0)
		mailbox_post(&line->guest->worker.mailbox, &line->more);
	else if (res == 0)
		be_woken_again(line);
}

/* Resuming. */

/* Goes on with a stream that was open. Where the guest asks to open or close it now,
 * it may have freed its pages already, having waited too long. */
static int resume_stream(struct line *line, const struct state_opened *opened)
{
	struct state_moment moment = state_get_moment(line->record);
	const char *why;
	int res;

	res = limits_check(&line->config.limits, &opened->open, &why);
	if (res >= 0 && !ring_has(&line->ring, WIRE_OP_OPEN, WIRE_OP_CLOSE))
		res = make_stream(line, &opened->open, stream_resume);
	if (line->stream == NULL) {
		event_page_close(&line->events.page);
		state_set_opened(line->record, NULL);
	}
	/* between two hw_params() a guest has no pages, and asks for nothing but OPEN */
	return moment.run == STREAM_PREPARED ? 0 : res;
}

int line_resume(struct line *line, struct guest *guest)
{
	const struct state_opened *opened = state_get_opened(line->record);
	struct state_moment moment = state_get_moment(line->record);
	int res;

	if ((res = connect(line, guest)) < 0)
		return res;
	ring_resume(&line->ring, line->config.dialect, line->ring_map.data,
			atomic_load(&line->record->answered));
	event_page_resume(&line->events.page, line->config.dialect, line->event_map.data,
			moment.produced, opened ? opened->base : 0);
	if (opened && (res = resume_stream(line, opened)) < 0) {
		line_disconnect(line);
		return res;
	}
	/* what was shown only now, and what the guest has asked meanwhile */
	if (line->events.handle)
		xenevtchn_notify(line->events.handle, line->events.port);
	xenevtchn_notify(guest->evtchn, line->port);
	mailbox_post(&guest->worker.mailbox, &line->more);
	return 0;
}
