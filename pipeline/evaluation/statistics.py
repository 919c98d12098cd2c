"""What every task uses: which way a metric points, comparison, what a baseline leaves."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.9  # how often an interval should hold what comes
BETA_DEPTH = 500  # terms of the continued fraction; about the root of the degrees of freedom would do


def paired_interval(
    ours: NDArray[Any], theirs: NDArray[Any], block: int, draws: int = 2_000, level: float = 0.95
) -> tuple[float, float, float]:
    """Mean of ours - theirs with its interval, from a moving-block bootstrap of the paired differences.

    ours, theirs: float [examples] losses of the same examples in the same order; block: neighbouring examples that are
    drawn together because they depend on each other (Künsch 1989), 1 for independent ones.
    """
    difference = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)
    n, width = len(difference), max(1, min(block, len(difference) // 5))
    sums = np.convolve(difference, np.ones(width), "valid")  # of the block that starts at each example
    rng = np.random.default_rng(0)
    blocks = -(-n // width)
    means = np.array([sums[rng.integers(len(sums), size=blocks)].mean() / width for _ in range(draws)])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(difference.mean()), float(low), float(high)


def mcnemar(ours: NDArray[Any], theirs: NDArray[Any]) -> dict[str, float] | None:
    """How many examples only one of two methods gets right, and the two-sided p of that if both were as good (McNemar
    1947): from the binomial distribution for fewer than 25 such examples, else from χ² with continuity correction.

    ours, theirs: losses [examples] of the same independent examples, 0 for right and 1 for wrong; None for others.
    """
    if not all(np.isin(losses, (0, 1)).all() for losses in (ours, theirs)):
        return None
    b, c = int(np.sum(ours < theirs)), int(np.sum(ours > theirs))
    if b + c < 25:
        p = min(1.0, 2 * sum(math.comb(b + c, i) for i in range(min(b, c) + 1)) / 2 ** (b + c))
    else:
        p = math.erfc(math.sqrt(max(0, abs(b - c) - 1) ** 2 / (b + c) / 2))
    return {"only_ours_right": b, "only_baseline_right": c, "p": p}


def diebold_mariano(ours: NDArray[Any], theirs: NDArray[Any], horizon: int = 1) -> tuple[float, float]:
    """(statistic, p) of the test that our forecasts are no better than theirs; a small p says that ours are.

    ours, theirs: float [time] losses of the same targets in the order of time; horizon: steps ahead. Diebold and
    Mariano (1995), with the correction and the Student's t of Harvey, Leybourne and Newbold (1997). Losses that differ
    by the same amount everywhere leave nothing to test by: 0 and 0.5.
    """
    gain = np.asarray(theirs, np.float64) - np.asarray(ours, np.float64)
    n, centred = len(gain), gain - gain.mean()
    variance = sum(
        (1.0 if lag == 0 else 2.0) * float(centred[lag:] @ centred[: n - lag]) / n for lag in range(min(horizon, n))
    )
    if n < 2 or variance <= 0.0:
        return 0.0, 0.5
    corrected = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    statistic = float(gain.mean()) / math.sqrt(variance / n) * math.sqrt(max(corrected, 0.0))
    return statistic, student_tail(statistic, n - 1)


def student_tail(t: float, freedom: int) -> float:
    """P(T > t) of Student's t, by the incomplete beta function (Abramowitz and Stegun 26.7.1, 26.5.8)."""
    x = freedom / (freedom + t * t)
    tail = 0.5 * _incomplete_beta(x, freedom / 2, 0.5)
    return tail if t >= 0 else 1.0 - tail


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised I_x(a, b) by its continued fraction, read from the end at which that converges fast."""
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _incomplete_beta(1.0 - x, b, a)
    if x <= 0.0:
        return 0.0
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    fraction = 1.0
    for i in range(BETA_DEPTH, 0, -1):
        m = i // 2
        odd = -(a + m) * (a + b + m) / ((a + i - 1) * (a + i))
        even = m * (b - m) / ((a + i - 1) * (a + i))
        fraction = 1.0 + (odd if i % 2 else even) * x / fraction
    return math.exp(a * math.log(x) + b * math.log1p(-x) - log_beta) / a / fraction


def conformal_width(residuals: NDArray[Any]) -> float:
    """Half the width of a split conformal interval of level LEVEL: of n absolute residuals of examples that the model
    was not fitted on, the ceil((n + 1) × LEVEL)-th smallest (Lei, G'Sell, Rinaldo, Tibshirani and Wasserman 2018,
    "Distribution-free predictive inference for regression").

    residuals: float [examples], NaN where nothing is known. It holds at least LEVEL of what comes if that is
    exchangeable with the residuals, which a time series promises only as far as it does not change: evaluate counts it.
    """
    known = np.sort(np.abs(residuals[~np.isnan(residuals)]))
    rank = math.ceil((len(known) + 1) * LEVEL)
    return float(known[min(rank, len(known)) - 1])
