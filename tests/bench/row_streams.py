# SPDX-License-Identifier: MIT
"""streams: the most that play at once without an xrun. All samples of all streams are one and the
same small number, so every frame that a sink gets has to be as many times that number as play
there: a client that was not done in time is missing from the sum of its cycle. What the machine
itself has stalled for is no xrun; and since not all that it does is seen, a count is tried again:
what is too much is too much each time."""

import array
import itertools
import time

import bench
import rig
import scene
import stacks

QUANTA = 64, 256, 1024
CALM = 1024             # the quantum to change things in
COUNTS = 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512
AT_LEAST = 64           # at CALM
SHORT, LONG = 2, 30     # s
SETTLE = 0.5            # s, for a new quantum to be everywhere
AFTER_STALL = 4         # cycles for the graph to be itself again
TRIES = 3
NS = 1000000000

NUMBERS = itertools.count(1)     # of probes


class Probe:
    """What the sinks get in some seconds at a quantum."""

    def __init__(self, stack, quantum, seconds):
        m = stack.rig
        name = f"probe-{next(NUMBERS)}"
        m.force_quantum(CALM)
        sinks = [scene.Listener(m, stacks.sink_name(number), f"{name}-sink-{number}",
                                seconds=seconds + 20)
                 for number, on in enumerate(stack.on_sink) if on]
        for sink in sinks:
            sink.process.wait_for_line("ready\n", 20)
        stalls = m.spawn(f"{name}-stalls", [m.tool("stalls")])
        m.force_quantum(quantum)
        time.sleep(SETTLE)
        self.from_ = time.monotonic_ns()
        time.sleep(seconds)
        self.to = time.monotonic_ns()
        m.force_quantum(CALM)
        for process in [stalls] + [sink.process for sink in sinks]:
            process.end(seconds=60)
        self.quantum, self.streams = quantum, stack.count
        self.stalls = [tuple(map(int, line.split())) for line in stalls.text().splitlines()]
        self.sinks = len(sinks)
        self.xruns, self.cycles = [], 0
        for sink, on in zip(sinks, stack.on_sink):
            self.read(sink, on * stacks.VALUE)

    def read(self, sink, sum_):
        """Cycles that were not whole, by when they were due; and how many there were."""
        with open(sink.raw, "rb") as f:
            samples = array.array("h", f.read())
        wanted = array.array("h", [sum_] * self.quantum * sink.channels)
        at, next_ = 0, None
        with open(sink.log, encoding="ascii") as f:
            for line in f:
                due, position, frames = map(int, line.split()[:3])
                size = frames * sink.channels
                if self.from_ <= due <= self.to and frames == self.quantum:
                    self.cycles += 1
                    if samples[at:at + size] != wanted or next_ not in (None, position):
                        self.xruns.append(due)
                at += size
                next_ = position + frames

    def is_excused(self, due):
        """The machine stalled in this cycle or shortly before, for long enough to matter."""
        cycle = NS * self.quantum // scene.RATE
        return sum(stop - start for start, stop in self.stalls
                   if start - cycle <= due <= stop + AFTER_STALL * cycle) > cycle // 4

    def is_clean(self):
        """The graph ran all the time, and every cycle was whole."""
        expected = (self.to - self.from_) * scene.RATE // NS // self.quantum
        return self.cycles > 0.98 * expected * self.sinks and all(map(self.is_excused, self.xruns))

    def __str__(self):
        excused = sum(map(self.is_excused, self.xruns))
        return (f"{self.streams} streams at {self.quantum}: {self.cycles} cycles, "
                f"{len(self.xruns)} not whole, {excused} of them by stalls")


def holds(b, stack, quantum, seconds):
    return any(held_once(b, stack, quantum, seconds) for _ in range(TRIES))


def held_once(b, stack, quantum, seconds):
    before = len(stack.troubles())
    try:
        probe = Probe(stack, quantum, seconds)
    except rig.RigError as e:       # there was not even time to end it
        b.note(f"{stack.count} streams at {quantum}: {e}")
        return False
    troubles = stack.troubles()[before:]
    b.note(f"{probe}{', ' + troubles[0] if troubles else ''}")
    return probe.is_clean() and not troubles


def plays(b, stack, count):
    """Do so many streams come to play at all?"""
    stack.rig.force_quantum(CALM)
    try:
        stack.add_to(count)
    except rig.RigError as e:
        b.note(f"{count} streams: {str(e).strip().splitlines()[-1]}")
        return False
    return True


def climb(b, make, quantum, counts):
    """The most by a short look; 0 if there is none."""
    most = 0
    with make() as stack:
        for count in counts:
            if not plays(b, stack, count) or not holds(b, stack, quantum, b.pick(SHORT, 1)):
                break
            most = count
    return most


def confirm(b, make, quantum, counts):
    """The most that hold long: each on a machine that was never too busy."""
    for count in reversed(counts):
        with make() as stack:
            if plays(b, stack, count) and holds(b, stack, quantum, b.pick(LONG, 1)):
                return count
    return 0


def measure(b, make, quanta, counts):
    """{quantum: the most that are held}: what a short one holds a longer one does."""
    found, least = {}, counts[0]
    for quantum in sorted(quanta):
        most = climb(b, make, quantum, [c for c in counts if c >= least])
        found[quantum] = confirm(b, make, quantum, [c for c in counts if c <= most])
        least = max(found[quantum], least)
    return found


def at_least(least):
    return f">= {least}", lambda ours, theirs: ours >= least


def at_least_times(times, all_):
    return (f">= {times} x, or {all_}",
            lambda ours, theirs: ours > 0 and (ours >= times * theirs or ours == all_))


def run(b):
    quanta, counts = b.pick(QUANTA, (CALM,)), b.pick(COUNTS, (2, 4), (2,))
    sinks = -(-counts[-1] // stacks.MOST_OF_SINK)
    kinds = {"daemon": lambda: stacks.Guests(b, sinks=sinks),
             "pw-cat": lambda: stacks.PwCats(b, sinks=sinks)}
    if b.peer:
        kinds["peer"] = lambda: stacks.Guests(b, backend=b.peer.split(), sinks=sinks)
    # a search is long: one of each
    found = {name: measure(b, make, quanta, counts) for name, make in kinds.items()}
    for quantum in quanta:
        ours = found["daemon"][quantum]
        if ours == counts[-1]:
            b.remark(f"streams: at {quantum} all {ours} that were tried were held")
        for against in [name for name in kinds if name != "daemon"]:
            judged = against == "pw-cat" and quantum >= 256 and not b.quick
            b.add("streams", f"held at {quantum}", "", [ours], against, [found[against][quantum]],
                  at_least_times(2, counts[-1]) if judged else None)
    if not b.quick:
        b.add("streams", f"held at {CALM}", "", [found["daemon"][CALM]], "limit", [AT_LEAST],
              at_least(AT_LEAST))
