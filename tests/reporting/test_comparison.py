"""Verdicts: whose side an interval is on, and what it comes from."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipeline.artifacts import Project
from pipeline.evaluation.metric import Metric
from pipeline.reporting import comparison
from pipeline.reporting.comparison import (
    BETTER,
    UNCLEAR,
    WORSE,
    Comparison,
    against_baseline,
    of_losses,
    pairs,
    t_interval,
)
from pipeline.reporting.report_data import Result
from pipeline.reporting.tables import interval, mcnemar, scores
from pipeline.tasks import TASKS

from .conftest import data_of

ACCURACY = TASKS["sentiment"].primary_metric
BITS = TASKS["char_lm"].primary_metric
MASE = TASKS["forecasting"].primary_metric
FIGURES = (ACCURACY.name, BITS.name, MASE.name)


@pytest.mark.parametrize(
    ("metric", "low", "high", "verdict"),
    [
        (ACCURACY, 0.01, 0.02, BETTER),
        (ACCURACY, -0.02, -0.01, WORSE),
        (BITS, -0.2, -0.1, BETTER),
        (BITS, 0.1, 0.2, WORSE),
        (MASE, -0.1, 0.2, UNCLEAR),
        (MASE, 0.0, 0.2, UNCLEAR),
    ],
)
def test_the_verdict_follows_the_interval(metric: Metric, low: float, high: float, verdict: str) -> None:
    assert Comparison(metric, (low + high) / 2, low, high).verdict == verdict


@pytest.mark.parametrize(
    ("dm_p", "low", "high", "verdict"),
    [
        (0.009, -0.2, -0.1, BETTER),
        (0.01, -0.2, -0.1, UNCLEAR),
        (0.4, -0.2, -0.1, UNCLEAR),
        (0.4, 0.1, 0.2, WORSE),
        (0.001, 0.1, 0.2, WORSE),
        (0.001, -0.1, 0.2, UNCLEAR),
    ],
)
def test_better_than_no_change_needs_the_diebold_mariano_test_too(
    dm_p: float, low: float, high: float, verdict: str
) -> None:
    interval = {"mean": (low + high) / 2, "low": low, "high": high}
    against = {"metric": "theil_u", "score": 0.9, "baseline_score": 1.0, "loss_difference": interval}
    task = TASKS["returns"]
    assert against_baseline(Result({"against_baseline": against, "test": {"dm_p": dm_p}}, task)).verdict == verdict
    assert against_baseline(Result({"against_baseline": against, "test": {}}, task)).dm_p is None


def test_without_an_interval_there_are_only_numbers() -> None:
    metrics = {"against_baseline": {"metric": "bits_per_char", "score": 2.0, "baseline_score": 2.5}}
    found = against_baseline(Result(metrics, TASKS["char_lm"]))
    assert found.verdict == ""
    assert interval(found) == "−0.50 bits per character"


def test_losses_are_turned_the_way_the_metric_points() -> None:
    turned = of_losses(ACCURACY, -0.028, -0.05, -0.008)
    assert (turned.difference, turned.low, turned.high) == (0.028, 0.008, 0.05)
    assert turned.verdict == BETTER
    assert interval(turned).replace("\N{NO-BREAK SPACE}", " ") == "+2.8 points [+0.8, +5.0]"
    assert of_losses(MASE, -0.1, -0.2, -0.05).verdict == BETTER


def test_repeated_experiments_are_compared_over_their_seeds(finished: Project) -> None:
    ((a, b, found),) = pairs(data_of(finished, "electricity"))
    assert found.basis == "3 seeds"
    scores = [[m["test"][MASE.name] for m in row.metrics["networks"]] for row in (a, b)]
    differences = np.subtract(*scores)
    half = 4.302652729749462 * differences.std(ddof=1) / math.sqrt(3)
    assert found.difference == pytest.approx(differences.mean())
    assert (found.low, found.high) == pytest.approx((differences.mean() - half, differences.mean() + half))


def test_single_trainings_are_compared_over_the_test_examples(finished: Project) -> None:
    ((a, b, found),) = pairs(data_of(finished, "digits"))
    assert found.basis == "test examples"
    ours, theirs = (row.metrics["test"]["top1_accuracy"] for row in (a, b))
    assert found.difference == pytest.approx(ours - theirs)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.difference <= found.high


def repeated(name: str, scores: dict[int, list[float]]) -> Any:
    """An experiment with the primary figure of each fold of each seed."""
    rows = [
        {"seed": s, "fold": f, "test": dict.fromkeys(FIGURES, v)}
        for s, folds in scores.items()
        for f, v in enumerate(folds)
    ]
    return SimpleNamespace(name=name, metrics={"networks": rows}, predictions={})


def compared(task: str, *experiments: Any) -> Comparison:
    data: Any = SimpleNamespace(experiments=experiments, task=TASKS[task], metric=TASKS[task].primary_metric)
    ((_, _, found),) = pairs(data)
    return found


def test_only_the_seeds_that_both_have_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "_losses", lambda *_: np.zeros(50))
    one = repeated("one", {1: [0.0, 0.0], 2: [1.0, 3.0], 3: [4.0, 4.0], 4: [5.0, 7.0]})
    two = repeated("two", {2: [1.0, 1.0], 3: [2.0, 2.0], 4: [1.0, 3.0], 9: [50.0, 50.0]})
    found = compared("forecasting", one, two)
    # differences of the seeds 2, 3, 4, each the mean of its folds: 1, 2, 4
    assert found.basis == "3 seeds" and found.difference == pytest.approx(7 / 3)
    half = 4.302652730 * math.sqrt(((1 - 7 / 3) ** 2 + (2 - 7 / 3) ** 2 + (4 - 7 / 3) ** 2) / 2) / math.sqrt(3)
    assert (found.low, found.high) == pytest.approx((7 / 3 - half, 7 / 3 + half))
    assert compared("forecasting", one, repeated("three", {2: [0.0], 7: [0.0]})).basis == "test examples"


@pytest.mark.parametrize(("task", "sign"), [("char_lm", 1), ("sentiment", -1)])
def test_test_examples_are_compared_by_blocks_the_first_less_the_second(
    task: str, sign: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bits of neighbouring characters depend on each other, opinions do not: the same losses, another interval."""
    block = {"char_lm": 200, "sentiment": 1}[task]
    losses = {"one": 0.3 + np.repeat(np.random.default_rng(0).normal(size=40), 200), "two": np.zeros(8_000)}
    monkeypatch.setattr(comparison, "_losses", lambda data, experiment: losses[experiment.name])
    found = compared(task, repeated("one", {1: [0.0]}), repeated("two", {1: [0.0]}))
    mean, sd = losses["one"].mean(), losses["one"].std()
    assert found.difference == pytest.approx(sign * mean)
    assert found.low is not None and found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * sd / math.sqrt(8_000 / block), rel=0.3)


def test_an_experiment_alone_has_no_pair(finished: Project) -> None:
    assert pairs(data_of(finished, "umich")) == []


@pytest.mark.parametrize(
    ("n", "quantile"),
    [
        (2, 12.706204736),  # tan(.475 π)
        (3, 4.302652730),  # .95 √2 / √(1 - .95²)
        (4, 3.182446305),
        (18, 2.109815578),  # between the rows of a printed table
        (501, 1.964719837),
    ],
)
def test_t_interval_uses_the_exact_quantile(n: int, quantile: float) -> None:
    values = [float(v) for v in range(n)]
    mean, half = t_interval(values)
    assert mean == pytest.approx((n - 1) / 2)
    assert half == pytest.approx(quantile * np.std(values, ddof=1) / math.sqrt(n), rel=1e-9)


@pytest.mark.parametrize(("p", "words"), [(0.034, "p = 0.0340"), (0.00012, "p = 0.0001"), (1e-30, "p < 0.0001")])
def test_mcnemar_is_told_as_a_sentence(p: float, words: str) -> None:
    found = {"only_ours_right": 1234, "only_baseline_right": 1000, "p": p}
    metrics = {"experiment": "imdb", "against_baseline": {"baseline": "NB-SVM", "mcnemar": found}}
    told = f"Only imdb is right on 1,234 test examples, only NB-SVM on 1,000; McNemar's {words}."
    assert mcnemar(metrics) == told
    assert mcnemar({"against_baseline": {"baseline": "last value"}}) == ""


def test_mcnemar_stands_below_the_scores_where_it_was_made(finished: Project) -> None:
    captions = {name: scores(data_of(finished, name))[0].caption for name in ("umich", "digits", "treebank")}
    assert captions["umich"].startswith("± is the standard deviation over networks (umich: 3 folds). Only umich is ")
    assert captions["digits"].count("McNemar's p") == 2
    assert captions["treebank"] == ""
