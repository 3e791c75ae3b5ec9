/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A guest's stream from OPEN to CLOSE.
 *
 * Three threads meet here: the guest thread runs its requests, the data thread
 * its process(), the main loop its node. What moves the position or posts
 * events holds the gate; the data thread never waits for it, it plays a cycle
 * of silence. The guest's pages may be touched under the gate only, and not
 * after the stream was closed. */

#ifndef XEN_SND_STREAM_H
#define XEN_SND_STREAM_H

#include <stdatomic.h>
#include <stdint.h>

#include <spa/param/latency.h>
#include <xenevtchn.h>

#include "event-page.h"
#include "latency.h"
#include "mailbox.h"
#include "position.h"
#include "state.h"
#include "wire.h"
#include "xen-snd.h"

#define STREAM_NAME_SIZE	96	/* octets with the final NUL */

/* Who it is: all from Dom0, but for the labels, which are the guest's words. */
struct stream_identity {
	char guest[STREAM_NAME_SIZE];		/* domain name, or "domain-<domid>" */
	char uuid[STREAM_NAME_SIZE];		/* "" if Dom0 has none */
	uint32_t domid;
	uint32_t device, pcm, stream;		/* XenStore indices */
	char card_label[STREAM_NAME_SIZE];	/* short-name */
	char pcm_label[STREAM_NAME_SIZE];	/* name */
	char unique_id[STREAM_NAME_SIZE];
	const char *protocol;			/* wire_dialect.name */
};

enum stream_state {
	STREAM_PREPARED,	/* opened or stopped */
	STREAM_RUNNING,
	STREAM_PAUSED,
	STREAM_CLOSED,		/* the pages are gone */
};

/* Where a stream's events go. The handle is used for nothing else, since the
 * kernel serialises all calls on one handle. */
struct stream_events {
	struct event_page page;
	xenevtchn_handle *handle;
	evtchn_port_t port;
};

/* What people look at, written under the gate, read by the main loop. */
struct stream_counters {
	atomic_uint_least64_t position;		/* frames, as the guest was told */
	atomic_uint_least64_t underruns;	/* times the ring ran empty while running */
	atomic_uint_least64_t events;		/* positions posted */
	atomic_uint_least64_t coalesced;	/* positions that found the event page full */
	atomic_uint_least64_t refused;		/* requests answered with an error */
	atomic_uint_least64_t delayed;		/* requests that waited for the guest's budgets */
	atomic_bool fallback;			/* no graph: the fallback clock consumes */
};

struct stream;

/* Told in the guest thread after a stream was opened, after its state changed, and when
 * there are news of it that people may look at. */
struct stream_watcher {
	void (*changed)(struct stream_watcher *watcher, struct stream *stream);
	void (*read)(struct letter *letter);	/* main loop: a stream's letter, if it posts that */
};

struct stream {
	struct xen_snd_stream iface;		/* for the node: constant */
	struct stream_identity identity;	/* constant */
	struct latency latency;			/* constant: as it was at OPEN */
	bool capture;				/* constant */
	struct stream_watcher *watcher;		/* constant */
	atomic_uint refs;

	atomic_uint state;			/* enum stream_state; guest thread writes */
	atomic_bool linked;			/* main loop writes: all of the node's ports are */
	atomic_bool holds;			/* main loop writes: the clock is not to consume */
	atomic_flag gate;

	/* under the gate */
	uint8_t *data;				/* buffer_frames frames, the guest's */
	struct stream_events *events;
	struct position position;
	struct state_record *record;		/* of what is kept its moment; the rest: guest thread */
	bool lost;				/* it ran when its guest went */
	struct {				/* CLOCK_MONOTONIC ns */
		uint64_t from, to;		/* the time for which the clock consumed last */
	} by_clock;
	bool starving;
	uint8_t *held;				/* the frame taken ahead, see position_advance() */
	bool holding;				/* there is one */

	/* data thread writes */
	atomic_uint cycles;			/* that consumed something, free-running */
	atomic_uint_least64_t cycle_nsec;	/* length of the last */
	struct {				/* data thread only */
		uint64_t all, linked;		/* ns of cycles since the first, since `linked` */
	} settling;
	atomic_bool settled;			/* the node's links carry data */

	/* guest thread writes, main loop reads: what the guest has set */
	struct {
		atomic_int_least32_t volume;	/* 0.001 dB, 0 at most */
		atomic_bool mute;
	} channels[SPA_AUDIO_MAX_CHANNELS];

	/* guest thread */
	atomic_uint_least64_t filled;		/* frames; data thread reads */
	uint32_t anew;				/* frames from the ring's start on, written while paused */
	struct {
		uint32_t cycles;		/* when last looked at */
		uint64_t since;			/* CLOCK_MONOTONIC ns: when `cycles` last moved */
		uint64_t done;			/* frames that the clock consumed since `since` */
	} fallback;

	struct stream_counters counters;
	atomic_bool news;			/* guest thread sets: volume or `refused` has changed;
						 * main loop clears */

	struct letter letter;			/* the watcher's, to the main loop */
	void *node;				/* main loop */
	struct spa_latency_info behind;		/* main loop: of what the node is linked to */
};

/* What the guest thread knows of a stream that is opened, and the stream then has. */
struct stream_config {
	const struct stream_identity *identity;
	const struct xen_snd_geometry *geometry;
	const struct latency *latency;
	bool capture;
	void *data;				/* the mapped pages of the ring */
	struct stream_events *events;
	struct stream_watcher *watcher;
	struct state_record *record;		/* or NULL */
};

/* Open a stream. It has one reference, the caller's, who tells the watcher. NULL
 * with errno. */
struct stream *stream_open(const struct stream_config *config);

/* Go on with the one in the record. EINVAL: what it says can't be. */
struct stream *stream_resume(const struct stream_config *config);

/* Guest thread: no one touches the pages, the events or the record after this. */
void stream_close(struct stream *stream);

/* Guest thread: the same, when the guest has gone without a CLOSE. */
void stream_lose(struct stream *stream);

/* Guest thread: the same, but the guest does not notice, and the record is left for
 * a backend that resumes the stream. */
void stream_leave(struct stream *stream);

struct stream *stream_ref(struct stream *stream);
void stream_unref(struct stream *stream);

/* Guest thread. `type` is enum wire_trigger. -EINVAL for another. */
int stream_trigger(struct stream *stream, uint32_t type);

/* Guest thread, for dialects without a trigger: data for `offset` frames into the
 * ring follows. Starts the stream there, the first time and when it has run dry. */
void stream_start_at(struct stream *stream, uint32_t offset);

/* Guest thread: `length` frames at `offset` of the ring are valid now. Both are
 * in the ring. */
void stream_write(struct stream *stream, uint32_t offset, uint32_t length);

/* Guest thread: the guest's own volume of a channel, in sndif's 0.001 dB, 0 at most;
 * and its own mute. Heard after stream_apply_volume(). */
void stream_set_volume(struct stream *stream, uint32_t channel, int32_t volume);
void stream_set_mute(struct stream *stream, uint32_t channel, bool mute);
void stream_apply_volume(struct stream *stream);

/* Guest thread: a request was refused. */
void stream_refused(struct stream *stream);

/* Main loop: what there is to tell of it is about to be told. */
void stream_news_are_told(struct stream *stream);

/* Main loop, when it was opened: what the rules say of a capture stream. One that was
 * switched since, by a backend before us, too, stays as it is. */
void stream_permit(struct stream *stream, bool allowed);

/* Any thread. */
bool stream_may_hear(const struct stream *stream);

/* Guest thread, while RUNNING: consume by the clock if no graph does. Returns the
 * nanoseconds after which it wants to be called again. `now`: CLOCK_MONOTONIC. */
uint64_t stream_tick(struct stream *stream, uint64_t now);

#endif /* XEN_SND_STREAM_H */
