// SPDX-License-Identifier: BSD-2-Clause
/*
 * poke CHECK [ARGUMENTS]: what a shell cannot do from inside of the guest. Status 0 if the check held; if not, a line says
 * what was seen.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtc.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/poke.h"
#include "tests/guest/vfio.h"
#include "tests/guest/vtd_user.h"

void fail(const char *format, ...)
{
	va_list arguments;

	printf("# ");
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	exit(1);
}

int open_memory(void)
{
	static int memory = -1;

	if (memory < 0)
		memory = open("/dev/mem", O_RDWR | O_SYNC);
	return memory;
}

volatile uint8_t *physical(uint64_t address, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, open_memory(), (off_t)address);

	if (at == MAP_FAILED)
		fail("cannot map 0x%llx of /dev/mem: %s", (unsigned long long)address, strerror(errno));
	return at;
}

unsigned long interrupts(const char *name)
{
	FILE *file = fopen("/proc/interrupts", "r");
	unsigned long count = 0;
	char line[256], row[32];

	if (!file)
		fail("no /proc/interrupts");
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " %31[^:]: %lu", row, &count) == 2 && strcmp(row, name) == 0) {
			fclose(file);
			return count;
		}
	fail("no row %s in /proc/interrupts", name);
}

/* ---- what is no device ---- */

static sigjmp_buf fault;

static void on_fault(int signal)
{
	siglongjmp(fault, signal);
}

static void port_denied(unsigned short port)
{
	if (sigsetjmp(fault, 1) == 0)
		fail("a process without rights read 0x%x from port 0x%x", (unsigned)inb(port), port);
}

static void ports_denied(void)
{
	signal(SIGSEGV, on_fault);
	port_denied(0x3f8);
	port_denied(0xcf8);
	port_denied(0x80);
	port_denied(0x600);
	port_denied(0x8900);
	if (setuid(65534) != 0 || ioperm(0x80, 1, 1) == 0 || errno != EPERM)
		fail("a user could open a port");
}

/* Addresses where nothing is: reads as ones, also behind the end of RAM and beyond 4 GiB, whatever was written. */
static void holes(void)
{
	static const uint64_t empty[] = { 0xc8000000, 0xfea00000, 0xfed00000, 0xfffff000, 0x2000000000 };

	for (unsigned i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		volatile uint8_t *page = physical(empty[i], PAGE);

		set32(page, 0, 0);
		if (get32(page, 0) != ~0u || page[5] != 0xff)
			fail("0x%llx reads as 0x%x", (unsigned long long)empty[i], get32(page, 0));
	}
}

static uint64_t tsc(void)
{
	unsigned low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

/* Waits for the next second of the RTC; its update interrupt is what wakes the process. */
static uint64_t rtc_second(int rtc)
{
	unsigned long causes;

	if (read(rtc, &causes, sizeof(causes)) != sizeof(causes))
		fail("the RTC does not tell its seconds: %s", strerror(errno));
	return tsc();
}

/* The TSC against the RTC over four seconds; the frequency that CPUID tells; CLOCK_MONOTONIC, which Linux makes of it. */
static void clocks(void)
{
	enum { SECONDS = 4 };
	unsigned denominator, numerator, crystal, unused;
	struct timespec from, to;
	const int rtc = open("/dev/rtc0", O_RDONLY);

	__cpuid(0x15, denominator, numerator, crystal, unused);
	if (!denominator || !numerator || !crystal)
		fail("CPUID leaf 0x15 is %u, %u, %u", denominator, numerator, crystal);
	const double told = (double)crystal * numerator / denominator;
	if (rtc < 0 || ioctl(rtc, RTC_UIE_ON, 0) != 0)
		fail("no update interrupts of /dev/rtc0: %s", strerror(errno));
	rtc_second(rtc);
	const uint64_t first = rtc_second(rtc);
	clock_gettime(CLOCK_MONOTONIC, &from);
	uint64_t last = 0;
	for (unsigned i = 0; i < SECONDS; i++)
		last = rtc_second(rtc);
	clock_gettime(CLOCK_MONOTONIC, &to);
	ioctl(rtc, RTC_UIE_OFF, 0);
	const double counted = (double)(last - first) / SECONDS;
	const double passed = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	printf("# CPUID tells %.0f Hz; by the RTC the TSC counts %.0f in a second; %.6f s of CLOCK_MONOTONIC "
	       "in %d\n",
	       told, counted, passed, SECONDS);
	if (counted < told * 0.999 || counted > told * 1.001)
		fail("the TSC does not count what CPUID tells");
	if (passed < SECONDS * 0.999 || passed > SECONDS * 1.001)
		fail("CLOCK_MONOTONIC does not agree with the RTC");
}

/* An alarm two seconds from now: it comes then, by interrupt 8. */
static void rtc_alarm(void)
{
	const int rtc = open("/dev/rtc0", O_RDONLY);
	struct rtc_time now;
	struct rtc_wkalrm alarm = { .enabled = 1 };
	struct timeval patience = { .tv_sec = 10 };
	unsigned long causes;
	fd_set readers;

	if (rtc < 0 || ioctl(rtc, RTC_RD_TIME, &now) != 0)
		fail("cannot read /dev/rtc0: %s", strerror(errno));
	if (now.tm_hour == 23 && now.tm_min == 59 && now.tm_sec > 50) {
		sleep(12); /* not over midnight: this is not a test of the calendar */
		ioctl(rtc, RTC_RD_TIME, &now);
	}
	alarm.time = now;
	const int due = now.tm_hour * 3600 + now.tm_min * 60 + now.tm_sec + 2;
	alarm.time.tm_hour = due / 3600;
	alarm.time.tm_min = due / 60 % 60;
	alarm.time.tm_sec = due % 60;
	const unsigned long before = interrupts("8");
	if (ioctl(rtc, RTC_WKALM_SET, &alarm) != 0)
		fail("cannot set an alarm: %s", strerror(errno));
	FD_ZERO(&readers);
	FD_SET(rtc, &readers);
	if (select(rtc + 1, &readers, NULL, NULL, &patience) != 1)
		fail("no alarm within 10 s");
	if (read(rtc, &causes, sizeof(causes)) != sizeof(causes) || !(causes & RTC_AF))
		fail("something else than an alarm: 0x%lx", causes);
	ioctl(rtc, RTC_RD_TIME, &now);
	const int at = now.tm_hour * 3600 + now.tm_min * 60 + now.tm_sec;
	if (at != due)
		fail("the alarm for %d came at %d", due, at);
	EXPECT(interrupts("8"), before + 1);
}

/* Sluice's hypercall "mark": a line with NUMBER and all exits so far on its log. */
static void mark(unsigned long number)
{
	__asm__ volatile("vmcall" : : "a"(0x6b72616d), "b"(number) : "memory");
}

/* Ten seconds of nothing between marks 2 and 3; tests/run looks what they caused. After mark 1 its own lines leave. */
static void idle(void)
{
	mark(1);
	sleep(2);
	mark(2);
	sleep(10);
	mark(3);
}

int main(int count, char **argument)
{
	static const struct {
		const char *name;
		void (*check)(void);
	} checks[] = {
		{ "ports-denied", ports_denied }, { "holes", holes }, { "clocks", clocks },
		{ "rtc-alarm", rtc_alarm },	  { "idle", idle },
	};
	const char *name = count > 1 ? argument[1] : "";
	unsigned long number[3] = { 0 };

	setlinebuf(stdout);
	for (int i = 0; i < 3 && i + 2 < count; i++)
		number[i] = strtoul(argument[i + 2], NULL, 0);
	for (unsigned i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (strcmp(name, checks[i].name) == 0) {
			checks[i].check();
			return 0;
		}
	}
	if (strcmp(name, "give-back") == 0 && count > 2) {
		vfio_give_back(argument[2]);
		return 0;
	}
	if (!edu_check(name, number) && !vfio_check(name) && !vtd_tables_check(name) &&
	    !vtd_events_check(name) && !virtio_check(name, count > 2 ? argument[2] : NULL) &&
	    (count < 2 || !disk_check(name, argument + 2)))
		fail("poke: no check '%s'", name);
	return 0;
}
