"""heated_house: the chain written out a second time in plain Python, and medians against simulated loads."""

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from pipeline.synthesis import heated_house as house

QUANTUM = 0.5
State = tuple[int, int, int]  # weather of today and of the next day, step of the heater


def following(state: State, at: int) -> Iterator[tuple[float, State]]:
    """Yield the probability of each state at step `at` after `state` at the step before."""
    today, tomorrow, heater = state
    started = 0.6 if heater + 1 >= 4 + (2 if today else 6) else 0.0
    clock = (at + 1) * 15 % 1440
    for chance, step in ((started, 0), (1 - started, min(heater + 1, 9))):
        if clock == 7 * 60:
            yield chance, (tomorrow, tomorrow, step)
        elif clock == 8 * 60:
            yield 0.6 * chance, (today, today, step)
            yield 0.4 * chance, (today, 1 - today, step)
        else:
            yield chance, (today, tomorrow, step)


def mean(state: State, at: int) -> float:
    today, tomorrow, heater = state
    minutes = (at + 1) * 15
    hour, weekday = minutes % 1440 / 60, (minutes // 1440 + 5) % 7  # 2011-01-01 was a Saturday
    load = 60 - 10 * math.cos((hour - 4) * math.pi / 12) + 3.5 * math.sin((hour - 1) * math.pi / 4)
    load += (8 if today else -8) + (10 if heater < 4 else 0) - (5 if weekday >= 5 else 0)
    return load + ((14 if tomorrow else -14) if 8 <= hour < 9 else 0)


def likelihood(count: int, state: State, at: int) -> float:
    low, high = ((count + half) * QUANTUM - mean(state, at) for half in (-0.5, 0.5))
    return 0.5 * (math.erf(high / 1.5 / math.sqrt(2)) - math.erf(low / 1.5 / math.sqrt(2)))


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    return house.draw(40 * 96, QUANTUM, np.random.default_rng(3))


@pytest.fixture(scope="module")
def weights(counts: np.ndarray) -> np.ndarray:
    return house.filtered(counts, np.ones(len(counts), np.bool_), QUANTUM)


def test_the_filter_is_that_of_the_chain_written_out(counts: np.ndarray) -> None:
    known = np.ones(200, np.bool_)
    known[50:60] = False
    found = house.filtered(counts[:200], known, QUANTUM)
    states = [(a, b, k) for a in (0, 1) for b in (0, 1) for k in range(10)]
    belief = dict(zip(states, house._before(0)[0].tolist(), strict=True))
    for at in range(200):
        moved = dict.fromkeys(states, 0.0)
        for state, probability in belief.items():
            for chance, to in following(state, at):
                moved[to] += probability * chance
        if known[at]:
            moved = {state: p * likelihood(int(counts[at]), state, at) for state, p in moved.items()}
        belief = {state: p / sum(moved.values()) for state, p in moved.items()}
        assert found[at].tolist() == pytest.approx([belief[state] for state in states], abs=1e-9)


def test_half_of_the_simulated_loads_are_on_either_side_of_the_median(weights: np.ndarray) -> None:
    steps, draws, random = (1, 4, 24, 96), 4_000, np.random.default_rng(5)
    medians = house.medians(weights, steps, QUANTUM)
    tables = {
        time: [list(zip(*following((s // 20, s // 10 % 2, s % 10), time), strict=True)) for s in range(40)]
        for time in range(96)
    }
    for origin in (700, 1_333, 1_555, 2_001, 2_430, 3_111):
        states = random.choice(40, size=draws, p=weights[origin])
        for ahead in range(1, 97):
            table = tables[(origin + ahead) % 96]
            after = np.empty(draws, int)
            for state in np.unique(states):
                chances, to = table[state]
                flat = [20 * a + 10 * b + k for a, b, k in to]
                after[states == state] = random.choice(flat, size=int(np.sum(states == state)), p=chances)
            states = after
            if ahead in steps:
                means = np.array([mean((s // 20, s // 10 % 2, s % 10), origin + ahead) for s in range(40)])
                loads = np.round((means[states] + random.normal(0.0, 1.5, draws)) / QUANTUM)
                median, error = medians[origin, steps.index(ahead)], 4 * 0.5 / np.sqrt(draws)
                assert np.mean(loads < median) <= 0.5 + error, (origin, ahead)
                assert np.mean(loads <= median) >= 0.5 - error, (origin, ahead)


def test_no_shifted_median_is_better(counts: np.ndarray, weights: np.ndarray) -> None:
    steps = (1, 4, 96)
    medians = house.medians(weights, steps, QUANTUM)
    for j, ahead in enumerate(steps):
        best, truth = medians[:-ahead, j], counts[ahead:]
        losses = [np.abs(best + shift - truth).mean() for shift in (-2, -1, 0, 1, 2)]
        assert losses[2] <= min(losses) + 0.02, f"{ahead} steps ahead: {losses}"
        for before, after in pairwise(np.linspace(0.0, 0.3, 4)):  # nor one that leans on the last load
            leans = [np.abs(best + lean * (counts[:-ahead] - best) - truth).mean() for lean in (before, after)]
            assert leans[0] < leans[1], f"{ahead} steps ahead"


def test_a_memory_of_more_than_48_steps_lowers_the_loss(counts: np.ndarray, weights: np.ndarray) -> None:
    origins, known = np.arange(48, len(counts) - 96, 8), np.ones(48, np.bool_)
    window = [house.filtered(counts[i - 47 : i + 1], known, QUANTUM, i - 47)[-1:] for i in origins]
    short = np.array([house.medians(w, (96,), QUANTUM, i)[0, 0] for i, w in zip(origins, window, strict=True)])
    truth, long = counts[origins + 96], house.medians(weights, (96,), QUANTUM)[origins, 0]
    gain = np.abs(short - truth) - np.abs(long - truth)
    blocks = gain[: len(gain) // 12 * 12].reshape(-1, 12).mean(axis=1)  # of a day
    assert gain.mean() > 3 * blocks.std() / np.sqrt(len(blocks))
    assert gain.mean() > 0.25 * np.abs(long - truth).mean()


def test_no_load_is_near_zero_or_above_the_largest_count() -> None:
    means = house._means(np.arange(7 * 96))
    assert means.min() > 10 * house.NOISE
    assert means.max() + 10 * house.NOISE < 0.4 * house.LARGEST
