// SPDX-License-Identifier: BSD-2-Clause
/*
 * From a request to its translation (VT-d ch. 3):
 *
 *	RTADDR_REG -> root[bus] -> context[device, function] -> L4[47:39] -> L3[38:30] -> L2[29:21] -> L1[20:12] -> page
 *							     1 GiB, or 2 MiB page
 *
 * Every entry is read once, from guest RAM.
 */
#include "iommu/vtd_internal.h"

#define ENTRY_PRESENT BIT(0)
#define ENTRY_TABLE   BITS(63, 12)

/* Context entries; the low half's reserved bits are 11:4 and what is above the host address width. */
#define CONTEXT_FPD	      BIT(1)
#define CONTEXT_HIGH_RESERVED 0xffffffffff000080ull
enum { TT_TRANSLATE = 0, TT_PASS_THROUGH = 2 };
enum { AW_39 = 1, AW_48 = 2 };

/* Paging entries of the second level. */
#define PAGE_LARGE    BIT(7)
#define PAGE_RESERVED (BIT(62) | BIT(11)) /* TM and SNP: not offered */
#define PAGE_ADDRESS  BITS(51, 12)

static u64 beyond_host(const struct vtd *unit)
{
	return ~0ull << unit->config.host_address_width;
}

/*
 * ---- root and context
 * ----------------------------------------------------------------------------------------
 */

static enum vtd_reason parse_context(const struct vtd *unit, u64 low, u64 high, struct vtd_context *context)
{
	unsigned type = low >> 2 & 3, width = high & 7;
	unsigned widest = unit->config.address_width == 48 ? AW_48 : AW_39;

	if (low & (BITS(11, 4) | beyond_host(unit)) || high & CONTEXT_HIGH_RESERVED) {
		/* An entry like that is not asked whether to be quiet. */
		context->quiet = false;
		return VTD_CONTEXT_RESERVED;
	}
	if (width < AW_39 || width > widest || (type != TT_TRANSLATE && type != TT_PASS_THROUGH) ||
	    (type == TT_PASS_THROUGH && width != widest))
		return VTD_CONTEXT_INVALID;
	context->table = low & ENTRY_TABLE;
	context->domain = (u16)(high >> 8);
	context->width = width == AW_48 ? 48 : 39;
	context->levels = type == TT_PASS_THROUGH ? 0 : width == AW_48 ? 4 : 3;
	context->present = true;
	return 0;
}

enum vtd_reason vtd_read_context(struct vtd *unit, u16 requester, struct vtd_context *context)
{
	u64 root = unit->root + (requester >> 8) * 16ull, low, high;

	*context = (struct vtd_context){ 0 };
	if (!(unit->gsts & GCMD_SRTP) || !vtd_load(unit, root, &low) || !vtd_load(unit, root + 8, &high))
		return VTD_ROOT_INACCESSIBLE;
	if (!(low & ENTRY_PRESENT))
		return VTD_ROOT_NOT_PRESENT;
	if (low & (BITS(11, 1) | beyond_host(unit)) || high)
		return VTD_ROOT_RESERVED;
	root = (low & ENTRY_TABLE) + (requester & 0xff) * 16ull;
	if (!vtd_load(unit, root, &low) || !vtd_load(unit, root + 8, &high))
		return VTD_CONTEXT_INACCESSIBLE;
	context->quiet = low & CONTEXT_FPD;
	if (!(low & ENTRY_PRESENT))
		return VTD_CONTEXT_NOT_PRESENT;
	return parse_context(unit, low, high, context);
}

/*
 * ---- second level
 * --------------------------------------------------------------------------------------------
 */

/* `mask`: how much is absent alike. An access is told of its page only: each page is a fault of its own. */
static struct iommu_entry absent(u64 iova, enum mem_access access, u64 mask, enum vtd_reason reason)
{
	return (struct iommu_entry){
		.iova = iova,
		.mask = access ? PAGE_MASK : mask,
		.reason = IOMMU_FAULT_UNIT + reason,
	};
}

static struct iommu_entry identity(u64 iova, u64 mask)
{
	return (struct iommu_entry){
		.iova = iova, .translated = iova & ~mask, .mask = mask, .perm = MEM_READ_WRITE
	};
}

static enum vtd_reason not_permitted(enum mem_access access, u32 perm)
{
	return access & ~perm & MEM_WRITE ? VTD_NO_WRITE : VTD_NO_READ;
}

/* The largest aligned block around `address`, up to `mask`, without any of the interrupt range. */
static u64 beside_interrupts(u64 address, u64 mask)
{
	u64 differs = (address ^ INTERRUPT_RANGE) & ~INTERRUPT_RANGE_MASK;

	return MIN(mask, BIT(63 - __builtin_clzll(differs)) - 1);
}

/* The page of `iova`, whole; or why there is none for this access. */
static struct iommu_entry walk(struct vtd *unit, const struct vtd_context *context, u64 iova,
			       enum mem_access access)
{
	u64 reserved = (beyond_host(unit) & PAGE_ADDRESS) | PAGE_RESERVED;
	u64 table = context->table, entry, mask;
	u32 perm = MEM_READ_WRITE;
	bool leaf;

	for (unsigned level = context->levels;; level--) {
		unsigned shift = PAGE_SHIFT + 9 * (level - 1);

		mask = BIT(shift) - 1;
		if (unlikely(!vtd_load(unit, table + (iova >> shift & 511) * 8, &entry)))
			return absent(iova, access, mask,
				      level == context->levels ? VTD_CONTEXT_INVALID
							       : VTD_TABLE_INACCESSIBLE);
		if (!(entry & MEM_READ_WRITE))
			return absent(iova, access, mask, not_permitted(access, MEM_NONE));
		leaf = level == 1 || entry & PAGE_LARGE;
		/* A leaf's address has no bits below its size; at the top of four levels there is none. */
		if (unlikely(entry & (leaf ? reserved | (mask & PAGE_ADDRESS) : reserved) ||
			     (leaf && level == 4)))
			return absent(iova, access, mask, VTD_TABLE_RESERVED);
		perm &= entry;
		table = entry & PAGE_ADDRESS;
		if (leaf)
			break;
	}
	if ((perm & access) != access || !perm)
		return absent(iova, access, mask, not_permitted(access, perm));
	return (struct iommu_entry){ .iova = iova, .translated = table, .mask = mask, .perm = perm };
}

/* As much of a page that is there as has nothing to do with interrupts; false: `iova` itself leads there. */
static bool clear_of_interrupts(struct iommu_entry *entry, u64 iova)
{
	u64 address = entry->translated | (iova & entry->mask);

	if (unlikely(vtd_in_interrupt_range(address)))
		return false;
	if (entry->mask > INTERRUPT_RANGE_MASK) {
		entry->mask = beside_interrupts(address, beside_interrupts(iova, entry->mask));
		entry->translated = address & ~entry->mask;
	}
	return true;
}

static struct iommu_entry to_interrupts(u64 iova, enum mem_access access, u64 mask)
{
	return absent(iova, access, MIN(mask, INTERRUPT_RANGE_MASK), VTD_INTERRUPT_RANGE);
}

/* What the IOTLB has does not do for the access, or is not there. What leads to interrupts is in error: not remembered. */
static struct iommu_entry translate_anew(struct vtd_gate *gate, u64 iova, enum mem_access access, bool found)
{
	struct iommu_entry page = walk(gate->unit, &gate->context, iova, access);
	struct iommu_entry whole = page;

	if (!page.perm)
		return page;
	if (!clear_of_interrupts(&page, iova))
		return to_interrupts(iova, access, page.mask);
	if (found)
		iotlb_insert(&gate->unit->iotlb, gate->context.domain, &whole);
	else
		iotlb_add(&gate->unit->iotlb, gate->context.domain, &whole);
	gate->widest = MAX(gate->widest, whole.mask);
	return page;
}

static struct iommu_entry translate(struct vtd_gate *gate, u64 iova, enum mem_access access)
{
	struct iommu_entry page;
	bool found = iotlb_lookup(&gate->unit->iotlb, gate->context.domain, iova, &page);

	if (!found || (page.perm & access) != access)
		return translate_anew(gate, iova, access, found);
	gate->widest = MAX(gate->widest, page.mask);
	return clear_of_interrupts(&page, iova) ? page : to_interrupts(iova, access, page.mask);
}

struct iommu_entry vtd_look_up(struct vtd_gate *gate, u64 iova, enum mem_access access)
{
	struct vtd *unit = gate->unit;
	struct vtd_context fresh = { .present = false }, *context = access ? &gate->context : &fresh;
	struct iommu_entry entry;

	if (!(unit->gsts & GCMD_TE))
		return identity(iova, ~0ull);
	if (vtd_in_interrupt_range(iova))
		return identity(iova, INTERRUPT_RANGE_MASK);
	if (!access || !context->present) {
		enum vtd_reason reason = vtd_read_context(unit, gate->requester, context);

		if (reason)
			return absent(iova, access, beside_interrupts(iova, ~0ull), reason);
	}
	if (unlikely(iova >> context->width))
		return absent(iova, access, BIT(63 - __builtin_clzll(iova)) - 1, VTD_ADDRESS_BEYOND);
	if (!context->levels)
		return identity(iova, BIT(context->width) - 1);
	if (access)
		return translate(gate, iova, access);
	entry = walk(unit, context, iova, access);
	if (entry.perm && !clear_of_interrupts(&entry, iova))
		return to_interrupts(iova, access, entry.mask);
	return entry;
}
