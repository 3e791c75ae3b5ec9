/* SPDX-License-Identifier: MIT */
/*
 * Sample formats: the protocol's numbers, their names in XenStore, their octets.
 */
#ifndef MODEL_FRONTEND_FORMATS_H
#define MODEL_FRONTEND_FORMATS_H

#include <stdint.h>

#define FORMAT_S16_LE 2
#define FORMAT_COUNT 25u

/** -1 when there is no such format */
int format_from_name(const char *name);
/** NULL when there is no such format */
const char *format_name(uint32_t format);
/** octets of a sample, 0 for those that have no such thing */
uint32_t format_octets(uint32_t format);

#endif
