"""Forgotten passwords and user IDs: what the owner of the mailbox can do, and what everybody else cannot."""
import http.client
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "pam"))

from browser import Browser, Http, Site, mailed  # noqa: E402
from conftest import BUILD, SANITIZED  # noqa: E402
from counted import Counted  # noqa: E402
from harness import Person, wait_until  # noqa: E402
from made import made
from selenium.webdriver import ActionChains  # noqa: E402

NEW = "mikan to densha 27"
OWN_BIRTH, TWIN_BIRTH = "1980-01-01", "1950-04-01"


class Member(Person):
    def __init__(self, login, email=None, birth=OWN_BIRTH, **kw):
        super().__init__(login, **{"role": "member", **kw})
        self.email, self.birth = email or f"{login}@example.jp", birth

    def row(self):
        row = super().row()
        row[2:4] = self.birth, self.email
        return row


FAMILY = "family@example.jp"
APP, CHAIN, LINKED, TRIED = (Member(n) for n in ("tablet", "chain", "linked", "tried"))
MAIL, BORN, BORN2 = (Member(n, seed=False) for n in ("byletter", "born", "born2"))
STAFF = Member("clerk", seed=False, role="staff")
HALF, PAPER, OPEN, GONE = (Member("half", seed=False), Member("paper", password=False, seed=False), Member("open0", seed=False),
                           Member("gone0"))
TWINS = [Member(f"twin{i}", FAMILY, TWIN_BIRTH, seed=False) for i in range(2)]
CHILD = Member("child", FAMILY, "2001-02-03")
GUESSED = Member("guessed", seed=False)
HARRIED, SHARED = Member("harried"), Member("sharing")
EVERYBODY = [APP, CHAIN, LINKED, TRIED, MAIL, BORN, BORN2, STAFF, HALF, PAPER, OPEN, GONE, *TWINS, CHILD, GUESSED, HARRIED, SHARED]


def put_mailcode(site, *logins):
    made("pam", "put_mailcode")
    subprocess.run([BUILD / "tests/pam/put_mailcode", site.conf, *logins], check=True)


@pytest.fixture(scope="module")
def site():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kosmo-"))
    folder.chmod(0o755)
    s = Site(folder, EVERYBODY, "mail.from = no-reply@example.jp\n")
    by_mail = [p.login for p in (MAIL, BORN, BORN2, STAFF, *TWINS, GUESSED)]
    confirmed = [f"={p.login}" for p in (APP, CHAIN, LINKED, TRIED, HALF, PAPER, GONE, CHILD, HARRIED, SHARED)]
    put_mailcode(s, *by_mail, *confirmed)
    s.ctl("user", "disable", GONE.login)
    s.counted = None if SANITIZED else Counted(folder, s)
    s.start(s.counted.env if s.counted else None)
    yield s
    s.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def chromium():
    b = Browser()
    yield b
    b.close()


@pytest.fixture
def browser(chromium, site):
    chromium.get(site.url + "/login")
    chromium.d.delete_all_cookies()
    return chromium


def done(site, what):
    """Does what a stranger may do, and waits until the keeper is through with it."""
    rows = "SELECT count(*) FROM audit WHERE event IN ('reset.asked', 'id.asked', 'id.mailed')"
    before = site.rows(rows)
    r = what()
    wait_until(lambda: site.rows(rows) != before, 10, "what is done after the answer")
    return r


def ask(site, h, login):
    return done(site, lambda: h.get("/forgot/password").post("/forgot/password", login=login))


def mails(site):
    return site.rows("SELECT count(*) FROM outbox")[0][0]


def path(site, link):
    assert link.startswith(site.url)
    return link[len(site.url):]


def opened(site, h, p):
    """A browser that asked and typed the mailed code."""
    ask(site, h, p.login)
    code, _ = mailed(site.mail(p.email))
    h.post("/forgot/code", login=p.login, code=code)
    assert (h.status, h.to) == (303, "/")
    return h


def wrong(code):
    return "%06d" % ((int(code) + 1) % 1000000)


# ---- in a real browser ----

def test_reset_by_the_link_and_the_app(site, browser):
    b, elsewhere = browser, Http(site, "198.51.100.1")
    elsewhere.log_in(APP, APP.codes()[-1])
    assert elsewhere.inside()
    b.get(site.url + "/login")
    b.press("a[href='/forgot/password']")
    b.at("/forgot/password").press()
    assert b.error("login")
    b.fill(login=APP.login)
    assert "If this user ID exists" in b.text
    message = site.mail(APP.email)
    assert f"Test {APP.login}" in message.get_content()
    _, link = mailed(message)
    b.get(link)
    assert "press the button" in b.text
    b.press()
    b.at("/forgot/factor").fill(code=APP.wrong_code())
    assert "not right" in b.error("code")
    b.get(site.url + "/account")  # no login: every way leads back here
    b.at("/forgot/factor")
    assert APP.login not in b.text and not b.all("form.out")
    wait_until(lambda: b.fill(code=APP.codes()[1]) or b.path == "/forgot/new", 30, "a code that is taken")
    b.fill(new="password", again="password")
    assert b.error("new")
    b.fill(new=NEW, again=NEW)
    b.at("/first/birth-date")  # in: what is unmet of the wizard is all that is left
    assert "Your password was changed" in site.mail(APP.email)["Subject"]
    assert not elsewhere.inside()
    assert site.rows("SELECT count(*) FROM audit WHERE event = 'password.reset'") == [(1,)]
    b.get(link)
    assert "can no longer be used" in b.text
    again = Http(site, "198.51.100.1")
    assert again.password(APP, NEW).to == "/" and again.password(APP).error


def test_mail_only_member_types_the_birth_date(site, browser):
    b = browser
    b.get(site.url + "/forgot/password")
    b.fill(login=MAIL.login)
    code, _ = mailed(site.mail(MAIL.email))
    b.fill(code=wrong(code))
    assert "not right" in b.error("code") and b.find("input[name=login]").get_attribute("value") == MAIL.login
    b.fill(code=code)
    b.at("/forgot/birth-date").fill(birth_date="1980-01-02")
    assert "not the birth date" in b.error("birth_date")
    b.fill(birth_date="昭和55年1月1日")
    b.at("/forgot/new").fill(new=NEW, again=NEW)
    b.at("/login")
    assert "Your new password is set" in b.text
    b.fill(login=MAIL.login, password=NEW)
    assert b.path.startswith("/login/")  # the mailed code, as always


# ---- the link elsewhere, scanners, twice ----

def raw(site, verb, where, body=None, headers=None):
    c = http.client.HTTPConnection("localhost", site.port, timeout=10)
    c.request(verb, where, body, headers or {})
    r = c.getresponse()
    text = r.read().decode()
    c.close()
    return r.status, text


def stale(site, cookies):
    """What still has the cookies of before."""
    h = Http(site, "198.51.100.2")
    h.cookies = dict(cookies)
    return h.get("/forgot/password")


def test_the_link_belongs_to_the_browser_that_asked(site):
    first, other = Http(site, "198.51.100.2"), Http(site, "198.51.100.3")
    ask(site, first, LINKED.login)
    code, link = mailed(site.mail(LINKED.email))
    token = path(site, link).rsplit("/", 1)[1]
    used = "SELECT count(*) FROM code WHERE used <> 0 OR tries <> 0"
    before = site.rows(used)
    for verb in "GET", "HEAD":
        assert raw(site, verb, path(site, link))[0] == 200
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for headers in (form, form | {"Origin": "https://scanner.example"}, form | {"Origin": site.url}):
        status, text = raw(site, "POST", "/forgot/link", urllib.parse.urlencode({"token": token}), headers)
        assert status in (303, 403) and "birth" not in text
    page = other.get(path(site, link)).text
    assert "first screen" in page and token not in page and "birth" not in page
    other.post("/forgot/link", token=token)
    assert other.status == 200 and "first screen" in other.text
    assert other.post("/forgot/code", login=LINKED.login, code=code).error  # nor does the code serve elsewhere
    assert other.get("/forgot/new").to.startswith("/forgot/password")
    first.get(path(site, link))
    assert "press the button" in first.text
    assert site.rows("SELECT count(*) FROM code WHERE used <> 0") == [(before[0][0],)]
    cookie = dict(first.cookies)
    first.post("/forgot/link", token=token)
    assert (first.status, first.to) == (303, "/") and first.cookies["kosmo"] != cookie["kosmo"]
    assert first.get("/").to == "/forgot/factor"
    assert first.get(path(site, link)).to == "/forgot/factor"
    begun = site.rows("SELECT count(*) FROM session")
    twice = stale(site, cookie)  # a double click: the second one knows nothing of the first one's answer
    twice.post("/forgot/link", token=token)
    assert (twice.status, twice.to, twice.cookies) == (303, "/", first.cookies)
    assert site.rows("SELECT count(*) FROM session") == begun
    late = stale(site, cookie)
    site.write("UPDATE session SET seen = seen - 3600 WHERE level = 5")
    assert "can no longer be used" in late.post("/forgot/link", token=token).text
    assert late.post("/forgot/code", login=LINKED.login, code=code).error


def test_a_code_sent_twice_leads_on_until_it_went_further(site):
    h = Http(site, "198.51.100.5")
    ask(site, h, SHARED.login)
    code, link = mailed(site.mail(SHARED.email))
    cookie = dict(h.cookies)
    assert h.post("/forgot/code", login=SHARED.login, code=code).to == "/"
    twice = stale(site, cookie)
    assert twice.post("/forgot/code", login=SHARED.login, code=wrong(code)).error
    assert twice.post("/forgot/code", login=SHARED.login, code=code).to == "/" and twice.cookies == h.cookies
    assert stale(site, {}).post("/forgot/code", login=SHARED.login, code=code).error
    assert "can no longer be used" in stale(site, cookie).post("/forgot/link", token=path(site, link).rsplit("/", 1)[1]).text
    h.get("/forgot/factor")
    wait_until(lambda: h.post("/forgot/factor", code=SHARED.code()).to == "/", 30, "a code that is taken")
    assert stale(site, cookie).post("/forgot/code", login=SHARED.login, code=code).error


def test_a_reset_is_no_login(site):
    h = opened(site, Http(site, "198.51.100.4"), CHAIN)
    for page in ("/", "/account", "/app", "/recovery", "/account/password", "/account/sessions", "/first/password",
                 "/forgot/birth-date", "/forgot/new"):
        assert h.get(page).to == "/forgot/factor", page
    h.get("/forgot/factor")
    both = {"new": NEW, "again": NEW}
    for page, fields in (("/account/password", both), ("/app", {"start": "1"}), ("/recovery/new", {}), ("/forgot/new", both),
                         ("/first/password", both)):
        h.post(page, **fields)
        assert (h.status, h.to) == (303, "/forgot/factor"), page
    site.ctl("user", "disable", CHAIN.login)
    assert h.get("/forgot/factor").to.startswith("/forgot/password")
    site.ctl("user", "enable", CHAIN.login)
    site.write("UPDATE session SET seen = seen - 3600 WHERE level = 5")
    assert h.get("/forgot/factor").to.startswith("/forgot/password")


# ---- who gets a mail ----

def test_who_is_mailed_nothing(site):
    pages, before = set(), mails(site)
    for i, login in enumerate((STAFF.login, PAPER.login, OPEN.login, GONE.login, "nobody-at-all", "no login!")):
        h = Http(site, f"198.51.100.{10 + i}")
        ask(site, h, login)
        pages.add((h.status, h.text.replace(login, "NAME"), len(h.said)))
    assert len(pages) == 1 and mails(site) == before
    h.post("/forgot/code", login=STAFF.login, code="123456")
    assert h.status == 200 and "can no longer be used" in h.error


def test_an_address_of_several_people(site):
    ask(site, Http(site, "198.51.100.20"), TWINS[0].login)
    message = site.mail(FAMILY)
    assert mailed(message) == (None, None) and "Several people" in message.get_content()
    h = opened(site, Http(site, "198.51.100.21"), CHILD)  # an app of one's own: the mail is not all there is
    assert h.get("/").to == "/forgot/factor"


def test_an_unfinished_enrolment_goes_on(site):
    h = opened(site, Http(site, "198.51.100.22"), HALF)
    h.get("/forgot/birth-date").post("/forgot/birth-date", birth_date=OWN_BIRTH)
    h.get("/forgot/new").post("/forgot/new", new=NEW, again=NEW)
    assert h.to == "/"
    assert h.get("/").to.startswith("/first/") and h.password(HALF, NEW).to == "/login/mail"


# ---- limits ----

def test_codes_are_counted_for_somebody_as_for_nobody(site):
    known, unknown = Http(site, "198.51.100.30"), Http(site, "198.51.100.31")
    ask(site, known, TRIED.login)
    ask(site, unknown, "tried-not")
    code, link = mailed(site.mail(TRIED.email))
    said = {}
    for h, login in (known, TRIED.login), (unknown, "tried-not"):
        said[login] = [h.post("/forgot/code", login=login, code=wrong(code)).error for _ in range(6)]
    assert said[TRIED.login] == said["tried-not"] and "wait an hour" in said["tried-not"][5] != said["tried-not"][4]
    assert "wait an hour" in known.post("/forgot/code", login=TRIED.login, code=code).error
    known.get(path(site, link)).post("/forgot/link", token=path(site, link).rsplit("/", 1)[1])
    assert known.to == "/"  # what is too long to be guessed has no such limit


def test_a_mail_a_minute(site):
    h, before = Http(site, "198.51.100.32"), mails(site)
    ask(site, h, GUESSED.login)
    h.post("/forgot/password", login=GUESSED.login)
    h.get("/healthz")
    assert mails(site) == before + 1
    site.write("UPDATE counter SET not_before = 0 WHERE kind = 32 AND failures = 1")
    ask(site, h, GUESSED.login)
    assert mails(site) == before + 2


def test_strangers_do_not_stop_the_owner(site, browser):
    """They have mails and codes sent until there are none left for them, and type those wrong: the owner's link, the owner's
    mails and codes are not theirs to use up."""
    b = browser
    b.get(site.url + "/login")
    b.fill(login=HARRIED.login, password=HARRIED.password)
    b.at("/login/code").fill(code=HARRIED.codes()[0])
    b.at("/first/birth-date")
    b.d.delete_cookie("kosmo")
    b.get(site.url + "/forgot/password")
    b.fill(login=HARRIED.login)
    _, link = mailed(site.mail(HARRIED.email))
    strangers, before = [Http(site, f"203.0.113.{i}") for i in range(7)], mails(site)
    for h in strangers[:5]:
        ask(site, h, HARRIED.login)
        site.write("UPDATE counter SET not_before = 0 WHERE kind = 32")
    theirs = {mailed(site.mail(HARRIED.email))[0] for _ in range(5)}
    for h in strangers[5:]:
        h.get("/forgot/password").post("/forgot/password", login=HARRIED.login)
    for h in strangers[1:4]:
        for _ in range(4):
            h.post("/forgot/code", login=HARRIED.login, code=next(c for c in ("000000", "111111", "222222", "333333", "444444",
                                                                              "555555") if c not in theirs))
    assert mails(site) == before + 5
    b.get(link)
    assert "press the button" in b.text
    b.get(site.url + "/forgot/password")
    b.fill(login=HARRIED.login)
    code, link = mailed(site.mail(HARRIED.email))
    assert mails(site) == before + 6
    b.fill(code=wrong(code))
    assert b.error("code")
    b.get(link)
    ActionChains(b.d).double_click(b.find("button.main")).perform()
    b.at("/forgot/factor")
    assert site.rows("SELECT count(*) FROM audit WHERE event = 'reset.opened' AND person = (SELECT id FROM person WHERE login = ?)",
                     HARRIED.login) == [(1,)]


def test_a_network_asks_so_often(site):
    """Whomever: nobody's names are counted as somebody's, and the pages stay the same."""
    h, before = Http(site, "203.0.113.77"), mails(site)
    site.write("DELETE FROM counter WHERE kind = 32")
    for i in range(20):
        ask(site, h, f"nobody-{i}")
    page = h.text
    h.post("/forgot/password", login=CHILD.login)
    assert h.text.replace(CHILD.login, "nobody-19") == page
    ask(site, Http(site, "203.0.113.78"), CHILD.login)
    site.mail(FAMILY)
    assert mails(site) == before + 1


def test_birth_dates_are_counted(site):
    h = opened(site, Http(site, "198.51.100.33"), BORN)
    h.get("/forgot/birth-date")
    for day in range(2, 7):
        assert "not the birth date" in h.post("/forgot/birth-date", birth_date=f"1980-01-{day:02}").error
    assert "too often" in h.post("/forgot/birth-date", birth_date=OWN_BIRTH).error


def test_strangers_use_up_no_birth_date_of_a_reset(site):
    """Who knows an address types wrong dates for its user ID: they are counted, but apart from those of the owner's reset."""
    before = mails(site)
    for day in range(2, 7):
        i = Http(site, f"198.51.100.{60 + day}").get("/forgot/id")
        done(site, lambda: i.post("/forgot/id", email=BORN2.email, birth_date=f"1980-01-{day:02}"))
    site.write("DELETE FROM counter WHERE kind = 32 AND owner <> (SELECT id FROM person WHERE login = ?)", BORN2.login)
    i = Http(site, "198.51.100.67").get("/forgot/id")
    done(site, lambda: i.post("/forgot/id", email=BORN2.email, birth_date=OWN_BIRTH))
    assert mails(site) == before, "five wrong ones: not even the right one is compared any more"
    h = opened(site, Http(site, "198.51.100.35"), BORN2)
    assert h.get("/forgot/birth-date").post("/forgot/birth-date", birth_date=OWN_BIRTH).to == "/"


# ---- the user ID ----

def forgot_id(site, h, email, birth):
    return done(site, lambda: h.get("/forgot/id").post("/forgot/id", email=email, birth_date=birth))


def test_the_ids_of_a_family_in_one_mail(site):
    h, before = Http(site, "198.51.100.40"), mails(site)
    pages = {forgot_id(site, h, *t).text for t in ((FAMILY, "1950-04-02"), ("nobody@example.jp", TWIN_BIRTH),
                                                   (OPEN.email, OWN_BIRTH))}
    assert mails(site) == before
    pages.add(forgot_id(site, h, FAMILY.upper(), "S25.4.1").text)
    assert len(pages) == 1
    text = site.mail(FAMILY).get_content()
    assert all(f"Test {t.login}: {t.login}" in text for t in TWINS) and CHILD.login not in text
    assert mails(site) == before + 1
    h.post("/forgot/id", email=FAMILY, birth_date=TWIN_BIRTH)  # within the minute
    h.post("/forgot/id", email="", birth_date="1950-02-30")
    assert mails(site) == before + 1 and h.error


# ---- secrecy ----

@pytest.mark.skipif(SANITIZED, reason="what is counted is the same in every build")
def test_same_bytes_and_work_for_somebody_and_nobody(site):
    def asked(verb_path, fields):
        h = Http(site, "198.51.100.50").get("/forgot/password")

        def go():
            c = http.client.HTTPConnection("localhost", site.port, timeout=10)
            c.request("POST", verb_path, urllib.parse.urlencode({"csrf": h.csrf, **fields}),
                      {"Content-Type": "application/x-www-form-urlencoded", "Origin": site.url,
                       "Cookie": "; ".join(f"{k}={v}" for k, v in h.cookies.items())})
            r = c.getresponse()
            body = r.read().decode().replace(h.csrf, "CSRF").replace(fields.get("login", "-"), "NAME")
            c.close()
            return r.status, [(k, v) for k, v in r.getheaders() if k != "Date"], body
        answer, work = site.counted.work(go)
        return repr(answer), (work["hashes"], work["commits"])

    site.write("DELETE FROM counter WHERE kind = 32")
    names = {"somebody": CHAIN.login, "unconfirmed": OPEN.login, "nobody": "nobod", "disabled": GONE.login}  # of equal length
    for where, more in ("/forgot/password", {}), ("/forgot/code", {"code": "123456"}):
        seen = {k: asked(where, {"login": n, **more}) for k, n in names.items()}
        assert len(set(seen.values())) == 1, (where, seen)
        assert seen["nobody"][1] == (0, 1), seen
    ids = {k: asked("/forgot/id", {"email": a, "birth_date": OWN_BIRTH})
           for k, a in (("somebody", LINKED.email), ("nobody", "nobody@example.jp"), ("unconfirmed", OPEN.email))}
    assert len(set(ids.values())) == 1 and ids["nobody"][1] == (0, 1), ids
