/* SPDX-License-Identifier: MIT */
/*
 * The program `sequence`: judges recordings of the numbered sequence, one line each:
 *
 *   FILE exact|DIFFERS frames= lead= first= last= [WHY]
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sequence-judge.h"

struct options {
	uint32_t channels;
	bool graph;
	struct judge_span spans[JUDGE_MAX_SPANS];
	uint32_t n_spans;
};

static int usage(void)
{
	fputs("usage: sequence [--channels C] [--graph] SPANS FORMAT:FILE..\n"
	      "SPANS: [*]START+FRAMES[~] joined by ',' or '/'; ~ at most, / silence between,\n"
	      "* anything before\n", stderr);
	return 2;
}

static uint8_t *read_all(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	long length;

	if (f == NULL)
		return NULL;
	if (fseek(f, 0, SEEK_END) == 0 && (length = ftell(f)) >= 0) {
		rewind(f);
		*size = (size_t)length;
		data = malloc(*size + 1);
		if (data != NULL && fread(data, 1, *size, f) != *size) {
			free(data);
			data = NULL;
		}
	}
	fclose(f);
	return data;
}

static bool check(const struct options *o, char *name)
{
	struct sequence s = { .channels = o->channels, .graph = o->graph };
	struct judge_verdict v;
	char *file = strchr(name, ':');
	uint8_t *data;
	size_t size;

	if (file == NULL)
		return false;
	*file++ = '\0';
	s.format = sequence_format(name);
	data = s.format != NULL ? read_all(file, &size) : NULL;
	if (data == NULL) {
		printf("%s DIFFERS can't be read as %s: %s\n", file, name, strerror(errno));
		return false;
	}
	judge_recording(&v, &s, o->spans, o->n_spans, data, size / sequence_frame_size(&s));
	printf("%s %s frames=%llu lead=%llu first=%llu last=%llu %s\n", file,
			v.exact ? "exact" : "DIFFERS", (unsigned long long)v.frames,
			(unsigned long long)v.lead, (unsigned long long)v.first,
			(unsigned long long)v.last, v.why);
	free(data);
	return v.exact;
}

int main(int argc, char *argv[])
{
	static const struct option known[] = {
		{ "channels", required_argument, NULL, 'c' },
		{ "graph", no_argument, NULL, 'g' },
		{ NULL, 0, NULL, 0 },
	};
	struct options o = { .channels = 2 };
	bool good = true;
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (c == 'c')
			o.channels = (uint32_t)atoi(optarg);
		else if (c == 'g')
			o.graph = true;
		else
			return usage();
	}
	if (optind + 2 > argc || o.channels < 1 || o.channels > SEQUENCE_MAX_CHANNELS ||
			(o.n_spans = judge_parse(argv[optind], o.spans)) == 0)
		return usage();
	for (int i = optind + 1; i < argc; i++)
		good &= check(&o, argv[i]);
	return good ? 0 : 1;
}
