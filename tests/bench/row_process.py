# SPDX-License-Identifier: MIT
"""process: what one cycle of the node costs, beside a memcpy() of the same octets."""

import os
import re
import subprocess
import tempfile

TOTAL = re.compile(r"^totals: (\d+)", re.M)


def count_instructions(program):
    """{case: (of the node's process(), of memcpy())}, each for one cycle. The parts of callgrind
    are numbered: three of a case, the first to warm up."""
    with tempfile.TemporaryDirectory() as directory:
        out = os.path.join(directory, "count")
        lines = subprocess.run(
            ["valgrind", "-q", "--tool=callgrind", "--callgrind-out-file=" + out,
             "--toggle-collect=impl_node_process", "--toggle-collect=measured_copy",
             "--dump-after=part_over", program, "--count"],
            check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        counts = {}
        for i, line in enumerate(lines):
            *case, cycles = line.split()
            counts[tuple(case)] = tuple(total(f"{out}.{3 * i + part}") / int(cycles)
                                        for part in (2, 3))
        return counts


def total(path):
    with open(path, encoding="utf-8") as f:
        return int(TOTAL.search(f.read()).group(1))


def most_instructions(copy):
    return 1.5 * copy + 400


def name(case):
    direction, format_, channels, quantum = case
    return f"{direction} {format_} x {channels}, {quantum}"


def run(bench):
    program = bench.path("tests", "bench", "process-cost")
    for case, (node, copy) in count_instructions(program).items():
        most = most_instructions(copy)
        bench.add("process", name(case), "instr", [node], "memcpy", [copy],
                  bar=(f"<= {most:.0f}", lambda ours, theirs: ours <= most_instructions(theirs)))
    times = bench.interleaved({"process": lambda: subprocess.run(
        [program], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()})["process"]
    for lines in zip(*times):
        words = [line.split() for line in lines]
        bench.add("process", name(words[0][:4]), "ns", [float(w[4]) for w in words], "memcpy",
                  [float(w[5]) for w in words])
