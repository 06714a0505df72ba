// SPDX-License-Identifier: BSD-2-Clause
/*
 * A walk, here with 4 levels; each entry is AND-ed into what is permitted, the last one gives the page:
 *
 *    63      47      39 38      30 29      21 20      12 11        0     linear address
 *   +----------+--------+----------+----------+----------+----------+
 *   | sign     | PML4   | PDPT     | PD       | PT       | offset   |
 *   +----------+---|----+----|-----+----|-----+----|-----+----|-----+
 *                  v         v          v          v          |
 *   CR3 ---------> PML4E --> PDPTE ---> PDE -----> PTE        |
 *                            | PS       | PS       |          |
 *                            +--> 1 GiB +-> 2 MiB  +-> 4 KiB -+--> gpa
 *
 * Two walkers: walk_fast reads the entries of a 4-level walk and only adds them up; if anything about the sums is
 * unusual (an absent page, a clear accessed bit, a right that depends on CR0 or CR4), walk_slow starts afresh and
 * decides. Exits on device pages fetch their instruction through the fast one.
 */
#include "arch/guest_walk.h"

enum {
	CR0_WP = BIT(16),
	CR4_PSE = BIT(4),
	CR4_PAE = BIT(5),
	CR4_SMEP = BIT(20),
	CR4_SMAP = BIT(21),
	EFER_LMA = BIT(10),
	EFER_NXE = BIT(11),
};
#define CR0_PG BIT(31) /* beyond an int */

/* Bits of a paging-structure entry (SDM tables 4-5 to 4-20). */
#define PTE_P	  BIT(0)
#define PTE_RW	  BIT(1)
#define PTE_US	  BIT(2)
#define PTE_A	  BIT(5)
#define PTE_D	  BIT(6)
#define PTE_PS	  BIT(7)
#define PTE_XD	  BIT(63)
#define PTE_FRAME BITS(51, 12)

/* Page-fault error code (SDM 4.7). */
enum { PF_P = BIT(0), PF_W = BIT(1), PF_U = BIT(2), PF_RSVD = BIT(3), PF_I = BIT(4) };

/* An entry may change between its being read and its accessed bit being set; only another vCPU can do that so often. */
#define MAX_TRIES 4

static bool find_window(struct guest_paging *paging, u64 gpa, u64 size)
{
	struct guest_window window;

	if (!paging->find_ram(paging->context, gpa, &window))
		return false;
	if (gpa < window.first || window.size < size || gpa - window.first > window.size - size)
		return false;
	paging->window = window;
	return true;
}

void *guest_ram(struct guest_paging *paging, u64 gpa, u64 size, bool write)
{
	u64 offset = gpa - paging->window.first;

	if (unlikely(offset >= paging->window.size || paging->window.size - offset < size)) {
		if (!find_window(paging, gpa, size))
			return NULL;
		offset = gpa - paging->window.first;
	}
	if (write && !paging->window.writable)
		return NULL;
	return paging->window.host + offset;
}

static u64 reserved_address_bits(const struct guest_paging *paging)
{
	return PTE_FRAME & (~0ull << paging->physical_bits);
}

/* What the fast walk knows at its end. */
struct fast_walk {
	u64 gpa, page_size, leaf;
};

/*
 * Returns true if the walk ended in a page that needs no thought. Entries are followed before they are judged: a frame
 * of an absent entry is some address, and reading guest RAM at some address does no harm. An address with reserved bits
 * is outside of the window, so that only the last entry's are left to be looked at, by the caller.
 */
static inline __attribute__((always_inline)) bool walk_fast(const struct guest_paging *paging, u64 linear,
							    unsigned access, struct fast_walk *fast)
{
	const u64 first = paging->window.first, size = paging->window.size;
	const u8 *host = paging->window.host;
	u64 all = ~0ull, any = 0, entry = paging->cr3, mask = PAGE_MASK;

#pragma GCC unroll 4
	for (unsigned shift = 36; shift >= 9; shift -= 9) {
		u64 offset = (entry & PTE_FRAME) + (linear >> shift & 0xff8) - first;

		/* Windows are made of whole pages: a first byte inside means that all eight are. */
		if (unlikely(offset >= size))
			return false;
		entry = __atomic_load_n((const u64 *)(host + offset), __ATOMIC_RELAXED);
		all &= entry;
		any |= entry;
		if (shift > 18 && unlikely(entry & PTE_PS))
			return false;
		if (shift == 18 && (entry & PTE_PS)) {
			if (unlikely(entry & BITS(20, 13)))
				return false;
			mask = 2 * MiB - 1;
			break;
		}
	}
	if (unlikely((all & (PTE_P | PTE_A)) != (PTE_P | PTE_A)))
		return false;
	if (access & GUEST_USER) {
		if (unlikely(!(all & PTE_US)))
			return false;
	} else if (unlikely((all & PTE_US) && (paging->cr4 & (CR4_SMEP | CR4_SMAP)))) {
		return false;
	}
	if ((access & GUEST_WRITE) && unlikely(!(all & PTE_RW) || !(entry & PTE_D)))
		return false;
	if (unlikely(any & PTE_XD) && ((access & GUEST_FETCH) || !(paging->efer & EFER_NXE)))
		return false;
	fast->gpa = (entry & PTE_FRAME & ~mask) | (linear & mask);
	fast->page_size = mask + 1;
	fast->leaf = entry;
	return true;
}

/* The general walk: what the paging mode makes of it, and what it has found so far. */
struct walk {
	struct guest_paging *paging;
	u64 linear;
	unsigned access;
	bool long_mode, wide; /* wide: entries of 8 bytes, 512 a table; else 4 bytes, 1024 */
	u64 rights;	      /* AND of the entries */
	u64 any;	      /* OR of the entries */
	struct {
		void *at;
		u64 value;
		bool writable;
	} used[4];
	unsigned count;
};

static enum walk_status fault(const struct walk *walk, u32 error_code, struct walk_result *result)
{
	const struct guest_paging *paging = walk->paging;

	if (walk->access & GUEST_WRITE)
		error_code |= PF_W;
	if (walk->access & GUEST_USER)
		error_code |= PF_U;
	if ((walk->access & GUEST_FETCH) &&
	    ((paging->cr4 & CR4_SMEP) || (walk->wide && (paging->efer & EFER_NXE))))
		error_code |= PF_I;
	result->error_code = error_code;
	return WALK_FAULT;
}

static bool is_large(const struct walk *walk, unsigned level, u64 entry)
{
	if (!(entry & PTE_PS))
		return false;
	if (!walk->wide)
		return level == 1 && (walk->paging->cr4 & CR4_PSE);
	return level == 1 || (level == 2 && !walk->paging->no_gib_pages);
}

/* A 4 MiB page has bits 39:32 of its address in bits 20:13 of the entry (PSE-36). */
static u64 pse36_frame(u64 entry)
{
	return (entry & BITS(31, 22)) | (entry & BITS(20, 13)) << 19;
}

static bool has_reserved_bits(const struct walk *walk, unsigned level, u64 entry)
{
	u64 reserved = reserved_address_bits(walk->paging);
	bool large = is_large(walk, level, entry);

	if (!walk->wide)
		return large && ((entry & BIT(21)) || (pse36_frame(entry) & reserved));
	if (!(walk->paging->efer & EFER_NXE))
		reserved |= PTE_XD;
	if (!walk->long_mode)
		reserved |= BITS(62, 52);
	if (large)
		reserved |= BITS(12 + 9 * level - 1, 13);
	else if (level >= 2)
		reserved |= PTE_PS;
	return entry & reserved;
}

/* SDM 4.6.1. */
static bool is_permitted(const struct walk *walk)
{
	const struct guest_paging *paging = walk->paging;
	bool user_page = walk->rights & PTE_US;

	if ((walk->access & GUEST_FETCH) && walk->wide && (walk->any & PTE_XD))
		return false;
	if (walk->access & GUEST_USER)
		return user_page && (!(walk->access & GUEST_WRITE) || (walk->rights & PTE_RW));
	if (user_page && (walk->access & GUEST_FETCH) && (paging->cr4 & CR4_SMEP))
		return false;
	if (user_page && !(walk->access & (GUEST_FETCH | GUEST_AC)) && (paging->cr4 & CR4_SMAP))
		return false;
	return !(walk->access & GUEST_WRITE) || (walk->rights & PTE_RW) || !(paging->cr0 & CR0_WP);
}

/* Set bits in an entry if it still is what it was. */
static enum walk_status update_entry(const struct walk *walk, unsigned number, u64 bits)
{
	u64 value = walk->used[number].value;
	u32 value32 = value;
	bool done;

	if ((value & bits) == bits)
		return WALK_OK;
	if (!walk->used[number].writable)
		return WALK_NO_MEMORY;
	if (walk->wide)
		done = __atomic_compare_exchange_n((u64 *)walk->used[number].at, &value, value | bits, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	else
		done = __atomic_compare_exchange_n((u32 *)walk->used[number].at, &value32, value32 | bits,
						   false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	return done ? WALK_OK : WALK_RETRY;
}

static enum walk_status update_entries(const struct walk *walk)
{
	for (unsigned i = 0; i < walk->count; i++) {
		bool dirty = i == walk->count - 1 && (walk->access & GUEST_WRITE);
		enum walk_status status = update_entry(walk, i, dirty ? PTE_A | PTE_D : PTE_A);

		if (status != WALK_OK)
			return status;
	}
	return WALK_OK;
}

/* One pass from the root to a page. */
static enum walk_status walk_once(struct walk *walk, struct walk_result *result)
{
	struct guest_paging *paging = walk->paging;
	unsigned index_bits = walk->wide ? 9 : 10, entry_size = walk->wide ? 8 : 4;
	unsigned level = walk->long_mode ? 4 : 2;
	u64 table = paging->cr3 & (walk->long_mode ? PTE_FRAME : BITS(31, 12)), entry, page_size;

	if (walk->wide && !walk->long_mode) {
		/* PAE: the four top entries are in the processor; they give no rights and have no accessed bit. */
		table = paging->pdpte[walk->linear >> 30 & 3];
		if (!(table & PTE_P))
			return fault(walk, 0, result);
		table &= PTE_FRAME;
	}
	walk->rights = PTE_RW | PTE_US;
	walk->any = 0;
	walk->count = 0;
	for (;;) {
		u64 index;
		void *at;

		level--;
		index = walk->linear >> (PAGE_SHIFT + level * index_bits) & (BIT(index_bits) - 1);
		at = guest_ram(paging, table + index * entry_size, entry_size, false);
		if (!at)
			return WALK_NO_MEMORY;
		entry = walk->wide ? __atomic_load_n((u64 *)at, __ATOMIC_RELAXED)
				   : __atomic_load_n((u32 *)at, __ATOMIC_RELAXED);
		if (!(entry & PTE_P))
			return fault(walk, 0, result);
		if (has_reserved_bits(walk, level, entry))
			return fault(walk, PF_P | PF_RSVD, result);
		walk->used[walk->count].at = at;
		walk->used[walk->count].value = entry;
		walk->used[walk->count++].writable = paging->window.writable;
		walk->rights &= entry;
		walk->any |= entry;
		if (level == 0 || is_large(walk, level, entry))
			break;
		table = entry & PTE_FRAME;
	}
	if (!is_permitted(walk))
		return fault(walk, PF_P, result);
	page_size = BIT(PAGE_SHIFT + level * index_bits);
	result->page_size = page_size;
	result->gpa = (!walk->wide && level ? pse36_frame(entry) : entry & PTE_FRAME & -page_size) |
		      (walk->linear & (page_size - 1));
	return update_entries(walk);
}

static enum walk_status walk_slow(struct guest_paging *paging, u64 linear, unsigned access,
				  struct walk_result *result)
{
	struct walk walk = {
		.paging = paging,
		.linear = linear,
		.access = access,
		.long_mode = paging->efer & EFER_LMA,
		.wide = paging->cr4 & CR4_PAE,
	};
	enum walk_status status = WALK_RETRY;

	for (unsigned tries = 0; tries < MAX_TRIES && status == WALK_RETRY; tries++)
		status = walk_once(&walk, result);
	return status;
}

enum walk_status guest_walk(struct guest_paging *paging, u64 linear, unsigned access,
			    struct walk_result *result)
{
	struct fast_walk fast;

	if (paging->efer & EFER_LMA) {
		if (walk_fast(paging, linear, access, &fast) &&
		    !(fast.leaf & reserved_address_bits(paging))) {
			result->gpa = fast.gpa;
			result->page_size = fast.page_size;
			return WALK_OK;
		}
	} else {
		linear = (u32)linear;
		if (!(paging->cr0 & CR0_PG)) {
			result->gpa = linear;
			result->page_size = BIT(52);
			return WALK_OK;
		}
	}
	return walk_slow(paging, linear, access, result);
}

enum walk_status guest_fetch_more(struct guest_paging *paging, u64 linear, unsigned access,
				  struct guest_code *code, struct walk_result *fault)
{
	enum walk_status status = guest_walk(paging, linear, access | GUEST_FETCH, fault);
	unsigned room;
	const u8 *from;

	if (status != WALK_OK) {
		fault->gpa = linear;
		return status;
	}
	room = MIN(PAGE_SIZE - (fault->gpa & PAGE_MASK), INSN_MAX_LENGTH - code->count);
	from = guest_ram(paging, fault->gpa, room, false);
	if (!from)
		return WALK_NO_MEMORY;
	for (unsigned i = 0; i < room; i++)
		code->bytes[code->count + i] = from[i];
	code->count += room;
	return WALK_OK;
}

enum walk_status guest_fetch(struct guest_paging *paging, u64 linear, unsigned access,
			     struct guest_code *code, struct walk_result *fault)
{
	struct fast_walk fast;

	if (likely((paging->efer & EFER_LMA) && (linear & PAGE_MASK) <= PAGE_SIZE - 16 &&
		   walk_fast(paging, linear, (access & GUEST_USER) | GUEST_FETCH, &fast))) {
		u64 offset = fast.gpa - paging->window.first;

		/* A page in the window has no reserved address bits. */
		if (likely(offset < paging->window.size)) {
			__builtin_memcpy(code->bytes, paging->window.host + offset, 16);
			code->count = INSN_MAX_LENGTH;
			return WALK_OK;
		}
	}
	code->count = 0;
	return guest_fetch_more(paging, linear, access, code, fault);
}
