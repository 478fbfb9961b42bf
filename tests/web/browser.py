"""A whole site (keeper, mailer, enrolld) and a real Chromium in front of it."""
import html
import http.client
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "pam"))

from conftest import BUILD  # noqa: E402
from harness import Instance, Process, accepts, mailed, wait_until  # noqa: E402, F401
from selenium import webdriver  # noqa: E402
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402

ENROLLD = BUILD / "enroll/kosmo-enrolld"


class Site(Instance):
    """An Instance whose kosmo-enrolld runs and has started keeper and mailer beside itself."""

    def __init__(self, folder, people, conf=""):
        super().__init__(folder, people)
        text = self.conf.read_text()
        self.url = re.search(r"^url *= *(\S+)", text, re.M).group(1)
        self.port = int(self.url.rsplit(":", 1)[1])
        if conf:
            drop = self.dir / "kosmo.conf.d"
            drop.mkdir(exist_ok=True)
            (drop / "50-test.conf").write_text(conf)

    def start(self, env=None):
        self.process = Process([*(self.log.prefix if self.log else []), ENROLLD, "-c", self.conf], self.dir / "enrolld.log", env)
        wait_until(lambda: accepts(socket.AF_INET, ("127.0.0.1", self.port)) or not self.process.alive(), 20, "enrolld")
        wait_until(lambda: accepts(socket.AF_UNIX, str(self.dir / "run/web.sock")) or not self.process.alive(), 20, "keeper")
        assert self.process.alive(), self.process.log.read_text()


class Http:
    """A browser without a screen: cookies, the last form's token, an address of its own behind the trusted proxy."""

    def __init__(self, site, address, lang="en"):
        self.site, self.address, self.lang, self.cookies, self.said = site, address, lang, {}, []

    def ask(self, verb, path, fields=None):
        c = http.client.HTTPConnection("localhost", self.site.port, timeout=20)
        headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()), "X-Forwarded-For": self.address,
                   "Accept-Language": self.lang}
        if verb == "POST":
            fields = urllib.parse.urlencode({"csrf": self.csrf, **fields})
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.site.url}
        c.request(verb, path, fields, headers)
        r = c.getresponse()
        body = r.read().decode()
        c.close()
        self.said = r.headers.get_all("Set-Cookie") or []
        for line in self.said:
            name, value = line.split(";")[0].split("=", 1)
            self.cookies[name] = value
        token = re.search(r'name="csrf" value="([^"]+)"', body)
        self.csrf = token.group(1) if token else getattr(self, "csrf", None)
        self.body = body
        self.status, self.to, self.text = r.status, r.headers["Location"], html.unescape(re.sub(r"<[^>]+>", " ", body))
        error = re.search(r'<li><a href="#f-\w+">([^<]*)<', body)
        self.error = html.unescape(error.group(1)) if error else ""
        return self

    def get(self, path):
        return self.ask("GET", path)

    def post(self, path, **fields):
        return self.ask("POST", path, fields)

    def password(self, p, password=None):
        self.cookies.pop("kosmo", None)  # whoever was in before
        return self.get("/login").post("/login", login=p if isinstance(p, str) else p.login, password=password or p.password)

    def code(self, code):
        """At the code's page already."""
        self.get("/login/code")
        return self.post("/login/code", code=code)

    def log_in(self, p, code):
        assert self.password(p).to == "/", (self.status, self.error)
        assert self.code(code).to == "/", (self.status, self.error)
        return self

    def inside(self):
        """Past password and code: where the way in leads now is a step of the wizard or the account."""
        return not (self.get("/").to or "").startswith("/login")


class Browser:
    """One Chromium with a profile of its own."""

    def __init__(self, lang="en", width=1280, height=900, javascript=True, more=()):
        self.profile = tempfile.mkdtemp(prefix="kosmo-chromium-")
        o = webdriver.ChromeOptions()
        o.binary_location = "/usr/bin/chromium"
        for a in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                  "--disable-background-networking", "--disable-component-update", "--disable-sync",
                  "--disable-dev-shm-usage", "--hide-scrollbars", "--force-prefers-reduced-motion",
                  f"--lang={lang}", f"--user-data-dir={self.profile}", f"--window-size={width},{height}", *more):
            o.add_argument(a)
        prefs = {"intl.accept_languages": lang}
        if not javascript:
            prefs["profile.managed_default_content_settings.javascript"] = 2
        o.add_experimental_option("prefs", prefs)
        self.d = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=o)
        self.d.set_page_load_timeout(20)

    def close(self):
        self.d.quit()
        shutil.rmtree(self.profile, ignore_errors=True)

    def get(self, url):
        self.d.get(url)

    @property
    def path(self):
        return re.sub(r"^https?://[^/]+", "", self.d.current_url)

    @property
    def text(self):
        return self.d.find_element(By.TAG_NAME, "body").text

    def at(self, path, seconds=40):
        """Waits until the address is this path (queries do not count)."""
        end = time.monotonic() + seconds
        while self.path.split("?")[0] != path:
            assert time.monotonic() < end, f"expected {path}, still at {self.path}: {self.text[:400]}"
            time.sleep(0.05)
        return self

    def find(self, css):
        return self.d.find_element(By.CSS_SELECTOR, css)

    def all(self, css):
        return self.d.find_elements(By.CSS_SELECTOR, css)

    def visible(self, e):
        """selenium's is_displayed takes what a closed summary hides for displayed."""
        return self.d.execute_script("return arguments[0].checkVisibility()", e)

    def type(self, name, text):
        e = self.find(f"input[name={name}]:not([type=hidden])")
        if not self.visible(e):  # behind a summary
            e.find_element(By.XPATH, "ancestor::details/summary").click()
        e.clear()
        e.send_keys(text)

    def press(self, css="button.main"):
        """Presses a button and waits for the page that follows."""
        old = self.find("html")
        self.find(css).click()
        self.left(old)

    def left(self, old):
        """Waits until this html element is another page's."""
        end = time.monotonic() + 60
        while True:
            try:
                old.is_enabled()
            except Exception:
                break
            assert time.monotonic() < end, "no page followed"
            time.sleep(0.02)

    def fill(self, **fields):
        for name, text in fields.items():
            self.type(name, text)
        self.press()

    def error(self, name):
        found = self.all(f"#e-{name}")
        return found[0].text if found else ""

    def cookie(self):
        return next((c for c in self.d.get_cookies() if c["name"] in ("kosmo", "__Host-kosmo")), None)


def read_qr(png, folder):
    """What a stranger reads from the picture (zbarimg)."""
    f = pathlib.Path(folder) / "qr.png"
    f.write_bytes(png)
    p = subprocess.run(["zbarimg", "-q", "--raw", str(f)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert p.returncode == 0, p.stderr
    return p.stdout.decode().strip()


def app_code(secret, at=None):
    """What a stranger computes from the key (oathtool)."""
    now = [] if at is None else [f"--now=@{int(at)}"]
    return subprocess.run(["oathtool", "--totp", "-b", *now, secret], check=True, stdout=subprocess.PIPE).stdout.decode().strip()
