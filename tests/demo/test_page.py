"""The demo's page in a real browser: what a person types, draws and sees, and that no request leaves this machine."""

import base64
import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from pipeline.artifacts import Project
from pipeline.demo.models import Models
from tests.chromium import chromium, needs_chromium, syntax_faults, violations
from tests.demo.started import running
from tests.demo.test_app import One, Scripted

pytestmark = [pytest.mark.browser, needs_chromium]
SEVEN = [(0.25, 0.15), (0.75, 0.15), (0.55, 0.5), (0.45, 0.9)]
WIDTHS = {"phone": (390, "light"), "desktop": (1400, "dark")}


@contextlib.contextmanager
def opened(browser: Browser, url: str, width: int = 1100, scheme: Any = "light") -> Iterator[Page]:
    """The page, opened; no request may leave this machine meanwhile, and no script may fail."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    requests, faults = list[str](), list[str]()
    page.on("request", lambda request: requests.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.goto(url)
    page.get_by_role("tab").first.wait_for()
    try:
        yield page
        hosts = {urlsplit(address).hostname for address in requests if not address.startswith(("data:", "blob:"))}
        assert len(requests) > 5 and hosts == {"127.0.0.1"}
        # The browser reports each answer that is not 200 as an error of the console.
        assert [fault for fault in faults if "status of 400" not in fault] == []
    finally:
        page.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def url(trained: Project) -> Iterator[str]:
    with running(Models(trained)) as address:
        yield address


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with opened(browser, url) as made:
        yield made


def tool(page: Page, title: str, model: str = "", other: str = "") -> Locator:
    """Open the tab, choose the models, and return its panel once the model is described."""
    page.get_by_role("tab", name=title).click()
    panel = page.get_by_role("tabpanel")
    if model:
        panel.get_by_label("Model", exact=True).select_option(model)
    chosen = panel.get_by_label("Model", exact=True).input_value()
    expect(panel.locator("form")).to_have_attribute("data-asks", chosen)
    if other:
        panel.get_by_label("Compare with").select_option(other)
    return panel


def test_a_sentence_has_coloured_words(page: Page, experiments: dict[str, str]) -> None:
    panel = tool(page, "Classify a text", experiments["sentiment"])
    panel.get_by_label("Text").fill("I love this, and hate that")
    panel.get_by_role("button", name="Classify").click()
    words = panel.locator(".word")
    expect(words).to_have_count(6)
    assert [text.split("\n")[0] for text in words.all_inner_texts()] == ["I", "love", "this", "and", "hate", "that"]
    for word in words.all():
        number = word.locator("small").inner_text()
        assert re.fullmatch(r"[+−]0\.\d\d", number)
        assert word.get_attribute("class") == ("word for" if number[0] == "+" else "word against")
    colours = {word.evaluate("(e) => getComputedStyle(e).backgroundColor") for word in words.all()}
    assert len(colours) > 1 and panel.locator(".words").inner_text().count(",") == 1
    expect(panel.locator(".bars dt")).to_have_count(2)


def test_two_cells_answer_side_by_side(page: Page, experiments: dict[str, str]) -> None:
    one, other = experiments["pos_tagging"], experiments["padded_tags"]
    panel = tool(page, "Tag words", one, other)
    panel.get_by_label("Sentence").fill("the old man sees the boat .")
    panel.get_by_role("button", name="Tag").click()
    expect(panel.locator("article")).to_have_count(2)
    expect(panel.locator("article h3")).to_have_text([one, other])
    for name in (one, other):
        expect(panel.get_by_role("article", name=name, exact=True).locator(".word")).to_have_count(7)
    places = [article.bounding_box() for article in panel.locator("article").all()]
    assert places[0] and places[1] and places[0]["y"] == places[1]["y"] and places[0]["x"] < places[1]["x"]
    tags = [
        panel.get_by_role("article", name=n, exact=True).locator(".word small").all_inner_texts() for n in (one, other)
    ]
    differ = sum(a != b for a, b in zip(*tags, strict=True))
    expect(panel.locator("article .other")).to_have_count(2 * differ)
    expect(panel).to_contain_text(f"{differ} of 7 tags differ" if differ else "The tags are the same")


def test_text_is_written_and_the_same_seed_gives_the_same(page: Page, experiments: dict[str, str]) -> None:
    panel = tool(page, "Write text", experiments["char_lm"])
    panel.get_by_label("Prompt").fill("the river")
    panel.get_by_role("spinbutton", name="Characters").fill("120")
    panel.get_by_label("Shown at").select_option("0")
    texts = []
    for seed in ("3", "3", "4"):
        panel.get_by_label("Seed").fill(seed)
        panel.get_by_role("button", name="Write").click()
        expect(panel.get_by_role("status")).to_contain_text("120 characters; the network took")
        texts.append(panel.locator(".text").text_content())
    assert texts[0] == texts[1] != texts[2] and len(texts[0] or "") == 120
    expect(panel.locator("pre")).to_contain_text("the river")


def test_a_stream_shows_its_first_characters_and_stops(browser: Browser, experiments: dict[str, str]) -> None:
    model = Scripted()  # which writes until it is stopped
    with running(Listed(model)) as url, opened(browser, url) as page:
        panel = tool(page, "Write text")
        panel.get_by_role("button", name="Write").click()
        expect(panel.locator(".text")).to_have_text(re.compile("aaa"))
        expect(panel.get_by_role("status")).to_have_text("Writing …")
        assert not model.closed.is_set()
        panel.get_by_role("button", name="Stop").click()
        expect(panel.get_by_role("status")).to_have_text(re.compile(r"Stopped after \d+ characters\."))
        assert model.closed.wait(30), "the network has stopped, too"
        expect(panel.get_by_role("button", name="Stop")).to_be_disabled()


class Listed(One):
    """In place of Models, with a list of the one model."""

    def listed(self) -> tuple[list[dict[str, Any]], list[str]]:
        return [{"name": "x", "command": "generate", "task": "t", "dataset": "d", "cell": "gru"}], []

    def described(self, name: str, server: Any) -> dict[str, Any]:
        return {"name": name, "options": {}, "example": "once"}


def test_a_series_goes_on_with_its_band_from_its_end_and_from_pasted_numbers(
    page: Page, experiments: dict[str, str]
) -> None:
    panel = tool(page, "Forecast a series", experiments["forecasting"])
    panel.get_by_label("Steps").fill("12")
    panel.get_by_role("button", name="Forecast").click()
    chart = panel.get_by_role("img", name=f"Forecast of {experiments['forecasting']}: 12 steps")
    expect(chart).to_have_count(1)
    assert points(chart, ".ahead") == 13 and points(chart, ".band") == 26  # with the last given value
    panel.get_by_label("my own numbers").check()
    panel.get_by_role("textbox", name="Numbers").fill("1, 2, three")
    panel.get_by_role("button", name="Forecast").click()
    expect(panel.get_by_role("alert")).to_have_text(re.compile("line 1: 'three' is not a number"))
    panel.get_by_role("button", name="Fill in").click()
    filled = panel.get_by_role("textbox", name="Numbers").input_value().split("\n")
    panel.get_by_role("textbox", name="Numbers").fill(", ".join(str(float(value) + 1) for value in filled))
    panel.get_by_role("button", name="Forecast").click()
    expect(chart).to_have_count(1)
    assert points(chart, ".band") == 26 and points(chart, ".past") == min(len(filled), 60)
    panel.get_by_text("The numbers", exact=True).click()
    expect(panel.locator("tbody tr")).to_have_count(12)


def points(chart: Locator, line: str) -> int:
    return len((chart.locator(line).get_attribute("points") or "").split())


def test_a_drawn_digit_has_a_class(page: Page, experiments: dict[str, str]) -> None:
    panel = tool(page, "Classify a picture", experiments["image_rows"])
    board = panel.get_by_label("Drawing board")
    box = board.bounding_box()
    assert box
    seen = panel.get_by_label("The picture that the network sees")
    mean = "(e) => [...e.getContext('2d').getImageData(0, 0, e.width, e.height).data].reduce((a, b) => a + b)"
    empty = seen.evaluate(mean)
    page.mouse.move(*(box["x"] + SEVEN[0][0] * box["width"], box["y"] + SEVEN[0][1] * box["height"]))
    page.mouse.down()
    for x, y in SEVEN[1:]:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=5)
    page.mouse.up()
    assert seen.evaluate(mean) > empty
    size = seen.evaluate("(e) => [e.width, e.height]")
    expect(panel).to_contain_text(f"{size[0]} × {size[1]} pixels")
    brightest = (
        "(e) => [0, e.height - 1].map((y) => Math.max(...[...e.getContext('2d').getImageData(0, y, e.width, 1).data]"
    )
    brightest += ".filter((value, i) => i % 4 < 3)))"
    assert min(seen.evaluate(brightest)) > 100, "the drawing fills the frame"
    panel.get_by_role("button", name="Classify").click()
    expect(panel.locator(".result")).to_have_count(1)
    shares = [float(text.split()[0]) for text in panel.locator(".bars dd").all_inner_texts() if "%" in text]
    assert len(shares) == 10 and sum(shares) == pytest.approx(100, abs=0.6)
    label, share = panel.locator(".result").inner_text().split(" ", 1)
    assert (
        share == f"{max(shares):.1f} %"
        and panel.locator(".bars dt").all_inner_texts()[shares.index(max(shares))] == label
    )
    panel.get_by_role("button", name="Clear").click()
    assert seen.evaluate(mean) == empty


def test_a_picture_is_read_from_a_file(page: Page, experiments: dict[str, str]) -> None:
    panel = tool(page, "Classify a picture", experiments["image_rows"])
    picture = panel.get_by_label("Drawing board").evaluate(
        "(e) => {const c = document.createElement('canvas'); c.width = 40; c.height = 40; const d = c.getContext('2d');"
        " d.fillStyle = '#fff'; d.fillRect(0, 0, 20, 40); return c.toDataURL('image/png').split(',')[1]}"
    )
    file = {"name": "half.png", "mimeType": "image/png", "buffer": base64.b64decode(picture)}
    panel.get_by_label("PNG or JPEG").set_input_files(file)
    seen = panel.get_by_label("The picture that the network sees")
    corner = "(e) => [...e.getContext('2d').getImageData(0, 0, 1, 1).data].slice(0, 3)"
    expect(seen).to_be_visible()
    page.wait_for_function(f"({corner})(document.querySelector('.seen'))[0] === 255")
    panel.get_by_role("button", name="Classify").click()
    expect(panel.locator(".result")).to_have_count(1)


def test_tabs_work_with_the_keyboard(page: Page) -> None:
    tabs = page.get_by_role("tab")
    expect(tabs).to_have_count(5)
    tabs.first.focus()
    page.keyboard.press("ArrowRight")
    expect(tabs.nth(1)).to_be_focused()
    expect(tabs.nth(1)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("End")
    expect(page.get_by_role("tabpanel")).to_have_attribute("id", "classify")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tabpanel")).to_have_attribute("id", "predict")


@pytest.mark.parametrize("where", WIDTHS)
def test_nothing_hinders_anybody(where: str, browser: Browser, url: str, experiments: dict[str, str]) -> None:
    width, scheme = WIDTHS[where]
    with opened(browser, url, width, scheme) as page:
        assert syntax_faults(page.request.get(url).text()) == []
        for title in ("Classify a text", "Write text", "Tag words", "Forecast a series", "Classify a picture"):
            panel = tool(page, title)
            if title == "Write text":
                panel.get_by_label("Shown at").select_option("0")
            panel.locator("form button:not([type])").click()
            expect(panel.locator("article > :nth-child(3)").first).to_be_visible()
            expect(panel.locator(".answers")).to_have_attribute("aria-busy", "false")
            for summary in panel.locator("summary").all():
                summary.click()
            assert violations(page) == [], title
            assert page.evaluate("document.documentElement.scrollWidth") <= width, title


def test_only_tasks_with_a_model_have_a_tab_and_an_empty_folder_says_what_to_do(
    browser: Browser, trained: Project, experiments: dict[str, str], tmp_path: Path
) -> None:
    project = Project(tmp_path)
    with running(Models(project)) as url:
        page = browser.new_page()
        page.goto(url)
        expect(page.locator("header")).to_contain_text("run `make repro`")
        expect(page.get_by_role("tab")).to_have_count(0)
        shutil.copytree(trained.model(experiments["pos_tagging"]), project.model(experiments["pos_tagging"]))
        page.reload()
        expect(page.get_by_role("tab")).to_have_text(["Tag words"])
        expect(page.get_by_label("Compare with")).to_be_hidden()
        page.close()
