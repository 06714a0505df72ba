/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An emulated VT-d remapping unit in legacy mode, as the Intel VT-d specification has it, and its gates: an IOMMU region
 * for each requester id.
 *
 *	device -> [ gate: root, context, second-level tables, all in guest RAM ] -> target: the device's static window
 *
 * CAP:  16-bit domain ids; 39 or 39 and 48 bits; 4 KiB, 2 MiB and 1 GiB pages; page-selective up to 2^18 pages; drain;
 *	 8 fault records at 0x220; no caching mode. Every set-root-pointer, set-interrupt-table and change of TE also drops
 *	 all that is cached, which the specification permits.
 * ECAP: coherent, queued invalidation, pass-through; interrupt remapping and x2APIC mode if configured; IVA and IOTLB
 *	 registers at 0xf0.
 *
 * Where the specification leaves a choice:
 *  - Commands are complete when the write returns. DMA is synchronous: to drain means that mappings (mm/map.h) made
 *    through the gates concerned have been revoked.
 *    Devices are taken to run on the CPU that writes the registers: on another CPU an access, not a mapping, that is just
 *    under way may end a little later.
 *  - Requests to 0xfeexxxxx are not translated: they pass as they are, and the target has no RAM there.
 *  - A walk checks presence (R = W = 0: absent, reason 5 for a write, 6 for a read) and then reserved bits of each entry on
 *    its way down; permissions, which are ANDed, are judged at its end. Reserved: bits above the host address width, 62,
 *    11; 7 at the top of four levels; address bits below a large page.
 *  - Context entries: reserved bits (0xb), then AW and TT (3); pass-through needs the largest AW offered (3).
 *  - GCMD bits of one write take effect in the order SRTP, SIRTP, QIE, IRE, CFI, TE. Bits of what is not offered do nothing.
 *  - RTADDR_REG 11:0, IQA_REG 11:3 and other reserved bits read as zero. IQA_REG cannot be written while QIES is 1. IVA_REG
 *    reads as zero. IQH_REG is 0 when QIES becomes 0 or 1. A tail that is already there is worked on when QIE is set.
 *  - Fault records are used in turn and not collapsed; a record that is still in use when its turn comes sets PFO. FRI tells
 *    where the first one went when PPF became 1.
 *  - Interrupt entries: reserved values of DLM (3, 6) and SVT (3), and in xAPIC mode bits 39:32 and 63:48, count as
 *    reserved bits (0x24). There is no interrupt entry cache. IRE without a table ever set: 0x23. In a remappable request
 *    address bits 63:32 and, with SHV, data bits 31:16 are reserved (0x20); without SHV the data is not looked at.
 */
#ifndef IOMMU_VTD_H
#define IOMMU_VTD_H

#include "iommu/fault.h"
#include "iommu/iotlb.h"
#include "mm/iommu_region.h"

#define VTD_REGISTERS_SIZE 0x1000
#define VTD_FAULT_RECORDS  8
#define VTD_RECENT	   16 /* translations that a gate remembers by itself */

struct vtd_config {
	u8 host_address_width; /* of guest-physical addresses, 32..52: what is above in a table is reserved */
	u8 address_width;      /* the largest AGAW and MGAW: 39 or 48 */
	bool interrupt_remapping;
	bool x2apic; /* ECAP.EIM; needs interrupt_remapping */
	/* The IOAPIC's requester id, and whether its requests are spared the source-id check (kvm-unit-tests need it). */
	u16 ioapic_requester;
	bool ioapic_unverified;
	/* Guest RAM and nothing else (as_set_ram_only): tables, queue and status words are there. */
	const struct address_space *memory;
	/* The unit's own event messages; they are not remapped. */
	void (*send)(void *sink, u64 address, u32 data);
	void *sink;
	struct iotlb_entry *iotlb; /* storage: `iotlb_entries`, a power of two from IOTLB_WAYS on */
	u32 iotlb_entries;
	struct fault_log *log; /* the hypervisor's; may be NULL */
};

/* What a context entry says, as far as it was valid. */
struct vtd_context {
	u64 table; /* second-level, of the top level */
	u16 domain;
	u8 width;  /* bits of an input address */
	u8 levels; /* 0: pass-through */
	bool present;
	bool quiet; /* FPD: faults are not recorded for the guest */
};

/* A translation of the gate's own: an aligned block; the gate's generation at the time, and in bits 1:0 the permission. */
struct vtd_recent {
	u64 iova, mask, translated, stamp;
};

/* One requester id. `iommu.region` is what its bus-master space is made of; 2^64 bytes. */
struct vtd_gate {
	struct iommu_region iommu;
	struct vtd *unit;
	struct vtd_gate *next;
	u16 requester;
	struct vtd_context context; /* the context cache, under the unit's lock */
	u64 widest; /* mask of the largest page handed out: page-selective invalidations reach as far */
	/* In front of the IOTLB, without a lock: a device's accesses are made under the device's lock. */
	struct vtd_recent recent[VTD_RECENT];
	u64 hits; /* found there */
	u64 faults;
};

/* An event message: FECTL..FEUADDR, IECTL..IEUADDR. */
struct vtd_event {
	u32 control, data, address, upper;
};

struct vtd_fault_record {
	u64 low, high; /* FRCD_REG */
};
static_assert(sizeof(struct vtd_fault_record) == 16, "VT-d 11.4.7.6");

struct vtd_counters {
	u64 context_invalidations, iotlb_invalidations, interrupt_invalidations, waits, queue_errors;
	u64 interrupts, interrupts_blocked, interrupts_compatible;
	u64 faults_lost; /* not recorded for the guest: PFO or FPD */
};

struct vtd {
	struct vtd_config config;
	u64 cap, ecap;
	struct vtd_gate *gates;
	/*
	 * `command` serialises register writes, over all that they cause. `lock` protects what accesses of devices need:
	 * registers as they are, caches, fault records; nobody's callback is called under it.
	 */
	u32 command, lock;
	u32 gsts, fsts, ics;
	u64 rtaddr, root; /* as written; as latched by SRTP */
	u64 irta, interrupt_table;
	u64 ccmd, iva, iotlb_command;
	u64 iqa;
	u32 iqh, iqt;
	struct vtd_event fault_event, queue_event;
	struct vtd_fault_record records[VTD_FAULT_RECORDS];
	u32 next_record;
	struct iotlb iotlb;
	struct section_cache cache;	  /* of `memory`, under `lock` */
	struct section_cache queue_cache; /* the same under `command` */
	struct vtd_counters counters;
};

/* The register page; device: struct vtd *. Accesses of 4 and 8 bytes, naturally aligned. */
extern const struct region_ops vtd_register_ops;

/* 0; -EINVAL if the configuration makes no sense. All registers as after a reset, no gates. */
int vtd_init(struct vtd *unit, const struct vtd_config *config);

/*
 * `name`: the device, in words, kept; requester: bus 15:8, device 7:3, function 2:0, one gate each. `target`: the space
 * behind the gate. For the unit's life.
 */
void vtd_gate_init(struct vtd *unit, struct vtd_gate *gate, const char *name, u16 requester,
		   struct address_space *target);

/* As at power-on: registers, caches and fault records; mappings through all gates are revoked. Counters stay. */
void vtd_reset(struct vtd *unit);

/*
 * An interrupt request of a device or the IOAPIC on its way: address 0xfeexxxxx (any other passes as it is), data as sent.
 * True: *address and *data are what a local APIC takes (bits 31:8 of an x2APIC destination in address bits 63:40). False:
 * blocked, and recorded. Not for the unit's own events.
 */
bool vtd_remap_interrupt(struct vtd *unit, u16 requester, u64 *address, u32 *data);

/* VT-d's fault reasons (record->reason - IOMMU_FAULT_UNIT) in words. */
const char *vtd_fault_text(unsigned reason);

/*
 * For the hypervisor's console: state; for each requester its context, domain and mappings as ranges (at most `lines` of
 * them); counters, pending faults. A bounded number of table entries is looked at.
 */
void vtd_print(struct vtd *unit, unsigned lines, void (*emit)(void *to, const char *line), void *to);

#endif
