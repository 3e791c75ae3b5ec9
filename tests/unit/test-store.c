/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What comes out of XenStore, where a guest writes what it likes; and the writing
 * that must not bring a removed directory back. */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "store.h"
#include "test.h"

/* One node, whose value may hold anything, and what was written. */
static struct {
	const char *value;		/* NULL: not there */
	unsigned int size;
	bool guard;			/* is there */
	unsigned int busy;		/* transactions that come to nothing */
	unsigned int started, committed;
	char path[256], written[256];
} store;

/* what is behind a handle is libxenstore's */
#define XS	((struct xs_handle *)&store)

/* in the place of libxenstore's */

void *xs_read(struct xs_handle *xs, xs_transaction_t t, const char *path, unsigned int *len)
{
	unsigned int size = store.size;
	const char *value = store.value;
	char *copy;

	if (t != XBT_NULL) {
		value = store.guard ? "4" : NULL;
		size = 1;
	}
	if (value == NULL) {
		errno = ENOENT;
		return NULL;
	}
	snprintf(store.path, sizeof(store.path), "%s", path);
	copy = malloc(size + 1);
	memcpy(copy, value, size);
	copy[size] = '\0';
	if (len)
		*len = size;
	return copy;
}

bool xs_write(struct xs_handle *xs, xs_transaction_t t, const char *path, const void *data,
		unsigned int len)
{
	check_eq(t, 9);
	snprintf(store.path, sizeof(store.path), "%s", path);
	snprintf(store.written, sizeof(store.written), "%.*s", (int)len, (const char *)data);
	return true;
}

xs_transaction_t xs_transaction_start(struct xs_handle *xs)
{
	store.started++;
	return 9;
}

bool xs_transaction_end(struct xs_handle *xs, xs_transaction_t t, bool abort)
{
	check_eq(t, 9);
	if (store.busy > 0) {
		store.busy--;
		errno = EAGAIN;
		return false;
	}
	store.committed += !abort;
	return true;
}

static void set(const char *value, unsigned int size)
{
	store.value = value;
	store.size = size;
}

static int read_number(const char *value, unsigned int size, uint32_t *number)
{
	set(value, size);
	*number = 12345;
	return store_read_number(XS, number, "/a/%u/b", 7);
}

#define NUMBER(value)	read_number(value, sizeof(value) - 1, &number)

TEST(a_path_is_put_together)
{
	uint32_t number;

	check_eq(NUMBER("1"), 0);
	check_str(store.path, "/a/7/b");
}

TEST(a_number_is_decimal_and_nothing_else)
{
	uint32_t number;

	check_eq(NUMBER("0"), 0);
	check_eq(number, 0);
	check_eq(NUMBER("4294967295"), 0);
	check_eq(number, UINT32_MAX);
	check_eq(NUMBER("0012"), 0);
	check_eq(number, 12);
	check_eq(NUMBER(""), -EBADMSG);
	check_eq(NUMBER("-1"), -EBADMSG);
	check_eq(NUMBER("+1"), -EBADMSG);
	check_eq(NUMBER(" 1"), -EBADMSG);
	check_eq(NUMBER("1 "), -EBADMSG);
	check_eq(NUMBER("0x10"), -EBADMSG);
	check_eq(NUMBER("1e3"), -EBADMSG);
	check_eq(NUMBER("4294967296"), -EBADMSG);
	check_eq(NUMBER("\xff"), -EBADMSG);
	check_eq(number, 12345);
	check(NUMBER("99999999999999999999999999") < 0);
	check_eq(store_read_number(XS, &number, "%0300u", 1), -ENAMETOOLONG);
}

TEST(a_value_that_is_not_there_is_enoent)
{
	uint32_t number = 3;
	char value[8];

	check_eq(store_read_number(XS, &number, "/x"), -ENOENT);
	check_eq(store_read(XS, value, sizeof(value), "/x"), -ENOENT);
	check_eq(number, 3);
}

TEST(a_value_ends_at_its_first_nul)
{
	char value[8];

	set("ab\0cd", 5);
	check_eq(store_read(XS, value, sizeof(value), "/x"), 0);
	check_str(value, "ab");
}

TEST(a_value_that_is_too_long_is_refused)
{
	char value[8];

	set("1234567", 7);
	check_eq(store_read(XS, value, sizeof(value), "/x"), 0);
	set("12345678", 8);
	check_eq(store_read(XS, value, sizeof(value), "/x"), -E2BIG);
}

static const char *label(const char *value, unsigned int size)
{
	static char text[16];

	set(value, size);
	memset(text, 'z', sizeof(text));
	store_read_label(XS, text, sizeof(text), "/x");
	check(strlen(text) < sizeof(text));
	return text;
}

#define LABEL(value)	label(value, sizeof(value) - 1)

TEST(a_label_is_shown_as_it_is_if_it_can_be)
{
	check_str(LABEL("Main card"), "Main card");
	check_str(LABEL("K\xc3\xbc" "che"), "K\xc3\xbc" "che");
	check_str(LABEL("\xe9\x9f\xb3"), "\xe9\x9f\xb3");
	check_str(LABEL("\xf0\x9f\x94\x8a"), "\xf0\x9f\x94\x8a");
	check_str(label(NULL, 0), "");
}

TEST(what_a_terminal_would_obey_is_not_shown)
{
	check_str(LABEL("a\x1b[2J"), "a?[2J");
	check_str(LABEL("a\nb\tc\x7f"), "a?b?c?");
	check_str(LABEL("\xc2\x9b" "2J"), "??2J");
}

TEST(what_is_no_utf_8_is_not_shown)
{
	check_str(LABEL("\xff\xfe"), "??");
	check_str(LABEL("\xc3"), "?");
	check_str(LABEL("\x80x"), "?x");
	check_str(LABEL("\xc0\xaf"), "??");
	check_str(LABEL("\xf5\x80\x80\x80"), "????");
}

TEST(what_is_utf_8_in_form_only_is_not_shown)
{
	check_str(LABEL("\xe0\x80\xaf"), "???");		/* overlong */
	check_str(LABEL("\xf0\x80\x80\xaf"), "????");
	check_str(LABEL("\xed\xa0\x80"), "???");		/* half a surrogate pair */
	check_str(LABEL("\xf4\x90\x80\x80"), "????");		/* beyond the last character */
}

TEST(a_label_that_is_too_long_is_cut)
{
	check_str(LABEL("1234567890123456789"), "123456789012345");
	/* in the middle of a character: nothing of it is left to be misread */
	check_str(LABEL("12345678901234\xc3\xbc"), "12345678901234?");
}

TEST(what_goes_into_a_log_is_cut_and_made_printable)
{
	char words[] = "a\nb\x1b[2Jc";

	store_make_printable(words, 80);
	check_str(words, "a?b?[2Jc");
	store_make_printable(words, 3);
	check_str(words, "a?b");
}

static int write_state(void)
{
	return store_write_if(XS, "/b/state", "4", "/b/%s", "state");
}

TEST(a_value_is_written_where_its_guard_is)
{
	store.guard = true;
	check_eq(write_state(), 0);
	check_eq(store.committed, 1);
	check_str(store.path, "/b/state");
	check_str(store.written, "4");
}

TEST(a_directory_that_was_removed_is_not_brought_back)
{
	check_eq(write_state(), -ENOENT);
	check_eq(store.committed, 0);
	check_str(store.written, "");
}

TEST(a_write_is_tried_again_when_another_came_between)
{
	store.guard = true;
	store.busy = 3;
	check_eq(write_state(), 0);
	check_eq(store.started, 4);
	check_eq(store.committed, 1);
}

TEST(an_entry_of_a_directory_is_its_whole_name)
{
	char names[][8] = { "0", "10", "state", "01", "2x" };
	char *listing[] = { names[0], names[1], names[2], names[3], names[4] };

	check(store_has_entry(listing, 5, 0));
	check(store_has_entry(listing, 5, 10));
	check(!store_has_entry(listing, 5, 1));
	check(!store_has_entry(listing, 5, 2));
	check(!store_has_entry(listing, 0, 0));
}

TEST(without_xenstored_nothing_is_read_or_written)
{
	uint32_t number;

	store.value = "1";
	store.size = 1;
	store.guard = true;
	check_eq(store_read_number(NULL, &number, "/x"), -ENOTCONN);
	check_eq(store_write_if(NULL, "/b/state", "4", "/b/state"), -ENOTCONN);
	check_eq(store.started, 0);
}

/* What is wrong with a value says nothing of xenstored. */
TEST(an_answer_is_told_from_none)
{
	check(!store_is_lost(0));
	check(!store_is_lost(-ENOENT));
	check(!store_is_lost(-EACCES));
	check(!store_is_lost(-E2BIG));
	check(!store_is_lost(-EBADMSG));
	check(store_is_lost(-ENOTCONN));
	check(store_is_lost(-EIO));
	check(store_is_lost(-EBADF));
	check(store_is_lost(-EINVAL));
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	check_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	check_eq(listen(fd, 1), 0);
	return fd;
}

TEST(the_lifeline_hangs_up_when_xenstored_ends)
{
	char dir[] = "/tmp/xen-snd-test.XXXXXX", path[64];
	struct pollfd p = { .events = POLLIN };
	int server, peer;

	check(mkdtemp(dir) != NULL);
	setenv("XENSTORED_RUNDIR", dir, 1);
	unsetenv("XENSTORED_PATH");
	snprintf(path, sizeof(path), "%s/socket", dir);
	check_eq(store_open_lifeline(), -ENOENT);
	server = listen_at(path);
	check((p.fd = store_open_lifeline()) >= 0);
	check((peer = accept(server, NULL, NULL)) >= 0);
	check_eq(poll(&p, 1, 0), 0);
	close(peer);
	close(server);
	check_eq(poll(&p, 1, 0), 1);
	check(p.revents & POLLHUP);
	close(p.fd);
	check_eq(store_open_lifeline(), -ECONNREFUSED);
	check_eq(unlink(path), 0);
	check_eq(rmdir(dir), 0);
}
