# SPDX-License-Identifier: MIT
"""What a recorded sink holds when several guests play the pattern into it."""

import array

TOLERANCE = 1       # of 16 bits: what is mixed is rounded once
LOUDEST = 32767
CYCLE = 2048        # frames of the graph's, with a guest's period of 4096
RUN = 16            # frames in a row that are no accident


def numbered(n):
    """The pattern's frame n."""
    return (n & 0x7fff, (n >> 15) + 1)


def number_of(frame):
    return (frame[1] - 1 << 15) + frame[0]


def is_sum(frame, parts):
    """Is it what all parts, (number, gain) each, are together?"""
    return all(abs(frame[c] - min(sum(numbered(n)[c] * gain for n, gain in parts), LOUDEST)) <=
               TOLERANCE for c in range(2))


class Sink:
    """A recorded sink."""

    def __init__(self, raw):
        with open(raw, "rb") as f:
            samples = array.array("h", f.read())
        self.frames = list(zip(samples[0::2], samples[1::2]))
        self.length = len(self.frames)

    def first(self, start, test):
        """Index of the first frame from `start` on for whose index that holds."""
        return next((i for i in range(start, self.length) if test(i)), self.length)

    def is_run(self, i, below=None):
        """Does a run of the pattern, alone, begin there, with a number below that?"""
        n = number_of(self.frames[i])
        return (n >= 0 and (below is None or n < below) and
                self.frames[i:i + RUN] == [numbered(n + k) for k in range(RUN)])

    def run_from(self, start, below=None):
        """Where the next run begins, and its frame 0 would be."""
        i = self.first(start, lambda i: self.is_run(i, below))
        return (i, i - number_of(self.frames[i])) if i < self.length else (i, i)

    def run_to(self, start, origin):
        """Where the run ends that has its frame 0 at `origin`."""
        return self.first(start, lambda i: self.frames[i] != numbered(i - origin))

    def added_from(self, start, origin, gains):
        """Where frame 0 of the pattern is added to the run of `origin`."""
        return self.first(start, lambda i: any(all(
            is_sum(self.frames[i + k], [(i + k - origin, gain), (k, 1)])
            for k in range(RUN) if i + k < self.length) for gain in gains))


class Ducking:
    """The stretch of a run, its frame 0 at `origin`, in which another of so many frames is
    played, too, and the first is not as loud."""

    def __init__(self, sink, start, origin, frames, gain):
        self.other = sink.added_from(start, origin, (gain, 1))
        self.ducked = 0         # frames
        self.changes = []       # of the gain
        self.wrong = []         # (index, frame) of what can't be
        now = 1
        i = start
        end = self.other + frames
        # until it is loud again, for good
        while i < sink.length and (i < end or now != 1):
            parts = [(i - self.other, 1)] if self.other <= i < end else []
            if not is_sum(sink.frames[i], [(i - origin, now)] + parts):
                now = gain if now == 1 else 1
                self.changes.append((i, now))
                if not is_sum(sink.frames[i], [(i - origin, now)] + parts):
                    self.wrong.append((i, sink.frames[i]))
            self.ducked += now == gain
            i += 1
        self.end = i

    def is_well(self, frames, gain):
        return (not self.wrong and [g for _, g in self.changes] == [gain, 1] and
                self.changes[1][0] >= self.other + frames)


def check_ducking(t, sink, start, origin, frames, gain):
    """Returns where it is over."""
    duck = Ducking(sink, start, origin, frames, gain)
    late = max(duck.changes[0][0] - duck.other, 0) if duck.changes else None
    t.ok(duck.is_well(frames, gain), f"while navigation is heard whole, the music is {gain} times "
         "as loud, in every sample", f"{duck.ducked} frames ducked, {late} of navigation before, "
         f"changes {duck.changes[:6]}, wrong {duck.wrong[:3]}")
    return duck.end


def check_corking(t, sink, start, music, frames):
    """Returns where it is over."""
    at, origin = sink.run_from(start, below=frames)
    alone = sink.first(origin, lambda i: sink.frames[i] == numbered(i - origin))
    mixed = all(is_sum(sink.frames[i], [(i - music, 1), (i - origin, 1)])
                for i in range(origin, min(alone, sink.length)))
    end = sink.run_to(alone, origin)
    t.ok(mixed and end - origin == frames, "while the warning is heard whole, all else is silent",
         f"{end - alone} frames alone, {alone - origin} before the music was corked")
    return end


def told(positions_file):
    """All positions that a guest with one stream was told."""
    with open(positions_file, encoding="ascii") as f:
        return {int(line.split()[4]) for line in f}


class Interrupted:
    """Music in a sink, heard from the index `start` on with its frame 0 at `origin`, that a warning
    of so many frames corks."""

    def __init__(self, t, sink, start, origin, spoken):
        self.sink = sink
        index = sink.run_to(start, origin)
        again, later = sink.run_from(check_corking(t, sink, index, origin, spoken))
        self.end = sink.run_to(again, later)
        self.corked = index - origin            # frames of music
        self.resumed = again - later
        self.absent = again - index             # frames of the sink
        self.frames = self.end - later

    def __str__(self):
        return (f"from {self.resumed}, {self.absent} frames after {self.corked}, to {self.frames}")

    def check(self, t, goes_on, frames, positions, what):
        t.ok(goes_on and self.frames == frames and self.resumed in told(positions),
             f"and then the music goes on, {what}, to its end, as the guest was told", self)
        t.ok(all(f == (0, 0) for f in self.sink.frames[self.end:]), "and nothing else follows")


def check_car(t, raw, music, spoken, gain, positions):
    """Music, which navigation ducks and then a warning corks."""
    sink = Sink(raw)
    start, origin = sink.run_from(0, below=1)
    ducked = sink.run_to(start, origin)
    after = check_ducking(t, sink, ducked, origin, spoken, gain)
    corked = Interrupted(t, sink, after, origin, spoken)
    t.ok(corked.corked > after - origin + RUN, "then the music is as loud as before, and none of it "
         "is lost", f"exact from {after - origin} to {corked.corked}")
    corked.check(t, 0 < corked.resumed - corked.corked <= corked.absent, music, positions,
                 "from where time has brought it")


def check_held(t, raw, music, spoken, positions):
    """Music, which a warning corks, and which waits meanwhile."""
    sink = Sink(raw)
    corked = Interrupted(t, sink, *sink.run_from(0, below=1), spoken)
    # what it gives in the cycle in which the link goes nobody may hear
    corked.check(t, 0 <= corked.resumed - corked.corked <= CYCLE, music, positions,
                 "from where it was")


def check_quiet(t, raw, frames, gain, what):
    """One guest at this gain, from its first frame to its last, and silence around it."""
    sink = Sink(raw)
    loud = [i for i in range(sink.length) if sink.frames[i] != (0, 0)]
    # of the first frames nothing is left: too quiet
    origin = loud[0] - next(n for n in range(frames) if round(n * gain) == sink.frames[loud[0]][0])
    wrong = [i for i in range(sink.length) if not is_sum(
        sink.frames[i], [(i - origin, gain)] if origin <= i < origin + frames else [])]
    t.ok(not wrong and len(loud) > frames - RUN, f"{what}: one guest is {gain} times as loud, in "
         "every sample, and no other is heard", f"{len(loud)} of {frames} frames, wrong {wrong[:3]}")
