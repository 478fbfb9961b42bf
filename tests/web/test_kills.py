"""Keeper, site, mailer and kosmoctl are killed at random moments while people enrol, log in and are administered: what was
acknowledged is there and works, no code is taken twice."""
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

import pytest
from browser import BUILD, ENROLLD, Site, app_code, mailed
from crowd import Crowd, dialogue
from harness import KEEPER, KOSMOCTL, Person, Process, accepts, wait_until

MAILER = BUILD / "enroll/kosmo-mailer"
BIRTH = "1980-01-01"
BROKEN = (OSError, EOFError, http.client.HTTPException)


class Programs:
    """Each by itself, so that one can be killed without the others; whoever is gone is started again."""

    def __init__(self, site):
        self.site, self.kills = site, 0
        # the site is given its socket: else it would start a keeper of its own where it finds none
        self.command = {"keeper": [KEEPER], "mailer": [MAILER],
                        "enrolld": ["systemd-socket-activate", "-l", f"127.0.0.1:{site.port}", "--fdname=http", ENROLLD]}
        self.running = {}

    def start(self, name):
        self.running[name] = Process([*self.command[name], "-c", self.site.conf], self.site.dir / f"{name}.log")

    def start_all(self):
        self.start("keeper")
        wait_until(lambda: accepts(socket.AF_UNIX, str(self.site.dir / "run/web.sock")), 20, "keeper")
        self.start("mailer")
        wait_until(lambda: accepts(socket.AF_UNIX, str(self.site.dir / "run/mail.sock")), 20, "mailer")
        self.start("enrolld")
        wait_until(lambda: accepts(socket.AF_INET, ("127.0.0.1", self.site.port)), 20, "enrolld")

    def kill(self, name):
        p = self.running[name]
        assert p.alive(), f"{name} had ended by itself: {p.log.read_text()[-2000:]}"
        p.p.kill()
        p.p.wait()
        self.kills += 1
        self.start(name)

    def stop(self):
        for name in ("enrolld", "mailer", "keeper"):
            if name in self.running:
                self.running[name].end()


class Enrolment:
    """A person with a letter, who goes on from whatever page they find themselves at, and begins again where all is lost."""

    def __init__(self, site, p, initial, dice):
        self.site, self.p, self.initial, self.dice = site, p, initial, dice
        self.own = f"mikan densha {dice.randrange(10**9)} ya"
        self.cookie, self.key, self.codes = None, None, []
        self.own_set, self.own_tried, self.done, self.acknowledged = False, False, False, set()
        self.addressed, self.steps, self.csrf, self.mailed = 0, set(), "", None

    def request(self, method, path, fields=None):
        """(path of the redirect or None, body)."""
        c = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=15)
        try:
            headers = {"Host": f"localhost:{self.site.port}", "Cookie": f"kosmo={self.cookie}; kosmo-lang=en" if self.cookie else ""}
            body = None
            if fields is not None:
                headers |= {"Origin": self.site.url, "Content-Type": "application/x-www-form-urlencoded"}
                body = urllib.parse.urlencode({"csrf": self.csrf, **fields})
            c.request(method, path, body, headers)
            r = c.getresponse()
            text = r.read().decode()
            for cookie in r.headers.get_all("Set-Cookie") or []:
                if cookie.startswith("kosmo="):
                    self.cookie = cookie.split(";")[0][6:] or None
            if r.status >= 500:
                raise http.client.HTTPException(f"{r.status}")
            found = re.search(r'name="csrf" value="([^"]+)"', text)
            self.csrf = found.group(1) if found else self.csrf
            return (r.headers["Location"] if r.status in (302, 303) else None), text
        finally:
            c.close()

    def page(self):
        """Follows home to where this person has to go: (path, body)."""
        path, text = "/", ""
        for _ in range(6):
            at, text = self.request("GET", path)
            if at is None:
                return path.split("?")[0], text
            path = at
        raise AssertionError(f"redirects without end at {path}")

    def post(self, path, **fields):
        """The redirect that says it was done; None: the page again."""
        at = self.request("POST", path, fields)[0]
        if at is None or "n=expired" in at:
            return None
        self.acknowledged.add(path)
        return at

    def newest(self, seconds=25):
        """The code of the newest mail, also one that was read before its answer got lost. None: none has come."""
        end = time.monotonic() + seconds
        while True:
            try:
                self.mailed = mailed(self.site.mail(self.p.login, 0.1))[0] or self.mailed
            except AssertionError:
                if self.mailed or time.monotonic() > end:
                    return self.mailed

    def by_mail(self, path, again):
        """Types the mailed code; what was refused is not typed twice, for there are five tries an hour."""
        code = self.newest()
        if code is None:
            self.post(again)
        elif self.post(path, code=code) is None:
            self.mailed = None

    def code(self):
        """The app's code of a step that was not tried yet."""
        while True:
            step = int(time.time()) // 30
            for s in (step - 1, step, step + 1):
                if s not in self.steps and time.time() % 30 < 27 and all(s > t for t in self.steps):
                    self.steps.add(s)
                    return app_code(self.key, s * 30)
            time.sleep(0.5)

    def step(self):
        path, text = self.page()
        # what was said to be done is not asked for again
        assert path not in self.acknowledged & {"/first/birth-date", "/first/terms", "/first/method", "/first/password", "/app"}, path
        assert not (path.startswith("/first/email") and "/first/email/code" in self.acknowledged)
        if path == "/login":
            own = self.own_set or self.dice.random() < 0.5 and self.own_tried
            self.post("/login", login=self.p.login, password=self.own if own else self.initial) or time.sleep(1.1)
        elif path == "/login/mail":
            self.by_mail("/login/mail", "/login/mail/again")
        elif path == "/login/code":
            self.post("/login/code", code=self.code())
        elif path == "/first/birth-date":
            self.post(path, birth_date=BIRTH)
        elif path == "/first/terms":
            self.post(path, agree="1")
        elif path in ("/first/email", "/first/email/sent"):
            if path == "/first/email" and not self.addressed:
                self.addressed += self.post("/first/email", email=f"{self.p.login}@example.jp") is not None
            self.by_mail("/first/email/code", "/first/email/again")
            if self.mailed is None and path == "/first/email":
                self.post("/first/email", email=f"{self.p.login}@example.jp")
        elif path == "/first/method":
            self.post(path, method="app")
        elif path == "/first/password":
            self.own_tried = True
            self.own_set = self.post(path, new=self.own, again=self.own) is not None or self.own_set
        elif path == "/first/done":
            self.post(path, next="app")
        elif path == "/app":
            self.key = re.search(r'id="key">([^<]+)<', text).group(1).replace(" ", "")
            self.own_set = True
            self.post("/app", code=self.code(), name="phone")
        elif path == "/recovery":
            self.codes = re.findall(r"<code>([0-9a-z-]{15})</code>", text)
            self.post(path)
        elif path == "/account":
            return True
        else:
            raise AssertionError(path)
        return False

    def p_with(self):
        """As the terminal knows this person by now."""
        self.p.password = self.own
        return self.p

    def go(self, stop):
        while not stop():
            try:
                self.done = self.done or self.step()
                if self.done:
                    return
            except BROKEN:
                time.sleep(0.1)


class Soak:
    def __init__(self, site, programs, crowd, members, seed):
        self.site, self.programs, self.crowd, self.seed = site, programs, crowd, seed
        self.failures, self.over = [], threading.Event()
        self.allowed, self.names, self.enrolments, self.added = [], {}, [], []
        self.members, self.ctl_running, self.ctl_lock = members, None, threading.Lock()
        self.broken = 0

    def run(self, work):
        try:
            work(random.Random(f"{self.seed} {threading.current_thread().name}"))
        except BaseException as e:  # noqa: BLE001
            self.failures.append(f"{work.__name__}: {e!r}")
            self.over.set()

    def logins(self, dice):
        while not self.over.is_set():
            p, code = self.crowd.take()
            step = self.crowd.step[p]
            for _ in range(2):  # the second time nobody knows whether the first was taken, or everybody does
                try:
                    if dialogue(self.site.socket, p, code) == "allow":
                        self.allowed.append((p.login, step))
                except BROKEN:
                    self.broken += 1
                    time.sleep(0.05)
                time.sleep(1.2 * (dice.random() < 0.3))
            self.crowd.give(p)

    def enrol(self, dice):
        while not self.over.is_set() and self.members:
            p = self.members.pop()
            e = Enrolment(self.site, p, self.site.initial(p.login), dice)
            self.enrolments.append(e)
            e.go(self.over.is_set)

    def administer(self, dice):
        """One person's name is set again and again; others are added."""
        n = 0
        while not self.over.is_set():
            n += 1
            p, name = dice.choice(self.crowd.people), f"Name {n}"
            words = ["user", "set", p.login, "--name", name]
            if n % 4 == 0:
                p, words = Person(f"added{n}"), ["user", "add", f"added{n}", "--birth-date", BIRTH, "--passwords", self.site.dir / f"pw{n}.csv"]
            q = subprocess.Popen([KOSMOCTL, "-c", self.site.conf, *words], cwd=self.site.dir, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.PIPE)
            with self.ctl_lock:
                self.ctl_running = q
            if words[1] == "set":  # what it was known to be, and what it may be since
                self.names.setdefault(p.login, [f"Test {p.login}"]).append(name)
            err = q.communicate()[1]
            with self.ctl_lock:
                self.ctl_running = None
            if q.returncode == 0 and words[1] == "set":
                self.names[p.login] = [name]  # from here on it is this, or a later one
            elif q.returncode == 0:
                self.added.append(p.login)
            elif q.returncode != -signal.SIGKILL:
                assert q.returncode == 4, (words, err)  # busy

    def murder(self, dice, kills, pause):
        ctl = 0
        while self.programs.kills + ctl < kills and not self.over.is_set():
            time.sleep(dice.random() * 2 * pause)
            who = dice.choice(["keeper"] * 4 + ["enrolld", "enrolld", "mailer", "kosmoctl"])
            if who != "kosmoctl":
                self.programs.kill(who)
                continue
            with self.ctl_lock:
                if self.ctl_running is not None:
                    self.ctl_running.kill()
                    ctl += 1
        self.killed = self.programs.kills + ctl
        self.over.set()


def finish_enrolments(s):
    """In peace: whoever was on the way comes to the end, with what was acknowledged."""
    end = time.monotonic() + 240  # the outbox tries a mail again after 10, 20, 40... s
    threads = [threading.Thread(target=s.run, args=(lambda dice, e=e: e.go(lambda: time.monotonic() > end),))
               for e in s.enrolments if not e.done]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not s.failures, s.failures


def check(s):
    site = s.site
    assert len(s.allowed) == len(set(s.allowed)), "a code was taken twice"
    whole = subprocess.run([KOSMOCTL, "-c", site.conf, "store", "check"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert whole.returncode == 0, whole.stdout
    site.ctl("audit", "--verify")
    events = [(a["event"], a["login"]) for a in json.loads(site.ctl("audit", "--json", "--limit", "1000000"))]
    for login in {l for l, _ in s.allowed}:
        acknowledged = sum(a == login for a, _ in s.allowed)
        assert events.count(("login.allow", login)) >= acknowledged, login
    people = {p["login"]: p for p in json.loads(site.ctl("user", "list", "--json"))}
    for login, names in s.names.items():
        assert people[login]["name"] in names, login
    assert set(s.added) <= set(people)
    for i, e in enumerate(s.enrolments):
        assert e.done, (e.p.login, e.page()[0])
        here = f"198.51.100.{i % 250 + 1}"  # the crowd's replays may have shut their own address
        assert dialogue(site.socket, e.p_with(), e.code(), rhost=here) == "allow", e.p.login
        if e.codes:
            assert len(e.codes) == 10
            wait = [dialogue(site.socket, e.p_with(), e.codes[3], rhost=here) for _ in range(2)]
            assert wait == ["allow", "deny"], (e.p.login, wait)
    known = {"key", "kosmo.conf", "kosmo.conf.d", "kosmo.db", "kosmo.db-wal", "kosmo.db-shm", "run", "site", "mail", "people.csv", "passwords.csv",
             "keeper.log", "mailer.log", "enrolld.log"}
    left = {f.name for f in site.dir.iterdir()} - known
    assert not {f for f in left if not f.startswith("pw")}, left
    assert {f.name for f in (site.dir / "run").iterdir()} <= {"auth.sock", "web.sock", "mail.sock"}


@pytest.mark.parametrize("kills,people,enrolling,pause", [
    (40, 36, 12, 0.1), pytest.param(1000, 300, 150, 0.22, marks=pytest.mark.soak)])
def test_killed_at_random(kills, people, enrolling, pause):
    seed = os.environ.get("KOSMO_SEED", str(random.SystemRandom().randrange(1 << 32)))
    print(f"KOSMO_SEED={seed}")
    seconds = [time.monotonic()]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kosmo-"))
    crowd = Crowd(people)
    members = [Person(f"e{i:03}", password=False, seed=False) for i in range(enrolling)]
    site = Site(folder, crowd.people + members, "mail.from = no-reply@example.jp\n")
    programs = Programs(site)
    try:
        programs.start_all()
        seconds.append(time.monotonic())
        s = Soak(site, programs, crowd, members, seed)
        threads = [threading.Thread(target=s.run, args=(w,), name=f"{w.__name__} {i}")
                   for i, w in enumerate([s.logins] * 5 + [s.enrol] * 4 + [s.administer])]
        for t in threads:
            t.start()
        s.run(lambda dice: s.murder(dice, kills, pause))
        for t in threads:
            t.join()
        assert not s.failures, s.failures
        seconds.append(time.monotonic())
        finish_enrolments(s)
        seconds.append(time.monotonic())
        check(s)
        seconds.append(time.monotonic())
        print(f"{s.killed} killed, {s.broken} dialogues broken off, {len(s.allowed)} logins and {len(s.enrolments)} enrolments "
              f"acknowledged, {len(s.added)} people added; setting up, killing, coming to an end and checking took "
              f"{', '.join(f'{b - a:.0f}' for a, b in zip(seconds, seconds[1:]))} s")
        assert s.killed >= kills and s.allowed and s.enrolments and s.broken
    finally:
        programs.stop()
        shutil.rmtree(folder, ignore_errors=True)
