/* SPDX-License-Identifier: MIT */
/*
 * The statements of the model frontend's scripts, one a line:
 *
 *   card D KEY=VALUE..   pcm D/P KEY=VALUE..   stream D/P/S KEY=VALUE..
 *       what the toolstack writes into XenStore, before `attach`
 *   attach D | hotplug D | detach D | destroy | crash
 *       the toolstack; `attach` is `xl create`, where the guest starts after state 2
 *   connect D | unload D | reload D | shutdown D
 *       the guest's driver
 *   kexec D             another kernel takes over, in the midst of all: XenBus is reset, then
 *                       its driver comes up
 *   open S | prepare S [events=0] | start S | drop S | drain S | suspend S | hw_free S | close S
 *   hw_params S rate= format= channels= period= buffer=      (frames)
 *   play S frames= [start=] [chunk=] [sequence=1 | value=] [silence=] [xruns=0]
 *       the pattern, or the numbered sequence in the stream's format, or samples of one value,
 *       in S16_LE; an xrun is recovered as aplay does. With silence= so many frames of it are filled in ahead, before each chunk.
 *       With xruns=0 an xrun is a violation
 *   capture S frames= file= [chunk=] [xruns=0]     a % in the name becomes D-P-S
 *   moving S [ms=]                        wait until it runs and its position moves
 *   move S frames=                         rewind (negative) or forward
 *   rewrite S start=                       all that is queued, by the pattern; says when and what
 *   queries S count=                       HW_PARAM_QUERY so often, and how long it takes
 *   xrun S ms=                             wait for one
 *   request S op= [offset= length= type= rate= format= channels= buffer= period= gref=]
 *           [status=]                      any request, values in octets
 *   cells S NUMBER.. | expect-cells S NUMBER..
 *       32-bit numbers at the start of the stream's buffer, as volume requests use them
 *   hold-events S | release-events S      as if the guest did not run meanwhile
 *   store-restarted     xenstored was started anew, its content is back: the domain is made
 *                       known to it, and everything is watched again
 *   times N FILE        the statements in FILE, over and over
 *   sleep ms= | sh COMMAND | map-delay ms= | say WORDS | balance
 *   expect NAME STATEMENT                  the statement fails with this errno
 *   time NAME STATEMENT                    how long it takes is a figure
 *   retry STATEMENT                        once more if it fails
 *   STATEMENT &  and  wait                 as in a shell
 *   STATEMENT then STATEMENT               the second if the first does not fail
 *   in-turn STATEMENT                      one stream after the other, not all at once
 *   mark WORDS                             begin each violation from now on
 *
 *   Instead of a stream S, D/@p D/@c and D/@ are all streams of card D that play, that
 *   capture, or both: the statement runs on all of them at once, and it is no failure of the
 *   script if it fails on one, only a violation of that stream's.
 */
#ifndef MODEL_FRONTEND_SCRIPT_H
#define MODEL_FRONTEND_SCRIPT_H

#include "card.h"
#include "toolstack.h"

#define MAX_CARDS 8
#define MAX_SETTINGS 256

struct guest {
	struct domain domain;
	struct toolstack toolstack;
	const struct dialect *dialect;
	enum generation generation;
	uint32_t domid;
	bool created;
	bool destroyed;
	bool attached[MAX_CARDS];
	struct card cards[MAX_CARDS];
	struct setting settings[MAX_SETTINGS];
	uint32_t n_settings;
};

/** run all lines; stops at the first that does not do what it should */
int script_run(struct guest *g, char *text);
/** whatever is still there ends as `xl destroy` ends it, and nothing may remain */
void script_finish(struct guest *g);

#endif
