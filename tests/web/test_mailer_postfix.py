"""kosmo-mailer and Debian's Postfix, started from the package's files with a configuration and a queue of its own."""
import email
import email.policy
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import pytest
from test_mailer import MAIL, TEXT, certificate, free_port, instance, send  # noqa: F401
from browser import BUILD

QUEUES = "active bounce corrupt defer deferred flush hold incoming private saved trace maildrop public pid".split()
MAIN = """compatibility_level = 3.6
queue_directory = {d}/queue
data_directory = {d}/data
command_directory = {root}/usr/sbin
daemon_directory = {root}/usr/lib/postfix/sbin
shlib_directory = no
mail_owner = daemon
default_privs = nobody
setgid_group = mail
myhostname = relay.example.jp
mydestination =
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = example.jp
virtual_mailbox_maps = inline:{{hanako@example.jp=hanako/, later@example.jp=later/}}
virtual_mailbox_base = {d}/mail
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
smtpd_recipient_restrictions = check_recipient_access inline:{{{{later@example.jp=450 4.2.0 greylisted}}}}, permit_mynetworks, reject
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = encrypt
default_transport = error
relay_transport = error
maillog_file = {d}/log
maillog_file_prefixes = {d}
import_environment = MAIL_CONFIG LD_LIBRARY_PATH
export_environment = LD_LIBRARY_PATH
"""
MASTER = """127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


@pytest.fixture(scope="module")
def postfix(certificate):
    """(host:port, the folder of hanako's mails)"""
    root = next((r for r in (BUILD / "mta", pathlib.Path("/")) if (r / "usr/lib/postfix/sbin/master").exists()), None)
    if root is None or os.geteuid() != 0:
        pytest.skip("no Postfix unpacked (runtests does), or not root")
    libraries = {"LD_LIBRARY_PATH": str(root / "usr/lib/postfix")}
    master = root / "usr/lib/postfix/sbin/master"
    if b"not found" in subprocess.run(["ldd", master], env={**os.environ, **libraries}, stdout=subprocess.PIPE).stdout:
        pytest.skip("a library of Postfix is not installed")
    d = pathlib.Path(tempfile.mkdtemp(prefix="kosmo-postfix-"))
    d.chmod(0o755)
    if root != pathlib.Path("/"):  # where its own users may read it
        shutil.copytree(root / "usr/lib/postfix", d / "usr/lib/postfix")
        shutil.copytree(root / "usr/sbin", d / "usr/sbin")
        root, master = d, d / "usr/lib/postfix/sbin/master"
        libraries = {"LD_LIBRARY_PATH": str(d / "usr/lib/postfix")}
    for name in ("conf", "data", "mail", *("queue/" + q for q in QUEUES)):
        (d / name).mkdir(parents=True, mode=0o700)
    for name in ("data", "mail", *("queue/" + q for q in QUEUES if q != "pid")):
        shutil.chown(d / name, "daemon")
    for name in "maildrop", "public":
        shutil.chown(d / "queue" / name, group="mail")
    for name, mode in ("conf", 0o755), ("queue", 0o755), ("queue/maildrop", 0o1730), ("queue/public", 0o2710), ("queue/pid", 0o755):
        (d / name).chmod(mode)
    port = free_port()
    owner = os.stat(d / "mail")
    (d / "conf/main.cf").write_text(MAIN.format(d=d, root=str(root).rstrip("/"), uid=owner.st_uid, gid=1, cert=certificate[0],
                                                key=certificate[0].parent / "key.pem"))
    (d / "conf/master.cf").write_text(MASTER.format(port=port))
    p = subprocess.Popen([master, "-c", d / "conf", "-d"], env={"PATH": os.environ["PATH"], **libraries}, start_new_session=True)
    try:
        yield f"localhost:{port}", d / "mail/hanako/new", d / "log", p
    finally:
        p.terminate()
        p.wait()
        shutil.rmtree(d, ignore_errors=True)


def test_postfix(instance, postfix, certificate):
    at, mails, log, process = postfix
    client = instance(smtp=at, smtp_ca_file=certificate[0]).start()
    end = time.monotonic() + 20
    while (got := send(client))[0] != "sent":  # until it listens
        assert time.monotonic() < end and process.poll() is None, (got, log.exists() and log.read_text())
        assert got[0] == "temporary"
        time.sleep(0.1)
    while not mails.exists() or not list(mails.iterdir()):
        assert time.monotonic() < end, log.exists() and log.read_text()
        time.sleep(0.1)
    file, = mails.iterdir()
    m = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert m.get_content().replace("\r\n", "\n") == TEXT and m["Message-ID"] == "<made-up-1@example.jp>"
    assert m["Return-Path"] == "<no-reply@example.jp>" and m["Delivered-To"] == "hanako@example.jp"
    assert "with ESMTPS" in m["Received"]
    state, reason = send(client, to="nobody@example.jp")
    assert state == "permanent" and reason.startswith("550 5.1.1 ") and "User unknown" in reason
    state, reason = send(client, to="later@example.jp")
    assert state == "temporary" and reason.startswith("450 4.2.0 ")
    assert send(client, MAIL) == ("sent", "")
