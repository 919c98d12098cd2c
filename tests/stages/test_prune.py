"""prune lists the results of rows that are gone, asks, and deletes them and nothing else."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import artifacts
from pipeline.__main__ import main
from pipeline.artifacts import Project
from pipeline.stages import prune

PARAMS = """\
seed: 1
edition: synthetic
cell: null
sources:
  digits: {reader: digits}
studies: {}
tunings: {}
own: {}
datasets:
  digits: {source: digits, task: image_rows}
experiments:
  rows: {dataset: digits, task: image_rows, units: 8}
"""
KEPT = [
    "data/checkpoints/rows/0123456789abcdef/epoch.npz",
    "data/models/gone/run.json",
    "data/predictions/digits/.rows.tmp/x",
    "data/predictions/digits/rows/predictions.npz",
    "data/previous/rows/run.json",
    "params.yaml",
    "reports/curves/digits/rows.csv",
    "reports/decisions/gone.json",
    "reports/digits/table.md",
    "reports/metrics/digits/rows.json",
    "reports/scores/rows.json",
    "reports/sections/digits/metrics.json",
]
GONE = [
    "data/checkpoints/gone",
    "data/predictions/digits/gone",
    "data/previous/gone",
    "reports/curves/digits/gone.csv",
    "reports/gone",
    "reports/metrics/digits/gone.json",
    "reports/metrics/elsewhere/rows.json",  # of an experiment that is now on another data set
    "reports/scores/gone.json",
    "reports/sections/gone",
]


def files(root: Path) -> list[str]:
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if path.parts[0] != ".git")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in KEPT:
        artifacts.save_text(tmp_path / name, "")
    (tmp_path / "params.yaml").write_text(PARAMS)
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def left_behind(project: Project) -> None:
    """Add results of rows that params.yaml does not have."""
    for name in GONE:
        artifacts.save_text(project.root / name if Path(name).suffix else project.root / name / "table.md", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def answered(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(f"{text}\n"))


def test_yes_lists_and_deletes(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    left_behind(project)
    assert main(["prune", "--yes"]) == 0
    *listed, last = capsys.readouterr().out.splitlines()
    assert listed == GONE and last == f"{len(GONE)} deleted; `dvc repro -P` makes the reports again without them"
    assert files(project.root) == KEPT
    assert not any((project.root / name).exists() for name in GONE)


@pytest.mark.parametrize(("answer", "deletes"), [("y", True), ("YES", True), ("", False), ("n", False), ("x", False)])
def test_a_person_is_asked(
    answer: str, deletes: bool, project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left_behind(project)
    answered(answer, monkeypatch)
    assert main(["prune"]) == 0
    said = capsys.readouterr().out
    assert f"Delete these {len(GONE)}? [y/N]" in said and all(name in said for name in GONE)
    assert (files(project.root) == KEPT) is deletes
    assert ("Nothing was deleted." in said) is not deletes


def test_where_nobody_can_be_asked_nothing_is_deleted(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left_behind(project)
    before = files(project.root)
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert main(["prune"]) == 2
    said = capsys.readouterr()
    assert said.out.splitlines() == GONE and "prune --yes" in said.err
    assert files(project.root) == before


def test_files_that_git_tracks_are_marked(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    left_behind(project)
    for command in (["init"], ["add", "reports/metrics", "data/predictions"]):
        subprocess.run(["git", *command], cwd=project.root, check=True, capture_output=True, timeout=60)
    assert main(["prune", "--yes"]) == 0
    marked = [line.split()[0] for line in capsys.readouterr().out.splitlines() if "(git tracks it)" in line]
    assert marked == [name for name in GONE if name.startswith(("reports/metrics", "data/predictions"))]


def test_a_project_in_order_has_nothing_to_delete(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prune", "--yes"]) == 0
    assert capsys.readouterr().out.startswith("Nothing to delete") and files(project.root) == KEPT


OF_TEXTBOOK = ["reports/textbook.html", "reports/textbook.js", "reports/textbook.md", "reports/textbook/ours/x"]


def test_the_textbooks_pages_stay_as_long_as_its_file(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    for name in OF_TEXTBOOK:
        artifacts.save_text(project.root / name, "")
    params = project.root / "textbook" / "params.yaml"
    row = "experiments:\n  ours: {dataset: ours, task: image_rows, units: 8}\n"
    artifacts.save_text(params, "datasets:\n  ours: {source: digits, task: image_rows}\n" + row)
    prune.run(project, confirmed=True)
    assert set(OF_TEXTBOOK) < set(files(project.root))
    params.unlink()
    capsys.readouterr()
    prune.run(project, confirmed=True)
    assert files(project.root) == KEPT
    assert capsys.readouterr().out.splitlines()[:-1] == ["reports/textbook/ours", *OF_TEXTBOOK[:3]]


def test_a_mistake_in_params_deletes_nothing(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    left_behind(project)
    before = files(project.root)
    (project.root / "params.yaml").write_text(PARAMS.replace("units: 8", "units: many"))
    assert main(["prune", "--yes"]) == 2
    assert "experiments.rows.units" in capsys.readouterr().err and files(project.root) == before
