"""The best possible score: the share of the way to it, and what counts as a leak."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.encoding.records import Encoded
from pipeline.errors import DataError
from pipeline.evaluation import optimum
from tests.tasks.case import CASES

ACCURACY, BITS = CASES["sentiment"].task, CASES["char_lm"].task


def compared(ours: Any, best: Any, score: float, baseline: float, limit: float, task: Any = ACCURACY) -> dict[str, Any]:
    against = {"score": score, "baseline_score": baseline}
    figures = {task.primary_metric.name: limit}
    return optimum.against_optimum(task, np.asarray(ours, float), np.asarray(best, float), against, figures)


@pytest.mark.parametrize(
    ("score", "baseline", "limit", "share"),
    [
        (0.9, 0.7, 0.95, 0.8),
        (0.7, 0.7, 0.95, 0.0),
        (0.65, 0.7, 0.95, -0.2),
        (0.95, 0.7, 0.95, 1.0),
        (0.4, 0.5, 0.5, None),
        (0.49, 0.51, 0.5, None),  # the baseline is better than the optimum by chance
    ],
)
def test_the_share_is_that_of_the_way_from_the_baseline_to_the_optimum(
    score: float, baseline: float, limit: float, share: float | None
) -> None:
    found = compared([0, 1], [0, 0], score, baseline, limit)
    assert found["score"] == limit
    assert found["share"] == (None if share is None else pytest.approx(share))


def test_the_share_of_a_figure_that_should_be_low() -> None:
    assert compared([2, 2], [1, 1], 1.25, 2.0, 1.0, BITS)["share"] == pytest.approx(0.75)
    assert compared([2, 2], [1, 1], 1.01, 0.99, 1.0, BITS)["share"] is None


def test_the_standard_error_is_that_of_the_paired_differences() -> None:
    rng = np.random.default_rng(5)
    shared = rng.normal(0, 10, 4000)  # what both lose alike does not count
    difference = rng.normal(0.1, 1, 4000)
    found = compared(shared + difference, shared, 0.5, 0.4, 0.6)["loss_difference"]
    assert found["mean"] == pytest.approx(difference.mean())
    assert found["standard_error"] == pytest.approx(difference.std() / np.sqrt(4000), rel=0.1)


def gained(by: float, error: float) -> dict[str, Any]:
    return {"score": 0.95, "share": 1.0, "loss_difference": {"mean": -by, "standard_error": error}}


@pytest.mark.parametrize(("by", "error"), [(-0.2, 0.001), (0.0, 0.0), (0.029, 0.01), (1e-8, 0.0)])
def test_chance_and_rounding_are_no_leak(by: float, error: float) -> None:
    optimum.refuse_a_leak("umich", gained(by, error))


@pytest.mark.parametrize(("by", "error"), [(0.031, 0.01), (0.01, 0.0)])
def test_what_chance_does_not_explain_is_a_leak(by: float, error: float) -> None:
    with pytest.raises(DataError, match=r"^umich: its test loss is 0\.0\d+ below that of the best possible predictor"):
        optimum.refuse_a_leak("umich", gained(by, error))


def test_a_data_set_from_an_unknown_process_has_none() -> None:
    encoded = CASES["sentiment"].encoded()
    assert optimum.best_possible(ACCURACY, encoded) is None
    assert optimum.best_possible(replace(ACCURACY, optimum=None), encoded) is None


def test_the_figures_are_means_over_the_folds() -> None:
    encoded = CASES["sentiment"].encoded()
    folds = encoded.summary["folds"]
    assert folds > 1
    perfect = [CASES["sentiment"].truth(encoded, "test", fold) for fold in range(folds)]

    def told(_: Encoded, fold: int) -> Any:
        return np.roll(perfect[fold], 1, axis=1) if fold == 0 else perfect[fold]

    best = optimum.best_possible(replace(ACCURACY, optimum=told), encoded)
    assert best is not None and len(best.predictions) == folds
    assert best.metrics["accuracy"] == pytest.approx((folds - 1) / folds)
