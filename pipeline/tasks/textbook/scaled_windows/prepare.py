"""Scaled windows: the chapters' way to forecast a series, with the flaws of their protocols, counted and named.

A row is a window of inputs and one target; a network is trained on the rows of the first part and tested on those of
the last one, which is its validation part too. What is wrong with each is said in summary["flaws"]; the tasks
forecasting and returns are the ones that hold.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config.schema.datasets import ScaledWindowsData
from pipeline.encoding.price_features import price_features
from pipeline.encoding.records import Encoded, Series
from pipeline.errors import DataError

PRICES = ("open", "high", "low", "close")
Floats = NDArray[np.float64]


def encode(record: Series, row: ScaledWindowsData, seed: int) -> Encoded:
    """Arrays: inputs float32 [time, features], scaled; values float64 [time], in the unit of the series.

    Row i reads inputs[i : i + window], and its target is values[i + window - 1 + target_offset]; rows from
    encoder["filled"] on hold zeros. encoder["rows"]: the first row of train and test, and the one after their last.
    """
    del seed  # the split is by time
    known, values, cut = _series(record, row)
    # Features of the target's own day would give the price away: they are those of the day before.
    inputs = known if row.target_offset else np.concatenate([known[:1], known[:-1]])
    n, window = len(values), row.window
    late = window + row.target_offset - 1
    rows = [[0, cut], [cut, n]] if row.preallocated else [[0, cut - window], [cut, n - window]]
    if min(end - start for start, end in rows) <= late or cut <= late:
        raise DataError(
            f"{row.source}: {n} steps, {n - cut} of them the test part, are too few for windows of {window}"
        )
    shift, spread = _scaling(inputs, cut, row.scale)
    encoder: dict[str, Any] = {
        "inputs": row.inputs,
        "window": window,
        "target_offset": row.target_offset,
        "season": row.season,
        "rows": rows,
        "filled": n - late if row.preallocated else n,
        "shift": shift.tolist(),
        "spread": spread.tolist(),
        # A target of the windows' own kind is scaled like them, one that is not stays as it is.
        "target": [float(shift[0]), float(spread[0])] if row.scale == "minmax" else [0.0, 1.0],
        "range": float(np.ptp(values)),
        "unit": record.unit,
        "latest": ((known[-window:] - shift) / spread).tolist(),
    }
    arrays: dict[str, NDArray[Any]] = {"inputs": ((inputs - shift) / spread).astype(np.float32), "values": values}
    encoded = Encoded(arrays, encoder, {}, {})
    train, test = (end - start for start, end in rows)
    summary = {"flaws": _flaws(encoded, record, row, cut), "findings": dict(record.findings)}
    return Encoded(arrays, encoder, {"train": train, "validation": test, "test": test}, summary)


def _series(record: Series, row: ScaledWindowsData) -> tuple[Floats, Floats, int]:
    """(known float64 [time, features] at the end of each step, values float64 [time], first step of the test part)."""
    if row.inputs == "value":
        return record.values[:, None], record.values, int(len(record.values) * (1 - row.test))
    missing = [name for name in (*PRICES, "volume") if name not in record.covariates]
    if missing or record.dates is None:
        raise DataError(
            f"{row.source}: has no dates or no {', '.join(missing)}; inputs: {row.inputs} needs daily prices"
        )
    dates, columns = record.dates, record.covariates
    if row.days is None:
        inside = np.ones(len(dates), np.bool_)
        first_test = dates[int(len(dates) * (1 - row.test))]
    else:
        first, first_test, last = (np.datetime64(day, "D") for day in row.days)
        inside = (dates >= first) & (dates <= last)
    columns, dates = {name: column[inside] for name, column in columns.items()}, dates[inside]
    if row.inputs == "mean_price":
        mean = np.mean([columns[name] for name in PRICES], axis=0)
        return mean[:, None], mean, int(np.sum(dates < first_test))
    known = price_features(columns)
    whole = ~np.isnan(known).any(axis=1)
    return known[whole], columns["close"][whole], int(np.sum(dates[whole] < first_test))


def _scaling(inputs: Floats, cut: int, scale: str) -> tuple[Floats, Floats]:
    """(shift, spread) float64 [features]: to 0–1 by all values, as the chapters do it, or standard scores of train."""
    if scale == "minmax":
        return inputs.min(axis=0), np.maximum(np.ptp(inputs, axis=0), np.finfo(np.float64).tiny)
    sd = inputs[:cut].std(axis=0)
    return inputs[:cut].mean(axis=0), np.where(sd > 0, sd, 1.0)


def _flaws(encoded: Encoded, record: Series, row: ScaledWindowsData, cut: int) -> list[str]:
    """What is wrong with the protocol, in sentences with what was counted here."""
    values, encoder = encoded.arrays["values"], encoded.encoder
    n, (start, end) = len(values), encoder["rows"][1]
    flaws = [f"The validation part is the test part: the same {end - start:,} rows."]
    if row.scale == "minmax":
        new = int(np.sum((values[cut:] > values[:cut].max()) | (values[cut:] < values[:cut].min())))
        flaws.append(
            f"The scaling saw all {n:,} values: {new:,} of the test part lie outside those of the training part."
        )
    if row.target_offset > 1:
        flaws.append(f"The target stands {row.target_offset} steps after the end of its window, and not 1 step.")
    if encoder["filled"] < end:
        flaws.append(f"The last {end - encoder['filled']} rows of the test part hold zeros, inputs and target alike.")
    if not record.valid.all():
        flaws.append(f"{int(np.sum(~record.valid))} values that are known to be wrong are not masked.")
    if row.season:
        flaws.append(
            f"A stateful network goes on a batch of {row.season} rows later with the state it has: of the {row.season}"
            f" steps between it has read {row.window}, and jumps over {row.season - row.window}. Nor is the state reset"
            " before an evaluation."
        )
    if row.inputs != "value":
        flaws.append("The price itself is the target: whoever says that it stays comes close to all of its variance.")
    truth = targets(encoded, "test")
    rmse = float(np.sqrt(np.mean((last_values(encoded, "test") - truth) ** 2)))
    flaws.append(
        f"No baseline: that the last value stays has an RMSE of {rmse:.3g} {record.unit} on the same rows, and"
        f" an R² of {1.0 - rmse**2 / float(np.var(truth)):.4f}."
    )
    return flaws


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """The encoder; it holds the latest window, from which a forecast starts when none is given."""
    return dict(encoded.encoder)


def bounds(encoded: Encoded, split: str) -> tuple[int, int]:
    """First row of the split, and the one after its last; validation is the test part."""
    start, end = encoded.encoder["rows"][0 if split == "train" else 1]
    return start, end


def windows(encoded: Encoded, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """float32 [rows, window, features]; made for these rows only, since all of them would be `window` copies of the
    series."""
    at = rows[:, None] + np.arange(encoded.encoder["window"])
    found: NDArray[np.float32] = encoded.arrays["inputs"][np.minimum(at, len(encoded.arrays["inputs"]) - 1)]
    found[rows >= encoded.encoder["filled"]] = 0.0
    return found


def targets(encoded: Encoded, split: str) -> Floats:
    """float64 [rows of the split], in the unit; what the scaled zero stands for in rows that were never filled."""
    return values_before(encoded, split, 0)


def last_values(encoded: Encoded, split: str) -> Floats:
    """float64 [rows of the split]: the newest value that a row could know."""
    return values_before(encoded, split, max(encoded.encoder["target_offset"], 1))


def values_before(encoded: Encoded, split: str, before: int) -> Floats:
    """float64 [rows of the split]: the value that many steps before each target."""
    encoder, values = encoded.encoder, encoded.arrays["values"]
    rows = np.arange(*bounds(encoded, split))
    at = rows + encoder["window"] - 1 + encoder["target_offset"] - before
    found = np.where(rows < encoder["filled"], values[np.minimum(at, len(values) - 1)], encoder["target"][0])
    return np.asarray(found, np.float64)
