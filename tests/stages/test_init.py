"""`init` writes rows with which the pipeline reads a user's file, and nothing where it may not."""

import shutil
import subprocess
from pathlib import Path

import pytest

from pipeline.__main__ import main
from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.errors import UserError
from pipeline.sources import SOURCES
from pipeline.stages import check, download, init, preprocess
from tests.clone import ROOT
from tests.proposals import files


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project's settings, with the textbook's, and files as people have them."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my").mkdir()
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS)
    for name in files.FILES:
        (tmp_path / "my" / name).write_bytes(files.content(name))
    return Project(tmp_path)


PARAMS = """\
seed: 1
edition: synthetic
cell: null
sources:   # of others
  alice: {reader: alice}
own: {}
recipes:
  text: {units: 8}
datasets:
  alice: {source: alice, task: char_lm}
experiments:
  # the novel
  alice: {dataset: alice, task: char_lm, recipe: text}
studies: {}
tunings: {}
"""
CHAPTER = """\
datasets: {alice-chapter: {source: alice, task: textbook/char_windows}}
recipes: {chapter: {units: 8}}
experiments:
  alice-chapter: {dataset: alice-chapter, task: textbook/char_windows, cell: gru, recipe: chapter}
"""
NAMES = {
    "Reviews 2026.csv": "reviews-2026",
    "spam": "spam",
    "verbrauch.csv": "verbrauch",
    "HistoricalData.csv": "historicaldata",
    "months.csv": "months",
    "words.txt": "words",
    "ud.conllu": "ud",
    "book.txt": "book",
}


def test_written_rows_pass_check_and_are_prepared(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    for file, name in NAMES.items():
        init.run(project, f"my/{file}", None, None, only=False, confirmed=True)
        said = capsys.readouterr().out
        assert f"Written into params.yaml. Next: .venv/bin/dvc repro report@{name}\n" in said
        check.run(project)
        download.run_import(project, name)
        preprocess.run(project, name)
        counted = capsys.readouterr().out
        parts = counted.split(f"{name}: ")[-1 if "forecasts are" not in counted else -2]
        assert all(part.split()[0] in said.replace(",", "") for part in parts.split("\n")[0].split(", ")), (
            "as announced"
        )
    text = (project.root / "params.yaml").read_text()
    assert "sources:   # of others\n" in text and "  # the novel\n" in text
    assert loading.load(project.root, SOURCES).own.keys() == set(NAMES.values())


def test_nothing_is_written_without_a_yes(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (project.root / "params.yaml").read_bytes()
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    assert main(["init", "my/Reviews 2026.csv"]) == 0
    said = capsys.readouterr().out
    assert "    own:\n      reviews-2026:\n        path: my/Reviews 2026.csv\n" in said
    assert "`python -m pipeline init 'my/Reviews 2026.csv' --yes` writes them" in said
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "n")
    assert main(["init", "my/book.txt"]) == 0
    assert capsys.readouterr().out.endswith("Nothing is written.\n")
    assert (project.root / "params.yaml").read_bytes() == before
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert main(["init", "my/book.txt"]) == 0
    assert "book:" in (project.root / "params.yaml").read_text()


def test_a_name_that_is_taken(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "my/book.txt", "--name", "alice", "--yes"]) == 2
    assert (
        "sources.alice: params.yaml has a row of that name; choose another: --name alice-2" in capsys.readouterr().err
    )
    assert main(["init", "my/book.txt", "--name", "My Book", "--yes"]) == 2
    assert "a name has small letters, digits, - and _" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "name"),
    [("Größe (2).csv", "große-2"), ("日本.txt", "mine"), ("a_b.tar.gz", "a_b-tar"), ("x" * 99 + ".csv", "x" * 40)],
)
def test_rows_are_named_after_files(file: str, name: str) -> None:
    assert init.named_after(file) == name.replace("ß", "")


def test_only_own_data(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    init.run(project, "my/book.txt", None, None, only=False, confirmed=True)
    (project.root / "textbook").mkdir()
    (project.root / "textbook" / "params.yaml").write_text(CHAPTER)
    before = (project.root / "params.yaml").read_bytes()
    with pytest.raises(UserError, match="git does not know the project; commit them first"):
        init.run(project, "my/spam", None, None, only=True, confirmed=True)
    _git(project, "init", "-q")
    with pytest.raises(UserError, match="they differ from the last commit; commit them first"):
        init.run(project, "my/spam", None, None, only=True, confirmed=True)
    assert (project.root / "params.yaml").read_bytes() == before and (project.root / "textbook").is_dir()
    _git(project, "add", ".")
    _git(project, "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qm", "all")
    init.run(project, "my/spam", "alice", None, only=True, confirmed=True)  # the name of a row that goes
    said = capsys.readouterr().out
    assert "--only removes the rows of alice, and the folder textbook/" in said
    assert "`git restore params.yaml textbook` brings the removed rows back" in said
    left = loading.load(project.root, SOURCES)
    assert not left.sources and left.experiments.keys() == left.datasets.keys() == {"book", "alice"}
    assert left.recipes.keys() == {"none"} and not (project.root / "textbook").exists()
    init.run(project, "my/months.csv", None, None, only=True, confirmed=True)
    assert loading.load(project.root, SOURCES).own.keys() == {"book", "alice", "months"}


def _git(project: Project, *command: str) -> None:
    subprocess.run(["git", *command], cwd=project.root, check=True, capture_output=True)
