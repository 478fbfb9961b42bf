"""The site's own files: terms, logo, colours, names, pages in place of ours; and what becomes of those that are at fault."""
import os
import re
import subprocess

import pytest
from fake_web_keeper import FakeKeeper
from test_enrolld import BUILD, TOKEN, Door, view

SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 1"><path d="M0 0h4v1z"/></svg>'
TERMS = "## 第一条\n\n詳しくは[こちら](https://example.jp/a?b=1&c)。\n\n<script>alert(1)</script>\n\n{{csrf}} [x](javascript:alert(1))\n"
FILES = {"terms.ja.md": TERMS, "terms.changes.ja.md": "- 第二条を*足しました*。\n", "logo.svg": SVG, "logo-dark.svg": SVG.replace("4", "5"),
         "colours.conf": "main = #7a1f5c\n", "organisation.ja.txt": "みほん組合\n", "organisation.en.txt": "Sample Society\n",
         "contact.ja.txt": "電話 0120-000-000\n平日 9:00-17:00\nhelp@example.jp\n"}


def answers(fields):
    if fields["action"] == "terms":
        return {"status": 200, "page": "terms", "v.csrf": TOKEN, "v.version": "3", **({"v.before": "2"} if "b" in fields["csrf"] else {})}
    return view(fields)


def put(d, files):
    for name, text in files.items():
        f = d.dir / "site" / name
        f.parent.mkdir(exist_ok=True)
        f.write_text(text)


@pytest.fixture(scope="module")
def door():
    d = Door(**{"terms.version": "3", "terms.date": "2026-12-01", "organisation": "Unused", "contact": "desk, +81 3 0000 0000"})
    put(d, FILES)
    d.keeper = FakeKeeper(d.web, lambda f: answers({"csrf": "", **f}))
    d.start()
    yield d
    d.stop()
    d.keeper.close()


def english(door, path):
    return door.ask("GET", path, headers={"Cookie": "kosmo-lang=en"}).text


def test_terms(door):
    t = door.ask("GET", "/first/terms").text
    assert "<h2>第一条</h2>" in t and t.count("<h1>") == 1
    assert '<a rel="noopener noreferrer" href="https://example.jp/a?b=1&amp;c">こちら</a>' in t
    assert "alert" not in t and "&#123;&#123;csrf&#125;&#125;" in t
    assert 'name="agree" value="3"' in t and "第3版（2026年12月1日から）" in t and "足しました" not in t
    assert "terms.ja.md:5: HTML is not shown" in door.said() and "terms.ja.md:7: a link to" in door.said()
    en = english(door, "/first/terms")
    assert 'lang="ja">\n<h2>第一条' in en and "They are shown in Japanese" in en and "Version 3, in force since 1 December 2026" in en
    door.keeper.handler, old = (lambda f: {**answers({"csrf": "", **f}), "v.before": "2"}), door.keeper.handler
    t = door.ask("GET", "/first/terms").text
    assert "変わったところ" in t and "<em>足しました</em>" in t
    # the keeper and the door were not restarted together: nobody agrees to what they have not seen
    door.keeper.handler = lambda f: {"status": 200, "page": "terms", "v.version": "4"}
    r = door.ask("GET", "/first/terms")
    door.keeper.handler = old
    assert r.status == 500 and "第一条" not in r.text and "restart both" in door.said()


def test_terms_without_logging_in(door):
    seen = len(door.keeper.seen)
    r = door.ask("GET", "/terms")
    assert r.status == 200 and "<h2>第一条</h2>" in r.text and "足しました" in r.text and len(door.keeper.seen) == seen
    assert 'href="/terms"' in door.ask("GET", "/login").text
    assert door.ask("POST", "/terms", "x=1").status == 405


def test_logo(door):
    t = door.ask("GET", "/login").text
    url, dark = re.search(r'<img class="logo" src="([^"]+)" alt="みほん組合">', t), re.search(r'<source srcset="([^"]+)" media="screen', t)
    assert 'alt="Sample Society"' in english(door, "/login") and "Unused" not in t
    for u, text in ((url[1], FILES["logo.svg"]), (dark[1], FILES["logo-dark.svg"])):
        r = door.ask("GET", u)
        assert (r.status, r.text, r.headers["Content-Type"]) == (200, text, "image/svg+xml")
        assert "immutable" in r.headers["Cache-Control"] and r.headers["X-Content-Type-Options"] == "nosniff"
        csp = r.headers["Content-Security-Policy"]
        assert csp.startswith("default-src 'none'; style-src 'unsafe-inline'") and "sandbox" in csp and "script" not in csp
    assert "unsafe" not in door.ask("GET", "/login").headers["Content-Security-Policy"]
    assert "script-src 'self'" in door.ask("GET", "/static/favicon.svg").headers["Content-Security-Policy"]


def test_colours(door):
    url = re.search(r'rel="stylesheet" href="([^"]+)"', door.ask("GET", "/login").text)[1]
    css = door.ask("GET", url).text
    assert css.startswith("/*") and "--main:#7a1f5c;--main-text:#ffffff" in css and "prefers-color-scheme:dark){:root{--main:#" in css


def test_names(door):
    t = door.ask("GET", "/login").text
    assert '電話 <a href="tel:0120000000">0120-000-000</a><br>\n平日 9:00-17:00<br>\n<a href="mailto:help@example.jp">' in t
    assert '<a href="tel:+81300000000">+81 3 0000 0000</a>' in english(door, "/login") and "| Sample Society</title>" in english(door, "/login")


def built(name):
    return subprocess.run([BUILD / "enroll/kosmo-site", "template", name], capture_output=True, text=True, check=True).stdout


LOGIN = '{{>head}}<form method="post" action="/login"><input name="csrf" value="{{csrf}}"><input name=login><input name=\'password\'>' \
        '<input name="keep"></form><form method=post action="/login/by-passkey">%s</form>' \
        % "".join(f'<input name="{n}" value="{{{{{n}}}}}">' if n == "csrf" else f'<input name="{n}">' for n in
                  "csrf challenge id client_data auth_data signature user_handle keep".split())
# name, what is written, the sentence; None: it counts
OVERRIDES = [
    ("login", LOGIN + "own {{login}} {{_ Log in}}", None),
    ("login", "a\n{{#x}}", "login.html:2: section x is never closed"),
    ("login", "{{{x}}}", "login.html:1: not a name"),
    ("login", LOGIN + "{{>nothing}}", "login.html:1: there is no template nothing"),
    ("login", LOGIN + "{{>login}}", "templates contain each other without end"),
    ("login", LOGIN + "{{logn}}", "login.html: there is no value {{logn}} here"),
    ("login", LOGIN.replace('name="csrf" value="{{csrf}}"', 'name="csrf"', 1), 'the form to /login lacks <input type="hidden" name="csrf"'),
    ("login", LOGIN.replace("name=login", "name=user"), 'the form to /login lacks the field "login"'),
    ("login", LOGIN.replace('"/login/by-passkey"', '"/login/passkey"'), "the form to /login/by-passkey is missing"),
    ("login", LOGIN + "\n<form method=post action=/nowhere></form>", 'the form to "/nowhere" leads nowhere'),
    ("login", LOGIN + "\n\n<p style='color:red'>", "login.html:3: the policy of the site stops the attribute style"),
    ("login", LOGIN + "<script>x</script>", "login.html:1: the policy of the site stops a <script>"),
    ("login", LOGIN + '<img src="https://a.example/x.png">', "stops what comes from elsewhere (https://a.example/x.png)"),
    ("login", LOGIN + '<a href="/acount">x</a>', "login.html:1: no page is called /acount"),
    ("logni", "x", "no page is called logni"),
    ("terms.ja", "x", "no page is called terms.ja"),
    ("contact", "<b>{{contact}}</b>", None),
    ("head", "<title>x</title>", "head.html: the form to /language is missing"),
]


@pytest.fixture(scope="module")
def spare():
    d = Door()
    yield d
    d.start()
    d.stop()


def check(d):
    env = {**os.environ, "LC_ALL": "C"}
    return subprocess.run([BUILD / "enroll/kosmo-site", "-c", d.conf, "check"], env=env, capture_output=True, text=True, timeout=20)


@pytest.mark.parametrize("name,text,says", OVERRIDES)
def test_override_is_held_against_ours(spare, name, text, says):
    put(spare, {"terms.ja.txt": "x\n", "terms.en.txt": "x\n", f"templates/{name}.html": text})
    said = check(spare)
    (spare.dir / f"site/templates/{name}.html").unlink()
    if says:
        assert says in said.stdout and said.returncode == 1, said
    else:
        assert said.returncode == 0 and said.stdout.startswith("warning: ") and "which built-in page" in said.stdout, said


def test_every_built_in_page_may_stand_as_an_override(spare):
    names = subprocess.run([BUILD / "enroll/kosmo-site", "template"], capture_output=True, text=True, check=True).stdout.split()
    assert "login" in names and len(names) > 50
    put(spare, {"terms.ja.txt": "x\n", "terms.en.txt": "x\n", **{f"templates/{n}.html": built(n) for n in names}})
    said = check(spare)
    assert (said.returncode, said.stdout) == (0, ""), said
    f = spare.dir / "site/templates/login.html"
    f.write_text(re.sub(r"login, \w{16}", "login, 0123456789abcdef", f.read_text()))
    assert "warning: " in check(spare).stdout and "another version of the built-in page" in check(spare).stdout
    for n in names:
        (spare.dir / f"site/templates/{n}.html").unlink()


def test_what_is_at_fault_is_left_out():
    """Whatever an admin does to these files, the site starts."""
    d = Door(organisation="Plain")
    put(d, {"terms.ja.md": "> " * 100, "terms.en.txt": "good\n", "logo.svg": "<svg onload='x'/>", "colours.conf": "main = yellow\n",
            "contact.ja.txt": " \n", "templates/login.html": "{{#", "templates/account.html": LOGIN, "organisation.ja.txt": "a\nb\n"})
    (d.dir / "site/organisation.en.txt").write_bytes(b"\xff")
    k = FakeKeeper(d.web, view)
    d.start()
    try:
        t = d.ask("GET", "/login").text
        assert "Plain" in t and "<img" not in t and 'id="f-password"' in t
        assert "日本語の利用規約がない" in d.ask("GET", "/terms").text
        for file in ("terms.ja.md:1", "logo.svg: line 1", "colours.conf:1", "contact.ja.txt: empty", "login.html:1", "account.html: ",
                     "organisation.ja.txt:2", "organisation.en.txt:1"):
            assert f"{d.dir}/site/" in d.said() and file in d.said(), file
    finally:
        d.stop()
        k.close()
