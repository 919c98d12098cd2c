"""The page and its sections, as the person who opens them sees them."""

import json
import re
import shutil
import time
from html.parser import HTMLParser
from typing import Any

import pytest
from ruamel.yaml import YAML

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


def change(project: Project, dataset: str, experiment: str, **changes: Any) -> None:
    """Changes the figures that `report` left for the index."""
    path = project.section(dataset) / "metrics.json"
    metrics = artifacts.load_json(path)
    artifacts.save_json(path, {**metrics, experiment: {**metrics[experiment], **changes}})


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
        change(project, metrics["dataset"], name, edition="published")
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
    against = metrics_of(project)["umich"]["against_baseline"]
    change(project, "umich", "umich", against_baseline={**against, "skill": None})
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
    shutil.rmtree(project.section("digits"))
    with pytest.raises(DataError, match=r"sections/digits: not found; run `dvc repro report@digits`"):
        index.run(project)


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
    for name in ("section.html", "metrics.json"):
        assert (project.section("digits") / name).read_bytes() == (finished.section("digits") / name).read_bytes()


@pytest.fixture
def two_files(project: Project) -> Project:
    """The project with the rows of the textbook's protocol in their own file."""
    content = YAML(typ="safe", pure=True).load(PARAMS)
    textbook: dict[str, Any] = {"sources": {}, "recipes": {}, "datasets": {}, "experiments": {}}
    for name in ("alice-chapter", "umich-chapter"):
        for table in ("datasets", "experiments"):
            textbook[table][name] = content[table].pop(name)
        shutil.move(project.section(name), project.section(name, textbook=True))
    for name, rows in (("params.yaml", content), ("textbook/params.yaml", textbook)):
        artifacts.save_json(project.root / name, rows)
    return project


def test_each_file_of_settings_has_its_page(two_files: Project) -> None:
    index.run(two_files)
    index.run(two_files, "textbook")
    main, textbook = (json.loads(path.read_text()) for path in (two_files.summary, two_files.textbook_summary))
    assert textbook.keys() == {"alice-chapter", "umich-chapter"}
    assert main.keys() == metrics_of(two_files).keys() - textbook.keys()
    pages = [path.read_text() for path in (two_files.index, two_files.textbook_index)]
    assert ['href="textbook.html"' in page for page in pages] == [True, False]
    assert ['href="index.html"' in page for page in pages] == [False, True]
    assert ["held-out data</h2>" in page for page in pages] == [False, True]
    for name in textbook:
        assert [f'id="dataset-{name}"' in page for page in pages] == [False, True]


def test_the_textbooks_table_shows_held_out_experiments_of_the_main_file(two_files: Project) -> None:
    index.run(two_files, "textbook")
    table = two_files.chapters.read_text()
    umich = next(line for line in table.splitlines() if line.startswith("| S2 "))
    assert "umich-chapter" in umich and "accuracy, umich" in umich


def test_a_page_of_one_data_set_of_ones_own(project: Project) -> None:
    content = YAML(typ="safe", pure=True).load(PARAMS)
    for table in ("datasets", "experiments"):
        content[table] = {"digits": content[table]["digits"]}
    artifacts.save_json(project.root / "params.yaml", {**content, "sources": {"digits": {"reader": "digits"}}})
    report.run(project, "digits")
    index.run(project)
    assert json.loads(project.summary.read_text()).keys() == {"digits"}
    assert "textbook" not in project.index.read_text()


def test_a_report_is_quick(project: Project) -> None:
    started = time.process_time()
    report.run(project, "umich")
    index.run(project)
    assert time.process_time() - started < 5
