/* SPDX-License-Identifier: MIT */
/*
 * The program `tone`: writes a tone of 500 Hz, S16_LE stereo, and judges a recording of it
 * in one line.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"
#include "tone.h"
#include "wav.h"

struct options {
	unsigned long rate;
	unsigned long seconds;
	unsigned long breaks;
	unsigned long lost;
	unsigned long part;
	unsigned long parts;
	const char *file;
};

static int usage(void)
{
	fputs("usage: tone write --rate R --seconds S\n"
	      "       tone check --seconds S [--breaks MOST] [--lost CYCLES] [--part K --parts N] FILE.wav\n",
			stderr);
	return 2;
}

static bool parse_options(struct options *o, int argc, char *argv[])
{
	static const struct option known[] = {
		{ "rate", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 's' },
		{ "breaks", required_argument, NULL, 'b' },
		{ "lost", required_argument, NULL, 'l' },
		{ "part", required_argument, NULL, 'p' },
		{ "parts", required_argument, NULL, 'P' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		unsigned long *value = c == 'r' ? &o->rate : c == 's' ? &o->seconds :
				c == 'b' ? &o->breaks : c == 'l' ? &o->lost :
				c == 'p' ? &o->part : c == 'P' ? &o->parts : NULL;
		char *end;

		if (value == NULL)
			return false;
		*value = strtoul(optarg, &end, 10);
		if (end == optarg || *end != '\0')
			return false;
	}
	if (optind < argc)
		o->file = argv[optind];
	return o->seconds > 0 && optind + 1 >= argc && (o->part == 0) == (o->parts == 0);
}

static int do_write(const struct options *o)
{
	for (uint64_t n = 0; n < (uint64_t)o->rate * o->seconds; n++) {
		uint16_t s = (uint16_t)tone_sample(n, (uint32_t)o->rate);
		uint8_t frame[4] = { s & 0xff, s >> 8, s & 0xff, s >> 8 };

		if (fwrite(frame, sizeof(frame), 1, stdout) != 1)
			break;
	}
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	perror("tone: write");
	return 1;
}

static int do_check(const struct options *o)
{
	unsigned long cycles = o->seconds * TONE_HZ;
	struct tone_verdict v;
	uint8_t *file, *data;
	size_t size, first = 0;
	bool ok = true;

	file = data = wav_read_all(o->file, &size);
	if (file == NULL || !wav_find_data(&data, &size)) {
		fprintf(stderr, "tone: %s: %s\n", o->file, file ? "no WAV data" : strerror(errno));
		return 2;
	}
	size /= 4;
	if (o->part > 0)
		ok = pattern_find_part(data, 2, (unsigned int)o->part, &first, &size) == o->parts;
	tone_judge(&v, data + 4 * first, size);
	/* the first rise is no cycle's end, and a filter may add one at each edge */
	ok = ok && v.breaks <= o->breaks && v.cycles + 1 + o->lost >= cycles && v.cycles <= cycles + 1;
	printf("tone: %s frames=%zu cycles=%llu breaks=%llu worst=%.3f\n", ok ? "whole" : "DIFFERS",
			size, (unsigned long long)v.cycles, (unsigned long long)v.breaks, v.worst);
	free(file);
	return ok ? 0 : 1;
}

int main(int argc, char *argv[])
{
	struct options o = { 0 };

	if (argc < 2 || !parse_options(&o, argc - 1, argv + 1))
		return usage();
	if (strcmp(argv[1], "write") == 0 && o.rate > 0 && o.file == NULL)
		return do_write(&o);
	if (strcmp(argv[1], "check") == 0 && o.file != NULL)
		return do_check(&o);
	return usage();
}
