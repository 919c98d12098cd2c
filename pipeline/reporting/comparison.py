"""Compare two results: which is better, by how much, and whether the difference is more than chance."""

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
    """A difference of two results.

    `difference`: first minus second, in units of `metric`. `low`, `high`: its 95 % interval; None if there is none.
    `basis`: what the interval was computed over. `dm_p`: p of a Diebold–Mariano test, if the task has one; "better"
    then needs both the interval and a p below DM_LEVEL.
    """

    metric: Metric
    difference: float
    low: float | None = None
    high: float | None = None
    basis: str = ""
    dm_p: float | None = None

    @property
    def verdict(self) -> str:
        """Return the verdict on the first result; "" without an interval."""
        if self.low is None or self.high is None:
            return ""
        if self.low <= 0 <= self.high:
            return UNCLEAR
        if (self.low > 0) != bool(self.metric.higher_is_better):
            return WORSE
        return BETTER if self.dm_p is None or self.dm_p < DM_LEVEL else UNCLEAR


Pair = tuple[Experiment, Experiment, Comparison]  # of the first and the second experiment


def against_baseline(result: Result) -> Comparison:
    """Compare an experiment with its best baseline, from the file that evaluate wrote."""
    metric, against = result.metric, result.against
    losses = against.get("loss_difference")
    if losses is None:
        return Comparison(metric, against["score"] - against["baseline_score"])
    compared = of_losses(metric, losses["mean"], losses["low"], losses["high"])
    return replace(compared, dm_p=result.metrics["test"].get("dm_p"))


def of_losses(metric: Metric, mean: float, low: float, high: float) -> Comparison:
    """Return a difference of losses with the sign of its metric. mean, low, high: lower is better."""
    if metric.higher_is_better:
        mean, low, high = -mean, -high, -low
    return Comparison(metric, mean, low, high, "test examples")


def pairs(data: ReportData) -> list[Pair]:
    """Compare every two experiments on the data set."""
    experiments = data.experiments
    losses = [_losses(data, experiment) for experiment in experiments] if len(experiments) > 1 else []

    def interval(ours: Any, theirs: Any) -> tuple[float, float, float]:
        return paired_interval(ours, theirs, data.task.bootstrap_block, DRAWS)

    return [
        (a, b, _by_seeds(data.metric, a, b) or of_losses(data.metric, *interval(losses[i], losses[j])))
        for i, a in enumerate(experiments)
        for j, b in enumerate(experiments)
        if i < j
    ]


def _losses(data: ReportData, experiment: Experiment) -> Any:
    return test_losses(data.task, data.encoded, experiment.metrics["networks"], experiment.predictions)


def _by_seeds(metric: Metric, a: Experiment, b: Experiment) -> Comparison | None:
    """Compare two experiments over the seeds that both have; None if they share fewer than two."""
    ours, theirs = _scores(metric, a), _scores(metric, b)
    seeds = sorted(ours.keys() & theirs.keys())
    if len(seeds) < 2:
        return None
    mean, half = t_interval([ours[s] - theirs[s] for s in seeds])
    return Comparison(metric, mean, mean - half, mean + half, f"{len(seeds)} seeds")


def _scores(metric: Metric, experiment: Experiment) -> dict[int, float]:
    """Return the primary figure of each seed: the mean over its folds."""
    by_seed: dict[int, list[float]] = defaultdict(list)
    for network in experiment.metrics["networks"]:
        if "test" in network:
            by_seed[network["seed"]].append(network["test"][metric.name])
    return {seed: float(np.mean(scores)) for seed, scores in by_seed.items()}


def t_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and half the width of its 95 % interval, by Student's t. values: at least two."""
    from scipy.special import stdtrit  # late: the import takes 0.25 s, and most reports compare no seeds

    quantile = float(stdtrit(len(values) - 1, 0.975))
    return float(np.mean(values)), quantile * float(np.std(values, ddof=1)) / math.sqrt(len(values))
