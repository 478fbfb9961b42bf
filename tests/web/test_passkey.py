"""Passkeys in a real browser: registered in the wizard and in the account, used with and without the password."""
import time

import pytest
from browser import app_code
from harness import wait_until
from passkey import Authenticator, no_autofill
from test_wizard import NEW_PASSWORD, Member, begin, browser, confirm_by_code, enrol, log_out, member, wizard_site  # noqa: F401


@pytest.fixture(scope="module")
def site():
    yield from wizard_site([Member(f"h{i:05d}") for i in range(10)])


def to_passkey(b, site, p):
    """From the letter to the page that registers a passkey, which is what is recommended."""
    begin(b, site, p)
    confirm_by_code(b, site, p)
    assert b.find("#m-passkey").is_selected()
    b.press()
    b.at("/first/password").fill(new=NEW_PASSWORD, again=NEW_PASSWORD)
    b.at("/first/done").press("button[value=passkey]")
    return b.at("/passkey")


def register(b, site, p, name=None):
    to_passkey(b, site, p)
    if name:
        b.type("name", name)
    b.find("button[data-where=this]").click()
    b.at("/recovery")
    codes = [e.text for e in b.all(".codes code")]
    b.press()
    b.at("/account")
    return codes


def said(b):
    """What the page says that the device did; waits for it."""
    wait_until(lambda: b.find("#passkey-said").is_displayed(), 10, "what the device did")
    return b.find("#passkey-said p:not([hidden])").get_attribute("data-case")


def test_wizard_then_login_by_button(site, member, browser):
    b = browser
    a = Authenticator(b)
    no_autofill(b)
    codes = register(b, site, member, "うちのパソコン")
    assert len(codes) == 10
    assert "うちのパソコン" in b.text and "On this one device only" in b.text
    c, = a.credentials
    assert c["rpId"] == "localhost" and c["isResidentCredential"] and len(c["userHandle"]) == 88
    log_out(b, site)
    # the page was open for longer than its challenge lives: another one is fetched
    challenge = b.find("#f-passkey input[name=challenge]").get_attribute("value")
    b.d.execute_script("const now = Date.now; Date.now = () => now() + 300000")
    b.d.execute_script("HTMLFormElement.prototype.submit = function () { document.title = this.elements.challenge.value }")
    b.find("#f-passkey button").click()
    wait_until(lambda: len(b.d.title) == len(challenge) and b.d.title != challenge, 10, "a fresh challenge")
    b.d.refresh()
    b.press("#f-passkey button")
    b.at("/account")
    assert a.credentials[0]["signCount"] > c["signCount"]


def test_autofill(site, member, browser):
    b = browser
    Authenticator(b)
    register(b, site, member)
    b.get(site.url + "/logout")
    b.press()
    b.at("/account")


def test_autofill_is_renewed_while_nobody_is_at_it(site, browser):
    b = browser
    b.d.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {
        "source": "window.asked = 0; window.focused = false; document.hasFocus = () => focused; const wait = setTimeout;"
                  "window.setTimeout = (f, ms, ...more) => wait(f, ms === 90000 || ms === 2000 ? 50 : ms, ...more);"
                  "PublicKeyCredential.isConditionalMediationAvailable = () => Promise.resolve(true);"
                  "navigator.credentials.get = o => { if (o.mediation === 'conditional') asked++; return new Promise(() => {}); }"})
    b.get(site.url + "/login")
    wait_until(lambda: b.d.execute_script("return asked") == 1, 10, "the first request")
    time.sleep(0.5)
    assert b.d.execute_script("return asked") == 1, "the device's dialog has the focus"
    b.d.execute_script("window.focused = true")
    wait_until(lambda: b.d.execute_script("return asked") > 2, 10, "requests anew")


def test_after_the_password(site, member, browser):
    b = browser
    Authenticator(b, transport="usb")
    no_autofill(b)
    to_passkey(b, site, member)
    b.find("button[data-where=other]").click()
    b.at("/recovery").press()
    assert "My security key" in b.at("/account").text
    log_out(b, site).fill(login=member.login, password=NEW_PASSWORD)
    b.at("/login/passkey").press("form[data-passkey] button")
    b.at("/account")


def test_beside_an_app_renamed_removed(site, member, browser):
    b = browser
    no_autofill(b)
    secret, _, _ = enrol(b, site, member)
    a = Authenticator(b)
    b.get(site.url + "/account")
    b.find("a[href='/passkey']").click()
    b.at("/passkey").find("button[data-where=this]").click()
    b.at("/account")
    assert len(b.all("#ways ul.cards > li")) == 2 and len(a.credentials) == 1
    b.all("a[href^='/account/rename']")[1].click()
    b.at("/account/rename").fill(name="台所の電話")
    assert "台所の電話" in b.at("/account").text
    # the same device once more
    b.get(site.url + "/passkey")
    b.find("button[data-where=this]").click()
    assert said(b) == "registered"
    # the step-up of a change is the passkey's, and after a fresh login by the app another way is there
    log_out(b, site).fill(login=member.login, password=NEW_PASSWORD)
    b.at("/login/passkey").find("a[href='/login/another']").click()
    b.at("/login/another").find("a[href='/login/code']").click()
    b.at("/login/code").fill(code=app_code(secret, time.time() + 30))
    b.at("/account")
    b.all("a[href^='/account/remove']")[1].click()
    b.at("/account/remove").press()
    assert "台所の電話" not in b.at("/account").text
    assert not a.credentials  # the browser was told


def test_cancelled_no_verification_unsupported(site, member, browser):
    b = browser
    a = Authenticator(b)
    to_passkey(b, site, member)
    a.verified(False)
    b.find("button[data-where=this]").click()
    assert said(b) == "cancelled"
    a.verified(True)
    # what a device may report: each has its own sentence, and the button goes on working
    b.d.execute_script("window.real = navigator.credentials.create; navigator.credentials.create = o => {"
                       "window.asked = o.publicKey; const [name, late] = window.fault;"
                       "if (late) { const now = Date.now; Date.now = () => now() + 100000; }"
                       "return Promise.reject(new DOMException('', name)); }")
    for fault, where, case in ((["NotAllowedError", False], "this", "cancelled"), (["InvalidStateError", False], "other", "registered"),
                               (["NotSupportedError", False], "this", "unable"), (["ConstraintError", False], "other", "unable"),
                               (["SecurityError", False], "this", "place"), (["UnknownError", False], "other", "failed"),
                               (["NotAllowedError", True], "this", "timeout")):
        b.d.execute_script("window.fault = arguments[0]", fault)
        b.find(f"button[data-where={where}]").click()
        assert said(b) == case, fault
        asked = b.d.execute_script("return [asked.authenticatorSelection.authenticatorAttachment, asked.hints, asked.timeout]")
        assert asked == [["platform", ["client-device"]], ["cross-platform", ["hybrid", "security-key"]]][where == "other"] + [100000]
    b.d.execute_script("window.fetch = () => Promise.reject(new TypeError())")  # it is late by then: a fresh challenge is needed
    b.find("button[data-where=this]").click()
    assert said(b) == "offline"
    gone = b.d.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": "delete window.PublicKeyCredential"})["identifier"]
    b.d.refresh()
    assert said(b) == "unsupported" and not b.find("button[data-where=this]").is_displayed()
    b.d.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", {"identifier": gone})
    b.d.refresh()
    b.find("button[data-where=this]").click()
    b.at("/recovery")
