/* SPDX-License-Identifier: MIT */
/*
 * Positions of one substream: from a CUR_POS event to a wake-up, an xrun or the end of a
 * drain. Between pcm.c and the files that move its pointers.
 */
#ifndef MODEL_FRONTEND_POINTER_H
#define MODEL_FRONTEND_POINTER_H

#include "pcm.h"

/** the driver's handler of CUR_POS; runs on the event thread with evt_mutex held */
void pointer_on_position(void *data, uint64_t octets, uint64_t ns);
/** read the driver's pointer, outside an interrupt; with the stream lock held */
int pointer_update(struct pcm *p);
/** the pointer moved: an xrun, the end of a drain, or somebody to wake; with the stream lock held */
int pointer_judge(struct pcm *p);
/** frames an application could transfer now; with the stream lock held */
int64_t pointer_avail(const struct pcm *p);

int pcm_start_locked(struct pcm *p, enum pcm_state state);
void pcm_stop_locked(struct pcm *p, enum pcm_state state);

#endif
