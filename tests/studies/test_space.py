"""The settings of a trial: as params.yaml has them, and inside the space."""

import pytest

from pipeline.config.schema.tunings import Dimension
from pipeline.studies import space

SPACE = {
    "units": Dimension("int", 1, 3),
    "dropout": Dimension("float", 0.12344, 0.6),
    "cell": Dimension("choice", choices=("lstm", None)),
}


@pytest.mark.parametrize(
    ("drawn", "kept"), [(0.23456789, 0.2346), (0.12344, 0.12344), (0.12346, 0.1235), (0.59999, 0.6)]
)
def test_a_float_has_the_digits_that_can_be_read_and_stays_in_its_range(drawn: float, kept: float) -> None:
    assert space.written({"units": 2, "dropout": drawn, "cell": None}, SPACE)["dropout"] == kept


@pytest.mark.parametrize(
    ("row", "inside"),
    [
        ({"units": 2, "dropout": 0.5, "cell": None}, True),
        ({"units": 4, "dropout": 0.5, "cell": None}, False),
        ({"units": 2, "dropout": 0.7, "cell": "lstm"}, False),
        ({"units": 2, "dropout": 0.5, "cell": "gru"}, False),
    ],
)
def test_own_settings_are_inside_if_each_of_them_is(row: dict[str, object], inside: bool) -> None:
    assert space.own({**row, "layers": 1}, SPACE) == (row, inside)


def test_all_combinations_of_a_finite_space_come_in_the_order_of_the_seed() -> None:
    finite = {"units": Dimension("int", 1, 3), "cell": Dimension("choice", choices=("lstm", "gru"))}
    every = [{"units": units, "cell": cell} for units in (1, 2, 3) for cell in ("lstm", "gru")]
    first, again, other = (list(space.all_of(finite, seed)) for seed in (0, 0, 1))
    assert first == again != other
    assert sorted(map(str, first)) == sorted(map(str, other)) == sorted(map(str, every))
