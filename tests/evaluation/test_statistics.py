"""The tests and intervals of evaluation/statistics.py against closed forms, known values and simulations."""

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation.statistics import diebold_mariano, mcnemar, paired_interval

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("n", [0, 3, 24, 25, 400])
def test_mcnemar_to_nine_digits(n: int) -> None:
    for b in range(0, n + 1, max(1, n // 12)):
        only_ours = np.arange(n) < b
        found = mcnemar((~only_ours).astype(float), only_ours.astype(float))
        binomial = min(1.0, 2 * sum(math.comb(n, i) for i in range(min(b, n - b) + 1)) / 2**n) if n < 25 else 0.0
        normal = math.erfc(max(0, abs(2 * b - n) - 1) / math.sqrt(2 * n)) if n >= 25 else 0.0
        assert found == {
            "only_ours_right": b,
            "only_baseline_right": n - b,
            "p": pytest.approx(binomial + normal, rel=1e-9),
        }


# P(T > t) in closed form (Abramowitz and Stegun 26.7.3, 26.7.4).
TAILS: dict[int, Callable[[float], float]] = {
    1: lambda t: 0.5 - math.atan(t) / math.pi,
    2: lambda t: (1 - t / math.sqrt(2 + t * t)) / 2,
    4: lambda t: (1 - t / math.sqrt(4 + t * t) * (1 + 2 / (4 + t * t))) / 2,
}


@pytest.mark.parametrize("gains", [[1, 3], [3, -1], [1, 2, 4], [-1, -2, 0], [1, 0, 2, 1, 1], [5, 4, 5, 6, 5]])
def test_p_is_the_tail_of_students_t_with_one_degree_of_freedom_less_than_targets(gains: list[float]) -> None:
    statistic, p = diebold_mariano(np.zeros(len(gains)), np.array(gains, float))
    assert p == pytest.approx(TAILS[len(gains) - 1](statistic), rel=1e-9)
    assert (p < 0.5) == (sum(gains) > 0)


def test_diebold_mariano_by_hand() -> None:
    ours, theirs = np.array([1.0, 2.0, 3.0, 1.0, 2.0]), np.array([2.0, 2.0, 5.0, 2.0, 3.0])
    # gains 1 0 2 1 1: mean 1, variance 2/5; the correction at one step is the root of 4/5
    statistic, p = diebold_mariano(ours, theirs)
    assert statistic == pytest.approx(math.sqrt(4 / 5) / math.sqrt(0.4 / 5))
    assert p == pytest.approx(0.01705, abs=1e-5)
    # two steps ahead: first autocovariance (0·-1 + -1·1 + 1·0 + 0·0) / 5 = -1/5, so nothing is left of the variance
    assert diebold_mariano(ours, theirs, horizon=2) == (0.0, 0.5)
    gains = np.array([1.0, 2.0, 3.0, 1.0, -1.0, 0.0])
    centred = gains - 1
    variance = (centred @ centred + 2 * centred[1:] @ centred[:-1]) / 6
    statistic, _ = diebold_mariano(-gains, np.zeros(6), horizon=2)
    assert statistic == pytest.approx(1 / math.sqrt(variance / 6) * math.sqrt((6 + 1 - 4 + 2 / 6) / 6))


def test_diebold_mariano_is_the_t_test_at_one_step() -> None:
    from scipy.stats import ttest_1samp

    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(size=300) ** 2, 1.1 * rng.normal(size=300) ** 2
    expected = ttest_1samp(theirs - ours, 0, alternative="greater")
    assert diebold_mariano(ours, theirs) == pytest.approx((expected.statistic, expected.pvalue))


def test_equal_losses_are_no_gain() -> None:
    assert diebold_mariano(np.ones(9), np.ones(9)) == (0.0, 0.5)
    better, worse = diebold_mariano(np.arange(9.0), np.arange(9.0) + 1.5), diebold_mariano(np.zeros(1), np.ones(1))
    assert better == worse == (0.0, 0.5), "the same everywhere, or a single one: nothing to test by"


def test_importing_the_module_does_not_import_scipy() -> None:
    code = "import sys; import pipeline.evaluation.statistics; print('scipy' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True) == "False\n"


def coverage(block: int, correlated: float) -> float:
    """How often the interval holds the true difference, of 200 simulated comparisons over 240 examples."""
    rng, hits = np.random.default_rng(0), 0
    for _ in range(200):
        noise = rng.normal(size=240)
        for t in range(1, 240) if correlated else ():
            noise[t] += correlated * noise[t - 1]
        hard = rng.normal(size=240)  # what makes an example hard for both cancels out
        _, low, high = paired_interval(hard + 0.3 + noise, hard, block, draws=200)
        hits += low <= 0.3 <= high
    return hits / 200


def test_the_interval_covers_the_true_difference() -> None:
    assert 0.89 <= coverage(1, 0.0) <= 0.99


def test_dependent_examples_need_blocks() -> None:
    assert coverage(1, 0.8) < 0.75 < 0.82 < coverage(24, 0.8)


def test_the_sign_of_a_difference() -> None:
    rng = np.random.default_rng(0)
    good, bad = rng.normal(0.0, 0.1, 100), rng.normal(1.0, 0.1, 100)
    mean, low, high = paired_interval(good, bad, 1)
    assert low < mean < high < 0, "ours costs less"
    np.testing.assert_allclose(paired_interval(bad, good, 1)[0], -mean)
    assert paired_interval(good, good, 5) == (0.0, 0.0, 0.0)
    assert paired_interval(good, bad, 1) == (mean, low, high), "the same draws each time"


def right_and_wrong(b: int, c: int, same: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Losses of two methods of which the first alone is right b times and the second alone c times."""
    ours, theirs = [0] * b + [1] * c + [0, 1] * same, [1] * b + [0] * c + [0, 1] * same
    return np.array(ours, float), np.array(theirs, float)


@pytest.mark.parametrize(
    ("b", "c", "p"),
    [
        (1, 9, 22 / 1024),  # 2 × (1 + 10) / 2¹⁰
        (9, 1, 22 / 1024),
        (0, 5, 2 / 32),
        (0, 0, 1.0),
        (4, 4, 1.0),
        (12, 12, 1.0),
        (6, 18, 0.0226558),  # exact: 24 examples
        (5, 20, 0.0051103),  # χ² = 14² / 25 = 7.84
        (121, 59, 5.450094e-06),  # χ² = 61² / 180
        (13, 13, 1.0),  # the correction goes no further than 0
    ],
)
def test_mcnemar_against_known_values(b: int, c: int, p: float) -> None:
    found = mcnemar(*right_and_wrong(b, c))
    assert found is not None
    assert (found["only_ours_right"], found["only_baseline_right"]) == (b, c)
    assert found["p"] == pytest.approx(p, rel=1e-4)


def test_mcnemar_is_for_right_and_wrong_alone() -> None:
    ours, theirs = right_and_wrong(3, 4)
    assert mcnemar(ours / 2, theirs) is None, "a mean over several networks"
    assert mcnemar(ours, theirs + 0.1) is None


@pytest.mark.parametrize("n", [1, 2, 7])
def test_few_examples_are_no_trouble(n: int) -> None:
    mean, low, high = paired_interval(np.arange(n) + 1.0, np.zeros(n), 200, draws=50)
    assert low <= mean <= high
