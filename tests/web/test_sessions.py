"""Sessions of the browser: fixation, forged forms, cookie flags, what may be reached when, being kept logged in, the list.
The routes are read from enroll/routes.c and who may call them from keeper/door_web.c, so that no new one is forgotten."""
import http.client
import json
import pathlib
import re
import shutil
import tempfile
import time
import urllib.parse

import pytest

from browser import Browser, Site, mailed
from fake_web_keeper import FakeKeeper
from harness import Person, wait_until
from test_web_door import Door, Visitor, full, staff, together

TOP = pathlib.Path(__file__).resolve().parents[2]
DAY = 86400
TABLE = (TOP / "enroll/routes.c").read_text()
for name, value in re.findall(r'^#define (\w+) ("[^"]*")$', TABLE, re.M):
    TABLE = re.sub(rf"\b{name}\b", value, TABLE)
ROUTES = [(m, kind, path, action, re.sub('" "', "", fields).split()) for m, kind, path, action, fields in re.findall(
    r'\{ROUTE_(GET|POST), ROUTE_(\w+), "([^"]+)", "([^"]+)", "((?:[^"]|" ")*)"\}', TABLE)]
NEEDS = dict(re.findall(r'\{"([a-z.-]+)",\s*\w+,\s*\w+,\s*(NEED_\w+)', (TOP / "keeper/door_web.c").read_text()))
KEEPERS = [r for r in ROUTES if r[1] in ("PAGE", "QR", "DONE")]
# What a POST is filled with where the page under test gives no better value.
FIELDS = {"password": "mikan to densha 27", "new": "sakura no ki 31", "again": "sakura no ki 31", "birth_date": "1980-01-01",
          "email": "x@example.jp", "code": "123456", "pair": "10", "agree": "1", "confirm": "1", "saved": "1", "name": "other",
          "method": "app", "start": "1", "next": "logout", "id": "0" * 32, "token": "x" * 43}


class Page:
    def __init__(self, r):
        self.status, self.headers, self.text = r.status, r.headers, r.read().decode("utf-8", "replace")
        self.to = r.headers["Location"]
        self.cookies = r.headers.get_all("Set-Cookie") or []

    def cookie(self, name):
        """(value, attributes) of the cookie that is set here."""
        for c in self.cookies:
            value, *rest = c.split("; ")
            if value.split("=", 1)[0] == name:
                return value.split("=", 1)[1], set(rest)
        return None, set()


class Web:
    """A browser as far as sessions go: one connection, one session cookie, the last form's token."""

    def __init__(self, site, person=None, agent="Mozilla/5.0 (Windows NT 10.0) Chrome/120.0 Safari/537.36"):
        self.site, self.person, self.agent = site, person, agent
        self.name = "__Host-kosmo" if site.url.startswith("https") else "kosmo"
        self.cookie, self.csrf, self.last = None, None, None
        self.http = http.client.HTTPConnection("127.0.0.1", site.port, timeout=20)

    def raw(self, method, path, form=None, origin=None, cookie=None):
        h = {"Host": self.site.url.split("//")[1], "User-Agent": self.agent, "Accept-Language": "en"}
        if cookie:
            h["Cookie"] = f"{self.name}={cookie}"
        if origin is not None:
            h["Origin"] = origin
        body = None
        if form is not None:
            h["Content-Type"] = "application/x-www-form-urlencoded"
            body = urllib.parse.urlencode(form)
        self.http.request(method, path, body, h)
        return Page(self.http.getresponse())

    def take(self, page):
        value, _ = page.cookie(self.name)
        if value is not None:
            self.cookie = value or None
        found = re.search(r'name="csrf" value="([^"]+)"', page.text)
        self.csrf = found.group(1) if found else self.csrf
        self.last = page
        return page

    def get(self, path):
        return self.take(self.raw("GET", path, cookie=self.cookie))

    def post(self, path, page=None, **form):
        """With the token of `page`, the page that has the form (the same path unless told)."""
        self.get(page or path)
        return self.take(self.raw("POST", path, {"csrf": self.csrf, **form}, self.site.url, self.cookie))

    def home(self):
        return self.get("/").to

    def log_in(self, keep=False):
        form = {"keep": "1"} if keep else {}
        p = self.post("/login", login=self.person.login, password=self.person.password, **form)
        assert p.to == "/", p.text
        return self

    def code(self):
        """One that was not used yet: of three steps around now."""
        step = getattr(self.person, "step", -2) + 1
        assert step <= 1, "no code is left for this person"
        self.person.step = step
        return self.person.code(step)

    def factor(self):
        p = self.post("/login/code", code=self.code())
        assert p.to == "/", p.text
        return self

    def wizard(self):
        for path, form in (("/first/birth-date", {"birth_date": "1980-01-01"}), ("/first/terms", {"agree": "1"}),
                           ("/first/email", {"email": f"{self.person.login}@example.jp"})):
            p = self.post(path, **form)
            assert p.status == 303, p.text
        code, _ = mailed(self.site.mail(self.person.login))
        assert self.post("/first/email/code", "/first/email/sent", code=code).to == "/"
        assert self.home() == "/account"
        return self


@pytest.fixture(scope="module")
def site():
    folder = tempfile.mkdtemp(prefix="kosmo-")
    people = [Person(f"w{i:03d}", role="member") for i in range(40)]
    s = Site(folder, people)
    s.free = iter(people)
    s.start()
    yield s
    s.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def door():
    folder = tempfile.mkdtemp(prefix="kosmo-")
    people = [Person(f"s{i:03d}") for i in range(20)]
    d = Door(folder, people)
    d.staff = iter(people)
    d.start()
    yield d
    d.stop()
    shutil.rmtree(folder, ignore_errors=True)


def person(site):
    return Web(site, next(site.free))


def inside(site):
    return person(site).log_in().factor().wizard()


def target(path):
    return path + "x" * 43 if path.endswith("/") and path != "/" else path


def out(action):
    """Where who is not in is led: to the login, or to where a reset of the password begins."""
    return "/forgot/password?n=over" if NEEDS[action] == "NEED_RESET" else "/login"


def filled(fields, person):
    return {f: person.login if f == "login" else person.password if f in ("password", "current") else FIELDS.get(f, "x")
            for f in fields}


def test_every_route_is_walked():
    """What the walks below rest on: the tables were understood."""
    text = (TOP / "enroll/routes.c").read_text()
    assert len(ROUTES) == len(re.findall(r"\{ROUTE_(?:GET|POST),", text)) > 40
    actions = re.search(r"actions\[\] = \{(.*?)\n\};", (TOP / "keeper/door_web.c").read_text(), re.S).group(1)
    assert len(NEEDS) == len(re.findall(r"\bNEED_\w+", actions)) > 25
    assert {r[3] for r in KEEPERS} == set(NEEDS)


# ---- forged forms ----


@pytest.mark.parametrize("who", ["visitor", "half", "in"])
def test_no_form_without_our_token_and_origin(site, who):
    w = inside(site) if who == "in" else person(site)
    if who == "half":
        w.log_in()
    w.get("/account/rename" if who == "in" else "/login")
    stranger = Web(site)
    stranger.get("/login")
    assert stranger.csrf and w.csrf and stranger.csrf != w.csrf
    us = site.url
    forged = [(None, us), ("", us), (w.csrf[:-1], us), (w.csrf + "A", us), (stranger.csrf, us), (w.csrf, None), (w.csrf, "null"),
              (w.csrf, "https://evil.example"), (w.csrf, us + "/"), (w.csrf, us.replace("http", "https"))]
    before = site.snapshot()
    for method, _, path, action, fields in KEEPERS:
        if method != "POST":
            continue
        for csrf, origin in forged:
            form = filled(fields, w.person) | ({} if csrf is None else {"csrf": csrf})
            p = w.raw("POST", target(path), form, origin, w.cookie)
            again = p.status == 303 or p.status == 200 and "open for too long" in p.text
            assert p.status == 403 if origin != us else again, (path, csrf, origin, p.status, p.to)
            assert not p.cookies, (path, p.cookies)
    assert site.snapshot() == before


def test_the_language_is_changed_by_our_own_pages_only(site):
    """enrolld's own form: it needs no session and so no token, and touches a cookie of its own alone."""
    others = [r for r in ROUTES if r not in KEEPERS and r[0] == "POST"]
    assert [r[2] for r in others] == ["/language"]
    w = inside(site)
    before = site.snapshot()
    assert w.raw("POST", "/language", {"lang": "ja"}, "https://evil.example", w.cookie).status == 403
    p = w.raw("POST", "/language", {"lang": "ja", "back": "/account"}, site.url, w.cookie)
    assert p.to == "/account" and p.cookie("kosmo")[0] is None
    assert site.snapshot() == before


def test_the_token_is_the_sessions_own(site):
    """A form's token of before the login, of the half session, and of the session before a step-up is worth nothing."""
    w = person(site)
    w.get("/login")
    tokens = [w.csrf]
    w.log_in().get("/login/code")
    tokens.append(w.csrf)
    w.factor().wizard().get("/account/password")
    tokens.append(w.csrf)
    assert w.post("/account/confirm", code=w.code()).to == "/account"
    assert len(set(tokens)) == 3
    for old in tokens:
        p = w.raw("POST", "/account/sessions/end-others", {"csrf": old}, site.url, w.cookie)
        assert p.to == "/account/sessions?n=expired"
    assert w.post("/account/sessions/end-others", "/account").to == "/account/sessions?n=others-ended"


# ---- looking ----


def test_looking_changes_nothing_whoever_looks(site):
    for w in (Web(site), person(site).log_in(), inside(site)):
        before = site.snapshot()
        for method, kind, path, action, fields in ROUTES:
            if method != "GET":
                continue
            for verb in "GET", "HEAD":
                query = urllib.parse.urlencode({f: FIELDS.get(f, "1") for f in fields})
                for t in target(path), f"{target(path)}?{query}":
                    p = w.raw(verb, t, cookie=w.cookie)
                    # one without a session gets a token that is kept nowhere
                    assert p.status < 500 and (not p.cookies or not w.cookie), (t, p.status, p.cookies)
        assert site.snapshot() == before


def test_before_the_factor_nothing_is_reached(site):
    w = person(site).log_in()
    before = site.snapshot()
    for method, kind, path, action, fields in KEEPERS:
        if NEEDS[action] in ("NEED_NOTHING", "NEED_GUEST", "NEED_FACTOR"):
            continue
        w.get("/login/code")
        p = w.raw(method, target(path), {"csrf": w.csrf, **filled(fields, w.person)} if method == "POST" else None,
                  site.url if method == "POST" else None, w.cookie)
        assert (p.status, p.to) == (303, "/login/code"), (method, path, p.status, p.to)
        assert not p.cookies
    assert site.snapshot() == before
    assert w.factor().home() == "/first/birth-date"


def test_without_a_session_nothing_is_reached(site):
    w, who = Web(site), next(site.free)
    before = site.snapshot()
    for method, kind, path, action, fields in KEEPERS:
        if NEEDS[action] in ("NEED_NOTHING", "NEED_GUEST"):
            continue
        w.get("/login")
        p = w.raw(method, target(path), {"csrf": w.csrf, **filled(fields, who)} if method == "POST" else None,
                  site.url if method == "POST" else None, w.cookie)
        assert (p.status, p.to.replace("/login?n=idle", "/login")) == (303, out(action)), (method, path, p.status, p.to)
    assert site.snapshot() == before


# ---- fixation, the end ----


def test_no_token_outlives_a_login(site):
    """Whoever planted or read a cookie before the login, before the factor or before a step-up is not in by it."""
    w = person(site)
    planted = "A" * 43
    w.cookie = planted
    w.get("/login")
    seen = [planted]
    assert w.cookie == planted  # a stranger's token may be anything: it leads nowhere
    for step in (w.log_in, w.factor, w.wizard, lambda: w.post("/account/confirm", code=w.code())):
        seen.append(w.cookie)
        step()
        assert (w.cookie not in seen) == (step != w.wizard)
        for old in seen:
            if old != w.cookie:
                assert w.raw("GET", "/account", cookie=old).to == "/login?n=idle"
        assert w.home() not in ("/login", None)
    assert len(site.rows("SELECT 1 FROM session s JOIN person p ON p.id = s.person WHERE p.login = ?", w.person.login)) == 1


def test_who_logs_in_over_somebody_else_ends_that_session(site):
    w, other = inside(site), next(site.free)
    old = w.cookie
    w.post("/logout", "/account")
    w.cookie = old
    assert w.home() == "/login"  # logged out is logged out everywhere, whoever kept the cookie
    half = person(site).log_in()
    first, half.person = half.cookie, other
    half.log_in()
    assert half.raw("GET", "/login/code", cookie=first).to == "/login?n=idle"


def test_logging_out_ends_it_everywhere(site):
    w = inside(site)
    tab = Web(site, w.person)
    tab.cookie, tab.csrf = w.cookie, w.csrf
    p = w.post("/logout", "/account")
    assert p.to == "/login?n=out" and p.cookie("kosmo")[0] not in (None, "", tab.cookie)
    before = site.snapshot()
    for method, kind, path, action, fields in KEEPERS:
        if NEEDS[action] in ("NEED_NOTHING", "NEED_GUEST"):
            continue
        p = tab.raw(method, target(path), {"csrf": tab.csrf, **filled(fields, w.person)} if method == "POST" else None,
                    site.url if method == "POST" else None, tab.cookie)
        assert p.status == 303 and p.to.split("?")[0] == out(action).split("?")[0], (method, path, p.status, p.to)
    assert site.snapshot() == before


def test_one_step_up_of_many_at_once(door):
    """With the same cookie and code: one session goes on, with one new token; requests beside it find the old or no session."""
    v = full(door).unproven()
    for _ in range(3):
        tabs = [v.copy() for _ in range(6)]
        code = v.code()
        names = [f"name {i}" for i in range(2)]
        au = v.authenticator()
        views = together(*[lambda t=t: t.post("confirm", code=code, next="/app") for t in tabs[:4]],
                         *[lambda t=t, n=n: t.post("rename", id=au, name=n) for t, n in zip(tabs[4:], names)])
        won = [t for t, view in zip(tabs, views[:4]) if view.get("redirect") == "/app"]
        assert len(won) == 1, views
        assert all(view["redirect"].split("?")[0] in ("/account", "/login") for view in views[4:]), views
        assert won[0].cookie != v.cookie
        assert [t.page() for t in tabs if t.cookie == v.cookie] == ["/login"] * sum(t.cookie == v.cookie for t in tabs)
        assert won[0].page() == "/account"
        live = door.rows("SELECT count(*) FROM session s JOIN person p ON p.id = s.person WHERE p.login = ?", v.person.login)
        assert live == [(1,)]
        v = won[0]
        v.get("account")


# ---- cookies ----


def flags(site, *more):
    return {"Path=/", "HttpOnly", "SameSite=Lax", *(["Secure"] if site.url.startswith("https") else []), *more}


def test_cookie_flags(site):
    w = person(site)
    seen = []
    for page in (w.get("/login"), w.log_in().last, w.factor().last, w.wizard().post("/account/confirm", code=w.code()),
                 w.post("/logout", "/account")):
        value, attributes = page.cookie("kosmo")
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", value) and attributes == flags(site), page.cookies
        seen.append(value)
    assert len(set(seen)) == 5


def test_https_cookie_flags():
    """Behind a proxy that ends TLS: __Host- wants Secure, Path=/ and no Domain (RFC 6265bis)."""
    folder = tempfile.mkdtemp(prefix="kosmo-")
    p = Person("hanako", role="member")
    s = Site(folder, [p], "url = https://portal.example.jp\n")
    s.url = "https://portal.example.jp"
    s.start()
    try:
        w = Web(s, p).log_in(keep=True)
        value, attributes = w.last.cookie("__Host-kosmo")
        assert value and attributes == flags(s)
        w.factor()
        value, attributes = w.last.cookie("__Host-kosmo")
        age = [a for a in attributes if a.startswith("Max-Age=")]
        assert attributes - set(age) == flags(s) and len(age) == 1 and 30 * DAY - 60 <= int(age[0][8:]) <= 30 * DAY
        assert w.last.cookie("__Host-kosmo-device")[1] >= flags(s)
        assert not [c for c in w.last.cookies if "omain" in c or not c.startswith("__Host-")]
        # the name without the prefix, as a neighbour's page could set it, counts for nothing
        w.name = "kosmo"
        assert w.raw("GET", "/", cookie=value).to == "/login"
    finally:
        s.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_what_enrolld_makes_of_the_keepers_word():
    from test_enrolld import TOKEN, Door as Enrolld
    said = {}
    d = Enrolld()
    k = FakeKeeper(d.web, lambda _: {"redirect": "/", "cookie.session": TOKEN, **said})
    d.start()
    try:
        wait_until(lambda: d.ask("GET", "/healthz").status == 200, 10, "enrolld")
        assert d.ask("GET", "/login").cookies == [f"kosmo={TOKEN}; Path=/; HttpOnly; SameSite=Lax"]
        said["cookie.keep"] = "2592000"
        assert d.ask("GET", "/login").cookies == [f"kosmo={TOKEN}; Path=/; HttpOnly; SameSite=Lax; Max-Age=2592000"]
        for bad in ("", "0", "-1", "x", "99999999999999999999"):
            said["cookie.keep"] = bad
            r = d.ask("GET", "/login")
            assert r.status == 500 and not r.cookies, bad
    finally:
        d.stop()
        k.close()


# ---- kept ----


def test_kept_for_thirty_days(door):
    person_ = next(door.staff)
    v = Visitor(door, person_)
    assert v.get("login")["v.keep"] == "1"
    wrong = v.post("login", login=person_.login, password="wrong", keep="1")
    assert wrong["v.kept"] == "1" and "cookie.keep" not in wrong
    door.move_clock(door.offset + 10)
    half = v.post("login", login=person_.login, password=person_.password, keep="1")
    assert half["redirect"] == "/" and "cookie.keep" not in half
    begun = v.post("code", code=v.code())
    assert 30 * DAY - 5 <= int(begun["cookie.keep"]) <= 30 * DAY
    v.birth().terms().email().verify()
    start = door.offset
    for days in (1, 8, 29):
        door.move_clock(start + days * DAY)
        assert v.page() == "/account"
        # being kept opens no changes
        assert v.get("remove", id=v.authenticator())["redirect"].startswith("/account/confirm?next=")
    confirmed = v.post("confirm", code=v.code(), next="/app")
    assert 0 < int(confirmed["cookie.keep"]) <= DAY  # it ends when it would have ended
    assert v.page() == "/account"
    door.move_clock(start + 30 * DAY - 60)
    assert v.page() == "/account"
    door.move_clock(start + 30 * DAY + 1)
    assert v.page() == "/login"


def test_the_wish_is_asked_at_each_login(door):
    v = staff(door)
    v.post("login", login=v.person.login, password=v.person.password, keep="1")
    v.post("login", login=v.person.login, password=v.person.password)
    assert "cookie.keep" not in v.post("code", code=v.code())
    door.move_clock(door.offset + 31 * 60)
    assert v.page() == "/login"
    # a half login that asks to be kept ends as any other
    v.post("login", login=v.person.login, password=v.person.password, keep="1")
    door.move_clock(door.offset + 15 * 60)
    assert v.page() == "/login"


def test_a_step_up_does_not_prolong_a_login(door):
    v = full(door)
    start = door.offset
    while door.offset < start + 10 * 3600 - 1500:
        door.move_clock(door.offset + 1400)
        assert v.page() == "/account"
    assert v.post("confirm", code=v.code(), next="/app")["redirect"] == "/app"
    door.move_clock(start + 10 * 3600 + 1)
    assert v.page() == "/login"


@pytest.mark.parametrize("end", ["password", "disable", "logout elsewhere", "kosmoctl"])
def test_what_ends_those_that_are_kept(door, end):
    v = staff(door)
    v.post("login", login=v.person.login, password=v.person.password, keep="1")
    v.factor().birth().terms().email().verify()
    door.move_clock(door.offset + 2 * DAY)
    other = Visitor(door, v.person).log_in().factor()
    assert v.page() == other.page() == "/account"
    if end == "password":
        assert other.post("password", current=v.person.password, new="mikan to densha 27", again="mikan to densha 27")["redirect"]
    elif end == "disable":
        door.ctl("user", "disable", v.person.login)
    elif end == "kosmoctl":
        assert door.ctl("user", "logout", v.person.login) == f"{v.person.login}: logged out everywhere\n"
    else:
        other.post("sessions.end")
    assert v.page() == "/login"
    assert (other.page() == "/account") == (end in ("password", "logout elsewhere"))


def test_an_admin_takes_it_back():
    folder = tempfile.mkdtemp(prefix="kosmo-")
    p = Person("s000")
    d = Door(folder, [p])
    try:
        (d.dir / "kosmo.conf.d").mkdir(exist_ok=True)
        conf = d.dir / "kosmo.conf.d/50-test.conf"
        d.start()
        v = Visitor(d, p)
        v.post("login", login=p.login, password=p.password, keep="1")
        v.factor().birth().terms().email().verify()
        for keep, days, page in (("3d", 2, "/account"), ("0", 0, "/login")):
            d.stop()
            conf.write_text(f"session.keep = {keep}\n")
            d.start()
            d.move_clock(d.offset + days * DAY)
            v = v.copy()
            assert v.page() == page
        assert "v.keep" not in v.get("login")
        v.post("login", login=p.login, password=p.password, keep="1")
        assert "cookie.keep" not in v.post("code", code=v.code())
        d.move_clock(d.offset + 31 * 60)
        assert v.page() == "/login"
    finally:
        d.stop()
        shutil.rmtree(folder, ignore_errors=True)


# ---- the list ----


def listed(v):
    view, rows = v.get("sessions"), []
    while f"v.sessions.{len(rows)}.id" in view:
        rows.append({k: view[f"v.sessions.{len(rows)}.{k}"] for k in ("id", "agent", "address", "begun", "seen", "until", "this")})
    return rows


def test_the_list_and_its_end(door):
    v = full(door)
    half = Visitor(door, v.person).log_in()
    others = []
    for _ in range(3):
        o = Visitor(door, v.person)
        o.post("login", login=v.person.login, password=v.person.password, **({"keep": "1"} if not others else {}))
        others.append(o.factor())
    stranger = full(door)
    rows = listed(v)
    assert [r["this"] for r in rows] == ["1", "", "", ""]
    assert sorted(bool(r["until"]) for r in rows) == [False, False, False, True]
    assert len({r["id"] for r in rows}) == 4 and all(re.fullmatch("[0-9a-f]{32}", r["id"]) for r in rows)
    assert all(r["address"] == "192.0.2.7" and r["agent"] == "a browser" for r in rows)
    digests = "".join(d.hex() for d, in door.rows("SELECT digest FROM session"))
    assert not [r for r in rows if r["id"] in digests]
    assert json.loads(door.ctl("user", "sessions", "--json", v.person.login))[0]["address"] == "192.0.2.7"
    assert door.ctl("user", "sessions", v.person.login).count("192.0.2.7") == 4

    # nobody else's can be named, nor one that is none
    before = door.snapshot()
    for bad in (listed(stranger)[0]["id"], "", "0" * 32, rows[1]["id"][:-1], rows[1]["id"].upper() + "\n", "x" * 5000):
        assert v.post("session.end", id=bad)["redirect"] == "/account/sessions"
    assert door.snapshot() == before
    assert v.post("session.end", id=next(r["id"] for r in rows if r["until"]))["redirect"] == "/account/sessions?n=ended"
    assert [o.page() for o in others] == ["/login", "/account", "/account"]
    assert len(listed(v)) == 3
    assert v.post("sessions.end")["redirect"] == "/account/sessions?n=others-ended"
    assert [x.page() for x in [half, *others, v, stranger]] == ["/login"] * 4 + ["/account"] * 2
    assert "v.others" in v.get("sessions") and v.get("sessions")["v.others"] == ""
    events = [r["event"] for r in json.loads(door.ctl("audit", "--person", v.person.login, "--limit", "2", "--json"))]
    assert events == ["session.end_others", "session.end"]
    # the one that asks: the same as logging out
    assert v.post("session.end", id=listed(v)[0]["id"])["redirect"] == "/login?n=out"
    assert v.page() == "/login"


def test_the_help_desk_ends_half_logins_too(door):
    half = staff(door).log_in()
    assert door.ctl("user", "sessions", half.person.login) == ""
    door.ctl("user", "logout", half.person.login)
    assert half.page() == "/login"


def test_the_list_in_a_browser_without_javascript(site):
    w = inside(site)
    b = Browser(lang="ja", width=390, height=844, javascript=False)
    try:
        b.get(site.url + "/login")
        hint = b.find("#h-keep")
        assert "一緒に使う" in hint.text and not b.find("#f-keep").is_selected()
        b.find("label[for=f-keep]").click()
        assert b.find("#f-keep").is_selected()
        b.fill(login=w.person.login, password="")
        assert b.error("password") and b.find("#f-keep").is_selected()
        b.fill(login=w.person.login, password=w.person.password)
        b.at("/login/code")
        b.fill(code=w.code())
        b.at("/account")
        cookie = b.cookie()
        assert cookie["httpOnly"] and cookie["sameSite"] == "Lax"
        assert 29 * DAY < cookie["expiry"] - time.time() <= 30 * DAY + 60
        b.press("a[href='/account/sessions']")
        cards = b.all(".cards li")
        assert len(cards) == 2 and "お使いの端末" in cards[0].text and "Windows" in cards[1].text
        b.press(".cards li:nth-child(2) button")
        assert "ログアウトしました" in b.text and len(b.all(".cards li")) == 1
        assert w.home() == "/login"
    finally:
        b.close()
