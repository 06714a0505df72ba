// SPDX-License-Identifier: BSD-2-Clause
#include "devices/http.h"

#include <lwip/apps/fs.h>
#include <lwip/apps/httpd.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/sys.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_MAX     640
#define POSTS	       4
#define TOKEN_MAX      128
#define WATCH_MS       1000
#define STATUS_PREFIX  "/!" /* of a path: the answer that has only a status */
#define POST_LIFE_MS   20000
#define AUTHENTICATION "authorization: bearer "

/* Custom functions of lwIP's fs.h have no declaration there. */
int fs_open_custom(struct fs_file *file, const char *name);
int fs_read_custom(struct fs_file *file, char *buffer, int count);
void fs_close_custom(struct fs_file *file);

struct buffer {
	u32 header; /* length of the header, at the end of its place in front of the body */
	bool used;
	bool generated; /* the body is the test file */
	char text[HEADER_MAX + HTTP_BODY_MAX];
};

/* A POST whose body is on its way. lwIP does not tell of all that end before: those expire. */
struct post {
	void *connection; /* null: free */
	size_t length, received;
	u32 began;
	char path[32];
	char body[HTTP_POST_MAX + 1];
};

static const struct http_site *site;
static struct buffer buffers[HTTP_ANSWERS];
static struct post posts[POSTS];
static struct http_counters counters;
static u8 seen_arg, taken_arg; /* of a TCP connection: when it was first seen; what was acknowledged then */

static const char busy[] =
	"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
	"Retry-After: 1\r\nConnection: close\r\n\r\nbusy\n";

static const struct {
	enum http_status status;
	const char *text;
} statuses[] = {
	{ HTTP_OK, "OK" },
	{ HTTP_BAD_REQUEST, "Bad Request" },
	{ HTTP_UNAUTHORIZED, "Unauthorized" },
	{ HTTP_FORBIDDEN, "Forbidden" },
	{ HTTP_NOT_FOUND, "Not Found" },
	{ HTTP_TOO_LARGE, "Content Too Large" },
	{ HTTP_NOT_IMPLEMENTED, "Not Implemented" },
	{ HTTP_UNAVAILABLE, "Service Unavailable" },
};

static const char *status_text(enum http_status status)
{
	for (unsigned i = 0; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].text;
	return "";
}

/* ---- answers ---- */

/* A name that starts with the number of a status. */
static enum http_status status_of(const char *name)
{
	unsigned long number = strtoul(name, NULL, 10);

	for (unsigned i = 0; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i].status == number)
			return statuses[i].status;
	return HTTP_NOT_FOUND;
}

/* The names that httpd itself asks for, and everybody else's. */
static enum http_status make(const char *path, struct http_answer *answer, bool *generated)
{
	static const char *const errors[] = { "/400.html", "/404.html", "/501.html" };

	if (strncmp(path, STATUS_PREFIX, 2) == 0)
		return status_of(path + 2);
	for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
		if (strcmp(path, errors[i]) == 0) {
			counters.bad_requests += i != 1;
			return status_of(path + 1);
		}
	}
	if (site->test_file && strcmp(path, "/test/4m") == 0) {
		answer->type = "application/octet-stream";
		*generated = true;
		return HTTP_OK;
	}
	return site->get(site->owner, path, answer);
}

static void put_header(struct buffer *buffer, enum http_status status, const struct http_answer *answer,
		       size_t length)
{
	char header[HEADER_MAX];
	int used = snprintf(
		header, sizeof(header),
		"HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
		"X-Content-Type-Options: nosniff\r\nConnection: close\r\n%s%s\r\n",
		(unsigned)status, status_text(status), answer->type, length,
		status == HTTP_UNAUTHORIZED ? "WWW-Authenticate: Bearer\r\n" : "", answer->extra);

	assert(used > 0 && (size_t)used < sizeof(header));
	buffer->header = (u32)used;
	memcpy(buffer->text + HEADER_MAX - used, header, (size_t)used);
}

int fs_open_custom(struct fs_file *file, const char *name)
{
	static const char *const tried[] = { "/index.shtml", "/index.ssi", "/index.shtm" };
	struct buffer *buffer = NULL;
	struct http_answer answer = { .type = "text/plain; charset=utf-8" };
	enum http_status status;
	size_t length;

	for (unsigned i = 0; i < ARRAY_SIZE(tried); i++)
		if (strcmp(name, tried[i]) == 0)
			return 0;
	for (unsigned i = 0; i < HTTP_ANSWERS && !buffer; i++)
		if (!buffers[i].used)
			buffer = &buffers[i];
	counters.requests++;
	memset(file, 0, sizeof(*file));
	file->flags = FS_FILE_FLAGS_HEADER_INCLUDED;
	if (!buffer) {
		counters.no_room++;
		file->data = busy;
		file->len = file->index = sizeof(busy) - 1;
		return 1;
	}
	answer.body = (struct text_out){ .text = buffer->text + HEADER_MAX, .size = HTTP_BODY_MAX };
	buffer->used = true;
	buffer->generated = false;
	status = make(name, &answer, &buffer->generated);
	if (status != HTTP_OK) {
		answer.body.used = 0;
		answer.type = "text/plain; charset=utf-8";
		answer.extra[0] = '\0';
		text_format(&answer.body, "%u %s\n", (unsigned)status, status_text(status));
	}
	length = buffer->generated ? HTTP_TEST_SIZE : answer.body.used;
	put_header(buffer, status, &answer, length);
	file->pextension = buffer;
	file->len = (int)(buffer->header + length);
	if (!buffer->generated) {
		file->data = buffer->text + HEADER_MAX - buffer->header;
		file->index = file->len;
	}
	return 1;
}

void fs_close_custom(struct fs_file *file)
{
	struct buffer *buffer = file->pextension;

	if (buffer)
		buffer->used = false;
}

#define TEST_STEP 2654435761u

static u8 test_byte(u32 at)
{
	return (u8)(at / 4 * TEST_STEP >> 8 * (at % 4));
}

/* The test file, header first. */
int fs_read_custom(struct fs_file *file, char *buffer, int count)
{
	const struct buffer *from = file->pextension;
	int header = (int)from->header, done = 0;
	u32 at, word;

	count = MIN(count, file->len - file->index);
	if (file->index < header) {
		done = MIN(count, header - file->index);
		memcpy(buffer, from->text + HEADER_MAX - header + file->index, (size_t)done);
	}
	at = (u32)(file->index + done - header);
	for (; done < count && at % 4; done++, at++)
		buffer[done] = (char)test_byte(at);
	word = at / 4 * TEST_STEP;
	for (; count - done >= 4; done += 4, at += 4, word += TEST_STEP)
		__builtin_memcpy(buffer + done, &word, sizeof(word));
	for (; done < count; done++, at++)
		buffer[done] = (char)test_byte(at);
	file->index += count;
	return count;
}

/* ---- posts ---- */

/* The value of the header field, as far as the line goes, or null. `field` is in lower case and ends in a blank. */
static const char *find_field(const char *header, size_t length, const char *field)
{
	size_t size = strlen(field);

	for (size_t line = 0; line < length; line++) {
		if (line && header[line - 1] != '\n')
			continue;
		size_t i = 0;
		while (i < size && line + i < length &&
		       (header[line + i] | (header[line + i] >= 'A' && header[line + i] <= 'Z' ? 0x20 : 0)) ==
			       field[i])
			i++;
		if (i == size)
			return header + line + i;
	}
	return NULL;
}

/* Looks at as many bytes whatever they are, so that its time tells nothing but lengths. */
static bool token_right(const char *header, size_t length)
{
	const char *given = find_field(header, length, AUTHENTICATION);
	size_t size = strlen(site->token);
	u8 different = 0;

	if (!given || size == 0 || size > TOKEN_MAX || (size_t)(header + length - given) < size)
		return false;
	for (size_t i = 0; i < size; i++)
		different |= (u8)(given[i] ^ site->token[i]);
	if (given + size < header + length && given[size] != '\r' && given[size] != '\0')
		different = 1;
	return different == 0;
}

static struct post *find_post(const void *connection)
{
	for (unsigned i = 0; i < POSTS; i++)
		if (posts[i].connection == connection)
			return &posts[i];
	return NULL;
}

static void respond(char *uri, u16_t size, enum http_status status)
{
	snprintf(uri, size, STATUS_PREFIX "%u", (unsigned)status);
	counters.refused_posts += status != HTTP_OK;
}

static enum http_status begin(void *connection, const char *path, const char *header, size_t header_length,
			      int length)
{
	struct post *post;
	u32 now = sys_now();

	if (!site->token || !site->post)
		return HTTP_FORBIDDEN;
	if (!token_right(header, header_length))
		return HTTP_UNAUTHORIZED;
	if ((size_t)length > HTTP_POST_MAX)
		return HTTP_TOO_LARGE;
	if (strlen(path) >= sizeof(post->path))
		return HTTP_NOT_FOUND;
	post = find_post(connection) ?: find_post(NULL);
	for (unsigned i = 0; i < POSTS && !post; i++)
		if (now - posts[i].began > POST_LIFE_MS)
			post = &posts[i];
	if (!post)
		return HTTP_UNAVAILABLE;
	post->connection = connection;
	post->began = now;
	post->length = (size_t)length;
	post->received = 0;
	snprintf(post->path, sizeof(post->path), "%s", path);
	return HTTP_OK;
}

err_t httpd_post_begin(void *connection, const char *uri, const char *http_request, u16_t http_request_len,
		       int content_len, char *response_uri, u16_t response_uri_len, u8_t *post_auto_wnd)
{
	enum http_status status = begin(connection, uri, http_request, http_request_len, content_len);

	(void)post_auto_wnd;
	counters.posts++;
	if (status == HTTP_OK)
		return ERR_OK;
	respond(response_uri, response_uri_len, status);
	return ERR_VAL;
}

err_t httpd_post_receive_data(void *connection, struct pbuf *p)
{
	struct post *post = find_post(connection);
	err_t result = ERR_VAL;

	if (post && p->tot_len <= HTTP_POST_MAX - post->received) {
		post->received += pbuf_copy_partial(p, post->body + post->received, p->tot_len, 0);
		result = ERR_OK;
	}
	pbuf_free(p);
	return result;
}

void httpd_post_finished(void *connection, char *response_uri, u16_t response_uri_len)
{
	struct post *post = find_post(connection);
	enum http_status status = HTTP_BAD_REQUEST;

	if (post && post->received >= post->length) {
		post->body[post->length] = '\0';
		status = site->post(site->owner, post->path, post->body, post->length);
	}
	if (post)
		post->connection = NULL;
	respond(response_uri, response_uri_len, status);
}

/* ---- time ---- */

static bool too_slow(struct tcp_pcb *pcb, u32 now)
{
	u32 seen = (u32)(uintptr_t)tcp_ext_arg_get(pcb, seen_arg), age, taken;

	if (!seen) {
		tcp_ext_arg_set(pcb, seen_arg, (void *)(uintptr_t)(now | 1));
		tcp_ext_arg_set(pcb, taken_arg, (void *)(uintptr_t)pcb->lastack);
		return false;
	}
	age = now - seen;
	taken = pcb->lastack - (u32)(uintptr_t)tcp_ext_arg_get(pcb, taken_arg);
	return age / 1000 > HTTP_GRACE_SECONDS + taken / HTTP_BYTES_PER_SECOND;
}

static void watch(void *arg)
{
	struct tcp_pcb *next;

	for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = next) {
		next = pcb->next;
		if (pcb->state >= ESTABLISHED && too_slow(pcb, sys_now())) {
			counters.cut_off++;
			tcp_abort(pcb);
		}
	}
	sys_timeout(WATCH_MS, watch, arg);
}

static void start(void *arg)
{
	seen_arg = tcp_ext_arg_alloc_id();
	taken_arg = tcp_ext_arg_alloc_id();
	httpd_init();
	watch(arg);
}

bool http_start(struct network *net, const struct http_site *http_site)
{
	assert(!site);
	site = http_site;
	return network_call(net, start, NULL);
}

struct http_counters http_counters(void)
{
	return counters;
}
