// SPDX-License-Identifier: BSD-2-Clause
/*
 * A vCPU in text: for the console's `regs` and `exits`, and for post-mortems.
 */
#include <stdio.h>

#include "arch/cpu.h"
#include "arch/vcpu_internal.h"

#define LINE 128

static void segment(unsigned s, const char *name, vcpu_emit *emit, void *context)
{
	char line[LINE];
	u32 rights = vmread(VMCS_SEGMENT(VMCS_GUEST_ES_RIGHTS, s));

	snprintf(line, sizeof(line), "  %-4s %04llx base %016llx limit %08llx rights %05x%s", name,
		 (unsigned long long)vmread(VMCS_SEGMENT(VMCS_GUEST_ES_SELECTOR, s)),
		 (unsigned long long)vmread(VMCS_SEGMENT(VMCS_GUEST_ES_BASE, s)),
		 (unsigned long long)vmread(VMCS_SEGMENT(VMCS_GUEST_ES_LIMIT, s)), rights,
		 rights & RIGHTS_UNUSABLE ? " unusable" : "");
	emit(context, line);
}

static void code_bytes(struct vcpu *vcpu, vcpu_emit *emit, void *context)
{
	char line[LINE];
	struct guest_code code = { .count = 0 };
	struct walk_result fault;
	u64 linear = vmread(VMCS_GUEST_RIP);
	bool long_mode = vcpu_cpu_mode(vcpu) == CPU_MODE_64;
	int used;

	vcpu_load_paging(vcpu);
	if (!long_mode)
		linear = (u32)(linear + vmread(VMCS_GUEST_CS_BASE));
	if (guest_fetch(&vcpu->paging, linear, 0, &code, &fault) != WALK_OK) {
		emit(context, "  code at rip: not readable");
		return;
	}
	used = snprintf(line, sizeof(line), "  code at rip:");
	for (unsigned i = 0; i < code.count; i++)
		used += snprintf(line + used, sizeof(line) - used, " %02x", code.bytes[i]);
	emit(context, line);
}

void vcpu_print_registers(struct vcpu *vcpu, vcpu_emit *emit, void *context)
{
	static const char *const segments[] = { "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr" };
	static const char *const activities[] = { "active", "halted", "shut down", "waiting for SIPI" };
	static const char *const names[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					     "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15" };
	u64 activity = vmread(VMCS_GUEST_ACTIVITY);
	char line[LINE];

	vcpu->gpr[RSP] = vmread(VMCS_GUEST_RSP);
	snprintf(line, sizeof(line), "  rip %016llx  rflags %08llx  %s",
		 (unsigned long long)vmread(VMCS_GUEST_RIP), (unsigned long long)vmread(VMCS_GUEST_RFLAGS),
		 activity < 4 ? activities[activity] : "?");
	emit(context, line);
	for (unsigned i = 0; i < CPU_GPR_COUNT; i += 4) {
		snprintf(line, sizeof(line), "  %s %016llx  %s %016llx  %s %016llx  %s %016llx", names[i],
			 (unsigned long long)vcpu->gpr[i], names[i + 1], (unsigned long long)vcpu->gpr[i + 1],
			 names[i + 2], (unsigned long long)vcpu->gpr[i + 2], names[i + 3],
			 (unsigned long long)vcpu->gpr[i + 3]);
		emit(context, line);
	}
	snprintf(line, sizeof(line), "  cr0 %08llx  cr2 %016llx  cr3 %016llx  cr4 %08llx  efer %04llx",
		 (unsigned long long)vmread(VMCS_GUEST_CR0), (unsigned long long)read_cr2(),
		 (unsigned long long)vmread(VMCS_GUEST_CR3), (unsigned long long)vmread(VMCS_GUEST_CR4),
		 (unsigned long long)vmread(VMCS_GUEST_EFER));
	emit(context, line);
	for (unsigned s = 0; s < ARRAY_SIZE(segments); s++)
		segment(s, segments[s], emit, context);
	snprintf(line, sizeof(line), "  gdt %016llx limit %04llx  idt %016llx limit %04llx",
		 (unsigned long long)vmread(VMCS_GUEST_GDTR_BASE),
		 (unsigned long long)vmread(VMCS_GUEST_GDTR_LIMIT),
		 (unsigned long long)vmread(VMCS_GUEST_IDTR_BASE),
		 (unsigned long long)vmread(VMCS_GUEST_IDTR_LIMIT));
	emit(context, line);
	code_bytes(vcpu, emit, context);
}

void vcpu_print_history(struct vcpu *vcpu, vcpu_emit *emit, void *context)
{
	char line[LINE];
	u32 count = MIN(vcpu->history_next, (u32)HISTORY_SIZE);

	for (u32 i = vcpu->history_next - count; i != vcpu->history_next; i++) {
		const struct vcpu_exit *e = &vcpu->history[i % HISTORY_SIZE];

		snprintf(line, sizeof(line), "  rip %016llx  %-20s qualification %llx",
			 (unsigned long long)e->rip, vcpu_exit_name(e->reason & 0xffff),
			 (unsigned long long)e->qualification);
		emit(context, line);
	}
}

void vcpu_print_exits(struct vcpu *vcpu, vcpu_emit *emit, void *context)
{
	char line[LINE];
	u64 exits = 0, ticks = 0;

	for (unsigned r = 0; r < EXIT_REASONS; r++) {
		const struct vcpu_exit_count *c = &vcpu->count[r];

		if (!c->exits)
			continue;
		exits += c->exits;
		ticks += c->ticks;
		snprintf(line, sizeof(line), "  %-20s %10llu exits  %8llu ticks each", vcpu_exit_name(r),
			 (unsigned long long)c->exits, (unsigned long long)(c->ticks / c->exits));
		emit(context, line);
	}
	snprintf(line, sizeof(line), "  %-20s %10llu exits  %8llu ticks in all; %llu unclaimed accesses",
		 "total", (unsigned long long)exits, (unsigned long long)ticks,
		 (unsigned long long)vcpu->unclaimed);
	emit(context, line);
}

static_assert(EXIT_REASONS == VCPU_EXIT_REASONS, "the face tells how many there are");

struct vcpu_exit_count vcpu_exits(const struct vcpu *vcpu, unsigned reason)
{
	return reason < EXIT_REASONS ? vcpu->count[reason] : (struct vcpu_exit_count){ 0, 0 };
}

u64 vcpu_exits_total(const struct vcpu *vcpu)
{
	u64 total = 0;

	for (unsigned r = 0; r < EXIT_REASONS; r++)
		total += vcpu->count[r].exits;
	return total;
}
