#!/usr/bin/python3
"""A portal's question, GET /auth/verify, as a proxy asks it: beside a static file of kosmo-enrolld in the same run, with and
without password logins that saturate all cores. Issue: at least 15,000/s on 2 cores; p99 at most 10 ms while they do.

    bench_auth_verify.py [--seconds N] [--people N] [--check]

Needs wrk. --check: exit 1 if a bound is missed. KOSMO_BUILD: the build folder."""
import argparse
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "web"), str(HERE.parent / "pam"), str(HERE.parent)]
if not shutil.which("wrk"):
    sys.exit("bench_auth_verify.py: there is no wrk: install the package wrk")
from bench_http import login_script  # noqa: E402
from browser import Site  # noqa: E402
from harness import Person, Process, accepts, free_port, wait_until  # noqa: E402
from test_sessions import Web  # noqa: E402

LEAST, P99 = 15000, 10
UNITS = {"us": 0.001, "ms": 1, "s": 1000}


def wrk(url, seconds, script, connections=16, threads=2):
    """(requests a second, p50, p99) in milliseconds; each answer must be 2xx."""
    out = subprocess.run(["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url],
                         stdout=subprocess.PIPE, check=True).stdout.decode()
    assert "Non-2xx" not in out and "Socket errors" not in out, out
    at = {p: float(n) * UNITS[u] for p, n, u in re.findall(r"(50|99)%\s+([\d.]+)(us|ms|s)\b", out)}
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), at["50"], at["99"]


def verify_script(folder, site, cookies):
    """Each request is another person's."""
    f = folder / "verify.lua"
    f.write_text("local c, i = {" + ", ".join(f'"{c}"' for c in cookies) + f"""}}, 0
wrk.headers["Host"] = "{site.url.split('//')[1]}"
wrk.headers["Sec-Fetch-Mode"] = "navigate"
wrk.headers["X-Forwarded-Uri"] = "/portal/page?x=1"
function request()
  i = i % #c + 1
  return wrk.format(nil, nil, {{Host = wrk.headers["Host"], ["X-Forwarded-For"] = "192.0.2." .. i % 250, Cookie = "kosmo=" .. c[i]}})
end
""")
    return f


def logged_in(site, people):
    """A session each; by as many at once as there are cores."""
    found, left = [], list(people)

    def some():
        while left:
            p = left.pop()
            found.append(Web(site, p).log_in().factor().wizard().cookie)

    threads = [threading.Thread(target=some) for _ in range(os.cpu_count())]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == len(people)
    return found


class Nginx:
    """nginx with a file that it gives to whoever is logged in, beside the same file for anybody. Plain HTTP: for information."""

    def __init__(self, site, folder):
        self.port, f = free_port(), folder / "nginx"
        (f / "open").mkdir(parents=True)
        (f / "in").mkdir()
        for name in "open", "in":
            (f / name / "x").write_text("x" * 1000)
        folder.chmod(0o755)
        temp = "".join(f"{n}_temp_path {f}/{n};\n" for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (f / "conf").write_text(f"""daemon off;
pid {f}/pid;
worker_processes {os.cpu_count()};
events {{}}
http {{
{temp}access_log off;
upstream kosmo {{ server 127.0.0.1:{site.port}; keepalive 64; }}
server {{
	listen 127.0.0.1:{self.port};
	root {f};
	location /open/ {{}}
	location /in/ {{ auth_request /kosmo/in; }}
	location = /kosmo/in {{
		internal;
		proxy_http_version 1.1;
		proxy_set_header Connection "";
		proxy_set_header Host $http_host;
		proxy_pass http://kosmo/auth/verify;
	}}
}}
}}
""")
        self.process = Process(["/usr/sbin/nginx", "-p", f, "-c", f / "conf", "-e", f / "log"], folder / "nginx.log")
        wait_until(lambda: accepts(socket.AF_INET, ("127.0.0.1", self.port)), 10, "nginx")

    def end(self):
        self.process.end()


class Logins:
    """Right passwords one after another, more at once than there are cores."""

    def __init__(self, site, folder, people):
        self.log = folder / "logins.log"
        script = login_script(folder, site, people)
        self.process = Process(["wrk", "-t1", "-c8", "-d600s", "-s", script, site.url.replace("localhost", "127.0.0.1")], self.log)

    def end(self):
        self.process.end()


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--seconds", type=int, default=6)
    a.add_argument("--people", type=int, default=50)
    a.add_argument("--check", action="store_true")
    a = a.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kosmo-"))
    inside, outside = ([Person(f"{c}{i:03}", role="member") for i in range(a.people)] for c in "io")
    site = Site(folder, inside + outside, "terms.version = 1\nnotice.new_login = no\n")
    site.start()
    missed, nginx = [], None
    try:
        script = verify_script(folder, site, logged_in(site, inside))
        where = site.url.replace("localhost", "127.0.0.1")
        logins, found = None, {}
        questions = [("a static file", where + "/static/favicon.svg"), ("/auth/verify", where + "/auth/verify"),
                     ("with a need", where + "/auth/verify?need=second-factor&within=60")]
        if pathlib.Path("/usr/sbin/nginx").exists():
            nginx = Nginx(site, folder)
            questions += [(f"nginx, {name}", f"http://127.0.0.1:{nginx.port}/{path}/x") for name, path in (("a file", "open"), ("asking", "in"))]
        for when in "quiet", "logins":
            if when == "logins":
                logins = Logins(site, folder, outside)
            for what, url in questions:
                found[what, when] = wrk(url, a.seconds, script)
        logins.end()
        print(f"{'':16}{'':18}{'a second':>10}{'p50 ms':>9}{'p99 ms':>9}{'of static':>11}")
        for (what, when), (rate, p50, p99) in found.items():
            print(f"{what:16}{'while logging in' if when == 'logins' else 'quiet':18}{rate:10.0f}{p50:9.2f}{p99:9.2f}"
                  f"{rate / found['a static file', when][0]:11.2f}")
            bound = what in ("/auth/verify", "with a need")
            if bound and when == "quiet" and rate < LEAST:
                missed.append(f"{what}: {rate:.0f}/s (at least {LEAST})")
            if bound and when == "logins" and p99 > P99:
                missed.append(f"{what} while logging in: p99 {p99:.1f} ms (at most {P99})")
    finally:
        if nginx:
            nginx.end()
        site.stop()
        shutil.rmtree(folder, ignore_errors=True)
    for m in missed:
        print("missed:", m)
    return 1 if missed and a.check else 0


if __name__ == "__main__":
    sys.exit(main())
