"""Draw the bits per character of character models along a text."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.reporting import charts
from pipeline.reporting.charts import Line
from pipeline.reporting.elements import Picture
from pipeline.reporting.formatting import count
from pipeline.reporting.report_data import ReportData

POINTS = 400


def surprise(data: ReportData, where: str, examples: str, bits_of: Callable[[NDArray[Any]], NDArray[Any]]) -> Picture:
    """Draw smoothed bits along a text. bits_of: predictions for the test examples → float [examples], their bits."""
    drawn = [(experiment.name, bits_of(experiment.test_predictions()[0]), False) for experiment in data.experiments]
    best = data.best_baseline()
    if best:
        drawn.append((f"{best[0]} (baseline)", bits_of(best[1][0]), True))
    width = max(1, len(drawn[0][1]) // 20)
    curves = [Line(name, *smoothed(bits, width), rival=rival) for name, bits, rival in drawn]
    return Picture(
        "bits-along-the-text",
        f"Surprise along the {where}",
        f"Bits per character along the {where}: "
        + "; ".join(f"{n} {bits.mean():.3f} on average" for n, bits, _ in drawn),
        charts.lines(curves, f"position in the {where} ({examples})", "bits per character", wide=True),
        f"Moving average over {count(width)} {examples}; lower is better.",
        wide=True,
    )


def smoothed(values: NDArray[np.floating], width: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return positions and moving averages over `width` values, about POINTS of them at most."""
    sums = np.cumsum([0.0, *values.astype(np.float64)])
    means = (sums[width:] - sums[:-width]) / width
    at = np.arange(0, len(means), max(1, len(means) // POINTS))
    return at + width / 2, means[at]
