// SPDX-License-Identifier: BSD-2-Clause
#include "devices/network.h"

#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/timeouts.h>
#include <netif/bridgeif.h>
#include <netif/ethernet.h>
#include <string.h>

#include "devices/network_lease.h"

/* Addresses that the bridge remembers: with two ports it may as well forget. */
#define BRIDGE_ADDRESSES 16
/* Frames taken from one port before the other has its turn. */
#define BATCH 4

/* lwIP's side of it, one in a program as lwIP is. */
static struct network *the;
static struct netif bridge, port_netif[NETWORK_PORTS];
static struct pbuf_custom carrier;
static void *escape[5];

/* ---- what lwIP asks for ---- */

u32_t sys_now(void)
{
	return (u32_t)clock_periods(the->config.clock, clock_now(the->config.clock), 1000);
}

uint32_t network_lwip_random(void)
{
	uint32_t value;

	if (the->config.entropy && the->config.entropy(the->config.owner, &value, sizeof(value)))
		return value;
	/* SplitMix64 over the time: no secret, but no constant either. */
	the->random += 0x9e3779b97f4a7c15 + clock_now(the->config.clock);
	u64 z = the->random;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)(z >> 32);
}

void network_lwip_failed(const char *assertion)
{
	log_error("network: lwIP: %s: the network is shut down", assertion);
	the->failed = true;
	assert(the->inside);
	__builtin_longjmp(escape, 1);
}

static void call_guarded(struct network *net, void (*call)(void *argument), void *argument)
{
	if (__builtin_setjmp(escape)) {
		net->inside = false;
		net->next = TIMER_NEVER;
		return;
	}
	net->inside = true;
	call(argument);
	net->inside = false;
}

bool network_call(struct network *net, void (*call)(void *argument), void *argument)
{
	if (net->failed)
		return false;
	if (net->inside)
		call(argument);
	else
		call_guarded(net, call, argument);
	return !net->failed;
}

/* ---- frames ---- */

/* The carrier is nobody's to keep: its bytes are copied by whoever wants them longer. */
static void carrier_freed(struct pbuf *p)
{
	(void)p;
}

/* From lwIP to a port. */
static err_t port_output(struct netif *netif, struct pbuf *p)
{
	struct network_port *to = netif->state;
	u8 flat[ETHERNET_FRAME_MAX];
	const void *frame = p->payload;

	if (!to->port || !ethernet_frame_ok(p->tot_len))
		return ERR_IF;
	if (p->len != p->tot_len) {
		pbuf_copy_partial(p, flat, p->tot_len, 0);
		frame = flat;
	}
	return to->port->send(to->port, frame, p->tot_len) ? ERR_OK : ERR_IF;
}

/* From the bridge to Sluice itself: lwIP may keep it, and works in it. */
static err_t bridge_input(struct pbuf *p, struct netif *netif)
{
	struct pbuf *own = pbuf_alloc(PBUF_RAW, p->tot_len, PBUF_POOL);

	the->counters.local++;
	if (!own) {
		the->counters.dropped_no_memory++;
	} else {
		pbuf_take(own, p->payload, p->tot_len);
		if (ethernet_input(own, netif) != ERR_OK)
			pbuf_free(own);
	}
	pbuf_free(p);
	return ERR_OK;
}

struct arrival {
	struct netif *netif;
	u16 length;
};

static void deliver(void *argument)
{
	const struct arrival *arrival = argument;
	struct pbuf *p = pbuf_alloced_custom(PBUF_RAW, arrival->length, PBUF_REF, &carrier, the->frame,
					     sizeof(the->frame));

	if (arrival->netif->input(p, arrival->netif) != ERR_OK)
		pbuf_free(p);
}

/* From a port to the bridge: the only copy of a frame that goes through, and the one that is looked at. */
static void port_receive(void *owner, const void *frame, size_t length)
{
	static const u8 reserved[] = { 0x01, 0x80, 0xc2, 0x00, 0x00 };
	struct network_port *from = owner;
	struct network *net = from->net;
	struct arrival arrival = { &port_netif[from - net->ports], (u16)length };

	if (net->inside) {
		net->counters.dropped_reentrant++;
		return;
	}
	if (net->config.between)
		net->config.between(net->config.owner);
	if (frame != net->frame)
		memcpy(net->frame, frame, length);
	if (memcmp(net->frame, reserved, sizeof(reserved)) == 0 && net->frame[sizeof(reserved)] < 0x10) {
		net->counters.dropped_reserved++;
		return;
	}
	network_call(net, deliver, &arrival);
}

static void want(struct network *net, u64 tick)
{
	if (net->failed || tick >= net->next)
		return;
	net->next = tick;
	if (net->config.earlier)
		net->config.earlier(net->config.owner);
}

static void port_ready(void *owner)
{
	struct network_port *from = owner;
	u64 now = clock_now(from->net->config.clock);

	want(from->net, MAX(now, from->net->rest_until));
}

/* ---- links and addresses ---- */

static void set_link(struct netif *netif, bool up)
{
	if (up && !netif_is_link_up(netif))
		netif_set_link_up(netif);
	else if (!up && netif_is_link_up(netif))
		netif_set_link_down(netif);
}

/* Sluice is where the wire is; without one, where the guest is. */
static void follow_links(void *argument)
{
	struct network *net = argument;
	const struct ethernet_port *near = net->ports[NETWORK_WIRE].port ?: net->ports[NETWORK_GUEST].port;

	for (unsigned i = 0; i < NETWORK_PORTS; i++)
		set_link(&port_netif[i], net->ports[i].port && net->ports[i].port->link);
	set_link(&bridge, near && near->link);
}

static void address_changed(struct netif *netif)
{
	struct network *net = the;
	u32 mask = lwip_ntohl(ip4_addr_get_u32(netif_ip4_netmask(netif)));
	struct network_ipv4 now = {
		.address = lwip_ntohl(ip4_addr_get_u32(netif_ip4_addr(netif))),
		.gateway = lwip_ntohl(ip4_addr_get_u32(netif_ip4_gw(netif))),
		.prefix = (u8)(mask == ~0u ? 32
			       : mask	   ? __builtin_clz(~mask)
					   : 0),
	};

	if (now.address && now.address != net->ipv4.address) {
		net->counters.addresses++;
		log_limited(&net->rate, LOG_INFO, "network: http://%u.%u.%u.%u/ (%s)", now.address >> 24,
			    now.address >> 16 & 0xff, now.address >> 8 & 0xff, now.address & 0xff,
			    net->config.mode == NETWORK_DHCP ? "DHCP" : "static");
	}
	net->ipv4 = now;
}

/* ---- setting up ---- */

static err_t port_netif_init(struct netif *netif)
{
	netif->name[0] = 'p';
	netif->name[1] = 't';
	netif->linkoutput = port_output;
	netif->output = etharp_output;
	netif->mtu = ETHERNET_FRAME_MAX - ETHERNET_HEADER;
	netif->hwaddr_len = ETHERNET_MAC;
	/* Frames to a port's own address are Sluice's: this is no address of the guest's. */
	memcpy(netif->hwaddr, the->config.mac, ETHERNET_MAC);
	netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
	return ERR_OK;
}

static ip4_addr_t ip4(u32 address)
{
	return (ip4_addr_t){ .addr = lwip_htonl(address) };
}

static void start(void *argument)
{
	struct network *net = argument;
	const struct network_ipv4 *ipv4 = &net->config.ipv4;
	ip4_addr_t address = ip4(0), mask = ip4(0), gateway = ip4(0);
	bridgeif_initdata_t setup = { .max_ports = NETWORK_PORTS,
				      .max_fdb_dynamic_entries = BRIDGE_ADDRESSES };

	memcpy(&setup.ethaddr, net->config.mac, ETHERNET_MAC);
	if (net->config.mode == NETWORK_STATIC || net->config.mode == NETWORK_ALONE) {
		address = ip4(ipv4->address);
		mask = ip4(ipv4->prefix ? ~0u << (32 - ipv4->prefix) : 0);
		gateway = ip4(ipv4->gateway);
	}
	carrier.custom_free_function = carrier_freed;
	lwip_init();
	LWIP_ASSERT("no bridge",
		    netif_add(&bridge, &address, &mask, &gateway, &setup, bridgeif_init, bridge_input));
	netif_set_link_down(&bridge);
	netif_set_hostname(&bridge, net->config.host_name);
	for (unsigned i = 0; i < NETWORK_PORTS; i++) {
		LWIP_ASSERT("no port", netif_add(&port_netif[i], NULL, NULL, NULL, &net->ports[i],
						 port_netif_init, ethernet_input) &&
					       bridgeif_add_port(&bridge, &port_netif[i]) == ERR_OK);
		netif_set_up(&port_netif[i]);
	}
	if (net->config.mode == NETWORK_SILENT)
		return;
	netif_set_default(&bridge);
	netif_set_status_callback(&bridge, address_changed);
	netif_set_up(&bridge);
	if (net->config.mode == NETWORK_DHCP)
		dhcp_start(&bridge);
	if (net->config.mode == NETWORK_ALONE)
		network_lease_start(&bridge, ipv4);
}

bool network_init(struct network *net, const struct network_config *config)
{
	if (the) {
		log_error("network: there is one already");
		return false;
	}
	the = net;
	memset(net, 0, sizeof(*net));
	net->config = *config;
	for (unsigned i = 0; i < NETWORK_PORTS; i++)
		net->ports[i].net = net;
	net->poll_ticks = clock_ticks(config->clock, 1, NETWORK_IDLE_HZ);
	return network_call(net, start, net);
}

void network_attach(struct network *net, enum network_slot slot, struct ethernet_port *port)
{
	network_detach(net, slot);
	net->ports[slot].port = port;
	port->owner = &net->ports[slot];
	port->receive = port_receive;
	port->ready = port_ready;
	port->room = net->frame;
	network_call(net, follow_links, net);
	port_ready(port->owner);
}

void network_detach(struct network *net, enum network_slot slot)
{
	struct ethernet_port *port = net->ports[slot].port;

	if (!port)
		return;
	port->receive = NULL;
	port->ready = NULL;
	port->room = NULL;
	port->owner = NULL;
	net->ports[slot].port = NULL;
	network_call(net, follow_links, net);
}

/* ---- slices ---- */

static void run_timers(void *argument)
{
	(void)argument;
	sys_check_timeouts();
}

static void next_timer(void *argument)
{
	u64 *tick = argument;
	u32 sleep = sys_timeouts_sleeptime();

	if (sleep != SYS_TIMEOUTS_SLEEPTIME_INFINITE)
		*tick = clock_ticks(
			the->config.clock,
			clock_periods(the->config.clock, clock_now(the->config.clock), 1000) + sleep, 1000);
}

/* Ports in turn, a few frames each, until nothing is left or the slice is over. True: there is more. */
static bool poll_ports(struct network *net, u64 deadline, bool *any)
{
	unsigned left = NETWORK_SLICE_FRAMES;
	bool more[NETWORK_PORTS];

	memset(more, true, sizeof(more));
	while (left && clock_now(net->config.clock) < deadline && (more[0] || more[1])) {
		struct ethernet_port *port = net->ports[net->first].port;
		unsigned budget = MIN(left, BATCH), taken = 0;

		if (port && more[net->first] && !net->failed)
			taken = port->poll(port, budget);
		more[net->first] = taken == budget;
		net->first = (net->first + 1) % NETWORK_PORTS;
		net->counters.frames += taken;
		*any |= taken != 0;
		left -= taken;
	}
	return more[0] || more[1];
}

u64 network_slice(struct network *net)
{
	const struct clock *clock = net->config.clock;
	u64 start = clock_now(clock), now, next = TIMER_NEVER;
	bool any = false, more;

	assert(!net->inside);
	if (net->failed)
		return net->next = TIMER_NEVER;
	/* The first one is due since there is a network: since before there was a guest. */
	if (net->counters.slices++ && start > net->next)
		net->counters.longest_wait = MAX(net->counters.longest_wait, start - net->next);
	net->next = TIMER_NEVER;
	more = poll_ports(net, start + clock_ticks(clock, 1, NETWORK_SLICE_HZ), &any);
	network_call(net, follow_links, net);
	network_call(net, run_timers, NULL);
	network_call(net, next_timer, &next);

	net->poll_ticks = any ? clock_ticks(clock, 1, NETWORK_BUSY_HZ)
			      : MIN(2 * net->poll_ticks, clock_ticks(clock, 1, NETWORK_IDLE_HZ));
	now = clock_now(clock);
	net->counters.longest_slice = MAX(net->counters.longest_slice, now - start);
	net->rest_until = now + NETWORK_REST * (now - start);
	for (unsigned i = 0; i < NETWORK_PORTS; i++)
		if (net->ports[i].port && net->ports[i].port->polled)
			next = MIN(next, now + net->poll_ticks);
	if (more) {
		net->counters.rests++;
		next = now;
	}
	/* What has called ready() meanwhile has its wish in net->next. */
	next = MAX(MIN(next, net->next), net->rest_until);
	return net->next = net->failed ? TIMER_NEVER : next;
}
