/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decoder against Zydis:
 *
 *   supported here     -> valid for Zydis, and every component agrees
 *   invalid here       -> invalid for Zydis
 *   a mnemonic of ours with a memory operand for Zydis -> supported here
 *   cut anywhere       -> INSN_MORE, whatever follows the cut
 */
#ifndef TESTS_UNIT_ZYDIS_ORACLE_H
#define TESTS_UNIT_ZYDIS_ORACLE_H

#include "arch/decode.h"
#include "mm/types.h"

/* False: they differ; the bytes and the first difference have been written to stderr. */
bool zydis_agrees(const u8 bytes[INSN_BUFFER], enum cpu_mode mode);

#endif
