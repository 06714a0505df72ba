// SPDX-License-Identifier: BSD-2-Clause
/*
 * Prometheus' text exposition format 0.0.4: all samples of a metric together, behind its HELP and TYPE.
 */
#include "devices/status.h"

struct label {
	const char *name, *value;
};

/* Of one sample; an empty one ends them. */
#define LABELS(...)                \
	(const struct label[])     \
	{                          \
		__VA_ARGS__,       \
		{                  \
			NULL, NULL \
		}                  \
	}

static void metric(struct text_out *out, const char *name, const char *type, const char *help)
{
	text_format(out, "# HELP sluice_%s %s\n# TYPE sluice_%s %s\n", name, help, name, type);
}

static void sample(struct text_out *out, const char *name, u64 value)
{
	text_format(out, "sluice_%s %llu\n", name, (unsigned long long)value);
}

static void labelled(struct text_out *out, const char *name, u64 value, const struct label *labels)
{
	text_format(out, "sluice_%s", name);
	for (const struct label *label = labels; label->name; label++) {
		text_format(out, "%c%s=", label == labels ? '{' : ',', label->name);
		text_quoted(out, label->value);
	}
	text_format(out, "} %llu\n", (unsigned long long)value);
}

static void counter(struct text_out *out, const char *name, const char *help, u64 value)
{
	metric(out, name, "counter", help);
	sample(out, name, value);
}

static void put_exits(const struct status_guest *guest, struct text_out *out)
{
	struct status_exit exit;

	if (!guest->exits)
		return;
	metric(out, "exits_total", "counter", "VM exits by reason.");
	for (unsigned i = 0; i < STATUS_EXITS && guest->exits(guest->board, i, &exit); i++)
		if (exit.exits)
			labelled(out, "exits_total", exit.exits, LABELS({ "reason", exit.name }));
	metric(out, "exit_ticks_total", "counter",
	       "TSC ticks spent in the hypervisor, by reason of the exit.");
	for (unsigned i = 0; i < STATUS_EXITS && guest->exits(guest->board, i, &exit); i++)
		if (exit.exits)
			labelled(out, "exit_ticks_total", exit.ticks, LABELS({ "reason", exit.name }));
}

static void put_pages(const struct status_guest *guest, struct text_out *out)
{
	static const char *const sizes[] = { NULL, "4K", "2M", "1G" };
	u64 leaves[4] = { 0 };

	if (!guest->pages)
		return;
	guest->pages(guest->board, leaves);
	metric(out, "guest_pages", "gauge", "Pages that map the guest's memory, by size.");
	for (unsigned level = 1; level < ARRAY_SIZE(sizes); level++)
		labelled(out, "guest_pages", leaves[level], LABELS({ "size", sizes[level] }));
}

static void put_vtd(const struct vtd *vtd, struct text_out *out)
{
	counter(out, "iotlb_hits_total", "Translations found in the IOTLB.", vtd->iotlb.hits);
	counter(out, "iotlb_misses_total", "Translations that were walked for.", vtd->iotlb.misses);
	counter(out, "iotlb_evictions_total", "Translations that had to make room.", vtd->iotlb.evictions);
	counter(out, "iotlb_invalidations_total", "IOTLB invalidations by the guest.",
		vtd->counters.iotlb_invalidations);
	counter(out, "remapped_interrupts_total", "Interrupt requests that were remapped.",
		vtd->counters.interrupts);
	counter(out, "blocked_interrupts_total", "Interrupt requests that were blocked.",
		vtd->counters.interrupts_blocked);
	metric(out, "dma_translated_total", "counter",
	       "Translations that a device's gate remembered by itself.");
	for (const struct vtd_gate *gate = vtd->gates; gate; gate = gate->next)
		labelled(out, "dma_translated_total", gate->hits,
			 LABELS({ "device", gate->iommu.region.name }));
}

static void put_devices(const struct status_guest *guest, struct text_out *out)
{
	static const struct {
		const char *name, *help;
		size_t offset;
	} counts[] = {
		{ "virtio_notifications_total", "Notifications by the driver.",
		  offsetof(struct virtio_queue, notifications) },
		{ "virtio_requests_total", "Buffers given back to the driver.",
		  offsetof(struct virtio_queue, q.pushed) },
		{ "virtio_interrupts_total", "Interrupts of a queue.",
		  offsetof(struct virtio_queue, interrupts) },
	};
	struct virtio_device *list[STATUS_DEVICES];
	unsigned count = guest->devices ? MIN(guest->devices(guest->board, list), STATUS_DEVICES) : 0;

	for (unsigned c = 0; c < ARRAY_SIZE(counts) && count; c++) {
		metric(out, counts[c].name, "counter", counts[c].help);
		for (unsigned i = 0; i < count; i++) {
			for (unsigned q = 0; q < list[i]->type->queue_count; q++) {
				char queue[] = { (char)('0' + q % 10), '\0' };
				const u8 *at = (const u8 *)&list[i]->queues[q] + counts[c].offset;

				labelled(out, counts[c].name, *(const u64 *)(const void *)at,
					 LABELS({ "device", list[i]->pci.name }, { "queue", queue }));
			}
		}
	}
}

static void put_network(const struct network *net, struct text_out *out)
{
	static const struct {
		const char *name, *direction, *reason;
		size_t offset;
	} counts[] = {
		{ "network_frames_total", "rx", NULL, offsetof(struct ethernet_counters, rx_frames) },
		{ "network_frames_total", "tx", NULL, offsetof(struct ethernet_counters, tx_frames) },
		{ "network_bytes_total", "rx", NULL, offsetof(struct ethernet_counters, rx_bytes) },
		{ "network_bytes_total", "tx", NULL, offsetof(struct ethernet_counters, tx_bytes) },
		{ "network_dropped_total", "rx", "malformed",
		  offsetof(struct ethernet_counters, rx_malformed) },
		{ "network_dropped_total", "rx", "error", offsetof(struct ethernet_counters, rx_errors) },
		{ "network_dropped_total", "tx", "no room", offsetof(struct ethernet_counters, tx_no_room) },
		{ "network_dropped_total", "tx", "no link", offsetof(struct ethernet_counters, tx_no_link) },
		{ "network_dropped_total", "tx", "malformed",
		  offsetof(struct ethernet_counters, tx_malformed) },
	};
	const char *last = NULL;

	for (unsigned c = 0; c < ARRAY_SIZE(counts); c++) {
		if (last != counts[c].name)
			metric(out, counts[c].name, "counter",
			       "By port of the bridge; rx came in from its side.");
		last = counts[c].name;
		for (unsigned i = 0; i < NETWORK_PORTS; i++) {
			const struct ethernet_port *port = net->ports[i].port;
			const u8 *at = port ? (const u8 *)&port->counters + counts[c].offset : NULL;

			if (at)
				labelled(out, counts[c].name, *(const u64 *)(const void *)at,
					 LABELS({ "port", port->name }, { "direction", counts[c].direction },
						{ counts[c].reason ? "reason" : NULL, counts[c].reason }));
		}
	}
}

void status_put_metrics(const struct status *status, struct text_out *out)
{
	const struct status_guest *guest = status->guest;
	struct http_counters http = http_counters();

	metric(out, "uptime_seconds", "gauge", "Since the network was started.");
	sample(out, "uptime_seconds", status_uptime(status));
	metric(out, "guest_running", "gauge", "Whether there is a guest.");
	sample(out, "guest_running", guest != NULL);
	counter(out, "network_slices_total", "Times that the network had the CPU.",
		status->net->counters.slices);
	counter(out, "network_rests_total", "Slices that left work for later.", status->net->counters.rests);
	metric(out, "network_longest_slice_ticks", "gauge", "Longest time that the network had the CPU.");
	sample(out, "network_longest_slice_ticks", status->net->counters.longest_slice);
	metric(out, "network_longest_wait_ticks", "gauge",
	       "Longest time that a slice was due and did not begin.");
	sample(out, "network_longest_wait_ticks", status->net->counters.longest_wait);
	counter(out, "http_requests_total", "Requests to the web server.", http.requests);
	counter(out, "http_refused_total", "Requests that found no buffer.", http.no_room);
	counter(out, "http_cut_off_total", "Connections that were too slow.", http.cut_off);
	put_network(status->net, out);
	if (!guest)
		return;
	put_exits(guest, out);
	put_pages(guest, out);
	if (guest->vtd)
		put_vtd(guest->vtd, out);
	if (guest->faults)
		counter(out, "dma_faults_total", "Accesses by devices that were denied.",
			guest->faults->total);
	put_devices(guest, out);
}
