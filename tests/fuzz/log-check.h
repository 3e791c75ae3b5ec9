/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A log in which every line must be fit to be read: no control character that a
 * guest could move a terminal's cursor or fake another line with. */

#ifndef XEN_SND_FUZZ_LOG_CHECK_H
#define XEN_SND_FUZZ_LOG_CHECK_H

/* Take the place of PipeWire's log, informational lines and all above. */
void log_check_start(void);

/* Lines since the last call. */
unsigned int log_check_lines(void);

#endif /* XEN_SND_FUZZ_LOG_CHECK_H */
