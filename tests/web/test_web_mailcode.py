"""Codes by email as a way to log in: over the wire with a clock that moves, and the main ways in a real browser."""
import contextlib
import json
import re
import shutil
import sqlite3
import subprocess
import tempfile

import pytest
from browser import Browser, Site, app_code, mailed
from harness import wait_until
from made import made
from test_web_door import BUILD, Door, FakeMailer, Member, Visitor
from test_wizard import NEW_PASSWORD, confirm_by_code, log_out, open_login, qr, secret_of
from test_wizard import Member as Person
from test_wizard import begin as begin_wizard

KOSMOCTL = BUILD / "ctl/kosmoctl"


class Guest(Visitor):
    """Somebody whose way is mail, or is to be."""

    def start(self):
        return self.log_in().birth().terms().email().verify()

    def by_mail(self):
        self.start().method("mail").own_password().register_mail()
        return self.later()

    def by_app(self):
        return self.start().method().own_password().register().saved().later()

    def add_mail(self):
        assert self.post("mailcode.again")["redirect"] == "/mailcode?n=sent"
        code = self.code_in_mail()
        assert self.post("mailcode", code=code)["redirect"] == "/account?n=mail-added"
        self.door.settled()
        self.door.notice(self.person.login)
        with contextlib.suppress(AssertionError):  # the app's notice too, where codes overtook it
            self.door.mail(self.person.login, 0.05)
        return self.later()

    def later(self, seconds=61):
        self.door.move_clock(self.door.offset + seconds)
        return self

    def again(self):
        """The same person in another browser, password typed."""
        return Guest(self.door, self.person).log_in()

    def code_in_mail(self):
        """The newest one's; notices in between are left out."""
        for _ in range(4):
            code, _ = self.door.mail(self.person.login)
            if code:
                return code
        raise AssertionError("no code came")

    def no_mail_waits(self):
        self.door.settled()
        with pytest.raises(AssertionError):
            self.door.mail(self.person.login, 0.1)

    def ways(self):
        view, n, found = self.get("account"), 0, []
        while f"v.authenticators.{n}.name" in view:
            found.append((view[f"v.authenticators.{n}.kind_text"], bool(view[f"v.authenticators.{n}.only"]),
                          bool(view[f"v.authenticators.{n}.off"])))
            n += 1
        return found

    def id_of(self, kind):
        return self.door.rows("SELECT a.id FROM authenticator a JOIN person p ON p.id = a.person WHERE p.login = ? AND a.kind "
                              "= ?", self.person.login, kind)[0][0].hex()

    def events(self):
        out = subprocess.run([KOSMOCTL, "-c", self.door.conf, "audit", "--person", self.person.login, "--json", "--limit", "1000"],
                             check=True, stdout=subprocess.PIPE).stdout
        return [e["event"] for e in reversed(json.loads(out))]


TOTP, MAIL = 1, 3
APP_WAY, MAIL_WAY = "Authenticator app", "Codes by email"


def other(code):
    return "000000" if code != "000000" else "111111"


def made(conf="", people=16):
    folder = tempfile.mkdtemp(prefix="kosmo-")
    d = Door(folder, [Member(f"m{i:03d}") for i in range(people)])
    if conf:
        drop = d.dir / "kosmo.conf.d"
        drop.mkdir(exist_ok=True)
        (drop / "50-test.conf").write_text(conf)
    d.members = iter(d.people.values())
    return d, folder


@pytest.fixture(scope="module")
def door():
    d, folder = made("mail.from = no-reply@example.jp\ncontact = 03-0000-0000\n", 30)
    d.start()
    yield d
    d.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def own_door():
    d, folder = made()
    yield d
    d.stop()
    shutil.rmtree(folder, ignore_errors=True)


def guest(door):
    return Guest(door, next(door.members))


def reconfigured(door, text):
    """Starts anew with another policy."""
    door.stop()
    drop = door.dir / "kosmo.conf.d"
    drop.mkdir(exist_ok=True)
    (drop / "60-policy.conf").write_text(text)
    door.start()


# ---- the wizard ----


def test_the_wizard_by_mail(door):
    v = guest(door).start()
    view = v.get("method")
    assert [view[f"v.methods.{i}.id"] for i in range(3)] == ["passkey", "app", "mail"] and "v.methods.3.id" not in view
    assert view["v.methods.0.recommended"] == "1" and not view["v.methods.1.recommended"]
    assert "least safe" in view["v.methods.2.text"] and "add a better one later" in view["v.methods.2.text"]
    assert v.post("method", method="telegram")["e.method"]
    v.method("mail").own_password()
    view = v.get("done")
    assert view["v.method"] == "mail" and "app" not in view["v.lead"] + view["v.then"] + view["v.button"]
    # nothing is mailed for looking, and the page says so
    view = v.get("mailcode")
    assert view["page"] == "mail-code" and "v.live" not in view and view["v.first"] == "1" and view["v.wizard"] == "1"
    assert view["v.step"] == view["v.steps"]
    v.no_mail_waits()
    assert v.post("done", next="app")["page"] == "done", "not what was chosen"
    assert v.post("done", next="mail")["redirect"] == "/mailcode"
    code = v.code_in_mail()
    view = v.get("mailcode")
    assert view["v.live"] == "1" and view["v.address_hint"] == f"{v.person.login}@example.jp"
    assert view["v.sender_domain"] == "example.jp" and view["v.mail_state"] and 0 < int(view["v.again_in"]) <= 60
    assert not v.door.rows("SELECT 1 FROM authenticator a JOIN person p ON p.id = a.person WHERE p.login = ?", v.person.login)
    assert "newest mail" in v.post("mailcode", code=other(code))["e.code"]
    assert "6 digits" in v.post("mailcode", code="")["e.code"]
    cookie = v.cookie
    assert v.post("mailcode", code=f" {code[:3]} {code[3:]} ")["redirect"] == "/account?n=mail-added"
    assert v.cookie != cookie
    assert v.ways() == [(MAIL_WAY, True, False)]
    view = v.get("account")
    assert view["v.recovery_none"] == "1" and not view["v.recovery_low"] and view["v.mail_only"] == "1" and not view["v.mail_offered"]
    v.door.notice(v.person.login)
    assert [e for e in v.events() if e.startswith(("mailcode", "method"))] == \
        ["method.chosen", "mailcode.sent", "mailcode.wrong", "mailcode.registered"]
    # recovery codes are offered, and the proof is fresh
    assert v.post("recovery.new")["redirect"] == "/recovery"
    assert "v.codes.9.code" in v.get("recovery")


def test_another_choice_before_it_is_registered(door):
    v = guest(door).start().method().own_password()
    assert v.page() == "/app"
    assert v.get("method")["page"] == "method"
    assert v.post("method", method="mail")["redirect"] == "/"
    code = v.code_in_mail()
    assert v.page() == "/mailcode"
    assert v.post("mailcode", code=code)["redirect"] == "/account?n=mail-added"
    assert v.get("method")["redirect"] == "/account"


def test_who_comes_back_to_the_last_step_types_one_code(door):
    v = guest(door).start().method("mail").own_password()
    assert v.post("done", next="logout")["redirect"] == "/login?n=later"
    v.later()
    w = v.again()
    assert w.page() == "/login/mail"
    view = w.get("guard")
    assert view["page"] == "mail-code" and view["v.guard"] == "1" and view["v.address_hint"] == "…@example.jp"
    assert w.post("guard", code=w.code_in_mail())["redirect"] == "/account?n=mail-added"
    assert w.ways() == [(MAIL_WAY, True, False)]


# ---- logging in ----


def test_logging_in_by_mail(door):
    v = guest(door).by_mail()
    w = v.again()
    assert w.page() == "/login/mail-code"
    code = w.code_in_mail()
    view = w.get("login.mail")
    assert view["v.login"] == "1" and view["v.live"] == "1" and view["v.address_hint"] == "…@example.jp"
    assert view["v.another"] == "/login/another" and v.person.login not in json.dumps({k: x for k, x in view.items()})
    assert "newest mail" in w.post("login.mail", code=other(code))["e.code"]
    assert w.post("login.mail", code=code)["page"] == "mail-code", "it waits after a wrong one"
    w.later(2)
    assert w.get("code")["redirect"] == "/login/mail-code"
    assert w.post("login.mail", code=code)["redirect"] == "/"
    assert w.page() == "/account"
    # once only, and only in the browser that typed the password
    x = w.later().again()
    assert x.post("login.mail", code=code)["e.code"]
    assert x.later(3).post("login.mail", code=x.code_in_mail())["redirect"] == "/"


def test_a_second_login_at_once_tells_of_the_first_ones_mail(door):
    v = guest(door).by_mail()
    w = v.again()
    code = w.code_in_mail()
    x = v.again()
    x.no_mail_waits()
    view = x.get("login.mail")
    assert view["v.live"] == "1" and int(view["v.again_in"]) > 50
    assert x.post("login.mail", code=code)["redirect"] == "/"


def test_sent_again_after_a_minute_and_five_times_an_hour(door):
    v = guest(door).by_mail()
    v.later(3600)
    w = v.again()
    first = w.code_in_mail()
    w.later(10)
    assert w.post("login.mail.again")["redirect"] == "/login/mail-code?n=wait"
    view = w.get("login.mail", n="wait")
    assert "wait" in view["v.notice"] and 45 <= int(view["v.again_in"]) <= 50
    assert re.fullmatch(r"\d\d seconds", view["v.again_text"]) and re.fullmatch(r"\d+:\d\d:\d\d", view["v.again_at"])
    w.no_mail_waits()
    last = first
    for _ in range(4):
        w.later()
        assert w.post("login.mail.again")["redirect"] == "/login/mail-code?n=sent"
        last = w.code_in_mail()
    assert w.later().post("login.mail.again")["redirect"] == "/login/mail-code?n=wait"
    view = w.get("login.mail")
    assert int(view["v.again_in"]) > 3000 and "minutes" in view["v.again_text"]
    assert first == last or w.post("login.mail", code=first)["e.code"]
    assert w.later(3).post("login.mail", code=last)["redirect"] == "/"


def test_expired_and_typed_wrong_too_often(door):
    v = guest(door).by_mail()
    w = v.again()
    code = w.code_in_mail()
    w.later(601)
    assert "expired" in w.post("login.mail", code=code)["e.code"]
    view = w.get("login.mail")
    assert "v.live" not in view and view["v.first"] == "1" and view["v.again_in"] == "0"
    assert w.post("login.mail.again")["redirect"] == "/login/mail-code?n=sent"
    code = w.code_in_mail()
    for _ in range(3):
        assert "newest mail" in w.later(6).post("login.mail", code=other(code))["e.code"]
    assert "minutes" not in w.later(11).post("login.mail", code=other(code))["e.code"]
    # five wrong ones an hour, whatever the code
    said = w.later(11).post("login.mail", code=code)["e.code"]
    assert re.search(r"try again in \d+ minutes", said), said
    w.later(3700)
    w = v.again()
    assert w.post("login.mail", code=w.code_in_mail())["redirect"] == "/"


def test_true_waits_between_wrong_ones(door):
    v = guest(door).by_mail()
    w = v.again()
    code = w.code_in_mail()
    door.move_clock(door.offset, still=True)
    try:
        w.post("login.mail", code=other(code))
        said = w.post("login.mail", code=code)["e.code"]
        assert "try again in 1 second" in said and "app" not in said
    finally:
        door.move_clock(door.offset)
    assert w.later(2).post("login.mail", code=code)["redirect"] == "/"


def test_a_hundred_wrong_ones_switch_mailed_codes_off(door):
    v = guest(door).by_mail()
    assert v.post("recovery.new")["redirect"] == "/recovery"
    recovery = v.get("recovery")["v.codes.0.code"]
    w, ended = v.again(), None
    for i in range(130):
        w.later(11)
        to = w.post("login.mail", code="12345" + str(i % 10)).get("redirect")
        if to == "/login?n=disabled":
            ended = i
            break
        if to is not None:
            w = v.again()
    assert ended is not None
    assert "switched off" in Visitor(door).get("login", n="disabled")["v.notice"]
    door.settled()
    before = door.rows("SELECT count(*) FROM outbox")
    w.later(3600)
    w = v.again()
    assert door.rows("SELECT count(*) FROM outbox") == before, "none is mailed that would not be taken"
    view = w.get("login.mail")
    assert "Mailed codes are switched off" in view["e.code"] and "03-0000-0000" in view["e.code"] and view["v.off"] == "1"
    assert w.post("login.mail.again")["redirect"] == "/login/mail-code?n=wait"
    assert "v.mail" not in w.get("another")
    assert w.post("another", code=recovery)["redirect"] == "/"
    assert w.page() == "/account", "no phone was lost"
    w.later()
    w = v.again()
    while True:
        code, _ = door.mail(v.person.login)
        if code and w.post("login.mail", code=code).get("redirect") == "/":
            break
        w.later(11)


# ---- what became of the mail ----


REPLIES = [
    ("permanent", "550 5.1.1 <x>: Recipient address rejected", "no such mailbox", "使われていません"),
    ("permanent", "552 5.2.2 Over quota", "mailbox is full", "いっぱい"),
    ("permanent", "550 5.7.1 Message rejected as spam", "unwanted mail", "迷惑メール"),
    ("temporary", "Failed to connect to localhost port 25", "could not be reached", "つながりません"),
    ("temporary", "SSL certificate problem: self-signed certificate", "no secure connection", "安全に接続"),
]


@pytest.mark.parametrize("state, reply, english, japanese", REPLIES)
def test_the_page_says_what_became_of_the_mail(own_door, state, reply, english, japanese):
    refuse = [False]
    mailer = FakeMailer(own_door, lambda n: {"state": state, "reason": reply} if refuse[0] else {"state": "sent"})
    own_door.start(mailer=False)
    v = guest(own_door).log_in().birth().terms().email()
    wait_until(lambda: mailer.taken, 10, "a mail")
    refuse[0] = True
    v.later()
    assert v.post("email.again")["redirect"].startswith("/first/email/sent")
    wait_until(lambda: len(mailer.taken) > 1, 10, "the second mail")
    wait_until(lambda: "v.mail_reply" in v.get("email.sent"), 10, "the outcome")
    view = v.get("email.sent")
    assert english in view["v.mail_state"] and reply not in view["v.mail_state"] and view["v.mail_reply"] == reply
    kind, view = v.client.ask("web", {"action": "email.sent", "method": "GET", "session": v.cookie, "addr": "192.0.2.7",
                                      "agent": "test", "lang": "ja", "secure": "0"})
    assert japanese in view["v.mail_state"] and not re.search("[A-Za-z]", view["v.mail_state"])


def test_without_a_mailer_the_page_says_so_and_other_ways_work(door):
    v = guest(door).by_mail()
    assert v.post("recovery.new")["redirect"] == "/recovery"
    recovery = v.get("recovery")["v.codes.0.code"]
    v.saved()
    door.mailer.end()
    (door.dir / "run/mail.sock").unlink(missing_ok=True)
    try:
        w = v.again()
        wait_until(lambda: "mail program is not running" in w.get("login.mail")["v.mail_state"], 10, "the outcome")
        assert "v.mail_reply" not in w.get("login.mail"), "our own words are no server's answer"
        assert w.post("login.mail", code=recovery)["redirect"] == "/"
        assert w.page() == "/account"
    finally:
        door.stop()
        door.start()


# ---- app and mail ----


def test_app_and_mail(door):
    v = guest(door).by_app()
    assert v.get("account")["v.mail_offered"] == "1"
    v.add_mail()
    assert v.ways() == [(APP_WAY, False, False), (MAIL_WAY, False, False)]
    assert not v.get("account")["v.mail_offered"]
    assert v.post("mailcode.again")["redirect"] == "/account" and v.get("mailcode")["redirect"] == "/account"
    w = v.again()
    assert w.page() == "/login/code"
    w.no_mail_waits()
    assert w.get("code")["v.another"] == "/login/another"
    view = w.get("another")
    assert (view["v.app"], view["v.mail"], view["v.recovery"]) == ("/login/code", "/login/mail-code", "1")
    view = w.get("login.mail")
    assert "v.live" not in view, "looking sends nothing"
    w.no_mail_waits()
    assert w.post("login.mail.again")["redirect"] == "/login/mail-code?n=sent"
    code = w.code_in_mail()
    assert "newest mail" in w.post("login.mail", code=v.code())["e.code"], "not the app's here"
    w.later(6)
    said = w.post("code", code=code)["e.code"]
    assert "app" in said, "and not the mailed one there"
    assert w.later(6).post("login.mail", code=code)["redirect"] == "/"
    assert w.page() == "/account"
    # a wrong recovery code stays on its page
    x = v.later().again()
    view = x.post("another", code="aaaa-bbbb-ccccc")
    assert view["page"] == "another" and view["e.code"]


def test_the_only_way_stays_others_go(door):
    v = guest(door).by_mail()
    mail = v.id_of(MAIL)
    assert v.post("remove", id=mail, confirm="1")["status"] == "409"
    assert v.post("app", start="1")["redirect"] == "/app"
    v.register_app()
    assert "v.codes.9.code" in v.get("recovery")
    v.saved()
    v.door.notice(v.person.login)
    view = v.get("remove", id=mail)
    assert view["v.kind_text"] == MAIL_WAY and "no longer mail you" in view["v.gone"]
    assert v.post("rename", id=mail, name="家族のメール")["redirect"] == "/account?n=renamed"
    assert v.post("remove", id=mail, confirm="1")["redirect"] == "/account?n=removed"
    v.door.notice(v.person.login)
    assert v.ways() == [(APP_WAY, True, False)]
    assert {"mailcode.renamed", "mailcode.removed"} <= set(v.events())
    w = v.again()
    assert w.page() == "/login/code"
    assert w.get("login.mail")["redirect"] == w.post("login.mail.again")["redirect"] == "/login/code"
    assert not w.get("code")["v.another"]


# ---- proving it once more ----


def test_a_change_is_confirmed_by_mail(door):
    v = guest(door).by_mail().unproven()
    assert v.post("app", start="1")["redirect"] == "/account/confirm?next=/app"
    assert v.get("confirm", next="/app")["redirect"] == "/account/confirm/mail?next=/app"
    view = v.get("confirm.mail", next="/app")
    assert "v.live" not in view and view["v.next"] == "/app" and view["v.confirm"] == "1"
    v.no_mail_waits()
    assert v.post("confirm.mail.again", next="/app")["redirect"] == "/account/confirm/mail?next=/app&n=sent"
    code = v.code_in_mail()
    view = v.post("confirm.mail", code=other(code), next="/app")
    assert view["page"] == "mail-code" and view["v.next"] == "/app" and view["e.code"]
    cookie = v.cookie
    assert v.later(3).post("confirm.mail", code=code, next="/app")["redirect"] == "/app"
    assert v.cookie != cookie
    assert v.post("app", start="1")["redirect"] == "/app"
    assert v.get("confirm.another", next="/recovery")["v.next"] == "/recovery"
    assert v.get("confirm.mail", next="https://evil.example/")["v.next"] == "/account"
    assert "confirm.allow" in v.events()


def test_adding_mail_asks_for_the_app_first(door):
    v = guest(door).by_app().unproven()
    v.door.notice(v.person.login)
    assert v.post("mailcode.again")["redirect"] == "/account/confirm?next=/mailcode"
    v.no_mail_waits()
    assert v.post("confirm", code=v.code(), next="/mailcode")["redirect"] == "/mailcode"
    assert "v.live" not in v.get("mailcode")
    v.add_mail()


# ---- policy ----


def test_policies(own_door):
    own_door.start()
    both, only = guest(own_door).by_app().add_mail(), guest(own_door).by_mail()
    fresh = guest(own_door).start().method("mail").own_password()
    reconfigured(own_door, "mailcode.web = last\npolicy.remove_last_strong = yes\n")
    for v in both, only, fresh:
        v.client = Visitor(own_door).client
    assert both.ways() == [(APP_WAY, True, False), (MAIL_WAY, False, True)]
    assert both.post("remove", id=both.id_of(TOTP), confirm="1")["redirect"] == "/account?n=removed", "mail takes its place"
    assert both.ways() == [(MAIL_WAY, True, False)]
    assert only.later().again().page() == "/login/mail-code"
    only.code_in_mail()
    app = guest(own_door).by_app()
    assert not app.get("account")["v.mail_offered"] and app.get("mailcode")["redirect"] == "/account"
    both = guest(own_door).by_mail()
    assert both.post("app", start="1")["redirect"] == "/app"
    both.register_app().saved()
    w = both.again()
    assert w.page() == "/login/code" and not w.get("code")["v.another"] and w.get("login.mail")["redirect"] == "/login/code"
    assert w.post("login.mail.again")["redirect"] == "/login/code"
    reconfigured(own_door, "mailcode.web = forbidden\n")
    for v in both, only, fresh:
        v.client = Visitor(own_door).client
    assert both.post("remove", id=both.id_of(TOTP), confirm="1")["status"] == "409", "what is left could not be used"
    # a choice that is not offered any more is asked for again
    assert fresh.page() == "/first/method"
    view = fresh.get("method")
    assert view["v.methods.1.id"] == "app" and "v.methods.2.id" not in view
    assert fresh.post("method", method="mail")["e.method"] and fresh.get("mailcode")["redirect"]
    # whose only way was mail registers another, behind a mailed code
    w = only.later(3600).again()
    assert w.page() == "/login/mail"
    assert w.post("guard", code=w.code_in_mail())["redirect"] == "/"
    assert w.page() == "/first/method"


def test_after_the_admins_code_mail_may_be_registered_anew(door):
    v = guest(door).by_app()
    made = subprocess.run([KOSMOCTL, "-c", door.conf, "user", "recover", v.person.login, "--json"], stdout=subprocess.PIPE)
    assert made.returncode == 0, made.stdout
    code = next(x for x in json.loads(made.stdout).values() if isinstance(x, str) and re.search("[a-z0-9]{4}-[a-z0-9]{4}", x))
    w = v.again()
    assert w.post("code", code=code)["redirect"] == "/" and w.page() == "/lost/new"
    assert w.post("lost.new", method="mail")["redirect"] == "/mailcode"
    view = w.get("mailcode")
    assert view["v.live"] == "1" and view["v.lost"] == "1" and view["v.address_hint"] == "…@example.jp"
    assert w.post("mailcode", code=w.code_in_mail())["redirect"] == "/"
    assert w.page() == "/recovery" and w.saved().ways() == [(MAIL_WAY, True, False)]


# ---- a real browser ----


@pytest.fixture(scope="module")
def site():
    folder = tempfile.mkdtemp(prefix="kosmo-")
    people = [Person(f"h{i:05d}") for i in range(4)]
    s = Site(folder, people, "mail.from = no-reply@example.jp\n")
    s.free = iter(people)
    s.start()
    yield s
    s.stop()
    shutil.rmtree(folder, ignore_errors=True)


def a_minute_later(site):
    """The mails' quotas forget."""
    db = sqlite3.connect(site.dir / "kosmo.db", timeout=10)
    try:
        db.execute("DELETE FROM counter")
        db.commit()
    finally:
        db.close()


def new_code(site, p):
    while True:
        code, _ = mailed(site.mail(p.login))
        if code:
            return code


def enrol(b, site):
    p = next(site.free)
    p.initial = site.initial(p.login)
    begin_wizard(b, site, p)
    confirm_by_code(b, site, p)
    b.find("label[for=m-mail]").click()
    b.press()
    b.at("/first/password").fill(new=NEW_PASSWORD, again=NEW_PASSWORD)
    b.at("/first/done").press("button[value=mail]")
    b.at("/mailcode")
    assert f"{p.login}@example.jp" in b.text and "“example.jp”" in b.text
    return p


def test_in_the_browser(site):
    b = Browser()
    try:
        p = enrol(b, site)
        again = b.find("form[action='/mailcode/again'] button")
        assert again.get_attribute("disabled") and "again in" in b.text and " seconds" in b.text
        code = new_code(site, p)
        wait_until(lambda: "was sent on" in b.find("#mail").text, 10, "the state without a reload")
        b.fill(code=other(code))
        assert "newest mail" in b.error("code")
        b.fill(code=code)
        b.at("/account")
        assert "You can now log in with codes by email." in b.text and "only one" in b.text
        # an app beside it
        b.press("form[action='/app'] button")
        b.at("/app")
        b.fill(code=app_code(secret_of(qr(b, site))))
        b.at("/recovery").press()
        b.at("/account")
        assert len(b.all("a[href^='/account/remove']")) == 2
        a_minute_later(site)
        log_out(b, site).fill(login=p.login, password=NEW_PASSWORD)
        b.at("/login/code")
        b.find("a[href='/login/another']").click()
        b.at("/login/another").press("#by-mail")
        b.at("/login/mail-code").fill(code=new_code(site, p))
        b.at("/account")
    finally:
        b.close()


def test_in_the_browser_without_javascript(site):
    b = Browser(javascript=False, width=390, height=800)
    try:
        p = enrol(b, site)
        b.fill(code=new_code(site, p))
        b.at("/account")
        a_minute_later(site)
        log_out(b, site).fill(login=p.login, password=NEW_PASSWORD)
        b.at("/login/mail-code")
        first = new_code(site, p)

        def left():
            return int(re.search(r"again in (\d+) seconds, from \d+:\d\d:\d\d on", b.text).group(1))

        before = left()
        # too early: nothing is sent, and the page says so
        b.press("form[action='/login/mail-code/again'] button")
        b.at("/login/mail-code")
        assert "No new mail was sent" in b.text
        b.find("a[href='/login/mail-code']").click()
        b.at("/login/mail-code")
        wait_until(lambda: b.d.refresh() or left() < before, 10, "a smaller number")
        a_minute_later(site)
        b.d.refresh()
        assert "again in" not in b.text
        b.press("form[action='/login/mail-code/again'] button")
        b.at("/login/mail-code")
        second = new_code(site, p)
        if first != second:
            b.fill(code=first)
            assert "newest mail" in b.at("/login/mail-code").error("code")
            a_minute_later(site)
        b.fill(code=second)
        b.at("/account")
    finally:
        b.close()
