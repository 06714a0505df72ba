// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/emulate_rig.h"

#include <string.h>

/* The rig's tables: one of each level. */
enum { PML4 = 0x1000, PDPT = 0x2000, PD = 0x3000, PT = 0x4000 };

static u64 *table_entry(struct rig *rig, u64 table, unsigned index)
{
	return (u64 *)(rig->ram + table) + index;
}

u64 *rig_entry(struct rig *rig, u64 linear)
{
	return table_entry(rig, PT, linear >> 12 & 0x1ff);
}

static bool find_ram(void *context, u64 gpa, struct guest_window *window)
{
	struct rig *rig = context;

	if (gpa >= RIG_RAM_SIZE)
		return false;
	*window = (struct guest_window){ 0, RIG_RAM_SIZE, rig->ram, true };
	return true;
}

/* Where an access of the emulator goes, if it is one that its contract allows. */
static u8 *find_byte(struct rig *rig, u64 gpa, unsigned size, unsigned *counter)
{
	if ((size != 1 && size != 2 && size != 4 && size != 8) || (gpa & PAGE_MASK) + size > PAGE_SIZE) {
		rig->strange++;
		return NULL;
	}
	if (gpa >= RIG_DEVICE && gpa - RIG_DEVICE < PAGE_SIZE) {
		++*counter;
		return rig->device + (gpa - RIG_DEVICE);
	}
	return gpa < RIG_RAM_SIZE ? rig->ram + gpa : NULL;
}

static enum emulate_outcome read_memory(void *context, u64 gpa, unsigned size, u64 *value)
{
	struct rig *rig = context;
	const u8 *byte = find_byte(rig, gpa, size, &rig->reads);

	*value = size < 8 ? BIT(8 * size) - 1 : ~0ull;
	if (byte) {
		*value = 0;
		memcpy(value, byte, size);
	}
	return rig->answer;
}

static enum emulate_outcome write_memory(void *context, u64 gpa, unsigned size, u64 value)
{
	struct rig *rig = context;
	u8 *byte = find_byte(rig, gpa, size, &rig->writes);

	if (size < 8 && value >> 8 * size)
		rig->strange++;
	if (byte && rig->answer == EMULATE_DONE)
		memcpy(byte, &value, size);
	return rig->answer;
}

static enum emulate_outcome read_port(void *context, u16 port, unsigned size, u32 *value)
{
	struct rig *rig = context;

	rig->last_port = port;
	rig->port_accesses++;
	*value = 0;
	memcpy(value, rig->port_data + rig->port_bytes % 128, size);
	rig->port_bytes += size;
	return rig->answer;
}

static enum emulate_outcome write_port(void *context, u16 port, unsigned size, u32 value)
{
	struct rig *rig = context;

	rig->last_port = port;
	rig->port_accesses++;
	if (size < 4 && value >> 8 * size)
		rig->strange++;
	memcpy(rig->port_data + rig->port_bytes % 128, &value, size);
	rig->port_bytes += size;
	return rig->answer;
}

static void get_segment(void *context, enum cpu_segment segment, struct emulate_segment *out)
{
	struct rig *rig = context;

	rig->segments_asked++;
	*out = rig->segments[segment];
}

static const struct emulate_ops ops = {
	.read = read_memory, .write = write_memory, .in = read_port, .out = write_port, .segment = get_segment
};

void rig_open(struct rig *rig)
{
	memset(rig, 0, sizeof(*rig));
	*table_entry(rig, PML4, 0) = PDPT | RIG_ALL;
	*table_entry(rig, PDPT, 0) = PD | RIG_ALL;
	*table_entry(rig, PD, INSN_FORMS_OPERAND >> 21) = PT | RIG_ALL;
	*rig_entry(rig, INSN_FORMS_OPERAND) = RIG_DEVICE | RIG_ALL;
	*rig_entry(rig, INSN_FORMS_RAM) = RIG_RAM_PAGE | RIG_ALL;
	*rig_entry(rig, INSN_FORMS_CODE) = RIG_CODE_PAGE | RIG_ALL;
	*rig_entry(rig, INSN_FORMS_CODE + PAGE_SIZE) = (RIG_CODE_PAGE + PAGE_SIZE) | RIG_ALL;
	rig->paging = (struct guest_paging){
		.cr0 = 0x80010033,
		.cr3 = PML4,
		.cr4 = 0x20,
		.efer = 0xd01,
		.physical_bits = 40,
		.find_ram = find_ram,
		.context = rig,
	};
	rig->emulate = (struct emulate){
		.gpr = rig->gpr,
		.rip = INSN_FORMS_CODE,
		.rflags = 2,
		.mode = CPU_MODE_64,
		.paging = &rig->paging,
		.ops = &ops,
		.context = rig,
	};
	rig->gpr[RDI] = INSN_FORMS_OPERAND + 0x40;
	rig->gpr[RSI] = INSN_FORMS_RAM + 0x40;
	rig->gpr[RCX] = INSN_FORMS_RCX;
	rig->gpr[RDX] = INSN_FORMS_RDX;
	for (unsigned i = 0; i < CPU_SEGMENT_COUNT; i++)
		rig->segments[i] = (struct emulate_segment){ 0, 0xffffffff, i == SEG_CS ? 0xa09b : 0xc093 };
}

void rig_set_mode(struct rig *rig, enum cpu_mode mode, bool real)
{
	rig->emulate.mode = mode;
	rig->paging.cr0 = real ? 0 : 1;
	rig->paging.cr4 = 0;
	rig->paging.efer = 0;
	rig->emulate.rip = RIG_CODE_PAGE;
	for (unsigned i = 0; i < CPU_SEGMENT_COUNT; i++)
		rig->segments[i].limit = real ? 0xffff : 0xffffffff;
}

void rig_place(struct rig *rig, const void *bytes, size_t size)
{
	memset(rig->ram + RIG_CODE_PAGE, 0x90, 2 * PAGE_SIZE);
	memcpy(rig->ram + RIG_CODE_PAGE + (rig->emulate.rip & PAGE_MASK), bytes, size);
}

enum emulate_outcome rig_run(struct rig *rig, u64 device_offset)
{
	rig->emulate.fault_gpa = RIG_DEVICE + device_offset;
	rig->emulate.fault_access = INSN_READS | INSN_WRITES;
	rig->reads = rig->writes = 0;
	return emulate_mmio(&rig->emulate);
}
