// SPDX-License-Identifier: BSD-2-Clause
/* Without a NIC: the guest finds an address, and Sluice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/net_rig.h"

#define SLUICE 0x0a000001u
#define GUEST  0x0a000002u

enum { DISCOVER = 1, REQUEST = 3 };

static int start(void **state)
{
	(void)state;
	net_rig_start(NETWORK_ALONE);
	network_detach(&rig.net, NETWORK_WIRE);
	rig.guest.ip = GUEST;
	net_rig_run(10);
	return 0;
}

static void the_guest_gets_the_next_address(void **state)
{
	(void)state;
	assert_int_equal(rig.net.ipv4.address, SLUICE);
	station_dhcp(&rig.guest, DISCOVER, 0);
	net_rig_run(10);
	assert_int_equal(rig.guest.offered, GUEST);
	assert_int_equal(rig.guest.acknowledged, 0);
	station_dhcp(&rig.guest, REQUEST, GUEST);
	net_rig_run(10);
	assert_int_equal(rig.guest.acknowledged, GUEST);
	assert_int_equal(rig.guest.nak, 0);
}

static void another_address_is_refused(void **state)
{
	(void)state;
	rig.guest.acknowledged = 0;
	station_dhcp(&rig.guest, REQUEST, SLUICE);
	net_rig_run(10);
	assert_int_equal(rig.guest.nak, 1);
	station_dhcp(&rig.guest, REQUEST, 0);
	net_rig_run(10);
	assert_int_equal(rig.guest.nak, 2);
	assert_int_equal(rig.guest.acknowledged, 0);
}

static void other_messages_are_not_answered(void **state)
{
	u64 frames;

	(void)state;
	net_rig_run(1000);
	frames = rig.guest.frames;
	for (unsigned type = 0; type < 256; type++)
		if (type != DISCOVER && type != REQUEST)
			station_dhcp(&rig.guest, (u8)type, GUEST);
	net_rig_run(1000);
	assert_int_equal(rig.guest.frames, frames);
}

static void sluice_answers(void **state)
{
	(void)state;
	station_arp(&rig.guest, SLUICE);
	net_rig_run(10);
	station_ping(&rig.guest, SLUICE, 1, 56);
	net_rig_run(10);
	assert_int_equal(rig.guest.echo_replies, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_guest_gets_the_next_address),
		cmocka_unit_test(another_address_is_refused),
		cmocka_unit_test(other_messages_are_not_answered),
		cmocka_unit_test(sluice_answers),
	};

	return cmocka_run_group_tests_name("network alone", tests, start, NULL);
}
