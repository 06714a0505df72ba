// SPDX-License-Identifier: BSD-2-Clause
/*
 * EPT violations that mmio_repeat.c does not know. The one way: gpa -> flat view -> section; then by what the section is.
 *
 *   RAM    a page that is write-protected for the dirty log    -> logged, made writable, retried
 *   device the instruction is carried out for the guest        -> emulate.c, whose accesses go through the same dispatch
 *   ROM    likewise: reads are mapped, so it is a write, which is dropped
 *   hole   by the policy of the table: ones, zeros, a fault in the guest, the guest's end
 */
#include "arch/cpu.h"
#include "arch/vcpu_internal.h"
#include "mm/dirty.h"
#include "mm/log.h"

static const char *section_name(const struct section *section)
{
	return section->region && section->region->name ? section->region->name : "nothing";
}

enum cpu_mode vcpu_cpu_mode(struct vcpu *vcpu)
{
	u32 cs = vmread(VMCS_GUEST_CS_RIGHTS);

	(void)vcpu;
	if ((cs & BIT(13)) && (vmread(VMCS_GUEST_EFER) & EFER_LMA))
		return CPU_MODE_64;
	return cs & BIT(14) ? CPU_MODE_32 : CPU_MODE_16;
}

void vcpu_load_paging(struct vcpu *vcpu)
{
	struct guest_paging *paging = &vcpu->paging;
	u64 view = as_view(vcpu->vm->config.memory)->id;

	paging->cr0 = vmread(VMCS_GUEST_CR0);
	paging->cr3 = vmread(VMCS_GUEST_CR3);
	paging->cr4 = vmread(VMCS_GUEST_CR4);
	paging->efer = vmread(VMCS_GUEST_EFER);
	if (unlikely((paging->cr4 & CR4_PAE) && !(paging->efer & EFER_LMA)))
		for (unsigned i = 0; i < 4; i++)
			paging->pdpte[i] = vmread((enum vmcs_field)(VMCS_GUEST_PDPTE0 + 2 * i));
	/* A page that is being logged must be asked for each time: each use may be a write. */
	if (unlikely(view != vcpu->window_view || paging->window.size == PAGE_SIZE)) {
		vcpu->window_view = view;
		paging->window.size = 0;
	}
}

/* What an access that nobody answered means. False: the instruction is not to be completed. */
bool vcpu_settle_unclaimed(struct vcpu *vcpu, const struct address_space *as, u64 address,
			   enum mem_result result)
{
	const struct section *section = flatview_lookup(as_view(as), address);

	if (!(result & MEM_DECODE_ERROR) || section->kind != SECTION_UNCLAIMED)
		return true;
	vcpu->unclaimed++;
	switch (section->unclaimed) {
	case UNCLAIMED_FAULT:
		inject_gp(vcpu);
		return false;
	case UNCLAIMED_STOP:
		vm_fault(vcpu->vm, "unclaimed access at %s 0x%llx, rip 0x%llx", as->name,
			 (unsigned long long)address, (unsigned long long)vmread(VMCS_GUEST_RIP));
		return false;
	default:
		return true;
	}
}

static enum emulate_outcome outcome(struct vcpu *vcpu, const struct address_space *as, u64 address,
				    enum mem_result result)
{
	if (likely(result == MEM_OK) || vcpu_settle_unclaimed(vcpu, as, address, result))
		return EMULATE_DONE;
	if (vcpu->vm->stop != VM_RUNNING)
		return EMULATE_STOP;
	/* Injected already: told once more, so that the instruction is abandoned. */
	vcpu->emulate.exception = (struct emulate_exception){ .vector = VECTOR_GP, .has_error_code = true };
	return EMULATE_INJECT;
}

static enum emulate_outcome memory_read(void *context, u64 gpa, unsigned size, u64 *value)
{
	struct vcpu *vcpu = context;
	const struct address_space *as = vcpu->vm->config.memory;

	return outcome(vcpu, as, gpa, as_load(as, &vcpu->memory_cache, gpa, size, value));
}

static enum emulate_outcome memory_write(void *context, u64 gpa, unsigned size, u64 value)
{
	struct vcpu *vcpu = context;
	const struct address_space *as = vcpu->vm->config.memory;

	return outcome(vcpu, as, gpa, as_store(as, &vcpu->memory_cache, gpa, size, value));
}

static enum emulate_outcome port_in(void *context, u16 port, unsigned size, u32 *value)
{
	struct vcpu *vcpu = context;
	const struct address_space *as = vcpu->vm->config.ports;
	u64 wide;
	enum mem_result result = as_load(as, &vcpu->port_cache, port, size, &wide);

	*value = (u32)wide;
	return outcome(vcpu, as, port, result);
}

static enum emulate_outcome port_out(void *context, u16 port, unsigned size, u32 value)
{
	struct vcpu *vcpu = context;
	const struct address_space *as = vcpu->vm->config.ports;

	return outcome(vcpu, as, port, as_store(as, &vcpu->port_cache, port, size, value));
}

static void read_segment(void *context, enum cpu_segment segment, struct emulate_segment *out)
{
	(void)context;
	out->base = vmread(VMCS_SEGMENT(VMCS_GUEST_ES_BASE, segment));
	out->limit = vmread(VMCS_SEGMENT(VMCS_GUEST_ES_LIMIT, segment));
	out->rights = vmread(VMCS_SEGMENT(VMCS_GUEST_ES_RIGHTS, segment));
}

const struct emulate_ops vcpu_emulate_ops = {
	.read = memory_read, .write = memory_write, .in = port_in, .out = port_out, .segment = read_segment
};

static void load_emulate(struct vcpu *vcpu)
{
	struct emulate *e = &vcpu->emulate;

	vcpu_load_paging(vcpu);
	e->rip = vmread(VMCS_GUEST_RIP);
	e->rflags = vmread(VMCS_GUEST_RFLAGS);
	e->mode = vcpu_cpu_mode(vcpu);
	e->cpl = vmread(VMCS_GUEST_SS_RIGHTS) >> 5 & 3;
	vcpu->gpr[RSP] = vmread(VMCS_GUEST_RSP);
	e->rflags_changed = false;
}

static void unsupported(struct vcpu *vcpu, u64 gpa)
{
	const struct section *section = flatview_lookup(as_view(vcpu->vm->config.memory), gpa);
	char bytes[48], reason[96];

	emulate_bytes(&vcpu->emulate, bytes, sizeof(bytes));
	emulate_reason(&vcpu->emulate, reason, sizeof(reason));
	vm_fault(vcpu->vm, "gpa 0x%llx in '%s', rip 0x%llx, bytes %s: %s", (unsigned long long)gpa,
		 section_name(section), (unsigned long long)vcpu->emulate.rip, bytes, reason);
}

static void finish_emulate(struct vcpu *vcpu, enum emulate_outcome how, u64 rsp, u64 rip)
{
	struct emulate *e = &vcpu->emulate;

	if (e->rflags_changed)
		vmwrite(VMCS_GUEST_RFLAGS, e->rflags);
	if (unlikely(vcpu->gpr[RSP] != rsp))
		vmwrite(VMCS_GUEST_RSP, vcpu->gpr[RSP]);
	switch (how) {
	case EMULATE_DONE:
		if (unlikely(e->rip == rip))
			break;
		vcpu_finish_instruction(vcpu, e->rip);
		if (e->mode == CPU_MODE_64 && e->insn)
			mmio_remember(vcpu, rip, e->fault_gpa, e->insn);
		break;
	case EMULATE_INJECT:
		if (e->exception.vector == VECTOR_PF)
			write_cr2(e->exception.cr2);
		if (!(vcpu->event.info & INTERRUPTION_VALID))
			inject_exception(vcpu, e->exception.vector, e->exception.has_error_code,
					 e->exception.error_code);
		break;
	case EMULATE_UNSUPPORTED:
		unsupported(vcpu, e->fault_gpa);
		break;
	case EMULATE_STOP:
		break;
	}
}

void vcpu_emulate_access(struct vcpu *vcpu, u64 gpa, unsigned access)
{
	struct emulate *e = &vcpu->emulate;

	load_emulate(vcpu);
	e->fault_gpa = gpa;
	e->fault_access = access;
	u64 rsp = vcpu->gpr[RSP], rip = e->rip;
	finish_emulate(vcpu, emulate_mmio(e), rsp, rip);
}

void vcpu_emulate_port_string(struct vcpu *vcpu)
{
	struct emulate *e = &vcpu->emulate;

	load_emulate(vcpu);
	u64 rsp = vcpu->gpr[RSP], rip = e->rip;
	finish_emulate(vcpu, emulate_port_string(e), rsp, rip);
}

/* RAM should not have trapped: it is logged, or a change of the map is on its way to the processor. */
static bool ram_violation(struct vcpu *vcpu, const struct section *section, u64 gpa, u64 qualification)
{
	struct ept *ept = &vcpu->vm->ept;
	u64 page = ALIGN_DOWN(gpa, PAGE_SIZE);

	if (page < section->first || (page | PAGE_MASK) > section->last)
		return false;
	if ((section->flags & SECTION_DIRTY_LOG) && (qualification & EPT_DATA_WRITE)) {
		region_mark_dirty(section->region, section_offset(section, page), PAGE_SIZE);
		if (!ept_map(ept, page, PAGE_SIZE, (u64)section->host + (page - section->first),
			     EPT_READ | EPT_WRITE | EPT_EXECUTE))
			vm_fault(vcpu->vm, "no page left for EPT tables at gpa 0x%llx",
				 (unsigned long long)gpa);
	}
	ept->stale = true;
	vcpu->todo |= TODO_MAPS;
	return true;
}

/*
 * An event was on its way into the guest, and its gate, task state or stack is in no memory. The instruction at RIP did not
 * make the access, so there is nothing that could be carried out instead of the processor's.
 */
void vcpu_refuse_delivery(struct vcpu *vcpu)
{
	u64 gpa = vmread(VMCS_GUEST_PHYSICAL_ADDRESS), page = ALIGN_DOWN(gpa, PAGE_SIZE);
	u64 qualification = vmread(VMCS_EXIT_QUALIFICATION);
	const struct section *section = flatview_lookup(as_view(vcpu->vm->config.memory), gpa);

	if (!(qualification & EPT_LINEAR_VALID) || !(qualification & EPT_FINAL) ||
	    (section->kind == SECTION_RAM && page >= section->first && (page | PAGE_MASK) <= section->last))
		return;
	vm_fault(vcpu->vm, "delivers an event through '%s' at gpa 0x%llx, rip 0x%llx", section_name(section),
		 (unsigned long long)gpa, (unsigned long long)vmread(VMCS_GUEST_RIP));
}

void ept_violation(struct vcpu *vcpu, u64 gpa)
{
	u64 qualification = vmread(VMCS_EXIT_QUALIFICATION);
	const struct section *section = as_lookup(vcpu->vm->config.memory, &vcpu->memory_cache, gpa);
	if (section->kind == SECTION_RAM && ram_violation(vcpu, section, gpa, qualification))
		return;
	if (unlikely(qualification & EPT_FETCH)) {
		vm_fault(vcpu->vm, "executes from '%s' at gpa 0x%llx, rip 0x%llx", section_name(section),
			 (unsigned long long)gpa, (unsigned long long)vmread(VMCS_GUEST_RIP));
		return;
	}
	if (unlikely(!(qualification & EPT_LINEAR_VALID) || !(qualification & EPT_FINAL))) {
		vm_fault(vcpu->vm, "page tables in '%s' at gpa 0x%llx, rip 0x%llx", section_name(section),
			 (unsigned long long)gpa, (unsigned long long)vmread(VMCS_GUEST_RIP));
		return;
	}
	vcpu_emulate_access(vcpu, gpa,
			    (qualification & EPT_DATA_READ ? INSN_READS : 0) |
				    (qualification & EPT_DATA_WRITE ? INSN_WRITES : 0));
}
