#!/usr/bin/python3
"""Writes the screenshots that README.md shows: the default config's run in the viewer, and the
example report.

    make all && /usr/bin/python3 test/system/viewer_screenshots.py
"""
import pathlib
import subprocess
import tempfile

from conftest import GLIA, ROOT, Place
from viewer_server import Browser, Viewer

PICTURES = [
    ("run", "light", "/", "#state"),
    ("compare", "light", "/compare", "#matrix tbody tr"),
    ("neuron", "dark", "/puzzle/birds", ".excerpt .token"),
    ("study", "light", "/study/anna", ".explanation"),
]

EXPERIMENTS = ROOT / "tools" / "experiments"
# Of the example report: what stands at the top of the picture, and its height.
REPORT = [("report-light", "light", "document.body", 860),
          ("plots-dark", "dark",
           "[...document.querySelectorAll('figure')].find((e) => "
           "e.textContent.startsWith('\\nScore by layer'))", 950)]


def choose(browser, scheme):
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                   {"features": [{"name": "prefers-color-scheme",
                                                  "value": scheme}]})


def save(browser, target):
    target.parent.mkdir(exist_ok=True)
    browser.driver.save_screenshot(str(target))
    print(f"{target.relative_to(ROOT)}  {target.stat().st_size:,} bytes")


def show_report(browser):
    for name, scheme, top, height in REPORT:
        choose(browser, scheme)
        browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                       {"width": 1000, "height": height, "deviceScaleFactor": 1,
                                        "mobile": False})
        browser.open((EXPERIMENTS / "report.html").as_uri())
        browser.driver.execute_script(f"{top}.scrollIntoView()")
        save(browser, EXPERIMENTS / f"{name}.png")
    browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def main(directory):
    place = Place(directory)
    browser = Browser(directory)
    try:
        show_report(browser)
        subprocess.run([GLIA, "run", "--quiet", "-c", ROOT / "config.toml"], cwd=directory,
                       check=True, stderr=subprocess.DEVNULL)
        viewer = Viewer(place, "--raters", "anna,ben", "--store", "glia-store")
        for name, scheme, path, what in PICTURES:
            choose(browser, scheme)
            browser.open(viewer.url + path)
            browser.wait(lambda: browser.all(what), what)
            if name == "run":
                browser.wait(lambda: browser.all("svg.chart"), "the charts")
            if name == "neuron":
                browser.driver.execute_script(
                    "scrollTo(0, document.querySelector('.legend').offsetTop - 75)")
            if name == "study":
                browser.press("4", "5", "2")
            save(browser, ROOT / "tools" / "viewer" / "screenshots" / f"{name}.png")
    finally:
        browser.close()
        place.close()


with tempfile.TemporaryDirectory() as made:
    main(pathlib.Path(made))
