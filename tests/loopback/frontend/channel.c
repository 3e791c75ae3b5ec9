/* SPDX-License-Identifier: MIT */
/*
 * Runs and judges the two rings of one stream.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "channel.h"

#define ANSWER_TIMEOUT_S 3
#define LATE_ANSWER_NS 10000000u

const char *const operation_names[N_OPERATIONS] = { "open", "close", "read", "write", "set-volume",
	"get-volume", "mute", "unmute", "trigger", "query" };

static bool is_zero(const uint8_t *p, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static void judge_response(struct channel *c, const uint8_t *rsp)
{
	uint32_t body = rsp[REQ_OPERATION] == OP_HW_PARAM_QUERY ? QUERY_END : RSP_BODY;
	int32_t status = (int32_t)get32(rsp + RSP_STATUS);

	if (!c->waiting)
		report_violation(c->name, "a response to no request, id %u", get16(rsp));
	else if (get16(rsp) != c->id)
		report_violation(c->name, "response id %u to request %u", get16(rsp), c->id);
	else if (rsp[REQ_OPERATION] != c->operation)
		report_violation(c->name, "response operation %u to request %u",
				rsp[REQ_OPERATION], c->operation);
	if (status > 0 || status < -200)
		report_violation(c->name, "status %d is no error of Xen", status);
	if (rsp[3] != 0 || !is_zero(rsp, body, c->dialect->packet))
		report_violation(c->name, "padding of a response is not zero");
}

static void take_response(struct channel *c, const uint8_t *slot)
{
	uint8_t rsp[MAX_PACKET] = { 0 };

	memcpy(rsp, slot, c->dialect->packet);
	judge_response(c, rsp);
	if (get16(rsp) != c->id)
		return;
	memcpy(c->response, rsp, sizeof(rsp));
	c->waiting = false;
	pthread_cond_broadcast(&c->answered);
}

static uint8_t *request_slot(struct channel *c, uint32_t index)
{
	return c->req_page.address + RING_SLOTS +
			(index & (c->dialect->request_slots - 1)) * c->dialect->packet;
}

/* As the driver's interrupt handler, with its hold-off of further interrupts. */
static void take_responses(struct channel *c)
{
	uint8_t *ring = c->req_page.address;
	uint32_t prod;

	do {
		prod = load32(ring, RING_RSP_PROD);
		if (prod - c->rsp_cons > c->req_prod - c->rsp_cons) {
			report_violation(c->name, "rsp_prod %u beyond req_prod %u", prod, c->req_prod);
			return;
		}
		for (; c->rsp_cons != prod; c->rsp_cons++)
			take_response(c, request_slot(c, c->rsp_cons));
		store32(ring, RING_RSP_EVENT, c->rsp_cons + 1);
	} while (load32(ring, RING_RSP_PROD) != c->rsp_cons);
}

static void *run_responses(void *data)
{
	struct channel *c = data;

	while (true) {
		line_wait(&c->req_line);
		if (__atomic_load_n(&c->quit, __ATOMIC_SEQ_CST))
			return NULL;
		pthread_mutex_lock(&c->req_mutex);
		if (c->req_connected)
			take_responses(c);
		pthread_mutex_unlock(&c->req_mutex);
		line_done(&c->req_line);
	}
}

static const uint8_t *event_slot(struct channel *c, uint32_t index)
{
	return c->evt_page.address + c->dialect->packet +
			index % c->dialect->event_slots * c->dialect->packet;
}

static uint32_t events_posted(struct channel *c)
{
	return c->dialect->event_slots > 0 ? load32(c->evt_page.address, EVENT_IN_PROD) : 0;
}

static void be_quiet(struct channel *c)
{
	c->quiet = true;
	c->quiet_prod = events_posted(c);
}

static void judge_position(struct channel *c, uint64_t position)
{
	if (c->frame_sz > 0 && position % c->frame_sz != 0)
		report_violation(c->name, "position %llu is not whole frames",
				(unsigned long long)position);
	if (c->has_accepted && position < c->accepted_position)
		report_violation(c->name, "position went back from %llu to %llu",
				(unsigned long long)c->accepted_position,
				(unsigned long long)position);
	if (c->has_ignored && position != c->ignored_position)
		report_violation(c->name, "position %llu had no id that this driver takes",
				(unsigned long long)c->ignored_position);
}

/* A slot with an id that is not for this generation is harmless if its twin is. */
static void ignore_position(struct channel *c, uint64_t position)
{
	c->ignored++;
	if (c->has_accepted && position == c->accepted_position)
		return;
	if (c->has_ignored && position != c->ignored_position)
		report_violation(c->name, "position %llu had no id that this driver takes",
				(unsigned long long)c->ignored_position);
	c->has_ignored = true;
	c->ignored_position = position;
}

static void take_event(struct channel *c, const uint8_t *slot, uint64_t ns)
{
	uint8_t event[MAX_PACKET] = { 0 };
	uint64_t position;
	bool due;

	memcpy(event, slot, c->dialect->packet);
	position = get64(event + EVT_POSITION);
	due = get16(event) == c->evt_id++;
	if (event[EVT_TYPE] != EVENT_CUR_POS)
		return;
	if (!is_zero(event, 3, EVT_POSITION) || !is_zero(event, EVT_END, c->dialect->packet))
		report_violation(c->name, "padding of an event is not zero");
	if (!due) {
		ignore_position(c, position);
		return;
	}
	judge_position(c, position);
	c->has_ignored = false;
	c->has_accepted = true;
	c->accepted_position = position;
	c->accepted++;
	if (c->on_position != NULL)
		c->on_position(c->data, position, ns);
}

static void take_events(struct channel *c, uint64_t ns)
{
	uint8_t *page = c->evt_page.address;
	uint32_t prod = load32(page, EVENT_IN_PROD), cons = load32(page, EVENT_IN_CONS);

	if (prod - cons > c->dialect->event_slots) {
		report_violation(c->name, "event ring overrun: in_prod %u in_cons %u", prod, cons);
		cons = prod - c->dialect->event_slots;
	}
	for (; cons != prod; cons++)
		take_event(c, event_slot(c, cons), ns);
	store32(page, EVENT_IN_CONS, cons);
}

static void *run_events(void *data)
{
	struct channel *c = data;
	uint64_t ns;

	while (true) {
		line_wait(&c->evt_line);
		ns = now_ns();
		if (__atomic_load_n(&c->quit, __ATOMIC_SEQ_CST))
			return NULL;
		pthread_mutex_lock(&c->evt_mutex);
		c->notified_ns = line_notified(&c->evt_line);
		if (c->evt_connected)
			take_events(c, ns);
		pthread_mutex_unlock(&c->evt_mutex);
		line_done(&c->evt_line);
	}
}

static void init_locks(struct channel *c)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&c->request_mutex, NULL);
	pthread_mutex_init(&c->req_mutex, NULL);
	pthread_mutex_init(&c->evt_mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->answered, &attr);
	pthread_condattr_destroy(&attr);
}

int channel_start(struct channel *c, struct domain *d, const char *name,
		const struct dialect *dialect, enum generation generation)
{
	int res;

	memset(c, 0, sizeof(*c));
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->dialect = dialect;
	c->generation = generation;
	c->quiet = true;
	init_locks(c);
	if ((res = domain_pages_alloc(d, &c->req_page, 1)) < 0 ||
			(res = line_open(d, &c->req_line)) < 0)
		return res;
	store32(c->req_page.address, RING_REQ_EVENT, 1);
	store32(c->req_page.address, RING_RSP_EVENT, 1);
	pthread_create(&c->req_thread, NULL, run_responses, c);
	if (dialect->event_slots == 0)
		return 0;
	if ((res = domain_pages_alloc(d, &c->evt_page, 1)) < 0 ||
			(res = line_open(d, &c->evt_line)) < 0)
		return res;
	pthread_create(&c->evt_thread, NULL, run_events, c);
	return 0;
}

/* What the backend may have posted before it said that it is connected is its own affair. */
void channel_ready(struct channel *c)
{
	be_quiet(c);
}

void channel_stop(struct channel *c, struct domain *d)
{
	if (c->dialect == NULL)
		return;
	__atomic_store_n(&c->quit, true, __ATOMIC_SEQ_CST);
	line_wake(&c->req_line);
	pthread_join(c->req_thread, NULL);
	line_close(&c->req_line);
	domain_pages_free(d, &c->req_page);
	if (c->dialect->event_slots > 0) {
		line_wake(&c->evt_line);
		pthread_join(c->evt_thread, NULL);
		line_close(&c->evt_line);
		domain_pages_free(d, &c->evt_page);
	}
	c->dialect = NULL;
}

/* Generation A resets the wrong number: its events go on counting for ever. */
void channel_clear(struct channel *c)
{
	pthread_mutex_lock(&c->req_mutex);
	c->next_id = 0;
	pthread_mutex_unlock(&c->req_mutex);
	pthread_mutex_lock(&c->evt_mutex);
	if (c->generation == GENERATION_B && c->dialect->event_slots > 0) {
		c->evt_id = 0;
		store32(c->evt_page.address, EVENT_IN_CONS,
				load32(c->evt_page.address, EVENT_IN_PROD));
	}
	c->has_accepted = c->has_ignored = false;
	pthread_mutex_unlock(&c->evt_mutex);
}

void channel_connect_requests(struct channel *c, bool on)
{
	pthread_mutex_lock(&c->req_mutex);
	c->req_connected = on;
	pthread_mutex_unlock(&c->req_mutex);
}

void channel_connect_events(struct channel *c, bool on)
{
	pthread_mutex_lock(&c->evt_mutex);
	c->evt_connected = on;
	pthread_mutex_unlock(&c->evt_mutex);
}

/* The slot keeps what lay in it, as in Linux; to be sure that matters, it is rubbish. */
static void put_request(struct channel *c, enum operation op, const uint8_t *body, uint32_t length)
{
	uint8_t *ring = c->req_page.address, *slot = request_slot(c, c->req_prod);
	uint32_t old = c->req_prod;

	memset(slot, 0xa5, c->dialect->packet);
	c->id = c->next_id++;
	c->operation = (uint8_t)op;
	c->waiting = true;
	put16(slot + REQ_ID, c->id);
	slot[REQ_OPERATION] = (uint8_t)op;
	memcpy(slot + REQ_BODY, body, length);
	store32(ring, RING_REQ_PROD, ++c->req_prod);
	if (c->req_prod - load32(ring, RING_REQ_EVENT) < c->req_prod - old)
		line_notify(&c->req_line);
}

static int wait_for_answer(struct channel *c)
{
	struct timespec until;
	int res = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ANSWER_TIMEOUT_S;
	while (c->waiting && res == 0)
		res = pthread_cond_timedwait(&c->answered, &c->req_mutex, &until);
	if (!c->waiting)
		return (int32_t)get32(c->response + RSP_STATUS);
	c->waiting = false;
	report_violation(c->name, "operation %u was not answered in %d s", c->operation,
			ANSWER_TIMEOUT_S);
	return -ETIMEDOUT;
}

static void judge_quiet(struct channel *c, const char *when)
{
	if (c->quiet && events_posted(c) != c->quiet_prod)
		report_violation(c->name, "%u event slots written while stopped, seen %s",
				events_posted(c) - c->quiet_prod, when);
}

/* An answer is due at once: one that was not is named, for those who look for why. */
static void note_duration(struct channel *c, uint64_t ns)
{
	durations_add(&c->answers, ns);
	if (c->operation < N_OPERATIONS)
		durations_add(&c->answers_to[c->operation], ns);
	if (ns > LATE_ANSWER_NS)
		fprintf(stderr, "%s: operation %u was answered in %.1f ms\n", c->name, c->operation,
				(double)ns / 1e6);
}

int channel_request(struct channel *c, enum operation op, const uint8_t *body, uint32_t length,
		uint8_t *response)
{
	uint64_t start;
	int status;

	pthread_mutex_lock(&c->request_mutex);
	judge_quiet(c, "before a request");
	pthread_mutex_lock(&c->req_mutex);
	if (!c->req_connected) {
		status = -ENOTCONN;
		goto done;
	}
	start = now_ns();
	put_request(c, op, body, length);
	status = wait_for_answer(c);
	note_duration(c, now_ns() - start);
	if (response != NULL)
		memcpy(response, c->response, MAX_PACKET);
done:
	pthread_mutex_unlock(&c->req_mutex);
	pthread_mutex_unlock(&c->request_mutex);
	return status;
}

int channel_open(struct channel *c, uint32_t rate, uint8_t format, uint8_t channels,
		uint32_t buffer_sz, uint32_t gref, uint32_t period_sz, uint32_t frame_sz)
{
	uint8_t body[OPEN_PERIOD_SZ + 4 - REQ_BODY] = { 0 };
	uint32_t length = sizeof(body);
	int status;

	put32(body + OPEN_RATE - REQ_BODY, rate);
	body[OPEN_FORMAT - REQ_BODY] = format;
	body[OPEN_CHANNELS - REQ_BODY] = channels;
	put16(body + OPEN_CHANNELS + 1 - REQ_BODY, 0xa5a5);
	put32(body + OPEN_BUFFER_SZ - REQ_BODY, buffer_sz);
	put32(body + OPEN_GREF - REQ_BODY, gref);
	put32(body + OPEN_PERIOD_SZ - REQ_BODY, period_sz);
	if (c->dialect->event_slots == 0)
		length = OPEN_PERIOD_SZ - REQ_BODY;
	c->open_prod = events_posted(c);
	status = channel_request(c, OP_OPEN, body, length, NULL);
	if (status == 0) {
		c->buffer_sz = buffer_sz;
		c->frame_sz = frame_sz;
		c->period_sz = period_sz;
		be_quiet(c);
	}
	return status;
}

int channel_close(struct channel *c)
{
	uint8_t body[1] = { 0xa5 };
	int status = channel_request(c, OP_CLOSE, body, sizeof(body), NULL);

	be_quiet(c);
	if (c->period_sz == 0 && events_posted(c) != c->open_prod)
		report_violation(c->name, "events although period_sz was 0");
	return status;
}

/* The last position posted, whether this driver took it or not. */
static uint64_t last_position(struct channel *c)
{
	uint32_t prod = events_posted(c);

	if (prod == c->open_prod)
		return 0;
	return get64(event_slot(c, prod - 1) + EVT_POSITION);
}

static void judge_stop(struct channel *c)
{
	uint64_t position;

	if (c->dialect->event_slots == 0 || c->buffer_sz == 0 || c->period_sz == 0)
		return;
	position = last_position(c);
	if (position % c->buffer_sz != 0)
		report_violation(c->name, "position %llu after STOP is no multiple of buffer_sz %u",
				(unsigned long long)position, c->buffer_sz);
}

int channel_trigger(struct channel *c, enum trigger type)
{
	uint8_t body[1] = { (uint8_t)type };
	bool was_quiet = c->quiet;
	int status;

	if (!c->dialect->has_trigger)
		return 0;
	if (type == TRIGGER_START || type == TRIGGER_RESUME) {
		judge_quiet(c, "before START");
		c->quiet = false;
	}
	status = channel_request(c, OP_TRIGGER, body, sizeof(body), NULL);
	if (status != 0) {
		if (was_quiet)
			be_quiet(c);
		return status;
	}
	if (type == TRIGGER_STOP || type == TRIGGER_PAUSE)
		be_quiet(c);
	if (type == TRIGGER_STOP)
		judge_stop(c);
	return status;
}

int channel_transfer(struct channel *c, enum operation op, uint32_t offset, uint32_t length)
{
	uint8_t body[8];

	put32(body, offset);
	put32(body + 4, length);
	return channel_request(c, op, body, sizeof(body), NULL);
}

void channel_report(struct channel *c)
{
	if (c->has_ignored)
		report_violation(c->name, "position %llu had no id that this driver takes",
				(unsigned long long)c->ignored_position);
	report_figure(c->name, "requests", c->answers.count);
	report_figure(c->name, "answer-max-us", durations_max(&c->answers));
	report_figure(c->name, "answers-over-10-ms", durations_over(&c->answers, 10000));
	report_figure(c->name, "answer-median-us", durations_quantile(&c->answers, 50));
	report_figure(c->name, "events-accepted", c->accepted);
	report_figure(c->name, "events-ignored", c->ignored);
	durations_clear(&c->answers);
	for (uint32_t op = 0; op < N_OPERATIONS; op++) {
		durations_report(&c->answers_to[op], c->name, operation_names[op]);
		durations_clear(&c->answers_to[op]);
	}
}
