// SPDX-License-Identifier: BSD-2-Clause
#include "devices/status.h"

/* Numbers that may be larger than 2^53 are strings: JavaScript would round them. */
#define LIST_ITEM_MAX 2048 /* room that an item of a list must still have */
#define SAMPLES	      64   /* of the pages of a piece of RAM */
#define LAST_FAULTS   16

/* Opens an item of a list; false when there may not be enough room for it and what must follow. */
static bool item(struct text_out *out, bool *first)
{
	if (!text_room(out, LIST_ITEM_MAX)) {
		out->cut = true;
		return false;
	}
	text_bytes(out, ",", *first ? 0 : 1);
	*first = false;
	return true;
}

static void number(struct text_out *out, const char *name, u64 value)
{
	text_format(out, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void put_exits(const struct status_guest *guest, struct text_out *out)
{
	struct status_exit exit;
	bool first = true;

	text_format(out, ",\"exits\":[");
	for (unsigned i = 0; i < STATUS_EXITS && guest->exits && guest->exits(guest->board, i, &exit); i++) {
		if (!exit.exits)
			continue;
		if (!item(out, &first))
			break;
		text_format(out, "{\"name\":");
		text_quoted(out, exit.name);
		number(out, "exits", exit.exits);
		number(out, "ticks", exit.ticks);
		text_format(out, "}");
	}
	text_format(out, "]");
}

static void put_vtd(const struct vtd *vtd, struct text_out *out)
{
	bool first = true;

	text_format(out, ",\"iommu\":{\"gsts\":%u", vtd->gsts);
	number(out, "hits", vtd->iotlb.hits);
	number(out, "misses", vtd->iotlb.misses);
	number(out, "evictions", vtd->iotlb.evictions);
	number(out, "invalidations", vtd->counters.iotlb_invalidations);
	number(out, "interrupts", vtd->counters.interrupts);
	number(out, "blocked", vtd->counters.interrupts_blocked);
	text_format(out, ",\"gates\":[");
	for (const struct vtd_gate *gate = vtd->gates; gate && item(out, &first); gate = gate->next) {
		text_format(out, "{\"device\":");
		text_quoted(out, gate->iommu.region.name);
		text_format(out, ",\"requester\":\"%02x:%02x.%u\",\"present\":%s", gate->requester >> 8,
			    gate->requester >> 3 & 31, gate->requester & 7,
			    gate->context.present ? "true" : "false");
		number(out, "domain", gate->context.domain);
		number(out, "levels", gate->context.levels);
		number(out, "hits", gate->hits);
		number(out, "faults", gate->faults);
		text_format(out, "}");
	}
	text_format(out, "]}");
}

static void put_faults(struct fault_log *log, struct text_out *out)
{
	struct fault_record record;
	char text[192];
	bool first = true;

	text_format(out, ",\"faults\":{\"total\":%llu,\"last\":[", (unsigned long long)log->total);
	for (unsigned back = 0; back < LAST_FAULTS && fault_log_get(log, back, &record); back++) {
		if (!item(out, &first))
			break;
		fault_format(&record, text, sizeof(text));
		text_format(out, "{\"number\":%llu,\"text\":", (unsigned long long)record.number);
		text_quoted(out, text);
		text_format(out, "}");
	}
	text_format(out, "]}");
}

static void put_queues(const struct virtio_device *dev, struct text_out *out)
{
	bool first = true;

	text_format(out, ",\"queues\":[");
	for (unsigned i = 0; i < dev->type->queue_count && item(out, &first); i++) {
		const struct virtio_queue *queue = &dev->queues[i];

		text_format(out, "{\"kind\":\"%s\"",
			    !queue->q.enabled ? "off"
			    : queue->q.packed ? "packed"
					      : "split");
		number(out, "size", queue->q.size);
		number(out, "notifications", queue->notifications);
		number(out, "requests", queue->q.pushed);
		number(out, "interrupts", queue->interrupts);
		text_format(out, ",\"broken\":");
		text_quoted(out, queue->q.broken);
		text_format(out, "}");
	}
	text_format(out, "]");
}

static void put_devices(const struct status_guest *guest, struct text_out *out)
{
	struct virtio_device *list[STATUS_DEVICES];
	unsigned count = guest->devices ? guest->devices(guest->board, list) : 0;
	bool first = true;

	text_format(out, ",\"devices\":[");
	for (unsigned i = 0; i < MIN(count, STATUS_DEVICES) && item(out, &first); i++) {
		text_format(out, "{\"name\":");
		text_quoted(out, list[i]->pci.name);
		text_format(out, ",\"type\":");
		text_quoted(out, list[i]->type->name);
		text_format(out, ",\"state\":");
		text_quoted(out, status_device_state(list[i]));
		put_queues(list[i], out);
		text_format(out, "}");
	}
	text_format(out, "]");
}

static void put_network(const struct network *net, struct text_out *out)
{
	struct http_counters http = http_counters();
	bool first = true;

	text_format(out, ",\"network\":{\"address\":\"%u.%u.%u.%u/%u\"", net->ipv4.address >> 24,
		    net->ipv4.address >> 16 & 0xff, net->ipv4.address >> 8 & 0xff, net->ipv4.address & 0xff,
		    net->ipv4.prefix);
	number(out, "slices", net->counters.slices);
	number(out, "rests", net->counters.rests);
	number(out, "longest_slice", net->counters.longest_slice);
	number(out, "longest_wait", net->counters.longest_wait);
	number(out, "requests", http.requests);
	text_format(out, ",\"ports\":[");
	for (unsigned i = 0; i < NETWORK_PORTS; i++) {
		const struct ethernet_port *port = net->ports[i].port;

		if (!port || !item(out, &first))
			continue;
		text_format(out, "{\"name\":");
		text_quoted(out, port->name);
		text_format(out, ",\"link\":%s", port->link ? "true" : "false");
		number(out, "rx_frames", port->counters.rx_frames);
		number(out, "rx_bytes", port->counters.rx_bytes);
		number(out, "tx_frames", port->counters.tx_frames);
		number(out, "tx_bytes", port->counters.tx_bytes);
		number(out, "dropped",
		       port->counters.rx_malformed + port->counters.rx_errors + port->counters.tx_no_room +
			       port->counters.tx_no_link + port->counters.tx_malformed);
		text_format(out, "}");
	}
	text_format(out, "]}");
}

static void end(struct text_out *out)
{
	text_format(out, ",\"cut\":%s}\n", out->cut ? "true" : "false");
}

void status_put_state(const struct status *status, struct text_out *out)
{
	const struct status_guest *guest = status->guest;
	const struct clock *clock = status->net->config.clock;
	u64 leaves[4] = { 0 };

	text_format(out, "{\"uptime\":%llu,\"ticks\":%llu,\"hz\":%llu,\"control\":%s,\"guest\":",
		    (unsigned long long)status_uptime(status), (unsigned long long)clock_now(clock),
		    (unsigned long long)clock->hz, status->site.token ? "true" : "false");
	text_quoted(out, !guest ? "none" : guest->state ? guest->state(guest->board) : "");
	put_network(status->net, out);
	if (guest) {
		if (guest->pages)
			guest->pages(guest->board, leaves);
		text_format(out, ",\"pages\":[%llu,%llu,%llu]", (unsigned long long)leaves[1],
			    (unsigned long long)leaves[2], (unsigned long long)leaves[3]);
		put_exits(guest, out);
		put_devices(guest, out);
		if (guest->vtd)
			put_vtd(guest->vtd, out);
		if (guest->faults)
			put_faults(guest->faults, out);
	}
	end(out);
}

/* ---- the map ---- */

static const char *kind_name(enum section_kind kind)
{
	static const char *const names[] = { "unclaimed", "ram",      "rom",  "rom device",
					     "mmio",	  "reserved", "iommu" };

	return (unsigned)kind < ARRAY_SIZE(names) ? names[kind] : "?";
}

/* The size of pages along the section, as digits: the picture has no more places. */
static void put_samples(const struct status_guest *guest, const struct section *section, struct text_out *out)
{
	u64 step = (section->last - section->first) / SAMPLES + 1;

	text_format(out, ",\"pages\":\"");
	for (u64 at = section->first; at <= section->last && at >= section->first; at += step) {
		unsigned level = guest->page_level(guest->board, at);

		text_format(out, "%u", level % 10);
		if (section->last - at < step)
			break;
	}
	text_format(out, "\"");
}

static void put_ranges(const struct status_guest *guest, struct text_out *out)
{
	const struct flatview *view = guest->memory ? as_view(guest->memory) : NULL;
	bool first = true;

	text_format(out, "\"ranges\":[");
	for (u32 i = 0; view && i < view->count; i++) {
		const struct section *section = &view->sections[i];

		if (section->kind == SECTION_UNCLAIMED)
			continue;
		if (!item(out, &first))
			break;
		text_format(out, "{\"first\":\"0x%llx\",\"last\":\"0x%llx\",\"name\":",
			    (unsigned long long)section->first, (unsigned long long)section->last);
		text_quoted(out, section->region ? section->region->name : "");
		text_format(out, ",\"kind\":\"%s\",\"readonly\":%s", kind_name(section->kind),
			    section->flags & SECTION_READONLY ? "true" : "false");
		if (section->kind == SECTION_RAM && guest->page_level)
			put_samples(guest, section, out);
		text_format(out, "}");
	}
	text_format(out, "]");
}

static void put_windows(const struct status_guest *guest, struct text_out *out)
{
	bool first = true;

	text_format(out, ",\"windows\":[");
	for (unsigned i = 0; i < guest->window_count; i++) {
		const struct dma_table *table = &guest->windows[i];

		for (unsigned r = 0; r < table->count && item(out, &first); r++) {
			const struct dma_row *row = &table->rows[r];

			text_format(out, "{\"device\":");
			text_quoted(out, table->device);
			text_format(out, ",\"name\":");
			text_quoted(out, row->name);
			text_format(out,
				    ",\"first\":\"0x%llx\",\"last\":\"0x%llx\",\"iova\":\"0x%llx\","
				    "\"access\":\"%s%s\"}",
				    (unsigned long long)row->target,
				    (unsigned long long)(row->target + row->last),
				    (unsigned long long)row->iova, row->permission & MEM_READ ? "r" : "",
				    row->permission & MEM_WRITE ? "w" : "");
		}
	}
	text_format(out, "]");
}

void status_put_map(const struct status *status, struct text_out *out)
{
	text_format(out, "{");
	if (status->guest) {
		put_ranges(status->guest, out);
		put_windows(status->guest, out);
	} else {
		text_format(out, "\"ranges\":[],\"windows\":[]");
	}
	end(out);
}
