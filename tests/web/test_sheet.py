"""People without email, and the sheet of codes on paper as their way to log in."""
import json
import pathlib
import shutil
import tempfile

import pytest
from test_lost import Loser, codes, ctl, recover, rows, terminal
from test_web_door import NEW, Door, Member, Person


@pytest.fixture(scope="module")
def door():
    folder = tempfile.mkdtemp(prefix="kosmo-")
    people = [Member(f"m{i:03d}") for i in range(30)] + [Member(f"t{i:03d}", "staff") for i in range(4)]
    d = Door(folder, people)
    drop = pathlib.Path(d.dir) / "kosmo.conf.d"
    drop.mkdir(exist_ok=True)
    (drop / "50-test.conf").write_text("email = optional\n")
    d.members = iter([p for p in people if p.role == "member"])
    d.staff = iter([p for p in people if p.role == "staff"])
    d.start()
    yield d
    d.stop()
    shutil.rmtree(folder, ignore_errors=True)


class Paper(Loser):
    def to_method(self):
        self.log_in()
        if self.page() == "/first/birth-date":
            self.birth()
        self.terms()
        assert self.get("email")["v.optional"] == "1"
        assert self.post("email.none")["redirect"] == "/"
        assert self.page() == "/first/method"
        return self

    def to_sheet(self):
        self.to_method()
        assert self.post("method", method="sheet")["redirect"] == "/"
        self.own_password()
        assert self.get("done")["v.method"] == "sheet"
        assert self.post("done", next="sheet")["redirect"] == "/sheet"
        return self

    def prove(self, code=None):
        self.codes = codes(self.get("sheet"))
        assert len(self.codes) == 10
        view = self.post("sheet", code=code or self.codes[0])
        if "redirect" in view:
            self.codes = self.codes[1:]
        return view

    def enrol(self):
        assert self.to_sheet().prove()["redirect"] == "/"
        return self

    def next_code(self):
        return self.codes.pop(0)


def person(door):
    return Paper(door, next(door.members))


def test_an_address_is_needed_where_nobody_says_otherwise(tmp_path):
    d = Door(tmp_path, [Member("a"), Member("b")])
    d.start()
    try:
        v = Paper(d, d.people["a"]).log_in().birth().terms()
        assert "v.optional" not in v.get("email")
        assert v.post("email.none")["redirect"] == "/first/email"
        assert v.page() == "/first/email"
        ctl(d, "user", "set", "--email-optional", "yes", "a")
        assert v.get("email")["v.optional"] == "1" and v.page() == "/first/email"
        assert v.post("email.none")["redirect"] == "/"
        assert v.page() == "/first/method"
        # the admin knows that there is none: nobody asks
        ctl(d, "user", "set", "--email-optional", "yes", "--email", "", "b")
        assert Paper(d, d.people["b"]).log_in().birth().terms().page() == "/first/method"
        # and takes it back
        ctl(d, "user", "set", "--email-optional", "no", "b")
        w = Paper(d, d.people["b"]).log_in()
        assert w.page() == "/first/email"
        assert w.email().verify().page() == "/first/method"
    finally:
        d.stop()


def test_it_is_not_asked_again(door):
    v = person(door).to_method()
    assert Paper(door, v.person).log_in().page() == "/first/method"
    assert door.rows("SELECT count(*) FROM outbox")[0][0] == 0


def test_a_link_on_its_way_is_void(door):
    v = person(door).log_in().birth().terms().email()
    _, token = door.mail(v.person.login)
    assert v.post("email.none")["redirect"] == "/"
    assert v.get("link", token=token)["page"] == "link-bad"


def test_a_sheet_is_offered_only_without_an_address(door):
    v = person(door).to_method()
    view = v.get("method")
    assert [view[f"v.methods.{i}.id"] for i in range(3)] == ["passkey", "app", "sheet"]
    w = person(door).log_in().birth().terms().email().verify()
    assert "sheet" not in [v for k, v in w.get("method").items() if k.endswith(".id")]
    assert "e.method" in w.post("method", method="sheet")


def test_the_sheet_counts_once_it_is_proven(door):
    v = person(door).to_sheet()
    shown = codes(v.get("sheet"))
    assert shown == codes(v.get("sheet")) and rows(v, "recovery") == 0
    # another device goes on with the same sheet
    w = Paper(door, v.person).log_in()
    assert w.page() == "/sheet" and codes(w.get("sheet")) == shown
    for wrong in "", "abc", "22222-22222-222", shown[0][:-1]:
        assert "e.code" in w.post("sheet", code=wrong)
    assert w.page() == "/sheet" and rows(v, "recovery") == 0
    assert w.prove(shown[3].upper().replace("-", " "))["redirect"] == "/"
    assert w.page() == "/account"
    assert v.page() == "/login/code"  # the first browser has shown no factor yet
    secrets = door.rows("SELECT kind, confirmed FROM authenticator a JOIN person p ON p.id = a.person WHERE p.login = ?", v.person.login)
    assert secrets == [(2, 1)]  # what the codes were made of is gone
    x = Paper(door, v.person).log_in()
    assert x.get("code")["page"] == "code-sheet"
    assert "e.code" in x.post("code", code=shown[3])  # it proved the sheet
    door.move_clock(door.offset + 5)
    assert x.post("code", code=shown[0])["redirect"] == "/"
    assert x.page() == "/account"


def low(v):
    """Logs in until two codes are left; the browser of the last login."""
    for _ in range(7):
        w = Paper(v.door, v.person).log_in()
        w.codes = v.codes
        assert w.page() == "/login/code"
        assert w.post("code", code=v.next_code())["redirect"] == "/"
    assert len(v.codes) == 2
    return w


def test_a_new_sheet_when_few_are_left(door):
    v = person(door).enrol()
    w = low(v)
    assert w.page() == "/sheet"
    assert w.get("account")["redirect"] == "/sheet"
    view = w.get("sheet")
    assert view["page"] == "sheet-start" and view["v.left"] == "2"
    assert w.post("sheet", start="1")["redirect"] == "/sheet"
    fresh = codes(w.get("sheet"))
    assert not set(fresh) & set(v.codes)
    # the new ones are worth nothing yet, the old ones still are
    x = Paper(door, v.person).log_in()
    assert "e.code" in x.post("code", code=fresh[0])
    door.move_clock(door.offset + 5)
    assert x.post("code", code=v.codes[0])["redirect"] == "/"
    # it resumes there, with the same sheet
    assert x.page() == "/sheet" and codes(x.get("sheet")) == fresh
    assert x.post("sheet", code=fresh[0])["redirect"] == "/account?n=sheet"
    assert x.page() == "/account" and rows(v, "recovery") == 10
    y = Paper(door, v.person).log_in()
    assert "e.code" in y.post("code", code=v.codes[1])
    door.move_clock(door.offset + 5)
    assert y.post("code", code=fresh[1])["redirect"] == "/"
    assert y.page() == "/account"


def test_a_new_sheet_from_the_account(door):
    v = person(door).enrol()
    assert v.post("recovery.new")["redirect"] == "/sheet"
    assert v.prove()["redirect"] == "/account?n=sheet"
    v.unproven()
    assert v.get("sheet")["redirect"].startswith("/account/confirm")
    assert v.post("recovery.new")["redirect"].startswith("/account/confirm")


def test_a_lost_sheet_is_the_admins_to_mend(door):
    v = person(door).enrol()
    w = Paper(door, v.person).log_in()
    assert w.post("code", code=recover(door, v.person))["redirect"] == "/"
    assert w.page() == "/lost/new"
    view = w.get("lost.new")
    assert {view[f"v.methods.{i}.id"] for i in range(3)} == {"passkey", "app", "sheet"}
    assert w.post("lost.new", method="sheet")["redirect"] == "/sheet"
    assert w.get("sheet")["v.lost"] == "1"
    assert w.prove()["redirect"] in ("/", "/account?n=sheet")
    assert w.page() == "/account" and v.page() == "/login"
    x = Paper(door, v.person).log_in()
    assert "e.code" in x.post("code", code=v.codes[0])
    door.move_clock(door.offset + 5)
    assert x.post("code", code=w.next_code())["redirect"] == "/"
    assert rows(v, "authenticator") == 1


def test_after_the_admins_code_an_app_takes_the_sheets_place(door):
    v = person(door).enrol()
    w = Paper(door, v.person).log_in()
    w.post("code", code=recover(door, v.person))
    w.post("lost.new", method="app")
    w.type_code()
    assert w.page() == "/recovery"
    w.saved()
    assert rows(v, "authenticator") == 1
    x = Paper(door, v.person).log_in()
    assert x.get("code")["page"] == "code"
    assert x.factor().page() == "/account"


def test_a_sheet_that_is_used_up_is_told_to_the_admin(door):
    v = person(door).enrol()
    while v.codes:
        w = Paper(door, v.person).log_in()
        assert w.post("code", code=v.next_code())["redirect"] == "/"  # and never makes a new one
    assert w.page() == "/sheet"
    shown = json.loads(ctl(door, "user", "show", "--json", v.person.login).stdout)
    assert shown["blocked_by"] == "sheet_used_up" and "user recover" in shown["access"]
    w = Paper(door, v.person).log_in()
    assert w.post("code", code=recover(door, v.person))["redirect"] == "/"
    assert w.page() == "/lost/new"


def test_nobody_is_asked_whether_the_sheet_was_lost(door):
    v = person(door).enrol()
    w = Paper(door, v.person).log_in()
    w.post("code", code=v.next_code())
    assert w.page() == "/account"


def test_staff_with_a_sheet_log_in_at_the_terminal(door):
    v = Paper(door, next(door.staff)).enrol()
    assert terminal(door, v.person, v.codes[0]) == "allow"
    assert terminal(door, v.person, v.codes[0]) != "allow"
    assert terminal(door, v.person, "22222-22222-222") != "allow"


def test_a_lost_password_is_a_new_letter_and_the_factor_stays(door):
    """kosmoctl user reissue for one person with a password of their own: the second factor is asked all the same."""
    v = person(door).enrol()
    assert "password of their own" in ctl(door, "user", "reissue", v.person.login, check=False).stderr
    file = door.dir / "again.csv"
    ctl(door, "user", "reissue", "--replace-own", "--passwords", file, v.person.login)
    letter = file.read_text(encoding="utf-8-sig").splitlines()[-1].split(",")[-1]
    w = Paper(door, v.person)
    assert "e.form" in w.post("login", login=v.person.login, password=NEW)
    door.move_clock(door.offset + 5)
    w.log_in(letter)
    assert w.page() == "/login/code"
    assert w.post("code", code=v.next_code())["redirect"] == "/"
    assert w.page() == "/first/password"
    w.post("own-password", new="sakura no ki 31", again="sakura no ki 31")
    assert w.page() == "/account"
    assert v.page() == "/login"
