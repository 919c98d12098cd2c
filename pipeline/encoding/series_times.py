"""Compute the times of the steps of a series, which are seconds or months apart.

`encoder` has `start`, the ISO time of step 0, and `step_seconds` or `step_months`; a series without a clock has none.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


def has_clock(encoder: Mapping[str, Any]) -> bool:
    """Tell whether the steps of a series have times."""
    return encoder["start"] is not None


def times_of(encoder: Mapping[str, Any], steps: NDArray[np.integer[Any]]) -> NDArray[np.datetime64]:
    """Return the time of each step of a series with a clock, datetime64[s] in the shape of `steps`."""
    start = np.datetime64(encoder["start"], "s")
    if months := encoder.get("step_months"):
        return np.asarray((start.astype("datetime64[M]") + months * steps).astype("datetime64[s]"))
    return np.asarray(start + np.timedelta64(encoder["step_seconds"], "s") * steps)


def time_of_step(encoder: Mapping[str, Any], step: int) -> str | None:
    """Return the ISO time of a step, None for a series without a clock."""
    return str(times_of(encoder, np.array(step))) if has_clock(encoder) else None


def step_at(encoder: Mapping[str, Any], time: np.datetime64) -> int:
    """Return the last step of a series with a clock that is not after `time`; negative before step 0."""
    start = np.datetime64(encoder["start"], "s")
    if months := encoder.get("step_months"):
        apart = (time.astype("datetime64[M]") - start.astype("datetime64[M]")).astype(np.int64)
        return int(apart // months)
    return int((time.astype("datetime64[s]") - start).astype(np.int64) // encoder["step_seconds"])
