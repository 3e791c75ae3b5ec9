/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* Proves that code is safe to run in a realtime thread, see watchdog.h. */

#include <dlfcn.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"
#include "watchdog.h"

#define PUBLIC	__attribute__((visibility("default")))

/* shared with the process that set it up */
static struct report {
	char text[256];
	bool done;
} *report;
static bool loose;
static struct rusage usage;	/* the only one that may be asked for */

void watchdog_bark(const char *format, ...)
{
	va_list args;

	loose = false;
	va_start(args, format);
	vsnprintf(report->text, sizeof(report->text), format, args);
	va_end(args);
	syscall(SYS_exit_group, EXIT_FAILURE);
}

static void forbid(const char *what)
{
	if (loose)
		watchdog_bark("%s was called", what);
}

/* Memory: the sanitizers have their own, and tell of it. */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

int __sanitizer_install_malloc_and_free_hooks(
		void (*malloc_hook)(const volatile void *data, size_t size),
		void (*free_hook)(const volatile void *data));

static void on_malloc(const volatile void *data, size_t size)
{
	forbid("malloc");
}

static void on_free(const volatile void *data)
{
	forbid("free");
}

__attribute__((constructor)) static void watch_memory(void)
{
	__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
}

#else

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *data, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *data);

PUBLIC void *malloc(size_t size)
{
	forbid("malloc");
	return __libc_malloc(size);
}

PUBLIC void *calloc(size_t n, size_t size)
{
	forbid("calloc");
	return __libc_calloc(n, size);
}

PUBLIC void *realloc(void *data, size_t size)
{
	forbid("realloc");
	return __libc_realloc(data, size);
}

PUBLIC void *aligned_alloc(size_t alignment, size_t size)
{
	forbid("aligned_alloc");
	return __libc_memalign(alignment, size);
}

PUBLIC int posix_memalign(void **data, size_t alignment, size_t size)
{
	forbid("posix_memalign");
	*data = __libc_memalign(alignment, size);
	return *data ? 0 : ENOMEM;
}

PUBLIC void free(void *data)
{
	forbid("free");
	__libc_free(data);
}

#endif

/* Locks: most of the time no system call tells of them. */

#define LOCK(name, type)							\
PUBLIC int name(type *lock)							\
{										\
	int (*next)(type *lock) = (int (*)(type *))dlsym(RTLD_NEXT, #name);	\
										\
	forbid(#name);								\
	return next(lock);							\
}

LOCK(pthread_mutex_lock, pthread_mutex_t)
LOCK(pthread_mutex_trylock, pthread_mutex_t)
LOCK(pthread_rwlock_rdlock, pthread_rwlock_t)
LOCK(pthread_rwlock_wrlock, pthread_rwlock_t)
LOCK(sem_wait, sem_t)

/* System calls. */

static void on_system_call(int number, siginfo_t *info, void *context)
{
	watchdog_bark("system call %d", info->si_syscall);
}

static void filter_system_calls(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getrusage, 0, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(uintptr_t)&usage, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(code[0]), .filter = code };
	struct sigaction action = { .sa_sigaction = on_system_call, .sa_flags = SA_SIGINFO };

	if (sigaction(SIGSYS, &action, NULL) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		watchdog_bark("the watchdog can't be let loose: %s", strerror(errno));
}

void watchdog_loose(void)
{
	filter_system_calls();
	loose = true;
}

uint64_t watchdog_faults(void)
{
	if (syscall(SYS_getrusage, RUSAGE_THREAD, &usage) < 0)
		watchdog_bark("getrusage: %s", strerror(errno));
	return usage.ru_minflt + usage.ru_majflt;
}

const char *watchdog_run(void (*func)(void *data), void *data)
{
	static char text[sizeof(report->text)];
	int status;
	pid_t pid;

	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	check(report != MAP_FAILED);
	check((pid = fork()) >= 0);
	if (pid == 0) {
		func(data);
		report->done = true;
		syscall(SYS_exit_group, EXIT_SUCCESS);
	}
	check(waitpid(pid, &status, 0) == pid);
	if (!report->done && report->text[0] == '\0')
		snprintf(report->text, sizeof(report->text), "ended with status %#x", status);
	memcpy(text, report->text, sizeof(text));
	munmap(report, sizeof(*report));
	return text;
}
