/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text into a buffer of fixed size. What does not fit is left out from there on, and `full` tells.
 */
#ifndef DEVICES_TEXT_OUT_H
#define DEVICES_TEXT_OUT_H

#include "mm/types.h"

struct text_out {
	char *text;
	size_t size, used; /* used <= size; no terminator */
	bool full;	   /* something did not fit: nothing more is taken */
	bool cut;	   /* for its users: something was left out */
};

void text_bytes(struct text_out *out, const void *bytes, size_t length);
void text_format(struct text_out *out, const char *format, ...) __printf(2, 3);
/* In quotes, with JSON's escapes (RFC 8259, 7); Prometheus understands those it meets here. Null is the empty string. */
void text_quoted(struct text_out *out, const char *string);

/* Whether `bytes` more would fit. */
static inline bool text_room(const struct text_out *out, size_t bytes)
{
	return !out->full && out->size - out->used >= bytes;
}

#endif
