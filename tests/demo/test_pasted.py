"""Pasted numbers: what is read, and the sentence for what is not."""

import pytest

from pipeline.demo import pasted
from pipeline.demo.pasted import series
from pipeline.errors import DataError


@pytest.mark.parametrize(
    "text", ["1.5 -2 3e2", "1.5\n-2\n\n300", "1.5, -2, 300", "1.5,-2,300", "1,5; -2; 300", "1.5\t-2\r\n300,"]
)
def test_one_column(text: str) -> None:
    assert series(text, ["values"]) == {"values": [1.5, -2.0, 300.0]}


def test_several_columns() -> None:
    assert series("1 2\n\n3, 4\n", ["values", "high"]) == {"values": [1.0, 3.0], "high": [2.0, 4.0]}


@pytest.mark.parametrize(
    ("text", "names", "message"),
    [
        ("", ["values"], "no numbers; paste numbers separated by"),
        (" ,\n", ["values"], "no numbers"),
        ("1\n2 apples", ["values"], "line 2: 'apples' is not a number; write numbers such as 12.5"),
        ("1 nan", ["values"], "line 1: 'nan' is not a number"),
        ("1e999", ["values"], "line 1: '1e999' is not a number"),
        ("1_000", ["values"], "line 1: '1_000' is not a number"),
        ("1 2\n\n3", ["values", "high"], "line 3: found 1 of 2 numbers; a line needs values, high"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(text: str, names: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        series(text, names)


def test_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pasted, "MAX_NUMBERS", 3)
    assert series("1 2 3", ["values"])
    with pytest.raises(DataError, match="4 numbers; at most 3 are read"):
        series("1 2 3 4", ["values"])
