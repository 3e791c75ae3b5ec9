/* SPDX-License-Identifier: MIT */
/*
 * One sound card of the guest: the driver's XenBus state machine and the streams it finds
 * in XenStore.
 */
#ifndef MODEL_FRONTEND_CARD_H
#define MODEL_FRONTEND_CARD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "pcm.h"
#include "store.h"

#define MAX_STREAMS 64

struct stream {
	uint32_t pcm;
	uint32_t index;
	struct pcm substream;
};

struct card {
	uint32_t devid;
	struct domain *domain;
	const struct dialect *dialect;
	enum generation generation;
	char frontend[STORE_PATH];
	char backend[STORE_PATH];

	struct xs_handle *xs;
	pthread_t thread;
	int quit_fd;
	bool running;

	pthread_mutex_t mutex;	/* the rest */
	pthread_cond_t changed;
	enum xenbus_state state;	/* ours */
	enum xenbus_state backend_state;
	uint32_t connects;
	uint32_t n_streams;
	struct stream streams[MAX_STREAMS];
};

int card_start(struct card *c, struct domain *d, uint32_t devid, const struct dialect *dialect,
		enum generation generation);
/** the driver lets go without a word, as when the guest is no more */
void card_stop(struct card *c);
/** xenstored is another one: watch again; what was connected is so still */
int card_reconnect(struct card *c);
int card_wait_connected(struct card *c, uint32_t timeout_ms);
/** rmmod and modprobe */
int card_unload(struct card *c);
int card_reload(struct card *c);
/** the guest shuts down in order: close and wait to be let go */
int card_shutdown(struct card *c);
/** the driver is gone without a word, with streams open; the next kernel resets the bus */
int card_kexec(struct card *c);
struct pcm *card_find(struct card *c, uint32_t pcm, uint32_t index);

#endif
