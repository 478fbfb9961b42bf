import stat

import pytest
from conftest import INPUT, OK, USAGE

HEAD = "login,birth_date,role,password\n"


@pytest.fixture
def people(k):
    assert k.load(HEAD + "".join(f"p{i:03},1980-01-01,,\n" for i in range(250)) +
                  "own,1980-01-01,,kuroneko-yamato-7\ngone,1980-01-01,,\nlate,1980-01-01,,\n").exit == OK
    k("user", "disable", "gone")
    k("user", "expire", "late", "2020-01-01")
    k.before = k.initial()
    k.passwords.unlink()
    return k


def test_named(people):
    said = people("user", "reissue", "--passwords", people.passwords, "p001", "P002", "p001")
    assert said.exit == OK and "2 new initial passwords" in said.out, said
    now = people.initial()
    assert sorted(now) == ["p001", "p002"] and now["p001"] != people.before["p001"]
    assert stat.S_IMODE(people.passwords.stat().st_mode) == 0o600
    assert people.events()[:2] == ["user.reissue", "user.reissue"]


def test_all_unfinished(people):
    said = people("user", "reissue", "--all-unfinished", "--passwords", people.passwords)
    assert said.exit == OK and "250 new" in said.out, said
    now = people.initial()
    assert sorted(now) == [f"p{i:03}" for i in range(250)]
    assert not set(now.values()) & set(people.before.values())


def test_from_a_file(people):
    f = people.sheet("p001\r\n\r\np100\n", "logins.txt")
    said = people("user", "reissue", "--file", f, "--passwords", people.passwords)
    assert said.exit == OK and sorted(people.initial()) == ["p001", "p100"]
    people.passwords.unlink()
    said = people("user", "reissue", "--file", people.sheet("p001\nnobody\nnone\n", "logins.txt"), "--passwords", people.passwords)
    assert said.exit == INPUT and "nobody: there is no such person" in said.err and "none: there is no" in said.err
    assert not people.passwords.exists()
    assert people("user", "reissue", "--file", people.sheet("\n", "logins.txt")).exit == INPUT
    assert people("user", "reissue", "--file", people.work / "none.txt").exit == INPUT


def test_an_own_password_ends_only_if_asked(people):
    said = people("user", "reissue", "own", "p001", "--passwords", people.passwords)
    assert said.exit == INPUT and "--replace-own" in said.err and not people.passwords.exists()
    assert people.show("own")["password"] == "own"
    said = people("user", "reissue", "own", "--replace-own", "--passwords", people.passwords)
    assert said.exit == OK and people.show("own")["password"] == "initial"


def test_nobody(k):
    said = k("user", "reissue", "--all-unfinished", "--passwords", k.passwords)
    assert said.exit == OK and "nobody needs one" in said.out and not k.passwords.exists()


def test_usage(people):
    assert people("user", "reissue").exit == USAGE
    assert people("user", "reissue", "--all-unfinished", "p001").exit == USAGE
    assert people("user", "reissue", "--all-unfinished", "--replace-own").exit == USAGE
    people.passwords.write_text("mine")
    said = people("user", "reissue", "p001", "--passwords", people.passwords)
    assert said.exit != OK and people.passwords.read_text() == "mine"
