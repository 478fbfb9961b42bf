"""kosmoctl import: what good files do."""
import csv
import hashlib
import re
import stat

import pexpect
import pytest
from conftest import INPUT, KOSMOCTL, OK, USAGE

HEAD = "login,name,birth_date,email,role,password,totp_secret,locale\n"
HANAKO = "hanako,山田 花子,1980-01-31,hanako@example.jp,,,,ja\n"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DP"


def test_one_member(k):
    said = k.load(HEAD + HANAKO)
    assert said.exit == OK, said
    assert "1 new, 0 updated, 0 unchanged, 0 address differences, 0 bad" in said.out
    p = k.show("hanako")
    assert (p["name"], p["birth_date"], p["email"], p["role"], p["locale"]) == ("山田 花子", "1980-01-31", "hanako@example.jp",
                                                                                 "member", "ja")
    assert p["state"] == "waiting" and p["password"] == "initial" and not p["email_verified"]
    assert not p["birth_date_confirmed"] and p["authenticators"] == [] and p["method"] == "none"
    assert k.events()[0] == "import.publish"


def test_the_passwords_file(k):
    assert k.load(HEAD + HANAKO + 'taro,"鈴木, ""T"" 太郎",1990-02-03,,,,,\n').exit == OK
    assert stat.S_IMODE(k.passwords.stat().st_mode) == 0o600
    rows = list(csv.reader(open(k.passwords, encoding="utf-8", newline="")))
    assert rows[0] == ["login", "name", "initial_password"]
    assert [r[:2] for r in rows[1:]] == [["hanako", "山田 花子"], ["taro", '鈴木, "T" 太郎']]
    for r in rows[1:]:
        assert re.fullmatch("([0-9a-z]{4}-){3}[0-9a-z]{4}", r[2])
    assert rows[1][2] != rows[2][2]
    assert rows[1][2] not in k.db.read_bytes().decode("latin-1")


def test_the_preset_file_stands_where_the_admin_is(k):
    said = k("import", k.sheet(HEAD + HANAKO))
    assert said.exit == OK
    made = list(k.work.glob("initial-passwords-*.csv"))
    assert len(made) == 1 and made[0].name in said.out
    assert stat.S_IMODE(made[0].stat().st_mode) == 0o600


def test_a_file_is_never_overwritten(k):
    k.passwords.write_text("mine")
    said = k("import", "--passwords", k.passwords, k.sheet(HEAD + HANAKO))
    assert said.exit != OK and "exists already" in said.err
    assert k.passwords.read_text() == "mine" and k.logins() == []
    link = k.work / "link.csv"
    link.symlink_to(k.work / "elsewhere.csv")
    assert k("import", "--passwords", link, k.sheet(HEAD + HANAKO)).exit != OK
    assert not (k.work / "elsewhere.csv").exists()


def test_no_file_where_nobody_needs_one(k):
    said = k.load(HEAD + f"taro,T,1990-01-01,,,kuroneko-yamato-7,,\n")
    assert said.exit == OK and not k.passwords.exists(), said
    p = k.show("taro")
    assert p["state"] == "active" and p["password"] == "own"


def test_staff_with_everything(k):
    assert k.load(HEAD + f"alice,Alice,,a@example.jp,staff,kuroneko-yamato-7,{SEED},en\n").exit == OK
    p = k.show("alice")
    assert p["role"] == "staff" and p["state"] == "active" and p["method"] == "app" and p["birth_date"] == ""
    (a,) = p["authenticators"]
    assert a["confirmed"] and a["kind"] == "app" and a["name"] == "My authenticator app"


def test_staff_with_a_seed_only(k):
    assert k.load(HEAD + f"alice,Alice,,,staff,,{SEED.lower()[:8]} {SEED.lower()[8:]}==,\n").exit == OK
    (a,) = k.show("alice")["authenticators"]
    assert a["confirmed"] and a["name"] == "私の認証アプリ"
    assert list(k.initial()) == ["alice"]


@pytest.mark.parametrize("value", [
    "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
    "$6$rounds=5000$usesomesillystri$D4IrlXatmP7rx3P3InaxBeoomnAihCKRVQAr/36KSDYwOhqeGqn2UAvqIOe9i1g4rJkp28jLYtYsJSjH8gAxO1",
])
def test_a_hash_is_taken_as_it_is(k, value):
    assert k.load(HEAD + f'taro,T,1990-01-01,,,"{value}",,\n').exit == OK
    assert k.show("taro")["password"] == "own" and not k.passwords.exists()


def test_many_plain_passwords_are_hashed(k):
    assert k.load(HEAD + "".join(f"p{i},N,1990-01-01,,,kuroneko-yamato-{i},,\n" for i in range(40))).exit == OK
    assert {p["state"] for p in k("user", "list", "--json").json()} == {"active"}


def test_columns_in_any_order(k):
    assert k.load('" Birth_Date ",LOGIN\nS55.1.31,hanako\n').exit == OK
    assert k.show("hanako")["birth_date"] == "1980-01-31"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(k, encoding, end):
    names = {"a1": "髙橋 﨑子", "a2": "ﾔﾏﾀﾞ ﾊﾅｺ", "a3": "ソ十表予能", "a4": "①㈱ー～", "a5": "ﾄｷ"}
    text = end.join(["login,name,birth_date", *(f'{n},"{v}",昭和55年1月31日' for n, v in names.items())])  # no end at the last
    assert k.load(text.encode(encoding)).exit == OK
    assert {p["login"]: p["name"] for p in k("user", "list", "--json").json()} == names
    assert {k.show(n)["birth_date"] for n in names} == {"1980-01-31"}
    # Excel shows what Excel made
    assert k.passwords.read_bytes().startswith(b"\xef\xbb\xbf") == (encoding != "utf-8")
    assert list(k.initial()) == list(names)


@pytest.mark.parametrize("text, date", [
    ("19800131", "1980-01-31"), ("1980-1-31", "1980-01-31"), ("1980/01/31", "1980-01-31"), ("1980.1.31", "1980-01-31"),
    ("1980年1月31日", "1980-01-31"), ("昭和55年1月31日", "1980-01-31"), ("S55.1.31", "1980-01-31"), ("s550131", "1980-01-31"),
    ("１９８０／１／３１", "1980-01-31"), ("令和元年5月1日", "2019-05-01"), ("H1.1.8", "1989-01-08"), (" 1980-01-31 ", "1980-01-31"),
])
def test_birth_dates(k, text, date):
    assert k.load(f"login,birth_date\nhanako,{text}\n").exit == OK
    assert k.show("hanako")["birth_date"] == date


def test_blank_lines_and_rows_are_no_people(k):
    assert k.load("\n\r\n  \nlogin,name,birth_date\n\n,,\na1,A,1980-01-01\n\"\",\"\",\"\"\n \n\n").exit == OK
    assert k.logins() == ["a1"]


def test_logins_are_made_canonical(k):
    assert k.load("login,birth_date\n ＨＡＮＡＫＯ ,1980-01-01\n").exit == OK
    assert k.logins() == ["hanako"]


# ---- a second time ----

def test_again_changes_nothing(k):
    k.load(HEAD + HANAKO)
    before = k.show("hanako")
    said = k.load(HEAD + HANAKO)
    assert said.exit == OK and "0 new, 0 updated, 1 unchanged, 0 address differences, 0 bad" in said.out
    assert k.show("hanako") == before and not k.passwords.exists()


def test_what_a_file_may_change(k):
    k.load(HEAD + HANAKO)
    said = k.load(HEAD + "hanako,鈴木 花子,1980-02-01,new@example.jp,,,,en\n")
    assert said.exit == OK and "0 new, 1 updated, 0 unchanged" in said.out
    p = k.show("hanako")
    assert (p["name"], p["birth_date"], p["email"], p["locale"]) == ("鈴木 花子", "1980-02-01", "new@example.jp", "en")
    assert "import.update" in k.events()


def test_empty_cells_and_missing_columns_change_nothing(k):
    k.load(HEAD + HANAKO)
    before = k.show("hanako")
    assert "1 unchanged" in k.load(HEAD + "hanako,,,,,,,\n").out
    assert "1 unchanged" in k.load("login\nhanako\n").out
    assert k.show("hanako") == before


def test_what_a_file_never_touches(k):
    k.load(HEAD + HANAKO)
    before = k.show("hanako")
    said = k.load(HEAD + f"hanako,山田 花子,1980-01-31,hanako@example.jp,staff,kuroneko-yamato-7,{SEED},ja\n")
    assert said.exit == OK and "1 unchanged" in said.out
    assert "role: the file has staff, the store keeps member" in said.out and "1 role differences" in said.out
    assert k.show("hanako") == before and not k.passwords.exists()


def test_new_and_old_together(k):
    k.load(HEAD + HANAKO)
    said = k.load(HEAD + HANAKO.replace("山田", "鈴木") + "taro,T,1990-01-01,,,,,\n")
    assert "1 new, 1 updated, 0 unchanged" in said.out
    assert list(k.initial()) == ["taro"]


def test_an_old_member_needs_no_birth_date_in_the_file(k):
    k.load(HEAD + HANAKO)
    assert k.load("login,name\nhanako,鈴木 花子\n").exit == OK
    assert k.load("login,name\nhanako,鈴木 花子\ntaro,T\n").exit == INPUT


# ---- --dry-run ----

def digest(k):
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in k.dir.iterdir() if p.is_file()}


def test_a_dry_run_leaves_the_store_byte_by_byte(k):
    k.load(HEAD + HANAKO)
    before = digest(k)
    said = k("import", "--dry-run", k.sheet(HEAD + HANAKO.replace("山田", "鈴木") + "taro,T,1990-01-01,,,,,\n"))
    assert said.exit == OK and "would be: 1 new, 1 updated, 0 unchanged" in said.out
    assert digest(k) == before
    assert list(k.work.glob("initial-*")) == []
    assert k("import", "-n", "--passwords", k.work / "x", k.sheet(HEAD)).exit == USAGE


# ---- --json, progress ----

def test_json(k):
    k.load(HEAD + HANAKO)
    k.passwords.unlink()
    said = k("import", "--json", "--skip-bad", "--passwords", k.passwords,
             k.sheet(HEAD + "hanako,,,,staff,,,\ntaro,T,1990-01-01,,,,,\nx y,,,,,,,\n"))
    assert said.exit == OK and said.err == ""
    j = said.json()
    assert (j["new"], j["updated"], j["unchanged"], j["bad_lines"], j["published"]) == (1, 0, 1, 1, True)
    assert j["bad"][0]["line"] == 4 and "login" in j["bad"][0]["reason"]
    assert j["differences"] == [{"line": 2, "login": "hanako", "column": "role", "file": "staff", "store": "member"}]
    assert j["passwords_file"] == str(k.passwords) and j["exit_status"] == OK
    k.passwords.unlink()
    assert k("import", "--json", "--passwords", k.passwords, k.sheet("nonsense\n")).json()["exit_status"] == INPUT


def test_progress_on_a_terminal_only(k):
    sheet = k.sheet("login,birth_date\n" + "".join(f"p{i},1990-01-01\n" for i in range(5000)))
    assert "#" not in k("import", "-n", sheet).err
    out, code = pexpect.run(f"{KOSMOCTL} -c {k.conf} import -n {sheet}", withexitstatus=True, timeout=120)
    assert code == 0 and b"checking" in out and b"5000 new" in out


def test_odd_files(k):
    assert k("import", k.work / "none.csv").exit == INPUT
    assert "no regular file" in k("import", k.work).err
    assert k("import", "/dev/null").exit == INPUT
    assert "UTF-16" in k("import", k.sheet("login\na".encode("utf-16"))).err
    assert "it is empty" in k("import", k.sheet("")).err
    assert k.load("login").exit == OK
    assert list(k.work.glob("initial-*")) == [] and k.logins() == []
