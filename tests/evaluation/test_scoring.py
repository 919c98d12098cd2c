"""Figures of an experiment from its predictions, on a made-up task whose figures can be reckoned in the head."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded, network_key
from pipeline.evaluation import scoring
from pipeline.evaluation.metric import Metric
from pipeline.evaluation.task import Intervals, Task
from tests.tasks.case import CASES

# Two folds; validation and test differ, so that a figure of one is never that of the other.
TRUTH = {
    "validation": [np.array([0.0, 0.0]), np.array([10.0, 20.0])],
    "test": [np.array([1.0, 2.0, 3.0]), np.array([5.0, 7.0, 9.0])],
}
NETWORKS = [{"seed": 1, "fold": 0}, {"seed": 1, "fold": 1}, {"seed": 2, "fold": 0}, {"seed": 2, "fold": 1}]
ENCODED = Encoded({}, {}, {}, {"folds": 2})
MAE, HITS = Metric("mae"), Metric("hits", higher_is_better=True)


def score(encoded: Encoded, split: str, predictions: NDArray[Any], fold: int) -> dict[str, float]:
    error = np.abs(predictions - TRUTH[split][fold])
    return {"mae": float(error.mean()), "hits": float(np.mean(error == 0))}


def losses(encoded: Encoded, predictions: NDArray[Any], fold: int) -> NDArray[np.float64]:
    return np.abs(predictions - TRUTH["test"][fold])


TASK: Task = replace(
    CASES["sentiment"].task, metrics=(MAE, HITS), primary_metric=MAE, monitor=HITS, score=score, losses=losses
)


def predictions(off: Mapping[str, list[float]]) -> dict[str, NDArray[Any]]:
    """The truth plus a number for each network, for each split."""
    return {
        network_key(i, split): TRUTH[split][network["fold"]] + off[split][i]
        for i, network in enumerate(NETWORKS)
        for split in off
    }


MADE = predictions({"validation": [1.0, 2.0, 3.0, 4.0], "test": [0.0, 20.0, 10.0, 70.0]})


def test_each_split_has_its_own_figures_the_means_over_the_networks() -> None:
    found = scoring.figures(TASK, ENCODED, NETWORKS, MADE)
    assert found["validation"] == {"mae": 2.5, "hits": 0.0}
    assert found["test"] == {"mae": 25.0, "hits": 0.25}
    rows = [(row["seed"], row["fold"], row["validation"]["mae"], row["test"]["mae"]) for row in found["networks"]]
    assert rows == [(1, 0, 1.0, 0.0), (1, 1, 2.0, 20.0), (2, 0, 3.0, 10.0), (2, 1, 4.0, 70.0)]
    # deviations -25 -5 -15 45: 625 + 25 + 225 + 2025 = 2900, over one less than the networks
    assert found["test_sd"]["mae"] == pytest.approx(math.sqrt(2900 / 3))
    assert "interval_level" not in found


def test_a_single_network_has_no_deviation() -> None:
    found = scoring.figures(TASK, ENCODED, NETWORKS[:1], MADE)
    assert found == {"validation": {"mae": 1.0, "hits": 0.0}, "test": {"mae": 0.0, "hits": 1.0}}


def test_intervals_come_from_the_validation_and_are_tried_on_the_test_of_the_same_network() -> None:
    seen: list[tuple[float, float, int]] = []

    def coverage(encoded: Encoded, validation: NDArray[Any], test: NDArray[Any], fold: int) -> dict[str, float]:
        seen.append((validation[0] - TRUTH["validation"][fold][0], test[0] - TRUTH["test"][fold][0], fold))
        return {"coverage": len(seen) / 4}

    task = replace(TASK, intervals=Intervals(lambda *_: {}, coverage))
    found = scoring.figures(task, ENCODED, NETWORKS, MADE)
    assert seen == [(1.0, 0.0, 0), (2.0, 20.0, 1), (3.0, 10.0, 0), (4.0, 70.0, 1)]
    assert found["test"]["coverage"] == (0.25 + 0.5 + 0.75 + 1.0) / 4
    assert "coverage" not in found["validation"] and found["interval_level"] == 0.9


def test_figures_of_all_folds_get_the_test_predictions_of_each() -> None:
    def origins(encoded: Encoded, tested: Any) -> dict[str, float]:
        assert [fold for fold, _ in tested] == [0, 1, 0, 1]
        return {"sum": float(sum(made[0] - TRUTH["test"][fold][0] for fold, made in tested))}

    found = scoring.figures(replace(TASK, score_origins=origins), ENCODED, NETWORKS, MADE)
    assert found["test"]["sum"] == 100.0 and "sum" not in found["validation"]


def test_a_free_run_is_scored_for_the_network_that_made_it() -> None:
    task = replace(TASK, further_scores={"free_run": lambda encoded, run: {"free": float(run[0])}})
    runs = {network_key(i, "free_run"): np.array([float(i)]) for i in range(len(NETWORKS))}
    found = scoring.figures(task, ENCODED, NETWORKS, MADE | runs)
    assert [row["test"]["free"] for row in found["networks"]] == [0.0, 1.0, 2.0, 3.0]
    assert "free" not in scoring.figures(task, ENCODED, NETWORKS, MADE)["test"]


def test_the_losses_are_means_over_repeats_in_the_order_of_the_folds() -> None:
    turned = [NETWORKS[i] for i in (3, 0, 1, 2)]
    made = {network_key(j, split): MADE[network_key(i, split)] for j, i in enumerate((3, 0, 1, 2)) for split in TRUTH}
    for networks, stored in ((NETWORKS, MADE), (turned, made)):
        assert scoring.test_losses(TASK, ENCODED, networks, stored).tolist() == [5.0] * 3 + [45.0] * 3


def rival(offs: tuple[float, float]) -> dict[str, NDArray[Any]]:
    return {network_key("rival", fold): TRUTH["test"][fold] + off for fold, off in enumerate(offs)}


BASELINES = {
    # The rival is best by the primary metric, and worst by the other figure.
    "lucky": {"mae": 9.0, "hits": 0.9},
    "rival": {"mae": 4.0, "hits": 0.1},
    "other": {"mae": 6.0, "hits": 0.5},
    "without": {"mae": 0.5, "hits": 1.0},
}


def test_the_best_baseline_is_that_of_the_primary_metric() -> None:
    ours = np.array([1.0, 1.0, 1.0, 4.0, 4.0, 4.0])
    found = scoring.against_baselines(TASK, ENCODED, {"mae": 2.5, "hits": 0.2}, ours, BASELINES, rival((3.0, 5.0)))
    assert (found["metric"], found["score"], found["baseline"], found["baseline_score"]) == ("mae", 2.5, "rival", 4.0)
    assert found["skill"] == 1 - 2.5 / 4.0
    # ours less theirs: -2 three times, -1 three times
    difference = found["loss_difference"]
    assert difference["mean"] == -1.5 and difference["level"] == 0.95
    assert -2.0 <= difference["low"] < -1.5 < difference["high"] <= -1.0
    assert "mcnemar" not in found, "losses other than 0 and 1"


def test_the_best_baseline_of_a_figure_that_should_be_high() -> None:
    task = replace(TASK, primary_metric=HITS)
    both = {network_key(name, fold): TRUTH["test"][fold] for name in ("lucky", "other") for fold in range(2)}
    found = scoring.against_baselines(task, ENCODED, {"hits": 0.95}, np.zeros(6), BASELINES, both)
    assert (found["baseline"], found["baseline_score"]) == ("lucky", 0.9), "the one without predictions does not count"
    assert found["skill"] == pytest.approx(0.5)


def test_mcnemar_is_for_independent_examples_that_are_right_or_wrong() -> None:
    ours = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0])
    theirs = rival((1.0, 0.0))  # wrong three times, then right three times
    for block, expected in ((1, {"only_ours_right": 3, "only_baseline_right": 1, "p": 0.625}), (2, None)):
        task = replace(TASK, bootstrap_block=block)
        found = scoring.against_baselines(task, ENCODED, {"mae": 0.1}, ours, BASELINES, theirs)
        assert found.get("mcnemar") == expected  # p: 2 × (1 + 4) / 2⁴


def test_neighbours_that_depend_on_each_other_widen_the_interval() -> None:
    rng = np.random.default_rng(3)
    waves = np.repeat(rng.normal(size=20), 30)
    truth = [np.zeros(300), np.zeros(300)]
    widths = {}
    for block in (1, 30):
        task = replace(TASK, bootstrap_block=block, losses=lambda encoded, made, fold: np.abs(made - truth[fold]))
        theirs = {network_key("rival", fold): np.zeros(300) for fold in (0, 1)}
        found = scoring.against_baselines(task, ENCODED, {"mae": 1.0}, waves, BASELINES, theirs)["loss_difference"]
        widths[block] = found["high"] - found["low"]
    assert widths[30] > 3 * widths[1]  # about the root of 30 as wide


def test_the_columns_of_dvc_are_those_figures() -> None:
    metrics = {
        "against_baseline": {"metric": "mae", "score": 2.5, "baseline_score": 4.0, "skill": None},
        "against_optimum": {"share": 0.25},
        "parameters": 12, "train_seconds": 3.5,
    }  # fmt: skip
    assert scoring.columns(metrics) == {
        "measure": "mae", "score": 2.5, "baseline": 4.0, "optimum_share": 0.25, "parameters": 12, "seconds": 3.5,
    }  # fmt: skip
