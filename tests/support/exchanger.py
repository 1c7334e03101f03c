"""The program of a second user that exchanges names as fast as it can.

It imports nothing of this folder: attackers.py starts its text by `python3
-c`, as a user who may not be able to read the file. The last argument is a
value in JSON:

    pairs   lists of PLACE, TRAP and the target of the trap. Each PLACE is
            exchanged for its TRAP. A trap with a target is a symbolic link,
            and is made anew when the link is gone with what it was put into.
            A pair without a target is two names that stay.
    event   null, or a file: when it is there, one of the pairs is exchanged
            for LONGEST seconds at most; then it must have gone and come anew
    once    exchange each pair once, and end
    within  seconds after which it ends by itself

Ends when its standard input is a pipe that ends, with what was there in its
place, and prints how often it exchanged.
"""

import ctypes
import json
import os
import random
import select
import stat
import sys
import time

AT_FDCWD = -100
EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
LONGEST = 1  # seconds
AT_ONCE = 64  # exchanges between two looks at the standard input

libc = ctypes.CDLL(None, use_errno=True)


def exchange(first, second):
    return libc.renameat2(AT_FDCWD, first.encode(), AT_FDCWD, second.encode(),
                          EXCHANGE) == 0


class Exchanger:
    def __init__(self, pairs, event, once, within):
        self.pairs = pairs
        self.event = event
        self.once = once
        self.deadline = time.monotonic() + within
        self.count = 0
        self.discarded = 0
        self.is_late = False
        self.is_led = stat.S_ISFIFO(os.fstat(0).st_mode)

    def is_over(self):
        if time.monotonic() > self.deadline:
            return True
        if not self.is_led:
            return False
        ready, _, _ = select.select([sys.stdin], [], [], 0)
        return bool(ready) and not os.read(0, 1)

    def run(self):
        for pair in self.pairs:
            self.arm(*pair)
        print("armed", flush=True)
        while not self.is_over():
            if not self.event:
                self.exchange_some()
            elif not os.path.lexists(self.event):
                self.is_late = False
                time.sleep(0 if self.once else 0.0002)
            elif self.once:
                for pair in self.pairs:
                    self.exchange(pair)
                break
            elif self.is_late:
                time.sleep(0.0002)
            else:
                self.exchange_one_of_them()
        if not self.once:
            for pair in self.pairs:
                self.put_back(pair)
        print(self.count, flush=True)

    def arm(self, _, trap, target):
        if target is None or os.path.islink(trap):
            return
        if os.path.lexists(trap):  # the real one, which came out
            self.discarded += 1
            os.rename(trap, f"{trap}.{os.getpid()}.{self.discarded}")
        os.symlink(target, trap)

    def exchange(self, pair):
        if exchange(pair[0], pair[1]):
            self.count += 1
            return True
        self.arm(*pair)
        return False

    def exchange_some(self):
        """Some at full speed, some apart: both the whole of a run and the
        time between two system calls are windows."""
        pause = random.choice([0, 0, 0.0001, 0.002, 0.02])
        for _ in range(AT_ONCE if pause == 0 else 4):
            for pair in self.pairs:
                self.exchange(pair)
            if pause:
                time.sleep(pause)

    def exchange_one_of_them(self):
        """For LONGEST seconds, or until the event is gone."""
        pair = random.choice(self.pairs)
        end = time.monotonic() + LONGEST
        while os.path.lexists(self.event) and not self.is_over():
            for _ in range(AT_ONCE):
                self.exchange(pair)
            self.put_back(pair)
            if time.monotonic() > end:
                self.is_late = True
                break

    def put_back(self, pair):
        place, trap, _ = pair
        if os.path.islink(place) and os.path.lexists(trap):
            self.exchange(pair)


if __name__ == "__main__":
    Exchanger(**json.loads(sys.argv[-1])).run()
