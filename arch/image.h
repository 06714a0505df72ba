/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The borders of the hypervisor's image, defined by linker.ld; all on pages. Only their addresses mean anything.
 *
 *   ImageBase .. __text_start          PE header: constants
 *   __text_start .. __text_end         code
 *   __rodata_start .. __rodata_end     constants
 *   __data_start .. __bss_end          data
 */
#ifndef ARCH_IMAGE_H
#define ARCH_IMAGE_H

#include "mm/types.h"

extern const char ImageBase[], __text_start[], __text_end[], __rodata_start[], __rodata_end[], __data_start[],
	__bss_end[];

static inline bool image_is_text(u64 address)
{
	return address >= (u64)__text_start && address < (u64)__text_end;
}

#endif
