/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A PCI function in the hands of a process, by Linux' vfio-pci: its registers, its configuration space, its interrupts as
 * eventfds, and what it reaches by DMA: only what the process maps. Whatever goes wrong ends the process by fail().
 */
#ifndef TESTS_GUEST_VFIO_H
#define TESTS_GUEST_VFIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VFIO_READ = 1, VFIO_WRITE = 2 }; /* by the device */

struct vfio_function {
	char name[16]; /* 0000:00:04.0 */
	unsigned requester;
	int container, group, device;
	volatile uint8_t *bar[6]; /* NULL: not memory */
	size_t bar_size[6];
};

/* The first function with that identity, as its name. */
void pci_find(char name[16], unsigned vendor, unsigned device);
/* Takes it away from its driver; it is bus master then. The end of the process, or vfio_close(), gives it back. */
void vfio_open(struct vfio_function *, const char *name);
void vfio_close(struct vfio_function *);
/* Back to the driver that the kernel has for it. */
void vfio_give_back(const char *name);

uint32_t vfio_config_read(struct vfio_function *, unsigned offset, unsigned size);
void vfio_config_write(struct vfio_function *, unsigned offset, unsigned size, uint32_t value);

/* Memory of the process, whole pages, at I/O virtual addresses. */
void vfio_map(struct vfio_function *, volatile void *at, uint64_t iova, size_t size, unsigned access);
void vfio_unmap(struct vfio_function *, uint64_t iova, size_t size);

/* An eventfd for MSI (`msix` false) or MSI-X vector 0: reads as the number of interrupts since the last read. */
int vfio_interrupt(struct vfio_function *, bool msix);
/* How many came, waiting for `wanted` of them, and a moment longer for one too many. */
unsigned long vfio_interrupts(int event, unsigned long wanted);

#endif
