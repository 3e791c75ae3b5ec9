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
	char keys[REFUSALS_SHOWN][sizeof(KEY_XEN_REFUSALS) + 8];
	char texts[REFUSALS_SHOWN][REFUSAL_SIZE];
	struct spa_dict_item items[REFUSALS_SHOWN];
	uint64_t first, i, n;

	pthread_mutex_lock(&refusals->lock);
	n = SPA_MIN(refusals->count, (uint64_t)REFUSALS_SHOWN);
	first = refusals->count - n;
	for (i = 0; i < n; i++)
		memcpy(texts[i], refusals->texts[(first + i) % REFUSALS_SHOWN], REFUSAL_SIZE);
	pthread_mutex_unlock(&refusals->lock);

	for (i = 0; i < n; i++) {
		snprintf(keys[i], sizeof(keys[i]), KEY_XEN_REFUSALS".%"PRIu64, i);
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

void refusals_add(struct refusals *refusals, const char *format, ...)
{
	char text[REFUSAL_SIZE];
	va_list args;
	bool is_new;

	if (refusals == NULL)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pthread_mutex_lock(&refusals->lock);
	/* a frontend tries again and again */
	is_new = refusals->count == 0 ||
		strcmp(refusals->texts[(refusals->count - 1) % REFUSALS_SHOWN], text) != 0;
	if (is_new)
		memcpy(refusals->texts[refusals->count++ % REFUSALS_SHOWN], text, sizeof(text));
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
