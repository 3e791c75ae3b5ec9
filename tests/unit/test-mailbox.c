/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Letters between threads. */

#include <stdatomic.h>
#include <unistd.h>

#include "mailbox.h"
#include "test.h"

#define SENDERS	4
#define ROUNDS	2000

static struct pw_loop *loop;
static struct mailbox box;

struct note {
	struct letter letter;
	unsigned int read;
	pthread_t reader;
};

static unsigned int order[8], n_order;

static void on_note(struct letter *letter)
{
	struct note *note = SPA_CONTAINER_OF(letter, struct note, letter);

	note->read++;
	note->reader = pthread_self();
}

static void start(void)
{
	pw_init(NULL, NULL);
	loop = pw_loop_new(NULL);
	check(loop != NULL);
	check_eq(mailbox_init(&box, loop), 0);
	pw_loop_enter(loop);
}

static void stop(void)
{
	pw_loop_leave(loop);
	mailbox_clear(&box);
	pw_loop_destroy(loop);
	pw_deinit();
}

TEST(a_letter_is_read_once_by_the_loop)
{
	struct note note = { .letter.read = on_note };

	start();
	check(mailbox_post(&box, &note.letter));
	check_eq(note.read, 0);
	pw_loop_iterate(loop, 0);
	check_eq(note.read, 1);
	pw_loop_iterate(loop, 0);
	check_eq(note.read, 1);
	stop();
}

TEST(a_letter_that_lies_there_is_not_posted_twice)
{
	struct note note = { .letter.read = on_note };

	start();
	check(mailbox_post(&box, &note.letter));
	check(!mailbox_post(&box, &note.letter));
	pw_loop_iterate(loop, 0);
	check_eq(note.read, 1);
	check(mailbox_post(&box, &note.letter));
	pw_loop_iterate(loop, 0);
	check_eq(note.read, 2);
	stop();
}

static void on_numbered(struct letter *letter)
{
	static struct letter *first;

	if (first == NULL)
		first = letter;
	order[n_order++] = letter - first;
}

TEST(letters_are_read_in_the_order_of_posting)
{
	struct letter letters[8] = { 0 };
	unsigned int i;

	start();
	for (i = 0; i < 8; i++) {
		letters[i].read = on_numbered;
		mailbox_post(&box, &letters[i]);
	}
	pw_loop_iterate(loop, 0);
	check_eq(n_order, 8);
	for (i = 0; i < 8; i++)
		check_eq(order[i], i);
	stop();
}

TEST(a_letter_taken_back_is_not_read)
{
	struct note a = { .letter.read = on_note }, b = a, c = a;

	start();
	mailbox_post(&box, &a.letter);
	mailbox_post(&box, &b.letter);
	mailbox_cancel(&box, &b.letter);
	mailbox_cancel(&box, &c.letter);	/* never posted */
	pw_loop_iterate(loop, 0);
	check_eq(a.read, 1);
	check_eq(b.read, 0);
	check_eq(c.read, 0);
	mailbox_post(&box, &b.letter);
	pw_loop_iterate(loop, 0);
	check_eq(b.read, 1);
	stop();
}

struct again {
	struct letter letter;
	unsigned int read;
};

static void on_again(struct letter *letter)
{
	struct again *again = SPA_CONTAINER_OF(letter, struct again, letter);

	again->read++;
	mailbox_post(&box, letter);
}

/* A line that always has more to do must leave the loop's other sources their turn. */
TEST(a_letter_that_posts_itself_is_read_once_a_turn)
{
	struct again again = { .letter.read = on_again };
	unsigned int i;

	start();
	mailbox_post(&box, &again.letter);
	for (i = 1; i <= 10; i++) {
		pw_loop_iterate(loop, 1000);
		check_eq(again.read, i);
	}
	mailbox_cancel(&box, &again.letter);
	stop();
}

TEST(what_was_left_is_read_by_read_all)
{
	struct note a = { .letter.read = on_note }, b = a;

	start();
	mailbox_post(&box, &a.letter);
	mailbox_post(&box, &b.letter);
	mailbox_read_all(&box);
	check_eq(a.read, 1);
	check_eq(b.read, 1);
	stop();
}

/* Workers. */

static struct worker worker;
static atomic_uint read_by_worker;

static void on_counted(struct letter *letter)
{
	atomic_fetch_add(&read_by_worker, 1);
}

static void *send_rounds(void *data)
{
	struct letter letter = { .read = on_counted };
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		while (!mailbox_post(&worker.mailbox, &letter))
			sched_yield();
	}
	/* on this stack: not before it was read for the last time */
	while (atomic_load(&read_by_worker) < SENDERS * ROUNDS)
		sched_yield();
	return NULL;
}

TEST(no_letter_of_several_threads_is_lost)
{
	pthread_t senders[SENDERS];
	int i;

	pw_init(NULL, NULL);
	check_eq(worker_init(&worker), 0);
	check_eq(worker_start(&worker, "test"), 0);
	for (i = 0; i < SENDERS; i++)
		check_eq(pthread_create(&senders[i], NULL, send_rounds, NULL), 0);
	for (i = 0; i < SENDERS; i++)
		pthread_join(senders[i], NULL);
	worker_stop(&worker);
	worker_clear(&worker);
	pw_deinit();
	check_eq(read_by_worker, SENDERS * ROUNDS);
}

TEST(a_worker_reads_in_its_own_thread)
{
	struct note note = { .letter.read = on_note };

	pw_init(NULL, NULL);
	check_eq(worker_init(&worker), 0);
	check_eq(worker_start(&worker, "test"), 0);
	mailbox_post(&worker.mailbox, &note.letter);
	worker_stop(&worker);
	check_eq(note.read, 1);
	check(!pthread_equal(note.reader, pthread_self()));
	worker_clear(&worker);
	pw_deinit();
}

/* After a letter that ends it, what comes late is read by who stops it. */
TEST(a_stopped_worker_leaves_no_letter_unread)
{
	struct note note = { .letter.read = on_note };

	pw_init(NULL, NULL);
	check_eq(worker_init(&worker), 0);
	check_eq(worker_start(&worker, "test"), 0);
	mailbox_post(&worker.mailbox, &worker.quit);
	usleep(20000);
	mailbox_post(&worker.mailbox, &note.letter);
	worker_stop(&worker);
	check_eq(note.read, 1);
	worker_clear(&worker);
	pw_deinit();
}
