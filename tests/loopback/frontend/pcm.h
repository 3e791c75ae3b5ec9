/* SPDX-License-Identifier: MIT */
/*
 * One PCM substream of the guest: the sound driver's callbacks, and below an application
 * the sound core's pointers, wake-ups, xruns and drain.
 */
#ifndef MODEL_FRONTEND_PCM_H
#define MODEL_FRONTEND_PCM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "channel.h"
#include "domain.h"

enum pcm_state {
	PCM_CLOSED,
	PCM_OPEN,
	PCM_SETUP,
	PCM_PREPARED,
	PCM_RUNNING,
	PCM_XRUN,
	PCM_DRAINING,
	PCM_SUSPENDED,
	PCM_DISCONNECTED,
};

struct range {
	uint32_t min;
	uint32_t max;
};

/* What a stream may still become; as the guest read it from XenStore, then narrowed. */
struct space {
	uint64_t formats;
	struct range rate;
	struct range channels;
	struct range buffer;	/* frames */
	struct range period;	/* frames */
};

struct limits {
	uint64_t formats;
	struct range rate;
	struct range channels;
	uint32_t buffer_octets;
};

struct geometry {
	uint32_t rate;
	uint32_t format;
	uint32_t channels;
	uint32_t period;	/* frames */
	uint32_t buffer;	/* frames */
};

/* A CUR_POS that the driver took. */
struct seen_position {
	uint64_t frames;
	uint64_t ns;
	uint64_t notified_ns;	/* by the backend's clock; of the last, if it came with others */
	enum pcm_state state;
	uint32_t opened;	/* how often the stream had been opened */
	uint32_t started;	/* and started since */
};

struct pcm {
	struct channel channel;
	struct domain *domain;
	bool playback;
	struct limits limits;

	pthread_mutex_t call;		/* one call of open .. close at a time; taken first */
	pthread_mutex_t lock;		/* the stream lock: all from here. Taken inside evt_mutex */
	pthread_cond_t wake;		/* an application sleeps here */
	enum pcm_state state;
	struct geometry geometry;
	uint32_t frame_sz;
	uint32_t start_threshold;
	uint32_t wake_at;		/* frames that the sleeper wants */
	bool is_open;			/* OPEN was answered with success */
	int64_t hw_ptr;
	int64_t hw_ptr_base;
	int64_t hw_ptr_interrupt;
	int64_t appl_ptr;
	uint64_t hw_ptr_ns;
	uint32_t opened;
	uint32_t started;		/* since it was opened */
	uint32_t xruns;
	uint32_t periods;		/* period_elapsed() */
	uint32_t max_delay;		/* frames filled after a write, at most; of playback */

	/* a stream without events, see timed.h */
	bool timed;
	uint64_t origin_ns;
	bool located;			/* where OPEN has started to capture */
	uint32_t ring_base;		/* frames into the ring where frame 0 lies */

	/* the driver's; under the channel's evt_mutex */
	uint32_t driver_frame_sz;
	uint32_t driver_buffer;
	uint32_t driver_period;
	uint64_t be_frame;
	uint32_t driver_hw_ptr;
	uint32_t out_frames;
	uint64_t started_ns;		/* START was sent, no position has come since; else 0. Atomic */
	struct durations firsts;	/* from START to the first position */
	struct seen_position *seen;
	uint32_t n_seen;
	uint32_t room_seen;

	struct pages buffer;
	struct pages directory;
};

int pcm_start_device(struct pcm *p, struct domain *d, const char *name, bool playback,
		const struct limits *limits, const struct dialect *dialect,
		enum generation generation);
/** the card goes: applications get -ENODEV from now on */
void pcm_disconnect(struct pcm *p);
void pcm_stop_device(struct pcm *p);

int pcm_open(struct pcm *p);
/** narrow by HW_PARAM_QUERY until nothing changes; -EINVAL when nothing is left */
int pcm_refine(struct pcm *p, struct space *s);
struct space pcm_all(const struct pcm *p);
int pcm_hw_params(struct pcm *p, const struct geometry *g);
/** as pcm_prepare(), but the OPEN asks for no events */
int pcm_prepare_without_events(struct pcm *p);
int pcm_prepare(struct pcm *p);
int pcm_start(struct pcm *p);
/** stop at once, as snd_pcm_drop(); a capture that is drained can still be read */
int pcm_drop(struct pcm *p);
int pcm_drain(struct pcm *p);
int pcm_suspend(struct pcm *p);
int pcm_hw_free(struct pcm *p);
int pcm_close(struct pcm *p);

/** blocking, as writei and readi of an application; frames done, or -EPIPE for an xrun */
int64_t pcm_write(struct pcm *p, const uint8_t *data, uint32_t frames);
int64_t pcm_read(struct pcm *p, uint8_t *data, uint32_t frames);
/** wait until a running stream's position has moved on from START; -ETIMEDOUT */
int pcm_wait_moving(struct pcm *p, uint32_t ms);
/** where the application goes on: rewind and forward, in frames, when that is possible */
int pcm_move(struct pcm *p, int32_t frames);
/**
 * All that is queued, anew: what a rewind to the hardware's pointer and a write of as much are on
 * the wire. From which frame on, when, and how many: `data` holds a whole buffer.
 */
int pcm_rewrite(struct pcm *p, const uint8_t *data, int64_t *from, uint64_t *ns);
/** what silence_size does: silence ahead of the application, and a WRITE of it */
int pcm_fill_silence(struct pcm *p, uint32_t frames);
/** wait until the stream has left RUNNING for XRUN; -ETIMEDOUT */
int pcm_wait_xrun(struct pcm *p, uint32_t ms);

/** every position that a driver took goes to this file, when a stream is reported */
void pcm_log_positions(FILE *f);
void pcm_report(struct pcm *p);

#endif
