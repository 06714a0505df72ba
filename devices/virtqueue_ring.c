// SPDX-License-Identifier: BSD-2-Clause
/* Access to the rings where it is not just a load or a store: the first one, the one after an invalidation. */
#include "devices/virtqueue_ring.h"

#include <errno.h>

int virtq_break(struct virtq *q, const char *reason, u64 at)
{
	q->broken = reason;
	q->broken_at = at;
	return -EIO;
}

static void unmap(struct virtq_area *area)
{
	/* Not dma_unmap: that a mapping was revoked meanwhile is no fault of the device's. */
	as_unmap(&area->mapping, 0);
}

void virtq_unmap(struct virtq *q)
{
	for (unsigned i = 0; i < VIRTQ_AREAS; i++)
		unmap(&q->area[i]);
}

/* True: mapped, from its start on, if not as far as it reaches. */
static bool map(struct virtq *q, struct virtq_area *area)
{
	if (mem_map_valid(&area->mapping))
		return true;
	unmap(area);
	if (dma_map(q->port, area->address, area->length, area->access, &area->mapping) != MEM_OK)
		return false;
	area->mapped = (u32)area->mapping.length;
	return true;
}

static bool no_access(struct virtq *q, enum virtq_area_index index, u32 offset)
{
	static const char *const reasons[2][VIRTQ_AREAS] = {
		{ "no access to the descriptor table", "no access to the available ring",
		  "no access to the used ring" },
		{ "no access to the descriptor ring", "no access to the driver's event area",
		  "no access to the device's event area" },
	};

	virtq_break(q, reasons[q->packed][index], q->area[index].address + offset);
	return false;
}

bool virtq_load_slow(struct virtq *q, enum virtq_area_index index, u32 offset, u32 size, u64 *value)
{
	struct virtq_area *area = &q->area[index];

	*value = 0;
	if (!map(q, area))
		return no_access(q, index, offset);
	if (offset + size <= area->mapped)
		*value = virtq_host_load(area->mapping.host + offset, size);
	else if (dma_read(q->port, area->address + offset, value, size) != MEM_OK)
		return no_access(q, index, offset);
	return true;
}

bool virtq_store_slow(struct virtq *q, enum virtq_area_index index, u32 offset, u32 size, u64 value)
{
	struct virtq_area *area = &q->area[index];

	if (!map(q, area))
		return no_access(q, index, offset);
	if (offset + size <= area->mapped) {
		virtq_host_store(area->mapping.host + offset, size, value);
		mem_map_wrote(&area->mapping, offset, size);
	} else if (dma_write(q->port, area->address + offset, &value, size) != MEM_OK) {
		return no_access(q, index, offset);
	}
	return true;
}
