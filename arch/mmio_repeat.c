// SPDX-License-Identifier: BSD-2-Clause
#include "arch/mmio_repeat.h"

#include "arch/cpu.h"
#include "arch/vcpu_internal.h"

#define PTE_PRESENT BIT(0)
#define PTE_LARGE   BIT(7)
#define PTE_FRAME   BITS(51, 12)
#define RIGHTS_LONG BIT(13)

static inline struct mmio_repeat *slot(struct vcpu *vcpu, u64 rip)
{
	return &vcpu->repeats[(rip ^ rip >> 7) % MMIO_REPEATS];
}

static inline u64 current(const u64 *entry)
{
	return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

/* The bits that the processor sets by itself change nothing about a translation. */
#define PTE_STATE (BIT(5) | BIT(6))

static inline bool unchanged(const struct mmio_repeat *r)
{
	u64 difference = (current(r->entry[0]) ^ r->entry_value[0]) | (current(r->entry[1]) ^ r->entry_value[1]) |
			 (current(r->entry[2]) ^ r->entry_value[2]) | (current(r->entry[3]) ^ r->entry_value[3]);

	if (unlikely(difference & ~PTE_STATE))
		return false;
	u64 bytes, rest;
	__builtin_memcpy(&bytes, r->code, 8);
	__builtin_memcpy(&rest, r->code + 8, 8);
	return likely((((bytes & r->mask) ^ r->bytes) | ((rest & r->rest_mask) ^ r->rest)) == 0);
}

/* Where in its page the operand begins. */
static inline u64 operand_offset(const struct vcpu *vcpu, const struct mmio_repeat *r)
{
	return (vcpu->gpr[r->base] + (vcpu->gpr[r->index] << r->scale) + r->displacement) & PAGE_MASK;
}

/* The usual doorbell: the only one of its region, rung by the value of any write of its size. */
static inline bool rings(const struct section *section, u64 offset, unsigned size, u64 value)
{
	const struct doorbell *bell = section->region->doorbells;

	if (!(section->flags & SECTION_DOORBELLS) || !bell || bell->offset != offset || bell->size != size || bell->match_data)
		return false;
	bell->ring(bell->device, value);
	return true;
}

static inline enum mem_result store(struct vcpu *vcpu, struct mmio_repeat *r, u64 gpa)
{
	const struct section *section = r->section;
	unsigned size = r->size;
	u64 value = r->kind == REPEAT_STORE ? vcpu->gpr[r->gpr] : r->immediate;
	u64 offset = section->offset + (gpa - section->first);

	value &= mem_size_mask(size);
	if (unlikely(offset & (size - 1)))
		return as_store(vcpu->vm->config.memory, &vcpu->memory_cache, gpa, size, value);
	if (likely(section->write_sizes & size))
		return section->ops->write(section->device, offset, size, value);
	if (rings(section, offset, size, value))
		return MEM_OK;
	return as_store(vcpu->vm->config.memory, &vcpu->memory_cache, gpa, size, value);
}

static __attribute__((noinline)) bool settle(struct vcpu *vcpu, u64 gpa, enum mem_result result)
{
	return vcpu_settle_unclaimed(vcpu, vcpu->vm->config.memory, gpa, result);
}

bool mmio_repeat(struct vcpu *vcpu, u64 gpa)
{
	const struct flatview *view = as_view(vcpu->vm->config.memory);
	u64 rip = vmread(VMCS_GUEST_RIP);
	struct mmio_repeat *r = slot(vcpu, rip);
	enum mem_result result;

	if (unlikely(r->rip != rip || r->view != view->id || r->cr3 != vmread(VMCS_GUEST_CR3) ||
		     r->cs_rights != vmread(VMCS_GUEST_CS_RIGHTS) || !(vmread(VMCS_GUEST_EFER) & EFER_LMA)))
		return false;
	/* Offset 0 may also be the second half of an access that began on the page before. */
	u64 offset = gpa & PAGE_MASK;
	if (unlikely(offset + r->size > PAGE_SIZE) || (offset == 0 && unlikely(operand_offset(vcpu, r) != 0)))
		return false;
	if (unlikely(!unchanged(r)))
		return false;
	if (unlikely(gpa - r->section->first > r->section->last - r->section->first))
		r->section = flatview_lookup(view, gpa);
	if (r->kind == REPEAT_LOAD) {
		u64 value;

		result = as_load(vcpu->vm->config.memory, &vcpu->memory_cache, gpa, r->size, &value);
		if (unlikely(result != MEM_OK) && !settle(vcpu, gpa, result))
			return true;
		vcpu->gpr[r->gpr] = value;
	} else {
		result = store(vcpu, r, gpa);
		if (unlikely(result != MEM_OK) && !settle(vcpu, gpa, result))
			return true;
	}
	vcpu_finish_instruction(vcpu, rip + r->length);
	return true;
}

/* Bytes first..7 of a little-endian word that holds bytes `first`.. of an instruction. */
static u64 byte_mask(unsigned length, unsigned first)
{
	if (length <= first)
		return 0;
	return length - first >= 8 ? ~0ull : BIT(8 * (length - first)) - 1;
}

/* Follows the walk of 4 levels, as the processor has just done, and notes its entries. NULL: not as plain as that. */
static const u8 *trace(struct vcpu *vcpu, struct mmio_repeat *r, u64 linear)
{
	u64 table = vmread(VMCS_GUEST_CR3) & PTE_FRAME;
	u64 frame = 0, page = 0;

	for (unsigned level = 0; level < 4; level++) {
		unsigned shift = 39 - 9 * level;

		if (page) {
			r->entry[level] = r->entry[level - 1];
			r->entry_value[level] = r->entry_value[level - 1];
			continue;
		}
		const u64 *entry = guest_ram(&vcpu->paging, table + (linear >> shift & 511) * 8, 8, false);
		if (!entry || !(current(entry) & PTE_PRESENT))
			return NULL;
		r->entry[level] = entry;
		r->entry_value[level] = current(entry);
		table = r->entry_value[level] & PTE_FRAME;
		if (level == 3 || (level && (r->entry_value[level] & PTE_LARGE))) {
			page = BIT(shift);
			frame = table & ~(page - 1);
		}
	}
	/* 16 bytes are compared at once: they must be of this page. */
	if ((linear & PAGE_MASK) > PAGE_SIZE - 16)
		return NULL;
	return guest_ram(&vcpu->paging, frame | (linear & (page - 1)), 16, false);
}

void mmio_remember(struct vcpu *vcpu, u64 rip, u64 gpa, const struct insn *insn)
{
	struct mmio_repeat *r = slot(vcpu, rip);
	bool load = insn->form == INSN_REG_RM, immediate = insn->form == INSN_RM_IMM;

	bool rip_relative = insn->base == INSN_BASE_RIP;

	if (insn->op != INSN_MOV || insn->segment >= SEG_FS || insn->address_size != 8 || insn->base == RSP || insn->reg == RSP || (insn->form != INSN_RM_REG && !load && !immediate) ||
	    (!immediate && insn->reg >= CPU_GPR_COUNT) || (load && insn->operand_size < 4) ||
	    insn->operand_size != insn->memory_size)
		return;
	r->view = 0;
	r->code = trace(vcpu, r, rip);
	if (!r->code)
		return;
	r->rip = rip;
	r->cr3 = vmread(VMCS_GUEST_CR3);
	r->cs_rights = vmread(VMCS_GUEST_CS_RIGHTS);
	r->mask = byte_mask(insn->length, 0);
	r->rest_mask = byte_mask(insn->length, 8);
	__builtin_memcpy(&r->bytes, r->code, 8);
	__builtin_memcpy(&r->rest, r->code + 8, 8);
	r->bytes &= r->mask;
	r->rest &= r->rest_mask;
	r->gpr = immediate ? 0 : insn->reg;
	r->size = insn->operand_size;
	r->length = insn->length;
	r->immediate = insn->immediate;
	r->kind = load ? REPEAT_LOAD : immediate ? REPEAT_STORE_IMMEDIATE : REPEAT_STORE;
	r->section = flatview_lookup(as_view(vcpu->vm->config.memory), gpa);
	r->base = insn->base < CPU_GPR_COUNT ? insn->base : CPU_GPR_COUNT;
	r->index = insn->index < CPU_GPR_COUNT ? insn->index : CPU_GPR_COUNT;
	r->scale = insn->scale;
	r->displacement = insn->displacement + (rip_relative ? rip + insn->length : 0);
	r->view = vcpu->window_view;
}
