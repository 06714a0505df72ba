// SPDX-License-Identifier: BSD-2-Clause
/*
 * The first process of the boot that is measured: tells the TSC of its first instructions and switches the machine off, in a
 * guest by ACPI, on bare Bochs by its shutdown port. In a guest it also asks Sluice for a mark in its log: the exits so far.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/io.h>
#include <sys/reboot.h>
#include <unistd.h>

#define MARK	      0x6b72616d /* the hypercall: "mark" */
#define SHUTDOWN_PORT 0x8900
#define DEBUG_PORT    0xe9 /* where tools/run looks for how the run went */

static int in_sluice(void)
{
	unsigned eax, name[4] = { 0 };

	__cpuid(0x40000000, eax, name[0], name[1], name[2]);
	return memcmp(name, "SluiceSluice", 12) == 0;
}

static void say(unsigned short port, const char *text)
{
	while (*text)
		outb(*text++, port);
}

int main(void)
{
	unsigned low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	if (in_sluice())
		__asm__ volatile("vmcall" : : "a"(MARK), "b"(1ul) : "memory");
	printf("init: tsc %llu\n", (unsigned long long)high << 32 | low);
	fflush(stdout);
	/* The line must leave the UART before the machine goes. */
	usleep(200000);
	if (!in_sluice() && iopl(3) == 0) {
		say(DEBUG_PORT, "status 0\n");
		say(SHUTDOWN_PORT, "Shutdown");
	}
	reboot(RB_POWER_OFF);
	return 1;
}
