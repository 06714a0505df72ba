// SPDX-License-Identifier: BSD-2-Clause
#include "devices/virtio_rng.h"

/* A hardware source may be empty when it is asked too often: so many times it is asked. */
#define TRIES 100u

static enum virtio_served serve(struct virtio_device *dev, struct virtio_queue *queue)
{
	struct virtio_rng *rng = container_of(dev, struct virtio_rng, dev);
	u32 length = MIN(queue->chain.writable_length, VIRTIO_RNG_BYTES_MAX);
	u8 bytes[VIRTIO_RNG_BYTES_MAX];

	if (!rng->entropy(rng->owner, bytes, length)) {
		if (++rng->tries < TRIES)
			return VIRTIO_LATER;
		/* A driver that waits for ever is worse off than one that got nothing. */
		length = 0;
		rng->failed++;
	}
	rng->tries = 0;
	if (virtq_write(&queue->q, &queue->chain, 0, bytes, length) == MEM_OK) {
		queue->written = length;
		rng->given += length;
	}
	return VIRTIO_DONE;
}

static void reset(struct virtio_device *dev)
{
	container_of(dev, struct virtio_rng, dev)->tries = 0;
}

static const struct virtio_type type = {
	.name = "entropy",
	.id = VIRTIO_ID_ENTROPY,
	.class = 0x00ff00,
	.queue_count = 1,
	.queue_size = VIRTIO_RNG_QUEUE_SIZE,
	.serve = serve,
	.reset = reset,
};

void virtio_rng_init(struct virtio_rng *rng, const struct virtio_setup *setup,
		     bool (*entropy)(void *owner, void *bytes, size_t length), void *owner)
{
	*rng = (struct virtio_rng){ .entropy = entropy, .owner = owner };
	virtio_init(&rng->dev, &type, setup, 0, NULL, &rng->queue, rng->segments);
}
