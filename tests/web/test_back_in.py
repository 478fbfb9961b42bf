"""What lets people back in is no way around anything: who has a password, a browser that was left open, or a glance at a
page, gets no further with it."""
import shutil
import tempfile

import pytest
from test_lost import Loser, codes, ctl
from test_sheet import Paper, low
from test_web_door import Door, Member, Visitor
from test_web_mailcode import Guest


@pytest.fixture(scope="module")
def door():
    folder = tempfile.mkdtemp(prefix="kosmo-")
    d = Door(folder, [Member(f"m{i:03d}") for i in range(16)])
    drop = d.dir / "kosmo.conf.d"
    drop.mkdir(exist_ok=True)
    (drop / "50-test.conf").write_text("email = optional\nmailcode.web = allowed\n")
    d.members = iter(d.people.values())
    d.start()
    yield d
    d.stop()
    shutil.rmtree(folder, ignore_errors=True)


def lost(door, v):
    """In by a recovery code, and the phone is said to be lost."""
    w = v.again()
    assert w.post("code", code=v.codes[0])["redirect"] == "/"
    assert w.post("lost", answer="yes")["redirect"] == "/"
    assert w.page() == "/lost/new"
    return w


def test_a_lost_app_is_not_replaced_by_less_whatever_page_is_asked_for(door):
    v = Loser(door, next(door.members)).enrol()
    w = lost(door, v)
    assert [m for k, m in w.get("lost.new").items() if k.startswith("v.methods.") and k.endswith(".id")] == ["passkey", "app"]
    assert w.get("mailcode")["redirect"] == "/lost/new"
    assert w.post("mailcode.again")["redirect"] == "/lost/new"
    assert "page" not in w.post("sheet", start="1")
    assert w.page() == "/lost/new"


def test_a_lost_phone_ends_the_change_of_address_that_it_began(door):
    v = Loser(door, next(door.members)).enrol()
    assert v.post("address", email="thief@example.jp")["redirect"] == "/account/email/sent"
    pair = v.get("address.sent")["v.pair"]
    _, link = door.mail("thief")
    door.move_clock(door.offset + 2)
    w = lost(door, v)
    assert w.post("lost.new", method="app")["redirect"] == "/app"
    w.type_code()
    thief = Visitor(door)
    assert thief.post("link.confirm", token=link, pair=pair)["page"] == "link-bad"


def test_a_key_that_was_only_looked_at_is_nobodys_later(door):
    v = Loser(door, next(door.members)).enrol()
    thief = v.copy()  # ten minutes at somebody's browser
    assert thief.post("app", start="1")["redirect"] == "/app"
    seen = thief.get("app")["v.key"]
    door.move_clock(door.offset + 86400)
    w = v.again().factor()
    assert w.post("app", start="1")["redirect"] == "/app"
    key = w.get("app")["v.key"]
    assert key != seen
    # the same one while it is being registered: a second press, a proof that ran out
    assert w.post("app", start="1")["redirect"] == "/app" and w.get("app")["v.key"] == key
    w.unproven()
    assert w.get("app")["redirect"] == "/account/confirm?next=/app"
    assert w.post("confirm", code=w.code(), next="/app")["redirect"] == "/app"
    assert w.get("app")["v.key"] == key


def test_a_sheet_that_was_only_looked_at_is_nobodys_later(door):
    v = Paper(door, next(door.members)).enrol()
    assert v.post("recovery.new")["redirect"] == "/sheet"
    seen = codes(v.get("sheet"))
    door.move_clock(door.offset + 86400)
    w = Paper(door, v.person).log_in()
    assert w.post("code", code=v.next_code())["redirect"] == "/"
    assert w.post("recovery.new")["redirect"] == "/sheet"
    assert not set(codes(w.get("sheet"))) & set(seen)


def test_recovery_codes_that_were_not_saved_are_shown_for_an_hour_and_then_for_a_proof(door):
    v = Loser(door, next(door.members))
    v.log_in().birth().terms().email().verify().method().own_password().register()
    shown = codes(v.get("recovery"))
    assert len(shown) == 10
    for _ in range(3):
        door.move_clock(door.offset + 1201)
        assert v.page() == "/recovery"
    view = v.get("recovery")
    assert view["redirect"] == "/account/confirm?next=/recovery" and not codes(view)
    assert v.get("account")["page"] == "account"
    assert v.post("confirm", code=v.code(), next="/recovery")["redirect"] == "/recovery"
    assert codes(v.get("recovery")) == shown
    assert v.saved().page() == "/account"


def test_recovery_codes_wait_where_there_is_a_step_before(door):
    v = Loser(door, next(door.members))
    v.log_in().birth().terms().email().verify().method().own_password().register()
    ctl(door, "user", "set", v.person.login, "--email", "other@example.jp")
    for _ in range(3):
        door.move_clock(door.offset + 1201)
        v.page()
    assert v.page() == "/first/email"
    assert v.get("recovery")["redirect"] == "/first/email"


def test_with_the_next_sheet_due_nothing_else_is_registered_without_a_proof(door):
    v = Paper(door, next(door.members)).enrol()
    w = low(v)
    assert w.post("app", start="1")["redirect"] == "/app"
    w.unproven()
    assert w.get("app")["redirect"] == "/sheet"
    assert w.post("app", start="1")["redirect"] == "/sheet"
    assert w.get("sheet")["page"] == "sheet-start"


def test_an_address_that_the_admin_gave_is_the_one_to_confirm(door):
    """Else a password alone would lead the codes anywhere."""
    v = Guest(door, next(door.members)).by_mail()
    ctl(door, "user", "set", v.person.login, "--email", "given@example.jp")
    w = v.again()
    assert w.page() == "/first/email"
    assert "v.optional" not in w.get("email")
    assert w.post("email.none")["redirect"] == "/first/email"
    assert "e.email" in w.post("email", email="thief@example.jp")
    assert w.get("email.sent")["redirect"] == "/first/email"
    assert w.post("email", email="given@example.jp")["redirect"] == "/first/email/sent"
    code, _ = door.mail("given")
    assert w.post("email.code", code=code)["redirect"] == "/"
    assert w.page() == "/login/mail-code"  # and now the factor
