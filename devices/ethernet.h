/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One end of an Ethernet link, as the network core (network.h) sees it: the machine's NIC, or the far end of the guest's
 * virtual one. A frame is plain bytes: 14 bytes of header, payload, no FCS (IEEE 802.3, 3.1.1); no VLAN tag is looked at.
 *
 * Whoever makes a port fills in the upper half and looks after the counters; the core fills in the lower half when the
 * port is handed to it. Nothing here is asynchronous.
 */
#ifndef DEVICES_ETHERNET_H
#define DEVICES_ETHERNET_H

#include "mm/types.h"

#define ETHERNET_MAC	   6
#define ETHERNET_HEADER	   14
#define ETHERNET_FRAME_MIN 14 /* without padding: whoever sends on a wire pads to 60 bytes */
#define ETHERNET_FRAME_MAX 1514

struct ethernet_header {
	u8 destination[ETHERNET_MAC], source[ETHERNET_MAC];
	u8 type[2]; /* big endian */
};
static_assert(sizeof(struct ethernet_header) == ETHERNET_HEADER, "IEEE 802.3, 3.1.1");

/* Seen from the port: rx came in from its side (wire, guest), tx went out to it. Bytes as in the frame. */
struct ethernet_counters {
	u64 rx_frames, rx_bytes, tx_frames, tx_bytes;
	u64 rx_malformed; /* shorter than a header, longer than a frame, or the ring or queue was not right */
	u64 rx_errors;	  /* the hardware said so: CRC, overrun */
	u64 tx_no_room;	  /* the ring is full, or the guest has given no buffer */
	u64 tx_no_link;	  /* no cable, no driver in the guest */
	u64 tx_malformed; /* not a frame by its length */
};

struct ethernet_port {
	const char *name;
	u8 mac[ETHERNET_MAC]; /* of the NIC; of the guest's: the one that the guest sees as its own */
	bool link;	      /* there is a cable, or a driver that listens; may change at any time */
	bool polled;	      /* never calls ready(): poll() is to be called now and then, also for `link` */
	/*
	 * Takes a frame of ETHERNET_FRAME_MIN to ETHERNET_FRAME_MAX bytes, which are copied before it returns. False: dropped,
	 * and counted.
	 */
	bool (*send)(struct ethernet_port *port, const void *frame, size_t length);
	/*
	 * Hands at most `budget` frames to receive(), in order. Returns how many it has taken from its ring or queue, good or
	 * bad: `budget` means that there may be more. Done work is given back to hardware or guest before it returns.
	 */
	unsigned (*poll)(struct ethernet_port *port, unsigned budget);
	struct ethernet_counters counters;

	/*
	 * The core's. receive() copies the bytes before it looks at them: they may lie in memory that a guest can write. It
	 * may send on every port, on this one too (an answer), and does not call poll(). ready() says that poll() has something
	 * to do; cheap, harmless at any time and from anywhere. Both are null while nobody has the port.
	 */
	void (*receive)(void *owner, const void *frame, size_t length);
	void (*ready)(void *owner);
	void *owner;
	/*
	 * Where receive() copies to: ETHERNET_FRAME_MAX bytes. A port that must put a frame together, or change it, does so
	 * there and hands on this address: then nothing is copied a second time. May be null.
	 */
	void *room;
};

static inline bool ethernet_frame_ok(size_t length)
{
	return length >= ETHERNET_FRAME_MIN && length <= ETHERNET_FRAME_MAX;
}

/* For ports: a frame came in. Counts it, and hands it on if somebody is there. */
static inline void ethernet_received(struct ethernet_port *port, const void *frame, size_t length)
{
	if (!ethernet_frame_ok(length)) {
		port->counters.rx_malformed++;
		return;
	}
	port->counters.rx_frames++;
	port->counters.rx_bytes += length;
	if (port->receive)
		port->receive(port->owner, frame, length);
}

#endif
