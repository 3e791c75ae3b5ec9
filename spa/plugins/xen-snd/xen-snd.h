/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The interface between a guest's stream and the node that plays or records it.
 *
 * A stream exists from OPEN to CLOSE. Who makes the node hands the stream over
 * in the factory's info dict as XEN_SND_KEY_STREAM = "pointer:%p" and keeps it
 * alive until the node is gone. */

#ifndef XEN_SND_H
#define XEN_SND_H

#include <spa/utils/hook.h>
#include <spa/param/audio/raw.h>
#include <spa/param/latency.h>

#define XEN_SND_TYPE_STREAM	"Spa:Pointer:Interface:XenSnd:Stream"
#define XEN_SND_VERSION_STREAM	1

#define XEN_SND_KEY_STREAM	"api.xen-snd.stream"
#define XEN_SND_KEY_FADE	"xen.fade"	/* "true": a guest that starves decays, too */

/* "true": a capture stream hears what the graph has for it, else silence. What rules set,
 * what the node's Props switch, and what the node's properties show. */
#define XEN_SND_KEY_CAPTURE_ALLOWED	"xen.capture.allowed"

/* Frames at least between two events, 0: each cycle of the graph has one. A guest is woken
 * at the end of each of its periods all the same. */
#define XEN_SND_KEY_EVENTS_INTERVAL	"xen.events.interval"
#define XEN_SND_MAX_EVENTS_INTERVAL	10000000

/* Milliseconds that a cycle of the graph is to last at least, as far as the guest's period
 * lets it. */
#define XEN_SND_KEY_LATENCY_MIN	"xen.latency.min"
#define XEN_SND_MAX_LATENCY_MIN	10000

/* factory names */
#define XEN_SND_NAME_SOURCE	"api.xen-snd.pcm.source"	/* guest playback into the graph */
#define XEN_SND_NAME_SINK	"api.xen-snd.pcm.sink"		/* graph into guest capture */

/* Constant from OPEN to CLOSE. */
struct xen_snd_geometry {
	uint32_t format;		/* enum spa_audio_format in the graph, interleaved */
	uint32_t guest_format;		/* in the guest's ring: the same, or of a kin with
					 * another sign or order of octets */
	uint32_t rate;			/* Hz */
	uint32_t channels;		/* 1..SPA_AUDIO_MAX_CHANNELS */
	uint32_t position[SPA_AUDIO_MAX_CHANNELS];
	uint32_t frame_size;		/* octets */
	uint32_t buffer_frames;		/* the guest's ring */
	uint32_t period_frames;		/* 0: the guest asked for no events */
};

/* A run of frames in the guest's ring. NULL data: silence, nothing to read there. */
struct xen_snd_span {
	void *data;
	uint32_t frames;
};

/* A cycle of the graph, as its driver sees it. */
struct xen_snd_cycle {
	uint64_t nsec;			/* CLOCK_MONOTONIC when it was due; 0: not known */
	uint64_t length;		/* ns; 0: not known */
};

/* one held back, two for a ring that wraps, one of silence */
#define XEN_SND_MAX_SPANS	4

/* What the guest makes of its own volume, 0.0 to 1.0 a channel. Guest thread writes:
 * the gains, then the serial; the node ramps to them. */
struct xen_snd_gains {
	_Atomic uint32_t serial;
	_Atomic float channel[SPA_AUDIO_MAX_CHANNELS];
};

/* What a capture stream may: nothing, until it is said that it may. */
#define XEN_SND_MAY_HEAR	(1u << 0)	/* what the graph has for it, else silence */
#define XEN_SND_SWITCHED	(1u << 1)	/* by the node's Props: rules have no say any more */

struct xen_snd_stream {
	struct spa_interface iface;		/* XEN_SND_TYPE_STREAM */
	struct xen_snd_geometry geometry;
	struct xen_snd_gains gains;
	/* main thread writes, any reads */
	_Atomic uint32_t permission;
	_Atomic uint32_t events_interval;	/* frames */
	_Atomic uint32_t latency_min;		/* microseconds */
};

struct xen_snd_stream_methods {
#define XEN_SND_VERSION_STREAM_METHODS	0
	uint32_t version;

	/* Data thread, as release. Both are realtime safe: no lock, no allocation, no
	 * system call but the one notification of the guest. */

	/* Get at the next `frames` frames of the ring for a cycle of the graph.
	 * Returns the number of spans, which add up to `frames`.
	 * -EAGAIN: the guest's stream does not run (now), or must not hear the input;
	 * deliver silence, drop input, and do not release.
	 * -ENODEV: the same, since the guest has gone in the middle of its sound. */
	int (*acquire) (void *object, uint32_t frames, const struct xen_snd_cycle *cycle,
			struct xen_snd_span spans[XEN_SND_MAX_SPANS]);

	/* The `frames` acquired went through: moves the guest's position on
	 * and tells the guest. */
	void (*release) (void *object, uint32_t frames);

	/* Main thread: from now until the guest closes it, may the stream hear? */
	void (*allow) (void *object, bool allowed);

	/* Main thread: the latency of what the node is linked to has changed. */
	void (*tell_latency) (void *object, const struct spa_latency_info *info);
};

/* Every version has all of them: who takes a stream has looked at its version. */
static inline const struct xen_snd_stream_methods *xen_snd_stream_methods(
		const struct xen_snd_stream *stream)
{
	return stream->iface.cb.funcs;
}

static inline int xen_snd_stream_acquire(struct xen_snd_stream *stream, uint32_t frames,
		const struct xen_snd_cycle *cycle, struct xen_snd_span spans[XEN_SND_MAX_SPANS])
{
	return xen_snd_stream_methods(stream)->acquire(stream->iface.cb.data, frames, cycle, spans);
}

static inline void xen_snd_stream_release(struct xen_snd_stream *stream, uint32_t frames)
{
	xen_snd_stream_methods(stream)->release(stream->iface.cb.data, frames);
}

static inline void xen_snd_stream_allow(struct xen_snd_stream *stream, bool allowed)
{
	xen_snd_stream_methods(stream)->allow(stream->iface.cb.data, allowed);
}

static inline void xen_snd_stream_tell_latency(struct xen_snd_stream *stream,
		const struct spa_latency_info *info)
{
	xen_snd_stream_methods(stream)->tell_latency(stream->iface.cb.data, info);
}

#endif /* XEN_SND_H */
