"""Judge whether a new model may replace the champion: by a floor, and by a paired test on the same rows.

Only the network that would answer is judged, not the mean over its repeats. Without a clear difference the champion
stays.
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
MIN_UNITS = 30  # sentences, blocks of text, images … that both were tested on; fewer are too few for any test
DRAWS = 2_000


@dataclass(frozen=True)
class Evidence:
    """Test losses of one network, float64 [n], and the id of each one's raw example, uint64 [n] (see raw_rows)."""

    rows: Ids
    losses: Floats


@dataclass(frozen=True)
class Verdict:
    """The outcome, a sentence that gives the reason, and the figures that support it (JSON-able)."""

    outcome: Outcome
    reason: str
    figures: dict[str, Any] = field(default_factory=dict)


def floor(metric: Metric, metrics: Mapping[str, Any], evidence: Evidence, margin: float) -> Verdict | None:
    """Check that the candidate may compete: return None, or the verdict against it.

    All its figures must be finite, and the naive baseline may be better by at most `margin`, a share of its score.
    """
    against = metrics["against_baseline"]
    name, ours, theirs = against["metric"], against["score"], against["baseline_score"]
    figures = {"metric": name, "score": ours, "baseline": against["baseline"], "baseline_score": theirs}
    if not (np.isfinite(ours) and len(evidence.losses) and np.isfinite(evidence.losses).all()):
        return Verdict("not better", f"its test {name} or one of its losses is not a finite number", figures)
    if metric.cost({name: ours}) > metric.cost({name: theirs}) + margin * abs(theirs):
        return Verdict(
            "not better",
            f"below the floor: test {name} is {ours:.4g}, that of {against['baseline']} is {theirs:.4g}"
            f" (at most {margin:.0%} worse is allowed)",
            figures,
        )
    return None


def compare(method: Comparison, ours: Evidence, theirs: Evidence, block: int, horizon: int = 1) -> Verdict:
    """Compare the candidate (ours) with the champion (theirs) on the test rows that both have.

    The methods are McNemar's test for independent examples that are right or wrong, a bootstrap of whole sentences for
    tags, the Diebold–Mariano test for forecasts (`horizon` steps ahead), and a bootstrap of blocks of `block`
    consecutive characters for text.
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
            f"the two were tested on different rows: {int(weights.sum())} of the candidate’s {len(ours.rows)} are also"
            f" the champion’s, and fewer than {MIN_UNITS} units are too few for a test",
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
    """Sum the losses of each unit that both were tested on, in the candidate's order.

    Adjacent losses of one row (the words of a sentence) form a unit. If the two tests differ, a row that occurs several
    times counts once. Returns the candidate's losses, the champion's losses, and the number of losses in each sum, all
    float64 [units].
    """
    first, second = _units(ours), _units(theirs)
    if not np.array_equal(first[0], second[0]):
        _, i, j = np.intersect1d(first[0], second[0], return_indices=True)
        order = np.argsort(i)
        first, second = tuple(x[i[order]] for x in first), tuple(x[j[order]] for x in second)
    return first[1], second[1], first[2]


def _units(evidence: Evidence) -> tuple[Any, ...]:
    """Return the row of each unit, the sum of its losses, and their number, each [units]."""
    rows, count = evidence.rows, len(evidence.rows)
    if not count:
        return rows, np.zeros(0), np.zeros(0)
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    return rows[starts], np.add.reduceat(evidence.losses, starts), np.diff(np.r_[starts, count]).astype(np.float64)


def _mcnemar(a: Floats, b: Floats) -> dict[str, Any]:
    test = mcnemar(a, b)
    assert test is not None
    return {
        "only_candidate_right": int(test["only_ours_right"]),
        "only_champion_right": int(test["only_baseline_right"]),
        "difference": float(np.mean(a - b)),
        "p": test["p"],
    }


def _diebold_mariano(a: Floats, b: Floats, block: int, horizon: int) -> dict[str, Any]:
    """Run the Diebold–Mariano test; p is two-sided, as in McNemar's test."""
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
        clear, significance = figures["p"] < 1 - LEVEL, f"p {figures['p']:.2g}"
    else:
        clear = figures["low"] > 0 or figures["high"] < 0
        significance = f"{LEVEL:.0%} interval {figures['low']:+.4g} to {figures['high']:+.4g}"
    result = (
        f"{figures['method']} on {figures['rows']['shared']} shared test rows: loss {difference:+.4g}, {significance}"
    )
    if not clear:
        return Verdict("inconclusive", f"no clear difference: {result}", figures)
    return Verdict("better" if difference < 0 else "not better", result, figures)
