// SPDX-License-Identifier: BSD-2-Clause
#include "arch/symbols.h"

#include "arch/image.h"

const char *symbol_find(u64 address, u64 *offset)
{
	u64 wanted = address - (u64)ImageBase;
	u32 low = 0, high = __symbols_count;

	if (!image_is_text(address))
		return NULL;
	while (low < high) {
		u32 middle = low + (high - low) / 2;

		if (__symbols[middle].offset <= wanted)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	*offset = wanted - __symbols[low - 1].offset;
	return &__symbol_names[__symbols[low - 1].name];
}
