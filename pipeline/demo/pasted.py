"""Numbers that a person pasted: separated by spaces, commas, semicolons or new lines, in one column or several."""

import math
from collections.abc import Sequence

from pipeline.errors import DataError

MAX_NUMBERS = 100_000


def series(text: str, names: Sequence[str]) -> dict[str, list[float]]:
    """Return the numbers of each column by its name.

    If there is one column, lines are of no importance. Otherwise each line has a number for each column, in the order
    of `names`. A comma separates numbers, unless the text has semicolons: then it is a decimal point. Raises DataError,
    which names the line, for anything that is not a finite number.
    """
    comma = "." if ";" in text else " "
    lines = [line.replace(",", comma).replace(";", " ").split() for line in text.splitlines()]
    count = sum(map(len, lines))
    if not count:
        raise DataError("no numbers; paste numbers separated by spaces, commas or new lines")
    if count > MAX_NUMBERS:
        raise DataError(f"{count} numbers; at most {MAX_NUMBERS} are read")
    rows = [(i, [_number(i, cell) for cell in cells]) for i, cells in enumerate(lines, start=1) if cells]
    if len(names) == 1:
        return {names[0]: [number for _, row in rows for number in row]}
    for i, row in rows:
        if len(row) != len(names):
            raise DataError(f"line {i}: found {len(row)} of {len(names)} numbers; a line needs {', '.join(names)}")
    return {name: [row[column] for _, row in rows] for column, name in enumerate(names)}


def _number(line: int, cell: str) -> float:
    try:
        found = float(cell) if "_" not in cell else math.nan
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise DataError(f"line {line}: {cell[:30]!r} is not a number; write numbers such as 12.5, and none for gaps")
    return found
