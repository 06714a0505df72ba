// SPDX-License-Identifier: BSD-2-Clause
#include "arch/emulate_operand.h"
#include "arch/emulate_alu.h"

#define CR0_PE BIT(0)

/* Access rights of a segment in the VMCS's format. */
enum {
	SEGMENT_WRITABLE = BIT(1), /* data; of code: readable */
	SEGMENT_DOWN = BIT(2),	   /* data: expands down */
	SEGMENT_CODE = BIT(3),
	SEGMENT_BIG = BIT(14),
	SEGMENT_UNUSABLE = BIT(16),
};

enum emulate_outcome emulate_raise(struct emulate *emulate, u8 vector, u32 error_code)
{
	bool pushes = vector == VECTOR_PF || vector == VECTOR_GP || vector == VECTOR_SS;

	emulate->exception = (struct emulate_exception){
		.vector = vector,
		/* In real mode no exception has one, and VM entry would fail. */
		.has_error_code = pushes && (emulate->paging->cr0 & CR0_PE),
		.error_code = error_code,
	};
	return EMULATE_INJECT;
}

enum emulate_outcome emulate_refuse(struct emulate *emulate, enum emulate_refusal refusal)
{
	emulate->refusal = refusal;
	return EMULATE_UNSUPPORTED;
}

enum emulate_outcome emulate_walk_failed(struct emulate *emulate, enum walk_status status, u64 linear,
					 const struct walk_result *result)
{
	if (status == WALK_RETRY)
		return EMULATE_AGAIN;
	if (status == WALK_NO_MEMORY)
		return emulate_refuse(emulate, REFUSAL_TABLES);
	emulate_raise(emulate, VECTOR_PF, result->error_code);
	emulate->exception.cr2 = linear;
	return EMULATE_INJECT;
}

static bool is_canonical(u64 linear)
{
	return (u64)((s64)(linear << 16) >> 16) == linear;
}

/* SDM volume 3, 5.3 and 5.5; real mode has limits but no types. */
static bool segment_permits(const struct emulate *emulate, const struct emulate_segment *segment, u64 first,
			    u64 last, unsigned access)
{
	bool is_protected = (emulate->paging->cr0 & CR0_PE) && !(emulate->rflags & RFLAGS_VM);
	bool is_code = segment->rights & SEGMENT_CODE;

	if (!is_protected)
		return last <= segment->limit;
	if (segment->rights & SEGMENT_UNUSABLE)
		return false;
	if ((access & INSN_WRITES) && (is_code || !(segment->rights & SEGMENT_WRITABLE)))
		return false;
	if (is_code && !(segment->rights & SEGMENT_WRITABLE)) /* execute-only */
		return false;
	if (!is_code && (segment->rights & SEGMENT_DOWN))
		return first > segment->limit &&
		       last <= (segment->rights & SEGMENT_BIG ? 0xffffffff : 0xffff);
	return last <= segment->limit;
}

static enum emulate_outcome translate(struct emulate *emulate, u64 linear, unsigned access, u64 *gpa)
{
	struct walk_result result;
	unsigned kind = access & INSN_WRITES ? GUEST_WRITE : GUEST_READ;
	enum walk_status status;

	if (emulate->cpl == 3)
		kind |= GUEST_USER;
	if (emulate->rflags & RFLAGS_AC)
		kind |= GUEST_AC;
	status = guest_walk(emulate->paging, linear, kind, &result);
	if (status != WALK_OK)
		return emulate_walk_failed(emulate, status, linear, &result);
	*gpa = result.gpa;
	return EMULATE_DONE;
}

enum emulate_outcome operand_locate(struct emulate *emulate, enum cpu_segment segment, u64 offset,
				    unsigned size, unsigned access, struct operand *operand)
{
	u8 vector = segment == SEG_SS ? VECTOR_SS : VECTOR_GP;
	enum emulate_outcome outcome;
	u64 linear = offset, next;

	if (emulate->mode != CPU_MODE_64 || segment >= SEG_FS) {
		struct emulate_segment hidden;

		emulate->ops->segment(emulate->context, segment, &hidden);
		if (emulate->mode != CPU_MODE_64 &&
		    !segment_permits(emulate, &hidden, offset, offset + size - 1, access))
			return emulate_raise(emulate, vector, 0);
		linear += hidden.base;
	}
	operand->size = size;
	operand->first = MIN(size, PAGE_SIZE - (linear & PAGE_MASK));
	next = linear + operand->first;
	if (emulate->mode != CPU_MODE_64) {
		linear = (u32)linear;
		next = (u32)next;
	} else if (!is_canonical(linear) || !is_canonical(linear + size - 1)) {
		return emulate_raise(emulate, vector, 0);
	}
	outcome = translate(emulate, linear, access, &operand->gpa);
	if (outcome == EMULATE_DONE && operand->first != size)
		outcome = translate(emulate, next, access, &operand->next_gpa);
	return outcome;
}

/*
 * A device sees an operand that straddles two pages as accesses of 1, 2 or 4 bytes, each naturally aligned, in order of
 * address: a processor splits an uncached access likewise.
 */
static unsigned piece_size(u64 gpa, unsigned left)
{
	unsigned size = 4;

	while (size > left || (gpa & (size - 1)))
		size /= 2;
	return size;
}

enum emulate_outcome operand_read_cut(struct emulate *emulate, const struct operand *operand, u64 *value)
{
	unsigned done = 0;

	*value = 0;
	while (done < operand->size) {
		bool second = done >= operand->first;
		u64 gpa = second ? operand->next_gpa + done - operand->first : operand->gpa + done, part = 0;
		unsigned size = piece_size(gpa, (second ? operand->size : operand->first) - done);
		enum emulate_outcome outcome = emulate->ops->read(emulate->context, gpa, size, &part);

		if (outcome != EMULATE_DONE)
			return outcome;
		*value |= part << 8 * done;
		done += size;
	}
	return EMULATE_DONE;
}

enum emulate_outcome operand_write_cut(struct emulate *emulate, const struct operand *operand, u64 value)
{
	unsigned done = 0;

	while (done < operand->size) {
		bool second = done >= operand->first;
		u64 gpa = second ? operand->next_gpa + done - operand->first : operand->gpa + done;
		unsigned size = piece_size(gpa, (second ? operand->size : operand->first) - done);
		enum emulate_outcome outcome = emulate->ops->write(emulate->context, gpa, size,
								   alu_truncate(value >> 8 * done, size));

		if (outcome != EMULATE_DONE)
			return outcome;
		done += size;
	}
	return EMULATE_DONE;
}
