#!/usr/bin/env python3
"""badinput.py BINARY GOLDEN_DIR [--only REGEX] [--log]

The environment as an enemy: folders that cannot be read, full disks, a damaged cache, symbolic links,
wrong configuration, objects of absurd size or kind, closed descriptors. Two groups, A B C and H1 H2 H3,
are due for one compaction each; what is wrong concerns the first. Always: the second is compacted,
no object is lost or changed, nothing is half published or left behind, the text of the error names
what a human needs, and the exit code is 0 when everything due was done, else 1.
"""
import argparse
import ctypes
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback

import bucketdir as B
from reference import Reference

FAULT = "ok-baseline"
FLAGS = ["--consistency-delay=0s", "--downsampling.disable"]
NOBODY = 65534
CASES = []


def case(f):
    CASES.append((f.__name__, f))
    return f


class Skip(Exception):
    pass


class Bed:
    """A fresh copy of the bucket and what a run did to it."""

    def __init__(self, shared, tmp):
        self.shared, self.tmp = shared, tmp
        self.bucket = os.path.join(tmp, "bucket")
        self.data = os.path.join(tmp, "data")
        self.id = shared.ids
        self.problems = []
        self.mounts = []
        shutil.copytree(shared.source, self.bucket)

    def say(self, *a):
        self.problems.append(" ".join(str(x) for x in a))

    def path(self, *names):
        """Of an object: the first name may be a role (A, B, C, H1, ...)."""
        return os.path.join(self.bucket, self.id.get(names[0], names[0]), *names[1:])

    def outside(self, name):
        return os.path.join(self.tmp, name)

    def write(self, body, *names):
        p = self.path(*names)
        os.makedirs(os.path.dirname(p), exist_ok=True)
        with open(p, "wb") as f:
            f.write(body)

    def run(self, flags=(), **kw):
        """Runs and notes what is wrong in any case."""
        self.before = B.objects(self.bucket)
        self.result = B.Run(self.shared.binary, self.bucket, self.data, FLAGS + list(flags), **kw)
        self.after_run()
        return self.result

    def after_run(self):
        if self.result.code not in (0, 1):
            self.say("ended with", self.result.code)
        for p in B.temp_leftovers(self.bucket):
            self.say("left behind:", p)
        self.after = B.objects(self.bucket)
        for p in self.shared.ref.over(self.before).at_any_moment(self.after):
            self.say(p)

    def exit(self, code):
        if self.result.code != code:
            self.say("exit code %s, expected %d" % (self.result.code, code))

    def texts(self, *parts):
        """One line of the log says all of this."""
        lines = [l for l in self.result.log.splitlines() if all(p.lower() in l.lower() for p in parts)]
        if not lines:
            self.say("no line of the log says", parts)

    def made(self, *groups):
        """Exactly these groups ("fault", "healthy") were compacted, and marked."""
        for g, keys in self.shared.made.items():
            have = keys & set(self.after)
            if g in groups and have != keys:
                self.say("group", g, "lacks", sorted(keys - have))
            done = sorted(k for k in have if k.endswith(".json")) # without meta.json it is no block yet
            if g not in groups and done:
                self.say("group", g, "should not have been compacted:", done)

    def not_isolated(self):
        if self.result.isolated():
            self.say("isolated without reason:", self.result.isolated())

    def isolated(self, *causes):
        seen = {(c, tuple(b)) for _, c, b in self.result.isolated()}
        if not any(c in causes and self.id["B"] in b for c, b in seen):
            self.say("expected an isolation for", causes, "that names B, found", sorted(seen))
        if {c for c, _ in seen} - set(causes):
            self.say("isolated for", sorted(seen), "expected", causes)

    def untouched(self, path, body):
        if B.read(path) != body:
            self.say("outside of the bucket", path, "was changed")

    def mount(self, path, size):
        os.makedirs(path, exist_ok=True)
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "tmpfs", path], capture_output=True).returncode:
            raise Skip("mounting a tmpfs is refused here; crash_test injects ENOSPC at every step")
        self.mounts.append(path)

    def give_to_nobody(self, *denied):
        """The run happens as nobody, who owns everything but may not look at `denied`."""
        if os.getuid() != 0:
            raise Skip("needs root, to run as another user")
        os.chmod(self.tmp, 0o755)
        os.makedirs(self.data, exist_ok=True)
        open(self.data + ".bucket.yml", "w").close()
        subprocess.run(["chown", "-R", "%d:%d" % (NOBODY, NOBODY), self.tmp], check=True)
        for d in denied:
            os.chmod(d, 0)
        libc = ctypes.CDLL(None)

        def drop():
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            libc.prctl(4, 1) # dumpable again: LeakSanitizer looks at the process
        return drop

    def close(self):
        for m in self.mounts:
            subprocess.run(["umount", m], check=True)


def peak(run):
    """Bytes of memory that the program took, as it says itself."""
    return max(int(l["memory_peak"]) for l in run.lines if "memory_peak" in l)


class Shared:
    """What all cases have in common: the bucket, and what an undisturbed run makes of it."""

    def __init__(self, binary, golden, tmp):
        self.binary = binary
        self.source = os.path.join(tmp, "source")
        shutil.copytree(os.path.join(golden, FAULT, "in"), self.source)
        expected = json.load(open(os.path.join(golden, "expected.json")))["faults"]
        self.ids = next(e for e in expected if e["fault"] == FAULT)["blocks"]
        bucket = os.path.join(tmp, "reference")
        shutil.copytree(self.source, bucket)
        before = B.objects(bucket)
        run = B.Run(binary, bucket, os.path.join(tmp, "data"), FLAGS)
        if run.code != 0:
            raise ValueError("the undisturbed run ended with %d:\n%s" % (run.code, run.log))
        self.peak = peak(run)
        self.ref = Reference(before, B.objects(bucket))
        roles = {u: r for r, u in self.ids.items()}
        self.made = {"fault": set(), "healthy": set()}
        for u, keys in self.ref.blocks.items():
            parents = [p["ulid"] for p in self.ref.want[u + "/meta.json"]["compaction"]["parents"]]
            group = "healthy" if roles[parents[0]].startswith("H") else "fault"
            self.made[group] |= keys | {p + "/deletion-mark.json" for p in parents}
        if not all(self.made.values()) or set().union(*self.made.values()) != set(self.ref.want):
            raise ValueError("the undisturbed run made something else: %s" % sorted(self.ref.want))


# ---- permissions ----

@case
def bucket_folder_unreadable(bed):
    drop = bed.give_to_nobody(bed.bucket)
    bed.run(preexec=drop)
    os.chmod(bed.bucket, 0o755)
    bed.after = B.objects(bed.bucket)
    bed.before = {k: v for k, v in bed.shared.ref.before.items()}
    bed.exit(1)
    bed.texts(bed.bucket, "permission denied")
    bed.made()


@case
def block_folder_unreadable(bed):
    drop = bed.give_to_nobody(bed.path("B"))
    bed.run(preexec=drop)
    bed.exit(1)
    bed.texts(bed.id["B"], "permission denied")
    bed.not_isolated()
    bed.made("healthy")


@case
def chunks_folder_unreadable(bed):
    drop = bed.give_to_nobody(bed.path("B", "chunks"))
    bed.run(preexec=drop)
    bed.exit(1)
    bed.texts(bed.id["B"], "permission denied")
    bed.not_isolated()
    bed.made("healthy")


@case
def segment_unreadable(bed):
    drop = bed.give_to_nobody(bed.path("B", "chunks", "000001"))
    bed.run(preexec=drop)
    bed.exit(1)
    bed.texts(bed.id["B"], "chunks/000001", "permission denied")
    bed.not_isolated()
    bed.made("healthy")


@case
def configuration_unreadable(bed):
    drop = bed.give_to_nobody()
    config = bed.data + ".bucket.yml"

    def deny():
        os.chmod(config, 0)
        drop()
    bed.run(preexec=deny)
    bed.exit(1)
    bed.texts(config, "permission denied")
    bed.made()


# ---- full disks ----

@case
def bucket_full(bed):
    for pages in (0, 1, 3, 6, 9): # 0: not even a temp file; 9: some blocks and marks, not all
        small = bed.outside("small%d" % pages)
        bed.mount(small, "10m")
        bed.bucket = os.path.join(small, "b")
        shutil.copytree(bed.shared.source, bed.bucket)
        fs = os.statvfs(small)
        resize(small, (fs.f_blocks - fs.f_bfree + pages) * fs.f_frsize)
        bed.run()
        bed.exit(1)
        bed.texts("no space left on device", bed.bucket)
        bed.not_isolated()
        resize(small, 10 << 20)
        bed.run()
        bed.exit(0)
        bed.made("fault", "healthy")
        for p in bed.shared.ref.at_the_end(bed.after):
            bed.say("with room again:", p)
        if bed.problems:
            return bed.say("(%d pages of room)" % pages)


def resize(mount, size):
    subprocess.run(["mount", "-o", "remount,size=%d" % size, mount], check=True)


@case
def file_size_limit(bed):
    """As on a full disk, but without mounting anything; SIGXFSZ must not kill."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))
    bed.run(preexec=limit)
    bed.exit(1)
    bed.texts("file too large")
    bed.not_isolated()
    bed.made()
    bed.run()
    bed.exit(0)
    bed.made("fault", "healthy")


@case
def data_dir_full(bed):
    bed.mount(bed.data, "64k")
    with open(os.path.join(bed.data, "ballast"), "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 512)
        except OSError:
            pass
    bed.run()
    bed.exit(0)
    bed.texts(bed.data, "no space left on device")
    bed.made("fault", "healthy")


# ---- the cache in data-dir ----

def warmed(bed):
    """data-dir after a run that loaded all metas and had nothing to do: {name: bytes}."""
    bed.run(["--compact.block-max-index-size=64GB", "--debug.max-compaction-level=0"])
    bed.exit(0)
    bed.made()
    files = {k: v for k, v in B.objects(bed.data).items()}
    if not any(len(v) > 100 for v in files.values()):
        bed.say("no cache was written:", {k: len(v) for k, v in files.items()})
    return files


def damages(files, n):
    """(what, {name: bytes}): bytes flipped in every region of every file, cut, grown, replaced."""
    for name, body in files.items():
        step = max(1, len(body) // n)
        for at in range(0, len(body), step):
            flipped = bytearray(body)
            flipped[at] ^= 1 << at % 8
            yield "%s flipped at %d" % (name, at), dict(files, **{name: bytes(flipped)})
        for cut in sorted({0, 1, len(body) // 3, len(body) - 1}):
            yield "%s cut at %d" % (name, cut), dict(files, **{name: body[:cut]})
        for garbage in (b"\0" * 4096, b"\xff" * 4096, b"{}\n", body + body, body + b"garbage", body[1:]):
            yield "%s is %d other bytes" % (name, len(garbage)), dict(files, **{name: garbage})


def put_files(folder, files):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    for k, v in files.items():
        p = os.path.join(folder, k)
        os.makedirs(os.path.dirname(p), exist_ok=True)
        with open(p, "wb") as f:
            f.write(v)


def back_to_the_sources(bed):
    """Removes what a run made; the sources keep their times."""
    for k in set(bed.after) - set(bed.before):
        os.remove(os.path.join(bed.bucket, k))
    for u in bed.shared.ref.blocks:
        shutil.rmtree(os.path.join(bed.bucket, u), ignore_errors=True)


@case
def cache_damaged(bed):
    files = warmed(bed)
    n = 0
    for what, damaged in damages(files, 24):
        n += 1
        put_files(bed.data, damaged)
        bed.run()
        bed.exit(0)
        bed.made("fault", "healthy")
        if bed.problems:
            return bed.say("(data-dir: %s)" % what)
        back_to_the_sources(bed)
    print("     %d damaged caches" % n)


@case
def cache_of_another_bucket(bed):
    """The cache knows the same blocks with other metas, under other file times."""
    files = warmed(bed)
    for role in ("A", "B"):
        meta = json.loads(B.read(bed.path(role, "meta.json")))
        meta["thanos"]["labels"]["cluster"] = "other-" + role # no group has two blocks to merge now
        bed.write(json.dumps(meta).encode(), role, "meta.json")
    put_files(bed.data, files)
    bed.run()
    bed.exit(0)
    bed.made("healthy")


@case
def cache_file_is_a_folder(bed):
    files = warmed(bed)
    shutil.rmtree(bed.data)
    for k in files:
        os.makedirs(os.path.join(bed.data, k, "x"))
    bed.run()
    bed.texts(bed.data)
    bed.made("fault", "healthy")


# ---- symbolic links, and things that are no files ----

def move_out(bed, *names):
    """Moves something out of the bucket and leaves a link to it; returns where it is now."""
    there = bed.outside("moved")
    shutil.move(bed.path(*names), there)
    os.symlink(there, bed.path(*names))
    return there


@case
def block_is_a_link(bed):
    there = move_out(bed, "B")
    outside = B.objects(there)
    bed.run()
    bed.texts(bed.id["B"], "links are not followed")
    bed.made("healthy")
    if B.objects(there) != outside:
        bed.say("the block outside of the bucket was changed")


@case
def segment_is_a_link(bed):
    there = move_out(bed, "B", "chunks", "000001")
    body = B.read(there)
    bed.run()
    bed.exit(1)
    bed.texts(bed.id["B"], "chunks/000001", "symbolic link")
    bed.made("healthy")
    bed.untouched(there, body)


@case
def index_is_a_link(bed):
    there = move_out(bed, "B", "index")
    body = B.read(there)
    bed.run()
    bed.exit(1)
    bed.texts(bed.id["B"], "index", "symbolic link")
    bed.made("healthy")
    bed.untouched(there, body)


@case
def meta_is_a_link(bed):
    there = move_out(bed, "B", "meta.json")
    body = B.read(there)
    bed.run()
    bed.exit(1)
    bed.texts(bed.id["B"], "meta.json", "symbolic link")
    bed.made("healthy")
    bed.untouched(there, body)


@case
def links_in_circles(bed):
    os.symlink(bed.bucket, bed.path("circle"))
    os.symlink("self", bed.path("self"))
    os.symlink("..", bed.path("H3", "up"))
    os.remove(bed.path("B", "chunks", "000001"))
    os.symlink("000001", bed.path("B", "chunks", "000001"))
    bed.run()
    bed.exit(1)
    bed.texts(bed.id["B"], "chunks/000001", "symbolic link")
    bed.made("healthy")


@case
def chunks_folder_is_a_circle(bed):
    shutil.rmtree(bed.path("B", "chunks"))
    os.symlink("..", bed.path("B", "chunks"))
    bed.run()
    bed.exit(1)
    bed.texts(bed.id["B"])
    bed.made("healthy")


@case
def folder_of_unfinished_files_is_a_link(bed):
    """Nothing may be written outside of the bucket."""
    for name in ("anneal", "anneal/tmp"):
        there = bed.outside("elsewhere")
        os.makedirs(there)
        if "/" in name:
            os.makedirs(bed.path("anneal"))
        os.symlink(there, os.path.join(bed.bucket, name))
        bed.run()
        bed.exit(1)
        bed.texts(os.path.join(bed.bucket, "anneal"))
        bed.made()
        if os.listdir(there):
            bed.say("written outside of the bucket:", os.listdir(there))
        os.remove(os.path.join(bed.bucket, name))
        shutil.rmtree(there)


@case
def bucket_is_a_link(bed):
    """The administrator's own choice."""
    there = bed.outside("real")
    os.rename(bed.bucket, there)
    os.symlink(there, bed.bucket)
    bed.run()
    bed.exit(0)
    bed.made("fault", "healthy")


@case
def segment_is_a_pipe(bed):
    """Opening a pipe waits for ever for somebody to write."""
    os.remove(bed.path("B", "chunks", "000001"))
    os.mkfifo(bed.path("B", "chunks", "000001"))
    bed.run()
    bed.exit(1)
    bed.isolated("chunk-file-missing", "segment-missing", "chunks-missing")
    bed.made("healthy")


@case
def pipes_sockets_and_folders_in_place_of_objects(bed):
    os.mkfifo(bed.path("pipe"))
    os.mkfifo(bed.path("H3", "pipe"))
    with socket.socket(socket.AF_UNIX) as s:
        here = os.getcwd()
        os.chdir(bed.bucket) # names of sockets are short
        s.bind("socket")
        os.chdir(here)
    os.remove(bed.path("B", "meta.json"))
    os.makedirs(bed.path("B", "meta.json", "x"))
    bed.run()
    bed.exit(0) # B is an unfinished upload, A has no partner
    bed.made("healthy")


@case
def index_is_a_folder(bed):
    os.remove(bed.path("B", "index"))
    os.makedirs(bed.path("B", "index", "x"))
    bed.run()
    bed.exit(1)
    bed.isolated("index-missing")
    bed.made("healthy")


# ---- configuration ----

def yaml_cases(bed):
    good = "type: FILESYSTEM\nconfig:\n  directory: %s\n" % json.dumps(bed.bucket)
    return [
        ("wrong key", good.replace("directory:", "dirctory:"), ["directory"]),
        ("unknown key", good + "colour: red\n", ["line 4", "colour"]),
        ("duplicate key", good + "  directory: /tmp\n", ["line 4", "directory"]),
        ("missing directory", "type: FILESYSTEM\nconfig: {}\n", ["directory"]),
        ("no configuration", "type: FILESYSTEM\n", ["directory"]),
        ("empty directory", "type: FILESYSTEM\nconfig: {directory: ''}\n", ["directory"]),
        ("directory is a list", "type: FILESYSTEM\nconfig:\n  directory: [a]\n", ["line 3", "directory"]),
        ("config is a list", "type: FILESYSTEM\nconfig: [a]\n", ["line 2", "config"]),
        ("no such directory", good.replace(bed.bucket, bed.bucket + "/none"), [bed.bucket + "/none"]),
        ("unknown type", good.replace("FILESYSTEM", "FLOPPY"), ["FLOPPY"]),
        ("no type", good.partition("\n")[2], ["type"]),
        ("no YAML", "type: [\n", ["line"]),
        ("a tab", "type: FILESYSTEM\n\tconfig: x\n", ["line 2"]),
        ("a scalar", "hello\n", ["line 1"]),
        ("empty", "", []),
        ("binary", "\x7fELF\x02\x01\x01\0\0\0\0\xff", []),
        ("not UTF-8", b"type: \xff\xfe\n", []),
        ("aliases that explode", "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
            "%s: &%s [%s]\n" % (c, c, ",".join("*" + p for _ in range(10))) for p, c in zip("abcdefgh", "bcdefghi")), []),
        ("endless", "type: FILESYSTEM\n#" + "x" * 20000000 + "\n", []),
        ("nested", "type: " + "[" * 100000 + "\n", []),
    ]


@case
def configuration_wrong(bed):
    config = bed.outside("c.yml")
    for what, text, parts in yaml_cases(bed):
        with open(config, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode("latin-1"))
        cmd = [bed.shared.binary, "compact", "--data-dir=" + bed.data, "--objstore.config-file=" + config] + FLAGS
        before = B.objects(bed.bucket)
        p = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
        log = p.stderr.decode("utf-8", "replace")
        if p.returncode != 1:
            bed.say(what + ": exit code", p.returncode, log[-300:])
        lines = [l for l in log.splitlines() if "level=error" in l or "rror" in l]
        if not any(all(x.lower() in l.lower() for x in parts) for l in lines):
            bed.say(what + ": no error line says", parts, ":", log[-400:])
        if any(len(l) > 4000 for l in log.splitlines()):
            bed.say(what + ": a line of the log has more than 4000 bytes")
        if B.objects(bed.bucket) != before:
            bed.say(what + ": the bucket was changed")


@case
def configuration_file_missing(bed):
    config = bed.outside("none.yml")
    cmd = [bed.shared.binary, "compact", "--data-dir=" + bed.data, "--objstore.config-file=" + config] + FLAGS
    p = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    if p.returncode != 1 or config not in p.stderr.decode():
        bed.say("exit code", p.returncode, p.stderr[-400:])


# ---- sizes ----

@case
def meta_of_100_megabytes(bed):
    meta = B.read(bed.path("B", "meta.json"))
    hostile = {
        "spaces": lambda f: f.write(b" " * 100000000 + meta),
        "a label": lambda f: f.write(meta.replace(b'"eu1"', b'"' + b"x" * 100000000 + b'"')),
        "sources": lambda f: f.write(meta.replace(b'"sources": [', b'"sources": [' + b'"%s",' % bed.id["A"].encode() * 3500000)),
        "brackets": lambda f: f.write(b"[" * 100000000),
    }
    for what, fill in hostile.items():
        with open(bed.path("B", "meta.json"), "wb") as f:
            fill(f)
        size = os.path.getsize(bed.path("B", "meta.json"))
        bed.run()
        grown = peak(bed.result) - bed.shared.peak
        bed.made("healthy")
        bed.texts(bed.id["B"], "meta.json", str(size))
        if grown > 32 << 20:
            bed.say("it took %d MiB more than an undisturbed run" % (grown >> 20))
        if bed.problems:
            return bed.say("(100 MB of %s)" % what)
        back_to_the_sources(bed)


@case
def ten_thousand_strangers(bed):
    for i in range(10000):
        where = (["junk-%d" % i], ["folder", "%d" % i], ["H3", "junk-%d" % i], ["01ZZZZZZZZZZZZZZZZZZZZZZZZ", "x%d" % i])[i % 4]
        bed.write(b"junk", *where)
    for name in (b"\xff\xfe", b"new\nline", b"a" * 255, b"quote\"", b" ", b"-rf", b"%s%n", b"\x1b[2J", b"..."):
        with open(os.path.join(bed.bucket.encode(), name), "wb") as f:
            f.write(b"junk")
    deep = bed.path("deep", *["d"] * 60)
    os.makedirs(deep)
    with open(os.path.join(deep, "x"), "w") as f:
        f.write("junk")
    bed.run()
    bed.exit(0)
    bed.made("fault", "healthy")
    if bed.result.seconds > 20:
        bed.say("took %.1f s" % bed.result.seconds)


@case
def folders_deeper_than_names_may_be(bed):
    here = os.getcwd()
    os.chdir(bed.bucket)
    try:
        for _ in range(2000):
            os.mkdir("d" * 100)
            os.chdir("d" * 100)
    finally:
        os.chdir(here)
    bed.before = B.objects(bed.bucket)
    bed.result = B.Run(bed.shared.binary, bed.bucket, bed.data, FLAGS)
    bed.after_run()
    bed.made("fault", "healthy")
    subprocess.run(["rm", "-rf", bed.bucket], check=True) # Python's own removal gives up


# ---- descriptors, signals, surroundings ----

def quietly(bed, before_exec, **kw):
    """A run whose log is lost."""
    bed.before = B.objects(bed.bucket)
    cmd = B.command(bed.shared.binary, bed.bucket, bed.data, FLAGS)
    p = subprocess.Popen(cmd, preexec_fn=before_exec, **kw)
    code = p.wait(60)
    bed.result = type("Quiet", (), {"code": code, "log": "", "lines": [], "isolated": lambda self: []})()
    bed.after_run()
    bed.exit(0)
    bed.made("fault", "healthy")


@case
def standard_descriptors_closed(bed):
    """The next file that is opened gets number 2: the log must not end up in a block."""
    def close():
        for fd in (0, 1, 2):
            os.close(fd)
    quietly(bed, close)


@case
def log_on_a_full_device(bed):
    with open("/dev/full", "wb") as full:
        quietly(bed, None, stdout=full, stderr=full)


@case
def log_into_a_closed_pipe(bed):
    r, w = os.pipe()
    os.close(r)
    quietly(bed, lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL), stderr=w)
    os.close(w)


@case
def empty_environment_and_no_working_directory(bed):
    gone = bed.outside("gone")
    os.makedirs(gone)

    def leave():
        os.chdir(gone)
        os.rmdir(gone)
        os.umask(0o077)
    bed.run(preexec=leave, env={})
    bed.exit(0)
    bed.made("fault", "healthy")


@case
def hostile_environment(bed):
    env = dict(os.environ, LANG="tr_TR.UTF-8", LC_ALL="tr_TR.UTF-8", TZ="Pacific/Apia", TMPDIR="/nonexistent",
               HOME="/nonexistent", MALLOC_PERTURB_="165")
    bed.run(env=env)
    bed.exit(0)
    bed.made("fault", "healthy")


@case
def signals_blocked_and_ignored_from_birth(bed):
    def block():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGCHLD])
        for s in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGHUP):
            signal.signal(s, signal.SIG_IGN)
    bed.run(preexec=block)
    bed.exit(0)
    bed.made("fault", "healthy")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("binary")
    ap.add_argument("golden")
    ap.add_argument("--only", default=".")
    ap.add_argument("--log", action="store_true", help="print the log of failing cases")
    args = ap.parse_args()
    passed = failed = 0
    skipped = {}
    top = tempfile.mkdtemp(prefix="badinput-")
    try:
        shared = Shared(os.path.abspath(args.binary), args.golden, top)
        for name, f in CASES:
            if not re.search(args.only, name):
                continue
            tmp = tempfile.mkdtemp(prefix=name[:20] + "-", dir=top)
            os.chmod(top, 0o755)
            bed = Bed(shared, tmp)
            try:
                f(bed)
            except Skip as e:
                skipped.setdefault(str(e), []).append(name)
                continue
            except subprocess.TimeoutExpired as e:
                bed.say("did not end within %d s" % e.timeout)
            except Exception:
                bed.say(traceback.format_exc())
            finally:
                bed.close()
                shutil.rmtree(tmp, ignore_errors=True)
            if bed.problems:
                failed += 1
                print("FAIL %s" % name)
                for p in bed.problems[:8]:
                    print("     " + p[:600])
                if args.log and hasattr(bed, "result"):
                    print(bed.result.log)
            else:
                passed += 1
    finally:
        shutil.rmtree(top, ignore_errors=True)
    for why, l in skipped.items():
        print("skipped (%s): %s" % (why, " ".join(l)))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
