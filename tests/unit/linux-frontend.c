/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* A model of Linux's sound driver, see linux-frontend.h. */

#include "linux-frontend.h"
#include "test.h"

static uint32_t *in_cons(struct linux_frontend *fe)
{
	return (uint32_t *)fe->page;
}

static uint32_t in_prod(const struct linux_frontend *fe)
{
	return ((const uint32_t *)fe->page)[1];
}

void linux_init(struct linux_frontend *fe, enum linux_generation generation, void *page)
{
	*fe = (struct linux_frontend) { .generation = generation, .page = page, .packet = 64 };
	memset(page, 0, 4096);
}

void linux_clear(struct linux_frontend *fe)
{
	fe->told = 0;
	fe->hw_ptr = 0;
	fe->out_frames = 0;
	if (fe->generation == LINUX_NEWER) {
		fe->id = 0;
		*in_cons(fe) = in_prod(fe);
	}
}

void linux_set_geometry(struct linux_frontend *fe, uint32_t buffer, uint32_t period,
		uint32_t frame_size)
{
	linux_clear(fe);
	fe->buffer = buffer;
	fe->period = period;
	fe->frame_size = frame_size;
}

void linux_free(struct linux_frontend *fe)
{
	linux_clear(fe);
	fe->buffer = fe->period = fe->frame_size = 0;
}

void linux_position(struct linux_frontend *fe, uint64_t position)
{
	uint64_t delta = position - fe->told;

	check(fe->buffer > 0);
	check(position >= fe->told);
	fe->told = position;
	fe->hw_ptr = (fe->hw_ptr + delta) % fe->buffer;
	fe->out_frames += delta;
	if (delta > 0)
		fe->accepted++;
	else
		fe->duplicates++;
	if (fe->out_frames > fe->period) {
		fe->out_frames %= fe->period;
		fe->wakes++;
	}
}

static void read_event(struct linux_frontend *fe, const uint8_t *event)
{
	uint64_t position;
	uint16_t id;

	memcpy(&id, event, sizeof(id));
	if (id != fe->id++)
		return;
	if (event[2] != 0)
		return;
	memcpy(&position, event + 8, sizeof(position));
	check(fe->frame_size > 0);
	check_eq(position % fe->frame_size, 0);
	linux_position(fe, position / fe->frame_size);
}

void linux_interrupt(struct linux_frontend *fe)
{
	/* the header is as large as a packet */
	uint32_t cons = *in_cons(fe), prod = in_prod(fe), slots = 4096 / fe->packet - 1;

	check(prod - cons <= slots);
	for (; cons != prod; cons++)
		read_event(fe, fe->page + (1 + cons % slots) * fe->packet);
	*in_cons(fe) = cons;
}
