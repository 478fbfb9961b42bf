"""The password phase: passwd, and an expired password that is changed within the same login. The driver first, then the
real programs."""
import os
import shutil
import subprocess

import pytest
from conftest import MODULE, SANITIZED, TOP, Result
from harness import Conversation, Instance, Namespace, Person, Sshd, Syslog, accounts, spawn, wait_out
from kosmo_wire import Client

SUCCESS, PERM_DENIED, AUTH_ERR, NEW_AUTHTOK_REQD, AUTHTOK_ERR, RECOVERY_ERR, TRY_AGAIN = 0, 6, 7, 12, 20, 21, 24
CURRENT, CODE, NEW, AGAIN = "Current password: ", "Code: ", "New password: ", "New password once more: "
FRESH = "mikan to densha 27"
EXPIRED = "Your password has expired. Please choose a new one."

STAFF = [Person(f"s{i:02}") for i in range(60)]
UNUSED = iter(STAFF[2:])
MEMBER, DISABLED = Person("mitsuko", role="member"), Person("dai")
UNFINISHED, SEED_ONLY, PASSWORD_ONLY = Person("uno", password=False, seed=False), Person("seed", password=False), Person("pas", seed=False)
PEOPLE = STAFF + [MEMBER, DISABLED, UNFINISHED, SEED_ONLY, PASSWORD_ONLY]
ROOT_PASSWORD = "root-no-himitsu-7"


@pytest.fixture(scope="module")
def instance(module_folder):
    i = Instance(module_folder, PEOPLE)
    i.ctl("user", "disable", DISABLED.login)
    if Namespace.possible():
        i.log = Syslog(module_folder)
    i.start()
    yield i
    assert i.stop() == 0, "the keeper leaves in order"


@pytest.fixture
def run(driver, instance, folder):
    """run(user, phases, *replies): the phases in one handle, as one program would call them."""
    class Run:
        program, account, extra = driver, "", ""

        def command(self, user, phases, replies, options=()):
            m = instance.module()
            (folder / "kosmo-test").write_text(f"auth required {m}\naccount required {m} {self.account}\npassword required {m}\n{self.extra}")
            return [str(c) for c in (self.program, "-d", folder, "-s", "kosmo-test", "-u", user, "-p", phases, *options,
                                     *(r if r in ("null", "none", "fail") or r.startswith("hex:") else "text:" + r for r in replies))]

        def __call__(self, user, phases, *replies, **kw):
            p = subprocess.run(self.command(user, phases, replies), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **kw)
            r = Result(p, 0)
            assert p.returncode in (0, 1), (r.lines, r.stderr)
            return r
    return Run()


def fresh():
    return next(UNUSED)


def told(r):
    return [l[5:] for l in r.lines if l.startswith("tell ")]


def still(run, p, password, step=1):
    """This one logs in, with a code that nobody has used."""
    return run(p.login, "a", password, p.codes()[step]).code() == SUCCESS


def test_change(run, instance):
    p = fresh()
    r = run(p.login, "p", p.password, p.codes()[-1], FRESH, FRESH)
    assert r.code("password") == SUCCESS and r.asked() == [CURRENT, CODE, NEW, AGAIN] and told(r) == []
    assert run(p.login, "a", p.password, p.codes()[0]).code() == AUTH_ERR
    wait_out()
    assert still(run, p, FRESH)
    events = instance.ctl("audit", "--person", p.login)
    assert "password.changed" in events and "pam:kosmo-test" in events
    if instance.log:
        log = "\n".join(instance.log.read())
        assert f"password service=kosmo-test user={p.login} rhost=- verdict=allow" in log
        assert FRESH not in log and p.password not in log


def test_wrong_present_password_or_code(run):
    cases = [(fresh(), *case) for case in ((lambda p: "wrong", lambda p: p.code()), (lambda p: p.password, lambda p: p.wrong_code()),
                                           (lambda p: "", lambda p: p.code()), (lambda p: p.password, lambda p: " "),
                                           (lambda p: FRESH, lambda p: p.code()))]
    for p, password, code in cases:
        r = run(p.login, "p", password(p), code(p), FRESH, FRESH)
        assert r.code("password") == RECOVERY_ERR and r.asked() == [CURRENT, CODE]
        assert told(r) == ["The password or the code is not right. Please try again after a few seconds."], "not which of the two"
    wait_out()
    for p, *_ in cases:
        assert still(run, p, p.password, 0), "and the code was kept"


def test_a_code_is_used_up(run):
    p = fresh()
    codes = p.codes()
    assert run(p.login, "a", p.password, codes[-1]).code() == SUCCESS
    assert run(p.login, "p", p.password, codes[-1], FRESH, FRESH).code("password") == RECOVERY_ERR
    wait_out()
    assert run(p.login, "p", p.password, codes[0], FRESH, FRESH).code("password") == SUCCESS
    assert run(p.login, "a", FRESH, codes[0]).code() == AUTH_ERR
    wait_out()
    assert run(p.login, "a", FRESH, codes[1]).code() == SUCCESS


BAD = {"short": "The password must have 8 characters or more.", "password123": "This password is easy to guess.",
       "": "Please type a new password.", "x" * 129: "The password must have 128 characters or fewer.",
       "hex:70617373770a6f7264": "The password holds a character that cannot be used."}


@pytest.mark.parametrize("bad", [*BAD, "their login", "the same", "the same in wide letters", "two that differ"])
def test_a_new_one_that_will_not_do(run, bad):
    """The reason stands before the next question, which is the only place where sshd shows it."""
    p = fresh()
    says = BAD.get(bad) or {"their login": "The password holds your name", "two that differ": "The two passwords differ."}.get(
        bad, "This is the password that you have now.")
    wide = "hex:" + "".join(chr(ord(c) + 0xfee0) for c in p.password).encode().hex()
    typed = {"their login": [f"Test {p.login} 99"], "the same": [p.password], "the same in wide letters": [wide],
             "two that differ": [FRESH, FRESH + "x"]}.get(bad, [bad])
    r = run(p.login, "p", p.password, p.codes()[-1], *typed, FRESH, FRESH)
    assert r.code("password") == SUCCESS, r.lines
    lines = [l for l in r.lines if l.startswith(("ask", "tell"))]
    at = next(i for i, l in enumerate(lines) if l.startswith("tell"))
    assert lines[at].startswith("tell " + says) and lines[at + 1] == "ask 0 " + NEW
    assert still(run, p, FRESH)


def test_three_that_will_not_do(run):
    p = fresh()
    r = run(p.login, "p", p.password, p.codes()[-1], "short", FRESH, "another one", "password123", FRESH, FRESH)
    assert r.code("password") == AUTHTOK_ERR and r.asked() == [CURRENT, CODE, NEW, NEW, AGAIN, NEW] and len(told(r)) == 3
    assert still(run, p, p.password)


@pytest.mark.parametrize("reply", ["null", "none", "fail", "hex:ff"])
def test_no_reply(run, reply):
    """^C and the like, at each question: nothing is changed."""
    p = fresh()
    codes = p.codes()
    for at, code in enumerate([None, None, codes[-1], codes[0]]):
        r = run(p.login, "p", *[p.password, code, FRESH][:at], reply)
        assert r.code("password") == RECOVERY_ERR and len(r.asked()) == at + 1
    assert run(p.login, "a", p.password, codes[1]).code() == SUCCESS


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_keeper_dies_in_the_middle(run, instance, at):
    """Before each answer."""
    p = fresh()
    codes = p.codes()
    d = subprocess.Popen(run.command(p.login, "p", [p.password, codes[-1], FRESH, FRESH], ["-b", str(at)]), stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
    while d.stdout.readline() != b"ready\n":
        assert d.poll() is None
    instance.process.p.kill()
    instance.process.p.wait()
    instance.start()
    out = d.communicate(b"\n", timeout=20)[0].decode()
    assert out.splitlines()[-1].startswith(f"password {AUTHTOK_ERR} ")
    assert run(p.login, "a", p.password, codes[1]).code() == SUCCESS, "nothing was changed"


def test_keeper_away(run, instance):
    p = fresh()
    instance.stop()
    try:
        for user, code in (p.login, TRY_AGAIN), ("root", PERM_DENIED), ("nobody-knows", TRY_AGAIN):
            r = run(user, "p")
            assert (r.code("password"), r.asked()) == (code, []), user
    finally:
        instance.start()


def test_whose_it_is_not(run):
    """Ignored, so that what stands behind serves them; alone libpam refuses. People who may not: refused."""
    for user in "root", "nobody-knows", MEMBER.login, "Nobody":
        run.extra = ""
        r = run(user, "p")
        assert (r.code("password"), r.asked()) == (PERM_DENIED, [])
        run.extra = "password required pam_permit.so\n"
        assert run(user, "p").code("password") == SUCCESS
    for p in DISABLED, UNFINISHED, SEED_ONLY, PASSWORD_ONLY:
        r = run(p.login, "p", p.password, "123456", FRESH, FRESH)
        assert (r.code("password"), r.asked()) == (PERM_DENIED, []), p.login
        assert [t.split(":")[0] for t in told(r)] == ([] if p is DISABLED else ["Please finish your first login in the browser"])


def test_expired(run, instance):
    """Within the login: no second code. The old one is over."""
    p = fresh()
    codes = p.codes()
    assert run(p.login, "ac", p.password, codes[-1]).code("account") == SUCCESS
    instance.ctl("user", "expire-password", p.login)
    assert "must be changed" in instance.ctl("user", "show", p.login)
    r = run(p.login, "ace", p.password, codes[0], p.password, p.password, FRESH, FRESH)
    assert (r.code(), r.code("account"), r.code("expired")) == (SUCCESS, NEW_AUTHTOK_REQD, SUCCESS)
    assert r.asked() == ["Password: ", CODE, CURRENT, NEW, NEW, AGAIN]
    assert told(r) == [EXPIRED, "This is the password that you have now. Please choose a new one."]
    r = run(p.login, "ac", FRESH, codes[1])
    assert (r.code(), r.code("account")) == (SUCCESS, SUCCESS)
    assert "must be changed" not in instance.ctl("user", "show", p.login)


def test_expired_and_wrong(run, instance):
    p = fresh()
    instance.ctl("user", "expire-password", p.login)
    r = run(p.login, "ace", p.password, p.codes()[-1], "wrong", FRESH, FRESH)
    assert r.code("expired") == RECOVERY_ERR and r.asked()[2:] == [CURRENT]
    assert told(r)[1:] == ["That is not the password that you have now. Please try again after a few seconds."]
    wait_out()
    r = run(p.login, "ac", p.password, p.codes()[0])
    assert r.code("account") == NEW_AUTHTOK_REQD, "and still to be changed"
    instance.ctl("user", "expire-password", "--undo", p.login)
    r = run(p.login, "ace", p.password, p.codes()[1])
    assert (r.code("account"), r.code("expired"), len(r.asked())) == (SUCCESS, PERM_DENIED, 2), "ignored: it has not expired"


def test_expired_stands_in_nobodys_way(run, instance):
    """Only where the password was typed: not cron, root's su, a key; nor where the line says password=skip."""
    p = fresh()
    instance.ctl("user", "expire-password", p.login)
    assert run(p.login, "c").code("account") == SUCCESS
    run.account = "password=skip"
    r = run(p.login, "ac", p.password, p.codes()[-1])
    assert (r.code(), r.code("account")) == (SUCCESS, SUCCESS)


def test_no_option_of_auth(run, instance, folder):
    """password=skip must not look as if it did something."""
    p = fresh()
    command = run.command(p.login, "p", [p.password, p.codes()[-1], FRESH, FRESH])
    (folder / "kosmo-test").write_text(f"password required {instance.module('password=skip')}\n")
    out = subprocess.run(command, stdout=subprocess.PIPE).stdout.decode().splitlines()
    assert out[-1].startswith(f"password {TRY_AGAIN} ") and not [l for l in out if l.startswith("ask")]
    assert not instance.log or [l for l in instance.log.read() if "has no meaning on a password line" in l]


def dialogue(instance, fields, *replies):
    """Straight to the keeper: the questions, and the verdict's fields."""
    asked = []
    with Client(instance.socket) as c:
        kind, f = c.ask("begin", {"service": "kosmo-test", **fields})
        replies = list(replies)
        while kind != "verdict":
            if kind == "ask":
                asked.append(f["text"])
                if not replies:
                    return asked, None
                kind, f = c.ask("answer", {"text": replies.pop(0)})
            else:
                kind, f, _ = c.receive()
        return asked, f


def test_ticket(instance):
    """It spares the code to whom it was given, for that service, and only until the password is another."""
    p, other = fresh(), fresh()
    _, v = dialogue(instance, {"phase": "auth", "user": p.login}, p.password, p.codes()[-1])
    t = v["ticket"]
    change = {"phase": "password", "user": p.login, "ticket": t}
    spared, needed = [CURRENT, NEW], [CURRENT, CODE]
    assert dialogue(instance, change, p.password)[0] == spared
    assert dialogue(instance, {**change, "user": other.login}, other.password)[0] == needed
    assert dialogue(instance, {**change, "service": "passwd"}, p.password)[0] == needed
    for bad in t[:-1] + ("A" if t[-1] != "A" else "E"), "B" + t[1:], t[:-1], t + "A", "", t.replace(t[11], "é"):
        assert dialogue(instance, {**change, "ticket": bad}, p.password)[0] == needed, bad
    assert dialogue(instance, change, p.password, FRESH, FRESH)[1] == {"verdict": "allow"}
    assert dialogue(instance, change, FRESH)[0] == needed, "it was for the old password"
    assert "ticket" not in dialogue(instance, {"phase": "auth", "user": p.login}, FRESH, "000000")[1]


def test_changed_meanwhile(instance):
    """Two changes at once: the second finds another password than the one that was typed, and changes nothing."""
    p = fresh()
    _, v = dialogue(instance, {"phase": "auth", "user": p.login}, p.password, p.codes()[-1])
    change = {"service": "kosmo-test", "phase": "password", "user": p.login, "ticket": v["ticket"]}
    with Client(instance.socket) as first, Client(instance.socket) as second:
        for c in first, second:
            c.ask("begin", change)
            assert c.ask("answer", {"text": p.password})[1]["text"] == NEW
        for c, new in (first, FRESH), (second, "another way to go 5"):
            assert c.ask("answer", {"text": new})[1]["text"] == AGAIN
        assert first.ask("answer", {"text": FRESH})[1] == {"verdict": "allow"}
        assert second.ask("answer", {"text": "another way to go 5"})[1] == {"verdict": "deny"}
    assert dialogue(instance, {"phase": "auth", "user": p.login}, FRESH, p.codes()[0])[1]["verdict"] == "allow"


def test_without_a_code(run, instance):
    """pam.change_needs_code = no, and the admin's age limit that nobody has reached."""
    p = fresh()
    drop = instance.dir / "kosmo.conf.d"
    drop.mkdir(exist_ok=True)
    (drop / "50-test.conf").write_text("pam.change_needs_code = no\npassword.max_days = 1\n")
    instance.stop()
    instance.start()
    try:
        r = run(p.login, "p", "wrong")
        assert (r.code("password"), r.asked()) == (RECOVERY_ERR, [CURRENT])
        wait_out()
        r = run(p.login, "p", p.password, FRESH, FRESH)
        assert (r.code("password"), r.asked()) == (SUCCESS, [CURRENT, NEW, AGAIN])
        assert run(p.login, "ac", FRESH, p.codes()[-1]).code("account") == SUCCESS
    finally:
        (drop / "50-test.conf").unlink()
        instance.stop()
        instance.start()


@pytest.mark.skipif(SANITIZED and "KOSMO_SANITIZER_PRELOAD" not in os.environ, reason="./runtests names the sanitizer's library")
@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
def test_a_peer_that_is_not_root(run, instance, folder, driver):
    """Changes its own password and learns nothing of others'."""
    p, other = fresh(), fresh()
    # In state_dir, for the keeper may read it there.
    (instance.dir / "passwd").write_text("root:x:0:0::/:/bin/sh\n" + accounts([p, other], 30000))
    (instance.dir / "group").write_text("root:x:0:\n")
    nss = {"LD_PRELOAD": os.environ.get("KOSMO_SANITIZER_PRELOAD", "") + " libnss_wrapper.so",
           "NSS_WRAPPER_PASSWD": str(instance.dir / "passwd"), "NSS_WRAPPER_GROUP": str(instance.dir / "group")}
    instance.stop()
    run.program, instance.so = shutil.copy(driver, folder), shutil.copy(MODULE, folder)  # the build may be where others cannot go
    try:
        instance.start(nss)
        me = {"preexec_fn": lambda: os.setresuid(30000, 30000, 30000)}
        for user in other.login, "nobody-knows", MEMBER.login:
            r = run(user, "p", other.password, other.codes()[-1], FRESH, FRESH, **me)
            assert (r.code("password"), r.asked()) == (TRY_AGAIN, [])
        assert run(p.login, "p", p.password, p.codes()[-1], FRESH, FRESH, **me).code("password") == SUCCESS
        assert still(run, other, other.password) and still(run, p, FRESH)
    finally:
        instance.so = MODULE
        instance.stop()
        instance.start()


# ---- the real programs, with the stacks that we document ----

real = [pytest.mark.skipif(os.getuid() != 0, reason="sshd, su and login for other people need root"),
        pytest.mark.skipif(SANITIZED, reason="the system's programs cannot load a sanitized module"),
        pytest.mark.skipif(not Namespace.possible(), reason="no mount namespaces here")]


def marked(f):
    for m in real:
        f = m(f)
    return f


def documented(instance, name):
    lines = (TOP / "dist/pam.d" / name).read_text().replace("pam_kosmo.so", instance.module()).splitlines(keepends=True)
    return "".join(l for l in lines if "pam_loginuid" not in l and "pam_selinux" not in l and "pam_faildelay" not in l)


@pytest.fixture(scope="module")
def host(instance):
    stacks = {n: documented(instance, n) for n in ("su", "sudo", "login", "passwd")}
    return Namespace(instance.dir / "host", STAFF, stacks, ROOT_PASSWORD)


def expire(instance):
    p = fresh()
    instance.ctl("user", "expire-password", p.login)
    return p


CHANGED = ["Password:", "Code:", "Current password:", "New password:", "New password:", "New password once more:"]


@marked
@pytest.mark.parametrize("kind", ["password-code", "key-code"])
def test_sshd(instance, kind):
    key = kind == "key-code"
    stacks = {"sshd": documented(instance, "sshd-" + kind)}
    p = expire(instance)
    if key:  # a password that is asked after the key: only then it can have expired
        stacks["sshd"] = stacks["sshd"].replace(" password=skip", "")
    d = Sshd(instance.dir / kind, STAFF, None, "AuthenticationMethods " + ("publickey," if key else "") + "keyboard-interactive:pam", "sshd",
             Namespace(instance.dir / ("ns-" + kind), STAFF, stacks, ROOT_PASSWORD))
    methods = ("publickey," if key else "") + "keyboard-interactive"
    try:
        r = d.ssh(p.login, p.password, p.codes()[-1], p.password, "short", FRESH, FRESH, methods=methods)
        assert r.asked == CHANGED and r.exit == 0, (r.asked, r.said)
        assert EXPIRED in r.said and "The password must have 8 characters or more." in r.said
        r = d.ssh(p.login, FRESH, p.codes()[0], methods=methods)
        assert (r.asked, r.exit) == (CHANGED[:2], 0)
        p = expire(instance)
        r = d.ssh(p.login, p.password, p.codes()[-1], p.password, FRESH, "no", FRESH, "no", FRESH, "no", methods=methods)
        assert r.exit == 255 and len(r.asked) == 9, "no new one, no login"
    finally:
        d.end()


@marked
def test_sshd_with_a_key_never_asks_for_a_new_one(instance):
    d = Sshd(instance.dir / "skip", STAFF, None, "AuthenticationMethods publickey,keyboard-interactive:pam", "sshd",
             Namespace(instance.dir / "ns-skip", STAFF, {"sshd": documented(instance, "sshd-key-code")}, ROOT_PASSWORD))
    p = expire(instance)
    try:
        r = d.ssh(p.login, p.code(), methods="publickey,keyboard-interactive")
        assert (r.asked, r.exit) == (["Code:"], 0)
    finally:
        d.end()


@marked
def test_su(instance, host):
    p = expire(instance)
    su = ["su", p.login, "-c", "id -ru"]
    r = host.run(0, su)
    assert (r.asked, r.exit, r.text.strip()) == ([], 0, str(host.uid(p))), "root goes to anyone"
    r = host.run(1001, su, p.password, p.codes()[-1], "wrong")
    assert (r.asked, r.exit) == (CHANGED[:3], 1)
    wait_out()
    r = host.run(1001, su, p.password, p.codes()[0], p.password, "short", FRESH, FRESH)
    assert (r.asked, r.exit, r.text.strip()) == (CHANGED, 0, str(host.uid(p))), r.said
    r = host.run(1001, su, FRESH, p.codes()[1])
    assert (r.asked, r.exit) == (CHANGED[:2], 0)


@marked
def test_sudo(instance, host):
    """sudo changes an expired password too, and goes on."""
    p = expire(instance)
    r = host.run(host.uid(p), ["sudo", "id", "-u"], p.password, p.codes()[-1], p.password, FRESH, FRESH)
    assert (r.exit, r.text.strip()) == (0, "0") and r.asked[2:] == ["Current password:", "New password:", "New password once more:"], r.said
    r = host.run(host.uid(p), ["sudo", "id", "-u"], FRESH, p.codes()[0])
    assert (r.exit, r.text.strip(), len(r.asked)) == (0, "0", 2)


@marked
def test_login(instance, host):
    p = expire(instance)
    r = host.run(0, ["login", p.login], p.password, p.codes()[-1], p.password, "short", FRESH, FRESH, after="id -ru; exit")
    assert r.asked == CHANGED and str(host.uid(p)) in r.text.split(), (r.asked, r.said, r.text)
    r = host.run(0, ["login", p.login], FRESH, p.codes()[0], after="id -ru; exit")
    assert r.asked == CHANGED[:2] and str(host.uid(p)) in r.text.split(), (r.asked, r.said, r.text)


@marked
def test_passwd(instance, host):
    p = fresh()
    r = host.run(host.uid(p), ["passwd"], p.password, p.codes()[-1], "short", FRESH, FRESH)
    assert r.exit == 0 and r.asked == CHANGED[2:3] + CHANGED[1:2] + CHANGED[3:] and "password updated successfully" in r.text, r.said
    r = host.run(0, ["passwd", p.login], "root does not know", p.codes()[0])
    assert r.exit != 0 and len(r.asked) == 2 and "unchanged" in r.text, "root is asked too"
    assert f"{p.login}:*:" in (host.etc / "shadow").read_text(), "no Unix password was made"


@marked
def test_passwd_of_others(instance, host):
    """Accounts that are not the keeper's go on to pam_unix as before; below uid_min also while no keeper answers. In an /etc
    of its own, for passwd puts a new file in the old one's place."""
    mine = host.etc.parent / "own"
    script = f"set -e; cp -a /etc {mine}; cp -r {host.etc}/* {mine}; mount --bind {mine} /etc; exec passwd root"
    instance.stop()
    try:
        child = spawn(["unshare", "-m", "--propagation", "private", "sh", "-c", script], cwd="/")
        r = Conversation(child, ["root-no-atarashii-8", "root-no-atarashii-8"])
        assert r.exit == 0 and "password updated successfully" in r.text, r.said
    finally:
        instance.start()
    assert "root:$y$" in (mine / "shadow").read_text() and "root:$6$" in (host.etc / "shadow").read_text()
