"""The best possible score on data from a known process: nobody beats it by more than chance."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.encoding.records import Encoded
from pipeline.errors import DataError
from pipeline.evaluation.metric import Baseline
from pipeline.evaluation.statistics import paired_interval
from pipeline.evaluation.task import Task

NAME = "optimum"
STANDARD_ERRORS = 3.0  # a network may beat the optimum by this much on a finite test
IN_95_PERCENT = 1.959964  # half of the 95 % interval of a normal distribution, in standard errors
ROUNDING = 1e-7  # networks compute in float32


def best_possible(task: Task, encoded: Encoded) -> Baseline | None:
    """Return the test figures and predictions of the best possible predictor, None for data from an unknown process."""
    folds = range(encoded.summary.get("folds", 1))
    predictions = [] if task.optimum is None else [task.optimum(encoded, fold) for fold in folds]
    known = [p for p in predictions if p is not None]
    if not known:
        return None
    scores = [task.score(encoded, "test", p, fold) for fold, p in enumerate(known)]
    return Baseline({name: float(np.mean([s[name] for s in scores])) for name in scores[0]}, known)


def against_optimum(
    task: Task, ours: NDArray[Any], best: NDArray[Any], against: Mapping[str, Any], optimum: Mapping[str, float]
) -> dict[str, Any]:
    """Compare an experiment with the best possible predictor.

    ours, best: float64 [test examples], their losses; against: the comparison with the best baseline; optimum: the
    figures of the best possible predictor. The result has its score, the `share` of the way from the best baseline to
    it (1 is the optimum; None where the baseline is at the optimum, or better by chance), and the difference of the
    losses with its standard error.
    """
    metric = task.primary_metric
    score, baseline, limit = against["score"], against["baseline_score"], optimum[metric.name]
    start, here, end = (metric.cost({metric.name: value}) for value in (baseline, score, limit))
    difference, low, high = paired_interval(ours, best, task.bootstrap_block)
    return {
        "score": limit,
        "share": (start - here) / (start - end) if start - end > ROUNDING else None,
        "loss_difference": {"mean": difference, "standard_error": (high - low) / 2 / IN_95_PERCENT},
    }


def refuse_a_leak(experiment: str, comparison: Mapping[str, Any]) -> None:
    """Raise DataError if the experiment is better than the best possible predictor by more than chance."""
    difference = comparison["loss_difference"]
    allowed = STANDARD_ERRORS * difference["standard_error"] + ROUNDING * (1.0 + abs(comparison["score"]))
    if -difference["mean"] > allowed:
        raise DataError(
            f"{experiment}: its test loss is {-difference['mean']:.4g} below that of the best possible predictor, and"
            f" chance explains {allowed:.2g}: something of the test reaches the network. Look for a label or a future"
            " value among the inputs, and for what was fitted on the test part"
        )
