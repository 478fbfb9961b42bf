"""What the configuration makes of passkeys, the way back in with one, and what the site says of itself."""
import json
import shutil
import subprocess
import tempfile
import urllib.request

import pytest
from browser import Browser, Site, mailed
from passkey import Authenticator, no_autofill
from test_passkey import register, to_passkey
from test_wizard import NEW_PASSWORD, Member, log_out


def a_site(conf):
    folder = tempfile.mkdtemp(prefix="kosmo-")
    people = [Member(f"h{i:05d}") for i in range(6)]
    s = Site(folder, people, "organisation = みほん健康保険組合\nmail.from = no-reply@example.jp\n" + conf)
    s.free = iter(people)
    s.start()
    return s


def done(s):
    s.stop()
    shutil.rmtree(s.dir.parent if s.dir.parent.name.startswith("kosmo-") else s.dir, ignore_errors=True)


@pytest.fixture(scope="module")
def site():
    s = a_site("")
    yield s
    done(s)


@pytest.fixture(scope="module")
def strict():
    s = a_site("passkey.both_factors = no\npasskey.counter = refuse\npasskey.origins = https://members.example.jp https://staff.example.jp\n")
    yield s
    done(s)


@pytest.fixture
def browser():
    b = Browser()
    no_autofill(b)
    yield b
    b.close()


def owner(b, s):
    p = next(s.free)
    p.initial = s.initial(p.login)
    a = Authenticator(b)
    register(b, s, p)
    return p, a


def well_known(s, name):
    with urllib.request.urlopen(f"{s.url}/.well-known/{name}") as r:
        assert r.headers["Content-Type"] == "application/json"
        return json.load(r)


def test_well_known(site, strict):
    assert well_known(site, "webauthn") == {"origins": [site.url]}
    assert well_known(strict, "webauthn")["origins"][1:] == ["https://members.example.jp", "https://staff.example.jp"]
    assert well_known(site, "passkey-endpoints") == {"enroll": site.url + "/passkey", "manage": site.url + "/account"}


def test_asked_after_the_password_only(strict, browser):
    b = browser
    p, a = owner(b, strict)
    assert not b.all("#f-passkey") and "A passkey needs no password" not in b.text
    log_out(b, strict)
    assert not b.all("#f-passkey")
    b.fill(login=p.login, password=NEW_PASSWORD)
    b.at("/login/passkey").press("form[data-passkey] button")
    b.at("/account")
    # a counter that goes back is refused here
    c, = a.credentials
    a.clear()
    a.add({**c, "signCount": 0})
    log_out(b, strict).fill(login=p.login, password=NEW_PASSWORD)
    b.at("/login/passkey").press("form[data-passkey] button")
    assert "was not accepted" in b.at("/login/passkey").text
    assert "passkey.counter" in strict.ctl("audit")


def test_forgotten_password(site, browser):
    b = browser
    p, _ = owner(b, site)
    log_out(b, site).find("a[href='/forgot/password']").click()
    b.at("/forgot/password").fill(login=p.login)
    code = None
    while not code:
        code, _ = mailed(site.mail(p.login))
    b.fill(code=code)
    b.at("/forgot/factor/passkey").find("a[href^='/forgot/factor?']").click()
    b.at("/forgot/factor")  # a recovery code, for who cannot
    b.find("a[href='/forgot/factor/passkey']").click()
    b.at("/forgot/factor/passkey").press("form[data-passkey] button")
    b.at("/forgot/new").fill(new=NEW_PASSWORD + " 2", again=NEW_PASSWORD + " 2")
    b.at("/account")


def test_kept_logged_in(site, browser):
    b = browser
    owner(b, site)
    log_out(b, site).find("label[for=f-keep]").click()
    b.press("#f-passkey button")
    b.at("/account")
    assert b.cookie().get("expiry")


def test_lost_device(site, browser):
    """A recovery code in its place, then another one takes the place of what was lost."""
    b = browser
    p = next(site.free)
    p.initial = site.initial(p.login)
    a = Authenticator(b)
    codes = register(b, site, p)
    log_out(b, site).fill(login=p.login, password=NEW_PASSWORD)
    b.at("/login/passkey").find("a[href='/login/lost']").click()
    b.at("/login/lost").fill(code=codes[0])
    b.at("/lost").press("button[value=yes]")
    b.at("/lost/new")
    assert b.find("#m-passkey").is_selected()
    a.remove()
    Authenticator(b)
    b.press()
    b.at("/passkey").find("button[data-where=this]").click()
    b.at("/recovery").press()
    assert len(b.at("/account").all("ul.cards > li")) == 1
    assert site.rows("SELECT count(*) FROM audit WHERE event = 'lost.removed'") == [(1,)]


def test_only_models_that_are_trusted(browser):
    """Chromium's virtual device brings a certificate of its own: it leads to no root of ours."""
    folder = tempfile.mkdtemp(prefix="kosmo-roots-")
    root = f"{folder}/root.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9", "-subj", "/CN=root",
                    "-keyout", f"{folder}/key.pem", "-out", root], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    s = a_site(f"passkey.attestation = require\npasskey.roots = {root}\n")
    try:
        b, p = browser, next(s.free)
        p.initial = s.initial(p.login)
        Authenticator(b, transport="usb")
        to_passkey(b, s, p)
        b.press("button[data-where=other]")
        assert b.path == "/passkey" and "could not be accepted" in b.text
        assert "att-chain" in next(line for line in s.ctl("audit").splitlines() if "passkey.refused" in line)
        b.find("a[href='/first/method']").click()
        b.at("/first/method")
    finally:
        done(s)
        shutil.rmtree(folder)
