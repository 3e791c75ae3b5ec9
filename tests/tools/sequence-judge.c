/* SPDX-License-Identifier: MIT */
/*
 * Compares a recording with the sequence frame by frame, and says of the first that
 * differs what became of it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sequence-judge.h"

#define WINDOW 16u		/* frames that tell a place in the sequence from all others */
#define REACH 100000		/* how far frames may have been shifted */
#define HIGHEST 4000000u	/* number that '?' may be */

struct recording {
	const struct sequence *sequence;
	const uint8_t *data;
	size_t frames;
	uint32_t size;
};

uint32_t judge_parse(const char *text, struct judge_span spans[JUDGE_MAX_SPANS])
{
	char *end;

	for (uint32_t n = 0; n < JUDGE_MAX_SPANS; n++) {
		struct judge_span *s = &spans[n];

		memset(s, 0, sizeof(*s));
		s->apart = n > 0 && text[-1] == '/';
		s->last = *text == '*';
		text += s->last;
		s->any_start = *text == '?';
		s->start = s->any_start ? 0 : strtoull(text, &end, 10);
		if (s->any_start)
			end = (char *)(uintptr_t)text + 1;
		if (end == text || *end != '+')
			return 0;
		text = end + 1;
		s->frames = strtoull(text, &end, 10);
		if (end == text)
			return 0;
		if ((s->at_most = *end == '~'))
			end++;
		if (*end == '\0')
			return n + 1;
		if (*end != ',' && *end != '/')
			return 0;
		text = end + 1;
	}
	return 0;
}

static const uint8_t *frame_at(const struct recording *r, size_t at)
{
	return r->data + at * r->size;
}

static bool is_silent(const struct recording *r, size_t at)
{
	return sequence_is_silent(r->sequence, frame_at(r, at));
}

static bool is_number(const struct recording *r, size_t at, uint64_t number)
{
	uint8_t frame[SEQUENCE_MAX_FRAME];

	sequence_put(r->sequence, number, frame);
	return memcmp(frame, frame_at(r, at), r->size) == 0;
}

static bool is_window(const struct recording *r, size_t at, uint64_t number)
{
	uint32_t i, n = r->frames - at < WINDOW ? (uint32_t)(r->frames - at) : WINDOW;

	for (i = 0; i < n && is_number(r, at + i, number + i); i++)
		;
	return i == n;
}

static size_t skip_silence(const struct recording *r, size_t at)
{
	while (at < r->frames && is_silent(r, at))
		at++;
	return at;
}

static bool find_number(const struct recording *r, size_t at, uint64_t *number)
{
	for (*number = 0; *number < HIGHEST; ++*number)
		if (is_window(r, at, *number))
			return true;
	return false;
}

/* The first frame that is not what it should be: `due` was. */
static void explain(struct judge_verdict *v, const struct recording *r, size_t at, uint64_t due)
{
	size_t room = sizeof(v->why);
	size_t after;

	v->exact = false;
	if (at >= r->frames) {
		snprintf(v->why, room, "ends at frame %zu, before number %llu", at,
				(unsigned long long)due);
		return;
	}
	after = skip_silence(r, at);
	if (after > at) {
		snprintf(v->why, room, "%zu silent frames at %zu instead of number %llu",
				after - at, at, (unsigned long long)due);
		return;
	}
	for (int64_t shift = 1; shift < REACH; shift++) {
		if (is_window(r, at, due + (uint64_t)shift)) {
			snprintf(v->why, room, "%lld frames dropped at %zu, before number %llu",
					(long long)shift, at, (unsigned long long)due);
			return;
		}
		if ((uint64_t)shift <= due && is_window(r, at, due - (uint64_t)shift)) {
			snprintf(v->why, room, "%lld frames repeated at %zu, before number %llu",
					(long long)shift, at, (unsigned long long)due);
			return;
		}
	}
	snprintf(v->why, room, "frame %zu is none of the sequence, number %llu was due", at,
			(unsigned long long)due);
}

/* Returns where the span ends. */
static size_t judge_span(struct judge_verdict *v, const struct recording *r,
		const struct judge_span *s, size_t at)
{
	uint64_t start = s->start, n;

	if (s->any_start && (at == r->frames || !find_number(r, at, &start))) {
		explain(v, r, at, 0);
		return at;
	}
	for (n = 0; n < s->frames; n++, at++) {
		if (at < r->frames && is_number(r, at, start + n)) {
			v->frames++;
			if (v->frames == 1)
				v->first = start + n;
			v->last = start + n;
			continue;
		}
		if (s->at_most && n > 0 && (at == r->frames || is_silent(r, at)))
			return at;
		explain(v, r, at, start + n);
		return at;
	}
	return at;
}

void judge_recording(struct judge_verdict *v, const struct sequence *s,
		const struct judge_span *spans, uint32_t n_spans, const uint8_t *data, size_t frames)
{
	const struct recording r = { s, data, frames, sequence_frame_size(s) };
	size_t at = skip_silence(&r, 0);

	size_t end = frames;

	while (end > at && is_silent(&r, end - 1))
		end--;
	memset(v, 0, sizeof(*v));
	v->exact = true;
	v->lead = at;
	for (uint32_t i = 0; i < n_spans && v->exact; i++) {
		if (spans[i].apart)
			at = skip_silence(&r, at);
		if (spans[i].last && end - at > spans[i].frames)
			at = end - spans[i].frames;
		at = judge_span(v, &r, &spans[i], at);
	}
	if (!v->exact)
		return;
	at = skip_silence(&r, at);
	if (at < frames) {
		v->exact = false;
		snprintf(v->why, sizeof(v->why), "frame %zu is not silent, after the end", at);
	}
}
