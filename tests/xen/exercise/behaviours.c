/* SPDX-License-Identifier: MIT */
/*
 * What applications do to a sound card, see behaviours.h.
 */
#include <stdio.h>

#include "behaviours.h"
#include "pattern.h"

#define PATIENCE 10.0
#define BLOCK 1024u

/* Until ALSA says that the buffer ran empty, which must not be before it did. */
static void run_dry(struct sound *s)
{
	double left = (double)((int64_t)s->put - s->position) / SOUND_RATE, from = now();
	double early = 2.0 * 2048 / SOUND_RATE;	/* a quantum is taken at once */

	while (sound_look(s) != -EPIPE) {
		if (now() > from + left + PATIENCE)
			fail("no underrun");
		nap(5);
	}
	if (now() < from + left - early)
		fail("an underrun %.3f s before the end", from + left - now());
	if (snd_pcm_state(s->pcm) != SND_PCM_STATE_XRUN)
		fail("the state is %s in an underrun", snd_pcm_state_name(snd_pcm_state(s->pcm)));
}

void behave_xrun(struct sound *s)
{
	for (unsigned int i = 1; i <= 4; i++) {
		/* not in step with the quantum: it ends anywhere in the buffer */
		sound_write(s, s->buffer + 1001 * i);
		run_dry(s);
		sound_prepare(s);
	}
	sound_write(s, 3 * s->buffer + 1);
	sound_drain(s);
}

void behave_drain(struct sound *s)
{
	sound_write(s, 3 * s->buffer + s->period / 3);
	sound_drain(s);
	sound_prepare(s);
	sound_write(s, s->period / 5);		/* starts with the drain */
	sound_drain(s);
	sound_prepare(s);
	sound_write(s, s->buffer);		/* ends with the buffer */
	sound_drain(s);
}

void behave_rewind(struct sound *s)
{
	const snd_pcm_uframes_t half = s->buffer / 2, part = s->buffer / 4;

	sound_write(s, half);
	sound_write_wrong(s, half);
	sound_rewind(s, half);
	sound_write(s, half);
	for (unsigned int i = 0; i < 12; i++) {
		sound_wait(s, half);
		sound_write(s, part);
		sound_write_wrong(s, part);
		nap(10);
		sound_rewind(s, part);
		sound_write(s, part);
		sound_rewind(s, part + 7);
		sound_forward(s, part + 7);
	}
	sound_drain(s);
}

static void set_silence(struct sound *s, bool all)
{
	snd_pcm_sw_params_t *sw;
	snd_pcm_uframes_t boundary;

	snd_pcm_sw_params_alloca(&sw);
	must(snd_pcm_sw_params_current(s->pcm, sw), "sw_params_current");
	must(snd_pcm_sw_params_get_boundary(sw, &boundary), "boundary");
	must(snd_pcm_sw_params_set_stop_threshold(s->pcm, sw, boundary), "stop threshold");
	must(snd_pcm_sw_params_set_silence_threshold(s->pcm, sw, all ? 0 : s->period),
			"silence threshold");
	must(snd_pcm_sw_params_set_silence_size(s->pcm, sw, all ? boundary : s->period),
			"silence size");
	must(snd_pcm_sw_params(s->pcm, sw), "sw_params");
	s->runs_on = true;
}

/* Write on as far ahead of where the card is by now. */
static void catch_up(struct sound *s, snd_pcm_uframes_t ahead)
{
	snd_pcm_sframes_t avail = sound_look(s);

	must((int)avail, "catching up");
	sound_forward(s, (snd_pcm_uframes_t)avail - s->buffer + ahead);
}

/* Run dry until the position is `late` frames past the data, and go on; three times. */
static void be_late(struct sound *s, snd_pcm_uframes_t late, snd_pcm_uframes_t ahead)
{
	for (unsigned int i = 0; i < 3; i++) {
		sound_write(s, s->buffer + 1001);
		sound_wait(s, s->buffer + late);
		if (snd_pcm_state(s->pcm) != SND_PCM_STATE_RUNNING)
			fail("the state is %s without a stop threshold",
					snd_pcm_state_name(snd_pcm_state(s->pcm)));
		catch_up(s, ahead);
	}
	sound_write(s, 2 * s->buffer);
	sound_drain(s);
}

void behave_silence(struct sound *s)
{
	set_silence(s, true);
	/* once around and more: what was played must not be heard again */
	be_late(s, s->buffer + s->period, s->period);
}

void behave_silence_ahead(struct sound *s)
{
	set_silence(s, false);
	/* there is a period of silence behind the data, and no more */
	be_late(s, 1, s->period / 2);
}

void behave_params_twice(struct sound *s)
{
	sound_overrule_params(s, 4 * s->period, s->period / 2);
	sound_overrule_params(s, 3 * s->period, s->period);
	sound_set_params(s, s->buffer / 2 * 3, s->period / 2 * 3);
	sound_set_params(s, s->buffer / 3 * 2, s->period / 3 * 2);
	sound_write(s, 4 * s->buffer + 5);
	sound_drain(s);
}

/* Until the position moves no more, which an application sees as ESTRPIPE. */
static void await_suspend(struct sound *s)
{
	double until = now() + 60;
	snd_pcm_sframes_t avail;

	while ((avail = sound_look(s)) != -ESTRPIPE) {
		must((int)avail, "waiting to be suspended");
		if (now() > until)
			fail("the guest was not suspended");
		if (avail >= (snd_pcm_sframes_t)s->period)
			sound_write(s, s->period);
		else
			nap(5);
	}
}

void behave_suspend(struct sound *s)
{
	int res;

	sound_write(s, s->buffer);
	puts("playing");
	fflush(stdout);
	await_suspend(s);
	res = snd_pcm_resume(s->pcm);
	if (res != -ENOSYS)
		fail("resume returned %d, the driver has none", res);
	sound_prepare(s);
	s->next = 5000000;	/* what was in the buffer is lost */
	sound_write(s, 3 * s->buffer);
	sound_drain(s);
}

/* true if anything was heard in them */
static bool read_frames(struct sound *s, FILE *file, snd_pcm_uframes_t frames)
{
	uint8_t data[BLOCK * SOUND_FRAME];
	snd_pcm_sframes_t done;

	if (frames > BLOCK)
		frames = BLOCK;
	done = snd_pcm_readi(s->pcm, data, frames);
	must((int)done, "read");
	s->put += (snd_pcm_uframes_t)done;
	if (fwrite(data, SOUND_FRAME, (size_t)done, file) != (size_t)done)
		fail("cannot write the file: %m");
	for (snd_pcm_sframes_t i = 0; i < done; i++)
		if (!pattern_is_silent(data + i * SOUND_FRAME, SOUND_CHANNELS))
			return true;
	return false;
}

/* A second of sound, whenever it begins, to the file "NAME.NUMBER". */
static void read_some(struct sound *s, const char *name, int number)
{
	double until = now() + 30;
	unsigned int heard = 0;
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s.%d", name, number);
	file = fopen(path, "wb");
	if (file == NULL)
		fail("%s: %m", path);
	while (heard < SOUND_RATE) {
		if (read_frames(s, file, BLOCK))
			heard += BLOCK;
		else if (now() > until)
			fail("nothing is heard");
		must((int)sound_look(s), "reading");
	}
	if (fclose(file) != 0)
		fail("%s: %m", path);
	s->next += heard;
}

static void overrun(struct sound *s)
{
	double until = now() + PATIENCE;

	while (sound_look(s) != -EPIPE) {
		if (now() > until)
			fail("no overrun");
		nap(5);
	}
	sound_prepare(s);
}

/* Since 4.12 Linux lets nobody read what is left in a drained capture. */
static void drain_capture(struct sound *s)
{
	uint8_t frame[SOUND_FRAME];
	snd_pcm_sframes_t res;

	sound_wait(s, s->buffer / 2);
	must(snd_pcm_drain(s->pcm), "drain");
	if (snd_pcm_state(s->pcm) != SND_PCM_STATE_DRAINING)
		fail("the state is %s after the drain", snd_pcm_state_name(snd_pcm_state(s->pcm)));
	if (snd_pcm_avail_update(s->pcm) < (snd_pcm_sframes_t)s->buffer / 2)
		fail("%ld frames are left after the drain", snd_pcm_avail_update(s->pcm));
	res = snd_pcm_readi(s->pcm, frame, 1);
	if (res != -EBADFD)
		fail("a drained capture can be read (%ld): then test what is read", res);
	must(snd_pcm_drop(s->pcm), "drop");
	sound_prepare(s);
}

void behave_capture(struct sound *s, const char *file)
{
	must(snd_pcm_start(s->pcm), "start");
	puts("capturing");
	fflush(stdout);
	read_some(s, file, 1);
	overrun(s);
	read_some(s, file, 2);
	drain_capture(s);
	read_some(s, file, 3);
	must(snd_pcm_drop(s->pcm), "drop");
}
