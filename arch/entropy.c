// SPDX-License-Identifier: BSD-2-Clause
#include "arch/entropy.h"

#include <string.h>

#include "arch/cpu.h"

/* SDM, 7.3.17.1: RDRAND that fails ten times in a row is broken; RDSEED may just be exhausted. */
#define TRIES 10

static bool has_rdrand(void)
{
	return cpuid(1, 0).ecx & BIT(30);
}

static bool has_rdseed(void)
{
	return cpuid_checked(7, 0).ebx & BIT(18);
}

bool cpu_has_entropy(void)
{
	return has_rdrand() || has_rdseed();
}

static bool draw(bool seed, bool random, u64 *value)
{
	bool done = false;

	for (unsigned i = 0; seed && !done && i < TRIES; i++)
		asm volatile("rdseed %0" : "=r"(*value), "=@ccc"(done));
	for (unsigned i = 0; random && !done && i < TRIES; i++)
		asm volatile("rdrand %0" : "=r"(*value), "=@ccc"(done));
	return done;
}

bool cpu_entropy(void *unused, void *bytes, size_t length)
{
	bool seed = has_rdseed(), random = has_rdrand();
	u8 *at = bytes;

	(void)unused;
	while (length) {
		size_t part = MIN(length, sizeof(u64));
		u64 value;

		if (!draw(seed, random, &value))
			return false;
		memcpy(at, &value, part);
		at += part;
		length -= part;
	}
	return true;
}
