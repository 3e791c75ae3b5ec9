# SPDX-License-Identifier: MIT
"""latency: how many frames are under way between a guest's ring and the graph, by the numbers that
they carry: what was taken from the ring and is not in the sink, what the graph gave and is not in
the ring, and how long a guest may wait with its WRITE. Beside what pw-loopback and pacat hold."""

import bisect
import fcntl
import os
import re
import statistics
import subprocess
import threading
import time

import bench
import row_position
import scene
import stacks

QUANTA = 256, 1024
BUFFER = 16384          # frames
FIRST_START, STARTS_APART = 1 << 20, 1 << 15     # of what is rewritten, each with numbers of its own
REWRITTEN = re.compile(r"^rewritten from (\d+) at (\d+): (\d+), \d+ frames$", re.M)
PIPE = 4096                                     # octets of a pipe, at least
PULSE_FRAMES = 150000                           # more than it holds


class Cycles:
    """When a node ran in each cycle, to find the cycle of a moment."""

    def __init__(self, path):
        cycles = row_position.read_cycles(path)
        self.order = sorted(cycles, key=lambda position: cycles[position][2])
        self.awake = [cycles[position][2] for position in self.order]

    def at(self, ns):
        """The position of the last that had begun."""
        k = bisect.bisect_right(self.awake, ns) - 1
        return self.order[k] if k >= 0 else None


def rewrites(count, period):
    """For a script: a guest that changes its mind, again and again, about all that it has queued."""
    return "".join(f"sleep ms={3 + i * 7 % 18}\n"
                   f"rewrite 0/0/0 start={FIRST_START + i * STARTS_APART}\n"
                   f"play 0/0/0 frames={period} start={BUFFER + i * period}\n" for i in range(count))


def heard_from(raw, start):
    """In which frame the first of these numbers was heard, and which it was."""
    at = 0
    for first, frames in scene.stretches(raw):
        if first != "silence" and start <= first < start + STARTS_APART:
            return at, first
        at += 0 if first == "silence" and at == 0 else frames
    return None, None


def play(b, quantum):
    """{what: frames} of a guest that plays and rewrites what it has written."""
    with stacks.machine(b, stacks.daemon(b), quantum=quantum) as m:
        sink = scene.Listener(m, "null-sink", "sink", seconds=b.pick(15, 8))
        profile = scene.Profile(m, scene.node())
        guest = m.frontend(
            scene.card("p") + scene.opened(period=2 * quantum, buffer=BUFFER) + sink.wait() +
            f"sh graph-link {scene.node()} null-sink\n" +
            profile.wait() + f"play 0/0/0 frames={BUFFER}\n" + rewrites(b.pick(50, 10), 2 * quantum) +
            "drop 0/0/0\nclose 0/0/0\ndetach 0\n")
        report = guest.join()
        profile.end()
        sink.end()
        stacks.rules_held(report)
        consumed = row_position.consumed_by_cycle(row_position.read_so_far(sink.log))
        # the last is STOP's, a whole buffer
        told = row_position.Told(row_position.read_events(guest.positions_file)[:-1],
                                 row_position.read_cycles(profile.log), consumed,
                                 row_position.AWAKE)
        rewritten = [tuple(map(int, words)) for words in REWRITTEN.findall(guest.process.text())]
        waits = waits_of(rewritten, Cycles(profile.log), consumed, sink.raw)
    return {"held": max(told.errors), "wait": max(waits)}


def waits_of(rewritten, cycles, consumed, raw):
    """Of each: frames that the graph took after the WRITE had begun and before the first of its. One
    that was written over before the graph came by is not heard."""
    waits = []
    for from_, ns, start in rewritten:
        at, number = heard_from(raw, start)
        if at is None:
            continue
        if at - from_ != number - start:
            raise RuntimeError(f"frame {number}, written as {from_ + number - start}, is heard as {at}")
        waits.append(at - consumed[cycles.at(ns)])
    if len(waits) < len(rewritten) // 2:
        raise RuntimeError(f"{len(waits)} of {len(rewritten)} rewrites were heard")
    return waits


def record(b, quantum):
    """Frames that the graph has given and that the guest can't read when it is told to."""
    with stacks.machine(b, stacks.daemon(b), quantum=quantum) as m:
        feeder = scene.Feeder(m, scene.node())
        given = scene.Listener(m, f"graph-generator-{feeder.process.child.pid}", "given")
        profile = scene.Profile(m, scene.node())
        raw = os.path.join(m.dir, "captured.raw")
        guest = m.frontend(
            scene.card("c") + scene.opened(period=2 * quantum, buffer=BUFFER) + feeder.wait() +
            given.wait() + profile.wait() + feeder.go() +
            f"capture 0/0/0 frames={b.pick(3, 1) * scene.RATE} file={raw}\n"
            "drop 0/0/0\nclose 0/0/0\ndetach 0\n")
        report = guest.join()
        for client in profile, given, feeder:
            client.end()
        stacks.rules_held(report)
        events = row_position.read_events(guest.positions_file)
        cycles, numbers = Cycles(profile.log), dict(row_position.read_numbers(given.log))
        return max(held_back(events, cycles, numbers, raw))


def held_back(events, cycles, numbers, raw):
    """Of each event: what the graph gave until then, less what there is to read."""
    captured = numbers_of(raw)
    for frames, notified, _ in events:
        position = cycles.at(notified)
        if frames <= len(captured) and captured[frames - 1] is not None and position in numbers:
            yield numbers[position] - (captured[frames - 1] + 1)


def numbers_of(raw):
    """The number of each frame, None where there is none."""
    found = []
    for first, frames in scene.stretches(raw):
        found += [None] * frames if first == "silence" else range(first, first + frames)
    return found


def loop(b, quantum):
    """Frames that went into pw-loopback and have not come out."""
    with stacks.machine(b, None, wireplumber=True, quantum=quantum) as m:
        m.spawn("pw-loopback", [
            "pw-loopback", "--latency", str(1000 * quantum / scene.RATE),
            "--capture-props", "{node.name=loop-in node.autoconnect=false}",
            "--playback-props", "{node.name=loop-out node.autoconnect=false}"])
        feeder = scene.Feeder(m, "loop-in")
        given = scene.Listener(m, f"graph-generator-{feeder.process.child.pid}", "given")
        sink = scene.Listener(m, "null-sink", "sink")
        m.run(["graph-link", "loop-out", "null-sink"], timeout=20)
        for client in feeder, given, sink:
            client.process.wait_for_line("ready\n")
        subprocess.run(["kill", "-USR1", str(feeder.process.child.pid)], check=True)
        time.sleep(b.pick(3, 1))
        for client in sink, given, feeder:
            client.end()
        numbers = dict(row_position.read_numbers(given.log))
        heard = row_position.consumed_by_cycle(row_position.read_numbers(sink.log))
    return statistics.median(numbers[position] - number for position, number in heard.items()
                             if number > 0 and position in numbers)


class Writer(threading.Thread):
    """Writes the pattern into a pipe as fast as that takes it, and knows when."""

    def __init__(self, data, fd):
        super().__init__(daemon=True)
        self.data, self.fd = data, fd
        self.log = []       # (ns, frames written)
        self.start()

    def run(self):
        try:
            for at in range(0, len(self.data), PIPE):
                os.write(self.fd, self.data[at:at + PIPE])
                self.log.append((time.monotonic_ns(), (at + PIPE) // 4))
        except BrokenPipeError:     # whoever read has ended
            pass
        os.close(self.fd)

    def written(self, ns):
        """How many frames, at that moment."""
        k = bisect.bisect_right(self.log, (ns, len(self.data)))
        return self.log[k - 1][1] if k > 0 else 0


def pulse(b, quantum):
    """Frames that pacat has taken and that are not in the sink, with the attributes of a backend
    for PulseAudio: as much as the server likes."""
    seconds = b.pick(5, 3)
    with stacks.machine(b, None, wireplumber=True, quantum=quantum) as m:
        stacks.start_pulse(m)
        sink = scene.Listener(m, "null-sink", "sink")
        out, in_ = os.pipe()
        fcntl.fcntl(in_, fcntl.F_SETPIPE_SZ, PIPE)
        sink.process.wait_for_line("ready\n")
        m.spawn("pacat", ["pacat", "--playback", "--raw", "--rate", str(scene.RATE)], stdin=out,
                env=m.env | {"PULSE_SERVER": "unix:" + stacks.pulse_socket(m)}).expected = (0, 1)
        os.close(out)
        writer = Writer(pattern(m, PULSE_FRAMES + seconds * scene.RATE), in_)
        time.sleep(seconds)
        sink.end()
        heard = row_position.consumed_by_cycle(row_position.read_numbers(sink.log))
        due = row_position.read_due(sink.log)
    return statistics.median(writer.written(due[position]) - number
                             for position, number in heard.items() if number > 0)


def pattern(m, frames):
    return subprocess.run([m.tool("pattern"), "write", "--frames", str(frames), "--channels", "2"],
                          check=True, stdout=subprocess.PIPE).stdout


def run(b):
    kinds = [play, record, loop] + [pulse] * (not b.smoke)
    for quantum in b.pick(QUANTA, QUANTA[1:]):
        results = b.interleaved({f"{kind.__name__}, {quantum}": lambda kind=kind: kind(b, quantum)
                                 for kind in kinds})
        played, recorded, looped, *pulsed = results.values()
        held = [r["held"] for r in played]
        for against, theirs in [("pw-loopback", looped)] + [("pacat", p) for p in pulsed]:
            b.add("latency", f"playback, between ring and sink, {quantum}", "frames", held, against,
                  theirs, bench.at_most(0))
        b.add("latency", f"playback, WRITE until taken, at most, {quantum}", "frames",
              [r["wait"] for r in played], "limit", [quantum], bench.at_most(quantum))
        b.add("latency", f"capture, between graph and ring, {quantum}", "frames", recorded,
              "pw-loopback", looped, bench.at_most(0))
