"""Guessing at the browser's door, over real HTTP: what is looked at stays within the table of waits, the owner's browser has
a lane of its own, and who has shown the password is told how long to wait."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "pam"))

from browser import Http, Site  # noqa: E402
from conftest import BUILD  # noqa: E402
from harness import Person, wait_until  # noqa: E402
from made import made

CLIENTS = 16
OWNER, SISTER, LOCKED, LATE = (Person(n, role="member") for n in ("owner", "sister", "locked", "late"))
RECOVERY = "abcde-fghjk-mnp"
DEVICE, ADDRESS, STRANGER = 1, 3, 7


@pytest.fixture(scope="module")
def site():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kosmo-"))
    folder.chmod(0o755)
    s = Site(folder, [OWNER, SISTER, LOCKED, LATE], "contact = 03-1234-5678\n")
    made("pam", "put_recovery")
    subprocess.run([BUILD / "tests/pam/put_recovery", s.conf, LOCKED.login, RECOVERY], check=True)
    s.start()
    yield s
    s.stop()
    shutil.rmtree(folder, ignore_errors=True)


def counters(site, p, kind):
    return dict(site.rows("SELECT lane, failures FROM counter WHERE kind = ? AND owner = (SELECT id FROM person WHERE login = ?)", kind, p.login))


def waited(site, p):
    wait_until(lambda: all(t <= time.time() for t, in site.rows(
        "SELECT not_before FROM counter WHERE owner = (SELECT id FROM person WHERE login = ?)", p.login)), 15, "the waits")


def test_a_device_is_given_after_two_factors(site):
    codes, other = OWNER.codes(), SISTER.codes()
    b = Http(site, "192.0.2.10")
    b.password(OWNER)
    assert "kosmo-device" not in b.cookies, "not for the password alone"
    b.code(codes[-1])
    line = next(c for c in b.said if c.startswith("kosmo-device="))
    assert line.split("; ", 1)[1] == f"Path=/; HttpOnly; SameSite=Lax; Max-Age={400 * 86400}"
    token = b.cookies["kosmo-device"]
    # a family's browser: one token, each with a row of their own
    b.log_in(SISTER, other[-1])
    assert b.cookies["kosmo-device"] == token
    assert site.rows("SELECT kind, count(*), count(DISTINCT digest) FROM known GROUP BY kind ORDER BY kind") == [(1, 2, 2), (2, 2, 2)]
    assert token.encode() not in (site.dir / "kosmo.db").read_bytes() + (site.dir / "kosmo.db-wal").read_bytes()
    # it is a lane for those two, from anywhere; and for nobody else
    away = Http(site, "192.0.2.11")
    away.cookies["kosmo-device"] = token
    for p in OWNER, SISTER, LATE:
        away.password(p, "wrong")
    assert [counters(site, p, 0) for p in (OWNER, SISTER, LATE)] == [{DEVICE: 1}, {DEVICE: 1}, {STRANGER: 1}]
    Http(site, "192.0.2.10").password(OWNER, "wrong")
    Http(site, "192.0.2.12").password(OWNER, "wrong")
    assert counters(site, OWNER, 0) == {DEVICE: 1, ADDRESS: 1, STRANGER: 1}
    # ended by the admin's new letter
    for p in OWNER, SISTER, LATE:
        waited(site, p)
    site.ctl("user", "disable", SISTER.login)
    site.ctl("user", "enable", SISTER.login)
    away.password(SISTER, "wrong")
    assert counters(site, SISTER, 0)[STRANGER] == 1
    OWNER.browser = b


def allowed(seconds):
    n, at, seconds = 3, 3, seconds + 1
    while at <= seconds:
        n, at = n + 1, at + (3 if n + 1 < 9 else 5 if n + 1 < 25 else 10)
    return n


def guessing(site, seconds, owner, codes):
    stop, errors, lock, tried = threading.Event(), set(), threading.Lock(), [0]
    wrong = OWNER.wrong_code()

    def guess(n):
        b, i = Http(site, f"10.1.{n}.0"), 0
        while not stop.is_set():
            i += 1
            b.address = f"10.1.{n}.{i % 250}"
            if b.get("/login/code").to and not stop.is_set():
                b.password(OWNER)
                continue
            b.post("/login/code", code=wrong)
            with lock:
                tried[0] += 1
                errors.add(b.error)

    threads = [threading.Thread(target=guess, args=(n,)) for n in range(CLIENTS)]
    started = time.monotonic()
    for t in threads:
        t.start()
    try:
        wait_until(lambda: counters(site, OWNER, 1).get(STRANGER, 0) >= 3, 30, "some guesses")
        owner.log_in(OWNER, codes.pop(0))
        assert owner.inside(), "the owner in a known browser is in"
        wait_until(lambda: time.monotonic() - started > seconds, seconds + 5, "the time")
    finally:
        stop.set()
        for t in threads:
            t.join(30)
    lasted = time.monotonic() - started
    n = counters(site, OWNER, 1)[STRANGER]
    assert 3 <= n <= allowed(lasted), (n, allowed(lasted), lasted)
    assert tried[0] > 3 * n, (tried, n)
    told = [int(m.group(1)) for e in errors if (m := re.search(r"try again in (\d+) seconds?, with", e))]
    assert told and max(told) <= (3 if n < 9 else 5), errors
    # within the wait even the right one; after the time that the page tells it is taken
    b = Http(site, "192.0.2.99")
    wait_until(lambda: b.password(OWNER).to == "/", 10, "the password's lane")
    b.code(wrong)
    b.code(codes[0])
    told = re.search(r"try again in (\d+) second", b.error)
    assert b.status == 200 and told, b.error
    until = time.time() + int(told.group(1))
    wait_until(lambda: time.time() >= until, 15, "what the page told")
    b.code(codes[0])
    assert b.to == "/" and b.inside(), b.error


def test_sixteen_guess_a_code(site):
    waited(site, OWNER)
    if time.time() % 30 > 20:
        wait_until(lambda: time.time() % 30 < 5, 12, "a new step")
    codes = OWNER.codes()
    OWNER.spent = int(time.time()) // 30 + 1  # the last step of which a code was used
    guessing(site, 2, OWNER.browser, [codes[0], codes[1]])


@pytest.mark.soak
def test_sixteen_guess_a_code_for_a_minute(site):
    spent = getattr(OWNER, "spent", 0)
    wait_until(lambda: time.time() // 30 > spent and time.time() % 30 < 5, 61, "a step of which no code was used yet")
    site.ctl("user", "unlock", OWNER.login)
    step, codes = int(time.time()) // 30, []

    class Later(list):
        """Codes of the time when they are typed."""
        def pop(self, _):
            return OWNER.code()

        def __getitem__(self, _):
            return OWNER.code(1)
    owner = getattr(OWNER, "browser", None) or Http(site, "192.0.2.10").log_in(OWNER, OWNER.code(-1))
    guessing(site, 60, owner, Later())
    assert int(time.time()) // 30 > step and not codes


def test_too_many_wrong_codes(site):
    """The hundredth is typed, the others are written. Half-finished logins end, sessions stay; a recovery code is the way."""
    codes, wrong = LOCKED.codes(), LOCKED.wrong_code()
    full = Http(site, "192.0.2.20").log_in(LOCKED, codes[-1])
    half, third = Http(site, "192.0.2.21"), Http(site, "192.0.2.22")
    half.password(LOCKED)
    third.password(LOCKED)
    assert "not right" in half.code(wrong).error
    site.write("UPDATE counter SET failures = 99, not_before = 0 WHERE kind = 1 AND owner = (SELECT id FROM person WHERE login = ?)", LOCKED.login)
    assert half.code(wrong).to == "/login?n=disabled" and "recovery codes" in half.get(half.to).text
    assert third.get("/login/code").to == "/login?n=idle", "another half-finished login has ended"
    assert full.inside(), "a session has not"
    b = Http(site, "192.0.2.23")
    assert b.password(LOCKED).to == "/"
    assert "switched off" in b.get("/login/code").error and "03-1234-5678" in b.error
    assert "switched off" in b.code(codes[0]).error and b.status == 200, "the right one neither"
    ja = Http(site, "192.0.2.24", "ja")
    ja.password(LOCKED)
    assert "予備コード" in ja.get("/login/code").error
    assert b.code(RECOVERY).to == "/" and b.inside(), b.error
    after = Http(site, "192.0.2.25").log_in(LOCKED, codes[1])
    assert after.inside() and "kosmo-device" in after.cookies


def test_an_address_waits(site):
    """Names that nobody has, names that somebody has: all wait alike, and are told for how long; a known browser does not."""
    b = Http(site, "203.0.113.50").get("/login")
    for i in range(60):
        b.post("/login", login=f"nobody{i}", password="wrong")
        if "from your network" in b.error:
            break
    assert i == 40, "so many are free"
    for name in "nobody-else", LATE.login:
        b.post("/login", login=name, password=LATE.password)
        told = re.search(r"from your network. Please try again in (\d) second", b.error)
        assert told and 1 <= int(told.group(1)) <= 5, b.error
    waited(site, LATE)
    elsewhere = Http(site, "203.0.113.51")
    elsewhere.log_in(LATE, LATE.codes()[-1])
    elsewhere.address = b.address
    assert elsewhere.log_in(LATE, LATE.codes()[0]).inside()
