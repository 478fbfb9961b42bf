"""Nothing before the verdict: to whoever may not enter, the terminal says the same bytes after the same work. Counted, not
timed (bench_verdict.py times it)."""
import hashlib
import re
import subprocess
import time

import pytest
from conftest import BUILD, SANITIZED
from counted import Counted
from harness import Instance, Person, Sshd, wait_out, wait_until
from kosmo_wire import Client

pytestmark = pytest.mark.skipif(SANITIZED, reason="what is counted is the same in every build")

# A person a case and a try, so that nobody waits for what somebody else did.
TRIES = 2
KNOWN = ["wrong_password", "wrong_code", "both_wrong", "empty", "disabled", "expired", "right"]
PEOPLE = {k: [Person(f"{k}{i}") for i in range(TRIES)] for k in KNOWN}
PEOPLE["member"] = [Person(f"member{i}", role="member") for i in range(TRIES)]
PEOPLE["unenrolled"] = [Person(f"unenrolled{i}", seed=False) for i in range(TRIES)]
PEOPLE["initial"] = [Person(f"initial{i}", password=False, seed=False) for i in range(TRIES)]
# Those who press Enter at the code's question; mail_* could have a code by mail.
ENTER = ["wrong", "disabled", "app", "passkey", "mail_right", "mail_wrong", "mail_and_app", "mail_disabled", "mail_waits"]
PEOPLE |= {f"enter_{k}": [Person(f"e_{k}{i}", seed=not k.startswith("mail") or k == "mail_and_app") for i in range(TRIES)] for k in ENTER}
PEOPLE["enter_unenrolled"] = [Person(f"e_unenrolled{i}", seed=False) for i in range(TRIES)]
PEOPLE["enter_member"] = [Person(f"e_member{i}", role="member", seed=False) for i in range(TRIES)]
LOCKED, LOCKED_OUT = Person("locked"), Person("lockedout")
# An address a dialogue, so that none is blocked for what the others did.
ADDRESSES = (f"10.{i >> 8}.{i & 255}.1" for i in range(1 << 16))
AGAIN = ("123456",) * 2  # the second question is put three times
COMMITS = 6  # of a dialogue with Enter: the password is counted, and settled; the mail and the request; three codes
FAKE = "\b\n\r\x7fINCORRECT"


@pytest.fixture(scope="module")
def keeper(module_folder):
    everyone = [p for group in PEOPLE.values() for p in group] + [LOCKED, LOCKED_OUT]
    i = Instance(module_folder, everyone)
    i.counted = Counted(module_folder, i)  # this makes the tools
    subprocess.run([BUILD / "tests/pam/put_mailcode", i.conf, *(p.login for g, people in PEOPLE.items() for p in people
                                                                if "_mail" in g or g == "enter_member")], check=True)
    for n, p in enumerate(PEOPLE["enter_passkey"]):
        subprocess.run([BUILD / "tests/pam/put_passkey", i.conf, p.login, f"{n:064x}", "a5010203262001215820" + "11" * 32 + "225820" + "22" * 32], check=True)
    for p in PEOPLE["disabled"] + PEOPLE["enter_disabled"] + PEOPLE["enter_mail_disabled"]:
        i.ctl("user", "disable", p.login)
    for p in PEOPLE["expired"]:
        i.ctl("user", "expire", p.login, "2020-01-01")
    i.start(i.counted.env)
    for n in range(8):  # every worker has opened its store and prepared its statements
        dialogue(i, f"before{n}", "wrong", "", "123456", *AGAIN)
    yield i
    assert i.stop() == 0, "the keeper leaves in order"


def cases(keeper):
    """name -> [(login, password, code)], one a try."""
    def of(group, password=lambda p: p.password, code=lambda p: p.code()):
        return [(p.login, password(p), code(p)) for p in PEOPLE[group]]

    return {
        "unknown": [(f"nobody{i}", "wrong", "123456") for i in range(TRIES)],
        "unknown to sshd": [(f"ghost{i}", FAKE[:9], FAKE[:6]) for i in range(TRIES)],
        "no staff's name": [(f"Nobody-{i}", "wrong", "123456") for i in range(TRIES)],
        "longer than any": [(chr(97 + i) * 300, "wrong", "123456") for i in range(TRIES)],
        "wrong password": of("wrong_password", lambda p: "wrong"),
        "wrong code": of("wrong_code", code=lambda p: p.wrong_code()),
        "both wrong": of("both_wrong", lambda p: "wrong", lambda p: p.wrong_code()),
        "empty replies": of("empty", lambda p: "", lambda p: " "),
        "unenrolled": of("unenrolled", code=lambda p: "123456"),
        "letter's password": of("initial", lambda p: keeper.initial(p.login), lambda p: "123456"),
        "member": of("member"),
        "disabled": of("disabled"),
        "expired": of("expired"),
    }


def alike(said):
    """Two addresses for a passkey differ in what makes them unguessable, and their pictures in nothing but their points."""
    return re.sub("[ \u2580\u2584\u2588]", "#", re.sub(r"/approve/[0-9a-z]{4}(-[0-9a-z]{4}){3}", "/approve/ID", said))


def dialogue(keeper, login, *replies):
    """Every frame of the keeper's, whole."""
    frames = []
    with Client(keeper.socket) as c:
        frames.append(c.ask("begin", {"phase": "auth", "service": "sshd", "user": login, "rhost": next(ADDRESSES), "tty": "ssh",
                                       "ruid": 0}))
        for n, reply in enumerate(replies):
            asked = keeper.rows("SELECT count(*) FROM approval")
            frames.append(c.ask("answer", {"text": reply}))
            while frames[-1][0] == "tell":
                frames.append(c.receive()[:2])
            if frames[-1][0] != "ask":
                break
            if n == 1 and not reply:  # what follows the reply is a transaction of its own, also here where nobody takes time to type
                wait_until(lambda: keeper.rows("SELECT count(*) FROM approval") != asked, 10, "the request")
            frames[-1][1]["text"] = alike(frames[-1][1]["text"])
        assert c.sock.recv(1) == b"", "and hangs up"
    return frames


def test_same_words_and_work(keeper):
    seen = {}
    for name, tries in cases(keeper).items():
        seen[name] = [keeper.counted.work(lambda t=t: dialogue(keeper, *t)) for t in tries]
    said = {name: {repr(frames) for frames, _ in runs} for name, runs in seen.items()}
    assert len({frozenset(s) for s in said.values()}) == 1 and all(len(s) == 1 for s in said.values()), said
    # the least of the tries: housekeeping may have fallen into one
    work = {name: {k: min(c[k] for _, c in runs) for k in ("hashes", "writes", "commits", "syncs", "mails")} for name, runs in seen.items()}
    assert len({tuple(w.values()) for w in work.values()}) == 1, work
    assert work["unknown"]["hashes"] == 1 and work["unknown"]["mails"] == 0 and work["unknown"]["writes"] > 2, work


def test_enter(keeper):
    """Enter at the code's question: a mail only to whom one is due, and nothing else that differs."""
    def of(group, password=lambda p: p.password, code="123456"):
        return [(p.login, password(p), "", code, *AGAIN) for p in PEOPLE["enter_" + group]]

    work = {}
    for name, tries in {
            "unknown": [(f"stranger{i}", "wrong", "", "123456", *AGAIN) for i in range(TRIES)],
            "unknown to sshd": [(f"phantom{i}", FAKE[:9], "", FAKE[:6], *AGAIN) for i in range(TRIES)],
            "no staff's name": [(f"Stranger-{i}", "wrong", "", "123456", *AGAIN) for i in range(TRIES)],
            "Enter again": [(f"visitor{i}", "wrong", "", "", *AGAIN) for i in range(TRIES)],
            "unenrolled": of("unenrolled"), "member": of("member"), "disabled": of("disabled"), "app only": of("app"), "passkey": of("passkey"),
            "wrong password": of("wrong", lambda p: "wrong"), "mail, wrong password": of("mail_wrong", lambda p: "wrong"),
            "mail, something better": of("mail_and_app"), "mail, disabled": of("mail_disabled"), "mail": of("mail_right"),
    }.items():
        runs = [keeper.counted.work(lambda t=t: dialogue(keeper, *t), COMMITS) for t in tries]
        work[name] = {repr(frames) for frames, _ in runs}, {k: min(c[k] for _, c in runs) for k in runs[0][1] if k != "reads"}
    said, counts = work.pop("mail")
    assert len({frozenset(s) for s, _ in work.values()}) == 1 and all(len(s) == 1 for s, _ in work.values()), work
    assert len({tuple(c.values()) for _, c in work.values()}) == 1, "\n".join(f"{name}: {c}" for name, (_, c) in work.items())
    others = work["unknown"][1]
    assert others["hashes"] == 1 and others["mails"] == 0, others
    assert said == work["unknown"][0] and counts["hashes"] == 1 and counts["mails"] == 1, (said, counts)
    assert counts["commits"] == others["commits"], (counts, others)


def test_enter_before_the_next_may_be_sent(keeper):
    """A right password with no mail to follow, for one was sent a moment ago: as many transactions as for a wrong one."""
    work = {}
    right, wrong = PEOPLE["enter_mail_waits"]
    for p in right, wrong:
        _, counts = keeper.counted.work(lambda p=p: dialogue(keeper, p.login, p.password, "", "123456", *AGAIN), COMMITS)
        assert counts["mails"] == 1
        wait_out()
        _, counts = keeper.counted.work(lambda p=p: dialogue(keeper, p.login, p.password if p is right else "wrong", "", "123456", *AGAIN),
                                        COMMITS)
        work[p] = {k: counts[k] for k in ("hashes", "commits", "mails")}
    assert work[right] == work[wrong] and work[right]["mails"] == 0, work


def test_the_right_one_sees_nothing_else_until_the_verdict(keeper):
    p = PEOPLE["right"][0]
    (right, done), (wrong, _) = (keeper.counted.work(lambda t=t: dialogue(keeper, *t)) for t in
                                 ((p.login, p.password, p.code()), ("nobody", "wrong", "123456")))
    assert right[:-1] == wrong[:-1] and right[-1][1]["verdict"] == "allow" and done["hashes"] == 1


def guessed_until_it_waits(keeper, login):
    """Wrong ones until nothing is checked for a while, and that while made longer than any look at it takes."""
    waiting = "SELECT hex(owner), kind, lane FROM counter WHERE kind < 32 AND not_before >= ?"
    others = set(keeper.rows(waiting, 0))

    def waits():
        dialogue(keeper, login, "wrong", "123456")
        return len(set(keeper.rows(waiting, time.time() + 2)) - others) >= 2  # password and code
    wait_until(waits, 60, f"{login} has to wait")
    keeper.write("UPDATE counter SET not_before = not_before + 60 WHERE kind < 32 AND not_before >= ?", int(time.time()))


def test_who_waits_and_an_unknown_name_that_waits(keeper):
    """From then on even the right one is refused for a while, in the same words, at the same cost."""
    work = {}
    for name, right in (("locked", (LOCKED.password, LOCKED.code())), ("somebody", ("wrong", "123456"))):
        guessed_until_it_waits(keeper, name)
        frames, counts = keeper.counted.work(lambda: dialogue(keeper, name, *right))
        assert frames[-1] == ("verdict", {"verdict": "deny"}), frames
        work[name] = frames, {k: counts[k] for k in ("hashes", "writes", "commits", "syncs", "mails")}
    assert work["locked"] == work["somebody"] and work["locked"][1]["hashes"] == 1, work


def test_sshd_says_the_same(keeper, module_folder):
    """The bytes that arrive at the client's terminal, for accounts that exist and that do not."""
    staff = [p for p in (PEOPLE["enter_app"][1], PEOPLE["enter_mail_right"][1], *PEOPLE["right"][1:], *PEOPLE["disabled"], *PEOPLE["unenrolled"], LOCKED_OUT)]
    line = keeper.module()
    s = Sshd(module_folder, staff, f"auth required {line}\naccount required {line}")
    try:
        said = {}
        guessed_until_it_waits(keeper, LOCKED_OUT.login)
        app, mail = PEOPLE["enter_app"][1], PEOPLE["enter_mail_right"][1]
        for name, login, *replies in (
                ("locked", LOCKED_OUT.login, LOCKED_OUT.password, LOCKED_OUT.code()),  # first: the wait is a few seconds
                ("app, Enter", app.login, app.password, "", app.code(1), *AGAIN), ("mail, Enter", mail.login, mail.password, "", "123456", *AGAIN),
                ("unknown, Enter", "nobody-there", "wrong", "", "123456", *AGAIN), ("mail, wrong, Enter", mail.login, "wrong", "", "123456", *AGAIN),
                ("unknown", "nobody-at-all", "wrong", "123456"), ("wrong", PEOPLE["right"][1].login, "wrong", PEOPLE["right"][1].code()),
                ("disabled", PEOPLE["disabled"][1].login, PEOPLE["disabled"][1].password, PEOPLE["disabled"][1].code()),
                ("unenrolled", PEOPLE["unenrolled"][1].login, PEOPLE["unenrolled"][1].password, "123456")):
            c = s.ssh(login, *replies)
            text = "\n".join([*c.asked, c.said]).replace(login, "LOGIN")
            text = alike(text)
            said[name] = c.exit, hashlib.sha256(text.encode()).hexdigest(), text
            assert c.exit == 255 and len(c.asked) == len(replies), said
        assert len({v[:2] for name, v in said.items() if "Enter" not in name}) == 1, said
        assert len({v[:2] for name, v in said.items() if "Enter" in name}) == 1, said
    finally:
        s.end()
