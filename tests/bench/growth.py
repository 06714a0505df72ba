#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Draws how lookup and rebuild grow with the number of regions, as SVG on standard output.

    growth.py SLUICE.tsv QEMU.tsv TEXT

The files are what bench_mm and tools/bench-qemu print; TEXT (the machine, the date) is put below the picture.
"""
import math
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT, LEFT, TOP, GAP = 330, 240, 60, 40, 80
COLORS = {"Sluice": "#1f6f43", "QEMU": "#b5482a"}


def read(path):
    """Figures by name, without the prefix of whoever was measured."""
    with open(path, encoding="ascii") as lines:
        fields = [line.rstrip("\n").split("\t") for line in lines]
    return {f[0].removeprefix("qemu."): float(f[1]) for f in fields if len(f) == 3}


def series(figures, what):
    """(regions, nanoseconds), ascending."""
    prefix = f"mm.{what}_"
    counts = (name[len(prefix):-3] for name in figures if name.startswith(prefix) and name.endswith("_ns"))
    return sorted((int(n), figures[f"{prefix}{n}_ns"]) for n in counts if n.isdigit())


def panel(left, title, lines, unit, scale):
    """One diagram with logarithmic axes; lines: name -> points."""
    points = [p for line in lines.values() for p in line]
    low = 10 ** math.floor(math.log10(min(y for _, y in points) / scale))
    high = 10 ** math.ceil(math.log10(max(y for _, y in points) / scale))

    def x_of(n):
        return left + WIDTH * math.log(n / 4) / math.log(4096 / 4)

    def y_of(y):
        return TOP + HEIGHT * (1 - math.log(y / low) / math.log(high / low))

    out = [f'<text x="{left}" y="{TOP - 16}" font-weight="bold">{escape(title)}</text>']
    tick = low
    while tick <= high * 1.01:
        out.append(f'<line x1="{left}" x2="{left + WIDTH}" y1="{y_of(tick):.1f}" y2="{y_of(tick):.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{left - 6}" y="{y_of(tick) + 4:.1f}" text-anchor="end">{tick:g} {unit}</text>')
        tick *= 10
    for n in sorted({n for n, _ in points}):
        out.append(f'<text x="{x_of(n):.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{n}</text>')
    for name, line in lines.items():
        places = [(x_of(n), y_of(y / scale)) for n, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        out.append(f'<polyline points="{path}" fill="none" stroke="{COLORS[name]}" stroke-width="2"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{COLORS[name]}"/>' for x, y in places]
        x, y = places[-1]
        out.append(f'<text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="end" fill="{COLORS[name]}">{name}</text>')
    return out


def main():
    sluice, qemu, text = read(sys.argv[1]), read(sys.argv[2]), sys.argv[3]
    width, height = LEFT + 2 * WIDTH + GAP + 40, TOP + HEIGHT + 60
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
           'font-size="11">', '<rect width="100%" height="100%" fill="#fff"/>']
    for left, title, what, unit, scale in (
            (LEFT, "lookup of a random address, by number of regions", "lookup_random", "ns", 1),
            (LEFT + WIDTH + GAP, "rebuild after a change, by number of regions", "rebuild", "µs", 1000)):
        lines = {"Sluice": series(sluice, what), "QEMU": series(qemu, what)}
        out += panel(left, title, lines, unit, scale)
    out.append(f'<text x="{LEFT}" y="{height - 12}" fill="#555">{escape(text)}</text>')
    out.append("</svg>")
    print("\n".join(out))


main()
