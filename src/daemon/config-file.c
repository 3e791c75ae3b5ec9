/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The files of the configuration, see config-file.h.
 *
 * PipeWire says which files it has read, but passes over one of a .d directory that it
 * can't read or, since 1.2, understand: those are looked for here. */

#include <dirent.h>
#include <errno.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <spa/utils/string.h>
#include <pipewire/conf.h>

#include "config-file.h"

#define MAX_FILE	((size_t)1024 * 1024)

/* where PipeWire has its levels, and more than anybody has files in one */
#define MAX_LEVELS	8
#define MAX_FILES	128

static int file_fail(struct config_error *error, const char *path, const char *what)
{
	snprintf(error->text, sizeof(error->text), "%s: %s", path, what);
	return -EINVAL;
}

static int read_error(struct config_error *error, const char *path)
{
	snprintf(error->text, sizeof(error->text), "%s: can't be read: %m", path);
	return -EINVAL;
}

/* the whole file, or NULL with errno */
static char *read_file(const char *path, size_t *size)
{
	char *content = NULL;
	FILE *f;

	if ((f = fopen(path, "re")) == NULL)
		return NULL;
	if ((content = malloc(MAX_FILE + 1)) == NULL)
		goto done;
	errno = 0;
	*size = fread(content, 1, MAX_FILE + 1, f);
	if (!ferror(f) && *size <= MAX_FILE)
		goto done;
	if (*size > MAX_FILE)
		errno = EFBIG;
	free(content);
	content = NULL;
done:
	fclose(f);
	return content;
}

static int add_file(struct spa_list *texts, const char *path, struct config_error *error)
{
	struct config_text *text;
	size_t size;
	char *content;

	if ((content = read_file(path, &size)) == NULL)
		return read_error(error, path);
	text = config_text_new(path, content, size);
	free(content);
	if (text == NULL)
		return read_error(error, path);
	spa_list_append(texts, &text->link);
	return 0;
}

void config_files_free(struct spa_list *texts)
{
	struct config_text *text;

	spa_list_consume(text, texts, link) {
		spa_list_remove(&text->link);
		config_text_free(text);
	}
}

/* Those that PipeWire has read. */
static int add_loaded(struct spa_list *texts, const struct pw_properties *loaded,
		struct config_error *error)
{
	const char *path = pw_properties_get(loaded, "config.path");
	char key[64];
	int level, i, res;

	if ((res = add_file(texts, path, error)) < 0)
		return res;
	for (level = 0; level < MAX_LEVELS; level++) {
		for (i = 0; i < MAX_FILES; i++) {
			snprintf(key, sizeof(key), "override.%d.%d.config.path", level, i);
			if ((path = pw_properties_get(loaded, key)) != NULL &&
			    (res = add_file(texts, path, error)) < 0)
				return res;
		}
	}
	return 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* One of the same name in a directory that comes before does away with it. */
static bool has_name(const struct spa_list *texts, const char *name)
{
	const struct config_text *text;

	spa_list_for_each(text, texts, link) {
		if (spa_streq(base_name(text->file), name))
			return true;
	}
	return false;
}

/* In one directory: what PipeWire has passed over. */
static int add_rest(struct spa_list *texts, const char *directory, struct config_error *error)
{
	char path[PATH_MAX];
	struct dirent *entry;
	int res = 0;
	DIR *dir;

	/* PipeWire does not mind either */
	if ((dir = opendir(directory)) == NULL)
		return 0;
	while (res >= 0 && (entry = readdir(dir)) != NULL) {
		if (!spa_strendswith(entry->d_name, ".conf") || has_name(texts, entry->d_name))
			continue;
		/* PipeWire would not read one that is longer */
		if (snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name) >= PATH_MAX)
			continue;
		res = add_file(texts, path, error);
	}
	closedir(dir);
	return res;
}

/* In all of PipeWire's directories, or in the one that is named. */
static int add_passed_over(struct spa_list *texts, const char *name, struct config_error *error)
{
	const char *only = getenv("PIPEWIRE_CONFIG_DIR"), *home = getenv("HOME");
	const char *config = getenv("XDG_CONFIG_HOME");
	char paths[4][PATH_MAX];
	int n = 0, i, res;

	if (name[0] == '/') {
		snprintf(paths[n++], PATH_MAX, "%s.d", name);
	} else if (only) {
		snprintf(paths[n++], PATH_MAX, "%s/%s.d", only, name);
	} else {
		if (config)
			snprintf(paths[n++], PATH_MAX, "%s/pipewire/%s.d", config, name);
		if (home)
			snprintf(paths[n++], PATH_MAX, "%s/.config/pipewire/%s.d", home, name);
		snprintf(paths[n++], PATH_MAX, "/etc/pipewire/%s.d", name);
		snprintf(paths[n++], PATH_MAX, "/usr/share/pipewire/%s.d", name);
	}
	for (i = 0; i < n; i++) {
		if ((res = add_rest(texts, paths[i], error)) < 0)
			return res;
	}
	return 0;
}

int config_files_read(struct spa_list *texts, const char *prefix, const char *name,
		struct config_error *error)
{
	struct pw_properties *loaded;
	int res;

	spa_list_init(texts);
	if ((loaded = pw_properties_new(NULL, NULL)) == NULL)
		return file_fail(error, name, "no memory to read it");
	if (pw_conf_load_conf(prefix, name, loaded) < 0 ||
	    pw_properties_get(loaded, "config.path") == NULL) {
		res = file_fail(error, name, name[0] == '/' ? "no such configuration file" :
				"no such configuration file in /etc/pipewire or /usr/share/pipewire");
		goto done;
	}
	res = add_loaded(texts, loaded, error);
	if (res >= 0 && prefix == NULL)
		res = add_passed_over(texts, name, error);
	if (res < 0)
		config_files_free(texts);
done:
	pw_properties_free(loaded);
	return res;
}
