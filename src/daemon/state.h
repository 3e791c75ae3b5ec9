/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The state file: what a backend has to know of the lines that the one before it
 * served, to go on with them where guests do not notice.
 *
 * A record for each connected line, in a file that is mapped. What was stored into
 * it is there after kill -9, without any system call; the file is locked, so that
 * two backends can't use it, and is of no use after a reboot.
 *
 * Functions take NULL for a record that there is not, because there is no file or
 * no room in it: then nothing is kept. */

#ifndef XEN_SND_STATE_H
#define XEN_SND_STATE_H

#include <stdatomic.h>

#include "limits.h"
#include "wire.h"

#define STATE_MAX_LINES		1024u
#define STATE_UUID_SIZE		96u		/* octets with the final NUL */

/* Which line of which domain, and what its frontend made for it: only a line that is
 * the same in all of this goes on with the record. No padding. */
struct state_key {
	char uuid[STATE_UUID_SIZE];
	uint32_t domid, device, pcm, stream;
	uint32_t dialect;			/* enum wire_dialect_id */
	uint32_t capture;
	uint32_t ring_ref, event_channel;
	uint32_t evt_ring_ref, evt_event_channel;
};

/* Constant from OPEN to CLOSE. No padding. */
struct state_opened {
	struct wire_open open;
	uint32_t base;				/* event_page.base */
};

/* What changes from one moment to the next, and belongs together. */
struct state_moment {
	uint64_t taken, posted;			/* struct position */
	uint32_t slip, pending;
	uint32_t produced;			/* event_page.produced */
	uint16_t run;				/* enum stream_state */
	uint16_t permission;			/* xen_snd_stream.permission */
};

struct state_volume {
	atomic_int_least32_t volume;		/* 0.001 dB */
	atomic_bool mute;
};

struct state_record {
	/* xenbus thread */
	atomic_uint used;			/* set last, cleared first */
	uint32_t key_sum;
	struct state_key key;

	/* guest thread, from line_connect() to line_disconnect() */
	atomic_uint is_open;			/* set last, cleared first */
	uint32_t opened_sum;
	struct state_opened opened;
	atomic_uint answered;			/* ring.answered */
	atomic_uint_least64_t filled;		/* stream.filled */
	struct state_volume volumes[LIMITS_MAX_CHANNELS];

	/* under the stream's gate: the one that `current` names is whole at any time */
	atomic_uint current;
	struct state_moment moments[2];
};

struct state;

/* Main loop. Open or make the file, and its directory. NULL with errno: EBUSY when
 * another process holds it, EPERM when it is not ours alone. What is damaged, of
 * another version or from before a reboot is thrown away. */
struct state *state_open(const char *path);

/* The records stay in the file. */
void state_close(struct state *state);

/* Xenbus thread, as all from here to state_sweep(). The record that a backend before
 * us left of this line, or NULL. */
struct state_record *state_find(struct state *state, const struct state_key *key);

/* An empty record, for a line that connects anew: others of this line are dropped. */
struct state_record *state_add(struct state *state, const struct state_key *key);

void state_drop(struct state *state, struct state_record *record);

/* All cards have been looked at: drop the records that nobody has found or added. */
void state_sweep(struct state *state);

/* Guest thread. */
void state_set_answered(struct state_record *record, uint32_t answered);

/* `opened`, with all that was set before: a stream is open. NULL: it is not. */
void state_set_opened(struct state_record *record, const struct state_opened *opened);

/* The stream that is open, or NULL. */
const struct state_opened *state_get_opened(const struct state_record *record);

void state_set_filled(struct state_record *record, uint64_t filled);
void state_set_volume(struct state_record *record, uint32_t channel, int32_t volume, bool mute);

/* Whoever holds the gate; realtime safe, and inline since each cycle of the graph does it.
 * Write what is next to state_next_moment(), all of it, then make it current: a kill leaves
 * the old moment or the new. */
static inline struct state_moment *state_next_moment(struct state_record *record)
{
	if (record == NULL)
		return NULL;
	return &record->moments[!atomic_load_explicit(&record->current, memory_order_relaxed)];
}

static inline void state_set_moment(struct state_record *record, const struct state_moment *moment)
{
	if (record == NULL)
		return;
	/* what a kill leaves half written is not the current one */
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&record->current, moment - record->moments, memory_order_release);
	/* and whatever is shown to the guest is so after it */
	atomic_signal_fence(memory_order_seq_cst);
}

struct state_moment state_get_moment(const struct state_record *record);

#endif /* XEN_SND_STATE_H */
