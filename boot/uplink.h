/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's network: its card, the bridge to the guest's card, and the web server. There is one, and it outlives guests.
 * Its work is done in slices (devices/network.h), by a timer of the guest's while there is a guest.
 */
#ifndef BOOT_UPLINK_H
#define BOOT_UPLINK_H

#include "boot/board_pc.h"
#include "boot/nic.h"
#include "devices/network.h"
#include "devices/status.h"

struct monitor;

struct uplink {
	const struct boot *boot;
	struct clock clock;
	struct nic nic;
	bool has_nic, running;
	struct network net;
	struct status status;
	struct monitor *monitor; /* of the guest that is connected; NULL: none is */
	struct status_guest guest;
	struct timer due;
};

/* Looks for the card and starts network and web server, as configured. What fails is said, and done without. */
void uplink_start(struct uplink *uplink, const struct boot *boot);

/* The address for the guest's card, always the same for one machine. */
void uplink_guest_mac(const struct uplink *uplink, u8 mac[ETHERNET_MAC]);

/* After pc_create(), before pc_destroy(). */
void uplink_connect(struct uplink *uplink, struct monitor *monitor);
void uplink_disconnect(struct uplink *uplink);

/* Does what is due, where no guest runs. False: there never will be anything. */
bool uplink_poll(struct uplink *uplink);

void uplink_print(const struct uplink *uplink, table_emit emit, void *to);

#endif
