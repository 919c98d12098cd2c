"""Report figures of scaled_windows: forecasts and the last value over the truth, at the start and end of the test."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.reporting import charts
from pipeline.reporting.charts import Line
from pipeline.reporting.elements import Element, Picture
from pipeline.reporting.report_data import ReportData
from pipeline.tasks.textbook.scaled_windows.prepare import last_values, targets

START, END = 960, 60  # rows: ten days of quarter hours; few enough to see which line follows which


def figures(data: ReportData) -> list[Element]:
    """Return two pictures of all experiments: the start and the end of the test part."""
    ours = {row.name: row.test_predictions()[0] for row in data.experiments}
    rows = len(targets(data.encoded, "test"))
    shown = range(min(START, rows))
    return [
        _over_truth(data, ours, "forecast", f"The first {len(shown)} rows of the test part", shown),
        _over_truth(data, ours, "forecast-end", "The end of the test part", range(max(0, rows - END), rows)),
    ]


def _over_truth(data: ReportData, ours: Mapping[str, NDArray[Any]], name: str, title: str, rows: range) -> Picture:
    truth, stays = (of(data.encoded, "test")[rows.start : rows.stop] for of in (targets, last_values))
    x = np.array(rows)
    drawn = [Line("truth", x, truth, truth=True)]
    drawn += [Line(key, x, p[rows.start : rows.stop]) for key, p in ours.items()]
    drawn.append(Line("last value (baseline)", x, stays, rival=True))
    return Picture(
        name,
        title,
        f"Forecasts of {', '.join(ours)} and the last value over the truth, rows {rows.start} to {rows.stop - 1}",
        charts.lines(drawn, "row of the test part", data.encoded.encoder["unit"], wide=True),
        "A forecast that looks right may only follow the last value: compare it with the grey line.",
        wide=True,
    )
