import re

import pytest
from conftest import INPUT, OK, USAGE, run


@pytest.fixture
def h(k):
    said = k("user", "add", "hanako", "--name", "山田 花子", "--birth-date", "S55.1.31", "--email", "Hanako@Example.jp",
             "--locale", "ja", "--passwords", k.passwords)
    assert said.exit == OK and str(k.passwords) in said.out, said
    return k


def test_add(h):
    p = h.show("hanako")
    assert (p["name"], p["birth_date"], p["email"], p["role"], p["locale"], p["state"]) == (
        "山田 花子", "1980-01-31", "Hanako@example.jp", "member", "ja", "waiting")
    assert list(h.initial()) == ["hanako"] and h.initial()["hanako"] not in h("user", "show", "hanako").out
    assert h.events() == ["user.add"]


def test_add_with_a_password(k):
    said = k("user", "add", "alice", "--role", "staff", "--password-stdin", stdin=b"kuroneko-yamato-7\n")
    assert said.exit == OK and k.show("alice")["password"] == "own", said
    assert list(k.work.glob("*.csv")) == []
    assert k("user", "add", "bob", "--role", "staff", "--password-stdin", stdin=b"").exit == INPUT
    said = k("user", "add", "bob", "--role", "staff", "--password-stdin", stdin=b"short\n")
    assert said.exit == INPUT and "too short" in said.err
    assert k("user", "add", "bob", "--password-stdin", "--passwords", "x").exit == USAGE


@pytest.mark.parametrize("args, why", [
    (["hanako"], "taken"), (["HANAKO"], "taken"), (["a b"], "cannot be a login"), (["taro"], "needs a --birth-date"),
    (["root"], "--allow-system-login root"), (["a.b", "--role", "staff"], "staff logins"), (["taro", "--role", "boss"], "role:"),
    (["taro", "--birth-date", "1980-02-30"], "no such day"), (["taro", "--email", "x"], "email:"), (["taro", "--locale", "fr"], "locale:"),
    (["taro", "--name", "a\nb"], "name:"),
])
def test_add_refuses(h, args, why):
    more = [] if "--birth-date" in args or why.startswith("needs") else ["--birth-date", "1980-01-01"]
    said = h("user", "add", *args, *more, "--passwords", h.work / "other.csv")
    assert said.exit == INPUT and why in said.err, said
    assert h.logins() == ["hanako"] and not (h.work / "other.csv").exists()


def test_set(h):
    said = h("user", "set", "hanako", "--name", "鈴木 花子", "--email", "new@example.jp", "--locale", "", "--birth-date", "1981-02-03")
    assert said.exit == OK and said.out == "hanako: changed name birth_date email locale\n"
    p = h.show("hanako")
    assert (p["name"], p["email"], p["locale"], p["birth_date"]) == ("鈴木 花子", "new@example.jp", "", "1981-02-03")
    assert h("user", "set", "hanako", "--name", "鈴木 花子").out == "hanako: nothing to change\n"
    assert h.events() == ["user.set", "user.add"]
    assert h("user", "set", "hanako", "--email", "").exit == OK and h.show("hanako")["email"] == ""


def test_set_role(h):
    assert h("user", "set", "hanako", "--role", "staff").exit == OK and h.show("hanako")["role"] == "staff"
    assert h("user", "set", "hanako", "--birth-date", "").exit == OK
    said = h("user", "set", "hanako", "--role", "member")
    assert said.exit == INPUT and "needs a birth date" in said.err
    h("user", "add", "h.2", "--birth-date", "1980-01-01", "--passwords", h.work / "2.csv")
    assert "staff logins" in h("user", "set", "h.2", "--role", "staff").err
    h("user", "add", "root", "--birth-date", "1980-01-01", "--passwords", h.work / "3.csv", "--allow-system-login", "root")
    assert "a system account" in h("user", "set", "root", "--role", "staff").err
    assert h("user", "set", "root", "--role", "staff", "--allow-system-login", "root").exit == OK


def test_set_refuses(h):
    assert h("user", "set", "hanako").exit == USAGE
    assert h("user", "set", "hanako", "--role", "").exit == INPUT
    assert h("user", "set", "hanako", "--birth-date", "").exit == INPUT
    assert h("user", "set", "nobody-here", "--name", "x").exit == INPUT


def test_disable(h):
    for command, state, said in [("disable", "disabled", "disabled"), ("disable", "disabled", "nothing to change"),
                                 ("enable", "waiting", "enabled"), ("enable", "waiting", "nothing to change")]:
        assert h("user", command, "HANAKO").out == f"hanako: {said}\n"
        assert h.show("hanako")["state"] == state
    assert h.events() == ["user.enable", "user.disable", "user.add"]
    assert h("user", "disable", "nobody-here").exit == INPUT


@pytest.mark.parametrize("date, at, state", [
    ("2020-03-31", "2020-03-30T15:00:00Z", "expired"), ("2099-12-31", "2099-12-30T15:00:00Z", "waiting"),
    ("2096-02-29", "2096-02-28T15:00:00Z", "waiting"), ("令和40年1月1日", "2057-12-31T15:00:00Z", "waiting"),
    ("2100-03-01", "2100-02-28T15:00:00Z", "waiting"), ("never", "", "waiting"),
])
def test_expire(h, date, at, state):
    assert h("user", "expire", "hanako", date).exit == OK
    p = h.show("hanako")
    assert p["expires"] == at and p["state"] == state


def test_expire_refuses(h):
    for bad in ["soon", "2099-02-29", "1960-01-01", ""]:
        assert h("user", "expire", "hanako", bad).exit == INPUT
    assert h("user", "expire", "hanako").exit == USAGE
    assert h("user", "expire", "nobody-here", "never").exit == INPUT


def test_extend(h):
    (h.dir / "kosmo.conf.d/enrol.conf").write_text("enrol.by = 2098-12-31\n")
    assert h.show("hanako")["enrolment_until"] == "2098-12-31" and not h.show("hanako")["enrolment_finished"]
    for date, until in [("2099-02-28", "2099-02-28"), ("2097-01-01", "2098-12-31"), ("never", ""), ("default", "2098-12-31")]:
        said = h("user", "extend", "HANAKO", date)
        assert said.exit == OK and "the initial password ends on" in said.out.lower(), said
        assert h.show("hanako")["enrolment_until"] == until, "an earlier day takes nothing away"
    assert h.events() == ["user.extend"] * 4 + ["user.add"]
    h.load("login,birth_date,totp_secret\ndone,1980-01-01," + "A" * 32 + "\n")
    assert [p["login"] for p in h("user", "list", "--unfinished", "--json").json()] == ["hanako"]
    assert "2098-12-31" not in h("user", "list", "--unfinished").out, "the letter's password ends first"
    assert "1 person has not registered yet how they log in; by 2098-12-31" in h("doctor").out
    for who, date in [("hanako", "2020-01-01"), ("hanako", "soon"), ("nobody-here", "never"), ("done", "2099-01-01")]:
        assert h("user", "extend", who, date).exit == INPUT
    assert h("user", "extend", "hanako").exit == USAGE


def test_expire_password(h):
    said = h("user", "expire-password", "hanako")
    assert said.exit == INPUT and "no password of their own" in said.err and not h.show("hanako")["password_due"]
    own = h("user", "add", "taro", "--birth-date", "1980-01-01", "--password-stdin", stdin=b"mikan to densha 27\n")
    assert own.exit == OK and h.show("taro")["password_set"] and not h.show("hanako")["password_set"]
    for options, due, says in [((), True, "must be changed"), ((), True, "nothing to change"), (("--undo",), False, "may stay"),
                               (("--undo",), False, "nothing to change")]:
        said = h("user", "expire-password", *options, "taro")
        assert said.exit == OK and says in said.out and h.show("taro")["password_due"] == due
    events = [a["event"] for a in h("audit", "--json").json()]
    assert events[:2] == ["user.keep-password", "user.expire-password"]
    h("user", "expire-password", "taro")
    h("user", "reissue", "--replace-own", "--passwords", h.work / "new.csv", "taro")
    assert not h.show("taro")["password_set"] and not h.show("taro")["password_due"], "a new letter is no expired password"
    assert h("user", "expire-password", "nobody-here").exit == INPUT and h("user", "expire-password").exit == USAGE


def test_delete(h):
    said = h("user", "delete", "hanako")
    assert said.exit == USAGE and "--yes" in said.err and h.logins() == ["hanako"]
    assert h("user", "delete", "--yes", "hanako").exit == OK and h.logins() == []
    assert h("user", "delete", "-y", "hanako").exit == INPUT
    rows = h("audit", "--json").json()
    assert [(a["event"], a["login"]) for a in rows] == [("user.delete", "(deleted)"), ("user.add", "(deleted)")]
    assert "hanako" in rows[0]["detail"]
    assert h("user", "add", "hanako", "--birth-date", "1980-01-01", "--passwords", h.work / "2.csv").exit == OK


def test_delete_asks_on_a_terminal(h):
    import pexpect
    from conftest import KOSMOCTL
    for answer, code, left in [("no", INPUT, ["hanako"]), ("yes", OK, [])]:
        p = pexpect.spawn(str(KOSMOCTL), ["-c", str(h.conf), "user", "delete", "hanako"], timeout=20)
        p.expect("Type yes: ")
        p.sendline(answer)
        p.expect(pexpect.EOF)
        p.wait()
        assert p.exitstatus == code and h.logins() == left


def test_list_and_find(k):
    k.load("login,name,birth_date,email\n" + "".join(f"p{i:03},ﾔﾏﾀﾞ {i},1980-01-01,P{i}@Example.jp\n" for i in range(450)))
    assert k.logins() == [f"p{i:03}" for i in range(450)]
    text = k("user", "list").out.splitlines()
    assert len(text) == 450 and text[0].split() == ["p000", "member", "waiting", "ﾔﾏﾀﾞ", "0"]
    find = lambda t: [p["login"] for p in k("user", "find", "--json", t).json()]
    assert find("P449") == ["p449"] and find("ヤマダ 44") == ["p044"] + [f"p44{i}" for i in range(10)] and find("p7@example") == ["p007"]
    said = k("user", "find", "nobody-here")
    assert said.exit == INPUT and "nobody found" in said.err
    assert k("user", "find", "--json", "nobody-here").json() == []
    assert k("user", "find", "").exit == USAGE


def test_show_in_words(h):
    text = h("user", "show", "hanako").out
    for word in ["山田 花子", "member", "waiting", "1980-01-31", "Hanako@example.jp (not confirmed)", "initial", "good until"]:
        assert word in text
    assert h("user", "show", "nobody-here").exit == INPUT
    assert h("user", "show", "a b").exit == INPUT


def test_why_somebody_cannot_get_in(h):
    def why(login, word, *words):
        p = h.show(login)
        assert p["blocked_by"] == word and all(w in p["access"] for w in words), p
        said = [re.sub(r"\d+ seconds", "some seconds", t) for t in (p["access"], h("user", "show", login).out)]  # they pass
        assert f"access           {said[0]}\n" in said[1]

    def store(sql, *args):
        import sqlite3
        db = sqlite3.connect(h.db)
        with db:
            db.execute(sql, args)
        db.close()

    import time
    import uuid
    why("hanako", "not_begun", "not begun", "confirming the birth date")
    h("user", "disable", "hanako")
    why("hanako", "disabled", "kosmoctl user enable")
    h("user", "enable", "hanako")
    h("user", "expire", "hanako", "2020-01-01")
    why("hanako", "expired", "2019-12-31" if time.timezone == 0 else "20")
    h("user", "expire", "hanako", "never")
    h("user", "add", "alice", "--role", "staff", "--password-stdin", stdin=b"kuroneko-yamato-7\n")
    why("alice", "unfinished", "accepting the terms", "no login at the terminal")
    h.load("login,role,password,totp_secret\nbob,staff,kuroneko-yamato-7,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n")
    why("bob", "", "can log in")
    row = "INSERT INTO counter VALUES ((SELECT id FROM person WHERE login = 'bob'), ?, ?, ?, ?, ?, ?, 0, 0, ?)"
    now, nothing = int(time.time()), bytes(16)
    store(row, 0, 1, uuid.uuid4().bytes, 12, now + 4000, now + 4000, now + 5000)
    why("bob", "", "can log in")  # the clock was ahead
    store(row, 0, 7, nothing, 5, now + 300, now - 1, now + 5000)
    why("bob", "waiting", "must wait", "5 wrong passwords in a row", "except with a browser or key")
    store("UPDATE counter SET failures = 100, not_before = ? WHERE lane = 7", now + 80000)
    why("bob", "lane_closed", "cannot log in until", "100 wrong passwords in a row", "user unlock")
    store(row, 1, 8, nothing, 100, (1 << 63) - 1, now, (1 << 63) - 1)
    why("bob", "factor_disabled", "codes of the app", "recovery code", "user unlock")
    store("UPDATE counter SET kind = 3 WHERE lane = 8")
    why("bob", "factor_disabled", "codes by mail", "recovery code", "user unlock")
    store(row, 1, 8, nothing, 100, (1 << 63) - 1, now, (1 << 63) - 1)
    assert h("user", "unlock", "bob").out == "bob: unlocked\n" and h.events()[:3] == ["factor.enabled", "factor.enabled", "user.unlock"]
    store(row, 3, 7, nothing, 100, now + 80000, now, now + 90000)
    why("bob", "lane_closed", "100 wrong codes by mail in a row")
    assert h("user", "unlock", "bob").out == "bob: unlocked\n"
    why("bob", "", "can log in")
    assert h("user", "unlock", "bob").out == "bob: nothing was counted\n" and h("user", "unlock", "nobody-here").exit == INPUT
    store("INSERT INTO batch VALUES (?, 1, 0)", b"x" * 16)
    store("UPDATE person SET batch = ? WHERE login = 'bob'", b"x" * 16)
    said = h("user", "show", "bob")
    assert said.exit == INPUT and "import that brings them is not through" in said.err


def test_an_old_initial_password_lapses(h):
    (h.dir / "kosmo.conf.d/days.conf").write_text("initial_password_days = 1\n")
    assert h.show("hanako")["state"] == "waiting"


def test_output_that_cannot_be_written(h):
    with open("/dev/full", "wb") as full:
        import subprocess
        from conftest import KOSMOCTL
        p = subprocess.run([KOSMOCTL, "-c", h.conf, "user", "list"], stdout=full, stderr=subprocess.PIPE)
    assert p.returncode == 1 and b"standard output" in p.stderr


def test_the_store_is_refused(h):
    h.db.chmod(0o600)
    key = h.dir / "key"
    key.chmod(0o644)
    said = h("user", "list")
    assert said.exit == 1 and "key" in said.err, said
    key.chmod(0o600)
    key.unlink()
    assert h("user", "list").exit == 1
    run("init", "--dir", h.work / "other", "--url", "http://localhost:1")
    key.write_bytes((h.work / "other/key").read_bytes())
    key.chmod(0o600)
    assert h("user", "list").exit == 1
