"""Figures of a trained experiment for reports/metrics/<dataset>/<experiment>.json, from its predictions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded, network_key
from pipeline.evaluation.statistics import LEVEL, mcnemar, paired_interval
from pipeline.evaluation.task import Task

Figures = dict[str, float]
Predictions = Mapping[str, NDArray[Any]]


def figures(task: Task, encoded: Encoded, networks: Sequence[Mapping[str, Any]], predictions: Predictions) -> Any:
    """Return validation and test figures: means over the networks, and with several, each one's own and their sd.

    networks: seed and fold of each network; predictions: arrays by network_key.
    """
    rows = [
        {
            "seed": network["seed"],
            "fold": network["fold"],
            **{
                split: task.score(encoded, split, predictions[network_key(i, split)], network["fold"])
                for split in ("validation", "test")
            },
        }
        for i, network in enumerate(networks)
    ]
    for i, row in enumerate(rows):
        for name, further in task.further_scores.items():
            if network_key(i, name) in predictions:
                row["test"] |= further(encoded, predictions[network_key(i, name)])
        if task.intervals is not None:
            validation, test = (predictions[network_key(i, split)] for split in ("validation", "test"))
            row["test"] |= task.intervals.coverage(encoded, validation, test, row["fold"])
    result: dict[str, Any] = {split: _mean([row[split] for row in rows]) for split in ("validation", "test")}
    if task.score_origins is not None:
        tested = [(m["fold"], predictions[network_key(i, "test")]) for i, m in enumerate(networks)]
        result["test"] |= task.score_origins(encoded, tested)
    if task.intervals is not None:
        result["interval_level"] = LEVEL
    if len(rows) > 1:
        result["networks"] = rows
        result["test_sd"] = {m: float(np.std([row["test"][m] for row in rows], ddof=1)) for m in rows[0]["test"]}
    return result


def _mean(rows: Sequence[Figures]) -> Figures:
    return {metric: float(np.mean([row[metric] for row in rows])) for metric in rows[0]}


def columns(metrics: Mapping[str, Any]) -> dict[str, str | float]:
    """Return the columns of `dvc metrics` and `dvc exp show`, those without a value left out.

    metrics: of reports/metrics/<dataset>/<experiment>.json. There is no skill against a baseline without errors, and no
    share of the way to the optimum on data from an unknown process.
    """
    against, optimum = metrics["against_baseline"], metrics.get("against_optimum", {})
    values = {
        "measure": against["metric"],
        "score": against["score"],
        "baseline": against["baseline_score"],
        "skill": against["skill"],
        "optimum_share": optimum.get("share"),
        "parameters": metrics["parameters"],
        "seconds": metrics["train_seconds"],
    }
    return {name: value for name, value in values.items() if value is not None}


def test_losses(
    task: Task, encoded: Encoded, networks: Sequence[Mapping[str, Any]], predictions: Predictions
) -> NDArray[np.float64]:
    """Return float64 [test examples]: the losses of all folds in order, each the mean over its repeats."""
    by_fold: dict[int, list[NDArray[Any]]] = {}
    for i, network in enumerate(networks):
        loss = task.losses(encoded, predictions[network_key(i, "test")], network["fold"])
        by_fold.setdefault(network["fold"], []).append(loss)
    return np.concatenate([np.mean(by_fold[fold], axis=0) for fold in sorted(by_fold)])


def baseline_losses(task: Task, encoded: Encoded, name: str, predictions: Predictions) -> NDArray[np.float64]:
    """Return float64 [test examples]: as test_losses, for the baseline `name`."""
    folds = range(encoded.summary.get("folds", 1))
    return np.concatenate([task.losses(encoded, predictions[network_key(name, fold)], fold) for fold in folds])


def against_baselines(
    task: Task,
    encoded: Encoded,
    test: Figures,
    losses: NDArray[Any],
    baselines: Mapping[str, Figures],
    rival: Predictions,
) -> dict[str, Any]:
    """Compare an experiment with the best baseline by the primary metric, of those that make predictions.

    The result has both scores and the skill; the paired interval of the loss difference; and for independent examples
    that are right or wrong, McNemar's test.

    losses: float64 [test examples] of the experiment, from test_losses; rival: the baselines' predictions.
    """
    metric = task.primary_metric
    rated = {name: b[metric.name] for name, b in baselines.items() if network_key(name, 0) in rival}
    best = min(rated, key=lambda name: metric.cost(baselines[name]))
    comparison: dict[str, Any] = {
        "metric": metric.name,
        "score": test[metric.name],
        "baseline": best,
        "baseline_score": rated[best],
        "skill": metric.skill(test[metric.name], rated[best]),
    }
    theirs = baseline_losses(task, encoded, best, rival)
    difference, low, high = paired_interval(losses, theirs, task.bootstrap_block)
    comparison["loss_difference"] = {"mean": difference, "low": low, "high": high, "level": 0.95}
    test_of_pairs = mcnemar(losses, theirs) if task.bootstrap_block == 1 else None
    if test_of_pairs is not None:
        comparison["mcnemar"] = test_of_pairs
    return comparison
