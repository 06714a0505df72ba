// SPDX-License-Identifier: BSD-2-Clause
/*
 * The machine's own Ethernet card, against the network that the emulator puts behind it: both Bochs and QEMU answer ARP for
 * 10.0.2.2 (slirp). Without a card there is nothing to test.
 */
#include <string.h>

#include "arch/cpu.h"
#include "arch/tsc.h"
#include "boot/nic.h"
#include "tests/target/selftest.h"

#define FRAME	   60
#define ANSWERS	   100
#define PATIENCE_S 20 /* emulators ask their network now and then, by a clock of their own */

struct rig {
	const struct boot *boot;
	struct nic nic;
	unsigned answers;
	u8 answer[FRAME];
};

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
	const char *why;

	*rig = (struct rig){ .boot = boot };
	if (!nic_find(&rig->nic))
		return false;
	/* A guest's memory will do while there is no guest. */
	why = nic_start(&rig->nic, "nic", (struct e1000_memory *)boot->ram[0].address, boot->tsc_hz);
	if (why)
		selftest_note("the card: %s", why);
	if (!EXPECT(!why))
		return false;
	rig->nic.card.port.receive = receive;
	rig->nic.card.port.owner = rig;
	return true;
}

static void close(struct rig *rig)
{
	nic_stop(&rig->nic);
	memset(rig->nic.card.memory, 0, sizeof(*rig->nic.card.memory));
}

/* Who has 10.0.2.2? asks 10.0.2.15. */
static void ask(struct rig *rig, u8 frame[FRAME])
{
	static const u8 request[] = { 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1 };

	memset(frame, 0, FRAME);
	memset(frame, 0xff, ETHERNET_MAC);
	memcpy(frame + 6, rig->nic.card.port.mac, ETHERNET_MAC);
	memcpy(frame + 12, request, sizeof(request));
	memcpy(frame + 22, rig->nic.card.port.mac, ETHERNET_MAC);
	memcpy(frame + 28, (const u8[]){ 10, 0, 2, 15 }, 4);
	memcpy(frame + 38, (const u8[]){ 10, 0, 2, 2 }, 4);
}

static bool wait_for_answers(struct rig *rig, unsigned count)
{
	u64 end = rdtsc() + PATIENCE_S * rig->boot->tsc_hz;

	while (rig->answers < count && rdtsc() < end) {
		rig->nic.card.port.poll(&rig->nic.card.port, 8);
		tsc_delay_us(rig->boot->tsc_hz, 100);
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
		return !rig.nic.registers;
	}
	selftest_note("%02x:%02x.%x is %02x:%02x:%02x:%02x:%02x:%02x, link %s", rig.nic.function.bus,
		      rig.nic.function.devfn >> 3, rig.nic.function.devfn & 7, rig.nic.card.port.mac[0],
		      rig.nic.card.port.mac[1], rig.nic.card.port.mac[2], rig.nic.card.port.mac[3],
		      rig.nic.card.port.mac[4], rig.nic.card.port.mac[5],
		      rig.nic.card.port.link ? "up" : "down");
	ask(&rig, frame);
	fine = EXPECT(rig.nic.card.port.link);
	/* More than a ring has. */
	for (unsigned i = 1; i <= ANSWERS && fine; i++)
		fine = EXPECT(rig.nic.card.port.send(&rig.nic.card.port, frame, FRAME)) &&
		       wait_for_answers(&rig, i) &&
		       EXPECT(memcmp(rig.answer, rig.nic.card.port.mac, ETHERNET_MAC) == 0) &&
		       EXPECT(memcmp(rig.answer + 28, (const u8[]){ 10, 0, 2, 2 }, 4) == 0);
	/* And many at once. */
	for (unsigned i = 0; i < E1000_TX_COUNT / 2 && fine; i++)
		fine = EXPECT(rig.nic.card.port.send(&rig.nic.card.port, frame, FRAME));
	fine = fine && wait_for_answers(&rig, ANSWERS + E1000_TX_COUNT / 2);
	fine = fine && EXPECT_EQUAL(rig.nic.card.port.counters.rx_malformed, 0) &&
	       EXPECT_EQUAL(rig.nic.card.port.counters.rx_errors, 0);
	close(&rig);
	return fine;
}

static const struct selftest tests[] = {
	{ "frames go out and come in", frames_go_both_ways },
};

const struct selftest_group test_nic = SELFTEST_GROUP("nic", tests);
