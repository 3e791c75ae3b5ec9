/* SPDX-License-Identifier: MIT */
/*
 * The program `pcm-exercise`: does to the guest's sound card what aplay never does, one
 * behaviour a run, and says how many frames should have been heard.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "behaviours.h"

static const struct behaviour {
	const char *name;
	void (*run)(struct sound *s);
} behaviours[] = {
	{ "xrun", behave_xrun },
	{ "drain", behave_drain },
	{ "rewind", behave_rewind },
	{ "silence", behave_silence },
	{ "silence-ahead", behave_silence_ahead },
	{ "params-twice", behave_params_twice },
	{ "suspend", behave_suspend },
};

struct options {
	uint64_t start;
	unsigned long buffer;
	unsigned long period;
	const char *file;
};

static int usage(void)
{
	fputs("usage: pcm-exercise BEHAVIOUR --buffer FRAMES --period FRAMES [--start NUMBER]\n"
	      "       pcm-exercise capture --buffer FRAMES --period FRAMES --file FILE\n"
	      "behaviours:", stderr);
	for (size_t i = 0; i < sizeof(behaviours) / sizeof(behaviours[0]); i++)
		fprintf(stderr, " %s", behaviours[i].name);
	fputc('\n', stderr);
	return 2;
}

static bool parse_options(struct options *o, int argc, char *argv[])
{
	static const struct option known[] = {
		{ "buffer", required_argument, NULL, 'b' },
		{ "period", required_argument, NULL, 'p' },
		{ "start", required_argument, NULL, 's' },
		{ "file", required_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'b':
			o->buffer = strtoul(optarg, NULL, 10);
			break;
		case 'p':
			o->period = strtoul(optarg, NULL, 10);
			break;
		case 's':
			o->start = strtoull(optarg, NULL, 10);
			break;
		case 'f':
			o->file = optarg;
			break;
		default:
			return false;
		}
	}
	return optind == argc && o->buffer > 0 && o->period > 0;
}

static void report(const char *name, const struct sound *s, uint64_t frames)
{
	printf("pcm-exercise: %s, buffer %lu, period %lu: %llu frames, off the clock by %.0f at most\n",
			name, s->buffer, s->period, (unsigned long long)frames, s->most_off);
}

static int capture(const struct options *o)
{
	struct sound s = { 0 };

	if (o->file == NULL)
		return usage();
	sound_open(&s, true);
	sound_set_params(&s, o->buffer, o->period);
	behave_capture(&s, o->file);
	snd_pcm_close(s.pcm);
	report("capture", &s, s.next);
	return 0;
}

int main(int argc, char *argv[])
{
	struct options o = { 0 };
	struct sound s = { 0 };

	if (argc < 2 || !parse_options(&o, argc - 1, argv + 1))
		return usage();
	if (strcmp(argv[1], "capture") == 0)
		return capture(&o);
	for (size_t i = 0; i < sizeof(behaviours) / sizeof(behaviours[0]); i++) {
		if (strcmp(argv[1], behaviours[i].name) != 0)
			continue;
		sound_open(&s, false);
		sound_set_params(&s, o.buffer, o.period);
		s.next = o.start;
		behaviours[i].run(&s);
		snd_pcm_close(s.pcm);
		report(argv[1], &s, s.next - o.start);
		return 0;
	}
	return usage();
}
