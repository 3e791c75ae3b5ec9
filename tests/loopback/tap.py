# SPDX-License-Identifier: MIT
"""Results in the Test Anything Protocol, and the questions that all tests ask."""

import sys
import traceback


ATTEMPTS = 4


class Tap:
    """Counts results. A test that dies before its plan is printed has failed."""

    def __init__(self):
        self.lines = []
        self.count = 0
        self.failures = 0

    def say(self, line):
        self.lines.append(line)

    def ok(self, good, what, figures=""):
        self.count += 1
        self.failures += not good
        self.say(f"{'ok' if good else 'not ok'} {self.count} - {what}")
        for line in str(figures).splitlines():
            self.say("# " + line)
        return good

    def equal(self, got, wanted, what):
        return self.ok(got == wanted, what, f"{got}" if got == wanted else
                       f"{got} instead of {wanted}")

    def is_clean(self, report, who="the guest"):
        """A model frontend found no rule broken."""
        return self.ok(not report["violations"], f"{who} found no rule broken",
                       "\n".join(report["violations"]))

    def has_no_faults(self, machine):
        return self.ok(not machine.faults, "every process of the rig ended well",
                       "\n".join(machine.faults))


def attempt(main):
    tap = Tap()
    try:
        main(tap)
    except Exception:   # whatever it is, it is a failed test
        tap.ok(False, "the test ran to its end", traceback.format_exc())
    return tap


def run(main, missed):
    """Run and print a test. Where it failed on a machine too busy to run the test's own
    clients when they were due, it proves nothing and is run again; where the machine always
    is, it fails."""
    for number in range(1, ATTEMPTS + 1):
        before = missed()
        tap = attempt(main)
        times = missed() - before
        if not tap.failures or not times:
            break
        for line in tap.lines if number < ATTEMPTS else []:
            print(f"# attempt {number}, void, for {times} times too busy: {line}", flush=True)
    print("\n".join(tap.lines))
    print(f"1..{tap.count}")
    sys.exit(1 if tap.failures or not tap.count else 0)
