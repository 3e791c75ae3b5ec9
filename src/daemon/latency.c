/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The latency of a stream, see latency.h. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <spa/utils/defs.h>
#include <spa/utils/string.h>

#include "latency.h"

/* frames that PipeWire's resampler holds back at its default quality, of the lower rate */
#define RESAMPLER_FRAMES	24u

#define MAX_MSEC		10000u

static uint32_t scale(uint64_t frames, uint32_t to, uint32_t from)
{
	return SPA_MIN((frames * to + from - 1) / from, (uint64_t)UINT32_MAX);
}

static uint32_t power_of_two(uint32_t frames)
{
	return frames ? 1u << (31 - __builtin_clz(frames)) : 1;
}

uint32_t latency_period(const struct xen_snd_geometry *g)
{
	return g->period_frames ? g->period_frames : SPA_MAX(g->buffer_frames / 2, 1u);
}

/* A guest is woken by the first event strictly past a period. */
uint32_t latency_cycle(const struct xen_snd_geometry *g, uint32_t min_usec)
{
	uint64_t min = (uint64_t)min_usec * g->rate / SPA_USEC_PER_SEC;
	uint32_t period = latency_period(g), half = SPA_MAX(period / 2, 1u);

	return SPA_CLAMP(min, half, SPA_MAX(period, half));
}

uint32_t latency_parse_min(const char *min)
{
	double msec;

	return spa_atod(min, &msec) && msec >= 0 && msec <= XEN_SND_MAX_LATENCY_MIN ?
		(uint32_t)(msec * 1000 + 0.5) : 0;
}

/* As PipeWire chooses it for what is asked, with no other stream that wants it smaller. */
static uint32_t choose_quantum(const struct xen_snd_geometry *g, const struct latency_graph *graph,
		uint32_t min_usec)
{
	uint64_t wanted = (uint64_t)latency_cycle(g, min_usec) * graph->rate / g->rate;

	if (graph->force_quantum > 0)
		return graph->force_quantum;
	wanted = SPA_CLAMP(wanted, 1u, (uint64_t)graph->max_quantum);
	return SPA_MAX(power_of_two(wanted), graph->min_quantum);
}

static uint32_t resampler(uint32_t rate, uint32_t graph_rate)
{
	if (rate == graph_rate)
		return 0;
	return scale(RESAMPLER_FRAMES, SPA_MAX(rate, graph_rate), graph_rate);
}

void latency_init(struct latency *latency, const struct xen_snd_geometry *g,
		const struct latency_graph *graph, uint32_t min_usec)
{
	*latency = (struct latency) {
		.rate = g->rate,
		.ring = g->buffer_frames,
		.quantum = scale(choose_quantum(g, graph, min_usec), g->rate, graph->rate),
		.converter = resampler(g->rate, graph->rate),
	};
}

/* Microseconds, 0 if it is no number of milliseconds, or too large. */
static uint64_t parse_max(const char *text)
{
	uint32_t whole = 0, part = 0, unit = 1000;
	const char *c = text;

	for (; *c >= '0' && *c <= '9' && whole <= MAX_MSEC; c++)
		whole = whole * 10 + (*c - '0');
	if (c != text && *c == '.') {
		for (c++; *c >= '0' && *c <= '9' && unit > 1; c++) {
			unit /= 10;
			part += (*c - '0') * unit;
		}
	}
	if (*c != '\0' || whole > MAX_MSEC)
		return 0;
	return whole * UINT64_C(1000) + part;
}

bool latency_is_max(const char *text)
{
	return parse_max(text) > 0;
}

bool latency_is_policy(const char *text)
{
	return strcmp(text, "refuse") == 0 || strcmp(text, "flag") == 0;
}

void latency_limit(struct latency *latency, const char *max, const char *policy)
{
	latency->max = max ? parse_max(max) : 0;
	latency->refuse = policy && strcmp(policy, "refuse") == 0;
}

uint64_t latency_frames(const struct latency *l)
{
	return (uint64_t)l->ring + l->quantum + l->converter + (l->linked ? l->device : 0);
}

uint64_t latency_usec(const struct latency *l)
{
	return latency_frames(l) * 1000000 / l->rate;
}

bool latency_exceeds(const struct latency *l)
{
	return l->max > 0 && latency_usec(l) > l->max;
}

void latency_describe(const struct latency *l, char text[LATENCY_TEXT_SIZE])
{
	uint64_t usec = latency_usec(l);
	char device[32] = "not known yet", max[48] = "";

	if (l->linked)
		snprintf(device, sizeof(device), "%u", l->device);
	if (l->max > 0)
		snprintf(max, sizeof(max), ", xen.latency.max %"PRIu64".%03u ms", l->max / 1000,
				(unsigned int)(l->max % 1000));
	snprintf(text, LATENCY_TEXT_SIZE, "%"PRIu64".%03u ms at most (frames: ring %u, quantum %u, "
			"converter %u, device %s)%s", usec / 1000, (unsigned int)(usec % 1000),
			l->ring, l->quantum, l->converter, device, max);
}
