"""The inputs of a training, and the command that remakes it, including changes that were not committed."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.artifacts import Project
from pipeline.config import loading
from pipeline.sources import SOURCES
from pipeline.tracking import provenance

from .conftest import PARAMS, head

SETTINGS = {
    "seed": 1,
    "edition": "synthetic",
    "cell": None,
    "sources.digits": {"reader": "digits"},
    "datasets.digits": {"source": "digits", "task": "image_rows"},
    "experiments.rows": {"dataset": "digits", "task": "image_rows", "units": 8, "dropout": 0.5},
}


def remade(repository: Project, commit: str | None, **changes: Any) -> str:
    settings: dict[str, Any] = {**SETTINGS, **changes}
    return provenance.remake(repository, commit, "evaluate@rows", settings)


DONE = "dvc repro evaluate@rows"
ROW = SETTINGS["experiments.rows"]


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({}, DONE),
        ({"cell": "gru"}, "dvc exp run -S cell=gru evaluate@rows"),
        ({"experiments.rows": {**ROW, "units": 16}}, "dvc exp run -S experiments.rows.units=16 evaluate@rows"),
        ({"experiments.rows": {**ROW, "layers": 2}}, "dvc exp run -S +experiments.rows.layers=2 evaluate@rows"),
        (
            {"experiments.rows": {k: v for k, v in ROW.items() if k != "dropout"}},
            "dvc exp run -S '~experiments.rows.dropout' evaluate@rows",
        ),
        (
            {"datasets.digits": {"source": "digits", "task": "image_rows", "parts": [1, 2]}},
            "dvc exp run -S '+datasets.digits.parts=[1, 2]' evaluate@rows",
        ),
        (
            {"experiments.new": {"dataset": "digits", "units": 4}},
            "dvc exp run -S '+experiments.new={dataset: digits, units: 4}' evaluate@rows",
        ),
    ],
)
def test_remake_names_what_the_commit_does_not_have(repository: Project, changes: dict[str, Any], command: str) -> None:
    assert remade(repository, head(repository), **changes) == f"git checkout {head(repository)} && {command}"


def test_without_its_commit_nothing_can_be_compared(repository: Project) -> None:
    assert remade(repository, "c0ffee", cell="gru") == "git checkout c0ffee && dvc repro evaluate@rows"
    assert remade(repository, None, cell="gru") == "dvc repro evaluate@rows"


def test_settings_are_the_rows_that_an_experiment_depends_on_as_they_are_written(tmp_path: Path) -> None:
    own = {"own": {"mine": {"path": "my/book.txt"}}}
    datasets = {**PARAMS["datasets"], "mine": {"source": "mine", "task": "char_lm"}}
    experiments = {**PARAMS["experiments"], "of-mine": {"dataset": "mine", "task": "char_lm", "units": 4}}
    changed = {**PARAMS, **own, "datasets": datasets, "experiments": experiments}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(changed))
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "book.txt").write_text("a book")
    params = loading.load(tmp_path, SOURCES)
    assert provenance.settings(params, "rows") == SETTINGS
    assert provenance.data_of(params, "rows") == ["data/raw/digits", "data/prepared/digits"]
    assert provenance.settings(params, "of-mine") == {
        **{key: SETTINGS[key] for key in ("seed", "edition", "cell")},
        "own.mine": {"path": "my/book.txt"},
        "datasets.mine": datasets["mine"],
        "experiments.of-mine": experiments["of-mine"],
    }


def test_an_own_text_needs_no_reader_to_be_remade(repository: Project) -> None:
    (repository.root / "params.yaml").write_text(yaml.safe_dump({**PARAMS, "own": {"mine": {"path": "my/book.txt"}}}))
    subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-qam", "own"], cwd=repository.root)
    for written in ({"path": "my/book.txt"}, {"reader": "own_text", "path": "my/book.txt"}):
        again = remade(repository, head(repository), **{"own.mine": written})
        assert again == f"git checkout {head(repository)} && {DONE}"
    moved = {"own.mine": {"reader": "own_text", "path": "my/other.txt"}}
    assert remade(repository, head(repository), **moved).endswith("-S own.mine.path=my/other.txt evaluate@rows")


def test_a_project_that_was_never_reproduced_has_no_hashes(tmp_path: Path) -> None:
    assert provenance.locked(Project(tmp_path)) == provenance.hashes(Project(tmp_path)) == {}
    (tmp_path / "dvc.lock").write_text("")
    assert provenance.locked(Project(tmp_path)) == {}


TEXTBOOK = {
    "sources": {},
    "recipes": {"small": {"units": 4}},
    "datasets": {"chapter": {"source": "digits", "task": "image_rows", "protocol": "textbook"}},
    "experiments": {"chapter": {"dataset": "chapter", "task": "image_rows", "recipe": "small"}},
}


def test_settings_of_the_textbooks_file_are_named_with_it(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({**PARAMS, "own": {}}))
    (tmp_path / "textbook").mkdir()
    (tmp_path / "textbook" / "params.yaml").write_text(yaml.safe_dump(TEXTBOOK))
    settings = provenance.settings(loading.load(tmp_path, SOURCES), "chapter")
    assert settings == {
        "seed": 1,
        "edition": "synthetic",
        "cell": None,
        "sources.digits": {"reader": "digits"},
        "textbook/params.yaml:datasets.chapter": TEXTBOOK["datasets"]["chapter"],
        "textbook/params.yaml:recipes.small": {"units": 4},
        "textbook/params.yaml:experiments.chapter": TEXTBOOK["experiments"]["chapter"],
    }
    assert provenance.target(settings, "train", "chapter") == "textbook/dvc.yaml:train@chapter"
    assert provenance.target(SETTINGS, "train", "rows") == "train@rows"


def test_remake_names_what_the_textbooks_file_does_not_have(repository: Project) -> None:
    (repository.root / "params.yaml").write_text(yaml.safe_dump({**PARAMS, "own": {}}))
    (repository.root / "textbook").mkdir()
    (repository.root / "textbook" / "params.yaml").write_text(yaml.safe_dump(TEXTBOOK))
    settings = provenance.settings(loading.load(repository.root, SOURCES), "chapter")
    for command in (
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--quiet", "-m", "textbook"],
    ):
        subprocess.run(["git", *command], cwd=repository.root, check=True)
    target = provenance.target(settings, "evaluate", "chapter")
    before = f"git checkout {head(repository)} &&"
    same = provenance.remake(repository, head(repository), target, settings)
    assert same == f"{before} dvc repro textbook/dvc.yaml:evaluate@chapter"
    settings |= {"cell": "lstm", "textbook/params.yaml:recipes.small": {"units": 7}}
    settings["textbook/params.yaml:experiments.chapter"] |= {"layers": 2}
    assert provenance.remake(repository, head(repository), target, settings) == (
        f"{before} dvc exp run -S cell=lstm -S textbook/params.yaml:recipes.small.units=7 "
        f"-S textbook/params.yaml:+experiments.chapter.layers=2 {target}"
    )


def test_stages_of_both_locks_are_known_by_their_targets(tmp_path: Path) -> None:
    (tmp_path / "textbook").mkdir()
    for file, name in (("dvc.lock", "rows"), ("textbook/dvc.lock", "chapter")):
        lock = {"stages": {f"train@{name}": {"cmd": "x", "outs": [{"path": f"data/models/{name}", "md5": name}]}}}
        (tmp_path / file).write_text(yaml.safe_dump(lock))
    project = Project(tmp_path)
    assert provenance.locked(project).keys() == {"train@rows", "textbook/dvc.yaml:train@chapter"}
    assert provenance.hashes(project) == {"data/models/rows": "rows", "data/models/chapter": "chapter"}
