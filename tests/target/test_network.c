// SPDX-License-Identifier: BSD-2-Clause
/*
 * The network core in the hypervisor's own image, between two stations that are made up here: that lwIP does in this build what
 * the unit tests see it do in theirs, what a frame costs, and that leaving lwIP by its emergency exit leaves a machine that runs.
 * The last test ends the network: the group is for runs without a guest.
 */
#include <string.h>

#include "arch/cpu.h"
#include "arch/entropy.h"
#include "arch/tsc.h"
#include "devices/network.h"
#include "tests/target/pc_rig.h"
#include "tests/target/selftest.h"
#include "tests/target/small_vm.h"

#define FRAMES 1000u
#define PING   64u /* bytes behind the ICMP header */

/* Sends `frame` as often as it is asked for, and counts what it gets. */
struct station {
	struct ethernet_port port;
	u8 frame[ETHERNET_FRAME_MAX], last[ETHERNET_FRAME_MAX];
	size_t length;
	unsigned left;
	u64 got;
	u64 busy; /* ticks that each poll takes */
};

static struct clock clock;
static struct network net;
static struct station wire, guest;

static const u8 own_mac[] = { 0x02, 0, 0, 0, 0, 1 }, wire_mac[] = { 0x02, 0, 0, 0, 0, 2 },
		guest_mac[] = { 0x02, 0, 0, 0, 0, 3 };

static bool station_send(struct ethernet_port *port, const void *frame, size_t length)
{
	struct station *station = container_of(port, struct station, port);

	memcpy(station->last, frame, length);
	station->got++;
	return true;
}

static unsigned station_poll(struct ethernet_port *port, unsigned budget)
{
	struct station *station = container_of(port, struct station, port);
	unsigned count = MIN(budget, station->left);

	for (u64 begin = rdtsc(); rdtsc() - begin < station->busy;)
		cpu_pause();
	station->left -= count;
	for (unsigned i = 0; i < count; i++)
		ethernet_received(port, station->frame, station->length);
	return count;
}

static void init_station(struct station *station, const char *name, const u8 *mac)
{
	*station = (struct station){ .port = { .name = name,
					       .link = true,
					       .polled = true,
					       .send = station_send,
					       .poll = station_poll } };
	memcpy(station->port.mac, mac, ETHERNET_MAC);
}

static bool start(const struct boot *boot)
{
	struct network_config config = { .clock = &clock,
					 .host_name = "sluice",
					 .mode = NETWORK_STATIC,
					 .ipv4 = { 0x0a000001, 0, 24 },
					 .entropy = cpu_entropy };

	clock = (struct clock){ .now = tsc_now, .hz = boot->tsc_hz };
	memcpy(config.mac, own_mac, sizeof(own_mac));
	init_station(&wire, "wire", wire_mac);
	init_station(&guest, "guest", guest_mac);
	if (!EXPECT(network_init(&net, &config)))
		return false;
	network_attach(&net, NETWORK_WIRE, &wire.port);
	network_attach(&net, NETWORK_GUEST, &guest.port);
	return EXPECT_EQUAL(net.ipv4.address, 0x0a000001) && EXPECT(network_next(&net) != TIMER_NEVER);
}

/* Until all is sent; ticks in slices for each frame. */
static u64 run(struct station *station, unsigned count)
{
	u64 begin, ticks = 0;

	station->left = count;
	while (station->left && !net.failed) {
		begin = rdtsc();
		network_slice(&net);
		ticks += rdtsc() - begin;
	}
	return ticks / count;
}

static void address(struct station *from, const u8 *to, u16 type, size_t length)
{
	memcpy(from->frame, to, ETHERNET_MAC);
	memcpy(from->frame + 6, from->port.mac, ETHERNET_MAC);
	from->frame[12] = (u8)(type >> 8);
	from->frame[13] = (u8)type;
	from->length = length;
}

static bool frames_pass_from_port_to_port(const struct boot *boot)
{
	static const u16 sizes[] = { 60, 590, 1514 };
	bool fine = start(boot);

	address(&wire, own_mac, 0x88b5, 60); /* so that the bridge knows where it is */
	run(&wire, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(sizes) && fine; i++) {
		u64 before = wire.got, ticks;

		memset(guest.frame, (int)i + 1, sizeof(guest.frame));
		address(&guest, wire_mac, 0x88b5, sizes[i]);
		ticks = run(&guest, FRAMES);
		selftest_note("%u bytes: %llu ticks each", sizes[i], (unsigned long long)ticks);
		fine = EXPECT_EQUAL(wire.got - before, FRAMES) &&
		       EXPECT(memcmp(wire.last, guest.frame, sizes[i]) == 0);
	}
	return fine;
}

static bool asks_who_has_it(void)
{
	static const u8 request[] = { 0,  1, 8, 0, 6, 4, 0, 1, 0x02, 0, 0,  0, 0, 3,
				      10, 0, 0, 3, 0, 0, 0, 0, 0,    0, 10, 0, 0, 1 };

	memset(guest.frame, 0, 60);
	address(&guest, (const u8[]){ 255, 255, 255, 255, 255, 255 }, 0x0806, 60);
	memcpy(guest.frame + ETHERNET_HEADER, request, sizeof(request));
	run(&guest, 1);
	return EXPECT_EQUAL(guest.last[21], 2) /* a reply */ &&
	       EXPECT(memcmp(guest.last + 22, own_mac, 6) == 0) &&
	       EXPECT(memcmp(guest.last, guest_mac, 6) == 0);
}

/* The sum of RFC 1071, big endian, over an even number of bytes. */
static void put_sum(u8 *at, const u8 *bytes, size_t length)
{
	u32 sum = 0;

	at[0] = at[1] = 0;
	for (size_t i = 0; i < length; i += 2)
		sum += (u32)bytes[i] << 8 | bytes[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~(sum + (sum >> 16));
	at[0] = (u8)(sum >> 8);
	at[1] = (u8)sum;
}

static bool sluice_answers(const struct boot *boot)
{
	u8 *ip = guest.frame + ETHERNET_HEADER, *icmp = ip + 20;
	u64 before, ticks;

	(void)boot;
	if (!asks_who_has_it())
		return false;
	memset(ip, 0, 28 + PING);
	address(&guest, own_mac, 0x0800, ETHERNET_HEADER + 28 + PING);
	memcpy(ip, (const u8[]){ 0x45, 0, 0, 28 + PING, 0, 1, 0, 0, 64, 1, 0, 0, 10, 0, 0, 3, 10, 0, 0, 1 },
	       20);
	put_sum(ip + 10, ip, 20);
	icmp[0] = 8; /* echo */
	memset(icmp + 8, 0x5a, PING);
	put_sum(icmp + 2, icmp, 8 + PING);
	before = guest.got;
	ticks = run(&guest, FRAMES);
	selftest_note("ping: %llu ticks", (unsigned long long)ticks);
	return EXPECT_EQUAL(guest.got - before, FRAMES) && EXPECT_EQUAL(guest.last[34], 0) /* echo reply */ &&
	       EXPECT(memcmp(guest.last + 42, icmp + 8, PING) == 0) && EXPECT(!net.failed);
}

static struct timer slice, other;
static unsigned others;

static void next_slice(void *owner)
{
	struct pc *pc = owner;

	timer_arm(&pc->timers, &slice, network_slice(&net));
}

/* Due again just before the entry, or just after it: neither may be missed. */
static void next_other(void *owner)
{
	struct pc *pc = owner;

	others++;
	timer_arm(&pc->timers, &other, rdtsc() + others % 400);
}

static void enough(void *owner)
{
	struct pc *pc = owner;

	vm_stop(&pc->vm, VM_QUIT);
}

/*
 * It takes no interrupt and makes no exit: the preemption timer alone gives the network its time, and is not late by what the
 * slice before took.
 */
static bool a_deaf_guest_that_spins_keeps_no_slice_waiting(const struct boot *boot)
{
	static const u8 spin[] = { 0xfa, 0xeb, 0xfe }; /* cli; 1: jmp 1b */
	struct timer end;
	struct pc_rig *rig;
	u64 slices;

	if (!pc_rig_open(&rig, boot))
		return false;
	struct vcpu_state state = small_guest_state(0);

	small_guest_tables(rig->ram);
	memcpy(rig->ram + SMALL_CODE, spin, sizeof(spin));
	vcpu_reset(rig->pc.vm.vcpu, &state);
	wire.busy = boot->tsc_hz / 500;
	timer_init(&slice, next_slice, &rig->pc);
	timer_init(&end, enough, &rig->pc);
	timer_arm(&rig->pc.timers, &slice, network_slice(&net));
	slices = net.counters.slices;
	net.counters.longest_wait = 0;
	timer_init(&other, next_other, &rig->pc);
	others = 0;
	timer_arm(&rig->pc.timers, &other, rdtsc());
	timer_arm(&rig->pc.timers, &end, rdtsc() + boot->tsc_hz / 4);
	bool fine = EXPECT_EQUAL(vcpu_run(rig->pc.vm.vcpu), VM_QUIT);

	wire.busy = 0;
	timer_cancel(&rig->pc.timers, &slice);
	timer_cancel(&rig->pc.timers, &other);
	pc_rig_close(rig);
	slices = net.counters.slices - slices;
	selftest_note("%llu slices in 250 ms, the longest wait for one %llu ticks",
		      (unsigned long long)slices, (unsigned long long)net.counters.longest_wait);
	return fine && EXPECT(slices >= 20) && EXPECT(others >= 100) &&
	       EXPECT(net.counters.longest_wait < boot->tsc_hz / 1000);
}

void network_lwip_failed(const char *assertion) __attribute__((noreturn));

static void broken(void *argument)
{
	network_lwip_failed(argument);
}

static bool a_failed_assertion_ends_the_network_alone(const struct boot *boot)
{
	static char text[] = "this is a test";
	u64 got = wire.got;

	(void)boot;
	address(&guest, wire_mac, 0x88b5, 60);
	guest.left = 1;
	return EXPECT(!network_call(&net, broken, text)) && EXPECT(net.failed) &&
	       EXPECT_EQUAL(network_slice(&net), TIMER_NEVER) && EXPECT_EQUAL(wire.got, got);
}

static const struct selftest tests[] = {
	{ "frames pass from port to port", frames_pass_from_port_to_port },
	{ "Sluice answers ARP and ping", sluice_answers },
	{ "a deaf guest that spins keeps no slice waiting", a_deaf_guest_that_spins_keeps_no_slice_waiting },
	{ "a failed assertion ends the network alone", a_failed_assertion_ends_the_network_alone },
};

const struct selftest_group test_network = SELFTEST_GROUP("network", tests);
