/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Runs a target over the files of a directory, its corpus: in the place of
 * libFuzzer where there is none. Prints TAP; a finding aborts, with the file
 * named on the line before. */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"

#define MAX_SIZE	(64u * 1024)

/* Exactly as large as the file is, so that reading beyond it is noticed. */
static uint8_t *read_file(const char *path, size_t *size)
{
	uint8_t *all, *data = NULL;
	FILE *file;

	if ((file = fopen(path, "rb")) == NULL)
		return NULL;
	if ((all = malloc(MAX_SIZE)) != NULL) {
		*size = fread(all, 1, MAX_SIZE, file);
		if ((data = malloc(*size ? *size : 1)) != NULL)
			memcpy(data, all, *size);
	}
	free(all);
	fclose(file);
	return data;
}

static int replay(const char *directory, const char *name)
{
	char path[4096];
	uint8_t *data;
	size_t size;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	if ((data = read_file(path, &size)) == NULL) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	printf("# %s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 0;
}

int main(int argc, char *argv[])
{
	struct dirent **files;
	unsigned int n_run = 0;
	int i, n, bad = 0;

	if (argc != 2 || (n = scandir(argv[1], &files, NULL, alphasort)) < 0) {
		fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
		return EXIT_FAILURE;
	}
	for (i = 0; i < n; i++) {
		if (files[i]->d_name[0] != '.') {
			bad += replay(argv[1], files[i]->d_name) < 0;
			n_run++;
		}
		free(files[i]);
	}
	free(files);
	printf("1..1\n%sok 1 - %u inputs of the corpus harm nobody\n",
			n_run == 0 || bad ? "not " : "", n_run);
	return n_run == 0 || bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
