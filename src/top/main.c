/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The program xen-snd-top: guests' streams at a glance, in the manner of pw-top. */

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <ncurses.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <spa/utils/string.h>

#include "show.h"
#include "watch.h"

enum mode {
	LIVE,
	BATCH,
	JSON,
};

struct top {
	enum mode mode;
	double delay;			/* s */
	long turns;			/* to go, 0: no end */
	struct pw_main_loop *loop;
	struct spa_source *timer, *keys;
	struct watch watch;
	bool on_screen;			/* curses have it */
	int row;			/* of the screen */
	int code;
};

static void quit(struct top *top, int code)
{
	top->code = code;
	pw_main_loop_quit(top->loop);
}

/* Showing. */

static void to_screen(void *data, const char *text)
{
	struct top *top = data;

	if (top->row < LINES)
		mvaddnstr(top->row++, 0, text, COLS);
}

static void to_output(void *data, const char *text)
{
	puts(text);
}

static void show(struct top *top)
{
	switch (top->mode) {
	case LIVE:
		erase();
		top->row = 0;
		show_text(&top->watch, to_screen, top);
		mvchgat(0, 0, -1, A_REVERSE, 0, NULL);
		refresh();
		break;
	case BATCH:
		show_text(&top->watch, to_output, top);
		fflush(stdout);
		break;
	case JSON:
		show_json(&top->watch, stdout);
		break;
	}
	if (ferror(stdout))
		quit(top, EXIT_FAILURE);
	else if (top->turns > 0 && --top->turns == 0)
		quit(top, EXIT_SUCCESS);
}

static void on_timer(void *data, uint64_t expirations)
{
	show(data);
}

static void on_key(void *data, int fd, uint32_t mask)
{
	struct top *top = data;
	int key = getch();

	if (key == 'q' || (mask & (SPA_IO_HUP | SPA_IO_ERR)))
		quit(top, EXIT_SUCCESS);
	else if (key == KEY_RESIZE)
		show(top);
}

static int open_screen(struct top *top)
{
	struct pw_loop *loop = pw_main_loop_get_loop(top->loop);

	setlocale(LC_ALL, "");
	if (initscr() == NULL)
		return -ENOTTY;
	top->on_screen = true;
	cbreak();
	noecho();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	top->keys = pw_loop_add_io(loop, STDIN_FILENO, SPA_IO_IN, false, on_key, top);
	return top->keys ? 0 : -errno;
}

static void close_screen(struct top *top)
{
	if (top->on_screen)
		endwin();
	top->on_screen = false;
}

static void on_ready(void *data)
{
	struct top *top = data;
	struct timespec interval = {
		.tv_sec = (time_t)top->delay,
		.tv_nsec = (long)((top->delay - (time_t)top->delay) * SPA_NSEC_PER_SEC),
	};

	pw_loop_update_timer(pw_main_loop_get_loop(top->loop), top->timer, &interval, &interval, false);
	show(top);
}

static void on_gone(void *data, const char *why)
{
	struct top *top = data;

	close_screen(top);
	fprintf(stderr, "PipeWire has ended the connection: %s\n", why);
	quit(top, EX_UNAVAILABLE);
}

static const struct watch_events watch_events = { .ready = on_ready, .gone = on_gone };

/* Running. */

static void on_signal(void *data, int number)
{
	quit(data, EXIT_SUCCESS);
}

static int run(struct top *top, const char *remote)
{
	struct pw_loop *loop = pw_main_loop_get_loop(top->loop);
	int res;

	pw_loop_add_signal(loop, SIGINT, on_signal, top);
	pw_loop_add_signal(loop, SIGTERM, on_signal, top);
	if ((top->timer = pw_loop_add_timer(loop, on_timer, top)) == NULL)
		return EXIT_FAILURE;
	if ((res = watch_start(&top->watch, loop, remote, &watch_events, top)) < 0) {
		fprintf(stderr, "can't connect to PipeWire: %s (is it running, and for this user? "
				"See PIPEWIRE_RUNTIME_DIR)\n", strerror(-res));
		return EX_UNAVAILABLE;
	}
	if (top->mode == LIVE && (res = open_screen(top)) < 0) {
		fprintf(stderr, "can't show it here: %s (--batch needs no terminal)\n", strerror(-res));
		top->code = EX_USAGE;
	} else {
		pw_main_loop_run(top->loop);
	}
	close_screen(top);
	watch_stop(&top->watch);
	return top->code;
}

static void show_help(const char *name)
{
	printf("usage: %s [OPTION]...\n"
			"Shows the streams of Xen guests in PipeWire. q ends it.\n"
			"  -b, --batch            lines, for a pipe or a log\n"
			"  -j, --json             an object in a line, for machines\n"
			"  -d, --delay=SECONDS    between two looks, 1 if not said, 0.1 at least\n"
			"  -n, --iterations=N     end after so many\n"
			"  -r, --remote=NAME      another PipeWire than the usual one\n"
			"  -V, --version          show the version\n"
			"  -h, --help             show this\n", name);
}

/* false: it is none of the allowed ones */
static bool parse_number(const char *text, double least, double *number)
{
	char *end;

	errno = 0;
	*number = strtod(text, &end);
	return errno == 0 && end != text && *end == '\0' && *number >= least && *number <= 1e6;
}

/* -1: go on; else the code to end with */
static int parse(struct top *top, int argc, char *argv[], const char **remote)
{
	/* each is documented in man/xen-snd-top.1 */
	static const struct option options[] = {
		{ "batch", no_argument, NULL, 'b' },
		{ "json", no_argument, NULL, 'j' },
		{ "delay", required_argument, NULL, 'd' },
		{ "iterations", required_argument, NULL, 'n' },
		{ "remote", required_argument, NULL, 'r' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	double number;
	int c;

	while ((c = getopt_long(argc, argv, "bjd:n:r:Vh", options, NULL)) >= 0) {
		switch (c) {
		case 'b':
			top->mode = BATCH;
			break;
		case 'j':
			top->mode = JSON;
			break;
		case 'd':
			if (!parse_number(optarg, 0.1, &top->delay)) {
				fprintf(stderr, "--delay=%s: must be 0.1 to 1000000\n", optarg);
				return EX_USAGE;
			}
			break;
		case 'n':
			if (!parse_number(optarg, 1, &number)) {
				fprintf(stderr, "--iterations=%s: must be 1 to 1000000\n", optarg);
				return EX_USAGE;
			}
			top->turns = (long)number;
			break;
		case 'r':
			*remote = optarg;
			break;
		case 'V':
			printf("%s "XEN_SND_VERSION"\n", argv[0]);
			return EXIT_SUCCESS;
		case 'h':
			show_help(argv[0]);
			return EXIT_SUCCESS;
		default:
			fprintf(stderr, "%s --help shows the options\n", argv[0]);
			return EX_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "%s takes no argument \"%s\"; --help shows the options\n", argv[0], argv[optind]);
	return EX_USAGE;
}

int main(int argc, char *argv[])
{
	struct top top = { .delay = 1 };
	const char *remote = NULL;
	int code;

	if ((code = parse(&top, argc, argv, &remote)) >= 0)
		return code;
	pw_init(&argc, &argv);
	if ((top.loop = pw_main_loop_new(NULL)) == NULL) {
		perror("can't make a loop");
		return EXIT_FAILURE;
	}
	code = run(&top, remote);
	pw_main_loop_destroy(top.loop);
	pw_deinit();
	return code;
}
