// SPDX-License-Identifier: BSD-2-Clause
/* The registers of a virtio function, and the capabilities that tell where they are: VIRTIO 1.2, section 4.1. */
#include "devices/virtio_pci.h"

#include <stdio.h>
#include <string.h>

/*
 * A register is named by its offset and the one width in which it answers: 8-bit fields by bytes, 16-bit ones
 * by words, wider ones by double words (4.1.3.1). Anything else reads as 0 and changes nothing.
 */
#define REGISTER(offset, size) ((offset) << 4 | (size))

enum common_register {
	DEVICE_FEATURE_SELECT = REGISTER(0x00, 4),
	DEVICE_FEATURE = REGISTER(0x04, 4),
	DRIVER_FEATURE_SELECT = REGISTER(0x08, 4),
	DRIVER_FEATURE = REGISTER(0x0c, 4),
	CONFIG_MSIX_VECTOR = REGISTER(0x10, 2),
	NUM_QUEUES = REGISTER(0x12, 2),
	DEVICE_STATUS = REGISTER(0x14, 1),
	CONFIG_GENERATION = REGISTER(0x15, 1),
	QUEUE_SELECT = REGISTER(0x16, 2),
	QUEUE_SIZE = REGISTER(0x18, 2),
	QUEUE_MSIX_VECTOR = REGISTER(0x1a, 2),
	QUEUE_ENABLE = REGISTER(0x1c, 2),
	QUEUE_NOTIFY_OFF = REGISTER(0x1e, 2), /* always 0 */
	QUEUE_DESC_LOW = REGISTER(0x20, 4),
	QUEUE_DESC_HIGH = REGISTER(0x24, 4),
	QUEUE_DRIVER_LOW = REGISTER(0x28, 4),
	QUEUE_DRIVER_HIGH = REGISTER(0x2c, 4),
	QUEUE_DEVICE_LOW = REGISTER(0x30, 4),
	QUEUE_DEVICE_HIGH = REGISTER(0x34, 4),
};
#define COMMON_LENGTH 0x38 /* without what comes with features that are not offered */

#define ISR_STATUS   REGISTER(0x00, 1)
#define QUEUE_NOTIFY REGISTER(0x00, 2)

/* struct virtio_pci_cap, 4.1.4, as offsets in configuration space. */
enum {
	CAP_LENGTH = 2,
	CAP_TYPE = 3,
	CAP_BAR = 4,
	CAP_OFFSET = 8,
	CAP_BYTES = 12,
	CAP_SIZE = 16,
	CAP_NOTIFY_MULTIPLIER = 16,
	CAP_WINDOW_DATA = 16,
	CAP_SIZE_WITH_MORE = 20,
};
#define CAPABILITY_VENDOR 0x09

enum { CAP_TYPE_COMMON = 1, CAP_TYPE_NOTIFY, CAP_TYPE_ISR, CAP_TYPE_DEVICE, CAP_TYPE_PCI };

/* ---- common configuration ---- */

/* NULL: there is no such queue. */
static struct virtio_queue *selected(struct virtio_device *dev)
{
	return dev->queue_select < dev->type->queue_count ? &dev->queues[dev->queue_select] : NULL;
}

static u32 feature_word(u64 features, u32 select)
{
	return select < 2 ? features >> (32 * select) : 0;
}

static void set_half(u64 *address, unsigned half, u32 value)
{
	*address = (*address & ~(0xffffffffull << (32 * half))) | (u64)value << (32 * half);
}

static u64 read_queue(const struct virtq *q, unsigned which)
{
	switch (which) {
	case QUEUE_SIZE:
		return q->size;
	case QUEUE_MSIX_VECTOR:
		return q->vector;
	case QUEUE_ENABLE:
		return q->enabled;
	case QUEUE_DESC_LOW:
		return (u32)q->desc;
	case QUEUE_DESC_HIGH:
		return q->desc >> 32;
	case QUEUE_DRIVER_LOW:
		return (u32)q->driver;
	case QUEUE_DRIVER_HIGH:
		return q->driver >> 32;
	case QUEUE_DEVICE_LOW:
		return (u32)q->device;
	case QUEUE_DEVICE_HIGH:
		return q->device >> 32;
	default: /* QUEUE_NOTIFY_OFF, too */
		return 0;
	}
}

static enum mem_result common_read(void *device, u64 offset, unsigned size, u64 *value)
{
	struct virtio_device *dev = device;
	const struct virtio_queue *queue = selected(dev);
	unsigned which = REGISTER(offset, size);

	switch (which) {
	case DEVICE_FEATURE_SELECT:
		*value = dev->device_feature_select;
		break;
	case DEVICE_FEATURE:
		*value = feature_word(dev->offered, dev->device_feature_select);
		break;
	case DRIVER_FEATURE_SELECT:
		*value = dev->driver_feature_select;
		break;
	case DRIVER_FEATURE:
		*value = feature_word(dev->accepted, dev->driver_feature_select);
		break;
	case CONFIG_MSIX_VECTOR:
		*value = dev->config_vector;
		break;
	case NUM_QUEUES:
		*value = dev->type->queue_count;
		break;
	case DEVICE_STATUS:
		*value = dev->status;
		break;
	case CONFIG_GENERATION:
		*value = dev->generation;
		break;
	case QUEUE_SELECT:
		*value = dev->queue_select;
		break;
	default:
		*value = queue ? read_queue(&queue->q, which) : 0;
		break;
	}
	return MEM_OK;
}

static u16 valid_vector(const struct virtio_device *dev, u64 vector)
{
	return vector < dev->pci.msix.count ? vector : VIRTQ_NO_VECTOR;
}

/* Nothing but the vector changes under a queue that is in use. */
static void write_queue(struct virtio_device *dev, struct virtio_queue *queue, unsigned which, u64 value)
{
	struct virtq *q = &queue->q;

	if (which == QUEUE_MSIX_VECTOR)
		q->vector = valid_vector(dev, value);
	if (q->enabled || dev->status & VIRTIO_STATUS_NEEDS_RESET)
		return;
	switch (which) {
	case QUEUE_SIZE:
		q->size = value;
		break;
	case QUEUE_ENABLE:
		if (value == 1 && dev->status & VIRTIO_STATUS_FEATURES_OK)
			virtio_enable_queue(dev, queue);
		break;
	case QUEUE_DESC_LOW:
		set_half(&q->desc, 0, value);
		break;
	case QUEUE_DESC_HIGH:
		set_half(&q->desc, 1, value);
		break;
	case QUEUE_DRIVER_LOW:
		set_half(&q->driver, 0, value);
		break;
	case QUEUE_DRIVER_HIGH:
		set_half(&q->driver, 1, value);
		break;
	case QUEUE_DEVICE_LOW:
		set_half(&q->device, 0, value);
		break;
	case QUEUE_DEVICE_HIGH:
		set_half(&q->device, 1, value);
		break;
	default:
		break;
	}
}

static enum mem_result common_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct virtio_device *dev = device;
	struct virtio_queue *queue = selected(dev);
	unsigned which = REGISTER(offset, size);

	switch (which) {
	case DEVICE_FEATURE_SELECT:
		dev->device_feature_select = value;
		break;
	case DRIVER_FEATURE_SELECT:
		dev->driver_feature_select = value;
		break;
	case DRIVER_FEATURE:
		if (dev->driver_feature_select < 2 && !(dev->status & VIRTIO_STATUS_FEATURES_OK))
			set_half(&dev->accepted, dev->driver_feature_select, value);
		break;
	case CONFIG_MSIX_VECTOR:
		dev->config_vector = valid_vector(dev, value);
		break;
	case DEVICE_STATUS:
		virtio_set_status(dev, value);
		break;
	case QUEUE_SELECT:
		dev->queue_select = value;
		break;
	default:
		if (queue)
			write_queue(dev, queue, which, value);
		break;
	}
	return MEM_OK;
}

/* ---- the other pages ---- */

static enum mem_result isr_read(void *device, u64 offset, unsigned size, u64 *value)
{
	struct virtio_device *dev = device;

	*value = 0;
	if (REGISTER(offset, size) != ISR_STATUS)
		return MEM_OK;
	*value = dev->isr;
	dev->isr = 0;
	pci_set_interrupt(&dev->pci, false);
	return MEM_OK;
}

static enum mem_result ignore_write(void *device, u64 offset, unsigned size, u64 value)
{
	(void)device, (void)offset, (void)size, (void)value;
	return MEM_OK;
}

/* The types know how wide their fields are; any aligned access of up to 4 bytes is served here. */
static bool is_inside(const struct virtio_device *dev, u64 offset, unsigned size)
{
	return size <= 4 && IS_ALIGNED(offset, size) && offset + size <= dev->type->config_size;
}

static enum mem_result config_read(void *device, u64 offset, unsigned size, u64 *value)
{
	const struct virtio_device *dev = device;

	*value = 0;
	if (is_inside(dev, offset, size))
		memcpy(value, dev->config + offset, size);
	return MEM_OK;
}

static enum mem_result config_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct virtio_device *dev = device;

	if (is_inside(dev, offset, size) && dev->type->config_written)
		dev->type->config_written(dev, offset, size, value);
	return MEM_OK;
}

static enum mem_result notify_read(void *device, u64 offset, unsigned size, u64 *value)
{
	(void)device, (void)offset, (void)size;
	*value = 0;
	return MEM_OK;
}

/* What the doorbell does not take: what comes through configuration space, and other widths. */
static enum mem_result notify_write(void *device, u64 offset, unsigned size, u64 value)
{
	if (REGISTER(offset, size) == QUEUE_NOTIFY)
		virtio_notified(device, value);
	return MEM_OK;
}

static void ring(void *device, u64 value)
{
	virtio_notified(device, value);
}

/* All accesses come undivided, so that wrong ones can be told. */
#define PAGE_OPS(read_, write_)                                                                     \
	{                                                                                           \
		.read = (read_), .write = (write_), .valid = { 1, 8, true }, .impl = { 1, 8, true } \
	}

static const struct {
	const char *name;
	struct region_ops ops;
	u8 type;
	u16 length;
} pages[VIRTIO_PCI_PAGES] = {
	[VIRTIO_PCI_COMMON] = { "common", PAGE_OPS(common_read, common_write), CAP_TYPE_COMMON,
				COMMON_LENGTH },
	[VIRTIO_PCI_ISR] = { "isr", PAGE_OPS(isr_read, ignore_write), CAP_TYPE_ISR, 1 },
	[VIRTIO_PCI_CONFIG] = { "config", PAGE_OPS(config_read, config_write), CAP_TYPE_DEVICE, PAGE_SIZE },
	[VIRTIO_PCI_NOTIFY] = { "notify", PAGE_OPS(notify_read, notify_write), CAP_TYPE_NOTIFY, 2 },
};

/* ---- BARs through configuration space, 4.1.4.9 ---- */

/* The page and the offset in it that the guest has set; NULL: it must not have. */
static const struct region_ops *window(const struct virtio_device *dev, u32 *offset, u32 *length)
{
	u64 at;

	*length = pci_read32(&dev->pci, dev->window + CAP_BYTES);
	*offset = at = pci_read32(&dev->pci, dev->window + CAP_OFFSET);
	if (dev->pci.config[dev->window + CAP_BAR] != VIRTIO_PCI_REGISTER_BAR ||
	    (*length != 1 && *length != 2 && *length != 4) || !IS_ALIGNED(at, *length) ||
	    at + *length > VIRTIO_PCI_PAGES * PAGE_SIZE)
		return NULL;
	*offset = at & PAGE_MASK;
	return &pages[at >> PAGE_SHIFT].ops;
}

static bool is_window_data(const struct virtio_device *dev, u8 offset)
{
	return (offset & ~3u) == dev->window + (unsigned)CAP_WINDOW_DATA;
}

static void config_space_reading(struct pci_function *function, u8 config_offset, unsigned config_size)
{
	struct virtio_device *dev = container_of(function, struct virtio_device, pci);
	const struct region_ops *ops;
	u32 offset, length;
	u64 value = 0;

	(void)config_size;
	if (!is_window_data(dev, config_offset))
		return;
	ops = window(dev, &offset, &length);
	if (ops)
		ops->read(dev, offset, length, &value);
	pci_store(function, dev->window + CAP_WINDOW_DATA, 4, value);
}

static void config_space_written(struct pci_function *function, u8 config_offset, unsigned config_size)
{
	struct virtio_device *dev = container_of(function, struct virtio_device, pci);
	const struct region_ops *ops;
	u32 offset, length;

	(void)config_size;
	if (!is_window_data(dev, config_offset))
		return;
	ops = window(dev, &offset, &length);
	if (ops)
		ops->write(dev, offset, length,
			   pci_read32(function, dev->window + CAP_WINDOW_DATA) & BITS(8 * length - 1, 0));
}

/* ---- making it ---- */

static u8 add_capability(struct pci_function *pci, u8 type, unsigned size, u32 offset, u32 length)
{
	u8 at = pci_add_capability(pci, CAPABILITY_VENDOR, size);

	pci_store(pci, at + CAP_LENGTH, 1, size);
	pci_store(pci, at + CAP_TYPE, 1, type);
	pci_store(pci, at + CAP_BAR, 1, VIRTIO_PCI_REGISTER_BAR);
	pci_store(pci, at + CAP_OFFSET, 4, offset);
	pci_store(pci, at + CAP_BYTES, 4, length);
	return at;
}

void virtio_pci_init(struct virtio_device *dev, const char *name)
{
	const struct pci_id id = {
		.vendor = VIRTIO_PCI_VENDOR,
		.device = VIRTIO_PCI_DEVICE + dev->type->id,
		.class = dev->type->class,
		.revision = 1,
		.subsystem_vendor = VIRTIO_PCI_VENDOR,
		.subsystem = 0x1100,
	};
	struct pci_function *pci = &dev->pci;

	pci_function_init(pci, name, &id);
	pci->reading = config_space_reading;
	pci->written = config_space_written;
	region_init_container(&dev->bar, name, VIRTIO_PCI_PAGES * PAGE_SIZE);
	for (unsigned i = 0; i < VIRTIO_PCI_PAGES; i++) {
		unsigned size = i == VIRTIO_PCI_NOTIFY ? CAP_SIZE_WITH_MORE : CAP_SIZE;
		u32 length = i == VIRTIO_PCI_CONFIG ? dev->type->config_size : pages[i].length;

		snprintf(dev->page_name[i], sizeof(dev->page_name[i]), "%s.%s", name, pages[i].name);
		region_init_mmio(&dev->page[i], dev->page_name[i], PAGE_SIZE, &pages[i].ops, dev);
		region_add(&dev->bar, i * PAGE_SIZE, &dev->page[i], 0);
		if (length)
			add_capability(pci, pages[i].type, size, i * PAGE_SIZE, length);
	}
	dev->doorbell = (struct doorbell){ .offset = 0, .size = 2, .ring = ring, .device = dev };
	doorbell_add(&dev->page[VIRTIO_PCI_NOTIFY], &dev->doorbell);
	dev->window = add_capability(pci, CAP_TYPE_PCI, CAP_SIZE_WITH_MORE, 0, 0);
	pci_make_writable(pci, dev->window + CAP_BAR, 1, 0xff);
	pci_make_writable(pci, dev->window + CAP_OFFSET, 4, ~0u);
	pci_make_writable(pci, dev->window + CAP_BYTES, 4, ~0u);
	pci_make_writable(pci, dev->window + CAP_WINDOW_DATA, 4, ~0u);
	pci_add_bar(pci, VIRTIO_PCI_REGISTER_BAR, PCI_BAR_MEMORY32, &dev->bar);
	msix_add(pci, dev->type->queue_count + 1, VIRTIO_PCI_MSIX_BAR);
	pci_add_intx(pci, 1);
}
