/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What can be switched, see props.h. */

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include <spa/param/param.h>
#include <spa/param/props.h>
#include <spa/pod/iter.h>
#include <spa/pod/parser.h>
#include <spa/utils/string.h>

#include "log.h"
#include "props.h"

/* of either direction first */
enum control_id {
	CONTROL_EVENTS_INTERVAL,
	CONTROL_LATENCY_MIN,
	CONTROL_CAPTURE_ALLOWED,
	N_CONTROLS
};

static const struct control {
	const char *key, *description, *wanted;
} controls[N_CONTROLS] = {
	[CONTROL_EVENTS_INTERVAL] = { XEN_SND_KEY_EVENTS_INTERVAL,
		"Frames at least between two events", "0 to 10000000 frames" },
	[CONTROL_LATENCY_MIN] = { XEN_SND_KEY_LATENCY_MIN,
		"Milliseconds that a cycle of the graph lasts at least", "0 to 10000 milliseconds" },
	[CONTROL_CAPTURE_ALLOWED] = { XEN_SND_KEY_CAPTURE_ALLOWED,
		"The guest hears what it captures", "true or false" },
};

static uint32_t count(bool sink)
{
	return sink ? N_CONTROLS : CONTROL_CAPTURE_ALLOWED;
}

/* The values. */

static bool is_allowed(const struct xen_snd_stream *stream)
{
	return atomic_load(&stream->permission) & XEN_SND_MAY_HEAR;
}

static uint32_t get_interval(const struct xen_snd_stream *stream)
{
	return atomic_load(&stream->events_interval);
}

static double get_latency_min(const struct xen_snd_stream *stream)
{
	return atomic_load(&stream->latency_min) / 1000.0;
}

void props_show(const struct xen_snd_stream *stream, bool sink, struct props_shown *shown)
{
	uint32_t i;

	snprintf(shown->texts[CONTROL_EVENTS_INTERVAL], sizeof(shown->texts[0]), "%u",
			get_interval(stream));
	snprintf(shown->texts[CONTROL_LATENCY_MIN], sizeof(shown->texts[0]), "%u.%03u",
			atomic_load(&stream->latency_min) / 1000,
			atomic_load(&stream->latency_min) % 1000);
	snprintf(shown->texts[CONTROL_CAPTURE_ALLOWED], sizeof(shown->texts[0]), "%s",
			is_allowed(stream) ? "true" : "false");
	shown->n = count(sink);
	for (i = 0; i < shown->n; i++)
		shown->items[i] = SPA_DICT_ITEM_INIT(controls[i].key, shown->texts[i]);
}

static void add_value(const struct xen_snd_stream *stream, enum control_id id,
		struct spa_pod_builder *b)
{
	switch (id) {
	case CONTROL_EVENTS_INTERVAL:
		spa_pod_builder_int(b, get_interval(stream));
		break;
	case CONTROL_LATENCY_MIN:
		spa_pod_builder_double(b, get_latency_min(stream));
		break;
	case CONTROL_CAPTURE_ALLOWED:
		spa_pod_builder_bool(b, is_allowed(stream));
		break;
	case N_CONTROLS:
		break;
	}
}

struct spa_pod *props_build_info(const struct xen_snd_stream *stream, bool sink,
		struct spa_pod_builder *b, uint32_t index)
{
	struct spa_pod_frame object;

	if (index >= count(sink))
		return NULL;
	spa_pod_builder_push_object(b, &object, SPA_TYPE_OBJECT_PropInfo, SPA_PARAM_PropInfo);
	spa_pod_builder_add(b,
		SPA_PROP_INFO_name, SPA_POD_String(controls[index].key),
		SPA_PROP_INFO_description, SPA_POD_String(controls[index].description),
		SPA_PROP_INFO_params, SPA_POD_Bool(true), 0);
	spa_pod_builder_prop(b, SPA_PROP_INFO_type, 0);
	add_value(stream, index, b);
	return spa_pod_builder_pop(b, &object);
}

/* names and values in a struct, as PipeWire's own nodes have what has no id of its own */
struct spa_pod *props_build(const struct xen_snd_stream *stream, bool sink,
		struct spa_pod_builder *b)
{
	struct spa_pod_frame object, params;
	uint32_t i;

	spa_pod_builder_push_object(b, &object, SPA_TYPE_OBJECT_Props, SPA_PARAM_Props);
	spa_pod_builder_prop(b, SPA_PROP_params, 0);
	spa_pod_builder_push_struct(b, &params);
	for (i = 0; i < count(sink); i++) {
		spa_pod_builder_string(b, controls[i].key);
		add_value(stream, i, b);
	}
	spa_pod_builder_pop(b, &params);
	return spa_pod_builder_pop(b, &object);
}

/* Setting. */

static int parse_bool(const struct spa_pod *pod, bool *value)
{
	const char *word;

	if (spa_pod_get_bool(pod, value) == 0)
		return 0;
	if (spa_pod_get_string(pod, &word) < 0 ||
	    (!spa_streq(word, "true") && !spa_streq(word, "false")))
		return -EINVAL;
	*value = spa_streq(word, "true");
	return 0;
}

/* pw-cli makes an int or a float of it, as it is written */
static int parse_number(const struct spa_pod *pod, double most, double *value)
{
	const char *word;
	int32_t i;
	float f;

	if (spa_pod_get_int(pod, &i) == 0)
		*value = i;
	else if (spa_pod_get_float(pod, &f) == 0)
		*value = f;
	else if (spa_pod_get_double(pod, value) < 0 &&
		 (spa_pod_get_string(pod, &word) < 0 || !spa_atod(word, value)))
		return -EINVAL;
	return *value >= 0 && *value <= most ? 0 : -EINVAL;
}

static int set_value(struct xen_snd_stream *stream, enum control_id id, const struct spa_pod *pod)
{
	double number;
	bool allowed;
	int res = -EINVAL;

	switch (id) {
	case CONTROL_EVENTS_INTERVAL:
		if ((res = parse_number(pod, XEN_SND_MAX_EVENTS_INTERVAL, &number)) == 0)
			atomic_store(&stream->events_interval, (uint32_t)number);
		break;
	case CONTROL_LATENCY_MIN:
		if ((res = parse_number(pod, XEN_SND_MAX_LATENCY_MIN, &number)) == 0)
			atomic_store(&stream->latency_min, (uint32_t)(number * 1000 + 0.5));
		break;
	case CONTROL_CAPTURE_ALLOWED:
		if ((res = parse_bool(pod, &allowed)) == 0)
			xen_snd_stream_allow(stream, allowed);
		break;
	case N_CONTROLS:
		break;
	}
	return res;
}

static int set_named(struct xen_snd_stream *stream, bool sink, struct spa_log *log,
		const char *name, const struct spa_pod *value)
{
	uint32_t i;
	int res;

	for (i = 0; i < count(sink); i++) {
		if (!spa_streq(controls[i].key, name))
			continue;
		if ((res = set_value(stream, i, value)) < 0)
			spa_log_warn(log, "Props: %s is %s: ignored", name, controls[i].wanted);
		return res;
	}
	return 0;
}

int props_set(struct xen_snd_stream *stream, bool sink, struct spa_log *log,
		const struct spa_pod *param)
{
	const struct spa_pod_prop *params;
	struct spa_pod_parser parser;
	struct spa_pod_frame frame;
	struct spa_pod *value;
	const char *name;
	int res;

	if (param == NULL || (params = spa_pod_find_prop(param, NULL, SPA_PROP_params)) == NULL)
		return 0;
	spa_pod_parser_pod(&parser, &params->value);
	if ((res = spa_pod_parser_push_struct(&parser, &frame)) < 0)
		return res;
	while (spa_pod_parser_get_string(&parser, &name) >= 0 &&
	       spa_pod_parser_get_pod(&parser, &value) >= 0) {
		if ((res = set_named(stream, sink, log, name, value)) < 0)
			return res;
	}
	return 0;
}
