/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The last refusals, see refusals.h. */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "refusals.h"

#define TELL_NSEC	SPA_NSEC_PER_SEC

void refusals_tell(struct refusals *refusals)
{
	char keys[REFUSALS_SHOWN][sizeof(KEY_XEN_REFUSALS".4294967295")];
	char texts[REFUSALS_SHOWN][REFUSAL_SIZE];
	struct spa_dict_item items[REFUSALS_SHOWN];
	uint32_t i, n;

	pthread_mutex_lock(&refusals->lock);
	n = refusals->n_last;
	for (i = 0; i < n; i++)
		memcpy(texts[i], refusals->last[i].text, REFUSAL_SIZE);
	pthread_mutex_unlock(&refusals->lock);

	for (i = 0; i < n; i++) {
		snprintf(keys[i], sizeof(keys[i]), KEY_XEN_REFUSALS".%"PRIu32, i);
		items[i] = SPA_DICT_ITEM_INIT(keys[i], texts[i]);
	}
	if (n > 0)
		refusals->publish(refusals->data, &SPA_DICT_INIT(items, n));
}

static void on_timer(void *data, uint64_t expirations)
{
	struct refusals *refusals = data;

	refusals->armed = false;
	refusals->next = clock_now() + TELL_NSEC;
	refusals_tell(refusals);
}

static void on_event(void *data, uint64_t count)
{
	struct refusals *refusals = data;
	uint64_t now = clock_now();

	if (refusals->armed)
		return;
	refusals->armed = true;
	clock_fire_after(refusals->loop, refusals->timer, refusals->next > now ?
			refusals->next - now : 1);
}

/* Of the list: how many are the domain's? */
static uint32_t count_of(const struct refusals *refusals, uint32_t domid)
{
	uint32_t i, n = 0;

	for (i = 0; i < refusals->n_last; i++)
		n += refusals->last[i].domid == domid;
	return n;
}

/* Which is to go: the oldest of whoever has most, counting the one that comes. */
static uint32_t find_victim(const struct refusals *refusals, uint32_t domid)
{
	uint32_t i, n, most = 0, victim = 0;

	for (i = 0; i < refusals->n_last; i++) {
		n = count_of(refusals, refusals->last[i].domid);
		if (refusals->last[i].domid == domid)
			n++;
		if (n > most) {
			most = n;
			victim = i;
		}
	}
	return victim;
}

static bool insert(struct refusals *refusals, const struct refusal *new)
{
	uint32_t i;

	for (i = 0; i < refusals->n_last; i++) {
		if (refusals->last[i].domid == new->domid &&
		    strcmp(refusals->last[i].text, new->text) == 0)
			return false;
	}
	if (refusals->n_last == REFUSALS_SHOWN) {
		i = find_victim(refusals, new->domid);
		refusals->n_last--;
		memmove(&refusals->last[i], &refusals->last[i + 1],
				(refusals->n_last - i) * sizeof(refusals->last[0]));
	}
	refusals->last[refusals->n_last++] = *new;
	return true;
}

void refusals_add(struct refusals *refusals, uint32_t domid, const char *format, ...)
{
	struct refusal new = { .domid = domid };
	va_list args;
	bool is_new;

	if (refusals == NULL)
		return;
	va_start(args, format);
	vsnprintf(new.text, sizeof(new.text), format, args);
	va_end(args);
	pthread_mutex_lock(&refusals->lock);
	is_new = insert(refusals, &new);
	pthread_mutex_unlock(&refusals->lock);
	if (is_new)
		pw_loop_signal_event(refusals->loop, refusals->event);
}

int refusals_init(struct refusals *refusals, struct pw_loop *loop,
		void (*publish)(void *data, const struct spa_dict *props), void *data)
{
	*refusals = (struct refusals) { .loop = loop, .publish = publish, .data = data };
	pthread_mutex_init(&refusals->lock, NULL);
	refusals->event = pw_loop_add_event(loop, on_event, refusals);
	refusals->timer = pw_loop_add_timer(loop, on_timer, refusals);
	if (refusals->event == NULL || refusals->timer == NULL) {
		int res = -errno;
		refusals_clear(refusals);
		return res;
	}
	return 0;
}

void refusals_clear(struct refusals *refusals)
{
	if (refusals->event)
		pw_loop_destroy_source(refusals->loop, refusals->event);
	if (refusals->timer)
		pw_loop_destroy_source(refusals->loop, refusals->timer);
	refusals->event = refusals->timer = NULL;
	pthread_mutex_destroy(&refusals->lock);
}
