"""Real programs over the real keeper: sshd, scp, sftp, su, sudo."""
import os
import shutil
import signal
import time

import pytest
from conftest import SANITIZED
from harness import Conversation, Instance, Namespace, Person, Sshd, spawn, wait_out

pytestmark = [pytest.mark.skipif(os.getuid() != 0, reason="sshd, su and sudo for other people need root"),
              pytest.mark.skipif(SANITIZED, reason="the system's programs cannot load a sanitized module")]
namespace = pytest.mark.skipif(not Namespace.possible(), reason="no mount namespaces here")

STAFF = [Person(f"s{i:02}") for i in range(60)]
UNUSED = iter(STAFF[1:])
MEMBER, DISABLED, UNFINISHED = Person("mitsuko", role="member"), Person("dai"), Person("uno", password=False, seed=False)
PEOPLE = STAFF + [MEMBER, DISABLED, UNFINISHED]
ASKED = ["Password:", "Code:"]
ROOT_PASSWORD = "root-no-himitsu-7"


@pytest.fixture(scope="module")
def instance(module_folder):
    i = Instance(module_folder, PEOPLE)
    i.ctl("user", "disable", "dai")
    i.start()
    yield i
    i.stop()


@pytest.fixture(scope="module")
def sshd(instance):
    d = Sshd(instance.dir, PEOPLE, both(instance))
    yield d
    d.end()


@pytest.fixture
def fresh():
    """A staff person whose codes nobody has used yet."""
    return lambda: next(UNUSED)


def both(instance, options=""):
    m = instance.module(options)
    return f"auth required {m}\naccount required {m}"


def test_ssh(sshd, fresh):
    p = fresh()
    codes = p.codes()
    r = sshd.ssh(p.login, p.password, codes[0])
    assert r.asked == ASKED and r.exit == 0 and r.text.strip() == str(sshd.uid(p.login))
    r = sshd.ssh(p.login, p.password, codes[0])
    assert r.asked == ASKED and r.exit == 255 and "Permission denied" in r.text, "replayed"
    wait_out()
    assert sshd.ssh(p.login, p.password, codes[1]).exit == 0


def test_ssh_refuses(sshd, fresh, instance):
    """Wrong, unknown, member, disabled, unfinished, root: the same questions, the same end."""
    def empty(p):
        return ""

    def code(p):
        return p.code()

    cases = [(lambda p: "wrong", code), (lambda p: p.password, lambda p: p.wrong_code()), (lambda p: p.password, empty, *[empty] * 3),
             (empty, empty, *[code] * 3), (lambda p: p.password, empty, *[code] * 3)]
    wrong = [(p, *(r(p) for r in replies)) for replies in cases for p in [fresh()]]
    others = [(Person("nobody-knows"), "x", "123456"), (MEMBER, MEMBER.password, MEMBER.code()), (DISABLED, DISABLED.password, DISABLED.code()),
              (UNFINISHED, instance.initial(UNFINISHED.login), "123456"), (Person("root"), "x", "123456")]
    for p, *replies in wrong + others:
        r = sshd.ssh(p.login, *replies)
        assert (r.asked, r.exit) == (ASKED + ["Code:"] * (len(replies) - 2) if p.login != "root" else [], 255) and "Permission denied" in r.text, p.login
    wait_out()
    for p, *_ in wrong:
        assert sshd.ssh(p.login, p.password, p.code()).exit == 0, "and it was not held against the right one"


def test_ssh_without_keeper(instance, sshd, fresh):
    p = fresh()
    os.kill(instance.process.p.pid, signal.SIGSTOP)
    try:
        r = sshd.ssh(p.login)
        assert r.exit == 255 and r.asked == []  # the three seconds are held against a clock in test_module
    finally:
        os.kill(instance.process.p.pid, signal.SIGCONT)
    instance.stop()
    try:
        r = sshd.ssh(p.login)
        assert r.exit == 255 and r.asked == []
    finally:
        instance.start()
    assert sshd.ssh(p.login, p.password, p.code()).exit == 0


def test_keeper_started_by_ssh(instance, sshd, fresh):
    p = fresh()
    instance.stop()
    instance.start_by_socket()
    try:
        assert instance.running() == "systemd-socket-activate"
        assert sshd.ssh(p.login, p.password, p.code()).exit == 0
        assert instance.running() == "kosmo-keeper"
    finally:
        instance.stop()
        instance.start()


@pytest.fixture(scope="module", params=["skip", "key"])
def key_sshd(instance, request):
    """Key and code: AuthenticationMethods publickey,keyboard-interactive. For password=key the service must be one that the
    configuration names: sshd."""
    folder = instance.dir / ("key-" + request.param)
    d = Sshd(folder, PEOPLE, both(instance, "password=" + request.param), "AuthenticationMethods publickey,keyboard-interactive:pam",
             service="sshd" if request.param == "key" else "kosmo-sshd")
    yield d
    d.end()


def test_scp_and_sftp(key_sshd, fresh, tmp_path):
    """The module writes nothing to stdout: files arrive whole."""
    p = fresh()
    there = key_sshd.dir / "there"
    there.mkdir()
    there.chmod(0o777)
    here = tmp_path / "here"
    here.write_bytes(os.urandom(300000))
    methods = "publickey,keyboard-interactive"
    options = key_sshd.options(methods)
    codes = p.codes()
    r = Conversation(spawn(["scp", "-q", *options, here, f"{p.login}@127.0.0.1:{there}/scp"]), [codes[-1]])
    assert r.asked == ["Code:"] and r.exit == 0, r.text
    r = Conversation(spawn(["scp", "-q", "-O", *options, f"{p.login}@127.0.0.1:{there}/scp", tmp_path / "back"]), [codes[0]])
    assert r.asked == ["Code:"] and r.exit == 0, r.text
    child = spawn(["sftp", "-q", *options, f"{p.login}@127.0.0.1"])
    child.expect("Code: ")
    child.waitnoecho(2)
    child.sendline(codes[1])
    child.expect("sftp> ")
    child.sendline(f"put {here} {there}/sftp")
    child.expect("sftp> ")
    child.sendline("bye")
    child.expect_exact(["\r\n", ""])
    child.wait()
    child.close()
    assert child.exitstatus == 0
    for f in there / "scp", tmp_path / "back", there / "sftp":
        assert f.read_bytes() == here.read_bytes()


def test_key_alone_is_not_enough(key_sshd, fresh):
    p = fresh()
    r = key_sshd.ssh(p.login, p.wrong_code(), methods="publickey,keyboard-interactive")
    assert r.asked == ["Code:"] and r.exit == 255
    r = key_sshd.ssh(p.login, methods="publickey")
    assert r.asked == [] and r.exit == 255


OWN, LOCAL = 4, 5


def lanes(instance, p):
    return sorted({lane for lane, in instance.rows("SELECT lane FROM counter WHERE owner = (SELECT id FROM person WHERE login = ?)", p.login)})


@pytest.fixture(scope="module")
def host(instance):
    """A host of its own for su and sudo: s00 has uid 1000, s01 has 1001."""
    m, caller = instance.module(), instance.module("person=caller")
    root = f"auth [success=done user_unknown=ignore default=die] {m}\nauth required pam_unix.so\n" \
           f"account required {m}\naccount required pam_unix.so"
    stacks = {"su": f"auth sufficient pam_rootok.so\n{both(instance)}", "sudo": both(instance), "su-l": root}
    n = Namespace(instance.dir / "host", STAFF, stacks, ROOT_PASSWORD)
    (n.etc / "pam.d/su-caller").write_text(f"auth sufficient pam_rootok.so\nauth required {caller}\naccount required {caller}\n"
                                           "session required pam_permit.so\n")
    return n


@namespace
def test_su_to_another(host, instance, fresh):
    me, other = STAFF[0], fresh()
    su = ["su", other.login, "-c", "id -ru"]
    r = host.run(1000, su, "wrong", other.wrong_code())
    assert lanes(instance, other) == [LOCAL], "nobody else's su is the owner's"
    wait_out(3)
    for replies in ("wrong", other.code()), (other.password, other.wrong_code()), (me.password, me.code()):
        r = host.run(1000, su, *replies)
        assert r.asked == ASKED and r.exit == 1 and "Authentication failure" in r.text, r.text
        wait_out(3)
    r = host.run(1000, su, other.password, other.code())
    assert r.asked == ASKED and r.exit == 0 and r.text.strip() == str(host.uid(other))
    r = host.run(1000, su, other.password, other.code())
    assert r.exit == 1, "replayed"


@namespace
def test_su_to_root_by_caller(host, fresh):
    """person=caller: one's own password and code open root; root's do not exist."""
    me = fresh()
    uid = host.uid(me)
    shutil.copy(host.etc / "pam.d/su", host.etc / "pam.d/su.kept")
    shutil.copy(host.etc / "pam.d/su-caller", host.etc / "pam.d/su")
    try:
        r = host.run(uid, ["su", "root", "-c", "id -u"], me.password, me.wrong_code())
        assert r.asked == ASKED and r.exit == 1
        wait_out()
        r = host.run(uid, ["su", "root", "-c", "id -u"], me.password, me.code())
        assert r.asked == ASKED and r.exit == 0 and r.text.strip() == "0"
        r = host.run(54321, ["su", "root", "-c", "id -u"])
        assert r.exit == 1 and r.asked == [], "a uid without a name is nobody"
    finally:
        os.replace(host.etc / "pam.d/su.kept", host.etc / "pam.d/su")


@namespace
def test_sudo(host, instance, fresh):
    me = fresh()
    uid = host.uid(me)
    r = host.run(uid, ["sudo", "id", "-u"], me.password, me.code())
    assert len(r.asked) == 2 and r.exit == 0 and r.text.strip() == "0", (r.asked, r.text)
    child = spawn(host.command(uid, "sudo", "id", "-u"), cwd="/")
    for reply in me.password, me.code():  # replayed
        child.expect("(?i)(password|code)[^\r\n:]*: ")
        child.waitnoecho(2)
        child.sendline(reply)
    assert child.expect(["(?i)password[^\r\n:]*: ", r"\r\n0\r\n"]) == 0, "asked anew"
    child.close(force=True)
    assert lanes(instance, me) == [OWN], "strangers elsewhere do not count here"


@namespace
def test_root_is_untouched(host, instance, fresh):
    """The same stack for everybody. Whatever happens to the keeper, root gets in with pam_unix, and nobody else does."""
    p = fresh()
    su = lambda who: ["su", "-", who, "-c", "id -u"]  # service su-l
    assert host.run(1000, su("root"), ROOT_PASSWORD).text.strip() == "0"
    os.kill(instance.process.p.pid, signal.SIGSTOP)
    try:
        r = host.run(1000, su("root"), ROOT_PASSWORD)
        assert r.exit == 0 and r.text.strip() == "0" and r.asked == ["Password:"]
        r = host.run(1000, su(p.login))
        assert r.exit == 1 and r.asked == [] and r.seconds < 5, "3 s, and su's own second after a failure"
    finally:
        os.kill(instance.process.p.pid, signal.SIGCONT)
    instance.stop()
    try:
        r = host.run(1000, su("root"), ROOT_PASSWORD)
        assert r.exit == 0 and r.text.strip() == "0" and r.asked == ["Password:"]
        assert host.run(1000, su("root"), "wrong").exit == 1
        assert host.run(1000, su(p.login)).exit == 1
    finally:
        instance.start()
    assert host.run(1000, su(p.login), p.password, p.code()).exit == 0


@namespace
def test_stopped_su_blocks_nobody(host, fresh):
    """su's caller may stop it at any point: nobody else waits for it."""
    victim, other = fresh(), fresh()
    child = spawn(host.command(1000, "su", victim.login, "-c", "id -ru"), cwd="/")
    child.expect("Password: ")
    child.sendline(victim.password)
    child.expect("Code: ")
    # unshare and sh have become su: it is the process that we started.
    child.kill(signal.SIGSTOP)
    try:
        for p in other, victim:
            started = time.monotonic()
            assert host.run(1000, ["su", p.login, "-c", "id -ru"], p.password, p.code()).exit == 0
            assert time.monotonic() - started < 20
    finally:
        child.kill(signal.SIGCONT)
        child.close(force=True)
