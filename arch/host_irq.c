// SPDX-License-Identifier: BSD-2-Clause
/*
 * 8259A data sheet; local APIC: SDM vol. 3, chapter 10.
 */
#include "arch/host_irq.h"

#include "arch/cpu.h"
#include "arch/host_paging.h"
#include "arch/serial.h"

#define PIC_MASTER 0x20
#define PIC_SLAVE  0xa0
#define PIC_DATA   1 /* offset of the mask and of ICW2..4 */
#define ICW1_INIT  0x11
#define ICW4_8086  0x01
#define OCW2_EOI   0x20
#define OCW3_IRR   0x0a
#define OCW3_ISR   0x0b

#define APIC_TPR	 0x80
#define APIC_EOI	 0xb0
#define APIC_SVR	 0xf0
#define APIC_ISR	 0x100 /* 8 registers of 32 vectors, 0x10 apart */
#define APIC_LVT_CMCI	 0x2f0
#define APIC_LVT_TIMER	 0x320
#define APIC_LVT_THERMAL 0x330
#define APIC_LVT_PERF	 0x340
#define APIC_LVT_LINT0	 0x350
#define APIC_LVT_LINT1	 0x360
#define APIC_LVT_ERROR	 0x370
#define APIC_TIMER_INIT	 0x380
#define APIC_VERSION	 0x30
#define SVR_ENABLE	 BIT(8)
#define LVT_MASKED	 BIT(16)
#define LVT_NMI		 0x400
#define LVT_EXTINT	 0x700
#define APIC_PAGE(base)	 ((base)&BITS(51, 12))

static struct {
	volatile u8 *xapic; /* NULL: x2APIC mode, or no APIC */
	bool enabled, held;
	bool served; /* since it is held */
	u64 stray;
} irq;

static u32 apic_read(unsigned reg)
{
	if (irq.xapic)
		return *(volatile u32 *)(irq.xapic + reg);
	return (u32)rdmsr(IA32_X2APIC_MSR + reg / 16);
}

static void apic_write(unsigned reg, u32 value)
{
	if (irq.xapic)
		*(volatile u32 *)(irq.xapic + reg) = value;
	else
		wrmsr(IA32_X2APIC_MSR + reg / 16, value);
}

static bool apic_in_service(u8 vector)
{
	return apic_read(APIC_ISR + vector / 32 * 0x10) & BIT(vector % 32);
}

/* On the master: the UARTs of a PC have IRQ 3 and 4. */
static u8 serial_bit(void)
{
	int line = serial_irq();

	return line == SERIAL_NO_IRQ ? 0 : (u8)BIT(line);
}

static u8 pic_mask(void)
{
	return irq.held ? 0xff : (u8)~serial_bit();
}

static void pic_init(void)
{
	outb(PIC_MASTER, ICW1_INIT);
	outb(PIC_SLAVE, ICW1_INIT);
	outb(PIC_MASTER + PIC_DATA, HOST_PIC_VECTOR);
	outb(PIC_SLAVE + PIC_DATA, HOST_PIC_VECTOR + 8);
	outb(PIC_MASTER + PIC_DATA, BIT(2)); /* the slave hangs on IRQ 2 */
	outb(PIC_SLAVE + PIC_DATA, 2);
	outb(PIC_MASTER + PIC_DATA, ICW4_8086);
	outb(PIC_SLAVE + PIC_DATA, ICW4_8086);
	outb(PIC_MASTER + PIC_DATA, pic_mask());
	outb(PIC_SLAVE + PIC_DATA, 0xff);
}

/* Interrupts that the firmware took and never finished would hold back all of lower priority. */
static void apic_finish_pending(void)
{
	for (unsigned vector = 255; vector >= 16; vector--)
		if (apic_in_service((u8)vector))
			apic_write(APIC_EOI, 0);
}

static bool apic_init(void)
{
	u64 base = rdmsr(IA32_APIC_BASE);
	unsigned highest_lvt;

	/* Switched off: the 8259's INTR pin is the CPU's, nothing to set up. */
	if (!(base & APIC_BASE_EN))
		return true;
	irq.xapic = NULL;
	if (!(base & APIC_BASE_EXTD)) {
		irq.xapic = (volatile u8 *)host_map_mmio(APIC_PAGE(base), PAGE_SIZE);
		if (!irq.xapic)
			return false;
	}
	irq.enabled = true;
	highest_lvt = apic_read(APIC_VERSION) >> 16 & 0xff;
	/* While SVR says off, the LVT entries cannot be unmasked. */
	apic_write(APIC_SVR, SVR_ENABLE | HOST_SPURIOUS_VECTOR);
	apic_write(APIC_TPR, 0);
	apic_write(APIC_LVT_TIMER, LVT_MASKED);
	apic_write(APIC_TIMER_INIT, 0);
	apic_write(APIC_LVT_ERROR, LVT_MASKED);
	if (highest_lvt >= 4)
		apic_write(APIC_LVT_PERF, LVT_MASKED);
	if (highest_lvt >= 5)
		apic_write(APIC_LVT_THERMAL, LVT_MASKED);
	if (highest_lvt >= 6)
		apic_write(APIC_LVT_CMCI, LVT_MASKED);
	apic_write(APIC_LVT_LINT0, LVT_EXTINT);
	apic_write(APIC_LVT_LINT1, LVT_NMI);
	apic_finish_pending();
	return true;
}

bool host_irq_init(void)
{
	pic_init();
	if (!apic_init())
		return false;
	serial_enable_interrupts();
	return true;
}

static bool pic_in_service(u16 pic, unsigned line)
{
	outb(pic, OCW3_ISR);
	return inb(pic) & BIT(line);
}

/* True: it came from the 8259s. Their lines 7 and 15 also stand for "it went away again", which is in no ISR. */
static bool handle_pic(unsigned line)
{
	u16 pic = line < 8 ? PIC_MASTER : PIC_SLAVE;

	if (!pic_in_service(pic, line % 8))
		return false;
	if ((int)line == serial_irq()) {
		irq.served = irq.held;
		serial_service();
	} else {
		irq.stray++;
	}
	if (pic == PIC_SLAVE)
		outb(PIC_SLAVE, OCW2_EOI);
	outb(PIC_MASTER, OCW2_EOI);
	return true;
}

void host_irq_handle(u8 vector)
{
	if (vector == HOST_IRQ_HELD) {
		serial_service();
		return;
	}
	if (vector >= HOST_PIC_VECTOR && vector < HOST_PIC_VECTOR + 16 &&
	    handle_pic(vector - HOST_PIC_VECTOR))
		return;
	irq.stray++;
	if (irq.enabled && apic_in_service(vector))
		apic_write(APIC_EOI, 0);
}

void host_irq_hold(bool hold)
{
	if (hold == irq.held)
		return;
	irq.held = hold;
	outb(PIC_MASTER + PIC_DATA, pic_mask());
	if (hold)
		sti_nop_cli();
}

bool host_irq_waits(void)
{
	bool served = irq.served;

	if (!irq.held)
		return false;
	irq.served = false;
	outb(PIC_MASTER, OCW3_IRR);
	return served || inb(PIC_MASTER) & serial_bit();
}

u64 host_irq_stray_count(void)
{
	return irq.stray;
}
