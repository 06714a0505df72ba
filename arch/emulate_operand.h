/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory operand of an instruction being emulated: from its offset in a segment to one or two stretches of
 * guest-physical memory, and the access to them. Inside the emulator only.
 */
#ifndef ARCH_EMULATE_OPERAND_H
#define ARCH_EMULATE_OPERAND_H

#include "arch/emulate.h"
#include "mm/types.h"

/* Give up without a trace and let the guest execute the instruction again; emulate_mmio turns it into EMULATE_DONE. */
#define EMULATE_AGAIN ((enum emulate_outcome)(EMULATE_STOP + 1))

/* What emulate_reason says. */
enum emulate_refusal { REFUSAL_INSN, REFUSAL_FETCH, REFUSAL_TABLES, REFUSAL_PORT, REFUSAL_PORT_TO_DEVICE };

/* Cut at a page boundary into `first` bytes and size - first bytes; first == size: not cut. */
struct operand {
	u64 gpa, next_gpa;
	unsigned size, first;
};

enum emulate_outcome emulate_raise(struct emulate *emulate, u8 vector, u32 error_code);
enum emulate_outcome emulate_refuse(struct emulate *emulate, enum emulate_refusal refusal);
/* What a walk that did not end in WALK_OK means. */
enum emulate_outcome emulate_walk_failed(struct emulate *emulate, enum walk_status status, u64 linear,
					 const struct walk_result *result);

/*
 * Segmentation and paging of [offset, offset + size) with all checks, none of the access itself. `access` is INSN_READS
 * or INSN_WRITES or both.
 */
enum emulate_outcome operand_locate(struct emulate *emulate, enum cpu_segment segment, u64 offset,
				    unsigned size, unsigned access, struct operand *operand);

enum emulate_outcome operand_read_cut(struct emulate *emulate, const struct operand *operand, u64 *value);
enum emulate_outcome operand_write_cut(struct emulate *emulate, const struct operand *operand, u64 value);

static inline enum emulate_outcome operand_read(struct emulate *emulate, const struct operand *operand,
						u64 *value)
{
	if (likely(operand->first == operand->size))
		return emulate->ops->read(emulate->context, operand->gpa, operand->size, value);
	return operand_read_cut(emulate, operand, value);
}

static inline enum emulate_outcome operand_write(struct emulate *emulate, const struct operand *operand,
						 u64 value)
{
	if (likely(operand->first == operand->size))
		return emulate->ops->write(emulate->context, operand->gpa, operand->size, value);
	return operand_write_cut(emulate, operand, value);
}

/* A register as an operand of 1, 2, 4, 8 bytes; `reg` as in struct insn. */
static inline u64 gpr_read(const struct emulate *emulate, u8 reg, unsigned size)
{
	if (unlikely(reg & INSN_HIGH_BYTE))
		return emulate->gpr[reg & 3] >> 8 & 0xff;
	return emulate->gpr[reg] & (~0ull >> (64 - 8 * size));
}

/* 32-bit results clear the upper half, shorter ones leave the rest alone (SDM volume 1, 3.4.1.1). */
static inline void gpr_write(struct emulate *emulate, u8 reg, unsigned size, u64 value)
{
	u64 *gpr = &emulate->gpr[reg & 15];

	if (size == 4)
		*gpr = (u32)value;
	else if (size == 8)
		*gpr = value;
	else if (size == 2)
		*gpr = (*gpr & ~0xffffull) | (u16)value;
	else if (reg & INSN_HIGH_BYTE)
		emulate->gpr[reg & 3] = (emulate->gpr[reg & 3] & ~0xff00ull) | (u64)(u8)value << 8;
	else
		*gpr = (*gpr & ~0xffull) | (u8)value;
}

/* emulate_string.c: one exit's worth of a string instruction. */
enum emulate_outcome emulate_string(struct emulate *emulate);

/* RIP behind the instruction. */
static inline void emulate_advance(struct emulate *emulate)
{
	u64 rip = emulate->rip + emulate->insn->length;

	emulate->rip = emulate->mode == CPU_MODE_64 ? rip : (u32)rip;
}

#endif
