/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network: a bridge between the machine's NIC and the guest's virtual one, and Sluice's own place on it. The stack is
 * lwIP (devices/lwip/), which has one state in a program: there is one network.
 *
 *	wire (ethernet_port) --+-- bridge --+-- guest (ethernet_port)
 *			       |	    |
 *			  lwIP: ARP, DHCP, ICMP, TCP, HTTP
 *
 * Either port may be missing, and may come and go. All work is done in slices, on the caller's CPU: a slice takes a bounded
 * number of frames and of ticks, and is followed by a rest of twice its length, so that no flood from either side takes more
 * than a third of the CPU's time from the guest.
 *
 * Frames between the ports use one static buffer, never lwIP's memory: what is done to Sluice's own stack does not stop them.
 * An assertion of lwIP's that fails ends the network with one line in the log, and nothing else.
 */
#ifndef DEVICES_NETWORK_H
#define DEVICES_NETWORK_H

#include "devices/ethernet.h"
#include "devices/timer.h"
#include "mm/log.h"
#include "mm/types.h"

/* Bounds of a slice: frames of both ports; part of a second after which no further frames are taken. */
#define NETWORK_SLICE_FRAMES 32
#define NETWORK_SLICE_HZ     5000u
/* Rest after a slice, in lengths of it. */
#define NETWORK_REST 2
/* A port that must be polled: so often while frames come, and when none have come for a while. */
#define NETWORK_BUSY_HZ 20000u
#define NETWORK_IDLE_HZ 200u

enum network_slot { NETWORK_WIRE, NETWORK_GUEST, NETWORK_PORTS };

enum network_mode {
	NETWORK_SILENT, /* no address: bridge only */
	NETWORK_STATIC,
	NETWORK_DHCP,
	/* A static address on a net of its own, where the guest gets the next address by DHCP: for machines without a NIC. */
	NETWORK_ALONE,
};

/* Numbers as in text: 10.0.2.15 is 0x0a00020f. 0: none. */
struct network_ipv4 {
	u32 address, gateway;
	u8 prefix; /* bits of the net's number */
};

struct network_config {
	const struct clock *clock; /* outlives the network */
	u8 mac[ETHERNET_MAC];	   /* Sluice's own: the NIC's where there is one */
	const char *host_name;	   /* told to the DHCP server; kept */
	enum network_mode mode;
	struct network_ipv4 ipv4; /* NETWORK_STATIC, NETWORK_ALONE */
	/* Random bytes; false: none now. May be null: then peers may guess connections' sequence numbers. */
	bool (*entropy)(void *owner, void *bytes, size_t length);
	/* Before each frame of a slice: what cannot wait for the slice's end. May be null. */
	void (*between)(void *owner);
	/* network_next() moved forward. May be null, where slices are called often enough. */
	void (*earlier)(void *owner);
	void *owner;
};

struct network_counters {
	u64 slices, frames;    /* polled from either port */
	u64 rests;	       /* slices that left work for later */
	u64 longest_slice;     /* ticks */
	u64 longest_wait;      /* ticks from when a slice was due until it began */
	u64 local;	       /* frames for Sluice itself, broadcasts among them */
	u64 dropped_no_memory; /* of those: lwIP's buffers were all in use */
	u64 dropped_reserved;  /* 01:80:c2:00:00:0x, which no bridge forwards (IEEE 802.1D, 7.12.6) */
	u64 dropped_reentrant; /* a port delivered a frame while another one was being delivered */
	u64 addresses;	       /* how often Sluice got another address */
};

struct network_port {
	struct network *net;
	struct ethernet_port *port; /* null: there is none */
};

struct network {
	struct network_config config;
	struct network_port ports[NETWORK_PORTS];
	struct network_counters counters;
	struct network_ipv4 ipv4; /* at present */
	u64 next;		  /* tick at which network_slice() has something to do */
	u64 rest_until;
	u64 poll_ticks; /* until a polled port is looked at again */
	unsigned first; /* port that is polled first */
	bool failed;	/* an assertion of lwIP's did not hold */
	bool inside;	/* lwIP is running */
	u64 random;	/* without entropy */
	struct log_rate rate;
	u8 frame[ETHERNET_FRAME_MAX];
};

/* Once in a program. False: there is one already, or lwIP does not start; said by log_error. */
bool network_init(struct network *net, const struct network_config *config);

/* The port's lower half is the network's until it is detached. A slot holds one port. */
void network_attach(struct network *net, enum network_slot slot, struct ethernet_port *port);
void network_detach(struct network *net, enum network_slot slot); /* harmless if there is none */

/* Does what is due. Returns network_next(). Not from inside a port. */
u64 network_slice(struct network *net);

/* The tick at which it wants to be called again; TIMER_NEVER if the network has failed. */
static inline u64 network_next(const struct network *net)
{
	return net->next;
}

/*
 * Calls into lwIP for network_*.c: false, and the network is over, if an assertion fails on the way. May be nested.
 */
bool network_call(struct network *net, void (*call)(void *argument), void *argument);

#endif
