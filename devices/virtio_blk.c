// SPDX-License-Identifier: BSD-2-Clause
/*
 * Requests of the virtio block device. Each is {header | data | status}: what of it the device reads comes first,
 * then what it writes; the driver may cut it into segments anywhere.
 */
#include "devices/virtio_blk.h"

#include <string.h>

enum { BLK_IN = 0, BLK_OUT = 1, BLK_FLUSH = 4, BLK_GET_ID = 8, BLK_DISCARD = 11, BLK_WRITE_ZEROES = 13 };
enum { BLK_OK = 0, BLK_IOERR = 1, BLK_UNSUPP = 2 };

struct blk_header {
	u32 type, reserved;
	u64 sector;
};
static_assert(sizeof(struct blk_header) == 16, "VIRTIO 1.2, 5.2.6");

/* Of DISCARD and WRITE_ZEROES. */
struct blk_range {
	u64 sector;
	u32 count, flags;
};
static_assert(sizeof(struct blk_range) == 16, "VIRTIO 1.2, 5.2.6");
#define RANGE_UNMAP 1u

static struct virtio_blk *blk_of(struct virtio_device *dev)
{
	return container_of(dev, struct virtio_blk, dev);
}

/* ---- what a request is about ---- */

/* `count` sectors from `sector` on become the request's; false: the disk has not as many. */
static bool take_sectors(struct virtio_blk *blk, u64 sector, u64 count)
{
	if (sector > blk->config.capacity || count > blk->config.capacity - sector)
		return false;
	blk->request.at = sector * VIRTIO_BLK_SECTOR;
	blk->request.length = count * VIRTIO_BLK_SECTOR;
	return true;
}

static u8 start_transfer(struct virtio_blk *blk, u64 sector, u64 bytes)
{
	if (bytes % VIRTIO_BLK_SECTOR || !take_sectors(blk, sector, bytes / VIRTIO_BLK_SECTOR))
		return BLK_IOERR;
	return BLK_OK;
}

/* One range a request, as the configuration says. */
static u8 start_zeroing(struct virtio_blk *blk, struct virtio_queue *queue, u32 type)
{
	bool discard = type == BLK_DISCARD;
	struct blk_range range;

	if (!(blk->dev.accepted & (discard ? VIRTIO_BLK_F_DISCARD : VIRTIO_BLK_F_WRITE_ZEROES)))
		return BLK_UNSUPP;
	if (queue->chain.readable_length != sizeof(struct blk_header) + sizeof(range) ||
	    virtq_read(&queue->q, &queue->chain, sizeof(struct blk_header), &range, sizeof(range)) != MEM_OK)
		return BLK_IOERR;
	if (range.flags & (discard ? ~0u : ~RANGE_UNMAP))
		return BLK_UNSUPP;
	if (!take_sectors(blk, range.sector, range.count))
		return BLK_IOERR;
	return BLK_OK;
}

static u8 give_id(struct virtio_blk *blk, struct virtio_queue *queue)
{
	u64 length = MIN(queue->chain.writable_length - 1, sizeof(blk->id));

	if (virtq_write(&queue->q, &queue->chain, 0, blk->id, length) != MEM_OK)
		return BLK_IOERR;
	queue->written = length;
	return BLK_OK;
}

static u8 start(struct virtio_blk *blk, struct virtio_queue *queue)
{
	struct blk_header header;

	blk->request.length = 0;
	if (virtq_read(&queue->q, &queue->chain, 0, &header, sizeof(header)) != MEM_OK)
		return BLK_IOERR;
	blk->request.type = header.type;
	switch (header.type) {
	case BLK_IN:
		return start_transfer(blk, header.sector, queue->chain.writable_length - 1);
	case BLK_OUT:
		if (blk->readonly)
			return BLK_IOERR;
		return start_transfer(blk, header.sector, queue->chain.readable_length - sizeof(header));
	case BLK_FLUSH:
		return BLK_OK;
	case BLK_GET_ID:
		return give_id(blk, queue);
	case BLK_DISCARD:
	case BLK_WRITE_ZEROES:
		if (blk->readonly)
			return BLK_IOERR;
		return start_zeroing(blk, queue, header.type);
	default:
		return BLK_UNSUPP;
	}
}

/* ---- doing it ---- */

/* As much as the share allows, a sector at least. */
static u8 go_on(struct virtio_blk *blk, struct virtio_queue *queue)
{
	u64 piece = MAX(queue->share, (s64)VIRTIO_BLK_SECTOR);
	u8 *disk = blk->disk + blk->request.at + queue->progress;
	enum mem_result result = MEM_OK;

	piece = MIN(piece, blk->request.length - queue->progress);
	switch (blk->request.type) {
	case BLK_IN:
		result = virtq_write(&queue->q, &queue->chain, queue->progress, disk, piece);
		break;
	case BLK_OUT:
		result = virtq_read(&queue->q, &queue->chain, sizeof(struct blk_header) + queue->progress,
				    disk, piece);
		break;
	default:
		memset(disk, 0, piece);
		break;
	}
	if (result != MEM_OK)
		return BLK_IOERR;
	if (blk->request.type == BLK_IN) {
		queue->written += piece;
		blk->bytes_read += piece;
	} else {
		blk->bytes_written += piece;
	}
	queue->progress += piece;
	queue->share -= piece;
	return BLK_OK;
}

/* `written` counts from the front without a gap: the status only if all before it was filled. */
static void finish(struct virtio_blk *blk, struct virtio_queue *queue)
{
	u64 at = queue->chain.writable_length - 1;

	blk->failed += blk->request.status != BLK_OK;
	if (virtq_write(&queue->q, &queue->chain, at, &blk->request.status, 1) == MEM_OK &&
	    queue->written == at)
		queue->written++;
}

static enum virtio_served serve(struct virtio_device *dev, struct virtio_queue *queue)
{
	struct virtio_blk *blk = blk_of(dev);

	if (!queue->progress) {
		if (queue->chain.readable_length < sizeof(struct blk_header) ||
		    !queue->chain.writable_length) {
			virtio_fail(dev, queue, "a request without header or status",
				    queue->chain.readable_length);
			return VIRTIO_WAIT;
		}
		blk->request.status = start(blk, queue);
	}
	if (blk->request.status == BLK_OK && queue->progress < blk->request.length) {
		blk->request.status = go_on(blk, queue);
		if (blk->request.status == BLK_OK && queue->progress < blk->request.length)
			return VIRTIO_LATER;
	}
	finish(blk, queue);
	return VIRTIO_DONE;
}

/* ---- configuration ---- */

static void config_written(struct virtio_device *dev, unsigned offset, unsigned size, u32 value)
{
	/* The driver may choose; without a cache both ways are the same. */
	if (offset == offsetof(struct virtio_blk_config, writeback) && size == 1 &&
	    dev->accepted & VIRTIO_BLK_F_CONFIG_WCE)
		blk_of(dev)->config.writeback = value & 1;
}

static void reset(struct virtio_device *dev)
{
	blk_of(dev)->config.writeback = 1;
}

static const struct virtio_type type = {
	.name = "block",
	.id = VIRTIO_ID_BLOCK,
	.class = 0x018000,
	.queue_count = 1,
	.queue_size = VIRTIO_BLK_QUEUE_SIZE,
	.config_size = sizeof(struct virtio_blk_config),
	.serve = serve,
	.config_written = config_written,
	.reset = reset,
};

void virtio_blk_init(struct virtio_blk *blk, const struct virtio_setup *setup,
		     const struct virtio_blk_disk *disk)
{
	u64 features =
		VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_BLK_SIZE | VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_CONFIG_WCE;

	features |= disk->readonly ? VIRTIO_BLK_F_RO : VIRTIO_BLK_F_DISCARD | VIRTIO_BLK_F_WRITE_ZEROES;
	*blk = (struct virtio_blk){
		.config = {
			.capacity = disk->size / VIRTIO_BLK_SECTOR,
			/* Beside the data a request has a header and a status. */
			.seg_max = VIRTIO_BLK_QUEUE_SIZE - 2,
			.blk_size = VIRTIO_BLK_SECTOR,
			.num_queues = 1,
			.max_discard_sectors = ~0u,
			.max_discard_seg = 1,
			.discard_sector_alignment = 1,
			.max_write_zeroes_sectors = ~0u,
			.max_write_zeroes_seg = 1,
			.write_zeroes_may_unmap = 1,
		},
		.disk = disk->memory,
		.readonly = disk->readonly,
	};
	if (disk->id)
		memcpy(blk->id, disk->id, MIN(strlen(disk->id), sizeof(blk->id)));
	virtio_init(&blk->dev, &type, setup, features, &blk->config, &blk->queue, blk->segments);
}
