"""What the numbers of a study say: its arms, their differences, their costs, and one sentence of verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError
from pipeline.evaluation import arms as statistics
from pipeline.evaluation.metric import Metric
from pipeline.studies import verdict

VERSION = 1
COSTS = ("parameters", "seconds", "memory")
COMPLETE = "seeds and examples"  # the basis of a pair that can be called different

Floats = NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True)
class Arm:
    """One combination of settings, trained with each seed.

    `settings`: those that the arm sets. `scores`: [seeds], the primary metric on the test part. `losses`: [seeds, test
    examples], of the same examples in the same order in all arms; their mean is the score, or 1 minus the score if
    higher is better. `parameters`: weights of a network. `seconds`: [seeds] of training. `memory`: [seeds] MB at the
    peak; NaN if unknown.
    """

    name: str
    settings: Mapping[str, Any]
    seeds: tuple[int, ...]
    scores: Floats
    losses: Floats
    parameters: int
    seconds: Floats
    memory: Floats


def answer(metric: Metric, arms: Sequence[Arm], block: int) -> Row:
    """Return what the arms' results say, for a JSON file.

    block: number of neighbouring test examples that are dependent. Raises DataError for an arm without a training, with
    a score or loss that is not finite, or with other test examples than the first arm's.

    - `version`: 1
    - `metric`: `name`, `higher_is_better`
    - `level`: of all intervals
    - `test`: `examples`; `block`; `units`, the number of independent examples or blocks
    - `arms`: a row for each arm, best mean score first
        - `name`, `settings`, `seeds`, `scores` (one of each seed)
        - `mean`, `sd`, `low`, `high`: of the scores over seeds, the interval by Student's t; the last three are null
          with one seed
        - `parameters`; `seconds`, `memory` (MB): means over seeds, null if unknown
        - `pareto`: for each of these three costs, whether no other arm is as good at a lower cost or better at the same
          cost, by the means; null if a cost is unknown
    - `pairs`: each two arms, in the order of `arms`
        - `a`, `b`: names; `seeds`: number of seeds that both have
        - `difference`: score of a minus that of b, over these seeds; `low`, `high`: its interval
        - `p`, `p_holm`: without and with Holm's correction for all pairs
        - `basis`: what interval and p allow for: "seeds and examples", "seeds", "examples", or "" for neither, where
          interval and p are null
        - `different`: whether `p_holm` is below 0.05; null unless the basis is "seeds and examples"
    - `best`: names of the arms that no other is known to be better than, in the order of `arms`
    - `verdict`: one sentence
    """
    _check(arms)
    ordered = sorted(arms, key=lambda arm: metric.cost({metric.name: float(np.mean(arm.scores))}))
    means = {arm.name: statistics.block_means(arm.losses, block) for arm in ordered}
    pairs = [_pair(metric, a, b, means, dependent=block > 1) for a, b in combinations(ordered, 2)]
    _correct(pairs)
    worse = {verdict.sides(metric, pair)[1] for pair in pairs if pair["different"]}
    result: Row = {
        "version": VERSION,
        "metric": {"name": metric.name, "higher_is_better": metric.higher_is_better},
        "level": statistics.LEVEL,
        "test": {"examples": arms[0].losses.shape[1], "block": block, "units": means[ordered[0].name].shape[1]},
        "arms": _arms(metric, ordered),
        "pairs": pairs,
        "best": [arm.name for arm in ordered if arm.name not in worse],
    }
    return {**result, "verdict": verdict.on_arms(metric, result)}


def _check(arms: Sequence[Arm]) -> None:
    if not arms:
        raise DataError("a study without a finished training says nothing")
    for arm in arms:
        if not arm.seeds:
            raise DataError(f"{arm.name}: no training of this arm is finished, so it cannot be compared")
        for seed, score, losses in zip(arm.seeds, arm.scores, arm.losses, strict=True):
            if not (np.isfinite(score) and np.isfinite(losses).all()):
                raise DataError(f"{arm.name}, seed {seed}: its score or a loss is not finite; leave this training out")
        if arm.losses.shape[1] != arms[0].losses.shape[1]:
            ours, theirs = (f"{one.losses.shape[1]} test examples of {one.name}" for one in (arm, arms[0]))
            raise DataError(
                f"{ours}, {theirs}: arms must share the test examples, so vary no setting that changes them"
            )


def _arms(metric: Metric, arms: Sequence[Arm]) -> list[Row]:
    rows = [_arm(arm) for arm in arms]
    for cost in COSTS:
        known = all(row[cost] is not None for row in rows)
        columns = [(metric.cost({metric.name: row["mean"]}), row[cost]) for row in rows]
        front = statistics.pareto(np.array(columns)) if known else [None] * len(rows)
        for row, on_front in zip(rows, front, strict=True):
            row["pareto"][cost] = None if on_front is None else bool(on_front)
    return rows


def _arm(arm: Arm) -> Row:
    interval = statistics.mean_interval(arm.scores)
    return {
        "name": arm.name,
        "settings": dict(arm.settings),
        "seeds": list(arm.seeds),
        "scores": [float(score) for score in arm.scores],
        "mean": interval.mean,
        "sd": interval.sd,
        "low": interval.low,
        "high": interval.high,
        "parameters": int(arm.parameters),
        "seconds": _known(np.mean(arm.seconds)),
        "memory": _known(np.mean(arm.memory)),
        "pareto": {},
    }


def _known(number: Any) -> float | None:
    return float(number) if np.isfinite(number) else None


def _pair(metric: Metric, a: Arm, b: Arm, means: Mapping[str, Floats], *, dependent: bool) -> Row:
    """Compare two arms over the seeds that both have, or over all of both if they share none."""
    shared = [seed for seed in a.seeds if seed in b.seeds]
    if shared:
        ours, theirs = (means[arm.name][[arm.seeds.index(seed) for seed in shared]] for arm in (a, b))
    else:
        ours, theirs = (means[arm.name].mean(axis=0, keepdims=True) for arm in (a, b))
    losses = statistics.without_rounding(ours - theirs, np.stack([ours, theirs]))
    found = statistics.paired(losses[None], dependent=dependent)
    mean, low, high, p = (float(values[0]) for values in (found.mean, found.low, found.high, found.p))
    if metric.higher_is_better:
        mean, low, high = -mean, -high, -low
    return {
        "a": a.name,
        "b": b.name,
        "seeds": len(shared),
        "difference": mean + 0.0,
        "low": _known(low),
        "high": _known(high),
        "p": _known(p),
        "basis": found.basis,
    }


def _correct(pairs: Sequence[Row]) -> None:
    """Add Holm's p and whether the arms are different; pairs without p count as p = 1."""
    corrected = statistics.holm(np.array([1.0 if pair["p"] is None else pair["p"] for pair in pairs]))
    for pair, p in zip(pairs, corrected, strict=True):
        pair["p_holm"] = None if pair["p"] is None else float(p)
        pair["different"] = bool(p < verdict.ALPHA) if pair["basis"] == COMPLETE else None


def ranks(answers: Mapping[str, Row], by: Sequence[str]) -> Row:
    """Return the ranks of the same settings on several data sets, for a JSON file.

    answers: of studies, by data set; by: settings that name an arm, "cell=gru", where the others may differ between
    data sets. Arms that a study lacks are left out. Raises DataError if fewer than two data sets or arms remain.

    - `data_sets`: names
    - `order`: names of the arms, best mean rank first
    - `ranks`: mean rank of each arm, 1 is the best
    - `statistic`, `p`: of Friedman's test that the arms are equal
    - `critical`: difference of two mean ranks above which Nemenyi's test calls the arms different, at level 0.95
    - `cliques`: lists of arms that are not different, best first
    - `verdict`: one sentence
    """
    costs = {name: _costs(row, by) for name, row in answers.items()}
    names = [name for name in next(iter(costs.values()), {}) if all(name in row for row in costs.values())]
    if len(costs) < 2 or len(names) < 2:
        raise DataError("ranks need two data sets or more, and two arms or more that were trained on all of them")
    found = statistics.ranks(np.array([[row[name] for name in names] for row in costs.values()]))
    order = [names[i] for i in np.argsort(found.mean, kind="stable")]
    result: Row = {
        "data_sets": list(costs),
        "order": order,
        "ranks": {name: float(mean) for name, mean in zip(names, found.mean, strict=True)},
        "statistic": found.statistic,
        "p": found.p,
        "critical": found.critical,
        "cliques": [[names[i] for i in clique] for clique in found.cliques],
    }
    return {**result, "verdict": verdict.on_ranks(result)}


def _costs(found: Row, by: Sequence[str]) -> dict[str, float]:
    """Return the mean score of each arm, negated if higher is better."""
    sign = -1.0 if found["metric"]["higher_is_better"] else 1.0
    return {" ".join(f"{key}={row['settings'][key]}" for key in by): sign * row["mean"] for row in found["arms"]}
