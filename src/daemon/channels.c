/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Handles for event channels, see channels.h. */

#include "channels.h"
#include "log.h"

xenevtchn_handle *channels_open(uint32_t domid, struct xentoollog_logger *logger)
{
	xenevtchn_handle *handle = xenevtchn_open(logger, 0);

	/* a kernel that is too old for it (before 4.14) only loses that belt */
	if (handle && xenevtchn_restrict(handle, domid) < 0)
		pw_log_debug("domain %u: its event channels are not restricted to it: %m", domid);
	return handle;
}
