/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DMA port: the only way from a device to memory. The board hands a device its port with the address
 * space that this requester masters; what stands behind that space (an IOMMU, a static window) the device
 * does not see. A device has no pointer that did not come out of dma_map().
 *
 * Bus mastering off: everything is refused, reads are filled with ones. Results as in mm/access.h; what a
 * translator denies it records by itself.
 */
#ifndef DEVICES_DMA_H
#define DEVICES_DMA_H

#include "mm/iommu_cache.h"
#include "mm/map.h"
#include "mm/space.h"

struct dma_port {
	const char *name;	  /* of the device */
	struct address_space *as; /* NULL: connected to nothing, all is refused */
	struct iommu_cache cache;
	struct map_client client;
	u16 requester;			/* bus 15:8, device 7:3, function 2:0 */
	bool bus_master;		/* PCI COMMAND bit 2; the PCI function keeps it */
	u64 reads, writes, maps, bytes; /* that went well */
	u64 refused;			/* for want of bus mastering */
	u64 faults;			/* that ended otherwise */
};

/* Bus mastering is off. `name` is kept. Mappings are of RAM only: a port has no bounce slots. */
void dma_port_init(struct dma_port *port, const char *name, u16 requester, struct address_space *as);

/*
 * Who wants to hear that a mapping was revoked (mm/map.h); needed by devices that keep mappings over time.
 * Before the first dma_map().
 */
void dma_port_on_revoke(struct dma_port *port, void (*revoked)(void *device, struct mem_mapping *mapping),
			void *device);

/* Any length, any alignment. Parts that fail read as ones, or are dropped, and the others are done. */
enum mem_result dma_read(struct dma_port *port, u64 address, void *buffer, u64 length);
enum mem_result dma_write(struct dma_port *port, u64 address, const void *buffer, u64 length);

/*
 * mapping->host for up to `length` (not 0) bytes, mapping->length of them, or a result other than MEM_OK. The
 * mapping stays where it is until dma_unmap(), which tells how many bytes from its start the device wrote.
 */
enum mem_result dma_map(struct dma_port *port, u64 address, u64 length, enum mem_access access,
			struct mem_mapping *mapping);
enum mem_result dma_unmap(struct dma_port *port, struct mem_mapping *mapping, u64 produced);

#endif
