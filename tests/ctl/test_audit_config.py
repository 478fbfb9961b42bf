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


def put(k, name, text):
    f = k.dir / "site" / name
    f.parent.mkdir(exist_ok=True)
    if isinstance(text, bytes):
        f.write_bytes(text)
    else:
        f.write_text(text)
    return f


# A file of the site's, what is in it, what is said of it; a warning does not fail.
SITE = [
    ("terms.ja.md", "a\n\n[x](javascript:alert(1))\n", "warning: ", "terms.ja.md:3: a link to \"javascript:alert(1)\" is not made"),
    ("terms.ja.md", "<script>x</script>\n", "warning: ", "terms.ja.md:1: HTML is not shown"),
    ("terms.ja.md", "> " * 60, "", "terms.ja.md:1: lists and quotes stand too deep"),
    ("terms.ja.md", "x" * 100000, "", "terms.ja.md: larger than 96 KB"),
    ("terms.en.md", "", "", "terms.en.md: empty"),
    ("terms.en.md", b"a\n\xff\n", "", "terms.en.md:2: not UTF-8"),
    ("terms.ja.txt", "x\n", "warning: ", "terms.ja.txt: is not read, because there is terms.ja.md"),
    ("terms.ja.md", "規約です。" * 3000, "warning: ", "the page of the terms weighs"),
    ("organisation.ja.txt", "a\nb\n", "", "organisation.ja.txt:2: more than one line"),
    ("contact.en.txt", "x" * 3000, "", "contact.en.txt: larger than"),
    ("colours.conf", "main = #ffcc00\n", "", "colours.conf:1: #ffcc00 cannot be read well in the light: as text on the page it has a contrast of 1.4:1"),
    ("colours.conf", "main = blue\n", "", "colours.conf:1: \"blue\" is no colour"),
    ("logo.svg", '<svg xmlns="http://www.w3.org/2000/svg">\n<script>x</script></svg>', "", "logo.svg: line 2: the element <script>"),
    ("logo.svg", "<svg>" + " " * 21000 + "</svg>", "", "logo.svg: larger than 20 KB"),
    ("logo.png", b"GIF89a", "", "logo.png: not a whole PNG"),
    ("logo-dark.svg", '<svg xmlns="http://www.w3.org/2000/svg"/>', "warning: ", "logo-dark: is shown in the dark alone"),
    ("templates/login.html", "{{#x}}", "", "templates/login.html:1: section x is never closed"),
    ("templates/error.html", "x", "", "templates/error.html: the form to /language is missing"),
    ("templates/login.htm", "x", "warning: ", "templates/login.htm: is not read"),
    ("tems.ja.md", "x", "warning: ", "tems.ja.md: nothing reads a file of this name"),
    ("tls.pem", "-----BEGIN PRIVATE KEY-----\n", "", "tls.pem: a private key"),
    ("mail/code.ja.txt", "x", "", "mail/code.ja.txt:1"),
]


@pytest.mark.parametrize("name, text, kind, why", SITE)
def test_config_check_site(k, name, text, kind, why):
    put(k, name, text)
    said = k("config", "check")
    assert said.exit == (OK if kind else FAILED), said
    lines = [line for line in said.err.splitlines() if why in line]
    assert len(lines) == 1 and lines[0].startswith(f"kosmoctl: {kind}{k.dir}/site"), said


def test_config_check_terms(k):
    assert k("config", "check").err == ""
    (k.dir / "site/terms.ja.md").unlink()
    said = k("config", "check")
    assert said.exit == OK and "warning: " in said.err and "terms.ja.md: no terms in this language" in said.err
    (k.dir / "site/terms.en.md").unlink()
    said = k("config", "check")
    assert said.exit == FAILED and "no terms to show, and terms.version is 1" in said.err
    (k.dir / "kosmo.conf.d/x.conf").write_text("terms.version = 0\n")
    assert k("config", "check").exit == OK
    (k.dir / "kosmo.conf.d/x.conf").write_text("terms.date = 2026-2-30\n")
    assert "x.conf:1: terms.date: \"2026-2-30\" is no date" in k("config", "check").err


def test_config_check_in_many_files_at_once(k):
    for name, text, kind, _ in SITE:
        if name.split("/")[-1] not in ("terms.ja.md", "logo.svg", "colours.conf") and not kind:
            put(k, name, text)
    said = k("config", "check").err
    for name in ("terms.en.md", "organisation.ja.txt", "contact.en.txt", "logo.png", "templates/login.html", "tls.pem"):
        assert f"{k.dir}/site/{name}" in said, name


def test_site_template(k):
    names = k("site", "template").out.split()
    assert "login" in names and "terms" in names
    page = k("site", "template", "login").out
    assert page.startswith("{{! Made from the built-in page login, ") and "{{>head}}" in page
    put(k, "templates/login.html", page)
    said = k("config", "check")
    assert (said.exit, said.err) == (OK, "")
    assert k("site", "template", "nothing").exit == INPUT
    assert k("site", "template", "a", "b").exit == USAGE


def test_no_configuration(k):
    assert k("-c", "x").exit == USAGE  # -c twice
    k.conf.unlink()
    for command in (["user", "list"], ["config", "show"], ["config", "check"], ["import", "x"], ["audit"]):
        said = k(*command)
        assert said.exit == FAILED and str(k.conf) in said.err, said
