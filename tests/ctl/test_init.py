"""kosmoctl init --dir: what is made, what is refused, and that nothing is left behind by a failure."""
import os
import stat

import pytest
from conftest import FAILED, INPUT, OK, USAGE, run


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def tree(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


def test_makes_all(folder):
    d = folder / "d"
    said = run("init", "--dir", d, "--url", "http://localhost:8123")
    assert said.exit == OK and str(d) in said.out, said
    assert tree(d) == ["key", "kosmo.conf", "kosmo.conf.d", "kosmo.db", "mail", "mail/cur", "mail/new", "mail/tmp", "run",
                       "site", "site/terms.en.md", "site/terms.ja.md"]
    assert mode(d) == 0o711 and mode(d / "run") == 0o755 and mode(d / "mail") == 0o700
    assert mode(d / "key") == mode(d / "kosmo.db") == 0o600 and mode(d / "kosmo.conf") == 0o644
    assert "利用規約" in (d / "site/terms.ja.md").read_text()
    shown = run("-c", d / "kosmo.conf", "config", "show", "--json").json()
    assert shown["url"] == "http://localhost:8123" and shown["web.listen"] == "127.0.0.1:8123"
    assert shown["state_dir"] == str(d) and shown["run_dir"] == str(d / "run") and shown["mail.maildir"] == str(d / "mail")
    assert run("-c", d / "kosmo.conf", "config", "check").exit == OK


@pytest.mark.parametrize("url, listen", [("http://localhost", "127.0.0.1:80"), ("https://login.example.jp", "127.0.0.1:8480"),
                                         ("http://localhost:8480/", "127.0.0.1:8480"), ("HTTP://localhost:81", "127.0.0.1:81"),
                                         ("https://login.example.jp:8443", "127.0.0.1:8480")])
def test_listens_where_the_url_says(folder, url, listen):
    assert run("init", "--dir", folder / "d", "--url", url).exit == OK
    assert run("-c", folder / "d/kosmo.conf", "config", "show", "--json").json()["web.listen"] == listen


def test_takes_an_empty_folder(folder):
    folder.chmod(0o755)
    assert run("init", "--dir", folder, "--url", "http://localhost:8480").exit == OK
    assert mode(folder) == 0o755


def test_a_relative_folder(folder):
    assert run("init", "--dir", "x", "--url", "http://localhost:8480", cwd=folder).exit == OK
    assert run("-c", folder / "x/kosmo.conf", "config", "show", "--json").json()["state_dir"] == str(folder / "x")


@pytest.mark.parametrize("there", ["kosmo.conf", "key", "kosmo.db"])
def test_overwrites_nothing(folder, there):
    (folder / there).write_text("mine")
    said = run("init", "--dir", folder, "--url", "http://localhost:8480")
    assert said.exit == INPUT and there in said.err and "exist" in said.err.lower(), said
    assert tree(folder) == [there] and (folder / there).read_text() == "mine"


def test_half_an_instance_is_explained(folder):
    d = folder / "d"
    assert run("init", "--dir", d, "--url", "http://localhost:8480").exit == OK
    (d / "key").rename(folder / "key")
    for said in run("-c", d / "kosmo.conf", "user", "list"), run("-c", d / "kosmo.conf", "init"):
        assert said.exit in (FAILED, INPUT) and f"{d}/key" in said.err and "backup" in said.err, said
    (folder / "key").rename(d / "key")
    (d / "kosmo.db").unlink()
    said = run("-c", d / "kosmo.conf", "init")
    assert said.exit == INPUT and f"{d}/kosmo.db" in said.err and "backup" in said.err and "key away" in said.err, said
    (d / "key").unlink()
    assert run("-c", d / "kosmo.conf", "init").exit == OK and run("-c", d / "kosmo.conf", "user", "list").exit == OK


def test_twice(folder):
    d = folder / "d"
    assert run("init", "--dir", d, "--url", "http://localhost:8480").exit == OK
    before = {p: p.read_bytes() for p in d.rglob("*") if p.is_file()}
    assert run("init", "--dir", d, "--url", "http://localhost:8480").exit == INPUT
    assert before == {p: p.read_bytes() for p in d.rglob("*") if p.is_file()}


@pytest.mark.parametrize("url", ["http://example.jp", "ftp://localhost", "localhost:8480", "http://localhost:8480/path",
                                 "http://localhost:99999", "https://a b", "https://a\nstate_dir = /tmp", ""])
def test_a_bad_url_leaves_nothing(folder, url):
    said = run("init", "--dir", folder / "d", "--url", url)
    assert said.exit in (FAILED, INPUT) and said.err, said
    assert tree(folder) == []


def test_bad_folders(folder):
    (folder / "file").write_text("")
    assert run("init", "--dir", folder / "file", "--url", "http://localhost:1").exit != OK
    assert run("init", "--dir", folder / "no/such", "--url", "http://localhost:1").exit == FAILED
    assert run("init", "--dir", folder / "a b", "--url", "http://localhost:1").exit == INPUT
    (folder / "open").mkdir()
    (folder / "open").chmod(0o777)
    assert "everyone" in run("init", "--dir", folder / "open", "--url", "http://localhost:1").err
    long = folder / ("x" * 120)  # no socket fits below it
    assert run("init", "--dir", long, "--url", "http://localhost:1").exit == FAILED
    assert tree(folder) == ["file", "open"]


def test_usage(folder):
    assert run("init", "--dir", folder / "d").exit == USAGE
    assert run("-c", "x", "init", "--dir", folder / "d", "--url", "http://localhost:1").exit == USAGE
    assert run("init", "--dir", folder / "d", "--url", "http://localhost:1", "word").exit == USAGE


def test_system_wide(folder):
    """Without --dir: the folders are there already, the configuration is named with -c (preset /etc/kosmo)."""
    etc = folder / "etc"
    conf = etc / "kosmo.conf"
    said = run("-c", conf, "init", "--url", "https://login.example.jp")
    assert said.exit == INPUT and "install" in said.err
    etc.mkdir()
    said = run("-c", conf, "init")
    assert said.exit == USAGE, said
    state = folder / "state"
    conf.write_text(f"url = https://login.example.jp\nstate_dir = {state}\nrun_dir = {folder}\nsite_dir = {etc}\n")
    said = run("-c", conf, "init")
    assert said.exit == INPUT and str(state) in said.err
    state.mkdir(mode=0o700)
    said = run("-c", conf, "init", "--url", "https://login.example.jp")
    assert said.exit == INPUT and "without --url" in said.err
    assert run("-c", conf, "init").exit == OK
    assert tree(state) == ["key", "kosmo.db"]
    assert run("-c", conf, "init").exit == INPUT
    assert run("-c", conf, "user", "list").exit == OK


def test_system_wide_makes_and_unmakes_its_files(folder):
    """Where /var/lib/kosmo is missing (as here), what was made in /etc/kosmo goes away again."""
    if os.path.exists("/var/lib/kosmo"):
        pytest.skip("an installation is here")
    etc = folder / "etc"
    etc.mkdir()
    said = run("-c", etc / "kosmo.conf", "init", "--url", "https://login.example.jp")
    assert said.exit == INPUT and "/var/lib/kosmo is missing" in said.err, said
    assert tree(etc) == []
