/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of virtio devices share: a driver for the modern PCI transport that does as Linux does, on the
 * board of pci_rig.h, with a naive driver for each queue.
 */
#ifndef TESTS_UNIT_VIRTIO_RIG_H
#define TESTS_UNIT_VIRTIO_RIG_H

#include "tests/unit/host_log.h"
#include "tests/unit/pci_rig.h"

#include "devices/virtio_pci.h"
#include "tests/unit/virtq_driver.h"

#define VR_SLOT	 PCI_DEVFN(5, 0)
#define VR_WIRE	 5
#define VR_BAR	 0xc0100000ull
#define VR_MSIX	 0xc0200000ull
#define VR_TICKS 1500 /* of the rig's 30 MHz: VIRTIO_PAUSE_HZ */

/* Pages of BAR 0. */
#define VR_COMMON 0x0000
#define VR_ISR	  0x1000
#define VR_CONFIG 0x2000
#define VR_NOTIFY 0x3000

/* Common configuration. */
enum {
	VR_DEVICE_FEATURE_SELECT = 0x00,
	VR_DEVICE_FEATURE = 0x04,
	VR_DRIVER_FEATURE_SELECT = 0x08,
	VR_DRIVER_FEATURE = 0x0c,
	VR_CONFIG_VECTOR = 0x10,
	VR_NUM_QUEUES = 0x12,
	VR_STATUS = 0x14,
	VR_GENERATION = 0x15,
	VR_QUEUE_SELECT = 0x16,
	VR_QUEUE_SIZE = 0x18,
	VR_QUEUE_VECTOR = 0x1a,
	VR_QUEUE_ENABLE = 0x1c,
	VR_QUEUE_NOTIFY_OFF = 0x1e,
	VR_QUEUE_DESC = 0x20,
	VR_QUEUE_DRIVER = 0x28,
	VR_QUEUE_DEVICE = 0x30,
};

#define VR_NEEDED (VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM)

/* Where things are in guest RAM. */
#define VR_RINGS(queue) (0x1000ull + 0x2000 * (queue))
#define VR_DATA		0x8000ull
#define VR_QUEUES	2

struct virtio_rig {
	struct pci_rig *pci;
	struct virtio_device *dev;
	struct virtq_driver queue[VR_QUEUES];
};

static inline u64 vr_get(struct virtio_rig *rig, u64 offset, unsigned size)
{
	return pci_rig_load(rig->pci, VR_BAR + offset, size);
}

static inline void vr_set(struct virtio_rig *rig, u64 offset, unsigned size, u64 value)
{
	pci_rig_store(rig->pci, VR_BAR + offset, size, value);
}

static inline u8 vr_status(struct virtio_rig *rig)
{
	return vr_get(rig, VR_STATUS, 1);
}

static inline u8 *vr_at(void *memory, u64 address)
{
	assert_true(address < RIG_RAM_SIZE);
	return ((struct pci_rig *)memory)->bytes + address;
}

/* The device is initialised: puts it on the bus, its BARs at VR_BAR and VR_MSIX. */
static inline void vr_plug(struct virtio_rig *rig, struct virtio_device *dev)
{
	rig->dev = dev;
	assert_int_equal(pci_add(&rig->pci->host, &dev->pci, VR_SLOT, &rig->pci->dma), 0);
	pci_place_bar(&dev->pci, VIRTIO_PCI_REGISTER_BAR, VR_BAR);
	pci_place_bar(&dev->pci, VIRTIO_PCI_MSIX_BAR, VR_MSIX);
	pci_rig_set_config(rig->pci, VR_SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	host_log_reset();
}

/* How many parts of its rings the device has mapped. */
static inline unsigned vr_mapped(const struct virtio_rig *rig)
{
	unsigned count = 0;

	for (unsigned i = 0; i < rig->dev->type->queue_count; i++) {
		for (unsigned j = 0; j < ARRAY_SIZE(rig->dev->queues[i].q.area); j++)
			count += mem_map_valid(&rig->dev->queues[i].q.area[j].mapping);
	}
	return count;
}

static inline void vr_unplug(struct virtio_rig *rig)
{
	virtio_reset(rig->dev);
	assert_int_equal(vr_mapped(rig), 0);
	region_remove(&rig->dev->bar);
	region_remove(&rig->dev->pci.msix.region);
	pci_rig_free(rig->pci);
}

static inline u64 vr_offered(struct virtio_rig *rig)
{
	u64 low;

	vr_set(rig, VR_DEVICE_FEATURE_SELECT, 4, 0);
	low = vr_get(rig, VR_DEVICE_FEATURE, 4);
	vr_set(rig, VR_DEVICE_FEATURE_SELECT, 4, 1);
	return low | vr_get(rig, VR_DEVICE_FEATURE, 4) << 32;
}

static inline void vr_accept(struct virtio_rig *rig, u64 features)
{
	vr_set(rig, VR_DRIVER_FEATURE_SELECT, 4, 0);
	vr_set(rig, VR_DRIVER_FEATURE, 4, (u32)features);
	vr_set(rig, VR_DRIVER_FEATURE_SELECT, 4, 1);
	vr_set(rig, VR_DRIVER_FEATURE, 4, features >> 32);
}

/* Reset, acknowledged, features: true if the device took them. */
static inline bool vr_negotiate(struct virtio_rig *rig, u64 features)
{
	vr_set(rig, VR_STATUS, 1, 0);
	assert_int_equal(vr_status(rig), 0);
	vr_set(rig, VR_STATUS, 1, 1);
	vr_set(rig, VR_STATUS, 1, 3);
	vr_accept(rig, features);
	vr_set(rig, VR_STATUS, 1, 0xb);
	return vr_status(rig) == 0xb;
}

static inline void vr_set_address(struct virtio_rig *rig, unsigned offset, u64 address)
{
	vr_set(rig, offset, 4, (u32)address);
	vr_set(rig, offset + 4, 4, address >> 32);
}

/* Tells the device where a queue is; enabled or not. */
static inline void vr_place_queue(struct virtio_rig *rig, unsigned queue, u16 size, bool enable)
{
	u64 features = rig->dev->accepted;

	vr_set(rig, VR_QUEUE_SELECT, 2, queue);
	vr_set(rig, VR_QUEUE_SIZE, 2, size);
	vr_set_address(rig, VR_QUEUE_DESC, VR_RINGS(queue));
	vr_set_address(rig, VR_QUEUE_DRIVER, VR_RINGS(queue) + 0x1000);
	vr_set_address(rig, VR_QUEUE_DEVICE, VR_RINGS(queue) + 0x1400);
	vr_set(rig, VR_QUEUE_VECTOR, 2, queue);
	rig->queue[queue].at = vr_at;
	rig->queue[queue].memory = rig->pci;
	driver_init(&rig->queue[queue], size, features & VIRTIO_F_RING_PACKED, features & VIRTIO_F_EVENT_IDX,
		    VR_RINGS(queue), VR_RINGS(queue) + 0x1000, VR_RINGS(queue) + 0x1400);
	if (enable)
		vr_set(rig, VR_QUEUE_ENABLE, 2, 1);
}

/* Vector n sends data 0x40 + n; the last one is for the configuration. */
static inline void vr_use_msix(struct virtio_rig *rig)
{
	u8 at = rig->dev->pci.msix.offset;

	for (unsigned i = 0; i <= rig->dev->type->queue_count; i++) {
		pci_rig_store(rig->pci, VR_MSIX + 16 * i, 4, 0xfee00000);
		pci_rig_store(rig->pci, VR_MSIX + 16 * i + 8, 4, 0x40 + i);
		pci_rig_store(rig->pci, VR_MSIX + 16 * i + 12, 4, 0);
	}
	pci_rig_set_config(rig->pci, VR_SLOT, at + 2, 2, 0x8000);
}

static inline u32 vr_last_message(struct virtio_rig *rig)
{
	return rig->pci->messages ? rig->pci->message[(rig->pci->messages - 1) % RIG_MESSAGES_MAX].data : 0;
}

/* All of it: the device is in use with `queues` queues of `size`, with MSI-X. */
static inline void vr_start(struct virtio_rig *rig, u64 features, unsigned queues, u16 size)
{
	assert_true(vr_negotiate(rig, features | VR_NEEDED));
	vr_use_msix(rig);
	vr_set(rig, VR_CONFIG_VECTOR, 2, rig->dev->type->queue_count);
	for (unsigned i = 0; i < queues; i++)
		vr_place_queue(rig, i, size, true);
	vr_set(rig, VR_STATUS, 1, 0xf);
	assert_int_equal(vr_status(rig), 0xf);
}

static inline void vr_notify(struct virtio_rig *rig, u16 queue)
{
	vr_set(rig, VR_NOTIFY, 2, queue);
}

/* Lets the timers run that are due after `ticks`. */
static inline void vr_pass(struct virtio_rig *rig, u64 ticks)
{
	rig->pci->now += ticks;
	timer_queue_run(&rig->pci->queue, rig->pci->now);
}

static inline struct virtio_setup vr_setup(struct virtio_rig *rig, const char *name)
{
	return (struct virtio_setup){ .name = name, .clock = &rig->pci->clock, .timers = &rig->pci->queue };
}

#endif
