"""The report in a real browser, opened from disk: search, chips, sorting, links, keyboard, paper, accessibility."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config.files import MAIN
from pipeline.reporting import pages, study
from pipeline.reporting.comparison import BETTER, against_baseline
from pipeline.reporting.report_data import Result
from pipeline.stages import index
from pipeline.tasks import task_named
from tests.chromium import chromium, needs_chromium, syntax_faults, violations

from .conftest import metrics_of
from .test_study import BITS, arm, pair, study_of

pytestmark = [pytest.mark.browser, needs_chromium]
LIMIT = 250_000  # bytes of an index page
SHEET = {"width": 1062, "height": 733}  # A4 on its side without its margins, in pixels of CSS
PAGES = ("index.html", "textbook.html", "electricity/index.html", "umich-chapter/index.html", "pages/study-cells.html")


@pytest.fixture(scope="module")
def root(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports with a study and a skill that is missing, in a folder whose name a browser must quote."""
    project = Project(tmp_path_factory.mktemp("pages") / "my #1 reports")
    shutil.copytree(finished.root, project.root)
    metrics = artifacts.load_json(project.section("djia") / "metrics.json")
    metrics["djia"]["against_baseline"]["skill"] = None
    artifacts.change_json(project.section("djia"), "metrics.json", metrics)
    index.run(project)
    names = [f"arm-{i}" for i in range(6)]
    pairs = [pair(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    answer = study_of([arm(name, 1.0) for name in names], pairs)
    html = study.page("cells", answer, BITS, address="pages/study-cells.html")
    artifacts.save_text(project.outcome_pages / "study-cells.html", html)
    return project.root / "reports"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A tab that fails if the page asks the network for anything, or if its script raises."""
    with browser.new_context(viewport={"width": 1400, "height": 900}) as context:
        wrong: list[str] = []
        context.on("request", lambda r: None if re.match("file:|data:", r.url) else wrong.append(r.url))
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        yield page
        assert not wrong


def rows(tab: Page) -> list[str]:
    """The experiments that are visible, in their order."""
    return tab.locator("#experiments tbody tr:visible th").all_inner_texts()


def chip(tab: Page, group: str, name: str) -> Locator:
    return tab.get_by_role("group", name=group).get_by_role("button", name=re.compile(rf"^{name} \d+$"))


def head(tab: Page, name: str) -> Locator:
    return tab.locator("#experiments thead th", has=tab.get_by_role("button", name=name, exact=False)).first


def results(finished: Project) -> dict[str, Result]:
    return {name: Result(row, task_named(row["task"])) for name, row in metrics_of(finished, MAIN).items()}


def test_search_and_chips_show_what_they_say(tab: Page, root: Path, finished: Project) -> None:
    tab.goto((root / "index.html").as_uri())
    every = rows(tab)
    assert set(every) == set(results(finished)) and len(every) == 9
    assert tab.get_by_role("status").inner_text() == "9 of 9 experiments"
    tab.get_by_label("Search").fill("lstm Electricity")
    assert rows(tab) == ["electricity-lstm"] and tab.get_by_role("status").inner_text() == "1 of 9 experiments"
    tab.get_by_label("Search").fill("")
    chip(tab, "cell", "LSTM").click()
    assert rows(tab) == ["electricity-lstm", "digits-lstm"]
    chip(tab, "task", "forecasting").click()
    assert rows(tab) == ["electricity-lstm"]
    chip(tab, "task", "images row by row").click()  # or
    assert rows(tab) == ["electricity-lstm", "digits-lstm"]
    assert chip(tab, "cell", "LSTM").get_attribute("aria-pressed") == "true"
    chip(tab, "cell", "LSTM").click()
    assert rows(tab) == ["electricity", "electricity-lstm", "digits", "digits-lstm"]
    tab.get_by_role("button", name="Show all").click()
    assert rows(tab) == every and tab.locator("[aria-pressed=true]").count() == 0
    chip(tab, "verdict", "better").click()
    assert rows(tab) == [name for name in every if against_baseline(results(finished)[name]).verdict == BETTER]
    assert 0 < len(rows(tab)) < 9


def test_columns_are_sorted_by_their_numbers(tab: Page, root: Path, finished: Project) -> None:
    tab.goto((root / "index.html").as_uri())
    skills = {name: results(finished)[name].against["skill"] for name in rows(tab) if name != "djia"}
    ascending = sorted(skills, key=lambda name: skills[name])
    descending = sorted(skills, key=lambda name: -skills[name])
    assert ascending != sorted(skills, key=lambda name: f"{skills[name]:+.1%}"), "as texts the order must be another"
    column = head(tab, "skill")
    column.get_by_role("button").click()
    assert rows(tab) == [*ascending, "djia"] and column.get_attribute("aria-sort") == "ascending"
    column.get_by_role("button").click()
    assert rows(tab) == [*descending, "djia"] and column.get_attribute("aria-sort") == "descending"
    head(tab, "experiment").get_by_role("button").click()
    assert rows(tab) == sorted(rows(tab)) and tab.locator("[aria-sort]").count() == 1


def test_all_of_it_works_with_the_keyboard(tab: Page, root: Path) -> None:
    tab.goto((root / "index.html").as_uri())
    reached = {}
    for _ in range(60):
        tab.keyboard.press("Tab")
        here = tab.evaluate("document.activeElement.id || document.activeElement.textContent")
        reached.setdefault(here, len(reached))
        if here == "search":
            tab.keyboard.type("digits")
        elif here.startswith("LSTM"):
            tab.keyboard.press("Space")
            assert rows(tab) == ["digits-lstm"]
            tab.keyboard.press("Space")
        elif here == "experiment":
            tab.keyboard.press("Enter")
            tab.keyboard.press("Enter")
            assert rows(tab) == ["digits-lstm", "digits"]
        outline = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", here
        if here == "digits":
            break
    assert {"search", "all", "experiment", "skill", "digits"} <= reached.keys()
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/digits/index.html#experiment-digits")


def test_an_experiment_leads_to_its_line_and_on_to_the_neighbours(tab: Page, root: Path) -> None:
    tab.goto((root / "index.html").as_uri())
    tab.get_by_role("link", name="electricity-lstm").click()
    assert tab.locator(":target").inner_text() == "electricity-lstm"
    tab.get_by_role("link", name="Next page: digits").click()
    assert tab.locator("h1").inner_text().startswith("digits")
    tab.get_by_role("link", name="Previous page: electricity").click()
    assert tab.locator("h1").inner_text().startswith("electricity")
    tab.get_by_role("link", name="All experiments").click()
    tab.get_by_role("link", name="The textbook’s protocols").click()
    tab.get_by_role("link", name="umich-chapter").click()
    assert tab.get_by_role("link", name="Next page: cosine").count() == 1
    tab.get_by_role("link", name="All experiments").click()
    assert tab.locator("h1").inner_text() == "The textbook’s protocols"


def test_links_lead_to_what_exists(tab: Page, root: Path) -> None:
    found = 0
    for name in PAGES:
        tab.goto((root / name).as_uri())
        for link in tab.eval_on_selector_all("a", "all => all.map((a) => a.getAttribute('href'))"):
            if not link.startswith("http"):
                address, _, anchor = link.partition("#")
                there = (root / name).parent / address if address else root / name
                assert there.is_file() and (not anchor or f'id="{anchor}"' in there.read_text()), (name, link)
                found += 1
    assert found > 20


def test_without_scripts_everything_is_there(browser: Browser, root: Path) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        tab = context.new_page()
        tab.goto((root / "index.html").as_uri())
        assert len(rows(tab)) == 9 and not tab.get_by_label("Search").is_visible()
        assert tab.locator("button:visible").count() == 0, "a button that does nothing"
        tab.get_by_role("link", name="umich").first.click()
        assert tab.locator("img").first.is_visible()
        tab.get_by_role("link", name="All experiments").click()
        assert len(rows(tab)) == 9


@pytest.mark.parametrize("name", PAGES)
def test_axe_and_a_strict_parser_find_nothing(name: str, browser: Browser, root: Path) -> None:
    assert not syntax_faults((root / name).read_text())
    for width, colours in ((390, "light"), (1100, "dark"), (1400, "light")):
        with browser.new_context(viewport={"width": width, "height": 900}, color_scheme=colours) as context:
            tab = context.new_page()
            tab.goto((root / name).as_uri())
            assert not violations(tab), (width, colours)
            assert tab.evaluate("document.documentElement.scrollWidth") <= width, "the page scrolls to the side"


@pytest.mark.parametrize(("name", "most"), [*zip(PAGES, (2, 2, 3, 3, 2), strict=True)])
def test_on_paper(name: str, most: int, tab: Page, root: Path) -> None:
    tab.set_viewport_size(SHEET)
    tab.goto((root / name).as_uri())
    pdf = tab.pdf(prefer_css_page_size=True)
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= most
    tab.emulate_media(media="print")
    for cell in tab.locator("table td").all():
        box = cell.bounding_box()
        assert box and box["x"] + box["width"] <= SHEET["width"] + 1, cell.inner_text()
    if name.startswith(("index", "textbook")):
        verdicts = tab.locator('td[data-label="verdict"]').all_inner_texts()
        assert len(verdicts) == tab.locator("#experiments tbody tr").count() and all(verdicts)
    folded = tab.locator("details > :not(summary)")
    assert folded.count() == 0 or folded.first.is_visible()
    assert not tab.locator("nav, .controls").first.is_visible()


def test_an_index_page_of_sixty_experiments_is_small(finished: Project) -> None:
    html = pages.index((list(results(finished).values()) * 7)[:60])
    assert html.count("<tr") == 61 and len(html.encode()) < LIMIT / 2  # the other half is for pictures
