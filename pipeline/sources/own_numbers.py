"""Read a column of numbers as people write them: 1,234.5 or 1.234,5, −3, (3), 12 %, $ 3.50.

One notation holds for a column. The cells decide it, or `decimal` of the row: a cell that fits none is an error, and
never counts as missing. Only cells without a digit are missing.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError

SHOWN = 40  # characters of a cell
PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
HYPHENS = "\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d"  # dashes that are written for a minus
OTHER_CHARACTERS = {**dict.fromkeys(HYPHENS, "-"), "\u2019": "'", "\u02bc": "'", "\uff0e": ".", "\uff0c": ","}
ARABIC = {"\u066b": "decimal", "\u066c": "group"}  # separators that can mean one thing only
CURRENCIES = "$€£¥₹₽₩₺₴₪₫฿₦¢₱₸"
PREFIX = rf"[A-Z]{{0,3}}\s?[{CURRENCIES}]|[A-Z]{{3}}\s"
# A unit begins with a letter or such a sign; its only digits are those of m2, m3, CO2 and the like.
SUFFIX = (
    rf"(?![eE][-+\s]*[0-9])(?:[^\W\d_]|[%‰°{CURRENCIES}])[^\d()]{{0,15}}?(?:(?<=[mtOHN])[23](?![0-9])[^\d()]{{0,5}}?)?"
)
CELL = re.compile(
    r"(?P<open>\()?\s*(?P<sign>[+-])?\s*"
    rf"(?P<prefix>{PREFIX})?\s*(?P<inner>[+-])?"
    r"(?P<body>[.,\u066b]?[0-9](?:[0-9.,' \u066b\u066c]*[0-9])?[.,\u066b]?)"
    rf"(?P<exponent>[eE][+-]?[0-9]+)?\s*(?P<suffix>{SUFFIX})?\s*(?P<close>\))?"
)
ERROR_VALUE = re.compile(r"#[A-Z0/]+[!?]?")  # of a spreadsheet, such as #DIV/0!
NINES = re.compile(r"-?99+(?:\.[09]*)?")  # how many instruments write that they measured nothing
FIXED = re.compile(r"[0-9]+\.[0-9]{3}")


def _whole(decimal: str, comma: str) -> re.Pattern[str]:
    """The numbers of a notation. `comma`: what groups digits in it, as an apostrophe or a space may."""
    grouped = [rf"[1-9][0-9]{{0,2}}(?:{re.escape(g)}[0-9]{{3}})+" for g in (comma, "'", " ")]
    indian = rf"[1-9][0-9]?(?:{re.escape(comma)}[0-9]{{2}})+{re.escape(comma)}[0-9]{{3}}"
    point = re.escape(decimal)
    return re.compile(rf"(?:[0-9]+|{'|'.join([*grouped, indian])})(?:{point}[0-9]*)?|{point}[0-9]+")


def _ungrouped(decimal: str) -> re.Pattern[str]:
    point = re.escape(decimal)
    return re.compile(rf"[0-9]+(?:{point}[0-9]*)?|{point}[0-9]+")


WHOLE = {".": _whole(".", ","), ",": _whole(",", ".")}
UNGROUPED = {decimal: _ungrouped(decimal) for decimal in WHOLE}


@dataclass(frozen=True)
class Column:
    """The cells of a column of a file, and the line of each.

    delimiter: between the columns; a semicolon goes with decimal commas.
    missing: cells that mean no value, or None to refuse numbers that look like it.
    """

    path: Path
    name: str
    cells: Sequence[str]
    lines: Sequence[int]
    delimiter: str = ","
    missing: tuple[str, ...] | None = None

    def is_missing(self, text: str) -> bool:
        """Tell whether a cell means no value: it has no digit, or is one of `missing`, such as -999 for -999.0."""
        return not holds_digits(text) or text in (self.missing or ()) or _plain(text) in map(_plain, self.missing or ())

    def at(self, i: int) -> str:
        """Name the place of a cell and what it has, for the beginning of a message."""
        return f"{self.path}: line {self.lines[i]:,}: column {self.name!r} has {self.cells[i][:SHOWN]!r}"

    def also(self, i: int) -> str:
        """Name another cell in the same message."""
        return f"line {self.lines[i]:,} has {self.cells[i][:SHOWN]!r}"


@dataclass(frozen=True)
class Numbers:
    """A column of numbers.

    values: float64 [cells], NaN where a cell has no digit.
    unit: what is written at every number, such as kW, % or $.
    rewritten: how many cells are not written as 1234.5.
    """

    values: NDArray[np.float64]
    unit: str
    rewritten: int


@dataclass(frozen=True)
class _Cell:
    """A cell with digits. `at`: its position in the column; `body`: its digits and separators, without the sign."""

    at: int
    text: str
    body: str
    exponent: str
    unit: str
    negative: bool
    bracketed: bool

    def number(self, decimal: str) -> float | None:
        """Return the value if the decimal separator is `decimal`, or None if it cannot be."""
        other = "'" if "\u066b" in self.body or "\u066c" in self.body else ""
        body = self.body.replace("\u066b", decimal).replace("\u066c", other)
        if not (UNGROUPED if self.exponent else WHOLE)[decimal].fullmatch(body):
            return None
        digits = re.sub(rf"[^0-9{re.escape(decimal)}]", "", body).replace(decimal, ".")
        return float(f"{'-' if self.negative else ''}{digits}{self.exponent}") + 0.0  # -0 becomes 0


def _plain(text: str) -> float | str:
    return float(text) if PLAIN.fullmatch(text) else text


def plain_characters(cell: str) -> str:
    """Replace what looks like an ASCII digit, hyphen, apostrophe or space by it, and drop characters of no width."""
    return cell if cell.isascii() else "".join(map(_plain_character, cell)).strip()


def _plain_character(character: str) -> str:
    if character.isascii() or character in ARABIC:
        return character
    if character in OTHER_CHARACTERS:
        return OTHER_CHARACTERS[character]
    digit = unicodedata.decimal(character, None)  # Arabic-Indic digits have one, a superscript has none
    if digit is not None:
        return str(digit)
    return {"Zs": " ", "Cf": ""}.get(unicodedata.category(character), character)


def holds_digits(cell: str) -> bool:
    """Tell whether a cell has a digit, a fraction such as ½ or another sign for a number; #DIV/0! has none."""
    return any(map(str.isnumeric, cell)) and not ERROR_VALUE.fullmatch(cell)


def shown_decimal(column: Column) -> str | None:
    """Return the only decimal separator that fits all cells of a column, or None if none does, or both do."""
    found = _found(column)
    fitting = [decimal for decimal in WHOLE if _fits(found, decimal)]
    return fitting[0] if len(fitting) == 1 else None


def _found(column: Column) -> list[_Cell]:
    return [_parsed(i, text, column) for i, text in enumerate(column.cells) if not column.is_missing(text)]


def read_numbers(column: Column, decimal: str | None) -> Numbers:
    """Read a column of numbers.

    decimal: the decimal separator, or None to let the cells decide. Raises DataError for a cell with digits that cannot
    be read, for numbers of different units, and if the cells contradict each other or `decimal`, or do not decide the
    notation.
    """
    found = _found(column)
    values = np.full(len(column.cells), np.nan)
    if not found:
        return Numbers(values, "", 0)
    notation = _stated(found, decimal, column) if decimal else _decided(found, column)
    unit = _unit(found, column)
    _check_brackets(found, column)
    for cell in found:
        values[cell.at] = cell.number(notation)
        if not np.isfinite(values[cell.at]):
            _unread(cell.at, column)
    if column.missing is None:
        _check_marks(found, values, column)
    rewritten = sum(PLAIN.fullmatch(cell.text) is None for cell in found)
    return Numbers(values, unit, rewritten)


def _parsed(at: int, text: str, column: Column) -> _Cell:
    parts = CELL.fullmatch(plain_characters(text))
    if parts is None:
        _unread(at, column)
    signs = [parts[name] for name in ("sign", "inner") if parts[name]]
    bracketed = parts["open"] is not None
    power = parts["suffix"] and parts["suffix"][0].isnumeric()  # 10² is 100
    if power or len(signs) > 1 or bracketed != (parts["close"] is not None) or (bracketed and signs):
        _unread(at, column)
    unit = " ".join((parts[name] or "").strip() for name in ("prefix", "suffix")).strip()
    negative = bracketed or signs == ["-"]
    return _Cell(at, text, parts["body"], parts["exponent"] or "", unit, negative, bracketed)


def _unread(at: int, column: Column) -> NoReturn:
    raise DataError(
        f"{column.at(at)}, which is no number that can be read; write it as 1234.5, or leave the cell "
        "empty if the value is missing"
    )


def _stated(found: list[_Cell], decimal: str, column: Column) -> str:
    """Return `decimal`; DataError for the first cell that it does not fit."""
    other = "," if decimal == "." else "."
    for cell in found:
        if cell.number(decimal) is None:
            instead = (
                f"write `decimal: '{other}'` in the row of `own`, which fits all cells of the column"
                if _fits(found, other)
                else f"write it as 1234{decimal}5"
            )
            raise DataError(f"{column.at(cell.at)}, which does not fit `decimal: '{decimal}'`; {instead}")
    return decimal


def _fits(found: list[_Cell], decimal: str) -> bool:
    return all(cell.number(decimal) is not None for cell in found)


def _decided(found: list[_Cell], column: Column) -> str:
    """Return the only decimal separator that fits all cells; DataError if none fits, or if both do."""
    point, comma = (_fits(found, decimal) for decimal in WHOLE)
    if point and comma:
        differs = next((cell for cell in found if cell.number(".") != cell.number(",")), None)
        three_decimals = column.delimiter != ";" and all(FIXED.fullmatch(cell.body) for cell in found)
        if differs is None or three_decimals:
            return "."
        raise DataError(
            f"{column.at(differs.at)}, which may be {differs.number('.'):,} or "
            f"{differs.number(','):,}, and no other cell of the column decides it; write `decimal: '.'` or "
            "`decimal: ','`, its decimal separator, in the row of `own`"
        )
    if point or comma:
        return "." if point else ","
    no_point = next(cell for cell in found if cell.number(".") is None)
    no_comma = next(cell for cell in found if cell.number(",") is None)
    if no_point is no_comma:
        _unread(no_point.at, column)
    raise DataError(
        f"{column.at(no_point.at)} and {column.also(no_comma.at)}: "
        "no decimal separator fits both; write all numbers of the column as 1234.5"
    )


def _unit(found: list[_Cell], column: Column) -> str:
    """Return the unit of all numbers; DataError if two differ, or if one has none."""
    first = found[0]
    for cell in found:
        if cell.unit != first.unit:
            raise DataError(
                f"{column.at(first.at)} and {column.also(cell.at)}: write "
                "all numbers of a column in one unit, each with it or all without"
            )
    return first.unit


def _check_brackets(found: list[_Cell], column: Column) -> None:
    """Raise DataError if brackets cannot mean a minus, because other cells have a minus."""
    bracketed = next((cell for cell in found if cell.bracketed), None)
    signed = next((cell for cell in found if cell.negative and not cell.bracketed), None)
    if bracketed and signed:
        raise DataError(
            f"{column.at(bracketed.at)} and {column.also(signed.at)}: "
            "brackets mean a minus only where no number has one; write (1234.5) as -1234.5 or as 1234.5"
        )


def _check_marks(found: list[_Cell], values: NDArray[np.float64], column: Column) -> None:
    """Raise DataError for a number such as -999 that occurs again and is far from all others: it may mean no value."""
    nines = [cell for cell in found if NINES.fullmatch(cell.text)]
    for value in {values[cell.at] for cell in nines}:
        others = values[~np.isnan(values) & (values != value)]
        often = int(np.sum(values == value))
        if often > 1 and len(others) > often and np.min(np.abs(others - value)) > np.ptp(others):
            first = next(cell for cell in nines if values[cell.at] == value)
            raise DataError(
                f"{column.at(first.at)}, {often:,} times and far from all other numbers; if it means no value, write "
                f"`missing: ['{first.text}']` in the row of `own`; if it is a value, write `missing: []`"
            )
