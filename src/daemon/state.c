/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The state file, see state.h. */

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state.h"

#define MAGIC		"xen-snd"	/* with its NUL 8 octets */
#define VERSION		1u		/* of all that is in the file */
#define BOOT_SIZE	40

struct header {
	char magic[8];
	uint32_t version;
	uint32_t record_size;
	char boot[BOOT_SIZE];		/* the kernel's boot_id: domids mean nothing after it */
};

struct file {
	struct header header;
	struct state_record records[STATE_MAX_LINES];
};

struct state {
	int fd;				/* holds the lock */
	struct file *file;
	bool claimed[STATE_MAX_LINES];	/* xenbus thread: found or added by this process */
};

_Static_assert(sizeof(struct state_key) == STATE_UUID_SIZE + 10 * sizeof(uint32_t), "padding");
_Static_assert(sizeof(struct state_opened) == 7 * sizeof(uint32_t), "padding");

/* FNV-1a: against damage, not against malice: nobody else may write the file. */
static uint32_t sum(const void *data, size_t size)
{
	const uint8_t *octets = data;
	uint32_t hash = 2166136261u;

	for (; size > 0; size--)
		hash = (hash ^ *octets++) * 16777619u;
	return hash;
}

/* The file. */

static void read_boot(char boot[BOOT_SIZE])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	memset(boot, 0, BOOT_SIZE);
	if (f == NULL)
		return;
	if (fgets(boot, BOOT_SIZE, f) == NULL)
		memset(boot, 0, BOOT_SIZE);
	fclose(f);
}

static struct header make_header(void)
{
	struct header header;

	memset(&header, 0, sizeof(header));
	memcpy(header.magic, MAGIC, sizeof(header.magic));
	header.version = VERSION;
	header.record_size = sizeof(struct state_record);
	read_boot(header.boot);
	return header;
}

static int make_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX];

	if (slash == NULL || slash == path)
		return 0;
	if ((size_t)(slash - path) >= sizeof(directory))
		return -ENAMETOOLONG;
	memcpy(directory, path, slash - path);
	directory[slash - path] = '\0';
	return mkdir(directory, 0700) == 0 || errno == EEXIST ? 0 : -errno;
}

/* Nobody else may have written it, or be about to. */
static int check_file(int fd, off_t *size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077) != 0)
		return -EPERM;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	*size = st.st_size;
	return 0;
}

static int open_file(const char *path, off_t *size)
{
	int fd, res;

	if ((res = make_directory(path)) < 0)
		return res;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return errno == ELOOP ? -EPERM : -errno;
	if ((res = check_file(fd, size)) < 0) {
		close(fd);
		return res;
	}
	return fd;
}

static int map_file(struct state *state, off_t size)
{
	struct header header = make_header();

	/* a file that is too short has no records at its end, or none at all */
	if (size != sizeof(struct file) &&
	    (ftruncate(state->fd, 0) < 0 || ftruncate(state->fd, sizeof(struct file)) < 0))
		return -errno;
	/* no disk space is an error here, not a signal later */
	if ((errno = posix_fallocate(state->fd, 0, sizeof(struct file))) != 0)
		return -errno;
	state->file = mmap(NULL, sizeof(struct file), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_POPULATE, state->fd, 0);
	if (state->file == MAP_FAILED)
		return -errno;
	/* only to keep realtime threads from waiting for a swapped page */
	mlock(state->file, sizeof(struct file));
	if (memcmp(&state->file->header, &header, sizeof(header)) != 0) {
		memset(state->file, 0, sizeof(struct file));
		state->file->header = header;
	}
	return 0;
}

struct state *state_open(const char *path)
{
	struct state *state;
	off_t size = 0;
	int res;

	if ((state = calloc(1, sizeof(*state))) == NULL)
		return NULL;
	if ((state->fd = open_file(path, &size)) < 0) {
		res = state->fd;
		goto error_open;
	}
	if ((res = map_file(state, size)) < 0)
		goto error_map;
	return state;

error_map:
	close(state->fd);
error_open:
	free(state);
	errno = -res;
	return NULL;
}

void state_close(struct state *state)
{
	if (state == NULL)
		return;
	munmap(state->file, sizeof(struct file));
	close(state->fd);
	free(state);
}

/* Records. */

static bool is_used(const struct state_record *record)
{
	return atomic_load_explicit(&record->used, memory_order_acquire) == 1;
}

static bool is_same_line(const struct state_key *a, const struct state_key *b)
{
	return a->domid == b->domid && a->device == b->device && a->pcm == b->pcm &&
		a->stream == b->stream;
}

struct state_record *state_find(struct state *state, const struct state_key *key)
{
	uint32_t i;

	for (i = 0; state && i < STATE_MAX_LINES; i++) {
		struct state_record *record = &state->file->records[i];

		if (is_used(record) && !state->claimed[i] &&
		    record->key_sum == sum(&record->key, sizeof(record->key)) &&
		    memcmp(&record->key, key, sizeof(*key)) == 0) {
			state->claimed[i] = true;
			return record;
		}
	}
	return NULL;
}

static void drop_line(struct state *state, const struct state_key *key)
{
	uint32_t i;

	for (i = 0; i < STATE_MAX_LINES; i++) {
		struct state_record *record = &state->file->records[i];

		if (is_used(record) && is_same_line(&record->key, key))
			state_drop(state, record);
	}
}

struct state_record *state_add(struct state *state, const struct state_key *key)
{
	struct state_record *record;
	uint32_t i;

	if (state == NULL)
		return NULL;
	drop_line(state, key);
	for (i = 0; i < STATE_MAX_LINES; i++) {
		record = &state->file->records[i];
		if (is_used(record))
			continue;
		memset(record, 0, sizeof(*record));
		record->key = *key;
		record->key_sum = sum(key, sizeof(*key));
		state->claimed[i] = true;
		atomic_store_explicit(&record->used, 1, memory_order_release);
		return record;
	}
	return NULL;
}

void state_drop(struct state *state, struct state_record *record)
{
	if (record == NULL)
		return;
	atomic_store_explicit(&record->used, 0, memory_order_release);
	state->claimed[record - state->file->records] = false;
}

void state_sweep(struct state *state)
{
	uint32_t i;

	for (i = 0; state && i < STATE_MAX_LINES; i++) {
		if (!state->claimed[i])
			state_drop(state, &state->file->records[i]);
	}
}

/* What is in a record. */

void state_set_answered(struct state_record *record, uint32_t answered)
{
	if (record)
		atomic_store_explicit(&record->answered, answered, memory_order_release);
}

void state_set_opened(struct state_record *record, const struct state_opened *opened)
{
	if (record == NULL)
		return;
	atomic_store_explicit(&record->is_open, 0, memory_order_release);
	if (opened == NULL)
		return;
	/* not before it is closed */
	atomic_signal_fence(memory_order_seq_cst);
	record->opened = *opened;
	record->opened_sum = sum(opened, sizeof(*opened));
	atomic_store_explicit(&record->is_open, 1, memory_order_release);
}

const struct state_opened *state_get_opened(const struct state_record *record)
{
	if (record == NULL || atomic_load(&record->is_open) != 1 ||
	    record->opened_sum != sum(&record->opened, sizeof(record->opened)))
		return NULL;
	return &record->opened;
}

void state_set_filled(struct state_record *record, uint64_t filled)
{
	if (record)
		atomic_store_explicit(&record->filled, filled, memory_order_release);
}

void state_set_volume(struct state_record *record, uint32_t channel, int32_t volume, bool mute)
{
	if (record == NULL)
		return;
	atomic_store(&record->volumes[channel].volume, volume);
	atomic_store(&record->volumes[channel].mute, mute);
}

struct state_moment state_get_moment(const struct state_record *record)
{
	return record->moments[atomic_load_explicit(&record->current, memory_order_acquire) & 1];
}
