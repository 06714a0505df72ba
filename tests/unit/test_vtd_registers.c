// SPDX-License-Identifier: BSD-2-Clause
/* The VT-d unit's register page: what it says of itself, commands, halves of registers, and what Linux does with it. */
#include "tests/unit/vtd_rig.h"

#include <errno.h>

static void a_configuration_that_makes_no_sense_is_refused(void **state)
{
	struct vtd_config good, bad;
	struct vtd_rig v;

	(void)state;
	vtd_rig_init(&v);
	good = vtd_rig_config(&v);
#define REFUSED(field, value)                                       \
	do {                                                        \
		bad = good;                                         \
		bad.field = value;                                  \
		assert_int_equal(vtd_init(&v.unit, &bad), -EINVAL); \
	} while (0)
	REFUSED(address_width, 57);
	REFUSED(host_address_width, 31);
	REFUSED(host_address_width, 53);
	REFUSED(interrupt_remapping, false);
	REFUSED(memory, NULL);
	REFUSED(send, NULL);
	REFUSED(iotlb_entries, 3);
	assert_int_equal(vtd_init(&v.unit, &good), 0);
	vtd_rig_destroy(&v);
}

static void capabilities_are_what_the_driver_expects(void **state)
{
	struct vtd_rig v;
	u64 cap, ecap;

	(void)state;
	vtd_rig_init(&v);
	cap = read64(&v, R_CAP);
	ecap = read64(&v, R_ECAP);
	assert_int_equal(read32(&v, R_VER), 0x10);
	assert_int_equal(cap & 7, 6);		   /* 16-bit domain ids */
	assert_int_equal(cap >> 3 & 0x1f, 0);	   /* AFL, RWBF, PLMR, PHMR, CM */
	assert_int_equal(cap >> 8 & 0x1f, 6);	   /* SAGAW: 39 and 48 */
	assert_int_equal(cap >> 16 & 0x3f, 47);	   /* MGAW */
	assert_int_equal(cap >> 22 & 1, 1);	   /* ZLR */
	assert_int_equal(cap >> 24 & 0x3ff, 0x22); /* FRO */
	assert_int_equal(cap >> 34 & 0xf, 3);	   /* SLLPS */
	assert_int_equal(cap >> 39 & 1, 1);	   /* PSI */
	assert_int_equal(cap >> 40 & 0xff, 7);	   /* NFR */
	assert_int_equal(cap >> 48 & 0x3f, 18);	   /* MAMV */
	assert_int_equal(cap >> 54, 3);		   /* DWD, DRD; nothing of the later ones */
	assert_int_equal(ecap & 0xff, 0x5b);	   /* C, QI, IR, EIM, PT */
	assert_int_equal(ecap >> 8 & 0x3ff, 0x0f); /* IRO */
	assert_int_equal(ecap >> 20, 15);	   /* MHMV */
	vtd_rig_destroy(&v);
}

static void what_is_not_configured_is_not_offered(void **state)
{
	struct vtd_config config;
	struct vtd_rig v;

	(void)state;
	vtd_rig_prepare(&v);
	config = vtd_rig_config(&v);
	config.x2apic = false;
	config.interrupt_remapping = false;
	vtd_rig_init_as(&v, &config);
	assert_int_equal(read64(&v, R_ECAP) & 0xff, 0x43);
	write64(&v, R_IRTA, INTERRUPTS | 0x80f);
	assert_int_equal(read64(&v, R_IRTA), 0);
	write32(&v, R_GCMD, SIRTP);
	assert_int_equal(read32(&v, R_GSTS), 0);
	write32(&v, R_GCMD, IRE | CFI);
	assert_int_equal(read32(&v, R_GSTS), 0);
	/* Nor does the queue know its descriptor. */
	queue_on(&v);
	submit(&v, 4, 0);
	assert_int_equal(read32(&v, R_FSTS), 0x10);
	vtd_rig_destroy(&v);
}

static void registers_that_are_not_there_read_zero(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init(&v);
	for (unsigned offset = 0; offset < VTD_REGISTERS_SIZE; offset += 4) {
		bool known = offset < 0x18 || (offset >= 0x34 && offset < 0x50) || offset == R_IECTL;

		if (known)
			continue;
		assert_int_equal(read32(&v, offset), 0);
		/* Known ones would do something. */
		if (offset < 0x30 || (offset >= 0x80 && offset < 0xc0) || (offset >= 0xf0 && offset < 0x2a0))
			continue;
		write32(&v, offset, ~0u);
		assert_int_equal(read32(&v, offset), 0);
	}
	write64(&v, 0x58, ~0ull); /* AFLOG */
	write32(&v, 0x64, ~0u);	  /* PMEN */
	write32(&v, R_CAP, 0);
	write32(&v, R_GSTS, ~0u);
	write32(&v, R_IQH, ~0u);
	write32(&v, R_IQT + 4, ~0u);
	write64(&v, R_FRCD, ~0ull);
	write32(&v, R_FRCD + 8, ~0u);
	write32(&v, 0x29c + 0x10, ~0u);
	assert_int_equal(read64(&v, R_CAP) & 7, 6);
	assert_int_equal(read32(&v, R_GSTS), 0);
	assert_int_equal(read32(&v, R_FSTS), 0);
	assert_int_equal(read64(&v, R_FRCD), 0);
	assert_int_equal(read64(&v, R_IQT), 0);
	vtd_rig_destroy(&v);
}

static void accesses_of_other_sizes_are_not_decoded(void **state)
{
	struct section_cache cache = { 0 };
	struct vtd_rig v;
	u64 value;

	(void)state;
	vtd_rig_init(&v);
	assert_int_equal(as_load(&v.rig.as, &cache, VTD_PAGE, 1, &value), MEM_DECODE_ERROR);
	assert_int_equal(as_load(&v.rig.as, &cache, VTD_PAGE, 2, &value), MEM_DECODE_ERROR);
	assert_int_equal(as_store(&v.rig.as, &cache, VTD_PAGE + R_RTADDR + 2, 2, 1), MEM_DECODE_ERROR);
	assert_int_equal(as_store(&v.rig.as, &cache, VTD_PAGE + R_RTADDR, 1, 1), MEM_DECODE_ERROR);
	assert_int_equal(as_load(&v.rig.as, &cache, VTD_PAGE + 2, 4, &value), MEM_DECODE_ERROR);
	assert_int_equal(as_store(&v.rig.as, &cache, VTD_PAGE + R_GSTS, 8, ~0ull), MEM_DECODE_ERROR);
	assert_int_equal(read64(&v, R_RTADDR), 0);
	vtd_rig_destroy(&v);
}

static void registers_of_64_bits_can_be_written_by_halves(void **state)
{
	static const struct {
		unsigned offset;
		u64 writable;
	} registers[] = {
		{ R_RTADDR, ~0xfffull },
		{ R_IQA, ~0xfffull | 7 },
		{ R_IRTA, ~0xfffull | 0x80f },
	};
	struct vtd_rig v;

	(void)state;
	vtd_rig_init(&v);
	for (unsigned i = 0; i < ARRAY_SIZE(registers); i++) {
		unsigned offset = registers[i].offset;

		write64(&v, offset, ~0ull);
		assert_int_equal(read64(&v, offset), registers[i].writable);
		write32(&v, offset, 0x12345000);
		assert_int_equal(read64(&v, offset), (registers[i].writable & ~0xffffffffull) | 0x12345000);
		write32(&v, offset + 4, 0x6789abcd);
		assert_int_equal(read64(&v, offset), 0x6789abcd12345000);
		assert_int_equal(read32(&v, offset), 0x12345000);
		assert_int_equal(read32(&v, offset + 4), 0x6789abcd);
	}
	/* Two registers of 32 bits by one access. */
	write64(&v, R_FEADDR, 0x100fee01007);
	assert_int_equal(read32(&v, R_FEADDR), 0xfee01004);
	assert_int_equal(read32(&v, R_FEUADDR), 0x100);
	write64(&v, R_FECTL, 0xffff4567ull << 32 | ~0u);
	assert_int_equal(read64(&v, R_FECTL), 0x456780000000);
	write32(&v, R_IEDATA, 0x99);
	write32(&v, R_IEADDR, 0xfee02000);
	write32(&v, R_IEUADDR, 0x200);
	assert_int_equal(read64(&v, R_IECTL), 0x9980000000);
	assert_int_equal(read64(&v, R_IEADDR), 0x200fee02000);
	vtd_rig_destroy(&v);
}

static void interrupt_tables_of_a_unit_without_x2apic_have_no_eime(void **state)
{
	struct vtd_config config;
	struct vtd_rig v;

	(void)state;
	vtd_rig_prepare(&v);
	config = vtd_rig_config(&v);
	config.x2apic = false;
	vtd_rig_init_as(&v, &config);
	write64(&v, R_IRTA, INTERRUPTS | 0x80f);
	assert_int_equal(read64(&v, R_IRTA), INTERRUPTS | 0xf);
	vtd_rig_destroy(&v);
}

static void level_bits_are_as_last_written_and_pointers_stay_set(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init(&v);
	assert_int_equal(read32(&v, R_GCMD), 0);
	write64(&v, R_RTADDR, ROOT);
	write64(&v, R_IRTA, INTERRUPTS | 7);
	write64(&v, R_IQA, QUEUE);
	/* As kvm-unit-tests do: what is on, and one bit more, pointers again and again. */
	for (unsigned i = 0; i < 5; i++) {
		static const u32 bits[] = { SRTP, QIE, SIRTP, IRE, TE };
		u32 status = read32(&v, R_GSTS) | bits[i];

		write32(&v, R_GCMD, status);
		assert_int_equal(read32(&v, R_GSTS), status);
	}
	assert_int_equal(read32(&v, R_GSTS), TE | SRTP | QIE | IRE | SIRTP);
	/* A zero switches off, but not what has been set. */
	write32(&v, R_GCMD, QIE | CFI);
	assert_int_equal(read32(&v, R_GSTS), SRTP | QIE | SIRTP | CFI);
	/* Bits of what there is not: WBF, EAFL, SFL. */
	write32(&v, R_GCMD, 0x387fffff);
	assert_int_equal(read32(&v, R_GSTS), SRTP | SIRTP);
	write32(&v, R_GCMD, 0);
	assert_int_equal(read32(&v, R_GSTS), SRTP | SIRTP);
	assert_int_equal(read32(&v, R_GCMD), 0);
	vtd_rig_destroy(&v);
}

static void pointers_take_effect_when_they_are_set(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	map_page(&v, 0, DATA | 3);
	assert_int_equal(leads_to(&v.gate, 0, MEM_READ), DATA);
	/* The register alone changes nothing, also after an invalidation. */
	write64(&v, R_RTADDR, 0x50000);
	write64(&v, R_CCMD, 1ull << 63 | 1ull << 61);
	write64(&v, R_IOTLB, 1ull << 63 | 1ull << 60);
	assert_int_equal(leads_to(&v.gate, 0, MEM_READ), DATA);
	/* Set while translation is on: at once for all, also what was cached. */
	write32(&v, R_GCMD, TE | SRTP);
	assert_int_equal(reason_of(&v.gate, 0, MEM_READ), 1);
	/* In one write with TE. */
	write64(&v, R_RTADDR, ROOT);
	write32(&v, R_GCMD, SRTP);
	assert_int_equal(leads_to(&v.gate, 0x123, MEM_READ), 0x123);
	write32(&v, R_GCMD, SRTP | TE);
	assert_int_equal(leads_to(&v.gate, 0x123, MEM_READ), DATA + 0x123);
	vtd_rig_destroy(&v);
}

static void all_in_one_write_takes_effect_in_order(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init(&v);
	write64(&v, R_RTADDR, ROOT);
	write64(&v, R_IRTA, INTERRUPTS | 7);
	write64(&v, R_IQA, QUEUE);
	put(&v, QUEUE, 0x77ull << 32 | 0x25);
	put(&v, QUEUE + 8, STATUS);
	write32(&v, R_IQT, 16);
	assert_int_equal(get(&v, STATUS), 0);
	write32(&v, R_GCMD, TE | SRTP | QIE | IRE | SIRTP | CFI);
	assert_int_equal(read32(&v, R_GSTS), TE | SRTP | QIE | IRE | SIRTP | CFI);
	/* A tail that was there already is worked on. */
	assert_int_equal(read32(&v, R_IQH), 16);
	assert_int_equal(get(&v, STATUS), 0x77);
	vtd_rig_destroy(&v);
}

/*
 * ---- register-based invalidation
 * -----------------------------------------------------------------------------
 */

static void a_command_starts_with_the_half_that_holds_its_trigger(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	map_page(&v, 0x5000, DATA | 3);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA);
	map_page(&v, 0x5000, (DATA + 0x1000) | 3);
	write32(&v, R_IOTLB, ~0u);
	write32(&v, R_CCMD, ~0u);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA);
	assert_true(v.gate.context.present);
	/* Granularities alone are no commands, whatever follows them. */
	write32(&v, R_CCMD + 4, 0x60000000);
	write32(&v, R_CCMD, DEVFN << 16 | DOMAIN);
	write32(&v, R_IOTLB + 4, 0x10000000);
	write32(&v, R_IOTLB, 0);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA);
	assert_true(v.gate.context.present);
	write32(&v, R_CCMD + 4, 0xe0000000);
	assert_int_equal(read64(&v, R_CCMD), 0x7800000000000000 | DEVFN << 16 | DOMAIN);
	assert_false(v.gate.context.present);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA);
	write32(&v, R_IOTLB + 4, 0x80000000 | 2 << 28 | DOMAIN);
	assert_int_equal(read64(&v, R_IOTLB), 2ull << 60 | 2ull << 57 | (u64)DOMAIN << 32);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA + 0x1000);
	vtd_rig_destroy(&v);
}

static void each_granularity_says_that_it_was_done(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	map_page(&v, 0x5000, DATA | 3);
	map_page(&v, 0x6000, DATA | 3);
	for (u64 granularity = 1; granularity < 4; granularity++) {
		assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA);
		assert_int_equal(leads_to(&v.gate, 0x6000, MEM_READ), DATA);
		write64(&v, R_CCMD, 1ull << 63 | granularity << 61 | DEVFN << 16 | DOMAIN);
		assert_int_equal(read64(&v, R_CCMD),
				 granularity << 61 | granularity << 59 | DEVFN << 16 | DOMAIN);
		assert_false(v.gate.context.present);
		assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA);
		map_page(&v, 0x5000, (DATA + 0x1000) | 3);
		map_page(&v, 0x6000, (DATA + 0x1000) | 3);
		write64(&v, R_IVA, 0x5000);
		assert_int_equal(read64(&v, R_IVA), 0);
		write64(&v, R_IOTLB, 1ull << 63 | granularity << 60 | 3ull << 48 | (u64)DOMAIN << 32);
		assert_int_equal(read64(&v, R_IOTLB),
				 granularity << 60 | granularity << 57 | 3ull << 48 | (u64)DOMAIN << 32);
		assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA + 0x1000);
		assert_int_equal(leads_to(&v.gate, 0x6000, MEM_READ),
				 granularity == 3 ? DATA : DATA + 0x1000);
		map_page(&v, 0x5000, DATA | 3);
		map_page(&v, 0x6000, DATA | 3);
		write64(&v, R_IOTLB, 1ull << 63 | 1ull << 60);
	}
	/* No such granularity, and more pages than there may be. */
	write64(&v, R_CCMD, 1ull << 63);
	assert_int_equal(read64(&v, R_CCMD), 0);
	write64(&v, R_IOTLB, 1ull << 63);
	assert_int_equal(read64(&v, R_IOTLB), 0);
	write64(&v, R_IVA, 19);
	write64(&v, R_IOTLB, 1ull << 63 | 3ull << 60);
	assert_int_equal(read64(&v, R_IOTLB), 3ull << 60);
	vtd_rig_destroy(&v);
}

static void commands_are_refused_while_the_queue_is_on(void **state)
{
	struct vtd_rig v;

	(void)state;
	vtd_rig_init_translating(&v);
	queue_on(&v);
	map_page(&v, 0x5000, DATA | 3);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA);
	map_page(&v, 0x5000, (DATA + 0x1000) | 3);
	write64(&v, R_CCMD, 1ull << 63 | 1ull << 61);
	assert_int_equal(read64(&v, R_CCMD), 1ull << 61);
	write64(&v, R_IOTLB, 1ull << 63 | 1ull << 60);
	assert_int_equal(read64(&v, R_IOTLB), 1ull << 60);
	assert_true(v.gate.context.present);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA);
	vtd_rig_destroy(&v);
}

/*
 * ---- drivers
 * -------------------------------------------------------------------------------------------------
 */

/* n descriptors and a wait, one ring, and a look at the status word: qi_submit_sync() of Linux 6.1. */
static void linux_submits(struct vtd_rig *v, u64 low, u64 high)
{
	u32 tail = read32(v, R_IQT);

	put(v, STATUS, 1);
	put(v, QUEUE + tail, low);
	put(v, QUEUE + tail + 8, high);
	tail = (tail + 16) & 0xfff;
	put(v, QUEUE + tail, 2ull << 32 | 0x25);
	put(v, QUEUE + tail + 8, STATUS);
	write32(v, R_IQT, (tail + 16) & 0xfff);
	assert_int_equal(read32(v, R_FSTS) & 0x70, 0);
	assert_int_equal((u32)get(v, STATUS), 2);
}

/* Platform sequence of Linux 6.1 with DMA and interrupt remapping, from early boot to kexec. */
static void the_sequence_of_linux_goes_through(void **state)
{
	u64 address = 0xfee00000 | 5 << 5 | 1 << 4 | 1 << 3;
	struct vtd_rig v;
	u32 data = 0;

	(void)state;
	vtd_rig_init(&v);
	assert_int_not_equal(read64(&v, R_CAP), ~0ull);
	assert_int_equal(read32(&v, R_GSTS), 0);
	assert_int_equal(read32(&v, R_FSTS), 0);
	/* Queued invalidation. */
	write32(&v, R_IQT, 0);
	write64(&v, R_IQA, QUEUE);
	write32(&v, R_GCMD, 0x04000000);
	assert_int_equal(read32(&v, R_GSTS), 0x04000000);
	/* Interrupt remapping in x2APIC mode. */
	write64(&v, R_IRTA, INTERRUPTS | 0x80f);
	write32(&v, R_GCMD, 0x05000000);
	assert_int_equal(read32(&v, R_GSTS), 0x05000000);
	linux_submits(&v, 0x4, 0);
	write32(&v, R_GCMD, 0x06000000);
	assert_int_equal(read32(&v, R_GSTS), 0x07000000);
	put(&v, INTERRUPTS + 5 * 16, 0x1ull << 32 | 0x31 << 16 | 4 | 1);
	put(&v, INTERRUPTS + 5 * 16 + 8, 1 << 18 | DEVFN);
	linux_submits(&v, 5ull << 32 | 0x14, 0);
	assert_true(vtd_remap_interrupt(&v.unit, DEVFN, &address, &data));
	assert_int_equal(address, 0xfee01004);
	assert_int_equal(data, 0x31);
	/* The root table. */
	write64(&v, R_RTADDR, ROOT);
	write32(&v, R_GCMD, 0x46000000);
	assert_int_equal(read32(&v, R_GSTS), 0x47000000);
	linux_submits(&v, CONTEXT_GLOBAL, 0);
	linux_submits(&v, IOTLB_GLOBAL, 0);
	/* The fault interrupt. */
	write32(&v, R_FEDATA, 0x21);
	write32(&v, R_FEADDR, 0xfee01004);
	write32(&v, R_FEUADDR, 0);
	write32(&v, R_FEUADDR, 0);
	write32(&v, R_FECTL, 0);
	assert_int_equal(read32(&v, R_FECTL), 0);
	/* Domains and mappings, then translation. */
	map_page(&v, 0xff000, DATA | 3);
	linux_submits(&v, 3ull << 4 | 1 | DOMAIN << 16 | (u64)DEVFN << 32, 0);
	linux_submits(&v, IOTLB_OF_DOMAIN(DOMAIN), 0);
	write32(&v, R_GCMD, 0x86000000);
	assert_int_equal(read32(&v, R_GSTS), 0xc7000000);
	assert_int_equal(as_write(&v.dma, 0xff010, "0123", 4), MEM_OK);
	assert_memory_equal(v.memory + DATA + 0x10, "0123", 4);
	/* Unmap; then a device that goes on. */
	map_page(&v, 0xff000, 0);
	linux_submits(&v, IOTLB_OF_PAGES(DOMAIN), 0xff000);
	assert_int_equal(as_write(&v.dma, 0xff010, "4567", 4), MEM_ACCESS_ERROR);
	assert_memory_equal(v.memory + DATA + 0x10, "0123", 4);
	assert_int_equal(v.messages, 1);
	assert_int_equal(v.message[0].address, 0xfee01004);
	assert_int_equal(v.message[0].data, 0x21);
	/* dmar_fault() */
	assert_int_equal(read32(&v, R_FSTS), 2);
	assert_int_equal(read32(&v, R_FRCD + 12), 0x80000005);
	assert_int_equal(read32(&v, R_FRCD + 8), DEVFN);
	assert_int_equal(read64(&v, R_FRCD), 0xff000);
	write32(&v, R_FRCD + 12, 0x80000000);
	assert_int_equal(read32(&v, R_FRCD + 16 + 12) >> 31, 0);
	write32(&v, R_FSTS, 0x83);
	assert_int_equal(read32(&v, R_FSTS) & 0xff, 0);
	/* Shutdown. */
	write32(&v, R_GCMD, 0x06000000);
	assert_int_equal(read32(&v, R_GSTS), 0x47000000);
	assert_int_equal(as_write(&v.dma, DATA, "abcd", 4), MEM_OK);
	assert_int_equal(v.messages, 1);
	vtd_rig_destroy(&v);
}

static void a_reset_leaves_nothing_of_the_guest(void **state)
{
	u64 address = 0xfee00000;
	struct vtd_rig v;
	u32 data = 0;

	(void)state;
	vtd_rig_init_translating(&v);
	queue_on(&v);
	write32(&v, R_FECTL, 0);
	write32(&v, R_IECTL, 0);
	write64(&v, R_IRTA, INTERRUPTS | 7);
	write32(&v, R_GCMD, TE | QIE | IRE | SIRTP);
	map_page(&v, 0x5000, DATA | 3);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), DATA);
	assert_int_equal(as_write(&v.dma, 0x7000, "x", 1), MEM_ACCESS_ERROR);
	assert_false(vtd_remap_interrupt(&v.unit, DEVFN, &address, &data));
	submit(&v, 0xf, 0);
	assert_int_equal(read32(&v, R_FSTS), 0x12);
	write64(&v, R_CCMD, 1ull << 61 | 0x1234);
	write64(&v, R_IOTLB, 1ull << 60 | 0x1234ull << 32);
	vtd_reset(&v.unit);
	for (unsigned offset = R_GCMD; offset < VTD_REGISTERS_SIZE; offset += 4)
		assert_int_equal(read32(&v, offset), offset == R_FECTL || offset == R_IECTL ? 0x80000000 : 0);
	assert_int_equal(leads_to(&v.gate, 0x5000, MEM_READ), 0x5000);
	assert_true(vtd_remap_interrupt(&v.unit, DEVFN, &address, &data));
	/* Records are used from the first one on. */
	translate_on(&v);
	assert_int_equal(as_write(&v.dma, 0x7000, "x", 1), MEM_ACCESS_ERROR);
	assert_record(&v, 0, 0x7000, 8, DEVFN, false);
	vtd_rig_destroy(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_configuration_that_makes_no_sense_is_refused),
		cmocka_unit_test(capabilities_are_what_the_driver_expects),
		cmocka_unit_test(what_is_not_configured_is_not_offered),
		cmocka_unit_test(registers_that_are_not_there_read_zero),
		cmocka_unit_test(accesses_of_other_sizes_are_not_decoded),
		cmocka_unit_test(registers_of_64_bits_can_be_written_by_halves),
		cmocka_unit_test(interrupt_tables_of_a_unit_without_x2apic_have_no_eime),
		cmocka_unit_test(level_bits_are_as_last_written_and_pointers_stay_set),
		cmocka_unit_test(pointers_take_effect_when_they_are_set),
		cmocka_unit_test(all_in_one_write_takes_effect_in_order),
		cmocka_unit_test(a_command_starts_with_the_half_that_holds_its_trigger),
		cmocka_unit_test(each_granularity_says_that_it_was_done),
		cmocka_unit_test(commands_are_refused_while_the_queue_is_on),
		cmocka_unit_test(the_sequence_of_linux_goes_through),
		cmocka_unit_test(a_reset_leaves_nothing_of_the_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
