"""Nothing before the first factor: the login form answers everyone who may not enter with the same bytes after the same
work. Counted, not timed (bench_verdict.py times it)."""
import http.client
import pathlib
import re
import shutil
import sys
import tempfile
import time
import urllib.parse

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "pam"))

from browser import Site  # noqa: E402
from conftest import SANITIZED  # noqa: E402
from counted import Counted  # noqa: E402
from harness import Person, wait_until  # noqa: E402

pytestmark = pytest.mark.skipif(SANITIZED, reason="what is counted is the same in every build")

TRIES = 2
GROUPS = ["enrolled", "disabled", "expired", "unused", "stopped", "halfway"]  # names of equal length: it shows in the form
PEOPLE = {g: [Person(f"{g:x<9}{i}", role="member", password=g not in ("unused", "stopped"),
                     seed=g in ("enrolled", "disabled", "expired")) for i in range(TRIES)] for g in GROUPS}
WAITING = Person("waiting000", role="member")
COUNTS = ("hashes", "writes", "commits", "syncs", "mails")


@pytest.fixture(scope="module")
def site():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kosmo-"))
    folder.chmod(0o755)
    s = Site(folder, [p for g in PEOPLE.values() for p in g] + [WAITING])
    for p in PEOPLE["disabled"] + PEOPLE["stopped"]:
        s.ctl("user", "disable", p.login)
    for p in PEOPLE["expired"]:
        s.ctl("user", "expire", p.login, "2020-01-01")
    s.counted = Counted(folder, s)
    s.start(s.counted.env)
    for n in range(8):  # every worker has opened its store and prepared its statements
        login(s, f"before{n:04}", "wrong")
    yield s
    s.stop()
    shutil.rmtree(folder, ignore_errors=True)


def visitor(site):
    """(cookie, form token) of a browser that came for the first time."""
    c = http.client.HTTPConnection("localhost", site.port, timeout=10)
    c.request("GET", "/login")
    r = c.getresponse()
    body = r.read().decode()
    c.close()
    return r.getheader("Set-Cookie").split(";")[0], re.search(r'name="csrf" value="([^"]+)"', body).group(1)


def post(site, who, name, password):
    """The answer as it came, but for what must differ: the date, the form's token, the passkey's challenge, and the name that was typed."""
    cookie, csrf = who
    c = http.client.HTTPConnection("localhost", site.port, timeout=10)
    c.request("POST", "/login", urllib.parse.urlencode({"csrf": csrf, "login": name, "password": password}),
              {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie, "Origin": site.url})
    r = c.getresponse()
    body = r.read().decode().replace(csrf, "CSRF").replace(name, "NAME")
    challenge = re.search(r'name="challenge" value="([^"]+)"', body)
    if challenge:  # a redirect has none
        body = body.replace(challenge.group(1), "CHALLENGE")
    c.close()
    return r.status, [(k, v) for k, v in r.getheaders() if k != "Date"], body


def login(site, name, password):
    return post(site, visitor(site), name, password)


def counted(site, name, password):
    who = visitor(site)
    return site.counted.work(lambda: post(site, who, name, password))


def test_same_bytes_and_work(site):
    def of(group, password):
        return [(p.login, password(p)) for p in PEOPLE[group]]

    cases = {
        "unknown": [(f"nobody00{i:02}", "wrong") for i in range(TRIES)],
        "no name at all": [(f"%%%%%%%%{i:02}", "wrong") for i in range(TRIES)],
        "enrolled": of("enrolled", lambda p: "wrong"),
        "enrolled, a code for a password": of("halfway", lambda p: "123456"),
        "unused letter": of("unused", lambda p: "wrong"),
        "disabled, right": of("disabled", lambda p: p.password),
        "disabled, the letter's": of("stopped", lambda p: site.initial(p.login)),
        "expired, right": of("expired", lambda p: p.password),
    }
    seen = {name: [counted(site, *t) for t in tries] for name, tries in cases.items()}
    said = {name: {repr(answer) for answer, _ in runs} for name, runs in seen.items()}
    assert len(set.union(*said.values())) == 1, said
    work = {name: tuple(min(c[k] for _, c in runs) for k in COUNTS) for name, runs in seen.items()}
    assert len(set(work.values())) == 1 and work["unknown"][0] == 1 and work["unknown"][4] == 0, (COUNTS, work)


def test_the_right_password_costs_the_same_hash(site):
    p = PEOPLE["halfway"][1]
    (status, _, _), right = counted(site, p.login, p.password)
    assert status == 303 and right["hashes"] == 1


def test_who_waits_and_an_unknown_name_that_waits(site):
    seen = {}
    waiting = "SELECT hex(owner), kind, lane FROM counter WHERE kind < 32 AND not_before >= ?"
    for name, password in ((WAITING.login, WAITING.password), ("somebody00", "wrong")):
        others = set(site.rows(waiting, 0))

        def waits():
            login(site, name, "wrong")
            return set(site.rows(waiting, time.time() + 2)) - others
        wait_until(waits, 20, f"{name} has to wait")
        site.write("UPDATE counter SET not_before = not_before + 60 WHERE kind < 32 AND not_before >= ?", int(time.time()))
        answer, work = counted(site, name, password)
        seen[name] = answer, {k: work[k] for k in COUNTS}
    assert seen[WAITING.login] == seen["somebody00"] and seen["somebody00"][1]["hashes"] == 1, seen
