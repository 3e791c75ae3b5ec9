/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Streams as text and as JSON, see show.h. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <spa/utils/string.h>

#include "names.h"
#include "show.h"
#include "xen-snd.h"

#define BAR_CELLS	10u

/* Numbers are so in JSON; the rest are strings. */
static const struct field {
	const char *name;		/* in JSON */
	const char *key;
	enum { TEXT, NUMBER, BOOLEAN } kind;
} fields[] = {
	{ "node", PW_KEY_NODE_NAME, TEXT },
	{ "description", PW_KEY_NODE_DESCRIPTION, TEXT },
	{ "guest", KEY_XEN_GUEST_NAME, TEXT },
	{ "uuid", KEY_XEN_GUEST_UUID, TEXT },
	{ "domid", KEY_XEN_DOMID, NUMBER },
	{ "device", KEY_XEN_DEVICE, NUMBER },
	{ "pcm", KEY_XEN_PCM, NUMBER },
	{ "stream", KEY_XEN_STREAM, NUMBER },
	{ "direction", KEY_XEN_DIRECTION, TEXT },
	{ "protocol", KEY_XEN_PROTOCOL, TEXT },
	{ "state", KEY_XEN_STATE, TEXT },
	{ "format", KEY_XEN_FORMAT, TEXT },
	{ "rate", KEY_XEN_RATE, NUMBER },
	{ "channels", KEY_XEN_CHANNELS, NUMBER },
	{ "buffer", KEY_XEN_BUFFER, NUMBER },
	{ "period", KEY_XEN_PERIOD, NUMBER },
	{ "quantum", KEY_XEN_QUANTUM, NUMBER },
	{ "position", KEY_XEN_POSITION, NUMBER },
	{ "fill", KEY_XEN_FILL, NUMBER },
	{ "latency", KEY_XEN_LATENCY_MSEC, NUMBER },
	{ "underruns", KEY_XEN_UNDERRUNS, NUMBER },
	{ "events", KEY_XEN_EVENTS, NUMBER },
	{ "coalesced", KEY_XEN_COALESCED, NUMBER },
	{ "refused", KEY_XEN_REFUSED, NUMBER },
	{ "delayed", KEY_XEN_DELAYED, NUMBER },
	{ "fallback-clock", KEY_XEN_FALLBACK, BOOLEAN },
	{ "capture-allowed", XEN_SND_KEY_CAPTURE_ALLOWED, BOOLEAN },
};

static uint64_t number(const struct watched *w, const char *key)
{
	return strtoull(watched_get(w, key), NULL, 10);
}

/* Text. */

static bool is_playback(const struct watched *w)
{
	return spa_streq(watched_get(w, KEY_XEN_DIRECTION), "playback");
}

/* of what a guest's ring holds */
static void draw_bar(char bar[BAR_CELLS + 1], const struct watched *w)
{
	uint64_t buffer = SPA_MAX(number(w, KEY_XEN_BUFFER), 1u);
	uint64_t fill = SPA_MIN(number(w, KEY_XEN_FILL), buffer);
	uint64_t cells = (fill * BAR_CELLS + buffer / 2) / buffer;

	memset(bar, is_playback(w) ? '.' : ' ', BAR_CELLS);
	if (is_playback(w))
		memset(bar, '#', cells);
	bar[BAR_CELLS] = '\0';
}

#define GUEST_FORMAT	"%s, domain %s"
#define HEADER_FORMAT	"  %-10s %-9s %-8s %6s %2s %6s %6s %6s %-12s %8s %6s %9s %7s  %s"
#define STREAM_FORMAT	"  %-10s %-9s %-8s %6s %2s %6s %6s %6s [%s] %8s %6s %9s %7s  %s"

static void show_header(void (*line)(void *data, const char *text), void *data)
{
	char text[SHOW_LINE_SIZE];

	snprintf(text, sizeof(text), HEADER_FORMAT, "STREAM", "STATE", "FORMAT", "RATE", "CH",
			"BUFFER", "PERIOD", "QUANT", "RING", "LATENCY", "UNDER", "EVENTS", "REFUSED",
			"NAME");
	line(data, text);
}

/* the graph does not consume, or what there is to hear is not heard */
static const char *state(const struct watched *w)
{
	if (spa_streq(watched_get(w, KEY_XEN_FALLBACK), "true"))
		return "no graph";
	return watched_get(w, KEY_XEN_STATE);
}

static void show_stream(const struct watched *w, void (*line)(void *data, const char *text),
		void *data)
{
	char text[SHOW_LINE_SIZE], place[40], bar[BAR_CELLS + 1];

	snprintf(place, sizeof(place), "%c %.8s/%.8s/%.8s", is_playback(w) ? '>' : '<',
			watched_get(w, KEY_XEN_DEVICE), watched_get(w, KEY_XEN_PCM),
			watched_get(w, KEY_XEN_STREAM));
	draw_bar(bar, w);
	snprintf(text, sizeof(text), STREAM_FORMAT, place, state(w), watched_get(w, KEY_XEN_FORMAT),
			watched_get(w, KEY_XEN_RATE), watched_get(w, KEY_XEN_CHANNELS),
			watched_get(w, KEY_XEN_BUFFER), watched_get(w, KEY_XEN_PERIOD),
			watched_get(w, KEY_XEN_QUANTUM), bar, watched_get(w, KEY_XEN_LATENCY_MSEC),
			watched_get(w, KEY_XEN_UNDERRUNS), watched_get(w, KEY_XEN_EVENTS),
			watched_get(w, KEY_XEN_REFUSED), watched_get(w, PW_KEY_NODE_DESCRIPTION));
	line(data, text);
}

struct refusal_line {
	void (*line)(void *data, const char *text);
	void *data;
};

static void show_refusal(void *data, const char *refusal)
{
	struct refusal_line *to = data;
	char text[SHOW_LINE_SIZE];

	snprintf(text, sizeof(text), "refused: %s", refusal);
	to->line(to->data, text);
}

void show_text(const struct watch *watch, void (*line)(void *data, const char *text), void *data)
{
	struct refusal_line refusals = { line, data };
	const struct watched *w, *before = NULL;
	char text[SHOW_LINE_SIZE];

	show_header(line, data);
	spa_list_for_each(w, &watch->streams, link) {
		if (before == NULL || !watched_same_guest(before, w)) {
			snprintf(text, sizeof(text), GUEST_FORMAT, watched_get(w, KEY_XEN_GUEST_NAME),
					watched_get(w, KEY_XEN_DOMID));
			line(data, text);
		}
		show_stream(w, line, data);
		before = w;
	}
	watch_for_each_refusal(watch, show_refusal, &refusals);
}

/* JSON. */

static void put_string(FILE *to, const char *text)
{
	fputc('"', to);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(to, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			fprintf(to, "\\u%04x", (unsigned char)*text);
		else
			fputc(*text, to);
	}
	fputc('"', to);
}

#define DIGITS	"0123456789"

/* As JSON has them: what PipeWire says is text, and need not be what we expect. */
static bool is_number(const char *text)
{
	size_t whole = strspn(text, DIGITS), part;

	if (whole == 0 || (whole > 1 && text[0] == '0'))
		return false;
	if (text[whole] == '\0')
		return true;
	part = strspn(text + whole + 1, DIGITS);
	return text[whole] == '.' && part > 0 && text[whole + 1 + part] == '\0';
}

static void put_field(FILE *to, const struct field *field, const char *value)
{
	if ((field->kind == NUMBER && is_number(value)) ||
	    (field->kind == BOOLEAN && (spa_streq(value, "true") || spa_streq(value, "false"))))
		fputs(value, to);
	else
		put_string(to, value);
}

static void put_stream(FILE *to, const struct watched *w)
{
	const char *separator = "", *value;
	size_t i;

	fputc('{', to);
	for (i = 0; i < SPA_N_ELEMENTS(fields); i++) {
		if ((value = pw_properties_get(w->props, fields[i].key)) == NULL)
			continue;
		fprintf(to, "%s\"%s\": ", separator, fields[i].name);
		put_field(to, &fields[i], value);
		separator = ", ";
	}
	fputc('}', to);
}

struct list {
	FILE *to;
	const char *separator;
};

static void put_refusal(void *data, const char *refusal)
{
	struct list *list = data;

	fputs(list->separator, list->to);
	put_string(list->to, refusal);
	list->separator = ", ";
}

void show_json(const struct watch *watch, FILE *to)
{
	struct list list = { to, "" };
	const struct watched *w;

	fputs("{\"streams\": [", to);
	spa_list_for_each(w, &watch->streams, link) {
		fputs(list.separator, to);
		put_stream(to, w);
		list.separator = ", ";
	}
	fputs("], \"refused\": [", to);
	list.separator = "";
	watch_for_each_refusal(watch, put_refusal, &list);
	fputs("]}\n", to);
	fflush(to);
}
