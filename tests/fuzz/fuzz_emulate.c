// SPDX-License-Identifier: BSD-2-Clause
/*
 * Any bytes as an instruction, in any mode, with any registers and page tables: the emulator ends, keeps to its contract
 * with the callbacks, and leaves a state that a processor could be in.
 */
#include "arch/emulate_alu.h"
#include "tests/unit/emulate_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

/* What the input sets, in this order; the rest of it are the instruction's bytes. */
struct input {
	u8 mode, flags;
	u16 rip;
	u8 entries[4]; /* bits to flip in the entries of the operand, RAM and the two code pages */
	u8 registers[CPU_GPR_COUNT];
	u16 offset;
	u8 answer, cpl;
	u32 cr4;
};

enum { PORT = 1, REAL = 2, BACKWARDS = 4, STEP = 8, HIGH_CODE = 16 };

/* A register from a byte: near something interesting, or small, or large. */
static u64 register_value(u8 byte)
{
	static const u64 bases[] = { 0,
				     INSN_FORMS_OPERAND,
				     INSN_FORMS_RAM,
				     INSN_FORMS_OPERAND + 0xff8,
				     RIG_RAM_PAGE,
				     0x7ffffffffff8,
				     0xfffffffffffffff0,
				     0x8000 };

	return bases[byte & 7] + (byte >> 3);
}

static void set_up(struct rig *rig, const struct input *input, const u8 *bytes, size_t size)
{
	rig_open(rig);
	if (input->mode % 3 != CPU_MODE_64)
		rig_set_mode(rig, input->mode % 3, input->flags & REAL);
	rig->emulate.rip = ALIGN_DOWN(rig->emulate.rip, PAGE_SIZE) + (input->rip & PAGE_MASK);
	if (input->flags & HIGH_CODE)
		rig->emulate.rip |= 0xff0;
	rig_place(rig, bytes, size);
	*rig_entry(rig, INSN_FORMS_OPERAND) ^= input->entries[0];
	*rig_entry(rig, INSN_FORMS_RAM) ^= input->entries[1];
	*rig_entry(rig, INSN_FORMS_CODE) ^= input->entries[2] & ~1u;
	*rig_entry(rig, INSN_FORMS_CODE + PAGE_SIZE) ^= input->entries[3];
	for (unsigned i = 0; i < CPU_GPR_COUNT; i++)
		rig->gpr[i] = register_value(input->registers[i]);
	rig->paging.cr4 |= input->cr4 & (BIT(20) | BIT(21));
	rig->emulate.cpl = input->cpl & 3;
	rig->emulate.rflags |=
		(input->flags & BACKWARDS ? RFLAGS_DF : 0) | (input->flags & STEP ? RFLAGS_TF : 0);
	rig->answer = input->answer & 1 ? EMULATE_STOP : EMULATE_DONE;
	rig->segments[SEG_GS].base = INSN_FORMS_OPERAND;
	rig->segments[SEG_FS].limit = input->offset;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct rig rig;
	struct input input;
	u64 gpr[CPU_GPR_COUNT], rip, rflags;
	enum emulate_outcome outcome;
	char text[96];

	if (size <= sizeof(input) || size > sizeof(input) + INSN_MAX_LENGTH + 1)
		return 0;
	memcpy(&input, data, sizeof(input));
	set_up(&rig, &input, data + sizeof(input), size - sizeof(input));
	memcpy(gpr, rig.gpr, sizeof(gpr));
	rip = rig.emulate.rip;
	rflags = rig.emulate.rflags;
	outcome = input.flags & PORT ? emulate_port_string(&rig.emulate)
				     : rig_run(&rig, input.offset & PAGE_MASK);

	CHECK(rig.strange == 0);
	CHECK(rig.reads <= 16 * EMULATE_MAX_ITERATIONS && rig.writes <= 8 * EMULATE_MAX_ITERATIONS);
	CHECK(!((rig.emulate.rflags ^ rflags) & ~(u64)RFLAGS_STATUS));
	CHECK(rig.emulate.rflags_changed || rig.emulate.rflags == rflags);
	CHECK(rig.gpr[RSP] == gpr[RSP] || rig.emulate.insn->form == INSN_REG_RM ||
	      rig.emulate.insn->reg == RSP);
	if (outcome != EMULATE_DONE || rig.emulate.rip == rip) {
		CHECK(rig.emulate.rip == rip);
		/* Only a repeated instruction may have been done in part. */
		CHECK(!memcmp(gpr, rig.gpr, sizeof(gpr)) || rig.emulate.insn->rep);
	} else {
		CHECK((u32)(rig.emulate.rip - rip) == rig.emulate.insn->length);
		CHECK(rig.answer == EMULATE_DONE || rig.reads + rig.writes + rig.port_accesses == 0);
	}
	switch (outcome) {
	case EMULATE_INJECT:
		CHECK(BIT(rig.emulate.exception.vector) &
		      (BIT(VECTOR_UD) | BIT(VECTOR_SS) | BIT(VECTOR_GP) | BIT(VECTOR_PF)));
		CHECK(!rig.emulate.exception.has_error_code || (rig.paging.cr0 & 1));
		CHECK(rig.emulate.exception.vector != VECTOR_PF || (rig.paging.efer & BIT(10)));
		break;
	case EMULATE_UNSUPPORTED:
		CHECK(rig.reads + rig.writes + rig.port_accesses == 0 || rig.emulate.insn->rep);
		emulate_reason(&rig.emulate, text, sizeof(text));
		CHECK(strlen(text) > 7 && strlen(text) < sizeof(text) - 1);
		break;
	case EMULATE_STOP:
		CHECK(rig.answer == EMULATE_STOP);
		break;
	case EMULATE_DONE:
		break;
	default:
		CHECK(!"an outcome of the contract");
	}
	emulate_bytes(&rig.emulate, text, 48);
	CHECK(strlen(text) == (rig.emulate.code.count ? rig.emulate.code.count * 3 - 1 : 0));
	return 0;
}
