"""Numbers as people write them are read back to the value that was written, or refused: never another value."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import DataError
from pipeline.sources.own_numbers import Column, Numbers, read_numbers


def numbers(*cells: str, decimal: str | None = None, delimiter: str = ",") -> Numbers:
    return read_numbers(Column(Path("my.csv"), "kW", cells, range(2, len(cells) + 2), delimiter), decimal)


READ: dict[str, tuple[list[str], list[float], str]] = {
    "thousands with a comma": (["903.8", "1,014.7", "12,345,678"], [903.8, 1014.7, 12345678], ""),
    "thousands with a point": (["903,8", "1.014,7"], [903.8, 1014.7], ""),
    "thousands with spaces": (["1 234,5", "1\u202f234,5", "1\xa0234\u2009567"], [1234.5, 1234.5, 1234567], ""),
    "thousands of Switzerland": (["1'234.50", "12\u2019345"], [1234.5, 12345], ""),
    "lakhs": (["1,23,456.5"], [123456.5], ""),
    "a comma in some cells": (["0", "3,4", "0", "17"], [0, 3.4, 0, 17], ""),
    "three decimals in all cells": (["1.234", "12.345", "-7.500"], [1.234, 12.345, -7.5], ""),
    "three decimals and one that decides": (["1.234", "987", "0.5"], [1.234, 987, 0.5], ""),
    "no group begins with 0": (["0,123", "1,234"], [0.123, 1.234], ""),
    "U+2212 and other minuses": (["−0.1", "–2", "\ufe633", "‐4", "－5"], [-0.1, -2, -3, -4, -5], ""),
    "signs": (["+5", "- 3", "-.5", "5."], [5, -3, -0.5, 5], ""),
    "brackets": (["(3.5)", "4", "(7)"], [-3.5, 4, -7], ""),
    "exponents": (["1e3", "2.5E-3", "1.5e2"], [1000, 0.0025, 150], ""),
    "a comma and an exponent": (["1,234e2", "1,5e0"], [123.4, 1.5], ""),
    "percent": (["12 %", "3.5%", "0%"], [12, 3.5, 0], "%"),
    "a unit": (["12 kW", "1,013.5 kW", "3kW"], [12, 1013.5, 3], "kW"),
    "a unit with a digit": (["12 µg/m3", "3 µg/m3"], [12, 3], "µg/m3"),
    "a currency in front": (["$1,234.50", "-$3", "$ 4"], [1234.5, -3, 4], "$"),
    "a currency behind": (["1.234,50 €", "3 €"], [1234.5, 3], "€"),
    "a currency as letters": (["CHF 1'234.50", "CHF 3"], [1234.5, 3], "CHF"),
    "Arabic-Indic": (["١٢٫٥", "١٬٢٣٤", "٣"], [12.5, 1234, 3], ""),
    "Devanagari and full width": (["१२.५", "５．５"], [12.5, 5.5], ""),
    "marks of no width": (["\u200e12.5", "\ufeff3"], [12.5, 3], ""),
    "no digit": (["", "n/a", "NaN", "-", "—", "#N/A", "#DIV/0!", "3"], [math.nan] * 7 + [3], ""),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_numbers_as_they_are_written(name: str) -> None:
    cells, values, unit = READ[name]
    found = numbers(*cells)
    np.testing.assert_array_equal(found.values, values)
    assert found.unit == unit


def test_what_is_not_written_plainly_is_counted() -> None:
    assert numbers("1234.5", "-1e3", "").rewritten == 0
    assert numbers("1,234.5", "7", "−3").rewritten == 2


REFUSED: dict[str, tuple[list[str], str]] = {
    "hexadecimal": (["0x1A"], r"my\.csv: line 2: column 'kW' has '0x1A', which is no number .* write it as 1234\.5"),
    "underscore": (["3", "1_000"], r"line 3: column 'kW' has '1_000'"),
    "fraction": (["3 ½"], r"has '3 ½'"),
    "half": (["½"], r"has '½'"),
    "superscript": (["10²"], r"has '10²'"),
    "power": (["1.5×10^3"], r"has '1\.5×10\^3'"),
    "power with a letter": (["5x2"], r"has '5x2'"),
    "censored": (["<0.5"], r"has '<0\.5'"),
    "error": (["5±1"], r"has '5±1'"),
    "footnote": (["5*"], r"has '5\*'"),
    "date": (["2026-01-31"], r"has '2026-01-31'"),
    "time": (["12:30"], r"has '12:30'"),
    "two signs": (["--5"], r"has '--5'"),
    "sign behind": (["5-"], r"has '5-'"),
    "open bracket": (["(5"], r"has '\(5'"),
    "not finite": (["1e999"], r"has '1e999'"),
    "wrong groups": (["1,2345,678"], r"has '1,2345,678'"),
    "broken groups": (["1,234.567.8"], r"has '1,234\.567\.8'"),
    "exponent with a space": (["1.5 e3"], r"has '1\.5 e3'"),
    "two numbers": (["1 23"], r"has '1 23'"),
    "a word of numbers": (["三"], r"has '三'"),
    "undecided": (
        ["1,234", "987"],
        r"line 2: .*'1,234', which may be 1,234\.0 or 1\.234, .*write `decimal: '\.'` or `decimal: ','`",
    ),
    "undecided points": (["903", "1.014"], r"line 3: .*'1\.014', which may be 1\.014 or 1,014\.0"),
    "both notations": (["3.4", "3,4"], r"line 3: column 'kW' has '3,4' and line 2 has '3\.4': no decimal"),
    "two units": (["12 kW", "13 MW"], r"line 2: .*'12 kW' and line 3 has '13 MW': write all numbers .* in one unit"),
    "percent now and then": (["12 %", "13"], r"line 2: .*'12 %' and line 3 has '13'"),
    "a factor in some cells": (["1.2k", "900"], r"line 2: .*'1\.2k' and line 3 has '900'"),
    "brackets and minus": (["(3)", "-4"], r"line 2: .*'\(3\)' and line 3 has '-4': brackets mean a minus only where"),
}  # fmt: skip


@pytest.mark.fault("unread-numbers")
@pytest.mark.parametrize("name", REFUSED)
def test_a_cell_with_digits_that_cannot_be_read_is_named(name: str) -> None:
    cells, message = REFUSED[name]
    with pytest.raises(DataError, match=message):
        numbers(*cells)


def test_the_advice_on_the_decimal_separator_works() -> None:
    with pytest.raises(DataError) as error:
        numbers("1,234", "987")
    options = re.findall(r"`decimal: '(.)'`", str(error.value))
    assert [numbers("1,234", "987", decimal=option).values.tolist() for option in options] == [
        [1234, 987],
        [1.234, 987],
    ]
    with pytest.raises(DataError, match=r"'0,5', which does not fit `decimal: '\.'`; write `decimal: ','`"):
        numbers("3", "0,5", decimal=".")
    assert numbers("3", "0,5", decimal=",").values.tolist() == [3, 0.5]
    with pytest.raises(DataError, match=r"'0,5', which does not fit `decimal: '\.'`; write it as 1234\.5"):
        numbers("3.1", "0,5", decimal=".")


def grouped(digits: str, separator: str) -> str:
    return re.sub(r"(?<=\d)(?=(?:\d{3})+$)", separator, digits)


STYLES = {
    "plain": (".", "", "{}"),
    "comma": (",", "", "{}"),
    "US": (".", ",", "{}"),
    "German": (",", ".", "{}"),
    "French": (",", "\u202f", "{}"),
    "Swiss": (".", "\u2019", "{}"),
    "Arabic": ("٫", "٬", "{}"),
    "minus": (".", "", "−{}"),
    "percent": (".", ",", "{} %"),
    "euro": (",", ".", "{} €"),
    "dollar": (".", ",", "${}"),
    "brackets": (".", ",", "({})"),
}


@given(
    st.sampled_from(sorted(STYLES)),
    st.lists(st.tuples(st.integers(0, 10**8), st.integers(0, 4)), min_size=1, max_size=8),
)
def test_every_number_is_read_back_or_refused(style: str, drawn: list[tuple[int, int]]) -> None:
    """`drawn`: digits, and how many of them are decimals."""
    point, separator, shape = STYLES[style]
    cells, values = [], []
    for digits, decimals in drawn:
        text = str(digits).zfill(decimals + 1)
        whole, rest = (text[:-decimals], text[-decimals:]) if decimals else (text, "")
        cells.append(shape.format(grouped(whole, separator) + (point + rest if rest else "")))
        values.append(digits / 10**decimals * (-1 if shape[0] in "(−" else 1))
    delimiter = ";" if point == "," else ","
    try:
        found = numbers(*cells, delimiter=delimiter).values
    except DataError:
        assert any(re.search(r"[1-9]\d{0,2}[.,]\d{3}(?!\d)", cell) for cell in cells), "refused, but not as undecided"
        found = numbers(*cells, decimal="," if point == "," else ".").values
    np.testing.assert_allclose(found, values, rtol=1e-15)


def test_a_semicolon_between_the_columns_makes_a_decimal_comma_likely() -> None:
    assert numbers("1.234", "2.567").values.tolist() == [1.234, 2.567]
    with pytest.raises(DataError, match=r"'1\.234', which may be 1\.234 or 1,234\.0"):
        numbers("1.234", "2.567", delimiter=";")


@given(st.lists(st.text("0123456789.,' -+()eE%kW$€_x/:²½", min_size=1, max_size=8), min_size=1, max_size=3))
def test_no_cell_with_a_digit_ever_counts_as_missing(cells: list[str]) -> None:
    try:
        found = numbers(*cells)
    except DataError:
        return
    for cell, value in zip(cells, found.values, strict=True):
        assert np.isnan(value) == (not re.search(r"[0-9²½]", cell)), cell
        plain = re.fullmatch(r"[+-]?\d+(?:\.\d+)?", cell)
        if plain and not re.fullmatch(r"[+-]?[1-9]\d{0,2}\.\d{3}", cell):
            assert value == float(cell)
