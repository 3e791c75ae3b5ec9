/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The daemon as it was built, on a machine without Xen: what it says when it can't
 * work, and how it ends. */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "test.h"

static char dir[] = "/tmp/xen-snd-test.XXXXXX";
static char said[16384];	/* by the daemon, on standard error */
static char printed[16384];	/* on standard output */

static const char * const environment[] = {
	"PATH=/usr/bin:/bin",
	"PIPEWIRE_MODULE_DIR=" XEN_SND_MODULE_DIR,
	"SPA_PLUGIN_DIR=" XEN_SND_PLUGIN_DIR,
	/* also where Xen is there, this must find none */
	"XENSTORED_PATH=/nonexistent",
	"XENSTORED_RUNDIR=/nonexistent",
	"UBSAN_OPTIONS=halt_on_error=1",
	NULL
};

/* What holds all but the arguments of our module, in line 10, and the rules, from line 12 on. */
#define CONFIG									\
	"context.spa-libs = {\n"						\
	"    audio.convert.* = audioconvert/libspa-audioconvert\n"		\
	"    support.* = support/libspa-support\n"				\
	"    api.xen-snd.* = xen-snd/libspa-xen-snd\n"				\
	"}\n"									\
	"context.modules = [\n"							\
	"    { name = libpipewire-module-rt flags = [ ifexists nofail ] }\n"	\
	"    { name = libpipewire-module-protocol-native }\n"			\
	"    { name = libpipewire-module-xen-snd\n"				\
	"      args = { %s } }\n"						\
	"]\n"									\
	"%s\n"

/* a rule's parts, right as they are */
#define MATCHES	"matches = [ { xen.guest.name = \"ivi\" xen.pcm = 0 } ]"
#define ACTIONS	"actions = { update-props = { media.role = Music } }"

__attribute__((format(printf, 2, 3)))
static void write_file(const char *name, const char *format, ...)
{
	char path[256];
	va_list args;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	check((f = fopen(path, "we")) != NULL);
	va_start(args, format);
	check(vfprintf(f, format, args) >= 0);
	va_end(args);
	check_eq(fclose(f), 0);
}

static void make_dir(void)
{
	char path[256];

	check(mkdtemp(dir) != NULL);
	snprintf(path, sizeof(path), "%s/xen-snd.conf.d", dir);
	check_eq(mkdir(path, 0700), 0);
	/* what PipeWire takes where it does not find what it was asked for */
	write_file("client.conf", CONFIG, "", "");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void remove_dir(void)
{
	check_eq(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static void exec_daemon(const char * const *argv, int out, int err)
{
	const char *variables[16];
	char config[256], runtime[256];
	size_t n = 0;

	for (; environment[n]; n++)
		variables[n] = environment[n];
	snprintf(config, sizeof(config), "PIPEWIRE_CONFIG_DIR=%s", dir);
	snprintf(runtime, sizeof(runtime), "PIPEWIRE_RUNTIME_DIR=%s", dir);
	variables[n++] = config;
	variables[n++] = runtime;
	variables[n] = NULL;
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	execve(XEN_SND_DAEMON, (char **)argv, (char **)variables);
	_exit(126);
}

static int open_output(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	check((fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) >= 0);
	return fd;
}

static void read_output(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);

	check(n >= 0);
	text[n] = '\0';
	close(fd);
}

static int run(const char *argument, const char *value)
{
	const char * const argv[] = { "pipewire-xen-snd", argument, value, NULL };
	int status, out = open_output("out"), err = open_output("err");
	pid_t pid;

	if ((pid = fork()) == 0)
		exec_daemon(argv, out, err);
	check(pid > 0);
	check_eq(waitpid(pid, &status, 0), pid);
	read_output(out, printed, sizeof(printed));
	read_output(err, said, sizeof(said));
	if (!WIFEXITED(status))
		test_fail(__FILE__, __LINE__, "the daemon died of signal %d; it said: %s",
				WTERMSIG(status), said);
	return WEXITSTATUS(status);
}

static unsigned int lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void says(const char *word)
{
	if (strstr(said, word) == NULL)
		test_fail(__FILE__, __LINE__, "\"%s\" is missing in: %s", word, said);
}

static void ends_with(int wanted, int code)
{
	if (code != wanted)
		test_fail(__FILE__, __LINE__, "exit code %d, not %d; it said: %s", code, wanted,
				said);
}

/* what is wrong is wrong for --check and for the daemon */
static void is_refused(const char *where, const char *word)
{
	const char *argument;
	int i;

	for (i = 0; i < 2; i++) {
		argument = i == 0 ? "--check" : NULL;
		ends_with(EX_CONFIG, run(argument, NULL));
		says(where);
		says(word);
		check_eq(lines(said), 1);
		check_str(printed, "");
	}
}

static void end_dir(void)
{
	remove_dir();
	strcpy(strrchr(dir, '.'), ".XXXXXX");
}

static void refuses(const char *args, const char *section, const char *where, const char *word)
{
	make_dir();
	write_file("xen-snd.conf", CONFIG, args, section);
	is_refused(where, word);
	end_dir();
}

static void refuses_args(const char *args, const char *word)
{
	refuses(args, "", "/xen-snd.conf:10: ", word);
}

static void refuses_rules(const char *rules, const char *word)
{
	char section[1024];

	snprintf(section, sizeof(section), "xen-snd.rules = %s", rules);
	refuses("", section, "/xen-snd.conf:12: xen-snd.rules: ", word);
}

static void accepts(const char *args, const char *section)
{
	make_dir();
	write_file("xen-snd.conf", CONFIG, args, section);
	ends_with(EX_UNAVAILABLE, run(NULL, NULL));
	ends_with(EXIT_SUCCESS, run("--check", NULL));
	end_dir();
}

TEST(without_xen_it_says_so_in_one_line)
{
	make_dir();
	write_file("xen-snd.conf", CONFIG, "", "");
	ends_with(EX_UNAVAILABLE, run(NULL, NULL));
	check_eq(lines(said), 1);
	says("xenstored");
	check_str(printed, "");
	remove_dir();
}

/* Wrong configuration is found before Xen is looked for. */
TEST(the_configuration_that_is_installed_is_right)
{
	char path[256];

	make_dir();
	snprintf(path, sizeof(path), "%s/xen-snd.conf", dir);
	check_eq(symlink(XEN_SND_CONF_DIR "/xen-snd.conf", path), 0);
	ends_with(EX_UNAVAILABLE, run(NULL, NULL));
	check_eq(lines(said), 1);
	remove_dir();
}

TEST(the_example_of_rules_is_right)
{
	char path[256];

	make_dir();
	write_file("xen-snd.conf", CONFIG, "", "");
	snprintf(path, sizeof(path), "%s/xen-snd.conf.d/rules.conf", dir);
	check_eq(symlink(XEN_SND_CONF_DIR "/xen-snd-rules.conf", path), 0);
	ends_with(EX_UNAVAILABLE, run(NULL, NULL));
	remove_dir();
}

TEST(the_fragment_for_pipewire_is_right)
{
	char path[256];

	make_dir();
	write_file("xen-snd.conf", CONFIG, "", "");
	snprintf(path, sizeof(path), "%s/xen-snd.conf.d/fragment.conf", dir);
	check_eq(symlink(XEN_SND_CONF_DIR "/50-xen-snd.conf", path), 0);
	ends_with(EX_UNAVAILABLE, run(NULL, NULL));
	remove_dir();
}

TEST(right_options_are_taken)
{
	accepts("stream.max-buffer = 4096", "");
	accepts("stream.max-buffer = 67108864", "");
	accepts("stream.props = { media.role = Music node.latency = 256/48000 }", "");
	accepts("stream.props = { }", "");
	accepts("state.file = /tmp/state", "");
	accepts("state.file = \"\"", "");
}

TEST(an_unknown_option_is_an_error)
{
	refuses_args("stream.max-bufer = 65536", "stream.max-bufer");
	refuses_args("stream.max-buffer = 65536 color = blue", "color");
}

TEST(an_option_of_the_wrong_type_is_an_error)
{
	refuses_args("stream.max-buffer = large", "stream.max-buffer");
	refuses_args("stream.max-buffer = 65536.5", "stream.max-buffer");
	refuses_args("stream.max-buffer = [ 65536 ]", "stream.max-buffer");
	refuses_args("stream.props = Music", "stream.props");
	refuses_args("stream.props = [ media.role ]", "stream.props");
	refuses_args("state.file = [ /tmp/state ]", "state.file");
	refuses_args("state.file = state", "state.file");
}

TEST(an_option_out_of_its_range_is_an_error)
{
	refuses_args("stream.max-buffer = 4095", "stream.max-buffer");
	refuses_args("stream.max-buffer = 67108865", "stream.max-buffer");
	refuses_args("stream.max-buffer = -1", "stream.max-buffer");
	refuses_args("stream.max-buffer = 99999999999999", "stream.max-buffer");
}

TEST(right_rules_are_taken)
{
	accepts("", "xen-snd.rules = [ ]");
	accepts("", "xen-snd.rules = [ { " MATCHES " " ACTIONS " } ]");
	accepts("", "xen-snd.rules = [ { matches = [ { xen.domid = 1 } { node.name = \"~x.*\" } ] "
			ACTIONS " } { " MATCHES " " ACTIONS " } ]");
}

#define SETS(props)	"xen-snd.rules = [ { " MATCHES " actions = { update-props = { " props " } } } ]"

TEST(properties_of_ours_that_can_be_set_are_taken)
{
	accepts("stream.props = { xen.fade = true }", "");
	accepts("", SETS("xen.fade = true"));
	accepts("", SETS("xen.fade = \"false\" media.role = Music"));
	accepts("stream.props = { xen.latency.max = 20 }", "");
	accepts("", SETS("xen.unique-id.honoured = true"));
	accepts("", SETS("xen.latency.max = 12.5 xen.latency.policy = refuse"));
}

TEST(properties_of_ours_that_can_not_be_set_are_an_error)
{
	refuses_args("stream.props = { xen.faed = true }", "stream.props: xen.faed");
	refuses_args("stream.props = { xen.position = 0 }", "stream.props: xen.position");
	refuses("", SETS("media.role = Music xen.faed = true"), "/xen-snd.conf:12: xen-snd.rules: ",
			"xen.faed");
}

TEST(properties_of_ours_of_the_wrong_type_are_an_error)
{
	refuses_args("stream.props = { xen.fade = 5 }", "stream.props: xen.fade = 5: must be true");
	refuses_args("stream.props = { xen.fade = [ true ] }", "stream.props: xen.fade");
	refuses("", SETS("xen.fade = yes"), "/xen-snd.conf:12: xen-snd.rules: ", "xen.fade = yes");
	refuses("", SETS("xen.latency.max = 20ms"), "/xen-snd.conf:12: xen-snd.rules: ",
			"xen.latency.max = 20ms: must be a number of milliseconds");
	refuses("", SETS("xen.latency.policy = deny"), "/xen-snd.conf:12: xen-snd.rules: ",
			"xen.latency.policy = deny: must be refuse or flag");
	refuses("", SETS("xen.fade = { }"), "/xen-snd.conf:12: xen-snd.rules: ", "xen.fade");
}

#define OF_GUEST	"matches = [ { xen.guest.name = \"~^ivi\" } { xen.domid = 7 } ]"

TEST(rules_that_set_a_guests_budgets_are_taken)
{
	accepts("", "xen-snd.rules = [ { " OF_GUEST " actions = { update-props = { "
			"xen.max-cards = 1 xen.max-requests = \"500\" node.description = x } } } ]");
}

static void refuses_budget(const char *props, const char *word)
{
	char rules[512];

	snprintf(rules, sizeof(rules), "[ { " OF_GUEST " actions = { update-props = { %s } } } ]",
			props);
	refuses_rules(rules, word);
}

TEST(budgets_that_are_wrong_are_an_error)
{
	refuses_budget("xen.max-card = 1", "xen.max-card: there is no such budget");
	refuses_budget("xen.max-cards = 0", "xen.max-cards = 0: must be a number from 1 to 64");
	refuses_budget("xen.max-cards = 65", "xen.max-cards");
	refuses_budget("xen.max-cards = -1", "xen.max-cards");
	refuses_budget("xen.max-cards = many", "xen.max-cards");
	refuses_budget("xen.max-cards = [ 1 ]", "xen.max-cards");
	refuses_budget("xen.max-cards = 1.5", "xen.max-cards");
	refuses_args("stream.props = { xen.max-cards = 1 }", "stream.props");
}

/* It would never match the guest. */
TEST(budgets_of_a_stream_are_an_error)
{
	refuses_rules("[ { matches = [ { xen.domid = 7 xen.pcm = 0 } ] actions = { update-props = "
			"{ xen.max-cards = 1 } } } ]", "xen.max-");
	refuses_rules("[ { actions = { update-props = { xen.max-cards = 1 } } "
			"matches = [ { node.name = x } ] } ]", "xen.max-");
}

TEST(rules_that_are_no_array_are_an_error)
{
	refuses_rules("{ " MATCHES " " ACTIONS " }", "array");
	refuses_rules("always", "array");
	refuses_rules("[ always ]", "always");
}

TEST(rules_that_are_never_closed_are_an_error)
{
	refuses_rules("[ { " MATCHES " " ACTIONS " }", "the [ of this line is never closed");
	refuses_rules("[ { " MATCHES " " ACTIONS, "the { of this line is never closed");
}

TEST(a_mistyped_section_is_an_error)
{
	refuses("", "xen-snd.rule = [ ]", "/xen-snd.conf:12: ", "xen-snd.rule:");
	refuses("", "xensnd.rules = [ ]", "/xen-snd.conf:12: ", "xensnd.rules:");
}

TEST(an_error_is_one_line_whatever_a_key_is)
{
	refuses("", "\"rule\\ns\" = [ ]", "/xen-snd.conf:12: ", "rule?s:");
}

/* The second would do away with the first. */
TEST(a_section_that_is_there_twice_is_an_error)
{
	refuses("", "xen-snd.rules = [ ]\n\nxen-snd.rules = [ ]", "/xen-snd.conf:14: ",
			"xen-snd.rules: is in line 12 already");
}

TEST(brackets_that_do_not_fit_are_an_error)
{
	refuses_rules("[ { " MATCHES " " ACTIONS " ] }", "] closes the { of line 12");
	refuses("", "xen-snd.rules = [\n{ " MATCHES "\n" ACTIONS " ]\n}",
			"/xen-snd.conf:14: xen-snd.rules: ", "] closes the { of line 13");
	refuses("", "xen-snd.rules = [ ] ]", "/xen-snd.conf:12: ", "] closes nothing");
	refuses_rules("[ { matches = [ { xen.guest.name = ~ivi[0-9] } ] " ACTIONS " } ]",
			"[ inside of a word");
	refuses_rules("[ { matches = [ { xen.guest.name = ~ivi\\.x } ] " ACTIONS " } ]",
			"\\ inside of a word");
}

TEST(a_string_that_is_never_closed_is_an_error)
{
	refuses_rules("[ { matches = [ { xen.guest.name = \"ivi } ]\n" ACTIONS " } ]",
			"the string that begins here is not closed");
}

TEST(a_key_without_a_value_is_an_error)
{
	refuses("", "xen-snd.rules", "/xen-snd.conf:12: ", "xen-snd.rules: no value");
	refuses("stream.max-buffer", "", "/xen-snd.conf:10: ", "stream.max-buffer: no value");
	refuses("", "xen-snd.rules = [\n{ " MATCHES "\nactions = { { } } } ]", "/xen-snd.conf:14: ",
			"where a key is awaited");
}

/* hw, and a key 0 whose value is 0 */
TEST(a_value_with_a_separator_in_it_is_an_error)
{
	refuses_rules("[ { " MATCHES " actions = { update-props = { target.object = hw:0,0 } } } ]",
			": without a key before it: write \"\" around");
	accepts("", "xen-snd.rules = [ { " MATCHES " actions = { update-props = { "
			"target.object = \"hw:0,0\" } } } ]");
}

TEST(the_line_is_that_of_the_key)
{
	refuses("", "# two\n# lines\nxen-snd.rules = [\n  {\n    matches = [\n      { xen.pcm = 0\n"
			"        xen.guest = ivi } ]\n    " ACTIONS "\n  }\n]",
			"/xen-snd.conf:18: xen-snd.rules: matches: ", "\"xen.guest\"");
}

TEST(a_rule_with_an_unknown_part_is_an_error)
{
	refuses_rules("[ { " MATCHES " " ACTIONS " unless = [ ] } ]", "unless");
}

TEST(a_rule_with_half_its_parts_is_an_error)
{
	refuses_rules("[ { " MATCHES " } ]", "actions");
	refuses_rules("[ { " ACTIONS " } ]", "matches");
	refuses_rules("[ { } ]", "matches");
}

/* It would never match. */
TEST(a_match_of_an_unknown_property_is_an_error)
{
	refuses_rules("[ { matches = [ { xen.guest = ivi } ] " ACTIONS " } ]", "xen.guest");
	refuses_rules("[ { matches = [ { xen.pcm = 0 } { xen.guest.nam = ivi } ] " ACTIONS " } ]",
			"xen.guest.nam");
}

TEST(matches_of_the_wrong_type_are_an_error)
{
	refuses_rules("[ { matches = { xen.pcm = 0 } " ACTIONS " } ]", "matches");
	refuses_rules("[ { matches = [ xen.pcm ] " ACTIONS " } ]", "matches");
	refuses_rules("[ { matches = [ ] " ACTIONS " } ]", "matches");
	refuses_rules("[ { matches = all " ACTIONS " } ]", "matches");
	refuses_rules("[ { matches = [ { xen.pcm = [ 0 1 ] } ] " ACTIONS " } ]", "xen.pcm");
}

TEST(a_match_after_which_comes_something_else_is_an_error)
{
	refuses_rules("[ { matches = [ { xen.pcm = 0 } xen.stream ] " ACTIONS " } ]", "matches");
}

TEST(a_property_without_a_value_is_an_error)
{
	refuses_rules("[ { matches = [ { xen.pcm = 0 } ] actions = { update-props = { a } } } ]",
			"a: no value");
}

TEST(a_regular_expression_that_is_none_is_an_error)
{
	refuses_rules("[ { matches = [ { xen.guest.name = \"~ivi(\" } ] " ACTIONS " } ]",
			"xen.guest.name");
}

TEST(an_unknown_action_is_an_error)
{
	refuses_rules("[ { " MATCHES " actions = { update-prop = { } } } ]", "update-prop");
	refuses_rules("[ { " MATCHES " actions = { update-props = { } quiet = true } } ]",
			"quiet");
}

TEST(actions_of_the_wrong_type_are_an_error)
{
	refuses_rules("[ { " MATCHES " actions = { update-props = Music } } ]", "update-props");
	refuses_rules("[ { " MATCHES " actions = update-props } ]", "actions");
	refuses_rules("[ { " MATCHES " actions = { } } ]", "actions");
}

TEST(the_file_that_is_wrong_is_the_one_that_is_named)
{
	make_dir();
	write_file("xen-snd.conf", CONFIG, "", "");
	write_file("xen-snd.conf.d/10-good.conf", "xen-snd.rules = [ { " MATCHES " " ACTIONS " } ]\n");
	write_file("xen-snd.conf.d/20-bad.conf", "xen-snd.rules = [ { " MATCHES " } ]\n");
	is_refused("/xen-snd.conf.d/20-bad.conf:1: ", "a rule without actions");
	remove_dir();
}

/* PipeWire passes over both without a word that anybody reads. */
TEST(a_fragment_that_can_not_be_read_is_an_error)
{
	char path[256];

	make_dir();
	write_file("xen-snd.conf", CONFIG, "", "");
	snprintf(path, sizeof(path), "%s/xen-snd.conf.d/10-lost.conf", dir);
	check_eq(symlink("/nonexistent/rules.conf", path), 0);
	is_refused("/xen-snd.conf.d/10-lost.conf: ", "can't be read: No such file");
	check_eq(unlink(path), 0);
	write_file("xen-snd.conf.d/20-open.conf", "context.properties = {\n");
	is_refused("/xen-snd.conf.d/20-open.conf:1: ", "context.properties: the { of this line");
	remove_dir();
}

TEST(check_says_in_one_line_what_is_right)
{
	make_dir();
	write_file("xen-snd.conf", CONFIG, "", "xen-snd.rules = [ { " MATCHES " " ACTIONS " } ]");
	write_file("xen-snd.conf.d/10.conf", "{ xen-snd.rules = [ { " MATCHES " " ACTIONS " } ] }\n");
	ends_with(EXIT_SUCCESS, run("--check", NULL));
	check_eq(lines(printed), 1);
	check(strstr(printed, "/xen-snd.conf, ") != NULL);
	check(strstr(printed, "/xen-snd.conf.d/10.conf: right, 2 rules\n") != NULL);
	check_str(said, "");
	remove_dir();
}

TEST(a_configuration_that_does_not_load_the_module_is_an_error)
{
	make_dir();
	write_file("other.conf", "context.modules = [ ]\n");
	ends_with(EX_CONFIG, run("--config", "other.conf"));
	says("other.conf");
	says("libpipewire-module-xen-snd");
	remove_dir();
}

TEST(a_configuration_that_is_not_there_is_an_error)
{
	make_dir();
	ends_with(EX_CONFIG, run("--config", "missing.conf"));
	says("missing.conf");
	remove_dir();
}

TEST(no_configuration_at_all_is_an_error)
{
	char path[256];

	make_dir();
	snprintf(path, sizeof(path), "%s/client.conf", dir);
	check_eq(unlink(path), 0);
	ends_with(EX_CONFIG, run("--config", "missing.conf"));
	says("missing.conf");
	remove_dir();
}

TEST(another_configuration_can_be_named)
{
	make_dir();
	write_file("other.conf", CONFIG, "", "");
	ends_with(EX_UNAVAILABLE, run("--config", "other.conf"));
	remove_dir();
}

TEST(a_wrong_option_of_the_command_is_wrong_use)
{
	make_dir();
	ends_with(EX_USAGE, run("--loud", NULL));
	says("--help");
	ends_with(EX_USAGE, run("--config", NULL));
	remove_dir();
}

TEST(help_names_every_option_and_exit_code)
{
	make_dir();
	ends_with(EXIT_SUCCESS, run("--help", NULL));
	check(strstr(printed, "--config") != NULL);
	check(strstr(printed, "--check") != NULL);
	check(strstr(printed, "--verbose") != NULL);
	check(strstr(printed, "--version") != NULL);
	check(strstr(printed, "69") != NULL);
	check(strstr(printed, "78") != NULL);
	check_str(said, "");
	remove_dir();
}

TEST(the_version_is_the_projects)
{
	make_dir();
	ends_with(EXIT_SUCCESS, run("--version", NULL));
	check(strstr(printed, " " XEN_SND_VERSION "\n") != NULL);
	remove_dir();
}
