/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A DHCP server (RFC 2131) for a net that consists of Sluice and its guest: one address, the one after Sluice's own, to whoever
 * asks. No router and no name server: there is nothing outside. Keeps no state, so nothing can be used up.
 */
#ifndef DEVICES_NETWORK_LEASE_H
#define DEVICES_NETWORK_LEASE_H

#include "devices/network.h"

struct netif;

/* From inside lwIP (network_call). */
void network_lease_start(struct netif *netif, const struct network_ipv4 *own);

#endif
