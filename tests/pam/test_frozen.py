"""Whoever may stop a program stops it at a random moment: su by its caller, kosmoctl by Ctrl-Z. Nobody else's login waits."""
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest
from conftest import BUILD, SANITIZED, TOP
from crowd import Crowd, dialogue, login
from harness import KOSMOCTL, Conversation, Instance, Namespace, spawn, wait_until

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="su and mount namespaces need root")
LATE = 3  # seconds: what the module waits for the keeper


@pytest.fixture(scope="module")
def crowd():
    return Crowd(40)


@pytest.fixture(scope="module")
def targets():
    return Crowd(16, "t")


@pytest.fixture(scope="module")
def instance(module_folder, crowd, targets):
    i = Instance(module_folder, crowd.people + targets.people)
    i.start()
    yield i
    assert i.stop() == 0


@pytest.fixture
def dice(request):
    """Prints its seed where a test fails; KOSMO_SEED repeats a run."""
    seed = os.environ.get("KOSMO_SEED", str(random.SystemRandom().randrange(1 << 32)))
    print(f"KOSMO_SEED={seed}")
    return random.Random(seed)


def state(pid):
    """R, S, T (stopped)...; "" when it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]
    except OSError:
        return ""


def as_caller(uid, f, *args):
    """f(*args) with the rights of su's caller."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            f(*args)
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitpid(pid, 0)[1] == 0


class Stop:
    """SIGSTOP by the caller."""

    def __init__(self, uid):
        self.uid = uid

    def freeze(self, pid):
        return as_caller(self.uid, os.kill, pid, signal.SIGSTOP)

    def thaw(self, pid):
        as_caller(self.uid, os.kill, pid, signal.SIGCONT)

    def end(self):
        pass


class Freezer:
    """A cgroup of the caller's own: freezing asks nobody's leave, whatever ids the program has."""

    def __init__(self, uid):
        self.two = pathlib.Path("/sys/fs/cgroup/cgroup.controllers").exists()
        top = pathlib.Path("/sys/fs/cgroup") if self.two else pathlib.Path("/sys/fs/cgroup/freezer")
        self.dir = top / f"kosmo-test-{os.getpid()}"
        try:
            self.dir.mkdir()
            self.file = self.dir / ("cgroup.freeze" if self.two else "freezer.state")
            self.write(False)
        except OSError as e:
            pytest.skip(f"no cgroup can be made here: {e}")

    def write(self, frozen):
        self.file.write_text(("1" if frozen else "0") if self.two else ("FROZEN" if frozen else "THAWED"))

    def freeze(self, pid):
        try:
            (self.dir / "cgroup.procs").write_text(str(pid))
        except OSError:
            return False
        self.write(True)
        return True

    def thaw(self, _):
        self.write(False)

    def end(self):
        self.write(False)
        wait_until(lambda: not (self.dir / "cgroup.procs").read_text(), 10, "an empty cgroup")
        self.dir.rmdir()


def frozen_su(instance, crowd, targets, namespace, stopper, dice, rounds):
    """su of one person stands still; somebody else logs in at the socket; then it goes on and comes to its end."""
    slowest, stopped, let_in = 0, 0, 0
    for _ in range(rounds):
        p, code = targets.take()
        child = spawn(namespace.command(1000, "su", p.login, "-c", "true"), cwd="/")
        moment = dice.randrange(4)
        if moment >= 1:
            child.expect("Password: ")
            child.waitnoecho(2)
            if moment >= 2:
                child.sendline(p.password)
                if moment >= 3:
                    child.expect("Code: ")
                    child.waitnoecho(2)
                    child.sendline(code)
        time.sleep(dice.random() * 0.03)
        stopped += stopper.freeze(child.pid)
        slowest = max(slowest, login(instance, crowd), login(instance, crowd))
        stopper.thaw(child.pid)
        if moment == 1:
            child.sendline(p.password)
        r = Conversation(child, [[p.password, code], [code], [code], []][moment])
        let_in += r.exit == 0
        assert r.exit in (0, 1), r.text
        # whether or not its su was told in time: that code is not good twice
        if r.exit == 0:
            assert dialogue(instance.socket, p, code) == "deny"
        targets.give(p)
    assert slowest < LATE, slowest
    assert stopped >= rounds / 3 and let_in >= rounds / 2, (stopped, let_in, rounds)
    return slowest


@pytest.fixture(scope="module")
def namespace(instance, module_folder, crowd, targets):
    stack = f"auth required {instance.module()}\naccount required {instance.module()}"
    return Namespace(module_folder, crowd.people + targets.people, {"su": stack}, "root-no-himitsu-7")


@pytest.mark.skipif(SANITIZED, reason="su cannot load a sanitized module")
@pytest.mark.skipif(not Namespace.possible(), reason="no mount namespaces here")
@pytest.mark.parametrize("stopper", [Stop, Freezer])
@pytest.mark.parametrize("rounds", [4, pytest.param(40, marks=pytest.mark.soak)])
def test_su_stands_still(instance, crowd, targets, namespace, dice, stopper, rounds):
    s = stopper(1000)
    try:
        print(f"slowest login meanwhile {frozen_su(instance, crowd, targets, namespace, s, dice, rounds):.3f} s")
    finally:
        s.end()


# ---- Ctrl-Z ----

@pytest.fixture(scope="module")
def sheet(module_folder):
    f = module_folder / "people.csv"
    subprocess.run([sys.executable, str(TOP / "tests/bench/people_csv.py"), "4000", str(f)], check=True)
    return f


def begin(instance, *words, env=None):
    # a process group of its own, not orphaned: else the kernel does not stop it
    return subprocess.Popen([KOSMOCTL, "-c", instance.conf, *words], cwd=instance.dir, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, env={**os.environ, **(env or {})}, preexec_fn=lambda: os.setpgid(0, 0))


def ctrl_z(p):
    """Until it stands still (or is through: False). Within a transaction it goes on to its end first."""
    p.send_signal(signal.SIGTSTP)
    wait_until(lambda: state(p.pid) in "TZ", 10, "it stops, or ends")
    return state(p.pid) == "T"


def logins_meanwhile(instance, crowd, p):
    slowest = login(instance, crowd)
    assert slowest < LATE, f"{slowest:.2f} s while {p.args[3:]} stood still"
    return slowest


def stops(instance, crowd, dice, words, rounds):
    """Many short commands, each stopped once, at some moment of the time that one takes."""
    stopped, slowest, started = 0, 0, time.monotonic()
    assert begin(instance, *words()).wait() == 0
    took = time.monotonic() - started
    for _ in range(rounds):
        p = begin(instance, *words())
        time.sleep(dice.random() * took)
        if ctrl_z(p):
            stopped += 1
            slowest = max(slowest, logins_meanwhile(instance, crowd, p))
            p.send_signal(signal.SIGCONT)
        err = p.communicate()[1]
        assert p.returncode == 0, err
    return stopped, slowest


@pytest.mark.parametrize("rounds", [20, pytest.param(200, marks=pytest.mark.soak)])
@pytest.mark.parametrize("kind", ["set", "list"])
def test_ctrl_z_in_short_commands(instance, crowd, targets, dice, kind, rounds):
    names = iter(range(10**9))
    words = {"set": lambda: ("user", "set", dice.choice(targets.people).login, "--name", f"Name {next(names)}"),
             "list": lambda: ("user", "list", "--json")}[kind]
    stopped, slowest = stops(instance, crowd, dice, words, rounds)
    print(f"{stopped} of {rounds} stopped, slowest login meanwhile {slowest:.3f} s")
    assert stopped >= max(1, rounds // 20)


@pytest.mark.parametrize("rounds", [10, pytest.param(60, marks=pytest.mark.soak)])
def test_ctrl_z_in_an_import(instance, crowd, dice, sheet, rounds):
    """One import, stopped again and again."""
    stopped, slowest, n = 0, 0, 0
    while stopped < rounds:
        n += 1
        text = sheet.read_text().replace("\r\nm", f"\r\nm{n}")
        (instance.dir / "more.csv").write_text(text)
        p = begin(instance, "import", "--passwords", f"p{os.getpid()}-{rounds}-{n}.csv", instance.dir / "more.csv")
        while True:
            time.sleep(dice.random() * 0.05)
            if not ctrl_z(p):
                break
            stopped += 1
            slowest = max(slowest, logins_meanwhile(instance, crowd, p))
            p.send_signal(signal.SIGCONT)
        err = p.communicate()[1]
        assert p.returncode == 0, err
    print(f"{stopped} stops in {n} imports, slowest login meanwhile {slowest:.3f} s")


COMMANDS = {
    "user list": lambda i, n: ("user", "list", "--json"),
    "user show": lambda i, n: ("user", "show", "t000"),
    "user find": lambda i, n: ("user", "find", "t001@example.jp"),
    "user set": lambda i, n: ("user", "set", "t002", "--name", f"Name {n}"),
    "user disable": lambda i, n: ("user", "disable" if n % 2 else "enable", "t003"),
    "user reissue": lambda i, n: ("user", "reissue", "--passwords", f"r{n}.csv", "--replace-own", "t004"),
    "audit": lambda i, n: ("audit", "--limit", "500"),
    "import": lambda i, n: ("import", "--passwords", f"h{n}.csv", small_sheet(i, n)),
}


def small_sheet(i, n):
    f = i.dir / "small.csv"
    f.write_text("login,birth_date\n" + "".join(f"n{n}x{j},1980-01-01\n" for j in range(300)))
    return f


@pytest.mark.skipif(SANITIZED, reason="the sanitizers want to be the first library")
@pytest.mark.parametrize("command,every", [("user list", 7), ("user set", 7), ("import", 150)] +
                         [pytest.param(c, 1, marks=pytest.mark.soak) for c in COMMANDS])
def test_ctrl_z_at_each_lock(instance, crowd, dice, driver, command, every):
    """Stopped right before and behind each locking call of SQLite's, one after the other, until it comes through."""
    n, stopped, slowest = 1 + dice.randrange(every), 0, 0
    while True:
        env = {"LD_PRELOAD": BUILD / "tests/pam/.libs/halt.so", "KOSMO_HALT_AT": str(n)}
        p = begin(instance, *COMMANDS[command](instance, dice.randrange(1 << 30) * 2 + n % 2), env=env)
        wait_until(lambda: state(p.pid) in "TZ", 20, "it stops, or ends")
        halted = state(p.pid) == "T"
        if halted:
            stopped += 1
            slowest = max(slowest, logins_meanwhile(instance, crowd, p))
            p.send_signal(signal.SIGCONT)
        err = p.communicate()[1]
        assert p.returncode == 0, err
        if not halted:
            break
        n += every
    print(f"{command}: {stopped} of {n} times, slowest login meanwhile {slowest:.3f} s")
    assert stopped
