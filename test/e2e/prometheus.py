"""A real Prometheus over a folder of blocks: started on a free port, asked, stopped by its own id."""
import json
import os
import socket
import subprocess
import time
import urllib.parse
import urllib.request


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Prometheus:
    """Keeps blocks as they are: retention 100y, compaction off (equal block durations)."""

    def __init__(self, data_dir):
        self.port = free_port()
        config = data_dir.rstrip("/") + ".prometheus.yml"
        with open(config, "w") as f:
            f.write("global: {scrape_interval: 1h}\n")
        self.log = open(data_dir.rstrip("/") + ".prometheus.log", "w+")
        self.p = subprocess.Popen(
            ["prometheus", "--config.file=" + config, "--storage.tsdb.path=" + data_dir,
             "--storage.tsdb.retention.time=100y", "--storage.tsdb.min-block-duration=2h",
             "--storage.tsdb.max-block-duration=2h",
             "--web.listen-address=127.0.0.1:%d" % self.port],
            stdout=self.log, stderr=self.log, env=dict(os.environ, GOMAXPROCS="1"))
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise

    def wait(self):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.p.poll() is not None:
                break
            try:
                with urllib.request.urlopen("http://127.0.0.1:%d/-/ready" % self.port, timeout=2) as r:
                    if r.status == 200:
                        return
            except OSError:
                time.sleep(0.05)
        self.log.seek(0)
        raise RuntimeError("Prometheus did not get ready:\n" + self.log.read()[-4000:])

    def get(self, path, **params):
        url = "http://127.0.0.1:%d%s?%s" % (self.port, path, urllib.parse.urlencode(params))
        with urllib.request.urlopen(url, timeout=60) as r:
            return json.load(r)

    def query_range(self, query, start, end, step):
        """The answer's result as one sorted text: equal texts are equal answers."""
        a = self.get("/api/v1/query_range", query=query, start=start, end=end, step=step)
        result = sorted(a["data"]["result"], key=lambda s: json.dumps(s["metric"], sort_keys=True))
        return json.dumps(result, sort_keys=True), len(result)

    def stop(self):
        if self.p.poll() is None:
            self.p.terminate()
            try:
                self.p.wait(20)
            except subprocess.TimeoutExpired:
                self.p.kill()
                self.p.wait()
        self.log.close()

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.stop()
