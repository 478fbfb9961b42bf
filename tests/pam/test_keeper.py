"""The module and the real keeper: who gets in, who does not, and what a stranger can see of the difference."""
import os
import shutil
import signal
import socket
import subprocess
import time

import pytest
from conftest import BUILD, MODULE, SANITIZED, Result
from harness import Instance, Person, accounts, wait_out, wait_until
from kosmo_wire import Client

SUCCESS, PERM_DENIED, AUTH_ERR, UNAVAIL, UNKNOWN, ACCT_EXPIRED = 0, 6, 7, 9, 10, 13
ROUNDS = 200

STAFF = [Person(f"s{i:02}") for i in range(120)]
UNUSED = iter(STAFF)
RACERS = [Person(f"racer{i:03}", password=False) for i in range(ROUNDS)]
MEMBER = Person("mitsuko", role="member")
DISABLED, EXPIRED = Person("dai"), Person("exa")
UNFINISHED, SEED_ONLY, PASSWORD_ONLY = Person("uno", password=False, seed=False), Person("seed", password=False), Person("pas", seed=False)
ASKED = ["Password: ", "Code: "]


@pytest.fixture(scope="module")
def instance(module_folder):
    i = Instance(module_folder, STAFF + RACERS + [MEMBER, DISABLED, EXPIRED, UNFINISHED, SEED_ONLY, PASSWORD_ONLY])
    i.ctl("user", "disable", DISABLED.login)
    i.ctl("user", "expire", EXPIRED.login, "2020-01-01")
    i.start()
    yield i
    assert i.stop() == 0, "the keeper leaves in order"


@pytest.fixture
def login(driver, instance, folder):
    """login(user, *replies, module="its options", service=, options=[of the driver], extra="more lines of the stack")"""
    class Login:
        program = driver

        def service(self, module="", service="kosmo-test", extra="", instead=None):
            m = instance.module(module) if instead is None else instead
            (folder / service).write_text(f"auth required {m}\naccount required {m}\n{extra}")

        def command(self, user, replies, service, options):
            return [str(c) for c in (self.program, "-d", folder, "-s", service, "-u", user, *options, *replies)]

        def __call__(self, user, *replies, module="", service="kosmo-test", options=(), extra="", instead=None, **kw):
            self.service(module, service, extra, instead)
            started = time.monotonic()
            p = subprocess.run(self.command(user, [r if ":" in r else "text:" + r for r in replies], service, options),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **kw)
            r = Result(p, time.monotonic() - started)
            assert p.returncode in (0, 1), (r.lines, r.stderr)
            return r
    return Login()


def fresh():
    return next(UNUSED)


def test_right(login):
    p = fresh()
    r = login(p.login, p.password, p.code(), options=["-p", "acsox", "-r", "192.0.2.7", "-t", "ssh"], extra="session required pam_permit.so\n")
    assert r.asked() == ASKED
    assert r.exit == 0 and (r.code(), r.code("account"), r.code("setcred"), r.code("open")) == (SUCCESS,) * 4


def test_each_code_once(login):
    p = fresh()
    codes = p.codes()
    for step, code in (-1, SUCCESS), (-1, AUTH_ERR), (0, SUCCESS), (-1, AUTH_ERR), (0, AUTH_ERR), (1, SUCCESS), (0, AUTH_ERR):
        assert login(p.login, p.password, codes[step]).code() == code, step
        if code != SUCCESS:
            wait_out()


def test_codes_as_people_type_them(login):
    for form in (lambda c: f"text:{c[:3]} {c[3:]}", lambda c: f"text: {c[:3]}-{c[3:]} ",
                 lambda c: "hex:" + "".join(chr(ord(d) + 0xfee0) for d in c).encode().hex()):
        p = fresh()
        assert login(p.login, p.password, form(p.code())).code() == SUCCESS


def test_refused_alike(login, instance):
    """Each case with a person of its own: after a failure nothing is checked for a while."""
    def one(replies, name=lambda login: login):
        p = fresh()
        return (name(p.login), *replies(p))

    cases = {"wrong password": one(lambda p: ("wrong", p.code())), "wrong code": one(lambda p: (p.password, p.wrong_code())),
             "both wrong": one(lambda p: ("wrong", p.wrong_code())), "the code first": one(lambda p: (p.code(), p.password)),
             "no code": one(lambda p: (p.password, "text: ")), "empty password": one(lambda p: ("text:", p.code())),
             "code too early": one(lambda p: (p.password, p.code(3))), "code too late": one(lambda p: (p.password, p.code(-3))),
             "five digits": one(lambda p: (p.password, p.code()[:5])), "seven digits": one(lambda p: (p.password, p.code() + "0")),
             "another's code": one(lambda p: (p.password, STAFF[-1].code())), "another's password": one(lambda p: (STAFF[-1].password, p.code())),
             "upper case": one(lambda p: (p.password, p.code()), str.upper),
             "with a space": one(lambda p: (p.password, p.code()), lambda login: login + " "),
             "SQL": one(lambda p: (p.password, p.code()), lambda login: login + "' OR '1'='1"),
             "sshd's fake reply": one(lambda p: ("hex:080a0d7f494e434f52524543", "hex:080a0d7f494e43")),
             "unknown": ("nobody-knows", "x", "123456"), "nearly empty name": ("_", "x", "123456"),
             "very long name": ("a" * 1000, "x", "123456"),
             "member": (MEMBER.login, MEMBER.password, MEMBER.code()), "disabled": (DISABLED.login, DISABLED.password, DISABLED.code()),
             "expired": (EXPIRED.login, EXPIRED.password, EXPIRED.code()),
             "initial password": (UNFINISHED.login, instance.initial(UNFINISHED.login), "123456"),
             "seed without password": (SEED_ONLY.login, "text:", SEED_ONLY.code()),
             "password without seed": (PASSWORD_ONLY.login, PASSWORD_ONLY.password, "123456")}
    said = {}
    for what, (user, *replies) in cases.items():
        r = login(user, *replies)
        assert r.code() == AUTH_ERR and len(r.asked()) == 2, (what, r.lines)
        said[what] = tuple(r.lines)
    assert len(set(said.values())) == 1, said
    wait_out()
    right = {p.login: p for p in STAFF}
    for what, (user, *_) in cases.items():
        if user in right:
            assert login(user, right[user].password, right[user].code()).code() == SUCCESS, f"{what}: the right one still is"


def test_members_and_wrong_replies_are_not_logged(instance):
    """People type passwords where the name belongs."""
    log = (instance.dir / "keeper.log").read_text()
    assert "nobody-knows" not in log and "OR '1'='1" not in log and "aaaaaaaa" not in log
    for secret in STAFF[0].password, MEMBER.password:
        assert secret not in log
    assert "nobody-knows" not in instance.ctl("audit")


def test_password_skip(login):
    p = fresh()
    code = p.code()
    r = login(p.login, code, module="password=skip")
    assert r.code() == SUCCESS and len(r.asked()) == 1
    assert login(p.login, code, module="password=skip").code() == AUTH_ERR
    assert login(SEED_ONLY.login, SEED_ONLY.code(), module="password=skip", options=["-p", "ac"]).code("account") == SUCCESS
    for user, code in ("nobody-knows", "123456"), (MEMBER.login, MEMBER.code()), (PASSWORD_ONLY.login, "123456"):
        r = login(user, code, module="password=skip", extra="auth required pam_permit.so\n")
        assert r.code() == AUTH_ERR and len(r.asked()) == 1, "refused, not ignored"


def test_password_key(login):
    """Skipped only where sshd verified a key, and only for a service that the configuration names."""
    key = ["-e", "SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9Vd1bCOyaNvKQL1kyNJbFzmYyyZ3UqJgQhqVPpVW2u"]
    p = fresh()
    assert len(login(p.login, p.password, p.code(), module="password=key", service="sshd").asked()) == 2
    p = fresh()
    r = login(p.login, p.code(), module="password=key", service="sshd", options=key)
    assert r.code() == SUCCESS and len(r.asked()) == 1
    for service, options in (("kosmo-test", key), ("sshd", ["-e", "SSH_AUTH_INFO_0="]), ("sshd", ["-e", "SSH_AUTH_INFO_0=password"]),
                             ("sshd", ["-e", "SSH_AUTH_INFO_0=nopublickey x"]), ("sshd-other", key), ("ssh", key)):
        p = fresh()
        r = login(p.login, p.password, p.code(), module="password=key", service=service, options=options)
        assert r.code() == SUCCESS and len(r.asked()) == 2, (service, options)
    assert len(login(p.login, p.password, p.code(), service="sshd", options=key).asked()) == 2, "not without password=key"


@pytest.mark.parametrize("module", ["passwort=skip", "password=", "password=no", "Password=skip", "debug", "nullok", "use_first_pass",
                                    "password=skip extra=1", "uid-min=5"])
def test_unknown_options(login, module):
    p = Person("nobody")
    r = login(STAFF[0].login, p.password, "123456", module=module, extra="auth required pam_permit.so\naccount required pam_permit.so\n",
              options=["-p", "ac"])
    assert r.code() in (AUTH_ERR, UNAVAIL) and r.asked() == [] and r.code("account") not in (SUCCESS, 25)


def test_another_configuration(login, instance, tmp_path):
    """conf= names the instance that is meant: the keeper of another one refuses."""
    p = fresh()
    copy = tmp_path / "kosmo.conf"
    copy.write_bytes(instance.conf.read_bytes())
    (tmp_path / "link.conf").symlink_to(instance.conf)
    for conf, code in (copy, UNAVAIL), (tmp_path / "missing", UNAVAIL), (tmp_path / "link.conf", SUCCESS):
        m = instance.module().replace(f"conf={instance.conf}", f"conf={conf}")
        r = login(p.login, p.password, p.code(), instead=m)
        assert r.code() == code or (code != SUCCESS and r.code() == AUTH_ERR), conf


def test_account(login):
    permit = "account required pam_permit.so\n"
    cases = {STAFF[0].login: SUCCESS, DISABLED.login: PERM_DENIED, EXPIRED.login: ACCT_EXPIRED, UNFINISHED.login: PERM_DENIED,
             "nobody-knows": SUCCESS, "root": SUCCESS, MEMBER.login: SUCCESS}
    for user, code in cases.items():
        r = login(user, options=["-p", "c"], extra=permit)
        assert r.code("account") == code and r.asked() == [], user
    for user in "nobody-knows", MEMBER.login:
        assert login(user, options=["-p", "c"]).code("account") == PERM_DENIED, "ignored, not allowed"


def test_recovery_code(login, instance):
    """At the code prompt, once, after the password; never for another person."""
    p, other = fresh(), fresh()
    codes = ["abcde-fghjk-mnp", "23456-789ab-cde"]
    subprocess.run([BUILD / "tests/pam/put_recovery", instance.conf, p.login, *codes], check=True)
    assert login(other.login, other.password, codes[0]).code() == AUTH_ERR
    assert login(p.login, "wrong", codes[0]).code() == AUTH_ERR
    wait_out()
    assert login(p.login, p.password, codes[0]).code() == SUCCESS
    assert login(p.login, p.password, codes[0]).code() == AUTH_ERR
    wait_out()
    assert login(p.login, p.password, codes[1].upper().replace("-", " ")).code() == SUCCESS
    assert login(p.login, p.password, "abcde-fghjk-mnq").code() == AUTH_ERR
    wait_out()
    assert login(p.login, p.password, p.code()).code() == SUCCESS


def test_races(login, driver):
    """Two logins with one code at one moment, 200 times: exactly one wins."""
    login.service("password=skip")
    for p in RACERS:
        code = p.code()
        command = login.command(p.login, ["text:" + code], "kosmo-test", ["-b", "1"])
        pair = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)]
        for d in pair:
            while d.stdout.readline() != b"ready\n":
                assert d.poll() is None
        for d in pair:
            os.write(d.stdin.fileno(), b"\n")
        out = [d.communicate(timeout=30)[0].decode() for d in pair]
        assert sorted(d.returncode for d in pair) == [0, 1], out
        assert sorted(o.splitlines()[-1] for o in out) == ["auth 0 Success", "auth 7 Authentication failure"], out


def test_keeper_stopped(login, instance):
    p = fresh()
    root = "auth [success=done user_unknown=ignore default=die] {0}\nauth required pam_permit.so\n" \
           "account required {0}\naccount required pam_permit.so\n".format(instance.module())

    def refused(seconds):
        for phases, phase in ("a", "auth"), ("c", "account"):
            r = login(p.login, p.password, p.code(), options=["-p", phases])
            assert r.code(phase) == UNAVAIL and r.asked() == [] and r.seconds < seconds
        r = login("root", options=["-p", "ac"], service="root", extra=root, instead="pam_permit.so")
        assert (r.code(), r.code("account"), r.asked()) == (SUCCESS, SUCCESS, []) and r.seconds < 2.4

    os.kill(instance.process.p.pid, signal.SIGSTOP)
    try:
        refused(15)
    finally:
        os.kill(instance.process.p.pid, signal.SIGCONT)
    instance.stop()
    try:
        refused(2.4)
    finally:
        instance.start()
    assert login(p.login, p.password, p.code()).code() == SUCCESS


def test_killed_keeper_forgets_nothing(login, instance):
    p = fresh()
    codes = p.codes()
    assert login(p.login, p.password, codes[0]).code() == SUCCESS
    instance.process.p.kill()
    instance.process.p.wait()
    instance.start()
    assert login(p.login, p.password, codes[0]).code() == AUTH_ERR, "a used code stays used"
    wait_out()
    assert login(p.login, p.password, codes[1]).code() == SUCCESS


def test_keeper_dies_between_prompts(login, instance):
    p = fresh()
    login.service()
    d = subprocess.Popen(login.command(p.login, ["text:" + p.password, "text:" + p.code()], "kosmo-test", ["-b", "2"]),
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    while d.stdout.readline() != b"ready\n":
        assert d.poll() is None
    instance.stop()
    instance.start()
    out = d.communicate(b"\n", timeout=20)[0].decode()
    assert out.splitlines()[-1].startswith(f"auth {UNAVAIL} ") and d.returncode == 1


def test_started_by_its_socket(login, instance):
    p = fresh()
    instance.stop()
    instance.start_by_socket()
    try:
        assert instance.running() == "systemd-socket-activate"
        r = login(p.login, p.password, p.code())
        assert r.code() == SUCCESS and instance.running() == "kosmo-keeper"
    finally:
        instance.stop()
        instance.start()


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
def test_a_stranger_does_not_fill_the_log(instance):
    """Refusals cost a stranger nothing, and a journal that one program fills drops what that program says of others too."""
    def begin(option):
        with Client(instance.socket) as c:
            return c.ask("begin", {"service": "x", "phase": "auth", "user": "nobody", "opt.0": option})[1]["verdict"]
    refused = lambda word: instance.process.log.read_text().count(f'refused: unknown option "{word}"')
    start, pid = time.monotonic(), os.fork()
    if pid == 0:
        try:
            os.setresuid(65534, 65534, 65534)
            os._exit(0 if all(begin("stranger") == "internal" for _ in range(300)) else 1)
        finally:
            os._exit(2)
    assert os.waitpid(pid, 0)[1] == 0
    lasted = time.monotonic() - start
    assert 1 <= refused("stranger") <= 5 * (lasted + 2), (refused("stranger"), lasted)
    assert begin("root") == "internal" and refused("root") == 1


@pytest.mark.skipif(SANITIZED and "KOSMO_SANITIZER_PRELOAD" not in os.environ, reason="./runtests names the sanitizer's library")
@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
def test_screen_locker(login, instance, folder, driver):
    """Of a peer that is not root only its uid is believed: its own account, and nobody else's."""
    p, other = fresh(), fresh()
    # In state_dir, for the keeper may read it there.
    (instance.dir / "passwd").write_text("root:x:0:0::/:/bin/sh\n" + accounts([p, other], 30000))
    (instance.dir / "group").write_text("root:x:0:\n")
    nss = {"LD_PRELOAD": os.environ.get("KOSMO_SANITIZER_PRELOAD", "") + " libnss_wrapper.so", "NSS_WRAPPER_PASSWD": str(instance.dir / "passwd"), "NSS_WRAPPER_GROUP": str(instance.dir / "group")}
    instance.stop()
    login.program, instance.so = shutil.copy(driver, folder), shutil.copy(MODULE, folder)  # the build may be where others cannot go
    try:
        instance.start(nss)
        me = {"preexec_fn": lambda: os.setresuid(30000, 30000, 30000)}
        assert login(other.login, other.password, other.code(), **me).code() != SUCCESS
        assert login(other.login, other.code(), module="password=skip", **me).code() != SUCCESS
        assert login("root", "x", "123456", module="uid_min=0", **me).code() != SUCCESS
        assert login(p.login, p.password, p.wrong_code(), **me).code() == AUTH_ERR
        r = login(p.login, p.code(), "x", module="password=key", service="sshd", options=["-e", "SSH_AUTH_INFO_0=publickey ssh-ed25519 AAAA"],
                  **me)
        assert r.code() != SUCCESS and r.asked() == ASKED, "what it says about a key is not believed"
        wait_out()
        r = login(p.login, p.code(), "x", module="password=skip", **me)
        assert r.code() != SUCCESS and r.asked() == ASKED, "nor that somebody else has checked its password"
        wait_out()
        assert login(p.login, p.password, p.code(), **me).code() == SUCCESS
        lanes = {lane for lane, in instance.rows("SELECT lane FROM counter WHERE owner = (SELECT id FROM person WHERE login = ?)", p.login)}
        known = instance.rows("SELECT count(*) FROM known WHERE person = (SELECT id FROM person WHERE login = ?)", p.login)
        assert lanes <= {4} and known == [(0,)], "a lane of its own, and nothing is learned"
        assert login(other.login, other.password, other.code()).code() == SUCCESS
    finally:
        instance.so = MODULE
        instance.stop()
        instance.start()


def test_idle_connections_hold_nothing_up(login, instance):
    """People who sit at a prompt, and peers that say nothing, take no place away from others."""
    waiting = []
    for _ in range(60):
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(instance.socket))
        waiting.append(s)
    try:
        p = fresh()
        r = login(p.login, p.password, p.code())
        assert r.code() == SUCCESS and r.seconds < 2
    finally:
        for s in waiting:
            s.close()


def test_no_descriptor_is_left_in_the_keeper(login, instance):
    """Its threads open the store when they first need it; after that the number must stay."""
    fds = lambda: len(os.listdir(f"/proc/{instance.process.p.pid}/fd"))
    counts = [fds()]
    for _ in range(12):
        for _ in range(15):
            login("nobody-knows", "x", "123456")
            login("nobody-knows", "null")
        time.sleep(0.2)
        counts.append(fds())
        if counts[-4:] == [counts[-1]] * 4:
            return
    pytest.fail(f"descriptors: {counts}")
