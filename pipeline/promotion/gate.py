"""The gate that a new model passes before it takes the champion's place: a floor, and a fair test on the same rows.

Only the network that would answer is judged, not the mean over its repeats. What it did not clearly win it has not won:
the champion stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.evaluation.metric import Metric
from pipeline.evaluation.raw_rows import Ids
from pipeline.evaluation.statistics import diebold_mariano, mcnemar, paired_interval
from pipeline.evaluation.task import Comparison

Outcome = Literal["better", "not better", "inconclusive"]
Floats = NDArray[np.float64]
LEVEL = 0.95
MIN_UNITS = 30  # sentences, blocks of text, images … that both were tested on; with fewer no test says anything
DRAWS = 2_000


@dataclass(frozen=True)
class Evidence:
    """Test losses float64 [n] of one network, and uint64 [n] which raw example each belongs to (pipeline.identity)."""

    rows: Ids
    losses: Floats


@dataclass(frozen=True)
class Verdict:
    """The outcome, a sentence that gives the reason, and the figures behind it (JSON-able)."""

    outcome: Outcome
    reason: str
    figures: dict[str, Any] = field(default_factory=dict)


def floor(metric: Metric, metrics: Mapping[str, Any], evidence: Evidence, margin: float) -> Verdict | None:
    """None if the candidate may compete; else why not: a figure that is not finite, or a naive baseline that is
    better by more than `margin`, a share of the baseline's score."""
    against = metrics["against_baseline"]
    name, ours, theirs = against["metric"], against["score"], against["baseline_score"]
    figures = {"metric": name, "score": ours, "baseline": against["baseline"], "baseline_score": theirs}
    if not (np.isfinite(ours) and len(evidence.losses) and np.isfinite(evidence.losses).all()):
        return Verdict("not better", f"its test {name} or one of its losses is not a finite number", figures)
    if metric.cost({name: ours}) > metric.cost({name: theirs}) + margin * abs(theirs):
        return Verdict(
            "not better",
            f"below the floor: test {name} {ours:.4g}, and {against['baseline']} has {theirs:.4g}"
            f" (it may be {margin:.0%} worse)",
            figures,
        )
    return None


def compare(method: Comparison, ours: Evidence, theirs: Evidence, block: int, horizon: int = 1) -> Verdict:
    """The candidate against the champion on the test rows of both.

    McNemar for independent examples that are right or wrong, a bootstrap of whole sentences for tags, Diebold–Mariano
    for forecasts (`horizon` steps ahead), a bootstrap of blocks of `block` neighbouring characters for text.
    """
    a, b, weights = shared(ours, theirs)
    figures: dict[str, Any] = {
        "method": method,
        "rows": {"candidate": len(ours.rows), "champion": len(theirs.rows), "shared": int(weights.sum())},
    }
    units = len(a) // block if method.endswith("blocks") else len(a)
    if units < MIN_UNITS:
        return Verdict(
            "inconclusive",
            f"the two were tested on other rows: {int(weights.sum())} of the candidate’s {len(ours.rows)} are the"
            f" champion’s too, and fewer than {MIN_UNITS} units tell nothing",
            figures,
        )
    figures |= {"candidate_loss": float(a.sum() / weights.sum()), "champion_loss": float(b.sum() / weights.sum())}
    if np.array_equal(a, b):
        return Verdict("not better", "it answers every shared test row exactly as well as the champion", figures)
    if method == "McNemar":
        return _judged(figures | _mcnemar(a, b))
    if method == "Diebold–Mariano":
        return _judged(figures | _diebold_mariano(a, b, block, horizon))
    low, high = _sentences(a - b, weights) if method.endswith("sentences") else paired_interval(a, b, block)[1:]
    return _judged(figures | _interval(a, b, weights, low, high))


def shared(ours: Evidence, theirs: Evidence) -> tuple[Floats, Floats, Floats]:
    """(candidate's losses, champion's losses, how many losses each sums up), float64 [units] each, in the candidate's
    order. Neighbouring losses of one row (the words of a sentence) are one unit; what only one was tested on, and what
    stands several times in tests that differ, is left out but for the first."""
    first, second = _units(ours), _units(theirs)
    if not np.array_equal(first[0], second[0]):
        _, i, j = np.intersect1d(first[0], second[0], return_indices=True)
        order = np.argsort(i)
        first, second = tuple(x[i[order]] for x in first), tuple(x[j[order]] for x in second)
    return first[1], second[1], first[2]


def _units(evidence: Evidence) -> tuple[Any, ...]:
    """(rows, sums of their losses, how many those are), each [units]."""
    rows, count = evidence.rows, len(evidence.rows)
    if not count:
        return rows, np.zeros(0), np.zeros(0)
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    return rows[starts], np.add.reduceat(evidence.losses, starts), np.diff(np.r_[starts, count]).astype(np.float64)


def _mcnemar(a: Floats, b: Floats) -> dict[str, Any]:
    found = mcnemar(a, b)
    assert found is not None
    return {
        "only_candidate_right": int(found["only_ours_right"]),
        "only_champion_right": int(found["only_baseline_right"]),
        "difference": float(np.mean(a - b)),
        "p": found["p"],
    }


def _diebold_mariano(a: Floats, b: Floats, block: int, horizon: int) -> dict[str, Any]:
    """p is two-sided, as that of McNemar."""
    statistic, better = diebold_mariano(a, b, horizon)
    difference, low, high = paired_interval(a, b, block)
    p = min(1.0, 2 * min(better, 1 - better))
    return {"difference": difference, "low": low, "high": high, "statistic": statistic, "p": p}


def _sentences(difference: Floats, weights: Floats) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    drawn = (rng.integers(len(difference), size=len(difference)) for _ in range(DRAWS))
    means = [difference[units].sum() / weights[units].sum() for units in drawn]
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _interval(a: Floats, b: Floats, weights: Floats, low: float, high: float) -> dict[str, Any]:
    return {"difference": float((a - b).sum() / weights.sum()), "low": low, "high": high}


def _judged(figures: dict[str, Any]) -> Verdict:
    difference = figures["difference"]
    if "p" in figures:
        clear, shown = figures["p"] < 1 - LEVEL, f"p {figures['p']:.2g}"
    else:
        clear = figures["low"] > 0 or figures["high"] < 0
        shown = f"{LEVEL:.0%} interval {figures['low']:+.4g} to {figures['high']:+.4g}"
    said = f"{figures['method']} on {figures['rows']['shared']} shared test rows: loss {difference:+.4g}, {shown}"
    if not clear:
        return Verdict("inconclusive", f"no clear difference: {said}", figures)
    return Verdict("better" if difference < 0 else "not better", said, figures)
