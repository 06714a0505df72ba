// SPDX-License-Identifier: BSD-2-Clause
/*
 * Guest memory, registers, accesses and interrupts as the fuzzer chooses them, on the VT-d unit and on the naive one (see
 * tests/unit/vtd_play.h): any difference is a finding.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/vtd_play.h"

#define OPERATIONS_MAX 300
#define RECORD	       20 /* one byte says what, three a piece with what; four whole bytes of a value */

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* Three bytes, spread so that each decides on something, however the word is used up. */
static u64 spread(const u8 *data)
{
	u64 state = data[0] | (u64)data[1] << 8 | (u64)data[2] << 16;

	return data[2] & 0x80 ? differential_random(&state) : state;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct operation operations[OPERATIONS_MAX];
	unsigned count = 0;
	char why[400] = "";
	u64 seed;

	if (size < 1)
		return 0;
	seed = data[0];
	data++;
	for (size--; size >= RECORD && count < OPERATIONS_MAX; size -= RECORD, data += RECORD, count++) {
		u64 *word = operations[count].word;
		u32 value;

		memcpy(&value, data + 16, sizeof(value));
		word[0] = (u64)data[0] << 16;
		for (unsigned i = 0; i < 5; i++)
			word[i + 1] = spread(data + 1 + 3 * i);
		word[2] ^= (u64)value << (data[0] & 32);
	}
	if (!vtd_play(seed, operations, count, getenv("TRACE") != NULL, why, sizeof(why))) {
		fprintf(stderr, "the VT-d unit and the naive one differ: %s\n", why);
		abort();
	}
	return 0;
}
