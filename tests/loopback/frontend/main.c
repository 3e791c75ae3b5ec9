/* SPDX-License-Identifier: MIT */
/*
 * The program `model-frontend`: one Linux guest with sound cards, and the toolstack that
 * made it, driven by a script. It judges the backend by the rules that real guests rely
 * on; exit status 0 means that the script ran and no rule was broken.
 */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "script.h"

#define SCRIPT_ROOM (1 << 20)

struct options {
	const char *report;
	const char *positions;
	char *script;
};

static int usage(void)
{
	fputs("usage: model-frontend [--domid N] [--name NAME] [--uuid UUID] [--generation a|b]\n"
	      "           [--dialect v1|rfc|v2] [--report FILE] [--positions FILE]\n"
	      "           -e SCRIPT | SCRIPT-FILE\n", stderr);
	return 2;
}

static char *read_file(const char *path)
{
	char *text = calloc(1, SCRIPT_ROOM);
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");

	if (f == NULL || text == NULL || fread(text, 1, SCRIPT_ROOM - 1, f) == 0) {
		perror(path);
		exit(2);
	}
	return text;
}

static bool set_dialect(struct guest *g, const char *name)
{
	for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++)
		if (strcmp(dialects[i].name, name) == 0)
			g->dialect = &dialects[i];
	return strcmp(g->dialect->name, name) == 0;
}

static bool parse_options(struct guest *g, struct options *o, int argc, char *argv[])
{
	static const struct option known[] = {
		{ "domid", required_argument, NULL, 'd' },
		{ "name", required_argument, NULL, 'n' },
		{ "uuid", required_argument, NULL, 'u' },
		{ "generation", required_argument, NULL, 'g' },
		{ "dialect", required_argument, NULL, 'D' },
		{ "report", required_argument, NULL, 'r' },
		{ "positions", required_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "e:", known, NULL)) != -1) {
		switch (c) {
		case 'd':
			g->domid = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'n':
			g->toolstack.name = optarg;
			break;
		case 'u':
			g->toolstack.uuid = optarg;
			break;
		case 'g':
			if (strcmp(optarg, "a") != 0 && strcmp(optarg, "b") != 0)
				return false;
			g->generation = *optarg == 'a' ? GENERATION_A : GENERATION_B;
			break;
		case 'D':
			if (!set_dialect(g, optarg))
				return false;
			break;
		case 'r':
			o->report = optarg;
			break;
		case 'p':
			o->positions = optarg;
			break;
		case 'e':
			o->script = strdup(optarg);
			break;
		default:
			return false;
		}
	}
	if (o->script == NULL && optind < argc)
		o->script = read_file(argv[optind]);
	return o->script != NULL && g->domid > 0 && g->domid < HV_DOMAINS;
}

/* A guest's interrupts do not wait for what else Dom0 has to do. Without the right to it the
 * model is only slower. */
static void be_realtime(void)
{
	struct sched_param param = { .sched_priority = 10 };

	sched_setscheduler(0, SCHED_RR, &param);
}

static FILE *open_output(const char *path)
{
	FILE *f = path != NULL ? fopen(path, "w") : NULL;

	if (path != NULL && f == NULL) {
		perror(path);
		exit(2);
	}
	return f;
}

int main(int argc, char *argv[])
{
	struct guest *g = calloc(1, sizeof(*g));
	struct options o = { 0 };
	FILE *report, *positions;
	int res;

	g->domid = 1;
	g->toolstack.name = "guest";
	g->toolstack.uuid = "11111111-2222-3333-4444-555555555555";
	g->dialect = &dialects[2];
	if (!parse_options(g, &o, argc, argv))
		return usage();
	signal(SIGPIPE, SIG_IGN);
	be_realtime();
	report = open_output(o.report);
	positions = open_output(o.positions);
	pcm_log_positions(positions);
	res = script_run(g, o.script);
	script_finish(g);
	report_write(report != NULL ? report : stdout);
	if (report != NULL)
		fclose(report);
	if (positions != NULL)
		fclose(positions);
	return res < 0 || report_violations() > 0 ? 1 : 0;
}
