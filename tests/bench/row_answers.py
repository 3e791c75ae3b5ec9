# SPDX-License-Identifier: MIT
"""answers: how long a guest waits for an answer, for a connection, and for its first sample."""

import os

import bench
import scene
import stacks

QUANTUM = 1024
KIB = 1024
SIZES = 64 * KIB, 1024 * KIB        # of a stream's buffer, in octets
LIMIT = 3000000                     # us: Linux waits no longer for an answer

# what is shown: (case, the model's figure, what must hold of the median)
OPERATIONS = [
    ("WRITE", "0/0/0", "write", 50),
    ("READ", "0/0/1", "read", 50),
    ("HW_PARAM_QUERY", "0/0/0", "query", 50),
    ("OPEN of 64 KiB", "0/0/0", "open", 1000),
    ("OPEN of 1 MiB", "1/0/0", "open", None),
    ("CLOSE", "0/0/0", "close", None),
    ("SET_VOLUME", "0/0/0", "set-volume", None),
    ("GET_VOLUME", "0/0/0", "get-volume", None),
    ("MUTE", "0/0/0", "mute", None),
    ("UNMUTE", "0/0/0", "unmute", None),
    ("START and STOP", "0/0/0", "trigger", None),
    ("START to first sample", "0/0/0", "first-position", QUANTUM * 1000000 // scene.RATE),
]


def configured(devid, size, types):
    lines = [f"card {devid} sample-rates={scene.RATE} sample-formats=s16_le channels-max=2 "
             f"buffer-size={size}"]
    return "\n".join(lines + [f"stream {devid}/0/{i} type={t}" for i, t in enumerate(types)] + [""])


def script(m, link, times):
    """All that is measured, one after the other."""
    small, large = (size // 4 for size in SIZES)        # frames

    def file(name, text):
        m.write(name, text)
        return os.path.join(m.dir, name)

    def opens(stream, frames):
        return file("opens" + stream[0], f"hw_params {stream} period={frames // 4} buffer={frames}\n"
                    f"prepare {stream}\nhw_free {stream}\n")

    volumes = file("volumes", "cells 0/0/0 0 0\n" + "".join(
        f"request 0/0/0 op={op} length=8\n" for op in ("set-volume", "get-volume", "mute", "unmute")))
    starts = file("starts", f"prepare 0/0/0\nplay 0/0/0 frames={small}\nmoving 0/0/0\ndrop 0/0/0\n")
    return (configured(0, SIZES[0], "pc") + configured(1, SIZES[1], "p") +
            "attach 0\ntime connect connect 0\nattach 1\nconnect 1\n"
            f"open 0/0/0\nqueries 0/0/0 count={times * 5}\n"
            f"times {times // 10} {opens('0/0/0', small)}\n"
            f"open 1/0/0\ntimes {times // 10} {opens('1/0/0', large)}\nclose 1/0/0\n" +
            scene.opened("0/0/1") + scene.opened("0/0/0").replace("open 0/0/0\n", "") +
            f"times {times // 5} {volumes}\n" +
            link +
            # until its links have settled a new stream is not heard
            f"play 0/0/0 frames={small * 2}\ndrop 0/0/0\n"
            f"times {times // 20} {starts}\n"
            "prepare 0/0/0\n"
            f"play 0/0/0 frames={times * 100} chunk=128 &\n"
            f"capture 0/0/1 frames={times * 100} chunk=128 file=/dev/null &\n"
            "wait\nclose 0/0/0\nclose 0/0/1\ndetach 0\ndetach 1\n")


def measure(b, times):
    """The model's figures."""
    with stacks.machine(b, stacks.daemon(b), quantum=QUANTUM) as m:
        report = m.frontend(script(m, f"sh graph-link {scene.node()} null-sink\n", times)).join()
    stacks.rules_held(report)
    return report["figures"]


def measure_peer(b, times):
    """Where streams of PulseAudio are linked by whose business it is."""
    with stacks.machine(b, b.peer.split(), wireplumber=True, quantum=QUANTUM) as m:
        stacks.start_pulse(m)
        report = m.frontend(script(m, "", times)).join()
    stacks.rules_told(b, report)
    return report["figures"]


def all_of(results, key):
    return [figures[key] for figures in results if key in figures]


def add(b, ours, theirs, against):
    for case, stream, figure, most in OPERATIONS:
        for part, key in ("median", f"{stream}.{figure}-median-us"), ("p99", f"{stream}.{figure}-p99-us"):
            bar = bench.at_most(most) if most is not None and part == "median" else None
            b.add("answers", f"{case}, {part}", "us", all_of(ours, key), against,
                  all_of(theirs, key) or [LIMIT], bar)
    key = "script.connect-us"
    b.add("answers", "connect", "us", all_of(ours, key), against, all_of(theirs, key) or [LIMIT])


def run(b):
    times = b.pick(1000, 200, 40)
    kinds = {"answers": lambda: measure(b, times)}
    if b.peer:
        kinds["peer"] = lambda: measure_peer(b, times)
    results = b.interleaved(kinds)
    add(b, results["answers"], results.get("peer", []), "peer" if b.peer else "limit of Linux")
