"""From the paper to the account, page by page, against doc/STEPS: nothing twice, nobody logged out, fewer steps than its manual."""
import pathlib
import re

import pytest
from browser import Http, app_code, mailed
from test_wizard import BIRTH, NEW_PASSWORD, Member, wizard_site

FIRST = ["/login", "/first/birth-date", "/first/terms", "/first/email", "/first/email/sent", "/first/method", "/first/password", "/first/done"]
PEOPLE = {method: Member(f"by-{method}") for method in ("app", "mail", "passkey")}
STEPS = pathlib.Path(__file__).resolve().parents[2] / "doc/STEPS"


@pytest.fixture(scope="module")
def site():
    yield from wizard_site(list(PEOPLE.values()))


def pages(site, method):
    """What each page is answered with, until one cannot be (the passkey's wants a device) or there is no more to do."""
    p, w, visited = PEOPLE[method], Http(site, "192.0.2.7"), []
    form = {"/login": ("/login", lambda: {"login": p.login, "password": site.initial(p.login)}),
            "/first/birth-date": ("/first/birth-date", lambda: {"birth_date": BIRTH}),
            "/first/terms": ("/first/terms", lambda: {"agree": "1"}),
            "/first/email": ("/first/email", lambda: {"email": f"{p.login}@example.jp"}),
            "/first/email/sent": ("/first/email/code", lambda: {"code": mailed(site.mail(p.login))[0]}),
            "/first/method": ("/first/method", lambda: {"method": method}),
            "/first/password": ("/first/password", lambda: {"login": p.login, "new": NEW_PASSWORD, "again": NEW_PASSWORD}),
            "/first/done": ("/first/done", lambda: {"next": method}),
            "/app": ("/app", lambda: {"code": app_code(re.search(r"(?:[A-Z2-7]{4} ){7}[A-Z2-7]{4}", w.text)[0].replace(" ", "")), "name": "phone"}),
            "/mailcode": ("/mailcode", lambda: {"code": mailed(site.mail(p.login))[0]}),
            "/recovery": ("/recovery", lambda: {"saved": "1"})}
    page = "/"
    while len(visited) < 20:
        w.get(page)
        while w.to:
            page = w.to
            w.get(page)
        visited.append(page.split("?")[0])
        if visited[-1] not in form:
            return visited
        path, fields = form[visited[-1]]
        w.post(path, **fields())
        assert w.to, (page, w.error, w.text)
        page = w.to
    return visited


def field(b):
    """What stands in the login page's field for the user ID, as it was sent."""
    found = re.search(r'<input id="f-login" name="login" type="text" value="([^"]*)"', b.body)
    return found and found[1]


BROUGHT = (("by-app", "by-app"), ("nobody-here", "nobody-here"), ("%20By-App%E3%80%80", "by-app"), ("%EF%BD%82%EF%BD%99%EF%BC%8Dapp", "by-app"),
           ("a.b@example.jp", "a.b@example.jp"), ("z" * 64, "z" * 64), ("z" * 65, ""), ("z" * 5000, ""), ("", ""), ("%22%3E%3Cb%3E", ""),
           ("a&amp;b", "a"), ("a%0Ab", ""), ("a%7F", ""), ("%E5%B1%B1", ""), ("-x", ""))


def test_what_the_letters_code_brings(site):
    """A user ID's form, folded as a typed one is, or nothing; the page is the same whether somebody has it."""
    before, b, pages = site.snapshot(), Http(site, "192.0.2.8"), {}
    for brought, shown in BROUGHT:
        assert (b.get(f"/login?id={brought}").status, field(b)) == (200, shown), brought
        pages[brought] = re.sub(r'name="(?:csrf|challenge)" value="[^"]*"|data-options="[^"]*"', "", b.body)
    for brought in "nobody-here", "z" * 64:
        assert pages[brought].replace(brought, "by-app") == pages["by-app"]
    for brought in "a%00", "%FF%FE", "%zz", "a&id=b":
        assert b.get(f"/login?id={brought}").status == 400, brought
    assert site.snapshot() == before, "a look leaves nothing behind"
    # a mistake loses nothing: what was typed instead stays, and no address brings another
    b.get("/login?id=by-app").post("/login?id=by-mail", login='Ty"ped <b>', password="")
    assert field(b) == "Ty&quot;ped &lt;b&gt;" and b.error


def in_all(chapter):
    """The numbers of steps, there and here, that doc/STEPS gives for a chapter."""
    found = re.search(rf"^{re.escape(chapter)} .*?^ +in all +(\d+) steps +(\d+)", STEPS.read_text(), re.M | re.S)
    return int(found[1]), int(found[2])


@pytest.mark.parametrize("method, chapter, rest", [("app", "2-4", ["/app", "/recovery", "/account"]), ("mail", "2-6", ["/mailcode", "/account"]),
                                                   ("passkey", "2-1", ["/passkey"])])
def test_pages(site, method, chapter, rest):
    visited = pages(site, method)
    assert visited == FIRST + rest
    there, here = map(sum, zip(in_all("1"), in_all(chapter)))
    assert len(visited) <= here + 1 < there  # the account is where one has arrived; a step may be more than a page: installing an app, a window of the phone's


def test_each_step():
    """In every chapter ours are fewer; a step of theirs is answered by one of ours at most."""
    text = STEPS.read_text()
    chapters = re.findall(r"^([12](?:-\d)?) \S", text, re.M)
    assert len(chapters) == 8
    for block in re.split(r"\n(?=[12](?:-\d)? \S)", text)[1:]:
        for there, here in re.findall(r"^ +in all +(\d+) steps +(\d+)", block, re.M):
            assert int(here) < int(there), block
    assert re.findall(r"log in again +ID and password once more +(\S)", text) == ["-"] * 7
