"""Real 2h blocks for tests and the demo: metrics as OpenMetrics text, made into blocks by promtool,
given the `thanos` section that a sidecar writes."""
import json
import math
import os
import random
import shutil
import subprocess

HOUR = 3600


def series(rng, cluster, n_instances):
    """[(name, labels, value function)]: counters, gauges and classic histograms."""
    out = []
    for i in range(n_instances):
        inst = '%s-node-%02d:9100' % (cluster, i)
        for mode in ("idle", "user", "system", "iowait"):
            rate = rng.uniform(0.01, 0.9)
            out.append(("node_cpu_seconds_total", 'instance="%s",job="node",mode="%s"' % (inst, mode), counter(rng, rate)))
        out.append(("node_memory_Active_bytes", 'instance="%s",job="node"' % inst, gauge(rng, 4e9, 5e8, 4096)))
        out.append(("node_load1", 'instance="%s",job="node"' % inst, gauge(rng, 2, 1, 0.01)))
        out.append(("up", 'instance="%s",job="node"' % inst, lambda t: 1))
        for code in ("200", "404", "500"):
            out.append(("http_requests_total", 'code="%s",handler="/api",instance="%s",job="api"' % (code, inst),
                        counter(rng, rng.uniform(0.1, 20), whole=True)))
        for le in ("0.1", "0.5", "1", "+Inf"):
            out.append(("http_request_duration_seconds_bucket",
                        'handler="/api",instance="%s",job="api",le="%s"' % (inst, le), counter(rng, 5, whole=True)))
    return out


def counter(rng, rate, whole=False):
    phase, reset = rng.uniform(0, 100), rng.uniform(20, 60) * HOUR
    def at(t):
        v = phase + rate * (t % reset) + 3 * rate * math.sin(t / 700.0)
        return float(int(v)) if whole else round(v, 3)
    return at


def gauge(rng, mean, swing, step):
    phase = rng.uniform(0, 7)
    return lambda t: round((mean + swing * math.sin(phase + t / 5000.0)) / step) * step


def make_blocks(out_dir, cluster, start, hours, interval=60, n_instances=4, seed=1):
    """Writes 2h blocks for [start, start + hours h) (Unix seconds) below out_dir; returns their names."""
    rng = random.Random("%s/%d" % (cluster, seed))
    text = out_dir.rstrip("/") + ".om"
    by_name = {}
    for name, labels, at in series(rng, cluster, n_instances):
        by_name.setdefault(name, []).append((labels, at))
    with open(text, "w") as f:
        for name, l in sorted(by_name.items()):
            kind = "counter" if name.endswith("_total") else "gauge"
            f.write("# TYPE %s %s\n" % (name[:-6] if kind == "counter" else name, kind))
            for labels, at in l:
                f.write("".join("%s{%s} %r %d\n" % (name, labels, at(t), t)
                                for t in range(start, start + hours * HOUR, interval)))
        f.write("# EOF\n")
    os.makedirs(out_dir)
    r = subprocess.run(["promtool", "tsdb", "create-blocks-from", "openmetrics", text, out_dir],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    os.remove(text)
    if r.returncode != 0:
        raise RuntimeError(r.stdout.decode())
    names = sorted(n for n in os.listdir(out_dir) if os.path.isfile(os.path.join(out_dir, n, "meta.json")))
    for n in names:
        as_uploaded(os.path.join(out_dir, n), {"cluster": cluster, "replica": "a"})
    return names


def as_uploaded(block, labels):
    """Gives a local block the form in which a sidecar uploads it."""
    path = os.path.join(block, "meta.json")
    meta = json.load(open(path))
    meta["thanos"] = {"labels": labels, "downsample": {"resolution": 0}, "source": "sidecar",
                      "segment_files": sorted(os.listdir(os.path.join(block, "chunks")))}
    with open(path, "w") as f:
        json.dump(meta, f, indent="\t")
        f.write("\n")
    tombstones = os.path.join(block, "tombstones")
    if os.path.exists(tombstones):
        os.remove(tombstones)


def copy_blocks(src, dst, names):
    for n in names:
        shutil.copytree(os.path.join(src, n), os.path.join(dst, n))
