"""Numbers as people read them."""

import pytest

from pipeline.evaluation.metric import Metric
from pipeline.evaluation.task import Task
from pipeline.reporting import formatting
from pipeline.tasks import TASKS

SHARE = Metric("accuracy", higher_is_better=True).shown("accuracy", unit="%")
FINE_SHARE = SHARE.shown("accuracy", unit="%", digits=2)
FOUR_DIGITS = Metric("theil_u").shown("Theil's U", digits=4)
PLAIN = Metric("mae").shown("MAE")


@pytest.mark.parametrize(
    ("metric", "number", "sd", "shown"),
    [
        (SHARE, 0.9532, None, "95.3 %"),
        (SHARE, 0.9532, 0.0123, "95.3 ± 1.2 %"),
        (FINE_SHARE, 0.9532, 0.0123, "95.32 ± 1.23 %"),
        (FOUR_DIGITS, 1.00013, None, "1.0001"),
        (FOUR_DIGITS, 1.00013, 0.0004, "1.0001 ± 0.0004"),
        (PLAIN, -0.0153, 0.0097, "−0.0153 ± 0.0097"),
        (PLAIN, 2.0, None, "2.000"),
        (PLAIN, 0.0456, None, "0.0456"),
        (PLAIN, 0.6521, 0.1139, "0.652 ± 0.114"),
        (PLAIN, 12.3456, None, "12.35"),
        (PLAIN, 1234.5, None, "1,234"),
        (PLAIN, 0.00715, None, "0.00715"),
        (PLAIN, 2.7e-16, None, "2.70e−16"),
        (PLAIN, 0.0, None, "0.000"),
    ],
)
def test_values(metric: Metric, number: float, sd: float | None, shown: str) -> None:
    assert formatting.value(metric, number, sd) == shown


@pytest.mark.parametrize(
    ("task", "metric", "number", "sd", "shown"),
    [
        ("sentiment", "accuracy", 0.9532, 0.0123, "95.3 ± 1.2 %"),
        ("returns", "theil_u", 1.00013, 0.0004, "1.0001 ± 0.0004"),
        ("returns", "r2", -0.0153, 0.0097, "−0.0153 ± 0.0097"),
        ("char_lm", "bits_per_char", 2.0, None, "2.000"),
        ("char_lm", "bits_per_char", 0.0456, None, "0.046"),
        ("forecasting", "mase", 0.6521, 0.1139, "0.652 ± 0.114"),
        ("forecasting", "mae_h96", 12.3456, None, "12.35"),
        ("cosine_windows", "rmse", 2.7e-16, None, "2.70e−16"),
    ],
)
def test_a_task_says_how_its_figures_are_shown(
    task: str, metric: str, number: float, sd: float | None, shown: str
) -> None:
    assert formatting.value(TASKS[task].metric(metric), number, sd) == shown


@pytest.mark.parametrize(
    ("metric", "number", "grain", "shown"),
    [
        (SHARE, 0.028, None, "+2.8"),
        (SHARE, -0.0001, None, "0.0"),
        (FINE_SHARE, -0.0001, None, "−0.01"),
        (PLAIN, -0.0123, None, "−0.012"),
        (PLAIN, 0.00715, 0.0001, "+0.00715"),
        (PLAIN, 1234.0, 100.0, "+1,234"),
        (PLAIN, 0.0, None, "0.000"),
    ],
)
def test_differences(metric: Metric, number: float, grain: float | None, shown: str) -> None:
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


def test_shares_are_drawn_in_percent_and_differ_by_points() -> None:
    assert (formatting.scale(SHARE), formatting.unit(SHARE)) == (100.0, "points")
    assert (formatting.scale(PLAIN), formatting.unit(PLAIN)) == (1.0, "MAE")


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.name)
def test_every_metric_of_a_task_can_be_shown(task: Task) -> None:
    """A label that names one metric only, an arrow where one direction is better, and a figure with its unit."""
    metrics = task.metrics
    assert task.primary_metric in metrics and task.monitor in metrics
    assert all(metric.label for metric in metrics)
    assert len({metric.label for metric in metrics}) == len({metric.name for metric in metrics}) == len(metrics)
    for metric in metrics:
        assert bool(formatting.direction(metric)) == (metric.higher_is_better is not None)
        assert formatting.value(metric, 0.5).endswith(" %") == metric.percent
        assert metric.unit in ("", "%")
        at_a_horizon = task.metric(f"{metric.name}_h4")
        assert at_a_horizon.label == f"{metric.label} h4"
        assert formatting.direction(at_a_horizon) == formatting.direction(metric)
        assert formatting.value(at_a_horizon, 0.12345) == formatting.value(metric, 0.12345)


@pytest.mark.parametrize(
    ("task", "metric", "label"),
    [
        ("forecasting", "mae", "MAE"),
        ("forecasting", "mae_h96", "MAE h96"),
        ("forecasting", "theil_u_h1", "Theil's U h1"),
        ("forecasting", "free_run_max_error", "largest error running free"),
        ("forecasting", "interval_coverage_h4", "inside the 90 % interval h4"),
        ("padded_texts", "accuracy_unseen", "accuracy, texts not in train"),
    ],
)
def test_labels(task: str, metric: str, label: str) -> None:
    assert TASKS[task].metric(metric).label == label


def test_of_how_often_an_interval_holds_neither_more_nor_less_is_better() -> None:
    forecasting, sentiment = TASKS["forecasting"], TASKS["sentiment"]
    metrics = [forecasting.metric(name) for name in ("interval_coverage", "interval_coverage_h96", "mae")]
    assert [formatting.direction(metric) for metric in (*metrics, sentiment.metric("f1"))] == ["", "", "↓", "↑"]


@pytest.mark.parametrize(
    ("p", "shown"),
    [
        (1.0, "p = 1.00"),
        (0.1, "p = 0.10"),
        (0.0321, "p = 0.032"),
        (0.0012, "p = 0.0012"),
        (9e-5, "p < 0.0001"),
        (0.0, "p < 0.0001"),
    ],
)
def test_p_with_two_digits(p: float, shown: str) -> None:
    assert formatting.p_value(p) == shown
