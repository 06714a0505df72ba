/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network core between two simulated stations: one on the wire, one in the guest's place. A station has an address,
 * answers ARP, counts what it sees, and can speak enough TCP to fetch a page: in order, nothing lost, one segment at a time.
 * Time stands still but for what a test lets pass.
 */
#ifndef TESTS_UNIT_NET_RIG_H
#define TESTS_UNIT_NET_RIG_H

#include "devices/http.h"
#include "devices/network.h"

#define NET_RIG_HZ	1000000000ull /* ticks a second */
#define STATION_QUEUE	1024
#define STATION_CLIENTS 128

#define SLUICE_MAC                                 \
	{                                          \
		0x02, 0x5a, 0x00, 0x00, 0x00, 0x01 \
	}

enum client_state { CLIENT_FREE, CLIENT_SYN_SENT, CLIENT_OPEN, CLIENT_CLOSED, CLIENT_RESET };

struct client {
	enum client_state state;
	u16 port; /* its own */
	u32 next_send, next_receive;
	u16 window;   /* that it offers */
	bool asked;   /* a test's */
	bool silent;  /* acknowledges nothing */
	u8 *received; /* malloc()ed, grows */
	size_t length, room;
};

struct station {
	struct ethernet_port port;
	u8 mac[ETHERNET_MAC];
	u32 ip;
	/* To be polled by the core. */
	u8 queue[STATION_QUEUE][ETHERNET_FRAME_MAX + 16];
	size_t queue_length[STATION_QUEUE];
	unsigned queue_first, queue_end;
	/* What it has seen. */
	u8 last[ETHERNET_FRAME_MAX]; /* the last frame */
	size_t last_length;
	u64 frames, echo_replies, echo_bytes, resets;
	u8 peer_mac[ETHERNET_MAC]; /* of Sluice, learnt by ARP */
	u32 peer_ip;
	struct client clients[STATION_CLIENTS];
	u16 next_port;
	/* DHCP: if not 0, offers this address to whoever asks. */
	u32 lease;
	unsigned discovers, requests;
	/* DHCP as a client: what was offered and acknowledged. */
	u32 offered, acknowledged;
	u8 nak;
	void (*tap)(struct station *station, const u8 *frame,
		    size_t length); /* sees each frame; may be null */
};

struct net_rig {
	struct network net;
	struct clock clock;
	u64 now;
	u64 cost; /* ticks that a look at the clock takes */
	unsigned earlier;
	struct station wire, guest;
};

extern struct net_rig rig;

/* Once in a program. Both stations are attached. */
void net_rig_start(enum network_mode mode);
/* Slices when they are due, for so much time. */
void net_rig_run(u64 milliseconds);

void station_queue(struct station *station, const void *frame, size_t length);
/* An Ethernet frame with an IP packet of this protocol to Sluice, headers and sums filled in. */
void station_ip(struct station *station, const u8 *to_mac, u32 to, u8 protocol, const void *payload,
		size_t length);
void station_arp(struct station *station, u32 address);
/* `size` bytes behind the ICMP header, in fragments if it must be. */
void station_ping(struct station *station, u32 address, u16 sequence, size_t size);
/* DISCOVER, or REQUEST for `address`. */
void station_dhcp(struct station *station, u8 type, u32 address);
u16 ip_sum(const void *data, size_t length, u32 start);

/* `window`: that it offers. */
struct client *client_connect(struct station *station, u16 window);
void client_send(struct station *station, struct client *client, const void *data, size_t length);
/* An acknowledgement with its window of now. */
void client_ack(struct station *station, const struct client *client);
/* Sends a lost SYN again. */
void client_retry(struct station *station, struct client *client);
void client_forget(struct client *client);
/* All of it: connects, sends, runs until closed or for so long. */
struct client *client_fetch(struct station *station, const char *request, u64 milliseconds);

#endif
