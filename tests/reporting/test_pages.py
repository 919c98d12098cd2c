"""The page and its sections, as the person who opens them sees them."""

import json
import re
import time
from html.parser import HTMLParser

import pytest

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.errors import DataError
from pipeline.reporting import formatting
from pipeline.sources import SOURCES
from pipeline.stages import index, report
from pipeline.tasks import task_named

from .conftest import ATTACK, PARAMS, metrics_of

VOID = {"meta", "img", "br", "link"}


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


@pytest.fixture(scope="module")
def page(finished: Project) -> Page:
    return Page(finished.index.read_text())


LABELS = "( synthetic data)?(,? textbook's protocol)?"


def row_of(page: Page, experiment: str) -> str:
    """The experiment's row of the table over all."""
    pattern = re.compile(f"{experiment}{LABELS}$")
    return " | ".join(next(row for row in page.rows if len(row) > 8 and pattern.match(row[0])))


def test_every_tag_is_closed(page: Page) -> None:
    assert page.open == []


def test_all_experiments_stand_in_the_first_table_with_the_numbers_of_their_files(
    page: Page, finished: Project
) -> None:
    found = metrics_of(finished)
    assert found.keys() == loading.load(finished.root, SOURCES).experiments.keys()
    for name, metrics in found.items():
        row, against = row_of(page, name), metrics["against_baseline"]
        metric = task_named(metrics["task"]).primary_metric
        sd = metrics.get("test_sd", {}).get(metric.name)
        assert formatting.value(metric, metrics["test"][metric.name], sd) in row
        assert f"{metric.label} {formatting.direction(metric)}" in row
        assert formatting.value(metric, against["baseline_score"]) in row
        assert "naive <b>" in row
        assert formatting.skill(against["skill"]) in row
        assert "12,345" in row


def test_sample_data_is_said_on_top_and_in_every_row_that_shows_it(page: Page, finished: Project) -> None:
    assert "Synthetic data: small generated files. The figures say nothing about the published data" in page.text
    for name, metrics in metrics_of(finished).items():
        assert ("synthetic data" in row_of(page, name)) == (metrics["edition"] == "synthetic"), name
    assert "synthetic data" in (finished.report("umich") / "table.md").read_text()
    assert "synthetic data" not in (finished.report("digits") / "table.md").read_text()


def test_no_banner_over_real_data(project: Project) -> None:
    for name, metrics in metrics_of(project).items():
        artifacts.save_json(project.metrics(metrics["dataset"], name), {**metrics, "edition": "published"})
    index.run(project)
    assert "Synthetic data:" not in project.index.read_text()


def test_it_opens_offline_and_runs_nothing(page: Page) -> None:
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "base")
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("src") or "data:").startswith("data:")
        assert (attributes.get("href") or "#").startswith("#")


def test_the_style_fetches_nothing(finished: Project) -> None:
    css = re.search(r"<style>(.*?)</style>", finished.index.read_text(), re.S)
    assert css
    assert "prefers-color-scheme: dark" in css[1]
    assert "url(" not in css[1]
    assert "@import" not in css[1]


def test_every_picture_says_what_it_shows(page: Page) -> None:
    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) > 20
    assert all(len(attributes.get("alt") or "") > 20 for attributes in pictures)


def test_texts_from_the_data_cannot_become_markup(finished: Project) -> None:
    html = finished.index.read_text()
    assert "<script" not in html.lower()
    assert "<b>naive" not in html
    assert html.count("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;") >= 2
    assert ATTACK in Page(html).text


def test_numbers_stand_on_the_right(finished: Project) -> None:
    cells = re.findall(r'<td class="([^"]*)"[^>]*data-label="(test score|skill)"', finished.index.read_text())
    assert len(cells) == 2 * len(metrics_of(finished))
    assert all("n" in classes.split() for classes, _ in cells)


def test_the_summary_holds_what_dvc_prints(finished: Project) -> None:
    summary = json.loads(finished.summary.read_text())
    assert set(summary) == set(metrics_of(finished))
    assert set(summary["digits"]) == {"score", "baseline", "skill", "parameters", "train_seconds"}
    assert summary["digits"]["score"] == metrics_of(finished)["digits"]["test"]["top1_accuracy"]


def test_an_exact_baseline_leaves_the_skill_open(project: Project) -> None:
    metrics = dict(metrics_of(project)["umich"])
    metrics["against_baseline"] = {**metrics["against_baseline"], "skill": None}
    artifacts.save_json(project.metrics("umich", "umich"), metrics)
    index.run(project)
    assert "skill" not in json.loads(project.summary.read_text())["umich"]
    assert "| – |" in row_of(Page(project.index.read_text()), "umich")


def test_a_removed_experiment_is_shown_nowhere(project: Project) -> None:
    params = "\n".join(line for line in PARAMS.splitlines() if "digits-lstm" not in line)
    (project.root / "params.yaml").write_text(params)
    assert project.metrics("digits", "digits-lstm").exists()
    report.run(project, "digits")
    index.run(project)
    shown = (
        project.index.read_text() + (project.report("digits") / "table.md").read_text() + project.summary.read_text()
    )
    assert "digits-lstm" not in shown
    assert "digits" in shown


@pytest.mark.parametrize("kind", ["metrics", "curves"])
def test_a_missing_file_of_a_named_experiment_is_named(project: Project, kind: str) -> None:
    path = getattr(project, kind)("digits", "digits")
    path.unlink()
    with pytest.raises(DataError, match=re.escape(str(path))):
        report.run(project, "digits")


def test_a_missing_section_is_named(project: Project) -> None:
    project.section("digits").unlink()
    with pytest.raises(DataError, match=r"digits\.html: not found; run `dvc repro report@digits`"):
        index.run(project)


def test_an_old_metrics_file_says_what_it_lacks(project: Project) -> None:
    artifacts.save_json(project.metrics("digits", "digits"), {"experiment": "digits"})
    with pytest.raises(DataError, match=r"lacks dataset, task.*evaluate@digits"):
        index.run(project)


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
    assert {"table.md", "scores.png", "confusion.png", "mistakes.png", "at-random.png", "training-loss.png"} <= names
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
    assert project.section("digits").read_bytes() == finished.section("digits").read_bytes()


def test_a_report_is_quick(project: Project) -> None:
    started = time.process_time()
    report.run(project, "umich")
    index.run(project)
    assert time.process_time() - started < 5
