"""The mailed link over a real SMTP server, from the form to the confirmed address, in the wizard's own words."""
import shutil
import tempfile

import pytest
from aiosmtpd.controller import Controller
from browser import Browser, Site, mailed
from harness import free_port, wait_until
from test_wizard import Member, begin
import email
import email.policy


class Sink:
    """Takes mails, or refuses a recipient for good, or puts it off once."""

    def __init__(self):
        self.messages, self.put_off = [], {"later@example.jp"}

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address == "nobody@example.jp":
            return "550 5.1.1 no such mailbox here"
        if address in self.put_off:
            self.put_off.remove(address)
            return "451 4.7.1 greylisted, try later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.messages.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content, policy=email.policy.default)))
        return "250 taken"


@pytest.fixture(scope="module")
def sink():
    s = Sink()
    c = Controller(s, hostname="127.0.0.1", port=free_port())
    c.start()
    s.port = c.port
    yield s
    c.stop()


@pytest.fixture(scope="module")
def site(sink):
    folder = tempfile.mkdtemp(prefix="kosmo-")
    people = [Member(f"m{i:05d}") for i in range(6)]
    s = Site(folder, people, f"mail.transport = smtp\nmail.smtp = 127.0.0.1:{sink.port}\nmail.smtp_tls = none\n"
             "mail.from = no-reply@example.jp\n")
    s.free = iter(people)
    s.start()
    yield s
    s.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def page(site):
    b = Browser(lang="ja")
    p = next(site.free)
    p.initial = site.initial(p.login)
    begin(b, site, p)
    yield b
    b.close()


def received(sink, address, seconds=15):
    found = []

    def there():
        found[:] = [m for to, m in sink.messages if to == [address]]
        return found

    wait_until(there, seconds, f"a mail to {address}")
    return found[0]


def test_the_link_arrives_and_confirms(site, sink, page):
    b = page
    b.fill(email="taro@example.jp")
    b.at("/first/email/sent")
    m = received(sink, "taro@example.jp")
    assert m["Auto-Submitted"] == "auto-generated" and m["Message-ID"] and m["Date"]
    assert m.get_content_type() == "text/plain" and m.get_content_charset() == "utf-8"
    assert not m.defects
    code, link = mailed(m)
    assert "確認" in m.get_content() and code
    b.get(link)
    b.press()
    b.get(site.url + "/")
    b.at("/first/method")


def test_the_page_says_that_the_server_refused(site, sink, page):
    b = page
    b.fill(email="nobody@example.jp")
    b.at("/first/email/sent")
    wait_until(lambda: (b.d.refresh(), "no such mailbox" in b.text)[1], 15, "the server's words")
    # and the way on: another address, without waiting
    b.get(site.url + "/first/email")
    b.fill(email="right@example.jp")
    b.at("/first/email/sent")
    b.fill(code=mailed(received(sink, "right@example.jp"))[0])
    b.at("/first/method")


def test_a_mail_put_off_arrives_later(site, sink, page):
    b = page
    b.fill(email="later@example.jp")
    b.at("/first/email/sent")
    wait_until(lambda: (b.d.refresh(), "greylisted" in b.text)[1], 15, "the server's words")
    b.fill(code=mailed(received(sink, "later@example.jp", 40))[0])
    b.at("/first/method")
