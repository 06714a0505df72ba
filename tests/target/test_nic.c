// SPDX-License-Identifier: BSD-2-Clause
/*
 * The machine's own Ethernet card, against the network that the emulator puts behind it: both Bochs and QEMU answer ARP for
 * 10.0.2.2 (slirp). Without a card there is nothing to test.
 */
#include <string.h>

#include "arch/cpu.h"
#include "devices/e1000.h"
#include "arch/host_paging.h"
#include "arch/host_pci.h"
#include "arch/tsc.h"
#include "tests/target/selftest.h"

#define FRAME	   60
#define ANSWERS	   100
#define PATIENCE_S 20 /* emulators ask their network now and then, by a clock of their own */

struct rig {
	const struct boot *boot;
	volatile u8 *registers;
	struct host_pci_function function;
	struct e1000 nic;
	unsigned answers;
	u8 answer[FRAME];
};

static u32 reg_read(void *owner, u32 offset)
{
	return *(volatile u32 *)(((struct rig *)owner)->registers + offset);
}

static void reg_write(void *owner, u32 offset, u32 value)
{
	*(volatile u32 *)(((struct rig *)owner)->registers + offset) = value;
}

static void wait_us(void *owner, unsigned microseconds)
{
	tsc_delay_us(((struct rig *)owner)->boot->tsc_hz, microseconds);
}

/* Answers to ARP; whatever else comes is somebody else's. */
static void receive(void *owner, const void *frame, size_t length)
{
	static const u8 reply[] = { 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2 };
	struct rig *rig = owner;

	if (length < FRAME || memcmp((const u8 *)frame + 12, reply, sizeof(reply)) != 0)
		return;
	memcpy(rig->answer, frame, FRAME);
	rig->answers++;
}

static bool open(struct rig *rig, const struct boot *boot)
{
	static const struct host_pci_id ids[] = { { E1000_VENDOR, E1000_82540EM },
						  { E1000_VENDOR, E1000_82545EM } };
	const struct e1000_machine machine = { reg_read, reg_write, wait_us, rig };
	const char *why;
	u64 bar;

	*rig = (struct rig){ .boot = boot };
	if (!host_pci_find(ids, ARRAY_SIZE(ids), &rig->function))
		return false;
	host_pci_command(&rig->function, HOST_PCI_MEMORY);
	bar = host_pci_memory_bar(&rig->function, E1000_REGISTER_BAR);
	rig->registers = bar ? host_map_mmio(bar, E1000_REGISTER_BYTES) : NULL;
	if (!EXPECT(rig->registers))
		return false;
	/* A guest's memory will do while there is no guest. */
	why = e1000_reset(&rig->nic, "nic", &machine, (struct e1000_memory *)boot->ram[0].address);
	if (why)
		selftest_note("the card: %s", why);
	if (!EXPECT(!why))
		return false;
	host_pci_command(&rig->function, HOST_PCI_MEMORY | HOST_PCI_MASTER);
	e1000_start(&rig->nic);
	rig->nic.port.receive = receive;
	rig->nic.port.owner = rig;
	return true;
}

/* The card lets go of the memory. */
static void close(struct rig *rig)
{
	const struct e1000_machine machine = rig->nic.machine;

	e1000_reset(&rig->nic, "nic", &machine, rig->nic.memory);
	host_pci_command(&rig->function, 0);
	memset(rig->nic.memory, 0, sizeof(*rig->nic.memory));
}

/* Who has 10.0.2.2? asks 10.0.2.15. */
static void ask(struct rig *rig, u8 frame[FRAME])
{
	static const u8 request[] = { 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1 };

	memset(frame, 0, FRAME);
	memset(frame, 0xff, ETHERNET_MAC);
	memcpy(frame + 6, rig->nic.port.mac, ETHERNET_MAC);
	memcpy(frame + 12, request, sizeof(request));
	memcpy(frame + 22, rig->nic.port.mac, ETHERNET_MAC);
	memcpy(frame + 28, (const u8[]){ 10, 0, 2, 15 }, 4);
	memcpy(frame + 38, (const u8[]){ 10, 0, 2, 2 }, 4);
}

static bool wait_for_answers(struct rig *rig, unsigned count)
{
	u64 end = rdtsc() + PATIENCE_S * rig->boot->tsc_hz;

	while (rig->answers < count && rdtsc() < end) {
		rig->nic.port.poll(&rig->nic.port, 8);
		wait_us(rig, 100);
	}
	return EXPECT_EQUAL(rig->answers, count);
}

static bool frames_go_both_ways(const struct boot *boot)
{
	static struct rig rig;
	u8 frame[FRAME];
	bool fine;

	if (!open(&rig, boot)) {
		selftest_note("there is no Ethernet card");
		return !rig.registers;
	}
	selftest_note("%02x:%02x.%x is %02x:%02x:%02x:%02x:%02x:%02x, link %s", rig.function.bus,
		      rig.function.devfn >> 3, rig.function.devfn & 7, rig.nic.port.mac[0],
		      rig.nic.port.mac[1], rig.nic.port.mac[2], rig.nic.port.mac[3], rig.nic.port.mac[4],
		      rig.nic.port.mac[5], rig.nic.port.link ? "up" : "down");
	ask(&rig, frame);
	fine = EXPECT(rig.nic.port.link);
	/* More than a ring has. */
	for (unsigned i = 1; i <= ANSWERS && fine; i++)
		fine = EXPECT(rig.nic.port.send(&rig.nic.port, frame, FRAME)) && wait_for_answers(&rig, i) &&
		       EXPECT(memcmp(rig.answer, rig.nic.port.mac, ETHERNET_MAC) == 0) &&
		       EXPECT(memcmp(rig.answer + 28, (const u8[]){ 10, 0, 2, 2 }, 4) == 0);
	/* And many at once. */
	for (unsigned i = 0; i < E1000_TX_COUNT / 2 && fine; i++)
		fine = EXPECT(rig.nic.port.send(&rig.nic.port, frame, FRAME));
	fine = fine && wait_for_answers(&rig, ANSWERS + E1000_TX_COUNT / 2);
	fine = fine && EXPECT_EQUAL(rig.nic.port.counters.rx_malformed, 0) &&
	       EXPECT_EQUAL(rig.nic.port.counters.rx_errors, 0);
	close(&rig);
	return fine;
}

static const struct selftest tests[] = {
	{ "frames go out and come in", frames_go_both_ways },
};

const struct selftest_group test_nic = SELFTEST_GROUP("nic", tests);
