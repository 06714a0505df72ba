/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio network device (VIRTIO 1.2, section 5.1), one pair of queues. Its other end is an ethernet_port:
 *
 *	the guest transmits	notification -> port.ready() ... port.poll() -> port.receive(), a frame at a time
 *	the guest receives	port.send() -> its buffers, one or, if negotiated, several (MRG_RXBUF)
 *
 * The guest's CPU is held up by a transmitted frame only as long as it takes to say ready(); while frames wait for the
 * next poll it need not notify again. A frame is read out of the guest's memory once, into port.room where there is one.
 *
 * Offloaded is the checksum of what the guest sends (CSUM): with it Linux hands over frames in pieces instead of copying
 * them into one. Not offered: GUEST_CSUM, for the bridge behind the port knows of no frame whether somebody has already
 * judged its checksum; segmentation in either direction, for the NIC has none.
 */
#ifndef DEVICES_VIRTIO_NET_H
#define DEVICES_VIRTIO_NET_H

#include "devices/ethernet.h"
#include "devices/virtio_pci.h"

#define VIRTIO_NET_QUEUE_SIZE 256

#define VIRTIO_NET_F_CSUM      BIT(0)
#define VIRTIO_NET_F_MTU       BIT(3)
#define VIRTIO_NET_F_MAC       BIT(5)
#define VIRTIO_NET_F_MRG_RXBUF BIT(15)
#define VIRTIO_NET_F_STATUS    BIT(16)

#define VIRTIO_NET_S_LINK_UP 1u

enum virtio_net_queue { VIRTIO_NET_RECEIVE, VIRTIO_NET_TRANSMIT, VIRTIO_NET_QUEUES };

/* A frame is spread over no more buffers, of no more segments in all. */
#define VIRTIO_NET_MERGE_BUFFERS  16
#define VIRTIO_NET_MERGE_SEGMENTS 64

/* 5.1.4 */
struct virtio_net_config {
	u8 mac[ETHERNET_MAC];
	u16 status, max_virtqueue_pairs, mtu;
};
static_assert(sizeof(struct virtio_net_config) == 12, "VIRTIO 1.2, 5.1.4");

/* 5.1.6, in front of each frame, in both directions */
struct virtio_net_hdr {
	u8 flags, gso_type;
	u16 hdr_len, gso_size, csum_start, csum_offset, num_buffers;
};
static_assert(sizeof(struct virtio_net_hdr) == 12, "VIRTIO 1.2, 5.1.6");

struct virtio_net {
	struct virtio_device dev;
	struct virtio_net_config config;
	struct ethernet_port port; /* link: the driver has given buffers to receive into */
	bool polling;
	unsigned budget; /* of the poll: frames that may still be taken */
	/* The frame that the guest is to get now. */
	const u8 *frame;
	u32 length;
	bool delivered;
	/* Buffers that were taken from the guest and not given back, for they are too small each. */
	struct virtq_chain held[VIRTIO_NET_MERGE_BUFFERS];
	struct virtq_segment held_segments[VIRTIO_NET_MERGE_SEGMENTS];
	unsigned held_count, held_segment_count;
	u64 held_length;
	u64 checksums, merged;	       /* completed; frames in several buffers: since virtio_net_init */
	u8 buffer[ETHERNET_FRAME_MAX]; /* where there is no port.room */
	struct virtio_queue queues[VIRTIO_NET_QUEUES];
	struct virtq_segment segments[VIRTIO_NET_QUEUES * VIRTIO_NET_QUEUE_SIZE];
};

/* Ready for pci_add(), and net->port for its owner. `mac`: the address that the guest sees as its own. */
void virtio_net_init(struct virtio_net *net, const struct virtio_setup *setup, const u8 mac[ETHERNET_MAC]);

/* Tells the guest whether its cable is plugged in, as it is at first. Frames that it sends all the same are delivered. */
void virtio_net_set_link(struct virtio_net *net, bool up);

#endif
