"""What a run says of its origin: commit, seed, data and times, from facts that can all be told apart."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from pipeline.artifacts import Project
from pipeline.config.schema.networks import ExperimentRows
from pipeline.tracking import build, store
from pipeline.tracking.build import Run
from pipeline.tracking.record import Content, Metric

ROW = {"dataset": "letters", "task": "image_rows", "units": 9, "learning_rate": 0.25}
FACTS = {
    "experiment": "mine", "source": "scans", "dataset": "letters", "task": "image_rows", "cell": "gru", "seed": 77,
    "edition": "synthetic", "protocol": "held_out", "train_seconds": 12.5, "parameters": 345,
}  # fmt: skip
HISTORY = [
    {"epoch": 1.0, "loss": 3.0, "val_accuracy": 0.25, "seconds": 2.0},
    {"epoch": 2.0, "loss": 1.0, "val_accuracy": 0.75, "seconds": 0.5},
]
MADE_OF = {
    "params": {"seed": 77, "experiments.mine": {"units": 9}},
    "data": {"data/raw/scans": "aaa", "data/prepared/letters": "bbb"},
}


def told(project: Project, environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Content:
    monkeypatch.setattr(build, "environment_tags", lambda _: dict(environment))
    row = TypeAdapter(ExperimentRows).validate_python(ROW)
    run = Run("a" * 32, "scans", "gru 9 · mine", 10_000)
    system = [Metric("system/cpu", 0.5, 3, 11_111)]
    return build.training(project, run, row, FACTS, HISTORY, system, MADE_OF).content


@pytest.mark.parametrize(
    ("environment", "commit"),
    [
        ({"mlflow.source.git.commit": "c0ffee"}, "c0ffee"),
        ({"mlflow.source.git.commit": "c0ffee", "dvc_baseline": "baced"}, "baced"),  # of an experiment of DVC
        ({}, None),
    ],
)
def test_a_run_is_made_again_from_the_commit_it_was_made_on(
    environment: dict[str, str], commit: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = told(Project(tmp_path), environment, monkeypatch)
    again = content.tags["remake"]
    assert again == (f"git checkout {commit} && " if commit else "") + "dvc repro evaluate@mine"
    assert content.tags["mlflow.source.name"] == "train@mine"
    assert environment.items() <= content.tags.items()


def test_settings_and_data_of_a_run_are_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = told(Project(tmp_path), {}, monkeypatch)
    said = {"seed": "77", "parameters": "345", "units": "9", "learning_rate": "0.25", "dataset": "letters"}
    assert said.items() <= content.params.items()
    kinds = ("experiment", "source", "dataset", "task", "cell", "edition", "protocol")
    assert {kind: content.tags[kind] for kind in kinds} == {kind: FACTS[kind] for kind in kinds}
    (data,) = content.datasets
    assert tuple(data) == ("letters", "data/prepared/letters", "bbb", "training")
    stored = [json.loads(value) for value in content.tags.values() if value.startswith("{")]
    assert MADE_OF["params"] in stored and MADE_OF["data"] in stored


def test_a_curve_has_the_steps_and_times_of_its_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = told(Project(tmp_path), {}, monkeypatch)
    curve = [(m.key, m.value, m.step, m.timestamp) for m in content.metrics if m.key in ("loss", "val_accuracy")]
    assert curve == [
        ("loss", 3.0, 1, 12_000), ("val_accuracy", 0.25, 1, 12_000),
        ("loss", 1.0, 2, 12_500), ("val_accuracy", 0.75, 2, 12_500),
    ]  # fmt: skip
    single: dict[str, Any] = {m.key: m.value for m in content.metrics if m.key in ("train_seconds", "parameters")}
    assert single == {"train_seconds": 12.5, "parameters": 345.0}
    assert Metric("system/cpu", 0.5, 3, 11_111) in content.metrics


def test_mlflow_is_imported_without_pickle_and_without_telling_anyone(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = {"MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    assert expected.items() <= store.DEFAULTS.items()
    environment: dict[str, str] = {"MLFLOW_LOGGING_LEVEL": "ERROR"}
    monkeypatch.setattr(store.os, "environ", environment)
    store.import_mlflow()
    assert environment == {**store.DEFAULTS, "MLFLOW_LOGGING_LEVEL": "ERROR"}, "what the user sets stays"
