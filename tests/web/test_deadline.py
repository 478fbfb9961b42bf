"""The enrolment's deadline as people meet it: said in the wizard, explained when it is past, moved by the admin."""
import datetime
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "pam"))

from browser import Http, Site  # noqa: E402
from harness import Person, wait_out  # noqa: E402
from made import made
from test_wizard import Member  # noqa: E402

HALF, NEW, DONE = Person("half", role="member", seed=False), Member("fresh"), Person("done", role="member")


def day(days):
    """Counted from today in Japan."""
    return (datetime.datetime.fromtimestamp(time.time(), datetime.timezone(datetime.timedelta(hours=9))) +
            datetime.timedelta(days=days)).date()


def english(d):
    return f"{d.day} {d:%B} {d.year}"


def japanese(d):
    return f"{d.year}年{d.month}月{d.day}日"


@pytest.fixture
def site():
    folder = tempfile.mkdtemp(prefix="kosmo-")
    s = Site(folder, [HALF, NEW, DONE], "contact = 03-1234-5678\nmail.from = no-reply@example.jp\n")
    s.start()
    yield s
    s.stop()
    shutil.rmtree(folder, ignore_errors=True)


def configure(s, text):
    s.stop()
    folder = Path(f"{s.conf}.d")
    folder.mkdir(exist_ok=True)
    (folder / "enrol.conf").write_text(text)
    s.start()


def put_back(s, days, p):
    subprocess.run([made("pam", "put_back") / "put_back", s.conf, str(days), p.login], check=True)


def log_in(s, p, lang="en", password=None):
    b = Http(s, "192.0.2.7", lang)
    assert b.password(p, password).to == "/", (b.status, b.text)
    return b.get("/")


def said(s, lang="en"):
    b = log_in(s, HALF, lang)
    assert b.to == "/first/birth-date"
    return b.get(b.to).text


def test_before_the_day_and_after_it(site):
    assert "until you have contacted us" not in said(site), "no deadline, no word of it"
    configure(site, f"enrol.by = {day(12)}\n")
    assert f"Please finish by {english(day(12))} (in 12 days)." in said(site)
    assert f"{japanese(day(12))}（あと12日）までに、設定を終えてください。" in said(site, "ja")
    # after logging out the login page says it too, in this browser and to nobody else's link
    b = log_in(site, HALF)
    b.get(b.to)
    out = b.post("/logout").to
    words = f"Please finish by {english(day(12))} (in 12 days)."
    assert out.startswith("/login?n=out&by=") and words in b.get(out).text
    assert "Please finish" not in b.get(out.replace(str(day(12)), str(day(2)))).text
    assert "Please finish" not in Http(site, "192.0.2.9").get(out).text

    configure(site, f"enrol.by = {day(1)}\n")
    b = log_in(site, NEW, password=site.initial(NEW.login))
    assert f"Please finish by {english(day(1))} (tomorrow)." in b.get(b.to).text
    assert "no login after the end of " + str(day(1)) in site.ctl("user", "show", HALF.login)

    # a letter of today opens the deadline anew for its owner; the others' days are over
    configure(site, f"enrol.by = {day(-2)}\nenrol.days = 1\n")
    put_back(site, 5, HALF)
    b = log_in(site, NEW, password=site.initial(NEW.login))
    assert "(tomorrow)" in b.get(b.to).text
    late(site)
    assert log_in(site, DONE).to == "/login/code", "who has registered has no deadline"

    # more time
    unfinished = {u["login"]: u["until"] for u in json.loads(site.ctl("user", "list", "--unfinished", "--json"))}
    assert unfinished == {HALF.login: str(day(-2)), NEW.login: str(day(1))}
    assert f"until the end of {day(3)}" in site.ctl("user", "extend", HALF.login, str(day(3)))
    assert f"Please finish by {english(day(3))} (in 3 days)." in said(site)
    site.ctl("user", "extend", HALF.login, "never")
    assert "until you have contacted us" not in said(site)
    site.ctl("user", "extend", HALF.login, "default")
    assert log_in(site, HALF).to == "/first/late"
    site.ctl("store", "check")


def late(site):
    """The right password alone leads to a page that explains, and nowhere else."""
    b = log_in(site, HALF)
    assert b.to == "/first/late" and b.get(b.to).status == 200
    assert f"how you log in by {english(day(-2))}. That day is past" in b.text and "03-1234-5678" in b.text
    for path in ("/first/birth-date", "/first/method", "/first/done", "/app", "/passkey", "/account", "/login/mail"):
        assert b.get(path).to == "/first/late", path
    assert b.post("/first/terms", agree="1").to == "/first/late"
    assert b.get("/login").status == 200, "somebody else of the family may log in here"
    b.get("/first/late")
    assert b.post("/logout").to == "/login?n=out"
    assert b.get("/first/late").to.startswith("/login")
    b = log_in(site, HALF, "ja").get("/first/late")
    assert f"ログインの設定の期限は、{japanese(day(-2))}まででした。" in b.text
    assert "enrol.late" in site.ctl("audit")
    assert json.loads(site.ctl("user", "show", "--json", HALF.login))["blocked_by"] == "enrolment_late"
    # who does not know the password hears nothing of it
    assert b.password(HALF, "not it").status == 200 and "That day" not in b.text and "期限" not in b.text
    wait_out()


def test_a_letter_that_is_too_old(site):
    """Only whoever has it learns so."""
    put_back(site, 120, NEW)
    b = Http(site, "192.0.2.8").password(NEW, site.initial(NEW.login))
    assert b.status == 200 and f"could be used until {english(day(-31))}." in b.text and "new letter" in b.text
    assert b.get("/").to == "/login"
    b.password(NEW, "abcd-efgh-jkmn-pqrs")
    assert b.status == 200 and "could be used until" not in b.text and b.error.startswith("The user ID or the password")
    assert "password.lapsed" in site.ctl("audit")
