// SPDX-License-Identifier: BSD-2-Clause
#include "devices/network_lease.h"

#include <lwip/netif.h>
#include <lwip/udp.h>
#include <string.h>

#define SERVER_PORT   67
#define CLIENT_PORT   68
#define LEASE_SECONDS 86400
#define OPTIONS_MAX   312 /* RFC 2131, 2: what every client takes */

/* RFC 2131, figure 1, with the magic cookie of RFC 2132, 2. All numbers big endian. */
struct message {
	u8 op, htype, hlen, hops;
	u8 xid[4], secs[2], flags[2], ciaddr[4], yiaddr[4], siaddr[4], giaddr[4];
	u8 chaddr[16], sname[64], file[128], cookie[4];
	u8 options[OPTIONS_MAX];
};
static_assert(offsetof(struct message, options) == 240, "RFC 2131, figure 1");

#define FIXED offsetof(struct message, options)

enum { BOOTREQUEST = 1, BOOTREPLY = 2 };
enum { PAD = 0, MASK = 1, ADDRESS = 50, LEASE_TIME = 51, TYPE = 53, SERVER = 54, END = 255 };
enum { DISCOVER = 1, OFFER = 2, REQUEST = 3, ACK = 5, NAK = 6 };

static const u8 magic[] = { 99, 130, 83, 99 };

static struct netif *lan;
static u32 own_address, own_mask;

static u32 get32(const u8 *bytes)
{
	return (u32)bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
}

static void put32(u8 *bytes, u32 value)
{
	for (unsigned i = 0; i < 4; i++)
		bytes[i] = (u8)(value >> (24 - 8 * i));
}

/* The option's bytes if it is there with this length, else null. */
static const u8 *option(const struct message *m, size_t length, u8 code, u8 size)
{
	for (size_t i = FIXED; i < length && ((const u8 *)m)[i] != END;) {
		const u8 *at = (const u8 *)m + i;

		if (*at == PAD) {
			i++;
			continue;
		}
		if (length - i < 2 || length - i - 2 < at[1])
			return NULL;
		if (*at == code)
			return at[1] == size ? at + 2 : NULL;
		i += 2 + (size_t)at[1];
	}
	return NULL;
}

static u8 *add32(u8 *at, u8 code, u32 value)
{
	at[0] = code;
	at[1] = 4;
	put32(at + 2, value);
	return at + 6;
}

static void answer(struct udp_pcb *pcb, const struct message *m, u8 type)
{
	struct message reply = { .op = BOOTREPLY, .htype = 1, .hlen = ETHERNET_MAC };
	const ip4_addr_t everybody = { .addr = IPADDR_BROADCAST };
	u8 *at = reply.options;
	struct pbuf *p;

	memcpy(reply.xid, m->xid, sizeof(reply.xid));
	memcpy(reply.flags, m->flags, sizeof(reply.flags));
	memcpy(reply.chaddr, m->chaddr, sizeof(reply.chaddr));
	memcpy(reply.cookie, magic, sizeof(magic));
	*at++ = TYPE;
	*at++ = 1;
	*at++ = type;
	at = add32(at, SERVER, own_address);
	if (type != NAK) {
		put32(reply.yiaddr, own_address + 1);
		at = add32(at, LEASE_TIME, LEASE_SECONDS);
		at = add32(at, MASK, own_mask);
	}
	*at = END;
	p = pbuf_alloc(PBUF_TRANSPORT, sizeof(reply), PBUF_RAM);
	if (!p)
		return;
	pbuf_take(p, &reply, sizeof(reply));
	udp_sendto_if(pcb, p, &everybody, CLIENT_PORT, lan);
	pbuf_free(p);
}

static void received(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *from, u16_t port)
{
	struct message m = { 0 };
	size_t length = pbuf_copy_partial(p, &m, sizeof(m), 0);
	const u8 *type, *server, *wanted;

	(void)arg, (void)from, (void)port;
	pbuf_free(p);
	if (length < FIXED || m.op != BOOTREQUEST || m.htype != 1 || m.hlen != ETHERNET_MAC ||
	    memcmp(m.cookie, magic, sizeof(magic)) != 0)
		return;
	type = option(&m, length, TYPE, 1);
	server = option(&m, length, SERVER, 4);
	wanted = option(&m, length, ADDRESS, 4) ?: m.ciaddr;
	if (type && *type == DISCOVER)
		answer(pcb, &m, OFFER);
	else if (type && *type == REQUEST && (!server || get32(server) == own_address))
		answer(pcb, &m, get32(wanted) == own_address + 1 ? ACK : NAK);
}

void network_lease_start(struct netif *netif, const struct network_ipv4 *own)
{
	struct udp_pcb *pcb = udp_new();

	lan = netif;
	own_address = own->address;
	own_mask = own->prefix ? ~0u << (32 - own->prefix) : 0;
	LWIP_ASSERT("no port for DHCP", pcb && udp_bind(pcb, IP4_ADDR_ANY, SERVER_PORT) == ERR_OK);
	ip_set_option(pcb, SOF_BROADCAST);
	udp_recv(pcb, received, NULL);
}
