/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lwIP's web server (port 80), and where its answers come from. An answer is made whole when its request has come, into
 * one of a few static buffers, with Content-Length; then the connection is closed. Whoever comes when all buffers are in use
 * is told to try again (503).
 *
 * A connection has HTTP_GRACE_SECONDS, and one more for every HTTP_BYTES_PER_SECOND that its peer has taken: who is slower,
 * with its request or with the answer, is cut off.
 */
#ifndef DEVICES_HTTP_H
#define DEVICES_HTTP_H

#include "devices/network.h"
#include "devices/text_out.h"

#define HTTP_ANSWERS	      8
#define HTTP_BODY_MAX	      (32 * KiB)
#define HTTP_POST_MAX	      1024u
#define HTTP_GRACE_SECONDS    15
#define HTTP_BYTES_PER_SECOND 2048
/* Of the file /test/4m. Its 32-bit words, little endian: word n is n * 2654435761 modulo 2^32. */
#define HTTP_TEST_SIZE (4 * MiB)

enum http_status {
	HTTP_OK = 200,
	HTTP_BAD_REQUEST = 400,
	HTTP_UNAUTHORIZED = 401,
	HTTP_FORBIDDEN = 403,
	HTTP_NOT_FOUND = 404,
	HTTP_TOO_LARGE = 413,
	HTTP_NOT_IMPLEMENTED = 501,
	HTTP_UNAVAILABLE = 503,
};

/* `body` is empty at first. `type` is text/plain, `extra` nothing: header lines, each with CRLF, of one's own. */
struct http_answer {
	struct text_out body;
	const char *type;
	char extra[256];
};

struct http_site {
	/* GET. `path` starts with '/', without a query. What is in `answer` is sent if this says HTTP_OK. */
	enum http_status (*get)(void *owner, const char *path, struct http_answer *answer);
	/* POST, with the token. */
	enum http_status (*post)(void *owner, const char *path, const char *body, size_t length);
	void *owner;
	const char
		*token; /* that a POST must show, as "Authorization: Bearer TOKEN"; null: nobody may post */
	bool test_file; /* there is /test/4m */
};

struct http_counters {
	u64 requests, bad_requests, posts, refused_posts;
	u64 no_room; /* answered by 503 */
	u64 cut_off; /* connections that were too slow */
};

/* Once, after network_init(). `site` is kept. False: the network has failed. */
bool http_start(struct network *net, const struct http_site *site);
struct http_counters http_counters(void);

#endif
