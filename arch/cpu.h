/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processor's instructions that C has no words for, and the names of its registers' bits as in the SDM. Nothing
 * here has state. Privileged ones fault outside ring 0, so only files that never run on a build host use them.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include "arch/vectors.h"
#include "mm/types.h"

/* CR0, CR4: SDM vol. 3, 2.5. */
#define CR0_PE	       BIT(0)
#define CR0_MP	       BIT(1)
#define CR0_EM	       BIT(2)
#define CR0_TS	       BIT(3)
#define CR0_ET	       BIT(4)
#define CR0_NE	       BIT(5)
#define CR0_WP	       BIT(16)
#define CR0_AM	       BIT(18)
#define CR0_NW	       BIT(29)
#define CR0_CD	       BIT(30)
#define CR0_PG	       BIT(31)
#define CR4_VME	       BIT(0)
#define CR4_PVI	       BIT(1)
#define CR4_TSD	       BIT(2)
#define CR4_DE	       BIT(3)
#define CR4_PSE	       BIT(4)
#define CR4_PAE	       BIT(5)
#define CR4_MCE	       BIT(6)
#define CR4_PGE	       BIT(7)
#define CR4_PCE	       BIT(8)
#define CR4_OSFXSR     BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP       BIT(11)
#define CR4_LA57       BIT(12)
#define CR4_VMXE       BIT(13)
#define CR4_SMXE       BIT(14)
#define CR4_FSGSBASE   BIT(16)
#define CR4_PCIDE      BIT(17)
#define CR4_OSXSAVE    BIT(18)
#define CR4_SMEP       BIT(20)
#define CR4_SMAP       BIT(21)
#define CR4_PKE	       BIT(22)
#define CR4_CET	       BIT(23)

/* RFLAGS: SDM vol. 1, 3.4.3. */
#define RFLAGS_CF   BIT(0)
#define RFLAGS_ONE  BIT(1) /* always set */
#define RFLAGS_PF   BIT(2)
#define RFLAGS_AF   BIT(4)
#define RFLAGS_ZF   BIT(6)
#define RFLAGS_SF   BIT(7)
#define RFLAGS_TF   BIT(8)
#define RFLAGS_IF   BIT(9)
#define RFLAGS_DF   BIT(10)
#define RFLAGS_OF   BIT(11)
#define RFLAGS_IOPL BITS(13, 12)
#define RFLAGS_NT   BIT(14)
#define RFLAGS_RF   BIT(16)
#define RFLAGS_VM   BIT(17)
#define RFLAGS_AC   BIT(18)

/* MSRs: SDM vol. 4, table 2-2. */
#define IA32_TIME_STAMP_COUNTER 0x10
#define IA32_APIC_BASE		0x1b
#define IA32_FEATURE_CONTROL	0x3a
#define IA32_TSC_ADJUST		0x3b
#define IA32_SPEC_CTRL		0x48
#define IA32_PRED_CMD		0x49
#define IA32_BIOS_SIGN_ID	0x8b
#define IA32_MTRRCAP		0xfe
#define IA32_ARCH_CAPABILITIES	0x10a
#define IA32_SYSENTER_CS	0x174
#define IA32_SYSENTER_ESP	0x175
#define IA32_SYSENTER_EIP	0x176
#define IA32_MCG_CAP		0x179
#define IA32_MCG_STATUS		0x17a
#define IA32_MISC_ENABLE	0x1a0
#define IA32_DEBUGCTL		0x1d9
#define IA32_MTRR_PHYSBASE0	0x200
#define IA32_MTRR_DEF_TYPE	0x2ff
#define IA32_PAT		0x277
#define IA32_PERF_GLOBAL_CTRL	0x38f
#define IA32_TSC_DEADLINE	0x6e0
#define IA32_X2APIC_MSR		0x800 /* + register offset / 16 */
#define IA32_XSS		0xda0
#define IA32_EFER		0xc0000080
#define IA32_STAR		0xc0000081
#define IA32_LSTAR		0xc0000082
#define IA32_CSTAR		0xc0000083
#define IA32_FMASK		0xc0000084
#define IA32_FS_BASE		0xc0000100
#define IA32_GS_BASE		0xc0000101
#define IA32_KERNEL_GS_BASE	0xc0000102
#define IA32_TSC_AUX		0xc0000103

#define APIC_BASE_BSP  BIT(8)
#define APIC_BASE_EXTD BIT(10) /* x2APIC mode */
#define APIC_BASE_EN   BIT(11)
#define EFER_SCE       BIT(0)
#define EFER_LME       BIT(8)
#define EFER_LMA       BIT(10)
#define EFER_NXE       BIT(11)

struct cpuid {
	u32 eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(u32 leaf, u32 subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

/* All zero for a leaf beyond what the CPU has; a bare CPUID would repeat the highest leaf there. */
static inline struct cpuid cpuid_checked(u32 leaf, u32 subleaf)
{
	if (cpuid(leaf & 0x80000000u, 0).eax < leaf)
		return (struct cpuid){ 0 };
	return cpuid(leaf, subleaf);
}

static inline u64 rdtsc(void)
{
	u32 low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (u64)high << 32 | low;
}

static inline u64 rdmsr(u32 msr)
{
	u32 low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (u64)high << 32 | low;
}

static inline void wrmsr(u32 msr, u64 value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static inline u8 inb(u16 port)
{
	u8 value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u16 inw(u16 port)
{
	u16 value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline u32 inl(u16 port)
{
	u32 value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void outb(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outw(u16 port, u16 value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outl(u16 port, u32 value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

#define CPU_REGISTER(name)                                                      \
	static inline u64 read_##name(void)                                     \
	{                                                                       \
		u64 value;                                                      \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(value));          \
		return value;                                                   \
	}                                                                       \
	static inline void write_##name(u64 value)                              \
	{                                                                       \
		__asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory"); \
	}

CPU_REGISTER(cr0)
CPU_REGISTER(cr2)
CPU_REGISTER(cr3)
CPU_REGISTER(cr4)
CPU_REGISTER(dr0)
CPU_REGISTER(dr1)
CPU_REGISTER(dr2)
CPU_REGISTER(dr3)
CPU_REGISTER(dr6)
CPU_REGISTER(dr7)
#undef CPU_REGISTER

static inline u64 xgetbv(u32 index)
{
	u32 low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
	return (u64)high << 32 | low;
}

static inline void xsetbv(u32 index, u64 value)
{
	__asm__ volatile("xsetbv" : : "c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

/* What LGDT, LIDT, SGDT, SIDT take. */
struct __attribute__((packed)) descriptor_table {
	u16 limit;
	u64 base;
};
static_assert(sizeof(struct descriptor_table) == 10, "SDM vol. 3, figure 2-6");

static inline void lgdt(const struct descriptor_table *table)
{
	__asm__ volatile("lgdt %0" : : "m"(*table));
}

static inline void lidt(const struct descriptor_table *table)
{
	__asm__ volatile("lidt %0" : : "m"(*table));
}

static inline struct descriptor_table sgdt(void)
{
	struct descriptor_table table;

	__asm__ volatile("sgdt %0" : "=m"(table));
	return table;
}

static inline struct descriptor_table sidt(void)
{
	struct descriptor_table table;

	__asm__ volatile("sidt %0" : "=m"(table));
	return table;
}

static inline void ltr(u16 selector)
{
	__asm__ volatile("ltr %0" : : "r"(selector) : "memory");
}

static inline void invlpg(const void *address)
{
	__asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline void cli(void)
{
	__asm__ volatile("cli" : : : "memory");
}

static inline u64 read_rflags(void)
{
	u64 value;

	__asm__ volatile("pushfq; pop %0" : "=r"(value));
	return value;
}

static inline void write_rflags(u64 value)
{
	__asm__ volatile("push %0; popfq" : : "r"(value) : "memory", "cc");
}

/* One wait for an interrupt, which is taken inside; IF is 0 again afterwards. STI's shadow closes the gap before HLT. */
static inline void sti_hlt_cli(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

/* Takes an interrupt that is on its way. */
static inline void sti_nop_cli(void)
{
	__asm__ volatile("sti; nop; cli" : : : "memory");
}

static inline void cpu_pause(void)
{
	__asm__ volatile("pause" : : : "memory");
}

static inline void wbinvd(void)
{
	__asm__ volatile("wbinvd" : : : "memory");
}

/* Eight bytes at a time: what memset cannot promise. `size` is a multiple of 8. */
static inline void clear_qwords(void *to, u64 size)
{
	u64 count = size / 8;

	__asm__ volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(0) : "memory");
}

#endif
