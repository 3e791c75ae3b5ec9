/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The state file: what of it outlasts a backend, and what is not believed. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state.h"
#include "test.h"

#define AT_VERSION	8	/* octets from the file's beginning */
#define AT_BOOT		16

static char dir[] = "/tmp/xen-snd-test.XXXXXX";
static char directory[64], path[80];
static struct state *state;

static const struct state_opened opened = {
	.open = { .rate = 48000, .format = WIRE_FORMAT_S16_LE, .channels = 2,
		.buffer_size = 65536, .directory = 42, .period_size = 16384 },
	.base = 6,
};
static const struct state_moment moment = {
	.taken = 5000, .posted = 4000, .slip = 1, .pending = 7, .produced = 30, .run = 1,
};

static struct state_key make_key(uint32_t domid)
{
	struct state_key key = { .domid = domid, .pcm = 1, .ring_ref = 8, .event_channel = 9,
		.evt_ring_ref = 10, .evt_event_channel = 11, .dialect = WIRE_DIALECT_2 };

	strcpy(key.uuid, "11111111-2222-3333-4444-555555555555");
	return key;
}

static void start(void)
{
	check(mkdtemp(dir) != NULL);
	/* which is not there yet */
	snprintf(directory, sizeof(directory), "%s/run", dir);
	snprintf(path, sizeof(path), "%s/state", directory);
	check((state = state_open(path)) != NULL);
}

static void stop(void)
{
	state_close(state);
	unlink(path);
	check_eq(rmdir(directory), 0);
	check_eq(rmdir(dir), 0);
}

static void reopen(void)
{
	state_close(state);
	check((state = state_open(path)) != NULL);
}

static struct state_record *find(uint32_t domid)
{
	const struct state_key key = make_key(domid);

	return state_find(state, &key);
}

static struct state_record *add(uint32_t domid)
{
	const struct state_key key = make_key(domid);

	return state_add(state, &key);
}

static void set_moment(struct state_record *record)
{
	struct state_moment *next = state_next_moment(record);

	if (next)
		*next = moment;
	state_set_moment(record, next);
}

/* what a line does in its life */
static void fill(struct state_record *record)
{
	set_moment(record);
	state_set_filled(record, 9000);
	state_set_volume(record, 1, -500, true);
	state_set_answered(record, 123);
	state_set_opened(record, &opened);
}

static void check_filled(const struct state_record *record)
{
	const struct state_moment got = state_get_moment(record);

	check(state_get_opened(record) != NULL);
	check_mem(state_get_opened(record), &opened, sizeof(opened));
	check_mem(&got, &moment, sizeof(moment));
	check_eq(record->answered, 123);
	check_eq(record->filled, 9000);
	check_eq(record->volumes[1].volume, -500);
	check_eq(record->volumes[1].mute, true);
}

static void overwrite(size_t at, char octet)
{
	int fd = open(path, O_WRONLY);

	check(fd >= 0);
	check_eq(pwrite(fd, &octet, 1, at), 1);
	close(fd);
}

TEST(the_next_backend_finds_what_was_left)
{
	start();
	fill(add(3));
	reopen();
	check_filled(find(3));
	stop();
}

TEST(what_was_stored_outlasts_a_kill)
{
	int status;
	pid_t pid;

	start();
	state_close(state);
	if ((pid = fork()) == 0) {
		if ((state = state_open(path)) != NULL)
			fill(add(3));
		raise(SIGKILL);
	}
	check_eq(waitpid(pid, &status, 0), pid);
	check(WIFSIGNALED(status));
	check((state = state_open(path)) != NULL);
	check_filled(find(3));
	stop();
}

TEST(a_record_is_found_once)
{
	start();
	check(add(3) != NULL);
	check(find(3) == NULL);		/* it is ours */
	reopen();
	check(find(3) != NULL);
	check(find(3) == NULL);
	stop();
}

TEST(a_line_that_differs_in_anything_finds_nothing)
{
	struct state_key key;
	size_t at;

	start();
	fill(add(3));
	reopen();
	for (at = 0; at < sizeof(key); at++) {
		key = make_key(3);
		((uint8_t *)&key)[at] ^= 1;
		check(state_find(state, &key) == NULL);
	}
	check_filled(find(3));
	stop();
}

TEST(a_line_that_connects_anew_begins_with_an_empty_record)
{
	struct state_record *record;
	struct state_key key = make_key(3);

	start();
	fill(add(3));
	fill(add(4));
	reopen();
	/* the frontend has made another ring */
	key.ring_ref++;
	check((record = state_add(state, &key)) != NULL);
	check(state_get_opened(record) == NULL);
	check_eq(state_get_moment(record).produced, 0);
	check_eq(record->answered, 0);
	reopen();
	check(find(3) == NULL);
	check(state_find(state, &key) != NULL);
	check_filled(find(4));
	stop();
}

TEST(what_nobody_has_found_is_swept)
{
	start();
	fill(add(3));
	fill(add(4));
	reopen();
	check(find(3) != NULL);
	check(add(5) != NULL);
	state_sweep(state);
	reopen();
	check(find(3) != NULL);
	check(find(4) == NULL);
	check(find(5) != NULL);
	stop();
}

TEST(a_dropped_record_is_gone)
{
	start();
	state_drop(state, add(3));
	state_drop(state, NULL);
	reopen();
	check(find(3) == NULL);
	stop();
}

TEST(a_closed_stream_is_not_open)
{
	struct state_record *record;

	start();
	record = add(3);
	fill(record);
	state_set_opened(record, NULL);
	check(state_get_opened(record) == NULL);
	reopen();
	check(state_get_opened(find(3)) == NULL);
	stop();
}

/* A kill in the middle of storing a moment leaves the one before. */
TEST(a_half_stored_moment_does_not_count)
{
	struct state_record *record;
	struct state_moment got;
	uint32_t i;

	start();
	record = add(3);
	fill(record);
	for (i = 0; i < 5; i++) {
		memset(state_next_moment(record), 0xa5, sizeof(moment));
		got = state_get_moment(record);
		check_mem(&got, &moment, sizeof(moment));
		set_moment(record);
	}
	stop();
}

TEST(a_damaged_key_is_not_found)
{
	struct state_record *record;

	start();
	record = add(3);
	fill(record);
	record->key_sum ^= 1;
	reopen();
	check(find(3) == NULL);
	stop();
}

TEST(a_damaged_stream_is_not_open)
{
	struct state_record *record;

	start();
	record = add(3);
	fill(record);
	record->opened.open.directory++;
	check(state_get_opened(record) == NULL);
	stop();
}

TEST(a_file_of_another_version_is_thrown_away)
{
	start();
	fill(add(3));
	overwrite(AT_VERSION, 99);
	reopen();
	check(find(3) == NULL);
	stop();
}

TEST(a_file_from_before_a_reboot_is_thrown_away)
{
	start();
	fill(add(3));
	overwrite(AT_BOOT, 'x');
	reopen();
	check(find(3) == NULL);
	stop();
}

TEST(a_file_that_was_cut_is_thrown_away)
{
	start();
	fill(add(3));
	check_eq(truncate(path, 8000), 0);
	reopen();
	check(find(3) == NULL);
	check(add(3) != NULL);
	stop();
}

TEST(a_file_in_use_is_refused)
{
	start();
	check(state_open(path) == NULL);
	check_eq(errno, EBUSY);
	stop();
}

TEST(the_file_is_the_users_alone)
{
	struct stat st;

	start();
	check_eq(stat(path, &st), 0);
	check_eq(st.st_mode & 0777, 0600);
	check_eq(stat(directory, &st), 0);
	check_eq(st.st_mode & 0777, 0700);
	stop();
}

static void is_refused(int error)
{
	errno = 0;
	check(state_open(path) == NULL);
	check_eq(errno, error);
	/* for stop() */
	unlink(path);
	check((state = state_open(path)) != NULL);
	stop();
}

TEST(a_file_that_others_may_write_is_refused)
{
	start();
	state_close(state);
	check_eq(chmod(path, 0620), 0);
	is_refused(EPERM);
}

TEST(a_link_is_not_followed)
{
	start();
	state_close(state);
	check_eq(unlink(path), 0);
	check_eq(symlink("/dev/null", path), 0);
	is_refused(EPERM);
}

TEST(what_is_no_file_is_refused)
{
	start();
	state_close(state);
	check_eq(unlink(path), 0);
	check_eq(mkfifo(path, 0600), 0);
	is_refused(EPERM);
}

TEST(a_directory_that_can_not_be_made_is_an_error)
{
	check(state_open("/nonexistent/run/state") == NULL);
	check_eq(errno, ENOENT);
}

TEST(when_all_records_are_used_the_next_line_gets_none)
{
	uint32_t i;

	start();
	for (i = 0; i < STATE_MAX_LINES; i++)
		check(add(i) != NULL);
	check(add(i) == NULL);
	state_drop(state, add(7));
	check(add(i) != NULL);
	stop();
}

TEST(without_a_file_or_a_record_nothing_is_kept)
{
	state_sweep(NULL);
	check(find(3) == NULL);
	check(add(3) == NULL);
	fill(NULL);
	check(state_get_opened(NULL) == NULL);
	state_close(NULL);
}
