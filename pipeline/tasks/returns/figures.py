"""Report figures of returns: the gain over "no change" in time, and Theil's U by origin."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.reporting import charts
from pipeline.reporting.charts import Line
from pipeline.reporting.elements import Element, Picture
from pipeline.reporting.formatting import plain, value
from pipeline.reporting.report_data import ReportData
from pipeline.tasks.returns.prepare import days
from pipeline.tasks.returns.score import score


def figures(data: ReportData) -> list[Element]:
    """Return the gain over "no change" in time, and Theil's U by origin, for all experiments."""
    return [_gain(data), _by_origin(data)]


def _forecasts(data: ReportData) -> dict[str, list[NDArray[Any]]]:
    """Return the test predictions of each experiment, the earliest origin first."""
    return {row.name: row.test_predictions()[::-1] for row in data.experiments}


def _gain(data: ReportData) -> Picture:
    """Draw the cumulative squared error of "no change" minus that of the forecasts (Goyal and Welch 2008).

    It rises while the forecasts are better.
    """
    at = np.concatenate([days(data.encoded, "test", fold) for fold in _folds(data)])
    truth, dates = data.encoded.arrays["returns"][at], data.encoded.arrays.get("dates", _numbers(data))[at]
    gains = {name: gained(truth, np.concatenate(parts)) for name, parts in _forecasts(data).items()}
    drawn = [Line(name, dates, gain) for name, gain in gains.items()]
    drawn.append(Line("no change", dates, np.zeros(len(dates)), rival=True))
    ends = "; ".join(f"{name} ends at {plain(float(gain[-1]))} %" for name, gain in gains.items())
    return Picture(
        "gain-over-time",
        "Gain over “no change” in the test part",
        f"Cumulative squared error of no change minus that of the forecasts, in percent of the whole: {ends}",
        charts.lines(drawn, "day", "% of the squared error", wide=True),
        "Where a line rises, the forecasts gain on “no change”; where it falls, they lose.",
        wide=True,
    )


def gained(truth: NDArray[np.float64], forecast: NDArray[Any]) -> NDArray[np.float64]:
    """Return float64 [days]: the squared error saved up to each day, in percent of the total error of "no change"."""
    saved: NDArray[np.float64] = np.cumsum(truth**2 - (forecast - truth) ** 2)
    return 100 * saved / np.sum(truth**2)


def _by_origin(data: ReportData) -> Picture:
    folds = _folds(data)
    dates = data.encoded.arrays.get("dates", _numbers(data))
    first = [str(dates[days(data.encoded, "test", fold)[0]])[:7] for fold in folds]
    errors = {
        name: [score(data.encoded, "test", p, fold)["theil_u"] for p, fold in zip(parts, folds, strict=True)]
        for name, parts in _forecasts(data).items()
    }
    summary = "; ".join(f"{name} {', '.join(value(data.metric, u) for u in row)}" for name, row in errors.items())
    x = range(1, len(folds) + 1)
    drawn = [Line(name, x, row) for name, row in errors.items()]
    drawn.append(Line("no change", x, [1.0] * len(folds), rival=True))
    return Picture(
        "theil-by-origin",
        "Theil's U by origin",
        f"Theil's U of each origin, the earliest first: {summary}",
        charts.lines(drawn, "origin", "Theil's U", whole=True),
        f"The origins' test blocks begin in {', '.join(first)}; below 1 is better than “no change”.",
    )


def _numbers(data: ReportData) -> NDArray[Any]:
    """Return int64 [time]: the days counted, for a series whose dates are not known."""
    return np.arange(len(data.encoded.arrays["values"]))


def _folds(data: ReportData) -> Sequence[int]:
    """Return the folds, the earliest origin first."""
    return range(data.facts["folds"])[::-1]
