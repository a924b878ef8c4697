"""What a bucket may look like at any moment between the start and the end of a run.

A result is a pure function of its inputs, so one run that nobody disturbed tells everything: after
any interruption each object is either one of the sources, unchanged, or one of the objects of that
reference, whole; a block with a meta.json is complete; and a source carries a deletion mark only
when the block that was made of it is complete."""
import json

import bucketdir as B


def timeless(key, body):
    """The object without the times at which it was written."""
    name = key.rpartition("/")[2]
    if name in B.MARKS:
        m = json.loads(body)
        m.pop(B.MARK_TIME[name])
        return m
    if name == "meta.json":
        m = json.loads(body)
        m["thanos"].pop("upload_time", None)
        return m
    return body


class Reference:
    """`before`: objects of the bucket as it was; `after`: after a run that ended undisturbed.
    Nothing may be removed in between (the deletion delay has not passed)."""

    def __init__(self, before, after):
        self.before = before
        self.after = after
        self.want = {k: timeless(k, v) for k, v in after.items() if k not in before}
        lost = sorted(set(before) - set(after))
        if lost:
            raise ValueError("the reference run removed %s" % lost)
        self.blocks = {}  # new block: its objects but for the marks
        for k in self.want:
            top, _, rest = k.partition("/")
            if rest not in B.MARKS:
                self.blocks.setdefault(top, set()).add(k)
        self.made_of = {}  # block: the new blocks that it was merged into
        for u in self.blocks:
            for p in self.want[u + "/meta.json"]["compaction"]["parents"]:
                self.made_of.setdefault(p["ulid"], []).append(u)

    def over(self, before):
        """The same, over a bucket in which something was changed before the run."""
        other = object.__new__(Reference)
        other.__dict__.update(self.__dict__, before=before)
        return other

    def same(self, key, body):
        """A source whose mark an interrupted run did not come to write is found covered by the next
        one, which marks it with upstream's other text."""
        want = self.want[key]
        try:
            got = timeless(key, body)
        except ValueError:
            return False
        if isinstance(want, dict) and want.get("details") == "source of compacted block":
            return got in (want, dict(want, details="outdated block"))
        return got == want

    def at_any_moment(self, got):
        """What is wrong with these objects of an interrupted run, as texts."""
        out = ["lost: " + k for k in self.before if k not in got]
        out += ["changed: " + k for k, v in self.before.items() if k in got and got[k] != v]
        for k, v in sorted(got.items()):
            if k in self.before:
                continue
            if k not in self.want:
                out.append("unexpected: " + k)
            else:
                if not self.same(k, v):
                    out.append("not as it will be: %s (%d bytes, %d expected)" % (k, len(v), len(self.after[k])))
        for u, keys in self.blocks.items():
            if u + "/meta.json" in got and not keys <= set(got):
                out.append("half published: %s lacks %s" % (u, sorted(keys - set(got))))
        for u, results in self.made_of.items():
            if u + "/deletion-mark.json" in got and u + "/deletion-mark.json" not in self.before:
                if not any(self.blocks[r] <= set(got) for r in results):
                    out.append("%s is marked, but %s is not complete" % (u, results))
        return out

    def at_the_end(self, got):
        return self.at_any_moment(got) + ["missing: " + k for k in sorted(self.want) if k not in got]

    def progress(self, got):
        return len([k for k in self.want if k in got])
