/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's own paging, walked in software: linear address -> guest-physical address, with every check that the
 * processor makes. Source: SDM volume 3, chapter 4.
 *
 *   4-level      PML4E 47:39 -> PDPTE 38:30 (1 GiB) -> PDE 29:21 (2 MiB) -> PTE 20:12
 *   PAE                         PDPTE 31:30         -> PDE 29:21 (2 MiB) -> PTE 20:12
 *   32-bit                                             PDE 31:22 (4 MiB) -> PTE 21:12
 *
 * Protection keys, CET and LA57 are not offered to guests and not known here.
 */
#ifndef ARCH_GUEST_WALK_H
#define ARCH_GUEST_WALK_H

#include "arch/decode.h"
#include "mm/types.h"

/* Whole pages of guest RAM that are contiguous in the hypervisor's memory too. {0}: none. */
struct guest_window {
	u64 first, size; /* gpa, bytes */
	u8 *host;
	bool writable;
};

/*
 * What the walk depends on. One a vCPU; the caller refreshes the registers before use and sets window.size to 0 when
 * the guest's physical map changes. `window` saves the call of find_ram in nearly every walk.
 */
struct guest_paging {
	u64 cr0, cr3, cr4, efer;
	u64 pdpte[4];	   /* PAE paging only: as loaded by MOV to CR3 (VMCS guest PDPTE fields) */
	u8 physical_bits;  /* CPUID 80000008 EAX 7:0 as the guest sees it, 32..52 */
	bool no_gib_pages; /* CPUID 80000001 EDX bit 26 is clear for the guest */
	struct guest_window window;
	/* The RAM or ROM (writable false) that holds gpa, as large a window as there is; false: not memory. */
	bool (*find_ram)(void *context, u64 gpa, struct guest_window *window);
	void *context;
};

/* Kind of access: none or one of WRITE and FETCH, and what qualifies it. */
enum guest_access {
	GUEST_READ = 0,
	GUEST_FETCH = 1,
	GUEST_WRITE = 2, /* R/W and U/S of a paging-structure entry: what the access needs */
	GUEST_USER = 4,	 /* made at CPL 3 */
	GUEST_AC = 8,	 /* RFLAGS.AC is set and the access is explicit: SMAP does not apply */
};

enum walk_status {
	WALK_OK,
	WALK_FAULT,	/* #PF: walk_result.error_code */
	WALK_NO_MEMORY, /* a table, or the page to fetch from, is not in RAM; for an A/D update: not writable */
	WALK_RETRY,	/* the entry kept changing under us: let the guest execute the instruction again */
};

struct walk_result {
	u64 gpa;
	u64 page_size;	/* bytes mapped by the entry that ended the walk; 2^52 without paging */
	u32 error_code; /* of #PF; CR2 is the linear address that was walked */
};

/*
 * Translate one address. Accessed and dirty bits are set as the processor would, only when the access is permitted.
 * In 64-bit mode the caller has checked that `linear` is canonical; otherwise bits 63:32 are ignored.
 */
enum walk_status guest_walk(struct guest_paging *paging, u64 linear, unsigned access,
			    struct walk_result *result);

/*
 * The host address of guest RAM at gpa if all of [gpa, gpa + size) lies in one window (and is writable, if `write`);
 * else NULL. Never a device.
 */
void *guest_ram(struct guest_paging *paging, u64 gpa, u64 size, bool write);

/* Instruction bytes, copied once. Those beyond `count` are undefined but readable. */
struct guest_code {
	u8 bytes[INSN_BUFFER] __attribute__((aligned(8)));
	unsigned count;
};

/*
 * Fetch at `linear` (already truncated to 32 bits outside 64-bit mode): 15 bytes, or fewer if the page ends before.
 * guest_fetch_more appends what is still missing of the 15, from the page after, if the decoder answers INSN_MORE;
 * its `linear` is count bytes further on. `access` is GUEST_USER at CPL 3, else 0. On WALK_FAULT `fault->gpa` is the
 * linear address for CR2.
 */
enum walk_status guest_fetch(struct guest_paging *paging, u64 linear, unsigned access,
			     struct guest_code *code, struct walk_result *fault);
enum walk_status guest_fetch_more(struct guest_paging *paging, u64 linear, unsigned access,
				  struct guest_code *code, struct walk_result *fault);

#endif
