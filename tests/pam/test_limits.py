"""Guessing at the terminal: what is looked at stays within the table of waits, and the owner logs in meanwhile."""
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest
from conftest import SANITIZED, made
from harness import Instance, Person, Sshd, wait_until
from kosmo_wire import Client

CLIENTS = 16
OWNER, SURVIVOR, LOCKED, DECOY = Person("owner"), Person("survivor"), Person("locked"), Person("decoy")
KEYED = Person("keyed")
CODE, PASSWORD = 1, 0
DEVICE, KEY, ADDRESS, UID, LOCAL, EXEMPT, STRANGER = 1, 2, 3, 4, 5, 6, 7
RECOVERY = "abcde-fghjk-mnp"


@pytest.fixture(scope="module")
def instance(module_folder):
    i = Instance(module_folder, [OWNER, SURVIVOR, LOCKED, DECOY, KEYED])
    (i.dir / "kosmo.conf.d/50-test.conf").parent.mkdir(exist_ok=True)
    (i.dir / "kosmo.conf.d/50-test.conf").write_text("[limits]\nexempt = 100.64.0.0/10\n")
    subprocess.run([made("pam", "put_recovery") / "put_recovery", i.conf, LOCKED.login, RECOVERY], check=True)
    i.start()
    yield i
    assert i.stop() == 0, "the keeper leaves in order"


def dialogue(instance, login, password, code, rhost, **more):
    with Client(instance.socket) as c:
        kind, said = c.ask("begin", {"phase": "auth", "service": "sshd", "user": login, "rhost": rhost, "ruid": 0, **more})
        for reply in password, code:
            if kind == "ask" and reply is not None:
                kind, said = c.ask("answer", {"text": reply})
        return said.get("verdict", kind)


def allowed(seconds):
    """Failures that the table of kosmo-keeper(8) lets be looked at in so many seconds, the first three at once. A wait may
    begin late in its first second."""
    n, at, seconds = 3, 3, seconds + 1
    while at <= seconds:
        n, at = n + 1, at + (3 if n + 1 < 9 else 5 if n + 1 < 25 else 10)
    return n


def person(instance, p):
    return instance.rows("SELECT id FROM person WHERE login = ?", p.login)[0][0]


def counters(instance, p, kind):
    return dict(instance.rows("SELECT lane, failures FROM counter WHERE owner = ? AND kind = ?", person(instance, p), kind))


def events(instance, event, p=None):
    if p is None:
        return instance.rows("SELECT count(*) FROM audit WHERE event = ?", event)[0][0]
    return instance.rows("SELECT count(*) FROM audit WHERE event = ? AND person = ?", event, person(instance, p))[0][0]


def memory(instance):
    status = pathlib.Path(f"/proc/{instance.process.p.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def size(instance):
    """Of the store, in bytes; the log beside it is written over."""
    return instance.rows("PRAGMA page_count")[0][0] * instance.rows("PRAGMA page_size")[0][0]


class Guessers:
    """Clients that guess for as long as they may, each from many addresses."""

    def __init__(self, instance, login, password, code):
        self.stop, self.tried, self.verdicts = threading.Event(), 0, set()
        self.threads = [threading.Thread(target=self.guess, args=(instance, login, password, code, n)) for n in range(CLIENTS)]
        for t in self.threads:
            t.start()

    def guess(self, instance, login, password, code, n):
        i = 0
        while not self.stop.is_set():
            i += 1
            self.verdicts.add(dialogue(instance, login, password, code, f"10.{n}.{i >> 8 & 255}.{i & 255}"))
            self.tried += 1

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join(30)
        return self.tried


def guessing(instance, module_folder, seconds):
    sshd = Sshd(module_folder, [OWNER], f"auth required {instance.module()}\naccount required {instance.module()}")
    try:
        codes, right, logins = OWNER.codes(), OWNER.code, 0
        first = sshd.ssh(OWNER.login, OWNER.password, codes[-1])
        assert first.exit == 0, first.text  # from here on its address is known
        wrong, before = OWNER.wrong_code(), (memory(instance), size(instance))
        started = time.monotonic()
        g = Guessers(instance, OWNER.login, OWNER.password, wrong)
        try:
            left = [codes[0], codes[1]]
            while left or time.monotonic() - started < seconds:
                if left and time.monotonic() - started > seconds * (3 - len(left)) / 4:
                    said = sshd.ssh(OWNER.login, OWNER.password, left.pop(0))
                    assert said.exit == 0, f"the owner is shut out: {said.text}"
                    logins += 1
                time.sleep(0.05)
        finally:
            tried = g.end()
        lasted = time.monotonic() - started
        in_lanes, evaluated = counters(instance, OWNER, CODE), events(instance, "factor.wrong", OWNER)
        assert list(in_lanes) == [STRANGER] and in_lanes[STRANGER] <= allowed(lasted), "one lane for all strangers"
        # where too many right passwords came at once, some of their codes were counted as a name's that nobody has
        assert in_lanes[STRANGER] <= evaluated <= 2 * allowed(lasted), (in_lanes, evaluated, lasted)
        assert logins == 2 and tried > 5 * evaluated and g.verdicts == {"deny"}, (tried, g.verdicts)
        assert in_lanes[STRANGER] >= 3, in_lanes
        # within the wait even the right one
        if time.time() % 30 > 26:
            wait_until(lambda: time.time() % 30 < 5, 10, "a new step")
        assert dialogue(instance, OWNER.login, OWNER.password, wrong, "192.0.2.1") == "deny"
        assert dialogue(instance, OWNER.login, OWNER.password, right(2), "192.0.2.1") == "deny"
        assert events(instance, "factor.throttled") <= 4 + lasted / 3600 * CLIENTS, "refusals are one row an hour"
        grown = memory(instance) - before[0], size(instance) - before[1]
        assert grown[0] < 20000 or SANITIZED, f"{grown[0]} KiB more"
        # what was refused leaves nothing; what a right password and a code that was looked at leave are rows of the audit
        assert grown[1] < (256 << 10) + 2048 * tried, f"{grown[1]} bytes for {tried} logins"
        assert len(instance.rows("SELECT 1 FROM counter")) < tried + 100, "an address, a counter"
        print(f"{tried} tried, {evaluated} looked at in {lasted:.0f} s, {grown[0]} KiB and {grown[1]} bytes more")
    finally:
        sshd.end()


system = pytest.mark.skipif(SANITIZED, reason="the system's programs cannot load a sanitized module")


@system
def test_sixteen_guess_a_code(instance, module_folder):
    guessing(instance, module_folder, 6)


@system
@pytest.mark.soak
def test_sixteen_guess_a_code_for_a_minute(module_folder):
    i = Instance(module_folder / "long", [OWNER])
    i.start()
    try:
        guessing(i, module_folder / "long", 60)
    finally:
        i.stop()


def test_sixteen_guess_unknown_names(instance):
    """As many rows, as few of them, and the same share of what is tried is looked at, as with a name that there is."""
    seen = {}
    for login in DECOY.login, "nobody-here":
        # so many, whoever is first: how long they take is the machine's
        before = events(instance, "password.wrong"), events(instance, "factor.wrong"), instance.rows("SELECT count(*) FROM counter WHERE kind < 32")[0][0]
        started = time.monotonic()
        g = Guessers(instance, login, "wrong", "123456")
        wait_until(lambda: time.monotonic() - started > 1.5 and events(instance, "password.wrong") >= before[0] + 3 and
                   events(instance, "factor.wrong") >= before[1] + 3, 30, "some guesses")
        g.end()
        lasted = time.monotonic() - started
        after = events(instance, "password.wrong"), events(instance, "factor.wrong"), instance.rows("SELECT count(*) FROM counter WHERE kind < 32")[0][0]
        grown = [b - a for a, b in zip(before, after)]
        assert all(3 <= n <= allowed(lasted) for n in grown[:2]), (grown, lasted)
        seen[login] = grown[2]
    assert set(seen.values()) == {2}, f"a counter for passwords and one for codes: {seen}"


def test_counters_survive_a_kill(instance):
    for _ in range(3):
        dialogue(instance, SURVIVOR.login, "wrong", None, "198.51.100.1")
        wait_until(lambda: instance.rows("SELECT max(not_before) FROM counter WHERE owner = ?", person(instance, SURVIVOR))[0][0] <= time.time(),
                   10, "the wait") if counters(instance, SURVIVOR, PASSWORD)[STRANGER] < 3 else None
    before = instance.rows("SELECT * FROM counter WHERE owner = ?", person(instance, SURVIVOR))
    assert counters(instance, SURVIVOR, PASSWORD) == {STRANGER: 3}
    instance.process.p.send_signal(signal.SIGKILL)
    instance.process.p.wait()
    instance.start()
    assert instance.rows("SELECT * FROM counter WHERE owner = ?", person(instance, SURVIVOR)) == before
    until = before[0][5]
    longer = "UPDATE counter SET not_before = not_before + ? WHERE owner = ?"
    instance.write(longer, 60, person(instance, SURVIVOR))
    assert dialogue(instance, SURVIVOR.login, SURVIVOR.password, SURVIVOR.code(), "198.51.100.2") == "deny", "it is not over"
    instance.write(longer, -60, person(instance, SURVIVOR))
    wait_until(lambda: time.time() >= until, 5, "the wait is over")
    assert dialogue(instance, SURVIVOR.login, SURVIVOR.password, SURVIVOR.code(), "198.51.100.2") == "allow"
    assert counters(instance, SURVIVOR, PASSWORD) == {}


def test_each_key_is_a_lane(instance):
    a, b = ({"sshauth": f"publickey ssh-ed25519 {k}\n", "opt.0": "password=key"} for k in ("AAAA", "BBBB"))
    wrong = KEYED.wrong_code()
    assert dialogue(instance, KEYED.login, wrong, None, "198.51.100.9", **a) == "deny"
    assert dialogue(instance, KEYED.login, wrong, None, "198.51.100.9", **b) == "deny"
    assert dialogue(instance, KEYED.login, "wrong", wrong, "100.64.1.1") == "deny"
    assert dialogue(instance, KEYED.login, "wrong", wrong, "198.51.100.9") == "deny"
    assert instance.rows("SELECT lane, failures FROM counter WHERE owner = ? ORDER BY kind, lane", person(instance, KEYED)) == \
        [(EXEMPT, 1), (STRANGER, 1), (KEY, 1), (KEY, 1)]
    wait_until(lambda: time.time() > instance.rows("SELECT max(not_before) FROM counter WHERE owner = ?", person(instance, KEYED))[0][0], 5, "the waits")
    assert dialogue(instance, KEYED.login, KEYED.code(), None, "198.51.100.9", **a) == "allow"
    # the address is known now, by its number however it is written
    assert dialogue(instance, KEYED.login, "wrong", wrong, "::ffff:198.51.100.9") == "deny"
    assert (ADDRESS, 1) in instance.rows("SELECT lane, failures FROM counter WHERE owner = ?", person(instance, KEYED))
    plain = [v for row in instance.rows("SELECT * FROM known") + instance.rows("SELECT * FROM counter") for v in row if isinstance(v, (str, bytes))]
    assert not [v for v in plain if v in ("198.51.100.9", "AAAA") or len(v) != 16], "digests alone"


def access(instance, p):
    text = instance.ctl("user", "show", p.login)
    return next(line.split(None, 1)[1] for line in text.splitlines() if line.startswith("access"))


def test_a_hundred_wrong_codes(instance):
    """The hundredth is typed, the others are written."""
    wrong, right = LOCKED.wrong_code(), LOCKED.codes()
    assert access(instance, LOCKED) == "can log in"
    assert dialogue(instance, LOCKED.login, LOCKED.password, wrong, "198.51.100.9") == "deny"
    instance.write("UPDATE counter SET not_before = not_before + 30 WHERE owner = ? AND kind = 1", person(instance, LOCKED))
    assert re.match(r"must wait (2\d|3[01]) seconds except with", access(instance, LOCKED))
    instance.write("UPDATE counter SET failures = 99, not_before = 0 WHERE owner = ? AND kind = 1", person(instance, LOCKED))
    assert dialogue(instance, LOCKED.login, LOCKED.password, wrong, "198.51.100.9") == "deny"
    assert events(instance, "factor.disabled", LOCKED) == 1
    assert "100 wrong ones in a row disabled them" in access(instance, LOCKED)
    # in every lane, wherever it is
    assert dialogue(instance, LOCKED.login, LOCKED.password, right[-1], "100.64.0.1") == "deny"
    assert dialogue(instance, LOCKED.login, LOCKED.password, RECOVERY, "198.51.100.10") == "allow"
    assert events(instance, "factor.enabled", LOCKED) == 1 and access(instance, LOCKED) == "can log in"
    assert dialogue(instance, LOCKED.login, LOCKED.password, right[0], "198.51.100.11") == "allow"
    # and the lane of passwords
    assert dialogue(instance, LOCKED.login, "wrong", "x", "198.51.100.12") == "deny"
    instance.write("UPDATE counter SET failures = 99, not_before = 0 WHERE owner = ? AND kind = 0", person(instance, LOCKED))
    assert dialogue(instance, LOCKED.login, "wrong", "x", "198.51.100.12") == "deny"
    assert events(instance, "lane.closed", LOCKED) == 1 and "cannot log in until" in access(instance, LOCKED)
    assert dialogue(instance, LOCKED.login, LOCKED.password, right[1], "198.51.100.12") == "deny"
    assert "unlocked" in instance.ctl("user", "unlock", LOCKED.login)
    assert access(instance, LOCKED) == "can log in" and events(instance, "user.unlock", LOCKED) == 1
    assert dialogue(instance, LOCKED.login, LOCKED.password, right[1], "198.51.100.12") == "allow"
    assert "nothing was counted" in instance.ctl("user", "unlock", LOCKED.login)


def test_an_address_is_blocked(instance):
    """Whoever it asks for; those who are known elsewhere notice nothing."""
    for i in range(30):
        dialogue(instance, f"nobody{i}", "wrong", "123456", "203.0.113.99")
    assert events(instance, "address.throttled") == 1
    p = Person("decoy")
    wait_until(lambda: all(r[0] <= time.time() for r in instance.rows("SELECT not_before FROM counter WHERE owner = ?", person(instance, p))),
               15, "what was guessed before")
    assert dialogue(instance, p.login, p.password, p.code(), "203.0.113.99") == "deny"
    assert dialogue(instance, p.login, p.password, p.code(), "203.0.113.98") == "allow"
