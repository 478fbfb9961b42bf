"""Accounts that their owner froze by a mailed link (tests/web/test_address.py presses it), and what the help desk does then."""
import sqlite3
import subprocess

import pytest

from conftest import INPUT, OK
from made import made

HANAKO = "login,name,birth_date,email,role\nhanako,山田 花子,1980-01-31,hanako@example.jp,member\n"


@pytest.fixture
def h(k):
    k.load(HANAKO)
    return k


def put(h, *row):
    subprocess.run([made("ctl", "put_rows") / "put_rows", h.conf, *row], check=True)


def mails(h):
    with sqlite3.connect(h.db) as db:
        return db.execute("SELECT count(*) FROM outbox").fetchone()[0]


def test_show_says_so_and_enable_undoes_it(h):
    assert h("user", "enable", "--former-email", "hanako").exit == INPUT, "nothing was frozen"
    put(h, "frozen", "hanako", "old@example.jp")
    p = h.show("hanako")
    assert p["state"] == p["blocked_by"] == "frozen" and p["former_email"] == "old@example.jp" and p["frozen"]
    said = h("user", "show", "hanako").out
    assert "cannot log in: frozen since" in said and "user enable" in said and "old@example.jp (user enable --former-email" in said
    h.load(HANAKO.replace("花子", "花"))
    assert h.show("hanako")["state"] == "frozen" and h.show("hanako")["name"] == "山田 花", "an import does not undo it"
    assert h("user", "enable", "hanako").out == "hanako: enabled\n" and h.events()[0] == "user.enable"
    p = h.show("hanako")
    assert p["blocked_by"] != "frozen" and p["email"] == "hanako@example.jp" and not p["former_email"] and not p["frozen"]
    assert h("user", "enable", "hanako").out == "hanako: nothing to change\n"
    assert h("user", "enable", "--former-email", "hanako").exit == INPUT, "gone with the freeze"


def test_the_former_address_is_put_back(h):
    put(h, "frozen", "hanako", "old@example.jp")
    h("user", "disable", "hanako")
    assert h.show("hanako")["state"] == "disabled", "the admin's own word comes first"
    put(h, "frozen", "hanako", "old@example.jp")
    had = mails(h)
    assert "former email address" in h("user", "enable", "--former-email", "hanako").out
    p = h.show("hanako")
    assert (p["email"], p["email_verified"], p["disabled"]) == ("old@example.jp", True, False)
    assert mails(h) == had + 1, "it is told"


def test_codes_that_the_admin_switches_on_again(h):
    put(h, "confirmed", "hanako")
    with sqlite3.connect(h.db) as db:  # as a hundred wrong ones leave it
        db.execute("INSERT INTO counter VALUES ((SELECT id FROM person), 1, 8, ?, 100, ?, 0, 0, 0, ?)", (bytes(16), *[(1 << 63) - 1] * 2))
    assert h("user", "unlock", "hanako").exit == OK and h.events()[0] == "factor.enabled" and mails(h) == 1


def test_an_address_that_the_admin_sets(h):
    assert h("user", "set", "--email", "first@example.jp", "hanako").exit == OK and mails(h) == 0, "it was never confirmed"
    put(h, "confirmed", "hanako")
    assert h("user", "set", "--email", "second@example.jp", "hanako").exit == OK and mails(h) == 1, "the old one hears of it"
    assert not h.show("hanako")["email_verified"]
