"""Trained by pipeline.reference: the same weights as by Keras, and what it cannot do is refused beforehand."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.config import loading
from pipeline.config.schema.datasets import ForecastingData
from pipeline.config.schema.networks import ForecastingNetwork
from pipeline.encoding.records import Series
from pipeline.errors import ConfigError
from pipeline.sources import SOURCES
from pipeline.tasks.forecasting.task import TASK
from pipeline.training.compiled import Compiled
from pipeline.training.from_scratch import FromScratch
from pipeline.training.repeats import Trainer

CASES: dict[str, dict[str, object]] = {
    "simple_rnn": {"loss": "mae", "layers": 2, "optimizer": "rmsprop"},
    "lstm": {"loss": "mse"},
    "gru": {"loss": "mse", "layers": 2},
}


@pytest.mark.parametrize(("cell", "options"), CASES.items())
def test_the_weights_are_those_that_keras_trains(cell: str, options: dict[str, object]) -> None:
    """From the same seed, after some steps with schedule, clipping and average; some targets are masked."""
    steps = np.arange(260)
    record = Series(np.cos(steps) + np.sin(steps / 9), steps % 97 != 5, "")
    data = ForecastingData(source="x", task="forecasting", horizons=(1, 3), lags=2, validation=0.25, test=0.25)
    encoded = TASK.prepare(record, data, 0)
    network = ForecastingNetwork.model_validate(
        {"dataset": "x", "task": "forecasting", "cell": cell, "units": 6, "batch_size": 8, "time_steps": 12,
         "stride": 2, "burn_in": 3, "schedule": "cosine", "clip_norm": 0.1, "ema_momentum": 0.9,
         "learning_rate": 0.01, **options}
    )  # fmt: skip
    found = {}
    for engine, kind in {"keras": Compiled, "numpy": FromScratch}.items():
        trainer = Trainer(TASK, network.model_copy(update={"engine": engine, "epochs": 4}), encoded)
        assert type(trainer.compiled) is kind
        found[engine] = trainer.trained(1, 0, engine)
    keras, numpy = found["keras"], found["numpy"]
    np.testing.assert_allclose(
        [row["loss"] for row in numpy.history], [row["loss"] for row in keras.history], rtol=1e-4
    )
    for mine, theirs in zip(numpy.weights, keras.weights, strict=True):
        assert mine.dtype == theirs.dtype == np.float32
        np.testing.assert_allclose(mine, theirs, atol=1e-4)
    np.testing.assert_allclose(numpy.predictions["test"], keras.predictions["test"], atol=1e-3)
    assert numpy.history[-1]["loss"] < numpy.history[0]["loss"]


PARAMS = """
seed: 42
edition: synthetic
cell: null
sources: {cosine: {reader: cosine}}
studies: {}
tunings: {}
own: {}
datasets:
  cosine: {source: cosine, task: forecasting}
  windows: {source: cosine, task: cosine_windows}
experiments:
  cosine: {dataset: cosine, task: forecasting, engine: numpy}
  windows: {dataset: windows, task: cosine_windows, cell: simple_rnn}
"""
MISTAKES = {
    "stateful": ("numpy", "numpy, stateful: true", r"experiments\.cosine\.stateful: found True; engine numpy computes"),
    "dropout": (
        "numpy",
        "numpy, dropout: 0.2",
        r"experiments\.cosine\.dropout: found 0\.2; engine numpy",
    ),
    "recurrent dropout": ("simple_rnn", "gru, recurrent_dropout: 0.1", r"experiments\.windows\.recurrent_dropout"),
    "weight decay": ("simple_rnn", "gru, weight_decay: 0.1", r"experiments\.windows\.weight_decay: found 0\.1"),
    "another optimiser": (
        "simple_rnn",
        "gru, optimizer: adam",
        r"experiments\.windows\.optimizer: found 'adam'; known: 'sgd'",
    ),
    "another engine": ("numpy", "torch", r"experiments\.cosine\.engine: found 'torch'; known: 'keras' or 'numpy'"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_is_not_written_out_is_refused(name: str, tmp_path: Path) -> None:
    before, after, message = MISTAKES[name]
    (tmp_path / "params.yaml").write_text(PARAMS.replace(before, after, 1))
    with pytest.raises(ConfigError, match=message):
        loading.load(tmp_path, SOURCES)


def test_the_top_level_cell_swaps_what_is_written_out_and_leaves_the_rest(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS)
    params = loading.load(tmp_path, SOURCES)
    assert params.experiment("cosine").cell == "gru" and params.experiment("windows").cell == "simple_rnn"
    swapped = params.model_copy(update={"cell": "lstm"})
    assert {swapped.experiment(name).cell for name in params.experiments} == {"lstm"}
    unknown = params.model_copy(update={"cell": "peephole"})
    assert unknown.experiment("cosine").cell == "gru" and unknown.experiment("windows").cell == "simple_rnn"
