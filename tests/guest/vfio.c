// SPDX-License-Identifier: BSD-2-Clause
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/guest/poke.h"
#include "tests/guest/vfio.h"

#define FUNCTIONS "/sys/bus/pci/devices/"

enum { PCI_COMMAND = 4, MEMORY = 2, MASTER = 4 };

/* ---- sysfs ---- */

static bool put(const char *path, const char *text)
{
	const int file = open(path, O_WRONLY);
	const bool done = file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text);

	if (file >= 0)
		close(file);
	return done;
}

static unsigned number_in(const char *name, const char *attribute)
{
	char path[128], text[32] = "";
	int file;

	snprintf(path, sizeof(path), FUNCTIONS "%s/%s", name, attribute);
	file = open(path, O_RDONLY);
	if (file < 0 || read(file, text, sizeof(text) - 1) <= 0)
		fail("cannot read %s: %s", path, strerror(errno));
	close(file);
	return (unsigned)strtoul(text, NULL, 16);
}

void pci_find(char name[16], unsigned vendor, unsigned device)
{
	DIR *functions = opendir(FUNCTIONS);
	struct dirent *entry;

	while (functions && (entry = readdir(functions))) {
		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= 16 ||
		    number_in(entry->d_name, "vendor") != vendor ||
		    number_in(entry->d_name, "device") != device)
			continue;
		snprintf(name, 16, "%.15s", entry->d_name);
		closedir(functions);
		return;
	}
	fail("no function %04x:%04x", vendor, device);
}

static void drive_by(const char *name, const char *driver)
{
	char path[128];

	snprintf(path, sizeof(path), FUNCTIONS "%s/driver_override", name);
	if (!put(path, driver))
		fail("cannot write %s: %s", path, strerror(errno));
	snprintf(path, sizeof(path), FUNCTIONS "%s/driver/unbind", name);
	put(path, name); /* it may have none */
	if (!put("/sys/bus/pci/drivers_probe", name))
		fail("no driver for %s: %s", name, strerror(errno));
}

void vfio_give_back(const char *name)
{
	drive_by(name, "\n");
}

/* ---- the function ---- */

static void map_bars(struct vfio_function *f)
{
	for (unsigned i = 0; i < 6; i++) {
		struct vfio_region_info info = { .argsz = sizeof(info),
						 .index = VFIO_PCI_BAR0_REGION_INDEX + i };

		if (ioctl(f->device, VFIO_DEVICE_GET_REGION_INFO, &info) != 0 || !info.size ||
		    !(info.flags & VFIO_REGION_INFO_FLAG_MMAP))
			continue;
		void *at = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, f->device,
				(off_t)info.offset);
		if (at == MAP_FAILED)
			fail("cannot map BAR %u of %s: %s", i, f->name, strerror(errno));
		f->bar[i] = at;
		f->bar_size[i] = info.size;
	}
}

void vfio_open(struct vfio_function *f, const char *name)
{
	char path[128], link[128];
	unsigned bus, slot, function;

	*f = (struct vfio_function){ 0 };
	snprintf(f->name, sizeof(f->name), "%.15s", name);
	sscanf(name, "%*x:%x:%x.%x", &bus, &slot, &function);
	f->requester = bus << 8 | slot << 3 | function;
	drive_by(name, "vfio-pci");
	snprintf(path, sizeof(path), FUNCTIONS "%s/iommu_group", name);
	const ssize_t length = readlink(path, link, sizeof(link) - 1);
	if (length < 0)
		fail("%s is in no IOMMU group", name);
	link[length] = 0;
	snprintf(path, sizeof(path), "/dev/vfio/%s", strrchr(link, '/') + 1);

	struct vfio_group_status status = { .argsz = sizeof(status) };
	f->container = open("/dev/vfio/vfio", O_RDWR);
	f->group = open(path, O_RDWR);
	if (f->container < 0 || f->group < 0)
		fail("cannot open /dev/vfio/vfio and %s: %s", path, strerror(errno));
	if (ioctl(f->group, VFIO_GROUP_GET_STATUS, &status) != 0 || !(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		fail("the group of %s is not viable", name);
	if (ioctl(f->group, VFIO_GROUP_SET_CONTAINER, &f->container) != 0 ||
	    ioctl(f->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) != 0)
		fail("no IOMMU for %s: %s", name, strerror(errno));
	f->device = ioctl(f->group, VFIO_GROUP_GET_DEVICE_FD, name);
	if (f->device < 0)
		fail("cannot get %s: %s", name, strerror(errno));
	map_bars(f);
	vfio_config_write(f, PCI_COMMAND, 2, vfio_config_read(f, PCI_COMMAND, 2) | MEMORY | MASTER);
}

void vfio_close(struct vfio_function *f)
{
	for (unsigned i = 0; i < 6; i++)
		if (f->bar[i])
			munmap((void *)(uintptr_t)f->bar[i], f->bar_size[i]);
	close(f->device);
	close(f->group);
	close(f->container);
}

static off_t config_at(struct vfio_function *f, unsigned offset)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = VFIO_PCI_CONFIG_REGION_INDEX };

	if (ioctl(f->device, VFIO_DEVICE_GET_REGION_INFO, &info) != 0)
		fail("%s has no configuration space: %s", f->name, strerror(errno));
	return (off_t)(info.offset + offset);
}

uint32_t vfio_config_read(struct vfio_function *f, unsigned offset, unsigned size)
{
	uint32_t value = 0;

	if (pread(f->device, &value, size, config_at(f, offset)) != (ssize_t)size)
		fail("cannot read configuration space of %s at 0x%x: %s", f->name, offset, strerror(errno));
	return value;
}

void vfio_config_write(struct vfio_function *f, unsigned offset, unsigned size, uint32_t value)
{
	if (pwrite(f->device, &value, size, config_at(f, offset)) != (ssize_t)size)
		fail("cannot write configuration space of %s at 0x%x: %s", f->name, offset, strerror(errno));
}

/* ---- DMA ---- */

void vfio_map(struct vfio_function *f, volatile void *at, uint64_t iova, size_t size, unsigned access)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map), .flags = access, .vaddr = (uintptr_t)at, .iova = iova, .size = size
	};

	static_assert(VFIO_READ == VFIO_DMA_MAP_FLAG_READ && VFIO_WRITE == VFIO_DMA_MAP_FLAG_WRITE, "");
	if (ioctl(f->container, VFIO_IOMMU_MAP_DMA, &map) != 0)
		fail("cannot map 0x%zx bytes at IOVA 0x%llx: %s", size, (unsigned long long)iova,
		     strerror(errno));
}

void vfio_unmap(struct vfio_function *f, uint64_t iova, size_t size)
{
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap), .iova = iova, .size = size };

	if (ioctl(f->container, VFIO_IOMMU_UNMAP_DMA, &unmap) != 0 || unmap.size != size)
		fail("cannot unmap 0x%zx bytes at IOVA 0x%llx: %s", size, (unsigned long long)iova,
		     strerror(errno));
}

/* ---- interrupts ---- */

int vfio_interrupt(struct vfio_function *f, bool msix)
{
	char space[sizeof(struct vfio_irq_set) + sizeof(int32_t)];
	struct vfio_irq_set *set = (struct vfio_irq_set *)space;
	const int32_t event = eventfd(0, EFD_NONBLOCK);

	*set = (struct vfio_irq_set){ .argsz = sizeof(space),
				      .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
				      .index = msix ? VFIO_PCI_MSIX_IRQ_INDEX : VFIO_PCI_MSI_IRQ_INDEX,
				      .count = 1 };
	memcpy(set->data, &event, sizeof(event));
	if (ioctl(f->device, VFIO_DEVICE_SET_IRQS, set) != 0)
		fail("no interrupt of %s: %s", f->name, strerror(errno));
	return event;
}

unsigned long vfio_interrupts(int event, unsigned long wanted)
{
	struct pollfd ready = { .fd = event, .events = POLLIN };
	unsigned long sum = 0;

	for (;;) {
		uint64_t count;

		if (poll(&ready, 1, sum < wanted ? 2000 : 20) != 1 ||
		    read(event, &count, sizeof(count)) != sizeof(count))
			return sum;
		sum += count;
	}
}
