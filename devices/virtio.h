/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all virtio devices have in common: numbers of VIRTIO 1.2, sections 2.1, 5 and 6. The feature bits that
 * queues know are in virtqueue.h.
 */
#ifndef DEVICES_VIRTIO_H
#define DEVICES_VIRTIO_H

#include "mm/types.h"

enum virtio_id {
	VIRTIO_ID_NETWORK = 1,
	VIRTIO_ID_BLOCK = 2,
	VIRTIO_ID_CONSOLE = 3,
	VIRTIO_ID_ENTROPY = 4,
};

/* device_status */
#define VIRTIO_STATUS_ACKNOWLEDGE 0x01u
#define VIRTIO_STATUS_DRIVER	  0x02u
#define VIRTIO_STATUS_DRIVER_OK	  0x04u
#define VIRTIO_STATUS_FEATURES_OK 0x08u
#define VIRTIO_STATUS_NEEDS_RESET 0x40u
#define VIRTIO_STATUS_FAILED	  0x80u

#define VIRTIO_F_VERSION_1	 BIT(32)
#define VIRTIO_F_ACCESS_PLATFORM BIT(33) /* all addresses go through the IOMMU */

#endif
