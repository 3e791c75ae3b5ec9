/* SPDX-License-Identifier: MIT */
/*
 * Substreams that get no events, for their dialect has none or OPEN asked for none: the
 * driver's pointer goes by the clock, and stays behind what the backend may have done.
 */
#ifndef MODEL_FRONTEND_TIMED_H
#define MODEL_FRONTEND_TIMED_H

#include "pcm.h"

/** all of these with the stream lock held, or before there is anybody else */

/** before OPEN: so that what the backend writes into a ring of capture can be found */
void timed_mark(struct pcm *p);
/** after START; for a capture that was started by OPEN, finds where the backend is */
int timed_start(struct pcm *p);
/** the backend has written into the ring since timed_mark() */
bool timed_has_moved(const struct pcm *p);
/** sleep a little without the lock, and move the pointer */
void timed_sleep(struct pcm *p);

#endif
