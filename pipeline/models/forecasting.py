"""Forecasters: a recurrent layer over the inputs of each step, one output for each horizon.

Stateful: contiguous streams, the state carried from chunk to chunk. Stateless: the same chunks, shuffled, each from a
zero state; and a forecast sees `time_steps` steps.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.encoding.series_features import lag_columns, reach
from pipeline.errors import DataError
from pipeline.models import keras
from pipeline.models.blocks.cells import dropped, recurrent, reset_states
from pipeline.models.blocks.compiled import Compiled
from pipeline.models.blocks.fit import Batch, load, optimizer, trainable
from pipeline.models.blocks.from_scratch import FromScratch
from pipeline.models.blocks.layers import FoldSteps, UnfoldSteps
from pipeline.reference.network import mean_absolute, mean_squared
from pipeline.rows.networks import ForecastingNetwork
from pipeline.tasks.base import NO_VALUES, warned
from pipeline.tasks.forecasting import STREAMS, WARM_UP, carried_steps, inputs, targets, widths, window_steps

CHUNK = 500
TOO_LARGE = 1e30  # the network counts in float32
ENDS = ("values", "lower", "upper")
FAR = 10.0  # standard deviations from the mean of the training part


def build(network: ForecastingNetwork, encoder: Mapping[str, Any], batch: int | None = None) -> Any:
    """inputs float32 [batch, time, features] → scaled forecasts float32 [batch, time, horizons].

    topology direct: one output for each horizon. decoder: at every step a second recurrent layer unrolls what the first
    one knows over the horizons, one after another, and is told the seasons before each of them.
    """
    start = keras.Input((None, encoder["features"]), batch_size=batch, name="inputs")
    x = dropped(network, recurrent(network, start, sequences=True))
    if network.topology == "decoder":
        out = _decoded(network, encoder, start, x)
    else:
        out = keras.layers.Dense(len(encoder["horizons"]), name="forecasts")(x)
    return keras.Model(start, out, name="forecasting")


def _decoded(network: ForecastingNetwork, encoder: Mapping[str, Any], start: Any, x: Any) -> Any:
    """x float32 [batch, time, units], the encoder's outputs → [batch, time, horizons]."""
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
    """Mean absolute or squared error over the targets that are not NaN."""
    power = {"mae": keras.ops.abs, "mse": keras.ops.square}[network.loss]

    def masked(truth: Any, forecast: Any, sample_weight: Any = None) -> Any:
        present = keras.ops.logical_not(keras.ops.isnan(truth))
        error = power(forecast - keras.ops.where(present, truth, 0.0))
        count = keras.ops.maximum(keras.ops.sum(keras.ops.cast(present, "float32")), 1.0)
        return keras.ops.sum(keras.ops.where(present, error, 0.0)) / count

    return masked


def compiled(network: ForecastingNetwork, model: Any) -> Compiled:
    """Trained by Keras, or by the same loss in NumPy."""
    if network.engine == "numpy":
        by_hand = {"mae": mean_absolute, "mse": mean_squared}[network.loss]
        return FromScratch(model, network, by_hand, optimizer(network))
    return Compiled(model, loss(network), optimizer(network))


class Chunks:
    """`batch` chunks of `time_steps` at a time: of contiguous streams when stateful, else of shuffled places."""

    def __init__(self, network: ForecastingNetwork, encoded: Encoded, splits: tuple[str, ...]) -> None:
        self.network, self.inputs = network, encoded.arrays["inputs"]
        self.truth = scaled_truth(encoded, splits)
        self.first, room = reach(encoded.encoder), len(self.truth) - reach(encoded.encoder) - network.time_steps
        self.length = room // network.batch
        self.stride = network.time_steps if network.stateful else network.stride or network.time_steps
        self.steps = room // self.stride // network.batch
        if self.steps < 1:
            need = self.first + network.time_steps + self.stride * network.batch
            raise DataError(
                f"batch {network.batch} × time_steps {network.time_steps} needs {need} steps, the training part has"
                f" {len(self.truth)}; lower one of them"
            )

    def batches(self, rng: np.random.Generator) -> Iterator[Batch]:
        time, batch = self.network.time_steps, self.network.batch
        first = self.first + rng.integers(self.stride)  # other chunk borders in each epoch
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
    """float32 [time up to the end of the splits, horizons]: what to learn at each step, NaN where nothing is known."""
    parts = [targets(encoded, split) for split in splits]
    out = np.full((parts[-1][0][-1] + 1, len(encoded.encoder["horizons"])), np.nan)
    for origins, truth in parts:
        out[origins] = np.where(np.isnan(truth), out[origins], truth)
    return np.asarray((out - encoded.encoder["mean"]) / encoded.encoder["sd"], np.float32)


def feed(network: ForecastingNetwork, encoded: Encoded, splits: tuple[str, ...], fold: int) -> Chunks:
    return Chunks(network, encoded, splits)


class predictor:
    """Forecasts for the origins of a split: carried state, or windows of `time_steps`, as the network was trained."""

    def __init__(self, model: Compiled, network: ForecastingNetwork, encoded: Encoded) -> None:
        self.model, self.network, self.encoded = model, network, encoded
        batch = STREAMS if network.stateful else None
        self.twin = Compiled(build(network, encoded.encoder, batch)) if network.stateful else model

    def __call__(self, split: str, fitted_on: tuple[str, ...], fold: int) -> NDArray[np.float64]:
        """float64 [targets, horizons], in the unit of the series."""
        scaled = self._carried(split) if self.network.stateful else self._windows(split)
        return np.asarray(scaled.astype(np.float64) * self.encoded.encoder["sd"] + self.encoded.encoder["mean"])

    def extras(self, fitted_on: tuple[str, ...], fold: int) -> dict[str, NDArray[np.float64]]:
        """free_run: float64 [steps] from the start of the test part, fed with nothing but itself; where asked for."""
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
        return np.concatenate([self.twin.predict(self.encoded.arrays["inputs"][at])[:, -1] for at in rows])

    def _carried(self, split: str) -> NDArray[np.float32]:
        load(self.twin.model, trainable(self.model.model))
        reset_states(self.twin.model)
        at, warm = carried_steps(self.encoded, split)
        chunks = [
            self.twin.predict(self.encoded.arrays["inputs"][at[:, i : i + CHUNK]]) for i in range(0, at.shape[1], CHUNK)
        ]
        scaled = np.concatenate(chunks, axis=1)[:, warm:]
        return np.asarray(scaled.reshape(-1, scaled.shape[-1])[: len(targets(self.encoded, split)[0])])


def roll_out(
    model: Compiled,
    network: ForecastingNetwork,
    encoder: Mapping[str, Any],
    past: NDArray[np.float64],
    first: int,
    steps: int,
    extras: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(float64 [steps] after `past`, whose first value is step `first` of the series: the one-step forecast, fed back;
    float64 [horizons], the forecasts for each horizon from the end of `past` alone).

    `extras`: float64 [past + steps, extras], where the model has further columns.

    A stateful model reads the past once and then a step at a time; a stateless one its last `time_steps` each time.
    """
    column = encoder["horizons"].index(1) if 1 in encoder["horizons"] else 0
    window = reach(encoder) + (WARM_UP + 1 if network.stateful else network.time_steps)
    tail = np.concatenate([past[-window:], np.empty(steps)])
    known = len(tail) - steps
    beside = None if extras is None else extras[-len(tail) :]
    first += len(past) - known
    reset_states(model.model)
    fresh = known - reach(encoder)  # rows that the model has not read yet
    direct = np.empty(0)
    for t in range(known, len(tail)):
        part = slice(max(0, t - reach(encoder) - fresh), t)
        clock = {**encoder, "start": _shifted(encoder, first + part.start)}
        rows = inputs(tail[part], clock, None if beside is None else beside[part])[-fresh:]
        scaled = model.predict(rows[None].astype(np.float32))[0, -1]
        ahead = scaled * np.float64(encoder["sd"]) + encoder["mean"]
        direct = direct if len(direct) else ahead
        tail[t] = ahead[column]
        fresh = 1 if network.stateful else fresh
    return tail[known:], direct


def _shifted(encoder: Mapping[str, Any], steps: int) -> str | None:
    """The time of the series' step number `steps`."""
    if encoder["start"] is None or encoder["step_seconds"] is None:
        return None
    return str(np.datetime64(encoder["start"], "s") + np.timedelta64(encoder["step_seconds"] * steps, "s"))


def forecast(served: Any, item: Any, steps: int) -> dict[str, Any]:
    """The next `steps` values after item["values"], whose first stands at item["start"]; an empty item: after the
    latest values that the model knows; with `lower` and `upper` ends of their interval of `level`.

    At the model's horizons stand the forecasts that were evaluated, made from the past alone. Between them, and after
    the last, the one-step forecast is fed back, moved to meet them: by as much as it misses them there, linearly
    between two, as at the last behind it. Without a one-step horizon the line goes straight from one to the next.

    Extras: item["extras"] has {name: [numbers]} from the first value on, and may go on into the future. Each is held at
    its last number from where it ends; without any, at the last one that the model knows. The answer says what is held.
    """
    encoder, network = served.encoder, served.network
    past, first = _past(encoder, item)
    extras, held = _beside(encoder, item, len(past), len(past) + steps)
    model = served.compiled(1 if network.stateful else None)
    values, half = _ahead(model, network, encoder, past, first, steps, extras), widths(encoder, steps)
    answer = {
        **{name: row.tolist() for name, row in zip(ENDS, (values, values - half, values + half), strict=True)},
        "level": encoder["interval"]["level"],
        "unit": encoder["unit"],
        "start": _shifted(encoder, first + len(past)),
        **({} if extras is None else {"held": held}),
    }
    read, longest = past[-reach(encoder) - 1 :], max(encoder["horizons"])
    return warned(
        answer,
        {
            NO_VALUES: not item,
            "the values are all the same; the model learnt from a series that changes": bool(np.ptp(read) == 0),
            "some values are far from all that the model learnt from": bool(
                np.max(np.abs(read - encoder["mean"])) > FAR * encoder["sd"]
            ),
            f"after step {longest}, the model's last, its forecast is repeated": (
                1 not in encoder["horizons"] and steps > longest
            ),
        },
    )


def _ahead(
    model: Compiled,
    network: ForecastingNetwork,
    encoder: Mapping[str, Any],
    past: NDArray[np.float64],
    first: int,
    steps: int,
    extras: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """float64 [steps]; see forecast. What stands at a step does not depend on how many are asked for."""
    horizons = encoder["horizons"]
    length = min((h for h in horizons if h >= steps), default=steps)
    rolled = length if 1 in horizons else 1
    if extras is not None:
        extras = extras[np.minimum(np.arange(len(past) + rolled), len(extras) - 1)]
    values, direct = roll_out(model, network, encoder, past, first, rolled, extras)
    if 1 not in horizons:
        values = np.full(length, past[-1])
    missed = sorted((h, ahead - values[h - 1]) for h, ahead in zip(horizons, direct, strict=True) if h <= length)
    at, by = np.array([(0, 0.0), *missed]).T
    return np.asarray(values[:steps] + np.interp(np.arange(1, steps + 1), at, by))


def _beside(
    encoder: Mapping[str, Any], item: Any, past: int, length: int
) -> tuple[NDArray[np.float64] | None, dict[str, float]]:
    """(float64 [length, extras] beside the past and the steps to come; by name, what was held at its last value)."""
    if not encoder.get("extras"):
        return None, {}
    latest = np.array(encoder["latest"]["extras"])
    given = _given_extras(encoder, item.get("extras") or {}, past, length) if item else {}
    columns, held = [], {}
    for i, extra in enumerate(encoder["extras"]):
        column = given.get(extra["name"], latest[-1:, i] if item else latest[:, i])[:length]
        if len(column) < length:
            held[extra["name"]] = float(column[-1])
        columns.append(np.concatenate([column, np.full(length - len(column), column[-1])]))
    return np.column_stack(columns), held


def _given_extras(encoder: Mapping[str, Any], given: Any, past: int, length: int) -> dict[str, NDArray[np.float64]]:
    known = [extra["name"] for extra in encoder["extras"]]
    if not isinstance(given, Mapping) or not set(given) <= set(known):
        raise DataError(f"extras: found {str(given)[:60]!r}; expected {{name: [numbers]}} of {', '.join(known)}")
    columns = {}
    for name, numbers in given.items():
        try:
            column = np.array(numbers, np.float64)
        except (TypeError, ValueError):
            column = np.array(np.nan)
        if column.ndim != 1 or not past <= len(column) <= length or not (np.abs(column) < TOO_LARGE).all():
            raise DataError(
                f"extras: {name!r} needs {past} numbers in a row, one beside each value, and at most {length - past} "
                f"for the steps to come, all finite and below {TOO_LARGE:g}"
            )
        columns[name] = column
    return columns


def _past(encoder: Mapping[str, Any], item: Any) -> tuple[NDArray[np.float64], int]:
    latest = encoder["latest"]
    if not item:
        return np.array(latest["values"]), latest["first"]
    try:
        values = np.array(item["values"], np.float64)
    except (TypeError, KeyError, ValueError):
        raise DataError('a forecast needs {"values": [numbers], "start": "2026-01-01T00:00"}, or {} to go on') from None
    if values.ndim != 1 or len(values) <= reach(encoder) or not (np.abs(values) < TOO_LARGE).all():
        raise DataError(
            f"values: found numbers of shape {list(values.shape)}; more than {reach(encoder)} are needed, in one row, "
            f"all finite and below {TOO_LARGE:g}"
        )
    if encoder["start"] is None or "start" not in item:
        return values, 0
    since = _time(item["start"]).astype(np.int64) - _time(encoder["start"]).astype(np.int64)
    return values, int(since // encoder["step_seconds"])


def _time(text: Any) -> Any:
    try:
        time: Any = np.datetime64(text if isinstance(text, str) else "NaT", "s")
    except ValueError:
        time = np.datetime64("NaT", "s")
    if np.isnat(time):
        raise DataError(f'start: found {text!r}; it must be the time of the first value, e.g. "2026-01-01T00:00"')
    return time
