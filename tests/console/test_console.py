#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""tests/console/test_console.py [BUILD [PART...]]: drives tools/run on a pty as a user does, and says TAP. Parts: ends, doomed,
linux; without any, all of them.

What is held: the guest's shell gets each key and gives each byte; the hypervisor console answers whatever the guest does, also
one that is dead; and however a run ends, no process, file or changed terminal is left behind."""
import hashlib
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time

BUILD = sys.argv[1] if len(sys.argv) > 1 else "build"
# Of real time: machines under load are slow, and nothing here waits for it when all is well.
PATIENCE = 240
ESCAPE = b"\x1d"
PROMPT = rb"\r\nsluice> "
SHELL = rb"sluice-guest:[^\r\n]*# "
CURSOR_QUESTION = b"\x1b[6n"
number = failed = 0


def check(holds, name, seen=""):
    global number, failed
    number += 1
    if not holds:
        failed += 1
        for line in str(seen).splitlines()[-40:]:
            print("#", line)
    print(f"{'ok' if holds else 'not ok'} {number} - {name}", flush=True)
    return holds


class Gone(Exception):
    """What was waited for did not come."""


class Run:
    """tools/run on a pty of its own, with a folder of its own for temporary files."""

    def __init__(self, *options):
        self.folder = tempfile.mkdtemp(prefix="console-test.")
        self.output = b""
        self.at = 0  # what comes later is not yet looked at
        self.master, self.slave = pty.openpty()
        self.terminal = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(["tools/run", "--efi", f"{BUILD}/sluice.efi", *options], stdin=self.slave,
                                        stdout=self.slave, stderr=self.slave, env={**os.environ, "TMPDIR": self.folder},
                                        start_new_session=True, preexec_fn=self.take_terminal)

    @staticmethod
    def take_terminal():
        # So that a terminal that goes away is noticed as it is by a shell's child.
        os.close(os.open(os.ttyname(0), os.O_RDWR))

    def read(self, seconds):
        """Takes in what comes within that time; False if nothing did."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.output += data
        # The guest's shell asks where the cursor is, as it does of every terminal.
        if CURSOR_QUESTION in data:
            os.write(self.master, b"\x1b[40;1R")
        return bool(data)

    def expect(self, pattern, what=None, patience=PATIENCE):
        """Waits for the pattern in what was not looked at yet; gives the match."""
        end = time.monotonic() + patience
        while True:
            match = re.compile(pattern).search(self.output, self.at)
            if match:
                self.at = match.end()
                return match
            if self.process.poll() is not None and not self.read(0.2):
                while self.read(1):
                    pass
                raise Gone(f"the run ended with status {self.process.returncode} before {what or pattern}")
            if time.monotonic() > end:
                raise Gone(f"no {what or pattern} within {patience} s")
            self.read(0.5)

    def type(self, keys):
        while keys:
            self.read(0)
            if select.select([], [self.master], [], 1)[1]:
                keys = keys[os.write(self.master, keys[:256]):]

    def since(self, position):
        return self.output[position:self.at]

    def wait(self, patience=PATIENCE):
        """The status of a run that ends by itself."""
        end = time.monotonic() + patience
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.2)
        while self.read(0):
            pass
        return self.process.poll()

    def emulator(self):
        """Waits until there is an emulator: its process id."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for pid in self.processes():
                try:
                    with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                        if file.read().strip() in ("bochs-bin", "bochs", "qemu-system-x86"):
                            return pid
                except OSError:
                    pass
            self.read(0.1)
        raise Gone("no emulator was started")

    def processes(self):
        """All that inherited the folder's name, however far from us."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    if self.folder.encode() in file.read() and int(pid) != os.getpid():
                        found.append(int(pid))
            except OSError:
                pass
        return found

    def left_behind(self):
        """Processes and files, after some time to end; empty: nothing."""
        end = time.monotonic() + 30
        while time.monotonic() < end and (self.processes() or os.listdir(self.folder)):
            self.read(0.2)
        return [f"process {pid}" for pid in self.processes()] + [
            os.path.join(folder, name) for folder, folders, files in os.walk(self.folder) for name in folders + files]

    def terminal_restored(self):
        return termios.tcgetattr(self.slave) == self.terminal

    def close(self):
        """For a test that went wrong too: nothing stays."""
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        self.process.wait()
        for file in (self.master, self.slave):
            try:
                os.close(file)
            except OSError:
                pass
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- the hypervisor console ----

    def open_prompt(self):
        self.type(ESCAPE)
        self.expect(PROMPT, "the prompt after the escape key")

    def command(self, line):
        """A command's answer, without its echo and the next prompt."""
        begin = self.at
        self.type(line.encode() + b"\r")
        self.expect(re.escape(line.encode()) + rb"\r\n", f"the echo of '{line}'")
        self.expect(rb"(?:^|\r\n|(?<=\n))sluice> $", f"the prompt after '{line}'")
        return self.since(begin).decode(errors="replace").replace("\r", "")


def plain(data):
    """Without what moves the cursor."""
    return re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", data)


# ---- A Linux guest with a shell ---------------------------------------------------------------------------------------------
ANSWERS = [
    ("help", [r"mtree .*\n", r"nmi .*\n", r"quit .*\n", r"help .*empty line"]),
    ("mtree", [r"address space: memory", r"00000000fec00000-00000000fec00fff .*mmio.*: ioapic", r"address space: port",
               r"com1", r"address space: dma"]),
    ("mtree -f", [r"0000000000000000-000000000009ffff ram: ram.low @0", r"rom: firmware",
                  r"00000000c0100000-00000000c01fffff mmio: edu", r"00000000000003f8-00000000000003ff mmio: com1"]),
    ("iommu", [r"edu 00:04.0", r"window 'low memory' 0x100000-0xbfffffff", r"translation on", r"interrupt remapping on.*x2APIC",
               r"disk 00:01.0: domain \d+, 48 bits", r"\n  0x[0-9a-f]+-0xffffffff -> 0x[0-9a-f]+-0x[0-9a-f]+ read and write",
               r"IOTLB: \d+ hits, \d+ misses", r"\n0 faults"]),
    ("devices", [r"disk: virtio block, in use; .*\n  queue 0: split of \d+: \d+ notifications, [1-9]\d* requests",
                 r"console: virtio console", r"rng: virtio entropy"]),
    ("console", [r"com1 \(shown\); 0 keys lost\n  hvc0; 0 keys lost\n  the machine's own: lost keys 0 times"]),
    ("console nowhere", [r"'nowhere': no such line"]),
    ("ept", [r"\d+ tables; pages of 1 GiB \d+, 2 MiB [1-9]\d*, 4 KiB \d+"]),
    ("exits", [r"CPUID +\d+ exits", r"I/O port +\d+ exits", r"HLT +\d+ exits", r"total +\d+ exits"]),
    ("history", [r"(rip [0-9a-f]{16}  .* qualification [0-9a-f]+\n.*){8}"]),
    ("regs", [r"rip [0-9a-f]{16}  rflags", r"rax ", r"r15 ", r"cr3 ", r"efer 0d01", r"cs   0010", r"code at rip: "]),
    ("log", [r"sluice: guest entry: tsc \d+"]),
    ("frobnicate", [r"'frobnicate': no such command"]),
    ("m\x7f\x7f\x7fheap\x7f\x7flp", [r"mtree .*\n"]),
    ("he\x1b[40;1Rlp\x1bOA", [r"mtree .*\n"]),
]


def wrong_lines(text, last):
    """The first difference to 1..last, a number a line."""
    lines = text.replace("\r", "").split("\n")
    expected = [str(n) for n in range(1, last + 1)]
    if lines == expected:
        return ""
    for i, (got, want) in enumerate(zip(lines, expected)):
        if got != want:
            return f"line {i + 1} of {len(lines)}: {got!r} instead of {want!r}"
    return f"{len(lines)} lines instead of {last}"


def linux(run):
    run.expect(SHELL, "the shell")
    check(True, "Linux boots to a shell on the terminal")

    run.type(b'echo see""n $((6*7))\r')
    begin = run.at
    run.expect(rb"seen 42\r\n", "the answer of the shell")
    check(b'echo see""n $((6*7))' in plain(run.since(begin)), "what is typed is echoed by the guest, and answered",
          run.since(begin))
    run.expect(SHELL)

    run.open_prompt()
    check(True, "the escape key opens the hypervisor console")
    for line, patterns in ANSWERS:
        begin = run.at
        shown = re.sub(r"m\x7f.*", "help, typed with corrections", line)
        shown = re.sub(r"he\x1b.*", "help, with a terminal's answer and a cursor key in it", shown)
        if not line.isprintable():
            run.type(line.encode() + b"\r")
            run.expect(rb"sluice> $")
            answer = run.since(begin).decode(errors="replace").replace("\r", "")
        else:
            answer = run.command(line)
        missing = [pattern for pattern in patterns if not re.search(pattern, answer)]
        check(not missing, f"console: {shown}", f"{answer}\nmissing: {missing}")
    run.type(b"\r")
    run.type(b"echo ba\"\"ck\r")
    run.expect(rb"back\r\n", "the guest after an empty line")
    check(True, "an empty line goes back to the guest")
    run.expect(SHELL)

    # The shell of the second console: what it said while nobody looked comes first; what is typed goes there.
    run.open_prompt()
    run.type(b"console hvc0\r")
    run.expect(SHELL, "what the second console had said")
    run.type(b"tty; echo he\"\"ard\r")
    answer = run.expect(rb"(/dev/hvc0|\?\?)\r\nheard\r\n", "the second console's answer")
    check(answer[1] == b"/dev/hvc0", "the terminal turns to the guest's virtio console, which answers", answer[0])
    run.open_prompt()
    run.type(b"console com1\r\r")
    run.type(b"echo ba\"\"ck again\r")
    run.expect(rb"back again\r\n", "the shell on the first one")
    check(True, "and back")
    run.expect(SHELL)

    # By a process and by the kernel, which drops what its UART does not take in 10 ms.
    run.type(b'(sleep 1; seq 1 500; sleep 1; for i in 1 2 3 4 5; do echo "<0>line $i of 5" >/dev/kmsg; done; echo comp""lete) &\r')
    run.expect(SHELL)
    run.open_prompt()
    begin = run.at
    end = time.monotonic() + 5
    while time.monotonic() < end:
        run.read(0.2)
        run.command("ept")
    quiet = plain(run.output[begin:])
    check(b"\r\n5\r\n" not in quiet and b"line 1 of 5" not in quiet, "nothing that the guest prints disturbs the open prompt", quiet)
    begin = run.at
    run.type(b"\r")
    run.expect(rb"complete\r\n", "what the guest printed while the prompt was open")
    text = plain(run.since(begin)).decode(errors="replace")
    numbers = re.search(r"(?:^|\n)(1\r\n2\r\n.*?\r\n500)\r\n", text, re.S)
    lines = re.findall(r"line (\d) of 5\r\n", text)
    check(numbers and not wrong_lines(numbers[1], 500) and lines == list("12345"),
          "it all appears when the prompt closes, also the kernel's own lines", text)
    run.type(b"\r")
    run.expect(SHELL)

    # The prompt in the middle of a flood.
    run.type(b"seq 1 8000; echo en\"\"d\r")
    run.expect(rb"\r\n1\r\n2\r\n")
    begin = run.at
    run.expect(rb"\r\n1\d\d\d\r\n", "some of the flood")
    run.open_prompt()
    opened = run.at - len(b"\r\nsluice> ")
    answer = run.command("exits")
    closing = len(run.output)
    run.type(b"\r")
    run.expect(rb"\r\n", "the end of the prompt's line")
    check("total" in answer, "the console answers in the middle of a flood of output", answer)
    closed = run.at
    run.expect(rb"\r\nend\r\n", "the end of the flood")
    flood = b"1\r\n2\r\n" + run.output[begin:opened] + run.output[closed:run.at - len(b"\r\nend\r\n")]
    wrong = wrong_lines(flood.decode(errors="replace"), 8000)
    check(not wrong, "of a flood of 38 KB of output nothing is lost", f"{wrong}; prompt at {opened}..{closing}")
    run.expect(SHELL)

    # Lines as a user pastes them, faster than the guest takes them, and echoed.
    lines = [f"{i:04d} the quick brown fox jumps over the lazy dog {i * i}" for i in range(200)]
    text = "".join(line + "\n" for line in lines).encode()
    run.type(b"echo re\"\"ady; cat >/tmp/pasted; echo pa\"\"sted\r")
    run.expect(rb"ready\r\n")
    run.type(text.replace(b"\n", b"\r"))
    run.type(b"\x04")
    run.expect(rb"pasted\r\n", "the end of what was pasted")
    run.expect(SHELL)
    run.type(b"md5sum /tmp/pasted\r")
    got = run.expect(rb"\n([0-9a-f]{32})  /tmp/pasted\r\n", "the sum")
    check(got[1].decode() == hashlib.md5(text).hexdigest(), f"of {len(text)} bytes of pasted input nothing is lost", got[0])
    run.expect(SHELL)
    run.open_prompt()
    check("total" in run.command("exits"), "and the console still answers")
    run.type(b"\r")

    run.open_prompt()
    run.command("nmi")
    run.type(b"\r")
    run.type(b"grep NMI: /proc/interrupts\r")
    count = run.expect(rb"NMI: +(\d+) ", "the count of NMIs")
    check(count[1] == b"1" and re.search(rb"NMI received for unknown reason", run.output), "the guest gets the NMI, once", count[0])

    run.type(b"\r")
    run.expect(SHELL)
    run.type(b"poweroff\r")
    status = run.wait()
    check(status == 0, "poweroff in the guest ends the run with status 0", f"{status} {run.output[-300:]}")
    check(run.terminal_restored(), "the terminal is as it was")
    left = run.left_behind()
    check(not left, "no process, file or lock is left behind", left)


# ---- Guests that cannot go on -----------------------------------------------------------------------------------------------
DEATHS = [
    ("t", "triple-faults", [r"guest stopped: triple fault at rip 0x10[0-9a-f]{4}"]),
    ("x", "executes from a device", [r"guest stopped: executes from 'edu' at gpa 0xc0000000, rip 0xc0000000"]),
    ("r", "runs off its RAM", [r"guest stopped: executes from '\w+' at gpa 0x2000000, rip 0x2000000"]),
    ("m", "makes an access that cannot be carried out",
     [r"guest stopped: gpa 0xc0000000 in 'edu', rip 0x10[0-9a-f]{4}, bytes db 05 00 00 00 c0"]),
]
POST_MORTEM = [r"rbx 000000005eed0001", r"rcx 000000005eed0002", r"rbp 000000005eed0003", r"code at rip:", r"last exits:\n",
               r"I/O port", r"last console lines:\n(?:.*\n)*?doomed: waits for a key"]


def doomed(run):
    for i, (key, how, patterns) in enumerate(DEATHS):
        run.expect(rb"doomed: waits for a key\r\n", "the doomed guest")
        run.type(b"z")
        run.expect(rb"z", "the guest's echo")
        begin = run.at
        run.type(key.encode())
        run.expect(rb"'quit' ends\r?\n", "the post-mortem")
        run.expect(rb"sluice> $", "the prompt")
        text = run.since(begin).decode(errors="replace").replace("\r", "")
        missing = [pattern for pattern in patterns + POST_MORTEM if not re.search(pattern, text)]
        check(not missing, f"a guest that {how} gets a post-mortem", f"{text}\nmissing: {missing}")
        answers = {line: run.command(line) for line in ("regs", "history", "exits", "mtree -f", "nonsense")}
        check("5eed0001" in answers["regs"] and "I/O port" in answers["history"] and "total" in answers["exits"] and
              "ram.low" in answers["mtree -f"] and "no such command" in answers["nonsense"],
              "the console still answers", answers)
        run.type(b"\r")
        run.expect(rb"sluice> $", "the prompt after an empty line")
        if i + 1 < len(DEATHS):
            run.type(b"restart\r")
    run.type(b"quit\r")
    status = run.wait()
    check(status == 1 and run.terminal_restored(), "quit ends the machine, with the status of a guest that failed", f"{status} {run.output[-300:]}")
    left = run.left_behind()
    check(not left, "no process, file or lock is left behind", left)


# ---- Ways to end ------------------------------------------------------------------------------------------------------------
def keys_that_leave(run):
    run.expect(rb"Ctrl-\\ x leaves", "the line about the keys")
    run.emulator()
    end = time.monotonic() + PATIENCE
    while run.terminal_restored() and time.monotonic() < end:
        run.read(0.1)  # until the terminal is raw, the key would be the terminal's
    run.type(b"\x1cx")
    return 125


def signalled(number):
    def leave(run):
        run.emulator()
        os.kill(run.process.pid, number)
        return 128 + number if number != signal.SIGKILL else -number

    return leave


def terminal_vanishes(run):
    run.emulator()
    # As when the window is closed.
    os.close(run.slave)
    os.close(run.master)
    os.kill(run.process.pid, signal.SIGHUP)
    return 128 + signal.SIGHUP


WAYS = [
    ("Ctrl-\\ x", keys_that_leave),
    ("SIGTERM", signalled(signal.SIGTERM)),
    ("SIGHUP", signalled(signal.SIGHUP)),
    ("SIGINT", signalled(signal.SIGINT)),
    ("SIGKILL", signalled(signal.SIGKILL)),
]


def on_signal(number, _frame):
    sys.exit(128 + number)  # through guarded(), which ends the run


def guarded(test, name, *options):
    """One run; whatever goes wrong in it is one failure, and nothing of it stays."""
    run = Run(*options)
    try:
        return test(run)
    except Gone as why:
        check(False, f"{name}: {why}", plain(run.output[-1500:]).decode(errors="replace"))
    finally:
        run.close()
    return None


def way_to_end(name, leave):
    def test(run):
        expected = leave(run)
        status = run.wait(60)
        left = run.left_behind()
        check(status == expected, f"{name} ends the run with status {expected}", f"{status} {run.output[-300:]}")
        # Nobody is there to restore it after a SIGKILL of the launcher but the relay.
        check(run.terminal_restored() and not left, f"after {name} no process, file or lock is left, the terminal as it was",
              left)

    return test


def main():
    for end in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(end, on_signal)
    kernel = subprocess.run(["tools/kernel"], capture_output=True, check=True, text=True).stdout.strip()
    # It knows where edu is on a bus without the console.
    guest = ["--kernel", f"{BUILD}/guest/doomed", "--mem", "32", "--config", "virtio-console = off"]
    parts = sys.argv[2:] or ["ends", "doomed", "linux"]
    if "ends" in parts:
        for name, leave in WAYS:
            guarded(way_to_end(name, leave), name, *guest)
    if "doomed" in parts:
        guarded(doomed, "a guest that dies", *guest)
    if "linux" in parts:
        guarded(linux, "a shell", "--kernel", kernel, "--initrd", f"{BUILD}/initrd", "--guest-disk", f"{BUILD}/root", "--mem",
                "192", "--cmdline",
                "console=ttyS0 quiet cryptomgr.notests mitigations=off")
    print(f"1..{number}")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
