// SPDX-License-Identifier: BSD-2-Clause
/*
 * off STATUS: ends the Bochs that this runs in, as the hypervisor does (arch/host_power.c), because the cloud kernel has no
 * /dev/port for a script.
 */
#include <stdio.h>
#include <sys/io.h>
#include <unistd.h>

static void write_port(unsigned short port, const char *text)
{
	for (; *text; text++)
		outb(*text, port);
}

int main(int argc, char **argv)
{
	/* What the console still holds goes out by interrupts. */
	sleep(1);
	if (iopl(3) != 0) {
		perror("iopl");
		return 1;
	}
	write_port(0xe9, "\nstatus ");
	write_port(0xe9, argc > 1 ? argv[1] : "1");
	write_port(0xe9, "\n");
	write_port(0x8900, "Shutdown");
	return 1;
}
