/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* The program `many-streams COUNT`: one client with so many of PipeWire's own streams, each
 * of which plays silence in S16 stereo. What they take of memory is what any process pays for
 * as many adapters. Ends by a signal. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pipewire/pipewire.h>
#include <spa/param/audio/format-utils.h>

#define RATE		48000
#define CHANNELS	2
#define FRAME_SIZE	(CHANNELS * sizeof(int16_t))

struct player {
	struct pw_stream *stream;
	struct spa_hook listener;
};

/* data loop */
static void on_process(void *data)
{
	struct player *player = data;
	struct pw_buffer *b = pw_stream_dequeue_buffer(player->stream);
	struct spa_data *d;
	uint64_t frames;

	if (b == NULL)
		return;
	d = &b->buffer->datas[0];
	frames = SPA_MIN(b->requested > 0 ? b->requested : 1024, d->maxsize / FRAME_SIZE);
	memset(d->data, 0, frames * FRAME_SIZE);
	*d->chunk = (struct spa_chunk) { .size = frames * FRAME_SIZE, .stride = FRAME_SIZE };
	pw_stream_queue_buffer(player->stream, b);
}

static const struct pw_stream_events events = {
	PW_VERSION_STREAM_EVENTS,
	.process = on_process,
};

static int play(struct player *player, struct pw_core *core)
{
	uint8_t octets[1024];
	struct spa_pod_builder b = SPA_POD_BUILDER_INIT(octets, sizeof(octets));
	const struct spa_pod *param = spa_format_audio_raw_build(&b, SPA_PARAM_EnumFormat,
			&SPA_AUDIO_INFO_RAW_INIT(.format = SPA_AUDIO_FORMAT_S16,
				.rate = RATE, .channels = CHANNELS));

	player->stream = pw_stream_new(core, "many-streams", pw_properties_new(
			PW_KEY_MEDIA_TYPE, "Audio", PW_KEY_MEDIA_CATEGORY, "Playback", NULL));
	if (player->stream == NULL)
		return -errno;
	pw_stream_add_listener(player->stream, &player->listener, &events, player);
	return pw_stream_connect(player->stream, PW_DIRECTION_OUTPUT, PW_ID_ANY,
			PW_STREAM_FLAG_AUTOCONNECT | PW_STREAM_FLAG_MAP_BUFFERS |
			PW_STREAM_FLAG_RT_PROCESS, &param, 1);
}

static void on_signal(void *data, int number)
{
	pw_main_loop_quit(data);
}

int main(int argc, char *argv[])
{
	long i, count = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
	struct pw_main_loop *loop;
	struct pw_context *context;
	struct pw_core *core;
	struct player *players;
	int res;

	if (count < 1 || count > 1024) {
		fprintf(stderr, "usage: %s COUNT (1 to 1024)\n", argv[0]);
		return 64;
	}
	pw_init(&argc, &argv);
	players = calloc(count, sizeof(*players));
	loop = pw_main_loop_new(NULL);
	context = loop ? pw_context_new(pw_main_loop_get_loop(loop), NULL, 0) : NULL;
	core = context ? pw_context_connect(context, NULL, 0) : NULL;
	if (players == NULL || core == NULL) {
		perror("can't connect to PipeWire");
		return 1;
	}
	pw_loop_add_signal(pw_main_loop_get_loop(loop), SIGTERM, on_signal, loop);
	for (i = 0; i < count; i++) {
		if ((res = play(&players[i], core)) < 0) {
			fprintf(stderr, "can't play stream %ld: %s\n", i, strerror(-res));
			return 1;
		}
	}
	pw_main_loop_run(loop);
	for (i = 0; i < count; i++)
		pw_stream_destroy(players[i].stream);
	pw_context_destroy(context);
	pw_main_loop_destroy(loop);
	pw_deinit();
	free(players);
	return 0;
}
