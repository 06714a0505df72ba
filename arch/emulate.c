// SPDX-License-Identifier: BSD-2-Clause
#include "arch/emulate.h"
#include "arch/emulate_alu.h"
#include "arch/emulate_operand.h"

#include <stdio.h>

static struct emulate_memo *memo_for(struct emulate *emulate)
{
	return &emulate->memo[(emulate->rip ^ emulate->rip >> 5) % EMULATE_MEMO_SIZE];
}

/* Not decoded lately: decode, after fetching from a second page if the instruction reaches it. */
static __attribute__((noinline)) enum emulate_outcome decode(struct emulate *emulate, u64 linear,
							     unsigned access)
{
	struct emulate_memo *memo = memo_for(emulate);
	struct guest_code *code = &emulate->code;
	struct walk_result result;
	enum walk_status status;
	enum insn_result decoded;

	memo->mode = 0;
	emulate->insn = &memo->insn;
	decoded = insn_decode(&memo->insn, code->bytes, code->count, emulate->mode);
	if (decoded == INSN_MORE) {
		linear += code->count;
		if (emulate->mode != CPU_MODE_64)
			linear = (u32)linear;
		status = guest_fetch_more(emulate->paging, linear, access, code, &result);
		if (status == WALK_NO_MEMORY)
			return emulate_refuse(emulate, REFUSAL_FETCH);
		if (status != WALK_OK)
			return emulate_walk_failed(emulate, status, result.gpa, &result);
		decoded = insn_decode(&memo->insn, code->bytes, code->count, emulate->mode);
	} else if (decoded == INSN_OK && code->count == INSN_MAX_LENGTH) {
		__builtin_memcpy(memo->bytes, code->bytes, sizeof(memo->bytes));
		memo->mode = emulate->mode + 1;
	}

	switch (decoded) {
	case INSN_OK:
		return EMULATE_DONE;
	case INSN_TOO_LONG:
		return emulate_raise(emulate, VECTOR_GP, 0);
	case INSN_INVALID:
		return emulate_raise(emulate, VECTOR_UD, 0);
	default:
		return emulate_refuse(emulate, REFUSAL_INSN);
	}
}

/* The instruction at RIP, decoded or remembered. */
static inline enum emulate_outcome fetch_and_decode(struct emulate *emulate)
{
	unsigned access = emulate->cpl == 3 ? GUEST_USER : 0;
	const struct emulate_memo *memo = memo_for(emulate);
	struct guest_code *code = &emulate->code;
	u64 linear = emulate->rip;
	struct walk_result result;
	enum walk_status status;
	u64 low, high;

	if (unlikely(emulate->mode != CPU_MODE_64)) {
		struct emulate_segment segment;

		emulate->ops->segment(emulate->context, SEG_CS, &segment);
		linear = (u32)(linear + segment.base);
	}
	status = guest_fetch(emulate->paging, linear, access, code, &result);
	if (unlikely(status == WALK_NO_MEMORY))
		return emulate_refuse(emulate, REFUSAL_FETCH);
	if (unlikely(status != WALK_OK))
		return emulate_walk_failed(emulate, status, result.gpa, &result);
	__builtin_memcpy(&low, code->bytes, sizeof(low));
	__builtin_memcpy(&high, code->bytes + 8, sizeof(high));
	if (likely(low == memo->bytes[0] && high == memo->bytes[1] && memo->mode == emulate->mode + 1u &&
		   code->count == INSN_MAX_LENGTH)) {
		emulate->insn = &memo->insn;
		return EMULATE_DONE;
	}
	return decode(emulate, linear, access);
}

static u64 truncate_offset(u64 offset, unsigned address_size)
{
	if (address_size == 8)
		return offset;
	return address_size == 4 ? (u32)offset : (u16)offset;
}

static u64 effective_offset(const struct emulate *emulate, const struct insn *insn)
{
	u64 offset = insn->displacement;

	if (insn->base < CPU_GPR_COUNT)
		offset += emulate->gpr[insn->base];
	else if (insn->base == INSN_BASE_RIP)
		offset += emulate->rip + insn->length;
	if (insn->index != INSN_NO_REG)
		offset += emulate->gpr[insn->index] << insn->scale;
	if (insn->form == INSN_RM_REG && insn->op >= INSN_BT && insn->op <= INSN_BTC) {
		/* A bit string: the register counts bits from the operand, either way. */
		unsigned shift = 64 - 8 * insn->operand_size;
		s64 bit = (s64)(emulate->gpr[insn->reg] << shift) >> shift;

		offset += (bit >> (insn->operand_size == 8   ? 6
				   : insn->operand_size == 4 ? 5
							     : 4)) *
			  insn->operand_size;
	}
	return truncate_offset(offset, insn->address_size);
}

/*
 * The processor has walked the tables already, for the byte that it reported. If the operand starts there and stays on
 * the page, and the processor checked for as much as we are going to do, that is its address.
 */
static inline enum emulate_outcome locate(struct emulate *emulate, const struct insn *insn,
					  struct operand *operand)
{
	unsigned size = insn->memory_size;
	u64 offset, linear;

	if (likely(insn->plain)) {
		offset = insn->displacement;
		if (insn->base < CPU_GPR_COUNT)
			offset += emulate->gpr[insn->base];
		else if (insn->base == INSN_BASE_RIP)
			offset += emulate->rip + insn->length;
		if (unlikely(insn->index != INSN_NO_REG))
			offset += emulate->gpr[insn->index] << insn->scale;
		linear = offset;
	} else {
		offset = linear = effective_offset(emulate, insn);
		if (emulate->mode != CPU_MODE_64 || insn->segment >= SEG_FS) {
			struct emulate_segment segment;

			emulate->ops->segment(emulate->context, insn->segment, &segment);
			linear += segment.base;
		}
	}
	if (unlikely(((linear ^ emulate->fault_gpa) & PAGE_MASK) || (linear & PAGE_MASK) + size > PAGE_SIZE ||
		     (insn->access & ~emulate->fault_access)))
		return operand_locate(emulate, insn->segment, offset, size, insn->access, operand);
	operand->gpa = emulate->fault_gpa;
	operand->size = size;
	operand->first = size;
	return EMULATE_DONE;
}

static u64 sign_extend(u64 value, unsigned size)
{
	unsigned shift = 64 - 8 * size;

	return (u64)((s64)(value << shift) >> shift);
}

static u64 swap_bytes(u64 value, unsigned size)
{
	return __builtin_bswap64(value) >> (64 - 8 * size);
}

/* Loads: op reg, memory. */
static inline enum emulate_outcome load(struct emulate *emulate, const struct insn *insn,
					const struct operand *operand)
{
	unsigned size = insn->operand_size;
	u64 value;
	enum emulate_outcome outcome = operand_read(emulate, operand, &value);

	if (unlikely(outcome != EMULATE_DONE))
		return outcome;
	if (likely(insn->op == INSN_MOV)) {
		gpr_write(emulate, insn->reg, size, value);
		return EMULATE_DONE;
	}
	switch (insn->op) {
	case INSN_MOVZX:
		break;
	case INSN_MOVSX:
		value = sign_extend(value, insn->memory_size);
		break;
	case INSN_MOVBE:
		value = swap_bytes(value, size);
		break;
	default:
		value = alu_execute(insn->op, gpr_read(emulate, insn->reg, size), value, size,
				    &emulate->rflags);
		emulate->rflags_changed = true;
		if (insn->op == INSN_CMP)
			return EMULATE_DONE;
		break;
	}
	gpr_write(emulate, insn->reg, size, value);
	return EMULATE_DONE;
}

/* Stores that do not read. */
static inline enum emulate_outcome store(struct emulate *emulate, const struct insn *insn,
					 const struct operand *operand)
{
	unsigned size = insn->operand_size;
	u64 value;

	if (insn->form == INSN_RM_IMM)
		value = alu_truncate(insn->immediate, size);
	else
		value = gpr_read(emulate, insn->reg, size);
	if (unlikely(insn->op == INSN_MOVBE))
		value = swap_bytes(value, size);
	return operand_write(emulate, operand, value);
}

/*
 * CMPXCHG, CMPXCHG8B: the processor writes in any case, the old value if the comparison failed. Returns what to write;
 * registers and flags are left in *accumulator and *rflags until the write has succeeded.
 */
static u64 compare_exchange(const struct emulate *emulate, u64 old, u64 *accumulator, u64 *rflags)
{
	const struct insn *insn = emulate->insn;

	if (insn->op == INSN_CMPXCHG8B) {
		u64 expected = (u64)(u32)emulate->gpr[RDX] << 32 | (u32)emulate->gpr[RAX];

		*rflags = old == expected ? *rflags | RFLAGS_ZF : *rflags & ~(u64)RFLAGS_ZF;
		*accumulator = old;
		return old == expected ? (u64)(u32)emulate->gpr[RCX] << 32 | (u32)emulate->gpr[RBX] : old;
	}
	alu_execute(INSN_CMP, emulate->gpr[RAX], old, insn->operand_size, rflags);
	*accumulator = old;
	return *rflags & RFLAGS_ZF ? gpr_read(emulate, insn->reg, insn->operand_size) : old;
}

static void finish_compare_exchange(struct emulate *emulate, u64 old)
{
	if (emulate->rflags & RFLAGS_ZF)
		return;
	if (emulate->insn->op == INSN_CMPXCHG8B) {
		emulate->gpr[RAX] = (u32)old;
		emulate->gpr[RDX] = old >> 32;
	} else {
		gpr_write(emulate, RAX, emulate->insn->operand_size, old);
	}
}

/* op memory, reg | memory, immediate | memory: one read, then one write unless it only tests. */
static __attribute__((noinline)) enum emulate_outcome modify(struct emulate *emulate, const struct insn *insn,
							     const struct operand *operand)
{
	unsigned size = insn->operand_size;
	u64 old = 0, result, source, rflags = emulate->rflags, accumulator = 0;
	enum emulate_outcome outcome = operand_read(emulate, operand, &old);

	if (outcome != EMULATE_DONE)
		return outcome;
	source = insn->form == INSN_RM_IMM   ? insn->immediate
		 : insn->form == INSN_RM_REG ? gpr_read(emulate, insn->reg, size)
					     : 0;
	switch (insn->op) {
	case INSN_XCHG:
		result = source;
		break;
	case INSN_XADD:
		result = alu_execute(INSN_ADD, old, source, size, &rflags);
		break;
	case INSN_CMPXCHG:
	case INSN_CMPXCHG8B:
		result = compare_exchange(emulate, old, &accumulator, &rflags);
		break;
	case INSN_BT:
	case INSN_BTS:
	case INSN_BTR:
	case INSN_BTC:
		source &= 8 * size - 1;
		/* fallthrough */
	default:
		result = alu_execute(insn->op, old, source, size, &rflags);
		break;
	}
	if (insn->access & INSN_WRITES) {
		outcome = operand_write(emulate, operand, result);
		if (outcome != EMULATE_DONE)
			return outcome;
	}
	emulate->rflags_changed |= rflags != emulate->rflags;
	emulate->rflags = rflags;
	if (insn->op == INSN_XCHG || insn->op == INSN_XADD)
		gpr_write(emulate, insn->reg, size, old);
	else if (insn->op == INSN_CMPXCHG || insn->op == INSN_CMPXCHG8B)
		finish_compare_exchange(emulate, accumulator);
	return EMULATE_DONE;
}

/* What has no explicit operand, or does nothing with it. */
static __attribute__((noinline)) enum emulate_outcome execute_implicit(struct emulate *emulate)
{
	switch (emulate->insn->op) {
	case INSN_NOP:
		emulate_advance(emulate);
		return EMULATE_DONE;
	case INSN_INS:
	case INSN_OUTS:
		return emulate_refuse(emulate, REFUSAL_PORT_TO_DEVICE);
	default:
		return emulate_string(emulate);
	}
}

static inline enum emulate_outcome execute(struct emulate *emulate)
{
	const struct insn *insn = emulate->insn;
	enum emulate_outcome outcome;
	struct operand operand;

	if (unlikely(!insn->plain) && (insn->form == INSN_STRING || insn->op == INSN_NOP))
		return execute_implicit(emulate);
	outcome = locate(emulate, insn, &operand);
	if (unlikely(outcome != EMULATE_DONE))
		return outcome;
	if (insn->form == INSN_REG_RM)
		outcome = load(emulate, insn, &operand);
	else if (insn->access == INSN_WRITES)
		outcome = store(emulate, insn, &operand);
	else
		outcome = modify(emulate, insn, &operand);
	if (likely(outcome == EMULATE_DONE))
		emulate_advance(emulate);
	return outcome;
}

enum emulate_outcome emulate_mmio(struct emulate *emulate)
{
	enum emulate_outcome outcome;

	emulate->rflags_changed = false;
	outcome = fetch_and_decode(emulate);
	if (likely(outcome == EMULATE_DONE))
		outcome = execute(emulate);
	return unlikely(outcome == EMULATE_AGAIN) ? EMULATE_DONE : outcome;
}

enum emulate_outcome emulate_port_string(struct emulate *emulate)
{
	enum emulate_outcome outcome;

	emulate->rflags_changed = false;
	outcome = fetch_and_decode(emulate);
	if (outcome == EMULATE_DONE) {
		if (emulate->insn->op != INSN_INS && emulate->insn->op != INSN_OUTS)
			return emulate_refuse(emulate, REFUSAL_PORT);
		outcome = emulate_string(emulate);
	}
	return outcome == EMULATE_AGAIN ? EMULATE_DONE : outcome;
}

void emulate_reason(const struct emulate *emulate, char *text, size_t size)
{
	switch ((enum emulate_refusal)emulate->refusal) {
	case REFUSAL_INSN:
		insn_reason(emulate->insn, text, size);
		break;
	case REFUSAL_FETCH:
		snprintf(text, size, "the instruction or its page tables are not in RAM");
		break;
	case REFUSAL_TABLES:
		snprintf(text, size, "the page tables of its operand are not in RAM");
		break;
	case REFUSAL_PORT:
		snprintf(text, size, "neither INS nor OUTS at RIP after their exit");
		break;
	case REFUSAL_PORT_TO_DEVICE:
		snprintf(text, size, "ins/outs: between a port and a device");
		break;
	}
}

void emulate_bytes(const struct emulate *emulate, char *text, size_t size)
{
	size_t used = 0;

	if (size)
		text[0] = '\0';
	for (unsigned i = 0; i < emulate->code.count && used + 3 < size; i++)
		used += snprintf(text + used, size - used, i ? " %02x" : "%02x", emulate->code.bytes[i]);
}
