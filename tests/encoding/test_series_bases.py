"""What forecasts are changes from, by hand: the choice on validation, scales of the training part, there and back."""

import numpy as np
import pytest

from pipeline.encoding.series_bases import fit_bases, levels, root_mean_square, scaled_changes

ENCODER = {"horizons": [1, 5], "seasonal_periods": [3], "mean": 2.0, "sd": 4.0, "cuts": [7, 9]}
VALUES = np.array([1.0, 5, 9, 2, 6, 13, 0, 0, 0, 0])
ORIGINS = np.array([6, 7])


@pytest.mark.parametrize(
    ("truth", "names"),
    [
        ([[2.0, 2], [2, 2]], ["mean", "mean"]),
        ([[0.0, 0], [0, 0]], ["last", "last"]),
        # from 6 and 7: one step ahead, a season before is 6 - 2 and 7 - 2; five ahead, two seasons before 6 - 1, 7 - 1
        ([[6.0, 13], [13, 0]], ["season 3", "season 3"]),
        ([[0.0, np.nan], [np.nan, 0]], ["last", "last"]),
    ],
)
def test_the_base_is_the_one_with_the_smallest_error_on_validation(truth: list[list[float]], names: list[str]) -> None:
    rows = fit_bases(ENCODER, "auto", VALUES, ORIGINS, np.array(truth))
    assert [row["name"] for row in rows] == names


@pytest.mark.parametrize(("setting", "back"), [("mean", [None, None]), ("last", [0, 0]), ("season", [2, 1])])
def test_a_base_that_is_set_is_taken(setting: str, back: list[int | None]) -> None:
    rows = fit_bases(ENCODER, setting, VALUES, ORIGINS, np.zeros((2, 2)))
    assert [row["back"] for row in rows] == back


def test_scales_are_those_of_changes_in_the_training_part() -> None:
    last = fit_bases(ENCODER, "last", VALUES, ORIGINS, np.zeros((2, 2)))
    # 1 5 9 2 6 13 0 changes by 4 4 -7 4 7 -13 in a step, and by 12 and -5 in five
    assert last[0]["sd"] == pytest.approx(np.sqrt((16 + 16 + 49 + 16 + 49 + 169) / 6))
    assert last[1]["sd"] == pytest.approx(13 / np.sqrt(2))
    season = fit_bases(ENCODER, "season", VALUES, ORIGINS, np.zeros((2, 2)))
    assert season[0]["sd"] == pytest.approx(np.sqrt((1 + 1 + 16 + 4) / 4)), "2 - 1, 6 - 5, 13 - 9, 0 - 2"
    assert [row["mean"] for row in (*last, *season)] == [0.0] * 4, "no output is no change"
    assert root_mean_square(np.array([np.nan, 0.0])) == 1.0


def test_levels_are_scaled_and_come_back() -> None:
    bases = [{"back": 0, "mean": 0.0, "sd": 2.0}, {"back": None, "mean": 2.0, "sd": 4.0}]
    origins = np.array([2, 4])
    truth = np.array([[11.0, 6.0], [2.0, -2.0]])
    scaled = scaled_changes(truth, VALUES, origins, ENCODER | {"bases": bases})
    assert scaled.tolist() == [[1.0, 1.0], [-2.0, -1.0]]
    assert levels(scaled, VALUES, origins, ENCODER | {"bases": bases}).tolist() == truth.tolist()
    assert scaled_changes(truth, VALUES, origins, ENCODER).tolist() == [[2.25, 1.0], [0.0, -1.0]], "levels"
