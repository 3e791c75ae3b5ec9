/* SPDX-License-Identifier: MIT */
/*
 * What applications do to a sound card, one function each. Each ends the program with
 * words if the card does not behave; what was heard is judged in Dom0.
 */
#ifndef XEN_SND_TEST_BEHAVIOURS_H
#define XEN_SND_TEST_BEHAVIOURS_H

#include "sound.h"

/** four times: run dry, prepare, write on */
void behave_xrun(struct sound *s);

/** twice: write no whole number of periods, and drain */
void behave_drain(struct sound *s);

/** write what is wrong, take it back in time, write what is right; and forward over it */
void behave_rewind(struct sound *s);

/** no stop threshold, all that was played becomes silence: run dry, catch up, write on */
void behave_silence(struct sound *s);

/** the kernel keeps a period of silence behind the data: run dry for less than that */
void behave_silence_ahead(struct sound *s);

/** hw_params with other sizes while prepared, without hw_free in between */
void behave_params_twice(struct sound *s);

/** go on after Dom0 has suspended the guest */
void behave_suspend(struct sound *s);

/** read, overrun and go on, drain and go on; what was read is in `file`.1, .2 and .3 */
void behave_capture(struct sound *s, const char *file);

#endif
