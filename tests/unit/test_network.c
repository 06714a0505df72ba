// SPDX-License-Identifier: BSD-2-Clause
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <lwip/arch.h>

#include "tests/unit/net_rig.h"

#define SLUICE 0x0a000001u
#define LEASE  0x0a000042u

static const u8 own_mac[] = SLUICE_MAC;

static void frame_to(struct station *from, const u8 *to, size_t length)
{
	u8 frame[ETHERNET_FRAME_MAX + 16] = { 0 };

	memset(frame, 0x5a, sizeof(frame));
	memcpy(frame, to, ETHERNET_MAC);
	memcpy(frame + ETHERNET_MAC, from->mac, ETHERNET_MAC);
	frame[12] = 0x88, frame[13] = 0xb5; /* local experimental */
	station_queue(from, frame, length);
}

static int start(void **state)
{
	(void)state;
	rig.wire.lease = LEASE;
	net_rig_start(NETWORK_DHCP);
	return 0;
}

static void takes_an_address_by_dhcp(void **state)
{
	(void)state;
	assert_int_equal(rig.net.ipv4.address, 0);
	net_rig_run(10000);
	assert_int_equal(rig.net.ipv4.address, LEASE);
	assert_int_equal(rig.net.ipv4.gateway, rig.wire.ip);
	assert_int_equal(rig.net.ipv4.prefix, 24);
	assert_true(rig.wire.discovers >= 1 && rig.wire.requests >= 1);
	assert_int_equal(rig.net.counters.addresses, 1);
}

static void answers_arp_and_ping_on_either_side(void **state)
{
	struct station *stations[] = { &rig.wire, &rig.guest };

	(void)state;
	for (unsigned s = 0; s < 2; s++) {
		u64 sent = 0;

		station_arp(stations[s], LEASE);
		net_rig_run(10);
		assert_memory_equal(stations[s]->peer_mac, own_mac, ETHERNET_MAC);
		stations[s]->echo_replies = stations[s]->echo_bytes = 0;
		/* The last ones come in fragments, and so do the answers. */
		for (unsigned size = 0; size <= 9000; size += 500) {
			station_ping(stations[s], LEASE, (u16)size, size);
			net_rig_run(5);
			sent += 8 + size;
		}
		assert_int_equal(stations[s]->echo_replies, 19);
		assert_int_equal(stations[s]->echo_bytes, sent);
	}
}

static void a_bridge_learns_where_stations_are(void **state)
{
	static const u8 unknown[] = { 0x02, 0, 0, 0, 0, 0x77 }, all[] = { 255, 255, 255, 255, 255, 255 };

	(void)state;
	u64 guest = rig.guest.frames, wire = rig.wire.frames;

	frame_to(&rig.wire, rig.guest.mac, 1514);
	net_rig_run(5);
	assert_int_equal(rig.guest.frames, guest + 1);
	assert_int_equal(rig.guest.last_length, 1514);
	assert_memory_equal(rig.guest.last + 6, rig.wire.mac, ETHERNET_MAC);
	assert_int_equal(rig.guest.last[1513], 0x5a);
	/* Not to where it came from, whoever it is for. */
	frame_to(&rig.wire, rig.wire.mac, 60);
	net_rig_run(5);
	assert_int_equal(rig.guest.frames, guest + 1);
	assert_int_equal(rig.wire.frames, wire);
	/* Unknown: to all others. */
	frame_to(&rig.guest, unknown, 14);
	net_rig_run(5);
	assert_int_equal(rig.wire.frames, wire + 1);
	assert_int_equal(rig.wire.last_length, 14);
	frame_to(&rig.guest, all, 60);
	net_rig_run(5);
	assert_int_equal(rig.wire.frames, wire + 2);
	/* Sluice's own stay here. */
	frame_to(&rig.guest, own_mac, 60);
	net_rig_run(5);
	assert_int_equal(rig.wire.frames, wire + 2);
}

static void frames_of_wrong_length_and_reserved_addresses_are_dropped_and_counted(void **state)
{
	static const u8 stp[] = { 0x01, 0x80, 0xc2, 0, 0, 0x0e };
	u64 wire = rig.wire.frames, malformed = rig.guest.port.counters.rx_malformed;
	u64 reserved = rig.net.counters.dropped_reserved;

	(void)state;
	frame_to(&rig.guest, rig.wire.mac, 13);
	frame_to(&rig.guest, rig.wire.mac, 1515);
	frame_to(&rig.guest, rig.wire.mac, 0);
	frame_to(&rig.guest, stp, 60);
	net_rig_run(5);
	assert_int_equal(rig.wire.frames, wire);
	assert_int_equal(rig.guest.port.counters.rx_malformed, malformed + 3);
	assert_int_equal(rig.net.counters.dropped_reserved, reserved + 1);
}

static void a_slice_is_bounded_and_followed_by_a_rest(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		frame_to(&rig.guest, rig.wire.mac, 60);
		frame_to(&rig.wire, rig.guest.mac, 60);
	}
	while (rig.guest.queue_first != rig.guest.queue_end || rig.wire.queue_first != rig.wire.queue_end) {
		u64 frames = rig.net.counters.frames, begin, next;

		rig.now = MAX(rig.now, network_next(&rig.net));
		begin = rig.now;
		next = network_slice(&rig.net);
		assert_true(rig.net.counters.frames - frames <= NETWORK_SLICE_FRAMES);
		/* What the clock says was used up, twice, is the guest's. */
		assert_true(next - rig.now >= (rig.now - begin) * NETWORK_REST - rig.cost * 8);
		/* Asking for more does not shorten it. */
		rig.guest.port.ready(rig.guest.port.owner);
		assert_true(network_next(&rig.net) >= rig.net.rest_until);
	}
	assert_true(rig.net.counters.rests > 0);
}

static void costs_something(struct station *station, const u8 *frame, size_t length)
{
	(void)station, (void)frame, (void)length;
	rig.now += 3000;
}

static void how_long_slices_take_and_wait_is_kept(void **state)
{
	u64 due;

	(void)state;
	net_rig_run(20);
	rig.net.counters.longest_slice = rig.net.counters.longest_wait = 0;
	rig.wire.tap = costs_something;
	frame_to(&rig.guest, rig.wire.mac, 60);
	rig.now = due = network_next(&rig.net);
	network_slice(&rig.net);
	rig.wire.tap = NULL;
	assert_in_range(rig.net.counters.longest_slice, 3000, rig.now - due);
	/* What a look at the clock costs here. */
	assert_true(rig.net.counters.longest_wait <= rig.cost);
	rig.now = network_next(&rig.net) + 700000;
	network_slice(&rig.net);
	assert_in_range(rig.net.counters.longest_wait, 700000, 700000 + rig.cost);
	net_rig_run(100);
	assert_true(rig.net.counters.longest_wait <= 700000 + rig.cost);
}

static unsigned breaths;

static void breathe(void *owner)
{
	(void)owner;
	breaths++;
}

static void before_each_frame_there_is_time_for_others(void **state)
{
	u64 frames;

	(void)state;
	net_rig_run(20);
	breaths = 0;
	frames = rig.net.counters.frames;
	rig.net.config.between = breathe;
	for (unsigned i = 0; i < 100; i++) {
		frame_to(&rig.guest, rig.wire.mac, 60);
		frame_to(&rig.wire, rig.guest.mac, 60);
	}
	net_rig_run(100);
	rig.net.config.between = NULL;
	assert_true(breaths >= 200);
	assert_int_equal(breaths, rig.net.counters.frames - frames);
}

static void a_slice_ends_in_time_when_frames_are_dear(void **state)
{
	u64 cost = rig.cost, begin;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		frame_to(&rig.guest, rig.wire.mac, 60);
	net_rig_run(0);
	rig.cost = NET_RIG_HZ / NETWORK_SLICE_HZ / 2; /* each look at the clock costs half a slice */
	begin = rig.net.counters.frames;
	network_slice(&rig.net);
	assert_true(rig.net.counters.frames - begin <= 8);
	rig.cost = cost;
	net_rig_run(100);
	assert_int_equal(rig.guest.queue_first, rig.guest.queue_end);
}

/* Both sides send as much as they can, for a second. */
static void a_flood_leaves_two_thirds_of_the_time(void **state)
{
	u64 begin = rig.now, busy = 0, frames = rig.net.counters.frames;

	(void)state;
	rig.wire.tap = rig.guest.tap = costs_something;
	while (rig.now - begin < NET_RIG_HZ) {
		while (rig.guest.queue_end - rig.guest.queue_first < 100) {
			frame_to(&rig.guest, rig.wire.mac, 60);
			frame_to(&rig.wire, rig.guest.mac, 60);
			frame_to(&rig.wire, own_mac, 60);
		}
		rig.now = MAX(rig.now, network_next(&rig.net));
		u64 slice = rig.now;
		network_slice(&rig.net);
		busy += rig.now - slice;
		/* Not longer than it may, but for what was begun. */
		assert_true(rig.now - slice < NET_RIG_HZ / NETWORK_SLICE_HZ + 50000);
	}
	rig.wire.tap = rig.guest.tap = NULL;
	assert_true(busy * 100 < (rig.now - begin) * 35);
	assert_true(busy * 100 > (rig.now - begin) * 25);
	assert_true(rig.net.counters.frames - frames > 10000);
	net_rig_run(100);
}

static void a_port_without_ready_is_polled_within_5_ms(void **state)
{
	u64 frames;

	(void)state;
	net_rig_run(100);
	frames = rig.guest.frames;
	frame_to(&rig.wire, rig.guest.mac, 60);
	net_rig_run(5);
	assert_int_equal(rig.guest.frames, frames + 1);
	/* And no oftener than it must be. */
	net_rig_run(100);
	frames = rig.net.counters.slices;
	net_rig_run(1000);
	assert_true(rig.net.counters.slices - frames < 230);
}

static void ready_calls_for_a_slice_at_once(void **state)
{
	unsigned earlier = rig.earlier;
	u64 wire = rig.wire.frames;

	(void)state;
	net_rig_run(1);
	frame_to(&rig.guest, rig.wire.mac, 60);
	assert_int_equal(rig.earlier, earlier + 1);
	assert_true(network_next(&rig.net) <= rig.now);
	network_slice(&rig.net);
	assert_int_equal(rig.wire.frames, wire + 1);
}

static void garbage_from_both_sides_stops_nothing(void **state)
{
	u64 seed = 1;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		struct station *station = i % 2 ? &rig.guest : &rig.wire;
		u8 frame[ETHERNET_FRAME_MAX + 16];
		size_t length = (seed >> 33) % sizeof(frame);

		for (size_t b = 0; b < length; b++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			frame[b] = (u8)(seed >> 56);
		}
		if (length > 40) { /* often to Sluice, as IP or ARP */
			memcpy(frame, own_mac, sizeof(own_mac));
			frame[12] = 8, frame[13] = i % 3 ? 0 : 6;
			frame[14] = 0x45;
			frame[16] = (u8)((length - 14) >> 8), frame[17] = (u8)(length - 14);
			frame[20] = frame[21] = 0;
			frame[23] = (u8[]){ 1, 6, 17, 2 }[i % 4];
			memcpy(frame + 30, (u8[]){ 10, 0, 0, 0x42 }, 4);
			frame[24] = frame[25] = 0;
			u16 sum = ip_sum(frame + 14, 20, 0);
			frame[24] = (u8)(sum >> 8), frame[25] = (u8)sum;
		}
		station_queue(station, frame, length);
		net_rig_run(1);
	}
	assert_false(rig.net.failed);
	net_rig_run(60000);
	rig.wire.echo_replies = 0;
	station_arp(&rig.wire, LEASE);
	net_rig_run(5);
	station_ping(&rig.wire, LEASE, 1, 100);
	net_rig_run(10);
	assert_int_equal(rig.wire.echo_replies, 1);
}

/* Against the definition, two bytes at a time. */
static void sums_are_those_of_rfc_1071(void **state)
{
	u8 bytes[300];
	u64 seed = 3;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		size_t at = i % 16, length = (i / 16) % 280;
		u32 sum = 0;

		for (size_t b = 0; b < sizeof(bytes); b++) {
			seed = seed * 6364136223846793005 + 1442695040888963407;
			bytes[b] = i % 3 ? (u8)(seed >> 56) : 0xff; /* many carries, too */
		}
		for (size_t b = 0; b < length; b++)
			sum += (u32)bytes[at + b] << 8 * (b % 2);
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		assert_int_equal(network_lwip_sum(bytes + at, (int)length), sum);
	}
}

/* Runs in the place of lwIP's own code. */
static void broken(void *argument)
{
	(void)argument;
	LWIP_PLATFORM_ASSERT("a test");
}

static void ports_come_and_go(void **state)
{
	u64 wire = rig.wire.frames;

	(void)state;
	network_detach(&rig.net, NETWORK_GUEST);
	network_detach(&rig.net, NETWORK_GUEST);
	assert_null(rig.guest.port.receive);
	frame_to(&rig.guest, rig.wire.mac, 60);
	net_rig_run(5);
	assert_int_equal(rig.wire.frames, wire);
	network_attach(&rig.net, NETWORK_GUEST, &rig.guest.port);
	net_rig_run(5);
	assert_int_equal(rig.wire.frames, wire + 1);
	/* A link that is down takes nothing. */
	rig.wire.port.link = false;
	net_rig_run(5);
	frame_to(&rig.guest, rig.wire.mac, 60);
	net_rig_run(5);
	assert_int_equal(rig.wire.frames, wire + 1);
	rig.wire.port.link = true;
	net_rig_run(5);
}

static void an_assertion_of_lwip_ends_the_network_and_nothing_else(void **state)
{
	(void)state;
	assert_false(network_call(&rig.net, broken, NULL));
	assert_true(rig.net.failed);
	assert_int_equal(network_next(&rig.net), TIMER_NEVER);
	assert_int_equal(network_slice(&rig.net), TIMER_NEVER);
	frame_to(&rig.guest, own_mac, 60);
	network_detach(&rig.net, NETWORK_GUEST);
	network_attach(&rig.net, NETWORK_GUEST, &rig.guest.port);
	assert_int_equal(network_next(&rig.net), TIMER_NEVER);
	rig.guest.port.receive(rig.guest.port.owner, rig.guest.last, 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_an_address_by_dhcp),
		cmocka_unit_test(answers_arp_and_ping_on_either_side),
		cmocka_unit_test(a_bridge_learns_where_stations_are),
		cmocka_unit_test(frames_of_wrong_length_and_reserved_addresses_are_dropped_and_counted),
		cmocka_unit_test(a_slice_is_bounded_and_followed_by_a_rest),
		cmocka_unit_test(a_slice_ends_in_time_when_frames_are_dear),
		cmocka_unit_test(how_long_slices_take_and_wait_is_kept),
		cmocka_unit_test(before_each_frame_there_is_time_for_others),
		cmocka_unit_test(a_flood_leaves_two_thirds_of_the_time),
		cmocka_unit_test(a_port_without_ready_is_polled_within_5_ms),
		cmocka_unit_test(ready_calls_for_a_slice_at_once),
		cmocka_unit_test(ports_come_and_go),
		cmocka_unit_test(garbage_from_both_sides_stops_nothing),
		cmocka_unit_test(sums_are_those_of_rfc_1071),
		cmocka_unit_test(an_assertion_of_lwip_ends_the_network_and_nothing_else),
	};

	return cmocka_run_group_tests_name("network", tests, start, NULL);
}
