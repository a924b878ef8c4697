#!/usr/bin/env python3
"""vectors.py BINARY VECTORS_DIR [--only REGEX] [-v]

Runs the real program on every recorded command line of upstream's (golden/vectors/cli.json) and
compares exit code, usage, error texts and error chains. The program is started under upstream's
name, in a folder that holds the recorded files, with the recorded environment and nothing else.
Where anneal differs on purpose, a rule below says so, with what is expected instead.
"""
import argparse
import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

# (what the arguments must match, reason, expected exit, what stderr must match)
OTHERWISE = [
    (r"^(compact )?--version$", "our version and compiler", 0,
     r"\Athanos, version \S+ \(branch: .*, revision: .*\)\n  build user:       .*\n  build date:       .*\n"
     r"  compiler:         (gcc|clang) .*\n  platform:         linux/\S+\n  tags:             .*\n\Z"),
    (r"^--help-long$|^--help-man$|^--completion-script-(bash|zsh)$", "our own texts", 0, r"\A\Z"),
    (r"^--completion-bash", "our own commands and flags", 0, r"\A\Z"),
    (r"^tools bucket (verify|cleanup|retention|replicate|upload-blocks) --|^tools bucket rewrite .*--id=",
     "not built yet, refused by name", 1, r"\Athanos: error: tools bucket \S+ is not built yet \(.*\)\n\Z"),
    (r"--downsample.concurrency=(2|1e1|4|5)$", "not built yet, refused by name", 1,
     r'err="preparing compact command failed: flag --downsample.concurrency: downsampling is not built yet"$'),
    (r"--tracing.config=", "not built yet, refused by name", 1,
     r'err="tracing failed: trace export is not built yet"\n\Z'),
    (r"--http-address=(nonsense|127.0.0.1:99999|256.0.0.1:0)|--http.config=(web-bad|missing).yml",
     "no HTTP listener yet: its flags are taken with a warning", 0,
     r'level=warn msg="flags have no effect in this version, ignoring" flags=--http'),
    (r"--(min|max)-time=$", "upstream panics", 1,
     r'err="preparing compact command failed: flag --(min|max)-time is empty: a time or a duration is needed"$'),
    (r"--block-meta-fetch-concurrency=(-1|9{20})$|--downsample.concurrency=(-1|9{20})$", "upstream panics", 1,
     r'err="preparing compact command failed: flag --\S+ is -\d+: it must be above 0"$'),
    (r"--debug.max-compaction-level=9{20}$", "upstream panics", 1,
     r'err="preparing compact command failed: get compaction levels: level -9223372036854775808 is below -1"$'),
    (r"--selector.relabel-config=-$", "upstream panics", 1,
     r'err="preparing compact command failed: .*relabel.*"$'),
    (r"--(block-files-|compact.blocks-fetch-|downsample.)concurrency=(0|-1|9{20})$",
     "hangs or fails upstream as soon as there is work", 1,
     r'err="preparing compact command failed: flag --\S+ is -?\d+: it must be above 0"$'),
    (r"^compact( --data-dir=| --data-dir -| --| --objstore.config=| --objstore.config-file=(empty.yml)?)?$",
     "says that no bucket is configured, and with which flag it is", 1,
     r'err="preparing compact command failed: no bucket is configured: --objstore.config-file or --objstore.config says'),
    (r"directory: nodir", "a bucket folder that is not there is no empty bucket", 1,
     r'err="preparing compact command failed: create FILESYSTEM client: .*nodir.*"$'),
]

SANITIZER_OPTIONS = {k: v for k, v in os.environ.items() if k.startswith(("ASAN_", "UBSAN_", "LSAN_", "TSAN_"))}


class Rule:
    def __init__(self, rx, why, code, err):
        self.rx, self.why, self.code, self.err = re.compile(rx, re.S), why, code, re.compile(err, re.S | re.M)
        self.used = 0

    def check(self, p):
        err = p.stderr.decode("utf-8", "replace")
        if p.returncode != self.code:
            yield "exit %d, expected %d (%s)" % (p.returncode, self.code, self.why)
        if not self.err.search(err):
            yield "stderr %r does not match %r (%s)" % (err[-600:], self.err.pattern, self.why)


def logfmt(line):
    out = {}
    for m in re.finditer(r'([^\s=]+)=("(?:[^"\\]|\\.)*"|\S*)', line):
        v = m.group(2)
        if v.startswith('"'):
            try:
                v = json.loads(v)
            except ValueError:
                v = v[1:-1]
        out.setdefault(m.group(1), v)
    return out


def sort_required(line):
    """Upstream names missing flags in random order."""
    return re.sub(r"required flag\(s\) (.*) not", lambda m: ",".join(sorted(m.group(1).split(", "))), line)


def log_problems(case, lines):
    """Errors and warnings of the log: the chain, outermost first, in one line."""
    got = [g for g in map(logfmt, filter(None, lines)) if g.get("level") in ("error", "warn")]
    for e in case["log_errors"]:
        if e.get("msg") == "changing probe status":
            continue # of the HTTP listener
        chain = e.get("err_chain", [])
        # the YAML library's own words (also over several lines) are not compared, what wraps them is
        theirs = [c for c in chain if c.startswith(("yaml:", " "))]
        text = ": ".join(reversed(chain[len(theirs):]))
        for g in got:
            err = g.get("err", "")
            same = err.startswith(text + ": ") and len(err) > len(text) + 2 if theirs else err == text
            if g["level"] == e["level"] and g.get("msg") == e.get("msg") and (same or not chain):
                break
        else:
            yield "no log line level=%s msg=%r err=%r among %r" % (e["level"], e.get("msg"), text, got)
    if case["exit"] == 0:
        for g in got:
            if g["level"] == "error":
                yield "unexpected error line %r" % g


def problems(case, p):
    err = p.stderr.decode("utf-8", "surrogateescape")
    lines = err.split("\n")
    if p.returncode != case["exit"]:
        yield "exit %d, expected %d" % (p.returncode, case["exit"])
    want = case.get("stderr", [])
    if "log_errors" in case:
        yield from log_problems(case, lines)
        for w in want:
            if w not in lines:
                yield "no line %r on stderr: %r" % (w, err[-300:])
    elif case.get("usage"):
        if lines[0] != want[0]:
            yield "usage is %r, expected %r" % (lines[0], want[0])
        if len(want) > 1 and sort_required(lines[-2].rstrip()) != sort_required(want[1].rstrip()):
            yield "last line is %r, expected %r" % (lines[-2], want[1])
        if len(want) == 1 and "error" in lines[-2]:
            yield "last line is %r" % lines[-2]
    elif lines != want + [""]:
        yield "stderr is %r, expected %r" % (err[:300], want)
    rows = p.stdout.decode("utf-8", "surrogateescape").split("\n")
    first, n = rows[0], len(rows) - (rows[-1] == "")
    if (n, first) != (case.get("stdout_lines", 0), case.get("stdout_first", "")):
        yield "stdout is %d lines, first %r; expected %d, %r" % (
            n, first, case.get("stdout_lines", 0), case.get("stdout_first", ""))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("binary")
    ap.add_argument("vectors")
    ap.add_argument("--only", default="")
    ap.add_argument("-v", action="store_true")
    args = ap.parse_args()
    binary = os.path.abspath(args.binary)
    with open(os.path.join(args.vectors, "cli.json"), encoding="utf-8") as f:
        doc = json.load(f)
    rules = [Rule(*e) for e in OTHERWISE]
    tmp = tempfile.mkdtemp(prefix="anneal-cli-")
    failed = equal = 0
    try:
        for i, case in enumerate(doc["cases"]):
            line = " ".join(case["args"])
            if not re.search(args.only, line):
                continue
            work = os.path.join(tmp, str(i))
            os.makedirs(os.path.join(work, "bkt"))
            for name, text in doc["files"].items():
                with open(os.path.join(work, name), "w", encoding="utf-8") as f:
                    f.write(text)
            p = subprocess.run(["bin/thanos"] + case["args"], executable=binary, cwd=work, timeout=60,
                               env={**SANITIZER_OPTIONS, **case.get("env", {})}, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            shutil.rmtree(work)
            rule = next((r for r in rules if r.rx.search(line)), None)
            if rule:
                rule.used += 1
                bad = list(rule.check(p))
            else:
                bad = list(problems(case, p))
                equal += not bad
            if bad:
                failed += 1
                print("FAIL %d: %s" % (i, line))
                for b in bad:
                    print("     " + b)
                if args.v:
                    print(p.stderr.decode("utf-8", "replace"))
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
    why = collections.Counter()
    for r in rules:
        why[r.why] += r.used
        if r.used == 0 and not args.only:
            failed += 1
            print("FAIL: no case needs the rule %r" % r.rx.pattern)
    for w, n in why.items():
        print("otherwise on purpose: %3d (%s)" % (n, w))
    print("%d equal to upstream, %d otherwise on purpose, %d failed" % (equal, sum(why.values()), failed))
    return 1 if failed or equal == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
