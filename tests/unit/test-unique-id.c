/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What a unique-id in snd_be's syntax means, and what of it means nothing. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "test.h"
#include "unique-id.h"

static void means(const char *text, const char *target, const char *role)
{
	struct unique_id id;
	const char *why;

	check_eq(unique_id_parse(text, &id, &why), 0);
	check(why == NULL);
	check_str(id.target, target);
	check_str(id.role, role);
}

static void means_nothing(const char *text, const char *word)
{
	struct unique_id id;
	const char *why;

	check_eq(unique_id_parse(text, &id, &why), -EINVAL);
	if (strstr(why, word) == NULL)
		test_fail(__FILE__, __LINE__, "\"%s\" %s", text, why);
	check_str(id.target, "");
	check_str(id.role, "");
}

TEST(device_and_role_are_understood)
{
	means("pulse<sink>media.role:navi", "sink", "navi");
	means("PULSE<alsa_output.usb-0.analog-stereo>media.role:Music",
			"alsa_output.usb-0.analog-stereo", "Music");
	means("pulse<>media.role:navi", "", "navi");
	means("pulse<sink>", "sink", "");
	means("pulse<>", "", "");
}

TEST(a_semicolon_is_a_comma)
{
	means("alsa<hw:0;0>", "hw:0,0", "");
	means("alsa<hw:CARD=PCH;DEV=0>", "hw:CARD=PCH,DEV=0", "");
}

TEST(what_is_not_in_that_syntax_means_nothing)
{
	means_nothing("", "is not");
	means_nothing("p0", "is not");
	means_nothing("pulse", "is not");
	means_nothing("pulse<sink", "is not");
	means_nothing("pulse>sink<", "is not");
	means_nothing("jack<sink>", "is not");
	means_nothing("pulses<sink>", "is not");
	means_nothing("<sink>", "is not");
}

/* never a path, a command, an object's number, or anything that is parsed */
TEST(what_no_node_can_be_called_means_nothing)
{
	means_nothing("alsa<file:|sh>", "no node");
	means_nothing("alsa</dev/snd/pcmC0D0p>", "no node");
	means_nothing("pulse<../sink>", "no node");
	means_nothing("pulse<42>", "no node");
	means_nothing("pulse<{ a = b }>", "no node");
	means_nothing("pulse<a\"b>", "no node");
	means_nothing("pulse<a\nb>", "no node");
	means_nothing("pulse<s\xc3\xbck>", "no node");
}

TEST(no_other_property_is_set)
{
	means_nothing("pulse<sink>node.target:x", "something else");
	means_nothing("pulse<sink>media.role", "something else");
	means_nothing("pulse<sink>media.role:a b", "something else");
	means_nothing("pulse<sink>media.role:navi,target.object:x", "something else");
	means_nothing("pulse<sink>media.role:a>b", "something else");
}

TEST(what_is_too_long_means_nothing)
{
	char text[160];

	snprintf(text, sizeof(text), "pulse<%.*s>", UNIQUE_ID_TARGET_SIZE - 1,
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	check_eq(unique_id_parse(text, &(struct unique_id) { 0 }, &(const char *) { NULL }), 0);
	snprintf(text, sizeof(text), "pulse<%.*s>", UNIQUE_ID_TARGET_SIZE,
			"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
	means_nothing(text, "no node");
	means_nothing("pulse<sink>media.role:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "something else");
}
