// SPDX-License-Identifier: BSD-2-Clause
/* The decoder against Zydis. Input: one byte of mode, then the instruction stream. */
#include "tests/unit/zydis_oracle.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	u8 bytes[INSN_BUFFER];

	if (size < 2)
		return 0;
	memset(bytes, 0x90, sizeof(bytes));
	memcpy(bytes, data + 1, MIN(size - 1, sizeof(bytes)));
	if (!zydis_agrees(bytes, data[0] % 3))
		abort();
	return 0;
}
