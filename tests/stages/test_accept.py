"""tune --accept: what it writes into params.yaml, which lines it leaves alone, and what it says."""

from pathlib import Path
from typing import Any

import pytest

from pipeline import artifacts
from pipeline.__main__ import main
from pipeline.artifacts import Project

PARAMS = """\
# A tiny project.
seed: 3
edition: {edition}   # of the data
cell: null

sources: {{walk: {{reader: cosine}}}}
studies: {{}}
own: {{}}
datasets:
  walk: {{source: walk, task: forecasting, horizons: [2], seasonal_periods: []}}
experiments:
  # The only one.
  walk: {row}   # here
tunings:
  sizes:
    experiment: walk
    space:
      units: {{int: [2, 64]}}
      learning_rate: {{float: [0.00001, 0.1], log: true}}
      clip_norm: {{choice: [null, 1.0]}}
    trials: 12   # of them
"""
ROW = "{dataset: walk, task: forecasting, units: 48, learning_rate: 0.01, clip_norm: null}"
OWN = {"units": 48, "learning_rate": 0.01, "clip_norm": None}
BEST = {"units": 8, "learning_rate": 0.00002, "clip_norm": None}


def project(root: Path, edition: str = "synthetic", row: str = ROW) -> Project:
    (root / "params.yaml").write_text(PARAMS.format(edition=edition, row=row))
    return Project(root)


def finished(made: Project, edition: str = "synthetic", **changes: Any) -> None:
    """A tuning as its stage leaves it."""
    found = {
        "tuning": "sizes", "experiment": "walk", "edition": edition, "task": "forecasting", "folds": 1,
        "own": {"settings": OWN, "value": 1.25}, "best": {"settings": BEST, "value": 1.0, "number": 4},
        "trials": [{}] * 12,
    } | changes  # fmt: skip
    with artifacts.new_folder(made.outcome("tunings", "sizes"), listed=True) as fresh:
        artifacts.save_json(fresh / "tuning.json", found)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def accepted(capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    assert main(["tune", "--accept", "sizes"]) == code
    said = capsys.readouterr()
    return said.err if code else said.out


WRITTEN = {
    "in the published edition into the row": (
        "published",
        ROW,
        "{dataset: walk, task: forecasting, units: 8, learning_rate: 0.00002, clip_norm: null}",
    ),
    "in the synthetic edition into a new block": (
        "synthetic",
        ROW,
        ROW.replace("}", ", synthetic: {learning_rate: 0.00002, units: 8}}"),
    ),
    "in the synthetic edition into the block that is there": (
        "synthetic",
        ROW.replace("units: 48, ", "").replace("}", ", synthetic: {units: 48, epochs: 2}}"),
        ROW.replace("units: 48, ", "").replace("}", ", synthetic: {units: 8, epochs: 2, learning_rate: 0.00002}}"),
    ),
}


@pytest.mark.parametrize("place", WRITTEN)
def test_the_best_settings_are_written(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every other line, comments and layout stay."""
    edition, before, after = WRITTEN[place]
    made = project(tmp_path, edition, before)
    finished(made, edition)
    accepted(capsys)
    wanted = PARAMS.format(edition=edition, row=after).splitlines()
    lines = [" ".join(line.split()) for line in (tmp_path / "params.yaml").read_text().splitlines()]
    assert lines == [" ".join(line.split()) for line in wanted]
    assert main(["check"]) == 0


def test_what_changes_and_by_how_much_validation_is_better(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished(project(tmp_path))
    assert accepted(capsys).splitlines() == [
        "params.yaml: experiments.walk.synthetic: learning_rate: 0.01 → 0.00002",
        "params.yaml: experiments.walk.synthetic: units: 48 → 8",
        "validation MASE 1.250 → 1.000, 20.0 % better; the best of 12 trials with one seed looks better than it is",
        "`dvc repro` trains walk with them, and gives the test figure",
    ]


def test_with_folds_it_says_which_texts_the_tuning_has_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished(project(tmp_path), folds=5)
    line = "only fold 0 of 5 was tuned; the test examples of the other folds were among its training examples"
    assert line in accepted(capsys).splitlines()


def test_own_settings_without_a_figure_are_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finished(project(tmp_path), own={"settings": OWN, "value": None})
    assert "validation MASE 1.000; the settings before were not trained to the end; the best" in accepted(capsys)


@pytest.mark.parametrize("value", [1.0, 0.9])
def test_settings_that_are_no_better_are_not_written(
    value: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished(project(tmp_path), own={"settings": OWN, "value": value})
    before = (tmp_path / "params.yaml").read_bytes()
    assert accepted(capsys) == "sizes: the settings of walk are the best of 12 trials; nothing changes\n"
    assert (tmp_path / "params.yaml").read_bytes() == before


def test_a_tuning_that_has_not_run_is_run_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project(tmp_path)
    assert accepted(capsys, 2) == "error: sizes: the tuning has not run; run `dvc repro tune@sizes` first\n"


OUTDATED = {
    "settings": (ROW.replace("48", "50"), "synthetic", "experiments.walk.units was 48 when the tuning ran, and is 50"),
    "edition": (ROW, "published", "the tuning is of walk on synthetic data, params.yaml has walk on published data"),
}


@pytest.mark.parametrize("what", OUTDATED)
def test_a_tuning_of_something_else_is_refused(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row, edition, sentence = OUTDATED[what]
    made = project(tmp_path, edition, row)
    finished(made)
    before = (tmp_path / "params.yaml").read_bytes()
    assert accepted(capsys, 2) == f"error: sizes: {sentence}; run `dvc repro tune@sizes` first\n"
    assert (tmp_path / "params.yaml").read_bytes() == before


def test_a_damaged_tuning_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = project(tmp_path)
    finished(made)
    path = made.outcome("tunings", "sizes") / "tuning.json"
    path.write_text(path.read_text().replace("48", "49"))
    assert "tuning.json" in accepted(capsys, 2)
