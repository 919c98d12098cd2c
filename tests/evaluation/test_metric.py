"""How a figure becomes a cost and a skill, and how people read it."""

import pytest

from pipeline.evaluation.metric import Metric

RMSE = Metric("rmse")
ACCURACY = Metric("accuracy", higher_is_better=True)
COVERAGE = Metric("interval_coverage", higher_is_better=None)


def test_skill_by_hand() -> None:
    assert RMSE.skill(1.0, 4.0) == pytest.approx(0.75)
    assert RMSE.skill(5.0, 4.0) == pytest.approx(-0.25)
    assert ACCURACY.skill(0.95, 0.9) == pytest.approx(0.5)
    assert ACCURACY.skill(0.8, 0.9) == pytest.approx(-1.0)
    assert RMSE.skill(0.1, 1e-13) is None, "the baseline makes no error to compare with"
    assert ACCURACY.skill(0.9, 1.0) is None


def test_the_better_figure_costs_less() -> None:
    assert ACCURACY.cost({"accuracy": 0.9}) < ACCURACY.cost({"accuracy": 0.8})
    assert RMSE.cost({"rmse": 0.1}) < RMSE.cost({"rmse": 0.2})
    with pytest.raises(KeyError):
        RMSE.cost({"accuracy": 0.9})


def test_labels_change_neither_name_nor_direction() -> None:
    for metric in (RMSE, ACCURACY, COVERAGE):
        shown = metric.shown("a label", unit="%", digits=2)
        assert (shown.name, shown.higher_is_better) == (metric.name, metric.higher_is_better)
        assert (shown.label, shown.unit, shown.digits) == ("a label", "%", 2)
        assert shown.percent and not metric.percent
