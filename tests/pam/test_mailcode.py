"""One-time codes by mail at the terminal: Enter at the code's question. Dialogues with the keeper, the module's driver, and
the real programs; that nothing of it shows is test_secrecy.py's."""
import json
import os
import shutil
import subprocess
import sys

import pytest
from conftest import BUILD, SANITIZED, TOP, Result
from harness import Instance, Namespace, Person, Sshd, accounts, mailed, wait_until
from kosmo_wire import Client
from made import made

AUTH_ERR, UNAVAIL, RECOVERY_ERR = 7, 9, 21
FIRST_UID = 30000
PASSWORD, CODE = "Password: ", "Code: "
TOLD = "If what you typed was right, a code has been mailed to you."
SECOND = TOLD + "\n" + CODE
RECOVERY = "abcde-fghjk-mnp"
MAIL = [Person(f"m{i:02}", seed=False) for i in range(30)]
UNUSED = iter(MAIL[1:])
BOTH = [Person(f"b{i}") for i in range(12)]  # an app, too
UNUSED_BOTH = iter(BOTH)
JAPANESE, ENGLISH, APP, MEMBER = Person("ja", seed=False), Person("en", seed=False), Person("app"), Person("mitsuko", role="member", seed=False)
STAFF = MAIL + BOTH + [JAPANESE, ENGLISH, APP]


@pytest.fixture(scope="module")
def instance(module_folder):
    i = Instance(module_folder, STAFF + [MEMBER])
    drop = i.dir / "kosmo.conf.d/40-passkey.conf"  # with them the second question has more words: test_approval.py
    drop.parent.mkdir(exist_ok=True)
    drop.write_text("[passkey]\npam = forbidden\n")
    made("pam")
    subprocess.run([BUILD / "tests/pam/put_mailcode", i.conf, *(p.login for p in [*MAIL, *BOTH, JAPANESE, ENGLISH, MEMBER])], check=True)
    # Who the peers that are not root are; in state_dir, for the keeper may read it there.
    (i.dir / "passwd").write_text("root:x:0:0::/:/bin/sh\n" + accounts(MAIL, FIRST_UID))
    (i.dir / "group").write_text("root:x:0:\n")
    i.nss = {"LD_PRELOAD": os.environ.get("KOSMO_SANITIZER_PRELOAD", "") + " libnss_wrapper.so", "NSS_WRAPPER_PASSWD": str(i.dir / "passwd"),
             "NSS_WRAPPER_GROUP": str(i.dir / "group")}
    if SANITIZED and "KOSMO_SANITIZER_PRELOAD" not in os.environ:
        i.nss = None
    i.start(i.nss)
    i.mailing = i.mailer()
    yield i
    i.mailing.end()
    assert i.stop() == 0, "the keeper leaves in order"


def fresh():
    return next(UNUSED)


class Terminal:
    """One dialogue. answer() returns the next question, or the verdict; said: all that the keeper asked and told."""

    def __init__(self, instance, login, *options, phase="auth", service="sshd", **more):
        self.client, self.said = Client(instance.socket), []
        opt = {f"opt.{n}": o for n, o in enumerate(options)}
        self.now = self._take(self.client.ask("begin", {"phase": phase, "service": service, "user": login, "rhost": "192.0.2.7", "ruid": 0,
                                                        **opt, **more}))

    def _take(self, frame):
        while frame[0] == "tell":
            self.said.append(frame[1]["text"])
            frame = self.client.receive()[:2]
        self.said.append(frame[1]["text" if frame[0] == "ask" else "verdict"])
        if frame[0] == "verdict":
            self.client.close()
        return self.said[-1]

    def __call__(self, *replies):
        for r in replies:
            self.now = self._take(self.client.ask("answer", {"text": r}))
        return self.now


def login(instance, p, *replies, options=()):
    return Terminal(instance, p.login, *options)(p.password, *replies)


def code(instance, p):
    return mailed(instance.mail(p.login))[0]


def other(c):
    return f"{(int(c) + 1) % 1000000:06}"


def no_waits(instance):
    """As if the seconds after a wrong one were over."""
    instance.write("UPDATE counter SET not_before = 0 WHERE kind < 32 AND not_before < 9999999999")


def later(instance):
    """As if the next one may be sent: quotas are rows of kind 32."""
    instance.write("DELETE FROM counter WHERE kind = 32")


def waiting(instance, p):
    """Mails of this person's so far, whatever became of them."""
    return instance.rows("SELECT count(*) FROM outbox WHERE person = (SELECT id FROM person WHERE login = ?)", p.login)[0][0]


def quiet(instance, p, was=0):
    """What is done when the answers are out is done: another one's mail came after it."""
    mark = fresh()
    login(instance, mark, "")
    instance.mail(mark.login)
    assert waiting(instance, p) == was, "no mail"


def test_words_and_once(instance):
    p = fresh()
    t = Terminal(instance, p.login)
    assert t(p.password, "") == SECOND and t.said == [PASSWORD, CODE, SECOND]
    c = code(instance, p)
    assert t(c) == "allow"
    assert login(instance, p, "", c) == "deny", "used"
    no_waits(instance)
    assert login(instance, p, c) == "deny", "six digits at the first question are the app's"
    events = instance.ctl("audit", "--person", p.login)
    assert "login.allow" in events and "mailcode" in events
    assert waiting(instance, p) == 1, "and 60 s must lie between two mails"
    log = instance.process.log.read_text()
    assert c not in log and f"{p.login}@" not in log


def test_as_people_type_it(instance):
    p = fresh()
    t = Terminal(instance, p.login)
    t(p.password, "")
    c = code(instance, p)
    assert t(f" {c[:3]} {chr(0xff10 + int(c[3]))}{c[4:]}") == "allow"


def test_language(instance):
    """The person's, else the configuration's."""
    sheet = instance.dir / "languages.csv"
    sheet.write_text("login,name,locale\n" + "".join(f"{p.login},Test {p.login},{p.login}\n" for p in (JAPANESE, ENGLISH)))
    instance.ctl("import", sheet)
    subjects = {}
    for p in ENGLISH, JAPANESE, fresh():
        login(instance, p, "")
        subjects[p] = instance.mail(p.login)["Subject"]
    english, *japanese = subjects.values()
    assert english.isascii() and len(set(japanese)) == 1 and not japanese[0].isascii(), subjects


def test_a_second_one_replaces_the_first(instance):
    p = fresh()
    login(instance, p, "")
    first = code(instance, p)
    later(instance)
    t = Terminal(instance, p.login)
    t(p.password, "")
    second = code(instance, p)
    if first != second:
        assert login(instance, p, "", first) == "deny"
    no_waits(instance)
    assert t(second) == "allow", "by the dialogue that it was mailed for, or any other"


def test_expires(instance):
    p = fresh()
    t = Terminal(instance, p.login)
    t(p.password, "")
    c = code(instance, p)
    instance.write("UPDATE code SET expires = expires - 600")
    assert t(c) == "deny"


def test_tries(instance):
    """Five a code, and five wrong ones an hour whatever the code (test_mailcode.c has the day's)."""
    p = fresh()
    login(instance, p, "")
    c = code(instance, p)
    for _ in range(5):
        no_waits(instance)
        assert login(instance, p, "", other(c)) == "deny"
    no_waits(instance)
    assert login(instance, p, "", c) == "deny", "this hour's are spent"
    assert "too many mailed codes" in instance.ctl("audit", "--person", p.login)
    no_waits(instance)
    show = json.loads(instance.ctl("user", "show", "--json", p.login))
    assert show["blocked_by"] == "mailcodes_spent" and "too many were wrong" in show["access"], show
    assert [a["kind"] for a in show["authenticators"]] == ["mail"]
    instance.ctl("user", "unlock", p.login)
    assert json.loads(instance.ctl("user", "show", "--json", p.login))["blocked_by"] == ""
    assert login(instance, p, "", c) == "deny", "this code's, too"


def test_a_right_one_gives_the_tries_back(instance):
    p = fresh()
    t = Terminal(instance, p.login)
    t(p.password, "")
    c = code(instance, p)
    for _ in range(4):
        no_waits(instance)
        assert login(instance, p, "", other(c)) == "deny"
    no_waits(instance)
    assert t(c) == "allow"
    names = instance.rows("SELECT count(*) FROM counter WHERE kind = 32 AND owner = (SELECT id FROM person WHERE login = ?)", p.login)
    assert names == [(1,)], "that one was sent"


def test_other_codes_there(instance):
    """A recovery code is taken, a code of the app is not: each kind's guesses are counted once. Enter is a refusal."""
    p = next(UNUSED_BOTH)
    subprocess.run([BUILD / "tests/pam/put_recovery", instance.conf, p.login, RECOVERY], check=True)
    assert login(instance, p, "", p.code()) == "deny"
    no_waits(instance)
    assert login(instance, p, "", "") == "deny"
    no_waits(instance)
    assert login(instance, p, "", RECOVERY) == "allow"
    assert login(instance, p, p.code()) == "allow", "and the app's code is as good as before"


@pytest.mark.parametrize("option", ["allowed", "last", "forbidden", None])
def test_policy_by_service(instance, option):
    """mailcode=; without it, mailcode.pam, which is `last`."""
    options = [f"mailcode={option}"] if option else []
    both, mail = next(UNUSED_BOTH), fresh()
    terminals = {p: Terminal(instance, p.login, *options) for p in (both, mail)}
    for p, t in terminals.items():
        assert t(p.password, "") == SECOND and t.said == [PASSWORD, CODE, SECOND]
    for p, t in terminals.items():
        if option == "allowed" or (option != "forbidden" and p is mail):
            assert t(code(instance, p)) == "allow", p.login
        else:
            quiet(instance, p)
            assert t("123456") == "deny"
    if option == "forbidden":
        assert login(instance, mail, "") == SECOND
        c = code(instance, mail)
        assert login(instance, mail, "", c, options=options) == "deny", "a code that another service's question brought"


def test_policies_by_configuration(instance):
    """mailcode.pam goes for services that say nothing; mailcode.web is the browser's, and shuts nobody out here."""
    drop = instance.dir / "kosmo.conf.d/50-test.conf"
    drop.parent.mkdir(exist_ok=True)
    try:
        for web, pam in ("forbidden", "allowed"), ("allowed", "forbidden"):
            instance.stop()
            drop.write_text(f"[mailcode]\nweb = {web}\npam = {pam}\n")
            instance.start(instance.nss)
            for p in fresh(), next(UNUSED_BOTH):
                t = Terminal(instance, p.login)
                assert t(p.password, "") == SECOND and t.said == [PASSWORD, CODE, SECOND]
                if pam == "allowed":
                    assert t(code(instance, p)) == "allow"
                else:
                    assert t("123456") == "deny" and waiting(instance, p) == 0
                assert Terminal(instance, p.login, phase="account").now == "allow"
    finally:
        instance.stop()
        drop.unlink()
        instance.start(instance.nss)


def test_password_skip(instance):
    """The first factor came earlier in the stack."""
    p = fresh()
    t = Terminal(instance, p.login, "password=skip")
    assert t("") == SECOND and t.said == [CODE, SECOND] and t(code(instance, p)) == "allow"
    for user in "nobody-knows", MEMBER.login, APP.login:
        t = Terminal(instance, user, "password=skip")
        assert t("") == SECOND and t.said == [CODE, SECOND] and t("123456") == "deny"
    quiet(instance, MEMBER)
    t = Terminal(instance, p.login, "password=key", sshauth="publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5")
    assert t("") == SECOND and len(t.said) == 2


def test_prompt_by_method(instance):
    """Only whose only way it is gets it without asking, and only after the right password."""
    asked = "Code from the mail: "
    p, both, wrong = fresh(), next(UNUSED_BOTH), fresh()
    t = Terminal(instance, p.login, "prompt_by_method=yes")
    assert t(p.password) == asked and t.said == [PASSWORD, asked] and t(code(instance, p)) == "allow"
    p = fresh()
    t = Terminal(instance, p.login, "prompt_by_method=yes", "password=skip")
    assert t.now == asked and t(code(instance, p)) == "allow"
    t = Terminal(instance, p.login, "prompt_by_method=yes", "password=skip")
    assert t.now == asked and t("") == "deny"
    for who, password, options in (wrong, "wrong", []), (both, both.password, ["mailcode=allowed"]), (wrong, wrong.password, ["mailcode=forbidden"]), \
            (APP, APP.password, []), (MEMBER, MEMBER.password, []), (Person("nobody-knows"), "x", []):
        t = Terminal(instance, who.login, "prompt_by_method=yes", *options)
        assert t(password) == CODE and t.said == [PASSWORD, CODE], who.login
    quiet(instance, wrong)
    t = Terminal(instance, wrong.login, "prompt_by_method=no")
    assert t(wrong.password) == CODE
    for bad in "prompt_by_method=", "prompt_by_method=maybe", "mailcode=sometimes":
        assert Terminal(instance, wrong.login, bad).now == "internal"


def test_passwd(instance):
    """Enter at passwd's question for a code."""
    p = fresh()
    t = Terminal(instance, p.login, phase="password", service="passwd")
    assert t(p.password, "") == SECOND and t.said == ["Current password: ", CODE, SECOND]
    assert t(code(instance, p)) == "New password: "
    assert t("mikan to densha 27", "mikan to densha 27") == "allow"
    instance.mail(p.login)  # says so
    t = Terminal(instance, p.login, phase="password", service="passwd")
    assert t(p.password, "") == SECOND and t.said == ["Current password: ", CODE, SECOND], "a wrong one: the same words"
    assert t("123456") == "deny" and "is not right" in t.said[-2]
    no_waits(instance)


def test_mailer_not_running(instance):
    """The words are the same, other ways still work, and the mail waits."""
    p, other_one = fresh(), next(UNUSED_BOTH)
    subprocess.run([BUILD / "tests/pam/put_recovery", instance.conf, p.login, RECOVERY], check=True)
    instance.mailing.end()
    try:
        t = Terminal(instance, p.login)
        t(p.password, "")
        assert t.said == [PASSWORD, CODE, SECOND]
        state = "SELECT state, tries > 0 FROM outbox WHERE person = (SELECT id FROM person WHERE login = ?)"
        wait_until(lambda: instance.rows(state, p.login) == [(1, 1)], 10, "the mail was tried, and waits")
        assert t(RECOVERY) == "allow"
        assert login(instance, other_one, other_one.code()) == "allow"
    finally:
        instance.mailing = instance.mailer()


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user")
def test_own_uid(instance, module_folder):
    """A peer that is not root, a screen locker, for its own account."""
    if instance.nss is None:
        pytest.skip("./runtests names the sanitizer's library")
    shutil.copy(TOP / "tests/kosmo_wire.py", module_folder)  # the tests may be where others cannot go
    program = ("import sys\nfrom kosmo_wire import Client\nwith Client(sys.argv[1]) as c:\n"
               " print(c.ask('begin', {'phase': 'auth', 'service': 'locker', 'user': sys.argv[2], 'ruid': 0}))\n"
               " for r in sys.argv[3:]: print(c.ask('answer', {'text': r}))\n")

    def locker(who, *replies):
        p = subprocess.run([sys.executable, "-c", program, instance.socket, who.login, *replies], cwd=module_folder, stdout=subprocess.PIPE,
                           preexec_fn=lambda: os.setresuid(FIRST_UID, FIRST_UID, FIRST_UID), check=True)
        return p.stdout.decode()

    assert "internal" in locker(MAIL[1]), "of somebody else's"
    assert TOLD in locker(MAIL[0], MAIL[0].password, "")
    assert code(instance, MAIL[0])


@pytest.fixture
def run(driver, instance, folder):
    """run(user, phases, *replies): the module itself."""
    def go(user, phases, *replies):
        (folder / "kosmo-test").write_text("".join(f"{group} required {instance.module()}\n" for group in ("auth", "account", "password")))
        p = subprocess.run([driver, "-d", folder, "-s", "kosmo-test", "-u", user, "-p", phases,
                            *(r if r in ("null", "none", "fail", "hex:ff") else "text:" + r for r in replies)],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert p.returncode in (0, 1), (p.stdout, p.stderr)
        return Result(p, 0)
    return go


@pytest.mark.parametrize("reply", ["null", "none", "fail", "hex:ff"])
def test_no_reply(run, reply):
    """^C and the like at the second question, at a login and at passwd: refused, and nothing is left of it."""
    for phases, phase, refusal in ("a", "auth", AUTH_ERR), ("p", "password", RECOVERY_ERR):
        r = run(APP.login, phases, APP.password, "", reply)
        assert r.code(phase) in (refusal, UNAVAIL) and len(r.asked()) == 3 and TOLD in r.asked()[2], r.lines


# ---- the real programs ----

programs = pytest.mark.skipif(os.getuid() != 0 or SANITIZED, reason="needs root, and a module that the system's programs can load")
namespace = pytest.mark.skipif(not Namespace.possible(), reason="no mount namespaces here")


def lines(instance):
    return f"auth required {instance.module()}\naccount required {instance.module()}"


@programs
def test_ssh(instance):
    d = Sshd(instance.dir, STAFF, lines(instance))
    try:
        p = fresh()
        r = d.ssh(p.login, p.password, "", lambda: code(instance, p))
        assert r.asked == ["Password:", "Code:", "Code:"] and r.exit == 0 and r.text.strip() == str(d.uid(p.login)), (r.asked, r.said)
        assert TOLD in r.said
        r = d.ssh(p.login, p.password, "", "123456")
        assert r.asked == ["Password:", "Code:", "Code:"] and r.exit == 255 and TOLD in r.said
    finally:
        d.end()


@programs
@namespace
def test_su_and_sudo(instance):
    host = Namespace(instance.dir / "host", STAFF, {"su": lines(instance), "sudo": lines(instance)}, "unused")
    me, other_one = fresh(), fresh()
    r = host.run(host.uid(me), ["su", other_one.login, "-c", "id -ru"], other_one.password, "", lambda: code(instance, other_one))
    assert len(r.asked) == 3 and TOLD in r.said and r.exit == 0 and r.text.strip() == str(host.uid(other_one)), r.said
    r = host.run(host.uid(me), ["sudo", "id", "-u"], me.password, "", lambda: code(instance, me))
    assert len(r.asked) == 3 and TOLD in r.said and r.exit == 0 and r.text.strip() == "0", r.said
