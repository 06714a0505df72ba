#!/bin/bash
# What the guest's network costs behind the VT-d unit, in Bochs, whose TSC counts instructions, those of the guest's kernel with
# its TCP and UDP included: a file from Sluice's own web server (4 MiB by TCP), datagrams through the bridge and the machine's card
# to a sink here (4 MiB by UDP), and a ping of Sluice with its answer, of all sizes, one after the other. Prints name, value,
# unit.
set -euo pipefail
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
out=$BUILD/bench
serial=$out/net.serial
mkdir -p "$out"
rm -f "$out"/sink.*

# Counts what arrives: its port and, in the end, the count are in files.
python3 -c '
import os, signal, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
s.bind(("127.0.0.1", 0))
count = 0
def end(*_):
    with open(sys.argv[1] + ".count", "w") as file:
        print(count, file=file)
    sys.exit()
signal.signal(signal.SIGTERM, end)
with open(sys.argv[1] + ".port.new", "w") as file:
    print(s.getsockname()[1], file=file)
os.rename(sys.argv[1] + ".port.new", sys.argv[1] + ".port")
while True:
    s.recv(65536)
    count += 1' "$out/sink" &
sink=$!
trap 'kill $sink 2>/dev/null || true' EXIT
until [ -e "$out/sink.port" ]; do sleep 0.1; done

tools/run --machine bochs --efi "$BUILD/sluice.efi" --kernel "$(tools/kernel)" --initrd "$BUILD/initrd" --guest-disk "$out/net-root" \
	--mem 192 --net user --config 'http-test-file = on' --serial "$serial" --timeout 600 \
	--cmdline "console=ttyS0 quiet cryptomgr.notests mitigations=off sluice.sink=$(<"$out/sink.port")" >&2
kill $sink
wait $sink

# Between the marks of each span the exits; the line of the span itself comes after the second.
tr -d '\r' <"$serial" | awk -v arrived="$(<"$out/sink.count")" '
	/^begin / { what = $2 }
	/^sluice: mark 0:/ { exits[what] -= $6 }
	/^sluice: mark 1:/ { exits[what] += $6 }
	/^wire: .* frames$/ {
		ticks[what] = $(NF - 3)
		frames[what] = $(NF - 1)
		amount[what] = $2
		if (what == "tx")
			bytes = $4
	}
	END {
		if (amount["ping"] != 1000 || amount["rx"] != 4194304 || bytes != 4194304 || arrived != amount["tx"]) {
			print "bench_net: not all of it arrived" >"/dev/stderr"
			exit 1
		}
		printf "net.rx_instructions_per_kib\t%.0f\tinstructions\n", ticks["rx"] / 4096
		printf "net.tx_instructions_per_kib\t%.0f\tinstructions\n", ticks["tx"] / 4096
		printf "net.ping_instructions\t%.0f\tinstructions\n", ticks["ping"] / 1000
		printf "net.exits_per_packet\t%.2f\texits\n", (exits["rx"] + exits["tx"]) / (frames["rx"] + frames["tx"])
	}'
