"""Report figure of cosine_windows: the forecast for each test window over the truth."""

import numpy as np

from pipeline.reporting import charts
from pipeline.reporting.charts import Line
from pipeline.reporting.elements import Element, Picture
from pipeline.reporting.report_data import ReportData


def figures(data: ReportData) -> list[Element]:
    """Return one picture with the forecasts of all experiments over the truth."""
    truth = data.encoded.arrays["test_y"]
    x = np.arange(len(truth))
    drawn = [Line(row.name, x, row.test_predictions()[0]) for row in data.experiments]
    names = ", ".join(row.name for row in data.experiments)
    return [
        Picture(
            "forecast",
            "The value after each test window",
            f"Forecasts of {names} over the truth, for {len(truth)} windows",
            charts.lines([Line("truth", x, truth, truth=True), *drawn], "test window", "value after it", wide=True),
            "Flaws of the protocol: " + "; ".join(data.facts["flaws"]) + ".",
            wide=True,
        )
    ]
