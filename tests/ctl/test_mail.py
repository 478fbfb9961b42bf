"""kosmoctl mail: texts of a site's own, the queue, a test mail, delivery reports; every text as a mail server would see it."""
import contextlib
import email
import email.header
import email.policy
import email.utils
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading

import pytest
from conftest import BUILD, FAILED, INPUT, KOSMOCTL, OK, TOP, USAGE
from made import made

LANGUAGES = {"ja": re.compile("[ぁ-ん]"), "en": re.compile("[a-z]")}


@pytest.fixture(scope="module")
def tool():
    made("ctl")

    def put(k, *args):
        """From a folder beside the catalogue, where kosmoctl has it too."""
        if not (k.work / "bin").exists():
            (k.work / "bin").mkdir()
            shutil.copy(BUILD / "tests/ctl/put_rows", k.work / "bin")
            (k.work / "po").symlink_to(BUILD / "po")
        return subprocess.run([k.work / "bin/put_rows", k.conf, *map(str, args)], check=True, stdout=subprocess.PIPE).stdout.decode().strip()
    return put


def configure(k, text):
    (k.dir / "kosmo.conf.d").mkdir(exist_ok=True)
    (k.dir / "kosmo.conf.d/test.conf").write_text(text)


def names(k):
    return [line.split()[0] for line in k("mail", "template").out.splitlines()]


def template(k, name, lang, text):
    folder = k.dir / "site/mail"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.{lang}.txt").write_bytes(text if isinstance(text, bytes) else text.encode())


def messages(k, tool, to="hanako@example.org"):
    """NAME, LANG -> the mail's bytes."""
    out = k.work / "mails"
    out.mkdir(exist_ok=True)
    tool(k, "messages", out, to)
    return {tuple(f.stem.split(".")): f.read_bytes() for f in out.glob("*.eml")}


def parsed(raw):
    """As Python's strict reader has it: no defect anywhere, and lines as the standards want them."""
    assert raw.endswith(b"\r\n") and raw.replace(b"\r\n", b"").find(b"\n") < 0 and raw.replace(b"\r\n", b"").find(b"\r") < 0
    assert all(len(line) <= 76 and line.isascii() for line in raw.split(b"\r\n")), raw
    assert all(len(word) <= 75 for word in re.findall(rb"=\?[^ \r\n]*\?=", raw))
    m = email.message_from_bytes(raw, policy=email.policy.default)
    assert not m.defects
    for name, value in m.items():
        assert not value.defects, (name, value.defects)
    assert m["Auto-Submitted"] == "auto-generated" and m["MIME-Version"] == "1.0" and m.get_content_type() == "text/plain"
    assert m.get_content_charset() == "utf-8" and m["Date"].datetime is not None
    assert abs((m["Date"].datetime - email.utils.localtime()).total_seconds()) < 3600
    assert len(set(name.lower() for name in m.keys())) == len(m.keys())
    return m


ORGANISATIONS = ["", "Example Society", 'A "quoted" \\ name, (with) <all> of; it: [x] @', "健康保険組合", "健" * 90, "é😀" * 40,
                 "A very long name of a society that has many words and more of them than fit into any line of a mail", "=?UTF-8?B?eA==?="]


@pytest.mark.parametrize("organisation", ORGANISATIONS, ids=range(len(ORGANISATIONS)))
def test_every_text_in_every_language(k, tool, organisation):
    configure(k, f"organisation = {organisation}\ncontact = 窓口, help@example.jp\n[mail]\nfrom = no-reply@example.jp\n"
                 "list_unsubscribe = mailto:stop@example.jp\n")
    mails, seen = messages(k, tool), set()
    assert set(mails) == {(n, l) for n in names(k) for l in LANGUAGES}
    for (name, lang), raw in mails.items():
        m = parsed(raw)
        display, address = m["From"].addresses[0].display_name, m["From"].addresses[0].addr_spec
        if raw.startswith(b"From: =?"):  # Python 3.11's new reader puts a blank between the encoded words of a name
            folded = email.message_from_bytes(raw)["From"]
            display = str(email.header.make_header(email.header.decode_header(folded))).removesuffix(" <no-reply@example.jp>")
        assert address == "no-reply@example.jp" and m["To"].addresses[0].addr_spec == "hanako@example.org"
        assert display == organisation
        assert re.fullmatch(r"<[0-9a-f]{32}@example\.jp>", m["Message-ID"]) and m["Message-ID"] not in seen
        seen.add(m["Message-ID"])
        body = m.get_content().replace("\r\n", "\n")
        shown = k("mail", "template", name, lang).out
        assert m["Subject"] == shown.splitlines()[0].removeprefix("Subject: ") and LANGUAGES[lang].search(body)
        assert m["Content-Language"] == lang and "{" not in body and "窓口, help@example.jp" in body
        has = {hole for hole in ("{code}", "{link}") if hole in shown}
        assert ("{code}" in has) == ("123456" in body) and ("{link}" in has) == ("https://" in body)
        assert "123456" not in m["Subject"]
        if has:
            assert "List-Unsubscribe" not in m
    assert mails and parsed(mails["way-added", "ja"])["List-Unsubscribe"] == "<mailto:stop@example.jp>"
    assert '山田 "x" <y>' in parsed(mails["way-added", "en"]).get_content()
    assert "List-Unsubscribe" not in parsed(mails["code", "ja"])


def test_the_code_in_the_subject(k, tool):
    configure(k, "[mail]\ncode_in_subject = yes\n")
    for (name, lang), raw in messages(k, tool).items():
        coded = "{code}" in k("mail", "template", name, lang).out
        assert parsed(raw)["Subject"].startswith("123456 - ") == coded
    template(k, "code", "ja", "Subject: コード{code}です\n\n{code}\n")
    assert parsed(messages(k, tool)["code", "ja"])["Subject"] == "コード123456です"


def test_texts_of_a_sites_own(k, tool):
    listed = k("mail", "template").out
    assert re.search(r"^code +must have: code$", listed, re.M) and re.search(r"^way-added +may have: name time$", listed, re.M)
    for name in names(k):
        for lang in LANGUAGES:
            shown = k("mail", "template", name, lang)
            assert shown.exit == OK and shown.out.startswith("Subject: ")
            template(k, name, lang, shown.out)
            text = re.sub(r"^Subject: |\{\w+\}", "", shown.out)
            assert lang == "en" or not re.search(r"[A-Za-z ,.:;'-]{12,}", text), f"{name} is not in Japanese:\n{text}"
    assert k("config", "check").exit == OK
    assert k("mail", "template", "code").out == k("mail", "template", "code", "ja").out
    template(k, "code", "ja", "Subject: あなたのコード（" + "健" * 50 + "）\n\n{code}\n\n" + "健" * 500 + "\n{organisation}\n")
    m = parsed(messages(k, tool)["code", "ja"])
    assert m["Subject"] == "あなたのコード（" + "健" * 50 + "）" and m.get_content().replace("\r\n", "\n").startswith("123456\n\n" + "健" * 500)
    assert "\n-- \n" not in m.get_content()
    found = [f for f in k("doctor", "--json").json() if f["check"] == "mail texts"]
    assert found[0]["state"] == "ok" and "of the site's own" in found[0]["text"]


@pytest.mark.parametrize("name, text, line, says", [
    ("code", "Subject: x\n\nno code\n", 3, "{code} is missing"),
    ("code", "Subject: x\nTo: all@example.jp\n\n{code}\n", 2, "not empty"),
    ("code", "Subject: x\n\n{code}\n{user}\n", 4, "begins no placeholder"),
    ("code", b"Subject: x\n\n{code}\n\x82\xa0\n", 4, "not UTF-8"),
    ("code", "Subject: x\x1b[2J\n\n{code}\n", 1, "a control character"),
], ids=range(5))
def test_a_text_at_fault_is_named_and_does_no_harm(k, tool, name, text, line, says):
    template(k, name, "ja", text)
    said = k("config", "check")
    assert said.exit == FAILED and f"site/mail/{name}.ja.txt:{line}: " in said.err and says in said.err
    found = [f for f in k("doctor", "--json").json() if f["check"] == "mail texts"]
    assert found[0]["state"] == "warn" and says in found[0]["text"]
    m = parsed(messages(k, tool)[name, "ja"])
    assert "123456" in m.get_content() and "確認コード" in m["Subject"]


def test_template_says_what_is_wrong(k):
    assert k("mail", "template", "kode").exit == INPUT and k("mail", "template", "code", "fr").exit == INPUT
    assert k("mail", "template", "code", "ja", "x").exit == USAGE


# ---- the queue ----

def queue(k, *more):
    said = k("mail", "queue", "--json", *more)
    assert said.exit == OK, said
    return said.json()


def test_queue(k, tool):
    assert k("mail", "queue").out == "no mail waits, none was refused or came too late\n" and queue(k) == []
    waiting = tool(k, "row", "waiting", "hanako@example.org")
    tool(k, "row", "sent", "taro@example.org")
    tool(k, "mail", "550 5.1.1 user unknown")
    rows = {r["state"]: r for r in queue(k)}
    assert set(rows) == {"waiting", "refused"} and rows["waiting"]["id"] == waiting and rows["waiting"]["domain"] == "example.org"
    assert rows["refused"]["reason"] == "550 5.1.1 user unknown" and rows["refused"]["domain"] is None
    assert rows["waiting"]["kind"] == "code" and rows["refused"]["kind"] == "notice" and "recipient" not in rows["waiting"]
    said = k("mail", "queue")
    assert "hanako" not in said.out and "to example.org" in said.out and "550 5.1.1 user unknown" in said.out and "next in" in said.out
    assert "to hanako@example.org" in k("mail", "queue", "--addresses").out
    assert next(r for r in queue(k, "--addresses") if r["state"] == "waiting")["recipient"] == "hanako@example.org"
    # now, and never
    later = rows["waiting"]["next_try"]
    assert k("mail", "queue", "--retry").out.startswith("1 mails") and next(r for r in queue(k) if r["id"] == waiting)["next_try"] < later
    assert k("mail", "queue", "--retry").out.startswith("0 mails")
    assert k("mail", "queue", "--drop", waiting).exit == OK and k("mail", "queue", "--drop", waiting).exit == INPUT
    assert k("mail", "queue", "--drop", "0" * 32).exit == INPUT and k("mail", "queue", "--drop", "xyz").exit == USAGE
    assert k("mail", "queue", "--drop", waiting, "--retry").exit == USAGE
    assert next(r for r in queue(k) if r["id"] == waiting)["reason"] == "dropped by the administrator"
    assert {"mail.retry", "mail.drop"} <= set(k.events()) and k.events().count("mail.retry") == 1
    assert k("store", "check").exit == OK


# ---- delivery reports ----

OURS = "0193553f4a0102030405060708090a0b"
REPORT = (TOP / "tests/fuzz/corpus/dsn/postfix").read_bytes()


def bounce(k, report, code=0):
    p = subprocess.run([KOSMOCTL, "-c", k.conf, "mail", "bounce"], input=report, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert p.returncode == code and p.stdout == b"", p
    return p.stderr.decode()


def about(report, row):
    return report.replace(OURS.encode(), row.encode())


@pytest.fixture
def b(k):
    configure(k, "[mail]\nfrom = no-reply@example.jp\n")
    return k


def test_a_mail_that_came_back(b, tool):
    row, other = tool(b, "row", "sent", "hanako@example.org"), tool(b, "row", "sent", "taro@example.org")
    delayed = (TOP / "tests/fuzz/corpus/dsn/delayed").read_bytes()
    assert bounce(b, about(delayed, row)) == "" and queue(b)[0]["state"] == "delayed" and queue(b)[0]["reason"].startswith("4.4.1 connect to")
    assert "is noted already" in bounce(b, about(delayed, row))
    assert bounce(b, about(REPORT, row)) == ""
    assert [(r["id"], r["state"], r["reason"]) for r in queue(b)] == [(row, "refused", "5.1.1 (address) Recipient address rejected: User unknown")]
    assert "is noted already" in bounce(b, about(REPORT, row)) and "is noted already" in bounce(b, about(delayed, row))
    assert [e for e in b.events() if e.startswith("mail.")] == ["mail.bounced", "mail.delayed"]
    assert other not in str(queue(b)) and b("store", "check").exit == OK


def test_what_a_forger_could_send(b, tool):
    """A report changes nothing but a mail that was sent, and that only for whom it was sent to."""
    row, waiting = tool(b, "row", "sent", "hanako@example.org"), tool(b, "row", "waiting", "taro@example.org")
    before = queue(b)
    assert "not known" in bounce(b, about(REPORT, "0" * 32))
    assert "not known" in bounce(b, about(REPORT, row[:-1] + ("0" if row[-1] != "0" else "1")))
    assert "still waits" in bounce(b, about(REPORT, waiting))
    assert "another sender" in bounce(b, about(REPORT, row).replace(b"@example.jp>\r\nMIME", b"@example.com>\r\nMIME"))
    assert "no trouble" in bounce(b, about((TOP / "tests/fuzz/corpus/dsn/delivered").read_bytes(), row))
    evil = about(REPORT, row).replace(b"rejected: User unknown", b"\x1b[2J\xff<script> {code} \x00" + b"x" * 900)
    assert queue(b) == before and bounce(b, evil) == ""
    reason = next(r for r in queue(b) if r["id"] == row)["reason"]
    assert reason.startswith("5.1.1 (address) Recipient address ?[2J?") and len(reason) <= 200 and reason.isprintable() and reason.isascii()


@pytest.mark.parametrize("report", [b"", b"\n", b"hello\n", b"\0" * 1000, b"x" * 3_000_000, (TOP / "tests/fuzz/corpus/dsn/autoreply").read_bytes(),
                                    (TOP / "tests/fuzz/corpus/dsn/read-receipt").read_bytes(), REPORT[:1000]], ids=range(8))
def test_other_mail_is_left_alone(b, report):
    """An MTA that gets anything but 0 would send a report about the report."""
    assert "left alone" in bounce(b, report)


def test_what_may_be_tried_again(b, tool):
    row = tool(b, "row", "sent", "hanako@example.org")
    (b.dir / "kosmo.conf").rename(b.dir / "away")
    assert "no delivery report" in bounce(b, b"hello\n")  # nothing is opened for it
    bounce(b, about(REPORT, row), 75)
    (b.dir / "away").rename(b.dir / "kosmo.conf")
    (b.dir / "key").rename(b.dir / "away")
    bounce(b, about(REPORT, row), 75)
    (b.dir / "away").rename(b.dir / "key")
    assert bounce(b, about(REPORT, row)) == "" and queue(b)[0]["state"] == "refused"


# ---- a test mail ----

@contextlib.contextmanager
def mailer(k):
    p = subprocess.Popen([BUILD / "enroll/kosmo-mailer", "-c", k.conf], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = threading.Event()
        for _ in range(500):
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as s:
                s.connect(str(k.dir / "run/mail.sock"))
                break
            assert p.poll() is None
            end.wait(0.02)
        yield
    finally:
        p.terminate()
        p.wait(20)


class Relay:
    """Says what it is told to at each step; one connection after the other."""

    def __init__(self, **words):
        self.words = {"hello": "220 relay", "EHLO": "250 relay", "MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go", ".": "250 taken",
                      "QUIT": "221 bye", **words}
        self.got = b""
        self.s = socket.create_server(("127.0.0.1", 0))
        self.port = self.s.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                c, _ = self.s.accept()
                with c, contextlib.suppress(OSError):
                    self.one(c, c.makefile("rb"))

    def one(self, c, f):
        c.sendall(self.words["hello"].encode() + b"\r\n")
        for line in f:
            verb = line.split()[0].decode().upper() if line.split() else ""
            c.sendall(self.words.get(verb, "502 what").encode() + b"\r\n")
            if verb == "DATA" and self.words["DATA"][0] == "3":
                for line in f:
                    if line == b".\r\n":
                        break
                    self.got += line
                c.sendall(self.words["."].encode() + b"\r\n")


@pytest.mark.parametrize("words, more, exit, says", [
    ({}, "", OK, "the relay took it"),
    ({"RCPT": "550 5.1.1 nobody here"}, "", FAILED, "refused for good: 550 5.1.1 nobody here\n.*is the address right"),
    ({"RCPT": "554 5.7.1 relay access denied"}, "", FAILED, "relay access denied\n.*mail.smtp_user"),
    ({"MAIL": "553 5.1.8 sender unknown"}, "", FAILED, "553 5.1.8 sender unknown\n.*mail.from"),
    ({"RCPT": "451 4.3.2 later"}, "", FAILED, "not sent: 451 4.3.2 later\n.*wait some minutes"),
    ({}, "smtp_tls = starttls\n", FAILED, "not sent: .*(TLS|SSL).*\n.*mail.smtp_tls"),
], ids=range(6))
def test_mail_test(k, words, more, exit, says):
    relay = Relay(**words)
    configure(k, f"[mail]\ntransport = smtp\nsmtp = 127.0.0.1:{relay.port}\nfrom = no-reply@example.jp\n" + (more or "smtp_tls = none\n"))
    with mailer(k):
        said = k("mail", "test", "hanako@example.org")
    assert said.exit == exit and re.search(says, said.out + said.err), said
    if exit == OK:
        m = parsed(relay.got)
        assert m["Subject"] == "テストメール" and m["To"].addresses[0].addr_spec == "hanako@example.org"
    relay.s.close()


def test_mail_test_without_relay_or_mailer(k):
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    configure(k, f"[mail]\ntransport = smtp\nsmtp = 127.0.0.1:{port}\nsmtp_tls = none\nfrom = no-reply@example.jp\n")
    said = k("mail", "test", "hanako@example.org")
    assert said.exit == FAILED and "kosmo-mailer is not running" in said.err and "start it" in said.err
    assert k("mail", "test", "hanako").exit == INPUT and k("mail", "test").exit == USAGE
    with mailer(k):
        said = k("mail", "test", "hanako@example.org")
    assert said.exit == FAILED and re.search("not sent: .*\n.*is mail.smtp in", said.err), said


def test_mail_test_into_a_folder(k):
    with mailer(k):
        said = k("mail", "test", "hanako@example.org")
    assert said.exit == OK and "nobody gets it" in said.out
    [f] = (k.dir / "mail/new").iterdir()
    assert b"Message-ID: <" in pathlib.Path(f).read_bytes() and os.stat(f).st_size > 0
