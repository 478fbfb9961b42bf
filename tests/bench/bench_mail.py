#!/usr/bin/python3
"""10,000 queued mails on their way to a relay, and the logins and pages meanwhile beside their quiet figures of the same
run. Issue: they drain without slowing logins.

    bench_mail.py [--mails N] [--delay MS] [--logins N] [--connections N] [--check]

--delay: how long the relay takes for each mail. --check: exit 1 if a login's p50 is over 1.5 x the quiet one, or a mail was
lost or sent twice. KOSMO_BUILD: the build folder."""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "web"), str(HERE.parent / "pam"), str(HERE.parent)]
from bench_load import Bench, crowd  # noqa: E402
from browser import BUILD, Site  # noqa: E402
from harness import Person  # noqa: E402
from made import made  # noqa: E402

SINK, PUT = str(BUILD / "tests/bench/bench_sink"), str(BUILD / "tests/ctl/put_rows")
MOST = 1.5


def pages(site, n):
    """(p50, p99) in milliseconds of the login page."""
    took = []
    for _ in range(n):
        begin = time.perf_counter()
        with urllib.request.urlopen(site.url + "/login") as r:
            r.read()
        took.append(1000 * (time.perf_counter() - begin))
    took.sort()
    return took[n // 2], took[n * 99 // 100]


def middle(values):
    values = sorted(values)
    return values[len(values) // 2]


def waiting(site):
    return site.rows("SELECT count(*) FROM outbox WHERE state = 1")[0][0]


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--mails", type=int, default=10000)
    a.add_argument("--delay", type=int, default=10)
    a.add_argument("--logins", type=int, default=300, help="of each measurement")
    a.add_argument("--connections", type=int, default=4)
    a.add_argument("--check", action="store_true")
    a = a.parse_args()
    made("bench", "bench")
    made("ctl")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="kosmo-bench-"))
    folder.chmod(0o755)
    sink = subprocess.Popen([SINK, str(a.delay)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    port = sink.stdout.readline().strip()
    site = Site(folder, [], f"mail.transport = smtp\nmail.smtp = 127.0.0.1:{port}\nmail.smtp_tls = none\nmail.from = no-reply@example.jp\n"
                f"mail.connections = {a.connections}\n")
    missed = []
    try:
        people = [Person(f"p{i:05}") for i in range(40 * a.logins)]
        crowd(site, folder, people)
        site.start()
        bench = Bench(folder, site, people)
        bench.run("code", 50)
        quiet, quiet_pages = [bench.run("code", a.logins) for _ in range(3)], [pages(site, a.logins) for _ in range(3)]
        site.stop()
        subprocess.run([PUT, str(site.conf), "queue", str(a.mails), "bulk", "0"], check=True)
        site.start()
        begin = time.monotonic()
        busy, busy_pages = [], []
        while len(busy) < 30:
            runs = bench.run("code", a.logins), pages(site, a.logins)
            if not waiting(site):
                break
            busy.append(runs[0])
            busy_pages.append(runs[1])
        while waiting(site):
            time.sleep(0.1)
        drained = time.monotonic() - begin
        again = [bench.run("code", a.logins) for _ in range(3)]
        sent = site.rows("SELECT count(*) FROM outbox WHERE state = 2")[0][0]
        site.stop()
        sink.stdin.close()
        taken = int(sink.stdout.readline())
        print(f"{a.mails} mails, {a.connections} connections, {a.delay} ms at the relay: {drained:.1f} s, {a.mails / drained:.0f}/s; {taken} taken")
        if sent != a.mails or taken != a.mails:
            missed.append(f"{sent} sent, {taken} taken, of {a.mails}")
        if not busy:
            missed.append("it was over too soon to measure: more --mails")
            busy, busy_pages = again, quiet_pages
        base = middle(r[0] for r in quiet + again)
        for name, quiets, busies in ("code-only login", quiet + again, busy), ("login page", quiet_pages, busy_pages):
            q, b = ([middle(r[i] for r in runs) for i in (0, 1)] for runs in (quiets, busies))
            print(f"{name:16} quiet p50 {q[0]:6.2f} p99 {q[1]:6.2f} ms; meanwhile p50 {b[0]:6.2f} ({b[0] / q[0]:.2f} x) "
                  f"p99 {b[1]:6.2f} ({b[1] / q[1]:.2f} x), {len(busies)} runs")
        if middle(r[0] for r in busy) > MOST * base:
            missed.append(f"a login takes more than {MOST} x its quiet time")
    finally:
        if site.process:
            site.stop()
        sink.kill()
        sink.wait()
        shutil.rmtree(folder, ignore_errors=True)
    for m in missed:
        print("missed:", m)
    return 1 if missed and a.check else 0


if __name__ == "__main__":
    sys.exit(main())
