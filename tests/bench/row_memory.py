# SPDX-License-Identifier: MIT
"""memory: what streams take of it, in the server and in what plays, without guests' pages; that
it does not grow; and what streams cost that do not run."""

import os

import bench
import rig
import scene
import stacks

STREAMS = 32
KIB = 1024
PARTS = [("player", "each stream, in the daemon", 64), ("server", "each stream, in PipeWire", None),
         ("base", "base of both", None)]
IDLE_STREAMS = 32
# KiB: the least that malloc() gives, lost in each of 10,000 cycles, would be 5 times as much
MOST_GROWTH = 64


def weigh(stack, count):
    """KiB: base, and for each stream more; the latter of PipeWire's server and of what plays."""
    with stack:
        stack.add_to(1)
        one = stack.octets()
        stack.add_to(count)
        many = stack.octets()
    server, player = ((b - a) / (count - 1) / KIB for a, b in zip(one, many))
    return {"base": sum(one) / KIB - server - player, "server": server, "player": player}


def growth(b, cycles):
    """KiB that the daemon has more after so many OPEN and CLOSE, the first tenth not counted."""
    with stacks.machine(b, stacks.daemon(b)) as m:
        m.write("cycle", "hw_params 0/0/0 period=4096 buffer=16384\nprepare 0/0/0\nhw_free 0/0/0\n")
        file = os.path.join(m.dir, "cycle")
        guest = m.frontend(scene.card("p") + "open 0/0/0\n"
                           f"times {cycles // 10} {file}\nsay first\n" + scene.wait_go(m, "first") +
                           f"times {cycles} {file}\nsay all\n" + scene.wait_go(m, "all") +
                           "close 0/0/0\ndetach 0\n")
        sizes = []
        for word in "first", "all":
            guest.process.wait_for_line(word + "\n", 300)
            rig.wait_for("no node", lambda: scene.node() not in m.nodes())
            sizes.append(m.memory())
            scene.go(m, word)
        report = guest.join()
    stacks.rules_held(report)
    return sizes[1] - sizes[0]


def wakes(b, when, count, seconds):
    """Wake-ups of the daemon in a second, with so many streams that do not run."""
    stream = "0/@"
    steps = f"in-turn open {stream}\nin-turn hw_params {stream}\nin-turn prepare {stream}\n"
    if when == "stopped":
        steps += f"in-turn start {stream}\nmoving {stream}\nin-turn drop {stream}\n"
    with stacks.machine(b, stacks.daemon(b)) as m:
        guest = m.frontend(stacks.card(count) + steps + "say idle\n" + scene.wait_go(m, "go") +
                           f"close {stream}\ndetach 0\n")
        guest.process.wait_for_line("idle\n", 60)
        rig.wait_for("all nodes", lambda: sum(n.startswith("xen-snd") for n in m.nodes()) == count)
        m.wait_for_sleep()
        woken = sum(m.woken(seconds).values()) / seconds
        scene.go(m, "go")
        guest.join()
    return woken


def run(b):
    count = b.pick(STREAMS + 1, 5, 2)
    kinds = {"daemon": lambda: stacks.Guests(b)}
    if not b.smoke:
        kinds |= {"pw-cat": lambda: stacks.PwCats(b), "pw_stream": lambda: stacks.PwStreams(b)}
    if b.peer:
        kinds["peer"] = lambda: stacks.Guests(b, backend=b.peer.split())
    results = b.interleaved({name: lambda make=make: weigh(make(), count)
                             for name, make in kinds.items()})
    for against in [name for name in kinds if name != "daemon"]:
        for part, case, most in PARTS:
            b.add("memory", case, "KiB", [r[part] for r in results["daemon"]], against,
                  [r[part] for r in results[against]],
                  bench.at_most(most) if most is not None else None)
    cycles = b.pick(10000, 500, 50)
    b.add("memory", f"growth over {cycles} OPEN and CLOSE", "KiB", [growth(b, cycles)], "", [],
          bench.at_most(MOST_GROWTH))
    idle = b.pick(IDLE_STREAMS, IDLE_STREAMS, 2)
    for when in b.pick(("opened", "stopped"), ("opened", "stopped"), ("stopped",)):
        b.add("memory", f"wake-ups, {idle} streams {when}", "1/s",
              [wakes(b, when, idle, b.pick(10, 3, 1))], "", [], bench.at_most(0))
