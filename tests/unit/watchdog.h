/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Proves that code is safe to run in a realtime thread: while the watchdog is let
 * loose, whatever calls the system, allocates or frees memory, or takes a lock ends
 * the process, and the page faults are counted.
 *
 * It can not be called off, and what it forbids it forbids a test, too. So code runs
 * under it in a process of its own, which tells by a word in shared memory how it
 * ended. */

#ifndef XEN_SND_WATCHDOG_H
#define XEN_SND_WATCHDOG_H

#include <stdint.h>

/* Run `func` and then return how it ended: "" well, or what went wrong first. */
const char *watchdog_run(void (*func)(void *data), void *data);

/* In `func`, when all is set up: from here on. */
void watchdog_loose(void);

/* Page faults of this thread. */
uint64_t watchdog_faults(void);

/* Ends `func`: does not return. (To say so to the compiler makes AddressSanitizer
 * call the system before.) */
void watchdog_bark(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif /* XEN_SND_WATCHDOG_H */
