"""Report figures of forecasting: forecasts with their intervals, error and coverage by horizon, and free runs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import network_key
from pipeline.evaluation.statistics import LEVEL
from pipeline.reporting import charts
from pipeline.reporting.charts import Line
from pipeline.reporting.elements import Element, Picture
from pipeline.reporting.formatting import plain
from pipeline.reporting.report_data import Experiment, ReportData
from pipeline.tasks.forecasting.prepare import bounds, targets
from pipeline.tasks.forecasting.score import interval

DAYS, STEPS, DAY = 10, 200, 86_400
SHARE = f"{100 * LEVEL:.0f} %"
PANELS = 3
MANY = 6  # horizons that a narrow chart has room for
Forecasts = Mapping[str, NDArray[Any]]


def figures(data: ReportData) -> list[Element]:
    """Return ten days of forecasts, and error by horizon, coverage by horizon and free runs of all experiments."""
    ours = {row.name: row.test_predictions()[0] for row in data.experiments}
    best = data.best_baseline()
    rival = {f"{best[0]} (baseline)": best[1][0]} if best else {}
    runs = [_free_run(data, row) for row in data.experiments if network_key(0, "free_run") in row.predictions]
    by_horizon = []
    if len(data.encoded.encoder["horizons"]) > 1:
        by_horizon = [_by_horizon(data, ours, rival), coverage_by_horizon(data)]
    return [_over_truth(data, ours, rival), *by_horizon, *runs]


def _over_truth(data: ReportData, ours: Forecasts, rival: Forecasts) -> Picture:
    encoder = data.encoded.encoder
    step, horizons = encoder["step_seconds"], encoder["horizons"]
    chosen = np.unique(np.linspace(0, len(horizons) - 1, PANELS).round().astype(int))
    first = data.experiments[0]
    name, half = first.name, interval(data.encoded, first.predictions[network_key(0, "validation")])["widths"]
    shown = {name: ours[name], **rival}
    rows = [
        (f"{ahead(h, encoder)} ahead", _panel(data, j, shown, rival, half[j]))
        for j, h in enumerate(horizons)
        if j in chosen
    ]
    bands = ", ".join(f"± {plain(half[j])} for {ahead(horizons[j], encoder)} ahead" for j in chosen)
    said = f"The band is the {SHARE} interval of {name}, as wide as its errors on the validation part: {bands}."
    span = f"{DAYS} days" if step else f"{STEPS} steps"
    return Picture(
        "forecast",
        f"The first {span} of the test part: {name}",
        f"Forecasts of {', '.join(shown)} over the truth: {', '.join(title for title, _ in rows)}; {SHARE} interval of "
        f"{name}: {bands}",
        charts.panels(rows, f"{'days' if step else 'steps'} from the start of the test part", encoder["unit"]),
        f"{said} Gaps are masked values." if data.facts.get("masked") else said,
        wide=True,
    )


def _panel(data: ReportData, j: int, shown: Forecasts, rival: Forecasts, half: float) -> list[Line]:
    """Return a line of the truth and a line for each method's forecasts at the j-th horizon.

    half: half the width of the interval around the forecasts of networks.
    """
    step, horizon = data.encoded.encoder["step_seconds"], data.encoded.encoder["horizons"][j]
    origins, truth = targets(data.encoded, "test")
    at = origins + horizon - bounds(data.encoded, "test")[0]
    inside = (at >= 0) & (at < (DAYS * DAY // step if step else STEPS))
    x = at[inside] * (step / DAY if step else 1)
    forecasts = [
        Line(key, x, p[inside, j], rival=True)
        if key in rival
        else Line(key, x, p[inside, j], band=half, band_name=f"{SHARE} interval")
        for key, p in shown.items()
    ]
    return [Line("truth", x, truth[inside, j], truth=True), *forecasts]


def _by_horizon(data: ReportData, ours: Forecasts, rival: Forecasts) -> Picture:
    encoder = data.encoded.encoder
    _, truth = targets(data.encoded, "test")
    groups = [ahead(horizon, encoder) for horizon in encoder["horizons"]]
    errors = {name: absolute_errors(truth, p) for name, p in {**ours, **rival}.items()}
    summary = "; ".join(
        f"{name} {', '.join(f'{plain(e)} at {group}' for e, group in zip(row, groups, strict=True))}"
        for name, row in errors.items()
    )
    unit = f" ({encoder['unit']})" if encoder["unit"] else ""
    return Picture(
        "error-by-horizon",
        "Error by horizon",
        f"Mean absolute error: {summary}",
        charts.bars(groups, errors, _turns(data), "horizon", f"mean absolute error{unit}", wide=len(groups) > MANY),
        "The first network of each experiment.",
        wide=len(groups) > MANY,
    )


def _turns(data: ReportData) -> dict[str, int]:
    return {row.name: row.turn for row in data.experiments}


def coverage_by_horizon(data: ReportData) -> Picture:
    """Draw the share of the test values inside the intervals of each experiment, next to the nominal share."""
    encoder = data.encoded.encoder
    horizons, groups = encoder["horizons"], [ahead(horizon, encoder) for horizon in encoder["horizons"]]
    lines = [
        Line(
            row.name,
            range(len(horizons)),
            [100 * row.metrics["test"][f"interval_coverage_h{horizon}"] for horizon in horizons],
            turn=row.turn,
        )
        for row in data.experiments
    ]
    measured = "; ".join(
        f"{line.name} {', '.join(f'{y:.1f} % at {group}' for y, group in zip(line.y, groups, strict=True))}"
        for line in lines
    )
    nominal = Line(f"nominal: {SHARE}", [0, len(horizons) - 1], [100 * LEVEL] * 2, rival=True)
    return Picture(
        "coverage-by-horizon",
        f"Coverage of the {SHARE} intervals by horizon",
        f"Share of the test values inside the {SHARE} interval: {measured}",
        charts.lines([*lines, nominal], "horizon", "inside (%)", ticks=groups, wide=len(groups) > MANY),
        f"On the line, {SHARE} of the test values are inside. Below it, the errors on the test part are larger than on "
        "the validation part, which gave the widths; above it, smaller. Means over the networks of each experiment.",
        wide=len(groups) > MANY,
    )


def absolute_errors(truth: NDArray[np.float64], predictions: NDArray[Any]) -> list[float]:
    """Return the mean absolute error of each horizon, without masked targets; both inputs are [targets, horizons]."""
    return [float(e) for e in np.nanmean(np.abs(predictions - truth), axis=0)]


def _free_run(data: ReportData, row: Experiment) -> Picture:
    """Draw the end of a long forecast that is fed only its own values; a drift shows there."""
    forecast = row.predictions[network_key(0, "free_run")]
    start, _ = bounds(data.encoded, "test")
    truth = data.encoded.arrays["values"][start : start + len(forecast)]
    x = np.arange(len(forecast))[-STEPS:]
    drawn = [Line("truth", x, truth[-STEPS:], truth=True), Line(row.name, x, forecast[-STEPS:], turn=row.turn)]
    worst = plain(float(np.max(np.abs(forecast - truth))))
    return Picture(
        f"free-run-{row.name}",
        f"Running free: {row.name}",
        f"The last {len(x)} of {len(forecast)} free-running steps of {row.name} over the truth; greatest error {worst}",
        charts.lines(drawn, "steps without seeing the truth", data.encoded.encoder["unit"], wide=True),
        f"One-step forecasts fed back {len(forecast)} times from the start of the test part; greatest error {worst}.",
        wide=True,
    )


def ahead(steps: int, encoder: Mapping[str, Any]) -> str:
    """Return a horizon in words: 4 steps of 900 s are "1 h", 2 steps of 3 months are "6 months"."""
    months = encoder.get("step_months")
    if months or not encoder["step_seconds"]:
        count, name = (steps * months, "month") if months else (steps, "step")
        return f"1 {name}" if count == 1 else f"{count} {name}s"
    seconds = steps * encoder["step_seconds"]
    for size, name in ((DAY, "day"), (3600, "h"), (60, "min")):
        if seconds % size == 0:
            return f"{seconds // size} {name}" + ("s" if name == "day" and seconds > DAY else "")
    return f"{seconds} s"
