"""The keeper's outbox: side by side, urgent ones first, each once, and whatever is killed, none lost."""
import collections
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest
from browser import BUILD
from harness import Instance, Person, wait_until
from kosmo_wire import encode, receive
from made import made
from test_mailer_relays import Script


@pytest.fixture(scope="module")
def put():
    made("ctl")
    return BUILD / "tests/ctl/put_rows"


@pytest.fixture
def k(put):
    folder = tempfile.mkdtemp(prefix="kosmo-")
    i = Instance(folder, [Person("a")])

    def queue(n, kind="bulk", seconds=0):
        subprocess.run([put, i.conf, "queue", str(n), kind, str(seconds)], check=True)

    def conf(**options):
        (i.dir / "kosmo.conf.d").mkdir(exist_ok=True)
        (i.dir / "kosmo.conf.d/test.conf").write_text("".join(f"mail.{k} = {v}\n" for k, v in options.items()))

    i.queue, i.configure = queue, conf
    yield i
    i.stop()
    shutil.rmtree(folder, ignore_errors=True)


class Mailer:
    """Listens where kosmo-mailer would; answers what hold(address) does not hold back, after a while."""

    def __init__(self, k, hold=lambda to: False, after=0.0):
        self.hold, self.after = hold, after
        self.lock = threading.Lock()
        self.taken, self.sent, self.here, self.most = [], [], 0, 0
        self.stuck = threading.Event()
        self.path = k.dir / "run/mail.sock"
        self.path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(32)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                c = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.talk, args=(c,), daemon=True).start()

    def talk(self, c):
        try:
            while True:
                _, fields, ident = receive(c)
                to = fields["to"].decode().split("@")[0]
                with self.lock:
                    self.taken.append(to)
                    self.here += 1
                    self.most = max(self.most, self.here)
                if self.hold(to):
                    self.stuck.wait()
                time.sleep(self.after)
                with self.lock:
                    self.here -= 1
                    self.sent.append(to)
                c.sendall(encode("result", {"state": "sent", "reason": ""}, ident))
        except (EOFError, OSError):
            c.close()

    def close(self):
        self.stuck.set()
        self.listener.close()


def states(k):
    return dict(k.rows("SELECT state, count(*) FROM outbox GROUP BY state"))


@pytest.mark.parametrize("connections, at_once", [(4, 3), (1, 1), (16, 15)])
def test_side_by_side_each_once(k, connections, at_once):
    k.configure(connections=connections)
    k.queue(100)
    m = Mailer(k, after=0.01)
    k.start()
    wait_until(lambda: states(k) == {2: 100}, 20, "all to be sent")
    assert sorted(m.taken) == sorted(f"bulk-{i}" for i in range(100)) and m.most == at_once
    assert k.rows("SELECT count(*) FROM outbox WHERE body IS NOT NULL OR tries != 1") == [(0,)]
    m.close()


def test_urgent_ones_pass_a_slow_queue(k):
    k.queue(100)
    k.queue(3, "urgent", 3)  # while all others are stuck
    m = Mailer(k, hold=lambda to: to.startswith("bulk"))
    k.start()
    wait_until(lambda: len(m.sent) == 3, 10, "the urgent ones")
    assert all(to.startswith("urgent") for to in m.sent) and m.here == 3
    wait_until(lambda: states(k) == {1: 100, 2: 3}, 5, "their outcome")
    m.close()


def test_urgent_ones_first(k):
    k.configure(connections=1)  # side by side, the order in which this process hears of them is not the keeper's
    k.queue(30)
    k.queue(10, "urgent")
    m = Mailer(k)
    k.start()
    wait_until(lambda: states(k) == {2: 40}, 10, "all to be sent")
    assert [to.startswith("urgent") for to in m.taken] == [True] * 10 + [False] * 30
    m.close()


@pytest.mark.soak
def test_a_stop_gives_back_what_was_not_sent(k):
    k.queue(100)
    m = Mailer(k, hold=lambda to: True)
    k.start()
    wait_until(lambda: m.here == 3, 10, "three on their way")
    assert k.rows("SELECT count(*) FROM outbox WHERE tries > 0")[0][0] > 10  # claimed
    begin = time.monotonic()
    assert k.stop() == 0 and time.monotonic() - begin < 8
    assert k.rows("SELECT count(*) FROM outbox WHERE tries = 0 AND next_try <= ?", int(time.time())) == [(97,)]
    m.close()


@pytest.mark.soak
def test_without_a_mailer_few_are_tried(k):
    k.queue(50)
    k.start()
    time.sleep(2)
    assert k.rows("SELECT count(*) FROM outbox WHERE reason IS NOT NULL") == [(1,)]
    m = Mailer(k)
    wait_until(lambda: len(m.sent) >= 49, 10, "the mailer to be found")
    m.close()


@pytest.mark.soak
def test_past_the_time_for_which_they_are_claimed(k):
    """Those on their way stay ours; one whose person was deleted meanwhile is not sent."""
    k.queue(20)
    m = Mailer(k, hold=lambda to: True)
    k.start()
    wait_until(lambda: m.here == 3, 10, "three on their way")
    rest = [r for r, in k.rows("SELECT id FROM outbox ORDER BY id")][10:]
    for r in rest:
        k.write("DELETE FROM outbox WHERE id = ?", r)
    until = k.rows("SELECT max(next_try) FROM outbox")[0][0]
    wait_until(lambda: k.rows("SELECT min(next_try) FROM outbox")[0][0] > until, 12, "more time")
    m.stuck.set()
    wait_until(lambda: states(k) == {2: 10}, 10, "the others to be sent")
    assert len(set(m.taken)) == len(m.taken) <= 13
    m.close()


@pytest.mark.soak
def test_the_keeper_is_killed(k):
    """Again and again while 400 are on their way: each arrives, and few arrive twice."""
    k.queue(400)
    m = Mailer(k, after=0.02)
    for i in range(4):
        k.start()
        wait_until(lambda: len(m.sent) > 60 * (i + 1), 40, "some")
        os.kill(k.process.p.pid, signal.SIGKILL)
        k.stop()
    k.start()
    wait_until(lambda: states(k) == {2: 400}, 60, "all to be sent")
    times = collections.Counter(m.sent)
    assert len(times) == 400 and max(times.values()) <= 5
    assert sum(times.values()) < 400 + 4 * 40
    m.close()


class Stages(Script):
    """The n-th connection gets stuck at the n-th of these; all others get through."""

    AT = ["hello", "EHLO", "MAIL", "RCPT", "DATA", "."]

    def __init__(self):
        self.mine, self.n, self.stuck = threading.local(), 0, 0
        super().__init__()

    def say(self, c, what):
        if what == "hello":
            self.n += 1
            self.mine.n = self.n
        if self.mine.n <= len(self.AT) and what == self.AT[self.mine.n - 1]:
            self.stuck += 1
            c.recv(1)  # until it is hung up
            return False
        return super().say(c, what)


def test_the_mailer_is_killed_at_each_stage(k):
    relay = Stages()
    n = len(Stages.AT)
    k.configure(transport="smtp", smtp=relay.at, smtp_tls="none", connections=n + 1, **{"from": "no-reply@example.jp"})
    k.queue(n)
    mailer = k.mailer()
    k.start()
    wait_until(lambda: relay.stuck == n, 10, "a mail at each stage")
    mailer.p.kill()
    mailer.p.wait()
    mailer.end()
    assert states(k) == {1: n}
    mailer = k.mailer()
    try:
        wait_until(lambda: states(k) == {2: n}, 30, "all to be sent")
        assert relay.count(".") == 0 and sum(t == "DATA" for t in relay.told) == n + 2  # those at DATA and . a second time
        assert all(any(f"bulk-{i}@" in t and t.startswith("RCPT") for t in relay.told) for i in range(n))
    finally:
        mailer.end()


def test_a_maildirs_leftovers_go(k):
    """What a killed mailer left behind; not what is being written, and nothing else."""
    for name in "tmp", "new", "cur":
        (k.dir / "mail" / name).mkdir(parents=True, exist_ok=True)
    old, young, kept = k.dir / "mail/tmp/old", k.dir / "mail/tmp/young", k.dir / "mail/new/old"
    for f in old, young, kept:
        f.write_text("x")
    for f in old, kept:
        os.utime(f, (time.time() - 37 * 3600,) * 2)
    os.utime(young, (time.time() - 35 * 3600,) * 2)
    (k.dir / "mail/tmp/link").symlink_to(kept)
    k.mailer().end()
    assert not old.exists() and young.exists() and kept.exists() and (k.dir / "mail/tmp/link").is_symlink()
