/* SPDX-License-Identifier: MIT */
/*
 * The sound protocol as a frontend writes it, by offsets, in its dialects. Made from the
 * protocol's description and on purpose not from the backend's headers.
 */
#ifndef MODEL_FRONTEND_WIRE_H
#define MODEL_FRONTEND_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum operation {
	OP_OPEN,
	OP_CLOSE,
	OP_READ,
	OP_WRITE,
	OP_SET_VOLUME,
	OP_GET_VOLUME,
	OP_MUTE,
	OP_UNMUTE,
	OP_TRIGGER,
	OP_HW_PARAM_QUERY,
	N_OPERATIONS,
};

enum trigger {
	TRIGGER_START,
	TRIGGER_PAUSE,
	TRIGGER_STOP,
	TRIGGER_RESUME,
};

#define EVENT_CUR_POS 0
#define NO_GREF UINT32_MAX
#define MAX_PACKET 64u
#define GREFS_PER_PAGE 1023u

/* shared ring: indices, then slots */
#define RING_REQ_PROD 0u
#define RING_REQ_EVENT 4u
#define RING_RSP_PROD 8u
#define RING_RSP_EVENT 12u
#define RING_SLOTS 64u

/* event page */
#define EVENT_IN_CONS 0u
#define EVENT_IN_PROD 4u

/* in a request */
#define REQ_ID 0u
#define REQ_OPERATION 2u
#define REQ_BODY 8u
#define OPEN_RATE 8u
#define OPEN_FORMAT 12u
#define OPEN_CHANNELS 13u
#define OPEN_BUFFER_SZ 16u
#define OPEN_GREF 20u
#define OPEN_PERIOD_SZ 24u
#define RW_OFFSET 8u
#define RW_LENGTH 12u
#define TRIGGER_TYPE 8u
#define QUERY_FORMATS 8u
#define QUERY_RATES 16u
#define QUERY_CHANNELS 24u
#define QUERY_BUFFER 32u
#define QUERY_PERIOD 40u
#define QUERY_END 48u
/* in a response */
#define RSP_STATUS 4u
#define RSP_BODY 8u
/* in an event */
#define EVT_TYPE 2u
#define EVT_POSITION 8u
#define EVT_END 16u

struct dialect {
	const char *name;
	uint32_t packet;
	uint32_t request_slots;
	uint32_t event_slots;	/* 0: no events */
	const char *key_prefix;	/* of the request ring's keys */
	bool has_query;
	bool has_trigger;
};

static const struct dialect dialects[] = {
	{ "v1", 32, 64, 0, "", false, false },
	{ "rfc", 32, 64, 127, "req-", false, true },
	{ "v2", 64, 32, 63, "", true, true },
};

static inline uint32_t load32(const uint8_t *page, uint32_t at)
{
	return __atomic_load_n((const uint32_t *)(const void *)(page + at), __ATOMIC_SEQ_CST);
}

static inline void store32(uint8_t *page, uint32_t at, uint32_t value)
{
	__atomic_store_n((uint32_t *)(void *)(page + at), value, __ATOMIC_SEQ_CST);
}

static inline void put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

#endif
