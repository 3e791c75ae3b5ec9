/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Letters between threads, see mailbox.h. */

#include <errno.h>
#include <signal.h>

#include "mailbox.h"

static struct letter *mailbox_take(struct mailbox *box)
{
	struct letter *letter = NULL;

	pthread_mutex_lock(&box->lock);
	if (!spa_list_is_empty(&box->letters)) {
		letter = spa_list_first(&box->letters, struct letter, link);
		spa_list_remove(&letter->link);
		letter->posted = false;
		box->n_letters--;
	}
	pthread_mutex_unlock(&box->lock);
	return letter;
}

static uint32_t mailbox_count(struct mailbox *box)
{
	uint32_t n;

	pthread_mutex_lock(&box->lock);
	n = box->n_letters;
	pthread_mutex_unlock(&box->lock);
	return n;
}

static void on_event(void *data, uint64_t count)
{
	struct mailbox *box = data;
	struct letter *letter;
	uint32_t n;

	/* letters that come meanwhile have woken the loop again: its other
	 * sources have their turn first */
	for (n = mailbox_count(box); n > 0 && (letter = mailbox_take(box)) != NULL; n--)
		letter->read(letter);
}

int mailbox_init(struct mailbox *box, struct pw_loop *loop)
{
	box->loop = loop;
	spa_list_init(&box->letters);
	if ((box->event = pw_loop_add_event(loop, on_event, box)) == NULL)
		return -errno;
	pthread_mutex_init(&box->lock, NULL);
	return 0;
}

void mailbox_read_all(struct mailbox *box)
{
	while (mailbox_count(box) > 0)
		on_event(box, 0);
}

void mailbox_clear(struct mailbox *box)
{
	pw_loop_destroy_source(box->loop, box->event);
	pthread_mutex_destroy(&box->lock);
}

bool mailbox_post(struct mailbox *box, struct letter *letter)
{
	bool posted;

	pthread_mutex_lock(&box->lock);
	posted = !letter->posted;
	if (posted) {
		letter->posted = true;
		spa_list_append(&box->letters, &letter->link);
		box->n_letters++;
	}
	pthread_mutex_unlock(&box->lock);
	if (posted)
		pw_loop_signal_event(box->loop, box->event);
	return posted;
}

void mailbox_cancel(struct mailbox *box, struct letter *letter)
{
	pthread_mutex_lock(&box->lock);
	if (letter->posted) {
		spa_list_remove(&letter->link);
		letter->posted = false;
		box->n_letters--;
	}
	pthread_mutex_unlock(&box->lock);
}

static void on_quit(struct letter *letter)
{
	struct worker *worker = SPA_CONTAINER_OF(letter, struct worker, quit);

	worker->running = false;
}

static void *worker_run(void *data)
{
	struct worker *worker = data;

	pw_loop_enter(worker->loop);
	while (worker->running)
		pw_loop_iterate(worker->loop, -1);
	pw_loop_leave(worker->loop);
	return NULL;
}

/* signals are the main thread's */
static int start_thread(struct worker *worker)
{
	sigset_t all, old;
	int res;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	res = -pthread_create(&worker->thread, NULL, worker_run, worker);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return res;
}

int worker_init(struct worker *worker)
{
	int res;

	worker->quit = (struct letter) { .read = on_quit };
	worker->running = true;
	if ((worker->loop = pw_loop_new(NULL)) == NULL)
		return -errno;
	if ((res = mailbox_init(&worker->mailbox, worker->loop)) < 0)
		pw_loop_destroy(worker->loop);
	return res;
}

int worker_start(struct worker *worker, const char *name)
{
	int res;

	if ((res = start_thread(worker)) < 0)
		return res;
	pthread_setname_np(worker->thread, name);
	return 0;
}

void worker_stop(struct worker *worker)
{
	mailbox_post(&worker->mailbox, &worker->quit);
	pthread_join(worker->thread, NULL);
	mailbox_read_all(&worker->mailbox);
}

void worker_clear(struct worker *worker)
{
	mailbox_clear(&worker->mailbox);
	pw_loop_destroy(worker->loop);
}
