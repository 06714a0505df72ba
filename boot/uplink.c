// SPDX-License-Identifier: BSD-2-Clause
#include "boot/uplink.h"

#include <stdio.h>
#include <string.h>

#include "arch/cpu.h"
#include "arch/entropy.h"
#include "arch/log.h"
#include "arch/serial.h"
#include "arch/tsc.h"
#include "boot/monitor.h"

/* Of a net without a card: Sluice's end; the guest gets the next address. */
#define ALONE_ADDRESS 0x0a534c01u /* 10.83.76.1: 'S', 'L' */
#define ALONE_PREFIX  24

/* Bits of the first byte of an address (IEEE 802, 8.2). */
#define MAC_LOCAL     2u
#define MAC_MULTICAST 1u

/* What the card writes to; the image is mapped each address to itself. */
static struct e1000_memory nic_memory;

static bool start_nic(struct uplink *uplink)
{
	const char *why;

	if (!nic_find(&uplink->nic))
		return false;
	why = nic_start(&uplink->nic, "e1000", &nic_memory, uplink->boot->tsc_hz);
	if (why)
		log_warn("the network card cannot be used: %s", why);
	return !why;
}

/* ---- what the web server wants to know of the guest ---- */

static const char *guest_state(void *board)
{
	const struct uplink *uplink = board;

	return uplink->monitor->stopped ? "stopped" : "running";
}

static bool guest_exits(void *board, unsigned number, struct status_exit *exit)
{
	const struct uplink *uplink = board;
	struct vcpu_exit_count count;

	if (number >= VCPU_EXIT_REASONS)
		return false;
	count = vcpu_exits(uplink->monitor->pc->vm.vcpu, number);
	*exit = (struct status_exit){ vcpu_exit_name(number), count.exits, count.ticks };
	return true;
}

static unsigned guest_page_level(void *board, u64 gpa)
{
	const struct uplink *uplink = board;
	unsigned level = 0;

	ept_lookup(&uplink->monitor->pc->vm.ept, gpa, &level);
	return level;
}

static void guest_pages(void *board, u64 leaves[4])
{
	const struct uplink *uplink = board;

	memcpy(leaves, uplink->monitor->pc->vm.ept.leaves, sizeof(uplink->monitor->pc->vm.ept.leaves));
}

static_assert(PC_SLOTS <= STATUS_DEVICES, "all devices fit into the list");

static unsigned guest_devices(void *board, struct virtio_device *list[STATUS_DEVICES])
{
	const struct uplink *uplink = board;

	return pc_virtio(uplink->monitor->pc, list);
}

static size_t guest_console(void *board, u64 *from, char *bytes, size_t size)
{
	const struct text_ring *ring = log_guest_history();
	size_t count = 0;

	(void)board;
	*from = MIN(MAX(*from, text_ring_begin(ring)), ring->end);
	for (u64 i = *from; i < ring->end && count < size; i++)
		bytes[count++] = text_ring_at(ring, i);
	return count;
}

static bool guest_reset(void *board)
{
	const struct uplink *uplink = board;

	if (uplink->monitor->stopped)
		return false;
	log_info("the guest is reset by way of the web server");
	vm_stop(&uplink->monitor->pc->vm, VM_RESET);
	return true;
}

static bool guest_input(void *board, const char *bytes, size_t length)
{
	const struct uplink *uplink = board;

	return monitor_type(uplink->monitor, bytes, length);
}

/* ---- the network ---- */

static void due(void *owner)
{
	struct uplink *uplink = owner;

	timer_arm(&uplink->monitor->pc->timers, &uplink->due, network_slice(&uplink->net));
}

static void earlier(void *owner)
{
	struct uplink *uplink = owner;

	if (uplink->monitor)
		timer_arm(&uplink->monitor->pc->timers, &uplink->due, network_next(&uplink->net));
}

/* Sixteen keys fit into the UART; what they interrupt for is seen when the guest runs again. */
static void between(void *owner)
{
	(void)owner;
	serial_poll();
}

static struct network_config network_settings(struct uplink *uplink)
{
	const struct config_address *address = &uplink->boot->config->address;
	struct network_config config = {
		.clock = &uplink->clock,
		.mac = { MAC_LOCAL, 'S', 'l', 'u', 'c', 'e' },
		.host_name = "sluice",
		.mode = NETWORK_DHCP,
		.ipv4 = { address->address, address->gateway, address->prefix },
		.entropy = cpu_has_entropy() ? cpu_entropy : NULL,
		.between = between,
		.earlier = earlier,
		.owner = uplink,
	};

	if (uplink->has_nic)
		memcpy(config.mac, uplink->nic.card.port.mac, ETHERNET_MAC);
	if (address->kind == CONFIG_ADDRESS_NONE) {
		config.mode = NETWORK_SILENT;
	} else if (address->kind == CONFIG_ADDRESS_STATIC) {
		config.mode = uplink->has_nic ? NETWORK_STATIC : NETWORK_ALONE;
	} else if (!uplink->has_nic) {
		config.mode = NETWORK_ALONE;
		config.ipv4 = (struct network_ipv4){ .address = ALONE_ADDRESS, .prefix = ALONE_PREFIX };
	}
	return config;
}

void uplink_start(struct uplink *uplink, const struct boot *boot)
{
	struct network_config config;

	*uplink = (struct uplink){ .boot = boot, .clock = { .now = tsc_now, .hz = boot->tsc_hz } };
	timer_init(&uplink->due, due, uplink);
	if (!boot->config->net)
		return;
	uplink->has_nic = start_nic(uplink);
	config = network_settings(uplink);
	uplink->running = network_init(&uplink->net, &config);
	if (!uplink->running)
		return;
	if (uplink->has_nic)
		network_attach(&uplink->net, NETWORK_WIRE, &uplink->nic.card.port);
	if (config.mode != NETWORK_SILENT)
		status_start(&uplink->status, &uplink->net,
			     boot->config->http_token[0] ? boot->config->http_token : NULL,
			     boot->config->http_test_file);
}

void uplink_guest_mac(const struct uplink *uplink, u8 mac[ETHERNET_MAC])
{
	memcpy(mac, uplink->net.config.mac, ETHERNET_MAC);
	/* Next to Sluice's own, of the kind that anybody may make. */
	mac[0] = (mac[0] | MAC_LOCAL) & (u8)~MAC_MULTICAST;
	mac[5] ^= 0x80;
}

void uplink_connect(struct uplink *uplink, struct monitor *monitor)
{
	struct pc *pc = monitor->pc;

	if (!uplink->running)
		return;
	uplink->monitor = monitor;
	uplink->guest = (struct status_guest){
		.memory = &pc->memory,
		.windows = pc_dma_windows,
		.window_count = PC_SLOTS,
		.vtd = pc->has_vtd ? &pc->vtd : NULL,
		.faults = &pc->faults,
		.state = guest_state,
		.exits = guest_exits,
		.page_level = guest_page_level,
		.pages = guest_pages,
		.devices = guest_devices,
		.console = guest_console,
		.reset = guest_reset,
		.input = guest_input,
		.board = uplink,
	};
	uplink->status.guest = &uplink->guest;
	if (pc_has(&pc->net.dev.pci))
		network_attach(&uplink->net, NETWORK_GUEST, &pc->net.port);
	earlier(uplink);
}

void uplink_disconnect(struct uplink *uplink)
{
	if (!uplink->running)
		return;
	network_detach(&uplink->net, NETWORK_GUEST);
	timer_cancel(&uplink->monitor->pc->timers, &uplink->due);
	uplink->status.guest = NULL;
	uplink->monitor = NULL;
}

bool uplink_poll(struct uplink *uplink)
{
	if (!uplink->running || network_next(&uplink->net) == TIMER_NEVER)
		return false;
	if (rdtsc() >= network_next(&uplink->net))
		network_slice(&uplink->net);
	return true;
}

/* ---- the console ---- */

static void print_port(const struct ethernet_port *port, table_emit emit, void *to)
{
	const struct ethernet_counters *c = &port->counters;
	const u8 *mac = port->mac;
	char line[160];

	snprintf(line, sizeof(line), "%s %02x:%02x:%02x:%02x:%02x:%02x: link %s", port->name, mac[0], mac[1],
		 mac[2], mac[3], mac[4], mac[5], port->link ? "up" : "down");
	emit(to, line);
	snprintf(line, sizeof(line), "  in %llu frames, %llu bytes; %llu malformed, %llu errors",
		 (unsigned long long)c->rx_frames, (unsigned long long)c->rx_bytes,
		 (unsigned long long)c->rx_malformed, (unsigned long long)c->rx_errors);
	emit(to, line);
	snprintf(line, sizeof(line), "  out %llu frames, %llu bytes; no room %llu, no link %llu",
		 (unsigned long long)c->tx_frames, (unsigned long long)c->tx_bytes,
		 (unsigned long long)c->tx_no_room, (unsigned long long)c->tx_no_link);
	emit(to, line);
}

void uplink_print(const struct uplink *uplink, table_emit emit, void *to)
{
	const struct network *net = &uplink->net;
	const struct network_ipv4 *ip = &net->ipv4;
	char line[160];

	if (!uplink->running) {
		emit(to, "there is no network");
		return;
	}
	if (ip->address)
		snprintf(line, sizeof(line), "address %u.%u.%u.%u/%u, web server at http://%u.%u.%u.%u/",
			 ip->address >> 24, ip->address >> 16 & 0xff, ip->address >> 8 & 0xff,
			 ip->address & 0xff, ip->prefix, ip->address >> 24, ip->address >> 16 & 0xff,
			 ip->address >> 8 & 0xff, ip->address & 0xff);
	else
		snprintf(line, sizeof(line), "no address%s", net->failed ? ": the network has failed" : "");
	emit(to, line);
	snprintf(line, sizeof(line), "%llu slices, %llu frames; %llu for Sluice itself, %llu of them dropped",
		 (unsigned long long)net->counters.slices, (unsigned long long)net->counters.frames,
		 (unsigned long long)net->counters.local,
		 (unsigned long long)net->counters.dropped_no_memory);
	emit(to, line);
	snprintf(line, sizeof(line), "longest slice %llu us; longest wait for one that was due %llu us",
		 (unsigned long long)clock_periods(&uplink->clock, net->counters.longest_slice, 1000000),
		 (unsigned long long)clock_periods(&uplink->clock, net->counters.longest_wait, 1000000));
	emit(to, line);
	for (unsigned slot = 0; slot < NETWORK_PORTS; slot++)
		if (net->ports[slot].port)
			print_port(net->ports[slot].port, emit, to);
}
