"""kosmo-mailer against real SMTP servers and a Maildir, spoken to as the keeper does."""
import email
import email.policy
import itertools
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests"))
sys.path.insert(0, str(TOP / "tests/pam"))
from harness import Namespace  # noqa: E402
from kosmo_wire import Client, encode  # noqa: E402

MAILER = pathlib.Path(os.environ.get("KOSMO_BUILD", TOP / "build")).resolve() / "enroll/kosmo-mailer"
TO = "hanako@example.jp"
TEXT = "花子さま\n\n確認コードは 012345 です。\n.\n..\n.bashrc\n\n. \nおわり\n"
MAIL = ("Message-ID: <made-up-1@example.jp>\nFrom: no-reply@example.jp\nTo: hanako@example.jp\nSubject: =?utf-8?B?56K66KqN?=\n"
        "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n" + TEXT)


class Instance:
    """A folder with a configuration, and the mailer that runs on it."""

    def __init__(self, folder, **options):
        self.folder = folder
        self.process = None
        (folder / "run").mkdir(exist_ok=True)
        self.conf = folder / "kosmo.conf"
        values = {"mail.from": "no-reply@example.jp", **{"mail." + k: v for k, v in options.items()}}
        self.conf.write_text(f"url = http://localhost:8480\nstate_dir = {folder}\nrun_dir = {folder}/run\nsite_dir = {folder}\n"
                             + "".join(f"{k} = {v}\n" for k, v in values.items()))
        self.socket = folder / "run/mail.sock"

    def start(self, before=()):
        self.process = subprocess.Popen([*before, MAILER, "-c", self.conf], stderr=subprocess.PIPE)
        end = time.monotonic() + 60
        while True:
            try:
                return Client(self.socket, timeout=90)
            except OSError:
                if self.process.poll() is not None:
                    raise AssertionError(self.process.stderr.read().decode()) from None
                assert time.monotonic() < end
                time.sleep(0.02)

    def stop(self):
        """Its exit status and what it said."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said.decode()


@pytest.fixture
def instance(tmp_path):
    made = []

    def make(**options):
        made.append(Instance(tmp_path, **options))
        return made[-1]

    yield make
    for i in made:
        if i.process and i.process.returncode is None:
            assert i.stop() == (0, "")


class Inbox:
    """An SMTP server's handler: keeps mails, and refuses as told: {"RCPT": "450 4.2.1 later"}."""

    def __init__(self):
        self.mails, self.refuse, self.sessions, self.logins, self.tls = [], {}, set(), [], []

    async def handle_MAIL(self, _server, session, envelope, address, _options):
        self.sessions.add(id(session))
        self.keep = getattr(self, "keep", []) + [session]  # so that no id comes twice
        if "MAIL" in self.refuse:
            return self.refuse["MAIL"]
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, _server, _session, envelope, address, _options):
        if "RCPT" in self.refuse:
            return self.refuse["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, session, envelope):
        if "DATA" in self.refuse:
            return self.refuse["DATA"]
        self.tls.append(session.ssl is not None)
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.original_content))
        return "250 taken"

    def authenticate(self, _server, _session, _envelope, _mechanism, data):
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"open sesame", handled=False)


class ImplicitTls(Controller):
    def factory(self):
        return SMTP(self.handler, **self.SMTP_kwargs)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture
def relay():
    running = []

    def make(kind=Controller, port=None, **options):
        inbox = options.pop("inbox", None) or Inbox()
        if options.pop("auth", False):
            options.update(authenticator=inbox.authenticate, auth_required=True, auth_require_tls=False)
        c = kind(inbox, hostname="localhost", port=port or free_port(), server_hostname="relay.example.jp", **options)
        c.start()
        running.append(c)
        inbox.controller = c
        inbox.at = f"localhost:{c.port}"
        return inbox

    yield make
    for c in running:
        if c.server is not None:
            c.stop(no_assert=True)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    d = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=DNS:localhost", "-keyout", d / "key.pem", "-out", d / "cert.pem"],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(d / "cert.pem", d / "key.pem")
    return d / "cert.pem", context


def send(client, message=MAIL, to=TO):
    kind, fields = client.ask("send", {"from": "no-reply@example.jp", "to": to, "message": message})
    assert kind == "result" and set(fields) == {"state", "reason"}
    reason = fields["reason"]
    assert len(reason) <= 200 and all(" " <= c <= "~" for c in reason) and "@" not in reason
    return fields["state"], reason


def body(raw):
    return email.message_from_bytes(raw, policy=email.policy.default).get_content().replace("\r\n", "\n")


# ---- SMTP ----

def test_delivery(instance, relay):
    inbox = relay()
    client = instance(smtp=inbox.at, smtp_tls="none").start()
    assert send(client) == ("sent", "")
    sender, to, raw = inbox.mails[0]
    assert (sender, to) == ("no-reply@example.jp", [TO])
    assert raw == MAIL.replace("\n", "\r\n").encode()
    assert body(raw) == TEXT


@pytest.mark.parametrize("message, arrives", [
    (b"Subject: x\r\n\r\na\r\nb\r\n", b"Subject: x\r\n\r\na\r\nb\r\n"),
    (b"Subject: x\n\na\rb\r\r\nc", b"Subject: x\r\n\r\na\r\nb\r\n\r\nc\r\n"),
    (b".\n.\n", b".\r\n.\r\n"),
    (b"Subject: x\n\na\n.\nMAIL FROM:<evil@example.jp>\n", b"Subject: x\r\n\r\na\r\n.\r\nMAIL FROM:<evil@example.jp>\r\n"),
    (b"Subject: x\n\na\r.\rb\n", b"Subject: x\r\n\r\na\r\n.\r\nb\r\n"),
    (b"Subject: x\n\n" + b"0123456789\n.\n" * 6000, b"Subject: x\r\n\r\n" + b"0123456789\r\n.\r\n" * 6000),
    (b"Subject: x\n\n\xe5\x81\xa5\xff\n", b"Subject: x\r\n\r\n\xe5\x81\xa5\xff\r\n"),
], ids=["crlf", "mixed", "dots", "smuggling", "carriage", "long", "bytes"])
def test_lines_and_dots(instance, relay, message, arrives):
    inbox = relay()
    client = instance(smtp=inbox.at, smtp_tls="none").start()
    assert send(client, message) == ("sent", "")
    assert [m[2] for m in inbox.mails] == [arrives]


def test_one_connection_for_many(instance, relay):
    inbox = relay()
    client = instance(smtp=inbox.at, smtp_tls="none").start()
    for _ in range(20):
        assert send(client) == ("sent", "")
    assert len(inbox.mails) == 20 and len(inbox.sessions) == 1


def test_a_relay_that_was_restarted(instance, relay):
    inbox = relay()
    client = instance(smtp=inbox.at, smtp_tls="none").start()
    assert send(client) == ("sent", "")
    inbox.controller.stop()
    relay(port=inbox.controller.port, inbox=inbox)
    assert send(client) == ("sent", "")
    assert len(inbox.mails) == 2


@pytest.mark.parametrize("at", ["MAIL", "RCPT", "DATA"])
def test_refused(instance, relay, at):
    inbox = relay()
    client = instance(smtp=inbox.at, smtp_tls="none").start()
    inbox.refuse = {at: "451 4.7.1 Greylisted, try <hanako@example.jp> later"}
    assert send(client) == ("temporary", "451 4.7.1 Greylisted, try (address) later")
    inbox.refuse = {at: "550 5.1.1 <hanako@example.jp>: no such person \u65e5"}
    state, reason = send(client)
    assert state == "permanent" and reason.startswith("550 5.1.1 (address) no such person")
    inbox.refuse = {at: "552 " + "x" * 400}
    assert send(client) == ("permanent", "552 " + "x" * 196)
    inbox.refuse = {}
    assert send(client) == ("sent", "")
    assert len(inbox.mails) == 1


def test_nobody_listens(instance):
    client = instance(smtp=f"localhost:{free_port()}", smtp_tls="none").start()
    state, reason = send(client)
    assert state == "temporary" and "connect" in reason.lower()


class Babbler(threading.Thread):
    """Says one line to whoever comes, then nothing."""

    def __init__(self, line, hang_up):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.at = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.line, self.hang_up, self.kept = line, hang_up, []
        self.start()

    def run(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            c.sendall(self.line)
            self.kept.append(c)
            if self.hang_up:
                c.close()


@pytest.mark.parametrize("line", [b"554 5.3.2 we are closed\r\n", b"421 too many\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\0\xff\r\n", b""],
                         ids=["554", "421", "http", "bytes", "silence"])
def test_a_bad_greeting_is_no_fault_of_the_mail(instance, line):
    client = instance(smtp=Babbler(line, hang_up=True).at, smtp_tls="none").start()
    state, reason = send(client)
    assert state == "temporary" and reason
    if line[:1] in (b"5", b"4"):
        assert reason == line.decode().strip()


@pytest.mark.soak
def test_a_silent_relay_times_out(instance):
    client = instance(smtp=Babbler(b"", hang_up=False).at, smtp_tls="none").start()
    begin = time.monotonic()
    state, reason = send(client)
    assert state == "temporary" and reason and time.monotonic() - begin < 65


# ---- TLS and login ----

def test_starttls(instance, relay, certificate):
    inbox = relay(tls_context=certificate[1], require_starttls=True)
    client = instance(smtp=inbox.at, smtp_ca_file=certificate[0]).start()
    assert send(client) == ("sent", "")
    assert inbox.tls == [True] and body(inbox.mails[0][2]) == TEXT


def test_starttls_is_verified(instance, relay, certificate):
    inbox = relay(tls_context=certificate[1])
    client = instance(smtp=inbox.at).start()
    state, reason = send(client)
    assert state == "temporary" and "certificate" in reason.lower()
    assert inbox.mails == []


def test_the_name_is_verified(instance, relay, certificate):
    inbox = relay(tls_context=certificate[1])
    client = instance(smtp=inbox.at.replace("localhost", "127.0.0.1"), smtp_ca_file=certificate[0]).start()
    state, reason = send(client)
    assert state == "temporary" and reason and inbox.mails == []


def test_starttls_is_demanded(instance, relay):
    inbox = relay()
    client = instance(smtp=inbox.at).start()
    state, reason = send(client)
    assert state == "temporary" and reason and inbox.mails == []


def test_tls_from_the_first_byte(instance, relay, certificate):
    inbox = relay(ImplicitTls, ssl_context=certificate[1])
    client = instance(smtp=inbox.at, smtp_tls="tls", smtp_ca_file=certificate[0]).start()
    assert send(client) == ("sent", "")
    assert body(inbox.mails[0][2]) == TEXT


def password_file(folder, text="open sesame\n", mode=0o600):
    f = folder / "smtp-password"
    f.write_text(text)
    f.chmod(mode)
    return f


def test_login(instance, relay, certificate, tmp_path):
    inbox = relay(tls_context=certificate[1], auth=True)
    client = instance(smtp=inbox.at, smtp_ca_file=certificate[0], smtp_user="kosmo",
                      smtp_password_file=password_file(tmp_path, mode=0o640)).start()
    assert send(client) == ("sent", "")
    assert inbox.logins == [(b"kosmo", b"open sesame")]


def test_a_wrong_login_loses_no_mail(instance, relay, certificate, tmp_path):
    inbox = relay(tls_context=certificate[1], auth=True)
    client = instance(smtp=inbox.at, smtp_ca_file=certificate[0], smtp_user="kosmo",
                      smtp_password_file=password_file(tmp_path, "wrong")).start()
    state, reason = send(client)
    assert state == "temporary" and reason.startswith("535") and inbox.mails == []


@pytest.mark.parametrize("text, mode, word", [
    ("open sesame\n", 0o644, "chmod"), ("open sesame\n", 0o604, "chmod"), ("open sesame\n", 0o660, "chmod"),
    ("", 0o600, "one line"), ("\n", 0o600, "one line"), ("a\nb\n", 0o600, "one line"), ("a\0b\n", 0o600, "one line"),
    ("x" * 1000, 0o600, "one line"), (None, 0o600, "No such file")],
    ids=["644", "604", "660", "empty", "line-end", "two", "nul", "long", "none"])
def test_password_file_refused(instance, tmp_path, text, mode, word):
    f = tmp_path / "smtp-password"
    if text is not None:
        password_file(tmp_path, text, mode)
    i = instance(smtp_user="kosmo", smtp_password_file=f)
    refused_to_start(i, word)


def refused_to_start(i, word):
    r = subprocess.run([MAILER, "-c", i.conf], capture_output=True, text=True, timeout=10)
    assert r.returncode == 1 and r.stdout == "" and not i.socket.exists()
    assert r.stderr.startswith("kosmo-mailer: ") and r.stderr.count("\n") == 1 and word in r.stderr


def test_refuses_to_start(instance, tmp_path):
    refused_to_start(instance(**{"from": ""}), "mail.from")
    refused_to_start(instance(smtp_ca_file=tmp_path / "none.pem"), "mail.smtp_ca_file")
    refused_to_start(instance(smtp="mail.example.jp:25", smtp_tls="none", smtp_user="kosmo",
                              smtp_password_file=password_file(tmp_path)), "without TLS")
    refused_to_start(instance(transport="maildir", maildir=tmp_path / "none/mail"), "mail.maildir")


# ---- Maildir ----

def test_maildir(instance, tmp_path):
    client = instance(transport="maildir", maildir=tmp_path / "mail").start()
    for _ in range(3):
        assert send(client) == ("sent", "")
    assert send(client, MAIL.replace("\n", "\r\n")) == ("sent", "")
    files = list((tmp_path / "mail/new").iterdir())
    assert len(files) == 4 and not list((tmp_path / "mail/tmp").iterdir())
    for f in files:
        assert f.stat().st_mode & 0o777 == 0o600
        assert f.read_bytes() == f"Return-Path: <no-reply@example.jp>\nDelivered-To: {TO}\n{MAIL}".encode()


def test_maildir_without_a_sender(instance, tmp_path):
    client = instance(transport="maildir", maildir=tmp_path / "mail", **{"from": ""}).start()
    assert client.ask("send", {"from": "", "to": TO, "message": MAIL}) == ("result", {"state": "sent", "reason": ""})
    file, = (tmp_path / "mail/new").iterdir()
    assert file.read_bytes().startswith(b"Return-Path: <>\n")


def test_maildir_fails(instance, tmp_path):
    client = instance(transport="maildir", maildir=tmp_path / "mail").start()
    (tmp_path / "mail/new").rmdir()
    assert send(client) == ("temporary", "No such file or directory")
    (tmp_path / "mail/new").mkdir()
    assert send(client) == ("sent", "")
    assert len(list((tmp_path / "mail/new").iterdir())) == 1 and not list((tmp_path / "mail/tmp").iterdir())


# ---- the socket ----

@pytest.mark.parametrize("to", ["", "hanako", "a@b", "a@example.jp\r\nRCPT TO:<b@example.jp>", "a@example.jp>", "a b@example.jp",
                                "花子@example.jp", None],
                         ids=["empty", "bare", "undotted", "injection", "bracket", "space", "wide", "none"])
def test_bad_address(instance, relay, to):
    inbox = relay()
    client = instance(smtp=inbox.at, smtp_tls="none").start()
    assert send(client, to=to) == ("permanent", "not an email address")
    assert inbox.mails == []


@pytest.mark.parametrize("message", [None, b"", b"a\0b"], ids=["none", "empty", "nul"])
def test_bad_message(instance, relay, message):
    inbox = relay()
    client = instance(smtp=inbox.at, smtp_tls="none").start()
    assert send(client, message) == ("permanent", "not a mail")
    assert inbox.mails == []


def test_nonsense_is_hung_up_on(instance, tmp_path):
    i = instance(transport="maildir", maildir=tmp_path / "mail")
    good = i.start()
    for nonsense in (b"\xff\xff\xff\xff", b"\0\0\0\0", b"GET / HTTP/1.1\r\n\r\n", encode("web", {"action": "home"}),
                     encode("send", {"to": TO})[:-1] + b"x"):
        with Client(i.socket) as c:
            c.raw(nonsense)
            with pytest.raises((EOFError, ConnectionError)):
                c.receive()
    assert send(good) == ("sent", "")
    assert i.socket.stat().st_mode & 0o777 == 0o600


def test_side_by_side(instance, relay):
    inbox = relay()
    i = instance(smtp=inbox.at, smtp_tls="none")
    first = i.start()
    results = []

    def several():
        with Client(i.socket, timeout=60) as c:
            results.extend(send(c) for _ in range(5))

    threads = [threading.Thread(target=several) for _ in range(24)]  # more than it serves at once
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert results == [("sent", "")] * 120 and len(inbox.mails) == 120
    assert send(first) == ("sent", "")


def test_ends_cleanly(instance, tmp_path):
    i = instance(transport="maildir", maildir=tmp_path / "mail")
    client = i.start()
    assert send(client) == ("sent", "")
    begin = time.monotonic()
    assert i.stop() == (0, "")
    assert time.monotonic() - begin < 8 and not i.socket.exists()
    with pytest.raises((EOFError, ConnectionError)):
        client.receive()


def test_ends_although_the_relay_is_silent(instance):
    i = instance(smtp=Babbler(b"", hang_up=False).at, smtp_tls="none")
    client = i.start()
    client.send("send", {"to": TO, "message": MAIL})
    time.sleep(0.5)
    i.process.send_signal(signal.SIGTERM)
    kind, fields, _ = client.receive()
    assert kind == "result" and fields["state"] == "temporary"
    assert i.process.wait(timeout=12) == 0


def passed_socket(i):
    """Starts it as a service manager does."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(i.socket))
    listener.listen()
    script = "import os,sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_PID=str(os.getpid())); os.execv(sys.argv[2], sys.argv[2:])"
    i.process = subprocess.Popen([sys.executable, "-c", script, str(listener.fileno()), MAILER, "-c", i.conf],
                                 env={**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "mail"}, pass_fds=[listener.fileno(), 3],
                                 stderr=subprocess.PIPE)
    return listener


def test_socket_activated(instance, tmp_path):
    i = instance(transport="maildir", maildir=tmp_path / "mail")
    with passed_socket(i), Client(i.socket) as client:
        assert send(client) == ("sent", "")
        assert i.stop() == (0, "")
        assert i.socket.exists()


@pytest.mark.soak
def test_socket_activated_leaves_when_idle(instance, tmp_path):
    i = instance(transport="maildir", maildir=tmp_path / "mail")
    with passed_socket(i), Client(i.socket) as client:
        assert send(client) == ("sent", "")
        begin = time.monotonic()
        assert i.process.wait(timeout=70) == 0
        assert time.monotonic() - begin > 55


def test_second_one_is_refused(instance, tmp_path):
    i = instance(transport="maildir", maildir=tmp_path / "mail")
    i.start()
    r = subprocess.run([MAILER, "-c", i.conf], capture_output=True, text=True, timeout=10)
    assert r.returncode == 1 and "mail.sock" in r.stderr


# ---- the log ----

@pytest.mark.skipif(not Namespace.possible(), reason="no mount namespaces here, for a /dev/log of its own")
def test_log_holds_no_address(instance, relay, tmp_path):
    inbox = relay()
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind(str(tmp_path / "log"))
    log.settimeout(5)
    i = instance(smtp=inbox.at, smtp_tls="none")
    client = i.start(["unshare", "-m", "sh", "-c", f'mount -t tmpfs none /dev && ln -s {tmp_path}/log /dev/log && exec "$@"', "sh"])
    assert send(client) == ("sent", "")
    inbox.refuse = {"RCPT": "550 hanako@example.jp Hanako is unknown"}
    assert send(client)[0] == "permanent"
    assert send(client, to="hanako")[0] == "permanent"
    inbox.controller.stop()
    assert send(client)[0] == "temporary"
    said = (log.recv(2000).decode() for _ in range(5))
    lines = list(itertools.islice((line for line in said if "sandbox goes without" not in line), 4))
    assert all("kosmo-mailer[" in line and "hanako" not in line.lower() for line in lines)
    assert "<made-up-1@example.jp>: sent" in lines[0]
    assert "<made-up-1@example.jp>: permanent, reply 550" in lines[1]
    assert "not an email address" in lines[2]
    assert "<made-up-1@example.jp>: temporary" in lines[3]


# ---- options ----

def test_options():
    def run(*args):
        return subprocess.run([MAILER, *args], capture_output=True, text=True, timeout=10)

    for o in ("-h", "--help"):
        r = run(o)
        assert r.returncode == 0 and r.stdout.startswith("usage: kosmo-mailer") and r.stderr == ""
    for o in ("-V", "--version"):
        r = run(o)
        assert r.returncode == 0 and r.stdout.startswith("kosmo-mailer ") and r.stderr == ""
    for wrong in (["-x"], ["--nothing"], ["-c"], ["stray"]):
        r = run(*wrong)
        assert r.returncode == 2 and "usage: kosmo-mailer" in r.stderr and r.stdout == ""
    r = run("-c", "/nonexistent/kosmo.conf")
    assert r.returncode == 1 and r.stderr.startswith("kosmo-mailer: /nonexistent/kosmo.conf")
