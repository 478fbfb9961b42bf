"""What a stranger could time, counted in the keeper by count.c: hashes, writes, commits, mails."""
import mmap
import pathlib
import struct

from conftest import BUILD, SANITIZED
from harness import wait_until
from made import made

FIELDS = ("hashes", "writes", "reads", "commits", "syncs")


class Counted:
    """Give env to Instance.start; work(f) runs f and returns (what it returned, its counts)."""

    def __init__(self, folder, instance):
        made("pam")
        path = folder / "counts"
        path.write_bytes(bytes(64))
        path.chmod(0o666)
        self.instance = instance
        with open(path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), 64)
        self.env = {"LD_PRELOAD": str(BUILD / "tests/pam/.libs/count.so"), "COUNT_FILE": str(path)}
        assert not SANITIZED, "a sanitizer's run is not counted"

    def _numbers(self):
        return struct.unpack_from("=5Q", self.map)

    def sleeps(self):
        """No thread of the keeper has work: a busy machine may let one wait longer for its turn than numbers stay the same."""
        tasks = pathlib.Path(f"/proc/{self.instance.process.p.pid}/task").glob("*/stat")
        try:
            return all(t.read_text().rpartition(") ")[2][0] == "S" for t in tasks)
        except (FileNotFoundError, ProcessLookupError):  # one ended just now
            return False

    def settle(self):
        """What a worker does after its answer went out is over."""
        last = []

        def quiet():
            last.append(self._numbers() if self.sleeps() else len(last))
            return len(last) > 5 and len(set(last[-5:])) == 1
        wait_until(quiet, 10, "a keeper that does nothing")

    def work(self, f, commits=0):
        """commits: at least so many come of it, some of them when the answers are out, however late a busy machine makes that."""
        self.settle()
        before, mails = self._numbers(), self.mails()
        r = f()
        at = FIELDS.index("commits")
        wait_until(lambda: self._numbers()[at] - before[at] >= commits, 10, f"{commits} transactions")
        self.settle()
        counts = dict(zip(FIELDS, (b - a for a, b in zip(before, self._numbers()))))
        return r, {**counts, "mails": self.mails() - mails}

    def mails(self):
        return self.instance.rows("SELECT count(*) FROM outbox")[0][0]
