/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the devices with 8-bit registers have in common: the bus takes wider accesses apart, low byte at the low port.
 */
#ifndef DEVICES_ISA_H
#define DEVICES_ISA_H

#include "mm/access.h"

#define ISA_BYTE_OPS(read_byte, write_byte)                                                              \
	{                                                                                                \
		.read = read_byte, .write = write_byte, .valid = { 1, 4, true }, .impl = { 1, 1, false } \
	}

#endif
