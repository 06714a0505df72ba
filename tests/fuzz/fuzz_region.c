// SPDX-License-Identifier: BSD-2-Clause
/*
 * Trees, transactions and accesses as the fuzzer chooses them, on the memory core and on its naive model (see
 * tests/unit/naive_script.h): any difference is a finding.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/naive_script.h"

#define OPERATIONS_MAX 400
/* 2 bytes say what, five times 5 bytes with what: enough for all that an operation looks at. */
#define RECORD 27

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct operation operations[OPERATIONS_MAX];
	unsigned count = 0, profile, where;
	char why[400] = "";

	if (size < 2)
		return 0;
	profile = data[0] % 3;
	where = data[1];
	data += 2;
	for (size -= 2; size >= RECORD && count < OPERATIONS_MAX; size -= RECORD, data += RECORD, count++) {
		u64 *word = operations[count].word;

		word[0] = (u64)(data[0] | data[1] << 8) << 16 | 0xffff;
		for (unsigned i = 0; i < 5; i++) {
			u32 low;

			memcpy(&low, data + 2 + 5 * i, sizeof(low));
			word[i + 1] = low | (u64)data[6 + 5 * i] * 0x0101010100000000ull;
		}
	}
	if (!script_run((enum script_profile)profile, where, operations, count, getenv("TRACE") != NULL, why,
			sizeof(why))) {
		fprintf(stderr, "the memory core and the naive model differ: %s\n", why);
		abort();
	}
	return 0;
}
