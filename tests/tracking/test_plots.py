"""What DVC is told to draw: the validation figure of every experiment, those on one data set in one plot."""

import subprocess
from pathlib import Path

import pytest
import yaml

from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.evaluation.metric import Metric
from pipeline.sources import SOURCES
from pipeline.tasks import TASKS, primary_metrics
from pipeline.tracking import plots

ROOT = Path(__file__).parents[2]
PARAMS = """\
seed: 1
edition: synthetic
cell: null
sources:
  digits: {reader: digits}
  umich: {reader: umich}
studies: {}
tunings: {}
own: {}
datasets:
  digits: {source: digits, task: image_rows}
  umich: {source: umich, task: sentiment}
experiments:
  rows: {dataset: digits, task: image_rows}
  umich: {dataset: umich, task: sentiment}
  rows-lstm: {dataset: digits, task: image_rows, cell: lstm}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "params.yaml").write_text(PARAMS)
    return Project(tmp_path)


def write(project: Project) -> None:
    plots.write(project, loading.load(project.root, SOURCES), primary_metrics())


def test_a_data_set_has_one_plot_of_all_its_experiments(project: Project) -> None:
    write(project)
    first, second = yaml.safe_load(project.plots.read_text())["plots"]
    column = "val_top1_accuracy"
    assert first["digits"]["y"] == {"curves/digits/rows.csv": column, "curves/digits/rows-lstm.csv": column}
    assert first["digits"]["x"] == "epoch" and first["digits"]["y_label"] == "validation accuracy, higher is better"
    assert second["umich"]["y"] == {"curves/umich/umich.csv": "val_accuracy"}
    for name in ("rows", "rows-lstm"):
        assert (project.plots.parent / f"curves/digits/{name}.csv") == project.curves("digits", name)


@pytest.mark.parametrize("task", TASKS)
def test_the_figure_of_a_plot_is_scored_on_validation(task: str) -> None:
    # Figures over free runs, origins or intervals are of the test alone.
    metric = primary_metrics()[task]
    assert metric.name == TASKS[task].primary_metric.name and metric.label
    assert metric.higher_is_better is not None


def test_a_metric_without_a_label_is_named(project: Project) -> None:
    params = loading.load(project.root, SOURCES)
    plots.write(project, params, dict.fromkeys(TASKS, Metric("r", None)))
    assert yaml.safe_load(project.plots.read_text())["plots"][0]["digits"]["y_label"] == "validation r"


def test_the_file_is_written_when_a_row_changes_and_only_then(project: Project) -> None:
    write(project)
    before = project.plots.stat().st_mtime_ns
    write(project)
    assert project.plots.stat().st_mtime_ns == before
    (project.root / "params.yaml").write_text(PARAMS.replace("  rows-lstm", "  renamed"))
    write(project)
    assert "renamed.csv" in project.plots.read_text() and "rows-lstm" not in project.plots.read_text()


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="an unpacked archive is no git repository")
def test_neither_git_nor_dvc_overlooks_the_file() -> None:
    # DVC skips a folder that git ignores, and refuses a file whose lock git ignores, although there is none.
    for name in ("reports/dvc.yaml", "reports/dvc.lock"):
        command = ["git", "check-ignore", "--quiet", name]
        assert subprocess.run(command, cwd=ROOT, timeout=60, check=False).returncode == 1, name
    from dvc.scm import SCM

    assert not SCM(str(ROOT)).is_ignored(f"{ROOT}/reports/")
