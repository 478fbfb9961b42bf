"""The keeper's web door over the wire, without enrolld and browser: every action in every state of a session, forged forms,
requests that meet, and a clock that moves."""
import csv
import email
import email.policy
import pathlib
import re
import select
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "pam"))

from conftest import BUILD, SANITIZED  # noqa: E402
from harness import CLOCK_SHIM, Instance, Person, Process, accepts, wait_until  # noqa: E402
from kosmo_wire import Client, encode, receive  # noqa: E402

import socket  # noqa: E402

MAILER = BUILD / "enroll/kosmo-mailer"
NEW = "mikan to densha 27"


class Member(Person):
    """From the letter: an initial password and nothing else."""

    def __init__(self, login, role="member"):
        super().__init__(login, role, password=False, seed=False)


class Door(Instance):
    def __init__(self, folder, people):
        super().__init__(folder, people)
        self.url = re.search(r"^url *= *(\S+)", self.conf.read_text(), re.M).group(1)
        self.web, self.mailer, self.seen = self.dir / "run/web.sock", None, set()
        self.clock = self.dir / "clock"
        source, self.shim = self.dir / "shim.c", self.dir / "shim.so"
        source.write_text(CLOCK_SHIM)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", self.shim, source, "-ldl"], check=True)
        self.move_clock(0)

    def move_clock(self, seconds, still=False):
        self.offset = seconds
        fixed = int(self.now()) if still else 0
        data = struct.pack("=qq", seconds, fixed)
        if self.clock.exists():
            with open(self.clock, "r+b") as f:
                f.write(data)
        else:
            self.clock.write_bytes(data)
            self.clock.chmod(0o644)

    def now(self):
        return time.time() + self.offset

    def start(self, env=None, mailer=True):
        if mailer:
            self.mailer = Process([MAILER, "-c", self.conf], self.dir / "mailer.log")
        env = {"LD_PRELOAD": str(self.shim), "CLOCK_FILE": str(self.clock), **(env or {})}
        if SANITIZED:
            env["ASAN_OPTIONS"] = "verify_asan_link_order=0"
        super().start(env)
        wait_until(lambda: accepts(socket.AF_UNIX, str(self.web)), 10, "web.sock")

    def stop(self):
        if self.mailer is not None:
            self.mailer.end()
            self.mailer = None
        return super().stop()

    def notice(self, to):
        """The next mail to this login is one that only tells."""
        code, link = self.mail(to)
        assert code is None and link is None

    def mail(self, to, seconds=15):
        """(code, link token) of the next mail to this login."""
        found = []

        def look():
            for p in sorted((self.dir / "mail/new").iterdir(), key=lambda p: p.stat().st_mtime_ns):
                m = email.message_from_bytes(p.read_bytes(), policy=email.policy.default)
                if p.name not in self.seen and m["To"].addresses[0].addr_spec == f"{to}@example.jp":
                    self.seen.add(p.name)
                    found.append(m.get_content())
                    return True
            return False

        wait_until(look, seconds, f"a mail to {to}")
        code = re.search(r"^\s+(\d{6})\s*$", found[0], re.M)
        link = re.search(r"/mail/(\S+)", found[0])
        return code and code.group(1), link and link.group(1)


class Visitor:
    """A browser: one cookie, the last page's CSRF token."""

    def __init__(self, door, person=None):
        self.door, self.person = door, person
        self.cookie, self.csrf, self.pair = None, None, None
        self.client = Client(door.web)

    def raw(self, action, verb, /, csrf=None, origin=None, cookie=None, **fields):
        kind, view = self.client.ask("web", {
            "action": action, "method": verb, "session": cookie, "csrf": csrf, "origin": origin, "addr": "192.0.2.7",
            "agent": "test", "lang": "en", "secure": "0", **{f"f.{k.rstrip('_')}": v for k, v in fields.items()}})
        assert kind == "view"
        return view

    def take(self, view):
        if "cookie.session" in view:
            self.cookie = view["cookie.session"]
        self.csrf = view.get("v.csrf", self.csrf)
        return view

    def get(self, action, /, **fields):
        return self.take(self.raw(action, "GET", cookie=self.cookie, **fields))

    def post(self, action, /, **fields):
        if self.csrf is None:
            self.get("login")
        return self.take(self.raw(action, "POST", csrf=self.csrf, origin=self.door.url, cookie=self.cookie, **fields))

    def page(self):
        """Where home leads."""
        return self.get("home")["redirect"]

    def copy(self):
        other = Visitor(self.door, self.person)
        other.cookie, other.csrf = self.cookie, self.csrf
        return other

    # ---- ways to states ----

    def log_in(self, password=None):
        p = self.person
        password = password or p.password or self.door.initial(p.login)
        view = self.post("login", login=p.login, password=password)
        assert "redirect" in view, view
        return self

    def code(self):
        """A code that was not used yet; it moves the clock rather than wait."""
        last = getattr(self.person, "last_step", 0)
        self.door.move_clock(self.door.offset + max(0, 30 * (last + 1) - int(self.door.now())))
        self.person.last_step = int(self.door.now()) // 30
        return self.person.code(at=self.door.now())

    def factor(self):
        assert self.post("code", code=self.code())["redirect"] == "/"
        return self

    def birth(self):
        assert self.post("birth", birth_date="1980-01-01")["redirect"] == "/"
        return self

    def terms(self):
        assert self.post("terms", agree="1")["redirect"] == "/"
        return self

    def email(self):
        assert self.post("email", email=f"{self.person.login}@example.jp")["redirect"] == "/first/email/sent"
        self.pair = self.get("email.sent")["v.pair"]
        return self

    def verify(self):
        code, self.token = self.door.mail(self.person.login)
        assert self.post("email.code", code=code)["redirect"] == "/"
        return self

    def method(self, which="app"):
        assert self.post("method", method=which)["redirect"] == "/"
        return self

    def own_password(self):
        assert self.post("own-password", new=NEW, again=NEW)["redirect"] == "/first/done"
        self.person.password = NEW
        return self

    def register(self):
        assert self.post("done", next="app")["redirect"] == "/app"
        return self.register_app()

    def register_app(self):
        import base64
        key = self.get("app")["v.key"].replace(" ", "")
        self.person.secret = base64.b32decode(key + "=" * (-len(key) % 8))
        assert self.post("app", code=self.code(), name="phone")["redirect"] == "/"
        return self

    def register_mail(self):
        assert self.post("done", next="mail")["redirect"] == "/mailcode"
        code, _ = self.door.mail(self.person.login)
        assert self.post("mailcode", code=code)["redirect"] == "/account?n=mail-added"
        self.door.notice(self.person.login)
        return self

    def saved(self):
        assert self.post("recovery", saved="1")["redirect"] == "/"
        return self

    def unproven(self):
        self.door.move_clock(self.door.offset + 601)
        return self

    def authenticator(self):
        view = self.get("account")
        return view["v.authenticators.0.id"]


def served(members, staff):
    """A door with so many people of each kind, for a fixture to yield from; .members and .staff give each once."""
    folder = tempfile.mkdtemp(prefix="kosmo-")
    people = [Member(f"m{i:03d}") for i in range(members)] + [Person(f"s{i:03d}") for i in range(staff)]
    d = Door(folder, people)
    d.members = iter([p for p in people if isinstance(p, Member)])
    d.staff = iter([p for p in people if not isinstance(p, Member)])
    d.start()
    yield d
    d.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def door():
    yield from served(60, 30)


def member(door):
    return Visitor(door, next(door.members))


def staff(door):
    return Visitor(door, next(door.staff))


def guarded(door):
    """An unfinished enrolment, its address verified, in a new session."""
    v = member(door).log_in().birth().terms().email().verify()
    v = Visitor(door, v.person).log_in()
    assert v.page() == "/login/mail"
    return v


def by_mail(door):
    """In, with mailed codes as the only way; some time ago, so that the next code may be sent."""
    v = member(door).log_in().birth().terms().email().verify().method("mail").own_password().register_mail()
    door.move_clock(door.offset + 61)
    return v


def full(door):
    return staff(door).log_in().factor().birth().terms().email().verify()


# How each state is reached, where home leads in it, and what may be called in it besides what anybody may.
STATES = {
    "visitor": (lambda d: Visitor(d, next(d.members)), "/login", {"login"}),
    "factor due": (lambda d: staff(d).log_in(), "/login/code", {"login", "code", "another"}),
    "mailed code due": (lambda d: Visitor(d, by_mail(d).person).log_in(), "/login/mail-code",
                        {"login", "code", "login.mail", "login.mail.again", "another"}),
    "guard due": (guarded, "/login/mail", {"login", "guard", "guard.again"}),
    "birth": (lambda d: member(d).log_in(), "/first/birth-date", {"birth", "recovery"}),
    "terms": (lambda d: member(d).log_in().birth(), "/first/terms", {"terms", "recovery"}),
    "email": (lambda d: member(d).log_in().birth().terms(), "/first/email",
              {"email", "email.sent", "email.code", "email.again", "recovery"}),
    "email sent": (lambda d: member(d).log_in().birth().terms().email(), "/first/email",
                   {"email", "email.sent", "email.code", "email.again", "recovery"}),
    "method": (lambda d: member(d).log_in().birth().terms().email().verify(), "/first/method", {"method", "recovery"}),
    "password": (lambda d: member(d).log_in().birth().terms().email().verify().method(), "/first/password",
                 {"own-password", "recovery"}),
    "app": (lambda d: member(d).log_in().birth().terms().email().verify().method().own_password(), "/app",
            {"done", "app", "app.qr", "recovery", "method", "mailcode", "mailcode.again"}),
    "codes shown": (lambda d: member(d).log_in().birth().terms().email().verify().method().own_password().register(),
                    "/recovery", {"app", "app.qr", "app.cancel", "recovery", "recovery.new", "account", "rename", "remove",
                                  "password", "confirm", "confirm.another", "mailcode", "mailcode.again", "sessions",
                              "session.end", "sessions.end"}),
    "wizard after a factor": (lambda d: staff(d).log_in().factor(), "/first/birth-date", {"birth", "recovery"}),
    "in": (full, "/account", {"app", "app.qr", "app.cancel", "recovery", "recovery.new", "account", "rename", "remove",
                              "password", "confirm", "confirm.another", "mailcode", "mailcode.again", "sessions",
                              "session.end", "sessions.end"}),
    "in, proof too old": (lambda d: full(d).unproven(), "/account",
                          {"app.cancel", "recovery", "account", "rename", "password", "confirm", "confirm.another", "sessions",
                           "session.end", "sessions.end"}),
    "in by mail": (lambda d: by_mail(d), "/account",
                   {"app", "app.qr", "app.cancel", "recovery", "recovery.new", "account", "rename", "remove", "password",
                    "confirm", "confirm.mail", "confirm.mail.again", "confirm.another", "sessions", "session.end", "sessions.end"}),
}
ANYBODY = {"home", "logout", "logout.ask", "email.state", "link", "link.confirm"}
# The methods of each action, and a form that would do something where it is due.
ACTIONS = {
    "home": ("GET", {}), "login": ("GET POST", None), "logout": ("POST", {}), "logout.ask": ("GET", {}),
    "code": ("GET POST", None), "guard": ("GET POST", None), "guard.again": ("POST", {}),
    "birth": ("GET POST", {"birth_date": "1980-01-01"}), "terms": ("GET POST", {"agree": "1"}),
    "email": ("GET POST", {"email": "x@example.jp"}), "email.sent": ("GET", {}), "email.code": ("POST", {"code": "123456"}),
    "email.again": ("POST", {}), "email.state": ("GET", {}), "method": ("GET POST", {"method": "app"}),
    "own-password": ("GET POST", {"new": "sakura no ki 31", "again": "sakura no ki 31"}),
    "done": ("GET POST", {"next": "logout"}), "link": ("GET", {"token": "x"}), "link.confirm": ("POST", None),
    "app": ("GET POST", {"start": "1"}), "app.qr": ("GET", {}), "app.cancel": ("POST", {}),
    "recovery": ("GET POST", {"saved": "1"}), "recovery.new": ("POST", {}), "account": ("GET", {}),
    "rename": ("GET POST", {"name": "other"}), "remove": ("GET POST", {"confirm": "1"}),
    "password": ("GET POST", None), "confirm": ("GET POST", None), "sessions": ("GET", {}),
    "session.end": ("POST", {"id": "0" * 32}), "sessions.end": ("POST", {}),
    "login.mail": ("GET POST", None), "login.mail.again": ("POST", {}), "another": ("GET POST", {"code": "x"}),
    "mailcode": ("GET POST", {"code": "123456"}), "mailcode.again": ("POST", {}),
    "confirm.mail": ("GET POST", {"code": "123456"}), "confirm.mail.again": ("POST", {}),
    "confirm.another": ("GET POST", {"code": "x"}),
}


def form(v, action, state):
    p = v.person
    if action in ("rename", "remove"):
        ids = v.door.rows("SELECT a.id FROM authenticator a JOIN person p ON p.id = a.person WHERE p.login = ?", p.login)
        return {"id": ids[0][0].hex() if ids else "0" * 32, **ACTIONS[action][1]}
    if action == "login":
        return {"login": p.login, "password": p.password or v.door.initial(p.login)}
    if action in ("code", "confirm"):
        return {"code": p.code(at=v.door.now()) if p.secret else "123456"}
    if action in ("guard", "login.mail"):
        return {"code": v.mailed}
    if action == "link.confirm":
        return {"token": v.mailed_token, "pair": v.pair or "10"}
    if action == "password":
        return {"current": p.password or "x", "new": "sakura no ki 31", "again": "sakura no ki 31"}
    return ACTIONS[action][1]


def reached(door, state):
    make, home, allowed = STATES[state]
    v = make(door)
    assert v.page() == home, v.page()
    v.mailed, v.mailed_token = "123456", "x" * 43
    if state in ("guard due", "email sent", "mailed code due"):
        code, token = door.mail(v.person.login)
        v.mailed, v.mailed_token = code, token or v.mailed_token
    return v, home, allowed | ANYBODY


@pytest.mark.parametrize("state", STATES)
def test_what_is_not_due_changes_nothing_and_leads_on(door, state):
    v, home, allowed = reached(door, state)
    before = door.snapshot()
    for action, (methods, _) in ACTIONS.items():
        for method in methods.split():
            if action in allowed:
                continue
            fields = form(v, action, state)
            view = v.get(action, **fields) if method == "GET" else v.post(action, **fields)
            to = view.get("redirect")
            to = re.sub(r"[?&]n=(idle|moved)$", "", to)  # why it leads there
            assert to == home or state == "in, proof too old" and to.startswith("/account/confirm?next=/"), (action, view)
    assert door.snapshot() == before
    assert v.page() == home


@pytest.mark.parametrize("state", STATES)
def test_looking_changes_nothing(door, state):
    v, home, allowed = reached(door, state)
    before = door.snapshot()
    for action in sorted(allowed):
        for _ in range(2):
            v.get(action, **(form(v, action, state) or {}))
    assert door.snapshot() == before
    assert v.page() == home


@pytest.mark.parametrize("state", STATES)
def test_forged_forms_change_nothing(door, state):
    v, home, allowed = reached(door, state)
    stranger = Visitor(door)
    stranger.get("login")
    url = door.url
    v.get("login")
    forged = [dict(csrf=None, origin=url), dict(csrf="", origin=url), dict(csrf="x", origin=url),
              dict(csrf=v.csrf[:-1], origin=url), dict(csrf=v.csrf + "A", origin=url), dict(csrf=stranger.csrf, origin=url),
              dict(csrf=v.csrf, origin=None), dict(csrf=v.csrf, origin="null"), dict(csrf=v.csrf, origin="http://evil.example"),
              dict(csrf=v.csrf, origin=url + "/"), dict(csrf=v.csrf, origin=url + "0"), dict(csrf=v.csrf, origin="")]
    before = door.snapshot()
    for action in sorted(allowed):
        if "POST" not in ACTIONS[action][0]:
            continue
        for f in forged:
            view = v.raw(action, "POST", cookie=v.cookie, **f, **form(v, action, state))
            again = "n=expired" in view.get("redirect", "") or "open for too long" in view.get("v.notice", "")
            refused = view.get("status") == "403" if f["origin"] != url else again
            assert refused, (action, f, view)
            assert "cookie.session" not in view, (action, f, view)
    assert door.snapshot() == before
    assert v.page() == home


@pytest.mark.parametrize("cookie", ["", "x", "x" * 42, "x" * 43, "x" * 44, "é" * 20, "-" * 43, "x" * 43 + "=", "a" * 5000])
def test_a_cookie_of_nobody_is_nobody(door, cookie):
    v = Visitor(door)
    before = door.snapshot()
    for action, (methods, _) in ACTIONS.items():
        if action in ANYBODY or action == "login":
            continue
        assert v.raw(action, "GET", cookie=cookie)["redirect"] in ("/login", "/login?n=idle")
    assert door.snapshot() == before


def test_unknown_actions_and_odd_messages_are_refused(door):
    v = Visitor(door)
    before = door.snapshot()
    for action in ("", "Login", "login ", "../login", "x" * 1000):
        assert v.raw(action, "POST", csrf="x", origin=door.url)["status"] == "500"
    kind, view = v.client.ask("begin", {"phase": "auth", "service": "x", "user": "m000"})
    assert (kind, view["status"]) == ("view", "500")
    for login in ("m000\0", "m000" + "\0" * 3):  # a NUL is no text
        v.get("login")
        assert "e.login" in v.post("login", login=login.encode(), password="x")
    big = v.post("login", login="<" * 90000, password="x")
    assert big.get("page") in ("login", "error")
    assert {k: n for k, n in door.snapshot().items() if k not in ("audit", "audit_mark", "counter")} == \
        {k: n for k, n in before.items() if k not in ("audit", "audit_mark", "counter")}


# ---- sessions ----


def test_each_login_and_proof_gives_a_new_token_and_ends_the_old_one(door):
    v = staff(door)
    v.get("login")
    tokens = [v.cookie]
    for step in (v.log_in, v.factor):
        step()
        assert v.cookie not in tokens
        old = v.copy()
        old.cookie = tokens[-1]
        assert old.get("account").get("redirect") == "/login?n=idle"
        tokens.append(v.cookie)
    v.birth().terms().email().verify().unproven()
    assert v.post("confirm", code=v.code(), next="/app")["redirect"] == "/app"
    old = v.copy()
    old.cookie = tokens[-1]
    assert old.page() == "/login"
    assert v.page() == "/account"
    v.post("logout")
    assert v.page() == "/login"


def test_a_form_that_was_open_too_long_comes_again(door):
    """With what was typed; where the browser keeps no cookies, that is said; where the session has ended, too."""
    v = member(door).log_in().birth().terms()
    v.get("email")
    old = v.raw("email", "POST", csrf="x" * 43, origin=door.url, cookie=v.cookie, email="hanako@example.jp")
    assert (old["page"], old["v.email"]) == ("email", "hanako@example.jp") and "open for too long" in old["v.notice"]
    again = v.take(old) and v.post("email", email=old["v.email"])
    assert again["redirect"] == "/first/email/sent"
    assert v.post("terms", agree="1")["redirect"] == "/first/email?n=moved"
    assert "done already" in v.get("email", n="moved")["v.notice"]
    old = v.raw("login", "POST", csrf=v.csrf, origin=door.url, login="hanako", password="secret")
    assert old["redirect"] == "/login?n=cookies"
    off = v.raw("login", "GET", n="cookies")
    assert (off["page"], off["status"], off["v.button_href"], off["v.cookies"]) == ("error", "400", "/login", "1")
    assert "open for too long" in v.raw("login", "GET", cookie=old["cookie.session"], n="cookies")["v.notice"]
    door.move_clock(door.offset + 3600)
    assert v.get("email")["redirect"] == "/login?n=idle"
    assert "logged out when nothing happens" in v.get("login", n="idle")["v.notice"]


def test_a_clock_that_is_off_is_said(door):
    """At the login and at a step-up after two codes of the same clock, never after one; at registering at once. No code is
    taken for it, and the right one of the right time stays right."""
    for by, words in (240, "about 4 minutes fast"), (-600, "about 10 minutes slow"):
        v = staff(door).log_in()
        for at in 0, 40:
            door.move_clock(door.offset + at)
            view = v.post("code", code=v.person.code(at=door.now() + by))
            assert "redirect" not in view and (words in view["e.code"]) == (view.get("v.clock_off") == "1") == (at == 40), view
        door.move_clock(door.offset + 40)
        assert "not right" in v.post("code", code="000000")["e.code"]
        door.move_clock(door.offset + 40)
        assert "not right" in v.post("code", code=v.person.code(at=door.now() + by))["e.code"]
        door.move_clock(door.offset + 600)
        v = Visitor(door, v.person).log_in().factor()
    v = member(door).log_in().birth().terms().email().verify().method().own_password()
    assert v.post("done", next="app")["redirect"] == "/app"
    import base64
    key = v.get("app")["v.key"].replace(" ", "")
    v.person.secret = base64.b32decode(key + "=" * (-len(key) % 8))
    assert "about 5 minutes fast" in v.post("app", name="phone", code=v.person.code(at=door.now() + 300))["e.code"]
    assert "does not match" in v.post("app", name="phone", code=v.person.code(at=door.now() + 3000))["e.code"]
    v.register_app()


def test_sessions_end_by_idleness_and_by_age(door):
    v = full(door)
    start = door.offset
    door.move_clock(start + 29 * 60)
    assert v.page() == "/account"
    door.move_clock(start + 29 * 60 + 31 * 60)
    assert v.page() == "/login"
    v = full(door)
    for _ in range(20):
        door.move_clock(door.offset + 29 * 60)
        assert v.page() == "/account"
    door.move_clock(door.offset + 29 * 60)
    assert v.page() == "/login"


def test_the_disabled_are_out_at_once(door):
    v = full(door)
    door.ctl("user", "disable", v.person.login)
    assert v.page() == "/login"
    door.ctl("user", "enable", v.person.login)
    assert v.page() == "/login"


def test_a_changed_password_ends_other_sessions_and_half_logins(door):
    v = full(door)
    half = Visitor(door, v.person).log_in()
    other = Visitor(door, v.person).log_in().factor()
    assert v.post("password", current=v.person.password, new=NEW, again=NEW)["redirect"] == "/account?n=password"
    assert v.page() == "/account"
    assert half.page() == "/login"
    assert other.page() == "/login"


def test_no_page_before_the_factor_tells_whose_it_is(door):
    v = staff(door).log_in()
    for action in ("code", "login", "logout.ask"):
        view = v.get(action)
        assert "v.person_name" not in view and "v.signed_in" not in view, view


# ---- the same words for everybody ----


def test_wrong_logins_look_alike(door):
    known, initial = next(door.staff), next(door.members)
    gone = next(door.staff)
    door.ctl("user", "disable", gone.login)

    door.move_clock(door.offset, still=True)

    def answer(login, password):
        v = Visitor(door)
        v.get("login")
        before = {t: len(r) for t, r in door.snapshot().items()}
        view = v.post("login", login=login, password=password)
        after = {t: len(r) for t, r in door.snapshot().items()}
        view = {k: n for k, n in view.items() if k not in ("v.csrf", "v.login", "v.challenge", "v.options", "cookie.session")}
        return view, {t: after[t] - before[t] for t in after}

    answer("somebody", "wrong")  # the address has its counter
    answers = [answer(known.login, "wrong"), answer(initial.login, "wrong"), answer(gone.login, gone.password),
               answer("nobody-at-all", "wrong"), answer("x" * 500, "wrong"), answer("?" * 20, "wrong")]
    assert all(a == answers[0] for a in answers), answers
    assert answers[0][1]["audit"] == 1 and answers[0][1]["session"] == 0
    # and before their time is over
    again = [answer(known.login, known.password), answer(initial.login, "wrong"), answer("nobody-at-all", "wrong")]
    assert [a[0] for a in again] == [answers[0][0]] * 3
    assert again[0][1] == again[1][1] == again[2][1]
    door.move_clock(door.offset)


def test_owners_go_before_a_flood(door):
    """A login from where its person is known is answered before guesses that came earlier."""
    person = staff(door).log_in().factor().person
    owner = Visitor(door, person)
    owner.get("login")
    crowd = Visitor(door)
    crowd.get("login")
    for n in range(200):
        crowd.client.send("web", {"action": "login", "method": "POST", "session": crowd.cookie, "csrf": crowd.csrf, "origin": door.url,
                                  "addr": f"198.51.100.{n}", "agent": "flood", "lang": "en", "secure": "0",
                                  "f.login": f"nobody{n}", "f.password": "wrong"})
    crowd.client.receive()  # they are being hashed
    owner.log_in()
    answered = 1
    while select.select([crowd.client.sock], [], [], 0)[0]:
        crowd.client.receive()
        answered += 1
    assert answered < 100, "the owner waited behind the flood"
    for _ in range(200 - answered):
        assert "e.form" in crowd.client.receive()[1]


def test_a_name_that_is_too_long_is_nobody(door):
    long = "z" * 64
    door.ctl("user", "add", "--name", "Long", "--birth-date", "1980-01-01", "--passwords", door.dir / "long.csv", long)
    password = list(csv.reader(open(door.dir / "long.csv", encoding="utf-8-sig")))[-1][-1]
    v = Visitor(door)
    assert "e.form" in v.post("login", login=long + "z", password=password)
    assert "redirect" in v.post("login", login=long, password=password)


# ---- the mailed link ----


def test_the_link_elsewhere_wants_the_pair_number_and_five_wrong_ones_end_it(door):
    v = member(door).log_in().birth().terms().email()
    code, token = door.mail(v.person.login)
    other = Visitor(door)
    assert other.get("link", token=token)["v.need_pair"] == "1"
    assert "e.pair" in other.post("link.confirm", token=token)
    wrong = "10" if v.pair != "10" else "11"
    for _ in range(5):
        assert "e.pair" in other.post("link.confirm", token=token, pair=wrong)
    assert other.post("link.confirm", token=token, pair=v.pair)["page"] == "link-bad"
    assert "e.code" in v.post("email.code", code=code)  # one count for both
    assert v.page() == "/first/email"


def test_the_link_with_the_number_confirms_once(door):
    v = member(door).log_in().birth().terms().email()
    _, token = door.mail(v.person.login)
    other = Visitor(door)
    other.get("link", token=token)
    assert other.post("link.confirm", token=token, pair=v.pair)["page"] == "link-done"
    assert other.page() == "/login"  # it confirms an address, nobody is in by it
    assert other.post("link.confirm", token=token, pair=v.pair)["page"] == "link-bad"
    assert v.page() == "/first/method"


def test_a_link_of_before_the_admin_stepped_in_is_dead(door):
    v = member(door).log_in().birth().terms().email()
    _, token = door.mail(v.person.login)
    door.ctl("user", "reissue", "--passwords", door.dir / f"{v.person.login}.csv", v.person.login)
    other = Visitor(door)
    other.get("link", token=token)
    assert other.post("link.confirm", token=token, pair=v.pair)["page"] == "link-bad"
    v = member(door).log_in().birth().terms().email()
    _, token = door.mail(v.person.login)
    door.ctl("user", "set", "--email", "right@example.jp", v.person.login)
    assert v.post("link.confirm", token=token)["page"] == "link-bad"


def test_the_link_of_a_disabled_person_confirms_nothing(door):
    v = member(door).log_in().birth().terms().email()
    _, token = door.mail(v.person.login)
    door.ctl("user", "disable", v.person.login)
    other = Visitor(door)
    other.get("link", token=token)
    before = door.snapshot()
    assert other.post("link.confirm", token=token, pair=v.pair)["page"] == "link-bad"
    assert door.snapshot() == before


def test_the_guard_bears_five_wrong_codes_an_hour(door):
    v = guarded(door)
    code, _ = door.mail(v.person.login)
    for _ in range(4):
        assert "e.code" in v.post("guard", code="000000" if code != "000000" else "111111")
    assert v.post("guard", code=code)["redirect"] == "/"  # success clears
    v = Visitor(door, v.person)
    door.move_clock(door.offset + 61)
    v.log_in()
    code, _ = door.mail(v.person.login)
    for _ in range(5):
        assert "e.code" in v.post("guard", code="000000" if code != "000000" else "111111")
    door.move_clock(door.offset + 61)
    assert v.post("guard.again")["redirect"] == "/login/mail?n=sent"
    code, _ = door.mail(v.person.login)
    assert "minutes" in v.post("guard", code=code)["e.code"]  # a new code gives no new tries
    door.move_clock(door.offset + 3600)
    v = Visitor(door, v.person).log_in()
    code, _ = door.mail(v.person.login)
    assert v.post("guard", code=code)["redirect"] == "/"


# ---- two requests at once ----


def together(*calls):
    """The answers of several calls begun at the same moment."""
    gate, answers = threading.Barrier(len(calls)), [None] * len(calls)

    def one(i):
        gate.wait()
        answers[i] = calls[i]()

    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(calls))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return answers


def test_one_code_is_one_login_however_many_try(door):
    p = next(door.staff)
    for _ in range(5):
        tabs = [Visitor(door, p).log_in() for _ in range(4)]
        code = tabs[0].code()
        views = together(*[lambda t=t: t.post("code", code=code) for t in tabs])
        assert sum(v.get("redirect") == "/" for v in views) == 1, views
        door.move_clock(door.offset + 10)


def test_two_own_passwords_at_once_leave_one_and_one_session(door):
    v = member(door).log_in().birth().terms().email().verify().method()
    tabs = [v.copy() for _ in range(4)]
    words = [f"mikan to densha {i}{i}" for i in range(4)]
    views = together(*[lambda t=t, w=w: t.post("own-password", new=w, again=w) for t, w in zip(tabs, words)])
    won = [i for i, view in enumerate(views) if view.get("redirect") == "/first/done"]
    assert len(won) == 1, views
    assert [t.page() for t in tabs] == ["/app" if i in won else "/login" for i in range(4)]
    v.person.password = words[won[0]]
    assert Visitor(door, v.person).log_in().page() == "/login/mail"


def test_two_registrations_at_once_are_one(door):
    v = member(door).log_in().birth().terms().email().verify().method().own_password()
    import base64
    v.post("done", next="app")
    key = v.get("app")["v.key"].replace(" ", "")
    v.person.secret = base64.b32decode(key + "=" * (-len(key) % 8))
    code = v.code()
    tabs = [v.copy() for _ in range(3)]
    views = together(*[lambda t=t: t.post("app", code=code, name="phone") for t in tabs])
    assert sum(view.get("redirect") == "/" for view in views) == 1, views
    assert sorted(t.page() for t in tabs) == ["/login", "/login", "/recovery"]
    sql = "SELECT confirmed FROM authenticator a JOIN person p ON p.id = a.person WHERE p.login = ?"
    assert door.rows(sql, v.person.login) == [(1,)]


def test_an_old_password_does_not_outlive_its_change(door):
    """Logins and changes that were under way with the old password when it was changed are not in afterwards."""
    v = full(door)
    p, old, changed = v.person, v.person.password, 0
    for n in range(6):
        thief = Visitor(door, p).log_in(old).factor()
        tabs = [v.copy(), thief] + [Visitor(door, p) for _ in range(3)]
        for t in tabs[2:]:
            t.get("login")
        new = [f"mikan to densha {n}{c}" for c in "ab"]
        views = together(lambda: tabs[0].post("password", current=old, new=new[0], again=new[0]),
                         lambda: tabs[1].post("password", current=old, new=new[1], again=new[1]),
                         *[lambda t=t: t.post("login", login=p.login, password=old) for t in tabs[2:]])
        won = [i for i in (0, 1) if views[i].get("redirect") == "/account?n=password"]
        door.move_clock(door.offset + 10)
        if not won:  # each is counted before it is looked at: behind the logins both had to wait
            assert all("e.current" in v for v in views[:2]), views
            continue
        assert len(won) == 1, views
        assert [t.page() for t in tabs] == ["/account" if i in won else "/login" for i in range(len(tabs))]
        v, old, changed = tabs[won[0]], new[won[0]], changed + 1
    assert changed, "in no round"


# ---- the clock ----


def test_a_clock_that_was_wrong_locks_nobody_out(door):
    p = next(door.staff)
    at = door.offset
    door.move_clock(at + 400 * 86400)
    v = Visitor(door, p)
    for _ in range(4):
        assert "e.form" in v.post("login", login=p.login, password="wrong")
        door.move_clock(door.offset + 4)
    door.move_clock(at)
    v = Visitor(door, p)
    v.post("login", login=p.login, password=p.password)  # may still be too early
    door.move_clock(at + 15)
    assert v.post("login", login=p.login, password=p.password).get("redirect") == "/"


# ---- the outbox ----


def test_a_mail_that_cannot_be_read_stops_no_other(door):
    v = member(door).log_in().birth().terms()
    door.mailer.end()
    v.email()
    db = sqlite3.connect(door.dir / "kosmo.db", timeout=10)
    db.execute("UPDATE outbox SET body = zeroblob(200) WHERE state = 1")
    db.commit()
    db.close()
    door.mailer = Process([MAILER, "-c", door.conf], door.dir / "mailer.log")
    other = member(door).log_in().birth().terms().email()
    door.mail(other.person.login, 30)
    door.settled()
    assert "could not be delivered" in v.get("email.sent")["v.mail_state"]


class FakeMailer:
    """Takes mails, calls answer(n) for the n-th and sends what it returns; None: nothing."""

    def __init__(self, door, answer):
        self.taken, self.answer = [], answer
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(door.dir / "run/mail.sock"))
        self.listener.listen(4)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            c = self.listener.accept()[0]
            try:
                while True:
                    kind, fields, ident = receive(c)
                    assert kind == "send"
                    self.taken.append(fields["to"].decode())
                    answer = self.answer(len(self.taken))
                    if answer:
                        c.sendall(encode("result", answer, ident))
            except (EOFError, OSError):
                c.close()


@pytest.fixture
def own_door():
    folder = tempfile.mkdtemp(prefix="kosmo-")
    d = Door(folder, [Member(f"m{i:03d}") for i in range(4)])
    d.members = iter(d.people.values())
    yield d
    d.stop()
    shutil.rmtree(folder, ignore_errors=True)


def test_which_words_were_agreed_to(door):
    v = member(door).log_in().birth()
    view = v.get("terms")
    assert view["v.version"] == "1" and "v.before" not in view
    assert "e.agree" in v.post("terms", agree="2") and v.page() == "/first/terms"  # another version's button
    v.terms()
    said = door.ctl("audit", "--person", v.person.login)
    assert re.search(r"terms\.agreed.*version 1, text [0-9a-f]{16}", said), said

    def check():
        return subprocess.run([BUILD / "ctl/kosmoctl", "-c", door.conf, "config", "check"], capture_output=True, text=True).stderr

    f = door.dir / "site/terms.ja.md"
    assert check() == ""
    before = f.read_text()
    f.write_text(before + "\n\nAnd a little more.\n")
    assert "the words have changed since somebody agreed to them" in check()
    f.write_text(before)


def test_a_mail_is_sent_once_though_its_outcome_cannot_be_stored_at_once(own_door):
    blocker = sqlite3.connect(own_door.dir / "kosmo.db", timeout=10, check_same_thread=False, isolation_level=None)

    def answer(n):
        if n == 1:
            blocker.execute("BEGIN IMMEDIATE")
        return {"state": "sent", "reason": ""}

    mailer = FakeMailer(own_door, answer)
    own_door.start(mailer=False)
    v = member(own_door).log_in().birth().terms().email()
    wait_until(lambda: mailer.taken, 10, "a mail")
    time.sleep(8)  # several of the store's two seconds
    blocker.execute("ROLLBACK")
    own_door.settled()
    assert mailer.taken == [f"{v.person.login}@example.jp"]
    assert "was sent on" in v.get("email.sent")["v.mail_state"]


def test_a_refused_mail_says_why_and_the_next_one_goes_out(own_door):
    reply = "550 5.1.1 User unknown"
    mailer = FakeMailer(own_door, lambda n: {"state": "permanent", "reason": reply} if n == 1 else {"state": "sent"})
    own_door.start(mailer=False)
    v = member(own_door).log_in().birth().terms().email()
    wait_until(lambda: mailer.taken, 10, "a mail")
    own_door.settled()
    view = v.get("email.sent")
    assert "no such mailbox" in view["v.mail_state"] and reply not in view["v.mail_state"] and view["v.mail_reply"] == reply
    w = member(own_door).log_in().birth().terms().email()
    own_door.settled()
    assert "was sent on" in w.get("email.sent")["v.mail_state"]


def test_a_stuck_mailer_does_not_hold_up_a_stop(own_door):
    mailer = FakeMailer(own_door, lambda n: None)
    own_door.start(mailer=False)
    member(own_door).log_in().birth().terms().email()
    wait_until(lambda: mailer.taken, 10, "a mail")
    began = time.monotonic()
    assert own_door.stop() == 0
    assert time.monotonic() - began < 9
