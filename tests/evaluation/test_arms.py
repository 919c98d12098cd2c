"""The statistics of studies against known values, SciPy's own tests and simulated studies."""

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.simulated_studies import CASES, called, intervals_that_cover
from pipeline.evaluation import arms

ROOT = Path(__file__).parents[2]


def test_importing_the_module_does_not_import_scipy() -> None:
    code = "import sys, pipeline.evaluation.arms\nprint('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


def test_the_interval_of_a_mean_is_students() -> None:
    values = np.array([3.0, 1.0, 4.0, 1.0, 5.0])
    found = arms.mean_interval(values)
    low, high = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert (found.mean, found.sd) == (pytest.approx(2.8), pytest.approx(np.sqrt(12.8 / 4)))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_one_value_has_no_interval() -> None:
    assert arms.mean_interval(np.array([3.0])) == arms.Interval(3.0, None, None, None)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (1, [0, 1, 2, 3, 4, 5, 6]),
        (2, [0.5, 2.5, 5]),
        (3, [1, 4.5]),
        (7, [3]),
        (99, [3]),
    ],
)
def test_neighbours_are_averaged_and_no_example_is_left_out(block: int, expected: list[float]) -> None:
    losses = np.stack([np.arange(7.0), 10 + np.arange(7.0)])
    assert np.allclose(arms.block_means(losses, block), [expected, np.add(expected, 10)])


def spread(seeds: list[float], units: list[float]) -> Any:
    """One pair, [seeds, units], whose means over seeds and over units are 3 plus the given effects."""
    assert sum(seeds) == sum(units) == 0
    return 3 + np.add.outer(np.array(seeds), np.array(units))[None]


UNITS = [-4.0, 4, -2, 2, -1, 1, -3, 3, 0, 0]


def test_with_effects_of_seeds_alone_it_is_the_paired_t_test_over_seeds() -> None:
    seeds = [-2.0, 2, 1, -1, 0]
    found = arms.paired(spread(seeds, [0.0] * 10))
    expected = stats.ttest_1samp(np.add(seeds, 3), 0)
    assert found.p[0] == pytest.approx(expected.pvalue, rel=1e-6)
    assert (found.low[0], found.high[0]) == pytest.approx(tuple(expected.confidence_interval()))
    assert found.basis == "seeds and examples"


def test_with_effects_of_examples_alone_it_is_the_paired_t_test_over_examples() -> None:
    found = arms.paired(spread([0.0, 0, 0], UNITS))
    expected = stats.ttest_1samp(np.add(UNITS, 3), 0)
    assert found.p[0] == pytest.approx(expected.pvalue, rel=1e-6)
    assert (found.low[0], found.high[0]) == pytest.approx(tuple(expected.confidence_interval()))


def test_both_half_widths_add_up_as_squares_and_p_ends_at_zero() -> None:
    seeds = [-2.0, 2, 1, -1, 0]
    found = arms.paired(spread(seeds, UNITS))
    halves = [stats.ttest_1samp(np.add(x, 3), 0).confidence_interval().high - 3 for x in (seeds, UNITS)]
    assert found.high[0] - 3 == 3 - found.low[0] == pytest.approx(np.hypot(*halves))
    at_p = arms.paired(spread(seeds, UNITS), level=1 - found.p[0])
    assert at_p.low[0] == pytest.approx(0, abs=1e-6)


def test_one_seed_or_few_examples_leave_their_part_out() -> None:
    both = spread([-1.0, 1, 0], UNITS)
    of_seeds, of_examples = arms.paired(both[:, :, :9]), arms.paired(both[:, :1])
    assert of_seeds.basis == "seeds"
    assert of_seeds.p[0] == pytest.approx(stats.ttest_1samp(both[0, :, :9].mean(axis=1), 0).pvalue, rel=1e-6)
    assert of_examples.basis == "examples"
    assert of_examples.p[0] == pytest.approx(stats.ttest_1samp(both[0, 0], 0).pvalue, rel=1e-6)
    nothing = arms.paired(both[:, :1, :9])
    assert nothing.basis == "" and np.isnan([nothing.low[0], nothing.high[0], nothing.p[0]]).all()


def test_equal_losses_are_no_difference() -> None:
    found = arms.paired(np.zeros((1, 3, 20)))
    assert (found.mean[0], found.low[0], found.high[0], found.p[0]) == (0, 0, 0, 1)


def test_rounding_is_no_difference() -> None:
    losses = np.array([0.1, 0.2, 0.3])
    assert (arms.without_rounding((losses + 0.3) - losses - 0.3, losses) == 0).all()
    assert (arms.without_rounding(np.array([1e-9, 0.0]), losses) == [1e-9, 0]).all()


def test_dependent_neighbours_widen_the_interval() -> None:
    waves = np.sin(np.arange(60) / 2)
    alone, dependent = (arms.paired(spread([0.0, 0], list(waves - waves.mean())), dependent=d) for d in (False, True))
    # neighbours correlate at cos 0.5, so the variance grows by nearly 1 + 2 cos 0.5; Student's t has 20 degrees, not 59
    ratio = (dependent.high[0] - 3) / (alone.high[0] - 3)
    assert ratio == pytest.approx(np.sqrt(1 + 2 * np.cos(0.5)) * stats.t.ppf(0.975, 20) / stats.t.ppf(0.975, 59), rel=0.02)
    turns = [(-1.0) ** i for i in range(60)]
    alone, dependent = (arms.paired(spread([0.0, 0], turns), dependent=d) for d in (False, True))
    assert dependent.high[0] >= alone.high[0], "neighbours that differ do not narrow it"


def test_holm_by_hand() -> None:
    assert arms.holm(np.array([0.04, 0.01, 0.03, 0.5])) == pytest.approx([0.09, 0.04, 0.09, 0.5])
    assert arms.holm(np.array([[0.4, 0.3], [0.02, 0.03]])) == pytest.approx(np.array([[0.6, 0.6], [0.04, 0.04]]))
    assert arms.holm(np.empty(0)).shape == (0,)


def test_the_pareto_front_by_hand() -> None:
    costs = np.array([[1, 9], [2, 5], [3, 5], [4, 1], [4, 1], [5, 8]])
    assert arms.pareto(costs).tolist() == [True, True, False, True, True, False]


# Demšar (2006, table 6): AUC of four variants of C4.5 on 14 data sets, and the mean ranks that he prints.
C45 = np.array([
    [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
    [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
    [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
    [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
    [0.972, 0.981, 0.975, 0.975], [0.957, 0.978, 0.946, 0.970],
])  # fmt: skip


def test_ranks_are_those_of_the_paper() -> None:
    found = arms.ranks(-C45)
    assert found.mean == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    assert found.statistic == pytest.approx(9.28, abs=0.35)  # printed without a correction for equal scores
    assert found.critical == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=1e-3)
    expected = stats.friedmanchisquare(*C45.T)
    assert (found.statistic, found.p) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))


def test_two_arms_and_equal_arms_can_be_ranked() -> None:
    assert arms.ranks(np.array([[1.0, 2], [1, 2], [3, 4]])).mean.tolist() == [1, 2]
    equal = arms.ranks(np.ones((4, 3)))
    assert (equal.statistic, equal.p, equal.cliques) == (0, 1, [[0, 1, 2]])


@pytest.mark.parametrize(
    ("mean", "expected"),
    [
        ([1.0, 2.0, 3.0, 4.0], [[0, 1], [1, 2], [2, 3]]),
        ([4.0, 1.0, 1.5, 2.0], [[1, 2, 3]]),
        ([1.0, 3.0, 5.0], []),
        ([1.0, 1.9, 2.0, 2.1, 3.2], [[0, 1, 2], [1, 2, 3], [3, 4]]),
    ],
)
def test_cliques(mean: list[float], expected: list[list[int]]) -> None:
    assert arms.cliques(np.array(mean), 1.1 if len(mean) == 5 else 1.0) == (
        expected if len(mean) < 5 else [[0, 1, 2, 3], [3, 4]]
    )
