/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Who a stream is, see identity.h. */

#include <stdio.h>
#include <string.h>

#include <pipewire/keys.h>

#include "identity.h"
#include "names.h"

void identity_make_name(const struct stream_identity *id, char name[IDENTITY_NAME_SIZE])
{
	char *c;

	snprintf(name, IDENTITY_NAME_SIZE, "xen-snd.%s.%u.%u.%u", id->guest, id->device, id->pcm,
			id->stream);
	for (c = name; *c; c++) {
		if (strchr("-_.", *c) == NULL && !(*c >= '0' && *c <= '9') &&
		    !((*c | 0x20) >= 'a' && (*c | 0x20) <= 'z'))
			*c = '_';
	}
}

void identity_set(struct pw_properties *props, const struct stream_identity *id, bool capture)
{
	char name[IDENTITY_NAME_SIZE];

	identity_make_name(id, name);
	pw_properties_set(props, PW_KEY_NODE_NAME, name);
	pw_properties_set(props, PW_KEY_MEDIA_CLASS,
			capture ? "Stream/Input/Audio" : "Stream/Output/Audio");
	pw_properties_setf(props, KEY_XEN_DOMID, "%u", id->domid);
	pw_properties_set(props, KEY_XEN_GUEST_NAME, id->guest);
	pw_properties_set(props, KEY_XEN_GUEST_UUID, id->uuid);
	pw_properties_setf(props, KEY_XEN_DEVICE, "%u", id->device);
	pw_properties_setf(props, KEY_XEN_PCM, "%u", id->pcm);
	pw_properties_setf(props, KEY_XEN_STREAM, "%u", id->stream);
	pw_properties_set(props, KEY_XEN_DIRECTION, capture ? "capture" : "playback");
	pw_properties_set(props, KEY_XEN_CARD_LABEL, id->card_label);
	pw_properties_set(props, KEY_XEN_PCM_LABEL, id->pcm_label);
	pw_properties_set(props, KEY_XEN_UNIQUE_ID, id->unique_id);
	pw_properties_set(props, KEY_XEN_PROTOCOL, id->protocol);
}
