#!/usr/bin/env python3
"""faults.py BINARY FAULTS_DIR [--only REGEX] [--flags "..."] [--relabel] [--table]

Runs `anneal compact` once on every recorded fault bucket and checks what it did against
expected.json (the state without remedies): cause, class, isolated groups and blocks, marks, new
blocks, what was removed, the exit code; no input object may be lost or changed. --table prints one
line a fault with upstream's behaviour beside ours.
"""
import argparse
import ctypes
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import bucketdir as B

# What waits for something that is not built yet, with what it waits for. Of these only that is checked
# which holds already: nothing lost, no mark and no block that nobody expects, the healthy group
# compacted, exit code 1 when work is left over.
LATER = [
    (r"ds-|aggr-compact-ok$|dup-chunks-downsample$|range-huge$", "downsampling"),
    (r"nocompact-40h-bad-chunk$|overlap-no-downsampling$", "downsampling"),
    (r"vertical-downsampled-vertical$", "overlapping blocks"),
    (r"outside-chunks-unplanned$", "looking into blocks that are in no plan"),
]

NOBODY = 65534


def labels_text(labels):
    return "{" + ", ".join('%s="%s"' % kv for kv in sorted(labels.items())) + "}"


class Fault:
    def __init__(self, root, expected):
        self.e = expected
        self.name = expected["fault"]
        self.dir = os.path.join(root, self.name)
        self.o = json.load(open(os.path.join(self.dir, "observed.json")))
        self.env = self.o.get("environment") or {}
        self.ulid = expected["blocks"]
        self.groups = {k: labels_text(v) for k, v in self.o.get("groups", {}).items() if v is not None}
        self.groups["{}"] = "{}"
        for role in ("P3", "P2", "P1"):
            meta = B.read(os.path.join(self.dir, "in", self.ulid[role], "meta.json")) if role in self.ulid else b""
            if readable(meta):
                self.groups["before"] = labels_text(json.loads(meta)["thanos"]["labels"])

    def upstream(self):
        w, once = self.o["wait"], self.o["once"]
        return "%s/exit %s" % (w["outcome"], once.get("exit_code"))


class Place:
    """A copy of the fault's bucket in the state its `environment` asks for."""

    def __init__(self, fault, tmp):
        self.f = fault
        self.bucket = os.path.join(tmp, "bucket")
        self.data = os.path.join(tmp, "data")
        self.mounts = []
        self.skip = None
        self.preexec = None
        env = fault.env
        if env.get("bucket") == "file":
            open(self.bucket, "w").write("not a directory\n")
        elif env.get("bucket") != "missing":
            B.copy_bucket(os.path.join(fault.dir, "in"), self.bucket)
        if "mtimes" in env:
            self.age(env["mtimes"])
        if "deletion_time" in env:
            self.deletion_time(int(re.search(r"- (\d+) s", env["deletion_time"]).group(1)))
        self.data_dir(env.get("data"), tmp)
        self.limits(env)
        if env.get("user") or env.get("bucket") == "ro" or env.get("data") == "ro":
            self.as_other_user(env, tmp)

    def age(self, text):
        roles = self.f.ulid
        block = self.f.e.get("removed") or [re.sub("/.*", "", o) for o in self.f.e.get("objects", [])]
        for role in block:
            for d, _, files in os.walk(os.path.join(self.bucket, roles[role])):
                for name in files:
                    if name not in text:
                        when = time.time() - 49 * 3600
                        os.utime(os.path.join(d, name), (when, when))

    def deletion_time(self, ago):
        for d, _, files in os.walk(self.bucket):
            if "deletion-mark.json" in files:
                p = os.path.join(d, "deletion-mark.json")
                m = json.load(open(p))
                m["deletion_time"] = int(time.time()) - ago
                open(p, "w").write(json.dumps(m, separators=(",", ":")))

    def data_dir(self, kind, tmp):
        if kind == "file":
            open(self.data, "w").write("not a directory\n")
        elif kind == "stale":
            for u in self.f.ulid.values():
                d = os.path.join(self.data, "meta-syncer", u)
                os.makedirs(d)
                open(os.path.join(d, "meta.json"), "w").write("stale")
        elif kind and kind.startswith("tmpfs"):
            os.makedirs(self.data)
            opts = {"tmpfs:inodes24": "nr_inodes=24", "tmpfs:96k": "size=96k", "tmpfs:48k": "size=48k"}[kind]
            if subprocess.run(["mount", "-t", "tmpfs", "-o", opts, "tmpfs", self.data], capture_output=True).returncode:
                self.skip = "mounting a tmpfs is refused here"
            else:
                self.mounts.append(self.data)

    def limits(self, env):
        def apply():
            if "nofile" in env:
                resource.setrlimit(resource.RLIMIT_NOFILE, (env["nofile"],) * 2)
            if "fsize" in env:
                import signal
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (env["fsize"],) * 2)
        if "nofile" in env or "fsize" in env:
            self.preexec = apply

    def as_other_user(self, env, tmp):
        """root ignores modes: the run happens as nobody, who owns everything but what is denied."""
        if os.getuid() != 0:
            self.skip = "needs root, to run as another user"
            return
        os.chmod(tmp, 0o755)
        os.makedirs(self.data, exist_ok=True)
        open(self.data + ".bucket.yml", "w").close()
        for top in (self.bucket, self.data, self.data + ".bucket.yml"):
            subprocess.run(["chown", "-R", "%d:%d" % (NOBODY, NOBODY), top], check=True)
        block = os.path.join(self.bucket, self.f.ulid.get("B", ""))
        if "deny" in env:
            os.chmod(os.path.join(block, env["deny"]), 0)
        if env.get("denydel"):  # objects of the marked block cannot be removed
            for d, _, _ in os.walk(os.path.join(self.bucket, self.f.ulid[self.denied_role()])):
                os.chmod(d, 0o555)
        if env.get("denyroot") or env.get("bucket") == "ro":
            dirs = [self.bucket] if env.get("denyroot") else [d for d, _, _ in os.walk(self.bucket)]
            for d in dirs:
                os.chown(d, 0, 0)
                os.chmod(d, 0o555)
        if env.get("data") == "ro":
            os.chown(self.data, 0, 0)
            os.chmod(self.data, 0o555)
        libc = ctypes.CDLL(None)

        def drop():
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            libc.prctl(4, 1)
        self.preexec = drop

    def denied_role(self):
        for role, u in self.f.ulid.items():
            if os.path.exists(os.path.join(self.bucket, u, "deletion-mark.json")):
                return role
        return "B"

    def close(self):
        for m in self.mounts:
            subprocess.run(["umount", m], check=True)


class Check:
    def __init__(self, fault, run, before, after):
        self.f, self.e, self.run = fault, fault.e, run
        self.before, self.after = B.by_block(before), B.by_block(after)
        self.problems = []

    def say(self, *a):
        self.problems.append(" ".join(str(x) for x in a))

    def accepted(self):
        return {self.e["class"]} | set(self.e.get("also_accepted", []))

    def isolation(self):
        named = {}
        for group, cause, blocks in self.run.isolated():
            named.setdefault(re.sub(r"^\d+@", "", group), []).append((cause, blocks))
        want = self.e["isolated_groups"]
        if not want:
            if named and "isolate" not in self.accepted():
                self.say("isolated without reason:", named)
            return
        if not named and self.accepted() - {"isolate"}:
            return
        allowed = set()
        for g in want:
            texts = {self.f.groups.get(x, x) for x in g.split("|")}
            allowed |= texts
            if not texts & set(named):
                self.say("group", g, "is not isolated; isolated:", sorted(named))
        for g in set(named) - allowed:
            self.say("group", g, "is isolated without reason:", named[g])
        causes = {self.e["cause"]} | set(self.e.get("also", []))
        found = {c for l in named.values() for c, _ in l}
        if self.e["cause"] not in found:
            self.say("cause", sorted(found), "expected", self.e["cause"])
        if found - causes:
            self.say("causes", sorted(found), "expected", sorted(causes))
        blocks = {b for l in named.values() for _, bs in l for b in bs}
        expected = {self.f.ulid[r] for r in self.e["isolated_blocks"]}
        if not expected <= blocks:
            self.say("blocks", self.roles(expected - blocks), "are not named as evidence")
        if blocks - expected - self.evidence_of_also():
            self.say("blocks", self.roles(blocks - expected), "are named without reason")

    def evidence_of_also(self):
        return set(self.f.ulid.values()) if self.e.get("also") else set()

    def roles(self, ulids):
        names = {u: r for r, u in self.f.ulid.items()}
        return sorted(names.get(u, u) for u in ulids)

    def findings(self):
        if self.e["class"] == "report" and self.e["cause"]:
            seen = {c for c, _ in self.run.findings()} | {c for _, c, _ in self.run.isolated()}
            if self.e["cause"] not in seen:
                self.say("finding", self.e["cause"], "is not reported; reported:", sorted(seen))

    def expected_marks(self):
        """must: [(ulid, file, details prefix)], may: {(ulid, file)}"""
        must = [(self.f.ulid[m["block"]], m["file"], m.get("details", "")) for m in self.e["marks"]["must"]]
        may = {(self.f.ulid[m["block"]], m["file"]) for m in self.e["marks"]["may"]}
        if self.e["new"] == "upstream":
            roles = set(self.f.ulid.values())
            must += [(m["block"], m["file"], m.get("details", "")) for m in self.f.o["wait"]["new_marks"]
                     if m["block"] in roles]
        return must, may

    def marks(self):
        must, may = self.expected_marks()
        sources = self.sources_of_new() | self.expired()
        for u, name, details in must:
            body = self.after.get(u, {}).get(name)
            if body is None:
                self.say(name, "of", self.roles([u]), "is missing")
            elif details and not json.loads(body).get("details", "").startswith(details):
                self.say(name, "of", self.roles([u]), "says", body)
        allowed = {(u, n) for u, n, _ in must} | may
        for u, objs in self.after.items():
            for name in B.MARKS:
                if name in objs and name not in self.before.get(u, {}):
                    if (u, name) not in allowed and not (name == "deletion-mark.json" and u in sources):
                        self.say(name, "of", self.roles([u]), "is unexpected:", objs[name])

    def new(self):
        return {u: json.loads(o["meta.json"]) for u, o in self.after.items()
                if u not in self.before and "meta.json" in o}

    def sources_of_new(self):
        metas = {u: json.loads(o["meta.json"]) for u, o in self.before.items()
                 if u and "meta.json" in o and readable(o["meta.json"])}
        out = set()
        for m in self.new().values():
            have = set(m["compaction"]["sources"])
            out |= {u for u, b in metas.items()
                    if set((b.get("compaction") or {}).get("sources") or ["-"]) <= have}
            out |= {p["ulid"] for p in m["compaction"].get("parents", [])}
        return out

    def expired(self):
        return {u for u, o in self.after.items() if b"block exceeding retention" in o.get("deletion-mark.json", b"")
                } if any("--retention" in f for f in self.f.o["once"]["flags"]) else set()

    def shape(self, meta):
        t = meta["thanos"]
        return (labels_text(t["labels"]), t["downsample"]["resolution"], meta["minTime"], meta["maxTime"],
                tuple(sorted(meta["compaction"]["sources"])), meta["stats"].get("numSamples", 0))

    @staticmethod
    def shape_of_upstream(b):
        return (labels_text(b["labels"]), b["resolution"], b["mint"], b["maxt"], tuple(sorted(b["sources"])),
                b["stats"].get("numSamples", 0))

    def blocks(self):
        """New blocks: upstream's, or the listed ones plus those of the healthy group."""
        new = sorted(self.shape(m) for m in self.new().values())
        e = self.e["new"]
        if e == "any":
            return
        if e == "none":
            want = []
        else:
            upstream = sorted(self.shape_of_upstream(b) for b in self.f.o["wait"]["new_blocks"].values())
            if e == "upstream":
                want = upstream
            else:
                healthy = self.f.groups.get("healthy")
                want = self.listed(e)
                new = [b for b in new if b[0] != healthy]
                if self.e["healthy_groups_complete"] and healthy:
                    made = [self.shape(m) for m in self.new().values() if labels_text(m["thanos"]["labels"]) == healthy]
                    if len(made) < 1:
                        self.say("the healthy group was not compacted")
                new = [b[:2] + b[4:] for b in new]
        if e in ("upstream", "none") or not isinstance(e, list):
            if new != want:
                self.say("new blocks", new, "expected", want)
        elif sorted(new) != sorted(want):
            self.say("new blocks", new, "expected", want)

    def listed(self, e):
        out = []
        for b in e:
            src = set()
            n = 0
            for role in b["sources"]:
                m = json.loads(self.before[self.f.ulid[role]]["meta.json"])
                src |= set(m["compaction"]["sources"])
                n += m["stats"].get("numSamples", 0)
            out.append((self.f.groups[b["group"]], b["resolution"], tuple(sorted(src)),
                        n if b.get("samples") == "sum" else b.get("samples", n)))
        return out

    def losses(self):
        removed = {self.f.ulid[r] for r in self.e.get("removed", [])}
        removed |= {k.partition("/")[0] for k in self.f.o["wait"].get("removed_objects", [])} if self.e["new"] == "upstream" else set()
        for u, objs in self.before.items():
            if u in removed:
                continue
            for rel, body in objs.items():
                got = self.after.get(u, {}).get(rel)
                if got is None:
                    self.say("lost:", u, rel)
                elif got != body and not self.better_mark(u, rel, body, got):
                    self.say("changed:", u, rel)
            for rel in set(self.after.get(u, {})) - set(objs) - set(B.MARKS):
                self.say("added:", u, rel)
        for u in {self.f.ulid[r] for r in self.e.get("removed", [])}:
            if self.after.get(u):
                self.say("block", self.roles([u]), "should have been removed")

    def better_mark(self, u, rel, was, got):
        """A mark that could not be read may be replaced by one of a block that really is to go."""
        allowed = {(self.f.ulid[m["block"]], m["file"]) for m in self.e["marks"]["may"]}
        return ((u, rel) in allowed and not readable(was) and readable(got) and json.loads(got).get("id") == u
                and u in self.sources_of_new())

    def exit(self):
        codes = {self.e["one_shot_exit"]}
        if "isolate" in self.accepted() or "retry" in self.accepted() or "refuse-start" in self.accepted():
            if self.e.get("also_accepted"):
                codes |= {0, 1}
        if self.run.code not in codes:
            self.say("exit code", self.run.code, "expected", self.e["one_shot_exit"])

    def so_far(self):
        """What holds although a part is not built yet."""
        healthy = self.f.groups.get("healthy")
        upstream = {self.shape_of_upstream(b) for b in self.f.o["wait"]["new_blocks"].values()}
        made = {self.shape(m) for m in self.new().values()}
        strange = sorted(b for b in made - upstream if b[0] != healthy)
        if strange:
            self.say("new blocks", strange, "that upstream does not make")
        if self.e["healthy_groups_complete"] and healthy and healthy not in {b[0] for b in made}:
            self.say("the healthy group was not compacted")
        self.marks()
        self.losses()
        return self.problems

    def all(self):
        self.isolation()
        self.findings()
        self.marks()
        self.blocks()
        self.losses()
        self.exit()
        return self.problems


def readable(body):
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


def run_fault(args, fault, later):
    tmp = tempfile.mkdtemp(prefix="fault-")
    place = Place(fault, tmp)
    try:
        if place.skip:
            return None, place.skip
        before = B.objects(place.bucket) if os.path.isdir(place.bucket) else {}
        flags = fault.o["once"]["flags"] + args.flags.split()
        run = B.Run(args.binary, place.bucket, place.data, flags, preexec=place.preexec)
        after = B.objects(place.bucket) if os.path.isdir(place.bucket) else {}
        check = Check(fault, run, before, after)
        problems = check.so_far() if later else check.all()
        if run.code not in (0, 1):
            problems.append("ended with %d" % run.code)
        return run, problems
    finally:
        place.close()
        shutil.rmtree(tmp, ignore_errors=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("binary")
    ap.add_argument("faults")
    ap.add_argument("--only", default=".")
    ap.add_argument("--flags", default="")
    ap.add_argument("--table", action="store_true")
    ap.add_argument("--log", action="store_true", help="print the log of failing cases")
    args = ap.parse_args()
    args.binary = os.path.abspath(args.binary)
    expected = json.load(open(os.path.join(args.faults, "expected.json")))["faults"]
    passed = failed = 0
    skipped, later = {}, {}
    for e in expected:
        if not re.search(args.only, e["fault"]):
            continue
        why = next((w for rx, w in LATER if re.match(rx, e["fault"])), None)
        if why:
            later.setdefault(why, []).append(e["fault"])
        fault = Fault(args.faults, e)
        try:
            run, problems = run_fault(args, fault, why)
        except subprocess.TimeoutExpired as x:
            run, problems = None, ["did not end within %d s" % x.timeout]
        if isinstance(problems, str):
            skipped.setdefault(problems, []).append(fault.name)
            continue
        if args.table:
            ours = sorted({c for _, c, _ in run.isolated()}) if run else []
            print("%-34s upstream %-22s anneal exit %s %s" % (
                fault.name, fault.upstream(), run.code if run else "-", "isolated: " + " ".join(ours) if ours else ""))
        if problems:
            failed += 1
            print("FAIL %s (%s, %s)" % (fault.name, e["cause"], e["class"]))
            for p in problems[:8]:
                print("     " + p[:400])
            if args.log and run:
                print(run.log)
        elif not why:
            passed += 1
    for why, l in skipped.items():
        print("skipped (%s): %s" % (why, " ".join(l)))
    for why, l in later.items():
        print("later (%s): %d faults, checked so far as they go: %s" % (why, len(l), " ".join(l)))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
