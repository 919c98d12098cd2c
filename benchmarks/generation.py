"""Characters a second of one stream, in NumPy and by Keras' `predict`: python benchmarks/generation.py [experiment …].

Answers of the project compute a network in NumPy (pipeline/inference). The opponent is the same network in stock Keras
layers, with its state carried, whose `predict` is called for each character, as in the textbook. Both draw characters
by the same code with the same seed, and must write the same text. The weights are untrained, which changes no time. The
vocabularies are those of the prepared data. Each is a process of its own; they take turns.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the commands set it; NumPy reads it when it is imported

import numpy as np

from benchmarks.training_steps import ROOT, prepare
from benchmarks.turns import opponent, turn

# The goals: characters a second of the project, and how many times as many as `predict`.
GOALS = {"sonnets": 15_000, "alice": 4_000}
RATIOS = {"sonnets": 300.0}
ROUNDS, SAME, MADE = 3, 100, {"project": 20_000, "keras": 100}  # characters
PROMPT, SEED, TEMPERATURE = "the ", 0, 0.7


class Speed(NamedTuple):
    """Characters a second in each round; same: whether both wrote the same text."""

    project: list[float]
    keras: list[float]
    same: bool


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "experiments", nargs="*", default=list(GOALS), help="character models; sonnets and alice without it"
    )
    parser.add_argument("--data", type=Path, default=ROOT / ".dvc/tmp/bench", help="folder for the prepared data")
    parser.add_argument("--quick", action="store_true", help="a try on synthetic data")
    parser.add_argument("--check", action="store_true", help="end with 1 if a goal falls short")
    parser.add_argument("--opponent", nargs=2, metavar=("KIND", "ROOT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.opponent:
        kind, _ = arguments.opponent
        {"project": in_numpy, "keras": in_keras}[kind](arguments.experiments[0])
        return 0
    data = arguments.data / "synthetic" if arguments.quick else arguments.data
    prepare(data, arguments.experiments, "synthetic" if arguments.quick else "published")
    speeds = {}
    for name in arguments.experiments:
        speeds[name] = compared(name, data, 1 if arguments.quick else ROUNDS)
        print(described(name, speeds[name]), flush=True)
    verdicts = list(judged(speeds))
    print("\n".join(verdicts))
    return int(arguments.check and any(verdict.startswith(("falls short", "differs")) for verdict in verdicts))


def compared(name: str, data: Path, rounds: int) -> Speed:
    """Let both write in turns; Keras' process also writes the network to files, so it comes first."""
    found: dict[str, list[float]] = {"keras": [], "project": []}
    texts = {}
    with ExitStack() as stack:
        running = {}
        for kind in found:
            running[kind] = stack.enter_context(opponent(__file__, kind, ROOT, name, data))
            _, _, texts[kind] = turn(running[kind], SAME)
        for _ in range(rounds):
            for kind, process in running.items():
                (taken,), _, _ = turn(process, MADE[kind])
                found[kind].append(1000 * MADE[kind] / taken)
    return Speed(**found, same=texts["keras"] == texts["project"])


def described(name: str, speed: Speed) -> str:
    ours, theirs = median(speed.project), median(speed.keras)
    return (
        f"{name:9} {ours:,.0f} characters a second ({min(speed.project):,.0f}–{max(speed.project):,.0f}), "
        f"`predict` {theirs:,.1f} ({min(speed.keras):,.1f}–{max(speed.keras):,.1f}): {ours / theirs:,.0f}×"
    )


def judged(speeds: Mapping[str, Speed]) -> Iterator[str]:
    """Yield a line for each goal, and one for each experiment whose two texts differ."""
    for name, speed in speeds.items():
        if not speed.same:
            yield f"differs: {name}, the text of `predict` is not the project's"
        made = median(speed.project)
        if name in GOALS:
            verdict = "falls short" if made < GOALS[name] else "reached"
            yield f"{verdict}: {name}, {made:,.0f} characters a second, the goal is {GOALS[name]:,}"
        if name in RATIOS:
            ratio = made / median(speed.keras)
            verdict = "falls short" if ratio < RATIOS[name] else "reached"
            yield f"{verdict}: {name}, {ratio:,.0f}× `predict` for each character, the goal is {RATIOS[name]:,.0f}×"


def write(model: Any, encoder: Mapping[str, Any]) -> None:
    """Write as many characters as each line of the input says, and say how long it took."""
    from pipeline.training.generation import Sampling, generate

    while length := int(sys.stdin.readline() or 0):
        started, used = time.perf_counter(), time.process_time()
        (text,) = generate(model, encoder, PROMPT, length, [Sampling(TEMPERATURE)], SEED)
        taken = 1000 * (time.perf_counter() - started)
        print(json.dumps([[taken], 1000 * (time.process_time() - used), text]), flush=True)


def in_keras(name: str) -> None:
    """Write with the network in stock Keras layers, after saving its description and its weights."""
    from pipeline import artifacts
    from pipeline.artifacts import Project
    from pipeline.stages import parameters
    from pipeline.tasks import task_named

    row = parameters(Project(Path())).experiment(name)
    encoder, network = (
        artifacts.load_encoded(Project(Path()).prepared(row.dataset)).encoder,
        task_named(row.task).network(),
    )
    from pipeline.layers.cells import reset_states
    from pipeline.training.description import description, serving_model
    from pipeline.training.fit import load, trainable

    served = serving_model(network, row, encoder)
    stock = serving_model(network, row.model_copy(update={"kernel": "keras"}), encoder)
    load(stock, trainable(served))
    np.savez(f"generation-{name}.npz", *trainable(served))
    Path(f"generation-{name}.json").write_text(json.dumps({"graph": description(served), "encoder": encoder}))

    class Predicting:
        def predict(self, x: Any) -> Any:
            return stock.predict(x, verbose=0)

        def reset_states(self) -> None:
            reset_states(stock)

    write(Predicting(), encoder)


def in_numpy(name: str) -> None:
    """Write with the network in NumPy, as the commands and servers do."""
    from pipeline.inference.graph import Graph

    stored = json.loads(Path(f"generation-{name}.json").read_text())
    with np.load(f"generation-{name}.npz") as arrays:
        write(Graph(stored["graph"], [arrays[key] for key in arrays.files]), stored["encoder"])


if __name__ == "__main__":
    sys.exit(main())
