"""Bands and coverage of forecasts, on errors whose quantile is known."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pipeline.encoding.records import network_key
from pipeline.reporting import charts
from pipeline.reporting.charts import Line
from pipeline.reporting.report_data import Experiment, ReportData, Result
from pipeline.tasks.forecasting import figures
from pipeline.tasks.forecasting.prepare import targets
from pipeline.tasks.forecasting.task import TASK
from tests.tasks.case import CASES

WIDTHS = [0.5, 2.0]  # of the two horizons


def experiment(data: Any, name: str, turn: int, widths: Sequence[float], **coverage: float) -> Experiment:
    """An experiment whose errors on validation are these widths everywhere, with signs that take turns."""
    truth = targets(data, "validation")[1]
    signs = np.where(np.arange(len(truth)) % 2, 1, -1)[:, None]
    metrics = {"networks": [{"fold": 0, "seed": 1}], "test": coverage}
    predictions = {
        network_key(0, "validation"): truth + signs * widths,
        network_key(0, "test"): targets(data, "test")[1] + 0.25,
    }
    return Experiment(name, Result(metrics, TASK), [], predictions, [], turn)


@pytest.fixture
def data() -> ReportData:
    encoded = CASES["forecasting"].encoded()
    first = experiment(encoded, "first", 0, WIDTHS, interval_coverage_h1=0.875, interval_coverage_h3=1.0)
    second = experiment(encoded, "second", 1, [7.0, 7.0], interval_coverage_h1=0.9, interval_coverage_h3=0.5)
    rival = targets(encoded, "test")[1] - 1.0
    return ReportData("x", TASK, encoded, [first, second], {"naive": {"mase": 1.0}}, {network_key("naive", 0): rival})


def test_the_band_of_the_first_experiment_is_as_wide_as_its_errors_on_validation(
    data: ReportData, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(charts, "panels", lambda rows, *_: seen.extend(rows) or b"png")
    picture = figures.figures(data)[0]
    assert [title for title, _ in seen] == ["15 min ahead", "45 min ahead"]
    for (_, lines), width, j in zip(seen, WIDTHS, (0, 1), strict=True):
        truth, ours, rival = lines
        assert (truth.name, ours.name, rival.name) == ("truth", "first", "naive (baseline)")
        assert ours.band == pytest.approx(width) and ours.band_name == "90 % interval"
        assert truth.band == rival.band == 0
        known = ~np.isnan(np.asarray(truth.y))
        assert np.asarray(ours.y)[known] == pytest.approx(np.asarray(truth.y)[known] + 0.25)
        first = targets(data.encoded, "test")[1][:, j]
        assert np.isin(np.asarray(truth.y)[known], first).all()
    assert "± 0.500 for 15 min ahead, ± 2.000 for 45 min ahead" in picture.alt
    assert picture.caption.startswith("The band is the 90 % interval of first, as wide as its errors on the validation")


def test_coverage_is_drawn_next_to_the_nominal_share(data: ReportData, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Line] = []
    named: list[Any] = []
    monkeypatch.setattr(charts, "lines", lambda curves, *_, **given: seen.extend(curves) or named.append(given) or b"")
    picture = figures.coverage_by_horizon(data)
    assert [(line.name, list(line.y), line.turn, line.rival) for line in seen] == [
        ("first", [87.5, 100.0], 0, False),
        ("second", [90.0, 50.0], 1, False),
        ("nominal: 90 %", [90.0, 90.0], None, True),
    ]
    assert [list(line.x) for line in seen] == [[0, 1]] * 3
    assert named[0]["ticks"] == ["15 min", "45 min"]
    assert "first 87.5 % at 15 min, 100.0 % at 45 min; second 90.0 % at 15 min, 50.0 % at 45 min" in picture.alt


def test_a_single_horizon_has_neither_error_nor_coverage_by_horizon() -> None:
    encoded = CASES["forecasting"].encoded(horizons=[1])
    only = experiment(encoded, "only", 0, [0.5], interval_coverage_h1=0.875)
    shown = figures.figures(ReportData("x", TASK, encoded, [only], {}, {}))
    assert [element.name for element in shown if hasattr(element, "name")] == ["forecast"]
