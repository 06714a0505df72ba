// SPDX-License-Identifier: BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/net_rig.h"

#define SLUICE 0x0a000001u

static struct {
	char path[64], body[HTTP_POST_MAX + 1];
	size_t length;
	unsigned gets, posts;
	size_t size; /* of an answer */
} made;

static enum http_status get(void *owner, const char *path, struct http_answer *answer)
{
	assert_ptr_equal(owner, &made);
	made.gets++;
	snprintf(made.path, sizeof(made.path), "%s", path);
	if (strcmp(path, "/index.html") != 0 && strcmp(path, "/big") != 0)
		return HTTP_NOT_FOUND;
	answer->type = "text/html";
	snprintf(answer->extra, sizeof(answer->extra), "X-Test: yes\r\n");
	for (size_t i = 0; i < (path[1] == 'b' ? made.size : 10); i++)
		text_format(&answer->body, "%zu", i % 10);
	return HTTP_OK;
}

static enum http_status post(void *owner, const char *path, const char *body, size_t length)
{
	assert_ptr_equal(owner, &made);
	assert_int_equal(body[length], 0);
	made.posts++;
	snprintf(made.path, sizeof(made.path), "%s", path);
	memcpy(made.body, body, length + 1);
	made.length = length;
	return strcmp(path, "/do") == 0 ? HTTP_OK : HTTP_NOT_FOUND;
}

static struct http_site site = {
	.get = get, .post = post, .owner = &made, .token = "secret", .test_file = true
};

static int start(void **state)
{
	(void)state;
	made.size = HTTP_BODY_MAX;
	net_rig_start(NETWORK_STATIC);
	assert_true(http_start(&rig.net, &site));
	net_rig_run(10);
	station_arp(&rig.guest, SLUICE);
	net_rig_run(10);
	return 0;
}

static char *fetch(const char *request)
{
	static char text[2 * HTTP_BODY_MAX];
	struct client *client = client_fetch(&rig.guest, request, 30000);

	assert_true(client->length < sizeof(text));
	if (client->length)
		memcpy(text, client->received, client->length);
	text[client->length] = '\0';
	assert_int_equal(client->state, CLIENT_CLOSED);
	client_forget(client);
	return text;
}

static unsigned status_of(const char *request)
{
	unsigned status = 0;

	assert_int_equal(sscanf(fetch(request), "HTTP/1.1 %u ", &status), 1);
	return status;
}

static void a_get_is_answered_with_length_and_type(void **state)
{
	const char *text = fetch("GET / HTTP/1.1\r\nHost: sluice\r\n\r\n");

	(void)state;
	assert_string_equal(made.path, "/index.html");
	assert_non_null(strstr(text, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(text, "Content-Type: text/html\r\n"));
	assert_non_null(strstr(text, "Content-Length: 10\r\n"));
	assert_non_null(strstr(text, "X-Test: yes\r\n"));
	assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n0123456789");
}

static void an_answer_may_fill_its_buffer(void **state)
{
	const char *text = fetch("GET /big?x=1 HTTP/1.0\r\n\r\n");

	(void)state;
	assert_string_equal(made.path, "/big");
	text = strstr(text, "\r\n\r\n") + 4;
	assert_int_equal(strlen(text), HTTP_BODY_MAX);
	for (size_t i = 0; i < HTTP_BODY_MAX; i++)
		assert_int_equal(text[i], '0' + i % 10);
}

static void what_is_not_there_is_404(void **state)
{
	(void)state;
	assert_int_equal(status_of("GET /nowhere HTTP/1.1\r\n\r\n"), 404);
	assert_int_equal(status_of("GET /a/ HTTP/1.1\r\n\r\n"), 404);
	assert_int_equal(status_of("GET /!999 HTTP/1.1\r\n\r\n"), 404);
}

static void requests_that_are_wrong_are_answered(void **state)
{
	char long_request[4000] = { 0 };
	struct client *client;

	(void)state;
	assert_int_equal(status_of("HEAD / HTTP/1.1\r\n\r\n"), 501);
	assert_int_equal(status_of("PUT / HTTP/1.1\r\n\r\n"), 501);
	assert_int_equal(status_of("\r\n\r\n\r\n\r\n\r\n"), 501);
	/* Answered before all of it has come, so the rest is refused by a reset. */
	memset(long_request, 'x', sizeof(long_request) - 1);
	memcpy(long_request, "GET /", 5);
	client = client_fetch(&rig.guest, long_request, 1000);
	assert_true(client->state == CLIENT_CLOSED || client->state == CLIENT_RESET);
	assert_memory_equal(client->received, "HTTP/1.1 400 ", 13);
	client_forget(client);
}

static void the_test_file_is_what_it_is_said_to_be(void **state)
{
	struct client *client = client_fetch(&rig.guest, "GET /test/4m HTTP/1.1\r\n\r\n", 120000);
	const u8 *body;

	(void)state;
	assert_int_equal(client->state, CLIENT_CLOSED);
	body = (const u8 *)strstr((const char *)client->received, "\r\n\r\n") + 4;
	assert_int_equal(client->received + client->length - body, 4 * MiB);
	for (u32 n = 0; n < MiB; n++) {
		u32 word = n * 2654435761u;

		assert_memory_equal(body + (size_t)n * 4, &word, 4);
	}
	client_forget(client);
}

#define POST(path, token, length, body)                                                                   \
	"POST " path " HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " token "\r\nContent-Length: " length \
	"\r\n\r\n" body

static void a_post_needs_the_token(void **state)
{
	unsigned posts = made.posts;

	(void)state;
	assert_int_equal(status_of(POST("/do", "wrong!", "3", "abc")), 401);
	assert_int_equal(status_of(POST("/do", "secre", "3", "abc")), 401);
	assert_int_equal(status_of(POST("/do", "secrets", "3", "abc")), 401);
	assert_int_equal(status_of(POST("/do", "", "3", "abc")), 401);
	assert_int_equal(status_of("POST /do HTTP/1.1\r\nContent-Length: 1\r\n\r\na"), 401);
	/* In the body it is not a header field. */
	assert_int_equal(status_of("POST /do HTTP/1.1\r\nContent-Length: 40\r\n\r\n"
				   "\r\nAuthorization: Bearer secret\r\n     "),
			 401);
	site.token = NULL;
	assert_int_equal(status_of(POST("/do", "secret", "3", "abc")), 403);
	site.token = "secret";
	assert_int_equal(made.posts, posts);
	assert_int_equal(status_of(POST("/do", "secret", "3", "abc")), 200);
	assert_int_equal(made.posts, posts + 1);
	assert_string_equal(made.body, "abc");
	assert_int_equal(
		status_of("POST /do HTTP/1.1\r\nauthorization: bearer secret\r\nContent-Length: 0\r\n\r\n"),
		200);
	assert_int_equal(made.length, 0);
	assert_int_equal(status_of(POST("/else", "secret", "3", "abc")), 404);
}

static void a_post_is_bounded(void **state)
{
	unsigned posts = made.posts;

	(void)state;
	assert_int_equal(status_of(POST("/do", "secret", "1025", "abc")), 413);
	assert_int_equal(status_of(POST("/do", "secret", "99999999", "abc")), 413);
	assert_int_equal(status_of(POST("/do-with-a-name-that-is-longer-than-any", "secret", "1", "a")), 404);
	assert_int_equal(made.posts, posts);
	/* More than it said: what is said counts. */
	assert_int_equal(status_of(POST("/do", "secret", "2", "abc")), 200);
	assert_int_equal(made.length, 2);
}

static void a_body_may_come_in_pieces(void **state)
{
	struct client *client = client_connect(&rig.guest, 65535);
	char body[HTTP_POST_MAX];

	(void)state;
	memset(body, 'b', sizeof(body));
	net_rig_run(10);
	client_send(&rig.guest, client, POST("/do", "secret", "1024", ""),
		    strlen(POST("/do", "secret", "1024", "")));
	for (unsigned i = 0; i < 1024; i += 64) {
		net_rig_run(20);
		client_send(&rig.guest, client, body + i, 64);
	}
	net_rig_run(100);
	assert_int_equal(client->state, CLIENT_CLOSED);
	assert_non_null(strstr((char *)client->received, "200 OK"));
	assert_int_equal(made.length, 1024);
	client_forget(client);
}

/* Starts posts that never end: later ones still find a place. */
static void posts_that_never_end_are_forgotten(void **state)
{
	struct client *clients[8];

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		clients[i] = client_connect(&rig.guest, 65535);
		net_rig_run(10);
		client_send(&rig.guest, clients[i], POST("/do", "secret", "100", "abc"),
			    strlen(POST("/do", "secret", "100", "abc")));
		net_rig_run(10);
	}
	net_rig_run(60000);
	for (unsigned i = 0; i < 8; i++) {
		assert_true(clients[i]->state == CLIENT_CLOSED || clients[i]->state == CLIENT_RESET);
		client_forget(clients[i]);
	}
	assert_int_equal(status_of(POST("/do", "secret", "3", "abc")), 200);
}

static void a_hundred_at_once_are_all_answered_or_closed(void **state)
{
	struct client *clients[100];
	unsigned answered = 0, busy = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		clients[i] = client_connect(&rig.guest, 65535);
		clients[i]->silent = false;
	}
	for (unsigned tick = 0; tick < 1000; tick++) {
		net_rig_run(1);
		for (unsigned i = 0; i < 100; i++) {
			if (clients[i]->state == CLIENT_OPEN && !clients[i]->asked) {
				client_send(&rig.guest, clients[i], "GET /big HTTP/1.1\r\n\r\n", 21);
				clients[i]->asked = true;
			}
		}
		if (tick % 100 == 99)
			for (unsigned i = 0; i < 100; i++)
				client_retry(&rig.guest, clients[i]);
	}
	net_rig_run(1000);
	for (unsigned i = 0; i < 100; i++) {
		assert_true(clients[i]->state == CLIENT_CLOSED || clients[i]->state == CLIENT_RESET);
		if (clients[i]->length && strstr((char *)clients[i]->received, "200 OK"))
			answered++;
		else if (clients[i]->length && strstr((char *)clients[i]->received, "503 "))
			busy++;
		client_forget(clients[i]);
	}
	print_message("# %u answered, %u told to come again\n", answered, busy);
	assert_true(answered >= HTTP_ANSWERS);
	assert_int_equal(status_of("GET / HTTP/1.1\r\n\r\n"), 200);
}

static bool ended(const struct client *client)
{
	return client->state == CLIENT_CLOSED || client->state == CLIENT_RESET;
}

static void the_slow_are_cut_off(void **state)
{
	struct client *mute = client_connect(&rig.guest, 65535), *drip = client_connect(&rig.guest, 65535);
	struct client *sip = client_connect(&rig.guest, 200);
	u64 cut = http_counters().cut_off;

	(void)state;
	net_rig_run(10);
	client_send(&rig.guest, sip, "GET /test/4m HTTP/1.1\r\n\r\n", 25);
	for (unsigned second = 0; second < 40; second++) {
		/* 200 bytes a second: never idle, never done. */
		sip->window = 200;
		client_ack(&rig.guest, sip);
		sip->window = 0;
		if (drip->state == CLIENT_OPEN)
			client_send(&rig.guest, drip, "G", 1);
		net_rig_run(1000);
		assert_true(second >= HTTP_GRACE_SECONDS || !ended(sip));
	}
	assert_true(ended(mute) && ended(drip) && ended(sip));
	assert_true(sip->length >= 1000);
	assert_int_equal(http_counters().cut_off, cut + 1);
	client_forget(mute);
	client_forget(drip);
	client_forget(sip);
	assert_int_equal(status_of("GET / HTTP/1.1\r\n\r\n"), 200);
}

/* Requests that never end, in many pieces, until lwIP has no buffer left: guest and wire do not notice. */
static void without_lwips_memory_the_bridge_goes_on(void **state)
{
	struct client *clients[30];
	u8 frame[60] = { 0 };
	u64 frames;

	(void)state;
	net_rig_run(60000);
	memcpy(frame, rig.wire.mac, ETHERNET_MAC);
	memcpy(frame + ETHERNET_MAC, rig.guest.mac, ETHERNET_MAC);
	for (unsigned i = 0; i < 30; i++)
		clients[i] = client_connect(&rig.guest, 65535);
	net_rig_run(20);
	for (unsigned piece = 0; piece < 7; piece++) {
		for (unsigned i = 0; i < 30; i++)
			client_send(&rig.guest, clients[i], "xxxxxxxx", 8);
		net_rig_run(20);
	}
	assert_true(rig.net.counters.dropped_no_memory > 0);
	frames = rig.wire.frames;
	for (unsigned i = 0; i < 100; i++)
		station_queue(&rig.guest, frame, sizeof(frame));
	net_rig_run(100);
	assert_int_equal(rig.wire.frames, frames + 100);
	net_rig_run(30000);
	for (unsigned i = 0; i < 30; i++)
		client_forget(clients[i]);
	assert_int_equal(status_of("GET / HTTP/1.1\r\n\r\n"), 200);
	assert_false(rig.net.failed);
}

/* Connections that are opened and left: their place is given to others. */
static void a_flood_of_connections_passes(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < 120; i++)
			client_connect(&rig.guest, 65535)->silent = true;
		net_rig_run(100);
		for (unsigned i = 0; i < STATION_CLIENTS; i++)
			client_forget(&rig.guest.clients[i]);
	}
	net_rig_run(60000);
	assert_int_equal(status_of("GET / HTTP/1.1\r\n\r\n"), 200);
	assert_false(rig.net.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_get_is_answered_with_length_and_type),
		cmocka_unit_test(an_answer_may_fill_its_buffer),
		cmocka_unit_test(what_is_not_there_is_404),
		cmocka_unit_test(requests_that_are_wrong_are_answered),
		cmocka_unit_test(the_test_file_is_what_it_is_said_to_be),
		cmocka_unit_test(a_post_needs_the_token),
		cmocka_unit_test(a_post_is_bounded),
		cmocka_unit_test(a_body_may_come_in_pieces),
		cmocka_unit_test(posts_that_never_end_are_forgotten),
		cmocka_unit_test(a_hundred_at_once_are_all_answered_or_closed),
		cmocka_unit_test(the_slow_are_cut_off),
		cmocka_unit_test(without_lwips_memory_the_bridge_goes_on),
		cmocka_unit_test(a_flood_of_connections_passes),
	};

	return cmocka_run_group_tests_name("http", tests, start, NULL);
}
