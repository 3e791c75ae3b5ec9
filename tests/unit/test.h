/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The unit tests' runner: what a test file needs.
 *
 * A file holds TEST(says_what_it_proves) { … }, each with a comment of what it
 * proves where the name does not say it all. Each test runs in a process of its
 * own, which has to end within its time, with as many files open as at the
 * start. A run prints TAP. Arguments name the tests to run, none means all. */

#ifndef XEN_SND_TEST_H
#define XEN_SND_TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct test {
	const char *name;
	void (*run)(void);
	bool must_fail;
	struct test *next;
};

void test_add(struct test *test);

#define TEST_(n, fails)								\
	static void n(void);							\
	__attribute__((constructor)) static void add_##n(void)			\
	{									\
		static struct test test = { #n, n, fails, NULL };		\
		test_add(&test);						\
	}									\
	static void n(void)

#define TEST(n)		TEST_(n, false)

/* A test that proves the runner: it passes by failing. */
#define FAIL_TEST(n)	TEST_(n, true)

/* Ends the test, as failed. */
void test_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4), noreturn));

/* Ends the test, which could not be run here. */
void test_skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#define check(condition)							\
do {										\
	if (!(condition))							\
		test_fail(__FILE__, __LINE__, "not true: %s", #condition);	\
} while (0)

/* integers up to 64 bits */
#define check_eq(value, wanted)							\
do {										\
	int64_t value_ = (int64_t)(value), wanted_ = (int64_t)(wanted);		\
	if (value_ != wanted_)							\
		test_fail(__FILE__, __LINE__, "%s is %"PRId64", not %"PRId64" (%s)",	\
				#value, value_, wanted_, #wanted);		\
} while (0)

#define check_str(value, wanted)						\
do {										\
	const char *value_ = (value), *wanted_ = (wanted);			\
	if (value_ == NULL || strcmp(value_, wanted_) != 0)			\
		test_fail(__FILE__, __LINE__, "%s is \"%s\", not \"%s\"",	\
				#value, value_ ? value_ : "(null)", wanted_);	\
} while (0)

#define check_mem(value, wanted, size)						\
	test_check_mem(__FILE__, __LINE__, #value, value, wanted, size)

void test_check_mem(const char *file, int line, const char *what, const void *value,
		const void *wanted, size_t size);

#endif /* XEN_SND_TEST_H */
