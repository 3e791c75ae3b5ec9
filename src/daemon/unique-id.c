/* pipewire-xen-snd */
/* SPDX-License-Identifier: MIT */

/* snd_be's unique-id, see unique-id.h. */

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "unique-id.h"

#define ALNUM		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define DIGITS		"0123456789"
#define ROLE_KEY	"media.role:"

static bool is_kind(const char *text, size_t len)
{
	return (len == 5 && strncasecmp(text, "pulse", len) == 0) ||
		(len == 4 && strncasecmp(text, "alsa", len) == 0);
}

/* All of these octets: a copy. */
static bool take_word(char *to, size_t size, const char *text, size_t len, const char *octets)
{
	if (len >= size || strspn(text, octets) < len)
		return false;
	memcpy(to, text, len);
	to[len] = '\0';
	return true;
}

/* A name, and neither a path nor the number of an object. xl's lists end at a comma: where one
 * belongs there is a semicolon. */
static bool take_target(struct unique_id *id, const char *text, size_t len)
{
	char *c;

	if (!take_word(id->target, sizeof(id->target), text, len, ALNUM"-_.:,;=") ||
	    (len > 0 && strspn(id->target, DIGITS) == len))
		return false;
	for (c = id->target; *c; c++) {
		if (*c == ';')
			*c = ',';
	}
	return true;
}

static bool take_role(struct unique_id *id, const char *text)
{
	if (*text == '\0')
		return true;
	if (strncmp(text, ROLE_KEY, strlen(ROLE_KEY)) != 0)
		return false;
	text += strlen(ROLE_KEY);
	return take_word(id->role, sizeof(id->role), text, strlen(text), ALNUM"-_");
}

int unique_id_parse(const char *text, struct unique_id *id, const char **why)
{
	const char *open = strchr(text, '<'), *close = open ? strchr(open, '>') : NULL;

	*why = NULL;
	memset(id, 0, sizeof(*id));
	if (close == NULL || !is_kind(text, open - text))
		*why = "is not pulse<DEVICE>media.role:ROLE or alsa<DEVICE>";
	else if (!take_target(id, open + 1, close - open - 1))
		*why = "names a device that no node can be called";
	else if (!take_role(id, close + 1))
		*why = "sets something else than a media.role of letters and digits";
	if (*why == NULL)
		return 0;
	memset(id, 0, sizeof(*id));
	return -EINVAL;
}
