#!/bin/bash
# Boots the same kernel, initramfs and command line once bare and once on Sluice, in Bochs, whose TSC counts instructions:
# from the kernel's first instruction (bare: its EFI stub) to the first one of init. Prints name, value, unit. What exits
# there were goes to $BUILD/boot-exits.txt.
set -euo pipefail
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
out=$BUILD/bench
kernel=$(tools/kernel)
cmdline='console=ttyS0 quiet cryptomgr.notests nokaslr mitigations=off'
printf '%s' "$cmdline" >"$out/cmdline"

boot() { # EFI SERIAL OPTIONS...
	local efi=$1 serial=$2
	shift 2
	tools/run --machine bochs --efi "$efi" --kernel "$kernel" --initrd "$out/initrd" --cmdline "$cmdline" --mem 256 \
		--serial "$serial" --timeout 600 "$@" >&2
}
number() { # FILE PATTERN: the number that PATTERN's group matches
	tr -d '\r' <"$1" | sed -nE "s/.*$2.*/\\1/p" | tail -n 1
}

boot "$out/bare_boot.efi" "$out/bare.serial" --file "$out/cmdline=cmdline"
# Devices that the bare machine has not would be the kernel's work, not ours.
boot "$BUILD/sluice.efi" "$out/guest.serial" --config 'on-guest-fault = poweroff' --config 'iommu = off' \
	--config 'virtio-console = off' --config 'virtio-rng = off' --config 'net = off'

bare=$(($(number "$out/bare.serial" 'init: tsc ([0-9]+)') - $(number "$out/bare.serial" 'starts at tsc ([0-9]+)')))
guest=$(($(number "$out/guest.serial" 'init: tsc ([0-9]+)') - $(number "$out/guest.serial" 'guest entry: tsc ([0-9]+)')))
tr -d '\r' <"$out/guest.serial" | sed -n '/mark 1/,/total/p' >"$BUILD/boot-exits.txt"

printf 'boot.bare_instructions\t%d\tinstructions\n' "$bare"
printf 'boot.guest_instructions\t%d\tinstructions\n' "$guest"
awk -v guest="$guest" -v bare="$bare" 'BEGIN { printf "boot.ratio\t%.4f\t1\n", guest / bare }'
printf 'boot.exits\t%d\texits\n' "$(number "$out/guest.serial" 'mark 1: tsc [0-9]+, ([0-9]+) exits')"
printf 'boot.setup_instructions\t%d\tinstructions\n' "$(number "$out/guest.serial" ', ([0-9]+) instructions after efi_main')"
printf 'memory.own_kib\t%d\tKiB\n' "$(number "$out/guest.serial" 'own memory ([0-9]+) KiB')"
printf 'image.kib\t%d\tKiB\n' $((($(stat -Lc %s "$BUILD/sluice.efi") + 1023) / 1024))
