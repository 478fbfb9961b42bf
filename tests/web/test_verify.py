"""A portal's question over the wire: in every state of a session, with a clock that moves, and for people who are shut out."""
import base64

import pytest

from test_web_door import STATES, Visitor, full, served, staff  # first: it knows where the others are
from fake_web_keeper import FakeKeeper
from harness import wait_until
from passkey import put_passkey
from test_enrolld import Door as Alone

PATH = "/portal/page?x=1"
BACK = "path-" + base64.urlsafe_b64encode(PATH.encode()).decode().rstrip("=")


@pytest.fixture(scope="module")
def door():
    yield from served(20, 20)


def verify(v, **fields):
    kind, view = v.client.ask("verify", {k: x for k, x in {"session": v.cookie, "page": "1", "uri": PATH, **fields}.items() if x is not None})
    assert kind == "verified"
    return view


def status(v, **fields):
    return int(verify(v, **fields)["status"])


@pytest.mark.parametrize("state", STATES)
def test_in_every_state(door, state):
    make, page, _ = STATES[state]
    v = make(door)
    view = verify(v)
    if state.startswith(("in", "codes shown")):
        assert view["status"] == "200" and view["user"] == v.person.login and "redirect" not in view
        assert view["method"] == ("password+mail" if state == "in by mail" else "password+app")
    else:
        assert view == {"status": "401", "redirect": page, "cookie.back": BACK}
        assert verify(v, page=None) == {"status": "401"}, "a script's call is led nowhere"


def test_what_a_place_needs(door):
    v = full(door)
    began = int(door.now())
    view = verify(v)
    assert abs(int(view["time"]) - began) < 60 and view["name"] == f"Test {v.person.login}"
    assert status(v, need="second-factor") == status(v, within="1") == status(v, need="second-factor", within="10080") == 200
    assert verify(v, need="passkey") == {"status": "403", "redirect": "/passkey", "cookie.back": BACK}, "has none"
    door.move_clock(door.offset + 301)
    assert status(v) == status(v, within="6") == 200
    view = verify(v, within="5")
    assert view == {"status": "403", "redirect": "/account/confirm?next=/auth/next", "cookie.back": BACK}
    assert verify(v, within="5", page=None) == {"status": "403"}
    # there and back
    assert v.get("confirm", next="/auth/next")["v.onward"] == "1"
    assert v.post("confirm", code=v.code(), next="/auth/next")["redirect"] == "/auth/next"
    view = v.take(v.raw("home", "GET", cookie=v.cookie, back=None))
    assert view["redirect"] == "/account"
    kind, view = v.client.ask("web", {"action": "home", "method": "GET", "session": v.cookie, "lang": "en", "back": BACK})
    assert view["redirect"] == PATH and view["cookie.back"] == "", "once"
    assert status(v, within="5") == 200
    put_passkey(door, v.person)
    view = verify(v, need="passkey", within="5")
    assert view["status"] == "403" and view["redirect"] == "/account/confirm/passkey?next=/auth/next?n=passkey"
    door.move_clock(door.offset - 400)
    assert status(v, within="5") == 403, "a proof from the future counts for nothing"
    door.move_clock(door.offset + 400)


def test_what_is_not_understood_lets_nobody_in(door):
    v = full(door)
    for fields in ({"need": "pass-key"}, {"need": ""}, {"need": "passkey "}, {"within": "0"}, {"within": "-5"}, {"within": "10081"},
                   {"within": "5m"}, {"within": ""}, {"within": "99999999999999999999"}):
        assert verify(v, **fields) == {"status": "400"}, fields
    for session in (None, "", "x" * 43, v.cookie[:-1], v.cookie + "A", v.cookie.swapcase()):
        assert verify(v, session=session)["status"] == "401", session
    assert status(v) == 200


def test_out_at_the_next_request(door):
    """Logged out, ended from another device, disabled, removed, past its time: at once each."""
    v = full(door)
    assert status(v) == 200
    v.post("logout")
    assert status(v) == 401
    other = full(door)
    v = Visitor(door, other.person).log_in().factor()
    assert status(other) == status(v) == 200
    assert "redirect" in v.post("sessions.end")
    assert status(other) == 401 and status(v) == 200
    door.ctl("user", "disable", v.person.login)
    assert status(v) == 401
    door.ctl("user", "enable", v.person.login)
    v = full(door)
    assert status(v) == 200
    door.ctl("user", "delete", "--yes", v.person.login)
    assert status(v) == 401
    v = full(door)
    door.ctl("user", "logout", v.person.login)
    assert status(v) == 401
    v = full(door)
    door.ctl("user", "expire", v.person.login, "2020-01-01")
    assert status(v) == 401
    v = full(door)
    door.write("UPDATE person SET terms = 2 WHERE login = ?", v.person.login)
    assert status(v) == 500, "a row that somebody else wrote names nobody"


def test_use_of_the_portal_is_use(door):
    """Half an hour's pauses count from the last request to the portal; the store is written once a minute at most."""
    v = full(door)
    seen = lambda: door.rows("SELECT s.seen FROM session s JOIN person p ON p.id = s.person WHERE p.login = ?", v.person.login)[0][0]  # noqa: E731
    for _ in range(3):
        door.move_clock(door.offset + 1500)
        before = int(door.now())
        assert status(v) == 200
        wait_until(lambda: seen() >= before, 10, "the session's use to be written")
    first = seen()
    door.move_clock(door.offset + 50)
    assert status(v) == 200
    Visitor(door).get("login")
    door.move_clock(door.offset + 1500)
    assert seen() == first
    assert status(v) == 200
    wait_until(lambda: seen() > first, 10, "the session's use to be written")
    door.move_clock(door.offset + 1801)
    assert status(v) == 401


def test_passwords_alone_are_nothing(door):
    v = staff(door).log_in()
    assert verify(v)["redirect"] == "/login/code"
    assert verify(v, need="second-factor")["status"] == "401"


# ---- kosmo-enrolld alone, in front of a scripted keeper ----

IN = {"status": "200", "user": "hanako@x", "name": "山田 花子~", "method": "password+app", "time": "1700000000"}
OUT = {"status": "401", "redirect": "/login", "cookie.back": BACK}
PAGE = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}


@pytest.fixture(scope="module")
def alone():
    d = Alone(url="https://portal.example.jp")
    d.says = IN
    d.keeper = FakeKeeper(d.web, lambda fields: d.says)
    d.start()
    yield d
    d.keeper.close()
    d.stop()


def test_what_the_proxy_is_told(alone):
    r = alone.ask("GET", "/auth/verify")
    assert (r.status, r.body) == (200, b"")
    assert {k: v for k, v in r.headers.items() if k.startswith("Remote-")} == {
        "Remote-User": "hanako@x", "Remote-Name": "%E5%B1%B1%E7%94%B0%20%E8%8A%B1%E5%AD%90~", "Remote-Method": "password+app",
        "Remote-Auth-Time": "1700000000"}
    assert r.headers["Cache-Control"] == "no-store" and not r.cookies
    alone.says = {**IN, "name": ""}
    assert alone.ask("GET", "/auth/verify").headers["Remote-Name"] == "hanako%40x"
    alone.says = OUT
    r = alone.ask("GET", "/auth/verify", headers=PAGE)
    assert (r.status, r.headers["Location"], r.headers["WWW-Authenticate"]) == (401, "/login", "Cookie")
    assert r.cookies == [f"__Host-kosmo-back={BACK}; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=600"]
    assert not [k for k in r.headers if k.startswith("Remote-")]
    r = alone.ask("GET", "/auth/verify?redirect=yes&within=5", headers=PAGE)
    assert (r.status, r.headers["Location"], len(r.cookies)) == (303, "/login", 1)
    alone.says = {"status": "403"}
    r = alone.ask("GET", "/auth/verify?redirect=yes", headers=PAGE)
    assert (r.status, r.headers["Location"], r.cookies) == (403, None, [])


def test_what_the_keeper_is_asked(alone):
    alone.says = OUT
    for headers, page in ((PAGE, True), ({"Accept": "text/html"}, True), ({}, False), ({"Accept": "*/*"}, False),
                          ({"Accept": "text/html", "Sec-Fetch-Mode": "cors"}, False), ({"Sec-Fetch-Mode": "no-cors"}, False),
                          ({"Accept": "text/html", "X-Requested-With": "XMLHttpRequest"}, False)):
        alone.ask("GET", "/auth/verify?need=passkey&within=7", headers={"X-Forwarded-Uri": "/p?q", "Cookie": "a=b; __Host-kosmo=abc", **headers})
        seen = alone.keeper.seen[-1]
        assert seen == {"session": "abc", "need": "passkey", "within": "7", **({"page": "1", "uri": "/p?q"} if page else {})}, headers
    for method, uri, taken in (("GET", "/p", "/p"), ("HEAD", "/p", "/p"), ("POST", "/p", None), ("PUT", "/p", None), ("GET", "//evil", None),
                               ("GET", "https://evil/", None), ("GET", "/" + "a" * 1024, None), ("GET", "/a\\b", None)):
        alone.ask("GET", "/auth/verify", headers={**PAGE, "X-Forwarded-Method": method, "X-Forwarded-Uri": uri})
        assert alone.keeper.seen[-1].get("uri") == taken, (method, uri)
    before = len(alone.keeper.seen)
    for query in ("nead=passkey", "need=passkey&need=second-factor", "need=passkey&x", "need=%zz", "redirect=no", "redirect="):
        assert alone.ask("GET", "/auth/verify?" + query, headers=PAGE).status == 400, query
    assert alone.ask("POST", "/auth/verify", {}).status == 405 and alone.ask("GET", "/auth/verify", host="evil.example").status == 421
    assert len(alone.keeper.seen) == before


def test_a_keeper_of_another_version_lets_nobody_in(alone):
    for says in ({**IN, "user": ""}, {**IN, "user": "a\nb"}, {**IN, "user": "あ"}, {**IN, "time": ""}, {**IN, "time": "1x"}, {**IN, "method": "a b"},
                 {k: v for k, v in IN.items() if k != "name"}, {"status": "204"}, {"status": "302", "redirect": "/login"}, {"status": "x"}, {},
                 {**OUT, "redirect": "//evil"}, {**OUT, "redirect": "https://evil/"}, {**OUT, "cookie.back": "a; Domain=evil"}):
        alone.says = says
        r = alone.ask("GET", "/auth/verify", headers=PAGE)
        assert r.status == 500 and "Location" not in r.headers and "Remote-User" not in r.headers, says
    alone.says = IN
    assert alone.ask("GET", "/auth/verify").status == 200
