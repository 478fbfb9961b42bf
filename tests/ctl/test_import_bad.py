"""kosmoctl import: what is wrong with a line, and that nothing is imported then."""
import pytest
from conftest import INPUT, OK

HEAD = "login,name,birth_date,email,role,password,totp_secret,locale\n"
GOOD = "good,G,1980-01-01,,,,,\n"
KNOWN = "the columns are login, name, birth_date, email, role, password, totp_secret, locale"
SEED = "JBSWY3DPEHPK3PXP"


@pytest.mark.parametrize("head, why", [
    ("login,nme", 'unknown column "nme"'),
    ("login,name,login", 'repeated column "login"'),
    ("name,birth_date", "the column login is missing"),
    ("login,", 'unknown column ""'),
    ("login;name;birth_date", 'unknown column "login;name;birth_date"'),
    ("login,\x1b[31m", 'unknown column "?"'),
    ("login,name,birth_date,email,role,password,totp_secret,locale,name", 'repeated column "name"'),
])
def test_the_first_line(k, head, why):
    said = k.load(head + "\nx,1\n")
    assert said.exit == INPUT, said
    assert said.err.startswith(f"{k.work}/people.csv:1: {why}; {KNOWN}\n"), said


ROWS = [
    (",N,1980-01-01,,,,,", "login: it is empty"),
    ("a b,N,1980-01-01,,,,,", "login: it is not 1 to 64 of a-z 0-9 . _ @ -, beginning with a letter, a digit or _"),
    ("-a,N,1980-01-01,,,,,", "login: it is not 1 to 64"),
    ("x" * 65 + ",N,1980-01-01,,,,,", "login: it is not 1 to 64"),
    ("花子,N,1980-01-01,,,,,", "login: it is not 1 to 64"),
    ("a,\x01N,1980-01-01,,,,,", "name: it holds a line break or another control character"),
    ("a,\u202eevil,1980-01-01,,,,,", "name: it holds a line break or another control character"),
    ("a,\u200b,1980-01-01,,,,,", "name: it holds a line break or another control character"),
    ('a,"N\nM",1980-01-01,,,,,', "name: it holds a line break or another control character"),
    ("a," + "あ" * 86 + ",1980-01-01,,,,,", "name: it is longer than 256 bytes"),
    ("a,N,1980-02-30,,,,,", "birth_date: there is no such day"),
    ("a,N,昭和65年1月1日,,,,,", "birth_date: there is no such day"),
    ("a,N,2999-01-01,,,,,", "birth_date: it is in the future"),
    ("a,N,1700-01-01,,,,,", "birth_date: it is before the Meiji era"),
    ("a,N,soon,,,,,", "birth_date: it cannot be understood; write it as 1980-01-31"),
    ("a,N,,,,,,", "birth_date: a member needs one"),
    ("a,N,1980-01-01,nobody,,,,", "email: it is no email address"),
    ("a,N,1980-01-01,a@b c.jp,,,,", "email: it is no email address"),
    ("a,N,1980-01-01,,boss,,,", "role: it is neither member nor staff"),
    ("a.b,N,1980-01-01,,staff,,,", "login: staff have at most 32 of a-z 0-9 _ -, beginning with a letter or _"),
    ("1a,N,1980-01-01,,staff,,,", "login: staff have at most 32"),
    ("a,N,1980-01-01,,,short,,", "password: it is too short"),
    ("a,N,1980-01-01,,,x,,", "password: it is too short"),
    ("a,N,1980-01-01,,,password,,", "password: it is too easy to guess"),
    ("a,N,1980-01-01,,," + "あ" * 129 + ",,", "password: it is too long"),
    ("akemi.sato,N,1980-01-01,,,xqakemi.satoz,,", "password: the login, name, address or birth date is in it"),
    ("a,N,1980-01-01,,,$99$abcdefgh$ijkl,,", "password: this crypt(3) hash is of a kind that is not accepted"),
    ("a,N,1980-01-01,,,,0189,", "totp_secret: it is not base32"),
    ("a,N,1980-01-01,,,,JBSWY3DP,", "totp_secret: it is not 10 to 64 bytes long"),
    ("a,N,1980-01-01,,,,," + "fr", "locale: it is neither ja nor en"),
    ("a,N,1980-01-01", "it has fewer cells than the first line"),
    ("a,N,1980-01-01,,,,,,", "it has more cells than the first line"),
    ("a," * 20, "it has more cells than there can be columns"),
    ('a,"N"x,1980-01-01,,,,,', 'a quote stands where none may be ("" is one within quotes)'),
    ('a,N"x",1980-01-01,,,,,', "a quote stands where none may be"),
    ("a,N\0,1980-01-01,,,,,", ""),
    ("root,N,1980-01-01,,,,,", "login: a system account has it; --allow-system-login accepts it"),
    ("ROOT,N,1980-01-01,,staff,,,", "login: a system account has it; --allow-system-login accepts it"),
    ("good,N,1980-01-01,,,,,", "login: line 2 has the same"),
    ("Good ,N,1980-01-01,,,,,", "login: line 2 has the same"),
    ("a," + "N" * 17000 + ",1980-01-01,,,,,", "it is too long, or a quoted cell is not closed"),
]


@pytest.mark.parametrize("row, why", ROWS)
def test_a_bad_line(k, row, why):
    said = k.load(HEAD + GOOD + row + "\n" + "last,L,1980-01-01,,,,,\n")
    assert said.exit == INPUT, said
    lines = said.err.splitlines()
    assert lines[0].startswith(f"{k.work}/people.csv:3: {why}"), said
    assert lines[1:] == ["kosmoctl: 1 bad line: nothing was imported (--skip-bad imports the others)"], said
    assert k.logins() == [] and not k.passwords.exists() and k.events() == []
    said = k.load(HEAD + GOOD + row + "\n" + "last,L,1980-01-01,,,,,\n", "--skip-bad")
    assert said.exit == OK and "2 new" in said.out and "1 bad" in said.out, said
    assert k.logins() == ["good", "last"] and list(k.initial()) == ["good", "last"]


def test_secrets_are_not_quoted_back(k):
    said = k.load(HEAD + "a,N,1980-01-01,,,hunter2,,\nb,N,1980-01-01,,,,SECRETSEED1,\n")
    assert "hunter2" not in said.err + said.out and "SEED" not in said.err + said.out


def test_all_bad_lines_are_listed_and_counted(k):
    rows = "".join(f"x {i},N,1980-01-01,,,,,\n" for i in range(3000))
    said = k.load(HEAD + GOOD + rows + "good,N,1980-01-01,,,,,\n")
    lines = said.err.splitlines()
    assert len(lines) == 3002 and lines[0].split(":")[1] == "3" and lines[2999].split(":")[1] == "3002"
    assert lines[3000].endswith(":3003: login: line 2 has the same") and "3001 bad lines" in lines[3001]


def test_line_numbers_count_quoted_breaks(k):
    said = k.load('login,name,birth_date\r\n"a\r\n",A,1980-01-01\r\n\r\nb b,B,1980-01-01\r\n"c","C\n\n",1980-01-01\r\nd d,D,\r\n')
    assert [l.split(":")[1] for l in said.err.splitlines()[:-1]] == ["5", "9"], said


def test_an_open_quote_swallows_nobody(k):
    """A stray quote makes its own line bad; the lines behind it are read as they are."""
    said = k.load(HEAD + 'a,"N,1980-01-01,,,,,\nb,B,1980-01-01,,,,,\nc,"C",1980-01-01,,,,,\nd d,D,1980-01-01,,,,,\n', "--skip-bad")
    assert said.exit == OK and k.logins() == ["b", "c"], said
    assert [l.split(":")[1] for l in said.err.splitlines()] == ["2", "5"]


def test_an_open_quote_at_the_end(k):
    said = k.load(HEAD + GOOD + 'a,"N,1980-01-01,,,,,\nb,B,1980-01-01,,,,,\n')
    assert "people.csv:3: a quoted cell is not closed" in said.err


def test_an_open_quote_in_a_long_file(k):
    said = k.load(HEAD + 'a,"N,1980-01-01,,,,,\n' + "".join(f"b{i},B,1980-01-01,,,,,\n" for i in range(3000)), "--skip-bad")
    assert said.exit == OK and len(k.logins()) == 3000
    assert said.err.splitlines() == [f"{k.work}/people.csv:2: it is too long, or a quoted cell is not closed"]


def test_mixed_encodings(k):
    utf8 = "".join(f"u{i},山田,1980-01-01,,,,,\n" for i in range(3)).encode()
    said = k.load(HEAD.encode() + utf8 + "s,鈴木,1980-01-01,,,,,\n".encode("cp932"))
    assert said.exit == INPUT and "people.csv:5: it is not UTF-8 text, as the rest of the file is" in said.err
    cp932 = "".join(f"s{i},鈴木,1980-01-01,,,,,\n" for i in range(3)).encode("cp932")
    said = k.load(HEAD.encode() + cp932 + "u,山田,1980-01-01,,,,,\n".encode())
    assert said.exit == INPUT and "people.csv:5: it is UTF-8 text, while the rest of the file is CP932 (Shift_JIS)" in said.err
    said = k.load(b"\xef\xbb\xbf" + HEAD.encode() + cp932)
    assert said.err.count("it is not UTF-8 text") == 3
    said = k.load(HEAD.encode() + cp932 + b"x,\x81\x20\xfd,1980-01-01,,,,,\n")
    assert "people.csv:5: it holds bytes that are no CP932 (Shift_JIS) text" in said.err


def test_duplicates_among_many(k):
    rows = [f"p{i:05},N,1980-01-01,,,,,\n" for i in range(2000)]
    rows[1500] = rows[7]
    rows[1999] = rows[7]
    rows[30] = rows[29]
    said = k.load(HEAD + "".join(rows))
    assert [l.split(":", 1)[1] for l in said.err.splitlines()[:3]] == [
        "32: login: line 31 has the same", "1502: login: line 9 has the same", "2001: login: line 9 has the same"]


# ---- system accounts ----

def test_allowed_system_logins(k):
    sheet = HEAD + "root,N,1980-01-01,,,,,\ndaemon,N,1980-01-01,,,,,\n"
    assert k.load(sheet, "--allow-system-login", "root").err.count("a system account") == 1
    assert k.load(sheet, "--allow-system-login", "root", "--allow-system-login=daemon").exit == OK
    assert k.show("root")["role"] == "member"
    assert k.load(sheet).exit == OK  # they are in the store: the rule is for new people


def test_a_dry_run_lists_them_too(k):
    j = k.try_load(HEAD + "x y,,,,,,,\n")
    assert j.exit == INPUT and j.json()["bad"][0]["line"] == 2
    j = k.try_load(HEAD + "x y,,,,,,,\n" + GOOD, "--skip-bad")
    assert j.exit == OK and j.json()["new"] == 1
