"""A viewer that runs for a test, plain requests to it, and a headless Chromium that looks at its
pages."""
import http.client
import json
import signal

import pytest
from conftest import DEADLINE, wait_until
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys


class Viewer:
    """`glia viewer` on a port of its own; start() again takes the same port."""

    def __init__(self, place, *options, port=0):
        self.place, self.options = place, options
        self.port = port
        self.start()

    def start(self, *more):
        port_file = self.place.path / f"{self.place.name('viewer')}.port"
        self.program = self.place.start("viewer", "--port", self.port, "--port-file", port_file,
                                        *self.options, *more)
        wait_until(lambda: not self.program.running()
                   or (port_file.exists() and port_file.read_text().strip()), "the viewer's port")
        assert self.program.running(), f"the viewer ended at once: {self.program.err}"
        self.port = int(port_file.read_text())
        self.url = f"http://127.0.0.1:{self.port}"

    def kill(self):
        self.program.signal(signal.SIGKILL)
        self.program.wait()

    def ask(self, path, method="GET", body=None, host=None, **headers):
        """(status, headers, bytes)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host or f"127.0.0.1:{self.port}")
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        said = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return said

    def json(self, path):
        status, _, body = self.ask(path)
        assert status == 200, body
        return json.loads(body)


class Browser:
    """Headless Chromium. Elements are looked for anew each time: pages redraw themselves."""

    def __init__(self, directory):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu",
                         "--disable-dev-shm-usage",
                         "--window-size=1240,900", "--hide-scrollbars",
                         f"--user-data-dir={directory}/chromium"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.set_page_load_timeout(DEADLINE)
        self.driver.set_script_timeout(DEADLINE)

    def close(self):
        self.driver.quit()

    def open(self, url):
        self.driver.get(url)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector):
        """Of all elements that fit, taken at one moment."""
        return self.driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)",
            selector)

    def text(self, selector):
        return self.wait(lambda: self.texts(selector), selector)[0]

    def wait(self, ask, what):
        def tried():
            try:
                return ask()
            except StaleElementReferenceException:
                return None
        return wait_until(tried, what, 60)

    def click(self, selector):
        self.wait(lambda: self.all(selector), selector)
        self.driver.execute_script("document.querySelector(arguments[0]).click()", selector)

    def press(self, *keys):
        body = self.driver.switch_to.active_element
        for key in keys:
            body.send_keys(key)

    def requests(self):
        """Every URL that was asked for since the last call, and what was sent along."""
        asked = []
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                request = message["params"]["request"]
                asked.append((request["method"], request["url"], request.get("postData", "")))
        return asked

    def complaints(self):
        """What the console said: refused scripts and styles, failed requests, uncaught errors."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] in ("SEVERE", "WARNING")]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    its = Browser(tmp_path_factory.mktemp("browser"))
    yield its
    its.close()


@pytest.fixture
def browser(chromium):
    """On an empty page, before and after: what a page of another test's server says is no concern
    of this one."""
    chromium.open("about:blank")
    chromium.requests()
    chromium.complaints()
    yield chromium
    chromium.open("about:blank")


__all__ = ["Browser", "By", "Keys", "Viewer", "browser", "chromium"]
