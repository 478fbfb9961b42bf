"""kosmo-mailer with several relays, and with relays that are not what they should be."""
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest
from aiosmtpd.controller import Controller
from test_mailer import MAIL, TO, Inbox, body, certificate, free_port, instance, password_file, relay, send  # noqa: F401

BOTH = r"{a} \({b}\)"


def two(one, other):
    return f"{one} {other}"


class Script(threading.Thread):
    """A relay that answers each command by the first word's line of a table, and keeps what it was told. None: it hangs
    up; "": it says nothing more; "DROP": it hangs up in the middle of the mail."""

    PRESET = {"hello": "220 relay.example.jp", "EHLO": "250 relay.example.jp", "MAIL": "250 OK", "RCPT": "250 OK", "DATA": "354 go on",
              ".": "250 taken", "QUIT": "221 bye"}

    def __init__(self, **replies):
        super().__init__(daemon=True)
        self.replies = {**self.PRESET, **{{"DOT": "."}.get(k, k): v for k, v in replies.items()}}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.at = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.told, self.kept = [], []
        self.start()

    def run(self):
        while True:
            try:
                c, _ = self.listener.accept()
            except OSError:
                return
            self.kept.append(c)
            threading.Thread(target=self.talk, args=(c,), daemon=True).start()

    def say(self, c, what):
        line = self.replies[what]
        if line is None:
            c.shutdown(socket.SHUT_RDWR)
        elif line:
            c.sendall(line.encode() + b"\r\n")
        return bool(line)

    def talk(self, c):
        f = c.makefile("rb")
        going = self.say(c, "hello")
        while going:
            line = f.readline().decode()
            if not line:
                return
            word = line.split()[0].upper()
            self.told.append(line.strip())
            if word == "DATA" and self.replies["."] == "DROP":
                c.sendall(b"354 go on\r\n")
                f.read(50)
                c.close()
                return
            going = self.say(c, word)
            if word == "DATA" and self.replies["DATA"].startswith("354"):
                while f.readline() not in (b".\r\n", b""):
                    pass
                going = self.say(c, ".")

    def count(self, word):
        return sum(t.startswith(word) for t in self.told)


# ---- order ----

def test_the_first_one_gets_all(instance, relay):
    a, b = relay(), relay()
    client = instance(smtp=two(a.at, b.at), smtp_tls="none").start()
    for _ in range(3):
        assert send(client) == ("sent", "")
    assert len(a.mails) == 3 and b.mails == []


def test_one_that_is_down_is_asked_last_for_a_while(instance, relay):
    down, other = free_port(), relay()
    client = instance(smtp=two(f"127.0.0.1:{down}", other.at), smtp_tls="none").start()
    assert send(client) == ("sent", "")
    first = relay(port=down)  # it is back, but is not believed at once
    assert send(client) == ("sent", "")
    assert len(other.mails) == 2 and first.mails == []
    other.controller.stop()
    assert send(client) == ("sent", "")
    assert len(first.mails) == 1
    assert send(client) == ("sent", "")  # and from now on it is the first again
    assert len(first.mails) == 2


@pytest.mark.parametrize("how", [
    {"hello": "554 5.3.2 closed"}, {"hello": "421 busy"}, {"hello": None}, {"EHLO": "502 what?", "HELO": "502 what?"},
    {"MAIL": "550 5.7.1 not from you"}, {"MAIL": "451 4.3.0 later"}, {"RCPT": "450 4.2.0 greylisted"},
    {"RCPT": "554 5.7.1 relay access denied"}, {"RCPT": None}, {"DATA": "451 4.3.0 disk full"}, {"DATA": "554 5.7.1 no"},
    {"DOT": "452 4.3.1 disk full"}, {"DOT": "554 5.7.1 looks like spam"}],
    ids=lambda how: "-".join(how) + "-" + str(list(how.values())[0])[:3])
def test_what_one_does_not_take_the_next_one_gets(instance, relay, how):
    one, other = Script(**how), relay()
    client = instance(smtp=two(one.at, other.at), smtp_tls="none").start()
    assert send(client) == ("sent", "")
    assert body(other.mails[0][2])


@pytest.mark.parametrize("how", [{"RCPT": "550 5.1.1 no such person"}, {"RCPT": "553 what?"}, {"DATA": "554 no"},
                                 {"DOT": "552 5.3.4 too big"}], ids=lambda how: "-".join(how))
def test_a_refusal_of_the_mail_is_final(instance, relay, how):
    one, other = Script(**how), relay()
    client = instance(smtp=two(one.at, other.at), smtp_tls="none").start()
    state, reason = send(client)
    assert state == "permanent" and reason == f"{list(how.values())[0]} ({one.at})" and other.mails == []
    assert send(client, to="someone@example.jp")[0] == "permanent" and other.mails == []  # it is asked first as before


def test_the_reason_names_each(instance):
    one, other = Script(RCPT="450 4.2.0 greylisted"), Script(RCPT="554 5.7.1 relay access denied")
    down = f"127.0.0.1:{free_port()}"
    client = instance(smtp=f"{one.at} {other.at} {down}", smtp_tls="none").start()
    state, reason = send(client)
    assert state == "temporary"
    assert reason.startswith(f"450 4.2.0 greylisted ({one.at}); 554 5.7.1 relay access denied ({other.at}); ")
    assert reason.endswith(f" ({down})")


def test_refused_by_all_is_refused(instance):
    one, other = Script(MAIL="550 5.7.1 not you"), Script(RCPT="554 5.7.1 nor you")
    client = instance(smtp=two(one.at, other.at), smtp_tls="none").start()
    assert send(client) == ("permanent", f"550 5.7.1 not you ({one.at}); 554 5.7.1 nor you ({other.at})")


@pytest.mark.parametrize("dot", ["DROP", None], ids=["middle", "end"])
def test_a_mail_that_was_cut_off(instance, relay, dot):
    one, other = Script(DOT=dot), relay()
    client = instance(smtp=two(one.at, other.at), smtp_tls="none").start()
    state, reason = send(client)
    # it may have been taken: another one gets it when the keeper asks again
    assert state == "temporary" and reason.endswith(f"({one.at})") and other.mails == []
    assert send(client) == ("sent", "") and len(other.mails) == 1


@pytest.mark.soak
@pytest.mark.parametrize("how, seconds", [("hello", 15), ("MAIL", 30), ("DATA", 30)])
def test_what_a_silent_one_costs(instance, relay, how, seconds):
    one, other = Script(**{how: ""}), relay()
    client = instance(smtp=two(one.at, other.at), smtp_tls="none").start()
    begin = time.monotonic()
    assert send(client) == ("sent", "")
    assert seconds - 1 < time.monotonic() - begin < seconds + 8
    begin = time.monotonic()
    assert send(client) == ("sent", "")  # and once only
    assert time.monotonic() - begin < 5 and len(other.mails) == 2


@pytest.mark.soak
def test_all_silent_takes_a_minute(instance):
    relays = [Script(hello="") for _ in range(4)]
    client = instance(smtp=" ".join(r.at for r in relays), smtp_tls="none").start()
    begin = time.monotonic()
    state, reason = send(client)
    assert state == "temporary" and reason.count("(127.0.0.1:") == 4
    assert 55 < time.monotonic() - begin < 70


# ---- who they are ----

CA = """[ca]
default_ca = x
[x]
database = {0}/index
new_certs_dir = {0}
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
[leaf]
subjectAltName = DNS:localhost
"""


def signed(folder, name, begins, ends):
    """A certificate that has signed itself, for this time."""
    key, cert, request, ca = (folder / f"{name}.{end}" for end in ("key", "pem", "csr", "cnf"))
    ca.write_text(CA.format(folder))
    (folder / "index").touch()
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
                    "-keyout", key, "-out", request], check=True, capture_output=True)
    subprocess.run(["openssl", "ca", "-batch", "-config", ca, "-selfsign", "-keyfile", key, "-in", request, "-out", cert, "-notext",
                    "-extensions", "leaf", "-startdate", begins, "-enddate", ends], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context


def test_the_second_one_is_verified_too(instance, relay, certificate, tmp_path):
    """An impostor gets neither the mail nor the password."""
    _, context = signed(tmp_path, "impostor", "20200101000000Z", "20991231000000Z")
    impostor, real = relay(tls_context=context, auth=True), relay(tls_context=certificate[1], auth=True)
    client = instance(smtp=two(impostor.at, real.at), smtp_ca_file=certificate[0], smtp_user="kosmo",
                      smtp_password_file=password_file(tmp_path)).start()
    assert send(client) == ("sent", "")
    assert impostor.mails == [] and impostor.logins == [] and len(real.logins) == 1 and len(real.mails) == 1


def test_a_certificate_of_yesterday(instance, relay, tmp_path):
    cert, context = signed(tmp_path, "old", "20200101000000Z", "20200102000000Z")
    inbox = relay(tls_context=context)
    client = instance(smtp=inbox.at, smtp_ca_file=cert).start()
    state, reason = send(client)
    assert state == "temporary" and "certificate" in reason.lower() and inbox.mails == []


def test_no_login_without_tls(instance, tmp_path):
    """It offers AUTH, but no STARTTLS: the password stays here."""
    one = Script(EHLO="250-relay.example.jp\r\n250 AUTH PLAIN LOGIN")
    client = instance(smtp=one.at, smtp_user="kosmo", smtp_password_file=password_file(tmp_path)).start()
    state, reason = send(client)
    assert state == "temporary" and reason
    assert one.count("AUTH") == 0 and one.count("MAIL") == 0


def test_login_refused_at_one(instance, relay, certificate, tmp_path):
    one, other = relay(tls_context=certificate[1], auth=True), relay(tls_context=certificate[1])
    client = instance(smtp=two(one.at, other.at), smtp_ca_file=certificate[0], smtp_user="kosmo",
                      smtp_password_file=password_file(tmp_path, "wrong")).start()
    state, reason = send(client)
    assert state == "temporary" and re.match(BOTH.format(a="535.*", b=one.at), reason)


def test_ipv6(instance):
    inbox = Inbox()
    with socket.socket(socket.AF_INET6) as s:
        s.bind(("::1", 0))
        port = s.getsockname()[1]
    c = Controller(inbox, hostname="::1", port=port)
    c.start()
    try:
        client = instance(smtp=f"[::1]:{port}", smtp_tls="none").start()
        assert send(client) == ("sent", "")
        assert inbox.mails[0][1] == [TO] and MAIL.splitlines()[-1].encode() in inbox.mails[0][2]
    finally:
        c.stop()
