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
