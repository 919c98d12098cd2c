"""The rows of the forecasters of returns: synthetic data that is long enough for them."""

from pathlib import Path

import pytest

from tests.shipped import fewest_synthetic_examples, needs_rows


@pytest.mark.parametrize("name", [pytest.param(name, marks=needs_rows(name)) for name in ("djia", "msft")])
def test_the_synthetic_data_is_long_enough(name: str, tmp_path: Path) -> None:
    assert fewest_synthetic_examples(name, tmp_path) > 20
