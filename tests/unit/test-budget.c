/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Budgets: what is held never exceeds its limit, what is done never its rate, and both
 * are there again when given back or when time goes by. */

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "budget.h"
#include "test.h"

#define SECOND	UINT64_C(1000000000)
#define NOW	(1000 * SECOND)

static struct budgets b;
static unsigned int told;

static void on_dropped(struct budgets *budgets)
{
	told++;
}

static void start(void)
{
	budgets_set_normal(&b);
	b.on_dropped = on_dropped;
}

TEST(each_budget_has_a_key_and_a_default_in_its_range)
{
	uint32_t id, limit, other;
	enum budget_id found;
	char value[16];

	for (id = 0; id < N_BUDGETS; id++) {
		const struct budget_info *info = &budget_infos[id];

		check(strncmp(info->key, BUDGET_PREFIX, strlen(BUDGET_PREFIX)) == 0);
		check(info->least > 0 && info->least <= info->normal && info->normal <= info->most);
		check(info->what != NULL && info->effect != NULL);
		snprintf(value, sizeof(value), "%u", info->most);
		check_eq(budget_parse(info->key, value, &found, &limit), 0);
		check_eq(found, id);
		check_eq(limit, info->most);
		for (other = 0; other < id; other++)
			check(strcmp(info->key, budget_infos[other].key) != 0);
	}
}

TEST(what_is_no_number_in_range_is_refused)
{
	static const char * const values[] = { "", " 1", "1 ", "-1", "+1", "0x10", "1e3", "9",
		"0", "65", "4294967297", "99999999999", "many" };
	enum budget_id id;
	uint32_t limit;
	size_t i;

	start();
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (strcmp(values[i], "9") == 0)
			continue;
		check_eq(budget_parse("xen.max-cards", values[i], &id, &limit), -EINVAL);
		budgets_set(&b, "xen.max-cards", values[i]);
		check_eq(b.of[BUDGET_CARDS].limit, 8);
	}
	budgets_set(&b, "xen.max-cards", "9");
	check_eq(b.of[BUDGET_CARDS].limit, 9);
	check_eq(budget_parse("xen.max-", "1", &id, &limit), -ENOENT);
	check_eq(budget_parse("xen.max-card", "1", &id, &limit), -ENOENT);
	check_eq(budget_parse("xen.domid", "1", &id, &limit), -ENOENT);
}

TEST(no_more_is_held_than_the_limit)
{
	start();
	budgets_set(&b, "xen.max-grants", "100");
	check(budget_take(&b, BUDGET_GRANTS, 60));
	check(!budget_take(&b, BUDGET_GRANTS, 41));
	check_eq(budget_held(&b, BUDGET_GRANTS), 60);
	check(budget_take(&b, BUDGET_GRANTS, 40));
	check(!budget_take(&b, BUDGET_GRANTS, 1));
	check(!budget_take(&b, BUDGET_GRANTS, UINT32_MAX));
	budget_give(&b, BUDGET_GRANTS, 60);
	check(budget_take(&b, BUDGET_GRANTS, 60));
	/* those held stay so, where the limit is lowered */
	budgets_set(&b, "xen.max-grants", "50");
	check(!budget_take(&b, BUDGET_GRANTS, 1));
	budget_give(&b, BUDGET_GRANTS, 100);
	check(budget_take(&b, BUDGET_GRANTS, 50));
}

/* As often as it may from `now` on, for so long. */
static unsigned int spend_all(enum budget_id id, uint64_t now, uint64_t nsec)
{
	uint64_t end = now + nsec, wait;
	unsigned int n = 0;

	while (now < end) {
		if ((wait = budget_spend(&b, id, now)) == 0)
			n++;
		else
			check_eq(budget_wait(&b, id, now), wait);
		now += wait;
	}
	return n;
}

TEST(a_seconds_worth_comes_at_once_and_then_as_many_a_second)
{
	unsigned int n;

	start();
	budgets_set(&b, "xen.max-opens", "32");
	check_eq(spend_all(BUDGET_OPENS, NOW, 1), 32);
	n = spend_all(BUDGET_OPENS, NOW, 10 * SECOND);
	check(n >= 319 && n <= 320);
	/* a pause brings a second's worth and no more */
	check_eq(spend_all(BUDGET_OPENS, NOW + 100 * SECOND, 1), 32);
}

/* Looking costs nothing. */
TEST(to_ask_how_long_to_wait_spends_nothing)
{
	unsigned int i;

	start();
	budgets_set(&b, "xen.max-opens", "32");
	for (i = 0; i < 1000; i++)
		check_eq(budget_wait(&b, BUDGET_OPENS, NOW), 0);
	check_eq(spend_all(BUDGET_OPENS, NOW, 1), 32);
	check(budget_wait(&b, BUDGET_OPENS, NOW) > 0);
	check(budget_wait(&b, BUDGET_OPENS, NOW) <= SECOND / 32);
}

TEST(the_largest_rate_is_kept_too)
{
	unsigned int n;

	start();
	budgets_set(&b, "xen.max-requests", "1000000");
	check_eq(spend_all(BUDGET_REQUESTS, NOW, 1), 1000000);
	n = spend_all(BUDGET_REQUESTS, NOW, SECOND);
	check(n >= 999999 && n <= 1000000);
}

/* lines that came through, counted by the window of a second that has most */
static unsigned int most_lines(uint64_t start)
{
	static uint64_t at[100000];
	unsigned int n = 0, first = 0, most = 0;
	uint64_t now;

	for (now = start; now < start + 20 * SECOND; now += SECOND / 3000) {
		/* a flood that rests between */
		if (now % (7 * SECOND) < 2 * SECOND || !budgets_may_log(&b, now))
			continue;
		at[n++] = now;
		while (at[n - 1] - at[first] >= SECOND)
			first++;
		if (n - first > most)
			most = n - first;
	}
	return most;
}

TEST(no_second_has_more_lines_than_the_limit)
{
	unsigned int most;

	start();
	most = most_lines(NOW);
	check(most >= 6 && most <= 8);
	check(told >= 1);
	check(atomic_load(&b.dropped) > 10000);

	budgets_set(&b, "xen.max-log-lines", "4");
	most = most_lines(NOW + 100 * SECOND);
	check(most >= 1 && most <= 2);
}

TEST(who_asks_is_told_of_the_first_line_that_is_dropped)
{
	unsigned int i;

	start();
	for (i = 0; i < 6; i++)
		check(budgets_may_log(&b, NOW));
	check_eq(told, 0);
	for (i = 0; i < 5; i++)
		check(!budgets_may_log(&b, NOW));
	check_eq(told, 1);
	check_eq(atomic_exchange(&b.dropped, 0), 5);
	check(!budgets_may_log(&b, NOW));
	check_eq(told, 2);
}

TEST(what_was_reached_is_said_once_and_counted)
{
	start();
	check(budget_reach(&b, BUDGET_OPENS));
	check(!budget_reach(&b, BUDGET_OPENS));
	check_eq(budget_reached(&b, BUDGET_OPENS), 2);
	check_eq(budget_reached(&b, BUDGET_REQUESTS), 0);
}

/* Lines of two threads, and what both hold. */

static atomic_uint lines, held;

static void *work(void *data)
{
	unsigned int i;

	for (i = 0; i < 20000; i++) {
		if (budgets_may_log(&b, NOW))
			atomic_fetch_add(&lines, 1);
		if (budget_take(&b, BUDGET_GRANTS, 1))
			atomic_fetch_add(&held, 1);
	}
	return NULL;
}

TEST(two_threads_have_one_budget)
{
	pthread_t threads[2];
	size_t i;

	start();
	for (i = 0; i < 2; i++)
		check_eq(pthread_create(&threads[i], NULL, work, NULL), 0);
	for (i = 0; i < 2; i++)
		check_eq(pthread_join(threads[i], NULL), 0);
	check_eq(lines, 6);
	check_eq(held, 16640);
	check_eq(budget_held(&b, BUDGET_GRANTS), 16640);
	check_eq(atomic_load(&b.dropped), 40000 - 6);
}
