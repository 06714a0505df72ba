// SPDX-License-Identifier: BSD-2-Clause
/*
 * Frames from both sides of the bridge, and what connections say to the web server. Input: operations, each a byte that says
 * what and a byte of length. Frames go in as they are; packets and segments get right sums and numbers around what the input
 * says, so that it gets past them. lwIP cannot be started anew: its state is carried from one input to the next.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/net_rig.h"

#define SLUICE	0x0a000001u
#define CLIENTS 8

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static enum http_status get(void *owner, const char *path, struct http_answer *answer)
{
	(void)owner;
	CHECK(path[0] == '/' || path[0] == '\0' || strlen(path) < 4096);
	text_format(&answer->body, "%s\n", strlen(path) < 100 ? path : "long");
	return strlen(path) % 2 ? HTTP_OK : HTTP_NOT_FOUND;
}

static enum http_status post(void *owner, const char *path, const char *body, size_t length)
{
	(void)owner;
	CHECK(length <= HTTP_POST_MAX && body[length] == '\0' && strlen(path) < 32);
	return HTTP_OK;
}

static const struct http_site site = { .get = get, .post = post, .token = "secret", .test_file = true };

static void start(void)
{
	net_rig_start(NETWORK_STATIC);
	CHECK(http_start(&rig.net, &site));
	net_rig_run(10);
	station_arp(&rig.wire, SLUICE);
	station_arp(&rig.guest, SLUICE);
	net_rig_run(10);
	CHECK(rig.wire.peer_ip == SLUICE && rig.guest.peer_ip == SLUICE);
}

static void say(struct station *station, struct client **clients, unsigned which, const u8 *bytes,
		size_t length)
{
	struct client *client = clients[which % CLIENTS];

	if (!client || client->state == CLIENT_CLOSED || client->state == CLIENT_RESET) {
		if (client)
			client_forget(client);
		clients[which % CLIENTS] = client = client_connect(station, 65535);
		net_rig_run(1);
	}
	client_send(station, client, bytes, length);
}

static void operate(u8 kind, const u8 *bytes, size_t length)
{
	static struct client *clients[2][CLIENTS];
	static const char *const starts[] = {
		"GET ",
		"POST ",
		"\r\n\r\n",
		"Content-Length: ",
		"\r\n",
		"Authorization: Bearer secret\r\n",
		("POST /a HTTP/1.1\r\nContent-Length: 9\r\nAuthorization: Bearer secret\r\n\r\n"),
		"GET / HTTP/1.1\r\n\r\n",
	};
	struct station *station = kind & 0x80 ? &rig.guest : &rig.wire;
	struct client **own = clients[kind >> 7];
	const char *text;

	switch (kind & 7) {
	case 0:
	case 1:
		station_queue(station, bytes, length);
		break;
	case 2: /* protocol, payload */
		if (length)
			station_ip(station, station->peer_mac, SLUICE, bytes[0], bytes + 1, length - 1);
		break;
	case 3:
		station_ping(station, SLUICE, 1, length * 40);
		break;
	case 4:
		say(station, own, kind >> 3, bytes, length);
		break;
	case 5:
		text = starts[kind >> 3 & 7];
		say(station, own, length ? bytes[0] : 0, (const u8 *)text, strlen(text));
		break;
	case 6: /* long */
		for (unsigned i = 0; i < 8; i++)
			say(station, own, kind >> 3, bytes, length);
		break;
	default:
		net_rig_run(kind >> 3 & 15 ? 1u << (kind >> 3 & 7) : 2000);
		break;
	}
	net_rig_run(1);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static bool started;

	if (!started)
		start();
	started = true;
	while (size >= 2) {
		size_t length = MIN((size_t)data[1] * (data[0] & 1 ? 7 : 1), size - 2);
		u64 slices = rig.net.counters.slices, frames = rig.net.counters.frames;

		operate(data[0], data + 2, length);
		CHECK(!rig.net.failed);
		CHECK(rig.net.counters.frames - frames <=
		      (rig.net.counters.slices - slices) * NETWORK_SLICE_FRAMES);
		data += 2 + length;
		size -= 2 + length;
	}
	return 0;
}
