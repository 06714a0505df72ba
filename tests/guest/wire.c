// SPDX-License-Identifier: BSD-2-Clause
/*
 * wire JOB [ARGUMENTS]: what a guest does on its network, quicker than a shell's tools do it and with its content checked.
 * One line `wire: ...` says what was seen, status 0 that it was as it should be. Ticks are the TSC's, frames those of eth0 both
 * ways. With MARKS in the environment, Sluice is asked for a mark in its log at the begin and at the end.
 *
 *   get ADDRESS PORT PATH     HTTP: the body's bytes, its SHA-256
 *   ping ADDRESS COUNT WINDOW echo requests of all sizes, so many on their way at once; each answer is compared, and what
 *                             is not answered counted
 *   crowd ADDRESS PORT PATH COUNT  HTTP: so many requests, each on a connection, all at once
 *   send ADDRESS PORT KIB     UDP datagrams of 1472 bytes, until the network device has taken the last
 *   flood ADDRESS PORT SECONDS  UDP datagrams of all sizes, as many as there can be
 *   spin SECONDS              rounds of nothing that a million ticks leave to a process
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "tests/guest/sha256.h"

#define LARGEST	 1472	    /* what fits into a frame with the headers of IP and UDP or ICMP */
#define PATIENCE 20	    /* seconds without an answer */
#define MARK	 0x6b72616d /* Sluice's hypercall "mark" */

static void fail(const char *what)
{
	printf("wire: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int reach(int type, int protocol, const char *address, const char *port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port)) };
	struct timeval patience = { .tv_sec = PATIENCE };
	int s = socket(AF_INET, type, protocol);

	if (s < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1)
		fail(address);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(s, (struct sockaddr *)&to, sizeof(to)))
		fail("connect");
	return s;
}

static void mark(unsigned long number)
{
	__asm__ volatile("vmcall" : : "a"(MARK), "b"(number) : "memory");
}

struct span {
	uint64_t ticks, frames;
};

static uint64_t frames(void)
{
	unsigned long long in = 0, out = 0;
	FILE *table = fopen("/proc/net/dev", "r");
	char line[256];

	while (table && fgets(line, sizeof(line), table))
		if (sscanf(line, " eth0: %*u %llu %*u %*u %*u %*u %*u %*u %*u %llu", &in, &out) == 2)
			break;
	if (table)
		fclose(table);
	return in + out;
}

static struct span begin(void)
{
	struct span span = { .frames = frames() };

	if (getenv("MARKS"))
		mark(0);
	span.ticks = __rdtsc();
	return span;
}

static void end(struct span *span)
{
	span->ticks = __rdtsc() - span->ticks;
	if (getenv("MARKS"))
		mark(1);
	span->frames = frames() - span->frames;
}

static void say_span(const struct span *span)
{
	printf(", %llu ticks, %llu frames\n", (unsigned long long)span->ticks,
	       (unsigned long long)span->frames);
}

/* ---- get ---- */

#define BODY_MAX (8u << 20)

static int get(char **argument)
{
	static uint8_t answer[BODY_MAX + 64];
	size_t size = 0, header, padded;
	struct sha256 sum;
	char line[256], digest[65];
	int s = reach(SOCK_STREAM, 0, argument[0], argument[1]);
	struct span span = begin();
	const uint8_t *body;

	snprintf(line, sizeof(line), "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", argument[2], argument[0]);
	if (write(s, line, strlen(line)) != (ssize_t)strlen(line))
		fail("write");
	for (ssize_t got; size < BODY_MAX; size += (size_t)got) {
		got = read(s, answer + size, BODY_MAX - size);
		if (got < 0)
			fail("read");
		if (got == 0)
			break;
	}
	end(&span);
	body = memmem(answer, size, "\r\n\r\n", 4);
	if (size < 12 || memcmp(answer + 8, " 200", 4) != 0 || !body) {
		printf("wire: status%.4s, %zu bytes\n", (char *)answer + 8, size);
		return 1;
	}
	body += 4;
	header = (size_t)(body - answer);
	size -= header;
	/* Whole blocks: the padding of FIPS 180-4, 5.1.1, is the sum's own. What is tested here has them. */
	padded = size / 64 * 64;
	sha256_begin(&sum);
	sha256_blocks(&sum, body, padded);
	sha256_end(&sum, digest);
	printf("wire: %zu bytes, sha256 %s", size, padded == size ? digest : "of no whole blocks");
	say_span(&span);
	return 0;
}

/* ---- crowd ---- */

static int crowd(char **argument)
{
	static struct pollfd peer[500];
	unsigned count = (unsigned)atoi(argument[3]), left = count, good = 0, busy = 0;
	char line[256], answer[4096];
	int length = snprintf(line, sizeof(line), "GET %s HTTP/1.0\r\n\r\n", argument[2]);

	if (count > sizeof(peer) / sizeof(peer[0]))
		return 2;
	/* None asks before all are there. */
	for (unsigned i = 0; i < count; i++)
		peer[i] = (struct pollfd){ .fd = reach(SOCK_STREAM, 0, argument[0], argument[1]),
					   .events = POLLIN };
	for (unsigned i = 0; i < count; i++)
		if (write(peer[i].fd, line, (size_t)length) != length)
			fail("write");
	while (left) {
		if (poll(peer, count, PATIENCE * 1000) <= 0)
			break;
		for (unsigned i = 0; i < count; i++) {
			ssize_t got;

			if (peer[i].fd < 0 || !peer[i].revents)
				continue;
			got = read(peer[i].fd, answer, sizeof(answer));
			if (got > 12 && !memcmp(answer, "HTTP/1.", 7)) {
				good += !memcmp(answer + 8, " 200", 4);
				busy += !memcmp(answer + 8, " 503", 4);
			}
			if (got <= 0) {
				close(peer[i].fd);
				peer[i].fd = -1;
				left--;
			}
		}
	}
	printf("wire: %u at once, %u good, %u busy, %u left alone\n", count, good, busy, left);
	return left != 0;
}

/* ---- ping ---- */

struct echo {
	struct icmphdr header;
	uint8_t data[LARGEST];
};

static size_t echo_size(unsigned number)
{
	return number * 37 % (LARGEST + 1);
}

static uint8_t echo_byte(unsigned number, size_t i)
{
	return (uint8_t)(number * 31 + i * 7 + (i >> 8));
}

static void send_echo(int s, unsigned number)
{
	static struct echo echo;
	size_t size = echo_size(number);

	echo.header = (struct icmphdr){ .type = ICMP_ECHO };
	echo.header.un.echo.sequence = htons((uint16_t)number);
	for (size_t i = 0; i < size; i++)
		echo.data[i] = echo_byte(number, i);
	if (send(s, &echo, sizeof(echo.header) + size, 0) < 0)
		fail("send");
}

#define NO_ANSWER (~0u)

/* Its number, of which it has the lowest bits; fails if its bytes are not those of that number. */
static unsigned take_answer(int s, unsigned near)
{
	static struct echo echo;
	ssize_t got = recv(s, &echo, sizeof(echo), 0);
	unsigned number;
	size_t size;

	if (got < 0 && errno == EAGAIN)
		return NO_ANSWER;
	if (got < (ssize_t)sizeof(echo.header))
		fail("answer");
	number = near + (uint16_t)(ntohs(echo.header.un.echo.sequence) - near);
	size = (size_t)got - sizeof(echo.header);
	if (echo.header.type != ICMP_ECHOREPLY || size != echo_size(number)) {
		printf("wire: type %u, %zu bytes for number %u\n", echo.header.type, size, number);
		exit(1);
	}
	for (size_t i = 0; i < size; i++) {
		if (echo.data[i] != echo_byte(number, i)) {
			printf("wire: number %u of %zu bytes differs at %zu\n", number, size, i);
			exit(1);
		}
	}
	return number;
}

static int ping(char **argument)
{
	/* The kernel gives the identifier, and only its answers. */
	int s = reach(SOCK_DGRAM, IPPROTO_ICMP, argument[0], "0");
	unsigned count = (unsigned)atoi(argument[1]), window = (unsigned)atoi(argument[2]), sent = 0,
		 seen = 0, lost = 0;
	static uint8_t answered[1 << 16];
	struct span span;

	if (count > sizeof(answered))
		return 2;
	span = begin();
	while (seen + lost < count) {
		unsigned number;

		while (sent < count && sent - seen - lost < window)
			send_echo(s, sent++);
		number = take_answer(s, 0);
		if (number == NO_ANSWER) {
			lost = sent - seen;
			continue;
		}
		if (number >= sent || answered[number]++) {
			printf("wire: number %u came twice, or before it was sent\n", number);
			return 1;
		}
		seen++;
		/* Later than anybody waited. */
		if (lost > sent - seen)
			lost = sent - seen;
	}
	end(&span);
	printf("wire: %u sent, %u answered", sent, seen);
	say_span(&span);
	return seen < sent;
}

/* ---- send, flood, spin ---- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int send_all(char **argument)
{
	static uint8_t data[LARGEST];
	int s = reach(SOCK_DGRAM, 0, argument[0], argument[1]), left = 1;
	size_t bytes = (size_t)atoi(argument[2]) * 1024, done = 0, count = 0;
	struct span span = begin();

	for (; done < bytes; count++) {
		size_t size = bytes - done < LARGEST ? bytes - done : LARGEST;

		if (send(s, data, size, 0) == (ssize_t)size)
			done += size;
		/* An error that somebody's answer to an earlier one left: nobody listens there. */
		else if (errno != ECONNREFUSED)
			fail("send");
	}
	while (ioctl(s, SIOCOUTQ, &left) == 0 && left > 0)
		;
	end(&span);
	printf("wire: %zu datagrams, %zu bytes", count, done);
	say_span(&span);
	return 0;
}

static int flood(char **argument)
{
	static uint8_t data[LARGEST];
	int s = reach(SOCK_DGRAM, 0, argument[0], argument[1]);
	double end = now() + atof(argument[2]);
	unsigned long sent = 0;

	while (now() < end)
		for (unsigned i = 0; i < 64; i++, sent++)
			send(s, data, echo_size((unsigned)sent), 0);
	printf("wire: %lu datagrams\n", sent);
	return 0;
}

static int spin(char **argument)
{
	double end = now() + atof(argument[0]);
	uint64_t from = __rdtsc(), rounds = 0;

	while (now() < end) {
		for (volatile unsigned i = 0; i < 1000; i++)
			;
		rounds++;
	}
	printf("wire: %llu rounds in a million ticks\n",
	       (unsigned long long)(rounds * 1000000000ull / (__rdtsc() - from)));
	return 0;
}

static const struct {
	const char *name;
	int arguments;
	int (*run)(char **);
} jobs[] = {
	{ "get", 3, get },	 { "crowd", 4, crowd }, { "ping", 3, ping },
	{ "send", 3, send_all }, { "flood", 3, flood }, { "spin", 1, spin },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
		if (argc > 1 && strcmp(argv[1], jobs[i].name) == 0 && argc - 2 == jobs[i].arguments)
			return jobs[i].run(argv + 2);
	printf("wire: no such job\n");
	return 2;
}
