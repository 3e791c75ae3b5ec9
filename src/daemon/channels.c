/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Handles for event channels, see channels.h. */

#include <stdatomic.h>

#include "channels.h"
#include "log.h"

/* A kernel that is too old for it (before 4.14) only loses that belt. */
static void tell_once(void)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&told))
		pw_log_debug("event channels not restricted to their guests: %m");
}

xenevtchn_handle *channels_open(uint32_t domid, struct xentoollog_logger *logger)
{
	xenevtchn_handle *handle = xenevtchn_open(logger, 0);

	if (handle && xenevtchn_restrict(handle, domid) < 0)
		tell_once();
	return handle;
}
