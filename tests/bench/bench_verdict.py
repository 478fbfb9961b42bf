#!/usr/bin/python3
"""What a stranger's clock could tell: the time from a typed password, and from a typed code, to the next words, for names
that are unknown, wrong, unenrolled, disabled and waiting, and for the right one (until its verdict), at both doors; and from
Enter at the code's question to the second one, where a mail goes out or not. The classes take turns, one at a time. Issue: 1,000 each, medians within 5 % of the unknown name's; Kolmogorov-Smirnov beside it
(D and the probability of such a D if nothing differs).

    bench_verdict.py [--each N] [--check] [--enter]

--check: exit 1 if a median is farther off. KOSMO_BUILD: the build folder."""
import argparse
import base64
import csv
import http.client
import math
import pathlib
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "web"), str(HERE.parent / "pam"), str(HERE.parent)]
from browser import Site  # noqa: E402
from conftest import BUILD  # noqa: E402
from harness import Person, wait_until  # noqa: E402
from kosmo_wire import Client  # noqa: E402
from made import made  # noqa: E402

PASSWORD = "kiiro-no-zou-ga-tobu"
KEY = "a5010203262001215820" + "11" * 32 + "225820" + "22" * 32
CLASSES = ("unknown", "wrong", "unenrolled", "disabled", "waiting", "right")
ENTER = ("unknown", "wrong", "app", "passkey", "mail")  # the last one's way are codes by mail


def median(v):
    v = sorted(v)
    return (v[(len(v) - 1) // 2] + v[len(v) // 2]) / 2


def ks(a, b):
    """The two-sample statistic D, and its asymptotic significance."""
    a, b = sorted(a), sorted(b)
    i = j = 0
    d = 0.0
    while i < len(a) and j < len(b):
        x = min(a[i], b[j])
        while i < len(a) and a[i] <= x:
            i += 1
        while j < len(b) and b[j] <= x:
            j += 1
        d = max(d, abs(i / len(a) - j / len(b)))
    n = math.sqrt(len(a) * len(b) / (len(a) + len(b)))
    x = (n + 0.12 + 0.11 / n) * d
    p = 2 * sum((-1) ** (k - 1) * math.exp(-2 * k * k * x * x) for k in range(1, 101)) if x > 0.2 else 1.0
    return d, min(1.0, max(0.0, p))


def people(each):
    """Fresh people for each class and door, so that nobody waits who should not; all with one hash, made once."""
    hashed = subprocess.run(["perl", "-e", "print crypt($ARGV[0], '$y$j9T$bench0123456789$')", PASSWORD],
                            stdout=subprocess.PIPE, check=True).stdout.decode()
    assert hashed.startswith("$y$"), hashed
    rows = []
    for door in "pw":
        for name in ("wrong", "unenrolled", "disabled", "waiting", "right"):
            for i in range(1 if name == "waiting" else each):
                p = Person(f"{name}-{door}{i:04}")
                seed = "" if name == "unenrolled" else base64.b32encode(p.secret).decode()
                rows.append([p.login, f"Bench {i}", "1980-01-01", f"{p.login}@example.jp", "staff", hashed, seed])
    for name in ENTER[1:]:
        for i in range(each):
            p = Person(f"{name}-e{i:04}")
            seed = "" if name == "mail" else base64.b32encode(p.secret).decode()
            rows.append([p.login, f"Bench {i}", "1980-01-01", f"{p.login}@example.jp", "staff", hashed, seed])
    return rows


def enter(site, name, password, turn):
    """Seconds from Enter to the second question, and from what is typed there at once to the verdict. From an address of its
    own: where one is blocked no password is right."""
    with Client(site.socket) as c:
        c.ask("begin", {"phase": "auth", "service": "sshd", "user": name, "rhost": f"10.{turn >> 8}.{turn & 255}.1", "ruid": 0})
        assert c.ask("answer", {"text": password})[0] == "ask"
        start = time.perf_counter()
        assert c.ask("answer", {"text": ""})[0] == "ask"
        asked = time.perf_counter()
        assert c.ask("answer", {"text": "123456"})[1].get("verdict", "deny") == "deny"  # or it is asked once more
        return asked - start, time.perf_counter() - asked


def terminal(site, name, password, code):
    """Seconds from the password to the code's prompt, and from the code to the verdict."""
    with Client(site.socket) as c:
        c.ask("begin", {"phase": "auth", "service": "sshd", "user": name, "rhost": "203.0.113.9", "ruid": 0})
        start = time.perf_counter()
        assert c.ask("answer", {"text": password})[0] == "ask"
        asked = time.perf_counter()
        c.ask("answer", {"text": code})
        return asked - start, time.perf_counter() - asked


class Form:
    """One visitor's cookie and form token serve all, over one connection."""

    def __init__(self, site):
        self.http, self.site = http.client.HTTPConnection("localhost", site.port, timeout=30), site
        self.http.request("GET", "/login")
        r = self.http.getresponse()
        self.csrf = re.search(r'name="csrf" value="([^"]+)"', r.read().decode()).group(1)
        self.headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": site.url,
                        "Cookie": r.getheader("Set-Cookie").split(";")[0]}

    def post(self, name, password):
        body = urllib.parse.urlencode({"csrf": self.csrf, "login": name, "password": password})
        start = time.perf_counter()
        self.http.request("POST", "/login", body, self.headers)
        r = self.http.getresponse()
        r.read()
        assert r.status == 200, r.status
        return time.perf_counter() - start


def measure(site, each, r):
    """{what: {class: [seconds]}}"""
    found = {w: {c: [] for c in CLASSES if c != "right" or w == "terminal, password"}
             for w in ("terminal, password", "terminal, code", "login form")}
    form = Form(site)
    turns = [(c, i) for i in range(each) for c in CLASSES]
    r.shuffle(turns)
    for _ in range(4):
        terminal(site, "waiting-p0000", "wrong", "000000")
        form.post("waiting-w0000", "wrong")
    with sqlite3.connect(site.dir / "kosmo.db", timeout=10) as db:  # nobody else has guessed yet: these wait to the end
        db.execute("UPDATE counter SET not_before = ?", (int(time.time()) + 3600,))
    for c, i in turns:
        n = 0 if c == "waiting" else i
        right = c in ("unenrolled", "disabled", "waiting", "right")
        p = Person(f"{c}-p{n:04}")
        password, code = terminal(site, f"nobody{i:04}" if c == "unknown" else p.login, PASSWORD if right else "wrong",
                                  p.code() if c in ("disabled", "waiting", "right") else "123456")
        found["terminal, password"][c].append(password)
        if c != "right":
            found["terminal, code"][c].append(code)
            name = f"nowhere{i:04}" if c == "unknown" else f"{c}-w{n:04}"
            found["login form"][c].append(form.post(name, PASSWORD if c in ("disabled", "waiting") else "wrong"))
    return found


def measure_enter(site, each, r):
    found = {w: {c: [] for c in ENTER} for w in ("terminal, Enter", "terminal, mailed code")}
    turns = [(c, i) for i in range(each) for c in ENTER]
    r.shuffle(turns)
    for turn, (c, i) in enumerate(turns):
        asked, verdict = enter(site, f"noone{i:04}" if c == "unknown" else f"{c}-e{i:04}", "wrong" if c == "wrong" else PASSWORD, turn)
        found["terminal, Enter"][c].append(asked)
        found["terminal, mailed code"][c].append(verdict)
    wait_until(lambda: site.rows("SELECT count(*) FROM outbox")[0][0] == each, 5, f"{each} mails: the last comes after its verdict")
    return found


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--each", type=int, default=1000)
    a.add_argument("--check", action="store_true")
    a.add_argument("--enter", action="store_true", help="the step with a mail alone")
    a = a.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kosmo-bench-"))
    folder.chmod(0o755)
    made("pam", "put_mailcode", "put_passkey")
    site = Site(folder, [])
    missed = []
    try:
        rows = people(a.each)
        sheet = folder / "people.csv"
        with open(sheet, "w", encoding="utf-8", newline="") as f:
            w = csv.writer(f)
            w.writerow(["login", "name", "birth_date", "email", "role", "password", "totp_secret"])
            w.writerows(rows)
        site.ctl("import", "--passwords", folder / "passwords.csv", sheet)
        for row in rows:
            if row[0].startswith("disabled"):
                site.ctl("user", "disable", row[0])
        subprocess.run([BUILD / "tests/pam/put_mailcode", site.conf, *(row[0] for row in rows if row[0].startswith("mail-"))], check=True)
        for i in range(a.each):
            subprocess.run([BUILD / "tests/pam/put_passkey", site.conf, f"passkey-e{i:04}", f"{i:064x}", KEY], check=True)
        site.start()
        found = {} if a.enter else measure(site, a.each, random.Random(1))
        found |= measure_enter(site, a.each, random.Random(2))
        print(f"{'':22}{'':12}{'n':>6}{'median ms':>11}{'of unknown':>12}{'KS D':>8}{'p':>8}")
        for what, classes in found.items():
            for c, v in classes.items():
                ratio = median(v) / median(classes["unknown"])
                d, p = ks(v, classes["unknown"])
                print(f"{what:22}{c:12}{len(v):6}{1000 * median(v):11.3f}{ratio:12.3f}{d:8.3f}{p:8.3f}")
                if abs(ratio - 1) > 0.05:
                    missed.append(f"{what}: {c} takes {ratio:.3f} times an unknown name's time (0.95 to 1.05)")
    finally:
        site.stop()
        shutil.rmtree(folder, ignore_errors=True)
    for m in missed:
        print("missed:", m)
    return 1 if missed and a.check else 0


if __name__ == "__main__":
    sys.exit(main())
