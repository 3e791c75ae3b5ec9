/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A log whose lines are checked, see log-check.h. */

#include <stdarg.h>
#include <stdio.h>

#include <spa/support/log.h>

#include "log.h"
#include "log-check.h"
#include "test.h"

#define MAX_LINE	2048

PW_LOG_TOPIC(xen_snd_log_topic, "fuzz");

static unsigned int lines;

static SPA_PRINTF_FUNC(1, 0)
void check_line(const char *format, va_list args)
{
	char line[MAX_LINE + 1];
	int i, len;

	len = vsnprintf(line, sizeof(line), format, args);
	check(len >= 0 && len <= MAX_LINE);
	for (i = 0; i < len; i++) {
		unsigned char c = line[i];
		if (c < 0x20 || c == 0x7f)
			test_fail(__FILE__, __LINE__, "a log line has octet %02x: %s", c, line);
	}
	lines++;
}

static SPA_PRINTF_FUNC(6, 0)
void on_logv(void *object, enum spa_log_level level, const char *file, int line,
		const char *func, const char *format, va_list args)
{
	check_line(format, args);
}

static SPA_PRINTF_FUNC(6, 7)
void on_log(void *object, enum spa_log_level level, const char *file, int line,
		const char *func, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	check_line(format, args);
	va_end(args);
}

static SPA_PRINTF_FUNC(7, 0)
void on_logtv(void *object, enum spa_log_level level, const struct spa_log_topic *topic,
		const char *file, int line, const char *func, const char *format, va_list args)
{
	check_line(format, args);
}

static SPA_PRINTF_FUNC(7, 8)
void on_logt(void *object, enum spa_log_level level, const struct spa_log_topic *topic,
		const char *file, int line, const char *func, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	check_line(format, args);
	va_end(args);
}

void log_check_start(void)
{
	static const struct spa_log_methods methods = {
		SPA_VERSION_LOG_METHODS,
		.log = on_log,
		.logv = on_logv,
		.logt = on_logt,
		.logtv = on_logtv,
	};
	static struct spa_log log = {
		.iface = { SPA_TYPE_INTERFACE_Log, SPA_VERSION_LOG, { &methods, NULL } },
		.level = SPA_LOG_LEVEL_INFO,
	};

	pw_log_set(&log);
	pw_log_set_level(SPA_LOG_LEVEL_INFO);
}

unsigned int log_check_lines(void)
{
	unsigned int n = lines;

	lines = 0;
	return n;
}
