// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/guest/faults.h"
#include "tests/guest/poke.h"

static int messages = -1;

void faults_begin(void)
{
	usleep(5200000);
	if (messages < 0)
		messages = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);
	if (messages < 0 || lseek(messages, 0, SEEK_END) < 0)
		fail("cannot read /dev/kmsg: %s", strerror(errno));
}

static bool parse(const char *line, struct dmar_fault *fault)
{
	unsigned bus, slot, function;
	unsigned long long address;
	char kind;

	line = strchr(line, ';'); /* behind priority, sequence, time */
	if (line && sscanf(line,
			   ";DMAR: [DMA %c%*[a-z] NO_PASID] Request device [%x:%x.%x] fault addr %llx [fault "
			   "reason %x]",
			   &kind, &bus, &slot, &function, &address, &fault->reason) == 6)
		fault->kind = kind;
	else if (line &&
		 sscanf(line,
			";DMAR: [INTR-REMAP] Request device [%x:%x.%x] fault index %llx [fault reason %x]",
			&bus, &slot, &function, &address, &fault->reason) == 5)
		fault->kind = 'I';
	else
		return false;
	fault->requester = bus << 8 | slot << 3 | function;
	fault->address = address;
	return true;
}

unsigned faults_read(struct dmar_fault *fault, unsigned room)
{
	char line[1024];
	ssize_t length;
	unsigned count = 0;

	usleep(50000); /* the unit's interrupt, and its handler */
	while ((length = read(messages, line, sizeof(line) - 1)) > 0 || errno == EPIPE) {
		line[length > 0 ? length : 0] = 0;
		if (count < room && parse(line, fault + count))
			count++;
	}
	return count;
}

void faults_expect(char kind, unsigned requester, uint64_t address, unsigned reason)
{
	struct dmar_fault got[4];
	const unsigned count = faults_read(got, 4);

	if (count == 1 && got[0].kind == kind && got[0].requester == requester && got[0].address == address &&
	    got[0].reason == reason)
		return;
	for (unsigned i = 0; i < count; i++)
		printf("# fault: %c of %04x at 0x%llx, reason 0x%x\n", got[i].kind, got[i].requester,
		       (unsigned long long)got[i].address, got[i].reason);
	fail("expected one fault: %c of %04x at 0x%llx, reason 0x%x", kind, requester,
	     (unsigned long long)address, reason);
}

void faults_expect_none(void)
{
	struct dmar_fault got[4];
	const unsigned count = faults_read(got, 4);

	if (count)
		fail("%u faults, the first: %c of %04x at 0x%llx, reason 0x%x", count, got[0].kind,
		     got[0].requester, (unsigned long long)got[0].address, got[0].reason);
}
