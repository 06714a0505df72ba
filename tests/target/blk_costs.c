// SPDX-License-Identifier: BSD-2-Clause
/*
 * What a request to a virtio disk costs behind the VT-d unit with translation on: reads of 4 KiB by a tiny guest, one at a time
 * and 32 at a time. Instructions (in Bochs) from the doorbell to the next instruction of the guest, the copy of the data taken
 * off; and exits of each request, its interrupt's and its completion's included.
 */
#include <stdio.h>
#include <string.h>

#include "arch/cpu.h"
#include "arch/log.h"
#include "tests/target/pc_rig.h"
#include "tests/target/selftest.h"
#include "tests/target/small_vm.h"

#define ROUNDS	  500u
#define IN_FLIGHT 32u
#define BLOCK	  4096u
#define PATIENCE  30 /* seconds */
#define VECTOR	  0x50u
#define HANDLER	  16 /* in the guest's code */

/* Guest-physical. */
#define IDT 0x9000ull

/* IOVA. */
#define QUEUE_DESC  0x0000u
#define QUEUE_AVAIL 0x2000u
#define QUEUE_USED  0x3000u
#define HEADERS	    0x4000u
#define STATUS	    0x5000u
#define BUFFERS	    0x10000u

#define QUEUE_SIZE 128u /* three descriptors for each request */

SMALL_GUEST(blk_costs);

struct blk_costs_guest {
	u64 notify, avail_idx, used_idx;
	u32 batch, rounds;
	u64 interrupts;
	u64 samples[ROUNDS];
};
static_assert(offsetof(struct blk_costs_guest, samples) == 40, "guest_blk_costs.S");

struct rig {
	struct pc_rig *board;
	u64 bar, msix;
	u8 *dma; /* what the device sees from IOVA 0 on */
};

static void put16(u8 *at, u16 value)
{
	memcpy(at, &value, 2);
}

static void put32(u8 *at, u32 value)
{
	memcpy(at, &value, 4);
}

static void put64(u8 *at, u64 value)
{
	memcpy(at, &value, 8);
}

static void set8(struct address_space *memory, u64 address, u8 value)
{
	as_write(memory, address, &value, 1);
}

/* Requests for successive blocks of the disk, each with a header, a buffer and a status byte of its own. */
static void put_requests(struct rig *rig)
{
	memset(rig->dma, 0, BUFFERS);
	for (unsigned i = 0; i < IN_FLIGHT; i++) {
		u8 *desc = rig->dma + QUEUE_DESC + 48 * i, *header = rig->dma + HEADERS + 16 * i;

		put64(header + 8, i * BLOCK / 512);
		put64(desc, HEADERS + 16 * i);
		put32(desc + 8, 16);
		put16(desc + 12, 1); /* NEXT */
		put16(desc + 14, (u16)(3 * i + 1));
		put64(desc + 16, BUFFERS + BLOCK * i);
		put32(desc + 24, BLOCK);
		put16(desc + 28, 3); /* NEXT, WRITE */
		put16(desc + 30, (u16)(3 * i + 2));
		put64(desc + 32, STATUS + i);
		put32(desc + 40, 1);
		put16(desc + 44, 2); /* WRITE */
	}
	for (unsigned i = 0; i < QUEUE_SIZE; i++)
		put16(rig->dma + QUEUE_AVAIL + 4 + 2 * i, (u16)(i % IN_FLIGHT * 3));
	memset(rig->dma + STATUS, 0xee, IN_FLIGHT);
}

/* As a driver does (VIRTIO 1.2, 3.1.1), with the queue's interrupt by MSI-X. */
static bool start_disk(struct rig *rig)
{
	struct address_space *memory = &rig->board->pc.memory;
	const u8 devfn = (u8)pc_dma_windows[PC_SCRATCH].requester;
	struct virtio_device *dev = &rig->board->pc.scratch.dev;
	u8 status = 0;

	rig->bar = pc_rig_enable(rig->board, devfn);
	rig->msix = pc_rig_config(rig->board, devfn, PCI_BAR0 + 4) & ~15u;
	as_store_le32(memory, rig->msix, LAPIC_DEFAULT_BASE);
	as_store_le32(memory, rig->msix + 4, 0);
	as_store_le32(memory, rig->msix + 8, VECTOR);
	as_store_le32(memory, rig->msix + 12, 0);
	pc_rig_config_set16(rig->board, devfn, dev->pci.msix.offset + 2, BIT(15));
	set8(memory, rig->bar + 0x14, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
	as_store_le32(memory, rig->bar + 0x08, 0);
	as_store_le32(memory, rig->bar + 0x0c, VIRTIO_F_EVENT_IDX);
	as_store_le32(memory, rig->bar + 0x08, 1);
	as_store_le32(memory, rig->bar + 0x0c, (VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM) >> 32);
	set8(memory, rig->bar + 0x14, 0x0b);
	as_store_le16(memory, rig->bar + 0x16, 0);
	as_store_le16(memory, rig->bar + 0x18, QUEUE_SIZE);
	as_store_le16(memory, rig->bar + 0x1a, 0);
	as_store_le32(memory, rig->bar + 0x20, QUEUE_DESC);
	as_store_le32(memory, rig->bar + 0x28, QUEUE_AVAIL);
	as_store_le32(memory, rig->bar + 0x30, QUEUE_USED);
	as_store_le16(memory, rig->bar + 0x1c, 1);
	set8(memory, rig->bar + 0x14, 0x0f);
	as_read(memory, rig->bar + 0x14, &status, 1);
	return EXPECT_EQUAL(status, 0x0f);
}

static void put_interrupt_gate(u8 *ram)
{
	const u64 handler = SMALL_CODE + HANDLER;
	u8 *gate = ram + IDT + 16 * VECTOR;

	memset(ram + IDT, 0, PAGE_SIZE);
	put64(gate, (handler & 0xffff) | 0x08 << 16 | 0x8e00ull << 32 | (handler >> 16) << 48);
}

/* All data and every status came; the guest heard of it. */
static bool done_right(struct rig *rig, const struct blk_costs_guest *guest)
{
	bool fine = EXPECT(guest->interrupts > 0) && EXPECT_EQUAL(rig->board->pc.faults.total, 0);

	for (unsigned i = 0; fine && i < guest->batch; i++)
		fine = EXPECT_EQUAL(rig->dma[STATUS + i], 0) &&
		       EXPECT(memcmp(rig->dma + BUFFERS + BLOCK * i, rig->board->scratch + BLOCK * i,
				     BLOCK) == 0);
	return fine;
}

/* A request that never comes back is a bench that failed, not a machine that hangs. */
static void out_of_patience(void *board)
{
	struct pc *pc = board;

	vm_stop(&pc->vm, VM_QUIT);
}

static void note_line(void *to, const char *line)
{
	(void)to;
	selftest_note("%s", line);
}

/* TSC ticks of one round in the middle; exits of one request. */
static bool run(const struct boot *boot, u32 batch, u64 *ticks, u64 *exits_per_1000)
{
	struct rig rig;

	if (!pc_rig_open(&rig.board, boot))
		return false;
	struct vcpu *vcpu = rig.board->pc.vm.vcpu;
	u8 *ram = rig.board->ram;
	struct blk_costs_guest *guest = (struct blk_costs_guest *)(ram + SMALL_DATA);
	rig.dma = ram + PC_RIG_DMA;
	for (unsigned i = 0; i < PC_RIG_SCRATCH; i++)
		rig.board->scratch[i] = (u8)(i ^ i >> 8);
	bool fine = pc_rig_start_vtd(rig.board);
	put_requests(&rig);
	fine = fine && start_disk(&rig);
	*guest = (struct blk_costs_guest){
		.notify = rig.bar + 0x3000,
		.avail_idx = PC_RIG_DMA + QUEUE_AVAIL + 2,
		.used_idx = PC_RIG_DMA + QUEUE_USED + 2,
		.batch = batch,
		.rounds = ROUNDS,
	};
	small_guest_tables(ram);
	put_interrupt_gate(ram);
	memcpy(ram + SMALL_CODE, guest_blk_costs, (size_t)(guest_blk_costs_end - guest_blk_costs));
	struct vcpu_state state = small_guest_state(SMALL_DATA);
	state.idt_base = IDT;
	state.idt_limit = PAGE_SIZE - 1;
	vcpu_reset(vcpu, &state);
	struct timer patience;
	timer_init(&patience, out_of_patience, &rig.board->pc);
	timer_arm(&rig.board->pc.timers, &patience, rdtsc() + PATIENCE * boot->tsc_hz);
	enum vm_stop why = fine ? vcpu_run(vcpu) : VM_FAULT;
	if (why != VM_POWERED_OFF) {
		selftest_note("the guest stopped: %d, %s", why, rig.board->pc.vm.fault);
		virtio_print(&rig.board->pc.scratch.dev, note_line, NULL);
	}
	fine = fine && why == VM_POWERED_OFF && done_right(&rig, guest);
	*ticks = selftest_median(guest->samples, ROUNDS);
	*exits_per_1000 = vcpu_exits_total(vcpu) * 1000 / (ROUNDS * batch);
	pc_rig_close(rig.board);
	return fine;
}

static u64 copy_ticks(const struct boot *boot)
{
	u8 *ram = (u8 *)boot->ram[0].address;
	u64 before = rdtsc();

	memcpy(ram, ram + MiB, BLOCK);
	return rdtsc() - before;
}

static void tell(const char *name, u64 value, u64 thousandths, const char *unit)
{
	char line[96];

	if (thousandths)
		snprintf(line, sizeof(line), "bench %s %llu.%03llu %s\n", name,
			 (unsigned long long)value / 1000, (unsigned long long)value % 1000, unit);
	else
		snprintf(line, sizeof(line), "bench %s %llu %s\n", name, (unsigned long long)value, unit);
	log_write(line, strlen(line));
}

bool bench_blk_costs(const struct boot *boot)
{
	u64 one, one_exits, many, many_exits, copy = copy_ticks(boot);

	if (!run(boot, 1, &one, &one_exits) || !run(boot, IN_FLIGHT, &many, &many_exits))
		return false;
	tell("dma.blk_request_instructions", one - copy, 0, "instructions");
	tell("dma.blk_request_batched_instructions", many / IN_FLIGHT - copy, 0, "instructions");
	tell("dma.exits_per_request", one_exits, 1, "exits");
	tell("dma.exits_per_request_batched", many_exits, 1, "exits");
	return true;
}
