/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the VT-d unit share: names of registers and bits (VT-d ch. 11), and each other's functions. */
#ifndef IOMMU_VTD_INTERNAL_H
#define IOMMU_VTD_INTERNAL_H

#include "iommu/vtd.h"
#include "mm/space.h"

enum {
	VER_REG = 0x00,
	CAP_REG = 0x08,
	ECAP_REG = 0x10,
	GCMD_REG = 0x18,
	GSTS_REG = 0x1c,
	RTADDR_REG = 0x20,
	CCMD_REG = 0x28,
	FSTS_REG = 0x34,
	FECTL_REG = 0x38,
	FEDATA_REG = 0x3c,
	FEADDR_REG = 0x40,
	FEUADDR_REG = 0x44,
	IQH_REG = 0x80,
	IQT_REG = 0x88,
	IQA_REG = 0x90,
	ICS_REG = 0x9c,
	IECTL_REG = 0xa0,
	IEDATA_REG = 0xa4,
	IEADDR_REG = 0xa8,
	IEUADDR_REG = 0xac,
	IRTA_REG = 0xb8,
	IVA_REG = 0xf0,
	IOTLB_REG = 0xf8,
	FRCD_REG = 0x220,
};

/* GCMD_REG and GSTS_REG */
#define GCMD_TE	   (1u << 31)
#define GCMD_SRTP  (1u << 30)
#define GCMD_QIE   (1u << 26)
#define GCMD_IRE   (1u << 25)
#define GCMD_SIRTP (1u << 24)
#define GCMD_CFI   (1u << 23)

/* FSTS_REG; PPF is not kept but made from the records */
#define FSTS_PFO       0x01u
#define FSTS_PPF       0x02u
#define FSTS_IQE       0x10u
#define FSTS_FRI       0xff00u
#define FSTS_FRI_SHIFT 8

#define ICS_IWC 1u

/* FECTL_REG and IECTL_REG, and how far from there the three are that follow */
enum { EVENT_CONTROL = 0x0, EVENT_DATA = 0x4, EVENT_ADDRESS = 0x8, EVENT_UPPER = 0xc };
#define EVENT_MASK    (1u << 31)
#define EVENT_PENDING (1u << 30)

#define IQA_SIZE  BITS(2, 0)
#define IRTA_EIME BIT(11)
#define IRTA_SIZE BITS(3, 0)

#define MAMV 18 /* CAP: a page-selective invalidation covers up to 2^18 pages */

/* FRCD_REG, high half */
#define FRCD_FAULT BIT(63)
#define FRCD_READ  BIT(62)

/* Fault reasons, VT-d appendix A. */
enum vtd_reason {
	VTD_ROOT_NOT_PRESENT = 0x1,
	VTD_CONTEXT_NOT_PRESENT = 0x2,
	VTD_CONTEXT_INVALID = 0x3,
	VTD_ADDRESS_BEYOND = 0x4,
	VTD_NO_WRITE = 0x5,
	VTD_NO_READ = 0x6,
	VTD_TABLE_INACCESSIBLE = 0x7,
	VTD_ROOT_INACCESSIBLE = 0x8,
	VTD_CONTEXT_INACCESSIBLE = 0x9,
	VTD_ROOT_RESERVED = 0xa,
	VTD_CONTEXT_RESERVED = 0xb,
	VTD_TABLE_RESERVED = 0xc,
	VTD_INTERRUPT_RANGE = 0xe,
	VTD_IR_REQUEST_RESERVED = 0x20,
	VTD_IR_INDEX = 0x21,
	VTD_IR_NOT_PRESENT = 0x22,
	VTD_IR_INACCESSIBLE = 0x23,
	VTD_IR_RESERVED = 0x24,
	VTD_IR_COMPATIBLE = 0x25,
	VTD_IR_SOURCE = 0x26,
};

/* Requests to, and outputs in this megabyte are interrupts. */
#define INTERRUPT_RANGE	     0xfee00000ull
#define INTERRUPT_RANGE_MASK (MiB - 1)

static inline bool vtd_in_interrupt_range(u64 address)
{
	return (address & ~INTERRUPT_RANGE_MASK) == INTERRUPT_RANGE;
}

/* Granularities of context and IOTLB invalidation. */
enum { INVALIDATE_GLOBAL = 1, INVALIDATE_DOMAIN = 2, INVALIDATE_FINE = 3 };

/* Function bits of a source id that FM of an invalidation, SQ of an interrupt entry say to ignore. */
static inline u16 vtd_ignored_functions(unsigned code)
{
	return (u16)(0x7640 >> code * 4 & 7);
}

/* A naturally aligned quad word of a table; false: no RAM is there. Under unit->lock. */
static inline bool vtd_load(struct vtd *unit, u64 address, u64 *value)
{
	return as_load(unit->config.memory, &unit->cache, address, 8, value) == MEM_OK;
}

/* ---- vtd_walk.c: all under unit->lock ---- */
/* Reason 0: *context is what the tables say. Otherwise context->quiet tells whether the guest hears of it. */
enum vtd_reason vtd_read_context(struct vtd *unit, u16 requester, struct vtd_context *context);
/* Anew from the tables (MEM_NONE), or by way of the caches. */
struct iommu_entry vtd_look_up(struct vtd_gate *gate, u64 iova, enum mem_access access);

/* ---- vtd.c: under unit->command, not under unit->lock ---- */
void vtd_invalidate_all(struct vtd *unit);
/* Granularity and ids as in descriptors; false: no such granularity. */
bool vtd_invalidate_context(struct vtd *unit, unsigned granularity, u16 domain, u16 source, unsigned mask);
bool vtd_invalidate_iotlb(struct vtd *unit, unsigned granularity, u16 domain, u64 address, unsigned order);

/* ---- vtd_queue.c: under unit->command ---- */
void vtd_queue_run(struct vtd *unit);
bool vtd_queue_stopped(struct vtd *unit); /* by an error that software has not cleared */

/* ---- vtd_fault.c ---- */
u32 vtd_fault_status(const struct vtd *unit); /* FSTS_REG; under unit->lock */
/* The event's condition came true. */
void vtd_event_raise(struct vtd *unit, struct vtd_event *event);
/* Writes FECTL_REG or one of the three that follow it; `offset` counts from there. */
void vtd_event_write(struct vtd *unit, struct vtd_event *event, unsigned offset, u32 value);
/* Sets a bit of FSTS_REG that is not PFO. */
void vtd_fault_raise(struct vtd *unit, u32 cause);
/* Writes of FSTS_REG, and of the highest dword of record n. */
void vtd_fault_write_status(struct vtd *unit, u32 value);
void vtd_fault_write_record(struct vtd *unit, unsigned n, u32 value);
/* Records for the guest. `info`: FRCD_REG 63:12. */
void vtd_fault_record(struct vtd *unit, u16 requester, u64 info, bool read, unsigned reason);
/* Of DMA; iommu_ops.fault. */
void vtd_gate_fault(struct iommu_region *iommu, u64 iova, u64 length, enum mem_access access,
		    unsigned reason);

#endif
