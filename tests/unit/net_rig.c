// SPDX-License-Identifier: BSD-2-Clause
#include "tests/unit/net_rig.h"

#include <stdlib.h>
#include <string.h>

#define IP_HEADER  20
#define TCP_HEADER 20
#define TYPE_IP	   0x0800
#define TYPE_ARP   0x0806

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };
enum { ICMP = 1, TCP = 6, UDP = 17 };

struct net_rig rig;

static void put16(u8 *at, u16 value)
{
	at[0] = (u8)(value >> 8);
	at[1] = (u8)value;
}

static void put32(u8 *at, u32 value)
{
	put16(at, (u16)(value >> 16));
	put16(at + 2, (u16)value);
}

static u16 get16(const u8 *at)
{
	return (u16)(at[0] << 8 | at[1]);
}

static u32 get32(const u8 *at)
{
	return (u32)get16(at) << 16 | get16(at + 2);
}

u16 ip_sum(const void *data, size_t length, u32 start)
{
	const u8 *bytes = data;
	u64 sum = start;

	for (size_t i = 0; i + 1 < length; i += 2)
		sum += get16(bytes + i);
	if (length % 2)
		sum += (u64)bytes[length - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (u16)~sum;
}

/* ---- sending ---- */

void station_queue(struct station *station, const void *frame, size_t length)
{
	unsigned slot = station->queue_end % STATION_QUEUE;

	if (station->queue_end - station->queue_first == STATION_QUEUE || length > sizeof(station->queue[0]))
		return;
	memcpy(station->queue[slot], frame, length);
	station->queue_length[slot] = length;
	station->queue_end++;
	if (!station->port.polled && station->port.ready)
		station->port.ready(station->port.owner);
}

static void send_fragment(struct station *station, const u8 *to_mac, u32 to, u8 protocol, const void *payload,
			  size_t length, u16 id, u16 fragment)
{
	u8 frame[ETHERNET_FRAME_MAX] = { 0 };
	u8 *ip = frame + ETHERNET_HEADER;

	memcpy(frame, to_mac, ETHERNET_MAC);
	memcpy(frame + ETHERNET_MAC, station->mac, ETHERNET_MAC);
	put16(frame + 12, TYPE_IP);
	ip[0] = 0x45;
	put16(ip + 2, (u16)(IP_HEADER + length));
	put16(ip + 4, id);
	put16(ip + 6, fragment);
	ip[8] = 64;
	ip[9] = protocol;
	put32(ip + 12, station->ip);
	put32(ip + 16, to);
	put16(ip + 10, ip_sum(ip, IP_HEADER, 0));
	memcpy(ip + IP_HEADER, payload, length);
	station_queue(station, frame, ETHERNET_HEADER + IP_HEADER + length);
}

void station_ip(struct station *station, const u8 *to_mac, u32 to, u8 protocol, const void *payload,
		size_t length)
{
	static u16 id;
	const size_t piece = 1480;

	id++;
	for (size_t at = 0; at < length || at == 0; at += piece) {
		bool last = length - at <= piece;

		send_fragment(station, to_mac, to, protocol, (const u8 *)payload + at,
			      last ? length - at : piece, id, (u16)(at / 8 | (last ? 0 : 0x2000)));
	}
}

void station_arp(struct station *station, u32 address)
{
	u8 frame[60] = { 0 };

	memset(frame, 0xff, ETHERNET_MAC);
	memcpy(frame + 6, station->mac, ETHERNET_MAC);
	put16(frame + 12, TYPE_ARP);
	put16(frame + 14, 1);
	put16(frame + 16, TYPE_IP);
	frame[18] = 6;
	frame[19] = 4;
	put16(frame + 20, 1);
	memcpy(frame + 22, station->mac, ETHERNET_MAC);
	put32(frame + 28, station->ip);
	put32(frame + 38, address);
	station_queue(station, frame, sizeof(frame));
}

void station_ping(struct station *station, u32 address, u16 sequence, size_t size)
{
	u8 *icmp = calloc(1, 8 + size);

	icmp[0] = 8;
	put16(icmp + 4, 0x1234);
	put16(icmp + 6, sequence);
	for (size_t i = 0; i < size; i++)
		icmp[8 + i] = (u8)(i * 7 + sequence);
	put16(icmp + 2, ip_sum(icmp, 8 + size, 0));
	station_ip(station, station->peer_mac, address, ICMP, icmp, 8 + size);
	free(icmp);
}

static u32 pseudo_sum(u32 from, u32 to, u8 protocol, size_t length)
{
	return (from >> 16) + (from & 0xffff) + (to >> 16) + (to & 0xffff) + protocol + (u32)length;
}

static void send_udp(struct station *station, const u8 *mac, u32 to, u16 from_port, u16 to_port,
		     const void *data, size_t length)
{
	u8 udp[1480];

	put16(udp, from_port);
	put16(udp + 2, to_port);
	put16(udp + 4, (u16)(8 + length));
	put16(udp + 6, 0);
	memcpy(udp + 8, data, length);
	put16(udp + 6, ip_sum(udp, 8 + length, pseudo_sum(station->ip, to, UDP, 8 + length)));
	station_ip(station, mac, to, UDP, udp, 8 + length);
}

static void send_tcp(struct station *station, const struct client *client, u8 flags, const void *data,
		     size_t length)
{
	u8 tcp[1480] = { 0 };

	put16(tcp, client->port);
	put16(tcp + 2, 80);
	put32(tcp + 4, client->next_send);
	put32(tcp + 8, flags & ACK ? client->next_receive : 0);
	tcp[12] = TCP_HEADER / 4 << 4;
	tcp[13] = flags;
	put16(tcp + 14, client->window);
	if (length)
		memcpy(tcp + TCP_HEADER, data, length);
	put16(tcp + 16, ip_sum(tcp, TCP_HEADER + length,
			       pseudo_sum(station->ip, station->peer_ip, TCP, TCP_HEADER + length)));
	station_ip(station, station->peer_mac, station->peer_ip, TCP, tcp, TCP_HEADER + length);
}

/* ---- DHCP ---- */

static const u8 magic[] = { 99, 130, 83, 99 };

void station_dhcp(struct station *station, u8 type, u32 address)
{
	static const u8 everybody[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	u8 m[300] = { 1, 1, 6, 0, 1, 2, 3, 4 };
	u32 ip = station->ip;

	memcpy(m + 28, station->mac, ETHERNET_MAC);
	memcpy(m + 236, magic, sizeof(magic));
	m[240] = 53, m[241] = 1, m[242] = type;
	if (address) {
		m[243] = 50, m[244] = 4;
		put32(m + 245, address);
		m[249] = 255;
	} else {
		m[243] = 255;
	}
	station->ip = 0;
	send_udp(station, everybody, ~0u, 68, 67, m, sizeof(m));
	station->ip = ip;
}

static u8 dhcp_type(const u8 *m, size_t length)
{
	for (size_t i = 240; i + 2 < length && m[i] != 255; i += m[i] ? 2 + (size_t)m[i + 1] : 1)
		if (m[i] == 53)
			return m[i + 2];
	return 0;
}

/* As a server on the wire. */
static void dhcp_request(struct station *station, const u8 *m, size_t length)
{
	static const u8 everybody[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	u8 reply[300] = { 2, 1, 6 }, type = dhcp_type(m, length);
	u8 *at = reply + 240;

	if (!station->lease || (type != 1 && type != 3))
		return;
	station->discovers += type == 1;
	station->requests += type == 3;
	memcpy(reply + 4, m + 4, 4);
	put32(reply + 16, station->lease);
	memcpy(reply + 28, m + 28, 16);
	memcpy(reply + 236, magic, sizeof(magic));
	*at++ = 53, *at++ = 1, *at++ = type == 1 ? 2 : 5;
	*at++ = 54, *at++ = 4, put32(at, station->ip), at += 4;
	*at++ = 51, *at++ = 4, put32(at, 3600), at += 4;
	*at++ = 1, *at++ = 4, put32(at, 0xffffff00), at += 4;
	*at++ = 3, *at++ = 4, put32(at, station->ip), at += 4;
	*at = 255;
	send_udp(station, everybody, ~0u, 67, 68, reply, sizeof(reply));
}

static void dhcp_reply(struct station *station, const u8 *m, size_t length)
{
	if (memcmp(m + 28, station->mac, ETHERNET_MAC) != 0)
		return;
	switch (dhcp_type(m, length)) {
	case 2:
		station->offered = get32(m + 16);
		break;
	case 5:
		station->acknowledged = get32(m + 16);
		break;
	case 6:
		station->nak++;
		break;
	}
}

/* ---- TCP ---- */

struct client *client_connect(struct station *station, u16 window)
{
	for (unsigned i = 0; i < STATION_CLIENTS; i++) {
		struct client *client = &station->clients[i];

		if (client->state != CLIENT_FREE)
			continue;
		if (station->next_port < 20000)
			station->next_port = 20000;
		*client = (struct client){ .state = CLIENT_SYN_SENT,
					   .port = station->next_port++,
					   .next_send = 1000 * i,
					   .window = window };
		send_tcp(station, client, SYN, NULL, 0);
		client->next_send++;
		return client;
	}
	abort();
}

void client_send(struct station *station, struct client *client, const void *data, size_t length)
{
	const u8 *bytes = data;

	while (length) {
		size_t piece = MIN(length, 1400u);

		send_tcp(station, client, ACK | PSH, bytes, piece);
		client->next_send += (u32)piece;
		bytes += piece;
		length -= piece;
	}
}

void client_ack(struct station *station, const struct client *client)
{
	if (client->state == CLIENT_OPEN)
		send_tcp(station, client, ACK, NULL, 0);
}

void client_retry(struct station *station, struct client *client)
{
	if (client->state != CLIENT_SYN_SENT)
		return;
	client->next_send--;
	send_tcp(station, client, SYN, NULL, 0);
	client->next_send++;
}

void client_forget(struct client *client)
{
	free(client->received);
	*client = (struct client){ 0 };
}

struct client *client_fetch(struct station *station, const char *request, u64 milliseconds)
{
	struct client *client = client_connect(station, 65535);

	for (u64 i = 0; i < milliseconds && client->state == CLIENT_SYN_SENT; i++)
		net_rig_run(1);
	if (client->state == CLIENT_OPEN)
		client_send(station, client, request, strlen(request));
	for (u64 i = 0; i < milliseconds && client->state == CLIENT_OPEN; i++)
		net_rig_run(1);
	return client;
}

static void tcp_input(struct station *station, const u8 *tcp, size_t length)
{
	size_t header = (size_t)(tcp[12] >> 4) * 4, data = length - header;
	u8 flags = tcp[13];
	struct client *client = NULL;

	for (unsigned i = 0; i < STATION_CLIENTS; i++)
		if (station->clients[i].state != CLIENT_FREE && station->clients[i].port == get16(tcp + 2))
			client = &station->clients[i];
	if (!client || client->silent)
		return;
	if (flags & RST) {
		station->resets++;
		client->state = CLIENT_RESET;
		return;
	}
	if (client->state == CLIENT_SYN_SENT && flags & SYN) {
		client->next_receive = get32(tcp + 4) + 1;
		client->state = CLIENT_OPEN;
		send_tcp(station, client, ACK, NULL, 0);
		return;
	}
	if (get32(tcp + 4) == client->next_receive && (data || flags & FIN)) {
		if (client->length + data + 1 > client->room) {
			client->room = 2 * (client->length + data + 1);
			client->received = realloc(client->received, client->room);
		}
		memcpy(client->received + client->length, tcp + header, data);
		client->length += data;
		client->received[client->length] = '\0';
		client->next_receive += (u32)data;
		if (flags & FIN) {
			client->next_receive++;
			client->state = CLIENT_CLOSED;
			send_tcp(station, client, ACK | FIN, NULL, 0);
			client->next_send++;
			return;
		}
	}
	if (data)
		send_tcp(station, client, ACK, NULL, 0);
}

/* ---- receiving ---- */

static void arp_input(struct station *station, const u8 *frame)
{
	u8 reply[60] = { 0 };

	if (get32(frame + 28) == rig.net.ipv4.address) {
		memcpy(station->peer_mac, frame + 22, ETHERNET_MAC);
		station->peer_ip = get32(frame + 28);
	}
	if (get16(frame + 20) != 1 || get32(frame + 38) != station->ip)
		return;
	memcpy(reply, frame, sizeof(reply) < 42 ? sizeof(reply) : 42);
	memcpy(reply, frame + 6, ETHERNET_MAC);
	memcpy(reply + 6, station->mac, ETHERNET_MAC);
	put16(reply + 20, 2);
	memcpy(reply + 32, frame + 22, 10);
	memcpy(reply + 22, station->mac, ETHERNET_MAC);
	put32(reply + 28, station->ip);
	station_queue(station, reply, sizeof(reply));
}

static void ip_input(struct station *station, const u8 *ip, size_t length)
{
	size_t total = get16(ip + 2);
	const u8 *payload = ip + IP_HEADER;

	if (total > length || total < IP_HEADER + 8 || ip_sum(ip, IP_HEADER, 0) != 0)
		return;
	total -= IP_HEADER;
	if (ip[9] == ICMP && get32(ip + 16) == station->ip) {
		if ((get16(ip + 6) & 0x1fff) == 0 && payload[0] == 0)
			station->echo_replies++;
		station->echo_bytes += total;
	} else if (ip[9] == TCP && total >= TCP_HEADER && get32(ip + 16) == station->ip) {
		if (ip_sum(payload, total, pseudo_sum(get32(ip + 12), get32(ip + 16), TCP, total)) == 0)
			tcp_input(station, payload, total);
	} else if (ip[9] == UDP && total > 8 + 240) {
		if (get16(payload + 2) == 67)
			dhcp_request(station, payload + 8, total - 8);
		else if (get16(payload + 2) == 68)
			dhcp_reply(station, payload + 8, total - 8);
	}
}

static bool station_send(struct ethernet_port *port, const void *frame, size_t length)
{
	struct station *station = container_of(port, struct station, port);
	const u8 *bytes = frame;

	if (!port->link) {
		port->counters.tx_no_link++;
		return false;
	}
	port->counters.tx_frames++;
	station->frames++;
	memcpy(station->last, frame, length);
	station->last_length = length;
	if (station->tap)
		station->tap(station, bytes, length);
	if (get16(bytes + 12) == TYPE_ARP && length >= 42)
		arp_input(station, bytes);
	else if (get16(bytes + 12) == TYPE_IP && length >= ETHERNET_HEADER + IP_HEADER)
		ip_input(station, bytes + ETHERNET_HEADER, length - ETHERNET_HEADER);
	return true;
}

static unsigned station_poll(struct ethernet_port *port, unsigned budget)
{
	struct station *station = container_of(port, struct station, port);
	unsigned taken = 0;

	for (; taken < budget && station->queue_first != station->queue_end; taken++) {
		unsigned slot = station->queue_first++ % STATION_QUEUE;

		ethernet_received(port, station->queue[slot], station->queue_length[slot]);
	}
	return taken;
}

/* ---- time ---- */

static u64 rig_now(void *source)
{
	(void)source;
	return rig.now += rig.cost;
}

static void rig_earlier(void *owner)
{
	(void)owner;
	rig.earlier++;
}

void net_rig_run(u64 milliseconds)
{
	u64 end = rig.now + milliseconds * (NET_RIG_HZ / 1000);

	while (network_next(&rig.net) <= end) {
		rig.now = MAX(rig.now, network_next(&rig.net));
		network_slice(&rig.net);
	}
	rig.now = MAX(rig.now, end);
}

static void init_station(struct station *station, const char *name, u8 number, u32 ip, bool polled)
{
	station->mac[0] = 0x02;
	station->mac[5] = number;
	station->ip = ip;
	station->port = (struct ethernet_port){
		.name = name, .link = true, .polled = polled, .send = station_send, .poll = station_poll
	};
	memcpy(station->port.mac, station->mac, ETHERNET_MAC);
}

void net_rig_start(enum network_mode mode)
{
	struct network_config config = { .clock = &rig.clock,
					 .mac = SLUICE_MAC,
					 .host_name = "sluice",
					 .mode = mode,
					 .ipv4 = { 0x0a000001, 0x0a0000fe, 24 },
					 .earlier = rig_earlier };

	rig.now = 12345;
	rig.cost = 1000;
	rig.clock = (struct clock){ .now = rig_now, .hz = NET_RIG_HZ };
	init_station(&rig.wire, "wire", 0x10, 0x0a000010, true);
	init_station(&rig.guest, "guest", 0x20, 0x0a000020, false);
	if (!network_init(&rig.net, &config))
		abort();
	network_attach(&rig.net, NETWORK_WIRE, &rig.wire.port);
	network_attach(&rig.net, NETWORK_GUEST, &rig.guest.port);
}
