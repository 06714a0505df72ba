// SPDX-License-Identifier: BSD-2-Clause
/*
 * MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS. An iteration is atomic: its operands are translated before anything is
 * accessed, its registers change after everything has been. So a fault, or the bound on iterations, leaves the
 * registers as the processor would between two iterations, with RIP on the instruction.
 */
#include "arch/emulate_alu.h"
#include "arch/emulate_operand.h"

/* The last page that a pointer was translated for: an exit's iterations mostly stay on it. */
struct pointer {
	enum cpu_segment segment;
	u8 reg; /* RSI or RDI */
	u8 access;
	bool valid;
	u64 page_offset; /* segment offset of byte 0 of the page, and its gpa */
	u64 page_gpa;
};

static u64 pointer_offset(const struct emulate *emulate, const struct pointer *pointer)
{
	return gpr_read(emulate, pointer->reg, emulate->insn->address_size);
}

static enum emulate_outcome pointer_locate(struct emulate *emulate, struct pointer *pointer,
					   struct operand *operand)
{
	u64 offset = pointer_offset(emulate, pointer);
	unsigned size = emulate->insn->operand_size;
	enum emulate_outcome outcome;

	/* Segment limits are checked per access; 64-bit mode has none, and a page is canonical as a whole. */
	if (pointer->valid && emulate->mode == CPU_MODE_64 &&
	    offset - pointer->page_offset <= PAGE_SIZE - size) {
		operand->gpa = pointer->page_gpa + (offset - pointer->page_offset);
		operand->size = size;
		operand->first = size;
		return EMULATE_DONE;
	}
	outcome = operand_locate(emulate, pointer->segment, offset, size, pointer->access, operand);
	pointer->valid = outcome == EMULATE_DONE && operand->first == size;
	pointer->page_offset = offset - (operand->gpa & PAGE_MASK);
	pointer->page_gpa = operand->gpa & ~PAGE_MASK;
	return outcome;
}

/* RAM on one side of a MOVS is reached directly. */
static enum emulate_outcome element_read(struct emulate *emulate, const struct operand *operand, u64 *value)
{
	const void *ram = NULL;

	*value = 0;
	if (operand->first == operand->size)
		ram = guest_ram(emulate->paging, operand->gpa, operand->size, false);
	if (!ram)
		return operand_read(emulate, operand, value);
	__builtin_memcpy(value, ram, operand->size);
	return EMULATE_DONE;
}

static enum emulate_outcome element_write(struct emulate *emulate, const struct operand *operand, u64 value)
{
	void *ram = NULL;

	if (operand->first == operand->size)
		ram = guest_ram(emulate->paging, operand->gpa, operand->size, true);
	if (!ram)
		return operand_write(emulate, operand, value);
	__builtin_memcpy(ram, &value, operand->size);
	return EMULATE_DONE;
}

/* One iteration's accesses and its result in rAX or the flags. */
static enum emulate_outcome iterate(struct emulate *emulate, struct pointer *source, struct pointer *target)
{
	const struct insn *insn = emulate->insn;
	unsigned size = insn->operand_size;
	enum emulate_outcome outcome = EMULATE_DONE;
	struct operand from = { 0 }, to = { 0 };
	u64 value = gpr_read(emulate, RAX, size), other = 0;
	u32 port_value = 0;

	if (source->access)
		outcome = pointer_locate(emulate, source, &from);
	if (outcome == EMULATE_DONE && target->access)
		outcome = pointer_locate(emulate, target, &to);
	if (outcome != EMULATE_DONE)
		return outcome;

	if (insn->op == INSN_INS) {
		outcome = emulate->ops->in(emulate->context, (u16)emulate->gpr[RDX], size, &port_value);
		value = port_value;
	} else if (source->access) {
		outcome = element_read(emulate, &from, &value);
	}
	if (outcome == EMULATE_DONE && target->access == INSN_READS)
		outcome = element_read(emulate, &to, &other);
	else if (outcome == EMULATE_DONE && target->access == INSN_WRITES)
		outcome = element_write(emulate, &to, value);
	else if (outcome == EMULATE_DONE && insn->op == INSN_OUTS)
		outcome = emulate->ops->out(emulate->context, (u16)emulate->gpr[RDX], size, value);
	if (outcome != EMULATE_DONE)
		return outcome;

	if (insn->op == INSN_LODS) {
		gpr_write(emulate, RAX, size, value);
	} else if (target->access == INSN_READS) {
		alu_execute(INSN_CMP, value, other, size, &emulate->rflags);
		emulate->rflags_changed = true;
	}
	return EMULATE_DONE;
}

static void step_pointer(struct emulate *emulate, const struct pointer *pointer)
{
	u64 step = emulate->insn->operand_size;

	if (!pointer->access)
		return;
	if (emulate->rflags & RFLAGS_DF)
		step = -step;
	gpr_write(emulate, pointer->reg, emulate->insn->address_size,
		  gpr_read(emulate, pointer->reg, emulate->insn->address_size) + step);
}

/* After an iteration of a repeated instruction: is it over? */
static bool repeat_ends(struct emulate *emulate)
{
	const struct insn *insn = emulate->insn;
	u64 count = gpr_read(emulate, RCX, insn->address_size) - 1;

	gpr_write(emulate, RCX, insn->address_size, count);
	if (count == 0)
		return true;
	if (insn->op != INSN_CMPS && insn->op != INSN_SCAS)
		return false;
	return !(emulate->rflags & RFLAGS_ZF) == (insn->rep == INSN_REP);
}

enum emulate_outcome emulate_string(struct emulate *emulate)
{
	const struct insn *insn = emulate->insn;
	bool uses_source = insn->op == INSN_MOVS || insn->op == INSN_CMPS || insn->op == INSN_LODS ||
			   insn->op == INSN_OUTS;
	bool uses_target = insn->op != INSN_LODS && insn->op != INSN_OUTS;
	struct pointer source = { .segment = insn->segment,
				  .reg = RSI,
				  .access = uses_source ? INSN_READS : 0 };
	struct pointer target = { .segment = SEG_ES, .reg = RDI, .access = uses_target ? insn->access : 0 };
	/* Single-stepping traps after each iteration. */
	unsigned bound = emulate->rflags & RFLAGS_TF ? 1 : EMULATE_MAX_ITERATIONS;

	if (insn->rep && gpr_read(emulate, RCX, insn->address_size) == 0) {
		emulate_advance(emulate);
		return EMULATE_DONE;
	}
	for (unsigned i = 0; i < bound; i++) {
		enum emulate_outcome outcome = iterate(emulate, &source, &target);

		if (outcome != EMULATE_DONE)
			return outcome;
		step_pointer(emulate, &source);
		step_pointer(emulate, &target);
		if (!insn->rep || repeat_ends(emulate)) {
			emulate_advance(emulate);
			return EMULATE_DONE;
		}
	}
	return EMULATE_DONE;
}
