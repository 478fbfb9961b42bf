"""What the configuration makes of passkeys, the way back in with one, and what the site says of itself."""
import json
import subprocess
import urllib.request

import pytest
from browser import Browser, mailed
from passkey import Authenticator, no_autofill
from test_passkey import register, to_passkey
from test_wizard import NEW_PASSWORD, Member, log_out, wizard_site


def people():
    return [Member(f"h{i:05d}") for i in range(6)]


@pytest.fixture(scope="module")
def site():
    yield from wizard_site(people())


@pytest.fixture(scope="module")
def strict():
    yield from wizard_site(people(), "passkey.both_factors = no\npasskey.counter = refuse\n"
                           "passkey.origins = https://members.example.jp https://staff.example.jp\n")


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
    assert len(b.at("/account").all("#ways ul.cards > li")) == 1
    assert site.rows("SELECT count(*) FROM audit WHERE event = 'lost.removed'") == [(1,)]


@pytest.fixture
def trusting(tmp_path):
    root = tmp_path / "root.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9", "-subj", "/CN=root",
                    "-keyout", tmp_path / "key.pem", "-out", root], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield from wizard_site(people(), f"passkey.attestation = require\npasskey.roots = {root}\n")


def test_only_models_that_are_trusted(trusting, browser):
    """Chromium's virtual device brings a certificate of its own: it leads to no root of ours."""
    b, p = browser, next(trusting.free)
    p.initial = trusting.initial(p.login)
    Authenticator(b, transport="usb")
    to_passkey(b, trusting, p)
    b.press("button[data-where=other]")
    assert b.path == "/passkey" and "could not be accepted" in b.text
    assert "att-chain" in next(line for line in trusting.ctl("audit").splitlines() if "passkey.refused" in line)
    b.find("a[href='/first/method']").click()
    b.at("/first/method")
