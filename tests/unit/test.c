/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The unit tests' runner, see test.h. */

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

#define EXIT_SKIPPED	77
#define TIME_LIMIT	20	/* seconds; sanitizers and valgrind are slow */

static struct test *tests, **end = &tests;

void test_add(struct test *test)
{
	*end = test;
	end = &test->next;
}

/* TAP takes a line with # for a remark. */
__attribute__((format(printf, 1, 0)))
static void remark(const char *format, va_list args)
{
	printf("# ");
	vprintf(format, args);
	printf("\n");
	fflush(stdout);
}

void test_fail(const char *file, int line, const char *format, ...)
{
	va_list args;

	printf("# %s:%d:\n", file, line);
	va_start(args, format);
	remark(format, args);
	va_end(args);
	/* not exit(): leaks of a test that failed are no news */
	_exit(EXIT_FAILURE);
}

void test_skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	remark(format, args);
	va_end(args);
	_exit(EXIT_SKIPPED);
}

static unsigned int count_open_files(void)
{
	unsigned int n = 0;
	DIR *dir;

	if ((dir = opendir("/proc/self/fd")) == NULL)
		test_fail(__FILE__, __LINE__, "can't list open files: %s", strerror(errno));
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void run_in_child(const struct test *test)
{
	unsigned int before = count_open_files();

	alarm(TIME_LIMIT);
	test->run();
	check_eq(count_open_files(), before);
	exit(EXIT_SUCCESS);	/* where the leak sanitizer looks */
}

/* The exit code of the test, run in a process of its own. */
static int run(const struct test *test)
{
	int status;
	pid_t pid;

	fflush(NULL);
	if ((pid = fork()) == 0)
		run_in_child(test);
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		printf("# can't run a process: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	if (WIFSIGNALED(status)) {
		printf("# ended by signal: %s\n", strsignal(WTERMSIG(status)));
		return EXIT_FAILURE;
	}
	return WEXITSTATUS(status);
}

static bool is_wanted(const struct test *test, int argc, char *argv[])
{
	int i;

	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], test->name) == 0)
			return true;
	}
	return argc <= 1;
}

/* "wrap_of_the_index" is a sentence */
static void print_name(const char *name)
{
	for (; *name; name++)
		putchar(*name == '_' ? ' ' : *name);
}

static bool report(const struct test *test, unsigned int number)
{
	int code = run(test);
	bool passed = test->must_fail ? code != EXIT_SUCCESS && code != EXIT_SKIPPED :
		code == EXIT_SUCCESS;
	bool skipped = !test->must_fail && code == EXIT_SKIPPED;

	printf("%s %u - ", passed || skipped ? "ok" : "not ok", number);
	print_name(test->name);
	printf("%s\n", skipped ? " # SKIP" : "");
	return passed || skipped;
}

int main(int argc, char *argv[])
{
	unsigned int n = 0, number = 0, failed = 0;
	const struct test *test;

	for (test = tests; test; test = test->next)
		n += is_wanted(test, argc, argv);
	printf("1..%u\n", n);
	if (n == 0) {
		fprintf(stderr, "%s: no such test\n", argv[0]);
		return EXIT_FAILURE;
	}
	for (test = tests; test; test = test->next) {
		if (is_wanted(test, argc, argv))
			failed += !report(test, ++number);
	}
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
