"""Every page at phone and desktop width, in both languages, light and dark, and with its help unfolded (open), into
build/screenshots; doc/img is chosen from them.

usage: /usr/bin/python3 tests/web/screenshots.py [--only ja|en|phone|desktop]... [FOLDER]"""
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from browser import BUILD, Browser  # noqa: E402
from tour import Visitor, tour, tour_site  # noqa: E402

SIZES = {"phone": (360, 740), "desktop": (1280, 900)}
SCHEMES = ("light", "dark")
OPEN = "return [...document.querySelectorAll('details:not([open])')].map(d => d.open = d.wasShut = true).length"
SHUT = "for (const d of document.querySelectorAll('details')) if (d.wasShut) d.open = d.wasShut = false"


class Camera(Visitor):
    def __init__(self, browser, lang, folder, size):
        super().__init__(browser, lang)
        self.folder, self.size, self.n = folder, size, 0
        self.width, self.height = SIZES[size]
        self.screen(self.height)

    def screen(self, height):
        self.b.d.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": self.width, "height": height, "deviceScaleFactor": 1,
                                                                        "mobile": self.width < 600})

    def __call__(self, name):
        self.n += 1
        for scheme in SCHEMES:
            self.b.d.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
            self.save(f"{scheme}-{self.n:03}-{name}")
        self.b.d.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        if self.b.d.execute_script(OPEN):
            self.save(f"open-{self.n:03}-{name}")
        self.b.d.execute_script(SHUT)
        self.screen(self.height)

    def save(self, name):
        self.screen(max(self.b.d.execute_script("return document.documentElement.scrollHeight"), self.height))
        self.b.d.save_screenshot(str(self.folder / f"{self.lang}-{self.size}-{name}.png"))


def main():
    args, only = sys.argv[1:], []
    while args[:1] == ["--only"]:
        only.append(args[1])
        args = args[2:]
    langs = [x for x in ("ja", "en") if x in only] or ["ja", "en"]
    sizes = [x for x in SIZES if x in only] or list(SIZES)
    folder = pathlib.Path(args[0] if args else BUILD / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    site = tour_site(len(langs) * len(sizes))
    site.start()
    try:
        for lang in langs:
            for size in sizes:
                b = Browser(lang=lang, width=SIZES[size][0], height=SIZES[size][1])
                try:
                    tour(site, Camera(b, lang, folder, size))
                finally:
                    b.close()
    finally:
        site.stop()
        shutil.rmtree(site.dir, ignore_errors=True)
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


if __name__ == "__main__":
    main()
