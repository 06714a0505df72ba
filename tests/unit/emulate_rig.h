/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest for the emulator: some RAM with page tables in it, one device page that behaves like RAM and counts, ports.
 *
 *   linear                gpa
 *   INSN_FORMS_OPERAND -> RIG_DEVICE            the device page
 *   INSN_FORMS_RAM     -> RIG_RAM_PAGE          the page after it, RAM
 *   INSN_FORMS_CODE    -> RIG_CODE_PAGE         two pages, the second of which rig_unmap can take away
 */
#ifndef TESTS_UNIT_EMULATE_RIG_H
#define TESTS_UNIT_EMULATE_RIG_H

#include "arch/emulate.h"
#include "tests/target/insn_forms.h"

#define RIG_RAM_SIZE  (16 * PAGE_SIZE)
#define RIG_DEVICE    0xfee00000ull
#define RIG_RAM_PAGE  0x8000ull
#define RIG_CODE_PAGE 0x9000ull

/* Bits of the page-table entries that the rig makes. */
enum {
	RIG_P = 1,
	RIG_RW = 2,
	RIG_US = 4,
	RIG_A = 0x20,
	RIG_D = 0x40,
	RIG_ALL = RIG_P | RIG_RW | RIG_US | RIG_A | RIG_D
};

struct rig {
	struct emulate emulate;
	struct guest_paging paging;
	u64 gpr[CPU_GPR_COUNT];
	struct emulate_segment segments[CPU_SEGMENT_COUNT];
	unsigned segments_asked;
	u8 ram[RIG_RAM_SIZE] __attribute__((aligned(8)));
	u8 device[PAGE_SIZE];
	unsigned reads, writes; /* of the device */
	unsigned strange; /* accesses that the contract forbids: size, page crossing, bits beyond the size */
	enum emulate_outcome answer; /* of device accesses */
	u8 port_data[256];
	u16 last_port;
	unsigned port_bytes, port_accesses;
};

/* 64-bit mode, CPL 0, everything mapped with all rights; registers as insn_forms.h wants them. */
void rig_open(struct rig *rig);

/* The entry that maps one of the pages above. */
u64 *rig_entry(struct rig *rig, u64 linear);

/* Flat segments of 32 or 16 bits, paging off: linear = gpa. Protected mode unless `real`. */
void rig_set_mode(struct rig *rig, enum cpu_mode mode, bool real);

/* Place an instruction at RIP and carry it out as after an EPT violation at this offset in the device page. */
void rig_place(struct rig *rig, const void *bytes, size_t size);
enum emulate_outcome rig_run(struct rig *rig, u64 device_offset);

/* Declares a rig with `...` at RIP. */
#define RIG_OPEN(rig, ...) \
	struct rig rig;    \
	rig_open(&rig);    \
	rig_place(&rig, (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

/* For cmocka. */
#define RIG_ASSERT_EXCEPTION(rig, vector_, pushes, code)                           \
	do {                                                                       \
		assert_int_equal((rig)->emulate.exception.vector, vector_);        \
		assert_int_equal((rig)->emulate.exception.has_error_code, pushes); \
		assert_int_equal((rig)->emulate.exception.error_code, code);       \
	} while (0)

#endif
