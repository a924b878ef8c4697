#!/usr/bin/env python3
"""kill.py BINARY COMPACT_DIR [--rounds N] [--seconds S] [--seed N]

Kills the real program at random moments while it works on a ladder of many plans, and checks after
each death that no source is lost or changed, nothing is half published and nothing is marked too
early. The next round goes on with what is left; at the end the bucket is the one that an undisturbed
run makes, ULIDs included, and once the leftovers have aged nothing of them remains. Every fourth
time the program is asked to end (SIGTERM) instead: it does so within 5 s, with exit code 0.
"""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import bucketdir as B
import golden
from reference import Reference

CASE = "c02-ladder-14d"


class Place:
    """A bucket that rounds work on, one after the other, until it is finished."""

    def __init__(self, binary, case, tmp):
        self.binary, self.case, self.tmp = binary, case, tmp
        self.flags = case.expect["base_flags"] + case.expect["flags"]
        self.n = 0
        self.fresh()

    def fresh(self):
        self.n += 1
        self.bucket = os.path.join(self.tmp, "bucket%d" % self.n)
        self.data = os.path.join(self.tmp, "data%d" % self.n)
        B.copy_bucket(os.path.join(self.case.dir, "in"), self.bucket)

    def run(self):
        return B.Run(self.binary, self.bucket, self.data, self.flags)

    def interrupted(self, after_s, sig):
        """(exit code, seconds from the signal to the end); the signal may come too late."""
        cmd = B.command(self.binary, self.bucket, self.data, self.flags)
        log = open(self.data + ".log", "w+b")
        p = subprocess.Popen(cmd, stdout=log, stderr=log)
        time.sleep(after_s)
        p.send_signal(sig)
        start = time.monotonic()
        code = p.wait(30)
        took = time.monotonic() - start
        log.seek(0)
        self.log = log.read().decode("utf-8", "replace")
        log.close()
        return code, took


def age(folder, hours):
    when = time.time() - hours * 3600
    for d, _, files in os.walk(folder):
        for f in files:
            os.utime(os.path.join(d, f), (when, when))


def without_leftovers(place, ref):
    """After 49 hours a run removes what dead ones left behind."""
    age(place.bucket, 49)
    run = place.run()
    problems = ["left behind: " + p for p in B.temp_leftovers(place.bucket)]
    if run.code != 0:
        problems.append("the run after 49 h ended with %d:\n%s" % (run.code, run.log[-2000:]))
    return problems + ref.at_the_end(B.objects(place.bucket))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("binary")
    ap.add_argument("golden")
    ap.add_argument("--rounds", type=int, default=60)
    ap.add_argument("--seconds", type=float, default=25)
    ap.add_argument("--seed", type=int, default=None)
    args = ap.parse_args()
    seed = args.seed if args.seed is not None else random.SystemRandom().getrandbits(32)
    rng = random.Random(seed)
    case = golden.Case(args.golden, CASE)
    tmp = tempfile.mkdtemp(prefix="kill-")
    try:
        place = Place(os.path.abspath(args.binary), case, tmp)
        before = B.objects(place.bucket)
        run = place.run()
        undisturbed = run.seconds
        problems = golden.Compare(case, B.objects(place.bucket), before).run()
        if run.code != 0 or problems:
            print(run.log)
            return "the undisturbed run is wrong already: exit %d, %s" % (run.code, problems[:5])
        ref = Reference(before, B.objects(place.bucket))
        place.fresh()

        killed = asked = late = finished = buckets_with_temp = 0
        progress = set()
        end = time.monotonic() + args.seconds
        for n in range(args.rounds):
            if time.monotonic() > end:
                break
            sig = signal.SIGTERM if n % 4 == 3 else signal.SIGKILL
            code, took = place.interrupted(rng.uniform(0, undisturbed * 1.1), sig)
            got = B.objects(place.bucket)
            problems = ref.at_any_moment(got)
            progress.add(ref.progress(got))
            if code == -signal.SIGKILL:
                killed += 1
                buckets_with_temp += bool(B.temp_leftovers(place.bucket))
            elif code == -signal.SIGTERM and not place.log:
                late += 1 # rather early: nothing had begun, not even the handler was there
            elif code != 0:
                problems.append("ended with %d" % code)
            elif "aught signal" in place.log: # the program says that it was asked to end
                asked += 1
                if took > 5:
                    problems.append("SIGTERM took %.1f s" % took)
            else:
                late += 1
            if problems:
                print(place.log[-3000:])
                return "round %d of seed %d: %s" % (n, seed, problems[:8])
            if not set(ref.want) - set(got):
                finished += 1
                problems = without_leftovers(place, ref)
                if problems:
                    return "bucket %d of seed %d: %s" % (place.n, seed, problems[:8])
                shutil.rmtree(place.bucket)
                place.fresh()
        run = place.run()
        problems = ref.at_the_end(B.objects(place.bucket))
        if run.code != 0:
            problems.append("the last run ended with %d" % run.code)
        problems += without_leftovers(place, ref)
        if problems:
            print(run.log[-3000:])
            return "at the end, seed %d: %s" % (seed, problems[:8])
        print("seed %d: %d killed (%d left unfinished files), %d asked to end, %d missed; %d buckets finished, "
              "%d different states between empty and done" % (seed, killed, buckets_with_temp, asked, late, finished + 1,
                                                              len(progress)))
        if killed < 5 or len(progress) < 4:
            return "too few interruptions to say anything"
        return None
    finally:
        shutil.rmtree(tmp, ignore_errors=True)


if __name__ == "__main__":
    problem = main()
    if problem:
        sys.exit("FAIL " + problem)
    print("1 passed, 0 failed")
