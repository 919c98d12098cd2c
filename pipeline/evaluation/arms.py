"""Tests and intervals for the arms of a study, which are trained with the same seeds and tested on the same examples.

SciPy is imported inside the functions that need it: the import takes 0.25 s, and most stages never call them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
MIN_UNITS = 10  # independent examples or blocks; fewer say too little about other examples
FEW_DATA_SETS = 5  # fewer make a weak comparison of ranks
ROUNDING = 1e-12  # a share of the losses below which a difference is rounding
SMALLEST_P = 1e-15

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean; with two values or more, their standard deviation and the interval of the mean, else None."""

    mean: float
    sd: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Differences:
    """Mean differences of pairs of arms: float64 [pairs] each, NaN for `low`, `high` and `p` without a `basis`.

    `basis`: the sources of chance that the interval and p allow for: "seeds and examples", "seeds", "examples", "".
    """

    mean: Floats
    low: Floats
    high: Floats
    p: Floats
    basis: str


def mean_interval(values: NDArray[Any], level: float = LEVEL) -> Interval:
    """Return the mean of float [seeds] with its interval by Student's t."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return Interval(mean)
    from scipy.special import stdtrit  # quantile of Student's t

    sd = float(np.std(values, ddof=1))
    half = float(stdtrit(len(values) - 1, (1 + level) / 2)) * sd / len(values) ** 0.5
    return Interval(mean, sd, mean - half, mean + half)


def block_means(losses: NDArray[Any], block: int) -> Floats:
    """Return float64 [..., units]: the means of neighbouring examples of float [..., examples].

    block: number of neighbouring examples that are dependent. Blocks have this length or a few examples more, so that
    no example is left out.
    """
    losses = np.asarray(losses, np.float64)
    examples = losses.shape[-1]
    if block <= 1:
        return losses
    edges = np.linspace(0, examples, max(1, examples // block) + 1).astype(int)
    return np.add.reduceat(losses, edges[:-1], axis=-1) / np.diff(edges)


def paired(differences: NDArray[Any], *, dependent: bool = False, level: float = LEVEL) -> Differences:
    """Test whether the mean differences of pairs of arms are zero, given that seeds and examples are drawn by chance.

    differences: float [pairs, seeds, units], the losses of one arm minus those of the other with the same seed on the
    same unit, an example or a block of them; dependent: neighbouring units are dependent too, as blocks are at their
    borders.

    With seed effects A, unit effects B and a residual that are normal, d = μ + A + B + residual, and the variance of
    the mean is at most a + b: a is the variance of the seeds' means divided by the seeds, b that of the units' means
    divided by the units. Both are independent. The half-width is the root of (t_a² a + t_b² b), with the quantiles of
    Student's t for seeds - 1 and units - 1 degrees of freedom. Banerjee (1960, "Approximate confidence interval for
    linear functions of means of k populations when the population variances are not equal") proved that such an
    interval covers at least `level`, whatever the variances are. p is 1 minus the level at which the interval ends at
    zero. With one seed or fewer than MIN_UNITS units, their part is left out, which `basis` says.
    """
    d = np.asarray(differences, np.float64)
    seeds, units = d.shape[1:]
    mean, parts, basis = d.mean(axis=(1, 2)), [], []
    if seeds > 1:
        parts.append((d.mean(axis=2).var(axis=1, ddof=1) / seeds, seeds - 1.0))
        basis.append("seeds")
    if units >= MIN_UNITS:
        parts.append(_of_units(d.mean(axis=1), dependent=dependent))
        basis.append("examples")
    if not parts:
        unknown = np.full(len(mean), np.nan)
        return Differences(mean, unknown, unknown, unknown, "")
    half = _half_width(parts, np.full(len(mean), 1 - level))
    return Differences(mean, mean - half, mean + half, _p(mean, parts), " and ".join(basis))


def _of_units(means: Floats, *, dependent: bool) -> tuple[Floats, float]:
    """Return the variance of the mean over units, [pairs], and its degrees of freedom. means: [pairs, units].

    The variance of dependent units includes twice the covariance of neighbours, if that is positive. Its estimate then
    varies as much as χ² with a third of the degrees of freedom: its variance is 6/n instead of 2/n.
    """
    n = means.shape[1]
    centred = means - means.mean(axis=1, keepdims=True)
    variance = (centred**2).sum(axis=1) / (n - 1)
    if not dependent:
        return variance / n, n - 1.0
    covariance = (centred[:, 1:] * centred[:, :-1]).sum(axis=1) / (n - 1)
    return (variance + 2 * np.maximum(covariance, 0)) / n, n / 3


def _half_width(parts: list[tuple[Floats, float]], p: Floats) -> Floats:
    """Return the half-widths at level 1 - p. parts: (variance [pairs], degrees of freedom) of each source of chance."""
    from scipy.special import stdtrit

    return np.asarray(np.sqrt(sum(stdtrit(freedom, p / 2) ** 2 * variance for variance, freedom in parts)))


def _p(mean: Floats, parts: list[tuple[Floats, float]]) -> Floats:
    """Return the p at which the half-width is the mean's distance to zero, by bisection of its logarithm."""
    low, high = np.full(len(mean), np.log10(SMALLEST_P)), np.zeros(len(mean))
    for _ in range(40):
        middle = (low + high) / 2
        clear = np.abs(mean) > _half_width(parts, 10.0**middle)
        low, high = np.where(clear, low, middle), np.where(clear, middle, high)
    return np.where(mean == 0, 1.0, 10.0**high)


def without_rounding(differences: Floats, losses: Floats) -> Floats:
    """Return the differences, with zero for those that are rounding compared with the losses."""
    scale = float(np.abs(losses).max(initial=0.0))
    return np.where(np.abs(differences) <= ROUNDING * scale, 0.0, differences)


def holm(p: NDArray[Any]) -> Floats:
    """Return p, float [..., tests], corrected for the number of tests in the last axis (Holm 1979)."""
    p = np.asarray(p, np.float64)
    order = np.argsort(p, axis=-1)
    tests = p.shape[-1]
    ascending = np.take_along_axis(p, order, -1) * np.arange(tests, 0, -1)
    corrected = np.minimum(np.maximum.accumulate(ascending, axis=-1), 1.0)
    result = np.empty_like(p)
    np.put_along_axis(result, order, corrected, -1)
    return result


def pareto(costs: NDArray[Any]) -> NDArray[np.bool_]:
    """Return bool [arms]: whether no other arm is at least as good in all columns and better in one.

    costs: float [arms, columns], lower is better.
    """
    costs = np.asarray(costs, np.float64)
    no_worse = (costs[:, None] <= costs[None]).all(axis=2)
    better = (costs[:, None] < costs[None]).any(axis=2)
    return np.asarray(~(no_worse & better).any(axis=0))


@dataclass(frozen=True)
class Ranks:
    """Ranks of arms over data sets.

    `mean`: float64 [arms], 1 is the best. `statistic`, `p`: of Friedman's test that all arms are equal. `critical`: two
    arms whose mean ranks differ by more are different (Nemenyi). `cliques`: groups of arms, best first, none of which
    differs from another in its group; arms that differ from all others are in no group.
    """

    mean: Floats
    statistic: float
    p: float
    critical: float
    cliques: list[list[int]]


def ranks(costs: NDArray[Any], level: float = LEVEL) -> Ranks:
    """Rank the arms on each data set and compare the mean ranks, as in Demšar (2006, "Statistical comparisons").

    costs: float [data sets, arms], lower is better; equal costs share their mean rank. There must be two arms or more.
    """
    from scipy.special import chdtrc  # upper tail of χ²
    from scipy.stats import rankdata, studentized_range

    ranked = rankdata(costs, axis=1)
    sets, arms = ranked.shape
    mean, middle = ranked.mean(axis=0), (arms + 1) / 2
    spread = ((ranked - middle) ** 2).sum() / (sets * (arms - 1))  # arms (arms + 1) / 12 without equal costs
    statistic = sets * float(((mean - middle) ** 2).sum() / spread) if spread else 0.0
    critical = float(studentized_range.ppf(level, arms, np.inf)) * (arms * (arms + 1) / (12 * sets)) ** 0.5
    return Ranks(mean, statistic, float(chdtrc(arms - 1, statistic)), critical, cliques(mean, critical))


def cliques(mean: NDArray[Any], critical: float) -> list[list[int]]:
    """Return the largest groups of two arms or more whose mean ranks differ by at most `critical`, best first."""
    order = [int(arm) for arm in np.argsort(mean, kind="stable")]
    groups: list[list[int]] = []
    end = 0  # of the last group: one that ends no later is part of it
    for start, first in enumerate(order):
        stop = start + sum(mean[arm] - mean[first] <= critical for arm in order[start:])
        if stop - start > 1 and stop > end:
            groups.append(order[start:stop])
            end = stop
    return groups
