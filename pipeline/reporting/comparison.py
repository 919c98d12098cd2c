"""Which of two is better, by how much, and whether that is more than chance."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.evaluation.metric import HIGHER_IS_BETTER
from pipeline.evaluation.scoring import test_losses
from pipeline.evaluation.statistics import paired_interval
from pipeline.reporting.report_data import Experiment, Material
from pipeline.tasks import load_task

DRAWS = 1_000
DM_LEVEL = 0.01
BETTER, WORSE, UNCLEAR = "better", "not better", "no clear difference"


@dataclass(frozen=True)
class Comparison:
    """`difference`: first minus second in units of `metric`, with its 95 % interval where there is one.

    basis: what the interval comes from; dm_p: of a Diebold–Mariano test, where the task makes one: then "better" needs
    both the interval and a p below DM_LEVEL.
    """

    metric: str
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
        if (self.low > 0) != (self.metric in HIGHER_IS_BETTER):
            return WORSE
        return BETTER if self.dm_p is None or self.dm_p < DM_LEVEL else UNCLEAR


def against_baseline(metrics: Mapping[str, Any]) -> Comparison:
    """An experiment and its best baseline, from the file that evaluate wrote."""
    against = metrics["against_baseline"]
    found = against.get("loss_difference")
    if found is None:
        return Comparison(against["metric"], against["score"] - against["baseline_score"])
    compared = of_losses(against["metric"], found["mean"], found["low"], found["high"])
    return replace(compared, dm_p=metrics["test"].get("dm_p"))


def of_losses(metric: str, mean: float, low: float, high: float) -> Comparison:
    """A difference of losses (lower is better) turned the way its metric points."""
    if metric in HIGHER_IS_BETTER:
        mean, low, high = -mean, -high, -low
    return Comparison(metric, mean, low, high, "test examples")


def pairs(material: Material) -> list[tuple[Experiment, Experiment, Comparison]]:
    """Every two experiments on the data set."""
    rows = material.experiments
    losses = [_losses(material, row) for row in rows] if len(rows) > 1 else []
    return [
        (a, b, _by_seeds(a, b) or of_losses(a.headline, *paired_interval(losses[i], losses[j], _block(a), DRAWS)))
        for i, a in enumerate(rows)
        for j, b in enumerate(rows)
        if i < j
    ]


def _losses(material: Material, row: Experiment) -> Any:
    return test_losses(load_task(row.task), material.encoded, row.metrics["members"], row.predictions)


def _block(row: Experiment) -> int:
    return load_task(row.task).BLOCK


def _by_seeds(a: Experiment, b: Experiment) -> Comparison | None:
    """Of two experiments that were repeated with the same seeds; None where there are not two such seeds."""
    ours, theirs = _scores(a), _scores(b)
    seeds = sorted(ours.keys() & theirs.keys())
    if len(seeds) < 2:
        return None
    mean, half = t_interval([ours[s] - theirs[s] for s in seeds])
    return Comparison(a.headline, mean, mean - half, mean + half, f"{len(seeds)} seeds")


def _scores(row: Experiment) -> dict[int, float]:
    """The headline figure of each seed, over its folds."""
    by_seed: dict[int, list[float]] = defaultdict(list)
    for member in row.metrics["members"]:
        if "test" in member:
            by_seed[member["seed"]].append(member["test"][row.headline])
    return {seed: float(np.mean(scores)) for seed, scores in by_seed.items()}


def t_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and half the width of its 95 % interval, by Student's t; at least two values."""
    from scipy.special import stdtrit  # late: the import takes 0.25 s, and most reports compare no seeds

    quantile = float(stdtrit(len(values) - 1, 0.975))
    return float(np.mean(values)), quantile * float(np.std(values, ddof=1)) / math.sqrt(len(values))
