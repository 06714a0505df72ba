/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VT-d unit with two gates and a driver's helpers: tables in guest RAM, registers through the memory core, messages kept.
 */
#ifndef TESTS_UNIT_VTD_RIG_H
#define TESTS_UNIT_VTD_RIG_H

#include "iommu/vtd.h"
#include "mm/map.h"
#include "tests/unit/mm_rig.h"

#define VTD_PAGE 0xfed90000ull

/* Registers and bits by their own numbers: a wrong constant in the unit is to be seen. */
enum {
	R_VER = 0x00,
	R_CAP = 0x08,
	R_ECAP = 0x10,
	R_GCMD = 0x18,
	R_GSTS = 0x1c,
	R_RTADDR = 0x20,
	R_CCMD = 0x28,
	R_FSTS = 0x34,
	R_FECTL = 0x38,
	R_FEDATA = 0x3c,
	R_FEADDR = 0x40,
	R_FEUADDR = 0x44,
	R_IQH = 0x80,
	R_IQT = 0x88,
	R_IQA = 0x90,
	R_ICS = 0x9c,
	R_IECTL = 0xa0,
	R_IEDATA = 0xa4,
	R_IEADDR = 0xa8,
	R_IEUADDR = 0xac,
	R_IRTA = 0xb8,
	R_IVA = 0xf0,
	R_IOTLB = 0xf8,
	R_FRCD = 0x220,
};

#define TE    0x80000000u
#define SRTP  0x40000000u
#define QIE   0x04000000u
#define IRE   0x02000000u
#define SIRTP 0x01000000u
#define CFI   0x00800000u

/* Guest RAM: 0-0x1fffff; the device at 0x200000; ROM at 0x300000. Where the driver puts things: */
enum {
	ROOT = 0x1000,
	CONTEXT = 0x2000,
	L4 = 0x3000,
	L3 = 0x4000,
	L2 = 0x5000,
	L1 = 0x6000,
	STATUS = 0x9000,
	INTERRUPTS = 0xa000, /* 256 entries */
	QUEUE = 0x10000,     /* 256 descriptors */
	DATA = 0x100000,
	RAM_END = 0x200000,
	DEVICE = 0x200000,
	ROM = 0x300000,
};

#define DEVFN	 0x20 /* 00:04.0 */
#define OTHER	 0x28 /* 00:05.0 */
#define IOAPIC	 0xff00
#define DOMAIN	 7
#define MESSAGES 16

struct vtd_rig {
	struct rig rig;
	struct region ram, device, rom, page;
	struct probe probe;
	struct address_space tables; /* the unit's */
	struct address_space behind; /* behind the gates */
	struct vtd unit;
	struct vtd_gate gate, other;
	struct address_space dma, other_dma;
	struct iotlb_entry iotlb[256];
	struct fault_log log;
	struct {
		u64 address;
		u32 data;
	} message[MESSAGES];
	unsigned messages;
	unsigned submitted; /* descriptors, ever */
	u8 *memory;
};

static inline void keep_message(void *sink, u64 address, u32 data)
{
	struct vtd_rig *v = sink;

	assert_true(v->messages < MESSAGES);
	v->message[v->messages].address = address;
	v->message[v->messages++].data = data;
}

static inline struct vtd_config vtd_rig_config(struct vtd_rig *v)
{
	return (struct vtd_config){
		.host_address_width = 39,
		.address_width = 48,
		.interrupt_remapping = true,
		.x2apic = true,
		.ioapic_requester = IOAPIC,
		.memory = &v->tables,
		.send = keep_message,
		.sink = v,
		.iotlb = v->iotlb,
		.iotlb_entries = ARRAY_SIZE(v->iotlb),
		.log = &v->log,
	};
}

/* ---- what a driver does ---- */

static inline void put(struct vtd_rig *v, u64 address, u64 value)
{
	__atomic_store_n((u64 *)(v->memory + address), value, __ATOMIC_RELAXED);
}

static inline u64 get(struct vtd_rig *v, u64 address)
{
	return __atomic_load_n((u64 *)(v->memory + address), __ATOMIC_RELAXED);
}

static inline void write32(struct vtd_rig *v, unsigned offset, u32 value)
{
	assert_int_equal(as_store_le32(&v->rig.as, VTD_PAGE + offset, value), MEM_OK);
}

static inline void write64(struct vtd_rig *v, unsigned offset, u64 value)
{
	assert_int_equal(as_store_le64(&v->rig.as, VTD_PAGE + offset, value), MEM_OK);
}

static inline u32 read32(struct vtd_rig *v, unsigned offset)
{
	u32 value;

	assert_int_equal(as_load_le32(&v->rig.as, VTD_PAGE + offset, &value), MEM_OK);
	return value;
}

static inline u64 read64(struct vtd_rig *v, unsigned offset)
{
	u64 value;

	assert_int_equal(as_load_le64(&v->rig.as, VTD_PAGE + offset, &value), MEM_OK);
	return value;
}

/* RTADDR and SRTP, as it stands otherwise. */
static inline void set_root(struct vtd_rig *v, u64 root)
{
	write64(v, R_RTADDR, root);
	write32(v, R_GCMD, (read32(v, R_GSTS) & (TE | QIE | IRE | CFI)) | SRTP);
	assert_true(read32(v, R_GSTS) & SRTP);
}

static inline void translate_on(struct vtd_rig *v)
{
	write32(v, R_GCMD, (read32(v, R_GSTS) & (QIE | IRE | CFI)) | TE);
	assert_true(read32(v, R_GSTS) & TE);
}

static inline void queue_on(struct vtd_rig *v)
{
	write32(v, R_IQT, 0);
	write64(v, R_IQA, QUEUE);
	write32(v, R_GCMD, (read32(v, R_GSTS) & (TE | IRE | CFI)) | QIE);
	assert_true(read32(v, R_GSTS) & QIE);
}

/* Puts a descriptor at the tail of a queue of 256 and rings. */
static inline void submit(struct vtd_rig *v, u64 low, u64 high)
{
	u32 tail = read32(v, R_IQT);

	put(v, QUEUE + tail, low);
	put(v, QUEUE + tail + 8, high);
	v->submitted++;
	write32(v, R_IQT, (tail + 16) & 0xfff);
}

#define assert_done(v) assert_int_equal(read32(v, R_IQH), read32(v, R_IQT))

/* The three that Linux uses, with DR and DW. */
#define CONTEXT_GLOBAL	    0x11ull
#define IOTLB_GLOBAL	    0xd2ull
#define IOTLB_OF_DOMAIN(id) (0xe2ull | (u64)(id) << 16)
#define IOTLB_OF_PAGES(id)  (0xf2ull | (u64)(id) << 16)

static inline void set_context(struct vtd_rig *v, u8 devfn, u64 low, u64 high)
{
	put(v, CONTEXT + devfn * 16, low);
	put(v, CONTEXT + devfn * 16 + 8, high);
}

/* The device's first 2 MiB are behind L1, with four levels. */
static inline void make_tables(struct vtd_rig *v)
{
	put(v, ROOT, CONTEXT | 1);
	set_context(v, DEVFN, L4 | 1, DOMAIN << 8 | 2);
	put(v, L4, L3 | 3);
	put(v, L3, L2 | 3);
	put(v, L2, L1 | 3);
}

static inline void map_page(struct vtd_rig *v, u64 iova, u64 entry)
{
	put(v, L1 + iova / PAGE_SIZE * 8, entry);
}

static inline struct iommu_entry ask(struct vtd_gate *gate, u64 iova, enum mem_access access)
{
	return gate->iommu.ops->translate(&gate->iommu, iova, access);
}

/* Where the gate leads; all ones: denied. */
static inline u64 leads_to(struct vtd_gate *gate, u64 iova, enum mem_access access)
{
	struct iommu_entry entry = ask(gate, iova, access);

	return entry.perm & access ? (entry.translated & ~entry.mask) | (iova & entry.mask) : ~0ull;
}

static inline unsigned reason_of(struct vtd_gate *gate, u64 iova, enum mem_access access)
{
	struct iommu_entry entry = ask(gate, iova, access);

	assert_int_equal(entry.perm, MEM_NONE);
	assert_true(entry.reason > IOMMU_FAULT_UNIT);
	return entry.reason - IOMMU_FAULT_UNIT;
}

/* A record: fault, page or index, reason, requester; and it is not there any more afterwards. */
#define assert_record(v, n, low_, reason_, requester_, read_)                                      \
	do {                                                                                       \
		unsigned at_ = R_FRCD + 16 * (n);                                                  \
		assert_int_equal(read64(v, at_), low_);                                            \
		assert_int_equal(read64(v, at_ + 8), 1ull << 63 | ((read_) ? 1ull << 62 : 0) |     \
							     (u64)(reason_) << 32 | (requester_)); \
		write32(v, at_ + 12, 0x80000000);                                                  \
		assert_int_equal(read64(v, at_ + 8) >> 63, 0);                                     \
	} while (0)

/* ---- life ---- */

static inline void vtd_rig_init_as(struct vtd_rig *v, const struct vtd_config *config)
{
	assert_int_equal(vtd_init(&v->unit, config), 0);
	vtd_gate_init(&v->unit, &v->gate, "edu", DEVFN, &v->behind);
	vtd_gate_init(&v->unit, &v->other, "blk", OTHER, &v->behind);
	assert_int_equal(as_init(&v->dma, &v->rig.core, "dma", &v->gate.iommu.region, UNCLAIMED_ONES), 0);
	assert_int_equal(as_init(&v->other_dma, &v->rig.core, "dma", &v->other.iommu.region, UNCLAIMED_ONES),
			 0);
	region_init_mmio(&v->page, "vt-d", VTD_REGISTERS_SIZE, &vtd_register_ops, &v->unit);
	assert_int_equal(region_add(&v->rig.root, VTD_PAGE, &v->page, 0), 0);
	make_tables(v);
}

/* What the unit of vtd_rig_init_as needs. */
static inline void vtd_rig_prepare(struct vtd_rig *v)
{
	memset(v, 0, sizeof(*v));
	v->memory = aligned_alloc(PAGE_SIZE, RAM_END + PAGE_SIZE);
	assert_non_null(v->memory);
	memset(v->memory, 0, RAM_END + PAGE_SIZE);
	rig_init(&v->rig);
	region_init_ram(&v->ram, "ram", RAM_END, v->memory);
	region_init_mmio(&v->device, "device", 0x1000, &probe_ops, &v->probe);
	region_init_rom(&v->rom, "rom", 0x1000, v->memory + RAM_END);
	assert_int_equal(region_add(&v->rig.root, 0, &v->ram, 0), 0);
	assert_int_equal(region_add(&v->rig.root, DEVICE, &v->device, 0), 0);
	assert_int_equal(region_add(&v->rig.root, ROM, &v->rom, 0), 0);
	assert_int_equal(as_init(&v->tables, &v->rig.core, "tables", &v->rig.root, UNCLAIMED_ONES), 0);
	assert_int_equal(as_init(&v->behind, &v->rig.core, "behind", &v->rig.root, UNCLAIMED_ONES), 0);
	as_set_ram_only(&v->tables, true);
	as_set_ram_only(&v->behind, true);
	fault_log_init(&v->log);
}

static inline void vtd_rig_init(struct vtd_rig *v)
{
	struct vtd_config config;

	vtd_rig_prepare(v);
	config = vtd_rig_config(v);
	vtd_rig_init_as(v, &config);
}

/* The tables in place, translation on, the queue not. */
static inline void vtd_rig_init_translating(struct vtd_rig *v)
{
	vtd_rig_init(v);
	set_root(v, ROOT);
	translate_on(v);
}

static inline void vtd_rig_destroy(struct vtd_rig *v)
{
	as_destroy(&v->dma);
	as_destroy(&v->other_dma);
	as_destroy(&v->tables);
	as_destroy(&v->behind);
	rig_destroy(&v->rig);
	free(v->memory);
}

#endif
