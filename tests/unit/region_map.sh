#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The tool region-map: what it says of the boards' tables, and of a broken one. BUILD is where both builds of it are.
build=${BUILD:-build}
out=$build/region-map.out

check() { # NAME COMMAND..
	name=$1
	shift
	if "$@"; then echo "ok - region-map: $name"; else echo "not ok - region-map: $name"; fi
}
fails_with() { # CODE COMMAND..
	code=$1
	shift
	"$@" >"$out" 2>&1
	[ $? -eq "$code" ]
}

echo 1..6
check "the boards' tables are right" fails_with 0 "$build/region-map" --svg "$build/region-map.svg"
check "it shows the flat view" grep -q 'ram: ram' "$out"
check "its picture is an SVG file" grep -q '^</svg>' "$build/region-map.svg"
check "it knows the table that was asked for" fails_with 1 "$build/region-map" nothing
check "a broken table ends with 1" fails_with 1 "$build/region-map-broken"
check "the message names both rows" \
	grep -q "mmio 'uart' 0x1000-0x1fff lies inside ram 'ram' 0x0-0x3fffffff" "$out"
