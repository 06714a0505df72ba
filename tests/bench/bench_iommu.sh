#!/bin/bash
# Boots Linux from a virtio disk behind the VT-d unit, once with translation and interrupt remapping (the default of Debian's
# kernel) and once with intel_iommu=off, in Bochs, whose TSC counts instructions: from the kernel's first instruction to the
# first one of the disk's init. Prints name, value, unit.
set -euo pipefail
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
out=$BUILD/bench
cmdline='console=ttyS0 quiet cryptomgr.notests nokaslr mitigations=off'

boot() { # SERIAL CMDLINE: instructions
	tools/run --machine bochs --efi "$BUILD/sluice.efi" --kernel "$(tools/kernel)" --initrd "$BUILD/initrd" \
		--guest-disk "$out/root" --cmdline "$2" --mem 256 --config 'on-guest-fault = poweroff' --serial "$1" --timeout 600 >&2
	tr -d '\r' <"$1" | awk '
		/guest entry: tsc/ { sub(/.*tsc /, ""); entry = $1 }
		/init: tsc/ { sub(/.*tsc /, ""); init = $1 }
		END { if (!entry || !init) exit 1; print init - entry }'
}

on=$(boot "$out/iommu-on.serial" "$cmdline intel_iommu=on")
off=$(boot "$out/iommu-off.serial" "$cmdline intel_iommu=off")
printf 'boot.iommu_on_instructions\t%d\tinstructions\n' "$on"
printf 'boot.iommu_off_instructions\t%d\tinstructions\n' "$off"
awk -v on="$on" -v off="$off" 'BEGIN { printf "boot.iommu_ratio\t%.4f\t1\n", on / off }'
