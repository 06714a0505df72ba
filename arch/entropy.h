/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random numbers of the CPU: RDSEED where it has it, else RDRAND (SDM volume 1, 7.3.17).
 */
#ifndef ARCH_ENTROPY_H
#define ARCH_ENTROPY_H

#include "mm/types.h"

bool cpu_has_entropy(void);
/*
 * Of the shape that devices and the network ask their board by. False: the CPU has none, or none just now; the bytes are then
 * not all filled.
 */
bool cpu_entropy(void *unused, void *bytes, size_t length);

#endif
