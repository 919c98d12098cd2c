"""The pages of the report, as the person who opens them sees them; test_in_a_browser.py clicks on them."""

import cProfile
import re
import shutil
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import pytest

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.config.files import MAIN, TEXTBOOK
from pipeline.errors import DataError
from pipeline.reporting import formatting, pages, textbook
from pipeline.reporting.elements import Passage, Passages
from pipeline.sources import SOURCES
from pipeline.stages import index, report
from pipeline.tasks import task_named

from .conftest import ATTACK, PARAMS, metrics_of

VOID = {"meta", "img", "input", "br", "link"}


class Page(HTMLParser):
    """Rows of text by table, every tag with its attributes, and the text as a whole."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


@pytest.fixture(scope="module", params=[MAIN, TEXTBOOK])
def file(request: pytest.FixtureRequest) -> str:
    """Return the file of settings that a page is about."""
    return str(request.param)


@pytest.fixture(scope="module")
def html(finished: Project, file: str) -> str:
    return (finished.index if file == MAIN else finished.textbook_index).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


@pytest.fixture(scope="module")
def below(finished: Project, shown: dict[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the page of each data set of the index page."""
    datasets = {metrics["dataset"] for metrics in shown.values()}
    return {name: (finished.report(name) / "index.html").read_text(encoding="utf-8") for name in datasets}


@pytest.fixture(scope="module")
def shown(finished: Project, file: str) -> dict[str, Mapping[str, Any]]:
    """Return the metrics of the page's experiments."""
    return metrics_of(finished, file)


def change(project: Project, dataset: str, experiment: str, **changes: Any) -> None:
    """Change the figures that `report` left for the main page."""
    folder = project.section(dataset)
    metrics = artifacts.load_json(folder / "metrics.json")
    artifacts.change_json(folder, "metrics.json", {**metrics, experiment: {**metrics[experiment], **changes}})


def row_of(page: Page, experiment: str) -> str:
    """The experiment's row of the table over all."""
    return " | ".join(next(row for row in page.rows if len(row) > 8 and row[0] == experiment))


def test_every_tag_is_closed(page: Page, shown: dict[str, Mapping[str, Any]], below: dict[str, str]) -> None:
    assert [tag for tag, _ in page.tags].count("tr") > len(shown)
    for one in (page, *map(Page, below.values())):
        tags = [tag for tag, _ in one.tags]
        assert (tags.count("html"), tags.count("head"), tags.count("body"), tags.count("h1")) == (1, 1, 1, 1)
        assert len(one.text) > 1_000
        assert one.open == []


def test_all_experiments_are_in_the_first_table_with_the_numbers_of_their_files(
    page: Page, shown: dict[str, Mapping[str, Any]], file: str, finished: Project
) -> None:
    params = loading.load(finished.root, SOURCES)
    assert shown.keys() == {name for name in params.experiments if params.files.file_of("experiments", name) == file}
    for name, metrics in shown.items():
        row, against = row_of(page, name), metrics["against_baseline"]
        metric = task_named(metrics["task"]).primary_metric
        sd = metrics.get("test_sd", {}).get(metric.name)
        assert formatting.value(metric, metrics["test"][metric.name], sd) in row
        assert f"{metric.label} {formatting.direction(metric)}" in row
        assert formatting.value(metric, against["baseline_score"]) in row
        assert "naive <b>" in row
        assert formatting.skill(against["skill"]) in row
        assert "12,345" in row
    for name in metrics_of(finished).keys() - shown.keys():
        assert not any(row[0] == name for row in page.rows if len(row) > 8), name


def test_every_experiment_leads_to_its_line_on_the_page_of_its_data_set(
    page: Page, shown: dict[str, Mapping[str, Any]], finished: Project, file: str
) -> None:
    links = {str(a["href"]) for tag, a in page.tags if tag == "a" and "#experiment-" in str(a["href"])}
    assert links == {f"{metrics['dataset']}/index.html#experiment-{name}" for name, metrics in shown.items()}
    for link in links:
        address, _, anchor = link.partition("#")
        there = Page((finished.index.parent / address).read_text(encoding="utf-8"))
        assert anchor in {attributes.get("id") for _, attributes in there.tags}
        up = {attributes.get("href") for tag, attributes in there.tags if tag == "a"}
        assert f"../{(finished.index if file == MAIN else finished.textbook_index).name}" in up


def test_a_new_data_set_makes_no_other_page_again(project: Project) -> None:
    """Each page finds its neighbours when it is opened, in a file that index writes."""
    before = {path: path.read_bytes() for path in project.root.glob("reports/*/index.html")}
    rows = project.index.with_suffix(".js").read_text()
    assert '["digits/index.html", "digits"], ["djia/index.html", "djia"]' in rows
    (project.root / MAIN).write_text("\n".join(line for line in PARAMS.splitlines() if "digits" not in line))
    index.run(project)
    rows = project.index.with_suffix(".js").read_text()
    assert '["electricity/index.html", "electricity"], ["djia/index.html", "djia"]' in rows
    assert {path: path.read_bytes() for path in before} == before


def test_the_two_pages_lead_to_each_other(finished: Project) -> None:
    for here, there in ((finished.index, finished.textbook_index), (finished.textbook_index, finished.index)):
        links = [attributes.get("href") for _, attributes in Page(here.read_text()).tags]
        assert links.count(there.name) == 1


def test_the_textbooks_page_has_its_table_with_held_out_figures_and_the_main_page_has_not(finished: Project) -> None:
    title = textbook.table({}).title
    assert title not in finished.index.read_text()
    (row,) = (row for row in Page(finished.textbook_index.read_text()).rows if row[0].startswith("S2 "))
    accuracy = task_named("sentiment").primary_metric
    cells = " | ".join(row)
    for metrics in (metrics_of(finished)[name] for name in ("umich", "umich-chapter")):
        sd = metrics.get("test_sd", {}).get("accuracy")
        assert formatting.value(accuracy, metrics["test"]["accuracy"], sd) in cells
    assert finished.textbook_index.with_suffix(".md").read_text().count("| S2 ") == 1


def test_without_the_textbook_there_is_no_link_to_its_page(project: Project) -> None:
    (project.root / TEXTBOOK).unlink()
    index.run(project)
    assert project.textbook_index.name not in project.index.read_text()


def test_a_page_of_one_data_set_of_ones_own(project: Project) -> None:
    (project.root / TEXTBOOK).unlink()
    kept = [line for line in PARAMS.splitlines() if not line.startswith("  ") or line.startswith("  digits:")]
    (project.root / MAIN).write_text("\n".join(kept))
    report.run(project, "digits")
    index.run(project)
    assert "digits" in project.index.read_text() and "umich" not in project.index.read_text()
    assert "textbook" not in project.index.read_text()


def test_one_banner_says_which_data_are_synthetic(
    page: Page, html: str, file: str, below: dict[str, str], finished: Project
) -> None:
    assert html.count('class="banner"') == 1 and html.count('class="badge"') == 0
    warning = (
        "Synthetic data: small files, drawn from known processes. The figures say nothing about the published data."
    )
    assert warning in page.text
    assert ("This does not hold for digits: published data." in page.text) == (file == MAIN)
    for name, text in below.items():
        assert text.count('class="banner"') == (name != "digits") and text.count('class="badge"') == 0, name
        assert ("Synthetic data: a small file" in text) == (name != "digits"), name
    assert "synthetic data" in (finished.report("umich") / "table.md").read_text()
    assert "synthetic data" not in (finished.report("digits") / "table.md").read_text()


def test_the_banner_names_the_fewer(project: Project) -> None:
    for name, metrics in metrics_of(project, MAIN).items():
        if metrics["dataset"] not in ("alice", "umich"):
            change(project, metrics["dataset"], name, edition="published")
    index.run(project)
    assert "This holds for alice and umich alone." in Page(project.index.read_text()).text


def test_no_banner_over_real_data(project: Project) -> None:
    for name, metrics in metrics_of(project, MAIN).items():
        change(project, metrics["dataset"], name, edition="published")
    index.run(project)
    assert "Synthetic data:" not in project.index.read_text()


def test_it_opens_offline_and_runs_its_own_script_alone(page: Page, html: str, below: dict[str, str]) -> None:
    script = (pages.TEMPLATES / "index.js").read_text()
    assert re.findall(r"<script>\n(.*?)</script>", html, re.S) == [script]
    loaded = []
    for one in (page, *map(Page, below.values())):
        for tag, attributes in one.tags:
            assert tag not in ("link", "iframe", "object", "base", "form")
            assert not any(name.startswith("on") for name in attributes)
            source = attributes.get("src") or "data:"
            loaded += [source] * (tag == "script")
            assert source.startswith("data:") or (tag == "script" and source in ("../index.js", "../textbook.js"))
            where = attributes.get("href") or "#"
            assert re.match(r"#|(\.\./)?[a-z0-9/-]+\.html", where) or attributes.get("rel") == "noreferrer", where
    assert len(loaded) == 1 + len(below)


def test_the_style_fetches_nothing(html: str) -> None:
    css = re.search(r"<style>(.*?)</style>", html, re.S)
    assert css
    assert "prefers-color-scheme: dark" in css[1]
    assert "url(" not in css[1]
    assert "@import" not in css[1]


def test_the_optimum_of_a_known_process_is_in_the_tables_and_in_words(
    page: Page, shown: dict[str, Mapping[str, Any]], file: str, below: dict[str, str]
) -> None:
    known = {name: metrics["against_optimum"] for name, metrics in shown.items() if "against_optimum" in metrics}
    assert bool(known) == (file == MAIN)
    header = next(row for row in page.rows if row[0] == "experiment")
    assert ("optimum" in header) == bool(known)
    for name, best in known.items():
        metric = task_named(shown[name]["task"]).primary_metric
        limit = formatting.value(metric, best["score"])
        cell = row_of(page, name).split(" | ")[header.index("optimum")]
        assert cell.startswith(limit) and f"{100 * best['share']:.0f} % of the way" in cell.replace("\u2212", "-")
        there = Page(below[shown[name]["dataset"]])
        assert any(row[0].startswith("optimum") and limit in row for row in there.rows)
        assert f"The best possible is {limit}: " in there.text
        assert f"the best possible score on these data, {limit}" in there.text
    for name in shown.keys() - known.keys() if known else ():
        assert row_of(page, name).split(" | ")[header.index("optimum")] == "–"


def test_every_picture_says_what_it_shows(below: dict[str, str]) -> None:
    for name, html in below.items():
        pictures = [attributes for tag, attributes in Page(html).tags if tag == "img"]
        assert len(pictures) >= 3, name
        assert all(len(attributes.get("alt") or "") > 20 for attributes in pictures)


def test_texts_from_the_data_cannot_become_markup(html: str, below: dict[str, str]) -> None:
    together = "".join([html, *below.values()])
    assert "<script>alert" not in together.lower()
    assert "<b>naive" not in together
    assert together.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;") >= 2
    assert any(ATTACK in Page(page).text for page in below.values())


def test_numbers_are_set_to_the_right(html: str, shown: dict[str, Mapping[str, Any]]) -> None:
    cells = re.findall(r'<td class="([^"]*)"[^>]*data-label="(score|skill)"', html)
    assert len(cells) == 2 * len(shown)
    assert all("n" in classes.split() for classes, _ in cells)


def test_an_exact_baseline_leaves_the_skill_open(project: Project) -> None:
    against = metrics_of(project)["umich"]["against_baseline"]
    change(project, "umich", "umich", against_baseline={**against, "skill": None})
    index.run(project)
    html = project.index.read_text()
    assert "| – |" in row_of(Page(html), "umich")
    (cell,) = re.findall(r'<td [^>]*data-label="skill"[^>]*><span><span>–', html)
    assert "data-order" not in cell  # comes last, whichever way the column is sorted


def test_a_removed_experiment_is_shown_nowhere(project: Project) -> None:
    params = "\n".join(line for line in PARAMS.splitlines() if "digits-lstm" not in line)
    (project.root / "params.yaml").write_text(params)
    assert project.metrics("digits", "digits-lstm").exists()
    report.run(project, "digits")
    index.run(project)
    shown = project.index.read_text() + (project.report("digits") / "table.md").read_text()
    assert "digits-lstm" not in shown
    assert "digits" in shown


def test_a_page_with_a_removed_experiment_is_named(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    index.run(project)
    assert "rows were removed" not in project.index.read_text() and "prune" not in capsys.readouterr().err
    params = "\n".join(line for line in PARAMS.splitlines() if "digits-lstm" not in line)
    (project.root / "params.yaml").write_text(params)
    index.run(project)
    assert "The page of digits still shows digits-lstm, whose rows were removed" in Page(project.index.read_text()).text
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "prune" in line)
    assert line.startswith("The report still shows digits-lstm, without a row; `python -m pipeline prune`")


@pytest.mark.parametrize("kind", ["metrics", "curves"])
def test_a_missing_file_of_a_named_experiment_is_named(project: Project, kind: str) -> None:
    path = getattr(project, kind)("digits", "digits")
    path.unlink()
    with pytest.raises(DataError, match=re.escape(str(path))):
        report.run(project, "digits")


@pytest.mark.parametrize(
    ("dataset", "page", "stage"),
    [("digits", None, "report@digits"), ("padded", "textbook", "textbook/dvc.yaml:report@padded")],
)
def test_a_missing_section_is_named(project: Project, dataset: str, page: str | None, stage: str) -> None:
    shutil.rmtree(project.section(dataset, textbook=page is not None))
    with pytest.raises(DataError, match=rf"/{dataset}: not found; .*`dvc repro {stage}`"):
        index.run(project, page)


def test_an_old_metrics_file_says_what_it_lacks(project: Project) -> None:
    artifacts.save_json(project.metrics("digits", "digits"), {"experiment": "digits"})
    with pytest.raises(DataError, match=r"lacks dataset, task.*evaluate@digits"):
        report.run(project, "digits")


@pytest.mark.parametrize("text", ["epoch,loss\n1,much\n", "epoch,loss\n1\n", "epoch,loss\n", ""])
def test_broken_curves_are_named(project: Project, text: str) -> None:
    project.curves("digits", "digits").write_text(text)
    with pytest.raises(DataError, match=r"digits\.csv: (not a table of numbers|no epochs)"):
        report.run(project, "digits")


def test_a_report_replaces_its_folder_whole(project: Project) -> None:
    (project.report("digits") / "old.png").write_bytes(b"old")
    report.run(project, "digits")
    names = {path.name for path in project.report("digits").iterdir()}
    assert "old.png" not in names
    assert {
        "index.html",
        "table.md",
        "scores.png",
        "confusion.png",
        "mistakes.png",
        "at-random.png",
        "training-loss.png",
    } <= names
    assert all(
        path.name in {"digits", "umich"} or not path.name.startswith(".") for path in project.report("").iterdir()
    )


def test_a_report_that_fails_leaves_the_last_one(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (project.report("digits") / "table.md").read_bytes()

    def fails(*_: object) -> str:
        raise OSError("disk full")

    monkeypatch.setattr(report.sections, "markdown", fails)
    with pytest.raises(OSError, match="disk full"):
        report.run(project, "digits")
    assert (project.report("digits") / "table.md").read_bytes() == before
    assert not list(project.report("digits").parent.glob(".*"))


def test_the_same_results_give_the_same_bytes(project: Project, finished: Project) -> None:
    report.run(project, "digits")
    for folder, name in (("report", "index.html"), ("section", "metrics.json")):
        before, after = (getattr(one, folder)("digits") / name for one in (finished, project))
        assert before.read_bytes() == after.read_bytes()


def test_a_report_does_little(project: Project) -> None:
    """Counted in calls of functions, which are as many on every machine; a second on most is about a million."""
    profile = cProfile.Profile(builtins=False)
    with profile:
        report.run(project, "umich")
        index.run(project)
    calls = sum(entry.callcount for entry in profile.getstats())
    assert 10_000 < calls < 1_500_000, f"{calls:,}"


@pytest.mark.parametrize(("count", "folded"), [(4, 0), (5, 5)])
def test_texts_of_many_experiments_are_folded(count: int, folded: int) -> None:
    texts = [Passages(f"What {i} writes", [Passage("at 1", "once", " upon")]) for i in range(count)]
    html = pages.page(address="a", title="a", subtitle="", synthetic=False, story=[], elements=texts)
    assert html.count("<blockquote>") == count and html.count("<details>") == folded


def test_the_overview_follows_the_experiments_and_is_linked(page: Page) -> None:
    assert page.text.index("Experiments") < page.text.index("What the networks cost")
    assert ("section", {"id": "overview"}) in page.tags and ("a", {"href": "#overview"}) in page.tags
