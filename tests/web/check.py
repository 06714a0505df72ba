#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""check.py URL [SCREENSHOT]: what the web server of a running Sluice must do, from outside, as TAP.

Well-formed and hostile requests over plain sockets; then, where there is a Chromium, the page in it, whose picture goes to
SCREENSHOT. `URL` is http://HOST:PORT/. promtool judges the metrics too, where it is installed.
"""
import concurrent.futures
import gzip
import hashlib
import json
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse

PATIENCE = 60  # seconds for one answer: the machine may be an emulator


def talk(request, pause=0.0, patience=PATIENCE):
    """Everything that is answered to the bytes of `request`; with a pause, one byte at a time. Closed or reset: the end."""
    answer = b""
    try:
        with socket.create_connection((host, port), timeout=patience) as connection:
            connection.settimeout(patience)
            if pause:
                for byte in request:
                    connection.sendall(bytes([byte]))
                    time.sleep(pause)
            else:
                connection.sendall(request)
            while piece := connection.recv(65536):
                answer += piece
    except (ConnectionResetError, BrokenPipeError):
        pass
    return answer


def get(path):
    """Status, header fields, body."""
    answer = talk(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    header, _, body = answer.partition(b"\r\n\r\n")
    lines = header.decode().split("\r\n")
    fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
    assert int(fields["content-length"]) == len(body), f"{path}: {len(body)} bytes, said {fields['content-length']}"
    return int(lines[0].split()[1]), fields, body


def state():
    status, _, body = get("/api/state")
    assert status == 200
    return json.loads(body)


def page_is_complete():
    status, fields, body = get("/")
    assert status == 200 and fields["content-encoding"] == "gzip"
    text = gzip.decompress(body).decode()
    assert text.startswith("<!DOCTYPE html>") and text.rstrip().endswith("</html>")


def counters_move():
    before = state()
    time.sleep(1)
    after = state()
    assert after["uptime"] >= before["uptime"] and after["ticks"] > before["ticks"]
    assert sum(e["exits"] for e in after["exits"]) > sum(e["exits"] for e in before["exits"]), "no exits"
    assert not after["cut"]


def map_has_ram_and_devices():
    status, _, body = get("/api/map")
    assert status == 200
    ranges = json.loads(body)["ranges"]
    kinds = {r["kind"] for r in ranges}
    assert {"ram", "mmio"} <= kinds, kinds
    last = -1
    for r in ranges:
        assert int(r["first"], 16) > last, r
        last = int(r["last"], 16)


def metrics_are_prometheus():
    status, fields, body = get("/metrics")
    assert status == 200 and fields["content-type"].startswith("text/plain; version=0.0.4")
    for line in body.decode().splitlines():
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{\w+="(\\.|[^"\\])*"(,\w+="(\\.|[^"\\])*")*\})? \d+', line), line
    if shutil.which("promtool"):
        subprocess.run(["promtool", "check", "metrics"], input=body, check=True, capture_output=True)


def console_goes_on_where_it_was():
    status, fields, body = get("/api/console/0")
    assert status == 200
    begin, end = int(fields["x-console-begin"]), int(fields["x-console-end"])
    assert end - begin == len(body)
    _, again, _ = get(f"/api/console/{end}")
    assert int(again["x-console-begin"]) == end


def file_of_4_mib_arrives():
    status, _, body = get("/test/4m")
    if status == 404:
        return "not configured"
    expected = b"".join(struct.pack("<I", n * 2654435761 & 0xFFFFFFFF) for n in range(1 << 20))
    assert hashlib.sha256(body).digest() == hashlib.sha256(expected).digest()
    return None


def control_is_refused():
    for token in "", "Authorization: Bearer x\r\n":
        answer = talk(f"POST /api/reset HTTP/1.1\r\n{token}Content-Length: 0\r\n\r\n".encode())
        assert answer.split()[1] in (b"401", b"403"), answer


def malformed_is_answered_or_closed():
    for request in (
        b"\r\n\r\n", b"\x00" * 100 + b"\r\n\r\n", b"GET\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n", b"POST /api/reset HTTP/1.1\r\n\r\n",
        b"POST /api/input HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"GET /" + b"%" * 1500 + b" HTTP/1.1\r\n\r\n",
        b"POST /api/input HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\nx", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        bytes(range(256)) * 4 + b"\r\n\r\n",
    ):
        talk(request)


def oversized_is_answered_or_closed():
    talk(b"GET / HTTP/1.1\r\n" + b"X-Long: " + b"x" * 100000 + b"\r\n\r\n")
    talk(b"POST /api/input HTTP/1.1\r\nContent-Length: 50000\r\n\r\n" + b"x" * 50000)
    talk(b"x" * 100000)


def slow_is_closed():
    """In two minutes at most, be the machine as slow as an emulator."""
    began = time.monotonic()
    talk(b"GET / HTTP/1.1\r\nX-Slow: " + b"x" * 1000, pause=0.5, patience=120)
    assert time.monotonic() - began < 240


def persistent(request):
    """An answer, in the end. Bochs' network keeps two who want in, and forgets the others, who then wait for long."""
    until = time.monotonic() + 2 * PATIENCE
    while time.monotonic() < until:
        try:
            if answer := talk(request, patience=2):
                return answer
        except TimeoutError:
            pass
    return b""


def a_hundred_at_once():
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda _: persistent(b"GET /api/state HTTP/1.1\r\n\r\n"), range(100)))
    good = sum(answer.startswith(b"HTTP/1.1 200") for answer in answers)
    busy = sum(answer.startswith(b"HTTP/1.1 503") for answer in answers)
    assert good > 0 and good + busy == 100, f"{good} answered, {busy} told to come again"
    assert state()["guest"]
    return f"{good} answered, {busy} told to come again"


def chromium(*arguments):
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run(
            ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             f"--user-data-dir={profile}", "--virtual-time-budget=4000", "--window-size=1100,2100", *arguments, url],
            check=True, capture_output=True, timeout=300).stdout.decode()


def exits_shown(dom):
    table = re.search(r'<table id="exits">(.*?)</table>', dom, re.S).group(1)
    return [int(cell.replace(",", "")) for cell in re.findall(r'<tr><td class="">[^<]*</td><td class="n">([\d,]+)</td>', table)]


def page_in_a_browser():
    if not shutil.which("chromium"):
        return "there is no Chromium"
    first = chromium("--dump-dom")
    drawn = re.search(r'<svg id="map".*?</svg>', first, re.S).group(0)
    assert drawn.count("<rect") >= 3, "the map is not drawn"
    assert exits_shown(first), "no exits are shown"
    if screenshot:
        chromium(f"--screenshot={screenshot}")
    assert sum(exits_shown(chromium("--dump-dom"))) > sum(exits_shown(first)), "the counters stand still"
    return None


TESTS = (page_is_complete, counters_move, map_has_ram_and_devices, metrics_are_prometheus, console_goes_on_where_it_was,
         file_of_4_mib_arrives, control_is_refused, malformed_is_answered_or_closed, oversized_is_answered_or_closed,
         slow_is_closed, a_hundred_at_once, page_in_a_browser, counters_move)

if len(sys.argv) not in (2, 3):
    sys.exit(__doc__)
url = sys.argv[1]
screenshot = sys.argv[2] if len(sys.argv) == 3 else None
host, port = urllib.parse.urlsplit(url).hostname, urllib.parse.urlsplit(url).port or 80
failed = 0
print(f"1..{len(TESTS)}")
for number, test in enumerate(TESTS, 1):
    name = "web: " + test.__name__.replace("_", " ")
    try:
        remark = test()
        print(f"ok {number} - {name}" + (f" ({remark})" if remark else ""), flush=True)
    except Exception as problem:  # whatever it is, it is this test's
        failed += 1
        print(f"not ok {number} - {name}\n# {type(problem).__name__}: {problem}", flush=True)
sys.exit(failed != 0)
