"""A site's own mail texts, read by a keeper in its sandbox: at its start, and when they change."""
import os
import shutil
import tempfile
import time

import pytest
from browser import Http, Site
from harness import wait_until
from test_wizard import Member

OWN = "Subject: {organisation}: please confirm\n\nType {code} or open {link}\n"


@pytest.fixture
def site():
    folder = tempfile.mkdtemp(prefix="kosmo-")
    people = [Member(f"t{i:05d}") for i in range(3)]
    s = Site(folder, people, "organisation = みほん健康保険組合\n[mail]\nfrom = no-reply@example.jp\ncode_in_subject = yes\n")
    s.people = people
    text(s, OWN)
    s.start()
    yield s
    s.stop()
    shutil.rmtree(folder, ignore_errors=True)


def text(site, content):
    """As if it had been written a while ago: the keeper leaves what is very fresh for its next look."""
    file = site.dir / "site/mail/verify.en.txt"
    file.parent.mkdir(exist_ok=True)
    file.write_text(content)
    os.utime(file, (time.time() - 60,) * 2)


def verify(site, p):
    h = Http(site, "192.0.2.1")
    assert h.password(p, site.initial(p.login)).to == "/"
    for page, fields in (("/first/birth-date", {"birth_date": p.birth}), ("/first/terms", {"agree": "1"}),
                         ("/first/email", {"email": f"{p.login}@example.org"})):
        h.get(page).post(page, **fields)
    return site.mail(f"{p.login}@example.org")


def test_own_text_then_one_at_fault(site):
    first, second, third = site.people
    m = verify(site, first)
    code = m["Subject"][:6]
    assert m["Subject"] == f"{code} - みほん健康保険組合: please confirm" and code.isdigit()
    assert m.get_content().startswith(f"Type {code} or open {site.url}/mail/") and "\n-- \n" not in m.get_content()
    text(site, OWN.replace("{code}", "your code"))
    verify(site, second)  # wakes who looks
    wait_until(lambda: "verify.en.txt:3: {code} is missing" in site.process.log.read_text(), 40, "a complaint in the log")
    m = verify(site, third)
    assert "Please confirm that this is your email address." in m.get_content() and m["Subject"].endswith(" - Please confirm your email address")
    assert site.process.log.read_text().count("is missing") == 1
