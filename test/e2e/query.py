#!/usr/bin/env python3
"""query.py BINARY

A real Prometheus answers 30 range queries over the source blocks and over what anneal made of them:
the answers must be the same, and must differ once a single bit of one sample is flipped."""
import json
import os
import shutil
import struct
import sys
import tempfile

import bucketdir as B
import promtool
from prometheus import Prometheus

START = 1700006400 - 1700006400 % (8 * 3600)  # aligned: four 2h blocks fill an 8h window
QUERIES = [
    "up", "node_load1", "node_memory_Active_bytes", "node_cpu_seconds_total", "http_requests_total",
    "http_request_duration_seconds_bucket", "count(up)", "sum(up) by (instance)", "rate(node_cpu_seconds_total[5m])",
    "irate(http_requests_total[3m])", "increase(http_requests_total[1h])", "sum by (code) (rate(http_requests_total[10m]))",
    "histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket[10m])))",
    "avg_over_time(node_load1[30m])", "max_over_time(node_load1[2h])", "min_over_time(node_memory_Active_bytes[1h])",
    "stddev_over_time(node_load1[20m])", "quantile_over_time(0.5, node_load1[1h])", "count_over_time(up[3h])",
    "sum_over_time(node_load1[2h])", "last_over_time(http_requests_total[15m])", "changes(http_requests_total[1h])",
    "resets(node_cpu_seconds_total[6h])", "deriv(node_memory_Active_bytes[30m])", "delta(node_load1[1h])",
    "topk(3, node_load1)", "sum without (mode) (node_cpu_seconds_total)", "absent(up{instance=\"none\"})",
    "node_cpu_seconds_total{mode=~\"i.*\"}", "http_requests_total{code!=\"200\"}",
]


def crc32c(data, table=[]):
    if not table:
        for n in range(256):
            c = n
            for _ in range(8):
                c = c >> 1 ^ (0x82F63B78 if c & 1 else 0)
            table.append(c)
    c = 0xFFFFFFFF
    for b in data:
        c = table[(c ^ b) & 0xFF] ^ c >> 8
    return c ^ 0xFFFFFFFF


def flip_one_sample_bit(block):
    """The lowest bit but eight of the first value of the first chunk, with the checksum put right."""
    path = os.path.join(block, "chunks", "000001")
    data = bytearray(B.read(path))
    at, size = 8, 0
    shift = 0
    while True:
        b = data[at]
        at += 1
        size |= (b & 0x7F) << shift
        shift += 7
        if b < 0x80:
            break
    body = at + 1  # behind the encoding
    value = body + 2
    while data[value] >= 0x80:  # the first timestamp, a varint
        value += 1
    data[value + 1 + 6] ^= 1
    data[body + size:body + size + 4] = struct.pack(">I", crc32c(bytes(data[at:body + size])))
    with open(path, "wb") as f:
        f.write(data)


def answers(folder):
    with Prometheus(folder) as p:
        return [p.query_range(q, START, START + 8 * 3600, 60) for q in QUERIES]


def main():
    binary = os.path.abspath(sys.argv[1])
    tmp = tempfile.mkdtemp(prefix="query-")
    try:
        made = os.path.join(tmp, "made")
        names = promtool.make_blocks(made, "eu1", START, 12)
        bucket = os.path.join(tmp, "bucket")
        shutil.copytree(made, bucket)
        run = B.Run(binary, bucket, os.path.join(tmp, "data"), ["--consistency-delay=0s", "--downsampling.disable"])
        if run.code != 0:
            print(run.log)
            return "anneal ended with %d" % run.code
        new = [n for n in os.listdir(bucket) if B.ULID.match(n) and n not in names]
        metas = {n: json.load(open(os.path.join(bucket, n, "meta.json"))) for n in new}
        if len(new) != 1 or len(metas[new[0]]["compaction"]["sources"]) != 4:
            return "expected one block of four sources, found %s" % metas
        sources = metas[new[0]]["compaction"]["sources"]
        for name, blocks in (("sources", sources), ("result", new), ("flipped", new)):
            os.makedirs(os.path.join(tmp, name))
            promtool.copy_blocks(bucket, os.path.join(tmp, name), blocks)
            for b in blocks:
                mark = os.path.join(tmp, name, b, "deletion-mark.json")
                if os.path.exists(mark):
                    os.remove(mark)
        flip_one_sample_bit(os.path.join(tmp, "flipped", new[0]))
        want, got, flipped = (answers(os.path.join(tmp, n)) for n in ("sources", "result", "flipped"))
        filled = sum(1 for _, n in want if n > 0)
        bad = [q for q, a, b in zip(QUERIES, want, got) if a != b]
        if bad:
            return "answers differ: %s" % bad
        if filled < 25:
            return "only %d of %d answers hold anything" % (filled, len(QUERIES))
        noticed = sum(1 for a, b in zip(want, flipped) if a != b)
        if noticed == 0:
            return "a flipped bit changed no answer"
        print("%d queries, %d with series, all equal; a flipped bit changed %d" % (len(QUERIES), filled, noticed))
        return None
    finally:
        shutil.rmtree(tmp, ignore_errors=True)


if __name__ == "__main__":
    problem = main()
    if problem:
        sys.exit("FAIL " + problem)
    print("1 passed, 0 failed")
