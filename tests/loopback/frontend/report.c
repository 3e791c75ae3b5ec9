/* SPDX-License-Identifier: MIT */
/*
 * Keeps violations and figures, and writes them down.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "report.h"

#define MAX_LINES 8192

static struct {
	pthread_mutex_t mutex;
	uint32_t violations;
	uint32_t figures;
	char mark[64];
	char *violation[MAX_LINES];
	char *figure[MAX_LINES];
} report = { .mutex = PTHREAD_MUTEX_INITIALIZER };

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void replace_quotes(char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '"' || *text == '\\' || (unsigned char)*text < ' ')
			*text = '\'';
}

void report_violation(const char *where, const char *format, ...)
{
	char text[512], line[720];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	snprintf(line, sizeof(line), "%s%s%s: %s", report.mark, *report.mark ? ": " : "", where, text);
	fprintf(stderr, "violation: %s\n", line);
	replace_quotes(line);
	pthread_mutex_lock(&report.mutex);
	if (report.violations < MAX_LINES)
		report.violation[report.violations] = strdup(line);
	report.violations++;
	pthread_mutex_unlock(&report.mutex);
}

void report_mark(const char *words)
{
	pthread_mutex_lock(&report.mutex);
	snprintf(report.mark, sizeof(report.mark), "%s", words);
	pthread_mutex_unlock(&report.mutex);
}

uint32_t report_violations(void)
{
	return report.violations;
}

void report_figure(const char *where, const char *what, int64_t value)
{
	char line[256];

	snprintf(line, sizeof(line), "\"%s.%s\": %lld", where, what, (long long)value);
	pthread_mutex_lock(&report.mutex);
	if (report.figures < MAX_LINES)
		report.figure[report.figures++] = strdup(line);
	pthread_mutex_unlock(&report.mutex);
}

void report_write(FILE *f)
{
	uint32_t kept = report.violations < MAX_LINES ? report.violations : MAX_LINES;

	fprintf(f, "{\n  \"violations\": [");
	for (uint32_t i = 0; i < kept; i++)
		fprintf(f, "%s\n    \"%s\"", i > 0 ? "," : "", report.violation[i]);
	fprintf(f, "],\n  \"figures\": {");
	for (uint32_t i = 0; i < report.figures; i++)
		fprintf(f, "%s\n    %s", i > 0 ? "," : "", report.figure[i]);
	fprintf(f, "\n  }\n}\n");
}

void durations_add(struct durations *d, uint64_t ns)
{
	uint32_t *grown;

	if (d->count == d->room) {
		grown = realloc(d->us, (d->room * 2 + 1024) * sizeof(d->us[0]));
		if (grown == NULL)
			return;
		d->us = grown;
		d->room = d->room * 2 + 1024;
	}
	d->us[d->count++] = (uint32_t)(ns / 1000);
}

uint32_t durations_max(const struct durations *d)
{
	uint32_t max = 0;

	for (uint32_t i = 0; i < d->count; i++)
		if (d->us[i] > max)
			max = d->us[i];
	return max;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

uint32_t durations_over(const struct durations *d, uint32_t us)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < d->count; i++)
		n += d->us[i] > us;
	return n;
}

uint32_t durations_quantile(struct durations *d, uint32_t percent)
{
	if (d->count == 0)
		return 0;
	qsort(d->us, d->count, sizeof(d->us[0]), compare);
	return d->us[(uint64_t)(d->count - 1) * percent / 100];
}

void durations_report(struct durations *d, const char *where, const char *what)
{
	char name[64];

	if (d->count == 0)
		return;
	snprintf(name, sizeof(name), "%s-count", what);
	report_figure(where, name, d->count);
	snprintf(name, sizeof(name), "%s-median-us", what);
	report_figure(where, name, durations_quantile(d, 50));
	snprintf(name, sizeof(name), "%s-p99-us", what);
	report_figure(where, name, durations_quantile(d, 99));
}

void durations_clear(struct durations *d)
{
	free(d->us);
	memset(d, 0, sizeof(*d));
}
