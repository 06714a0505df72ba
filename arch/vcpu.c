// SPDX-License-Identifier: BSD-2-Clause
/*
 * Making, resetting and stopping a virtual machine and its vCPU.
 */
#include "arch/vcpu.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/cpu.h"
#include "arch/page_alloc.h"
#include "arch/vcpu_internal.h"
#include "mm/log.h"

/* Of the physical CPU: the same for every vCPU. */
static struct vmx_capabilities capabilities;
static void *vmxon_region;

bool vcpu_hardware_check(char *error, size_t size)
{
	return vmx_detect(&capabilities, error, size);
}

bool vcpu_hardware_start(struct page_pool *pages, char *error, size_t size)
{
	if (!vmx_detect(&capabilities, error, size))
		return false;
	vmxon_region = page_alloc(pages);
	if (!vmxon_region) {
		snprintf(error, size, "no page left for the VMXON region");
		return false;
	}
	/* XSETBV and XGETBV for the guest need it; nothing here uses what it switches on. */
	if (cpuid(1, 0).ecx & BIT(26))
		write_cr4(read_cr4() | CR4_OSXSAVE);
	return vmx_on(&capabilities, vmxon_region, error, size);
}

void vcpu_hardware_stop(void)
{
	vmx_off();
}

/* What the guest may set in CR4: what the processor has and CPUID tells the guest of. */
static u64 allowed_cr4(const struct vmx_capabilities *caps, const struct cpuid_policy *policy)
{
	u64 allowed = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE |
		      CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_FSGSBASE | CR4_PCIDE | CR4_SMEP | CR4_SMAP;

	if (policy->xcr0_allowed)
		allowed |= CR4_OSXSAVE;
	return allowed & caps->cr4_fixed1;
}

static u64 apic_now(void *owner)
{
	struct vcpu *vcpu = owner;

	return rdtsc() + vcpu->tsc_offset;
}

static void apic_pending(void *owner, int vector)
{
	struct vcpu *vcpu = owner;

	(void)vector;
	vcpu->todo |= vcpu->apicv ? TODO_RVI | TODO_EVENT : TODO_EVENT;
}

static void apic_nmi(void *owner)
{
	vcpu_inject_nmi(owner);
}

/* The only CPU of the machine: INIT from itself or from a device is a reset, which the board decides about. */
static void apic_init(void *owner)
{
	struct vcpu *vcpu = owner;

	vm_stop(vcpu->vm, VM_RESET);
}

static void apic_eoi(void *owner, u8 vector)
{
	const struct vcpu *vcpu = owner;

	if (vcpu->vm->config.ops->eoi)
		vcpu->vm->config.ops->eoi(vcpu->vm->config.board, vector);
}

static void apic_eoi_exit(void *owner, unsigned word)
{
	struct vcpu *vcpu = owner;

	(void)word;
	vcpu->todo |= TODO_EOI_EXIT;
}

static void apic_mode(void *owner)
{
	struct vcpu *vcpu = owner;

	vcpu->todo |= TODO_APIC_MODE | TODO_EVENT;
}

static void apic_timer(void *owner)
{
	vcpu_timer_changed(owner);
}

static const struct lapic_ops apic_ops = {
	.now = apic_now,
	.pending = apic_pending,
	.nmi = apic_nmi,
	.init = apic_init,
	.extint = apic_mode,
	.eoi = apic_eoi,
	.timer_changed = apic_timer,
	.eoi_exit_changed = apic_eoi_exit,
	.mode_changed = apic_mode,
};

/*
 * As short as a guest's periodic tick may be, so that its exits leave it time: 20 us, and in an emulator, whose TSC counts
 * instructions, some times of what a tick's exits and its handler take.
 */
#define SHORTEST_PERIOD_HZ    50000
#define SHORTEST_PERIOD_TICKS 5000

static void setup_apic(struct vcpu *vcpu, const struct vm_config *config)
{
	const struct lapic_config apic = {
		.bsp = true,
		.apicv = vcpu->apicv,
		.x2apic = config->x2apic,
		.physical_bits = cpuid_physical_bits(&vcpu->cpuid),
		.ratio = vcpu->cpuid.basic[0x15].ebx,
		.shortest_period = MAX(config->tsc_hz / SHORTEST_PERIOD_HZ, SHORTEST_PERIOD_TICKS),
	};

	lapic_setup(&vcpu->lapic, vcpu->vapic_page, &apic, &apic_ops, vcpu);
}

static bool take_pages(struct vcpu *vcpu)
{
	vcpu->vmcs = page_alloc(vcpu->pages);
	vcpu->vapic_page = page_alloc(vcpu->pages);
	vcpu->msr_bitmap = page_alloc(vcpu->pages);
	vcpu->vm->ept.apic_access = (u64)page_alloc(vcpu->pages);
	return vcpu->vmcs && vcpu->vapic_page && vcpu->msr_bitmap && vcpu->vm->ept.apic_access;
}

static void free_vcpu(struct vcpu *vcpu)
{
	page_free(vcpu->pages, vcpu->vmcs);
	page_free(vcpu->pages, vcpu->vapic_page);
	page_free(vcpu->pages, vcpu->msr_bitmap);
	page_free(vcpu->pages, (void *)vcpu->vm->ept.apic_access);
	free(vcpu);
}

bool vm_create(struct vm *vm, const struct vm_config *config)
{
	*vm = (struct vm){ .config = *config };
	struct vcpu *vcpu = calloc(1, sizeof(*vcpu));

	if (!vcpu)
		return false;
	vm->vcpu = vcpu;
	vcpu->vm = vm;
	vcpu->pages = config->pages;
	vcpu->caps = &capabilities;
	vcpu->apicv = config->apicv && capabilities.apicv;
	vcpu->timer_shift = capabilities.timer_shift;
	vcpu->device_deadline = vcpu->deadline = TSC_NEVER;
	if (!ept_init(&vm->ept, config->pages, capabilities.ept_vpid, config->large_pages, config->ram,
		      config->ram_count) ||
	    !take_pages(vcpu)) {
		ept_free(&vm->ept);
		free_vcpu(vcpu);
		vm->vcpu = NULL;
		return false;
	}
	const struct cpuid_options options = {
		.tsc_hz = config->tsc_hz,
		.x2apic = config->x2apic,
		.rdtscp = capabilities.secondary & SECONDARY_RDTSCP,
		.invpcid = capabilities.secondary & SECONDARY_INVPCID,
	};
	cpuid_policy_init(&vcpu->cpuid, &options);
	vcpu->cr4_allowed = allowed_cr4(&capabilities, &vcpu->cpuid);
	vcpu->paging = (struct guest_paging){
		.physical_bits = cpuid_physical_bits(&vcpu->cpuid),
		.no_gib_pages = !(vcpu->cpuid.extended[1].edx & BIT(26)),
		.find_ram = vm_find_ram,
		.context = vcpu,
	};
	vcpu->emulate = (struct emulate){
		.gpr = vcpu->gpr, .paging = &vcpu->paging, .ops = &vcpu_emulate_ops, .context = vcpu
	};
	vmx_load_new(vcpu->caps, vcpu->vmcs);
	vmcs_setup(vcpu);
	setup_apic(vcpu, config);
	vcpu_reset(vcpu, NULL);
	vm_memory_attach(vm);
	if (vm->stop == VM_RUNNING)
		return true;
	/* Not all of its memory could be mapped: it would trap there for ever. */
	log_error("%s: %s", config->name, vm->fault);
	vm_destroy(vm);
	return false;
}

void vm_destroy(struct vm *vm)
{
	if (!vm->vcpu)
		return;
	vm_memory_detach(vm);
	vmx_clear(vm->vcpu->vmcs);
	ept_free(&vm->ept);
	/* What a later guest with the same VPID would otherwise find in the processor's caches. */
	if (vm->vcpu->secondary & SECONDARY_VPID)
		vmx_invvpid(1);
	free_vcpu(vm->vcpu);
	vm->vcpu = NULL;
}

void vcpu_reset(struct vcpu *vcpu, const struct vcpu_state *state)
{
	for (unsigned i = 0; i < CPU_GPR_COUNT; i++)
		vcpu->gpr[i] = 0;
	vcpu->gpr[RDX] = vcpu->cpuid.basic[1].eax;
	vcpu->event.info = 0;
	vcpu->nmi_pending = false;
	vcpu->tsc_offset = 0;
	vcpu->tsc_adjust = 0;
	vmwrite(VMCS_TSC_OFFSET, 0);
	lapic_reset(&vcpu->lapic);
	msr_reset(vcpu);
	vmcs_reset_guest(vcpu);
	if (vcpu->cpuid.xcr0_allowed)
		xsetbv(0, 1);
	if (state) {
		vmcs_load_state(vcpu, state);
		vcpu->gpr[RAX] = state->rax;
		vcpu->gpr[RBX] = state->rbx;
		vcpu->gpr[RCX] = state->rcx;
		vcpu->gpr[RDX] = state->rdx;
		vcpu->gpr[RSI] = state->rsi;
		vcpu->gpr[RDI] = state->rdi;
		vcpu->gpr[RBP] = state->rbp;
	}
	vcpu->todo |= TODO_FLUSH;
}

void vm_stop(struct vm *vm, enum vm_stop reason)
{
	if (vm->stop == VM_RUNNING)
		vm->stop = reason;
	if (vm->vcpu)
		vm->vcpu->todo |= TODO_STOP;
}

void vm_fault(struct vm *vm, const char *format, ...)
{
	va_list arguments;

	if (vm->stop == VM_RUNNING) {
		va_start(arguments, format);
		vsnprintf(vm->fault, sizeof(vm->fault), format, arguments);
		va_end(arguments);
	}
	vm_stop(vm, VM_FAULT);
}

void vcpu_timer_changed(struct vcpu *vcpu)
{
	vcpu->todo |= TODO_TIMERS;
}

void vcpu_interrupt_changed(struct vcpu *vcpu)
{
	vcpu->todo |= TODO_EVENT;
}

void vcpu_inject_nmi(struct vcpu *vcpu)
{
	vcpu->nmi_pending = true;
	vcpu->todo |= TODO_EVENT;
}

struct lapic *vcpu_lapic(struct vcpu *vcpu)
{
	return &vcpu->lapic;
}

unsigned vcpu_physical_bits(const struct vcpu *vcpu)
{
	return cpuid_physical_bits(&vcpu->cpuid);
}

u64 *vcpu_gpr(struct vcpu *vcpu)
{
	return vcpu->gpr;
}
