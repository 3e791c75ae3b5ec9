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
 *   open S | prepare S | start S | drop S | drain S | suspend S | hw_free S | close S
 *   hw_params S rate= format= channels= period= buffer=      (frames)
 *   play S frames= [start=] [chunk=]       the pattern; an xrun is recovered as aplay does
 *   capture S frames= file= [chunk=]
 *   xrun S ms=                             wait for one
 *   request S op= [offset= length= type= rate= format= channels= buffer= period= gref=]
 *           [status=]                      any request, values in octets
 *   cells S NUMBER.. | expect-cells S NUMBER..
 *       32-bit numbers at the start of the stream's buffer, as volume requests use them
 *   hold-events S | release-events S      as if the guest did not run meanwhile
 *   sleep ms= | sh COMMAND | map-delay ms= | say WORDS | balance
 *   expect NAME STATEMENT                  the statement fails with this errno
 *   retry STATEMENT                        once more if it fails
 *   STATEMENT &  and  wait                 as in a shell
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
