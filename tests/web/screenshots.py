"""Every page at phone and desktop width in both languages, into build/screenshots; doc/img is chosen from them.

usage: /usr/bin/python3 tests/web/screenshots.py [--passkeys] [FOLDER]
--passkeys: only theirs (screenshots_passkey.py)"""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import screenshots_passkey  # noqa: E402
from browser import BUILD, Browser, Site, app_code, mailed  # noqa: E402
from test_forgot import Member as Enrolled, put_mailcode  # noqa: E402
from test_web_mailcode import a_minute_later, new_code  # noqa: E402
from test_wizard import BIRTH, NEW_PASSWORD, Member, app_page, confirm_by_code, log_out, open_login, qr, secret_of  # noqa: E402

SIZES = {"phone": (390, 844), "desktop": (1280, 900)}


class Camera:
    def __init__(self, browser, folder, prefix, width, height):
        self.b, self.folder, self.prefix, self.size = browser, folder, prefix, (width, height)
        self.n = 0
        self.screen(height)

    def screen(self, height):
        width = self.size[0]
        self.b.d.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1,
                                                                        "mobile": width < 600})

    def __call__(self, name):
        self.n += 1
        d = self.b.d
        tall = d.execute_script("return document.documentElement.scrollHeight")
        wide = d.execute_script("return document.documentElement.scrollWidth")
        if wide > self.size[0]:
            print(f"{self.prefix}-{name}: {wide} px wide, the screen has {self.size[0]}")
        self.screen(max(tall, self.size[1]))
        d.save_screenshot(str(self.folder / f"{self.prefix}-{self.n:02}-{name}.png"))
        self.screen(self.size[1])


def walk(site, person, shot):
    b = shot.b
    b.get(site.url + "/")
    b.at("/login")
    shot("login")
    b.fill(login=person.login, password="chigau")
    shot("login-wrong")
    b.fill(login=person.login, password=site.initial(person.login))
    b.at("/first/birth-date")
    shot("birth")
    b.fill(birth_date="1950-02-30")
    shot("birth-wrong")
    b.fill(birth_date=BIRTH)
    b.at("/first/terms")
    shot("terms")
    b.press()
    b.at("/first/email")
    shot("email")
    b.press()
    b.at("/first/email/sent")
    b.d.refresh()
    shot("email-sent")
    code, link = mailed(site.mail(person.login))
    other = Browser(lang=shot.lang, width=shot.size[0], height=shot.size[1])
    try:
        camera = Camera(other, shot.folder, shot.prefix + "-x", *shot.size)
        other.get(link)
        camera("link-elsewhere")
    finally:
        other.close()
    b.get(link)
    shot("link")
    b.press()
    shot("link-done")
    b.get(link)
    shot("link-bad")
    b.get(site.url + "/")
    b.at("/first/method")
    shot("method")
    b.find("label[for=m-app]").click()
    b.press()
    b.at("/first/password")
    shot("own-password")
    b.fill(new="password", again="password")
    shot("own-password-wrong")
    b.fill(new=NEW_PASSWORD, again=NEW_PASSWORD)
    b.at("/first/done")
    shot("done")
    b.press("button[value=app]")
    b.at("/app")
    shot("app")
    for agent, on in (("iphone", ""), ("android", ""), ("chrome", "computer"), ("edge", "computer")):
        app_page(b, site, agent, on)
        shot(f"app-{agent}")
    app_page(b, site, "chrome")
    secret = secret_of(qr(b, site))
    b.fill(code="000000")
    shot("app-wrong")
    b.fill(code=app_code(secret))
    b.at("/recovery")
    shot("recovery")
    person.codes = [e.text for e in b.all(".codes code")]
    b.press()
    b.at("/account")
    shot("account")
    b.find("a[href^='/account/rename']").click()
    b.at("/account/rename")
    shot("rename")
    b.get(site.url + "/account/logins")
    shot("logins")
    b.get(site.url + "/account/not-me")
    shot("not-me")
    b.get(site.url + "/account/password")
    shot("password")
    b.get(site.url + "/account/confirm")
    shot("confirm")
    other = Browser(lang=shot.lang)
    try:
        other.get(site.url + "/login")
        other.find("label[for=f-keep]").click()
        other.fill(login=person.login, password=NEW_PASSWORD)
        other.fill(code=app_code(secret, time.time() + 30))
        other.at("/account")
        b.get(site.url + "/account/sessions")
        shot("sessions")
        b.press("button.main")
        shot("sessions-ended")
    finally:
        other.close()
    b.get(site.url + "/logout")
    shot("logout")
    b.press()
    b.at("/login")
    shot("logged-out")
    b.fill(login=person.login, password=NEW_PASSWORD)
    b.at("/login/code")
    shot("code")
    b.get(site.url + "/nowhere")
    shot("not-found")


def begin_reset(b, site, person):
    b.get(site.url + "/forgot/password")
    b.fill(login=person.login)
    return mailed(site.mail(person.login))


def walk_address(site, person, shot):
    """person: enrolled, with an app and a confirmed address."""
    b = shot.b
    b.d.delete_all_cookies()
    b.get(site.url + "/login")
    b.fill(login=person.login, password=person.password)
    b.at("/login/code").fill(code=person.codes()[1])
    if b.path.startswith("/first"):
        b.fill(birth_date="1980-01-01")
        b.press()
    b.get(site.url + "/account/email")
    shot("address")
    b.fill(email=person.email)
    shot("address-same")
    b.fill(email=f"{person.login}.new@example.jp")
    shot("address-sent")
    code, _ = mailed(site.mail(f"{person.login}.new@example.jp"))
    b.fill(code=code)
    b.at("/account")
    shot("address-done")
    link = mailed(site.mail(person.email))[1]
    b.d.delete_all_cookies()
    b.get(link)
    shot("freeze")
    b.press()
    shot("freeze-wrong")
    b.find("label[for=f-sure]").click()
    b.press()
    shot("frozen")


def walk_forgot(site, with_app, by_mail, shot):
    b = shot.b
    b.d.delete_all_cookies()
    b.get(site.url + "/forgot/password")
    shot("forgot-password")
    code, link = begin_reset(b, site, with_app)
    shot("forgot-sent")
    b.fill(code="%06d" % ((int(code) + 1) % 1000000))
    shot("forgot-sent-wrong")
    b.get(link)
    shot("forgot-link")
    cookies = b.d.get_cookies()
    b.d.delete_all_cookies()
    b.get(link)
    shot("forgot-link-elsewhere")
    b.d.delete_all_cookies()
    for c in cookies:
        b.d.add_cookie(c)
    b.get(link)
    b.press()
    b.at("/forgot/factor")
    shot("forgot-factor")
    b.fill(code=with_app.codes()[0])
    b.at("/forgot/new")
    shot("forgot-new")
    b.d.delete_all_cookies()
    b.fill(code=begin_reset(b, site, by_mail)[0])
    b.at("/forgot/birth-date")
    shot("forgot-birth")
    b.fill(birth_date="1980-01-01")
    b.at("/forgot/new").fill(new=NEW_PASSWORD, again=NEW_PASSWORD)
    b.at("/login")
    shot("forgot-done")
    b.get(site.url + "/forgot/id")
    shot("forgot-id")
    b.fill(email=by_mail.email, birth_date="1980-01-01")
    shot("forgot-id-sent")


def walk_mail(site, person, shot):
    """The pages of somebody who chose codes by e-mail."""
    b = shot.b
    open_login(b, site).fill(login=person.login, password=site.initial(person.login))
    b.at("/first/birth-date").fill(birth_date=BIRTH)
    b.at("/first/terms").press()
    confirm_by_code(b.at("/first/email"), site, person)
    b.find("label[for=m-mail]").click()
    b.press()
    b.at("/first/password").fill(new=NEW_PASSWORD, again=NEW_PASSWORD)
    b.at("/first/done")
    shot("mail-done")
    b.press("button[value=mail]")
    b.at("/mailcode")
    shot("mail-register")
    b.fill(code=new_code(site, person))
    b.at("/account")
    shot("mail-account")
    b.find("a[href^='/account/rename']")
    b.get(site.url + "/account/confirm/mail")
    shot("mail-confirm")
    a_minute_later(site)
    log_out(b, site).fill(login=person.login, password=NEW_PASSWORD)
    b.at("/login/mail-code")
    new_code(site, person)
    b.d.refresh()
    shot("mail-login")
    b.fill(code="000000")
    shot("mail-login-wrong")
    b.get(site.url + "/login/another")
    shot("another")


def without_phone(site, person, shot):
    """After walk(): somebody whose phone is lost; the recovery codes are the person's."""
    b = shot.b
    b.get(site.url + "/login")
    b.fill(login=person.login, password=NEW_PASSWORD)
    b.at("/login/code").find("a[href='/login/lost']").click()
    b.at("/login/lost")
    shot("lost-help")
    b.fill(code=person.codes[0])
    b.at("/lost")
    shot("lost")
    b.press("button[value=yes]")
    b.at("/lost/new")
    shot("lost-new")
    b.find("label[for=m-app]").click()
    b.press()
    b.at("/app")
    b.fill(code=app_code(secret_of(qr(b, site))))
    codes = [e.text for e in b.at("/recovery").all(".codes code")]
    b.press()
    b.at("/account").press("form[action='/app'] button")  # a second one
    b.at("/app")
    b.fill(code=app_code(secret_of(qr(b, site))), name="tablet")
    b.at("/account")
    b.get(site.url + "/logout")
    b.press()
    b.at("/login").fill(login=person.login, password=NEW_PASSWORD)
    b.at("/login/code").fill(code=codes[0])
    b.at("/lost").press("button[value=yes]")
    b.at("/lost/which")
    shot("lost-which")
    made = subprocess.run([BUILD / "ctl/kosmoctl", "-c", site.conf, "user", "recover", person.login], check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout.strip()
    b.get(site.url + "/logout")
    b.press()
    b.at("/login").fill(login=person.login, password=NEW_PASSWORD)
    b.at("/login/code").fill(code=made)
    b.at("/lost/new")
    shot("recover-new")
    b.get(site.url + "/logout")
    b.press()


def without_mail(site, person, shot):
    b = shot.b
    b.get(site.url + "/login")
    b.fill(login=person.login, password=site.initial(person.login))
    b.at("/first/birth-date").fill(birth_date=BIRTH)
    b.at("/first/terms").press()
    b.at("/first/email").find("details summary").click()
    shot("email-none")
    b.press("form[action='/first/email/none'] button")
    b.at("/first/method")
    shot("method-sheet")
    b.find("label[for=m-sheet]").click()
    b.press()
    b.at("/first/password").fill(new=NEW_PASSWORD, again=NEW_PASSWORD)
    b.at("/first/done")
    shot("done-sheet")
    b.press("button[value=sheet]")
    codes = [e.text for e in b.at("/sheet").all(".codes code")]
    shot("sheet")
    b.fill(code=codes[0])
    b.at("/account")
    shot("account-sheet")
    for code in codes[1:8]:
        b.get(site.url + "/logout")
        b.press()
        b.at("/login").fill(login=person.login, password=NEW_PASSWORD)
        b.at("/login/code")
        if code == codes[1]:
            shot("code-sheet")
        b.fill(code=code)
    b.at("/sheet")
    shot("sheet-start")


def walk_expired(site, person, shot):
    """A way removed, and a password that has expired."""
    b = shot.b
    codes = iter(person.codes().values())

    def log_in():
        b.d.delete_all_cookies()
        b.get(site.url + "/login")
        b.fill(login=person.login, password=person.password)
        b.at("/login/code").fill(code=next(codes))
    log_in()
    if b.path == "/first/birth-date":
        b.fill(birth_date="1980-01-01")
        b.at("/first/terms").press()
    b.at("/account").press("form[action='/mailcode/again'] button")
    b.at("/mailcode").fill(code=new_code(site, person))
    b.at("/account").all("a[href^='/account/remove']")[-1].click()
    b.at("/account/remove")
    shot("remove")
    site.ctl("user", "expire-password", person.login)
    log_in()
    b.at("/first/password")
    shot("expired")


def walk_refused(site, person, shot):
    """Too many wrong codes: a wait, then they are switched off."""
    b, wrong = shot.b, person.wrong_code()

    def password():
        b.d.delete_all_cookies()
        b.get(site.url + "/login")
        b.fill(login=person.login, password=person.password)
        b.at("/login/code")
    password()
    b.fill(code="12")
    shot("code-short")
    b.fill(code=wrong)
    shot("code-wrong")
    b.fill(code=wrong)
    shot("code-wait")
    site.write("UPDATE counter SET failures = 99, not_before = 0 WHERE kind = 1 AND owner = (SELECT id FROM person WHERE login = ?)", person.login)
    b.fill(code=wrong)
    b.at("/login")
    shot("switched-off")
    password()
    shot("code-off")


def walk_all(site, people, shot):
    """All but passkeys."""
    free, forgot, changing, more = people
    b, person = shot.b, next(free)
    walk(site, person, shot)
    log_out(b, site)
    without_phone(site, person, shot)
    without_mail(site, next(free), shot)
    log_out(b, site)
    walk_mail(site, next(free), shot)
    walk_forgot(site, *next(forgot), shot)
    walk_address(site, next(changing), shot)
    expiring, guesser = next(more)
    walk_expired(site, expiring, shot)
    walk_refused(site, guesser, shot)


def main():
    only = "--passkeys" in sys.argv
    folder = pathlib.Path(sys.argv[-1] if len(sys.argv) > 1 + only else BUILD / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    base = tempfile.mkdtemp(prefix="kosmo-")
    people = [Member(f"h{i:05d}") for i in range(12)]
    forgetful = [(Enrolled(f"f{i:05d}"), Enrolled(f"m{i:05d}", seed=False)) for i in range(4)]
    movers = [Enrolled(f"a{i:05d}") for i in range(4)]
    others = [(Enrolled(f"x{i:05d}"), Enrolled(f"w{i:05d}")) for i in range(4)]
    staff = [Member(f"s{i:05d}", role="staff") for i in range(4)]
    site = Site(base, [*people, *movers, *staff, *(p for pair in forgetful + others for p in pair)], screenshots_passkey.CONF + "organisation = みほん健康保険組合\n"
                "contact = 電話 03-0000-0000（平日 9:00～17:00）\nmail.from = no-reply@example.jp\nemail = optional\n")
    free, forgot, changing, more, approving = iter(people), iter(forgetful), iter(movers), iter(others), iter(staff)
    put_mailcode(site, *(f"={p.login}" for p in movers), *(f"={p.login}" for p, _ in forgetful + others), *(p.login for _, p in forgetful))
    site.start()
    try:
        for lang in "ja", "en":
            for name, (width, height) in SIZES.items():
                b = Browser(lang=lang, width=width, height=height)
                shot = Camera(b, folder, f"{lang}-{name}", width, height)
                shot.lang = lang
                try:
                    if not only:
                        walk_all(site, (free, forgot, changing, more), shot)
                    screenshots_passkey.walk(site, next(approving), shot)
                finally:
                    b.close()
    finally:
        site.stop()
        shutil.rmtree(base, ignore_errors=True)
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


if __name__ == "__main__":
    main()
