#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tests/network/test_network.py [BUILD]: the stock guest on the wire behind the VT-d unit, and Sluice's own web server, in one
boot of a machine with a network card; says TAP.

This program is the world: a web server, a name server and a sink at 127.0.0.1, which the guest sees as 10.0.2.2; and whoever
asks Sluice through the forwarded port. What the guest does there is tests/guest/wire.c."""
import concurrent.futures
import hashlib
import http.client
import http.server
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True  # the tree stays as it is
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "console"))
import test_console as terminal  # noqa: E402
from test_console import BUILD, SHELL, check  # noqa: E402

HERE = "10.0.2.2"
SLUICE = "10.0.2.15"
TOKEN = "a-token-of-the-test.0123456789"
PATIENCE = 120
# No pattern of the file that Sluice has.
FILE = b"".join(hashlib.sha256(struct.pack("<I", n)).digest() for n in range((4 << 20) // 32))
SLUICE_FILE = b"".join(struct.pack("<I", n * 2654435761 & 0xFFFFFFFF) for n in range(1 << 20))
NAME, ANSWER = "answer.sluice.test", "192.0.2.77"
# Of what a process has to itself when the network rests, how much is left in a flood at the least: Sluice's network takes a third
# (network.h), the guest's own handling of what arrives its part.
SHARE = 0.2


# ---- The world --------------------------------------------------------------------------------------------------------------
class Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(FILE)))
        self.end_headers()
        self.wfile.write(FILE)

    def log_message(self, *_):
        pass


def web_server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def datagrams(answer):
    """A socket of which each datagram is given to `answer`, whose result goes back."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", 0))

    def serve():
        while True:
            data, peer = s.recvfrom(65536)
            reply = answer(data)
            if reply:
                s.sendto(reply, peer)

    threading.Thread(target=serve, daemon=True).start()
    return s.getsockname()[1]


def name_answer(query):
    """RFC 1035, 4.1: to questions for the address of NAME, that; to all else, that there is nothing."""
    labels = b"".join(bytes([len(word)]) + word.encode() for word in NAME.split(".")) + b"\0"
    known = query[12:].startswith(labels + b"\0\1\0\1")
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(ANSWER)
    return query[:2] + struct.pack(">HHHHH", 0x8180, 1, known, 0, 0) + query[12:] + (record if known else b"")


class Sink:
    def __init__(self):
        self.count = 0
        self.port = datagrams(self.take)

    def take(self, _data):
        self.count += 1


class Hose:
    """Who sent it a datagram last gets as many back as can be sent, until it is closed."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.open = True
        threading.Thread(target=self.pour, daemon=True).start()

    def pour(self):
        peer = None
        while self.open:
            try:
                while not peer or select.select([self.socket], [], [], 0)[0]:
                    _, peer = self.socket.recvfrom(65536)
                self.socket.sendto(bytes(1400), peer)
            except OSError:
                pass  # the emulator's network has forgotten who asked
            time.sleep(0.0002)  # more than the emulator lets in, less than a CPU of this machine


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- The guest --------------------------------------------------------------------------------------------------------------
class Guest:
    def __init__(self, run):
        self.run = run

    def start(self, line):
        self.begin = self.run.at
        self.run.type(line.encode() + b'; echo "en""ded $?"\r')

    def finish(self):
        """What the line said, and its status."""
        status = int(self.run.expect(rb"\nended (\d+)\r\n", "the end of what the shell was told")[1])
        text = self.run.since(self.begin).decode(errors="replace").replace("\r", "")
        self.run.expect(SHELL)
        return text, status

    def do(self, line):
        self.start(line)
        return self.finish()

    def frames(self):
        """That its card has received."""
        text, _ = self.do("cat /sys/class/net/eth0/statistics/rx_packets")
        return int(re.search(r"\n(\d+)\n", text)[1])

    def spin(self):
        text, _ = self.do("wire spin 2")
        return int(re.search(r"wire: (\d+) rounds", text)[1])


def ask(port, method="GET", path="/", body=None, token=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, {"Authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def console_answers(run, when):
    run.open_prompt()
    net, exits = run.command("net"), run.command("exits")
    lost = re.search(r"the machine's own: lost keys (\d+) times", run.command("console"))
    run.type(b"\r")
    check(re.search(r"\n?net [0-9a-f:]{17}: link up", net) and "total" in exits and lost and lost[1] == "0",
          f"the console answers {when}, and no key was lost", net + exits + str(lost))


def fetches(guest, web):
    run = guest.run
    text, _ = guest.do("i=0; until ip addr show eth0 | grep 'inet '; do sleep 1; i=$((i+1)); [ $i -lt 60 ] || break; done; ip route")
    check(re.search(r"inet 10\.0\.2\.\d+/24", text) and f"default via {HERE}" in text, "the guest gets a lease by DHCP", text)
    text, _ = guest.do("cat /sys/class/net/eth0/device/../iommu_group/type")
    check("\nDMA" in text, "its card is behind the VT-d unit", text)

    port = datagrams(name_answer)
    text, _ = guest.do(f"nslookup -port={port} {NAME} {HERE}")
    check(f"Address: {ANSWER}" in text, "it resolves a name with a name server of ours", text)
    try:
        known = socket.gethostbyname("deb.debian.org")
    except OSError:
        known = None
    if known:
        text, _ = guest.do("nslookup deb.debian.org")
        check(re.search(r"Name:.*\n+Address:", text), "and one of the world with the network's own", text)

    for name, address, number, path, data in (("a web server on the machine", HERE, web, "/4m", FILE),
                                              ("Sluice", SLUICE, 80, "/test/4m", SLUICE_FILE)):
        text, status = guest.do(f"wire get {address} {number} {path}")
        check(status == 0 and f"wire: {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}" in text,
              f"it fetches {len(data) >> 20} MiB from {name}, unharmed", text)
        print("#", text.splitlines()[-2])

    guest.do("echo 0 0 >/proc/sys/net/ipv4/ping_group_range")
    for address, count in ((SLUICE, 10000), (HERE, 2000)):
        text, status = guest.do(f"wire ping {address} {count} 16")
        check(status == 0 and f"{count} sent, {count} answered" in text,
              f"{count} pings of all sizes to {address} are answered, each with its bytes", text)
        print("#", text.splitlines()[-2])
    console_answers(run, "after that")


def looks_from_outside(run, port):
    """tests/web/check.py, with its picture of the page."""
    picture = f"{BUILD}/status.png"
    process = subprocess.Popen([sys.executable, "tests/web/check.py", f"http://127.0.0.1:{port}/", picture],
                               stdout=subprocess.PIPE, text=True)
    said = []
    reader = threading.Thread(target=lambda: said.extend(process.stdout), daemon=True)
    reader.start()
    while process.poll() is None:
        run.read(0.2)
    reader.join()
    for line in said:
        if match := re.match(r"(not )?ok \d+ - (.*)", line):
            check(not match[1], match[2])
        elif line.startswith("#"):
            print(line, end="")


def controls(guest, port):
    status, _ = ask(port, "POST", "/api/input", b"touch /tmp/refused\r")
    other, _ = ask(port, "POST", "/api/input", b"touch /tmp/refused\r", TOKEN[:-1] + "x")
    check(status in (401, 403) and other in (401, 403), "who has no token, or another, may not type", f"{status} {other}")
    guest.begin = guest.run.at
    status, _ = ask(port, "POST", "/api/input", b'ls /tmp/refused; echo "en""ded $?"\r', TOKEN)
    text, ls = guest.finish()
    check(status == 200 and ls == 1, "who has it types to the guest's shell", text)


def spins(guest, port):
    """Slices of the network in the time of a guest that does nothing else; each request itself makes some more."""
    guest.start("wire spin 4")
    guest.run.expect(rb"\r\n", "the echo of the line")
    first = json.loads(ask(port, path="/api/state")[1])
    time.sleep(1)
    last = json.loads(ask(port, path="/api/state")[1])
    guest.finish()
    seconds = (last["ticks"] - first["ticks"]) / last["hz"]
    slices = last["network"]["slices"] - first["network"]["slices"]
    print(f"# {slices} slices in {seconds:.3f} s")
    check(seconds > 0 and slices / seconds > 100, "a guest that spins lets the network have its time",
          f"{slices} slices in {seconds} s")


def waits(port):
    """Since the guest was started, whatever it did."""
    state = json.loads(ask(port, path="/api/state")[1])
    wait, slice_ = (1e3 * state["network"][name] / state["hz"] for name in ("longest_wait", "longest_slice"))
    check(wait < 10, "no slice of the network was ever due for 10 ms", f"{wait} ms")
    print(f"# the longest wait for a slice {wait:.3f} ms, the longest slice {slice_:.3f} ms")


def garbage(port, until, counts):
    """Connections with nothing of sense, one after the other."""
    pieces = (b"GET /api/map HTTP/1.1\r\n\r\n", b"", os.urandom(3000), b"GET /api/state HTTP/1.1\r\n\r\n", b"\r\n\r\n")
    n = 0
    while time.monotonic() < until:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
                s.settimeout(5)
                s.sendall(pieces[n % len(pieces)])
                if n % 3:
                    s.recv(1000)
            counts["made"] += 1
        except OSError:
            counts["failed"] += 1
        n += 1


def crowds(guest):
    """Beside the hundred of tests/web/check.py, which the emulator's network lets in one after the other."""
    text, status = guest.do(f"wire crowd {SLUICE} 80 /api/state 100")
    print("#", text.splitlines()[-2])
    seen = re.search(r"100 at once, (\d+) good, (\d+) busy, 0 left alone", text)
    check(status == 0 and seen and int(seen[1]) >= 8 and int(seen[1]) + int(seen[2]) == 100,
          "of a hundred connections at once each is answered, with what was asked for or to come again", text)


def flood_from_outside(guest, port):
    quiet = guest.spin()
    counts = {"made": 0, "failed": 0}
    until = time.monotonic() + 12
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        for _ in range(32):
            pool.submit(garbage, port, until, counts)
        time.sleep(2)
        busy = guest.spin()
        console_answers(guest.run, "while many connections come from outside")
        text, _ = guest.do(f"wire ping {HERE} 100 1")
        while time.monotonic() < until:
            guest.run.read(0.2)
    print(f"# {counts['made']} connections, {counts['failed']} failed; a process has {busy} rounds in a million ticks, {quiet} before")
    check(counts["made"] > 50 and busy > SHARE * quiet, "the guest goes on meanwhile", f"{busy} rounds of {quiet}")
    # The card drops what its ring has no room for.
    answered = re.search(r"wire: 100 sent, (\d+) answered", text)
    check(answered and int(answered[1]) >= 50, "and its own packets are answered", text)
    print("#", text.splitlines()[-2])

    hose, before = Hose(), guest.frames()
    for _ in range(5):
        guest.do(f"wire flood {HERE} {hose.port} 0.001")
        if guest.frames() > before:
            break
    begun = time.monotonic()
    busy = guest.spin()
    console_answers(guest.run, "while datagrams pour in")
    status, _ = ask(port, path="/api/state")
    hose.open = False
    frames, took = guest.frames() - before, time.monotonic() - begun
    print(f"# {frames} frames in {took:.1f} s; a process has {busy} rounds in a million ticks")
    check(frames > 500 and busy > SHARE * quiet and status == 200, "the guest goes on meanwhile, and so does Sluice's web server",
          f"{frames} frames, {busy} rounds of {quiet}, status {status}")


def flood_from_inside(guest, port, sink):
    before = sink.count
    guest.do(f"wire flood {SLUICE} 9 20 >/tmp/one & wire flood {HERE} {sink.port} 20 >/tmp/other & sleep 1")
    begun = time.monotonic()
    status, body = ask(port, path="/api/state")
    took = time.monotonic() - begun
    check(status == 200 and json.loads(body)["guest"] == "running", "Sluice answers the outside while the guest floods", body[:300])
    console_answers(guest.run, "while the guest floods")
    text, _ = guest.do("wait; cat /tmp/one /tmp/other")
    sent = [int(n) for n in re.findall(r"wire: (\d+) datagrams", text)]
    print(f"# sent {sent}, {sink.count - before} arrived outside; the answer took {took:.1f} s")
    check(len(sent) == 2 and min(sent) > 100 and sink.count > before, "the flood was one, also outside", text)


def network(run, port):
    web, sink, guest = web_server(), Sink(), Guest(run)
    run.expect(SHELL, "the shell")
    fetches(guest, web)
    controls(guest, port)
    crowds(guest)
    spins(guest, port)
    flood_from_outside(guest, port)
    flood_from_inside(guest, port, sink)
    looks_from_outside(run, port)
    waits(port)
    text, status = guest.do(f"wire get {HERE} {web} /4m; dmesg -r | grep '^<[0-4]>'")
    check(hashlib.sha256(FILE).hexdigest() in text, "after all that the guest fetches its file as before", text)
    check(not re.search(r"\n<[0-4]>", text), "and its kernel has nothing to complain about", text)
    console_answers(run, "at the end")
    status, _ = ask(port, "POST", "/api/reset", b"", TOKEN)
    ended = run.wait()
    check(status == 200 and ended == 0 and b"sluice: the guest is reset by way of the web server" in run.output,
          "who has the token resets the guest", f"{status} {ended} {run.output[-500:]}")


def main():
    for end in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(end, terminal.on_signal)
    kernel = subprocess.run(["tools/kernel"], capture_output=True, check=True, text=True).stdout.strip()
    port = free_port()
    terminal.guarded(lambda run: network(run, port), "the network", "--kernel", kernel, "--initrd", f"{BUILD}/initrd",
                     "--guest-disk", f"{BUILD}/net-root", "--mem", "192", "--net", f"user:{port}", "--cmdline",
                     "console=ttyS0 quiet cryptomgr.notests mitigations=off intel_iommu=on", "--config", "http-test-file = on",
                     "--config", f"http-token = {TOKEN}", "--config", "on-guest-reset = poweroff")
    print(f"1..{terminal.number}")
    sys.exit(terminal.failed > 0)


if __name__ == "__main__":
    main()
