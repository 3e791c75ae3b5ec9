/* SPDX-License-Identifier: MIT */
/*
 * Choosing parameters: the driver's hardware rules, which ask the backend by
 * HW_PARAM_QUERY, one rule a parameter, over and over until nothing changes.
 */
#include <errno.h>
#include <string.h>

#include "formats.h"
#include "pcm.h"

#define MIN_PERIOD_OCTETS 64u
#define MAX_ROUNDS 64

static uint32_t smallest_frame(const struct space *s)
{
	uint32_t smallest = 8;

	for (uint32_t f = 0; f < FORMAT_COUNT; f++)
		if ((s->formats >> f & 1) && format_octets(f) > 0 && format_octets(f) < smallest)
			smallest = format_octets(f);
	return smallest * (s->channels.min > 0 ? s->channels.min : 1);
}

struct space pcm_all(const struct pcm *p)
{
	struct space s = {
		.formats = p->limits.formats,
		.rate = p->limits.rate,
		.channels = p->limits.channels,
	};

	s.buffer.min = 1;
	s.buffer.max = p->limits.buffer_octets / smallest_frame(&s);
	s.period = s.buffer;
	return s;
}

static bool narrow(struct range *r, uint32_t min, uint32_t max)
{
	struct range old = *r;

	if (min > r->min)
		r->min = min;
	if (max < r->max)
		r->max = max;
	return r->min != old.min || r->max != old.max;
}

/* The core's own rules: octets bound frames, and a buffer is two periods at least. */
static bool apply_core_rules(const struct pcm *p, struct space *s)
{
	uint32_t frame = smallest_frame(s);
	bool changed;

	changed = narrow(&s->buffer, 0, p->limits.buffer_octets / frame);
	changed |= narrow(&s->period, 0, s->buffer.max / 2);
	changed |= narrow(&s->buffer, s->period.min * 2, UINT32_MAX);
	if (s->channels.min == s->channels.max && (s->formats & (s->formats - 1)) == 0)
		changed |= narrow(&s->period, MIN_PERIOD_OCTETS / frame, UINT32_MAX);
	return changed;
}

static bool is_empty(const struct space *s)
{
	return s->formats == 0 || s->rate.min > s->rate.max || s->channels.min > s->channels.max ||
			s->buffer.min > s->buffer.max || s->period.min > s->period.max;
}

static void put_range(uint8_t *body, uint32_t at, struct range r)
{
	put32(body + at - REQ_BODY, r.min);
	put32(body + at + 4 - REQ_BODY, r.max);
}

static bool take_range(const uint8_t *rsp, uint32_t at, struct range *r)
{
	return narrow(r, get32(rsp + at), get32(rsp + at + 4));
}

static const struct {
	uint32_t at;
	size_t range;
} rules[] = {
	{ QUERY_RATES, offsetof(struct space, rate) },
	{ QUERY_CHANNELS, offsetof(struct space, channels) },
	{ QUERY_PERIOD, offsetof(struct space, period) },
	{ QUERY_BUFFER, offsetof(struct space, buffer) },
};

static int query(struct pcm *p, const struct space *s, uint8_t *rsp)
{
	uint8_t body[QUERY_END - REQ_BODY];

	put64(body, s->formats);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		put_range(body, rules[i].at,
				*(const struct range *)(const void *)((const char *)s + rules[i].range));
	return channel_request(&p->channel, OP_HW_PARAM_QUERY, body, sizeof(body), rsp);
}

/* Each rule asks with everything that is known and takes its own parameter only. */
static int apply_backend_rules(struct pcm *p, struct space *s, bool *changed)
{
	uint8_t rsp[MAX_PACKET];
	uint64_t formats = s->formats;
	int res;

	if ((res = query(p, s, rsp)) < 0)
		return res;
	s->formats &= get64(rsp + QUERY_FORMATS);
	*changed |= s->formats != formats;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (is_empty(s))
			return -EINVAL;
		if ((res = query(p, s, rsp)) < 0)
			return res;
		*changed |= take_range(rsp, rules[i].at,
				(struct range *)(void *)((char *)s + rules[i].range));
	}
	return is_empty(s) ? -EINVAL : 0;
}

int pcm_refine(struct pcm *p, struct space *s)
{
	bool changed = true;
	int res = 0;

	for (int i = 0; i < MAX_ROUNDS && changed && res == 0; i++) {
		changed = apply_core_rules(p, s);
		if (is_empty(s))
			return -EINVAL;
		if (p->channel.dialect->has_query)
			res = apply_backend_rules(p, s, &changed);
	}
	return res;
}
