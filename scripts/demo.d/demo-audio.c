/* SPDX-License-Identifier: MIT */

/* The demo's sound: `tune` makes a twelve second piece of music, `compare` holds what was recorded
 * against it, frame by frame, and writes the table that the picture is drawn from. */

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE		48000u
#define CHANNELS	2u
#define FRAME		(CHANNELS * sizeof(int16_t))
#define SECONDS		12u
#define FRAMES		(SECONDS * RATE)

#define BEAT		0.6		/* seconds */
#define BINS		1200u		/* columns of the picture */
#define WINDOW		4096u		/* frames that must be equal to find the place */

struct sound {
	int16_t *samples;
	size_t frames;
};

/* --- the tune --------------------------------------------------------------------------------- */

/* MIDI note numbers; a bar is four beats, the last chord rings out. */
static const struct bar {
	uint8_t bass;
	uint8_t arpeggio[4];
	uint8_t melody[4];	/* 0: rest */
} bars[] = {
	{ 45, { 57, 60, 64, 69 }, { 76, 0, 72, 74 } },
	{ 41, { 57, 60, 65, 69 }, { 77, 76, 72, 0 } },
	{ 48, { 55, 60, 64, 67 }, { 79, 0, 76, 74 } },
	{ 43, { 55, 59, 62, 67 }, { 74, 71, 74, 79 } },
	{ 45, { 57, 60, 64, 69 }, { 81, 0, 0, 0 } },
};

static double hertz(unsigned int note)
{
	return 440.0 * exp2((note - 69.0) / 12.0);
}

/* A plucked string: harmonics that die the sooner the higher they are. */
static void pluck(float *mix, double at, unsigned int note, double gain, double ring, double pan)
{
	size_t first = at * RATE;
	double left = cos(pan * M_PI / 2), right = sin(pan * M_PI / 2);

	for (size_t i = first; i < FRAMES; i++) {
		double t = (i - first) / (double)RATE;
		double attack = fmin(1.0, t / 0.004);
		double sum = 0.0;

		for (unsigned int h = 1; h <= 6; h++)
			sum += exp(-t * h / ring) / h * sin(2.0 * M_PI * h * hertz(note) * t);
		mix[2 * i] += gain * attack * left * sum;
		mix[2 * i + 1] += gain * attack * right * sum;
	}
}

static void compose(float *mix)
{
	for (size_t b = 0; b < sizeof(bars) / sizeof(bars[0]); b++) {
		double start = b * 4 * BEAT;

		pluck(mix, start, bars[b].bass, 0.30, 1.6, 0.5);
		for (unsigned int i = 0; i < 8; i++)
			pluck(mix, start + i * BEAT / 2, bars[b].arpeggio[i % 4], 0.10, 0.5, i % 2 ? 0.75 : 0.25);
		for (unsigned int i = 0; i < 4; i++)
			if (bars[b].melody[i] != 0)
				pluck(mix, start + i * BEAT, bars[b].melody[i], 0.22, 0.9, 0.55);
	}
}

static int16_t quantise(float sample, size_t frame)
{
	/* The last half second fades to nothing. */
	double fade = fmin(1.0, (FRAMES - 1 - frame) / (0.5 * RATE));

	return lrint(fmax(-1.0, fmin(1.0, sample * fade)) * 32000.0);
}

static int tune(void)
{
	float *mix = calloc(FRAMES, CHANNELS * sizeof(*mix));

	if (mix == NULL)
		return -ENOMEM;
	compose(mix);
	for (size_t i = 0; i < FRAMES * CHANNELS; i++) {
		int16_t s = quantise(mix[i], i / CHANNELS);
		uint8_t octets[2] = { (uint16_t)s & 0xff, (uint16_t)s >> 8 };

		fwrite(octets, sizeof(octets), 1, stdout);
	}
	free(mix);
	return fflush(stdout) == 0 ? 0 : -errno;
}

/* --- the comparison --------------------------------------------------------------------------- */

/* Raw S16_LE, or a WAV file of which the part after "data" and its size is taken. */
static int load(struct sound *sound, const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t size = 0, start = 0, got;

	if (file == NULL)
		return -errno;
	do {
		uint8_t *more = realloc(data, size + (1u << 20));

		if (more == NULL) {
			free(data);
			fclose(file);
			return -ENOMEM;
		}
		data = more;
		got = fread(data + size, 1, 1u << 20, file);
		size += got;
	} while (got > 0);
	fclose(file);

	if (size > 12 && memcmp(data, "RIFF", 4) == 0) {
		uint8_t *mark = memmem(data, size, "data", 4);

		if (mark != NULL)
			start = mark + 8 - data;
	}
	sound->frames = (size - start) / FRAME;
	sound->samples = calloc(sound->frames + 1, FRAME);
	if (sound->samples != NULL)
		for (size_t i = 0; i < sound->frames * CHANNELS; i++)
			sound->samples[i] = (int16_t)(data[start + 2 * i] | data[start + 2 * i + 1] << 8);
	free(data);
	return sound->samples != NULL ? 0 : -ENOMEM;
}

/* Where in `got` frame 0 of `sent` is (or would be); found by a stretch that is equal. */
static bool locate(const struct sound *sent, const struct sound *got, int64_t *offset)
{
	for (unsigned int part = 1; part < 8; part++) {
		size_t from = sent->frames / 8 * part;
		const int16_t *want = &sent->samples[from * CHANNELS];

		if (from + WINDOW > sent->frames || got->frames < WINDOW)
			continue;
		for (size_t i = 0; i <= got->frames - WINDOW; i++)
			if (memcmp(&got->samples[i * CHANNELS], want, WINDOW * FRAME) == 0) {
				*offset = (int64_t)i - (int64_t)from;
				return true;
			}
	}
	return false;
}

static int received(const struct sound *got, int64_t frame, unsigned int channel)
{
	if (frame < 0 || (size_t)frame >= got->frames)
		return 0;
	return got->samples[frame * CHANNELS + channel];
}

/* One line a column: time, least and greatest sample sent, the same received, greatest difference. */
static void column(FILE *table, const struct sound *sent, const struct sound *got, int64_t offset,
		size_t from, size_t to)
{
	int sent_min = 0, sent_max = 0, got_min = 0, got_max = 0, worst = 0;

	for (size_t i = from; i < to; i++)
		for (unsigned int c = 0; c < CHANNELS; c++) {
			int s = sent->samples[i * CHANNELS + c];
			int r = received(got, i + offset, c);

			sent_min = s < sent_min ? s : sent_min;
			sent_max = s > sent_max ? s : sent_max;
			got_min = r < got_min ? r : got_min;
			got_max = r > got_max ? r : got_max;
			worst = abs(s - r) > worst ? abs(s - r) : worst;
		}
	fprintf(table, "%.6f %.5f %.5f %.5f %.5f %d\n", from / (double)RATE, sent_min / 32768.0,
			sent_max / 32768.0, got_min / 32768.0, got_max / 32768.0, worst);
}

static int compare(const char *sent_path, const char *got_path, const char *table_path)
{
	struct sound sent = { 0 }, got = { 0 };
	size_t differing = 0;
	int64_t offset = 0;
	FILE *table;
	int res;

	if ((res = load(&sent, sent_path)) < 0 || (res = load(&got, got_path)) < 0)
		return res;
	if ((table = fopen(table_path, "w")) == NULL)
		return -errno;

	bool found = locate(&sent, &got, &offset);

	for (size_t i = 0; i < sent.frames; i++)
		differing += sent.samples[i * CHANNELS] != received(&got, i + offset, 0) ||
			sent.samples[i * CHANNELS + 1] != received(&got, i + offset, 1);
	for (size_t b = 0; b < BINS; b++)
		column(table, &sent, &got, offset, sent.frames * b / BINS, sent.frames * (b + 1) / BINS);
	fclose(table);

	printf("sent=%zu recorded=%zu found=%s offset=%lld differing=%zu\n", sent.frames, got.frames,
			found ? "yes" : "no", (long long)offset, differing);
	free(sent.samples);
	free(got.samples);
	return found && differing == 0 ? 0 : 1;
}

int main(int argc, char *argv[])
{
	int res = -EINVAL;

	if (argc == 2 && strcmp(argv[1], "tune") == 0)
		res = tune();
	else if (argc == 5 && strcmp(argv[1], "compare") == 0)
		res = compare(argv[2], argv[3], argv[4]);
	else
		fprintf(stderr, "usage: demo-audio tune > RAW | demo-audio compare SENT RECEIVED TABLE\n");
	if (res < 0) {
		fprintf(stderr, "demo-audio: %s\n", strerror(-res));
		return 2;
	}
	return res;
}
