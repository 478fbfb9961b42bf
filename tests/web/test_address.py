"""Change of address, "this was not me", and the notices that owners of accounts get."""
import http.client
import json
import pathlib
import shutil
import sys
import tempfile
import urllib.parse

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "pam"))

from browser import Browser, Http, Site, mailed  # noqa: E402
from kosmo_wire import Client  # noqa: E402
from test_forgot import Member, put_mailcode, raw  # noqa: E402
from test_lost import ctl, terminal  # noqa: E402
from test_web_door import NEW, Door, Person, Visitor, by_mail, full  # noqa: E402
from test_web_door import Member as Fresh  # noqa: E402

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
DAY = 86400
FORMER, NOW, STOPPED = "Your email address was changed", "This is now your email address", "Your account was stopped"
MAIN, SCANNED, JAPANESE = (Member(n) for n in ("mainpath", "scanned", "nihon"))


def wrong(code):
    return "%06d" % ((int(code) + 1) % 1000000)


def path(site, link):
    assert link.startswith(site.url)
    return link[len(site.url):]


# ---- over HTTP and in a real browser ----

@pytest.fixture(scope="module")
def site():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kosmo-"))
    folder.chmod(0o755)
    s = Site(folder, [MAIN, SCANNED, JAPANESE], "mail.from = no-reply@example.jp\nterms.version = 0\n")
    put_mailcode(s, *(f"={p.login}" for p in (MAIN, SCANNED, JAPANESE)))
    s.start()
    yield s
    s.stop()
    shutil.rmtree(folder, ignore_errors=True)


def enter(site, address, p, code, lang="en"):
    h = Http(site, address, lang).log_in(p, code)
    if h.get("/").to == "/first/birth-date":
        h.get("/first/birth-date").post("/first/birth-date", birth_date="1980-01-01")
    assert h.get("/").to == "/account"
    return h


def shown(site, p):
    return json.loads(site.ctl("user", "show", "--json", p.login))


def test_changed_told_and_stopped(site):
    elsewhere, codes = enter(site, "198.51.100.7", MAIN, MAIN.codes()[-1]), MAIN.codes()
    b = Browser()
    try:
        b.get(site.url + "/login")
        b.fill(login=MAIN.login, password=MAIN.password)
        b.at("/login/code").fill(code=codes[0])
        assert "Login from a new browser" in (m := site.mail(MAIN.email))["Subject"]
        assert "on Linux" in m.get_content() and mailed(m) == (None, None)
        b.at("/account").press("a[href='/account/email']")
        b.at("/account/email").fill(email=MAIN.email)
        assert "have now" in b.error("email") and MAIN.email in b.text
        b.fill(email="no address")
        assert "not an email address" in b.error("email")
        b.fill(email="mistyped@example.jp")
        b.at("/account/email/sent").press("a[href='/account/email']")
        b.at("/account/email").fill(email="main.new@example.jp")
        b.at("/account/email/sent")
        assert "main.new@example.jp" in b.text and f"stays as it was: {MAIN.email}" in b.text
        code, link = mailed(site.mail("main.new@example.jp"))
        stale = mailed(site.mail("mistyped@example.jp"))
        b.fill(code=wrong(code))
        assert "not right" in b.error("code")
        b.fill(code=stale[0])
        assert "not right" in b.error("code")
        assert shown(site, MAIN)["email"] == MAIN.email, "until it is confirmed nothing changes"
        b.fill(code=code)
        b.at("/account")
        assert "new email address is confirmed" in b.text and "main.new@example.jp" in b.text and MAIN.email not in b.text
        for used in link, stale[1]:
            b.get(used)
            assert "can no longer be used" in b.text
        former = site.mail(MAIN.email)
        assert former["Subject"] == FORMER and "main.new" not in former.get_content()
        assert site.mail("main.new@example.jp")["Subject"] == NOW
        # the owner of the former address, in a browser that nobody knows
        b.d.delete_all_cookies()
        b.get(mailed(former)[1])
        assert MAIN.email in b.text and "main.new" not in b.text and f"Test {MAIN.login}" not in b.text
        b.press()
        assert "tick the box" in b.error("sure") and elsewhere.get("/account").status == 200
        b.find("label[for=f-sure]").click()
        b.press()
        assert "The account is stopped" in b.text
        assert elsewhere.get("/account").to in ("/login", "/login?n=idle"), "everyone is out"
        assert {site.mail(a)["Subject"] for a in (MAIN.email, "main.new@example.jp")} == {STOPPED}
        b.get(mailed(former)[1])
        assert "The account is stopped" in b.text, "who presses again reads what was done"
    finally:
        b.close()
    assert f"user={MAIN.login} is frozen" in site.process.log.read_text()
    p = shown(site, MAIN)
    assert (p["state"], p["email"], p["former_email"]) == ("frozen", "main.new@example.jp", MAIN.email)
    h = Http(site, "198.51.100.7")
    assert "user ID or the password is not right" in h.password(MAIN).error
    assert h.error == Http(site, "198.51.100.7").password("nobody-here", "x").error
    assert site.rows("SELECT count(*) FROM outbox WHERE state = 1 AND person = (SELECT id FROM person WHERE login = ?)", MAIN.login) == [(0,)]


def test_what_scanners_do_consumes_nothing(site):
    h = enter(site, "198.51.100.2", SCANNED, SCANNED.codes()[0])
    h.get("/account/email").post("/account/email", email="scanned.new@example.jp")
    assert h.to == "/account/email/sent"
    _, link = mailed(site.mail("scanned.new@example.jp"))
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    def scan(link, where, **whole):
        """Without cookies; then with, as a scanner that loads the page and sends its form as it is."""
        for verb in "GET", "HEAD":
            status, text = raw(site, verb, path(site, link))
            assert status == 200 and (verb == "GET") == bool(text)
        for headers in form, form | {"Origin": "https://scanner.example"}, form | {"Origin": site.url}:
            assert raw(site, "POST", where, urllib.parse.urlencode({"token": link.rsplit("/", 1)[1], **whole}), headers)[0] in (303, 403)
        other = Http(site, "203.0.113.9").get(path(site, link))
        other.post(where, token=link.rsplit("/", 1)[1])
        assert other.status == 200 and other.error, other.text
        return other

    other = scan(link, "/mail/confirm")
    assert shown(site, SCANNED)["email"] == SCANNED.email
    # in another browser the number of the first screen
    pair = h.get("/account/email/sent").text.split("Number of this page")[1].split()[0]
    token = link.rsplit("/", 1)[1]
    assert other.post("/mail/confirm", token=token, pair="10" if pair != "10" else "11").error
    assert "is confirmed" in other.post("/mail/confirm", token=token, pair=pair).text
    assert shown(site, SCANNED)["email"] == "scanned.new@example.jp"
    assert "no longer be used" in other.post("/mail/confirm", token=token, pair=pair).text
    assert "no longer be used" in other.get(path(site, link)).text
    assert h.get("/account/email/sent").to == "/account", "the first browser has nothing to wait for"
    assert http_json(site, h, "/account/email/state") == {"done": True}
    # the link to the former address
    _, link = mailed(site.mail(SCANNED.email))
    token = link.rsplit("/", 1)[1]
    other = scan(link, "/mail/freeze", sure="1")
    assert shown(site, SCANNED)["state"] == "active" and h.get("/account").status == 200
    assert "is stopped" in other.post("/mail/freeze", token=token, sure="1").text
    assert shown(site, SCANNED)["state"] == "frozen"
    assert "is stopped" in other.post("/mail/freeze", token=token, sure="1").text
    frozen = "SELECT count(*) FROM audit WHERE event = 'account.frozen' AND person = (SELECT id FROM person WHERE login = ?)"
    assert site.rows(frozen, SCANNED.login) == [(1,)], "once"
    assert "no longer be used" in other.post("/mail/freeze", token="x" * 43, sure="1").text


def http_json(site, h, where):
    c = http.client.HTTPConnection("localhost", site.port, timeout=10)
    c.request("GET", where, None, {"Cookie": "; ".join(f"{k}={v}" for k, v in h.cookies.items())})
    r = json.loads(c.getresponse().read())
    c.close()
    return r


def test_notices_in_the_owners_language(site):
    h = enter(site, "198.51.100.3", JAPANESE, (codes := JAPANESE.codes())[-1], "ja")
    h.get("/account/email").post("/account/email", email="nihon.new@example.jp")
    m = site.mail("nihon.new@example.jp")
    h.get("/account/email/sent").post("/account/email/code", code=mailed(m)[0])
    m = site.mail(JAPANESE.email)
    assert m["Subject"] == "メールアドレスが変更されました"
    assert "7日以内に次のページを開いて、利用を止めてください。" in m.get_content() and mailed(m)[1]
    assert m["Auto-Submitted"] == "auto-generated" and m.get_content_charset() == "utf-8"
    m = site.mail("nihon.new@example.jp")
    assert m["Subject"] == "新しいメールアドレスのお知らせ" and "ここに届きます。" in m.get_content()
    # a browser that is new: in the language that it asked for last, with what it says of itself
    with_words(site, JAPANESE, codes[0])
    m = site.mail("nihon.new@example.jp")
    assert m["Subject"] == "いつもと違うブラウザーからのログインのお知らせ"
    assert "ブラウザー：Chrome（Windows）" in m.get_content() and "接続元：198.51.100.4" in m.get_content()


def with_words(site, p, code):
    """A login whose browser names itself."""
    h = Http(site, "198.51.100.4", "ja")
    was = http.client.HTTPConnection.request

    def request(self, verb, where, body=None, headers=None, **kw):
        return was(self, verb, where, body, {**(headers or {}), "User-Agent": CHROME}, **kw)

    http.client.HTTPConnection.request = request
    try:
        h.log_in(p, code)
    finally:
        http.client.HTTPConnection.request = was


# ---- at the keeper's door, with its clock ----

@pytest.fixture(scope="module")
def door():
    folder = tempfile.mkdtemp(prefix="kosmo-")
    people = [Fresh(f"m{i:03d}") for i in range(6)] + [Person(f"s{i:03d}") for i in range(8)]
    d = Door(folder, people)
    d.members = iter([p for p in people if isinstance(p, Fresh)])
    d.staff = iter([p for p in people if not isinstance(p, Fresh)])
    d.start()
    yield d
    d.stop()
    shutil.rmtree(folder, ignore_errors=True)


def asked(v, to):
    """(code, link) of the mail to the new address."""
    assert v.post("address", email=f"{to}@example.jp")["redirect"] == "/account/email/sent"
    return v.door.mail(to)


def email_of(v):
    return json.loads(ctl(v.door, "user", "show", "--json", v.person.login).stdout)["email"]


def test_only_after_a_fresh_factor(door):
    v = full(door).unproven()
    for answer in v.get("address"), v.post("address", email="x@example.jp"):
        assert answer["redirect"] == "/account/confirm?next=/account/email"
    assert v.post("confirm", code=v.code(), next="/account/email")["redirect"] == "/account/email"
    code, _ = asked(v, f"{v.person.login}.new")
    v.unproven()  # the mail may take its time
    assert v.get("address.state").get("v.done") != "1"
    assert v.post("address.code", code=code)["redirect"] == "/account?n=address"
    assert email_of(v) == f"{v.person.login}.new@example.jp"


def test_the_code_and_the_links_end(door):
    v = full(door)
    was = email_of(v)
    code, link = asked(v, f"{v.person.login}.slow")
    door.move_clock(door.offset + DAY + 1)
    v = Visitor(door, v.person).log_in().factor()
    assert v.get("address.sent")["redirect"] == "/account"
    assert v.post("address.code", code=code)["v.base"] == "/account/email" and v.get("link", token=link)["page"] == "link-bad"
    assert v.post("link.confirm", token=link)["page"] == "link-bad" and email_of(v) == was
    code, _ = asked(v, f"{v.person.login}.next")
    assert v.post("address.code", code=code)["redirect"] == "/account?n=address"
    link = None
    while not link:
        _, link = door.mail(v.person.login)  # the news of the new browser comes before
    door.move_clock(door.offset + 7 * DAY + 1)
    stranger = Visitor(door)
    assert stranger.get("link", token=link)["page"] == "link-bad"
    assert stranger.post("freeze", token=link, sure="1")["page"] == "link-bad"
    assert json.loads(ctl(door, "user", "show", "--json", v.person.login).stdout)["state"] == "active"


def test_a_new_password_ends_what_waits(door):
    v = full(door)
    code, link = asked(v, f"{v.person.login}.thief")
    answer = v.post("password", current=v.person.password, new=NEW, again=NEW)
    assert answer["redirect"] == "/account?n=password"
    assert v.get("address.sent")["redirect"] == "/account" and v.get("link", token=link)["page"] == "link-bad"
    v.post("address.code", code=code)
    assert email_of(v) == f"{v.person.login}@example.jp"


def test_mailed_codes_go_to_the_new_address(door):
    v = by_mail(door)
    assert v.get("address").get("v.mailed_codes") == "1"
    login = Visitor(door, v.person).log_in()
    assert login.page() == "/login/mail-code"
    old, _ = door.mail(v.person.login)
    code, _ = asked(v, f"{v.person.login}.new")
    assert v.post("address.code", code=code)["redirect"] == "/account?n=address"
    assert "redirect" not in login.post("login.mail", code=old), "what lies in the former mailbox opens nothing"
    door.notice(f"{v.person.login}.new")
    door.move_clock(door.offset + 3601)
    login = Visitor(door, v.person).log_in()
    fresh, _ = door.mail(f"{v.person.login}.new")
    assert login.post("login.mail", code=fresh)["redirect"] == "/"


def account(door, person):
    """The verdict of PAM's account phase."""
    client = Client(door.socket)
    return client.ask("begin", {"phase": "account", "service": "sshd", "user": person.login})[1]["verdict"]


def test_frozen_staff_at_the_terminal(door):
    v = full(door)
    door.move_clock(door.offset + 31)
    assert terminal(door, v.person, v.code()) == "allow"
    code, _ = asked(v, f"{v.person.login}.thief")
    v.post("address.code", code=code)
    link = None
    while not link:
        _, link = door.mail(v.person.login)  # the news of the terminal comes before
    half = Visitor(door, v.person).log_in()
    assert half.page() == "/login/code"
    stranger = Visitor(door)
    assert stranger.get("link", token=link)["page"] == "freeze"
    assert stranger.post("freeze", token=link)["page"] == "freeze", "the box is not ticked"
    assert stranger.post("freeze", token=link, sure="1")["page"] == "frozen"
    assert (v.page(), half.page()) == ("/login", "/login")
    assert terminal(door, v.person, v.code()) == "deny"
    assert account(door, v.person) == "disabled"
    ctl(door, "user", "disable", v.person.login)
    assert terminal(door, v.person, v.code()) == "deny", "as one who is disabled"
    ctl(door, "user", "enable", v.person.login)
    assert terminal(door, v.person, v.code()) == "allow"
