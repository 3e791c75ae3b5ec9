/* SPDX-License-Identifier: MIT */
/*
 * What the model frontend found out: the rules that were broken, and figures. Everything
 * is kept until the end and written as one JSON object.
 */
#ifndef MODEL_FRONTEND_REPORT_H
#define MODEL_FRONTEND_REPORT_H

#include <stdint.h>
#include <stdio.h>

/* Durations of one kind, for a maximum and quantiles. */
struct durations {
	uint32_t count;
	uint32_t room;
	uint32_t *us;
};

uint64_t now_ns(void);

/** a rule that the backend broke, or a step of the script that failed */
void report_violation(const char *where, const char *format, ...)
		__attribute__((format(printf, 2, 3)));
/** what comes from now on is of this part of the script; the words begin each violation */
void report_mark(const char *words);
uint32_t report_violations(void);
/** a figure under `where`; both are plain words */
void report_figure(const char *where, const char *what, int64_t value);
void report_write(FILE *f);

void durations_add(struct durations *d, uint64_t ns);
uint32_t durations_max(const struct durations *d);
/** how many of them took longer */
uint32_t durations_over(const struct durations *d, uint32_t us);
/** so many per cent of them took no longer */
uint32_t durations_quantile(struct durations *d, uint32_t percent);
/** their count, median and 99th percentile, as figures whose names begin with `what` */
void durations_report(struct durations *d, const char *where, const char *what);
void durations_clear(struct durations *d);

#endif
