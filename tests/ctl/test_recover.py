"""kosmoctl user recover: who gets a one-time code, and what is said about it. What it is good for: tests/web/test_lost.py."""
import re
import sqlite3
import time
from datetime import datetime, timezone

import pytest
from conftest import INPUT, OK, USAGE

HEAD = "login,name,birth_date,email,password,totp_secret\n"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
CODE = r"[0-9a-z]{4}(-[0-9a-z]{4}){3}"


@pytest.fixture
def people(k):
    assert k.load(HEAD + "".join(f"{p},{p},1980-01-01,{p}@example.jp,kuroneko-yamato-7,{SEED}\n" for p in ("app", "gone", "late")) +
                  "letter,x,1980-01-01,x@example.jp,,\n").exit == OK
    k("user", "disable", "gone")
    k("user", "expire", "late", "2020-01-01")
    return k


def codes(k):
    db = sqlite3.connect(k.db)
    try:
        return db.execute("SELECT purpose, used, expires - created FROM code").fetchall()
    finally:
        db.close()


def test_a_code_alone_on_standard_output(people):
    said = people("user", "recover", "APP")
    assert said.exit == OK and re.fullmatch(CODE + "\n", said.out), said
    assert "app types it in the browser" in said.err and "no mail tells them" in said.err
    assert codes(people) == [(7, 0, 86400)]
    assert people.events()[0] == "user.recover"
    text = said.out.strip().encode()
    assert not any(text in f.read_bytes() or text.replace(b"-", b"") in f.read_bytes() for f in people.dir.glob("kosmo.db*"))
    assert text.decode() not in people("audit").out


def test_json_and_the_newest_replaces(people):
    first = people("user", "recover", "--json", "app").json()
    second = people("user", "recover", "--json", "app").json()
    assert set(first) == {"login", "code", "expires", "mailed"} and first["mailed"] is False
    assert first["code"] != second["code"] and re.fullmatch(CODE, second["code"])
    ends = datetime.strptime(second["expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()
    assert abs(ends - time.time() - 86400) < 60
    assert len(codes(people)) == 1


@pytest.mark.parametrize("login, why", [
    ("nobody", "no such person"), ("a b", "cannot be a login"), ("gone", "cannot log in at all"), ("late", "cannot log in at all"),
    ("letter", "nothing is registered yet"),
])
def test_refuses(people, login, why):
    before = people.events()
    said = people("user", "recover", login)
    assert said.exit == INPUT and why in said.err and said.out == "", said
    assert codes(people) == [] and people.events() == before


def test_wants_one(people):
    assert people("user", "recover").exit == USAGE and people("user", "recover", "app", "gone").exit == USAGE


def test_email_optional(people):
    assert people.show("letter")["email_optional"] is False
    said = people("user", "set", "letter", "--email-optional", "yes", "--email", "")
    assert said.exit == OK and said.out == "letter: changed email email_optional\n", said
    assert people.show("letter")["email_optional"] is True and "need not have one" in people("user", "show", "letter").out
    assert people("user", "set", "letter", "--email-optional", "yes").out == "letter: nothing to change\n"
    assert people("user", "set", "letter", "--email-optional", "no").exit == OK and not people.show("letter")["email_optional"]
    for bad in "", "Yes", "1":
        said = people("user", "set", "letter", "--email-optional", bad)
        assert said.exit == INPUT and "neither yes nor no" in said.err
    said = people("user", "add", "new", "--birth-date", "1980-01-01", "--email-optional", "yes", "--passwords", people.work / "n.csv")
    assert said.exit == OK and people.show("new")["email_optional"] is True, said
