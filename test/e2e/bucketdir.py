"""What the end-to-end tests know about a FILESYSTEM bucket: its objects, blocks and marks."""
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import time

MARKS = ("deletion-mark.json", "no-compact-mark.json", "no-downsample-mark.json")
MARK_TIME = {"deletion-mark.json": "deletion_time", "no-compact-mark.json": "no_compact_time",
             "no-downsample-mark.json": "no_downsample_time"}
ULID = re.compile(r"^[0-7][0-9A-HJKMNP-TV-Z]{25}$")
UPLOAD_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z$")
# objects that anneal may keep in a bucket for itself
OWN = re.compile(r"^anneal/|^[^/]+/anneal-[^/]*\.json$|^[^/]+/meta\.json\.anneal-")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def objects(root):
    """{key: bytes} of the plain files of a bucket directory, without anneal's own objects."""
    out = {}
    for d, _, files in os.walk(root):
        for f in files:
            p = os.path.join(d, f)
            key = os.path.relpath(p, root)
            if not OWN.match(key) and stat.S_ISREG(os.lstat(p).st_mode):
                out[key] = read(p)
    return out


def temp_leftovers(root):
    """Files below anneal/tmp/: nothing may stay there after a clean end."""
    tmp = os.path.join(root, "anneal", "tmp")
    return [os.path.join(d, f) for d, _, files in os.walk(tmp) for f in files]


def by_block(objs):
    """{top-level name: {object: bytes}}; objects outside of folders are under ''."""
    out = {}
    for key, body in objs.items():
        top, _, rest = key.partition("/")
        if not rest:
            top, rest = "", key
        out.setdefault(top, {})[rest] = body
    return out


def sha256(body):
    return hashlib.sha256(body).hexdigest()


def identity(meta):
    """What tells blocks apart: labels, resolution, range, sources."""
    t = meta.get("thanos", {})
    return json.dumps([t.get("labels"), t.get("downsample", {}).get("resolution"), meta.get("minTime"),
                       meta.get("maxTime"), sorted(meta.get("compaction", {}).get("sources", []))])


def ulid_ms(text):
    n = 0
    for c in text[:10]:
        n = n * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(c)
    return n


def copy_bucket(src, dst, mtime_age_hours=None):
    shutil.copytree(src, dst, symlinks=True)
    for name in os.listdir(dst):
        d = os.path.join(dst, name)
        if ULID.match(name) and os.path.isfile(os.path.join(d, "meta.json")):
            os.makedirs(os.path.join(d, "chunks"), exist_ok=True)
    for name, hours in (mtime_age_hours or {}).items():
        when = time.time() - hours * 3600
        for d, _, files in os.walk(os.path.join(dst, name)):
            for f in files:
                os.utime(os.path.join(d, f), (when, when))


def command(binary, bucket, data_dir, flags):
    """`anneal compact` over a bucket; its configuration is written next to the data directory."""
    config = data_dir.rstrip("/") + ".bucket.yml"
    with open(config, "w") as f:
        f.write("type: FILESYSTEM\nconfig:\n  directory: %s\n" % json.dumps(bucket))
    return [binary, "compact", "--data-dir=" + data_dir, "--objstore.config-file=" + config] + flags


class Run:
    """One run of `anneal compact` that ended by itself."""

    def __init__(self, binary, bucket, data_dir, flags, timeout=60, preexec=None, env=None):
        cmd = command(binary, bucket, data_dir, flags)
        start = time.monotonic()
        p = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                           preexec_fn=preexec, env=env)
        self.seconds = time.monotonic() - start
        self.code = p.returncode
        self.log = p.stderr.decode("utf-8", "replace")
        self.lines = [logfmt(l) for l in self.log.splitlines()]

    def isolated(self):
        """[(group text, cause, [ULIDs])] from the log."""
        return [(l.get("group", ""), l.get("cause", ""), re.findall(r"[0-7][0-9A-Z]{25}", l.get("blocks", "")))
                for l in self.lines if l.get("msg") == "group isolated"]

    def findings(self):
        return [(l.get("cause", ""), l.get("block", "")) for l in self.lines if l.get("msg") == "finding"]


def logfmt(line):
    """One logfmt line as a dict; of two equal keys the first counts."""
    out = {}
    i = 0
    while i < len(line):
        m = re.compile(r'\s*([^\s=]+)(=("(?:[^"\\]|\\.)*"|\S*))?').match(line, i)
        if not m or m.end() == i:
            break
        v = m.group(3) or ""
        if v.startswith('"'):
            try:
                v = json.loads(v)
            except ValueError:
                v = v[1:-1]
        out.setdefault(m.group(1), v)
        i = m.end()
    return out
