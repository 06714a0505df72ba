// SPDX-License-Identifier: BSD-2-Clause
#include "arch/log.h"

#include "arch/serial.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct {
	enum log_level level;
	void (*screen_write)(void *screen, const char *text);
	void *screen;
	struct text_ring history, guest;
} sink = { .level = LOG_INFO };

static const char *const prefix[] = {
	[LOG_ERROR] = "sluice: error: ",
	[LOG_WARN] = "sluice: warning: ",
	[LOG_INFO] = "sluice: ",
	[LOG_DEBUG] = "sluice: debug: ",
};

void log_set_level(enum log_level level)
{
	sink.level = level;
}

void log_set_screen(void (*write)(void *screen, const char *text), void *screen)
{
	sink.screen_write = write;
	sink.screen = screen;
}

static void put(char byte)
{
	/* Lines are few and a guest cannot cause many, so a full ring is waited for rather than losing one. */
	if (byte == '\n')
		while (!serial_put('\r'))
			serial_flush();
	while (!serial_put((u8)byte))
		serial_flush();
}

void log_write(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		put(text[i]);
}

void log_progress(const char *text)
{
	for (const char *c = text; *c; c++)
		put(*c);
	if (sink.screen_write)
		sink.screen_write(sink.screen, text);
}

void log_line(enum log_level level, const char *format, ...)
{
	char line[LOG_LINE_MAX];
	size_t length = strlen(prefix[level]);
	va_list arguments;
	int wanted;

	if (level > sink.level)
		return;
	memcpy(line, prefix[level], length + 1);
	va_start(arguments, format);
	wanted = vsnprintf(line + length, sizeof(line) - length - 1, format, arguments);
	va_end(arguments);
	if (wanted < 0)
		return;
	if ((size_t)wanted >= sizeof(line) - length - 1)
		memcpy(line + sizeof(line) - 5, "...", 4);
	length = strlen(line);
	line[length++] = '\n';

	if (serial_mid_line())
		put('\n');
	log_write(line, length);
	for (size_t i = 0; i < length; i++)
		text_ring_put(&sink.history, line[i]);
	if (sink.screen_write && level <= LOG_WARN) {
		line[length] = '\0';
		sink.screen_write(sink.screen, line);
	}
}

void log_guest_byte(u8 byte)
{
	text_ring_put(&sink.guest, (char)byte);
}

const struct text_ring *log_history(void)
{
	return &sink.history;
}

const struct text_ring *log_guest_history(void)
{
	return &sink.guest;
}
