/* SPDX-License-Identifier: BSD-2-Clause */
/* Execute one instruction on the processor that runs the test. */
#ifndef TESTS_UNIT_NATIVE_H
#define TESTS_UNIT_NATIVE_H

#include "arch/decode.h"
#include "mm/types.h"

struct native_state {
	u64 gpr[CPU_GPR_COUNT]; /* RSP is not loaded, and stored as it was */
	u64 rflags;
};

/*
 * Map the pages of insn_forms.h: operand and RAM writable, two of code executable, at their very addresses. False: they
 * are taken.
 */
bool native_open(void);

/* Copy `bytes` to INSN_FORMS_CODE and execute them once with these registers; they must not branch or use the stack. */
void native_run(const u8 *bytes, unsigned length, struct native_state *state);

#endif
