/* SPDX-License-Identifier: MIT */
/*
 * The table of sample formats.
 */
#include <string.h>

#include "formats.h"

static const struct {
	const char *name;
	uint32_t octets;
} formats[FORMAT_COUNT] = {
	{ "s8", 1 },
	{ "u8", 1 },
	{ "s16_le", 2 },
	{ "s16_be", 2 },
	{ "u16_le", 2 },
	{ "u16_be", 2 },
	{ "s24_le", 4 },
	{ "s24_be", 4 },
	{ "u24_le", 4 },
	{ "u24_be", 4 },
	{ "s32_le", 4 },
	{ "s32_be", 4 },
	{ "u32_le", 4 },
	{ "u32_be", 4 },
	{ "float_le", 4 },
	{ "float_be", 4 },
	{ "float64_le", 8 },
	{ "float64_be", 8 },
	{ "iec958_subframe_le", 4 },
	{ "iec958_subframe_be", 4 },
	{ "mu_law", 1 },
	{ "a_law", 1 },
	{ "ima_adpcm", 0 },
	{ "mpeg", 0 },
	{ "gsm", 0 },
};

int format_from_name(const char *name)
{
	for (uint32_t i = 0; i < FORMAT_COUNT; i++)
		if (strcmp(formats[i].name, name) == 0)
			return (int)i;
	return -1;
}

const char *format_name(uint32_t format)
{
	return format < FORMAT_COUNT ? formats[format].name : NULL;
}

uint32_t format_octets(uint32_t format)
{
	return format < FORMAT_COUNT ? formats[format].octets : 0;
}
