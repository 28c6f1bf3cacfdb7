"""The pages in headless Chromium: a whole study through reload and crash, a live run, and
explanations that attack."""
import csv
import io
import json

import pytest
from conftest import FORMATS, start_sweep
from viewer_server import Keys, Viewer, browser, chromium

FIXTURES = browser, chromium
pytestmark = pytest.mark.long
RATINGS = "input[name^='rate-']:checked"
HOSTILE = [
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">",
    "long " * 20000,
    "\u202Eright to left \u05D0\u05D1\u05D2 \u202D and \u2066isolates",
    "emoji \U0001F9E0\U0001F469\u200D\U0001F52C and cafe\u0301",
    "\"'></p></article><iframe src='/'></iframe>{{7*7}}${7*7}",
]


def shown(browser):
    """The page that the rater sees: its number and the explanations in order."""
    number = browser.text("#page")
    return number, browser.texts(".explanation .said")


def rate(browser, given, how):
    """One page by keyboard: ratings after the text, the best one the last of those rated
    highest."""
    number, texts = shown(browser)
    ratings = [how(text) for text in texts]
    best = max(range(len(texts)), key=lambda i: (ratings[i], i))
    for rating in ratings:
        browser.press(str(rating))
        hidden = browser.driver.execute_script(
            "const at = document.querySelector('.explanation.current').getBoundingClientRect();"
            "return at.bottom - document.querySelector('.sticky').getBoundingClientRect().top")
        assert hidden <= 1, "the bar at the bottom covers the explanation that is rated"
    browser.press(*[Keys.ARROW_UP] * (len(texts) - 1 - best), "b")
    given[tuple(browser.texts(".excerpt"))] = sorted(zip(texts, ratings)), texts[best]
    return number


def go_on(browser, number):
    browser.press(Keys.ENTER)
    browser.wait(lambda: browser.texts("#page, #finished h1") not in ([], [number]),
                 "the next page")


def finish(browser, given, how):
    while not browser.all("#finished"):
        go_on(browser, rate(browser, given, how))


def how_anna(text):
    return 1 + len(text) % 5


def how_ben(text):
    return 1 + sum(map(ord, text)) % 5


def test_whole_study(place, browser):
    """10 neurons, 2 raters, by keyboard; a reload, a server that is killed while a page is open,
    and a resume."""
    place.config(place.standin().url, limit=10, mode=None, adacs=False)
    place.run()
    viewer = Viewer(place, "--study-only", "--raters", "anna,ben", "--overlap", 0.4)
    given = {"anna": {}, "ben": {}}
    browser.open(f"{viewer.url}/study")
    browser.wait(lambda: browser.all("input[name=code]"), "the question for the code")
    browser.press("anna", Keys.ENTER)
    assert browser.text("#page") == "Page 1 of 7"
    assert browser.driver.execute_script("return document.querySelector('#send').disabled"), \
        "nothing rated yet"
    for _ in range(3):
        go_on(browser, rate(browser, given["anna"], how_anna))
    assert shown(browser)[0] == "Page 4 of 7"
    # A reload comes back to the first page that is open, with the same order; going back shows
    # what was answered.
    before = shown(browser)
    browser.open(f"{viewer.url}/study/anna")
    assert shown(browser) == before
    browser.click("#back")
    browser.wait(lambda: shown(browser)[0] == "Page 3 of 7", "the page before")
    assert len(browser.all(RATINGS)) == 5 and len(browser.all("input[name=best]:checked")) == 1
    go_on(browser, "Page 3 of 7")
    # The server dies while a rated page is open: nothing is lost, and the page says so.
    number = rate(browser, given["anna"], how_anna)
    viewer.kill()
    browser.press(Keys.ENTER)
    browser.wait(lambda: browser.text("#hint").startswith("Not saved"),
                 "the page to say that it was not saved")
    viewer.options = ("--study-only",)
    viewer.start()
    go_on(browser, number)
    finish(browser, given["anna"], how_anna)
    assert browser.text("#progress") == "7 of 7 done"
    browser.open(f"{viewer.url}/study/ben")
    finish(browser, given["ben"], how_ben)
    # Nothing that the browser asked for or sent names a format, and all of it went to this server.
    asked = browser.requests()
    assert any(method == "POST" for method, _, _ in asked)
    for method, url, body in asked:
        assert url.startswith(viewer.url)
        assert not any(name in url + body for name in FORMATS)
    viewer.kill()
    check_answers(place, given)


def check_answers(place, given):
    """The export holds what was given, format by format."""
    texts = {}
    for line in place.glia("export", "explanations").out.splitlines():
        row = json.loads(line)
        texts[row["id"], row["format"]] = row["explanation"]
    rows = list(csv.DictReader(io.StringIO(place.glia("export", "study").out)))
    assert len(rows) == 2 * 7 * len(FORMATS)
    pages = {}
    for row in rows:
        pages.setdefault((row["rater"], row["neuron"]), []).append(row)
    for (rater, neuron), formats in pages.items():
        said = sorted((texts[neuron, row["format"]], int(row["rating"])) for row in formats)
        best = [texts[neuron, row["format"]] for row in formats if row["best"] == "1"]
        assert len(best) == 1 and (said, best[0]) in list(given[rater].values()), (rater, neuron)
    neurons = {}
    for rater, neuron in pages:
        neurons.setdefault(neuron, set()).add(rater)
    assert len(neurons) == 10 and sum(len(raters) == 2 for raters in neurons.values()) == 4
    assert all((len(neurons[row["neuron"]]) == 2) == (row["overlap"] == "1") for row in rows)
    (place.path / "study.csv").write_text(place.glia("export", "study").out)
    assert "share of best" in place.glia("report", "--study", "study.csv").out


def test_run_page_is_live(place, browser):
    # Slow until everything was seen: a run writes its progress down every three seconds.
    standin = place.standin("--latency", "fixed:500")
    place.config(standin.url, limit=8, endpoint="concurrency = 4")
    glia = start_sweep(place, standin, 4)
    viewer = Viewer(place)
    browser.open(viewer.url)
    browser.wait(lambda: browser.texts("#state") == ["running"], "the run to be running")
    seen = browser.texts("#stages tbody td.number:nth-child(3)")
    browser.wait(lambda: browser.texts("#stages tbody td.number:nth-child(3)") not in ([], seen),
                 "progress to move")
    assert browser.texts("#eta dd") and browser.texts(".caps .number")
    assert glia.running()
    standin.faults(latency="fixed:0")
    glia.wait(0)
    browser.wait(lambda: browser.texts("#state") == ["done"], "the end of the run")
    browser.wait(lambda: browser.all("svg.chart polyline.line"), "the rates")
    assert browser.texts("#failures") == [] and not browser.complaints()
    look_around(viewer, browser)


def look_around(viewer, browser):
    """From table to neuron in one click, neighbours by keyboard, the messages behind a number."""
    browser.open(f"{viewer.url}/compare")
    browser.click("#matrix tbody a")
    browser.wait(lambda: browser.all(".excerpt .token.simulated"),
                 "simulated activations under real ones")
    name = browser.text("h1")
    assert len(browser.all(".explanation")) == len(FORMATS)
    browser.click(".explanation details summary")
    browser.wait(lambda: browser.all(".turn pre"), "the messages")
    assert any("<start>" in text for text in browser.texts(".turn pre"))
    tip = browser.driver.execute_script(
        "const e = document.querySelector('.excerpt'); e.focus();"
        "e.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));"
        "return document.getElementById('tip').textContent")
    assert " of 10)" in tip
    browser.open(browser.driver.current_url)
    browser.wait(lambda: browser.all("#next, #prev"), "a neighbour")
    browser.press(Keys.ARROW_RIGHT if browser.all("a#next") else Keys.ARROW_LEFT)
    browser.wait(lambda: browser.texts("h1") not in ([], [name]), "the neighbour")
    browser.press("g")
    browser.wait(lambda: browser.all(".excerpt .token"), "a good one")
    browser.open(f"{viewer.url}/neurons?sort=score&descending=1")
    browser.wait(lambda: len(browser.all("#neurons tbody tr")) == 8, "the list")
    scores = viewer.json("/api/neurons?sort=score&descending=1")["neurons"]
    assert browser.texts("#neurons tbody tr td:first-child") == [row["id"] for row in scores]
    on_a_narrow_screen(viewer, browser, name)
    assert not browser.complaints()


def on_a_narrow_screen(viewer, browser, name):
    """No page runs over: what is wider scrolls in a box of its own."""
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                                   {"width": 400, "height": 800, "deviceScaleFactor": 1,
                                    "mobile": False})
    for path, what in (("/", "#stages tbody tr"), ("/neurons", "#neurons tbody tr"),
                       ("/compare", "#matrix tbody tr"), (f"/puzzle/{name}", ".excerpt .token")):
        browser.open(viewer.url + path)
        browser.wait(lambda: browser.all(what), what)
        assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= \
            400, path
    browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def answer_with(content):
    usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
    message = {"role": "assistant", "content": content}
    return json.dumps({"id": "x", "object": "chat.completion", "model": "standin-chat",
                       "usage": usage,
                       "choices": [{"index": 0, "message": message,
                                    "finish_reason": "stop"}]}).encode()


def test_hostile_explanations_are_text(place, browser):
    """What a model writes is shown as it is, whatever it is, on every page that shows it."""
    left = list(HOSTILE)

    def hostile(number, arrival):
        if len(arrival.body) < 1000:
            return None  # a probe
        return 200, {"Content-Type": "application/json"}, answer_with(left.pop())

    relay = place.relay(place.standin().port, hostile)
    place.config(relay.url, limit=1, mode=None, adacs=False, endpoint="concurrency = 1")
    place.run()
    assert not left
    viewer = Viewer(place, "--raters", "anna")
    entry = viewer.json("/api/neurons")["neurons"][0]
    for page in (f"/puzzle/{entry['id']}", "/study/anna"):
        browser.open(viewer.url + page)
        browser.wait(lambda: len(browser.all(".explanation .said")) == 5, "the explanations")
        assert sorted(browser.texts(".explanation .said")) == \
            sorted(text.strip() for text in HOSTILE)
        assert not browser.all("main script, main iframe, main img")
        assert "owned" not in browser.driver.title
        width = browser.driver.execute_script(
            "return [document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1], "nothing runs out of the page"
        kept = browser.driver.execute_script(
            "return [...document.querySelectorAll('.said, .token')].every("
            "(e) => ['isolate', 'plaintext'].includes(getComputedStyle(e).unicodeBidi))")
        assert kept, "a text that turns its direction turns nothing around it"
        tall = browser.driver.execute_script(
            "return Math.max(...[...document.querySelectorAll('.said')].map((e) => "
            "e.offsetHeight))")
        assert tall < 400, "a long text scrolls in its own box"
    browser.open(viewer.url + "/neurons")
    browser.wait(lambda: browser.all("#neurons tbody tr"), "the list")
    assert not browser.complaints()
