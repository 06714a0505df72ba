/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The virtio block device (VIRTIO 1.2, section 5.2) on a disk that is memory: what the guest reads and writes is
 * copied once, between the disk and its own buffers. A request may be as long as the disk; it is served in
 * pieces, and the guest runs in between.
 *
 * Discarded sectors are zero afterwards. There is no cache to flush: what is told done is in the disk. Of a write
 * that failed, the sectors that could not be fetched hold ones.
 */
#ifndef DEVICES_VIRTIO_BLK_H
#define DEVICES_VIRTIO_BLK_H

#include "devices/virtio_pci.h"

#define VIRTIO_BLK_QUEUE_SIZE 128
#define VIRTIO_BLK_SECTOR     512u
#define VIRTIO_BLK_ID_BYTES   20

#define VIRTIO_BLK_F_SEG_MAX	  BIT(2)
#define VIRTIO_BLK_F_RO		  BIT(5)
#define VIRTIO_BLK_F_BLK_SIZE	  BIT(6)
#define VIRTIO_BLK_F_FLUSH	  BIT(9)
#define VIRTIO_BLK_F_CONFIG_WCE	  BIT(11)
#define VIRTIO_BLK_F_DISCARD	  BIT(13)
#define VIRTIO_BLK_F_WRITE_ZEROES BIT(14)

/* 5.2.4 */
struct virtio_blk_config {
	u64 capacity; /* in sectors */
	u32 size_max, seg_max;
	u16 cylinders;
	u8 heads, sectors;
	u32 blk_size;
	u8 physical_block_exp, alignment_offset;
	u16 min_io_size;
	u32 opt_io_size;
	u8 writeback, unused0;
	u16 num_queues;
	u32 max_discard_sectors, max_discard_seg, discard_sector_alignment;
	u32 max_write_zeroes_sectors, max_write_zeroes_seg;
	u8 write_zeroes_may_unmap, unused1[3];
};
static_assert(sizeof(struct virtio_blk_config) == 0x40 &&
		      offsetof(struct virtio_blk_config, blk_size) == 0x14 &&
		      offsetof(struct virtio_blk_config, max_discard_sectors) == 0x24,
	      "VIRTIO 1.2, 5.2.4");

struct virtio_blk {
	struct virtio_device dev;
	struct virtio_blk_config config;
	u8 *disk;
	bool readonly;
	char id[VIRTIO_BLK_ID_BYTES]; /* padded with zeros */
	/* The request at hand: what is to be moved or made zero, in bytes, and how that went. */
	struct {
		u64 at, length;
		u32 type;
		u8 status;
	} request;
	u64 bytes_read, bytes_written, failed; /* since virtio_blk_init; failed: requests */
	struct virtio_queue queue;
	struct virtq_segment segments[VIRTIO_BLK_QUEUE_SIZE];
};

/* The disk and what its driver is told about it. */
struct virtio_blk_disk {
	void *memory;	/* outlives the device */
	u64 size;	/* bytes; what is beyond the last whole sector is not seen */
	bool readonly;	/* nothing is ever written to `memory` */
	const char *id; /* up to 20 characters; NULL: none */
};

/* Ready for pci_add(). */
void virtio_blk_init(struct virtio_blk *blk, const struct virtio_setup *setup,
		     const struct virtio_blk_disk *disk);

#endif
