"""The module against a scripted keeper: verdicts, replies, broken and silent keepers, and what it leaves behind."""
import os
import re
import resource
import shutil
import socket
import struct
import subprocess
import time

import pytest
import kosmo_wire as wire
from conftest import MODULE, SANITIZED, Result
from fake_keeper import FakeKeeper, ask, tell, verdict

SUCCESS, SERVICE_ERR, PERM_DENIED, AUTH_ERR, UNAVAIL, UNKNOWN, ACCT_EXPIRED, IGNORE = 0, 3, 6, 7, 9, 10, 13, 25
NEW_AUTHTOK_REQD, AUTHTOK_ERR, RECOVERY_ERR, TRY_AGAIN = 12, 20, 21, 24
LOGIN = [ask("Password: "), ask("Code: "), verdict("allow")]


@pytest.fixture
def pam(driver, folder):
    """pam("args of the module", *replies, ...) runs the driver over a service with that one module."""
    class Pam:
        socket = str(folder / "auth.sock")

        def stack(self, args, facilities=("auth", "account", "password", "session"), extra=""):
            lines = [f"{f} required {MODULE} socket={self.socket} {args}\n" for f in facilities]
            (folder / "kosmo-test").write_text("".join(lines) + extra)

        def __call__(self, args, *replies, user="hanako", options=(), before=(), env=None, limits=None, plain=False):
            if not plain:
                self.stack(args)
            command = [*before, driver, "-d", folder, "-s", "kosmo-test", "-u", user, *options, *replies]
            started = time.monotonic()
            p = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                               env={**os.environ, **(env or {})}, preexec_fn=limits)
            r = Result(p, time.monotonic() - started)
            assert p.returncode in (0, 1) and not [l for l in r.lines if l.startswith("changed")], (r.lines, r.stderr)
            return r
    return Pam()


def keeper(pam, *steps, **kw):
    return FakeKeeper(pam.socket, list(steps), **kw)


def test_login(pam):
    with keeper(pam, *LOGIN) as k:
        r = pam("password=ask", "text:correct horse", "text:123456", options=["-r", "192.0.2.1", "-t", "ssh"])
    assert r.code() == SUCCESS
    assert [l for l in r.lines if l.startswith("ask")] == ["ask 0 Password: ", "ask 0 Code: "]
    begin, first, second = k.seen[0]
    assert begin == ("begin", {"phase": b"auth", "user": b"hanako", "service": b"kosmo-test", "rhost": b"192.0.2.1",
                               "tty": b"ssh", "ruid": str(os.getuid()).encode(), "opt.0": b"password=ask"}, 1)
    assert first == ("answer", {"text": b"correct horse"}, 1) and second == ("answer", {"text": b"123456"}, 1)


def test_echo_and_texts(pam):
    steps = [tell("one\ntwo"), tell("bad", 1), ask("Name: ", 1), verdict("allow")]
    with keeper(pam, *steps):
        assert pam("", "text:x").lines == ["tell one\\ntwo", "error bad", "ask 1 Name: ", "auth 0 Success"]
        assert pam("", "text:x", options=["-q"]).lines == ["ask 1 Name: ", "auth 0 Success"]


AUTH = {"allow": SUCCESS, "deny": AUTH_ERR, "throttled": AUTH_ERR, "locked": AUTH_ERR, "disabled": AUTH_ERR,
        "expired": AUTH_ERR, "unfinished": AUTH_ERR, "ignore": AUTH_ERR, "internal": UNAVAIL, "unavailable": UNAVAIL,
        "change": AUTH_ERR, "unchanged": AUTH_ERR, "": UNAVAIL, "ALLOW": UNAVAIL, "allow ": UNAVAIL, "0": UNAVAIL, "90": UNAVAIL}
ACCOUNT = {**AUTH, "deny": PERM_DENIED, "throttled": PERM_DENIED, "locked": PERM_DENIED, "disabled": PERM_DENIED,
           "expired": ACCT_EXPIRED, "unfinished": PERM_DENIED, "ignore": IGNORE, "change": NEW_AUTHTOK_REQD, "unchanged": PERM_DENIED}
CHECK = {name: TRY_AGAIN if code == UNAVAIL else code if code in (SUCCESS, IGNORE) else PERM_DENIED for name, code in ACCOUNT.items()}
CHANGE = {**CHECK, **{name: AUTHTOK_ERR for name, code in CHECK.items() if code == TRY_AGAIN}, "deny": RECOVERY_ERR,
          "throttled": RECOVERY_ERR, "locked": RECOVERY_ERR, "unchanged": AUTHTOK_ERR}


@pytest.mark.parametrize("name", AUTH)
def test_verdicts(pam, name):
    with keeper(pam, verdict(name)):
        assert pam("").code() == AUTH[name]
        skip = IGNORE if name == "ignore" else AUTH[name]
        # libpam answers IGNORE alone with PERM_DENIED; pam_permit behind it shows that the module ignored.
        assert pam("password=skip").code() == (PERM_DENIED if skip == IGNORE else skip)
        assert pam("password=key").code() == AUTH[name]
        account = PERM_DENIED if ACCOUNT[name] == IGNORE else ACCOUNT[name]
        assert pam("", options=["-p", "c"]).code("account") == account


@pytest.mark.parametrize("name", AUTH)
def test_verdicts_of_a_change(pam, name):
    """libpam calls twice; after the first call's refusal (libpam makes one of a lone ignored line) there is no second one."""
    with keeper(pam, verdict(name)) as k:
        assert pam("", options=["-p", "p"]).code("password") == (PERM_DENIED if CHECK[name] == IGNORE else CHECK[name])
        phases = [s[0][1]["phase"] for s in k.seen]
        assert phases[0] == b"password.check" and (len(phases) == 2) == (CHECK[name] == SUCCESS), phases
    step = iter([verdict("allow"), verdict(name)])
    with keeper(pam, lambda conn: conn.sendall(wire.encode(*next(step)))):
        assert pam("", options=["-p", "p"]).code("password") == (PERM_DENIED if CHANGE[name] == IGNORE else CHANGE[name])


def test_ticket(pam):
    """What the keeper gave with a login's verdict goes along with the next phases of the same handle, and only then."""
    ticket = b"what-it-is-is-the-keepers"
    step = iter([("verdict", {"verdict": "allow", "ticket": ticket}), verdict("change"), verdict("allow"), verdict("allow")])
    with keeper(pam, lambda conn: conn.sendall(wire.encode(*next(step)))) as k:
        r = pam("", options=["-p", "ace"])
        assert (r.code(), r.code("account"), r.code("expired")) == (SUCCESS, NEW_AUTHTOK_REQD, SUCCESS)
    begins = [s[0][1] for s in k.seen]
    assert [b["phase"] for b in begins] == [b"auth", b"account", b"password.check", b"password"]
    assert [b.get("ticket") for b in begins] == [None, ticket, ticket, ticket]
    assert [b.get("expired") for b in begins] == [None, None, b"1", b"1"]
    for given in {"verdict": "deny", "ticket": ticket}, {"verdict": "allow", "ticket": b"x" * 129}, {"verdict": "allow"}:
        step = iter([("verdict", given), verdict("allow")])
        with keeper(pam, lambda conn: conn.sendall(wire.encode(*next(step)))) as k:
            pam("", options=["-p", "ac"])
        assert "ticket" not in k.seen[1][0][1], given


def test_ignore_is_only_for_skip(pam):
    """A stack whose last line permits: ignored means in."""
    with keeper(pam, verdict("ignore")):
        for args, code in [("", AUTH_ERR), ("password=ask", AUTH_ERR), ("password=key", AUTH_ERR), ("password=skip", SUCCESS)]:
            pam.stack(args, extra="auth required pam_permit.so\n")
            assert pam(args, plain=True).code() == code, args


def test_the_other_entry_points(pam):
    pam.stack("", extra="session required pam_permit.so\n")
    r = pam("", options=["-p", "sox"], plain=True)  # no keeper is listening
    assert (r.code("setcred"), r.code("open"), r.code("close")) == (SUCCESS, SUCCESS, SUCCESS)


@pytest.mark.parametrize("reply,sent", [("size:0", 0), ("size:1", 1), ("size:511", 511), ("size:512", 512), ("hex:e697a5e69cac", 6),
                                        ("hex:f48fbfbf", 4), ("hex:7f", 1)])
def test_replies_taken(pam, reply, sent):
    with keeper(pam, ask(), verdict("allow")) as k:
        assert pam("", reply).code() == SUCCESS
    assert len(k.seen[0][1][1]["text"]) == sent


@pytest.mark.parametrize("reply", ["size:513", "size:65536", "size:1000000", "null", "none", "fail", "hex:80", "hex:c080", "hex:c3",
                                   "hex:e0809f", "hex:eda080", "hex:f4908080", "hex:f8888080", "hex:ff", "hex:e697", "hex:61c3"])
def test_replies_refused(pam, reply):
    with keeper(pam, ask(), verdict("allow")) as k:
        assert pam("", reply).code() == AUTH_ERR
        assert pam("", reply, options=["-p", "c"]).code("account") == PERM_DENIED
    assert [len(s) for s in k.seen] == [1, 1], "nothing was sent for it"


def frame(body, length=None):
    return struct.pack(">I", len(body) if length is None else length) + body


GOOD = wire.encode("verdict", {"verdict": "allow"})
BROKEN = {
    "garbage": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100,
    "huge": struct.pack(">I", 0xffffffff) + b"x" * 1000,
    "over the cap": struct.pack(">I", 96 * 1024 + 1) + b"x" * (96 * 1024 + 1),
    "empty": struct.pack(">I", 0),
    "cut": GOOD[:-3],
    "trailing": frame(GOOD[4:] + b"x"),
    "other id": wire.encode("verdict", {"verdict": "allow"}, 2),
    "other kind": wire.encode("permit", {"verdict": "allow"}),
    "kind with more": wire.encode("verdict2", {"verdict": "allow"}),
    "no verdict": wire.encode("verdict", {}),
    "a NUL in it": wire.encode("verdict", {"verdict": b"allow\0"}),
    "ask without text": wire.encode("ask", {"echo": 0}),
    "ask without echo": wire.encode("ask", {"text": "x"}),
    "ask with echo 2": wire.encode("ask", {"text": "x", "echo": 2}),
    "ask with text that ends early": wire.encode("ask", {"text": b"a\0b", "echo": 0}),
    "tell without error": wire.encode("tell", {"text": "x"}),
    "our own words": wire.encode("answer", {"text": "x"}),
    "nothing": b"",
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_keeper(pam, what):
    with keeper(pam, BROKEN[what], ask(), GOOD):
        r = pam("password=skip", "text:1")
        if what != "nothing":
            assert r.code() == UNAVAIL and r.asked() == []
    with keeper(pam, ask(), BROKEN[what]):
        r = pam("password=skip", "text:1")
        assert r.code() == UNAVAIL and r.asked() == ["Code: "]


def test_reset(pam):
    """A connection reset after the prompt: EPIPE, not SIGPIPE."""
    def reset(conn):
        conn.sendall(wire.encode(*ask()))
        conn.close()
    with keeper(pam, reset):
        assert pam("", "text:1").code() == UNAVAIL


def test_endless_keeper(pam):
    with keeper(pam, *[tell("again")] * 1000, verdict("allow")):
        r = pam("")
    assert r.code() == UNAVAIL and len(r.lines) < 100


def hang(conn):
    while conn.recv(4096):  # until the other side gives up
        pass


def drip(conn):
    for b in GOOD:
        conn.sendall(bytes([b]))
        time.sleep(0.2)


@pytest.mark.parametrize("silence", [hang, drip])
def test_silent_keeper(pam, silence):
    """3 s in all, however the keeper wastes them; each answer has its own."""
    with keeper(pam, silence):
        r = pam("password=skip")
    assert r.code() == UNAVAIL and 2.5 < r.seconds < 15
    with keeper(pam, ask(), silence):
        r = pam("password=skip", "text:1")
    assert r.code() == UNAVAIL and 2.5 < r.seconds < 15


def test_patience_starts_anew(pam):
    """Two answers of 2 s each are no silence of 4 s."""
    def slow(conn):
        time.sleep(2)
    with keeper(pam, slow, ask(), slow, verdict("allow")):
        assert pam("", "text:1").code() == SUCCESS


def test_full_backlog(pam):
    """A frozen keeper whose queue of connections is full."""
    with keeper(pam, accept=False, backlog=0):
        waiting = socket.socket(socket.AF_UNIX)
        waiting.connect(pam.socket)
        r = pam("password=skip")
        waiting.close()
    assert r.code() == UNAVAIL and 2.5 < r.seconds < 15


def test_nobody_listens(pam, folder):
    assert pam("password=skip").code() == UNAVAIL
    (folder / "auth.sock").write_text("")
    assert pam("password=skip").code() == UNAVAIL
    (folder / "auth.sock").unlink()
    (folder / "auth.sock").mkdir()
    assert pam("password=skip").code() == UNAVAIL
    (folder / "auth.sock").rmdir()
    s = socket.socket(socket.AF_UNIX)
    s.bind(pam.socket)
    s.close()
    r = pam("password=skip")
    assert r.code() == UNAVAIL and r.seconds < 1


@pytest.mark.parametrize("args", ["uid_min=", "uid_min=-1", "uid_min=x", "uid_min=1000x", "uid_min=0x10", "uid_min=+5", "uid_min=4294967295",
                                  "uid_min=99999999999999999999", "uid_min=1 uid_min=2", "also=", "also=a,,b", "also=,a", "also=a,",
                                  "person=", "person=root", "person=caller person=caller", "conf=", "conf=kosmo.conf", "conf=/a conf=/a",
                                  "socket=/other", "password=skip password=ask", " ".join(f"x{i}=1" for i in range(33))])
def test_bad_arguments(pam, args):
    with keeper(pam, verdict("allow")) as k:
        for user in "hanako", "daemon":
            assert pam(args, user=user).code() == UNAVAIL
            assert pam(args, user=user, options=["-p", "c"]).code("account") == UNAVAIL
    assert k.seen == []


@pytest.mark.parametrize("args, root", [("uid_min=x", True), ("conf=relative password=skip", True), ("uid_min=x also=root", False),
                                        ("uid_min=x person=caller", False)])
def test_root_mends_a_wrong_argument(pam, args, root):
    """The stack goes on without us, as for any account below uid_min; for nobody else, nor where root was named."""
    assert pam(args, user="root").code() == (UNKNOWN if root else UNAVAIL)
    # IGNORE: libpam answers it alone with PERM_DENIED
    assert pam(args, user="root", options=["-p", "c"]).code("account") == (PERM_DENIED if root else UNAVAIL)
    assert pam(args, user="daemon").code() == UNAVAIL


@pytest.mark.parametrize("path", ["", "relative", "@abstract", "/" + "x" * 107])
def test_bad_socket(pam, path):
    pam.socket = path
    assert pam("password=skip").code() == UNAVAIL


def test_options_are_passed_on(pam):
    with keeper(pam, verdict("allow")) as k:
        assert pam("conf=/etc/kosmo/kosmo.conf passwort=skip password=key debug uid_min=5 [also=a,b]").code() == SUCCESS
    fields = k.seen[0][0][1]
    assert fields["conf"] == b"/etc/kosmo/kosmo.conf"
    assert [fields[f"opt.{i}"] for i in range(3)] == [b"passwort=skip", b"password=key", b"debug"] and "opt.3" not in fields


def test_ssh_key(pam):
    """From PAM's environment, never from the process's, which may be its caller's."""
    with keeper(pam, verdict("allow")) as k:
        pam("", env={"SSH_AUTH_INFO_0": "publickey forged"})
        pam("", options=["-e", "SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAA"])
        pam("", options=["-e", "SSH_AUTH_INFO_0=" + "x" * 100000])
    assert "sshauth" not in k.seen[0][0][1] and k.seen[1][0][1]["sshauth"] == b"publickey ssh-ed25519 AAAA"
    assert len(k.seen) == 2, "what does not fit is not sent"


def test_exempt(pam):
    """Accounts below uid_min: the keeper is not asked."""
    with keeper(pam, verdict("allow")) as k:
        for user in "root", "daemon":
            pam.stack("", extra="auth required pam_permit.so\naccount required pam_permit.so\n")
            r = pam("", user=user, options=["-p", "ac"], plain=True)
            assert (r.code(), r.code("account")) == (UNKNOWN, SUCCESS)
            pam.stack("password=key", extra="auth required pam_permit.so\n")
            assert pam("", user=user, plain=True).code() == UNKNOWN
            pam.stack("password=skip", extra="auth required pam_permit.so\n")
            assert pam("", user=user, plain=True).code() == SUCCESS
            assert pam("password=skip", user=user).code() == PERM_DENIED, "IGNORE alone admits nobody"
        assert k.seen == []
        assert pam("also=root", user="root").code() == SUCCESS
        assert pam("also=daemon,root", user="root").code() == SUCCESS
        assert pam("also=daemon,root", user="daemon").code() == SUCCESS
        assert pam("uid_min=0", user="root").code() == SUCCESS
        assert pam("uid_min=1", user="daemon").code() == SUCCESS
        assert pam("uid_min=4294967294", user="nobody").code() == UNKNOWN
        assert pam("uid_min=4294967294", user="no-such-account").code() == SUCCESS, "unknown: asked like anybody"
        for also in "roo", "rootx", "ROOT", "daemon,roo", "xroot":
            assert pam("also=" + also, user="root").code() == UNKNOWN
    assert [s[0][1]["user"] for s in k.seen] == [b"root", b"root", b"daemon", b"root", b"daemon", b"no-such-account"]


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
def test_caller(pam, folder):
    """su's view: the real uid's owner is asked, PAM_USER stays."""
    def nobody():
        os.setresuid(65534, 0, 0)
    with keeper(pam, verdict("allow")) as k:
        assert pam("person=caller", user="root", limits=nobody).code() == SUCCESS
        assert pam("person=caller also=root", user="hanako").code() == SUCCESS
        assert len(k.seen) == 2
        assert pam("person=caller", user="hanako").code() == UNKNOWN
        pam.stack("person=caller password=skip", extra="auth required pam_permit.so\n")
        assert pam("", user="hanako", plain=True).code() == UNKNOWN, "a daemon's uid exempts nobody"
        assert pam("person=caller", user="root", limits=lambda: os.setresuid(54321, 0, 0)).code() == AUTH_ERR
        assert len(k.seen) == 2
    assert [(s[0][1]["user"], s[0][1]["ruid"], "own" in s[0][1]) for s in k.seen] == [(b"nobody", b"65534", True), (b"root", b"0", False)]


@pytest.mark.skipif(SANITIZED, reason="the sanitizer needs its descriptors and address space")
@pytest.mark.parametrize("what,value", [(resource.RLIMIT_NOFILE, 3), (resource.RLIMIT_NOFILE, 0), (resource.RLIMIT_FSIZE, 0),
                                        (resource.RLIMIT_AS, 12 << 20), (resource.RLIMIT_STACK, 64 << 10), (resource.RLIMIT_DATA, 1 << 20)])
def test_hostile_limits(pam, driver, folder, what, value):
    """The caller of su sets its limits. They may stop the login, or the program's start; they let nobody in who is refused."""
    pam.stack("password=skip", extra="auth required pam_permit.so\n")
    with keeper(pam, verdict("deny")):
        p = subprocess.run([driver, "-d", folder, "-s", "kosmo-test", "-u", "hanako"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           timeout=60, preexec_fn=lambda: resource.setrlimit(what, (value, value)))
    assert p.returncode != 0 and b"changed" not in p.stdout


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams(pam, driver, folder, closed):
    """The socket must not become the descriptor that a conversation prints into."""
    pam.stack("")
    with keeper(pam, ask(), verdict("allow")) as k:
        p = subprocess.run(["sh", "-c", f'exec "$@" {closed}', "-", driver, "-d", folder, "-s", "kosmo-test", "-u", "hanako", "text:1"],
                           stdout=subprocess.DEVNULL, timeout=30)
    assert p.returncode == 0 and k.seen[0][1] == ("answer", {"text": b"1"}, 1)


def test_exports():
    out = subprocess.run(["nm", "-D", "--defined-only", MODULE], stdout=subprocess.PIPE, check=True).stdout.decode()
    names = {l.split()[-1] for l in out.splitlines()}
    assert names - {"__odr_asan"} == {"pam_sm_authenticate", "pam_sm_setcred", "pam_sm_acct_mgmt", "pam_sm_open_session",
                                      "pam_sm_close_session", "pam_sm_chauthtok"}


@pytest.mark.skipif(SANITIZED, reason="links the sanitizer")
def test_links_libpam_only():
    out = subprocess.run(["readelf", "-d", MODULE], stdout=subprocess.PIPE, check=True).stdout.decode()
    assert sorted(re.findall(r"NEEDED.*\[(.*)\]", out)) == ["libc.so.6", "libpam.so.0"]


def leaked(folder, cycles, command):
    log = folder / f"valgrind.{cycles}"
    p = subprocess.run(["valgrind", "-q", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible", "--error-exitcode=99",
                        "--errors-for-leak-kinds=definite,indirect,possible", "--track-fds=yes", "-v", f"--log-file={log}",
                        command[0], "-n", str(cycles), *command[1:]], stdout=subprocess.PIPE, timeout=500)
    text = log.read_text()
    assert p.returncode == 0, text + p.stdout.decode()
    reachable = re.search(r"still reachable: ([0-9,]+) bytes", text)
    left = re.search(r"FILE DESCRIPTORS: (\d+) open", text)
    assert left, text
    return p.stdout.decode().splitlines()[-1], reachable.group(1) if reachable else "0", left.group(1)


@pytest.mark.valgrind
@pytest.mark.skipif(SANITIZED or not shutil.which("valgrind"), reason="needs valgrind and an unsanitized build")
def test_thousand_cycles(pam, driver, folder):
    """Under valgrind: no byte and no descriptor more after 1,000 cycles than after two."""
    pam.stack("password=ask")
    command = [driver, "-d", folder, "-s", "kosmo-test", "-u", "hanako", "-p", "acsox", "text:correct", "text:123456"]
    pam.stack("password=ask", facilities=("auth", "account"), extra=f"session optional {MODULE}\nsession required pam_permit.so\n"
              f"auth optional {MODULE} socket=bad\n")
    with keeper(pam, *LOGIN):
        few = leaked(folder, 2, [str(c) for c in command])
    with keeper(pam, *LOGIN):
        many = leaked(folder, 1000, [str(c) for c in command])
    assert few[1:] == many[1:] and (few[0], many[0]) == ("2 of 2", "1000 of 1000")
