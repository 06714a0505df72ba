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
	u64 difference =
		(current(r->entry[0]) ^ r->entry_value[0]) | (current(r->entry[1]) ^ r->entry_value[1]) |
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

/* Another register than last time, or the first one. False: not wholly in one section and on one page. */
static __attribute__((noinline)) bool aim(struct vcpu *vcpu, struct mmio_repeat *r, u64 gpa)
{
	const struct section *section = flatview_lookup(as_view(vcpu->vm->config.memory), gpa);

	if ((gpa & PAGE_MASK) + r->size > PAGE_SIZE || section->last - gpa < r->size - 1u)
		return false;
	r->section = section;
	r->gpa = gpa;
	r->offset = section_offset(section, gpa);
	r->page_start = (gpa & PAGE_MASK) == 0;
	return true;
}

/* The usual doorbell: the first of its region, rung by any value of its size. */
static inline bool rings(const struct section *section, u64 offset, unsigned size, u64 value)
{
	const struct doorbell *bell = section->region->doorbells;

	if (!bell || bell->offset != offset || bell->size != size || bell->match_data)
		return false;
	bell->ring(bell->device, value);
	return true;
}

static inline enum mem_result store(struct vcpu *vcpu, const struct mmio_repeat *r)
{
	const struct section *section = r->section;
	u64 value = (r->kind == REPEAT_STORE ? vcpu->gpr[r->gpr] : r->immediate) & r->value_mask;

	if (likely(!(r->offset & (r->size - 1u)))) {
		if (section->write_sizes & r->size)
			return section->ops->write(section->device, r->offset, r->size, value);
		if ((section->flags & SECTION_DOORBELLS) && rings(section, r->offset, r->size, value))
			return MEM_OK;
	}
	return as_store(vcpu->vm->config.memory, &vcpu->memory_cache, r->gpa, r->size, value);
}

static inline enum mem_result load(struct vcpu *vcpu, const struct mmio_repeat *r, u64 *value)
{
	const struct section *section = r->section;

	if (unlikely(!(section->read_sizes & r->size)) || unlikely(r->offset & (r->size - 1u)))
		return as_load(vcpu->vm->config.memory, &vcpu->memory_cache, r->gpa, r->size, value);
	enum mem_result result = section->ops->read(section->device, r->offset, r->size, value);
	*value = (result == MEM_OK ? *value : ~0ull) & r->value_mask;
	return result;
}

/* An access that was not answered: true if the instruction is completed all the same. */
static __attribute__((noinline)) bool settle(struct vcpu *vcpu, u64 gpa, enum mem_result result)
{
	return vcpu_settle_unclaimed(vcpu, vcpu->vm->config.memory, gpa, result);
}

/* Of data, and not by a walk of the guest's page tables. */
static inline bool is_plain_access(u64 qualification)
{
	return (qualification & (EPT_FETCH | EPT_LINEAR_VALID | EPT_FINAL)) == (EPT_LINEAR_VALID | EPT_FINAL);
}

static inline bool is_known(const struct vcpu *vcpu, const struct mmio_repeat *r, u64 rip)
{
	return r->rip == rip && r->view == as_view(vcpu->vm->config.memory)->id &&
	       r->cr3 == vmread(VMCS_GUEST_CR3) && r->cs_rights == (u32)vmread(VMCS_GUEST_CS_RIGHTS) &&
	       (vmread(VMCS_GUEST_EFER) & EFER_LMA) && unchanged(r);
}

void exit_ept_violation(struct vcpu *vcpu)
{
	u64 gpa = vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
	u64 rip = vmread(VMCS_GUEST_RIP);
	struct mmio_repeat *r = slot(vcpu, rip);

	/* One register for `r`: without this the compiler works it out again and again. */
	__asm__("" : "+r"(r));
	if (unlikely(!is_known(vcpu, r, rip) || !is_plain_access(vmread(VMCS_EXIT_QUALIFICATION)) ||
		     (r->gpa != gpa && !aim(vcpu, r, gpa)) ||
		     /* It may also be the second half of an access that began on the page before. */
		     (r->page_start && operand_offset(vcpu, r) != 0))) {
		ept_violation(vcpu, gpa);
		return;
	}
	enum mem_result result;
	u64 value;
	if (r->kind == REPEAT_LOAD) {
		result = load(vcpu, r, &value);
		if (unlikely(result != MEM_OK) && !settle(vcpu, gpa, result))
			return;
		vcpu->gpr[r->gpr] = value;
	} else {
		result = store(vcpu, r);
		if (unlikely(result != MEM_OK) && !settle(vcpu, gpa, result))
			return;
	}
	vcpu_finish_instruction(vcpu, rip + r->length);
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

	if (insn->op != INSN_MOV || insn->segment >= SEG_FS || insn->address_size != 8 || insn->base == RSP ||
	    insn->reg == RSP || (insn->form != INSN_RM_REG && !load && !immediate) ||
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
	r->base = insn->base < CPU_GPR_COUNT ? insn->base : CPU_GPR_COUNT;
	r->index = insn->index < CPU_GPR_COUNT ? insn->index : CPU_GPR_COUNT;
	r->scale = insn->scale;
	r->displacement = insn->displacement + (rip_relative ? rip + insn->length : 0);
	r->value_mask = mem_size_mask(insn->operand_size);
	if (aim(vcpu, r, gpa))
		r->view = vcpu->window_view;
}
