/* SPDX-License-Identifier: MIT */
/*
 * WAV files of S16_LE.
 */
#include <stdlib.h>
#include <string.h>

#include "wav.h"

uint8_t *wav_read_all(const char *path, size_t *size)
{
	size_t room = 1 << 20, n;
	uint8_t *data = NULL, *grown;
	FILE *f = fopen(path, "rb");

	*size = 0;
	if (f == NULL)
		return NULL;
	do {
		grown = realloc(data, room);
		if (grown == NULL)
			break;
		data = grown;
		n = fread(data + *size, 1, room - *size, f);
		*size += n;
		if (*size == room)
			room *= 2;
	} while (n > 0);
	fclose(f);
	return data;
}

static uint32_t get_u32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint8_t *put(uint8_t *p, uint32_t value, unsigned int octets)
{
	for (; octets > 0; octets--, value >>= 8)
		*p++ = (uint8_t)(value & 0xff);
	return p;
}

/* A recorder that was killed leaves a wrong size in the header: then the rest is the data. */
bool wav_find_data(uint8_t **data, size_t *size)
{
	uint8_t *p = *data, *end = *data + *size;

	if (*size < 12 || memcmp(p, "RIFF", 4) != 0 || memcmp(p + 8, "WAVE", 4) != 0)
		return false;
	for (p += 12; end - p >= 8;) {
		size_t length = get_u32(p + 4), left = (size_t)(end - p) - 8;

		if (memcmp(p, "data", 4) == 0) {
			*data = p + 8;
			*size = length == 0 || length > left ? left : length;
			return true;
		}
		length += length & 1;
		if (length > left)
			break;
		p += 8 + length;
	}
	return false;
}

bool wav_write_header(FILE *f, uint32_t rate, unsigned int channels, uint64_t frames)
{
	uint32_t frame = 2 * channels, size = (uint32_t)(frames * frame);
	uint8_t header[44], *p = header;

	p = put((uint8_t *)memcpy(p, "RIFF", 4) + 4, size + 36, 4);
	p = put((uint8_t *)memcpy(p, "WAVEfmt ", 8) + 8, 16, 4);
	p = put(put(p, 1, 2), channels, 2);
	p = put(put(p, rate, 4), rate * frame, 4);
	p = put(put(p, frame, 2), 16, 2);
	put((uint8_t *)memcpy(p, "data", 4) + 4, size, 4);
	return fwrite(header, sizeof(header), 1, f) == 1;
}
