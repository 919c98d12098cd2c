"""Times training steps with one process and with several, by turns: python benchmarks/workers.py [--workers 2].

A character model with made-up text; docs/data-parallel.md has what it printed. Each line is one network: the median
milliseconds of a step with one process and with the workers, and what the exchange took.
"""

import argparse
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.config.schema.networks import CharLmNetwork
from pipeline.stages import worker

SYMBOLS = 90
SHAPES = ((128, 64), (512, 64), (512, 128))  # units, steps
BATCH = 64


def measured(units: int, steps: int, workers: int, rounds: int) -> str:
    """Train two networks on the same batch, a step of each in turn."""
    from pipeline.tasks.char_lm import network as module
    from pipeline.training.compiled import Compiled
    from pipeline.training.crew import Crew
    from pipeline.training.fit import optimizer
    from pipeline.training.parallel import Parallel

    row = CharLmNetwork.model_validate(
        {"dataset": "made-up", "task": "char_lm", "cell": "lstm", "units": units, "dropout": 0.3, "time_steps": steps,
         "batch_size": BATCH, "workers": workers}
    )  # fmt: skip
    encoder = {"symbols": [chr(ord("!") + i) for i in range(SYMBOLS)]}
    x = np.random.default_rng(0).integers(0, SYMBOLS, (BATCH, steps)).astype(np.int32)
    alone = Compiled(module.build(row, encoder, BATCH), module.loss(row), optimizer(row))
    with Crew(workers, worker.setup(row, encoder)) as crew:
        own = module.build(row, encoder, BATCH // workers)
        networks: dict[int, Any] = {1: alone, workers: Parallel(own, module.loss(row), optimizer(row), crew)}
        seconds: dict[int, list[float]] = {count: [] for count in networks}
        for _ in range(rounds + 2):  # two to begin with, which are not counted
            for count, network in networks.items():
                started = time.perf_counter()
                network.train(x, x, None)
                seconds[count].append(time.perf_counter() - started)
        steps_of = {count: f"{1e3 * median(found[2:]):.0f} ms" for count, found in seconds.items()}
        return f"{units} units, {steps} steps: {steps_of[1]} alone, {steps_of[workers]} with {crew.summary()}"


def main() -> None:
    """Print a line for each shape."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=12)
    arguments = parser.parse_args()
    for units, steps in SHAPES:
        print(measured(units, steps, arguments.workers, arguments.rounds), flush=True)


if __name__ == "__main__":
    main()
