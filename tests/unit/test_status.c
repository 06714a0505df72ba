// SPDX-License-Identifier: BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "devices/status.h"
#include "devices/virtio_rng.h"
#include "tests/unit/net_rig.h"

#define SLUICE	0x0a000001u
#define REASONS 70

static struct {
	struct status status;
	struct status_guest guest;
	struct mem_core core;
	struct region root, ram, rom, uart;
	struct address_space memory, ram_only;
	struct vtd vtd;
	struct vtd_gate gate;
	struct iotlb_entry iotlb[16];
	struct fault_log faults;
	struct virtio_rng rng;
	struct timer_queue timers;
	char console[20000], typed[HTTP_POST_MAX + 1];
	size_t console_end;
	unsigned resets;
	bool full;
} s;

static u8 host_ram[64 * KiB], host_rom[4 * KiB];

static const struct dma_row rng_rows[] = {
	DMA_ROW("low \"ram\"", 0, 64 * KiB, 0, MEM_READ_WRITE),
	DMA_ROW("rom", 1 * MiB, 4 * KiB, 1 * MiB, MEM_READ),
};
static const struct dma_table windows[] = {
	{ .device = "rng", .requester = PCI_ID(0, 5, 0), .rows = rng_rows, .count = ARRAY_SIZE(rng_rows) },
};

static enum mem_result uart_read(void *device, u64 offset, unsigned size, u64 *value)
{
	(void)device, (void)offset, (void)size;
	*value = 0;
	return MEM_OK;
}

static enum mem_result uart_write(void *device, u64 offset, unsigned size, u64 value)
{
	(void)device, (void)offset, (void)size, (void)value;
	return MEM_OK;
}

static const struct region_ops uart_ops = { .read = uart_read, .write = uart_write };

static const char *state_of_guest(void *board)
{
	assert_ptr_equal(board, &s);
	return "running";
}

static bool exits(void *board, unsigned number, struct status_exit *exit)
{
	static char names[REASONS][32];

	assert_ptr_equal(board, &s);
	if (number >= REASONS)
		return false;
	snprintf(names[number], sizeof(names[0]), "reason %u", number);
	*exit = (struct status_exit){ names[number], number % 2 ? (u64)number << 40 : 0, number * 100 };
	return true;
}

static unsigned page_level(void *board, u64 gpa)
{
	(void)board;
	return gpa < 32 * KiB ? 1 : 2;
}

static void pages(void *board, u64 leaves[4])
{
	(void)board;
	leaves[1] = 8;
	leaves[2] = 7;
}

static unsigned devices(void *board, struct virtio_device *list[STATUS_DEVICES])
{
	(void)board;
	list[0] = &s.rng.dev;
	return 1;
}

static size_t console(void *board, u64 *from, char *bytes, size_t size)
{
	u64 begin = s.console_end > 10000 ? s.console_end - 10000 : 0;

	(void)board;
	*from = *from > s.console_end ? s.console_end : MAX(*from, begin);
	size = MIN(size, s.console_end - *from);
	memcpy(bytes, s.console + *from, size);
	return size;
}

static bool reset(void *board)
{
	(void)board;
	s.resets++;
	return true;
}

static bool input(void *board, const char *bytes, size_t length)
{
	(void)board;
	if (s.full)
		return false;
	memcpy(s.typed, bytes, length);
	s.typed[length] = '\0';
	return true;
}

static void send_nothing(void *sink, u64 address, u32 data)
{
	(void)sink, (void)address, (void)data;
}

static void make_guest(void)
{
	const struct vtd_config config = { .host_address_width = 39,
					   .address_width = 39,
					   .memory = &s.ram_only,
					   .send = send_nothing,
					   .iotlb = s.iotlb,
					   .iotlb_entries = ARRAY_SIZE(s.iotlb),
					   .log = &s.faults };
	const struct virtio_setup setup = { .name = "rng", .clock = &rig.clock, .timers = &s.timers };
	const struct fault_record record = { .iova = 0xfee00000,
					     .length = 4,
					     .device = "rng",
					     .requester = PCI_ID(0, 5, 0),
					     .access = MEM_WRITE };

	mem_core_init(&s.core);
	region_init_container(&s.root, "memory", REGION_SIZE_WHOLE);
	region_init_ram(&s.ram, "ram", sizeof(host_ram), host_ram);
	region_init_rom(&s.rom, "rom", sizeof(host_rom), host_rom);
	region_init_mmio(&s.uart, "uart", 256, &uart_ops, NULL);
	assert_int_equal(region_add(&s.root, 0, &s.ram, 0), 0);
	assert_int_equal(region_add(&s.root, 1 * MiB, &s.rom, 0), 0);
	assert_int_equal(region_add(&s.root, 0xfed00000, &s.uart, 0), 0);
	assert_int_equal(as_init(&s.memory, &s.core, "memory", &s.root, UNCLAIMED_ONES), 0);
	assert_int_equal(as_init(&s.ram_only, &s.core, "dma", &s.root, UNCLAIMED_ONES), 0);
	as_set_ram_only(&s.ram_only, true);
	fault_log_init(&s.faults);
	fault_log_add(&s.faults, &record);
	assert_int_equal(vtd_init(&s.vtd, &config), 0);
	vtd_gate_init(&s.vtd, &s.gate, "rng", PCI_ID(0, 5, 0), &s.ram_only);
	virtio_rng_init(&s.rng, &setup, NULL, NULL);
	s.guest = (struct status_guest){ .memory = &s.memory,
					 .windows = windows,
					 .window_count = ARRAY_SIZE(windows),
					 .vtd = &s.vtd,
					 .faults = &s.faults,
					 .state = state_of_guest,
					 .exits = exits,
					 .page_level = page_level,
					 .pages = pages,
					 .devices = devices,
					 .console = console,
					 .reset = reset,
					 .input = input,
					 .board = &s };
	s.status.guest = &s.guest;
}

static int start(void **state)
{
	(void)state;
	net_rig_start(NETWORK_STATIC);
	assert_true(status_start(&s.status, &rig.net, "secret", false));
	net_rig_run(10);
	station_arp(&rig.guest, SLUICE);
	net_rig_run(10);
	make_guest();
	return 0;
}

static int stop(void **state)
{
	(void)state;
	as_destroy(&s.memory);
	as_destroy(&s.ram_only);
	mem_quiescent(&s.core);
	mem_core_destroy(&s.core);
	return 0;
}

/* The body, and its length; the header before it in `header`. */
static const char *fetch(const char *request, unsigned status, char header[1024], size_t *length)
{
	static char text[HTTP_BODY_MAX + 1024];
	struct client *client = client_fetch(&rig.guest, request, 10000);
	const char *body;
	unsigned said = 0;

	assert_int_equal(client->state, CLIENT_CLOSED);
	assert_true(client->length < sizeof(text));
	memcpy(text, client->received, client->length + 1);
	assert_int_equal(sscanf(text, "HTTP/1.1 %u ", &said), 1);
	assert_int_equal(said, status);
	body = strstr(text, "\r\n\r\n") + 4;
	*length = client->length - (size_t)(body - text);
	if (header)
		snprintf(header, 1024, "%.*s", (int)(body - text), text);
	client_forget(client);
	return body;
}

static const char *get(const char *path)
{
	char request[100];
	size_t length;

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n\r\n", path);
	return fetch(request, 200, NULL, &length);
}

/* ---- a strict reader of JSON (RFC 8259), without a memory: it only says where a value ends ---- */

static const char *value(const char *at);

static const char *string(const char *at)
{
	assert_int_equal(*at++, '"');
	for (; *at != '"'; at++) {
		assert_true((u8)*at >= ' ' && (u8)*at < 0x7f);
		if (*at == '\\') {
			at++;
			assert_non_null(strchr("\"\\u", *at));
			if (*at == 'u')
				for (unsigned i = 0; i < 4; i++)
					assert_non_null(strchr("0123456789abcdef", *++at));
		}
	}
	return at + 1;
}

static const char *list(const char *at, char close)
{
	at++;
	if (*at == close)
		return at + 1;
	for (;; at++) {
		if (close == '}') {
			at = string(at);
			assert_int_equal(*at++, ':');
		}
		at = value(at);
		if (*at == close)
			return at + 1;
		assert_int_equal(*at, ',');
	}
}

static const char *value(const char *at)
{
	if (*at == '{' || *at == '[')
		return list(at, *at == '{' ? '}' : ']');
	if (*at == '"')
		return string(at);
	if (strncmp(at, "true", 4) == 0)
		return at + 4;
	if (strncmp(at, "false", 5) == 0)
		return at + 5;
	assert_true(*at >= '0' && *at <= '9');
	while (*at >= '0' && *at <= '9')
		at++;
	return at;
}

static void assert_json(const char *text)
{
	assert_string_equal(value(text), "\n");
}

#define assert_has(text, part)                                  \
	do {                                                    \
		if (!strstr(text, part))                        \
			fail_msg("no '%s' in: %s", part, text); \
	} while (0)

static void the_page_is_compressed_html(void **state)
{
	char header[1024], file[] = "/tmp/sluice-page.XXXXXX", command[100], text[40000];
	size_t length;
	const char *body = fetch("GET / HTTP/1.1\r\n\r\n", 200, header, &length);
	int out = mkstemp(file);
	FILE *in;

	(void)state;
	assert_has(header, "Content-Type: text/html; charset=utf-8\r\n");
	assert_has(header, "Content-Encoding: gzip\r\n");
	assert_true(write(out, body, length) == (ssize_t)length);
	close(out);
	snprintf(command, sizeof(command), "gzip -dc <%s", file);
	in = popen(command, "r");
	text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
	assert_int_equal(pclose(in), 0);
	unlink(file);
	assert_memory_equal(text, "<!DOCTYPE html>", 15);
	assert_has(text, "</html>");
	/* Everything that it needs is in it. */
	assert_null(strstr(text, "src="));
	assert_null(strstr(strstr(text, "<style>"), "url("));
	for (const char *at = text; (at = strstr(at, "://")); at++)
		assert_memory_equal(at, "://www.w3.org/2000/svg", 22); /* the name of SVG */
}

static void the_state_is_json_with_all_that_is_counted(void **state)
{
	const char *text = get("/api/state");

	(void)state;
	assert_json(text);
	assert_has(text, "\"guest\":\"running\"");
	assert_has(text, "{\"name\":\"reason 69\",\"exits\":75866302316544,\"ticks\":6900}");
	assert_null(strstr(text, "\"reason 2\"")); /* never came */
	assert_has(text, "\"pages\":[8,7,0]");
	assert_has(text, "\"device\":\"rng\",\"requester\":\"00:05.0\",\"present\":false");
	assert_has(text, "\"faults\":{\"total\":1,");
	assert_has(text, "iova 0xfee00000-0xfee00003");
	assert_has(
		text,
		"{\"name\":\"rng\",\"type\":\"entropy\",\"state\":\"reset\",\"queues\":[{\"kind\":\"off\"");
	assert_has(text, "\"address\":\"10.0.0.1/24\"");
	assert_has(text, "\"control\":true");
	assert_has(text, "\"cut\":false}");
}

static void the_map_is_json_with_ranges_pages_and_windows(void **state)
{
	const char *text = get("/api/map");

	(void)state;
	assert_json(text);
	assert_has(
		text,
		"{\"first\":\"0x0\",\"last\":\"0xffff\",\"name\":\"ram\",\"kind\":\"ram\",\"readonly\":false,"
		"\"pages\":\"1111111111111111111111111111111122222222222222222222222222222222\"}");
	assert_has(text, "{\"first\":\"0x100000\",\"last\":\"0x100fff\",\"name\":\"rom\",\"kind\":\"rom\","
			 "\"readonly\":true}");
	assert_has(text, "\"name\":\"uart\",\"kind\":\"mmio\"");
	assert_has(text, "{\"device\":\"rng\",\"name\":\"low "
			 "\\\"ram\\\"\",\"first\":\"0x0\",\"last\":\"0xffff\",\"iova\":\"0x0\","
			 "\"access\":\"rw\"}");
	assert_has(text, "\"iova\":\"0x100000\",\"access\":\"r\"}");
}

/* Prometheus' text format 0.0.4, read strictly: HELP, TYPE, then all samples of that metric, each once. */
static void check_metrics(const char *text)
{
	char metric[100] = "", name[100], line[512], seen[200][100];
	unsigned count = 0, samples = 0;

	for (const char *end; *text; text = end + 1) {
		end = strchr(text, '\n');
		assert_non_null(end);
		snprintf(line, sizeof(line), "%.*s", (int)(end - text), text);
		if (strncmp(line, "# HELP ", 7) == 0) {
			assert_int_equal(sscanf(line, "# HELP %99s", metric), 1);
			for (unsigned i = 0; i < count; i++)
				assert_string_not_equal(seen[i], metric);
			assert_true(count < ARRAY_SIZE(seen));
			strcpy(seen[count++], metric);
			samples = 0;
			continue;
		}
		if (strncmp(line, "# TYPE ", 7) == 0) {
			char type[20];

			assert_int_equal(sscanf(line, "# TYPE %99s %19s", name, type), 2);
			assert_string_equal(name, metric);
			assert_int_equal(samples, 0);
			if (strcmp(type, "counter") == 0)
				assert_string_equal(name + strlen(name) - 6, "_total");
			else
				assert_string_equal(type, "gauge");
			continue;
		}
		size_t length = strspn(line, "abcdefghijklmnopqrstuvwxyz0123456789_");
		assert_true(length == strlen(metric) && strncmp(line, metric, length) == 0);
		const char *at = line + length;
		if (*at == '{') {
			do {
				at++;
				length = strspn(at, "abcdefghijklmnopqrstuvwxyz");
				assert_true(length > 0 && at[length] == '=');
				at = string(at + length + 1);
			} while (*at == ',');
			assert_int_equal(*at++, '}');
		}
		assert_int_equal(*at++, ' ');
		assert_true(*at && strspn(at, "0123456789") == strlen(at));
		samples++;
	}
	assert_true(count >= 20);
}

static void metrics_are_what_prometheus_reads(void **state)
{
	const char *text = get("/metrics");
	FILE *tool;

	(void)state;
	check_metrics(text);
	assert_has(text, "\nsluice_exits_total{reason=\"reason 69\"} 75866302316544\n");
	assert_has(text, "\nsluice_guest_pages{size=\"2M\"} 7\n");
	assert_has(text, "\nsluice_dma_faults_total 1\n");
	assert_has(text, "\nsluice_network_frames_total{port=\"guest\",direction=\"rx\"} ");
	assert_has(text, "\nsluice_virtio_requests_total{device=\"rng\",queue=\"0\"} 0\n");
	/* And as Prometheus itself says, where it is installed. */
	if (system("command -v promtool >/dev/null") == 0) {
		tool = popen("promtool check metrics 2>&1", "w");
		fputs(text, tool);
		assert_int_equal(pclose(tool), 0);
	}
}

static void the_console_comes_as_it_is_and_from_where_it_is_asked(void **state)
{
	char header[1024];
	size_t length;
	const char *body;

	(void)state;
	for (unsigned i = 0; i < sizeof(s.console); i++)
		s.console[i] = (char)(i * 7);
	s.console_end = 300;
	body = fetch("GET /api/console/0 HTTP/1.1\r\n\r\n", 200, header, &length);
	assert_int_equal(length, 300);
	assert_memory_equal(body, s.console, 300);
	assert_has(header, "X-Console-Begin: 0\r\nX-Console-End: 300\r\n");
	fetch("GET /api/console/300 HTTP/1.1\r\n\r\n", 200, header, &length);
	assert_int_equal(length, 0);
	s.console_end = 20000;
	body = fetch("GET /api/console/300 HTTP/1.1\r\n\r\n", 200, header, &length);
	assert_int_equal(length, 8192);
	assert_memory_equal(body, s.console + 10000, 8192);
	assert_has(header, "X-Console-Begin: 10000\r\nX-Console-End: 18192\r\n");
	fetch("GET /api/console/99999999999999999999999 HTTP/1.1\r\n\r\n", 200, header, &length);
	assert_has(header, "X-Console-End: 20000\r\n");
	fetch("GET /api/console/-x HTTP/1.1\r\n\r\n", 200, header, &length);
	assert_has(header, "X-Console-Begin: 10000\r\n");
}

#define POST(path, token, length, body)                                                                 \
	"POST " path " HTTP/1.1\r\nAuthorization: Bearer " token "\r\nContent-Length: " length "\r\n\r" \
	"\n" body

static void control_needs_the_token(void **state)
{
	size_t length;

	(void)state;
	fetch(POST("/api/reset", "guess", "0", ""), 401, NULL, &length);
	fetch(POST("/api/input", "guess", "3", "abc"), 401, NULL, &length);
	assert_int_equal(s.resets, 0);
	assert_string_equal(s.typed, "");
	fetch(POST("/api/reset", "secret", "0", ""), 200, NULL, &length);
	assert_int_equal(s.resets, 1);
	fetch(POST("/api/input", "secret", "3", "abc"), 200, NULL, &length);
	assert_string_equal(s.typed, "abc");
	s.full = true;
	fetch(POST("/api/input", "secret", "1", "d"), 503, NULL, &length);
	s.full = false;
	fetch(POST("/api/other", "secret", "0", ""), 404, NULL, &length);
}

static void without_a_guest_there_is_still_an_answer(void **state)
{
	size_t length;

	(void)state;
	s.status.guest = NULL;
	assert_json(get("/api/state"));
	assert_has(get("/api/state"), "\"guest\":\"none\"");
	assert_json(get("/api/map"));
	assert_has(get("/metrics"), "\nsluice_guest_running 0\n");
	fetch("GET /api/console/0 HTTP/1.1\r\n\r\n", 503, NULL, &length);
	fetch(POST("/api/reset", "secret", "0", ""), 503, NULL, &length);
	fetch("GET /test/4m HTTP/1.1\r\n\r\n", 404, NULL, &length); /* not configured */
	/* A guest of which nothing is known. */
	s.status.guest = &(struct status_guest){ .board = NULL };
	assert_json(get("/api/state"));
	assert_json(get("/api/map"));
	assert_has(get("/metrics"), "\nsluice_guest_running 1\n");
	fetch("GET /api/console/0 HTTP/1.1\r\n\r\n", 503, NULL, &length);
	s.status.guest = &s.guest;
}

/* More than an answer holds: lists end early, and it is JSON all the same. */
static void what_is_too_long_is_cut_and_says_so(void **state)
{
	static struct region many[1000];
	struct fault_record record = {
		.device = "\x01\x02\"\\\xff, a device with a name that takes much room in JSON",
		.detail = "and a window called likewise \x03\x04\x05",
		.access = MEM_READ
	};
	const char *text;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++) {
		region_init_mmio(&many[i], "a name of some length \x01\x02\x03", 4, &uart_ops, &many[i]);
		assert_int_equal(region_add(&s.root, 2 * MiB + i * 16, &many[i], 0), 0);
	}
	for (unsigned i = 0; i < 100; i++)
		fault_log_add(&s.faults, &record);
	text = get("/api/map");
	assert_json(text);
	assert_has(text, "\"cut\":true}");
	assert_true(strlen(text) < HTTP_BODY_MAX && strlen(text) > HTTP_BODY_MAX / 2);
	assert_json(get("/api/state"));
	check_metrics(get("/metrics"));
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		region_remove(&many[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_is_compressed_html),
		cmocka_unit_test(the_state_is_json_with_all_that_is_counted),
		cmocka_unit_test(the_map_is_json_with_ranges_pages_and_windows),
		cmocka_unit_test(metrics_are_what_prometheus_reads),
		cmocka_unit_test(the_console_comes_as_it_is_and_from_where_it_is_asked),
		cmocka_unit_test(control_needs_the_token),
		cmocka_unit_test(without_a_guest_there_is_still_an_answer),
		cmocka_unit_test(what_is_too_long_is_cut_and_says_so),
	};

	return cmocka_run_group_tests_name("status", tests, start, stop);
}
