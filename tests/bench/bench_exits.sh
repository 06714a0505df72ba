#!/bin/bash
# What exits cost: the tiny guest of tests/target/exit_costs.c, in Bochs (cpu corei7_haswell_4770), whose TSC counts
# instructions. Prints name, value, unit.
set -euo pipefail
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
serial=$BUILD/bench/exits.serial
mkdir -p "$BUILD/bench"
tools/run --machine bochs --efi "$BUILD/sluice.efi" --config 'bench = exits' --mem 64 --serial "$serial" --timeout 300 >&2
tr -d '\r' <"$serial" | awk '/^bench / { printf "%s\t%s\t%s\n", $2, $3, $4 }'
