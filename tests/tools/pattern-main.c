/* SPDX-License-Identifier: MIT */
/*
 * The program `pattern`: writes the self-numbering pattern, and judges a recording of it
 * in one line. Needs nothing but libc, so that it can be linked statically for a guest.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pattern.h"
#include "sample-format.h"
#include "wav.h"

struct options {
	uint64_t frames;
	uint64_t expect;
	uint64_t start;
	uint64_t gaps;
	uint64_t breaks;
	uint64_t silence;
	uint64_t part;
	uint64_t parts;
	const struct sample_format *format;
	unsigned int channels;
	bool has_frames;
	bool has_expect;
	bool start_any;
	bool has_gaps;
	bool has_breaks;
	bool has_silence;
	bool wav;
	const char *file;
};

static int usage(void)
{
	fputs("usage: pattern write --frames N --channels C [--start S] [--format F]\n"
	      "                     [--wav] [--silence AROUND]\n"
	      "       pattern check --channels C [--expect N] [--start S|any] [--format F] [--wav]\n"
	      "                     [--gaps N] [--silence MOST] [--breaks N]\n"
	      "                     [--part K --parts N] FILE\n"
	      "FILE is S16_LE; F is what it was before. Gaps of silence inside are damage\n"
	      "unless --gaps says how many there are, and --silence how long all together.\n"
	      "--breaks allows for N gaps at most, where frames may be missing as well.\n"
	      "--part K judges the Kth of N stretches of sound, half a second of silence apart.\n",
			stderr);
	return 2;
}

static bool parse_number(const char *text, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && *text != '-';
}

static bool parse_options(struct options *o, int argc, char *argv[])
{
	static const struct option known[] = {
		{ "frames", required_argument, NULL, 'n' },
		{ "expect", required_argument, NULL, 'e' },
		{ "channels", required_argument, NULL, 'c' },
		{ "start", required_argument, NULL, 's' },
		{ "format", required_argument, NULL, 'f' },
		{ "gaps", required_argument, NULL, 'g' },
		{ "silence", required_argument, NULL, 'l' },
		{ "breaks", required_argument, NULL, 'b' },
		{ "part", required_argument, NULL, 'p' },
		{ "parts", required_argument, NULL, 'P' },
		{ "wav", no_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t channels = 0;
	bool ok = true;
	int c;

	o->format = sample_format_find("s16_le");
	while (ok && (c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'n':
			ok = o->has_frames = parse_number(optarg, &o->frames);
			break;
		case 'e':
			ok = o->has_expect = parse_number(optarg, &o->expect);
			break;
		case 'c':
			ok = parse_number(optarg, &channels);
			break;
		case 's':
			o->start_any = strcmp(optarg, "any") == 0;
			ok = o->start_any || parse_number(optarg, &o->start);
			break;
		case 'f':
			ok = (o->format = sample_format_find(optarg)) != NULL;
			break;
		case 'g':
			ok = o->has_gaps = parse_number(optarg, &o->gaps);
			break;
		case 'b':
			ok = o->has_breaks = parse_number(optarg, &o->breaks);
			break;
		case 'l':
			ok = o->has_silence = parse_number(optarg, &o->silence);
			break;
		case 'p':
			ok = parse_number(optarg, &o->part) && o->part > 0;
			break;
		case 'P':
			ok = parse_number(optarg, &o->parts);
			break;
		case 'w':
			o->wav = true;
			break;
		default:
			ok = false;
			break;
		}
	}
	o->channels = (unsigned int)channels;
	if (optind < argc)
		o->file = argv[optind];
	return ok && channels >= 1 && channels <= PATTERN_MAX_CHANNELS && optind + 1 >= argc &&
			(!o->format->narrow || channels == 2) && (o->part == 0) == (o->parts == 0) &&
			(o->file || (!o->wav && !o->has_silence) ||
			 o->format == sample_format_find("s16_le"));
}

static void write_silence(const struct options *o)
{
	for (uint64_t i = 0; i < o->silence * 2 * o->channels; i++)
		putchar(0);
}

static int do_write(const struct options *o)
{
	uint8_t block[256 * 8 * PATTERN_MAX_CHANNELS];
	uint64_t done = 0;

	if (o->wav && !wav_write_header(stdout, 48000, o->channels, 2 * o->silence + o->frames))
		goto error;
	write_silence(o);
	while (done < o->frames) {
		size_t n = o->frames - done < 256 ? (size_t)(o->frames - done) : 256;

		sample_format_fill(o->format, block, o->start + done, n, o->channels);
		if (fwrite(block, o->format->size * o->channels, n, stdout) != n)
			goto error;
		done += n;
	}
	write_silence(o);
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
error:
	perror("pattern: write");
	return 1;
}

static bool is_as_asked(const struct pattern_verdict *v, const struct options *o)
{
	struct pattern_verdict sound = *v;

	if (o->has_breaks && pattern_is_gapped(v, o->breaks)) {
		sound.frames += sound.dropped;
		sound.dropped = sound.silent_inside = 0;
	}
	if (o->has_gaps && v->gaps == o->gaps && (!o->has_silence || v->silent_inside <= o->silence))
		sound.silent_inside = 0;
	return pattern_is_exact(&sound) && (!o->has_expect || sound.frames == o->expect) &&
			(o->start_any || v->first == o->start);
}

/* Judge the samples, or one part of them. false if there are not as many parts as asked. */
static bool judge(struct pattern_verdict *v, uint8_t *data, size_t frames, const struct options *o)
{
	unsigned int channels = o->channels, parts = 0;
	size_t first = 0;

	if (o->format->narrow) {
		sample_format_widen(o->format, data, frames);
		channels = 1;
	}
	if (o->part > 0)
		parts = pattern_find_part(data, channels, (unsigned int)o->part, &first, &frames);
	if (parts != o->parts)
		printf("pattern: %u stretches of sound, not %llu\n", parts,
				(unsigned long long)o->parts);
	pattern_judge(v, data + 2u * channels * first, frames, channels, o->start_any, o->start);
	return parts == o->parts;
}

static int do_check(const struct options *o)
{
	struct pattern_verdict v;
	uint8_t *file, *data;
	size_t size;
	bool ok;

	file = wav_read_all(o->file, &size);
	if (file == NULL) {
		fprintf(stderr, "pattern: %s: %s\n", o->file, strerror(errno));
		return 2;
	}
	data = file;
	if (o->wav && !wav_find_data(&data, &size)) {
		fprintf(stderr, "pattern: %s: no WAV data\n", o->file);
		free(file);
		return 2;
	}
	ok = judge(&v, data, size / (2u * o->channels), o) && is_as_asked(&v, o);
	printf("pattern: %s frames=%llu first=%llu dropped=%llu repeated=%llu corrupt=%llu "
	       "silent-inside=%llu gaps=%llu silent-before=%llu silent-after=%llu decayed=%llu\n",
			!ok ? "DIFFERS" : v.gaps > 0 ? "gapped" : "exact", (unsigned long long)v.frames,
			(unsigned long long)v.first, (unsigned long long)v.dropped,
			(unsigned long long)v.repeated, (unsigned long long)v.corrupt,
			(unsigned long long)v.silent_inside, (unsigned long long)v.gaps,
			(unsigned long long)v.silent_before, (unsigned long long)v.silent_after,
			(unsigned long long)v.decayed);
	free(file);
	return ok ? 0 : 1;
}

int main(int argc, char *argv[])
{
	struct options o = { 0 };

	if (argc < 2 || !parse_options(&o, argc - 1, argv + 1))
		return usage();
	if (strcmp(argv[1], "write") == 0 && o.has_frames && o.file == NULL)
		return do_write(&o);
	if (strcmp(argv[1], "check") == 0 && o.file != NULL)
		return do_check(&o);
	return usage();
}
