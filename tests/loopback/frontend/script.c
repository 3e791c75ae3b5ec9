/* SPDX-License-Identifier: MIT */
/*
 * Runs the scripts of the model frontend.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "formats.h"
#include "pattern.h"
#include "report.h"
#include "script.h"
#include "sequence.h"

#define MAX_WORDS 32
#define MAX_JOBS 32
#define CONNECT_TIMEOUT_MS 10000u

struct statement {
	struct guest *guest;
	const char *rest;	/* the line after its first word */
	int n;
	char *word[MAX_WORDS];
};

struct job {
	pthread_t thread;
	struct guest *guest;
	char *line;
	const char *where;	/* of whom it is a violation */
	int result;
};

static struct job jobs[MAX_JOBS];
static int n_jobs;

static int run_line(struct guest *g, const char *line);

static const char *get(const struct statement *s, const char *key, const char *missing)
{
	size_t n = strlen(key);

	for (int i = 1; i < s->n; i++)
		if (strncmp(s->word[i], key, n) == 0 && s->word[i][n] == '=')
			return s->word[i] + n + 1;
	return missing;
}

static uint32_t get_number(const struct statement *s, const char *key, uint32_t missing)
{
	const char *value = get(s, key, NULL);

	return value != NULL ? (uint32_t)strtoul(value, NULL, 0) : missing;
}

static uint32_t get_format(const struct statement *s, uint32_t missing)
{
	const char *value = get(s, "format", NULL);
	int format;

	if (value == NULL)
		return missing;
	format = format_from_name(value);
	return format >= 0 ? (uint32_t)format : (uint32_t)strtoul(value, NULL, 0);
}

static struct card *find_card(const struct statement *s)
{
	uint32_t devid = s->n > 1 ? (uint32_t)strtoul(s->word[1], NULL, 10) : MAX_CARDS;

	return devid < MAX_CARDS ? &s->guest->cards[devid] : NULL;
}

static struct pcm *find_pcm(const struct statement *s)
{
	unsigned int devid, pcm, index;

	if (s->n < 2 || sscanf(s->word[1], "%u/%u/%u", &devid, &pcm, &index) != 3 ||
			devid >= MAX_CARDS)
		return NULL;
	return card_find(&s->guest->cards[devid], pcm, index);
}

/* `card 0`, `pcm 0/1` and `stream 0/1/2` differ in how much of a path they name. */
static int do_configure(const struct statement *s)
{
	struct guest *g = s->guest;
	struct setting *set;
	char *path, *value;
	uint32_t devid;

	if (s->n < 2)
		return -EINVAL;
	devid = (uint32_t)strtoul(s->word[1], &path, 10);
	for (int i = 2; i < s->n; i++) {
		if ((value = strchr(s->word[i], '=')) == NULL || g->n_settings == MAX_SETTINGS)
			return -EINVAL;
		*value++ = '\0';
		set = &g->settings[g->n_settings++];
		set->devid = devid;
		snprintf(set->path, sizeof(set->path), "%s%s%s", *path ? path + 1 : "",
				*path ? "/" : "", s->word[i]);
		snprintf(set->value, sizeof(set->value), "%s", value);
	}
	return 0;
}

static int create_domain(struct guest *g)
{
	int res;

	if (g->created)
		return 0;
	if ((res = domain_create(&g->domain, g->domid)) < 0)
		return res;
	g->created = true;
	g->toolstack.xs = xs_open(0);
	g->toolstack.domain = &g->domain;
	return g->toolstack.xs != NULL ? toolstack_create(&g->toolstack) : -errno;
}

static int attach(const struct statement *s, bool wait)
{
	struct guest *g = s->guest;
	struct card *c = find_card(s);
	uint32_t devid;
	int res;

	if (c == NULL)
		return -EINVAL;
	devid = (uint32_t)(c - g->cards);
	g->toolstack.settings = g->settings;
	g->toolstack.n_settings = g->n_settings;
	if ((res = create_domain(g)) < 0 ||
			(res = toolstack_attach(&g->toolstack, devid, wait)) < 0)
		return res;
	g->attached[devid] = true;
	return card_start(c, &g->domain, devid, g->dialect, g->generation);
}

static int do_attach(const struct statement *s)
{
	return attach(s, true);
}

static int do_hotplug(const struct statement *s)
{
	return attach(s, false);
}

static int do_connect(const struct statement *s)
{
	struct card *c = find_card(s);

	return c != NULL ? card_wait_connected(c, CONNECT_TIMEOUT_MS) : -EINVAL;
}

static int do_detach(const struct statement *s)
{
	struct card *c = find_card(s);
	uint32_t devid;
	int res;

	if (c == NULL)
		return -EINVAL;
	devid = (uint32_t)(c - s->guest->cards);
	res = toolstack_detach(&s->guest->toolstack, devid);
	s->guest->attached[devid] = false;
	card_stop(c);
	return res;
}

static int do_destroy(const struct statement *s)
{
	struct guest *g = s->guest;
	int res;

	for (int i = 0; i < MAX_CARDS; i++)
		for (uint32_t k = 0; g->cards[i].xs != NULL && k < g->cards[i].n_streams; k++)
			pcm_disconnect(&g->cards[i].streams[k].substream);
	res = toolstack_destroy(&g->toolstack);
	memset(g->attached, 0, sizeof(g->attached));
	g->destroyed = true;
	return res;
}

static int do_crash(const struct statement *s)
{
	domain_set_state(&s->guest->domain, HV_DOMAIN_CRASHED);
	return 0;
}

static int do_store_restarted(const struct statement *s)
{
	struct guest *g = s->guest;
	int res = toolstack_reconnect(&g->toolstack);

	for (int i = 0; i < MAX_CARDS && res == 0; i++)
		if (g->cards[i].xs != NULL)
			res = card_reconnect(&g->cards[i]);
	return res;
}

static int do_unload(const struct statement *s)
{
	return card_unload(find_card(s));
}

static int do_reload(const struct statement *s)
{
	return card_reload(find_card(s));
}

static int do_shutdown(const struct statement *s)
{
	return card_shutdown(find_card(s));
}

static int do_kexec(const struct statement *s)
{
	return card_kexec(find_card(s));
}

static int on_pcm(const struct statement *s, int (*call)(struct pcm *p))
{
	struct pcm *p = find_pcm(s);

	return p != NULL ? call(p) : -ENODEV;
}

static int do_open(const struct statement *s)
{
	return on_pcm(s, pcm_open);
}

static int do_prepare(const struct statement *s)
{
	if (get_number(s, "events", 1) == 0)
		return on_pcm(s, pcm_prepare_without_events);
	return on_pcm(s, pcm_prepare);
}

static int do_start(const struct statement *s)
{
	return on_pcm(s, pcm_start);
}

static int do_drop(const struct statement *s)
{
	return on_pcm(s, pcm_drop);
}

static int do_drain(const struct statement *s)
{
	return on_pcm(s, pcm_drain);
}

static int do_suspend(const struct statement *s)
{
	return on_pcm(s, pcm_suspend);
}

static int do_hw_free(const struct statement *s)
{
	return on_pcm(s, pcm_hw_free);
}

static int do_close(const struct statement *s)
{
	return on_pcm(s, pcm_close);
}

/* The only format that the stream can have, if there is only one. */
static uint32_t only_format(const struct pcm *p)
{
	uint64_t formats = p != NULL ? p->limits.formats : 0;

	if (formats == 0 || (formats & (formats - 1)) != 0)
		return FORMAT_S16_LE;
	return (uint32_t)__builtin_ctzll(formats);
}

static int do_hw_params(const struct statement *s)
{
	struct pcm *p = find_pcm(s);
	struct geometry g = {
		.rate = get_number(s, "rate", 48000),
		.format = get_format(s, only_format(p)),
		.channels = get_number(s, "channels", 2),
		.period = get_number(s, "period", 1024),
		.buffer = get_number(s, "buffer", 4096),
	};

	return p != NULL ? pcm_hw_params(p, &g) : -ENODEV;
}

/* As aplay: what was written and not played at an xrun is lost, and it goes on. */
static int64_t recover(const struct statement *s, struct pcm *p, int64_t res)
{
	if (res == -EPIPE && get_number(s, "xruns", 1) == 0)
		report_violation(p->channel.name, "an xrun");
	return res == -EPIPE ? pcm_prepare(p) : res;
}

static void fill_value(uint8_t *data, uint32_t samples, uint16_t value)
{
	for (uint32_t i = 0; i < samples; i++)
		put16(data + i * 2, value);
}

static void fill(const struct statement *s, const struct pcm *p, uint64_t start, uint32_t frames,
		uint8_t *data)
{
	const struct geometry *g = &p->geometry;
	const struct sequence sequence = {
		.format = sequence_format(format_name(g->format)),
		.channels = g->channels,
	};

	if (get(s, "value", NULL) != NULL && g->format == FORMAT_S16_LE)
		fill_value(data, frames * g->channels, (uint16_t)get_number(s, "value", 0));
	else if (get_number(s, "sequence", 0) && sequence.format != NULL)
		sequence_fill(&sequence, start, frames, data);
	else if (g->format == FORMAT_S16_LE)
		pattern_fill(data, start, frames, g->channels);
}

static int do_play(const struct statement *s)
{
	struct pcm *p = find_pcm(s);
	uint64_t n = get_number(s, "start", 0), end = n + get_number(s, "frames", 0);
	uint32_t chunk, part, silence = get_number(s, "silence", 0);
	uint8_t *data;
	int64_t res = 0;

	if (p == NULL || p->frame_sz == 0)
		return -ENODEV;
	chunk = get_number(s, "chunk", p->geometry.period);
	data = calloc(chunk, p->frame_sz);
	while (n < end && res >= 0) {
		part = end - n < chunk ? (uint32_t)(end - n) : chunk;
		fill(s, p, n, part, data);
		if (silence > 0)
			pcm_fill_silence(p, silence);
		res = pcm_write(p, data, part);
		if (res > 0)
			n += (uint64_t)res;
		else
			res = recover(s, p, res);
	}
	free(data);
	return res < 0 ? (int)res : 0;
}

/* A % in the name of the file is the stream's. */
static FILE *open_file(const struct statement *s, const struct pcm *p)
{
	const char *name = get(s, "file", "/dev/null"), *at = strchr(name, '%');
	char path[512], stream[32];

	if (at == NULL)
		return fopen(name, "wb");
	snprintf(stream, sizeof(stream), "%s", p->channel.name);
	for (char *c = stream; *c != '\0'; c++)
		if (*c == '/')
			*c = '-';
	snprintf(path, sizeof(path), "%.*s%s%s", (int)(at - name), name, stream, at + 1);
	return fopen(path, "wb");
}

static int do_capture(const struct statement *s)
{
	struct pcm *p = find_pcm(s);
	uint64_t left = get_number(s, "frames", 0);
	FILE *f = p != NULL ? open_file(s, p) : NULL;
	uint32_t chunk, part;
	uint8_t *data;
	int64_t res = 0;

	if (p == NULL || p->frame_sz == 0 || f == NULL)
		return -ENODEV;
	chunk = get_number(s, "chunk", p->geometry.period);
	data = calloc(chunk, p->frame_sz);
	while (left > 0 && res >= 0) {
		part = left < chunk ? (uint32_t)left : chunk;
		res = pcm_read(p, data, part);
		if (res > 0) {
			left -= fwrite(data, p->frame_sz, (size_t)res, f);
			if (res < part)
				break;		/* drained */
		} else {
			res = recover(s, p, res);
		}
	}
	free(data);
	fclose(f);
	return res < 0 ? (int)res : 0;
}

static int do_moving(const struct statement *s)
{
	struct pcm *p = find_pcm(s);

	return p != NULL ? pcm_wait_moving(p, get_number(s, "ms", 2000)) : -ENODEV;
}

static int do_move(const struct statement *s)
{
	struct pcm *p = find_pcm(s);
	int32_t frames = (int32_t)strtol(get(s, "frames", "0"), NULL, 10);

	return p != NULL ? pcm_move(p, frames) : -ENODEV;
}

static int do_rewrite(const struct statement *s)
{
	struct pcm *p = find_pcm(s);
	uint32_t start = get_number(s, "start", 0);
	uint8_t *data;
	int64_t from;
	uint64_t ns;
	int res;

	if (p == NULL || p->frame_sz == 0)
		return -ENODEV;
	data = calloc(p->geometry.buffer, p->frame_sz);
	fill(s, p, start, p->geometry.buffer, data);
	res = pcm_rewrite(p, data, &from, &ns);
	if (res > 0)
		printf("rewritten from %lld at %llu: %u, %d frames\n", (long long)from,
				(unsigned long long)ns, start, res);
	free(data);
	return res < 0 ? res : 0;
}

static int do_xrun(const struct statement *s)
{
	struct pcm *p = find_pcm(s);

	return p != NULL ? pcm_wait_xrun(p, get_number(s, "ms", 1000)) : -ENODEV;
}

static int request_open(const struct statement *s, struct pcm *p)
{
	const struct geometry *g = &p->geometry;
	uint32_t gref = p->directory.grefs != NULL ? p->directory.grefs[0] : NO_GREF;
	int res;

	res = channel_open(&p->channel, get_number(s, "rate", g->rate),
			(uint8_t)get_format(s, g->format),
			(uint8_t)get_number(s, "channels", g->channels),
			get_number(s, "buffer", g->buffer * p->frame_sz),
			get_number(s, "gref", gref),
			get_number(s, "period", g->period * p->frame_sz), p->frame_sz);
	if (res == 0) {
		p->is_open = true;
		if (p->channel.generation == GENERATION_B)
			channel_connect_events(&p->channel, true);
	}
	return res;
}

static int request_query(const struct statement *s, struct pcm *p)
{
	uint8_t body[QUERY_END - REQ_BODY];

	put64(body, strtoull(get(s, "formats", "0xffffffffffffffff"), NULL, 0));
	put32(body + QUERY_RATES - REQ_BODY, get_number(s, "rate-min", 0));
	put32(body + QUERY_RATES + 4 - REQ_BODY, get_number(s, "rate-max", UINT32_MAX));
	put32(body + QUERY_CHANNELS - REQ_BODY, get_number(s, "channels-min", 0));
	put32(body + QUERY_CHANNELS + 4 - REQ_BODY, get_number(s, "channels-max", UINT32_MAX));
	put32(body + QUERY_BUFFER - REQ_BODY, get_number(s, "buffer-min", 0));
	put32(body + QUERY_BUFFER + 4 - REQ_BODY, get_number(s, "buffer-max", UINT32_MAX));
	put32(body + QUERY_PERIOD - REQ_BODY, get_number(s, "period-min", 0));
	put32(body + QUERY_PERIOD + 4 - REQ_BODY, get_number(s, "period-max", UINT32_MAX));
	return channel_request(&p->channel, OP_HW_PARAM_QUERY, body, sizeof(body), NULL);
}

/* How long one takes, and that ids of 16 bits wrap: with more than 65536 of them. */
static int do_queries(const struct statement *s)
{
	struct pcm *p = find_pcm(s);
	struct durations d = { 0 };
	uint32_t count = get_number(s, "count", 1000);
	uint64_t start;
	int res = 0;

	if (p == NULL)
		return -ENODEV;
	for (uint32_t i = 0; i < count && res == 0; i++) {
		start = now_ns();
		res = request_query(s, p);
		durations_add(&d, now_ns() - start);
	}
	report_figure(p->channel.name, "queries", d.count);
	report_figure(p->channel.name, "query-median-us", durations_quantile(&d, 50));
	durations_clear(&d);
	return res;
}

static int send_request(const struct statement *s, struct pcm *p, uint32_t op)
{
	switch (op) {
	case OP_OPEN:
		return request_open(s, p);
	case OP_CLOSE:
		return channel_close(&p->channel);
	case OP_TRIGGER:
		if (!p->channel.dialect->has_trigger)
			return channel_transfer(&p->channel, OP_TRIGGER, 0, 0);
		return channel_trigger(&p->channel, (enum trigger)get_number(s, "type", 0));
	case OP_HW_PARAM_QUERY:
		return request_query(s, p);
	default:
		return channel_transfer(&p->channel, (enum operation)op, get_number(s, "offset", 0),
				get_number(s, "length", 0));
	}
}

static int do_request(const struct statement *s)
{
	struct pcm *p = find_pcm(s);
	const char *name = get(s, "op", "");
	uint32_t op = (uint32_t)strtoul(name, NULL, 0);
	int wanted = (int)strtol(get(s, "status", "0"), NULL, 0), status;

	if (p == NULL)
		return -ENODEV;
	for (uint32_t i = 0; i < N_OPERATIONS; i++)
		if (strcmp(operation_names[i], name) == 0)
			op = i;
	status = send_request(s, p, op);
	if (status == wanted)
		return 0;
	report_violation(p->channel.name, "answer %d instead of %d to: request %s", status, wanted,
			s->rest);
	return 0;
}

static int do_cells(const struct statement *s)
{
	struct pcm *p = find_pcm(s);

	if (p == NULL || p->buffer.address == NULL)
		return -ENODEV;
	for (int i = 2; i < s->n; i++)
		put32(p->buffer.address + 4 * (i - 2), (uint32_t)strtol(s->word[i], NULL, 0));
	return 0;
}

static int do_expect_cells(const struct statement *s)
{
	struct pcm *p = find_pcm(s);

	if (p == NULL || p->buffer.address == NULL)
		return -ENODEV;
	for (int i = 2; i < s->n; i++) {
		int32_t cell = (int32_t)get32(p->buffer.address + 4 * (i - 2));

		if (cell != (int32_t)strtol(s->word[i], NULL, 0))
			report_violation(p->channel.name, "cell %d is %d, not %s", i - 2, cell,
					s->word[i]);
	}
	return 0;
}

static int hold_events(struct pcm *p)
{
	return -pthread_mutex_lock(&p->channel.evt_mutex);
}

static int release_events(struct pcm *p)
{
	return -pthread_mutex_unlock(&p->channel.evt_mutex);
}

static int do_hold_events(const struct statement *s)
{
	return on_pcm(s, hold_events);
}

static int do_release_events(const struct statement *s)
{
	return on_pcm(s, release_events);
}

static int do_sleep(const struct statement *s)
{
	uint32_t ms = get_number(s, "ms", 0);
	struct timespec t = { ms / 1000, ms % 1000 * 1000000l };

	nanosleep(&t, NULL);
	return 0;
}

static int do_sh(const struct statement *s)
{
	int res = system(s->rest);

	return res == 0 ? 0 : -ECHILD;
}

static int do_map_delay(const struct statement *s)
{
	s->guest->domain.hv->map_delay_ms = get_number(s, "ms", 0);
	return 0;
}

static char *read_file(const char *path)
{
	char *text = calloc(1, 65536);
	FILE *f = fopen(path, "r");

	if (f == NULL || text == NULL || fread(text, 1, 65535, f) == 0) {
		free(text);
		text = NULL;
	}
	if (f != NULL)
		fclose(f);
	return text;
}

static int do_times(const struct statement *s)
{
	uint32_t n = s->n == 3 ? (uint32_t)strtoul(s->word[1], NULL, 10) : 0;
	char *text = n > 0 ? read_file(s->word[2]) : NULL, *copy;
	int res = text != NULL ? 0 : -EINVAL;

	for (uint32_t i = 0; i < n && res >= 0; i++) {
		copy = strdup(text);
		res = script_run(s->guest, copy);
		free(copy);
	}
	free(text);
	return res;
}

static int do_say(const struct statement *s)
{
	printf("%s\n", s->rest);
	fflush(stdout);
	return 0;
}

static int do_mark(const struct statement *s)
{
	report_mark(s->rest);
	return 0;
}

/* With cards connected the rings are mapped: so this is for when none is. */
static int do_balance(const struct statement *s)
{
	uint32_t domid = s->guest->domid, maps, ports;
	int token = hv_lock();

	maps = hv_map_count(domid);
	ports = hv_bound_count(domid);
	hv_unlock(token);
	if (maps > 0 || ports > 0)
		report_violation("balance", "the backend still holds %u pages and %u ports", maps,
				ports);
	report_figure("balance", "maps", maps);
	report_figure("balance", "ports", ports);
	return 0;
}

static int do_wait(const struct statement *s)
{
	int res = 0;

	for (int i = 0; i < n_jobs; i++) {
		pthread_join(jobs[i].thread, NULL);
		if (jobs[i].result < 0)
			res = jobs[i].result;
		free(jobs[i].line);
	}
	n_jobs = 0;
	return res;
}

static const struct {
	const char *name;
	int code;
} error_names[] = {
	{ "EINVAL", EINVAL }, { "EIO", EIO }, { "EPIPE", EPIPE }, { "ENODEV", ENODEV },
	{ "ETIMEDOUT", ETIMEDOUT }, { "EBADFD", EBADFD }, { "EBUSY", EBUSY },
	{ "EOPNOTSUPP", EOPNOTSUPP }, { "ENOMEM", ENOMEM }, { "EACCES", EACCES },
};

static int do_time(const struct statement *s)
{
	uint64_t start = now_ns();
	char name[64];
	int res;

	if (s->n < 3)
		return -EINVAL;
	snprintf(name, sizeof(name), "%s-us", s->word[1]);
	res = run_line(s->guest, s->rest + strlen(s->word[1]) + 1);
	report_figure("script", name, (int64_t)((now_ns() - start) / 1000));
	return res;
}

static int do_expect(const struct statement *s)
{
	int wanted = 0, res;

	for (size_t i = 0; i < sizeof(error_names) / sizeof(error_names[0]); i++)
		if (s->n > 2 && strcmp(error_names[i].name, s->word[1]) == 0)
			wanted = -error_names[i].code;
	if (wanted == 0)
		return -EINVAL;
	res = run_line(s->guest, s->rest + strlen(s->word[1]) + 1);
	if (res == wanted)
		return 0;
	fprintf(stderr, "expected %s: %s\n", s->word[1], strerror(-res));
	return res < 0 ? res : -EPROTO;
}

/* "0/@p": the streams of a card that play, "0/@c": that capture, "0/@": all. */
static char is_wildcard(const struct statement *s)
{
	const char *rest = s->n > 1 ? strchr(s->word[1], '/') : NULL;

	if (rest == NULL)
		return '\0';
	if (strcmp(rest, "/@") == 0)
		return '@';
	if (strcmp(rest, "/@p") == 0 || strcmp(rest, "/@c") == 0)
		return rest[2];
	return '\0';
}

static int do_in_turn(const struct statement *s);

/* whatever the error was: what failed must work the next time */
static int do_retry(const struct statement *s)
{
	int res = run_line(s->guest, s->rest);

	if (res >= 0)
		return res;
	fprintf(stderr, "%s: once more\n", strerror(-res));
	return run_line(s->guest, s->rest);
}

static const struct {
	const char *name;
	int (*run)(const struct statement *s);
} statements[] = {
	{ "card", do_configure },
	{ "pcm", do_configure },
	{ "stream", do_configure },
	{ "attach", do_attach },
	{ "hotplug", do_hotplug },
	{ "connect", do_connect },
	{ "detach", do_detach },
	{ "destroy", do_destroy },
	{ "crash", do_crash },
	{ "store-restarted", do_store_restarted },
	{ "unload", do_unload },
	{ "reload", do_reload },
	{ "shutdown", do_shutdown },
	{ "kexec", do_kexec },
	{ "times", do_times },
	{ "open", do_open },
	{ "hw_params", do_hw_params },
	{ "prepare", do_prepare },
	{ "start", do_start },
	{ "drop", do_drop },
	{ "drain", do_drain },
	{ "suspend", do_suspend },
	{ "hw_free", do_hw_free },
	{ "close", do_close },
	{ "play", do_play },
	{ "capture", do_capture },
	{ "moving", do_moving },
	{ "move", do_move },
	{ "rewrite", do_rewrite },
	{ "xrun", do_xrun },
	{ "queries", do_queries },
	{ "request", do_request },
	{ "cells", do_cells },
	{ "expect-cells", do_expect_cells },
	{ "hold-events", do_hold_events },
	{ "release-events", do_release_events },
	{ "sleep", do_sleep },
	{ "sh", do_sh },
	{ "map-delay", do_map_delay },
	{ "say", do_say },
	{ "balance", do_balance },
	{ "mark", do_mark },
	{ "wait", do_wait },
	{ "expect", do_expect },
	{ "time", do_time },
	{ "in-turn", do_in_turn },
	{ "retry", do_retry },
};

static int run_on_all(const struct statement *s, char which, bool in_turn);

static int run_words(const struct statement *s)
{
	char which = is_wildcard(s);

	if (which != '\0')
		return run_on_all(s, which, false);
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		if (strcmp(statements[i].name, s->word[0]) == 0)
			return statements[i].run(s);
	return -ENOSYS;
}

static int run_statement(struct guest *g, const char *line)
{
	struct statement s = { .guest = g };
	char *words = strdup(line), *rest = words, *word;
	int res = 0;

	while (s.n < MAX_WORDS && (word = strsep(&rest, " \t")) != NULL)
		if (*word != '\0')
			s.word[s.n++] = word;
	if (s.n > 0) {
		s.rest = strstr(line, s.word[0]) + strlen(s.word[0]);
		s.rest += strspn(s.rest, " \t");
		res = run_words(&s);
	}
	free(words);
	return res;
}

/* STATEMENT then STATEMENT, as long as all goes well. */
static int run_line(struct guest *g, const char *line)
{
	const char *then = strstr(line, " then ");
	char *first;
	int res;

	if (then == NULL)
		return run_statement(g, line);
	first = strndup(line, (size_t)(then - line));
	res = run_statement(g, first);
	free(first);
	return res < 0 ? res : run_line(g, then + strlen(" then "));
}

static int run_judged(struct guest *g, const char *line, const char *where)
{
	int res = run_line(g, line);

	if (res < 0)
		report_violation(where, "%s: %s", line, strerror(-res));
	return res;
}

static void *run_job(void *data)
{
	struct job *j = data;

	j->result = run_judged(j->guest, j->line, j->where);
	return NULL;
}

static void end_job(struct job *j)
{
	pthread_join(j->thread, NULL);
	free(j->line);
}

/* On each of them the same line with its own name in it, all at once or
 * one after the other. */
static int run_on_all(const struct statement *s, char which, bool in_turn)
{
	struct card *c = find_card(s);
	struct job on[MAX_STREAMS];
	char line[512];
	int n = 0;

	if (c == NULL)
		return -EINVAL;
	for (uint32_t i = 0; i < c->n_streams; i++) {
		struct pcm *p = &c->streams[i].substream;

		if (which != '@' && p->playback != (which == 'p'))
			continue;
		snprintf(line, sizeof(line), "%s %s%s", s->word[0], p->channel.name,
				s->rest + strlen(s->word[1]));
		on[n].guest = s->guest;
		on[n].line = strdup(line);
		on[n].where = p->channel.name;
		if (pthread_create(&on[n].thread, NULL, run_job, &on[n]) != 0)
			return -EAGAIN;
		if (in_turn)
			end_job(&on[n]);
		else
			n++;
	}
	while (n > 0)
		end_job(&on[--n]);
	return 0;
}

static int do_in_turn(const struct statement *s)
{
	struct statement all = *s;
	char which;

	all.n--;
	memmove(all.word, all.word + 1, (size_t)all.n * sizeof(all.word[0]));
	if (all.n < 2 || (which = is_wildcard(&all)) == '\0')
		return -EINVAL;
	all.rest += strlen(all.word[0]);
	all.rest += strspn(all.rest, " \t");
	return run_on_all(&all, which, true);
}

static int run_in_background(struct guest *g, char *line)
{
	struct job *j = &jobs[n_jobs];

	if (n_jobs == MAX_JOBS)
		return -ENOSPC;
	j->guest = g;
	j->line = strdup(line);
	j->line[strlen(line) - 1] = '\0';
	j->where = "script";
	n_jobs++;
	return -pthread_create(&j->thread, NULL, run_job, j);
}

int script_run(struct guest *g, char *text)
{
	char *line;
	int res = 0;

	while (res >= 0 && (line = strsep(&text, "\n")) != NULL) {
		line += strspn(line, " \t");
		if (*line == '\0' || *line == '#')
			continue;
		fprintf(stderr, "%s\n", line);
		if (line[strlen(line) - 1] == '&')
			res = run_in_background(g, line);
		else
			res = run_judged(g, line, "script");
	}
	return res;
}

void script_finish(struct guest *g)
{
	struct statement s = { .guest = g };

	if (!g->created)
		return;
	if (!g->destroyed)
		do_destroy(&s);
	do_wait(&s);
	toolstack_judge_remains(&g->toolstack);
	do_balance(&s);
	for (int i = 0; i < MAX_CARDS; i++) {
		struct card *c = &g->cards[i];

		for (uint32_t k = 0; c->xs != NULL && k < c->n_streams; k++)
			pcm_close(&c->streams[k].substream);
		card_stop(c);
	}
	if (domain_deferred(&g->domain) > 0)
		report_violation("balance", "%u pages are mapped and freed for good",
				domain_deferred(&g->domain));
	domain_destroy(&g->domain);
	xs_close(g->toolstack.xs);
}
