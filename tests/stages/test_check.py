"""Results of rows that are no longer in params.yaml are deleted, and nothing else."""

from pathlib import Path

import pytest

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.errors import ConfigError
from pipeline.stages import check

PARAMS = """\
seed: 1
edition: synthetic
cell: null
sources:
  digits: {reader: digits}
own: {}
datasets:
  digits: {source: digits, task: image_rows}
experiments:
  rows: {dataset: digits, task: image_rows, units: 8}
"""
KEPT = [
    "data/models/gone/run.json",
    "data/predictions/digits/.rows.tmp/x",
    "data/predictions/digits/rows/predictions.npz",
    "params.yaml",
    "reports/curves/digits/rows.csv",
    "reports/metrics/digits/rows.json",
    "reports/sections/digits/index.html",
    "reports/summary.json",
]
DELETED = [
    "data/predictions/digits/gone",
    "reports/curves/digits/gone.csv",
    "reports/metrics/digits/gone.json",
    "reports/metrics/elsewhere/rows.json",  # of an experiment that is now on another data set
    "reports/sections/gone",
]
FOLDERS = [name for name in DELETED if not Path(name).suffix]


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    for name in KEPT:
        artifacts.save_text(tmp_path / name, "")
    (tmp_path / "params.yaml").write_text(PARAMS)
    return Project(tmp_path)


def test_files_of_removed_rows_are_deleted_and_named(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    for name in DELETED:
        artifacts.save_text(project.root / name / "x" if name in FOLDERS else project.root / name, "")
    check.run(project)
    assert files(project.root) == KEPT
    assert not any((project.root / name).exists() for name in DELETED)
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in said] == DELETED
    assert all("deleted" in line and "params.yaml" in line for line in said)


def test_nothing_is_said_of_a_project_in_order(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    check.run(project)
    assert capsys.readouterr().out == "" and files(project.root) == KEPT


OF_TEXTBOOK = ["reports/textbook.html", "reports/textbook.json", "reports/textbook.md", "reports/textbook/ours/x"]


def test_the_textbooks_pages_stay_as_long_as_its_file(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    for name in OF_TEXTBOOK:
        artifacts.save_text(project.root / name, "")
    params = project.root / "textbook" / "params.yaml"
    row = "experiments:\n  ours: {dataset: ours, task: image_rows, units: 8}\n"
    artifacts.save_text(params, "datasets:\n  ours: {source: digits, task: image_rows}\n" + row)
    check.run(project)
    assert capsys.readouterr().out == "" and set(OF_TEXTBOOK) < set(files(project.root))
    params.unlink()
    check.run(project)
    assert files(project.root) == KEPT
    said = capsys.readouterr().out.splitlines()
    assert sorted(line.partition(":")[0] for line in said) == [*OF_TEXTBOOK[:3], "reports/textbook/ours"]


def test_a_mistake_in_params_deletes_nothing(project: Project) -> None:
    artifacts.save_text(project.root / DELETED[1], "")
    (project.root / "params.yaml").write_text(PARAMS.replace("units: 8", "units: many"))
    with pytest.raises(ConfigError, match=r"experiments\.rows\.units"):
        check.run(project)
    assert (project.root / DELETED[1]).exists()
