/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The runner itself: it must not take a bad end for a good one. */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>

#include "test.h"

TEST(an_empty_test_passes)
{
}

FAIL_TEST(a_false_condition_fails)
{
	check(1 + 1 == 3);
}

FAIL_TEST(a_wrong_number_fails)
{
	check_eq(UINT64_MAX, 1);
}

FAIL_TEST(a_wrong_string_fails)
{
	check_str("a", "b");
}

FAIL_TEST(a_null_string_fails)
{
	check_str(NULL, "");
}

FAIL_TEST(a_wrong_octet_fails)
{
	check_mem("abc", "abd", 3);
}

FAIL_TEST(a_crash_fails)
{
	raise(SIGSEGV);
}

FAIL_TEST(a_file_left_open_fails)
{
	check(open("/dev/null", O_RDONLY) >= 0);
}

FAIL_TEST(an_exit_with_another_code_fails)
{
	exit(3);
}

#if defined(__SANITIZE_ADDRESS__)
FAIL_TEST(a_leak_fails)
{
	void * volatile lost = malloc(42);

	check(lost != NULL);
	lost = NULL;
}
#endif
