# SPDX-License-Identifier: MIT
"""position: what a guest is told that it has played, beside what the graph has consumed, and when
it is told, beside when the graph's driver ran. Positions are compared with what comes out of the
sink's monitor, which gives out what was consumed a cycle ago."""

import bisect
import statistics

import bench
import scene
import stacks

QUANTA = 64, 256, 1024
MOST = 50           # us from the cycle's start to the event, at p99
MONITOR_LATE = 1    # cycles
MOST_UNKNOWN = 0.2  # of the events: what the sink has missed
NS = 1000           # in a us
DUE, STARTED, AWAKE = range(3)  # of a cycle


def read_cycles(path):
    """When each cycle was due and began, and when the node ran: {position: (due, started, awake)}"""
    with open(path, encoding="ascii") as f:
        lines = [[int(word) for word in line.split()] for line in f]
    return {line[0]: (line[1], line[2], line[4]) for line in lines if line[6] == 3}


def read_recorded(path):
    with open(path, encoding="ascii") as f:
        return [[int(word) for word in line.split()] for line in f]


def read_numbers(path):
    """The number after the last frame of each cycle: [(position, number)]"""
    return [(line[1], line[4] + 1) for line in read_recorded(path)]


def read_so_far(path):
    """Frames until the end of each cycle: [(position, frames)]"""
    return [(line[1], line[3]) for line in read_recorded(path)]


def read_due(path):
    """When each cycle was due: {position: ns}"""
    return {line[1]: line[0] for line in read_recorded(path)}


def read_events(path):
    """What a running guest was told: [(frames, notified, seen)]. Twins of an event are one."""
    with open(path, encoding="ascii") as f:
        lines = [line.split() for line in f]
    told = [(int(w[4]), int(w[6]), int(w[5])) for w in lines if w[3] == "running"]
    return [event for before, event in zip([(0, 0, 0)] + told, told) if event[0] != before[0]]


def consumed_by_cycle(numbers):
    """{position of a cycle: what the sink had consumed at its end}"""
    return {before[0]: after[1] for before, after in zip(numbers, numbers[MONITOR_LATE:])}


def read_heard(path, quantum):
    """As consumed_by_cycle(), of a recorder that may have missed cycles, or got no sound in them,
    where the machine was busy: of these nothing is known."""
    recorded = read_recorded(path)
    return {before[1]: after[4] + 1 for before, after in zip(recorded, recorded[MONITOR_LATE:])
            if after[1] - before[1] == MONITOR_LATE * quantum and after[4] > 0}


class Told:
    """The events of one guest, each beside a cycle of the graph. That is the cycle at whose end the
    graph had consumed what the event says, if it had begun by then; else the one that had, and the
    event is wrong. Between two cycles that are known and more than one apart nobody can tell."""

    def __init__(self, events, cycles, consumed, begin, quantum=None):
        """A cycle begins when its driver or when the node does: STARTED, or AWAKE."""
        self.begins = sorted((times[begin], position) for position, times in cycles.items()
                             if position in consumed)
        self.ends = {consumed[position]: (ns, position) for ns, position in self.begins}
        exact = set(consumed.values())
        known = sorted(exact)
        holes = [(a, b) for a, b in zip(known, known[1:]) if quantum and b - a > quantum]
        self.unknown = 0
        last = max(self.ends)           # of the last nobody knows whether it was
        self.errors, self.posted, self.seen, self.at = [], [], [], []
        for frames, notified, seen in events:
            if not min(self.ends) <= frames < last or notified < self.begins[0][0]:
                continue
            if frames in exact and frames not in self.ends:
                self.errors.append(0)       # of this cycle the profiler knows nothing
                continue
            if any(a < frames < b for a, b in holes):
                self.unknown += 1
                continue
            ns, position = self.cycle_of(frames, notified)
            self.errors.append(abs(frames - consumed[position]))
            self.posted.append((notified - ns) / NS)
            self.seen.append((seen - ns) / NS)
            self.at.append((position, notified))
        order = sorted(cycles)
        self.late = [(cycles[position][STARTED] - cycles[position][DUE]) / NS for position in order]
        self.driver_at = [(position, cycles[position][STARTED]) for position in order]

    def cycle_of(self, frames, notified):
        ns, position = self.ends.get(frames, (notified + 1, None))
        if ns <= notified:
            return ns, position
        return self.begins[bisect.bisect_right(self.begins, (notified, float("inf"))) - 1]


def quantile(values, percent):
    return sorted(values)[(len(values) - 1) * percent // 100]


def jitter(at):
    """How much the time between two of them is not the time of their frames, in us."""
    return [abs((b - a) - (q - p) * 1000000000 / scene.RATE) / NS
            for (p, a), (q, b) in zip(at, at[1:])]


def listen(b, m, name):
    """A profile of the node of that name, a recording of the sink."""
    sink = scene.Listener(m, "null-sink", "sink", seconds=b.pick(12, 4))
    return sink, scene.Profile(m, name or f"graph-recorder-{sink.process.child.pid}")


def measure(b, quantum, backend=None):
    """{what: figure} of one guest that plays a while."""
    frames = b.pick(5, 1) * scene.RATE
    with stacks.machine(b, backend or stacks.daemon(b), wireplumber=True, quantum=quantum) as m:
        if backend:
            stacks.start_pulse(m)
        sink, profile = listen(b, m, None if backend else scene.node())
        guest = m.frontend(scene.card("p") + scene.opened() + sink.wait() +
                           f"play 0/0/0 frames={frames}\ndrain 0/0/0\nclose 0/0/0\ndetach 0\n")
        report = guest.join()
        profile.end()
        sink.end()
        told = Told(read_events(guest.positions_file), read_cycles(profile.log),
                    read_heard(sink.log, quantum), STARTED if backend else AWAKE, quantum)
    if backend:
        stacks.rules_told(b, report)
    else:
        stacks.rules_held(report)
    return figures(told)


def figures(told):
    if told.unknown > MOST_UNKNOWN * len(told.errors):
        raise RuntimeError(f"what was consumed is not known for {told.unknown} events, "
                           f"only for {len(told.errors)}")
    return {
        "events": len(told.errors), "unknown": told.unknown,
        "error": max(told.errors),
        "posted": statistics.median(told.posted), "posted-p99": quantile(told.posted, 99),
        "seen": statistics.median(told.seen), "seen-p99": quantile(told.seen, 99),
        "late": statistics.median(told.late), "late-p99": quantile(told.late, 99),
        "jitter": quantile(jitter(told.at), 99), "driver-jitter": quantile(jitter(told.driver_at), 99),
    }


# the machine may stall: then the driver is late, too
BAR = (f"<= {MOST}, or the driver's", lambda ours, theirs: ours <= max(MOST, theirs))


def add(b, quantum, ours, peer):
    def line(case, unit, key, against, theirs, bar=None):
        b.add("position", f"{case}, {quantum}", unit, [r[key] for r in ours], against, theirs, bar)

    line("error of every event", "frames", "error", "limit", [0], bench.at_most(0))
    for part in "", "-p99":
        name = "p99" if part else "median"
        line(f"cycle start to event, {name}", "us", "posted" + part, "driver's lateness",
             [r["late" + part] for r in ours], BAR if part else None)
    line("cycle start to guest, p99", "us", "seen-p99", "driver's lateness",
         [r["late-p99"] for r in ours])
    line("interval jitter, p99", "us", "jitter", "driver's", [r["driver-jitter"] for r in ours])
    for key, case, unit in (("error", "error of every event", "frames"),
                            ("posted-p99", "cycle start to event, p99", "us"),
                            ("jitter", "interval jitter, p99", "us")):
        if peer:
            line(case, unit, key, "peer", [r[key] for r in peer])


def run(b):
    for quantum in b.pick(QUANTA, QUANTA[1:2]):
        kinds = {f"position, {quantum}": lambda: measure(b, quantum)}
        if b.peer:
            kinds["peer"] = lambda: measure(b, quantum, b.peer.split())
        results = b.interleaved(kinds)
        for name, rounds in results.items():
            b.remark(f"{name}: {sum(r['events'] for r in rounds)} events, and "
                     f"{sum(r['unknown'] for r in rounds)} of cycles that the sink did not hear")
        add(b, quantum, results[f"position, {quantum}"], results.get("peer"))
