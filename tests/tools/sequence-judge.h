/* SPDX-License-Identifier: MIT */
/*
 * Judges a recording of the numbered sequence by what should be in it.
 */
#ifndef XEN_SND_TEST_SEQUENCE_JUDGE_H
#define XEN_SND_TEST_SEQUENCE_JUDGE_H

#include <stddef.h>

#include "sequence.h"

#define JUDGE_MAX_SPANS 16u

/* A run of frames with numbers that follow one another. */
struct judge_span {
	uint64_t start;
	uint64_t frames;
	bool any_start;		/* whatever number the first frame has */
	bool at_most;		/* one frame at least, and perhaps not all */
	bool apart;		/* silence may lie before it */
	bool last;		/* whatever may lie before it: these are the last frames */
};

struct judge_verdict {
	bool exact;
	uint64_t frames;	/* that were as they should be */
	uint64_t lead;		/* silent ones before the first */
	uint64_t first, last;	/* numbers of the first and the last */
	char why[160];		/* if it is not exact: where and how the first differs */
};

/**
 * Read spans from START+FRAMES[~] joined by ',' (follows at once) or '/' (silence may lie
 * between). A '*' before it: anything may. START may be '?'. Returns their number, 0 for what is none.
 */
uint32_t judge_parse(const char *text, struct judge_span spans[JUDGE_MAX_SPANS]);

/** silence may lie before the first span and after the last, and nowhere else but where it may */
void judge_recording(struct judge_verdict *v, const struct sequence *s,
		const struct judge_span *spans, uint32_t n_spans, const uint8_t *data, size_t frames);

#endif
