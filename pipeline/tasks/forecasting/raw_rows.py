"""Test examples as raw input, and which raw example each test loss belongs to."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.encoding.series_features import lookback
from pipeline.evaluation.raw_rows import Ids, RawRows, hashed, spread
from pipeline.tasks.forecasting.prepare import carried_steps, targets, window_steps

PAST = 8  # values that make a place in a series unlike others


def row_ids(encoded: Encoded, fold: int) -> Ids:
    origins, truth = targets(encoded, "test")
    used = ~np.isnan(truth).all(axis=1)
    values = encoded.arrays["values"]
    return hashed(
        values[max(0, origin - PAST + 1) : origin + 1].tobytes() + np.nan_to_num(row, nan=-1.0).tobytes()
        for origin, row in zip(origins[used], truth[used], strict=True)
    )


def raw_rows(network: Mapping[str, Any], encoded: Encoded, stored: NDArray[Any], rows: int) -> RawRows:
    """The series up to an origin, as far back as evaluate had read it: with a carried state these are the first origins
    of the streams, for a later one had read more than a served model ever does."""
    encoder, values = encoded.encoder, encoded.arrays["values"]
    origins, _ = targets(encoded, "test")
    if network["stateful"]:
        at, warm = carried_steps(encoded, "test")
        picked, back = at[:rows, warm] - origins[0], warm
    else:
        picked = spread(len(origins), rows)
        back = len(window_steps(encoded, "test", network["time_steps"])) - 1
    inputs = [_item(encoded, values, int(origins[i]) - back - lookback(encoder), int(origins[i]) + 1) for i in picked]
    horizons = np.array(encoder["horizons"])
    return RawRows(
        inputs,
        list(stored[picked]),
        lambda answer, _: np.array(answer["values"])[horizons - 1],
        {"steps": int(horizons.max())},
        encoder["sd"],
    )


def _item(encoded: Encoded, values: NDArray[np.float64], start: int, end: int) -> dict[str, Any]:
    encoder = encoded.encoder
    item: dict[str, Any] = {"values": values[start:end].tolist()}
    if encoder["start"] is not None:
        first = np.datetime64(encoder["start"], "s") + np.timedelta64(encoder["step_seconds"] * start, "s")
        item["start"] = str(first)
    if "covariates" in encoded.arrays:
        columns = encoded.arrays["covariates"][start:end].T.tolist()
        item["covariates"] = {
            extra["name"]: column for extra, column in zip(encoder["covariates"], columns, strict=True)
        }
    return item
