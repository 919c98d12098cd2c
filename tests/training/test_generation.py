"""How characters are drawn: at a temperature, and from the likeliest ones only."""

import numpy as np
import pytest

from pipeline.training.generation import Sampling, draw

SHARES = np.array([0.5, 0.3, 0.15, 0.05])
LOGITS = np.log(SHARES)[None] + 2.0


def drawn(sampling: Sampling, times: int = 4000) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.bincount(draw(np.repeat(LOGITS, times, axis=0), [sampling] * times, rng), minlength=4) / times


def test_temperature_one_draws_from_the_distribution_itself() -> None:
    np.testing.assert_allclose(drawn(Sampling(1.0)), SHARES, atol=0.03)


def test_temperature_zero_takes_the_likeliest_whatever_top_p() -> None:
    assert drawn(Sampling(0.0))[0] == drawn(Sampling(0.0, 0.5))[0] == 1.0


@pytest.mark.parametrize(("top_p", "kept"), [(0.4, 1), (0.5, 1), (0.51, 2), (0.8, 2), (0.9, 3), (0.96, 4), (1.0, 4)])
def test_top_p_keeps_the_fewest_likeliest_that_have_it_together(top_p: float, kept: int) -> None:
    expected = np.where(np.arange(4) < kept, SHARES, 0.0)
    np.testing.assert_allclose(drawn(Sampling(1.0, top_p)), expected / expected.sum(), atol=0.03)


def test_the_nucleus_is_that_of_the_heated_distribution() -> None:
    # At temperature 2 the shares are .38 .29 .21 .12: half of the probability takes two symbols.
    assert (drawn(Sampling(2.0, 0.5)) > 0).tolist() == [True, True, False, False]


def test_every_row_is_drawn_in_its_own_way() -> None:
    found = draw(np.repeat(LOGITS, 2, axis=0), [Sampling(0.0), Sampling(1.0, 1e-6)], np.random.default_rng(1))
    assert found.tolist() == [0, 0]
