"""The network of forecasting: recurrent layers over the inputs of each step, one output for each horizon.

A stateful network reads contiguous streams and carries its state from chunk to chunk. A stateless one reads the same
chunks in random order, each from a zero state, and forecasts from the last `time_steps` steps.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.networks import ForecastingNetwork
from pipeline.encoding.records import Encoded
from pipeline.encoding.series_features import lag_columns, lookback
from pipeline.errors import DataError
from pipeline.evaluation.network import Network, Predictor, ServingForm
from pipeline.layers import keras
from pipeline.layers.cells import dropped, recurrent
from pipeline.layers.ensemble import ensembled, mean
from pipeline.layers.pooling import FoldSteps, UnfoldSteps
from pipeline.reference.network import mean_absolute, mean_squared
from pipeline.tasks.forecasting.prepare import STREAMS, carried_steps, roll_out, targets, window_steps
from pipeline.training.compiled import Compiled
from pipeline.training.fit import Batch, load, optimizer, trainable
from pipeline.training.from_scratch import FromScratch

CHUNK = 500  # steps that are read at once


@ensembled(mean)
def build(network: ForecastingNetwork, encoder: Mapping[str, Any], batch: int | None = None) -> Any:
    """Build the model: inputs float32 [batch, time, features] → scaled forecasts float32 [batch, time, horizons].

    topology direct: one output for each horizon. topology decoder: at every step, a second recurrent layer turns the
    output of the first into one forecast after another, and reads the seasonal values before each.
    """
    start = keras.Input((None, encoder["features"]), batch_size=batch, name="inputs")
    x = dropped(network, recurrent(network, start, sequences=True))
    if network.topology == "decoder":
        out = _decoded(network, encoder, start, x)
    else:
        out = keras.layers.Dense(len(encoder["horizons"]), name="forecasts")(x)
    return keras.Model(start, out, name="forecasting")


def _decoded(network: ForecastingNetwork, encoder: Mapping[str, Any], start: Any, x: Any) -> Any:
    """Decode x, the encoder's outputs: float32 [batch, time, units] → [batch, time, horizons]."""
    horizons = len(encoder["horizons"])
    steps = keras.layers.RepeatVector(horizons, name="repeat")(FoldSteps(name="fold")(x))
    columns = lag_columns(encoder)
    if columns:
        seasons = FoldSteps(name="fold_seasons")(start[:, :, 1 : 1 + columns])
        seasons = keras.layers.Reshape((horizons, columns // horizons), name="seasons")(seasons)
        steps = keras.layers.Concatenate(name="decoder_inputs")([steps, seasons])
    one_layer = network.model_copy(update={"stateful": False, "layers": 1})
    out = keras.layers.Dense(1, name="forecasts")(dropped(network, recurrent(one_layer, steps, sequences=True)))
    return UnfoldSteps(name="unfold")([out, start])


def loss(network: ForecastingNetwork) -> Any:
    """Return the mean absolute or squared error over the targets that are not NaN."""
    power = {"mae": keras.ops.abs, "mse": keras.ops.square}[network.loss]

    def masked(truth: Any, forecast: Any, sample_weight: Any = None) -> Any:
        present = keras.ops.logical_not(keras.ops.isnan(truth))
        error = power(forecast - keras.ops.where(present, truth, 0.0))
        count = keras.ops.maximum(keras.ops.sum(keras.ops.cast(present, "float32")), 1.0)
        return keras.ops.sum(keras.ops.where(present, error, 0.0)) / count

    return masked


def compiled(network: ForecastingNetwork, model: Any) -> Compiled:
    """Return the model compiled for the setting `engine`: Keras, or the same loss and its gradients in NumPy."""
    if network.engine == "numpy":
        by_hand = {"mae": mean_absolute, "mse": mean_squared}[network.loss]
        return FromScratch(model, network, by_hand, optimizer(network))
    return Compiled(model, loss(network), optimizer(network))


class Chunks:
    """Batches of chunks of `time_steps` steps: of contiguous streams if stateful, otherwise from shuffled places."""

    def __init__(self, network: ForecastingNetwork, encoded: Encoded, splits: tuple[str, ...]) -> None:
        self.network, self.inputs = network, encoded.arrays["inputs"]
        self.truth = scaled_truth(encoded, splits)
        self.first, room = lookback(encoded.encoder), len(self.truth) - lookback(encoded.encoder) - network.time_steps
        self.length = room // network.batch_size
        self.stride = network.time_steps if network.stateful else network.stride or network.time_steps
        self.steps = room // self.stride // network.batch_size
        if self.steps < 1:
            need = self.first + network.time_steps + self.stride * network.batch_size
            raise DataError(
                f"batch_size {network.batch_size} × time_steps {network.time_steps} needs {need} steps, the training "
                f"part has {len(self.truth)}; lower one of them"
            )

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield one epoch of (inputs float32 [batch, time, features], targets float32 [batch, time, horizons])."""
        time, batch = self.network.time_steps, self.network.batch_size
        first = self.first + rng.integers(self.stride)  # different chunk borders in each epoch
        if self.network.stateful:
            starts = first + np.arange(batch) * self.length + np.arange(self.steps)[:, None] * time
        else:
            places = np.arange(first, len(self.truth) - time + 1, self.stride)
            starts = rng.permutation(places)[: self.steps * batch].reshape(self.steps, batch)
        for row in starts:
            at = row[:, None] + np.arange(time)
            truth = self.truth[at]
            truth[:, : self.network.burn_in] = np.nan
            yield self.inputs[at], truth, None


def scaled_truth(encoded: Encoded, splits: tuple[str, ...]) -> NDArray[np.float32]:
    """Return float32 [time up to the end of the splits, horizons]: scaled targets of each step, NaN where unknown."""
    parts = [targets(encoded, split) for split in splits]
    out = np.full((parts[-1][0][-1] + 1, len(encoded.encoder["horizons"])), np.nan)
    for origins, truth in parts:
        out[origins] = np.where(np.isnan(truth), out[origins], truth)
    return np.asarray((out - encoded.encoder["mean"]) / encoded.encoder["sd"], np.float32)


def feed(network: ForecastingNetwork, encoded: Encoded, splits: tuple[str, ...], fold: int) -> Chunks:
    """Return the training batches of the splits."""
    return Chunks(network, encoded, splits)


class Forecaster:
    """Forecasts from the origins of a split, with a carried state or from windows, as the network was trained."""

    def __init__(self, model: Compiled, network: ForecastingNetwork, encoded: Encoded) -> None:
        self.model, self.network, self.encoded = model, network, encoded
        batch = STREAMS if network.stateful else None
        self.inference_model = Compiled(build(network, encoded.encoder, batch)) if network.stateful else model

    def predict(self, split: str, fitted_on: tuple[str, ...], fold: int) -> NDArray[np.float64]:
        """Return float64 [targets, horizons], in the unit of the series."""
        scaled = self._carried(split) if self.network.stateful else self._windows(split)
        return np.asarray(scaled.astype(np.float64) * self.encoded.encoder["sd"] + self.encoded.encoder["mean"])

    def further_arrays(self, fitted_on: tuple[str, ...], fold: int) -> dict[str, NDArray[np.float64]]:
        """Return `free_run` float64 [steps]: a forecast from the start of the test part, fed only its own values.

        The setting `free_run` is its number of steps, 0 for none.
        """
        encoder, values = self.encoded.encoder, self.encoded.arrays["values"]
        if not encoder["free_run"]:
            return {}
        model = Compiled(build(self.network, encoder, 1 if self.network.stateful else None))
        load(model.model, trainable(self.model.model))
        past = values[: encoder["cuts"][1]]
        return {"free_run": roll_out(model, self.network, encoder, past, 0, encoder["free_run"])[0]}

    def _windows(self, split: str) -> NDArray[np.float32]:
        origins, _ = targets(self.encoded, split)
        back = window_steps(self.encoded, split, self.network.time_steps)
        rows = [origins[i : i + 1_000, None] + back for i in range(0, len(origins), 1_000)]
        return np.concatenate([self.inference_model.predict(self.encoded.arrays["inputs"][at])[:, -1] for at in rows])

    def _carried(self, split: str) -> NDArray[np.float32]:
        load(self.inference_model.model, trainable(self.model.model))
        self.inference_model.reset_states()
        at, warm = carried_steps(self.encoded, split)
        chunks = [
            self.inference_model.predict(self.encoded.arrays["inputs"][at[:, i : i + CHUNK]])
            for i in range(0, at.shape[1], CHUNK)
        ]
        scaled = np.concatenate(chunks, axis=1)[:, warm:]
        return np.asarray(scaled.reshape(-1, scaled.shape[-1])[: len(targets(self.encoded, split)[0])])


def predictor(model: Compiled, network: ForecastingNetwork, encoded: Encoded) -> Predictor:
    """Return the predictions of Forecaster and its free run."""
    reader = Forecaster(model, network, encoded)
    return Predictor(reader.predict, reader.further_arrays)


def serving(row: ForecastingNetwork, encoder: Mapping[str, Any]) -> ServingForm:
    """Serve one series at a time if the network is stateful."""
    return ServingForm(1 if row.stateful else None)


NETWORK = Network(build=build, feed=feed, loss=loss, predictor=predictor, compiled=compiled, serving=serving)
