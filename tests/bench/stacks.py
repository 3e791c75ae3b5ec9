# SPDX-License-Identifier: MIT
"""The same sound, by different ways into the same null sink: guests' streams through this backend
or another, pw-cat, pacat. WirePlumber links all of them."""

import os
import signal
import sys
import wave

import bench        # which knows where the rig is
import rig
import scene

PERIOD, BUFFER = 4096, 16384        # what aplay takes of a card with 64 KiB a stream
HOURS = 3600 * scene.RATE
VALUE = 1           # of all samples: what the sink gets is the number of streams


STREAMS_OF_PCM = 8      # as many as the backend takes of one PCM


# PipeWire's mixer has 128 inputs: more streams are not linked to one sink
MOST_OF_SINK = 128
AT_A_TIME = 64
SINK = """{ factory.name=support.null-audio-sink node.name=%s media.class=Audio/Sink node.driver=true
    object.linger=true audio.position=[ FL FR ] monitor.channel-volumes=true }"""


def sink_name(number):
    return f"null-sink-{number}" if number else "null-sink"


def daemon(b):
    """The product's command."""
    return [b.path("src", "daemon", "pipewire-xen-snd")]


def machine(b, backend, rules="", **options):
    """A rig, with a guest's budgets lifted; without a backend if there is none."""
    made = rig.Rig(b.build, backend=backend, rules=scene.NO_BUDGETS + rules, **options)
    scene.machines.append(made)
    return made


def rules_held(report):
    """A row of a backend that breaks rules is worth nothing."""
    if report["violations"]:
        raise RuntimeError("\n".join(report["violations"]))


def rules_told(b, report):
    """Those that the peer breaks are its own affair, but not to be kept from the reader."""
    if report["violations"]:
        b.remark(f"the peer broke {len(report['violations'])} rules: {report['violations'][0]}")


def card(count):
    """A card 0 with so many streams that play, connected."""
    types = ["p"] * min(count, STREAMS_OF_PCM)
    more = "".join(f"stream 0/{i // STREAMS_OF_PCM}/{i % STREAMS_OF_PCM} type=p\n"
                   for i in range(len(types), count))
    return scene.card(*types).replace("attach", more + "attach")


# a rule for guests that are to play on a sink
ON_SINK = ('{ matches = [ { xen.guest.name = "~.*-on-%d" } ] '
           'actions = { update-props = { target.object = %s } } }')


class Stack:
    """A machine on which streams can be added, one sort of them. A context manager."""

    clients = ()        # processes that play, besides the servers

    def __init__(self, b, backend=None, sinks=1, **options):
        self.bench = b
        self.count = 0
        self.on_sink = [0] * sinks      # streams
        self.rig = machine(b, backend, wireplumber=True, rules="".join(
            ON_SINK % (number, sink_name(number)) for number in range(sinks)), **options)

    def __enter__(self):
        self.rig.__enter__()
        for number in range(1, len(self.on_sink)):
            self.rig.run(["pw-cli", "create-node", "adapter", SINK % sink_name(number)])
        self.begin()
        return self

    def __exit__(self, *_):
        self.rig.__exit__(None, None, None)

    def begin(self):
        """When the machine is there."""

    def add_to(self, count):
        """Play so many streams, all of them linked, some at a time: whoever links has little time
        left beside many that play."""
        while self.count < count:
            number = next(n for n, on in enumerate(self.on_sink) if on < MOST_OF_SINK)
            more = min(count - self.count, MOST_OF_SINK - self.on_sink[number], AT_A_TIME)
            self.add(more, number)
            self.on_sink[number] += more
            self.count += more
            rig.wait_for(f"{self.count} streams that are linked", self.are_linked, 60)

    def troubles(self):
        """What those who play found wrong."""
        return []

    def are_linked(self):
        return self.active_links() == self.count * 2

    def active_links(self):
        items = rig.arrays(self.rig.run(["pw-dump", "-N"]).stdout)
        return sum(item["info"].get("state") == "active" for item in items
                   if item and item.get("type") == "PipeWire:Interface:Link" and item.get("info"))

    def processes(self):
        """All that does the work: not the guests, not who links."""
        return [p for p in [self.rig.pipewire, self.rig.backend] if p] + list(self.clients)

    def cpu(self):
        """Nanoseconds that they have run."""
        return sum(cpu_of(p.child.pid) for p in self.processes())

    def octets(self):
        """Their share of memory, but for guests' pages: (PipeWire's, all others')."""
        sizes = [octets_of(p.child.pid) for p in self.processes()]
        return sizes[0], sum(sizes[1:])


STREAMS_OF_GUEST = 32


class Guests(Stack):
    """Streams of guests, in a daemon of ours, inside PipeWire, or in another backend."""

    def __init__(self, b, in_pipewire=False, backend=None, **options):
        super().__init__(b, backend or daemon(b), in_pipewire=in_pipewire, **options)
        self.needs_pulse = backend is not None
        self.guests = []

    def begin(self):
        if self.needs_pulse:
            self.clients = [start_pulse(self.rig)]

    def add(self, count, sink):
        for first in range(0, count, STREAMS_OF_GUEST):
            self.add_guest(min(count - first, STREAMS_OF_GUEST), sink)

    def add_guest(self, count, sink):
        domid = len(self.guests) + 1
        name = f"guest-{domid}-on-{sink}"
        guest = self.rig.frontend(
            card(count) +
            "in-turn open 0/@p\n"
            f"in-turn hw_params 0/@p period={PERIOD} buffer={BUFFER}\n"
            "in-turn prepare 0/@p\n"
            f"play 0/@p frames={HOURS} value={VALUE} xruns=0 &\n"
            "moving 0/@p ms=10000\n"
            "say playing\n"
            "wait\n", name, domid=domid, name=name)
        guest.process.expected = (-signal.SIGTERM,)
        guest.process.wait_for_line("playing\n", 60)
        self.guests.append(guest)

    def troubles(self):
        """What the guests found wrong."""
        return [line for guest in self.guests for line in guest.process.text().splitlines()
                if line.startswith("violation")]


class PwCats(Stack):
    """As many clients of PipeWire's own."""

    program = "pw-cat"

    def begin(self):
        self.clients = []
        self.file = os.path.join(self.rig.dir, "sound.wav")
        with wave.open(self.file, "wb") as f:
            f.setparams((2, 2, scene.RATE, 0, "NONE", ""))
            seconds = self.bench.pick(300, 60)
            f.writeframes(VALUE.to_bytes(2, "little") * 2 * scene.RATE * seconds)

    def add(self, count, sink):
        for _ in range(count):
            client = self.rig.spawn(f"{self.program}-{len(self.clients)}", self.command(sink),
                                    env=self.env())
            client.expected = (0, 1)    # before it has played all
            self.clients.append(client)

    def command(self, sink):
        return ["pw-cat", "--playback", "--target", sink_name(sink), self.file]

    def env(self):
        return None


class PwStreams(Stack):
    """As many streams of PipeWire's own in one process: what they take, any process pays for as
    many adapters."""

    def begin(self):
        self.clients = []

    def add(self, count, sink):
        if self.clients:
            self.clients.pop().end()
        count += self.count
        self.clients.append(self.rig.spawn(
            f"pw-streams-{count}", [self.bench.path("tests", "bench", "many-streams"), str(count)]))


class Pacats(PwCats):
    """As many clients that know PulseAudio only."""

    program = "pacat"

    def begin(self):
        super().begin()
        self.clients.append(start_pulse(self.rig))

    def command(self, sink):
        return ["pacat", "--playback", "--client-name", "bench", "--device", sink_name(sink),
                self.file]

    def env(self):
        return self.rig.env | {"PULSE_SERVER": "unix:" + pulse_socket(self.rig)}


def pulse_socket(machine):
    return os.path.join(machine.dir, "run", "pulse", "native")


def start_pulse(machine):
    """PipeWire's server for clients of PulseAudio."""
    with open("/usr/share/pipewire/pipewire-pulse.conf", encoding="utf-8") as f:
        machine.write("conf/pipewire-pulse.conf", f.read())
    process = machine.spawn("pipewire-pulse", ["pipewire-pulse"])
    rig.wait_for("pipewire-pulse", lambda: os.path.exists(pulse_socket(machine)) or
                 machine.must_run(process))
    return process


def cpu_of(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total


def octets_of(pid):
    """Its proportional share of all mappings but those of guests' pages."""
    total, guests = 0, False
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as f:
        for line in f:
            if not line[0].isupper():
                guests = "/domain-" in line
            elif line.startswith("Pss:") and not guests:
                total += int(line.split()[1]) * 1024
    return total
