# Sluice's memory core beside QEMU's: awk -f ratios.awk QEMU.tsv SLUICE.tsv. Prints how many times faster Sluice is and what was
# aimed at; a large transfer through the IOMMU is held against memcpy instead.
BEGIN {
	FS = "\t"
	split("lookup_hot 6 lookup_random_4 4 lookup_random_64 4 lookup_random_1024 4 lookup_random_4095 4 " \
	      "ram_read4 6 ram_write4 6 mmio_read4 6 mmio_write4 6 iommu_read_64 6 map_unmap 6 map_unmap_iommu 6 " \
	      "map_unmap_4092 200 rebuild_64 10 rebuild_1024 20 rebuild_4095 60", word, " ")
	for (i = 1; i in word; i += 2)
		aim["mm." word[i] "_ns"] = word[i + 1]
	limit["mm.iommu_read_4096_ns"] = 1.25
	limit["mm.iommu_read_65536_ns"] = 1.15
	printf "%-28s %12s %12s %8s  %s\n", "figure, ns", "QEMU", "Sluice", "ratio", "aim"
}
FILENAME == ARGV[1] {
	sub(/^qemu\./, "", $1)
	qemu[$1] = $2
	next
}
{ sluice[$1] = $2; order[++count] = $1 }
END {
	for (i = 1; i <= count; i++) {
		name = order[i]
		if (!(name in qemu))
			continue
		text = ""
		if (name in aim)
			text = (qemu[name] / sluice[name] >= aim[name] ? "" : "below ") aim[name]
		if (name in limit) {
			copy = name
			sub(/iommu_read/, "memcpy", copy)
			times = sluice[name] / sluice[copy]
			text = sprintf("%.2f of memcpy, %swithin %s", times, times <= limit[name] ? "" : "not ", limit[name])
		}
		printf "%-28s %12.1f %12.1f %8.1f  %s\n", name, qemu[name], sluice[name], qemu[name] / sluice[name], text
	}
}
