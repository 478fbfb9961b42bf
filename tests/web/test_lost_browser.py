"""Lost phones, the administrator's code and the sheet of codes in a real browser."""
import json
import subprocess

import pytest
from browser import BUILD, Browser, app_code
from test_wizard import BIRTH, NEW_PASSWORD, Member, browser, log_out, member, open_login, qr, register, secret_of, to_app, wizard_site  # noqa: F401

KOSMOCTL = BUILD / "ctl/kosmoctl"


@pytest.fixture(scope="module")
def site():
    yield from wizard_site([Member(f"h{i:05d}") for i in range(8)], "email = optional\ncontact = 電話 03-0000-0000\n")


@pytest.fixture
def plain_browser():
    b = Browser(javascript=False)
    yield b
    b.close()


def shown(b):
    return [e.text for e in b.all(".codes code")]


def test_a_lost_phone_from_the_login_to_the_account(site, member, browser):
    b = browser
    to_app(b, site, member)
    secret, codes, used = register(b, site)
    site.mail(member.login)  # the app was added
    log_out(b, site).fill(login=member.login, password=NEW_PASSWORD)
    b.at("/login/code").find("a[href='/login/lost']").click()
    b.at("/login/lost")
    assert "03-0000-0000" in b.find("main").text
    b.fill(code=codes[0])
    b.at("/lost")
    b.d.refresh()
    b.at("/lost").press("button[value=yes]")
    b.at("/lost/new").find("label[for=m-app]").click()
    b.press()
    b.at("/app")
    new = secret_of(qr(b, site))
    assert new != secret
    b.d.back()
    b.at("/lost/new")
    b.d.forward()
    b.at("/app")
    b.d.refresh()
    assert secret_of(qr(b, site)) == new
    b.fill(code=app_code(new))
    b.at("/recovery")
    assert len(shown(b)) == 10 and not set(shown(b)) & set(codes)
    b.press()
    b.at("/account")
    subjects = [site.mail(member.login)["Subject"] for _ in range(3)]
    assert any("recovery code was used" in s for s in subjects) and any("lost device" in s for s in subjects)
    log_out(b, site).fill(login=member.login, password=NEW_PASSWORD)
    b.at("/login/code").fill(code=codes[1])
    assert b.error("code")


def test_the_admins_code(site, member, plain_browser):
    """Without JavaScript."""
    b = plain_browser
    to_app(b, site, member)
    register(b, site)
    site.mail(member.login)
    log_out(b, site)
    made = json.loads(subprocess.run([KOSMOCTL, "-c", site.conf, "user", "recover", "--json", member.login], check=True,
                                     stdout=subprocess.PIPE, text=True).stdout)
    assert made["mailed"] is True
    open_login(b, site).fill(login=member.login, password=NEW_PASSWORD)
    b.at("/login/code").fill(code=made["code"].upper())
    b.at("/lost/new")
    b.get(site.url + "/account")
    b.at("/lost/new").press("form[action='/lost/stop'] button")
    b.at("/login")
    assert "Nothing was changed" in b.text
    b.fill(login=member.login, password=NEW_PASSWORD)
    b.at("/login/code").fill(code=made["code"])
    b.at("/lost/new").find("label[for=m-app]").click()
    b.press()
    b.at("/app")
    _, codes, _ = register(b, site)
    told = [site.mail(member.login) for _ in range(3)]  # the code, the new app, all else gone
    assert all(made["code"] not in m.get_content() for m in told)
    assert {"made for you", "added", "registered anew"} <= {w for m in told for w in ("made for you", "added", "registered anew")
                                                            if w in m["Subject"]}
    log_out(b, site).fill(login=member.login, password=NEW_PASSWORD)
    b.at("/login/code").fill(code=codes[0])
    b.at("/lost").press("button[value=no]")
    b.at("/account")


def test_no_address_and_a_sheet(site, member, browser):
    b = browser
    open_login(b, site).fill(login=member.login, password=member.initial)
    b.at("/first/birth-date").fill(birth_date=BIRTH)
    b.at("/first/terms").press()
    b.at("/first/email").find("details summary").click()
    b.press("form[action='/first/email/none'] button")
    b.at("/first/method").find("label[for=m-sheet]").click()
    b.press()
    b.at("/first/password").fill(new=NEW_PASSWORD, again=NEW_PASSWORD)
    b.at("/first/done").press("button[value=sheet]")
    codes = shown(b.at("/sheet"))
    assert len(codes) == 10
    b.fill(code="chigau")
    assert b.error("code") and shown(b) == codes
    b.d.refresh()
    b.get(site.url + "/sheet")
    assert shown(b) == codes
    b.fill(code=codes[0])
    b.at("/account")
    for i in range(1, 8):
        log_out(b, site).fill(login=member.login, password=NEW_PASSWORD)
        assert "sheet" in b.at("/login/code").find("h1").text
        b.fill(code=codes[i].upper().replace("-", " "))
        b.at("/account" if i < 7 else "/sheet")
    b.press()
    fresh = shown(b.at("/sheet"))
    b.get(site.url + "/account")
    b.at("/sheet")
    assert shown(b) == fresh
    b.fill(code=fresh[0])
    b.at("/account")
    assert "valid from now on" in b.text
    log_out(b, site).fill(login=member.login, password=NEW_PASSWORD)
    b.at("/login/code").fill(code=codes[8])
    assert b.error("code")
