"""One passkey on a security key: registered in the browser, used there and at the console."""
import base64
import pathlib
import shutil
import tempfile

import pytest
from browser import BUILD
from made import made
from console import CODE, MAILED, PIN, TOUCH, Pam, helper, unthreaded
from ctap_token import Credential, Token
from passkey import Authenticator, no_autofill
from test_passkey import to_passkey
from test_wizard import NEW_PASSWORD, Member, browser, log_out, wizard_site  # noqa: F401

pytestmark = unthreaded


@pytest.fixture(scope="module")
def site():
    yield from wizard_site([Member("hanako", "staff")], "passkey.pam = forbidden\n")


@pytest.fixture
def folder():
    d = pathlib.Path(tempfile.mkdtemp(prefix="kosmo-"))
    yield d
    shutil.rmtree(d)


def exported(a):
    """The keys that the browser's authenticator holds, as a security key has them."""
    keys = []
    for c in a.credentials:
        k = Credential(c["rpId"], base64.b64decode(c["credentialId"]), base64.b64decode(c["privateKey"]), protect=3)
        k.counter = c["signCount"]
        keys.append(k)
    return keys


def test_registered_here_used_there(site, browser, folder):
    b, p = browser, site.people["hanako"]
    p.initial = site.initial("hanako")
    a = Authenticator(b, transport="usb")
    no_autofill(b)
    to_passkey(b, site, p)
    b.find("button[data-where=other]").click()
    b.at("/recovery").press()
    b.at("/account")
    key, = exported(a)
    made("pam")
    console = Pam(BUILD / "tests/pam/pam_driver", folder, site.module(), helper(folder, folder / "dev"))
    with Token(folder / "dev", key) as t:
        r = console(NEW_PASSWORD, "", "1234", options=("-t", "tty1", "-p", "ac"))
        assert r.code() == r.code("account") == 0 and r.shown == ["Password: ", CODE, PIN, TOUCH] and not t.errors
        # the same touch is worth nothing with a wrong password
        r = console("wrong", "", "1234")
        assert r.code() == 7 and r.shown == ["Password: ", CODE, PIN, TOUCH] and t.touches == 2
        t.odd["bad_signature"] = True
        assert console(NEW_PASSWORD, "", "1234").code() == 7
    # the browser's own copy counts behind by now: it is told, and goes on
    log_out(b, site)
    b.press("#f-passkey button")
    assert "My security key" in b.at("/account").text
    with Token(folder / "dev", Credential("localhost")):
        r = console(NEW_PASSWORD, "", "1234", "")
        assert r.code() == 7 and r.shown[-1] == "The security key has no passkey for this login.\n" + MAILED
