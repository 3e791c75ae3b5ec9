/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The properties of a stream's node that are ours. They are what rules match,
 * people read and scripts parse: never renamed. */

#ifndef XEN_SND_NAMES_H
#define XEN_SND_NAMES_H

/* constant */
#define KEY_XEN_DOMID		"xen.domid"
#define KEY_XEN_GUEST_NAME	"xen.guest.name"	/* the domain's name in Dom0 */
#define KEY_XEN_GUEST_UUID	"xen.guest.uuid"
#define KEY_XEN_DEVICE		"xen.device"		/* vsnd devid */
#define KEY_XEN_PCM		"xen.pcm"
#define KEY_XEN_STREAM		"xen.stream"
#define KEY_XEN_DIRECTION	"xen.direction"		/* playback or capture */
#define KEY_XEN_CARD_LABEL	"xen.card.label"	/* the guest's words */
#define KEY_XEN_PCM_LABEL	"xen.pcm.label"
#define KEY_XEN_UNIQUE_ID	"xen.unique-id"
#define KEY_XEN_PROTOCOL	"xen.protocol"		/* sndif's version: 1, 2-rfc or 2 */
#define KEY_XEN_FORMAT		"xen.format"		/* of its samples in the guest's ring */
#define KEY_XEN_RATE		"xen.rate"		/* Hz */
#define KEY_XEN_CHANNELS	"xen.channels"
#define KEY_XEN_BUFFER		"xen.buffer"		/* frames */
#define KEY_XEN_PERIOD		"xen.period"		/* frames */

/* what rules set: the guest's unique-id, in snd_be's syntax, directs the stream */
#define KEY_XEN_UNIQUE_ID_HONOURED "xen.unique-id.honoured"

/* what rules set: what becomes of a stream that no graph consumes, consume or hold */
#define KEY_XEN_WITHOUT_GRAPH	"xen.without-graph"

/* what rules set: the latency that a stream may have at most, in ms; what happens then */
#define KEY_XEN_LATENCY_MAX	"xen.latency.max"
#define KEY_XEN_LATENCY_POLICY	"xen.latency.policy"	/* refuse or flag */

/* changing, at most once a second */
#define KEY_XEN_LATENCY_RING	"xen.latency.ring"	/* frames, as the next three */
#define KEY_XEN_LATENCY_QUANTUM	"xen.latency.quantum"
#define KEY_XEN_LATENCY_CONVERTER "xen.latency.converter"
#define KEY_XEN_LATENCY_DEVICE	"xen.latency.device"	/* or "unknown" */
#define KEY_XEN_LATENCY_FRAMES	"xen.latency.frames"	/* their sum */
#define KEY_XEN_LATENCY_MSEC	"xen.latency.ms"	/* the same in ms */
#define KEY_XEN_LATENCY_EXCEEDED "xen.latency.exceeded"	/* why; "": it is not */
#define KEY_XEN_STATE		"xen.state"		/* prepared, running or paused */
#define KEY_XEN_QUANTUM		"xen.quantum"		/* frames of the stream in the last cycle */
#define KEY_XEN_POSITION	"xen.position"		/* frames since OPEN */
#define KEY_XEN_FILL		"xen.fill"		/* frames in the ring, playback */
#define KEY_XEN_UNDERRUNS	"xen.underruns"
#define KEY_XEN_EVENTS		"xen.events"
#define KEY_XEN_COALESCED	"xen.events.coalesced"
#define KEY_XEN_REFUSED		"xen.requests.refused"
#define KEY_XEN_DELAYED		"xen.requests.delayed"
#define KEY_XEN_VOLUME		"xen.volume"		/* the guest's own, dB a channel */
#define KEY_XEN_MUTE		"xen.mute"		/* the guest's own, a channel */
#define KEY_XEN_FALLBACK	"xen.fallback-clock"	/* true: no graph consumes */

/* of the daemon's client, or of the module in PipeWire: what was refused to whom, the
 * newest last; followed by a dot and a number from 0 on */
#define KEY_XEN_REFUSALS	"xen.refused"
#define REFUSALS_SHOWN		8

#endif /* XEN_SND_NAMES_H */
