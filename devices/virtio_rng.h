/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtio entropy device (VIRTIO 1.2, section 5.4): fills buffers with what the board's source gives. */
#ifndef DEVICES_VIRTIO_RNG_H
#define DEVICES_VIRTIO_RNG_H

#include "devices/virtio_pci.h"

#define VIRTIO_RNG_QUEUE_SIZE 16
/* Bytes that one request gets; a driver that wants more asks again. */
#define VIRTIO_RNG_BYTES_MAX 256u

struct virtio_rng {
	struct virtio_device dev;
	/* `length` random bytes; false: none just now. */
	bool (*entropy)(void *owner, void *bytes, size_t length);
	void *owner;
	unsigned tries;	   /* of the request at hand, in vain */
	u64 given, failed; /* bytes, since virtio_rng_init; requests that ended without any */
	struct virtio_queue queue;
	struct virtq_segment segments[VIRTIO_RNG_QUEUE_SIZE];
};

/* Ready for pci_add(). */
void virtio_rng_init(struct virtio_rng *rng, const struct virtio_setup *setup,
		     bool (*entropy)(void *owner, void *bytes, size_t length), void *owner);

#endif
