"""Which of two is better, by how much, and whether that is more than chance."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.evaluation.metric import Metric
from pipeline.evaluation.scoring import test_losses
from pipeline.evaluation.statistics import paired_interval
from pipeline.reporting.report_data import Experiment, ReportData, Result

DRAWS = 1_000
DM_LEVEL = 0.01
BETTER, WORSE, UNCLEAR = "better", "not better", "no clear difference"


@dataclass(frozen=True)
class Comparison:
    """`difference`: first minus second in units of `metric`, with its 95 % interval where there is one.

    basis: what the interval comes from; dm_p: of a Diebold–Mariano test, where the task makes one: then "better" needs
    both the interval and a p below DM_LEVEL.
    """

    metric: Metric
    difference: float
    low: float | None = None
    high: float | None = None
    basis: str = ""
    dm_p: float | None = None

    @property
    def verdict(self) -> str:
        """Of the first; "" without an interval: then there are only numbers."""
        if self.low is None or self.high is None:
            return ""
        if self.low <= 0 <= self.high:
            return UNCLEAR
        if (self.low > 0) != bool(self.metric.higher_is_better):
            return WORSE
        return BETTER if self.dm_p is None or self.dm_p < DM_LEVEL else UNCLEAR


Pair = tuple[Experiment, Experiment, Comparison]  # of the first and the second experiment


def against_baseline(result: Result) -> Comparison:
    """An experiment and its best baseline, from the file that evaluate wrote."""
    metric, against = result.metric, result.against
    found = against.get("loss_difference")
    if found is None:
        return Comparison(metric, against["score"] - against["baseline_score"])
    compared = of_losses(metric, found["mean"], found["low"], found["high"])
    return replace(compared, dm_p=result.metrics["test"].get("dm_p"))


def of_losses(metric: Metric, mean: float, low: float, high: float) -> Comparison:
    """A difference of losses (lower is better) turned the way its metric points."""
    if metric.higher_is_better:
        mean, low, high = -mean, -high, -low
    return Comparison(metric, mean, low, high, "test examples")


def pairs(data: ReportData) -> list[Pair]:
    """Compare every two experiments on the data set."""
    rows = data.experiments
    losses = [_losses(data, row) for row in rows] if len(rows) > 1 else []

    def interval(ours: Any, theirs: Any) -> tuple[float, float, float]:
        return paired_interval(ours, theirs, data.task.bootstrap_block, DRAWS)

    return [
        (a, b, _by_seeds(data.metric, a, b) or of_losses(data.metric, *interval(losses[i], losses[j])))
        for i, a in enumerate(rows)
        for j, b in enumerate(rows)
        if i < j
    ]


def _losses(data: ReportData, row: Experiment) -> Any:
    return test_losses(data.task, data.encoded, row.metrics["members"], row.predictions)


def _by_seeds(metric: Metric, a: Experiment, b: Experiment) -> Comparison | None:
    """Of two experiments that were repeated with the same seeds; None where there are not two such seeds."""
    ours, theirs = _scores(metric, a), _scores(metric, b)
    seeds = sorted(ours.keys() & theirs.keys())
    if len(seeds) < 2:
        return None
    mean, half = t_interval([ours[s] - theirs[s] for s in seeds])
    return Comparison(metric, mean, mean - half, mean + half, f"{len(seeds)} seeds")


def _scores(metric: Metric, row: Experiment) -> dict[int, float]:
    """The headline figure of each seed, over its folds."""
    by_seed: dict[int, list[float]] = defaultdict(list)
    for member in row.metrics["members"]:
        if "test" in member:
            by_seed[member["seed"]].append(member["test"][metric.name])
    return {seed: float(np.mean(scores)) for seed, scores in by_seed.items()}


def t_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and half the width of its 95 % interval, by Student's t; at least two values."""
    from scipy.special import stdtrit  # late: the import takes 0.25 s, and most reports compare no seeds

    quantile = float(stdtrit(len(values) - 1, 0.975))
    return float(np.mean(values)), quantile * float(np.std(values, ddof=1)) / math.sqrt(len(values))
