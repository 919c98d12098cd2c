"""Format numbers and names for people. The minus sign is U+2212, so that columns of signed numbers line up."""

import math
from collections.abc import Sequence

from pipeline.evaluation.metric import Metric

CELLS = {
    "simple_rnn": "simple RNN",
    "lstm": "LSTM",
    "gru": "GRU",
    "peephole_lstm": "LSTM with peepholes",
    "coupled_lstm": "LSTM with coupled gates",
}


def direction(metric: Metric) -> str:
    """Return an arrow towards the better figures, or "" if neither direction is better."""
    return {True: "↑", False: "↓", None: ""}[metric.higher_is_better]


def value(metric: Metric, number: float, sd: float | None = None) -> str:
    """Return the figure in the metric's unit and digits, or with about four digits if the metric sets none."""
    if metric.percent:
        spread = "" if sd is None else f" ± {100 * sd:.{_digits(metric)}f}"
        return f"{100 * number:.{_digits(metric)}f}{spread} %"
    shown = plain(number) if metric.digits is None else f"{number:.{metric.digits}f}"
    return shown if sd is None else f"{shown} ± {_like(sd, shown)}"


def _digits(metric: Metric) -> int:
    return 1 if metric.digits is None else metric.digits


def difference(metric: Metric, number: float, grain: float | None = None) -> str:
    """Return the difference with its sign; for shares, in percentage points.

    grain: a size that the last two digits must resolve.
    """
    if metric.percent:
        return _with_sign(100 * number, _digits(metric))
    size = abs(grain or number)
    return _with_sign(number, min(6, max(0, 1 - math.floor(math.log10(size)))) if size else 3)


def unit(metric: Metric) -> str:
    """Return the unit of a difference."""
    return "points" if metric.percent else metric.label


def skill(number: float | None) -> str:
    """Return the skill in percent; "< −999 %" far below zero; a dash if the baseline is exact."""
    if number is None:
        return "–"
    return "< −999 %" if number < -9.99 else f"{_with_sign(100 * number, 1 if abs(number) < 0.1 else 0)} %"


def share(number: float | None) -> str:
    """Return a share of the way to the optimum in percent; a dash if there is no way to go."""
    return "–" if number is None else skill(number) if number < 0 else f"{100 * number:.0f} %"


def plain(number: float) -> str:
    """Return the number without a unit, with three digits or a few more; in powers of ten only below 0.001."""
    if 0 < abs(number) < 0.001:
        return signed(f"{number:.2e}")
    return signed(f"{number:,.{_decimals(number)}f}")


def count(number: int) -> str:
    return f"{number:,}"


def scale(metric: Metric) -> float:
    """Return the factor for drawing a figure: 100 for shares, which are drawn in percent."""
    return 100.0 if metric.percent else 1.0


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def p_value(p: float) -> str:
    """Return "p = 0.032", with two significant digits, or "p < 0.0001"."""
    return f"p = {p:.{2 if p >= 0.1 else 3 if p >= 0.01 else 4}f}" if p >= 0.0001 else "p < 0.0001"


def phrase(name: str) -> str:
    """Return a key of a JSON file as words."""
    return name.replace("_", " ")


def signed(text: str) -> str:
    return text.replace("-", "−")


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines with columns of equal width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _with_sign(number: float, decimals: int) -> str:
    shown = f"{number:+,.{decimals}f}"
    return signed(shown) if float(shown.replace(",", "")) else shown[1:]


def _decimals(number: float) -> int:
    bounds = ((1000, 0), (100, 1), (10, 2), (0.1, 3), (0.01, 4))
    return next((decimals for bound, decimals in bounds if abs(number) >= bound), 5 if number else 3)


def _like(number: float, shown: str) -> str:
    """Return the number with as many decimals as `shown` has."""
    if "e" in shown:
        return f"{number:.1e}".replace("-", "−")
    return f"{number:,.{len(shown.partition('.')[2])}f}"
