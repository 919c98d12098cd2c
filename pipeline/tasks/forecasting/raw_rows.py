"""Test origins of forecasting as raw input, and an id of each test origin."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.encoding.series_features import lookback
from pipeline.encoding.series_times import has_clock, time_of_step
from pipeline.evaluation.raw_rows import Ids, RawRows, hashed, spread
from pipeline.tasks.forecasting.prepare import carried_steps, targets, window_steps

PAST = 8  # values up to an origin that tell it from other origins


def row_ids(encoded: Encoded, fold: int) -> Ids:
    """Return uint64 [test origins with a target]: a hash of the PAST values up to each origin and its targets."""
    origins, truth = targets(encoded, "test")
    used = ~np.isnan(truth).all(axis=1)
    values = encoded.arrays["values"]
    return hashed(
        values[max(0, origin - PAST + 1) : origin + 1].tobytes() + np.nan_to_num(row, nan=-1.0).tobytes()
        for origin, row in zip(origins[used], truth[used], strict=True)
    )


def raw_rows(network: Mapping[str, Any], encoded: Encoded, stored: NDArray[Any], rows: int) -> RawRows:
    """Return the series up to each of at most `rows` origins, as far back as evaluate read it.

    For a carried state these are the first origins of the streams: at later ones evaluate had read more than a served
    model reads. stored: float [targets, horizons], the predictions.
    """
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
    if has_clock(encoder):
        item["start"] = time_of_step(encoder, start)
    if "covariates" in encoded.arrays:
        columns = encoded.arrays["covariates"][start:end].T.tolist()
        item["covariates"] = {
            extra["name"]: column for extra, column in zip(encoder["covariates"], columns, strict=True)
        }
    return item
