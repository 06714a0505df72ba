// SPDX-License-Identifier: BSD-2-Clause
#include "devices/dma.h"

#include <string.h>

void dma_port_init(struct dma_port *port, const char *name, u16 requester, struct address_space *as)
{
	*port = (struct dma_port){ .name = name, .requester = requester, .as = as };
	map_client_init(&port->client, name, NULL, 0, NULL, 0, NULL, NULL, NULL);
}

void dma_port_on_revoke(struct dma_port *port, void (*revoked)(void *device, struct mem_mapping *mapping),
			void *device)
{
	port->client.revoked = revoked;
	port->client.device = device;
}

static bool allowed(struct dma_port *port)
{
	if (likely(port->bus_master && port->as))
		return true;
	port->refused++;
	return false;
}

static enum mem_result account(struct dma_port *port, enum mem_result result, u64 *counter, u64 length)
{
	if (likely(result == MEM_OK)) {
		++*counter;
		port->bytes += length;
	} else {
		port->faults++;
	}
	return result;
}

enum mem_result dma_read(struct dma_port *port, u64 address, void *buffer, u64 length)
{
	if (unlikely(!allowed(port))) {
		/* Whatever the device does with it next, it is not what its buffer held before. */
		memset(buffer, 0xff, length);
		return MEM_ACCESS_ERROR;
	}
	return account(port, iommu_cache_read(port->as, &port->cache, address, buffer, length), &port->reads,
		       length);
}

enum mem_result dma_write(struct dma_port *port, u64 address, const void *buffer, u64 length)
{
	if (unlikely(!allowed(port)))
		return MEM_ACCESS_ERROR;
	return account(port, iommu_cache_write(port->as, &port->cache, address, buffer, length),
		       &port->writes, length);
}

enum mem_result dma_map(struct dma_port *port, u64 address, u64 length, enum mem_access access,
			struct mem_mapping *mapping)
{
	enum mem_result result;

	if (unlikely(!allowed(port))) {
		*mapping = (struct mem_mapping){ 0 };
		return MEM_ACCESS_ERROR;
	}
	result = as_map_cached(port->as, &port->cache.section, &port->client, address, length, access,
			       mapping);
	return account(port, result, &port->maps, mapping->length);
}

enum mem_result dma_unmap(struct dma_port *port, struct mem_mapping *mapping, u64 produced)
{
	enum mem_result result = as_unmap(mapping, produced);

	if (unlikely(result != MEM_OK))
		port->faults++;
	return result;
}
