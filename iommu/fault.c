// SPDX-License-Identifier: BSD-2-Clause
#include "iommu/fault.h"

#include <stdio.h>
#include <string.h>

#include "mm/spin.h"

void fault_log_init(struct fault_log *log)
{
	memset(log, 0, sizeof(*log));
}

static unsigned reason_slot(unsigned reason)
{
	unsigned slot = reason < IOMMU_FAULT_UNIT ? reason : reason - IOMMU_FAULT_UNIT + FAULT_REASONS / 2;

	return MIN(slot, FAULT_REASONS - 1);
}

void fault_log_add(struct fault_log *log, const struct fault_record *record)
{
	struct fault_record *slot;
	struct fault_record added = *record;
	bool print;

	spin_lock(&log->lock);
	added.number = ++log->total;
	slot = &log->ring[(added.number - 1) % FAULT_RING];
	*slot = added;
	log->by_reason[reason_slot(record->reason)]++;
	print = log_rate_ok(&log->rate);
	spin_unlock(&log->lock);
	if (print) {
		char text[200];

		fault_format(&added, text, sizeof(text));
		log_line(LOG_WARN, "%s", text);
	}
}

bool fault_log_get(struct fault_log *log, unsigned back, struct fault_record *record)
{
	bool found;

	spin_lock(&log->lock);
	found = back < MIN(log->total, FAULT_RING);
	if (found)
		*record = log->ring[(log->total - 1 - back) % FAULT_RING];
	spin_unlock(&log->lock);
	return found;
}

u64 fault_log_count(const struct fault_log *log, unsigned reason)
{
	return log->by_reason[reason_slot(reason)];
}

int fault_format(const struct fault_record *record, char *text, size_t size)
{
	static const char *const kinds[] = { "access", "read", "write", "read and write" };
	char reason[80];

	if (record->detail && record->reason == IOMMU_FAULT_NOT_MAPPED)
		snprintf(reason, sizeof(reason), "outside the window '%.32s'", record->detail);
	else if (record->detail && record->reason == IOMMU_FAULT_NOT_PERMITTED)
		snprintf(reason, sizeof(reason), "not permitted by the window '%.32s'", record->detail);
	else if (record->reason >= IOMMU_FAULT_UNIT)
		snprintf(reason, sizeof(reason), "fault reason 0x%x%s%.32s",
			 record->reason - IOMMU_FAULT_UNIT, record->detail ? ", " : "",
			 record->detail ? record->detail : "");
	else
		snprintf(reason, sizeof(reason), "%s%s%.32s%s", iommu_fault_text(record->reason),
			 record->detail ? ", by way of '" : "", record->detail ? record->detail : "",
			 record->detail ? "'" : "");
	if (record->reason >= IOMMU_FAULT_INTERRUPT)
		return snprintf(text, size, "interrupt denied: %.32s %02x:%02x.%x index 0x%llx: %s",
				record->device ? record->device : "?", (unsigned)(record->requester >> 8),
				(unsigned)(record->requester >> 3 & 0x1f), (unsigned)(record->requester & 7),
				(unsigned long long)record->iova, reason);
	return snprintf(text, size, "DMA %s denied: %.32s %02x:%02x.%x iova 0x%llx-0x%llx: %s",
			kinds[record->access & 3], record->device ? record->device : "?",
			(unsigned)(record->requester >> 8), (unsigned)(record->requester >> 3 & 0x1f),
			(unsigned)(record->requester & 7), (unsigned long long)record->iova,
			(unsigned long long)(record->iova + (record->length - 1)), reason);
}

void fault_log_print(struct fault_log *log, void (*emit)(void *to, const char *line), void *to)
{
	struct fault_record record;
	char line[200];

	for (unsigned back = FAULT_RING; back--;) {
		if (!fault_log_get(log, back, &record))
			continue;
		int length = snprintf(line, sizeof(line), "#%llu ", (unsigned long long)record.number);

		fault_format(&record, line + length, sizeof(line) - (size_t)length);
		emit(to, line);
	}
	for (unsigned reason = 0; reason < FAULT_REASONS; reason++) {
		if (!log->by_reason[reason])
			continue;
		if (reason < FAULT_REASONS / 2)
			snprintf(line, sizeof(line), "%llu: %s", (unsigned long long)log->by_reason[reason],
				 iommu_fault_text(reason));
		else
			snprintf(line, sizeof(line), "%llu: fault reason 0x%x%s",
				 (unsigned long long)log->by_reason[reason], reason - FAULT_REASONS / 2,
				 reason == FAULT_REASONS - 1 ? " and above" : "");
		emit(to, line);
	}
	snprintf(line, sizeof(line), "%llu faults, %u not printed when they came",
		 (unsigned long long)log->total, (unsigned)log->rate.dropped);
	emit(to, line);
}
