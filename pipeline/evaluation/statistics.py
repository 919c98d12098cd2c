"""Tests and intervals for the losses of two methods on the same examples.

SciPy is imported inside the functions that need it: the import takes 0.25 s, and most stages never call them.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.9  # share of the future values that an interval should cover
EXACT_BELOW = 25  # McNemar's test uses the binomial distribution for fewer discordant examples


def paired_interval(
    ours: NDArray[Any], theirs: NDArray[Any], block: int, draws: int = 2_000, level: float = 0.95
) -> tuple[float, float, float]:
    """Return the mean of ours - theirs and its interval, from a moving-block bootstrap of the paired differences.

    ours, theirs: float [examples] losses of the same examples in the same order; block: number of neighbouring examples
    drawn together because they are dependent (Künsch 1989), 1 for independent examples; level: of the interval.
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
    """Count the examples that exactly one of two methods gets right, and test whether both are equally good.

    ours, theirs: float [examples] losses of the same independent examples, 0 for right and 1 for wrong. Returns None if
    other values occur. `p` is two-sided (McNemar 1947): from the binomial distribution if fewer than EXACT_BELOW
    examples are discordant, else from χ² with one degree of freedom and continuity correction.
    """
    if not all(np.isin(losses, (0, 1)).all() for losses in (ours, theirs)):
        return None
    from scipy.special import bdtr, chdtrc  # cumulative binomial distribution, upper tail of χ²

    b, c = int(np.sum(ours < theirs)), int(np.sum(ours > theirs))
    if b + c < EXACT_BELOW:
        p = min(1.0, 2 * float(bdtr(min(b, c), b + c, 0.5)))
    else:
        p = float(chdtrc(1, max(0, abs(b - c) - 1) ** 2 / (b + c)))
    return {"only_ours_right": b, "only_baseline_right": c, "p": p}


def diebold_mariano(ours: NDArray[Any], theirs: NDArray[Any], horizon: int = 1) -> tuple[float, float]:
    """Test whether our forecasts are better than theirs. Returns (statistic, one-sided p), with p small if they are.

    ours, theirs: float [time] losses of the same targets in the order of time; horizon: steps ahead. The test is by
    Diebold and Mariano (1995), with the correction and Student's t of Harvey, Leybourne and Newbold (1997). Losses that
    differ by the same amount everywhere cannot be tested, which gives (0, 0.5).
    """
    gain = np.asarray(theirs, np.float64) - np.asarray(ours, np.float64)
    n, centred = len(gain), gain - gain.mean()
    variance = sum(
        (1.0 if lag == 0 else 2.0) * float(centred[lag:] @ centred[: n - lag]) / n for lag in range(min(horizon, n))
    )
    if n < 2 or variance <= 0.0:
        return 0.0, 0.5
    from scipy.special import stdtr  # cumulative Student's t; its value at -t is the upper tail at t

    corrected = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    statistic = float(gain.mean()) / math.sqrt(variance / n) * math.sqrt(max(corrected, 0.0))
    return statistic, float(stdtr(n - 1, -statistic))


def conformal_width(residuals: NDArray[Any]) -> float:
    """Return half the width of a split conformal interval of level LEVEL.

    It is the ceil((n + 1) × LEVEL)-th smallest of n absolute residuals (Lei, G'Sell, Rinaldo, Tibshirani and Wasserman
    2018, "Distribution-free predictive inference for regression").

    residuals: float [examples] of examples that the model was not fitted on, NaN where there is none. The interval
    covers at least LEVEL of the future values if these are exchangeable with the residuals. A time series may change,
    so `evaluate` reports how many test values are covered.
    """
    known = np.sort(np.abs(residuals[~np.isnan(residuals)]))
    rank = math.ceil((len(known) + 1) * LEVEL)
    return float(known[min(rank, len(known)) - 1])
