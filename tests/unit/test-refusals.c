/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Which refusals are shown: of everybody something, whoever is refused how often. */

#include <stdio.h>

#include "refusals.h"
#include "test.h"

static struct pw_loop *loop;
static struct refusals refusals;
static char shown[REFUSALS_SHOWN + 1][REFUSAL_SIZE];	/* an empty one at the end */

static void publish(void *data, const struct spa_dict *props)
{
	char key[64];
	uint32_t i;

	memset(shown, 0, sizeof(shown));
	check(props->n_items <= REFUSALS_SHOWN);
	for (i = 0; i < props->n_items; i++) {
		snprintf(key, sizeof(key), KEY_XEN_REFUSALS".%u", i);
		check_str(props->items[i].key, key);
		snprintf(shown[i], REFUSAL_SIZE, "%s", props->items[i].value);
	}
}

static void start(void)
{
	pw_init(NULL, NULL);
	loop = pw_loop_new(NULL);
	check(loop != NULL);
	check_eq(refusals_init(&refusals, loop, publish, NULL), 0);
	memset(shown, 0, sizeof(shown));
}

static void stop(void)
{
	refusals_clear(&refusals);
	pw_loop_destroy(loop);
	pw_deinit();
}

static void refuse_many(uint32_t domid, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		refusals_add(&refusals, domid, "guest %u, reason %u", domid, i);
}

TEST(the_newest_comes_last)
{
	start();
	refuse_many(1, 2);
	refuse_many(2, 1);
	refusals_tell(&refusals);
	check_str(shown[0], "guest 1, reason 0");
	check_str(shown[1], "guest 1, reason 1");
	check_str(shown[2], "guest 2, reason 0");
	check_str(shown[3], "");
	stop();
}

TEST(what_is_refused_again_stands_there_once)
{
	start();
	refuse_many(1, 2);
	refuse_many(1, 2);
	refuse_many(2, 1);
	refuse_many(1, 2);
	refusals_tell(&refusals);
	check_str(shown[2], "guest 2, reason 0");
	check_str(shown[3], "");
	stop();
}

TEST(a_guest_alone_has_the_whole_list)
{
	start();
	refuse_many(1, REFUSALS_SHOWN + 3);
	refusals_tell(&refusals);
	check_str(shown[0], "guest 1, reason 3");
	check_str(shown[REFUSALS_SHOWN - 1], "guest 1, reason 10");
	stop();
}

TEST(a_guest_that_is_refused_all_the_time_takes_no_others_place)
{
	start();
	refuse_many(1, 1);
	refuse_many(2, 2);
	refuse_many(3, 1000);
	refusals_tell(&refusals);
	check_str(shown[0], "guest 1, reason 0");
	check_str(shown[1], "guest 2, reason 0");
	check_str(shown[2], "guest 2, reason 1");
	check_str(shown[3], "guest 3, reason 995");
	check_str(shown[REFUSALS_SHOWN - 1], "guest 3, reason 999");
	stop();
}

TEST(others_find_room_where_one_has_it_all)
{
	start();
	refuse_many(3, 1000);
	refuse_many(1, 1);
	refusals_tell(&refusals);
	check_str(shown[0], "guest 3, reason 993");
	check_str(shown[REFUSALS_SHOWN - 1], "guest 1, reason 0");
	stop();
}

TEST(of_many_guests_the_last_are_shown)
{
	uint32_t domid;

	start();
	for (domid = 1; domid <= REFUSALS_SHOWN + 2; domid++)
		refuse_many(domid, 1);
	refusals_tell(&refusals);
	check_str(shown[0], "guest 3, reason 0");
	check_str(shown[REFUSALS_SHOWN - 1], "guest 10, reason 0");
	stop();
}
