# SPDX-License-Identifier: MIT
"""The behaviours of honest drivers, as scripts for the model frontend: what every stream of
a card does in lockstep, and what must have come out of the graph or into the guest."""

PERIOD = 2048
QUANTUM = 1024
BUFFER = 16384
ODD_BUFFER = 15000      # frames: neither a power of two nor a multiple of a page
EOPNOTSUPP, EINVAL, EIO = -95, -22, -5

FORMATS = ["s8", "u8", "s16_le", "s16_be", "u16_le", "u16_be", "s24_le", "s24_be", "u24_le",
           "u24_be", "s32_le", "s32_be", "u32_le", "u32_be", "float_le", "float_be",
           "float64_le", "float64_be", "mu_law", "a_law"]
REFUSED = {"iec958_subframe_le": 18, "iec958_subframe_be": 19, "ima_adpcm": 22, "mpeg": 23,
           "gsm": 24}

PLAYERS, CAPTURERS, ALL = "0/@p", "0/@c", "0/@"


class Behaviour:
    """What all streams do between OPEN and CLOSE, and what must be so afterwards.

    `play` and `capture` are lines of a script, and the two run side by side. `spans`
    is what must be heard, in the words of `sequence`. `files` are the parts that a guest
    captured: for each the spans, and what its first number must be, by that of the last
    frame of the part before."""

    def __init__(self, name, play=(), spans="", capture=(), files=(), period=PERIOD,
                 buffer=BUFFER, quantum=QUANTUM, meanwhile=(), events=True, triggers=(),
                 positions=True, needs_events=False, result="exact", ahead=0):
        self.name = name
        self.play, self.spans = list(play), spans
        self.capture, self.files = list(capture), list(files)
        self.period, self.buffer, self.quantum = period, buffer, quantum
        self.meanwhile = list(meanwhile)
        self.events = events
        self.triggers = dict(triggers)      # by direction: the trigger that version 1 refuses
        self.positions = positions
        self.needs_events = needs_events    # says nothing where there are none
        self.result = result
        self.ahead = ahead

    def directions(self):
        return [d for d, lines in (("playback", self.play), ("capture", self.capture)) if lines]


def play(frames, start=0, more=""):
    return f"play {PLAYERS} frames={frames} start={start} sequence=1 xruns=0 {more}"


def capture(frames, part=0):
    return f"capture {CAPTURERS} frames={frames} xruns=0 file={{dir}}/captured-{part}-%.{{number}}"


def force(key, value):
    return f"sh pw-metadata -n settings 0 clock.force-{key} {value} >/dev/null"


PREPARE_PLAY, PREPARE_CAPTURE = f"prepare {PLAYERS}", f"prepare {CAPTURERS}"
DRAIN = f"drain {PLAYERS}"
STOP = f"drop {CAPTURERS}"
PAUSE_TYPE, STOP_TYPE = 1, 2


def anywhere(_last):
    return None


def following(by=0):
    return lambda last: last + 1 + by


def later(last):
    return range(last + 2, 1 << 62)


def straight(frames):
    """Both directions do nothing but go on."""
    return {"play": [play(frames), DRAIN], "spans": f"0+{frames}",
            "capture": [capture(frames), STOP], "files": [(f"0+{frames}~", anywhere)]}


def xrun(buffer):
    return {"play": [play(20000), f"xrun {PLAYERS} ms=3000", PREPARE_PLAY, play(20001, 20000),
                     DRAIN],
            "spans": "0+20000/20000+20001",
            "capture": [capture(20000), f"xrun {CAPTURERS} ms=3000", PREPARE_CAPTURE,
                        capture(20001, 1), STOP],
            "files": [("0+20000~", anywhere), ("?+20001~", later)],
            "buffer": buffer}


BEHAVIOURS = [
    Behaviour("plain", **straight(40000)),
    Behaviour("xrun", **xrun(BUFFER)),
    Behaviour("xrun, odd buffer", **xrun(ODD_BUFFER)),
    Behaviour("drain",
              play=[play(5000), DRAIN, PREPARE_PLAY, play(20001, 5000), DRAIN, PREPARE_PLAY,
                    play(777, 25001), DRAIN],
              spans="0+5000/5000+20001/25001+777",
              capture=[capture(20000), "sleep ms=80", f"drain {CAPTURERS}", capture(BUFFER, 1)],
              files=[("0+20000~", anywhere), (f"?+{BUFFER}~", following())],
              triggers={"capture": STOP_TYPE}),
    Behaviour("rewind",
              play=[play(BUFFER), f"move {PLAYERS} frames=-4000", play(20000, 100000), DRAIN],
              spans=f"0+{BUFFER - 4000},100000+20000",
              capture=[capture(20000), f"move {CAPTURERS} frames=-2000", capture(10000, 1), STOP],
              files=[("0+20000~", anywhere), ("?+10000", following(-2000))]),
    Behaviour("forward",
              play=[play(40000), f"move {PLAYERS} frames=1000", play(10000, 41000), DRAIN],
              spans=None,
              capture=[capture(20000), f"move {CAPTURERS} frames=3000", capture(10000, 1), STOP],
              files=[("0+20000~", anywhere), ("?+10000", following(3000))]),
    Behaviour("silence ahead",
              play=[play(15 * PERIOD, more=f"silence={PERIOD}"), DRAIN], spans=f"0+{15 * PERIOD}"),
    Behaviour("suspend",
              play=[play(20000), f"suspend {PLAYERS}", "sleep ms=60", PREPARE_PLAY, play(20000, 50000), DRAIN],
              spans="0+20000~/50000+20000",
              capture=[capture(20000), f"suspend {CAPTURERS}", "sleep ms=60", PREPARE_CAPTURE,
                       capture(20000, 1), STOP],
              files=[("0+20000~", anywhere), ("?+20000~", later)],
              triggers={"playback": PAUSE_TYPE, "capture": PAUSE_TYPE}),
    Behaviour("period > quantum", **straight(20000), quantum=256),
    Behaviour("period = quantum", **straight(40000), quantum=PERIOD, ahead=1),
    Behaviour("period < quantum", **straight(60000), quantum=2 * PERIOD, ahead=1),
    Behaviour("two periods", **straight(30000), period=4096, buffer=8192, needs_events=True,
              ahead=1),
    Behaviour("period_sz 0", **straight(20000), events=False, needs_events=True),
    Behaviour("quantum changes", **straight(50000),
              meanwhile=["sleep ms=250", force("quantum", 256), "sleep ms=250",
                         force("quantum", 2048), "sleep ms=250", force("quantum", 512)]),
    # while the rates differ samples are not what they were: they must be so again afterwards
    Behaviour("rate changes",
              play=[play(144000), DRAIN], spans="*124000+20000",
              capture=[capture(144000), STOP], files=[("*?+20000", anywhere)],
              meanwhile=["sleep ms=300", force("rate", 44100), "sleep ms=500", force("rate", 48000)],
              positions=False, result="passed"),
]


def forward_spans(buffer):
    """A frame that the application went over is what was there a lap before."""
    return f"0+40000,{40000 - buffer}+1000,41000+10000"


class Script:
    """A whole guest: one card with a stream for each format and direction, and one whose
    streams could also have what is refused."""

    def __init__(self, dialect, bank, directory):
        self.dialect = dialect
        self.bank = bank
        self.directory = directory
        self.streams = {}       # (direction, format): name
        self.lines = self.cards()

    def cards(self):
        lines = ["card 0 sample-rates=48000 channels-max=1 buffer-size=262144",
                 "card 1 sample-rates=48000 channels-max=1 buffer-size=262144"]
        for devid, formats in ((0, FORMATS), (1, list(REFUSED))):
            wanted = [(d, f) for d in ("playback", "capture") for f in formats]
            for i, (direction, format_) in enumerate(wanted):
                name = f"{devid}/{i // 8}/{i % 8}"
                self.streams[direction, format_] = name
                also = "s16_le," if devid == 1 else ""
                lines.append(f"stream {name} type={direction[0]} sample-formats={also}{format_}")
        return lines + [force("quantum", QUANTUM), "attach 0", "attach 1", "connect 0",
                        "connect 1"]

    def to_bank(self, words):
        return self.bank.tell(words).rstrip("\n")

    def refuse(self, behaviour):
        """What can't be carried is refused before the same is done with what can."""
        for direction in behaviour.directions():
            for format_, number in REFUSED.items():
                s = self.streams[direction, format_]
                self.lines += [
                    f"open {s}",
                    f"hw_params {s} format=s16_le channels=1 period={behaviour.period} "
                    f"buffer={behaviour.buffer}",
                    f"request {s} op=query formats={1 << number:#x} "
                    f"status={EINVAL if self.dialect == 'v2' else EOPNOTSUPP}",
                    f"request {s} op=open format={number} status={EINVAL}",
                    f"request {s} op={'write' if direction == 'playback' else 'read'} offset=0 "
                    f"length=4 status={EIO}",
                    f"close {s}"]

    def refuse_trigger(self, behaviour, direction):
        """Version 1 knows none: so nothing of what follows from it can be."""
        for format_ in FORMATS:
            s = self.streams[direction, format_]
            self.lines.append(f"request {s} op=trigger type={behaviour.triggers[direction]} "
                              f"status={EOPNOTSUPP}")

    def does(self, behaviour, direction):
        lines = behaviour.play if direction == "playback" else behaviour.capture
        if not lines or (self.dialect == "v1" and (behaviour.needs_events)):
            return []
        return lines

    def is_refused(self, behaviour, direction):
        return self.dialect == "v1" and direction in behaviour.triggers

    def buffer(self, behaviour):
        """Twice the size where the guest goes by a clock that can't know when the graph began."""
        return behaviour.buffer * (2 if self.dialect == "v1" or not behaviour.events else 1)

    def run(self, behaviour, number):
        """All streams are opened, so that the recorder has all of its nodes."""
        period, buffer = behaviour.period, self.buffer(behaviour)
        self.lines.append(f"mark #{number}")
        self.refuse(behaviour)
        self.lines += [f"in-turn open {ALL}",
                       f"in-turn hw_params {ALL} channels=1 period={period} buffer={buffer}"]
        if behaviour.quantum != QUANTUM:
            self.lines.append(force("quantum", behaviour.quantum))
        self.lines += [f"in-turn prepare {ALL}" + ("" if behaviour.events else " events=0"),
                       self.to_bank("linked")]
        begin = len(self.lines)
        self.steps(behaviour)
        self.lines[begin:] = [line.replace("{dir}", self.directory).replace(
            "{number}", str(number)) for line in self.lines[begin:]]
        # no period of less than two quanta is offered: the next may want just so much
        self.lines += [force("quantum", QUANTUM), f"in-turn close {ALL}", self.to_bank("gone"),
                       self.to_bank(f"dump {self.directory}/{number}")]

    def steps(self, behaviour):
        todo = {}
        for direction in behaviour.directions():
            if self.is_refused(behaviour, direction):
                self.refuse_trigger(behaviour, direction)
            elif self.does(behaviour, direction):
                todo[direction] = self.does(behaviour, direction)
        if "capture" in todo:
            self.lines += [" then ".join(todo["capture"]) + " &", f"moving {CAPTURERS}",
                           self.to_bank("go")]
        if "playback" in todo:
            self.lines.append(" then ".join(todo["playback"]) + " &")
        self.lines += behaviour.meanwhile + ["wait"]

    def text(self):
        return "\n".join(self.lines + ["detach 0", "detach 1", "balance", ""])
