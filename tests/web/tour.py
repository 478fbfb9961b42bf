"""A member's way through every page, in one browser: what shows a page calls a visitor with its name. screenshots.py takes
pictures of them all, test_pages.py looks whether they are as they should be."""
import subprocess
import tempfile
import time

import tour_passkey
from browser import BUILD, Site, app_code, mailed
from made import made
from test_forgot import Member as Enrolled, put_mailcode
from test_web_mailcode import a_minute_later, new_code
from test_wizard import BIRTH, NEW_PASSWORD, Member, app_page, confirm_by_code, log_out, open_login, qr, secret_of


class Visitor:
    """Sees the pages that a tour comes to. b: the browser; its cookies may be put aside for a while."""

    def __init__(self, browser, lang):
        self.b, self.lang, self.without = browser, lang, False

    def __call__(self, name):
        raise NotImplementedError

    def elsewhere(self, visit):
        """visit() as if in another browser."""
        kept = self.b.d.get_cookies()
        self.b.d.delete_all_cookies()
        visit()
        self.b.d.delete_all_cookies()
        for c in kept:
            self.b.d.add_cookie(c)

    def scripts(self, run):
        self.b.d.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not run})

    def plain(self, visit):
        """visit() without JavaScript."""
        self.without = True
        self.scripts(False)
        visit()
        self.scripts(True)
        self.without = False


def walk(site, person, shot):
    b = shot.b
    b.get(site.url + "/")
    b.at("/login")
    shot("login")
    b.get(site.url + "/terms")
    shot("terms-read")
    b.get(site.url + "/login")
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

    def elsewhere():
        b.get(link)
        shot("link-elsewhere")
    shot.elsewhere(elsewhere)
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
    for agent, on in (("iphone", ""), ("android", ""), ("chrome", "computer"), ("edge", "computer"), ("chrome", "")):
        app_page(b, site, agent, on)
        shot(f"app-{agent}")
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

    def another_device():
        b.get(site.url + "/login")
        b.find("label[for=f-keep]").click()
        b.fill(login=person.login, password=NEW_PASSWORD)
        b.fill(code=app_code(secret, time.time() + 30))
        b.at("/account")
    shot.elsewhere(another_device)
    b.get(site.url + "/account/sessions")
    shot("sessions")
    b.press("button.main")
    shot("sessions-ended")
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

    def elsewhere():
        b.get(link)
        shot("forgot-link-elsewhere")
    shot.elsewhere(elsewhere)
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
    """The pages of somebody who chose codes by email."""
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
    help_ = b.d.page_source  # the new phone's help, folded
    assert "with the next code of your sheet" in help_ or "コード表の次のコードでログイン" in help_
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


def walk_late(site, late, old, shot):
    """Whose days to enrol are over, and whose letter is too old."""
    b = shot.b
    for person, name in (late, "late"), (old, "late-letter"):
        b.d.delete_all_cookies()
        b.get(site.url + "/login")
        b.fill(login=person.login, password=site.initial(person.login))
        shot(name)


def tour_site(tours):
    """A site with people for so many tours, started; stop() and remove its folder."""
    people = [Member(f"h{i:05d}") for i in range(3 * tours)]
    forgetful = [(Enrolled(f"f{i:05d}"), Enrolled(f"m{i:05d}", seed=False)) for i in range(tours)]
    movers = [Enrolled(f"a{i:05d}") for i in range(tours)]
    others = [(Enrolled(f"x{i:05d}"), Enrolled(f"w{i:05d}")) for i in range(tours)]
    staff = [Member(f"s{i:05d}", role="staff") for i in range(tours)]
    tardy = [(Member(f"l{i:05d}"), Member(f"o{i:05d}")) for i in range(tours)]
    site = Site(tempfile.mkdtemp(prefix="kosmo-"), [*people, *movers, *staff, *(p for pair in forgetful + others + tardy for p in pair)], tour_passkey.CONF +
                "organisation = みほん健康保険組合\ncontact = 電話 03-0000-0000（平日 9:00～17:00）\nmail.from = no-reply@example.jp\nemail = optional\nenrol.days = 30\n")
    put_mailcode(site, *(f"={p.login}" for p in movers), *(f"={p.login}" for p, _ in forgetful + others), *(p.login for _, p in forgetful))
    for days, late in zip((40, 120), zip(*tardy)):
        subprocess.run([made("pam", "put_back") / "put_back", site.conf, str(days), *(p.login for p in late)], check=True)
    site.people = [iter(people), iter(forgetful), iter(movers), iter(others), iter(staff), iter(tardy)]
    return site


def tour(site, shot):
    """Every page, once."""
    free, forgot, changing, more, staff, tardy = site.people
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
    walk_late(site, *next(tardy), shot)
    tour_passkey.walk(site, next(staff), shot)
