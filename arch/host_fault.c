// SPDX-License-Identifier: BSD-2-Clause
#include "arch/host_fault.h"

#include "arch/cpu.h"
#include "arch/host_cpu.h"
#include "arch/host_irq.h"
#include "arch/panic.h"

#define VECTORS	       256u
#define GATE_INTERRUPT 0x8e00u /* present, DPL 0, 64-bit interrupt gate: IF is 0 inside */
#define PORT_61_NMI    0xc0u   /* SERR#, IOCHK#: hardware says that data was lost */

/* SDM vol. 3, figure 6-8. */
struct gate {
	u16 offset_15_0, selector;
	u16 ist_and_type; /* 2:0 IST, 15:8 type and attributes */
	u16 offset_31_16;
	u32 offset_63_32, reserved;
};
static_assert(sizeof(struct gate) == 16, "SDM vol. 3, figure 6-8");

struct fixup {
	s32 at, to; /* relative to the table */
};

extern const char host_vectors[], host_probe_exec_return[], host_probe_exec_faulted[];
extern const struct fixup host_fixups[];

/* The same for every CPU: stacks are named by number in each CPU's TSS. */
static struct gate idt[VECTORS];
static u64 nmi_count;

static enum host_ist ist_of(unsigned vector)
{
	switch (vector) {
	case VECTOR_DF:
		return HOST_IST_DF;
	case VECTOR_NMI:
		return HOST_IST_NMI;
	case VECTOR_MC:
		return HOST_IST_MC;
	default:
		return HOST_IST_NONE;
	}
}

void host_fault_load_idt(void)
{
	struct descriptor_table table = { sizeof(idt) - 1, (u64)idt };

	for (unsigned i = 0; i < VECTORS; i++) {
		u64 entry = (u64)host_vectors + i * 16ull;

		idt[i] = (struct gate){ .offset_15_0 = (u16)entry,
					.selector = HOST_CS,
					.ist_and_type = (u16)(GATE_INTERRUPT | ist_of(i)),
					.offset_31_16 = (u16)(entry >> 16),
					.offset_63_32 = (u32)(entry >> 32) };
	}
	lidt(&table);
}

static bool fix_up(struct host_frame *frame)
{
	if (frame->vector != VECTOR_GP && frame->vector != VECTOR_PF && frame->vector != VECTOR_UD)
		return false;
	for (const struct fixup *f = host_fixups; f->at; f++) {
		if ((u64)host_fixups + (u64)(s64)f->at == frame->rip) {
			frame->rip = (u64)host_fixups + (u64)(s64)f->to;
			return true;
		}
	}
	/* host_probe_exec: RDI is still what it called, and the return address lies on top of the stack. */
	if (frame->rip == frame->rdi && frame->vector != VECTOR_UD &&
	    *(const u64 *)frame->rsp == (u64)host_probe_exec_return) {
		frame->rip = (u64)host_probe_exec_faulted;
		frame->rsp += 8;
		return true;
	}
	return false;
}

void host_fault(struct host_frame *frame)
{
	if (frame->vector >= 32) {
		host_irq_handle((u8)frame->vector);
		return;
	}
	if (frame->vector == VECTOR_NMI && !(inb(0x61) & PORT_61_NMI)) {
		nmi_count++;
		return;
	}
	if (!fix_up(frame))
		panic_exception(frame);
}

u64 host_nmi_count(void)
{
	return nmi_count;
}
