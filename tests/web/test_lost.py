"""The lost phone: a recovery code and the question after it, the administrator's one-time code, registering anew."""
import base64
import json
import os
import subprocess
import threading

import pytest
from test_web_door import BUILD, SANITIZED, Client, Door, Member, Visitor, served

KOSMOCTL = BUILD / "ctl/kosmoctl"


@pytest.fixture(scope="module")
def door():
    yield from served(40, 6)


def codes(view):
    found = []
    while f"v.codes.{len(found)}.code" in view:
        found.append(view[f"v.codes.{len(found)}.code"])
    return found


class Loser(Visitor):
    def enrol(self):
        self.log_in().birth().terms().email().verify().method().own_password().register()
        self.codes = codes(self.get("recovery"))
        assert len(self.codes) == 10
        return self.saved()

    def add_app(self, name):
        assert self.post("app", start="1")["redirect"] == "/app"
        return self.type_code(name)

    def type_code(self, name="new phone"):
        """Registers the app that the page shows, which is the person's from then on."""
        old, step = self.person.secret, getattr(self.person, "last_step", 0)
        key = self.get("app")["v.key"].replace(" ", "")
        self.person.secret, self.person.last_step = base64.b32decode(key + "=" * (-len(key) % 8)), 0
        self.old = old, step
        self.was = self.post("app", code=self.code(), name=name)
        return self

    def again(self):
        """The same person in another browser, password typed."""
        v = Loser(self.door, self.person)
        v.codes = self.codes
        return v.log_in()

    def old_code(self, secret=None):
        new, self.person.secret = self.person.secret, secret or self.old[0]
        try:
            return self.person.code(at=self.door.now())
        finally:
            self.person.secret = new

    def names(self):
        view, n = self.get("account"), 0
        names = []
        while f"v.authenticators.{n}.name" in view:
            names.append(view[f"v.authenticators.{n}.name"])
            n += 1
        return names

    def events(self):
        out = ctl(self.door, "audit", "--person", self.person.login, "--json")
        return [e["event"] for e in json.loads(out.stdout)]


def ctl(door, *args, check=True):
    """At the keeper's time."""
    return subprocess.run([KOSMOCTL, "-c", door.conf, *args], check=check, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={**os.environ, "LD_PRELOAD": str(door.shim), "CLOCK_FILE": str(door.clock),
                               **({"ASAN_OPTIONS": "verify_asan_link_order=0"} if SANITIZED else {})})


def recover(door, person):
    made = json.loads(ctl(door, "user", "recover", "--json", person.login).stdout)
    assert made["login"] == person.login
    return made["code"]


def terminal(door, person, code):
    """The verdict of a login at the terminal with password and this."""
    client = Client(door.socket)
    kind, f = client.ask("begin", {"phase": "auth", "service": "sshd", "user": person.login, "rhost": "192.0.2.9"})
    for reply in person.password, code, "":
        if kind == "ask":
            kind, f = client.ask("answer", {"text": reply})
    assert kind == "verdict", (kind, f)
    return f["verdict"]


def enrolled(door):
    return Loser(door, next(door.members)).enrol()


def rows(v, table):
    return v.door.rows(f"SELECT count(*) FROM {table} t JOIN person p ON p.id = t.person WHERE p.login = ?", v.person.login)[0][0]


# ---- a recovery code, and the question ----

def test_not_at_hand_goes_on_and_asks_once(door):
    v = enrolled(door)
    w = v.again()
    assert w.get("lost.help")["page"] == "lost-help"
    assert w.post("code", code=v.codes[0])["redirect"] == "/"
    assert w.page() == "/lost"
    assert w.get("lost")["page"] == "lost"
    assert w.get("lost")["page"] == "lost"  # a reload
    assert w.post("lost", answer="no")["redirect"] == "/"
    assert w.page() == "/account"
    assert w.get("lost")["redirect"] == "/account"
    assert len(w.names()) == 1 and v.page() == "/account"


def test_a_code_of_the_app_asks_nothing(door):
    assert enrolled(door).again().factor().page() == "/account"


def test_lost_and_registered_anew(door):
    v = enrolled(door)
    kept = v.again().factor()  # a known browser that stays logged in
    assert rows(v, "known") > 0
    w = v.again()
    w.post("code", code=v.codes[0])
    assert w.post("lost", answer="yes")["redirect"] == "/"
    assert w.page() == "/lost/new"
    # nothing has happened yet
    assert kept.page() == "/account" and len(kept.names()) == 1
    view = w.get("lost.new")
    assert view["v.methods.0.id"] == "passkey" and "v.anew" not in view
    assert w.post("lost.new", method="app")["redirect"] == "/app"
    key = w.get("app")["v.key"]
    assert w.get("lost.new")["page"] == "lost-new"  # the back button
    assert w.post("lost.new", method="app")["redirect"] == "/app"
    assert w.get("app")["v.key"] == key
    w.type_code()
    assert w.was["redirect"] == "/"
    assert w.page() == "/recovery"
    fresh = codes(w.get("recovery"))
    assert len(fresh) == 10 and not set(fresh) & set(v.codes)
    w.saved()
    assert w.page() == "/account" and w.names() == ["new phone"]
    # everything that the lost one may have opened is shut
    assert kept.page() == v.page() == "/login"
    assert rows(v, "known") == 0
    x = w.again()
    assert "e.code" in x.post("code", code=w.old_code())
    door.move_clock(door.offset + 10)
    assert "e.code" in x.post("code", code=v.codes[1])
    door.move_clock(door.offset + 10)
    assert x.post("code", code=fresh[0])["redirect"] == "/"
    assert {"lost.told", "lost.removed", "totp.registered", "recovery.made"} <= set(w.events())


def test_breaking_off_leaves_everything(door):
    v = enrolled(door)
    w = v.again()
    w.post("code", code=v.codes[0])
    w.post("lost", answer="yes")
    w.post("lost.new", method="app")
    assert w.post("lost.stop")["redirect"] == "/account?n=as-before"
    assert w.page() == "/account" and len(w.names()) == 1
    assert rows(v, "authenticator") == 1  # no half one is left
    assert v.again().factor().page() == "/account"
    # left without a word: the same
    w = v.again()
    w.post("code", code=v.codes[1])
    w.post("lost", answer="yes")
    w.post("lost.new", method="app")
    assert v.again().factor().page() == "/account"


def test_another_is_left_so_it_goes_at_once(door):
    v = enrolled(door)
    first = v.person.secret, v.person.last_step
    v.add_app("tablet")
    w = v.again()
    w.post("code", code=v.codes[0])
    assert w.post("lost", answer="yes")["redirect"] == "/lost/which"
    view = w.get("lost.which")
    names = {view[f"v.devices.{i}.name"]: view[f"v.devices.{i}.id"] for i in range(2)}
    assert "e.id" in w.post("lost.which")
    assert w.post("lost.which", id="0" * 32)["redirect"] == "/lost"
    assert w.post("lost.which", id=names["phone"])["redirect"] == "/"
    assert w.page() == "/recovery"
    assert len(codes(w.get("recovery"))) == 10
    w.saved()
    assert w.names() == ["tablet"] and v.page() == "/login"
    x = w.again()
    assert "e.code" in x.post("code", code=w.old_code(first[0]))
    door.move_clock(door.offset + 10)
    assert x.factor().page() == "/account"


def test_the_key_is_not_one_that_the_lost_phone_may_have_seen(door):
    v = enrolled(door)
    v.post("app", start="1")
    seen = v.get("app")["v.key"]
    door.move_clock(door.offset + 2)
    w = v.again()
    w.post("code", code=v.codes[0])
    w.post("lost", answer="yes")
    w.post("lost.new", method="app")
    assert w.get("app")["v.key"] != seen


def test_the_question_has_its_time(door):
    v = enrolled(door)
    w = v.again()
    w.post("code", code=v.codes[0])
    for _ in range(3):
        door.move_clock(door.offset + 1201)
        page = w.page()
    assert page == "/account"
    assert w.post("lost", answer="yes")["redirect"] == "/account"


def test_nobody_gets_there_without_the_code(door):
    v = enrolled(door)
    for w, home in ((v, "/account"), (v.again(), "/login/code"), (Loser(door, v.person), "/login")):
        for action in "lost", "lost.which", "lost.new":
            assert w.get(action)["redirect"].replace("?n=idle", "") == home
            assert w.post(action, answer="yes", method="app", id="0" * 32)["redirect"].replace("?n=idle", "") == home
        assert w.post("lost.stop")["redirect"].replace("?n=idle", "") == home
    assert v.get("lost.help")["redirect"] == "/account"


def test_there_is_always_room_for_another(door):
    v = enrolled(door)
    for i in range(14):
        v.add_app(f"app {i}")
    view = v.post("app", start="1")
    assert view["page"] == "error" and view["status"] == "409"
    w = begun(v, recover(door, v.person))
    w.post("lost.new", method="app")
    w.type_code()
    w.page()
    w.saved()
    assert w.names() == ["new phone"]


# ---- removing the last good way ----

def add_mail(v):
    v.get("mailcode")
    assert v.post("mailcode.again")["redirect"].startswith("/mailcode")
    while True:
        code, _ = v.door.mail(v.person.login)
        if code:
            break
    assert v.post("mailcode", code=code)["redirect"].startswith("/account")


def ids(v):
    view, found = v.get("account"), {}
    while f"v.authenticators.{len(found)}.name" in view:
        found[view[f"v.authenticators.{len(found)}.name"]] = view[f"v.authenticators.{len(found)}.id"]
    return found


def removed(v, name):
    return v.post("remove", id=ids(v)[name], confirm="1")


def test_who_has_the_removed_device_is_out(door):
    v = enrolled(door)
    other = v.again().factor()
    assert other.page() == "/account"
    v.add_app("tablet")
    assert other.page() == "/account"
    assert removed(v, "phone")["redirect"] == "/account?n=removed"
    assert other.page() == "/login" and v.page() == "/account"


def test_the_last_good_way_stays_while_only_lesser_ones_are_left(door):
    v = enrolled(door)
    add_mail(v)
    view = v.get("remove", id=ids(v)["phone"])
    assert view["page"] == "error" and "only safe way" in view["v.title"]
    assert removed(v, "phone")["status"] == "409"
    v.add_app("tablet")
    assert removed(v, "phone")["redirect"] == "/account?n=removed"
    assert removed(v, "tablet")["status"] == "409"
    assert removed(v, "Codes by email")["redirect"] == "/account?n=removed"
    view = removed(v, "tablet")
    assert view["status"] == "409" and "only way" in view["v.title"]
    assert v.names() == ["tablet"]


def test_a_lost_app_is_not_replaced_by_less(door):
    v = enrolled(door)
    w = v.again()
    w.post("code", code=v.codes[0])
    w.post("lost", answer="yes")
    assert [x for k, x in w.get("lost.new").items() if k.startswith("v.methods.") and k.endswith(".id")] == ["passkey", "app"]
    assert "e.method" in w.post("lost.new", method="mail")


def test_the_configuration_may_allow_less(tmp_path):
    d = Door(tmp_path, [Member("a"), Member("b")])
    drop = d.dir / "kosmo.conf.d"
    drop.mkdir(exist_ok=True)
    (drop / "50-test.conf").write_text("policy.remove_last_strong = yes\n")
    d.start()
    try:
        v = Loser(d, d.people["a"]).enrol()
        add_mail(v)
        assert removed(v, "phone")["redirect"] == "/account?n=removed"
        assert removed(v, "Codes by email")["status"] == "409"
        # and mailed codes may take the place of a lost app
        v = Loser(d, d.people["b"]).enrol()
        w = v.again()
        w.post("code", code=v.codes[0])
        w.post("lost", answer="yes")
        assert w.post("lost.new", method="mail")["redirect"] == "/mailcode"
        codes_ = [c for c in (d.mail("b")[0] for _ in range(3)) if c]
        assert w.post("mailcode", code=codes_[-1])["redirect"] == "/"
        assert w.page() == "/recovery"
        w.saved()
        assert w.names() == ["Codes by email"] and v.page() == "/login"
    finally:
        d.stop()


# ---- the administrator's code ----

def begun(v, code):
    w = v.again()
    assert w.post("code", code=code)["redirect"] == "/"
    assert w.page() == "/lost/new"
    return w


def test_the_admins_code_only_registers_anew(door):
    v = enrolled(door)
    code = recover(door, v.person)
    w = begun(v, code.upper().replace("-", " "))
    assert w.get("lost.new")["v.anew"] == "1"
    for action in "account", "sessions", "password", "rename", "recovery", "confirm", "code", "lost", "lost.which":
        assert w.get(action)["redirect"] == "/lost/new", action
    for action in "recovery.new", "remove", "sessions.end", "app.cancel":
        assert w.post(action)["redirect"] == "/lost/new", action
    assert v.page() == "/account" and rows(v, "authenticator") == 1 and rows(v, "recovery") == 10


def test_the_admins_code_takes_everything_old_away(door):
    v = enrolled(door)
    v.add_app("tablet")
    code = recover(door, v.person)
    w = begun(v, code)
    w.post("lost.new", method="app")
    w.type_code()
    assert w.was["redirect"] == "/" and w.page() == "/recovery"
    fresh = codes(w.get("recovery"))
    w.saved()
    assert w.page() == "/account" and w.names() == ["new phone"]
    assert v.page() == "/login" and rows(v, "known") == 0
    x = w.again()
    for wrong in w.old_code(), v.codes[0], code:
        assert "e.code" in x.post("code", code=wrong)
        door.move_clock(door.offset + 10)
    assert x.post("code", code=fresh[0])["redirect"] == "/"
    assert {"user.recover", "recover.code", "recover.done"} <= set(w.events())


def test_breaking_off_costs_nothing_within_its_time(door):
    v = enrolled(door)
    code = recover(door, v.person)
    w = begun(v, code)
    w.post("lost.new", method="app")
    assert w.post("lost.stop")["redirect"] == "/login?n=as-before"
    assert w.page() == "/login"
    begun(v, code)  # left without a word
    door.stop()
    door.start()
    w = begun(v, code)
    w.post("lost.new", method="app")
    w.type_code()
    assert w.page() == "/recovery"


def test_it_expires_even_where_it_was_typed_in_time(door):
    v = enrolled(door)
    code = recover(door, v.person)
    w = begun(v, code)
    for _ in range(49):
        door.move_clock(door.offset + 1764)
        page = w.page()
        if page == "/login":
            break
    assert page == "/login"
    w = v.again()
    assert "e.code" not in w.get("code")
    door.move_clock(door.offset + 86400)
    w = v.again()
    assert "e.code" in w.post("code", code=code)
    assert rows(v, "authenticator") == 1


def test_the_newest_replaces_also_who_is_at_it(door):
    v = enrolled(door)
    first = recover(door, v.person)
    w = begun(v, first)
    w.post("lost.new", method="app")
    second = recover(door, v.person)
    assert first != second
    assert w.get("app")["redirect"] == "/login?n=idle"
    assert w.page() == "/login"
    x = v.again()
    assert "e.code" in x.post("code", code=first)
    door.move_clock(door.offset + 10)
    assert x.post("code", code=second)["redirect"] == "/"
    assert x.page() == "/lost/new"


def test_somebody_elses_is_none(door):
    v, other = enrolled(door), enrolled(door)
    code = recover(door, other.person)
    assert "e.code" in v.again().post("code", code=code)
    begun(other, code)


def test_two_browsers_at_the_same_instant(door):
    v = enrolled(door)
    code = recover(door, v.person)
    a, b = begun(v, code), begun(v, code)
    for w in a, b:
        w.post("lost.new", method="app")
    key = a.get("app")["v.key"]
    assert b.get("app")["v.key"] == key
    v.person.secret, v.person.last_step = base64.b32decode(key.replace(" ", "") + "=" * (-len(key.replace(" ", "")) % 8)), 0
    right = a.code()
    views = {}

    def confirm(w):
        views[w] = w.post("app", code=right, name="new")

    threads = [threading.Thread(target=confirm, args=(w,)) for w in (a, b)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(w.page() for w in (a, b)) == ["/login", "/recovery"]
    assert rows(v, "authenticator") == 1 and rows(v, "recovery") == 10
    assert a.events().count("recover.done") == 1


def test_wrong_ones_are_counted(door):
    v = enrolled(door)
    w = v.again()
    said = []
    door.move_clock(door.offset, still=True)  # waits are of seconds: none passes by itself
    try:
        for i in "2345":
            said.append(w.post("code", code=f"2222-2222-2222-222{i}")["e.code"])
            door.move_clock(door.offset + (2 if i < "4" else 0), still=True)
    finally:
        door.move_clock(door.offset)
    assert ["Too many" in text for text in said] == [False, False, False, True]
    counted = door.rows("SELECT kind, sum(failures) FROM counter c JOIN person p ON p.id = c.owner WHERE p.login = ? AND kind < 8 "
                        "GROUP BY kind", v.person.login)
    assert counted == [(2, 3)]  # with the recovery codes


def test_it_is_no_proof_within_a_session_and_no_login_at_pam(door):
    v = enrolled(door)
    code = recover(door, v.person)
    v.unproven()
    assert "e.code" in v.post("confirm", code=code)
    s = next(door.staff)
    made = recover(door, s)
    assert terminal(door, s, made) not in ("allow", "")
    assert door.rows("SELECT used FROM code t JOIN person p ON p.id = t.person WHERE p.login = ? AND purpose = 7",
                                         s.login) == [(0,)]


def test_kill_in_the_middle_leaves_old_or_new(door):
    """The keeper is killed while the registration is confirmed: all of the old is there, or all of the new."""
    v = enrolled(door)
    code = recover(door, v.person)
    for delay in 0, 0.002, 0.006:
        w = begun(v, code)
        w.post("lost.new", method="app")
        key = w.get("app")["v.key"].replace(" ", "")
        keep, step = v.person.secret, v.person.last_step
        v.person.secret, v.person.last_step = base64.b32decode(key + "=" * (-len(key) % 8)), 0
        right = w.code()
        killer = threading.Timer(delay, door.process.p.kill)
        killer.start()
        try:
            w.post("app", code=right, name="new")
        except Exception:
            pass
        killer.join()
        door.stop()
        door.start()
        if door.rows("SELECT used FROM code t JOIN person p ON p.id = t.person WHERE p.login = ? AND purpose = 7",
                     v.person.login) == [(1,)]:
            assert rows(v, "authenticator") == 1 and rows(v, "known") == 0
            assert "e.code" in v.again().post("code", code=v.codes[5])
            return
        v.person.secret, v.person.last_step = keep, step
        assert rows(v, "recovery") == 10
        assert v.again().factor().page() == "/account"
        door.move_clock(door.offset + 60)


def test_who_has_nothing_registered_needs_none(door):
    p = next(door.members)
    out = ctl(door, "user", "recover", p.login, check=False)
    assert out.returncode == 3 and "nothing is registered" in out.stderr and not out.stdout
