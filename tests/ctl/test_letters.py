"""kosmoctl letters: what waits under seal comes onto paper whole, or stays."""
import csv
import os
import re
import signal
import stat
import subprocess
import time

import pytest
from conftest import BUSY, FAILED, INPUT, KOSMOCTL, OK, USAGE, run
from made import made

PEOPLE = "login,name,birth_date,locale\nhanako,山田 花子,1950-01-31,\nyoshi,𠮷田 髙﨑,1950-01-31,ja\nken,Ken O'Hara,1950-01-31,en\n"
PASSWORD = re.compile(r"\b[0-9a-z]{4}(?:-[0-9a-z]{4}){3}\b")


def text(pdf):
    return subprocess.run(["pdftotext", "-layout", pdf, "-"], stdout=subprocess.PIPE, check=True).stdout.decode()


def pages(pdf):
    return text(pdf).split("\f")[:-1]


@pytest.fixture
def w(k):
    """Three letters wait."""
    said = k("import", "--letters", k.sheet(PEOPLE))
    assert said.exit == OK and "3 letters wait" in said.out and not list(k.work.glob("*passwords*")), said
    return k


def waiting(k):
    return k("letters", "--json").json()["waiting"]


def test_on_paper_once(w):
    pdf = w.work / "letters.pdf"
    assert w("letters").out.startswith("3 letters wait")
    said = w("letters", "--pdf", pdf)
    assert said.exit == OK and "3 letters in" in said.out and said.err == "", said
    assert stat.S_IMODE(pdf.stat().st_mode) == 0o600
    hanako, ken, yoshi = pages(pdf)
    assert "山田 花子 様" in hanako and "hanako" in hanako and "WEBサービスのご案内" in hanako
    assert "𠮷田 髙﨑 様" in yoshi and "Ken O'Hara" in ken and "Initial password" in ken
    found = [PASSWORD.findall(p) for p in (hanako, ken, yoshi)]
    assert all(len(f) == 1 for f in found), found
    fonts = subprocess.run(["pdffonts", pdf], stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()[2:]
    assert fonts and all(line.split()[-5] == "yes" for line in fonts), fonts
    # the code has the user ID, and never the password
    subprocess.run(["pdftoppm", "-r", "100", "-gray", "-png", pdf, w.work / "page"], check=True)
    codes = [subprocess.run(["zbarimg", "-q", "--raw", f], stdout=subprocess.PIPE).stdout.decode().strip() for f in sorted(w.work.glob("page*.png"))]
    assert codes == [f"http://localhost:8480/login?id={login}" for login in ("hanako", "ken", "yoshi")]
    # gone: from the store and from its file
    assert waiting(w) == 0 and w("letters").out.startswith("no letter waits")
    said = w("letters", "--pdf", w.work / "again.pdf")
    assert said.exit == OK and "no letter waits" in said.out and not (w.work / "again.pdf").exists()
    for f in w.dir.glob("kosmo.db*"):
        for (password,) in found:
            assert password.encode() not in f.read_bytes()
    assert w.events().count("letter.taken") == 3 and w("store", "check").exit == OK
    # an existing file is nobody's to write over
    assert w("letters", "--pdf", pdf).exit == FAILED


def test_for_a_print_house(w):
    w.load("login,name,birth_date\nfore,=1+1,1950-01-31\n", "--skip-bad")
    assert w("user", "reissue", "--letters", "fore").exit == OK
    out = w.work / "out.csv"
    assert w("letters", "--csv", out, "--lang", "en").exit == OK
    with open(out, encoding="utf-8-sig", newline="") as f:
        rows = {r["login"]: r for r in csv.DictReader(f)}
    assert set(rows) == {"hanako", "ken", "yoshi", "fore"} and rows["fore"]["name"] == "'=1+1"
    assert all(PASSWORD.fullmatch(r["initial_password"]) and r["language"] == "en" for r in rows.values())
    assert rows["ken"]["valid_until"] == w("user", "show", "ken", "--json").json()["initial_password_until"]
    assert rows["ken"]["page_for_qr"] == "http://localhost:8480/login?id=ken"
    assert stat.S_IMODE(out.stat().st_mode) == 0o600 and waiting(w) == 0


def test_some_of_them(w):
    assert w("letters", "--pdf", w.work / "a.pdf", "ken", "nobody").exit == INPUT and waiting(w) == 3
    said = w("letters", "--json", "--pdf", w.work / "a.pdf", "ken", "KEN", "ken")
    assert said.exit == OK and waiting(w) == 2 and len(pages(w.work / "a.pdf")) == 1, said
    assert said.json() == {"file": str(w.work / "a.pdf"), "printed": 1, "not_printed": 0, "held": 0, "void": 0}
    assert w("letters", "--pdf", w.work / "b.pdf", "ken").exit == INPUT and not (w.work / "b.pdf").exists()
    # a new password takes the place of the one that waits; one in a file makes it void; who is disabled waits on
    assert w("user", "reissue", "--letters", "hanako").exit == OK and waiting(w) == 2
    assert w("user", "reissue", "--passwords", w.work / "p.csv", "hanako").exit == OK and waiting(w) == 1
    assert w("user", "disable", "yoshi").exit == OK
    said = w("letters", "--pdf", w.work / "c.pdf")
    assert said.exit == OK and "1 waiting on" in said.out and not (w.work / "c.pdf").exists()
    said = w("letters", "--json", "--csv", w.work / "c.csv").json()
    assert said == {"file": None, "printed": 0, "not_printed": 0, "held": 1, "void": 0} and not (w.work / "c.csv").exists(), said
    assert w("letters", "--json", "--sample", "--lang", "en", "--csv", w.work / "s.csv").json()["printed"] == 1
    assert w("user", "enable", "yoshi").exit == OK and waiting(w) == 1
    assert w("user", "add", "--letters", "--birth-date", "1950-01-31", "mika").exit == OK and waiting(w) == 2


def test_wrong_calls(w):
    for args in (["--pdf", "a", "--csv", "b"], ["ken"], ["--sample"], ["--lang", "fr", "--pdf", "a"], ["--template", "fr"], ["--template", "ja", "--json"],
                 ["--template", "ja", "--sample", "--pdf", "a"], ["--template", "ja", "ken"]):
        assert w("letters", *args).exit == USAGE, args
    assert w("import", "--letters", "--passwords", "x", w.sheet(PEOPLE)).exit == USAGE
    assert w("user", "add", "--letters", "--passwords", "x", "joe").exit == USAGE
    assert w("letters", "--pdf", w.work / "no/such/a.pdf").exit == FAILED and waiting(w) == 3


def test_the_sites_own(w):
    site = w.dir / "site"
    for lang in "ja", "en":
        (site / f"letter.{lang}.txt").write_text(w("letters", "--template", lang).out)
    (site / "letter.ja.txt").write_text("# ours\n.title われらの手紙\n{name}さん、{login}です。\n.login 番号\n.password 合言葉\n.qr ここ\n")
    assert "letter." not in w("config", "check").err
    assert w("letters", "--pdf", w.work / "a.pdf", "hanako").exit == OK
    assert "われらの手紙" in text(w.work / "a.pdf") and "山田 花子さん、hanakoです。" in text(w.work / "a.pdf")
    for line, why in (".titel x", "unknown block"), ("{pasword}", "unknown {placeholder}"), ("", "one .login and one .password"), (".login x\n.login y", "a second"):
        (site / "letter.ja.txt").write_text("text\n" + line + "\n")
        for said in w("letters", "--pdf", w.work / "b.pdf"), w("config", "check"):
            assert said.exit == FAILED and "letter.ja.txt:" in said.err and why in said.err, said
        assert waiting(w) == 2 and not (w.work / "b.pdf").exists()
    (site / "letter.ja.txt").unlink()
    (site / "logo.png").write_bytes(b"no picture")
    assert w("letters", "--pdf", w.work / "b.pdf").exit == FAILED and waiting(w) == 2
    (site / "logo.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    said = w("letters", "--pdf", w.work / "b.pdf")
    assert said.exit == FAILED and "logo" in said.err and waiting(w) == 2 and not (w.work / "b.pdf").exists(), said


def test_markup_is_text(k):
    """Names, the house's words and the template are shown as they are written, and no value is filled in once more."""
    k.load("login,name,birth_date\nmark,<b>A&amp;{login}</b> <span size='9'>,1950-01-31\n")
    assert k("user", "reissue", "--letters", "mark").exit == OK
    (k.dir / "site/organisation.ja.txt").write_text("<i>O & {name}</i>\n")
    (k.dir / "site/contact.ja.txt").write_text("<u>C < D\n")
    (k.dir / "site/letter.ja.txt").write_text("{name}\n{organisation}\n{contact}\n<s>T</s>&lt;\n.login &\n.password <\n")
    said = k("letters", "--lang", "ja", "--pdf", k.work / "a.pdf")
    assert said.exit == OK, said
    for line in "<b>A&amp;{login}</b> <span size='9'>", "<i>O & {name}</i>", "<u>C < D", "<s>T</s>&lt;":
        assert line in text(k.work / "a.pdf"), line


def test_a_character_that_nobody_has(w):
    w.load("login,name,birth_date\n" + "".join(f"odd{i:02},山田\U000e0fff\U000323af,1950-01-31\n" for i in range(25)))
    w("user", "reissue", "--letters", *(f"odd{i:02}" for i in range(25)))
    said = w("letters", "--pdf", w.work / "a.pdf")
    if said.exit == OK:
        pytest.skip("a font here has everything")
    assert said.exit == FAILED and "odd00: not printed" in said.err and "U+" in said.err and "25 not printed" in said.out, said
    assert len(pages(w.work / "a.pdf")) == 3 and waiting(w) == 25


def test_a_house_that_does_not_fit(k):
    """Said by config check, before a letter waits; the letters that there are wait on."""
    (k.dir / "kosmo.conf.d").mkdir(exist_ok=True)
    (k.dir / "kosmo.conf.d/50-test.conf").write_text(f"site_dir = {k.work}/site\nterms.version = 0\n")
    (k.work / "site").mkdir()
    (k.work / "site/contact.en.txt").write_text("Desk\n")
    (k.work / "site/contact.ja.txt").write_text("".join(f"窓口 {i}  電話 03-1234-{i:04}\n" for i in range(40)))
    said = k("config", "check")
    assert said.exit == FAILED and "letters in ja cannot be printed: the letter is too long for one sheet" in said.err and "in en" not in said.err, said
    said = k("letters", "--sample", "--pdf", k.work / "s.pdf")
    assert said.exit == FAILED and "too long" in said.err and len(pages(k.work / "s.pdf")) == 1, said
    (k.work / "site/contact.ja.txt").write_text("窓口\n")
    assert k("config", "check").exit == OK


def test_no_later_day_than_the_deadlines(k):
    """What the paper says is the day after which nobody gets in; after it, no paper is made."""
    (k.dir / "kosmo.conf.d").mkdir(exist_ok=True)
    (k.dir / "kosmo.conf.d/50-test.conf").write_text("enrol.days = 30\n")
    assert k("import", "--letters", k.sheet(PEOPLE)).exit == OK
    assert k("letters", "--csv", k.work / "a.csv", "ken").exit == OK
    with open(k.work / "a.csv", encoding="utf-8-sig", newline="") as f:
        row, = csv.DictReader(f)
    shown = k("user", "show", "ken", "--json").json()
    assert row["valid_until"] == shown["enrolment_until"] < shown["initial_password_until"], shown
    subprocess.run([made("pam", "put_back") / "put_back", k.conf, "40", "hanako", "yoshi"], check=True)
    said = k("letters", "--pdf", k.work / "a.pdf")
    assert "2 waiting on for people who are disabled, frozen, expired or past their deadline" in said.out, said


def test_nothing_is_lost(k):
    """A full disk, a program that is killed, a Ctrl-C: everything waits on."""
    n = 1500
    assert k("import", "--letters", k.sheet("login,name,birth_date\n" + "".join(f"m{i:05},山田 {i},1950-01-31\n" for i in range(n)))).exit == OK
    pdf = k.work / "a.pdf"
    full = subprocess.run(["prlimit", "--fsize=200000", KOSMOCTL, "-c", k.conf, "letters", "--pdf", pdf], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert full.returncode == FAILED and b"File too large" in full.stderr and not pdf.exists(), full
    for who, sig in ("letters", signal.SIGKILL), ("kosmoctl", signal.SIGINT), ("kosmoctl", signal.SIGKILL):
        pdf.unlink(missing_ok=True)
        p = subprocess.Popen([KOSMOCTL, "-c", k.conf, "letters", "--pdf", pdf], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until = time.monotonic() + 60
        while not (pdf.exists() and pdf.stat().st_size > 50000):
            assert time.monotonic() < until and p.poll() is None
        child, = open(f"/proc/{p.pid}/task/{p.pid}/children").read().split() if os.geteuid() else [c for c in open(f"/proc/{p.pid}/task/{p.pid}/children").read().split() if "kosmo-letters" in open(f"/proc/{c}/cmdline").read()]
        os.kill(int(child) if who == "letters" else p.pid, sig)
        p.communicate(timeout=60)
        assert p.returncode in ((BUSY,) if sig == signal.SIGINT else (FAILED,) if who == "letters" else (-9,)), (who, sig, p.returncode)
        assert pdf.exists() == (who == "kosmoctl" and sig == signal.SIGKILL) and waiting(k) == n
    pdf.unlink()
    assert k("letters", "--pdf", pdf).exit == OK and len(pages(pdf)) == n and waiting(k) == 0


def test_the_program_alone():
    program = KOSMOCTL.parent.parent / "letters/kosmo-letters"
    assert run(program=program).exit == USAGE and run("--version", program=program).out.startswith("kosmo-letters ")
