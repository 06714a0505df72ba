#!/bin/bash
# What a request to a virtio disk behind the VT-d unit costs: the tiny guest of tests/target/blk_costs.c, in Bochs (cpu
# corei7_haswell_4770), whose TSC counts instructions. Prints name, value, unit.
set -euo pipefail
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
serial=$BUILD/bench/blk.serial
mkdir -p "$BUILD/bench"
tools/run --machine bochs --efi "$BUILD/sluice.efi" --config 'bench = blk' --mem 64 --serial "$serial" --timeout 300 >&2
tr -d '\r' <"$serial" | awk '/^bench / { printf "%s\t%s\t%s\n", $2, $3, $4 }'
