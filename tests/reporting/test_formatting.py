"""Numbers as people read them."""

import pytest

from pipeline.reporting import formatting


@pytest.mark.parametrize(
    ("metric", "number", "sd", "shown"),
    [
        ("accuracy", 0.9532, None, "95.3 %"),
        ("accuracy", 0.9532, 0.0123, "95.3 ± 1.2 %"),
        ("theil_u", 1.00013, 0.0004, "1.0001 ± 0.0004"),
        ("r2", -0.0153, 0.0097, "−0.0153 ± 0.0097"),
        ("bits_per_char", 2.0, None, "2.000"),
        ("bits_per_char", 0.0456, None, "0.046"),
        ("mase", 0.6521, 0.1139, "0.652 ± 0.114"),
        ("mae", 12.3456, None, "12.35"),
        ("mae", 1234.5, None, "1,234"),
        ("rmse", 0.00715, None, "0.00715"),
        ("rmse", 2.7e-16, None, "2.70e−16"),
        ("rmse", 0.0, None, "0.000"),
    ],
)
def test_values(metric: str, number: float, sd: float | None, shown: str) -> None:
    assert formatting.value(metric, number, sd) == shown


@pytest.mark.parametrize(
    ("metric", "number", "grain", "shown"),
    [
        ("accuracy", 0.028, None, "+2.8"),
        ("accuracy", -0.0001, None, "0.0"),
        ("mase", -0.0123, None, "−0.012"),
        ("mase", 0.00715, 0.0001, "+0.00715"),
        ("mae", 1234.0, 100.0, "+1,234"),
        ("mase", 0.0, None, "0.000"),
    ],
)
def test_differences(metric: str, number: float, grain: float | None, shown: str) -> None:
    assert formatting.difference(metric, number, grain) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0.625, "+62 %"), (-0.0123, "−1.2 %"), (-7.18, "−718 %"), (-2.6e13, "< −999 %"), (0.0, "0.0 %"), (None, "–")],
)
def test_skills(number: float | None, shown: str) -> None:
    assert formatting.skill(number) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(0.44, "0.4 s"), (44.0, "44 s"), (360.0, "6.0 min"), (7200.0, "2.0 h")])
def test_durations(seconds: float, shown: str) -> None:
    assert formatting.duration(seconds) == shown


@pytest.mark.parametrize(
    ("metric", "shown"),
    [
        ("mae", "MAE"),
        ("mae_h96", "MAE h96"),
        ("theil_u_h1", "Theil's U h1"),
        ("free_run_max_error", "free run max error"),
        ("interval_coverage_h4", "inside the 90 % interval h4"),
    ],
)
def test_labels(metric: str, shown: str) -> None:
    assert formatting.label(metric) == shown


def test_of_how_often_an_interval_holds_neither_more_nor_less_is_better() -> None:
    assert [formatting.direction(m) for m in ("interval_coverage", "interval_coverage_h96", "mae", "f1")] == [
        "",
        "",
        "↓",
        "↑",
    ]
