"""The statistics of studies against known values, SciPy's own tests and simulated studies."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmarks.simulated_studies import EQUAL, UNEQUAL, Case, called, called_different, simulate
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
    pairs = [1.0, 1, -1, -1] * 15
    slow = [1.0] * 10 + [-1.0] * 20 + [1.0] * 20 + [-1.0] * 10
    turns = [1.0, -1] * 30
    t = {freedom: stats.t.ppf(0.975, freedom) for freedom in (20, 59)}
    for effects, covariance in ((pairs, 1 / 60), (slow, 53 / 60), (turns, 0)):
        alone, dependent = (arms.paired(spread([0.0, 0], effects), dependent=d) for d in (False, True))
        ratio = (dependent.high[0] - 3) / (alone.high[0] - 3)
        assert ratio == pytest.approx(np.sqrt(1 + 2 * covariance) * t[20] / t[59])


def test_holm_by_hand() -> None:
    assert arms.holm(np.array([0.04, 0.01, 0.03, 0.5])) == pytest.approx([0.09, 0.04, 0.09, 0.5])
    assert arms.holm(np.array([[0.4, 0.3], [0.02, 0.03]])) == pytest.approx(np.array([[0.6, 0.6], [0.04, 0.04]]))
    assert arms.holm(np.empty(0)).shape == (0,)


def test_the_pareto_front_by_hand() -> None:
    costs = np.array([[1, 9], [2, 5], [3, 5], [4, 1], [4, 1], [5, 8]])
    assert arms.pareto(costs).tolist() == [True, True, False, True, True, False]


# Demšar (2006, table 5a): critical values of Nemenyi's test at 0.05, by the number of arms.
NEMENYI = {2: 1.960, 3: 2.343, 4: 2.569, 5: 2.728, 6: 2.850, 7: 2.949, 8: 3.031, 9: 3.102, 10: 3.164}


@pytest.mark.parametrize("count", NEMENYI)
def test_ranks_and_friedmans_test_are_scipys_and_the_critical_difference_is_the_papers(count: int) -> None:
    costs = np.random.default_rng(count).integers(0, 6, (14, count)).astype(float)  # with equal ones
    found = arms.ranks(costs)
    assert found.mean == pytest.approx(np.mean([stats.rankdata(row) for row in costs], axis=0))
    assert found.critical == pytest.approx(NEMENYI[count] * np.sqrt(count * (count + 1) / (6 * 14)), abs=1e-3)
    if count > 2:  # SciPy's has no fewer
        expected = stats.friedmanchisquare(*costs.T)
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
        ([1.0, 1.5, 2.0, 2.5, 3.5], [[0, 1, 2], [1, 2, 3], [3, 4]]),
        ([1.0, 1.0, 2.5], [[0, 1]]),
    ],
)
def test_cliques(mean: list[float], expected: list[list[int]]) -> None:
    assert arms.cliques(np.array(mean), 1.0) == expected


@pytest.mark.parametrize("case", EQUAL, ids=lambda case: case.name)
def test_equal_arms_are_called_different_in_at_most_one_study_of_twenty(case: Case) -> None:
    different = called_different(case, 200, np.random.default_rng(0))
    assert different.shape == (200, 10)
    assert different.any(axis=1).mean() <= 0.05


@pytest.mark.parametrize("case", UNEQUAL, ids=lambda case: case.name)
def test_an_arm_that_is_better_is_found_in_four_of_five_comparisons(case: Case) -> None:
    different = called_different(case, 200, np.random.default_rng(0))
    assert different[:, :4].mean() >= 0.8, "the first arm against each of the others"
    assert different[:, 4:].any(axis=1).mean() <= 0.05, "the others are equal"


def test_the_page_about_studies_has_a_row_for_each_case() -> None:
    page = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")
    for case in (*EQUAL, *UNEQUAL):
        assert f"| {case.name} | " in page, case.name
        assert case.arms == 5 and case.seeds == 5 and case.examples in (500, 1_000, 2_000)


def test_the_rates_need_both_sources_of_chance_and_holms_correction() -> None:
    """Without either of them, the same simulation calls equal arms different."""
    rng = np.random.default_rng(0)
    losses = simulate(EQUAL[0], 200, rng)[:, :, :1]  # one seed: the test allows for examples alone
    assert called(losses, EQUAL[0].block).any(axis=1).mean() > 0.5
