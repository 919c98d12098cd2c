"""Times of the steps of a series: seconds or months apart, and back from a time to its step."""

from typing import Any

import numpy as np
import pytest

from pipeline.encoding.series_features import calendar_features
from pipeline.encoding.series_times import has_clock, step_at, time_of_step, times_of

HOURS = {"start": "2026-01-01T00:00:00", "step_seconds": 3600}
MONTHS = {"start": "2023-11-01T00:00:00", "step_seconds": None, "step_months": 1}
QUARTERS = {"start": "2024-01-01T00:00:00", "step_seconds": None, "step_months": 3}


@pytest.mark.parametrize(
    ("encoder", "step", "time"),
    [
        (HOURS, 25, "2026-01-02T01:00:00"),
        (HOURS, -1, "2025-12-31T23:00:00"),
        (MONTHS, 4, "2024-03-01T00:00:00"),
        (MONTHS, -11, "2022-12-01T00:00:00"),
        (QUARTERS, 5, "2025-04-01T00:00:00"),
    ],
)
def test_a_step_and_its_time(encoder: dict[str, Any], step: int, time: str) -> None:
    assert time_of_step(encoder, step) == time
    assert step_at(encoder, np.datetime64(time)) == step
    assert times_of(encoder, np.array([step, 0])).astype(str).tolist() == [time, encoder["start"]]


def test_a_time_between_two_steps_belongs_to_the_first() -> None:
    assert step_at(HOURS, np.datetime64("2026-01-01T02:59")) == 2
    assert step_at(QUARTERS, np.datetime64("2024-06-30T23:59")) == 1
    assert step_at(QUARTERS, np.datetime64("2023-12-31")) == -1


def test_a_series_without_a_clock() -> None:
    encoder = {"start": None, "step_seconds": None}
    assert not has_clock(encoder) and time_of_step(encoder, 3) is None


def test_the_calendar_of_months_is_the_time_of_year_of_the_next() -> None:
    found = calendar_features(12, {**MONTHS, "horizons": [1, 12]})
    days = np.array([334, 0, 31, 31 + 29])  # December 2023, January to March 2024
    angle = 2 * np.pi * days / 365.25
    np.testing.assert_allclose(found[:4], np.column_stack([np.sin(angle), np.cos(angle)]), atol=1e-12)
    assert found.shape == (12, 2)
