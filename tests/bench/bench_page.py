#!/usr/bin/python3
"""How soon a page can be used on a line of 1.6 Mbit/s and 150 ms: from the press to the first text (FCP) and to the page
complete with its script (DOMContentLoaded). Issue: usable in 1 s.

    bench_page.py [--check]

First a visit from nothing through nginx (TLS 1.3, HTTP/2, new connection, empty cache), over a line that a proxy here makes
slow, so that handshakes cost what they cost; then every page of the tour with Chromium's own simulation of the line and
without its cache. A page that follows a form counts the form's own round trips too. --check: exit 1 if a page misses the
bound. KOSMO_BUILD: the build folder."""
import argparse
import asyncio
import pathlib
import shutil
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / d) for d in ("web", "pam", "")]
from browser import Browser  # noqa: E402
from harness import Person  # noqa: E402
from test_portal import Portal  # noqa: E402
from tour import Visitor, tour, tour_site  # noqa: E402

RTT, RATE, BOUND = 0.150, 1_600_000 / 8, 1000
LINE = {"offline": False, "latency": RTT * 1000, "downloadThroughput": RATE, "uploadThroughput": RATE}
TIMES = """const n = performance.getEntriesByType('navigation')[0], p = performance.getEntriesByName('first-contentful-paint')[0];
return n.domContentLoadedEventEnd && p && {first: p.startTime, whole: n.domContentLoadedEventEnd, protocol: n.nextHopProtocol,
	bytes: performance.getEntriesByType('resource').concat(n).reduce((s, e) => s + e.transferSize, 0)}"""


def times(b):
    """Once both are known."""
    while True:
        t = b.d.execute_script(TIMES)
        if t:
            return t


class Line:
    """A TCP proxy to a port of this machine's, one way RTT / 2 long and RATE wide; a connection begins a round trip late."""

    def __init__(self, port):
        self.target, self.loop, ready = port, asyncio.new_event_loop(), threading.Event()

        async def listen():
            server = await asyncio.start_server(self.carry, "127.0.0.1", 0)
            self.port = server.sockets[0].getsockname()[1]
            ready.set()

        threading.Thread(target=lambda: (self.loop.create_task(listen()), self.loop.run_forever()), daemon=True).start()
        ready.wait()

    async def carry(self, reader, writer):
        begun = self.loop.time() + RTT
        to, back = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(self.way(reader, back, begun), self.way(to, writer, begun))

    async def way(self, reader, writer, begun):
        queue, free = asyncio.Queue(), begun

        async def deliver():
            while True:
                at, data = await queue.get()
                await asyncio.sleep(at - self.loop.time())
                if not data:
                    writer.close()
                    return
                writer.write(data)

        task = self.loop.create_task(deliver())
        data = b"?"
        while data:
            try:
                data = await reader.read(1460)
            except ConnectionError:
                data = b""
            free = max(free, self.loop.time()) + len(data) / RATE
            queue.put_nowait((free + RTT / 2, data))
        await task


def from_nothing():
    folder = tempfile.mkdtemp(prefix="kosmo-")
    site = Portal(folder, [Person("taro")])
    site.start()
    try:
        line, best = Line(site.tls), []
        for _ in range(3):
            b = Browser(lang="ja", width=360, height=740, more=("--ignore-certificate-errors", f"--host-resolver-rules=MAP localhost:{site.tls} 127.0.0.1:{line.port}"))
            try:
                b.get("about:blank")
                b.get(site.url + "/login")
                best.append(times(b))
            finally:
                b.close()
        return min(best, key=lambda t: t["whole"])
    finally:
        site.stop()
        shutil.rmtree(folder, ignore_errors=True)


class Stopwatch(Visitor):
    def __init__(self, browser, lang):
        super().__init__(browser, lang)
        self.pages = []
        browser.d.execute_cdp_cmd("Network.enable", {})
        browser.d.execute_cdp_cmd("Network.setCacheDisabled", {"cacheDisabled": True})
        browser.d.execute_cdp_cmd("Network.emulateNetworkConditions", LINE)

    def __call__(self, name):
        if not self.without:
            self.pages.append((name, times(self.b)))


def on_the_way():
    site = tour_site(1)
    site.start()
    b = Browser(lang="ja", width=360, height=740)
    try:
        watch = Stopwatch(b, "ja")
        tour(site, watch)
        return watch.pages
    finally:
        b.close()
        site.stop()
        shutil.rmtree(site.dir, ignore_errors=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--check", action="store_true")
    check = p.parse_args().check
    t = from_nothing()
    print(f"from nothing, {t['protocol']}: text after {t['first']:.0f} ms, usable after {t['whole']:.0f} ms, {t['bytes'] / 1000:.1f} KB")
    pages = on_the_way()
    pages.sort(key=lambda x: -x[1]["whole"])
    for name, x in pages:
        print(f"{name:28} text {x['first']:5.0f} ms, usable {x['whole']:5.0f} ms, {x['bytes'] / 1000:5.1f} KB")
    missed = [name for name, x in [("from nothing", t), *pages] if x["whole"] >= BOUND]
    print(f"{len(pages) + 1} pages, {len(missed)} of them later than {BOUND} ms {missed or ''}")
    sys.exit(check and bool(missed))


if __name__ == "__main__":
    main()
