// SPDX-License-Identifier: BSD-2-Clause
#include "devices/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONSOLE_PATH "/api/console/"
#define CONSOLE_MAX  (8 * KiB)

/* status.html, compressed: devices/status.mk. */
static const u8 page[] = {
#include "devices/status.hex"
};

const char *status_device_state(const struct virtio_device *dev)
{
	return dev->status & VIRTIO_STATUS_NEEDS_RESET ? "needs reset"
	       : dev->status & VIRTIO_STATUS_FAILED    ? "given up by its driver"
	       : dev->status & VIRTIO_STATUS_DRIVER_OK ? "live"
	       : dev->status			       ? "being set up"
						       : "reset";
}

u64 status_uptime(const struct status *status)
{
	const struct clock *clock = status->net->config.clock;

	return clock_periods(clock, clock_now(clock) - status->started, 1);
}

static enum http_status get_page(struct http_answer *answer)
{
	text_bytes(&answer->body, page, sizeof(page));
	answer->type = "text/html; charset=utf-8";
	/* It needs nothing from anywhere else, and is shown in nobody's frame. */
	snprintf(answer->extra, sizeof(answer->extra),
		 "Content-Encoding: gzip\r\nContent-Security-Policy: default-src 'none'; script-src "
		 "'unsafe-inline'; "
		 "style-src 'unsafe-inline'; connect-src 'self'; img-src data:; frame-ancestors 'none'\r\n");
	return HTTP_OK;
}

static enum http_status get_console(const struct status_guest *guest, const char *number,
				    struct http_answer *answer)
{
	u64 from = strtoull(number, NULL, 10);
	struct text_out *body = &answer->body;

	if (!guest || !guest->console)
		return HTTP_UNAVAILABLE;
	body->used = MIN(guest->console(guest->board, &from, body->text, CONSOLE_MAX), CONSOLE_MAX);
	answer->type = "application/octet-stream";
	snprintf(answer->extra, sizeof(answer->extra), "X-Console-Begin: %llu\r\nX-Console-End: %llu\r\n",
		 (unsigned long long)from, (unsigned long long)(from + body->used));
	return HTTP_OK;
}

static enum http_status get(void *owner, const char *path, struct http_answer *answer)
{
	const struct status *status = owner;

	if (strcmp(path, "/index.html") == 0)
		return get_page(answer);
	if (strncmp(path, CONSOLE_PATH, strlen(CONSOLE_PATH)) == 0)
		return get_console(status->guest, path + strlen(CONSOLE_PATH), answer);
	if (strcmp(path, "/metrics") == 0) {
		answer->type = "text/plain; version=0.0.4; charset=utf-8";
		status_put_metrics(status, &answer->body);
		/* If it was too long: whole lines only. */
		while (answer->body.full && answer->body.used &&
		       answer->body.text[answer->body.used - 1] != '\n')
			answer->body.used--;
		return HTTP_OK;
	}
	answer->type = "application/json";
	if (strcmp(path, "/api/state") == 0)
		status_put_state(status, &answer->body);
	else if (strcmp(path, "/api/map") == 0)
		status_put_map(status, &answer->body);
	else
		return HTTP_NOT_FOUND;
	return HTTP_OK;
}

static enum http_status post(void *owner, const char *path, const char *body, size_t length)
{
	const struct status *status = owner;
	const struct status_guest *guest = status->guest;

	if (strcmp(path, "/api/reset") == 0)
		return guest && guest->reset && guest->reset(guest->board) ? HTTP_OK : HTTP_UNAVAILABLE;
	if (strcmp(path, "/api/input") == 0)
		return guest && guest->input && guest->input(guest->board, body, length) ? HTTP_OK
											 : HTTP_UNAVAILABLE;
	return HTTP_NOT_FOUND;
}

bool status_start(struct status *status, struct network *net, const char *token, bool test_file)
{
	memset(status, 0, sizeof(*status));
	status->net = net;
	status->started = clock_now(net->config.clock);
	status->site = (struct http_site){
		.get = get, .post = post, .owner = status, .token = token, .test_file = test_file
	};
	return http_start(net, &status->site);
}
