/* SPDX-License-Identifier: MIT */
/*
 * The two rings of one stream as the guest's kernel driver runs them: requests, one in
 * flight, and events with their ids. What comes over them is judged here.
 */
#ifndef MODEL_FRONTEND_CHANNEL_H
#define MODEL_FRONTEND_CHANNEL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "domain.h"
#include "report.h"
#include "wire.h"

/* How the driver expects event ids; see the protocol's facts, 3.5. */
enum generation {
	GENERATION_A,	/* counted from the creation of the ring */
	GENERATION_B,	/* counted from the last clearing of the stream */
};

extern const char *const operation_names[N_OPERATIONS];

struct channel {
	char name[32];
	const struct dialect *dialect;
	enum generation generation;
	struct pages req_page;
	struct pages evt_page;
	struct line req_line;
	struct line evt_line;
	pthread_t req_thread;
	pthread_t evt_thread;
	bool quit;

	pthread_mutex_t request_mutex;	/* one request in flight */

	pthread_mutex_t req_mutex;	/* the fields from here */
	pthread_cond_t answered;
	bool req_connected;
	uint32_t req_prod;
	uint32_t rsp_cons;
	uint16_t next_id;
	uint16_t id;
	uint8_t operation;
	bool waiting;
	uint8_t response[MAX_PACKET];	/* to here */

	pthread_mutex_t evt_mutex;	/* the fields from here; held while an event is handled */
	bool evt_connected;
	uint16_t evt_id;
	uint64_t accepted_position;
	bool has_accepted;
	uint64_t ignored_position;	/* of a slot with the wrong id, not accepted since */
	bool has_ignored;
	uint32_t accepted;
	uint32_t ignored;
	uint64_t notified_ns;		/* of the last event, by the backend; to here */

	bool quiet;			/* by the caller of channel_request(): no event may come */
	uint32_t quiet_prod;
	uint32_t buffer_sz;
	uint32_t frame_sz;
	uint32_t period_sz;
	uint32_t open_prod;		/* events posted when OPEN was sent */

	struct durations answers;
	struct durations answers_to[N_OPERATIONS];
	void (*on_position)(void *data, uint64_t octets, uint64_t ns);
	void *data;
};

int channel_start(struct channel *c, struct domain *d, const char *name,
		const struct dialect *dialect, enum generation generation);
/** the backend says that it is connected: from now on it is judged */
void channel_ready(struct channel *c);
void channel_stop(struct channel *c, struct domain *d);

/** as the driver's pair_clear: ids start again, for events by the rule of the generation */
void channel_clear(struct channel *c);
void channel_connect_requests(struct channel *c, bool on);
void channel_connect_events(struct channel *c, bool on);

/**
 * Send a request and wait for the answer. `body` is what the driver writes after the
 * header; the rest of the slot holds what lay there. Returns the status, -ETIMEDOUT after
 * three seconds. `response`, if not NULL, gets the whole packet.
 */
int channel_request(struct channel *c, enum operation op, const uint8_t *body, uint32_t length,
		uint8_t *response);

/** requests that judge the events around them */
int channel_open(struct channel *c, uint32_t rate, uint8_t format, uint8_t channels,
		uint32_t buffer_sz, uint32_t gref, uint32_t period_sz, uint32_t frame_sz);
int channel_close(struct channel *c);
int channel_trigger(struct channel *c, enum trigger type);
int channel_transfer(struct channel *c, enum operation op, uint32_t offset, uint32_t length);

void channel_report(struct channel *c);

#endif
