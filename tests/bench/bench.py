# SPDX-License-Identifier: MIT
"""What the rows of the bench share: runs that take turns, medians, the table, raw numbers."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "loopback"))

# The rig's event channels are pipes with names: a disk's file system would note down every event,
# at the cost of whoever sends it.
tempfile.tempdir = "/dev/shm"

LEAST_SHOWN = 0.01      # ratio in the picture
HEADINGS = ("row", "case", "unit", "ours", "against", "ratio", "must be", "")


class Line:
    """A line of the table: ours, the other's, and what must hold."""

    def __init__(self, row, case, unit, ours, against, theirs, bar=None):
        self.row, self.case, self.unit = row, case, unit
        self.ours = list(ours)          # raw: the median counts
        self.against = against          # who the other is, "" if there is none
        self.theirs = list(theirs)
        self.must, judge = bar or ("", None)
        self.holds = None if judge is None else judge(self.ours_median(), self.theirs_median())

    def ours_median(self):
        return statistics.median(self.ours)

    def theirs_median(self):
        return statistics.median(self.theirs) if self.theirs else None

    def ratio(self):
        theirs = self.theirs_median()
        return self.ours_median() / theirs if theirs else None

    def cells(self):
        theirs, ratio = self.theirs_median(), self.ratio()
        against = self.against if theirs is None else f"{number(theirs)} {self.against}"
        return (self.row, self.case, self.unit, number(self.ours_median()), against,
                "" if ratio is None else times(ratio), self.must,
                {None: "", True: "holds", False: "MISSED"}[self.holds])

    def record(self):
        return {"row": self.row, "case": self.case, "unit": self.unit, "ours": self.ours,
                "against": self.against, "theirs": self.theirs, "ratio": self.ratio(),
                "must": self.must, "holds": self.holds}


def times(ratio):
    if ratio == 0:
        return "0"
    return f"{ratio:.2f}" if ratio >= 0.01 else f"{ratio:.1e}"


def at_most(most, unit=""):
    return f"<= {number(most)} {unit}".rstrip(), lambda ours, theirs: ours <= most


def at_most_times(factor):
    return f"<= {factor:g} x", lambda ours, theirs: ours <= factor * theirs


def number(value):
    if value == int(value):
        return str(int(value))
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3g}"


class Bench:
    """One run of the bench: how long things take, who else takes part, and what came out."""

    def __init__(self, build, out, rounds=5, quick=False, peer=None, smoke=False):
        self.build = os.path.realpath(build)
        self.out = os.path.realpath(out)
        self.rounds = rounds
        self.quick = quick or smoke
        self.smoke = smoke      # the least that shows that the bench works, without PulseAudio
        self.peer = peer        # another backend's command, or None
        self.lines = []
        self.remarks = []
        self.began = time.monotonic()

    def pick(self, full, quick, smoke=None):
        if self.smoke and smoke is not None:
            return smoke
        return quick if self.quick else full

    def path(self, *names):
        return os.path.join(self.build, *names)

    def note(self, text):
        print(f"[{time.monotonic() - self.began:4.0f} s] {text}", file=sys.stderr, flush=True)

    def remark(self, text):
        """What whoever reads the table must know."""
        self.remarks.append(text)
        self.note(text)

    def add(self, *words, **named):
        self.lines.append(Line(*words, **named))

    def interleaved(self, measures):
        """Measure each in turn, over and over: {name: [what it returned each time]}."""
        results = {name: [] for name in measures}
        for number_ in range(1, self.rounds + 1):
            for name, measure in measures.items():
                self.note(f"{name}, {number_} of {self.rounds}")
                results[name].append(measure())
        return results

    def table(self):
        rows = [HEADINGS] + [line.cells() for line in self.lines]
        widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
        right = {3, 5}
        return "\n".join("  ".join(
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows)

    def missed(self):
        return [line for line in self.lines if line.holds is False]

    def write(self):
        os.makedirs(self.out, exist_ok=True)
        with open(os.path.join(self.out, "bench.json"), "w", encoding="utf-8") as f:
            json.dump({"machine": machine(), "rounds": self.rounds, "quick": self.quick,
                       "seconds": round(time.monotonic() - self.began), "remarks": self.remarks,
                       "lines": [line.record() for line in self.lines]}, f, indent=1)
        with open(os.path.join(self.out, "table.txt"), "w", encoding="utf-8") as f:
            f.write(self.table() + "\n")
        self.plot()

    def plot(self):
        """A picture of the ratios, those of one row beside one another; none where all are 0."""
        shown = [line for line in self.lines if (line.ratio() or 0) >= LEAST_SHOWN]
        if not shown:
            return
        data = os.path.join(self.out, "ratios")
        with open(data, "w", encoding="utf-8") as f:
            for line in shown:
                color = {None: 0x7f7f7f, True: 0x2f7d4f, False: 0xb03030}[line.holds]
                f.write(f'"{line.row}: {line.case}, {line.unit}, against {line.against}" '
                        f'{line.ratio():.4f} {color}\n')
        subprocess.run(["gnuplot", "-e", f'data="{data}"; png="{self.out}/bench.png"',
                        os.path.join(HERE, "plot.gnuplot")], check=True)


def first_line(path, key):
    with open(path, encoding="utf-8") as f:
        return next((line.split(":", 1)[1].strip() for line in f if line.startswith(key)), "?")


def machine():
    version = subprocess.run(["pipewire", "--version"], check=False, capture_output=True,
                             text=True).stdout.split("\n")
    return {"processor": first_line("/proc/cpuinfo", "model name"), "processors": os.cpu_count(),
            "kernel": platform.release(), "pipewire": version[1].split()[-1],
            "load": round(os.getloadavg()[0], 2),
            "commit": subprocess.run(["git", "-C", HERE, "rev-parse", "--short", "HEAD"],
                                     check=False, capture_output=True, text=True).stdout.strip()}
