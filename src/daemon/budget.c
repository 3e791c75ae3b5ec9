/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What one guest may take of Dom0, see budget.h. */

#include <errno.h>
#include <string.h>

#include "budget.h"
#include "number.h"

#define NSEC_PER_SEC	UINT64_C(1000000000)

/* Each is documented in man/libpipewire-module-xen-snd.7. Linux's driver waits 3 s for an
 * answer: what is least leaves it that, and what is normal none notices. */
const struct budget_info budget_infos[N_BUDGETS] = {
	/* key, normal, least, most, what, effect */
	[BUDGET_CARDS] = { "xen.max-cards", 8, 1, 64,
		"cards", "the card is refused" },
	[BUDGET_STREAMS] = { "xen.max-streams", 64, 1, 1024,
		"streams", "the card is refused" },
	[BUDGET_OCTETS] = { "xen.max-mapped", 67108864, 4096, 1073741824,
		"octets of open buffers", "OPEN is refused" },
	/* buffers of as many octets, and two pages for each stream of two full cards */
	[BUDGET_GRANTS] = { "xen.max-grants", 16640, 2, 1048576,
		"mapped pages", "OPEN, or the card, is refused" },
	[BUDGET_REQUESTS] = { "xen.max-requests", 10000, 100, 1000000,
		"requests a second", "they wait" },
	/* each stream of a guest that has as many as it may, at once */
	[BUDGET_OPENS] = { "xen.max-opens", 64, 1, 10000,
		"OPENs a second", "they wait, or are refused after 2 s" },
	[BUDGET_STATES] = { "xen.max-state-changes", 30, 1, 10000,
		"changes of state a second", "they are looked at once a second" },
	[BUDGET_IDLE_SIGNALS] = { "xen.max-idle-signals", 10, 1, 1000,
		"signals of a stream a second without a request", "the rest is not heard" },
	[BUDGET_LOG_LINES] = { "xen.max-log-lines", 10, 4, 10000,
		"lines of log a second", "the rest is only counted" },
};

void budgets_set_normal(struct budgets *budgets)
{
	uint32_t id;

	for (id = 0; id < N_BUDGETS; id++)
		budgets->of[id].limit = budget_infos[id].normal;
}

int budget_parse(const char *key, const char *value, enum budget_id *id, uint32_t *limit)
{
	uint32_t i;

	for (i = 0; i < N_BUDGETS; i++) {
		if (strcmp(budget_infos[i].key, key) != 0)
			continue;
		*id = i;
		if (number_parse(value, strlen(value), limit) < 0 || *limit < budget_infos[i].least ||
		    *limit > budget_infos[i].most)
			return -EINVAL;
		return 0;
	}
	return -ENOENT;
}

void budgets_set(struct budgets *budgets, const char *key, const char *value)
{
	enum budget_id id;
	uint32_t limit;

	if (budget_parse(key, value, &id, &limit) >= 0)
		budgets->of[id].limit = limit;
}

/* What is held. */

bool budget_take(struct budgets *budgets, enum budget_id id, uint32_t n)
{
	struct budget *b = &budgets->of[id];
	uint64_t held = atomic_load(&b->spent);

	do {
		if (held + n > b->limit)
			return false;
	} while (!atomic_compare_exchange_weak(&b->spent, &held, held + n));
	return true;
}

void budget_give(struct budgets *budgets, enum budget_id id, uint32_t n)
{
	atomic_fetch_sub(&budgets->of[id].spent, n);
}

uint64_t budget_held(const struct budgets *budgets, enum budget_id id)
{
	return atomic_load(&budgets->of[id].spent);
}

/* What is done. */

struct rate {
	uint64_t cost;			/* ns that one takes to come back */
	uint64_t room;			/* ns: so far may be borrowed, one at least */
};

/* A second's worth may come at once. Not so of log lines, of which no second may have
 * more: a few come back in it, and one each is left for saying that the rest is dropped
 * and, at the end, what was reached. */
static struct rate get_rate(const struct budgets *budgets, enum budget_id id)
{
	uint32_t limit = budgets->of[id].limit, back = limit, at_once = limit;
	uint64_t cost;

	if (id == BUDGET_LOG_LINES) {
		back = limit / 4;
		at_once = limit - back - 2;
	}
	cost = NSEC_PER_SEC / back;
	return (struct rate) { .cost = cost, .room = cost * at_once };
}

static uint64_t wait_for(const struct rate *rate, uint64_t full, uint64_t now)
{
	uint64_t end = (full > now ? full : now) + rate->cost;

	return end > now + rate->room ? end - now - rate->room : 0;
}

uint64_t budget_wait(const struct budgets *budgets, enum budget_id id, uint64_t now)
{
	const struct rate rate = get_rate(budgets, id);

	return wait_for(&rate, atomic_load(&budgets->of[id].spent), now);
}

uint64_t budget_spend(struct budgets *budgets, enum budget_id id, uint64_t now)
{
	const struct rate rate = get_rate(budgets, id);
	struct budget *b = &budgets->of[id];
	uint64_t full = atomic_load(&b->spent), wait;

	do {
		if ((wait = wait_for(&rate, full, now)) > 0)
			return wait;
	} while (!atomic_compare_exchange_weak(&b->spent, &full,
			(full > now ? full : now) + rate.cost));
	return 0;
}

bool budget_reach(struct budgets *budgets, enum budget_id id)
{
	return atomic_fetch_add(&budgets->of[id].reached, 1) == 0;
}

uint64_t budget_reached(const struct budgets *budgets, enum budget_id id)
{
	return atomic_load(&budgets->of[id].reached);
}

bool budgets_may_log(struct budgets *budgets, uint64_t now)
{
	if (budget_spend(budgets, BUDGET_LOG_LINES, now) == 0)
		return true;
	if (atomic_fetch_add(&budgets->dropped, 1) == 0 && budgets->on_dropped)
		budgets->on_dropped(budgets);
	return false;
}
