"""What forecasts are changes from: at each horizon the mean of the training part, the last value, or that of a season.

A network that predicts changes need not learn to repeat the last value, which it cannot do exactly. encoder["bases"]
has a row for each horizon: `back`, the steps from the origin back to the base, or null for the mean; `mean` and `sd`,
by which the rest is scaled. An encoder without it forecasts levels: changes from the mean at all horizons.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Row = dict[str, Any]


def fit_bases(encoder: Mapping[str, Any], setting: str, values: Floats, origins: Indices, truth: Floats) -> list[Row]:
    """Return the row of each horizon. values: float64 [time].

    setting: mean, last, season (the first seasonal period), or auto: at each horizon the one with the smallest mean
    absolute error on the validation part, of which `origins` int64 [n] and `truth` float64 [n, horizons] are; see
    targets(). Scales are those of the training part.
    """
    rows = []
    for j, horizon in enumerate(encoder["horizons"]):
        known = {"mean": None, "last": 0}
        known |= {f"season {s}": s * -(-horizon // s) - horizon for s in encoder["seasonal_periods"]}
        if setting == "auto":
            errors = {name: _error(encoder, back, values, origins, truth[:, j]) for name, back in known.items()}
            name = min(errors, key=lambda key: errors[key])
        else:
            name = setting if setting in known else f"season {encoder['seasonal_periods'][0]}"
        rows.append({"name": name, "back": known[name], **_scale(encoder, known[name], values, horizon)})
    return rows


def _error(encoder: Mapping[str, Any], back: int | None, values: Floats, origins: Indices, truth: Floats) -> float:
    base = encoder["mean"] if back is None else values[origins - back]
    return float(np.nanmean(np.abs(truth - base)))


def _scale(encoder: Mapping[str, Any], back: int | None, values: Floats, horizon: int) -> dict[str, float]:
    """Return the mean and sd of levels; of changes no mean, so that an output of zero is the base itself."""
    if back is None:
        return {"mean": encoder["mean"], "sd": encoder["sd"]}
    train = values[: encoder["cuts"][0]]
    change = train[back + horizon :] - train[: len(train) - back - horizon]
    return {"mean": 0.0, "sd": root_mean_square(change)}


def root_mean_square(x: Floats) -> float:
    """Return the root of the mean square of what is not NaN, 1 if all of it is zero."""
    return float(np.sqrt(np.nanmean(np.square(x)))) or 1.0


def scaled_changes(levels: Floats, values: Floats, origins: Indices, encoder: Mapping[str, Any]) -> Floats:
    """Scale levels float64 [n, horizons], the values after each origin, to what a network puts out."""
    base, mean, sd = _base(values, origins, encoder)
    return np.asarray((levels - base - mean) / sd)


def levels(out: NDArray[np.floating[Any]], values: Floats, origins: Indices, encoder: Mapping[str, Any]) -> Floats:
    """Return float64 [n, horizons] in the unit of the series: what the outputs of a network mean at each origin.

    out: [n, horizons]; values: float64 [time]; origins: int64 [n].
    """
    base, mean, sd = _base(values, origins, encoder)
    return np.asarray(out.astype(np.float64) * sd + mean + base)


def _base(values: Floats, origins: Indices, encoder: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    if "bases" not in encoder:
        return 0.0, encoder["mean"], encoder["sd"]
    rows = encoder["bases"]
    mean, sd = (np.array([row[key] for row in rows]) for key in ("mean", "sd"))
    columns = [np.zeros(len(origins)) if row["back"] is None else values[origins - row["back"]] for row in rows]
    return np.column_stack(columns), mean, sd
