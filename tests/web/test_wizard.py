"""The main job in a real browser: first login, registration of an app, then password + code; and what people do on the way."""
import csv
import shutil
import subprocess
import tempfile
import time
import urllib.request

import pytest
from browser import Browser, Site, app_code, mailed, read_qr
from harness import Person, wait_until
from kosmo_wire import Client
from selenium.webdriver.common.by import By

BIRTH = "昭和25年4月1日"  # 1950-04-01
NEW_PASSWORD = "mikan to densha 27"


class Member(Person):
    def __init__(self, login, role="member", birth="1950-04-01", name="山田 花子"):
        super().__init__(login, role, password=False, seed=False)
        self.birth, self.name = birth, name

    def row(self):
        return [self.login, self.name, self.birth, f"{self.login}@example.jp", self.role, "", ""]


def wizard_site(people, conf=""):
    """A site whose people have their letters and nothing else; for a fixture to yield from."""
    folder = tempfile.mkdtemp(prefix="kosmo-")
    s = Site(folder, people, "organisation = みほん健康保険組合\nmail.from = no-reply@example.jp\n" + conf)
    s.free = iter(people)
    s.start()
    yield s
    s.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def site():
    yield from wizard_site([Member(f"h{i:05d}") for i in range(40)] + [Member("hanako", "staff"), Member("jiro", "staff")])


@pytest.fixture
def member(site):
    p = next(site.free)
    p.initial = site.initial(p.login)
    return p


@pytest.fixture
def browser():
    b = Browser()
    yield b
    b.close()


@pytest.fixture
def other_browser():
    b = Browser()
    yield b
    b.close()


def open_login(b, site):
    b.get(site.url + "/")
    return b.at("/login")


def begin(b, site, p):
    """From the letter to the page for the address."""
    open_login(b, site).fill(login=p.login, password=p.initial)
    b.at("/first/birth-date").fill(birth_date=BIRTH)
    b.at("/first/terms")
    if not b.find("input[name=agree]").get_attribute("type") == "hidden":
        b.find("input[name=agree]").click()
    b.press()
    return b.at("/first/email")


def confirm_by_code(b, site, p):
    b.press()
    b.at("/first/email/sent")
    code, _ = mailed(site.mail(p.login))
    b.fill(code=code)
    return b.at("/first/method")


def to_app(b, site, p):
    begin(b, site, p)
    return email_to_app(b, site, p)


def email_to_app(b, site, p):
    confirm_by_code(b, site, p)
    b.find("label[for=m-app]").click()
    b.press()
    b.at("/first/password").fill(new=NEW_PASSWORD, again=NEW_PASSWORD)
    b.at("/first/done").press("button[value=app]")
    return b.at("/app")


def qr(b, site):
    """The picture as saved, read by a stranger: the otpauth URI."""
    c = b.cookie()
    r = urllib.request.Request(site.url + "/app/qr.png?save=1", headers={"Cookie": f"{c['name']}={c['value']}"})
    with urllib.request.urlopen(r) as answer:
        assert answer.headers["Content-Type"] == "image/png"
        assert "attachment" in answer.headers["Content-Disposition"]
        return read_qr(answer.read(), site.dir)


def secret_of(uri):
    return uri.split("secret=")[1].split("&")[0]


def key_of(b):
    """The key as the page has it, perhaps behind a summary."""
    return b.find("#key").get_attribute("textContent")


def register(b, site):
    """The key, the recovery codes and the code that is used up."""
    secret = secret_of(qr(b, site))
    used = app_code(secret)
    b.fill(code=used)
    b.at("/recovery")
    codes = [e.text for e in b.all(".codes code")]
    b.press()
    b.at("/account")
    return secret, codes, used


def enrol(b, site, p):
    to_app(b, site, p)
    return register(b, site)


def not_lost(b):
    """The question after a recovery code."""
    b.at("/lost").press()
    return b


def log_out(b, site):
    b.get(site.url + "/logout")
    b.press()
    return b.at("/login")


def fresh_code(secret, used=()):
    """A code of a step that no code was used of yet: waits for the next one if it must."""
    while True:
        code = app_code(secret)
        if code not in used:
            return code
        time.sleep(0.5)


def test_from_the_letter_to_the_account(site, member, browser, other_browser):
    b = browser
    begin(b, site, member)
    assert b.find("input[name=email]").get_attribute("value") == f"{member.login}@example.jp"
    b.press()
    b.at("/first/email/sent")
    pair = b.find(".pair").text
    message = site.mail(member.login)
    assert message["From"].addresses[0].addr_spec == "no-reply@example.jp"
    assert message["From"].addresses[0].display_name == "みほん健康保険組合"
    code, link = mailed(message)
    assert code and link.startswith(site.url)

    # the link in another browser asks for the number of the first screen
    o = other_browser
    o.get(link)
    o.fill(pair="00")
    assert "number" in o.error("pair")
    o.fill(pair=pair)
    assert "/mail/confirm" in o.path
    # the first page moves on by itself
    b.at("/first/method", 15)
    # used once is used up
    o.get(link)
    assert not o.all("input[name=pair]") and not o.all("form[action='/mail/confirm']")

    b.find("label[for=m-app]").click()
    b.press()
    b.at("/first/password").fill(new=NEW_PASSWORD, again=NEW_PASSWORD)
    b.at("/first/done").press("button[value=app]")
    b.at("/app")
    uri = qr(b, site)
    assert uri.startswith("otpauth://totp/")
    key = key_of(b)
    assert key.replace(" ", "") == secret_of(uri)
    assert all(len(g) == 4 for g in key.split())

    the_app_where_it_is_needed(b, site, secret_of(uri))
    the_key_on_the_phone(b, site, key)
    app_page(b, site, "chrome")

    # the same key after a wrong code and after a reload
    right = app_code(secret_of(uri))
    b.fill(code="000000" if right != "000000" else "111111")
    assert b.error("code") and key_of(b) == key
    b.d.refresh()
    b.get(site.url + "/app")
    assert key_of(b) == key and qr(b, site) == uri
    right = app_code(secret_of(uri))
    b.fill(code=f" {right[:3]} {right[3:]}", name="わたしの電話")
    b.at("/recovery")
    codes = [e.text for e in b.all(".codes code")]
    assert len(codes) == len(set(codes)) == 10
    b.d.refresh()
    assert [e.text for e in b.all(".codes code")] == codes
    b.press()
    b.at("/account")
    assert "わたしの電話" in b.text and member.login in b.text
    assert "added" in site.mail(member.login).get_content()

    # and now the everyday login
    log_out(b, site).fill(login=member.login, password=NEW_PASSWORD)
    b.at("/login/code").fill(code=fresh_code(secret_of(uri), {right}))
    b.at("/account")

    # the letter's password is dead
    log_out(b, site).fill(login=member.login, password=member.initial)
    assert "not right" in b.text


AGENTS = {
    "iphone": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 "
              "Mobile/15E148 Safari/604.1",
    "android": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
    "mac": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15",
    "chrome": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    "edge": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 "
            "Edg/130.0.0.0",
    "unknown": "Lynx",
}


def app_page(b, site, agent, on=""):
    b.d.execute_cdp_cmd("Network.setUserAgentOverride", {"userAgent": AGENTS[agent]})
    b.get(f"{site.url}/app{on and '?on=' + on}")
    return [a.get_attribute("href") for a in b.all("main a")], b.text


def shown(b, css):
    """Wholly within the window, and nothing lies over its middle."""
    return b.d.execute_script("""var e = document.querySelector(arguments[0]), r = e.getBoundingClientRect();
        return r.top >= 0 && r.bottom <= innerHeight && r.left >= 0 && r.right <= innerWidth &&
            e.contains(document.elementFromPoint((r.left + r.right) / 2, (r.top + r.bottom) / 2))""", css)


def the_app_where_it_is_needed(b, site, secret):
    """At /app: what this device needs stands first and open, its key and code are the same everywhere."""
    for agent, shop, other in (("iphone", "apps.apple.com", "play.google"), ("android", "play.google", "apps.apple.com")):
        links, text = app_page(b, site, agent)
        assert sum(shop in a for a in links) == 2 and not any(other in a for a in links), links
        assert any(a.startswith("otpauth:") and secret in a for a in links) and "paid apps are not needed" in text
        assert ("Passwords" in text) == (agent == "iphone") and key_of(b).replace(" ", "") == secret and not b.all(".qr")
    links, text = app_page(b, site, "chrome")
    assert b.visible(b.find(".qr img")) and "paid ones are not needed" in text and not any("otpauth" in a for a in links)
    assert [len(b.all(f"img[src*='shop-'][src*='-{shop}.png?v=']")) for shop in ("apple", "android")] == [2, 2]
    assert not any(b.visible(img) for img in b.all("img[src*='shop-']")), "one picture at a time for a camera"
    b.find(".part details summary").click()
    assert [b.visible(img) for img in b.all("img[src*='shop-']")] == [True, True, False, False]
    assert not b.visible(b.find("main li a[href='/app?on=here']"))
    app_page(b, site, "unknown")
    assert b.visible(b.find("main li a[href='/app?on=here']"))
    assert "iPad" in app_page(b, site, "mac")[1] and "on=here" in "".join(app_page(b, site, "mac")[0])
    links, text = app_page(b, site, "chrome", "computer")
    assert any("chromewebstore" in a for a in links) and "draw a frame" in text and "company" in text and "master" not in text
    links, text = app_page(b, site, "edge", "computer")
    assert any("microsoftedge" in a for a in links) and "master password" in text and "company" in text and "frame" not in text
    assert any("save=1" in a for a in links) and b.visible(b.find(".qr img"))
    b.fill(code="12")
    assert b.error("code") and "master password" in b.text, "a wrong code leaves one where one was"
    assert app_page(b, site, "edge", "nowhere")[1] == app_page(b, site, "edge")[1]


def the_key_on_the_phone(b, site, key):
    """The copy button stays in sight of who reads about the key or types the code, and copies it."""
    b.d.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 360, "height": 640, "deviceScaleFactor": 1, "mobile": True})
    app_page(b, site, "android")
    for css in "a[href^='otpauth:']", "#key", "#f-code", "button.main":
        b.d.execute_script("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", css)
        assert shown(b, "button.stay") and shown(b, css), css
    b.d.execute_cdp_cmd("Browser.grantPermissions", {"origin": site.url, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]})
    b.find("button.stay").click()
    wait_until(lambda: "Copied" in b.find("button.stay").text, 5, "the key was copied")
    assert b.d.execute_async_script("navigator.clipboard.readText().then(arguments[0])") == key.replace(" ", "")
    b.d.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_wrong_and_replayed_codes_and_recovery(site, member, browser):
    b = browser
    secret, codes, used = enrol(b, site, member)
    site.mail(member.login)  # "an app was added"
    log_out(b, site).fill(login=member.login, password=NEW_PASSWORD)
    b.at("/login/code").fill(code="000000" if used != "000000" else "111111")
    assert b.error("code")
    time.sleep(1.1)
    code = fresh_code(secret, {used})
    b.fill(code=code)
    b.at("/account")
    log_out(b, site).fill(login=member.login, password=NEW_PASSWORD)
    b.at("/login/code").fill(code=code)  # replayed
    assert b.error("code")
    time.sleep(1.1)
    b.fill(code=codes[0].upper().replace("-", " "))
    not_lost(b).at("/account")
    assert "9" in b.text
    assert "recovery code was used" in site.mail(member.login).get_content()
    log_out(b, site).fill(login=member.login, password=NEW_PASSWORD)
    b.at("/login/code").fill(code=codes[0])  # once only
    assert b.error("code")


def test_birth_dates_as_people_write_them(site, browser):
    b = browser
    for typed in ("19500401", "1950-4-1", "1950/04/01", "昭和25年4月1日", "S25.4.1", "１９５０年４月１日"):
        p = next(site.free)
        open_login(b, site).fill(login=p.login, password=site.initial(p.login))
        b.at("/first/birth-date").fill(birth_date=typed)
        b.at("/first/terms")
        log_out(b, site)


def test_wrong_birth_dates_are_explained_and_counted(site, member, browser):
    b = browser
    open_login(b, site).fill(login=member.login, password=member.initial)
    b.at("/first/birth-date")
    for typed, said in (("", "type your birth date"), ("hello", "year, month and day"), ("1950-02-30", "no such day"),
                        ("2999-01-01", "yet to come"), ("1850-01-01", "too long ago")):
        b.fill(birth_date=typed)
        assert said in b.error("birth_date"), typed
    for _ in range(5):
        b.fill(birth_date="1951-01-01")
        assert "not the birth date" in b.error("birth_date")
    b.fill(birth_date=BIRTH)
    assert "too often" in b.error("birth_date")


def test_resumes_on_another_device_behind_a_mailed_code(site, member, browser, other_browser):
    b, o = browser, other_browser
    to_app(b, site, member)
    key = key_of(b)
    open_login(o, site).fill(login=member.login, password=NEW_PASSWORD)
    o.at("/login/mail")
    assert f"{member.login}@" not in o.text and "@example.jp" in o.text
    o.fill(code="000000")
    assert o.error("code")
    code, link = mailed(site.mail(member.login))
    assert link is None
    o.fill(code=code)
    o.at("/app")
    assert key_of(o) == key
    register(o, site)
    # the first browser has not proven that factor: it is asked before anything else
    b.get(site.url + "/account")
    b.at("/login/code")


def test_the_letter_alone_does_not_resume_once_an_address_is_there(site, member, browser, other_browser):
    b, o = browser, other_browser
    begin(b, site, member)
    confirm_by_code(b, site, member)
    open_login(o, site).fill(login=member.login, password=member.initial)
    o.at("/login/mail").fill(code=mailed(site.mail(member.login))[0])
    o.at("/first/method")


def test_logging_out_after_done_leads_back(site, member, browser):
    b = browser
    begin(b, site, member)
    confirm_by_code(b, site, member)
    b.find("label[for=m-app]").click()
    b.press()
    b.at("/first/password").fill(new=NEW_PASSWORD, again=NEW_PASSWORD)
    b.at("/first/done").press("button[value=logout]")
    b.at("/login").fill(login=member.login, password=NEW_PASSWORD)
    b.at("/login/mail").fill(code=mailed(site.mail(member.login))[0])
    b.at("/first/done").press("button[value=app]")
    b.at("/app")


def test_back_button_reload_and_steps_done(site, member, browser):
    b = browser
    begin(b, site, member)
    b.d.back()
    b.d.back()
    # whatever old page the browser shows, a step that is done leads on
    b.get(site.url + "/first/birth-date")
    b.at("/first/email")
    b.get(site.url + "/first/password")
    b.at("/first/email")
    b.get(site.url + "/account")
    b.at("/first/email")
    b.d.refresh()
    b.at("/first/email")
    confirm_by_code(b, site, member)


def test_two_tabs(site, member, browser):
    b = browser
    begin(b, site, member)
    first = b.d.current_window_handle
    b.d.switch_to.new_window("tab")
    b.get(site.url + "/")
    b.at("/first/email")
    confirm_by_code(b, site, member)
    b.d.switch_to.window(first)
    b.press()  # the old tab's form: its step is done
    b.at("/first/method")


def test_double_submit_sends_one_mail(site, member, browser):
    b = browser
    begin(b, site, member)
    b.d.execute_script("const f = document.querySelector('#f-form'); const d = new URLSearchParams(new FormData(f));"
                       "for (let i = 0; i < 5; i++) fetch(f.action, {method: 'POST', body: d});")
    time.sleep(2)
    b.press()
    b.at("/first/email/sent")
    site.mail(member.login)
    with pytest.raises(AssertionError):
        site.mail(member.login, 0.5)


def test_expired_page_loses_nothing(site, member, browser):
    b = browser
    open_login(b, site)
    b.d.delete_all_cookies()
    b.fill(login=member.login, password=member.initial)
    b.at("/login")
    assert "open for too long" in b.text
    b.fill(login=member.login, password=member.initial)
    b.at("/first/birth-date")
    b.d.delete_all_cookies()
    b.fill(birth_date=BIRTH)
    b.at("/login")


def test_without_javascript(site, member):
    b = Browser(javascript=False, width=360, height=800)
    try:
        begin(b, site, member)
        b.press()
        b.at("/first/email/sent")
        _, link = mailed(site.mail(member.login))
        b.get(link)  # the same browser needs no number
        assert not b.all("input[name=pair]")
        b.press()
        b.get(site.url + "/")
        b.at("/first/method")
        b.find("label[for=m-app]").click()
        b.press()
        b.at("/first/password").fill(new=NEW_PASSWORD, again=NEW_PASSWORD)
        b.at("/first/done").press("button[value=app]")
        links, _ = app_page(b, site, "iphone")
        assert any(a.startswith("otpauth:") for a in links) and b.visible(b.find("#key")) and not b.visible(b.find("button.stay"))
        app_page(b, site, "edge", "computer")
        _, codes, _ = register(b, site)
        assert len(codes) == 10
        site.mail(member.login)
    finally:
        b.close()


def test_scanners_consume_nothing(site, member, browser):
    b = browser
    begin(b, site, member)
    b.press()
    b.at("/first/email/sent")
    code, link = mailed(site.mail(member.login))
    for method in "GET", "HEAD":
        with urllib.request.urlopen(urllib.request.Request(link, method=method)) as r:
            assert r.status == 200
    # a scanner that submits the form it sees, from a browser of its own
    o = Browser()
    try:
        o.get(link)
        o.press()
        assert o.error("pair")
    finally:
        o.close()
    b.fill(code=code)
    b.at("/first/method")


def advised(b, login):
    """What the page says while a new password is typed, and the eye that shows both fields."""
    said = b.find("#a-new")
    for typed, words in (("ｋｕｍｏ", "still missing: 4"), ("kumo no 2", "Long enough: 9"), (f"{login.upper()}-3 kumo", "your user ID"),
                         ("abcdefghi", "easy to guess"), ("sakura123", "easy to guess"), ("kumo no ue 4", "Long enough: 12"), ("", "")):
        b.type("new", typed)
        wait_until(lambda: words in said.text and (said.text or not words), 5, f"advice on {typed!r}: {said.text!r}")
    b.type("new", "kumo no ue 4")
    b.type("again", "kumo no ue 5")
    wait_until(lambda: "not the same" in b.find("#a-again").text, 5, "the difference")
    b.type("again", "ｋumo no ue 4")
    wait_until(lambda: "Both are the same" in b.find("#a-again").text, 5, "no difference")
    eye, fields = b.find("#f-again + button"), [b.find("#f-new"), b.find("#f-again"), b.find("#f-current")]
    assert eye.accessible_name == "Show: The same password once more" and eye.get_attribute("aria-pressed") == "false"
    eye.click()
    assert [f.get_attribute("type") for f in fields] == ["text", "text", "password"] and eye.get_attribute("aria-pressed") == "true"


def recent(b, site, login):
    """A slip of one's own is no news; what is to be done about somebody else's login; the language of pages and mails."""
    cards = [e.text for e in b.all(".part:last-of-type .cards li")]
    assert "This device" in cards[0] and "Password and a recovery code" in cards[0] and "127.0.0.1" in cards[0], cards
    assert not b.all(".cards .bad") and "code was not" not in b.text, cards
    b.press("a[href='/account/not-me']")
    b.at("/account/not-me").press("a.button.main")
    b.at("/account/password")
    b.get(site.url + "/account")
    b.press("form[action='/account/language'] button")
    b.at("/account")
    assert "これからは" in b.text and site.rows("SELECT locale FROM person WHERE login = ?", login) == [("ja",)]
    b.press("form[action='/account/language'] button")
    b.at("/account")
    assert "in English from now on" in b.text


def test_account_changes(site, member, browser):
    b = browser
    secret, codes, _ = enrol(b, site, member)
    site.mail(member.login)
    b.find("a[href^='/account/rename']").click()
    b.at("/account/rename").fill(name="居間のタブレット")
    b.at("/account")
    assert "居間のタブレット" in b.text
    # the only one cannot be removed
    assert not b.all("a[href^='/account/remove']")
    b.press("form[action='/app'] button")
    b.at("/app")
    second = secret_of(qr(b, site))
    assert second != secret
    b.fill(code=app_code(second), name="second")
    b.at("/account")
    site.mail(member.login)
    b.find("a[href^='/account/remove']").click()
    b.at("/account/remove").press()
    b.at("/account")
    assert "removed" in site.mail(member.login).get_content()
    assert len(b.all("a[href^='/account/rename']")) == 1
    # new recovery codes end the old ones
    b.press("form[action='/recovery/new'] button")
    b.at("/recovery")
    new_codes = [e.text for e in b.all(".codes code")]
    assert not set(new_codes) & set(codes)
    b.press()
    # the password
    b.get(site.url + "/account/password")
    advised(b, member.login)
    b.fill(current="wrong wrong", new="kumo no ue 4 aoi", again="kumo no ue 4 aoi")
    assert b.error("current")
    time.sleep(1.1)
    b.fill(current=NEW_PASSWORD, new="short", again="short")
    assert "8 characters" in b.error("new")
    b.fill(current=NEW_PASSWORD, new="kumo no ue 4 aoi", again="kumo no ue 4 aoj")
    assert "differ" in b.error("again")
    b.fill(current=NEW_PASSWORD, new="kumo no ue 4 aoi", again="kumo no ue 4 aoi")
    b.at("/account")
    assert "password" in site.mail(member.login)["Subject"].lower()
    log_out(b, site).fill(login=member.login, password=NEW_PASSWORD)
    assert "not right" in b.text
    time.sleep(1.1)
    b.fill(login=member.login, password="kumo no ue 4 aoi")
    b.at("/login/code").fill(code=codes[1])
    assert b.error("code")
    time.sleep(1.1)
    b.fill(code=new_codes[0])
    not_lost(b).at("/account")
    recent(b, site, member.login)


def test_an_expired_password(site, browser):
    """In the browser and at the terminal: asked for after the factor, told by mail."""
    b, p = browser, Member("jiro")
    p.initial = site.initial("jiro")
    _, codes, _ = enrol(b, site, p)
    site.mail("jiro")
    site.ctl("user", "expire-password", "jiro")
    b.get(site.url + "/account")
    b.at("/first/password")
    assert "has expired" in b.text and "Step" not in b.text and "letter" not in b.text and "register the app" not in b.text
    b.fill(current="wrong wrong", new="kumo no ue 4 aoi", again="kumo no ue 4 aoi")
    assert b.at("/first/password").error("current")
    time.sleep(1.1)
    b.fill(current=NEW_PASSWORD, new=NEW_PASSWORD, again=NEW_PASSWORD)
    assert "now" in b.at("/first/password").error("new")
    b.fill(current="", new="kumo no ue 4 aoi", again="kumo no ue 4 aoi")
    assert b.at("/first/password").error("current")
    b.fill(current=NEW_PASSWORD, new="kumo no ue 4 aoi", again="kumo no ue 4 aoi")
    b.at("/account")
    assert "Your password was changed" in b.text and "changed" in site.mail("jiro")["Subject"]
    b.get(site.url + "/first/password")
    b.at("/account")
    site.ctl("user", "expire-password", "jiro")
    log_out(b, site).fill(login="jiro", password="kumo no ue 4 aoi")
    b.get(site.url + "/first/password")
    b.at("/login/code").fill(code=codes[0])
    not_lost(b).at("/first/password")
    site.mail("jiro")  # of the recovery code
    with Client(site.socket) as c:
        texts = [c.ask("begin", {"phase": "password", "service": "passwd", "user": "jiro", "expired": "1"})]
        texts.append(c.receive())  # behind the sentence
        for answer in "kumo no ue 4 aoi", codes[1], "ame ga furu 12 hi", "ame ga furu 12 hi":
            texts.append(c.ask("answer", {"text": answer}))
        assert texts[-1] == ("verdict", {"verdict": "allow"}), texts
    assert "changed" in "".join(site.mail("jiro")["Subject"] for _ in range(2)), "the code's and the password's"
    b.get(site.url + "/first/password")
    b.at("/login")
    log_in = open_login(b, site)
    log_in.fill(login="jiro", password="ame ga furu 12 hi")
    b.at("/login/code").fill(code=codes[2])
    not_lost(b).at("/account")


def test_new_passwords_are_judged(site, member, browser):
    b = browser
    begin(b, site, member)
    confirm_by_code(b, site, member)
    b.find("label[for=m-app]").click()
    b.press()
    b.at("/first/password")
    for new, again, field, said in (("", "", "new", "new password"), ("abc", "abc", "new", "8 characters"),
                                    ("password", "password", "new", "easy to guess"),
                                    (f"{member.login}{member.login}", "", "new", "user ID"),
                                    (member.initial, member.initial, "new", "have now"),
                                    (NEW_PASSWORD, "", "again", "once more"), (NEW_PASSWORD, "other", "again", "differ")):
        b.fill(new=new, again=again)
        assert said in b.error(field), (new, b.error(field))
    b.fill(new=NEW_PASSWORD, again=NEW_PASSWORD)
    b.at("/first/done")


def test_wrong_address_is_mended(site, member, browser):
    b = browser
    begin(b, site, member)
    b.fill(email="no address")
    assert "not an email address" in b.error("email")
    b.fill(email="typo@example.jp")
    b.at("/first/email/sent")
    site.mail("typo@example.jp")
    b.get(site.url + "/first/email")
    b.fill(email="ＲＩＧＨＴ@example.jp")
    b.at("/first/email/sent")
    m = site.mail("RIGHT@example.jp")
    b.fill(code=mailed(m)[0])
    b.at("/first/method")


def reissued(site, login, *options):
    """A new letter by the admin: its initial password."""
    letter = site.dir / f"letter-{time.monotonic_ns()}.csv"
    site.ctl("user", "reissue", "--passwords", letter, *options, login)
    return list(csv.reader(open(letter, encoding="utf-8-sig")))[-1][-1]


def test_a_new_letter_ends_what_the_old_one_began(site, member, browser, other_browser):
    """Whoever found the first letter has a link on its way, and has seen a key: neither is worth anything afterwards."""
    finder, b = other_browser, browser
    begin(finder, site, member)
    finder.fill(email="finder@example.jp")
    finder.at("/first/email/sent")
    pair = finder.find(".pair").text
    _, link = mailed(site.mail("finder@example.jp"))
    finder.get(link)
    assert finder.find("button.main") and "no longer" not in finder.text
    member.initial = reissued(site, member.login)
    finder.get(link)
    assert "can no longer be used" in finder.text and pair
    finder.get(site.url + "/")
    finder.at("/login")

    open_login(b, site).fill(login=member.login, password=member.initial)
    b.at("/first/email")
    email_to_app(b, site, member)
    key = key_of(b)
    member.initial = reissued(site, member.login, "--replace-own")
    open_login(b, site).fill(login=member.login, password=member.initial)
    b.at("/login/mail").fill(code=mailed(site.mail(member.login))[0])
    b.at("/first/password").fill(new=NEW_PASSWORD, again=NEW_PASSWORD)
    b.at("/first/done").press("button[value=app]")
    assert key_of(b.at("/app")) != key


def test_a_corrected_address_ends_the_link_to_the_old_one(site, member, browser):
    b = browser
    begin(b, site, member)
    b.fill(email="stranger@example.jp")
    b.at("/first/email/sent")
    code, link = mailed(site.mail("stranger@example.jp"))
    site.ctl("user", "set", "--email", "right@example.jp", member.login)
    b.get(link)
    assert "can no longer be used" in b.text
    b.get(site.url + "/first/email")
    assert b.find("input[name=email]").get_attribute("value") == "right@example.jp"


def test_japanese(site, member):
    b = Browser(lang="ja", width=360, height=800)
    try:
        open_login(b, site)
        assert b.find("html").get_attribute("lang") == "ja"
        b.fill(login=member.login, password="違います")
        assert "正しく" in b.text or "違" in b.text
        time.sleep(1.1)
        begin(b, site, member)
        b.press()
        b.at("/first/email/sent")
        m = site.mail(member.login)
        assert any(ord(ch) > 0x3040 for ch in m["Subject"]) and "確認" in m.get_content()
    finally:
        b.close()


def test_another_persons_session_is_over_after_login(site, member, browser):
    b = browser
    begin(b, site, member)
    stolen = b.cookie()
    log_out(b, site)
    b.d.add_cookie({"name": stolen["name"], "value": stolen["value"], "path": "/"})
    b.get(site.url + "/first/email")
    b.at("/login")


def test_cookie_flags_and_fixation(site, member, browser):
    b = browser
    open_login(b, site)
    before = b.cookie()
    assert before["httpOnly"] and before["sameSite"] == "Lax" and before["path"] == "/"
    b.fill(login=member.login, password=member.initial)
    b.at("/first/birth-date")
    assert b.cookie()["value"] != before["value"]
