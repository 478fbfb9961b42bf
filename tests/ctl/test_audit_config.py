import re

import pytest
from conftest import FAILED, INPUT, OK, USAGE


def test_audit(k):
    k.load("login,birth_date\n" + "".join(f"p{i},1980-01-01\n" for i in range(5)))
    for i in range(5):
        k("user", "disable", f"p{i}")
        k("user", "enable", f"p{i}")
    rows = k("audit", "--json").json()
    assert [(r["event"], r["login"]) for r in rows[:3]] == [("user.enable", "p4"), ("user.disable", "p4"), ("user.enable", "p3")]
    assert rows[-1]["event"] == "import.publish" and rows[-1]["login"] == ""
    assert [r["seq"] for r in rows] == list(range(11, 0, -1)) and {r["door"] for r in rows} == {"ctl"}
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", r["time"]) for r in rows)
    assert [r["event"] for r in k("audit", "--json", "--person", "P3").json()] == ["user.enable", "user.disable"]
    assert len(k("audit", "--limit", "3").out.splitlines()) == 3
    assert k("audit", "--limit", "0").exit == k("audit", "--limit", "x").exit == k("audit", "--limit", "-1").exit == USAGE
    assert k("audit", "--person", "nobody-here").exit == INPUT


def test_audit_many(k):
    k.load("login,birth_date\n" + "".join(f"p{i:03},1980-01-01\n" for i in range(350)))
    k.load("login,birth_date\n" + "".join(f"p{i:03},1980-01-02\n" for i in range(350)))
    assert len(k.events()) == 352 and len(k("audit", "--json").json()) == 50
    assert len(k("audit", "--json", "--limit", "200").json()) == 200


def test_config_show(k):
    lines = k("config", "show").out.splitlines()
    j = k("config", "show", "--json").json()
    assert lines == [f"{name} = {value}" for name, value in j.items()]
    assert j["initial_password_days"] == "90" and j["mail.transport"] == "maildir"


@pytest.mark.parametrize("line, why", [
    ("site_dir = /no/such", "site_dir = /no/such: No such file"),
    ("mail.maildir = /no/such", "mail.maildir = /no/such: No such file"),
    ("nonsense = 1", "x.conf:1: "), ("mail.transport = pigeon", "x.conf:1: "),
    ("mail.smtp_user = me\nmail.smtp_password_file = /no/such\nmail.transport = smtp", "mail.smtp_password_file: /no/such: No such file"),
    ("mail.from =\nmail.transport = smtp", "mail.from is empty"),
    ("state_dir = /no/such", "state_dir = /no/such: No such file"),
    ("passkey.attestation = require", "passkey.roots"), ("passkey.rp_id = example.org", "passkey.rp_id"),
    ("passkey.attestation = require\npasskey.roots = /no/such", "/no/such: No such file"),
    ("passkey.attestation = require\npasskey.roots = /etc/hostname", "/etc/hostname"),
])
def test_config_check(k, line, why):
    assert k("config", "check").exit == OK
    (k.dir / "kosmo.conf.d/x.conf").write_text(line + "\n")
    said = k("config", "check")
    assert said.exit == FAILED and why in said.err, said


def test_config_check_terms(k):
    (k.dir / "site/terms.ja.txt").unlink()
    assert "terms.ja.txt" in k("config", "check").err
    (k.dir / "kosmo.conf.d/x.conf").write_text("terms.version = 0\n")
    assert "terms.version" in k("config", "show").out


def test_no_configuration(k):
    assert k("-c", "x").exit == USAGE  # -c twice
    k.conf.unlink()
    for command in (["user", "list"], ["config", "show"], ["config", "check"], ["import", "x"], ["audit"]):
        said = k(*command)
        assert said.exit == FAILED and str(k.conf) in said.err, said
