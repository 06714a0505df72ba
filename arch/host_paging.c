// SPDX-License-Identifier: BSD-2-Clause
#include "arch/host_paging.h"

#include "arch/cpu.h"
#include "arch/image.h"

/* SDM vol. 3, 11.12.4: the entry that PWT = PCD = 1 selects is UC in the power-on value, which firmware may change. */
#define PAT_POWER_ON 0x0007040600070406ull

/* One address space for all CPUs. */
static struct host_table paging;

static bool cpu_has_1g_pages(void)
{
	return cpuid_checked(0x80000001, 0).edx & BIT(26);
}

u64 host_paging_pages_needed(u64 bytes, unsigned ranges)
{
	u64 directories = cpu_has_1g_pages() ? 0 : bytes / GiB;

	/* Each end of a range may need a page table; neighbours share what is above. */
	return 16 + directories + 3ull * ranges;
}

bool host_paging_init(struct page_pool *pool)
{
	return host_table_init(&paging, pool, cpu_has_1g_pages());
}

bool host_map(u64 address, u64 size, unsigned access)
{
	bool mapped = host_table_map(&paging, address, size, access);

	/* Nothing is global: loading CR3 forgets every old translation. Harmless while other tables are in use. */
	write_cr3(read_cr3());
	return mapped;
}

volatile void *host_map_mmio(u64 address, u64 size)
{
	if (!host_map(address, size, HOST_WRITE | HOST_DEVICE))
		return NULL;
	return (volatile void *)address;
}

bool host_map_image(void)
{
	const struct {
		const char *start, *end;
		unsigned access;
	} part[] = {
		{ ImageBase, __text_start, HOST_READ },
		{ __text_start, __text_end, HOST_EXEC },
		{ __rodata_start, __rodata_end, HOST_READ },
		{ __data_start, __bss_end, HOST_WRITE },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(part); i++)
		if (!host_map((u64)part[i].start, (u64)(part[i].end - part[i].start), part[i].access))
			return false;
	return true;
}

void host_paging_activate(void)
{
	u64 top = (u64)paging.top;

	wrmsr(IA32_EFER, rdmsr(IA32_EFER) | EFER_NXE);
	/* Global and PCID-tagged translations of the firmware would outlive the change of CR3. */
	write_cr4(read_cr4() & ~(CR4_PGE | CR4_PCIDE));
	if (read_cr4() & CR4_LA57) {
		/* 5-level paging cannot be left in long mode: one more level on top, of which entry 0 is all we use. */
		u64 *pml5 = page_alloc(paging.pool);

		assert(pml5);
		pml5[0] = top | HOST_PTE_P | HOST_PTE_RW | HOST_PTE_A;
		top = (u64)pml5;
	}
	wrmsr(IA32_PAT, PAT_POWER_ON);
	write_cr3(top);
	write_cr0(read_cr0() | CR0_WP);
}

const struct host_table *host_paging_table(void)
{
	return &paging;
}
