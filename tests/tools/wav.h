/* SPDX-License-Identifier: MIT */
/*
 * WAV files of S16_LE, as pw-record writes them and pw-cat reads them.
 */
#ifndef XEN_SND_TEST_WAV_H
#define XEN_SND_TEST_WAV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** the whole of a file, to be freed; NULL and errno if it cannot be read */
uint8_t *wav_read_all(const char *path, size_t *size);

/** go on to the samples; false if there are none */
bool wav_find_data(uint8_t **data, size_t *size);

bool wav_write_header(FILE *f, uint32_t rate, unsigned int channels, uint64_t frames);

#endif
