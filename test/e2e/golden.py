#!/usr/bin/env python3
"""golden.py BINARY GOLDEN_DIR [--only REGEX] [--flags "..."] [--flip] [--smallest-memory]

Runs `anneal compact` on every recorded case of upstream's compactor and compares the bucket that it
leaves: index and chunks byte for byte, meta.json as values and as text, marks, what was removed,
the exit code; where anneal differs on purpose, with expected-anneal.json. With --flip, every
expected file of a passing case is damaged by one byte and the comparison must notice. With
--smallest-memory the program has as little memory as it accepts (it says so when that is too little).
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

import bucketdir as B

def norm_meta(meta, names, stable):
    m = json.loads(json.dumps(meta))
    m.pop("ulid", None)
    m.get("thanos", {}).pop("upload_time", None)
    parents = m.get("compaction", {}).get("parents")
    if parents:
        for p in parents:
            p["ulid"] = names.get(p["ulid"], p["ulid"])
        if not stable:
            parents.sort(key=lambda p: (p["minTime"], p["maxTime"], p["ulid"]))
    return m


def differences(want, got, path):
    if type(want) is not type(got):
        yield "%s: expected %r, found %r" % (path, want, got)
    elif isinstance(want, dict):
        for k in sorted(set(want) | set(got)):
            if k not in got:
                yield "%s.%s: missing, expected %r" % (path, k, want[k])
            elif k not in want:
                yield "%s.%s: unexpected %r" % (path, k, got[k])
            else:
                yield from differences(want[k], got[k], path + "." + k)
    elif isinstance(want, list):
        if len(want) != len(got):
            yield "%s: expected %d elements, found %d" % (path, len(want), len(got))
        for i, (a, b) in enumerate(zip(want, got)):
            yield from differences(a, b, "%s[%d]" % (path, i))
    elif want != got:
        yield "%s: expected %r, found %r" % (path, want, got)


class Case:
    def __init__(self, golden, name):
        self.name = name
        self.dir = os.path.join(golden, name)
        self.expect = json.load(open(os.path.join(self.dir, "expect.json")))
        ours = json.load(open(os.path.join(golden, "expected-anneal.json")))["cases"][name]
        self.same = ours.get("same", False)
        self.ours = ours
        out = os.path.join(self.dir, "out")
        # {n: {object: bytes}}: what --flip damages
        self.out = {n: B.objects(os.path.join(out, n)) for n in sorted(os.listdir(out))} if os.path.isdir(out) else {}

    def exit_code(self):
        return self.expect["exit"]["code"] if self.same else self.ours["one_shot_exit"]

    def wants_outputs(self):
        return self.expect["outputs"] if self.same or self.ours["outputs"] == "as out/" else []

    def by_rule(self):
        """One result of the first plan where upstream made none, or none that counts: bytes and
        numbers that are known are in `rule`, the rest follows from the inputs."""
        if self.same or self.ours["outputs"] not in ("described", "as out-prometheus/") or "results" in self.ours:
            return None
        rule = {"files": None, "sources_only": False}
        prom = os.path.join(self.dir, "out-prometheus", "1")
        if os.path.isdir(prom):
            rule["files"] = {k: v for k, v in B.objects(prom).items() if k != "meta.json"}
            rule["stats"] = json.loads(B.read(os.path.join(prom, "meta.json")))["stats"]
        elif self.name.startswith("c11b"):  # the first of upstream's endless results
            rule["files"] = {k: v for k, v in self.out["1"].items() if k != "meta.json"}
            rule["before_input_ms"] = 1
            rule["stats"] = json.loads(self.out["1"]["meta.json"])["stats"]
        return rule

    def wants_marks(self):
        """{ULID: {mark: fields or unchanged}} or a text to be judged by hand-written rules."""
        if self.by_rule():
            return self.planned_marks("source of compacted block")
        if self.same or self.ours["marks"].startswith("as upstream"):
            return {u: i.get("marks", {}) for u, i in self.expect["inputs"].items()}
        if self.ours["marks"] == "none":
            return {}
        if self.ours["marks"].startswith("sources of the three results"):
            mark = {"deletion-mark.json": {"version": 1, "details": "source of compacted block"}}
            return {s: mark for r in self.ours["results"] for s in r["sources"]}
        m = re.match(r'(the planned blocks|the four planned blocks|input): deletion-mark.json "([^"]+)"', self.ours["marks"])
        return self.planned_marks(m.group(2))

    def planned_marks(self, details):
        return {u: {"deletion-mark.json": {"version": 1, "details": details}} for u in self.expect["plans"][0]["blocks"]}

    def removed(self):
        if self.same:
            return {u: set(i.get("removed_objects", [])) for u, i in self.expect["inputs"].items()}
        return {u: None for u in self.ours.get("removed", [])}  # None: the whole directory


class Compare:
    def __init__(self, case, bucket, src):
        self.c = case
        self.src = B.by_block(src)
        self.got = B.by_block(bucket)
        self.problems = []

    def say(self, *a):
        self.problems.append(" ".join(str(x) for x in a))

    def mark(self, where, name, body, want, ulid):
        try:
            got = json.loads(body)
        except ValueError as e:
            return self.say(where, name, "is not JSON:", e)
        key = B.MARK_TIME[name]
        order = [k for k in ("id", "version", "details", key, "reason") if k in got]
        text = json.dumps({k: got[k] for k in order}, separators=(",", ":"), ensure_ascii=False)
        for a, b in (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e")):
            text = text.replace(a, b)
        if text.encode() != body:
            self.say(where, name, "has another text form than upstream's:", body[:200])
        t = got.pop(key, None)
        if not isinstance(t, int) or t < 1000000000:
            self.say(where, name, key, "is not a time:", t)
        if got.pop("id", None) != ulid:
            self.say(where, name, "names another block")
        for d in differences(want, got, name):
            self.say(where, d)

    def marks(self, where, objs, want, ulid, before):
        for name in B.MARKS:
            w = want.get(name)
            if w is None and name in before:
                w = {"unchanged": True}
            if (w is None) != (name not in objs):
                self.say(where, name, "missing" if w is not None else "unexpected: %s" % objs[name][:160])
            elif w is not None and not w.get("unchanged"):
                self.mark(where, name, objs[name], w, ulid)

    def inputs(self):
        removed, marks = self.c.removed(), self.c.wants_marks()
        replaced = re.findall(r"([0-9A-Z]{26})/deletion-mark.json replaced", str(self.c.ours.get("marks")))
        for top, objs in sorted(self.src.items()):
            got = self.got.get(top, {})
            gone = removed.get(top, set())
            for rel, body in sorted(objs.items()):
                must_go = gone is None or rel in gone
                if must_go:
                    if rel in got:
                        self.say("input", top, rel, "should have been removed")
                elif rel not in got:
                    self.say("input", top, rel, "is missing")
                elif got[rel] != body and not (top in replaced and rel == "deletion-mark.json"):
                    self.say("input", top, rel, "was changed")
            for rel in sorted(set(got) - set(objs)):
                if rel not in B.MARKS:
                    self.say("input", top, rel, "was added")
            if not got and self.c.ours.get("removal") and top in marks:
                self.problems = [p for p in self.problems if top not in p]  # marked and removed in one run
            elif gone is not None and "deletion-mark.json" not in gone and top not in replaced:
                self.marks("input " + top, got, marks.get(top, {}), top, objs)

    def new_blocks(self):
        new = {}
        for top, objs in sorted(self.got.items()):
            if top in self.src:
                continue
            if not B.ULID.match(top) or "meta.json" not in objs:
                self.say("unexpected objects in", repr(top), sorted(objs))
                continue
            new[top] = json.loads(objs["meta.json"])
        return new

    def outputs(self):
        new = self.new_blocks()
        want = {}
        for o in self.c.wants_outputs():
            meta = json.loads(self.c.out[str(o["n"])]["meta.json"])
            want.setdefault(B.identity(meta), []).append((o, meta))
        for r in self.c.ours.get("results", []) if self.c.ours.get("outputs") == "described" else []:
            self.described(r, new)
        if self.c.by_rule():
            self.one_by_rule(self.c.by_rule(), new)
            new = {}
        pairs = []
        for ulid, meta in sorted(new.items()):
            l = want.get(B.identity(meta))
            if l:
                pairs.append((ulid, meta) + l.pop(0))
            else:
                self.say("unexpected block", ulid, B.identity(meta))
        for l in want.values():
            for o, meta in l:
                self.say("missing block out/%d" % o["n"], B.identity(meta))
        names = {u: "out:%d" % o["n"] for u, _, o, _ in pairs}
        expected_names = {o["ulid"]: "out:%d" % o["n"] for o in self.c.wants_outputs()}
        for ulid, meta, o, em in pairs:
            self.block(ulid, meta, o, em, names, expected_names)

    def one_by_rule(self, rule, new):
        if len(new) != 1:
            return self.say("expected one result, found", sorted(new))
        (ulid, meta), = new.items()
        inputs = [json.loads(self.src[u]["meta.json"]) for u in self.c.expect["plans"][0]["blocks"]]
        files = {k: v for k, v in self.got[ulid].items() if k != "meta.json"}
        if rule["files"] is not None and files != rule["files"]:
            self.say("result", ulid, "has other bytes:", [k for k in files if files[k] != rule["files"].get(k)])
        if meta["stats"] != rule.get("stats", meta["stats"]):
            self.say("stats", meta["stats"], "expected", rule["stats"])
        t = meta["thanos"]
        want = {"level": 1 + max(m["compaction"]["level"] for m in inputs), "minTime": min(m["minTime"] for m in inputs),
                "maxTime": max(m["maxTime"] for m in inputs), "labels": inputs[0]["thanos"]["labels"], "resolution": 0,
                "sources": sorted({s for m in inputs for s in m["compaction"]["sources"]}), "source": "compactor",
                "files": sorted(list(files) + ["meta.json"])}
        got = {"level": meta["compaction"]["level"], "minTime": meta["minTime"], "maxTime": meta["maxTime"], "labels": t["labels"],
               "resolution": t["downsample"]["resolution"], "sources": meta["compaction"]["sources"], "source": t["source"],
               "files": [f["rel_path"] for f in t["files"]]}
        for d in differences(want, got, "meta"):
            self.say("result", ulid, d)
        if "before_input_ms" in rule:
            ms = [B.ulid_ms(u) for u in (ulid, inputs[0]["ulid"])]
            if ms[1] - ms[0] != rule["before_input_ms"]:
                self.say("the time of", ulid, "is not 1 ms before the input's")

    def described(self, r, new):
        for ulid, meta in list(new.items()):
            t = meta["thanos"]
            if (t["labels"], t["downsample"]["resolution"], meta["minTime"], meta["maxTime"],
                    sorted(meta["compaction"]["sources"])) == (
                        r["labels"], r["resolution"], r["minTime"], r["maxTime"], sorted(r["sources"])):
                files = {k: B.sha256(v) for k, v in self.got[ulid].items() if k != "meta.json" and k not in B.MARKS}
                if files != {k: v["sha256"] for k, v in r["files"].items()}:
                    self.say("described block", ulid, "has other bytes")
                if meta["compaction"]["level"] != r["level"] or meta["stats"]["numSamples"] != r["numSamples"]:
                    self.say("described block", ulid, "has another level or number of samples")
                del new[ulid]
                return
        self.say("described block is missing:", r["labels"], r["minTime"])

    def block(self, ulid, meta, o, em, names, expected_names):
        where = "out/%d (%s)" % (o["n"], ulid)
        objs = self.got[ulid]
        expected = {k: v for k, v in self.c.out[str(o["n"])].items() if k != "meta.json"}
        files = {k: v for k, v in objs.items() if k != "meta.json" and k not in B.MARKS}
        variant = {k: B.sha256(v) for k, v in files.items()} in o.get("variants", [])
        if meta.get("ulid") != ulid:
            self.say(where, "ulid in meta.json is", meta.get("ulid"))
        if not variant:
            for k in sorted(set(expected) | set(files)):
                if expected.get(k) != files.get(k):
                    a, b = expected.get(k, b""), files.get(k, b"")
                    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
                    self.say(where, k, "differs at byte %d (sizes %d, %d)" % (at, len(a), len(b)))
        stable = o.get("parents_order_stable", True)
        a, b = norm_meta(em, expected_names, stable), norm_meta(meta, names, stable)
        if variant:
            for m in (a, b):
                m.pop("stats")
                m["thanos"].pop("files")
                m["thanos"].pop("index_stats")
        diffs = list(differences(a, b, "meta"))
        for d in diffs:
            self.say(where, d)
        uploaded = meta.get("thanos", {}).get("upload_time", "")
        if not B.UPLOAD_TIME.match(uploaded):
            self.say(where, "upload_time", uploaded)
        if not diffs and stable and not variant:
            text = self.c.out[str(o["n"])]["meta.json"].decode()
            text = text.replace('"%s"' % em["thanos"]["upload_time"], '"%s"' % uploaded)
            back = {v: k for k, v in names.items()}
            for u, n in expected_names.items():
                if n in back:
                    text = text.replace('"%s"' % u, '"%s"' % back[n])
            if text.encode() != objs["meta.json"]:
                self.say(where, "meta.json has the right values in another text form")
        self.marks(where, objs, o["marks"], ulid, {})

    def run(self):
        self.inputs()
        self.outputs()
        return self.problems


def flips(case, bucket, src):
    """One byte of each expected file is changed; every comparison must fail."""
    missed = []
    n = 0
    for out in (str(o["n"]) for o in case.wants_outputs()):
        objs = case.out[out]
        if any(o.get("variants") for o in case.expect["outputs"]):
            continue  # other bytes are right, too
        for key, body in list(objs.items()):
            at = len(body) // 2
            if key == "meta.json":
                at = body.index(b'"minTime": ') + 12 # a digit of a compared field
            damaged = bytearray(body)
            damaged[at] ^= 1
            objs[key] = bytes(damaged)
            try:
                noticed = bool(Compare(case, bucket, src).run())
            except (ValueError, KeyError):
                noticed = True
            if not noticed:
                missed.append("a flipped byte in out/%s/%s was not noticed" % (out, key))
            objs[key] = body
            n += 1
    return n, missed


def isolation(case, run):
    """Cause and class as expected-anneal.json says."""
    if case.same:
        return ["isolated without reason: %s" % (run.isolated(),)] if run.isolated() else []
    ours = case.ours
    if ours["class"] == "isolate":
        causes = {c for _, c, _ in run.isolated()}
        allowed = set((ours["cause"] or "").split("|"))
        if not causes:
            return ["nothing was isolated, expected cause %s" % ours["cause"]]
        if not causes <= allowed:
            return ["isolated for %s, expected %s" % (sorted(causes), ours["cause"])]
    elif run.isolated():
        return ["isolated without reason: %s" % (run.isolated(),)]
    elif ours["class"] == "report" and ours["cause"] not in {c for c, _ in run.findings()}:
        return ["finding %s is not reported" % ours["cause"]]
    return []


def run_case(args, case, tmp):
    bucket = os.path.join(tmp, "bucket")
    B.copy_bucket(os.path.join(case.dir, "in"), bucket, case.expect.get("mtime_age_hours"))
    src = B.objects(bucket)
    flags = case.expect["base_flags"] + case.expect["flags"] + args.flags.split()
    run = B.Run(args.binary, bucket, os.path.join(tmp, "data"), flags)
    after = B.objects(bucket)
    problems = Compare(case, after, src).run() + isolation(case, run)
    if run.code != case.exit_code():
        problems.append("exit code %d, expected %d" % (run.code, case.exit_code()))
    problems += ["left behind: " + p for p in B.temp_leftovers(bucket)]
    flipped = 0
    if args.flip and not problems:
        flipped, problems = flips(case, after, src)
    return problems, run, flipped


def smallest_memory(args, case):
    """The flag that gives the program the least memory with which it starts."""
    tmp = tempfile.mkdtemp(prefix="golden-")
    try:
        bucket = os.path.join(tmp, "bucket")
        os.makedirs(bucket)
        run = B.Run(args.binary, bucket, os.path.join(tmp, "data"), case.expect["base_flags"] + ["--memory-limit=1KB"])
        least = re.search(r"at least ([0-9.]+[KMGiB]+) is needed", run.log)
        if run.code != 1 or not least:
            raise ValueError("a limit of 1KB was not refused: exit %d\n%s" % (run.code, run.log))
        return "--memory-limit=" + least.group(1)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("binary")
    ap.add_argument("golden")
    ap.add_argument("--only", default=".")
    ap.add_argument("--flags", default="")
    ap.add_argument("--flip", action="store_true")
    ap.add_argument("--smallest-memory", action="store_true")
    ap.add_argument("--log", action="store_true", help="print the log of failing cases")
    args = ap.parse_args()
    args.binary = os.path.abspath(args.binary)
    names = sorted(n for n in os.listdir(args.golden) if os.path.isfile(os.path.join(args.golden, n, "expect.json")))
    if args.smallest_memory:
        args.flags += " " + smallest_memory(args, Case(args.golden, names[0]))
        print(args.flags.strip())
    ran = failed = flipped = 0
    for name in names:
        if not re.search(args.only, name):
            continue
        case = Case(args.golden, name)
        tmp = tempfile.mkdtemp(prefix="golden-")
        try:
            problems, run, n = run_case(args, case, tmp)
        except subprocess.TimeoutExpired as e:
            problems, n, run = ["did not end within %d s" % e.timeout], 0, None
        finally:
            shutil.rmtree(tmp, ignore_errors=True)
        ran += 1
        flipped += n
        if problems:
            failed += 1
            print("FAIL %s" % name)
            for p in problems[:12]:
                print("     " + p)
            if args.log and run:
                print(run.log)
    if args.flip:
        print("%d flipped bytes noticed" % flipped)
    print("%d passed, %d failed" % (ran - failed, failed))
    return 1 if failed or ran == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
