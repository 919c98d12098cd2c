"""What the stage `train` stores of trainings that were made up, so that every number can be told from every other."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.encoding.records import Encoded, network_key
from pipeline.stages import train
from pipeline.tasks.forecasting.prepare import targets
from pipeline.training import repeats
from pipeline.training.repeats import TrainedNetwork
from tests.tasks.case import CASES

PARAMS = """
seed: 7
edition: published
cell: null
sources: {cosine: {reader: cosine}}
studies: {}
tunings: {}
own: {}
datasets: {cosine: {source: cosine, task: forecasting}}
experiments:
  plain: {dataset: cosine, task: forecasting, cell: lstm, units: 4, time_steps: 10, repeats: 2}
  again: {dataset: cosine, task: forecasting, units: 4, time_steps: 10, repeats: 2, refit: true, restore_weights: best}
  halves: {dataset: cosine, task: forecasting, units: 4, time_steps: 10, precision: bfloat16}
"""
SPEEDS = ((100.0, 300.0, 200.0), (500.0, 900.0))  # of the epochs of either network
COSTS = ((2.0, 1.0, 4.0), (8.0, 16.0))


def encoded() -> Encoded:
    made = CASES["forecasting"].encoded()
    facts = {"edition": "published", "source": "cosine", "dataset": "cosine", "task": "forecasting"}
    return Encoded(made.arrays, made.encoder, made.examples, {**made.summary, **facts, "protocol": "held_out"})


def networks(data: Encoded) -> list[TrainedNetwork]:
    """Two networks, of which the second has everything else."""
    made = []
    for i, (speeds, costs) in enumerate(zip(SPEEDS, COSTS, strict=True)):
        history = [
            {"epoch": float(j), "loss": cost, "examples_per_second": speed, "seconds": cost / 2}
            for j, (speed, cost) in enumerate(zip(speeds, costs, strict=True), 1)
        ]
        truth = {split: targets(data, split)[1] for split in ("validation", "test")}
        errors = np.linspace(1.0, 2.0, len(truth["validation"]))[:, None] * (i + 1)
        predictions = {"validation": truth["validation"] + errors, "test": truth["test"] + 100.0 * (i + 1)}
        weights = [np.full((2, 3), i, np.float32), np.full(4, 10.0 + i, np.float32)]
        made.append(
            TrainedNetwork(7 + i, 0, weights, (2, 5)[i], (10.0, 31.5)[i], 10 + i, history, predictions, [{"of": i}])
        )
    return made


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """With a prepared data set and a made-up training; nobody listens at its tracking server."""
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.delenv("ONEDNN_DEFAULT_FPMATH_MODE", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS)
    data = encoded()
    with artifacts.new_folder(Project(tmp_path).prepared("cosine"), listed=True) as folder:
        artifacts.save_encoded(folder, data)
    monkeypatch.setattr(repeats, "train", lambda *_, **__: networks(data))
    return Project(tmp_path)


def stored(project: Project, name: str) -> Mapping[str, Any]:
    train.run(project, name)
    found = artifacts.load_json(project.model(name) / "fit.json")
    assert isinstance(found, dict)
    return found


def test_the_facts_of_a_training(project: Project) -> None:
    found = stored(project, "plain")
    assert found["networks"] == [
        {"seed": 7, "fold": 0, "epochs": 2, "seconds": 10.0},
        {"seed": 8, "fold": 0, "epochs": 5, "seconds": 31.5},
    ]
    expected = {
        "experiment": "plain", "dataset": "cosine", "source": "cosine", "task": "forecasting", "cell": "lstm",
        "seed": 7, "edition": "published", "protocol": "held_out", "parameters": 10, "train_seconds": 41.5, "epochs": 5,
        "examples_per_second": 300.0,  # the median over all epochs of both
        "epoch_seconds": 2.0,  # the median of 1, 0.5, 2, 4, 8
        "examples": dict(CASES["forecasting"].encoded().examples),
    }  # fmt: skip
    assert {key: found[key] for key in expected} == expected


def test_weights_predictions_and_samples_of_each_network(project: Project) -> None:
    train.run(project, "plain")
    data = encoded()
    for i in range(2):
        weights = artifacts.load_arrays(project.model("plain") / "model" / "weights" / f"{i}.npz")
        assert [w.ravel()[0] for _, w in sorted(weights.items())] == [i, 10.0 + i]
        predictions = artifacts.load_arrays(project.predictions("cosine", "plain") / "predictions.npz")
        off = np.nanmean(predictions[network_key(i, "test")] - targets(data, "test")[1])
        assert off == pytest.approx(100.0 * (i + 1))
        errors = predictions[network_key(i, "validation")] - targets(data, "validation")[1]
        assert np.nanmax(errors) == pytest.approx(2.0 * (i + 1), rel=0.02)
    assert artifacts.load_json(project.predictions("cosine", "plain") / "samples.json") == [{"of": 0}]


def test_the_curve_is_the_mean_of_the_networks_in_training(project: Project) -> None:
    train.run(project, "plain")
    header, *rows = project.curves("cosine", "plain").read_text().splitlines()
    assert header == "epoch,loss,examples_per_second,seconds"
    assert rows == ["1,5,300,2.5", "2,8.5,600,4.25", "3,4,200,2"]


def test_the_interval_of_the_model_is_that_of_the_errors_of_the_first_network_on_validation(project: Project) -> None:
    train.run(project, "plain")
    encoder = artifacts.load_json(project.model("plain") / "model" / "encoder.json")
    truth = targets(encoded(), "validation")[1]
    errors = np.linspace(1.0, 2.0, len(truth))
    for width, column in zip(encoder["interval"]["widths"], truth.T, strict=True):
        known = np.sort(errors[~np.isnan(column)])
        assert width == pytest.approx(known[math.ceil((len(known) + 1) * 0.9) - 1])
    assert encoder["interval"]["level"] == 0.9


@pytest.mark.parametrize(("name", "splits"), [("plain", ("train",)), ("again", ("train", "validation"))])
def test_the_encoder_is_that_of_the_splits_of_the_last_fit(
    name: str, splits: tuple[str, ...], project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    task = CASES["forecasting"].task

    def fitted(encoded: Any, fitted_on: Any, fold: int) -> Any:
        asked.append((fitted_on, fold))
        return {**task.fitted(encoded, fitted_on, fold), "fitted": list(fitted_on)}

    monkeypatch.setattr(train, "task_named", lambda _: replace(task, fitted=fitted))
    train.run(project, name)
    assert asked == [(splits, 0)]
    assert artifacts.load_json(project.model(name) / "model" / "encoder.json")["fitted"] == list(splits)
    row = artifacts.load_json(project.model(name) / "model" / "network.json")
    assert (row["refit"], row["units"], row["time_steps"]) == (name == "again", 4, 10)


def test_the_run_names_its_settings_and_its_data(project: Project) -> None:
    (project.root / "dvc.lock").write_text(
        json.dumps({"schema": "2.0", "stages": {"preprocess@cosine": {"cmd": "x", "outs": [
            {"path": "data/prepared/cosine", "md5": "0123456789abcdef0123456789abcdef.dir"}]}}})
    )  # fmt: skip
    train.run(project, "plain")
    record = artifacts.load_json(project.model("plain") / "run.json")
    assert any("0123456789abcdef" in str(value) for value in record["data"].values()), record["data"]
    assert "lstm" in json.dumps(record["params"])


@pytest.mark.parametrize(("name", "mode"), [("plain", None), ("halves", "BF16")])
def test_half_precision_is_set_before_anything_is_computed(
    name: str, mode: str | None, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(train.handover, "run_alone", lambda: seen.append("alone"))

    def noted(*_: Any, **__: Any) -> Any:
        seen.append((os.environ.get("ONEDNN_DEFAULT_FPMATH_MODE"), os.environ["KERAS_BACKEND"]))
        return networks(encoded())

    monkeypatch.setattr(repeats, "train", noted)
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "")  # so that it is as before after the test
    monkeypatch.delenv("ONEDNN_DEFAULT_FPMATH_MODE")
    train.run(project, name)
    assert seen == (["alone"] if mode else []) + [(mode, "tensorflow")]


def test_a_network_that_cannot_be_described_is_kept_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the result of hours; Keras computes its answers."""
    case = CASES["returns"]
    path, row, encoder = tmp_path / "graph.json", case.network_row(), case.encoded().encoder
    train._save_graph(path, case.task, row, encoder)
    assert artifacts.load_json(path)["output"] and capsys.readouterr().out == ""
    path.unlink()
    monkeypatch.setattr("pipeline.training.description.description", lambda model: model.no_such_graph)
    train._save_graph(path, case.task, row, encoder)
    assert not path.exists()
    said = capsys.readouterr().out
    assert "the network cannot be described (AttributeError: " in said and "its answers will import TensorFlow" in said
