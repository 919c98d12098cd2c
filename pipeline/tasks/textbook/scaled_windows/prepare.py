"""Prepare a series for scaled_windows, by the textbook's protocols: rows of a window of inputs and one target.

A network is trained on the rows of the first part and tested on those of the last part, which is also its validation
part. The flaws of each protocol are kept and counted in summary["flaws"]. The tasks forecasting and returns are the
held-out counterparts.
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
    """Return the arrays inputs float32 [time, features], scaled, and values float64 [time], in the unit of the series.

    Row i reads inputs[i : i + window], and its target is values[i + window - 1 + target_offset]. Rows from
    encoder["filled"] on hold zeros. encoder["rows"]: the first row of train and of test, and the one after their last.
    """
    del seed  # the split is by time
    known, values, cut = _series(record, row)
    # Features of the target's own day would reveal the price, so those of the day before are used.
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
        # A target of the same kind as the inputs is scaled like them; another one is not scaled.
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
    """Return the inputs known at the end of each step, float64 [time, features], values float64 [time], and the first
    step of the test part."""
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
    """Return shift and spread, float64 [features]: to 0–1 over all values, as in the textbook, or z-scores of train."""
    if scale == "minmax":
        return inputs.min(axis=0), np.maximum(np.ptp(inputs, axis=0), np.finfo(np.float64).tiny)
    sd = inputs[:cut].std(axis=0)
    return inputs[:cut].mean(axis=0), np.where(sd > 0, sd, 1.0)


def _flaws(encoded: Encoded, record: Series, row: ScaledWindowsData, cut: int) -> list[str]:
    """List the flaws of the protocol, with counts on this series."""
    values, encoder = encoded.arrays["values"], encoded.encoder
    n, (start, end) = len(values), encoder["rows"][1]
    flaws = [f"The validation part is the test part: the same {end - start:,} rows."]
    if row.scale == "minmax":
        new = int(np.sum((values[cut:] > values[:cut].max()) | (values[cut:] < values[:cut].min())))
        flaws.append(
            f"The scaling used all {n:,} values: {new:,} of the test part are outside the range of the training part."
        )
    if row.target_offset > 1:
        flaws.append(f"The target is {row.target_offset} steps after the end of its window, not 1 step.")
    if encoder["filled"] < end:
        flaws.append(f"The last {end - encoder['filled']} rows of the test part hold zeros, both inputs and target.")
    if not record.valid.all():
        flaws.append(f"{int(np.sum(~record.valid))} values that are known to be wrong are not masked.")
    if row.season:
        flaws.append(
            f"A stateful network keeps its state for a window that begins {row.season} steps later: it has read"
            f" {row.window} of these steps and skipped {row.season - row.window}. The state is not reset before an"
            " evaluation either."
        )
    if row.inputs != "value":
        flaws.append("The price itself is the target: a forecast of no change explains nearly all of its variance.")
    truth = targets(encoded, "test")
    rmse = float(np.sqrt(np.mean((last_values(encoded, "test") - truth) ** 2)))
    flaws.append(
        f"There is no baseline: the forecast that the last value stays has an RMSE of {rmse:.3g} {record.unit} on the"
        f" same rows, and an R² of {1.0 - rmse**2 / float(np.var(truth)):.4f}."
    )
    return flaws


def fitted(encoded: Encoded, fitted_on: tuple[str, ...], fold: int = 0) -> dict[str, Any]:
    """Return the encoder as it is, with the latest window, which a forecast without input continues."""
    return dict(encoded.encoder)


def bounds(encoded: Encoded, split: str) -> tuple[int, int]:
    """Return the first row of the split, and the one after its last; validation is the test part."""
    start, end = encoded.encoder["rows"][0 if split == "train" else 1]
    return start, end


def windows(encoded: Encoded, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return float32 [rows, window, features]: the inputs of the given rows.

    The windows of all rows at once would be `window` copies of the series.
    """
    at = rows[:, None] + np.arange(encoded.encoder["window"])
    inputs: NDArray[np.float32] = encoded.arrays["inputs"][np.minimum(at, len(encoded.arrays["inputs"]) - 1)]
    inputs[rows >= encoded.encoder["filled"]] = 0.0
    return inputs


def targets(encoded: Encoded, split: str) -> Floats:
    """Return float64 [rows of the split], in the unit; in rows that were never filled, the value of a scaled zero."""
    return values_before(encoded, split, 0)


def last_values(encoded: Encoded, split: str) -> Floats:
    """Return float64 [rows of the split]: the latest value that each row could know."""
    return values_before(encoded, split, max(encoded.encoder["target_offset"], 1))


def values_before(encoded: Encoded, split: str, before: int) -> Floats:
    """Return float64 [rows of the split]: the value `before` steps before each target."""
    encoder, values = encoded.encoder, encoded.arrays["values"]
    rows = np.arange(*bounds(encoded, split))
    at = rows + encoder["window"] - 1 + encoder["target_offset"] - before
    chosen = np.where(rows < encoder["filled"], values[np.minimum(at, len(values) - 1)], encoder["target"][0])
    return np.asarray(chosen, np.float64)
