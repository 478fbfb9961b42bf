"""The pages of passkeys, for tour.py: registered, used, lost, looked after, and logins at a terminal that one approves."""
from browser import mailed
from kosmo_wire import Client
from passkey import Authenticator, no_autofill
from terminal import URL
from test_wizard import NEW_PASSWORD, begin, confirm_by_code, log_out

CONF = "passkey.host = shell.example.jp\npasskey.same_address = 10.0.0.0/8\n"


def cases(b):
    """Everything that kosmo.js may have to say of the device."""
    b.d.execute_script("const s = document.getElementById('passkey-said'); s.hidden = false;"
                       "for (const p of s.querySelectorAll('[data-case]')) p.hidden = false")


def put_wrong(b, form="form[data-passkey]"):
    """Sends what no device has said."""
    b.d.execute_script("const f = document.querySelector(arguments[0]);"
                       "for (const n of ['id', 'client_data', 'auth_data', 'signature', 'attestation']) if (f.elements[n]) f.elements[n].value = 'AAAA'", form)
    b.d.execute_script("const f = document.querySelector(arguments[0]), s = document.createElement('button');"
                       "s.id = 'send'; f.append(s)", form)
    b.press("#send")


def sent_again(b, field, value, form="form[data-passkey]"):
    """Sends what the device says, with this field changed."""
    b.d.execute_script("""
        const send = HTMLFormElement.prototype.submit, [field, value] = arguments;
        HTMLFormElement.prototype.submit = function () { this.elements[field].value = value; send.call(this) }""", field, value)
    b.press(form + " button")


def plain(shot, site, path, name, press=None):
    """The same in a browser without JavaScript."""
    def visit():
        shot.b.get(site.url + path)
        shot(name + "-plain")
        if press:
            shot.b.press(press)
            shot(name + "-plain-pressed")
    shot.plain(visit)
    shot.b.get(site.url + path)


def register(site, person, shot, device):
    b = shot.b
    person.initial = site.initial(person.login)
    begin(b, site, person)
    confirm_by_code(b, site, person)
    shot("method")
    b.press()
    b.at("/first/password").fill(new=NEW_PASSWORD, again=NEW_PASSWORD)
    b.at("/first/done")
    shot("done")
    b.press("button[value=passkey]")
    b.at("/passkey")
    shot("passkey")
    b.find("details summary").click()
    cases(b)
    shot("passkey-cases")
    plain(shot, site, "/passkey", "passkey", "button.main")
    put_wrong(b)
    shot("passkey-expired")
    b.get(site.url + "/passkey")
    sent_again(b, "attestation", "AAAA")
    shot("passkey-refused")
    b.get(site.url + "/passkey")
    b.type("name", "x" * 60)
    b.press("button.main")
    shot("passkey-name")
    device.clear()
    b.get(site.url + "/passkey")
    b.find("button[data-where=this]").click()
    b.at("/recovery")
    shot("passkey-recovery")
    person.codes = [e.text for e in b.all(".codes code")]
    b.press()
    b.at("/account")
    shot("passkey-account")


def look_after(site, shot, device):
    """A second one, synced, beside the first."""
    b = shot.b
    device.remove()
    second = Authenticator(b, transport="usb", defaultBackupEligibility=True, defaultBackupState=True)
    b.get(site.url + "/passkey")
    shot("passkey-second")
    b.find("button[data-where=other]").click()
    b.at("/account")
    shot("passkey-several")
    b.all("a[href^='/account/rename']")[1].click()
    b.at("/account/rename")
    shot("passkey-rename")
    b.get(site.url + "/account")
    b.all("a[href^='/account/remove']")[1].click()
    b.at("/account/remove")
    shot("passkey-remove")
    b.get(site.url + "/account/confirm/passkey")
    shot("passkey-confirm")
    b.get(site.url + "/account/confirm/another")
    shot("passkey-confirm-another")
    return second


def use(site, person, shot, device):
    b = shot.b
    log_out(b, site)
    shot("passkey-login")
    cases(b)
    shot("passkey-login-cases")
    plain(shot, site, "/login", "passkey-login")
    sent_again(b, "id", "AAAA")
    shot("passkey-unknown")
    b.get(site.url + "/login")
    b.fill(login=person.login, password=NEW_PASSWORD)
    b.at("/login/passkey")
    shot("passkey-use")
    b.find("details summary").click()
    cases(b)
    shot("passkey-use-cases")
    b.get(site.url + "/login/passkey")
    sent_again(b, "signature", "AAAA")
    shot("passkey-use-wrong")
    plain(shot, site, "/login/passkey", "passkey-use")
    b.get(site.url + "/login/another")
    shot("passkey-another")
    b.get(site.url + "/login/lost")
    shot("passkey-lost-help")
    b.fill(code=person.codes[0])
    b.at("/lost")
    shot("passkey-lost")
    b.press("button[value=yes]")
    b.at("/lost/which")
    shot("passkey-lost-which")
    b.all("input[name=id]")[0].click()
    b.press()
    if b.path == "/lost/new":
        shot("passkey-lost-new")
        b.press()
        b.at("/passkey")
        shot("passkey-lost-register")


def forget(site, person, shot):
    b = shot.b
    b.d.delete_all_cookies()
    b.get(site.url + "/forgot/password")
    b.fill(login=person.login)
    code = None
    while not code:
        code, _ = mailed(site.mail(person.login))
    b.fill(code=code)
    b.at("/forgot/factor/passkey")
    shot("forgot-passkey")
    b.find("a[href^='/forgot/factor?']").click()
    b.at("/forgot/factor")
    shot("forgot-passkey-another")


class Login:
    """One at a terminal, up to the question whose answer the page gives."""

    def __init__(self, site, person, address, password=NEW_PASSWORD):
        with Client(site.socket) as c:
            c.ask("begin", {"phase": "auth", "service": "sshd", "user": person.login, "rhost": address, "ruid": 0, "tty": "ssh"})
            c.ask("answer", {"text": password})
            self.token = URL.search(c.ask("answer", {"text": ""})[1]["text"] + "\n").group(2)


def approve(site, person, shot):
    b = shot.b
    b.get(site.url + "/account")

    def visit(login, css):
        end = 50
        while True:
            b.get(f"{site.url}/approve/{login.token}")
            if b.all(css):
                return
            end -= 1
            assert end, b.text
    t = Login(site, person, "192.0.2.7")
    visit(t, "form[data-passkey]")
    shot("approve")
    cases(b)
    shot("approve-cases")
    plain(shot, site, f"/approve/{t.token}", "approve", "form[data-passkey] button")
    b.press("form[data-passkey] button")
    shot("approve-code")
    b.press("form[action='/approve/deny'] button")
    shot("approve-denied")
    visit(Login(site, person, "10.1.2.3"), "form[action='/approve/deny']")
    shot("approve-elsewhere")
    b.get(f"{site.url}/approve/2222-2222-2222-2222")
    shot("approve-nothing")


def walk(site, person, shot):
    b = shot.b
    b.d.delete_all_cookies()
    no_autofill(b)
    device = Authenticator(b)
    register(site, person, shot, device)
    second = look_after(site, shot, device)
    approve(site, person, shot)
    use(site, person, shot, second)
    forget(site, person, shot)
