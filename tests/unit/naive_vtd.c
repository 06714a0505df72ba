// SPDX-License-Identifier: BSD-2-Clause
/* Registers (10.4) and fault recording (7.2, 7.3) of the naive unit. */
#include "tests/unit/naive_vtd.h"

#define RECORD_FAULT BIT(63)
#define RECORD_READ  BIT(62)

static unsigned records(const struct naive_vtd *vtd)
{
	return (unsigned)naive_vtd_field(vtd->cap, 47, 40) + 1;
}

static u64 records_at(const struct naive_vtd *vtd)
{
	return naive_vtd_field(vtd->cap, 33, 24) * 16;
}

static u64 iotlb_at(const struct naive_vtd *vtd)
{
	return naive_vtd_field(vtd->ecap, 17, 8) * 16;
}

void naive_vtd_init(struct naive_vtd *vtd, u64 cap, u64 ecap, unsigned host_width, int trusted,
		    const struct naive_vtd_ram ram[NAIVE_VTD_RAMS])
{
	memset(vtd, 0, sizeof(*vtd));
	memcpy(vtd->ram, ram, sizeof(vtd->ram));
	vtd->cap = cap;
	vtd->ecap = ecap;
	vtd->host_width = host_width;
	vtd->trusted = trusted;
	vtd->fault_event.masked = vtd->queue_event.masked = true;
	assert(records(vtd) <= NAIVE_VTD_RECORDS);
}

/*
 * ---- memory
 * -------------------------------------------------------------------------------------------------
 */

static u8 *ram_at(const struct naive_vtd *vtd, u64 address, u64 size)
{
	unsigned i;

	for (i = 0; i < NAIVE_VTD_RAMS; i++) {
		const struct naive_vtd_ram *ram = &vtd->ram[i];

		if (address >= ram->base && address - ram->base < ram->size &&
		    ram->size - (address - ram->base) >= size)
			return ram->bytes + (address - ram->base);
	}
	return NULL;
}

bool naive_vtd_load(const struct naive_vtd *vtd, u64 address, void *to, u64 size)
{
	const u8 *from = ram_at(vtd, address, size);

	if (from)
		memcpy(to, from, size);
	return from != NULL;
}

bool naive_vtd_store(struct naive_vtd *vtd, u64 address, const void *from, u64 size)
{
	u8 *to = ram_at(vtd, address, size);

	if (to)
		memcpy(to, from, size);
	return to != NULL;
}

/*
 * ---- events and faults
 * --------------------------------------------------------------------------------------
 */

static void send(struct naive_vtd *vtd, const struct naive_vtd_event *event)
{
	if (vtd->messages < NAIVE_VTD_MESSAGES)
		vtd->message[vtd->messages] =
			(struct naive_vtd_message){ (u64)event->upper << 32 | event->address, event->data };
	vtd->messages++;
}

void naive_vtd_raise(struct naive_vtd *vtd, struct naive_vtd_event *event)
{
	if (event->masked)
		event->pending = true;
	else
		send(vtd, event);
}

static void set_mask(struct naive_vtd *vtd, struct naive_vtd_event *event, bool masked)
{
	event->masked = masked;
	if (!masked && event->pending) {
		event->pending = false;
		send(vtd, event);
	}
}

static u32 fault_status(const struct naive_vtd *vtd)
{
	u32 status = vtd->fsts;
	unsigned i;

	for (i = 0; i < records(vtd); i++) {
		if (vtd->record[i].high & RECORD_FAULT)
			status |= NAIVE_PPF | vtd->first_record << 8;
	}
	return status;
}

/* Causes of an event while there is none before. */
void naive_vtd_set_status(struct naive_vtd *vtd, u32 bits)
{
	bool fresh = !(fault_status(vtd) & (NAIVE_PFO | NAIVE_PPF | (u32)BITS(6, 4)));

	vtd->fsts |= bits & ~NAIVE_PPF;
	if (fresh)
		naive_vtd_raise(vtd, &vtd->fault_event);
}

static void status_cleared(struct naive_vtd *vtd)
{
	if (!(fault_status(vtd) & (NAIVE_PFO | NAIVE_PPF | (u32)BITS(6, 4))))
		vtd->fault_event.pending = false;
}

void naive_vtd_record(struct naive_vtd *vtd, u64 low, u16 requester, unsigned reason, bool read)
{
	unsigned n = vtd->next_record;

	if (vtd->fsts & NAIVE_PFO)
		return;
	if (vtd->record[n].high & RECORD_FAULT) {
		naive_vtd_set_status(vtd, NAIVE_PFO);
		return;
	}
	if (!(fault_status(vtd) & NAIVE_PPF))
		vtd->first_record = n;
	naive_vtd_set_status(vtd, NAIVE_PPF);
	vtd->record[n].low = low;
	vtd->record[n].high = RECORD_FAULT | (read ? RECORD_READ : 0) | (u64)reason << 32 | requester;
	vtd->next_record = (n + 1) % records(vtd);
}

/*
 * ---- registers
 * ----------------------------------------------------------------------------------------------
 */

static void forget_everything(struct naive_vtd *vtd)
{
	naive_vtd_forget_contexts(vtd, 1, 0, 0, 0);
	naive_vtd_forget_translations(vtd, 1, 0, 0, 0);
}

static void global_command(struct naive_vtd *vtd, u32 value)
{
	u32 was_queued = vtd->gsts & NAIVE_QIES;
	bool remaps = vtd->ecap & BIT(3);
	u32 levels = NAIVE_TES | NAIVE_QIES | (remaps ? NAIVE_IRES | NAIVE_CFIS : 0);

	if (value & NAIVE_RTPS) { /* SRTP; the bits have the same places in both registers */
		vtd->root = vtd->rtaddr;
		vtd->gsts |= NAIVE_RTPS;
		if (vtd->cap & BIT(63))
			forget_everything(vtd);
	}
	if (remaps && value & NAIVE_IRTPS) {
		vtd->table = vtd->irta;
		vtd->gsts |= NAIVE_IRTPS;
		if (vtd->cap & BIT(62))
			naive_vtd_forget_irtes(vtd, true, 0, 0);
	}
	/* The queue before translation changes: so the order of bits in one write is told in iommu/vtd.h. */
	vtd->gsts = (vtd->gsts & ~(levels & ~NAIVE_TES)) | (value & levels & ~NAIVE_TES);
	if (was_queued != (vtd->gsts & NAIVE_QIES))
		vtd->iqh = 0;
	if (!was_queued)
		naive_vtd_run_queue(vtd);
	if ((vtd->gsts ^ value) & NAIVE_TES)
		naive_vtd_forget_mappings(vtd);
	vtd->gsts = (vtd->gsts & ~(u32)NAIVE_TES) | (value & NAIVE_TES);
}

static u32 event_read(const struct naive_vtd_event *event, u64 at)
{
	switch (at) {
	case 0:
		return (event->masked ? BIT(31) : 0) | (event->pending ? BIT(30) : 0);
	case 4:
		return event->data;
	case 8:
		return event->address;
	default:
		return event->upper;
	}
}

static void event_write(struct naive_vtd *vtd, struct naive_vtd_event *event, u64 at, u32 value)
{
	switch (at) {
	case 0:
		set_mask(vtd, event, value & BIT(31));
		break;
	case 4:
		event->data = value & 0xffff;
		break;
	case 8:
		event->address = value & ~3u;
		break;
	default:
		event->upper = value;
		break;
	}
}

/* The halves of a register of 64 bits. */
static u32 half(u64 value, u64 offset)
{
	return (u32)(offset & 4 ? value >> 32 : value);
}

static void set_half(u64 *value, u64 offset, u32 to, u64 writable)
{
	u64 mask = writable & (offset & 4 ? BITS(63, 32) : BITS(31, 0));

	*value = (*value & ~mask) | (((u64)to << (offset & 4 ? 32 : 0)) & mask);
}

static u32 read32(const struct naive_vtd *vtd, u64 offset)
{
	u64 record = offset - records_at(vtd);

	if (record < records(vtd) * 16ull)
		return half(record & 8 ? vtd->record[record / 16].high : vtd->record[record / 16].low,
			    offset);
	switch (offset) {
	case 0x00:
		return 0x10;
	case 0x08:
	case 0x0c:
		return half(vtd->cap, offset);
	case 0x10:
	case 0x14:
		return half(vtd->ecap, offset);
	case 0x1c:
		return vtd->gsts;
	case 0x20:
	case 0x24:
		return half(vtd->rtaddr, offset);
	case 0x28:
	case 0x2c:
		return half(vtd->ccmd, offset);
	case 0x34:
		return fault_status(vtd);
	case 0x38 ... 0x44:
		return event_read(&vtd->fault_event, offset - 0x38);
	case 0x80:
		return vtd->iqh;
	case 0x88:
		return vtd->iqt;
	case 0x90:
	case 0x94:
		return half(vtd->iqa, offset);
	case 0x9c:
		return vtd->iwc;
	case 0xa0 ... 0xac:
		return event_read(&vtd->queue_event, offset - 0xa0);
	case 0xb8:
	case 0xbc:
		return half(vtd->irta, offset);
	default:
		break;
	}
	if (offset == iotlb_at(vtd) + 8 || offset == iotlb_at(vtd) + 12)
		return half(vtd->iotlb, offset);
	return 0;
}

static void write_record(struct naive_vtd *vtd, u64 at, u32 value)
{
	if (at % 16 == 12 && value & BIT(31))
		vtd->record[at / 16].high &= ~RECORD_FAULT;
	status_cleared(vtd);
}

static void write_status(struct naive_vtd *vtd, u32 value)
{
	bool stopped = vtd->fsts & NAIVE_IQE;

	vtd->fsts &= ~(value & (NAIVE_PFO | BITS(7, 4)));
	status_cleared(vtd);
	if (stopped)
		naive_vtd_run_queue(vtd);
}

static void write_iotlb(struct naive_vtd *vtd, u64 at, u32 value)
{
	if (at < 8) {
		set_half(&vtd->iva, at, value, ~BITS(11, 7));
		return;
	}
	set_half(&vtd->iotlb, at, value, BIT(63) | BITS(61, 60) | BITS(49, 32));
	if (at == 12 && vtd->iotlb & BIT(63))
		naive_vtd_iotlb_command(vtd);
}

static void write32(struct naive_vtd *vtd, u64 offset, u32 value)
{
	u64 record = offset - records_at(vtd), iotlb = offset - iotlb_at(vtd);

	if (record < records(vtd) * 16ull) {
		write_record(vtd, record, value);
		return;
	}
	if (iotlb < 16) {
		write_iotlb(vtd, iotlb, value);
		return;
	}
	switch (offset) {
	case 0x18:
		global_command(vtd, value);
		break;
	case 0x20:
	case 0x24:
		set_half(&vtd->rtaddr, offset, value, BITS(63, 12));
		break;
	case 0x28:
	case 0x2c:
		set_half(&vtd->ccmd, offset, value, BITS(63, 61) | BITS(33, 0));
		if (offset == 0x2c && vtd->ccmd & BIT(63))
			naive_vtd_context_command(vtd);
		break;
	case 0x34:
		write_status(vtd, value);
		break;
	case 0x38 ... 0x44:
		event_write(vtd, &vtd->fault_event, offset - 0x38, value);
		break;
	case 0x88:
		vtd->iqt = value & BITS(18, 4);
		naive_vtd_run_queue(vtd);
		break;
	case 0x90:
	case 0x94:
		if (!(vtd->gsts & NAIVE_QIES))
			set_half(&vtd->iqa, offset, value, BITS(63, 12) | BITS(2, 0));
		break;
	case 0x9c:
		if (value & 1) {
			vtd->iwc = false;
			vtd->queue_event.pending = false;
		}
		break;
	case 0xa0 ... 0xac:
		event_write(vtd, &vtd->queue_event, offset - 0xa0, value);
		break;
	case 0xb8:
	case 0xbc:
		if (vtd->ecap & BIT(3))
			set_half(&vtd->irta, offset, value,
				 BITS(63, 12) | BITS(3, 0) | (vtd->ecap & BIT(4) ? BIT(11) : 0));
		break;
	default:
		break;
	}
}

u64 naive_vtd_read(const struct naive_vtd *vtd, u64 offset, unsigned size)
{
	u64 value = read32(vtd, offset);

	return size == 8 ? value | (u64)read32(vtd, offset + 4) << 32 : value;
}

void naive_vtd_write(struct naive_vtd *vtd, u64 offset, unsigned size, u64 value)
{
	write32(vtd, offset, (u32)value);
	if (size == 8)
		write32(vtd, offset + 4, (u32)(value >> 32));
}
