/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Letters from any thread to the thread of one loop, and threads with a loop.
 *
 * A letter is part of what it speaks of, so posting can't fail. (pw_loop_invoke
 * takes one sender only before PipeWire 1.2, and can be full.) */

#ifndef XEN_SND_MAILBOX_H
#define XEN_SND_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>

#include <pipewire/pipewire.h>

struct letter {
	struct spa_list link;
	bool posted;				/* under the mailbox's lock */
	void (*read)(struct letter *letter);	/* called in the receiver's thread */
};

struct mailbox {
	struct pw_loop *loop;
	struct spa_source *event;
	pthread_mutex_t lock;
	struct spa_list letters;		/* under `lock`, and their number */
	uint32_t n_letters;
};

int mailbox_init(struct mailbox *box, struct pw_loop *loop);

/* In the receiver's thread, or when it has ended: read what is there still. */
void mailbox_read_all(struct mailbox *box);

/* Letters that are there still are not read. */
void mailbox_clear(struct mailbox *box);

/* Any thread but a realtime one. False: that letter lies there already, and
 * will be read after this call. */
bool mailbox_post(struct mailbox *box, struct letter *letter);

/* In the receiver's thread: take back a letter that was not read yet, if it was
 * posted at all. */
void mailbox_cancel(struct mailbox *box, struct letter *letter);

/* A thread that runs a loop and reads its mailbox. */
struct worker {
	struct pw_loop *loop;
	struct mailbox mailbox;
	pthread_t thread;
	struct letter quit;
	bool running;				/* that thread only, once started */
};

/* Make the loop, to which sources can be added then. */
int worker_init(struct worker *worker);

/* Make the thread. `name` is shown by ps -L: at most 15 characters. */
int worker_start(struct worker *worker, const char *name);

/* Not in that thread: make it end and wait for it. What letters it has left
 * unread are read here. */
void worker_stop(struct worker *worker);

/* Free the loop. Its sources must be gone. */
void worker_clear(struct worker *worker);

#endif /* XEN_SND_MAILBOX_H */
