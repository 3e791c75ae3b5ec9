/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* What the fuzzer has made up, taken piece by piece. After its end all is zero. */

#ifndef XEN_SND_FUZZ_INPUT_H
#define XEN_SND_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <spa/utils/defs.h>

/* A target: one file of the corpus, or one idea of the fuzzer's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* a function of the target's own that is not watched */
#ifdef __clang__
#define FUZZ_UNSEEN	__attribute__((no_sanitize("address", "undefined", "coverage")))
#else
#define FUZZ_UNSEEN
#endif

struct input {
	const uint8_t *data;
	size_t size;
};

static inline void input_take(struct input *in, void *to, size_t size)
{
	size_t n = SPA_MIN(size, in->size);

	memset(to, 0, size);
	if (n > 0)
		memcpy(to, in->data, n);
	in->data += n;
	in->size -= n;
}

static inline uint8_t input_u8(struct input *in)
{
	uint8_t n;

	input_take(in, &n, sizeof(n));
	return n;
}

static inline uint16_t input_u16(struct input *in)
{
	uint16_t n;

	input_take(in, &n, sizeof(n));
	return n;
}

static inline uint32_t input_u32(struct input *in)
{
	uint32_t n;

	input_take(in, &n, sizeof(n));
	return n;
}

#endif /* XEN_SND_FUZZ_INPUT_H */
