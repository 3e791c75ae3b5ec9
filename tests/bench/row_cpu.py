# SPDX-License-Identifier: MIT
"""cpu: processor time for a second of a stream, of all that does the work: servers and clients,
not the guest and not WirePlumber."""

import time

import bench
import stacks

QUANTA = 256, 1024
CALM = 0.3      # s, for a new quantum to be everywhere


def measure(stack, counts, seconds):
    """{(streams, quantum): microseconds of processor for a second of one stream}"""
    found = {}
    with stack:
        for count in counts:
            stack.add_to(count)
            for quantum in QUANTA:
                stack.rig.force_quantum(quantum)
                time.sleep(CALM)
                before, from_ = stack.cpu(), time.monotonic()
                time.sleep(seconds)
                used, took = stack.cpu() - before, time.monotonic() - from_
                found[count, quantum] = used / 1000 / took / count
        if stack.active_links() != count * 2:
            raise RuntimeError(f"not all of {count} streams are linked any more")
    return found


def bar(against, count):
    if against != "pw-cat":
        return None
    return bench.at_most_times(0.5 if count > 1 else 1)


def add(b, results, counts, ours, against):
    for key in [(count, quantum) for count in counts for quantum in QUANTA]:
        count, quantum = key
        streams = "1 stream" if count == 1 else f"{count} streams"
        b.add("cpu", f"{ours}, {streams}, {quantum}", "us/s",
              [found[key] for found in results[ours]], against,
              [found[key] for found in results[against]], bar(against, count))


def run(b):
    counts, seconds = b.pick((1, 8, 32), (1, 8), (2,)), b.pick(1, 0.5, 0.2)
    kinds = {"daemon": lambda: stacks.Guests(b), "pw-cat": lambda: stacks.PwCats(b)}
    if not b.smoke:
        kinds |= {"in PipeWire": lambda: stacks.Guests(b, in_pipewire=True),
                  "pacat": lambda: stacks.Pacats(b)}
    if b.peer:
        kinds["peer"] = lambda: stacks.Guests(b, backend=b.peer.split())
    results = b.interleaved({name: lambda make=make: measure(make(), counts, seconds)
                             for name, make in kinds.items()})
    for ours, against in (("daemon", "pw-cat"), ("in PipeWire", "pw-cat"), ("daemon", "pacat"),
                          ("daemon", "peer")):
        if {ours, against} <= set(results):
            add(b, results, counts, ours, against)
