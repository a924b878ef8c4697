#!/usr/bin/env python3
"""commands.py BINARY GOLDEN_DIR MAN_PAGE

The commands of the real program from outside: what they print, write and leave alone.
GOLDEN_DIR holds the recorded buckets (compact/). MAN_PAGE is the committed docs/anneal.1.
"""
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

BINARY, GOLDEN, MAN_PAGE = (os.path.abspath(a) for a in sys.argv[1:4])
ENV = {"TZ": "UTC", **{k: v for k, v in os.environ.items() if k.startswith(("ASAN_", "UBSAN_", "LSAN_", "TSAN_"))}}

# As upstream prints the bucket of c19d.
INSPECT = """\
|            ULID            |         FROM         |        UNTIL         | RANGE  | UNTIL-DOWN | #SERIES | #SAMPLES | #CHUNKS | COMP-LEVEL | COMP-FAILED |        LABELS         | RESOLUTION |  SOURCE   |
|----------------------------|----------------------|----------------------|--------|------------|---------|----------|---------|------------|-------------|-----------------------|------------|-----------|
| 01DRFRN078DJ1RR6HJ104575S1 | 2019-10-31T00:00:00Z | 2019-10-31T02:00:00Z | 2h0m0s | 38h0m0s    | 3       | 360      | 3       | 1          | false       | cluster=eu1,replica=0 | 0s         | sidecar   |
| 01DRGD8AVGKDAA0WHJ5GXFVGD7 | 2019-10-31T00:00:00Z | 2019-10-31T08:00:00Z | 8h0m0s | 232h0m0s   | 4       | 384      | 4       | 3          | false       | cluster=eu1,replica=0 | 5m0s       | compactor |
| 01DRFZGREG36RDZRZ1WQFW7P8Y | 2019-10-31T02:00:00Z | 2019-10-31T04:00:00Z | 2h0m0s | 38h0m0s    | 3       | 360      | 3       | 1          | false       | cluster=eu1,replica=0 | 0s         | sidecar   |
| 01DRG6CGNRZ7RKJN8BEZSR75K0 | 2019-10-31T04:00:00Z | 2019-10-31T06:00:00Z | 2h0m0s | 38h0m0s    | 3       | 360      | 3       | 1          | false       | cluster=eu1,replica=0 | 0s         | sidecar   |
| 01DRGD88X0VV4982BNG2Q0J8BZ | 2019-10-31T06:00:00Z | 2019-10-31T08:00:00Z | 2h0m0s | 38h0m0s    | 3       | 360      | 3       | 1          | false       | cluster=eu1,replica=0 | 0s         | sidecar   |
| 01DRGM4148R9E5AWEWQTHPJ524 | 2019-10-31T08:00:00Z | 2019-10-31T10:00:00Z | 2h0m0s | 38h0m0s    | 3       | 360      | 3       | 1          | false       | cluster=eu1,replica=0 | 0s         | sidecar   |
| 01DRH8Q8TR6H51KHK8WYCAC6VA | 2019-10-31T08:00:00Z | 2019-10-31T16:00:00Z | 8h0m0s | 232h0m0s   | 4       | 384      | 4       | 3          | false       | cluster=eu1,replica=0 | 5m0s       | compactor |
"""
WIDE = ("01DRFZGREG36RDZRZ1WQFW7P8Y -- 2019-10-31T02:00:00Z - 2019-10-31T04:00:00Z Diff: 2h0m0s, "
        "Compaction: 1, Downsample: 0, Source: sidecar")


def run(*args, cwd=None, env=None, binary=BINARY):
    return subprocess.run(["anneal"] + list(args), executable=binary, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, timeout=60, cwd=cwd, env={**ENV, **(env or {})}, encoding="utf-8")


def files(root):
    out = {}
    for d, _, names in os.walk(root):
        for n in names:
            with open(os.path.join(d, n), "rb") as f:
                out[os.path.relpath(os.path.join(d, n), root)] = f.read()
    return out


class Bucket(unittest.TestCase):
    case = "c19d-resolutions"

    def setUp(self):
        self.tmp = tempfile.mkdtemp(prefix="anneal-cmd-")
        self.addCleanup(shutil.rmtree, self.tmp, True)
        self.use(self.case)

    def use(self, case):
        self.dir = tempfile.mkdtemp(prefix=case, dir=self.tmp)
        os.rmdir(self.dir)
        shutil.copytree(os.path.join(GOLDEN, "compact", case, "in"), self.dir)
        self.conf = "--objstore.config=type: FILESYSTEM\nconfig: {directory: %s}" % json.dumps(self.dir)

    def tool(self, *args, code=0):
        p = run("tools", "bucket", *args[:1], self.conf, *args[1:], cwd=self.tmp)
        self.assertEqual(p.returncode, code, p.stderr)
        return p


class Ls(Bucket):
    def test_one_id_a_line_in_order(self):
        ids = sorted(d for d in os.listdir(self.dir))
        self.assertEqual(self.tool("ls").stdout.split("\n"), ids + [""])

    def test_wide_lines_are_upstreams(self):
        self.assertIn(WIDE, self.tool("ls", "-o", "wide").stdout.split("\n"))

    def test_json_is_the_text_of_meta_json(self):
        text = self.tool("ls", "-ojson").stdout
        metas = {k: v.decode() for k, v in files(self.dir).items() if k.endswith("/meta.json")}
        self.assertEqual(text, "".join(metas[k] for k in sorted(metas)))

    def test_templates_name_fields(self):
        lines = self.tool("ls", "--output={{.ULID}} {{.Thanos.Labels.cluster}} {{.Stats.NumSamples}}").stdout.split("\n")
        self.assertEqual(lines[0], "01DRFRN078DJ1RR6HJ104575S1 eu1 360")
        p = self.tool("ls", "--output={{", code=1)
        self.assertIn('err="preparing tools bucket ls command failed: invalid template: unclosed action"', p.stderr)

    def test_marked_blocks_are_left_out_when_asked_to(self):
        self.tool("mark", "--id=01DRFRN078DJ1RR6HJ104575S1", "--marker=deletion-mark.json", "--details=d")
        self.assertIn("01DRFRN078DJ1RR6HJ104575S1", self.tool("ls").stdout)
        self.assertNotIn("01DRFRN078DJ1RR6HJ104575S1", self.tool("ls", "--exclude-delete").stdout)

    def test_times_and_selectors_choose(self):
        n = lambda *a: len(self.tool("ls", *a).stdout.split())
        self.assertEqual(n("--max-time=2019-10-31T01:00:00Z"), 2)
        self.assertEqual(n("--min-time=2019-10-31T11:00:00Z"), 1)
        self.assertEqual(n("--min-time=-1d"), 0)
        keep = "- action: keep\n  source_labels: [cluster]\n  regex: %s"
        self.assertEqual(n("--selector.relabel-config=" + keep % "eu1"), 7)
        self.assertEqual(n("--selector.relabel-config=" + keep % "us"), 0)
        p = self.tool("ls", "--min-time=", code=1)
        self.assertIn("flag --min-time is empty", p.stderr)


    def test_blocks_that_cannot_be_shown_are_told(self):
        self.use("c14y-meta-malformed")
        p = self.tool("ls")
        self.assertEqual(len(p.stdout.split()), len(os.listdir(self.dir)) - 1)
        self.assertIn('level=warn component=block.BaseFetcher msg="block cannot be shown" cause=meta-corrupt', p.stderr)


class Inspect(Bucket):
    def test_the_table_is_upstreams(self):
        self.assertEqual(self.tool("inspect").stdout, INSPECT)

    def test_selector_and_order(self):
        rows = self.tool("inspect", "--output=tsv", "--sort-by=#SAMPLES", "--sort-by=ULID", "-l", 'cluster="eu1"').stdout
        ids = [l.split("\t")[0] for l in rows.split("\n")[1:-1]]
        self.assertEqual(ids[-2:], ["01DRGD8AVGKDAA0WHJ5GXFVGD7", "01DRH8Q8TR6H51KHK8WYCAC6VA"])
        self.assertEqual(len(self.tool("inspect", "--output=csv", "-l", 'cluster="no"').stdout.split("\n")), 2)
        self.assertIn('error parsing selector flag: unrecognized label \\"x\\"', self.tool("inspect", "-l", "x", code=1).stderr)


class Mark(Bucket):
    ID = "01DRFRN078DJ1RR6HJ104575S1"

    def test_marks_have_upstreams_bytes(self):
        now = int(time.time())
        for name, text in (("deletion-mark.json", '{"id":"%s","version":1,"details":"a \\u003c b","deletion_time":%d}'),
                           ("no-compact-mark.json", '{"id":"%s","version":1,"details":"a \\u003c b","no_compact_time":%d,"reason":"manual"}'),
                           ("no-downsample-mark.json", '{"id":"%s","version":1,"details":"a \\u003c b","no_downsample_time":%d,"reason":"manual"}')):
            p = self.tool("mark", "--id=" + self.ID, "--marker=" + name, "--details=a < b")
            body = files(self.dir)[self.ID + "/" + name].decode()
            self.assertIn(body, [text % (self.ID, t) for t in range(now, now + 30)])
            self.assertIn('msg="marking done" marker=%s IDs=%s' % (name, self.ID), p.stderr)

    def test_a_mark_that_is_there_stays(self):
        self.tool("mark", "--id=" + self.ID, "--marker=deletion-mark.json", "--details=first")
        before = files(self.dir)
        p = self.tool("mark", "--id=" + self.ID, "--marker=deletion-mark.json", "--details=second")
        self.assertEqual(files(self.dir), before)
        self.assertIn("already exists in bucket", p.stderr)

    def test_a_block_that_is_not_there_is_not_marked(self):
        before = files(self.dir)
        p = self.tool("mark", "--id=01DRFRN078DJ1RR6HJ104575S2", "--marker=no-compact-mark.json", "--details=x", code=1)
        self.assertIn("block 01DRFRN078DJ1RR6HJ104575S2 is not in the bucket", p.stderr)
        self.assertEqual(files(self.dir), before)

    def test_a_mark_is_taken_away(self):
        before = files(self.dir)
        self.tool("mark", "--id=" + self.ID, "--marker=no-compact-mark.json", "--details=x")
        self.tool("mark", "--id=" + self.ID, "--marker=no-compact-mark.json", "--remove")
        self.assertEqual(files(self.dir), before)

    def test_nothing_is_written_when_an_id_is_wrong(self):
        before = files(self.dir)
        p = self.tool("mark", "--id=" + self.ID, "--id=nope", "--marker=deletion-mark.json", "--details=x", code=1)
        self.assertIn("block.id is not a valid UUID, got: nope", p.stderr)
        p = self.tool("mark", "--id=" + self.ID, "--marker=deletion-mark.json", code=1)
        self.assertIn("required flag --details not provided", p.stderr)
        self.assertEqual(files(self.dir), before)


class Timeline(Bucket):
    def test_every_group_has_a_picture(self):
        text = self.tool("timeline", "--width=100").stdout
        self.assertEqual(text.count("@{cluster="), 2)
        self.assertIn("level 3", text)
        self.assertIn("all groups:    7 blocks", text)
        self.tool("mark", "--id=01DRFRN078DJ1RR6HJ104575S1", "--marker=deletion-mark.json", "--details=d")
        self.assertIn("1 marked for deletion", self.tool("timeline").stdout)
        self.assertIn("all groups:    6 blocks", self.tool("timeline", "--exclude-delete").stdout)
        self.assertTrue(all(len(l) <= 110 for l in text.split("\n")), text)


class Plan(Bucket):
    def plan(self, *flags):
        data = os.path.join(self.tmp, "data")
        before = files(self.dir)
        p = run("plan", self.conf, "--data-dir=" + data, "--output=json", *flags, cwd=self.tmp)
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertEqual(files(self.dir), before, "plan changed the bucket")
        self.assertEqual(files(data), {}, "plan wrote to data-dir")
        return json.loads(p.stdout)

    def test_the_first_plans_of_every_recorded_bucket_are_upstreams(self):
        """What upstream did first in a group is what the plan says of it, unless it isolates."""
        compared = 0
        for case in sorted(os.listdir(os.path.join(GOLDEN, "compact"))):
            path = os.path.join(GOLDEN, "compact", case, "expect.json")
            if not os.path.exists(path):
                continue
            with open(path, encoding="utf-8") as f:
                expect = json.load(f)
            self.use(case)
            doc = self.plan(*(expect["base_flags"] + expect["flags"]))
            ours = [sorted(b["id"] for b in s["blocks"]) for s in doc["steps"] if s["action"] in ("compact", "rewrite")]
            upstreams = [sorted(p["blocks"] if isinstance(p, dict) else p) for p in expect.get("plans", [])]
            isolated = any(s["action"] == "isolate" for s in doc["steps"])
            for plan in ours:
                # upstream stops at an error: what it would have planned next is not recorded
                if upstreams and expect["class"] == "ok":
                    self.assertIn(plan, upstreams, case)
                    compared += 1
            if upstreams and expect["class"] == "ok" and not isolated:
                self.assertTrue(ours, "%s: nothing is planned, upstream planned %s" % (case, upstreams[0]))
            shutil.rmtree(self.dir)
        self.assertGreater(compared, 60)

    def test_text_says_what_and_why(self):
        self.use("c01-basic-8h")
        p = run("plan", self.conf, "--consistency-delay=0s", "--downsampling.disable", cwd=self.tmp)
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertRegex(p.stdout, r"\A1\. compact  4 blocks, .* 0@\{cluster=\"eu1\", replica=\"0\"\}  2019-10-31T00:00:00Z to ")
        self.assertIn("   why: 4 blocks from 2019-10-31T00:00:00Z on are due in the range of 8h0m0s", p.stdout)

    def test_blocks_that_are_left_out_are_counted_with_the_reason(self):
        self.use("c01-basic-8h")
        n = len(os.listdir(self.dir))
        flags = ("--consistency-delay=876000h", "--downsampling.disable") # no block is old enough
        p = run("plan", self.conf, *flags, cwd=self.tmp)
        self.assertEqual(p.stdout, "0 groups, 0 blocks: 0 steps in the next pass\nleft out: %d too-fresh\n" % n)
        self.assertEqual(self.plan(*flags)["leftOut"]["too-fresh"], n)
        p = run("compact", self.conf, *flags, cwd=self.tmp)
        self.assertIn('returned=0 partial=0 left_out="%d too-fresh"' % n, p.stderr)

    def test_an_isolated_group_is_told_with_its_cause(self):
        self.use("c14D-overlap-no-vertical")
        doc = self.plan("--consistency-delay=0s", "--downsampling.disable")
        self.assertEqual([s["action"] for s in doc["steps"]], ["isolate"])
        self.assertTrue(doc["steps"][0]["cause"].startswith("overlap-"))


class Compact(Bucket):
    case = "c01-basic-8h"
    FLAGS = ("--consistency-delay=0s", "--downsampling.disable")

    def compact(self, *flags, **kw):
        return run("compact", self.conf, "--data-dir=" + os.path.join(self.tmp, "data"), *self.FLAGS, *flags, cwd=self.tmp, **kw)

    def test_the_log_says_what_operators_look_for(self):
        p = self.compact()
        self.assertEqual(p.returncode, 0, p.stderr)
        for msg in ("loading bucket configuration", "starting compact node", "start initial sync of metas",
                    "successfully synchronized block metadata", "compaction available and planned", "compacted blocks",
                    "block has been marked for deletion", "finished compacting blocks", "compaction iterations done",
                    "start optional retention", "cleaning of aborted partial uploads done"):
            self.assertIn('msg="%s"' % msg, p.stderr)
        self.assertTrue(p.stderr.endswith("msg=exiting\n"))
        self.assertEqual(p.stdout, "")

    def test_json_lines_are_json(self):
        p = self.compact("--log.format=json", "--debug.name=nm1")
        for line in p.stderr.splitlines():
            d = json.loads(line)
            self.assertEqual(list(d), sorted(d))
            self.assertEqual(d["name"], "nm1")

    def test_the_exit_line_is_one_readable_chain(self):
        self.use("c14D-overlap-no-vertical")
        p = self.compact()
        self.assertEqual(p.returncode, 1)
        last = p.stderr.splitlines()[-1]
        self.assertRegex(last, r'level=error err="compact command failed: compaction: group 0@\d+: pre compaction overlap check: overlaps found')

    def test_http_flags_warn_in_one_line(self):
        p = self.compact("--http-address=127.0.0.1:0", "--web.disable")
        self.assertEqual(p.returncode, 0)
        self.assertEqual(p.stderr.count("flags have no effect in this version, ignoring"), 1)
        self.assertIn("flags=--http-address,--web.disable", p.stderr)

    def test_wait_is_refused_by_name(self):
        before = files(self.dir)
        p = self.compact("--wait")
        self.assertEqual(p.returncode, 1)
        self.assertIn("flag --wait: running as a service is not built yet", p.stderr)
        self.assertEqual(files(self.dir), before)

    def test_a_memory_limit_that_is_too_small_says_how_much_is_needed(self):
        p = self.compact("--memory-limit=20MB")
        self.assertEqual(p.returncode, 1)
        self.assertRegex(p.stderr, r"20MiB of memory is too little: at least \d+MiB is needed")

    def test_a_terminal_gets_the_same_lines(self):
        master, slave = pty.openpty()
        p = subprocess.Popen([BINARY, "compact", self.conf, *self.FLAGS], cwd=self.tmp, env=ENV,
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=slave)
        os.close(slave)
        text = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:
                break
            if not part:
                break
            text += part
        self.assertEqual(p.wait(30), 0)
        os.close(master)
        plain = [re.sub(r"\r?\x1b\[K", "", l) for l in text.decode().split("\r\n")]
        self.assertTrue(any('msg="compacted blocks"' in l and l.startswith("ts=") for l in plain), text)


class Signals(Bucket):
    case = "c01-basic-8h"

    def test_a_call_that_hangs_does_not_keep_sigterm_away(self):
        fifo = os.path.join(self.tmp, "conf")
        os.mkfifo(fifo) # reading the configuration never returns
        for sig, name in ((signal.SIGTERM, "terminated"), (signal.SIGINT, "interrupt")):
            p = subprocess.Popen([BINARY, "compact", "--objstore.config-file=" + fifo], cwd=self.tmp, env=ENV,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
            time.sleep(0.5)
            p.send_signal(signal.SIGHUP)
            p.send_signal(signal.SIGUSR1)
            time.sleep(0.2)
            start = time.time()
            p.send_signal(sig)
            _, err = p.communicate(timeout=20)
            self.assertEqual(p.returncode, 0, err)
            self.assertLess(time.time() - start, 8)
            self.assertIn('msg="caught signal. Reloading." signal=hangup', err)
            self.assertIn('msg="caught signal. Exiting." signal=' + name, err)


    def test_a_run_that_is_told_to_stop_stops_and_the_next_one_goes_on(self):
        interrupted = 0
        for sig, name in ((signal.SIGTERM, "terminated"), (signal.SIGINT, "interrupt")):
            self.use("c02-ladder-14d")
            cmd = [BINARY, "compact", self.conf, "--data-dir=" + os.path.join(self.tmp, "data"), *Compact.FLAGS]
            p = subprocess.Popen(cmd, cwd=self.tmp, env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8")
            first = p.stderr.readline() # from here on signals are taken
            p.send_signal(sig)
            _, rest = p.communicate(timeout=20)
            self.assertEqual(p.returncode, 0, first + rest)
            last = rest.splitlines()[-1]
            if "interrupted=" + name in last:
                interrupted += 1
                self.assertIn("not all work was done", last)
            self.assertNotIn("level=error", rest)
            q = subprocess.run(cmd, cwd=self.tmp, env=ENV, stderr=subprocess.PIPE, encoding="utf-8", timeout=60)
            self.assertEqual(q.returncode, 0, q.stderr)
            levels = [json.loads(v)["compaction"]["level"] for k, v in files(self.dir).items() if k.endswith("/meta.json")]
            self.assertGreater(max(levels), 3)
        self.assertGreater(interrupted, 0)


class Texts(unittest.TestCase):
    def test_the_man_page_is_up_to_date(self):
        p = run("--help-man")
        with open(MAN_PAGE, encoding="utf-8") as f:
            self.assertEqual(f.read(), p.stdout, "docs/anneal.1 is old: build/release/anneal --help-man >docs/anneal.1")

    def test_what_is_not_built_is_counted(self):
        p = run("--not-built")
        self.assertEqual(p.returncode, 0)
        self.assertRegex(p.stdout.splitlines()[-1], r"^not built yet: \d+ flags or values, \d+ commands, \d+ plans$")

    def test_the_help_says_what_is_not_built(self):
        text = " ".join(run("compact", "--help").stderr.split())
        self.assertIn("Keep running and look for work again and again. Not built yet.", text)
        self.assertIn("everything that can be undone. Not built yet: safe, all.", text)
        self.assertIn("How many groups are compacted side by side, as far as memory allows. --", text)
        for command, there in (("verify", 1), ("ls", 0)):
            text = " ".join(run("tools", "bucket", command, "--help").stderr.split("Flags:")[0].split())
            self.assertEqual(text.count("Not built yet."), there, text)

    def test_help_fits_the_width(self):
        for columns in (60, 100):
            p = run("compact", "--help", env={"COLUMNS": str(columns)})
            long = [l for l in p.stderr.splitlines() if len(l) > columns and not l.strip().startswith("--") and " " in l.strip()]
            self.assertEqual(long, [])

    def test_completion_scripts_are_scripts(self):
        p = run("--completion-script-bash")
        subprocess.run(["bash", "-n"], input=p.stdout, check=True, encoding="utf-8")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2 if os.environ.get("VERBOSE") else 1)
