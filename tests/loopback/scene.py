# SPDX-License-Identifier: MIT
"""What the tests put on the rig: guests that play and capture, and who listens to them."""

import array
import os
import struct
import subprocess
import time

import rig

BUILD = os.environ.get("XEN_SND_BUILD", os.path.join(rig.HERE, "..", "..", "build"))
# another build, say with sanitizers, of the daemon, its module and its plugin alone
PRODUCT = os.environ.get("XEN_SND_PRODUCT", BUILD)
RATE = 48000

# a rule for tests that do what no guest does as often
NO_BUDGETS = ('{ matches = [ { xen.guest.name = "~." } ] actions = { update-props = { '
              'xen.max-state-changes = 10000 xen.max-opens = 10000 xen.max-log-lines = 10000 '
              'xen.max-requests = 1000000 } } }')

# all rigs of this test: tap.run() asks whether the machine was fast enough for them
machines = []


def machine(kind=rig.Rig, **options):
    """A rig with the product's daemon, unless another backend is named."""
    daemon = os.path.join(os.path.realpath(PRODUCT), "src", "daemon", "pipewire-xen-snd")
    backend = os.environ.get("XEN_SND_BACKEND", daemon).split()
    keep = os.environ.get("XEN_SND_KEEP")
    machine_ = kind(BUILD, product=PRODUCT, backend=backend, keep=keep, **options)
    machines.append(machine_)
    return machine_


def node(guest="guest", devid=0, pcm=0, stream=0):
    return f"xen-snd.{guest}.{devid}.{pcm}.{stream}"


def card(*types, rates=str(RATE), formats="s16_le", channels=2, buffer=65536):
    """A card 0 with one PCM whose streams have these types, and its driver connected."""
    lines = [f"card 0 sample-rates={rates} sample-formats={formats} channels-max={channels} "
             f"buffer-size={buffer}"]
    lines += [f"stream 0/0/{i} type={t}" for i, t in enumerate(types)]
    return "\n".join(lines + ["attach 0", "connect 0", ""])


def opened(stream="0/0/0", period=4096, buffer=16384, channels=2, rate=RATE):
    return (f"open {stream}\n"
            f"hw_params {stream} rate={rate} channels={channels} period={period} "
            f"buffer={buffer}\n"
            f"prepare {stream}\n")


def force_quantum(quantum):
    return f"sh pw-metadata -n settings 0 clock.force-quantum {quantum} >/dev/null\n"


def wait_go(machine_, name):
    """For a script, which waits here for go()."""
    fifo = os.path.join(machine_.dir, name)
    os.mkfifo(fifo)
    return f"sh head -n1 {fifo} >/dev/null\n"


def go(machine_, name):
    with open(os.path.join(machine_.dir, name), "w", encoding="ascii") as fifo:
        fifo.write("go\n")


class Client:
    """A client of the graph, linked and running when wait() is over."""

    def __init__(self, machine_, name, command):
        self.machine = machine_
        self.fifo = os.path.join(machine_.dir, name + ".ready")
        os.mkfifo(self.fifo)
        self.process = machine_.spawn(name, command + ["--ready", self.fifo])
        machine_.watched.append(self.process)

    def wait(self):
        """For a script."""
        return f"sh head -n1 {self.fifo} >/dev/null\n"

    def begun(self):
        """For a test: wait() here. It does, or the test is over."""
        if not self.machine.run(["head", "-n1", self.fifo], timeout=20).stdout:
            raise rig.RigError(f"{self.fifo}: closed before anything was recorded or played")
        return True

    def end(self, server_died=False):
        if server_died:
            self.process.expected = (0, 1)
        fault = self.process.end()
        if fault is not None:
            raise rig.RigError(fault)


class Listener(Client):
    """A recorder of one node, and its verdict."""

    def __init__(self, machine_, target, name="recorder", channels=2, seconds=60, latency=0):
        self.channels = channels
        self.raw = os.path.join(machine_.dir, name + ".raw")
        self.log = os.path.join(machine_.dir, name + ".cycles")
        super().__init__(machine_, name, [
            machine_.tool("graph-recorder"), "--target", target, "--raw", self.raw, "--log",
            self.log, "--channels", str(channels), "--seconds", str(seconds),
            "--latency", str(latency)])

    def check(self, tap, expect, what, start=0, breaks=0):
        check_pattern(tap, self.machine, self.raw, expect, what, self.channels, start, breaks)

    def compare(self, tap, positions, what, ahead=0):
        out = self.machine.run([os.path.join(rig.HERE, "..", "tools", "compare-positions"),
                                "--ahead", str(ahead), positions, self.log])
        tap.ok(out.returncode == 0, what, out.stdout + out.stderr)

    def heard(self):
        """When, on the clock that time.monotonic() is, it first heard the pattern; or None."""
        with open(self.log, encoding="ascii") as f:
            cycles = [line.split() for line in f]
        return next((int(c[0]) / 1e9 for c in cycles if int(c[4]) >= 0), None)

    def compare_numbers(self, tap, positions, what):
        out = self.machine.run([os.path.join(rig.HERE, "..", "tools", "compare-positions"),
                                "--numbers", positions, self.log])
        tap.ok(out.returncode == 0, what, out.stdout + out.stderr)


class Profile(Client):
    """When a node ran, as PipeWire's profiler says."""

    FLUSH = 1.2     # s: it tells what it knows once a second

    def __init__(self, machine_, node_name):
        self.log = os.path.join(machine_.dir, "profile")
        super().__init__(machine_, "profile", [
            machine_.tool("graph-profile"), "--node", node_name, "--log", self.log])

    def end(self, server_died=False):
        time.sleep(self.FLUSH)
        super().end(server_died)


class Feeder(Client):
    """A generator that feeds one node, from frame 0 on when go() is run."""

    def __init__(self, machine_, target, frames=0, name="generator", channels=2):
        super().__init__(machine_, name, [
            machine_.tool("graph-generator"), "--target", target, "--hold", "--frames",
            str(frames), "--channels", str(channels)])

    def go(self):
        """For a script."""
        return f"sh kill -USR1 {self.process.child.pid}\n"


class Bank(Client):
    """Many nodes, recorded and fed by one client of the graph, that does what a script says."""

    def __init__(self, machine_):
        self.machine = machine_
        self.commands = os.path.join(machine_.dir, "bank.commands")
        self.answers = os.path.join(machine_.dir, "bank.answers")
        os.mkfifo(self.commands)
        os.mkfifo(self.answers)

    def start(self, slots, channels=1, seconds=6):
        self.process = self.machine.spawn("bank", [
            self.machine.tool("graph-bank"), "--commands", self.commands, "--answers",
            self.answers, "--channels", str(channels), "--seconds", str(seconds)] + slots)
        self.machine.watched.append(self.process)

    def tell(self, words):
        """For a script: tell it, and wait for its answer."""
        return (f"sh echo {words} >{self.commands}; read a <{self.answers}; "
                f"test \"$a\" = ok || echo \"bank: {words}: $a\"\n")


def check_sequence(tap, machine_, raw, spans, what, format_="s16_le", channels=1):
    """What came out of the graph is the numbered sequence."""
    out = subprocess.run([machine_.tool("sequence"), "--channels", str(channels), "--graph", spans,
                          f"{format_}:{raw}"], check=False, capture_output=True, text=True)
    tap.ok(out.returncode == 0, what, out.stdout + out.stderr)


DECAY_FRAMES = 240      # in which the plugin lets a sound end that breaks off
GAINS = [struct.unpack("f", struct.pack("f", (DECAY_FRAMES - k) / DECAY_FRAMES))[0]
         for k in range(DECAY_FRAMES)]


class Decay:
    """The frames that a decay after the last numbered frame consists of."""

    def __init__(self):
        self.last = None

    def follows(self, low, high):
        if self.last is None or self.k >= DECAY_FRAMES:
            return False
        gain = GAINS[self.k]
        if (round(self.last[0] * gain), round(self.last[1] * gain)) != (low, high):
            return False
        self.k += 1
        return True

    def begin(self, low, high):
        self.last, self.k = (low, high), 1


def stretches(raw, channels=2):
    """What a recording of the pattern consists of: ("silence", frames), or (number of the
    first frame, frames) for frames that follow one another. Its decay is silence."""
    with open(raw, "rb") as f:
        samples = array.array("h", f.read())
    found = []
    decay = Decay()
    for low, high in zip(samples[0::channels], samples[1::channels]):
        number = (high - 1 << 15) + low
        numbered = found and found[-1][0] != "silence"
        if numbered and number == sum(found[-1]):
            decay.begin(low, high)
            found[-1] = (found[-1][0], found[-1][1] + 1)
        elif low == 0 and high == 0 or decay.follows(low, high):
            if numbered or not found:
                found.append(("silence", 0))
            found[-1] = ("silence", found[-1][1] + 1)
        else:
            decay.begin(low, high)
            found.append((number, 1))
    return found


def longest_silence_of_events(positions_file):
    """Seconds between two positions that a running stream was told, at most."""
    with open(positions_file, encoding="ascii") as f:
        lines = [line.split() for line in f]
    times = [int(ns) / 1e9 for _, _, _, state, _, ns, _ in lines if state == "running"]
    return max((b - a for a, b in zip(times, times[1:])), default=0)


def is_at_rate(t, positions_file):
    """Whatever the graph's rate is, the stream is consumed at its own."""
    with open(positions_file, encoding="ascii") as f:
        lines = [line.split() for line in f if " running " in line]
    (first, start), (last, end) = [(int(w[4]), int(w[5])) for w in (lines[0], lines[-1])]
    per_second = (last - first) / ((end - start) / 1e9)
    t.ok(0.95 < per_second / RATE < 1.05, "the stream was consumed at its rate",
         f"{per_second:.0f} frames a second")


def check_pattern(tap, machine_, raw, expect, what, channels=2, start=0, breaks=0):
    command = [machine_.tool("pattern"), "check", "--channels", str(channels), "--start",
               str(start), *(["--breaks", str(breaks)] if breaks else [])]
    if expect is not None:
        command += ["--expect", str(expect)]
    out = subprocess.run(command + [raw], check=False, capture_output=True, text=True)
    tap.ok(out.returncode == 0, what, out.stdout + out.stderr)


def missed():
    """How often a client of a rig did not run when it was due."""
    return sum(m.missed for m in machines)


def figures(report, stream="0/0/0"):
    """The figures of a stream in one line."""
    words = []
    for key, value in report["figures"].items():
        if key.startswith(stream + "."):
            words.append(f"{key[len(stream) + 1:]}={value}")
    return " ".join(words)


def figure(report, what, stream="0/0/0"):
    return report["figures"].get(f"{stream}.{what}")
