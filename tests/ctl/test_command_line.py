import re

import pytest
from conftest import OK, USAGE, run

COMMANDS = re.findall(r"^  ((?:user|config|store|pam|mail|site) [\w-]+|\w+)", run("--help").out.split("Options:")[0].split("Commands:")[1], re.M)


def test_the_commands():
    assert COMMANDS == ["init", "import", "user list", "user find", "user show", "user add", "user set", "user disable",
                        "user enable", "user expire", "user extend", "user expire-password", "user reissue", "user recover", "user unlock",
                        "user sessions", "user logout", "user delete", "letters", "audit",
                        "store check", "store backup", "store upgrade", "config check", "config show", "site template", "mail test", "mail queue",
                        "mail template", "mail bounce", "doctor", "pam try",
                        "pam enable", "pam confirm", "pam undo", "pam disable"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command):
    said = run(*command.split(), "--help")
    assert said.exit == OK and said.err == "" and said.out.startswith(f"Usage: kosmoctl [-c CONF] {command} [OPTION...]")
    assert run(*command.split(), "-h").out == said.out


@pytest.mark.parametrize("command", COMMANDS)
def test_takes_what_help_names_and_nothing_else(command):
    """Every option of every command: named in its help = known to its parser, with a value or without as the help says."""
    every = set()
    for c in COMMANDS:
        every |= set(re.findall(r"--([a-z-]+)(?: ([A-Z]+))?", "\n".join(l[:34] for l in run(*c.split(), "--help").out.splitlines())))
    own = set(re.findall(r"--([a-z-]+)(?: ([A-Z]+))?", "\n".join(l[:34] for l in run(*command.split(), "--help").out.splitlines())))
    for name, value in every - {("help", "")}:
        # --help last: what was parsed before it is known
        said = run(*command.split(), f"--{name}", *(["x"] if value else []), "--help")
        if (name, value) in own:
            assert said.exit == OK, (name, said)
        else:
            assert said.exit == USAGE and f"unknown option --{name}" in said.err, (name, said)


@pytest.mark.parametrize("args, why", [
    ([], "Usage"), (["nonsense"], 'unknown command "nonsense"'), (["user"], "needs one of its commands"),
    (["user", "nonsense"], "needs one of its commands"), (["--nonsense"], "unknown option --nonsense"), (["-x"], "unknown option -x"),
    (["import"], "usage: kosmoctl import"), (["import", "a", "b"], "usage: kosmoctl import"), (["import", "--passwords"], "needs a value"),
    (["import", "--dry-run=yes", "x"], "takes no value"), (["import", "--dry-run", "-n", "x"], "given twice"),
    (["import", "--passwords", "a", "--passwords=b", "x"], "given twice"), (["--json", "init"], "writes no JSON"),
    (["-c"], "needs a value"), (["import", "--dry", "x"], "unknown option --dry"), (["user", "show", "--", "--json", "x"], "usage:"),
])
def test_usage(args, why):
    said = run(*args)
    assert said.exit == USAGE and why in said.err and said.out == "", said


def test_version_and_groups():
    assert re.fullmatch(r"kosmoctl \(pam_kosmo\) [0-9.]+\n", run("--version").out)
    assert run("-V").out == run("user", "list", "--version").out or run("-V").exit == OK
    assert "user reissue" in run("user", "--help").out and "config show" not in run("user", "--help").out


def test_options_before_and_behind(k):
    assert run("-c", k.conf, "--json", "user", "list").json() == []
    assert run("user", "list", "--json", f"--config={k.conf}").json() == []
    assert run(f"-c{k.conf}", "user", "list").exit == OK
