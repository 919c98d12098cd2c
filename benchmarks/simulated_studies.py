"""How often a study calls arms different that are equal, and finds those that differ: simulated scores, no training.

    python benchmarks/simulated_studies.py [studies]

prints the table of docs/studies.md. It takes about five minutes for 2,000 studies of each case.
"""

import sys
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.evaluation.arms import block_means, holm, paired

ALPHA = 0.05
CHUNK = 4_000_000  # losses that are simulated at a time


@dataclass(frozen=True)
class Case:
    """A kind of study.

    A loss is the sum of effects of its seed and of its example (in all arms, and in its arm) and of noise, all normal.
    `seed_sd`, `example_sd`: of the effects of the seed, and of the example in its arm; that of the noise is 0.5.
    `uneven`: the first arm's seeds vary a tenth as much, and the last one's twice as much. `group`: number of
    neighbouring examples with the same effects, which begin in the middle of a block if `shifted`. `wrong`: the loss is
    1 if the sum is above 1, else 0. `tails`: noise by Student's t with 3 degrees of freedom. `effect`: how much the
    first arm's sums are lower.
    """

    name: str
    arms: int = 5
    seeds: int = 5
    examples: int = 1_000
    block: int = 1
    seed_sd: float = 0.05
    example_sd: float = 0.5
    uneven: bool = False
    group: int = 1
    shifted: bool = False
    wrong: bool = False
    tails: bool = False
    effect: float = 0.0


EQUAL = (
    Case("seeds and examples"),
    Case("seeds alone", seed_sd=0.3, example_sd=0.0),
    Case("examples alone", seed_sd=0.0),
    Case("seeds that vary much", seed_sd=1.0),
    Case("arms that vary unevenly", seed_sd=0.3, uneven=True),
    Case("500 examples", examples=500),
    Case("2,000 examples", examples=2_000),
    Case("blocks", examples=2_000, block=25, group=25),
    Case("blocks that begin elsewhere", examples=2_000, block=25, group=25, shifted=True),
    Case("few blocks", examples=500, block=25, group=25, shifted=True, seed_sd=0.0),
    Case("right or wrong", wrong=True),
    Case("right or wrong, seeds that vary much", wrong=True, seed_sd=0.5),
    Case("heavy tails", examples=500, tails=True),
)
UNEQUAL = (
    Case("five times the sd of seeds alone", seed_sd=0.3, effect=1.5, example_sd=0.0),
    Case("five times the sd of seeds, examples too", seed_sd=0.1, effect=0.5),
    Case("five times the standard error over examples", seed_sd=0.0, effect=0.112),
    Case("seven points of accuracy", wrong=True, effect=0.34),
    Case("six times the standard error over blocks", examples=2_000, block=25, group=25, shifted=True, effect=0.475),
)


def simulate(case: Case, studies: int, rng: np.random.Generator) -> NDArray[Any]:
    """Return float32 [studies, arms, seeds, examples]."""
    arms, seeds = case.arms, case.seeds
    spread = np.geomspace(0.1, 2, arms) if case.uneven else np.ones(arms)
    seed = case.seed_sd * spread[:, None, None] * rng.standard_normal((studies, arms, seeds, 1))
    common = _examples(case, (studies, 1, 1), rng)
    own = case.example_sd * _examples(case, (studies, arms, 1), rng) if case.example_sd else 0.0
    shape = (studies, arms, seeds, case.examples)
    noise = rng.standard_t(3, shape) / 3**0.5 if case.tails else _examples(case, shape[:3], rng)
    sums = common + own + 0.5 * noise + seed.astype(np.float32)
    sums[:, 0] -= case.effect
    return (sums > 1).astype(np.float32) if case.wrong else sums


def _examples(case: Case, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[Any]:
    """Return float32 [*shape, examples] with variance 1, equal within a group."""
    groups = case.examples // case.group + 1
    drawn = rng.standard_normal((*shape, groups), dtype=np.float32)
    start = case.group // 2 if case.shifted else 0
    return np.repeat(drawn, case.group, axis=-1)[..., start : start + case.examples]


def called(losses: NDArray[Any], block: int) -> NDArray[np.bool_]:
    """Return bool [studies, pairs]: whether a pair of arms is called different. losses: as from simulate."""
    units = block_means(losses, block)
    pairs = list(combinations(range(losses.shape[1]), 2))
    found = np.stack([paired(units[:, a] - units[:, b], dependent=block > 1).p for a, b in pairs], axis=1)
    return np.asarray(holm(found) < ALPHA)


def called_different(case: Case, studies: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return bool [studies, pairs] for that many simulated studies."""
    at_once = max(1, CHUNK // (case.arms * case.seeds * case.examples))
    sizes = [min(at_once, studies - start) for start in range(0, studies, at_once)]
    return np.concatenate([called(simulate(case, size, rng), case.block) for size in sizes])


def main(studies: int) -> None:
    rng = np.random.default_rng(1)
    print(f"equal arms, {studies} studies each: share in which any pair is called different")
    few = [replace(EQUAL[0], name=f"{arms} arms, {seeds} seeds", arms=arms, seeds=seeds, seed_sd=0.3)
           for arms, seeds in ((2, 2), (2, 3), (2, 5), (3, 5), (5, 2), (5, 3), (5, 10), (10, 5))]  # fmt: skip
    for case in (*EQUAL, *few):
        print(f"| {case.name} | {100 * called_different(case, studies, rng).any(axis=1).mean():.1f} % |", flush=True)
    print("\nthe first arm is better: share of its pairs that are called different; any pair of the equal arms")
    for case in UNEQUAL:
        found, first = called_different(case, studies, rng), case.arms - 1
        of_first, of_others = found[:, :first].mean(), found[:, first:].any(axis=1).mean()
        print(f"| {case.name} | {100 * of_first:.1f} % | {100 * of_others:.1f} % |", flush=True)
    print("\nsmallest difference, in sd of the seeds, that is called different in 80 % of its pairs; seeds vary alone")
    for arms, seeds in ((2, 2), (2, 3), (2, 5), (2, 10), (3, 5), (5, 3), (5, 5), (5, 10), (10, 5), (10, 10)):
        print(f"| {arms} | {seeds} | {smallest_found(arms, seeds, studies, rng):.1f} |", flush=True)


def smallest_found(arms: int, seeds: int, studies: int, rng: np.random.Generator) -> float:
    """Return the smallest effect, in tenths of the seeds' standard deviation, found in 80 % of its pairs."""
    low, high = 0, 2_000
    case = Case("", arms, seeds, examples=10, seed_sd=10.0, example_sd=0.0)
    while high - low > 1:
        effect = (low + high) // 2
        found = called_different(replace(case, effect=float(effect)), studies, rng)[:, : arms - 1].mean()
        low, high = (low, effect) if found >= 0.8 else (effect, high)
    return high / 10


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000)
