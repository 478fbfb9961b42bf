import sqlite3

import pytest
from conftest import FAILED, INPUT, OK, USAGE


@pytest.fixture
def log(k):
    """Ten entries."""
    k.load("login,birth_date\na,1980-01-01\n")
    for i in range(9):
        k("user", "enable" if i % 2 else "disable", "a")
    return k


def rows(k, sql):
    """As somebody who can write rows, and has no key."""
    with sqlite3.connect(k.db) as db:
        db.executescript(sql)
    db.close()


def test_whole(log):
    said = log("audit", "--verify")
    assert said.exit == OK and said.out.startswith("10 entries, 1 to 10, from 20"), said
    j = log("audit", "--verify", "--json").json()
    assert j["whole"] and j["fault"] is None and (j["entries"], j["first"], j["last"], j["pruned"]) == (10, 1, 10, 0)
    assert f"head 10:{j['mac']}\n" in said.out and len(j["mac"]) == 16 and j["from"] <= j["to"]


FOUND = [
    ("UPDATE audit SET event = 'user.enable' WHERE seq = 6", "entry 6 does not fit"),
    ("DELETE FROM audit WHERE seq IN (4, 5)", "entries 4 to 5 are missing"),
    ("DELETE FROM audit WHERE seq < 4", "entries 1 to 3 are missing"),
    ("DELETE FROM audit WHERE seq > 7", "entries 8 to 10 are missing: the log was cut off behind 7"),
    ("UPDATE audit SET seq = -1 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = -1",
     "entry 2 does not fit"),
    ("INSERT INTO audit SELECT 11, time, person, event, door, sealed, mac FROM audit WHERE seq = 10", "entry 11 does not fit"),
    ("DELETE FROM audit_mark", "at entry 10"),
]


def test_found(log):
    whole = log.db.read_bytes()  # nobody has it open: no -wal
    for sql, said in FOUND:
        rows(log, sql)
        v = log("audit", "--verify")
        assert v.exit == FAILED and f"audit: {said}" in v.err and "nothing was changed" not in v.out, v
        log.db.write_bytes(whole)
    rows(log, FOUND[0][0])
    j = log("audit", "--verify", "--json")
    assert j.exit == FAILED and (j.json()["whole"], j.json()["fault"], j.json()["bad"]) == (False, "changed", 6)


def test_heads(log):
    before = log("audit", "--verify", "--json").json()
    note = f"{before['last']}:{before['mac']}"
    copy = log.db.read_bytes()
    log("user", "enable", "a")
    now = log("audit", "--verify", "--json").json()
    journal = log.sheet("".join(f"Nov 23 01:0{i}:00 host kosmo-keeper[77]: {text}\n" for i, text in enumerate((
        "auth: allow service=sshd", f"audit head seq={now['last']} mac={now['mac']}", f"audit head seq={before['last']} mac={before['mac']}",
        "audit head seq=5 mac=nothing"))), "journal")
    for option in (["--head", note], ["--heads", journal], ["--head", note.upper(), "--heads", journal]):
        v = log("audit", "--verify", *option)
        assert v.exit == OK and "noted heads fit, the newest is" in v.out, v
    assert log("audit", "--verify", "--heads", "-", stdin=journal.read_bytes()).exit == OK
    v = log("audit", "--verify", "--head", "4" + note[2:])
    assert v.exit == FAILED and "entry 4 is not the one that was noted" in v.err, v
    # an older copy of the whole store fits by itself
    log.db.write_bytes(copy)
    assert log("audit", "--verify").exit == OK
    v = log("audit", "--verify", "--heads", journal)
    assert v.exit == FAILED and "entries 11 to 11 are missing" in v.err and "1 of 2 noted heads fit" in v.out, v
    log("user", "enable", "a")
    v = log("audit", "--verify", "--heads", journal)
    assert v.exit == FAILED and "entry 11 is not the one that was noted" in v.err, v


def test_command_line(log):
    for bad in (["--head", "1:00"], ["--head", "x:0011223344556677"], ["--head", "0:0011223344556677"], ["--head", "0011223344556677"],
                ["--head", "1:00112233445566778"], ["--head", "99999999999999999999:0011223344556677"], ["--limit", "3"],
                ["--person", "a"]):
        assert log("audit", "--verify", *bad).exit == USAGE, bad
    assert log("audit", "--head", "1:0011223344556677").exit == USAGE
    assert log("audit", "--verify", "--heads", log.work / "none").exit == INPUT
    assert log("audit", "--verify", "--heads", log.sheet("nothing\n", "empty")).exit == INPUT
