/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The daemon: a process that hosts the session module. */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <spa/utils/string.h>
#include <pipewire/pipewire.h>

#include "config.h"
#include "module.h"

#define DEFAULT_CONFIG	"xen-snd.conf"

static void show_help(const char *name)
{
	printf("%s [options]\n"
	       "  -c, --config NAME    configuration file (default "DEFAULT_CONFIG")\n"
	       "      --check          say whether the configuration is right, and end\n"
	       "  -v, --verbose        say more; repeat for still more\n"
	       "  -V, --version        show the version\n"
	       "  -h, --help           show this help\n"
	       "\n"
	       "Exit codes: %d wrong use, %d no Xen here, %d wrong configuration, %d other\n",
	       name, EX_USAGE, EX_UNAVAILABLE, EX_CONFIG, EXIT_FAILURE);
}

static void show_version(const char *name)
{
	printf("%s "XEN_SND_VERSION"\nwith libpipewire %s\n", name, pw_get_library_version());
}

static void on_signal(void *data, int number)
{
	pw_main_loop_quit(data);
}

/* Before anything is started: one line says what is wrong. PipeWire would take client.conf
 * where it does not find what it was asked for, and what it can of a file with mistakes. */
static int check_config(const char *name, bool say)
{
	const struct config_origin origin = { .name = name, .ours = true };
	enum spa_log_level level = pw_log_level;
	struct config_error error;
	struct config *config;

	/* of what PipeWire warns of a file, and more, our line says more */
	pw_log_set_level(SPA_LOG_LEVEL_NONE);
	config = config_load(&origin, &error);
	pw_log_set_level(level);
	if (config == NULL) {
		fprintf(stderr, "%s\n", error.text);
		return EX_CONFIG;
	}
	if (say)
		config_print(config, stdout);
	config_unref(config);
	return EXIT_SUCCESS;
}

/* the module has said what is wrong */
static int check_module(struct pw_context *context)
{
	const struct pw_properties *props = pw_context_get_properties(context);
	const char *failure = pw_properties_get(props, KEY_XEN_SND_FAILURE);

	if (failure == NULL)
		return EXIT_SUCCESS;
	if (spa_streq(failure, FAILURE_NO_XEN))
		return EX_UNAVAILABLE;
	if (spa_streq(failure, FAILURE_CONFIG))
		return EX_CONFIG;
	return EXIT_FAILURE;
}

/* The module reads it: here it is kept from ending a thread that is made before that. */
static void block_hangup(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static int run(const char *config)
{
	struct pw_main_loop *loop;
	struct pw_context *context;
	int res;

	if ((loop = pw_main_loop_new(NULL)) == NULL) {
		perror("can't make a loop");
		return EXIT_FAILURE;
	}
	block_hangup();
	pw_loop_add_signal(pw_main_loop_get_loop(loop), SIGINT, on_signal, loop);
	pw_loop_add_signal(pw_main_loop_get_loop(loop), SIGTERM, on_signal, loop);

	context = pw_context_new(pw_main_loop_get_loop(loop),
			pw_properties_new(PW_KEY_CONFIG_NAME, config, NULL), 0);
	if (context == NULL) {
		res = errno == ENOENT ? EX_CONFIG : EXIT_FAILURE;
		fprintf(stderr, "can't load %s: %s\n", config, strerror(errno));
		goto error_context;
	}
	if ((res = check_module(context)) == EXIT_SUCCESS)
		pw_main_loop_run(loop);
	pw_context_destroy(context);
error_context:
	pw_main_loop_destroy(loop);
	return res;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'C' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *config = DEFAULT_CONFIG;
	bool check = false;
	int c, res;

	pw_init(&argc, &argv);
	while ((c = getopt_long(argc, argv, "c:vVh", options, NULL)) >= 0) {
		switch (c) {
		case 'c':
			config = optarg;
			break;
		case 'C':
			check = true;
			break;
		case 'v':
			pw_log_set_level(SPA_MIN(pw_log_level + 1, SPA_LOG_LEVEL_TRACE));
			break;
		case 'V':
			show_version(argv[0]);
			return EXIT_SUCCESS;
		case 'h':
			show_help(argv[0]);
			return EXIT_SUCCESS;
		default:
			fprintf(stderr, "%s --help shows the options\n", argv[0]);
			return EX_USAGE;
		}
	}
	res = check_config(config, check);
	if (res == EXIT_SUCCESS && !check)
		res = run(config);
	pw_deinit();
	return res;
}
