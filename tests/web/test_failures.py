"""Each part that can fail, seen from the browser: what is served, what is refused and in which words, what the log says, and
that afterwards everything is there and goes on by itself."""
import json
import os
import pathlib
import re
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "pam"), str(HERE.parent)]

from conftest import make_folder  # noqa: E402
from failures import TRANSLATED, DENIED, REFUSED, SERVED, Site, Web, broken, intact, params, state  # noqa: E402
from harness import Person, wait_until  # noqa: E402

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="the keeper of another's instance is started by root")

PEOPLE = [Person(f"s{i:03}") for i in range(140)]
UNUSED = iter(PEOPLE)
module_folder = pytest.fixture(make_folder, scope="module", name="module_folder")
RAW = re.compile(r"sqlite|errno|ERR_|kosmo\.db|/tmp/|input/output|corrupt|locked|No such file|Permission denied", re.I)
SLOWEST = 3
NUMBERS = 40  # of the 60 that enrolld gives in a minute (enroll/trouble.h): a failure here takes a few


@pytest.fixture(scope="module")
def site(module_folder):
    s = Site(module_folder, PEOPLE)
    try:
        s.start()
        yield s
    finally:
        s.close()


def refused(page, lang):
    """A sentence in the person's language, a way on, and when to come again."""
    assert page.status in (500, 503) and page.seconds < SLOWEST, (page.status, page.seconds, page.text)
    assert f'<html lang="{lang}">' in page.text and not RAW.search(page.text), page.text
    title, lead = (re.search(rf"<{t}[^>]*>([^<]+)</", page.text).group(1) for t in ("h1", 'p class="lead"'))
    japanese = re.compile("[ぁ-ん]")
    assert bool(japanese.search(title + lead)) == (lang == "ja" and TRANSLATED) and len(lead) > 20, (title, lead)
    assert re.search(r'<a class="button main" href="/[^"]*">[^<]+</a>', page.text), page.text
    if page.status == 503:
        assert 1 <= int(page.headers["Retry-After"]) <= 60
    number = re.search(r'<b class="pair">([^<]*)</b>', page.text)
    return [number.group(1)] if number else []


def numbered(site, numbers, keeper):
    """Each number that a page showed is in a log at once, and in the audit too; but what a keeper had not written yet when it
    was ended is in the journal alone."""
    for number in numbers:
        assert re.fullmatch("[02-9a-hjkmnp-z]{4}-[02-9a-hjkmnp-z]{4}", number), number
        assert site.said("enrolld", [number]) or site.said("keeper", [number])
        if site.process is keeper or site.said("enrolld", [number]):
            wait_until(lambda: number in site.ctl("audit", "--limit", "1000"), 5, f"{number} in the audit")
            found = json.loads(site.ctl("audit", "--failure", number.replace("-", " ").upper(), "--json"))
            assert found["event"] == "failure" and found["detail"].startswith(number + " "), found


def served(page):
    assert page.status in (200, 303) and page.seconds < SLOWEST, (page.status, page.seconds, page.text)


def with_numbers_left(site):
    """On a fast machine so much fails here in a minute that no page would show a number any more."""
    if len([line for line in site.log("enrolld", site.enrolld_began) if "failure " in line]) > NUMBERS:
        site.enrolld.end()
        site.start_enrolld()


@pytest.mark.parametrize("failure", params())
def test_failure(site, failure):
    if failure.needs_mount and not site.mounted:
        pytest.skip("no mounts here")
    lang = ("ja", "en")[len(failure.name) % 2]
    with_numbers_left(site)
    member, person = Web(site, lang), next(UNUSED)
    inside = member.log_in(next(UNUSED))
    stranger = Web(site, lang)
    assert member(inside).status == 200 and stranger("/login").status == 200
    before, keeper, numbers = state(site), site.process, []

    with broken(site, failure):
        acts = {"session": lambda: member(inside), "login": lambda: Web(site, lang)("/login"), "form": lambda: stranger.password(person)}
        with ThreadPoolExecutor(3) as pool:  # what hangs shall do so at the same time
            pages = dict(zip(acts, pool.map(lambda act: act(), acts.values())))
        for what, page in (failure.session, pages["session"]), (failure.login, pages["login"]):
            if what == REFUSED:
                numbers += refused(page, lang)
            else:
                served(page)
                assert (page.status == 200) == (what == SERVED), (page.status, page.location)
        page = pages["form"]
        if failure.form == REFUSED:
            numbers += refused(page, lang)
        else:
            served(page)
            assert page.path == "/login/code"
            page = stranger.code(person.code())
            served(page)
            assert (page.path != "/login/code") == (failure.form == SERVED), (page.path, page.text)
        if failure.log and (failure.log[0] == "enrolld" or failure.form == REFUSED):
            log = failure.log if failure.starts is not False else ("enrolld", ["no keeper at", "start kosmo-keeper"])
            wait_until(lambda: site.said(*log), 3, f"{log}")
            assert len(site.said(*log)) == 1, site.log(log[0])

    assert person.login in [p["login"] for p in site.people_now()]
    intact(site, before)
    assert numbers or REFUSED not in (failure.session, failure.login, failure.form)
    assert member(inside).status == (200 if failure.session_after else 303)
    again = Web(site, lang)
    if failure.form == SERVED:
        person = next(UNUSED)
    (again.log_in_after_a_wait if failure.form == DENIED else again.log_in)(person)
    numbered(site, numbers, keeper)


def test_damage_is_said_once(site):
    """What is read elsewhere in the store meanwhile mends nothing, and would fill the log with both in turn."""
    failure, = (p.values[0] for p in params() if p.values[0].name == "garbage in the middle of the store")
    with broken(site, failure):
        def both(person):
            web = Web(site)
            return web("/login").status, web.password(person).status

        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(both, [next(UNUSED) for _ in range(12)])) == {(200, 500)}
        wait_until(lambda: site.said(*failure.log), 3, "the damage")
        assert len(site.said(*failure.log)) == 1 and not site.said("keeper", ["works again"]), site.log("keeper")


def test_killed_before_the_answer(site):
    """Between the form and its answer, in the password and in the code: nothing was accepted, so that it is right again."""
    web, person = Web(site), next(UNUSED)
    web("/login")
    killed(site, lambda: web.password(person))
    assert web.password(person).path == "/login/code"
    code = person.code()
    killed(site, lambda: web.code(code))
    assert web.code(code).path.startswith("/first/")


def killed(site, act):
    got = []
    os.kill(site.process.p.pid, signal.SIGSTOP)
    t = threading.Thread(target=lambda: got.append(act()))
    t.start()
    t.join(0.3)
    assert t.is_alive()
    site.kill_keeper()
    t.join(5)
    refused(got[0], "ja")
    site.start_keeper()


def test_jump_between_the_steps(site):
    """The clock goes an hour on, or back, between password and code: the code of that hour is refused, and the right one right
    again afterwards."""
    for seconds in 3600, -3600:
        web, person = Web(site), next(UNUSED)
        web("/login")
        assert web.password(person).path == "/login/code"
        site.move_clock(seconds)
        assert web.code(person.code()).path.startswith("/login")
        site.move_clock(0)
        Web(site).log_in(person)


def test_no_session_is_eternal(site):
    """One that began while the clock was an hour ahead ends no later than others once it is right."""
    site.move_clock(3600)
    web, person = Web(site), next(UNUSED)
    inside = web.log_in(person, person.code(at=time.time() + 3600))
    site.move_clock(0)
    assert web(inside).status == 200
    site.move_clock(3600 * 11)
    assert web(inside).location == "/login?n=idle"
    site.move_clock(0)


def test_in_a_real_browser(site):
    """What a person does: types, reads the sentence, presses the button once it is mended, and is let in."""
    from browser import Browser
    rows = ["the store moved away while it runs", "the keeper killed", "the keeper stopped"]
    browser, person = Browser(lang="ja"), next(UNUSED)
    try:
        for failure in (p.values[0] for p in params() if p.values[0].name in rows):
            browser.get(site.url + "/login")
            browser.type("login", person.login)
            browser.type("password", person.password)
            with broken(site, failure):
                browser.press()
                assert browser.find("html").get_attribute("lang") == "ja" and not RAW.search(browser.text)
                assert len(browser.find("p.lead").text) > 20
            wait_until(lambda: press_on(browser), 5, "the page is there again")
        browser.fill(login=person.login, password=person.password)
        browser.at("/login/code").fill(code=person.code())
        browser.at("/first/birth-date")
    finally:
        browser.close()


def press_on(browser):
    browser.press("a.button.main")
    return browser.path.split("?")[0] == "/login" and browser.all("input[name=login]")
