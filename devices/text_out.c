// SPDX-License-Identifier: BSD-2-Clause
#include "devices/text_out.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void text_bytes(struct text_out *out, const void *bytes, size_t length)
{
	if (!text_room(out, length)) {
		out->full = true;
		return;
	}
	memcpy(out->text + out->used, bytes, length);
	out->used += length;
}

void text_format(struct text_out *out, const char *format, ...)
{
	char line[256];
	va_list arguments;

	va_start(arguments, format);
	int length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(line))
		out->full = true;
	else
		text_bytes(out, line, (size_t)length);
}

void text_quoted(struct text_out *out, const char *string)
{
	text_bytes(out, "\"", 1);
	for (; string && *string; string++) {
		u8 c = (u8)*string;

		if (c == '"' || c == '\\')
			text_format(out, "\\%c", c);
		else if (c < ' ' || c >= 0x7f)
			text_format(out, "\\u%04x", c);
		else
			text_bytes(out, string, 1);
	}
	text_bytes(out, "\"", 1);
}
