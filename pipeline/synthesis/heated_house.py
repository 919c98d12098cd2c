"""Draw the load of an invented house from a hidden Markov chain, and compute the best possible forecasts of it.

Every day at 07:00 the house turns to cold or to mild weather. The weather is not measured, but at 08:00 the house
prepares for that of the next day: for an hour its load is PREPARATION higher before a cold day, and lower before a mild
one. So what is seen in that hour decides the load 22 to 46 hours later.

A heater runs for RUN steps. Then it rests for at least REST steps (short on cold days, long on mild ones) and starts in
each further step with probability STARTS. The load is the sum of a daily and weekly shape, the weather, the
preparation, the heater, and independent normal noise.

The state of the chain is the weather of today and of the next day, and the step of the heater. The load has no further
memory, so the forward filter of the chain is exact, and the load some steps ahead is a mixture of normal distributions.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

DAY = 96  # steps of 15 minutes, the first of which ends at 00:15 on a Saturday
TURN, PREPARE, PREPARED = 7 * 4, 8 * 4, 9 * 4
SAME_AGAIN = 0.6  # probability that the weather of the next day is that of today
WEATHER, PREPARATION, HEATER, NOISE = 8.0, 14.0, 10.0, 1.5  # in kW; the load is up to WEATHER above or below its shape
RUN, REST, STARTS = 4, (6, 2), 0.6  # REST on mild days and on cold ones
HEATER_STEPS = RUN + max(REST)
STATES = 4 * HEATER_STEPS  # [today, next day, heater], flat; 0 is mild, 1 is cold
LARGEST = 512  # more counts than any load has


def draw(steps: int, quantum: float, random: np.random.Generator) -> Counts:
    """Draw the load, int64 [steps], in multiples of `quantum` kW."""
    tables = {time: np.cumsum(_moved(np.eye(STATES), np.full(STATES, time - 1)), axis=1) for time in (0, TURN, PREPARE)}
    state, states = int(random.integers(STATES)), np.empty(steps, np.int64)
    for at, chance in enumerate(random.random(steps)):
        table = tables.get((at + 1) % DAY, tables[0])
        state = min(int(np.searchsorted(table[state], chance, "right")), STATES - 1)
        states[at] = state
    load = _means(np.arange(steps))[np.arange(steps), states] + random.normal(0.0, NOISE, steps)
    return np.maximum(np.round(load / quantum), 0).astype(np.int64)


def filtered(counts: Counts, known: NDArray[np.bool_], quantum: float, first: int = 0) -> Floats:
    """Compute the probability of each state given all loads up to each step, float64 [time, states].

    counts: the load in multiples of `quantum`, from step `first` on; known: bool [time], False where nothing was seen.
    """
    from scipy.special import ndtr

    at = first + np.arange(len(counts))
    means = _means(at)
    ends = [ndtr(((counts + half) * quantum)[:, None] / NOISE - means / NOISE) for half in (-0.5, 0.5)]
    likelihoods = np.where(known[:, None], ends[1] - ends[0], 1.0)
    weights, out = _before(first % DAY), np.empty((len(counts), STATES))
    for i in range(len(counts)):
        weights = _moved(weights, at[i : i + 1]) * likelihoods[i]
        weights /= weights.sum()
        out[i] = weights[0]
    return out


def medians(weights: Floats, steps: tuple[int, ...], quantum: float, first: int = 0) -> Counts:
    """Compute the conditional median of the load some `steps` ahead, int64 [time, steps], in multiples of `quantum`.

    weights: the result of filtered().
    """
    at, out = first + np.arange(len(weights)), []
    for ahead in range(1, max(steps) + 1):
        weights = _moved(weights, at + ahead)
        if ahead in steps:
            out.append(_median(weights, _means(at + ahead), quantum))
    return np.column_stack(out)


def _median(weights: Floats, means: Floats, quantum: float) -> Counts:
    """Return int64 [rows]: the smallest count at which the distribution function of the rounded load reaches ½."""
    from scipy.special import ndtr

    kinds = _kinds()
    shares = np.column_stack([weights[:, kinds == kind].sum(axis=1) for kind in np.unique(kinds)])
    centres = means[:, np.unique(kinds, return_index=True)[1]]
    low, high = np.zeros(len(weights), np.int64), np.full(len(weights), LARGEST)
    while (low < high).any():
        middle = (low + high) // 2
        below = (shares * ndtr(((middle + 0.5) * quantum)[:, None] / NOISE - centres / NOISE)).sum(axis=1)
        low, high = np.where(below < 0.5, middle + 1, low), np.where(below < 0.5, high, middle)
    return low


def _moved(weights: Floats, at: Counts) -> Floats:
    """Move probabilities, float64 [rows, states], from the step before to the steps `at`, int64 [rows]."""
    moved = weights @ HEATS
    for time, change in ((TURN, TURNS), (PREPARE, PREPARES)):
        now = (at + 1) % DAY == time
        if now.any():
            moved[now] = moved[now] @ change
    return moved


def _heats() -> Floats:
    """Return the chances of the heater's next step, float64 [states, states]; the weather stays."""
    table = np.zeros((2, 2, HEATER_STEPS, 2, 2, HEATER_STEPS))
    for today, tomorrow, step in np.ndindex(2, 2, HEATER_STEPS):
        chances = table[today, tomorrow, step, today, tomorrow]
        start = STARTS if step >= RUN + REST[today] - 1 else 0.0
        chances[0] += start
        chances[min(step + 1, HEATER_STEPS - 1)] += 1 - start
    return table.reshape(STATES, STATES)


def _weather(chances: NDArray[Any]) -> Floats:
    """Return float64 [states, states] of `chances`, [today, next day, today, next day]; the heater stays."""
    table: Floats = np.einsum("abcd,kl->abkcdl", chances, np.eye(HEATER_STEPS))
    return table.reshape(STATES, STATES)


SAME = np.eye(2)
HEATS = _heats()
TURNS = _weather(np.einsum("bc,bd,a->abcd", SAME, SAME, np.ones(2)))
PREPARES = _weather(np.einsum("ac,ad,b->abcd", SAME, np.where(SAME > 0, SAME_AGAIN, 1 - SAME_AGAIN), np.ones(2)))


@cache
def _before(time: int) -> Floats:
    """Return float64 [1, states]: the probabilities before a step at `time` if nothing was seen for ten days."""
    weights = np.full((1, STATES), 1 / STATES)
    for at in range(time - 10 * DAY, time):
        weights = _moved(weights, np.array([at]))
    return weights


def _kinds() -> Counts:
    """Return int64 [states], equal for states in which the load has the same mean at all times of day."""
    today, tomorrow, step = np.indices((2, 2, HEATER_STEPS)).reshape(3, STATES)
    return 4 * today + 2 * tomorrow + (step < RUN)


def _means(at: Counts) -> Floats:
    """Return float64 [steps, states]: the mean load in kW in each state at the steps `at`, int64 [steps]."""
    kinds = _kinds()
    today, tomorrow, on = (np.array((-1, 1))[kinds // 4], np.array((-1, 1))[kinds // 2 % 2], kinds % 2)
    time, day = (at + 1) % DAY, (at + 1) // DAY
    hour, weekend = time / 4, day % 7 < 2
    shape = 60 - 10 * np.cos((hour - 4) * np.pi / 12) + 3.5 * np.sin((hour - 1) * np.pi / 4) - 5 * weekend
    prepares = (time >= PREPARE) & (time < PREPARED)
    means: Floats = shape[:, None] + WEATHER * today + HEATER * on + PREPARATION * prepares[:, None] * tomorrow
    return means
