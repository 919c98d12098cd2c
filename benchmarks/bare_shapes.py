"""Times a training step of one recurrent layer alone, with LSTM and GRU: python benchmarks/bare_shapes.py.

Features or an embedding, the layer, and a dense layer: with the project's layers, with those of Keras in the same loop
with the same optimiser, and in PyTorch, if it is installed. All start from the same weights and read the same made-up
batches, and their mean losses must be the same. They take turns, as in training_steps.py.
"""

import argparse
import contextlib
import itertools
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.training_steps import HAS_TORCH, ROOT
from benchmarks.turns import Row, Turns, learning, line, measured, opponent, ratios, say


class Shape(NamedTuple):
    """outputs: of the dense layer; 1 is a regression. every: whether it answers at every step, or after the last."""

    batch: int
    steps: int
    features: int
    units: int
    outputs: int
    vocabulary: int = 0
    every: bool = False


SHAPES = {
    "electricity": Shape(96, 20, 1, 10, 1),
    "umich": Shape(32, 40, 128, 64, 2, vocabulary=2002),
    "alice": Shape(128, 10, 42, 128, 42),
    "imdb": Shape(128, 500, 32, 32, 2, vocabulary=10_000),
    "char": Shape(64, 40, 256, 512, 57, vocabulary=57, every=True),
}
CELLS = {"lstm": 4, "gru": 3}  # gates
NAMES = [f"{shape}-{cell}" for shape in SHAPES for cell in CELLS]
ROUNDS, SECONDS = 3, 0.5
BATCHES, RATE, EPSILON = 8, 0.001, 1e-7


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "shapes", nargs="*", default=[",".join(NAMES)], help="such as umich-lstm; all of them without it"
    )
    parser.add_argument("--data", type=Path, default=Path.cwd(), help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--check", action="store_true", help="end with 1 if a layer is slower than an opponent")
    parser.add_argument("--opponent", nargs=2, metavar=("KIND", "ROOT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    names = ",".join(arguments.shapes).split(",")
    if arguments.opponent:
        for name in names:
            with contextlib.suppress(StopIteration):
                (in_pytorch if arguments.opponent[0] == "pytorch" else in_keras)(arguments.opponent[0], name)
        return 0
    kinds = ["project", "stock", *(["pytorch"] if HAS_TORCH else [])]
    rows: dict[str, Row] = {}
    with ExitStack() as stack:
        running = {kind: stack.enter_context(opponent(__file__, kind, ROOT, ",".join(names), ROOT)) for kind in kinds}
        for name in names:
            rows[name] = measured(running, arguments.rounds, SECONDS)
            print(line(name, rows[name]), flush=True)
            for process in running.values():
                say(process, 0)
    verdicts = [*judged(rows), *learning(rows)]
    print("\n".join(verdicts))
    return int(arguments.check and any(verdict.startswith(("falls short", "differs")) for verdict in verdicts))


def judged(rows: Mapping[str, Row]) -> Iterator[str]:
    """Yield a line for each shape on which the layer does not pay."""
    count = 0
    for name, row in rows.items():
        for kind in sorted(row.keys() - {"project"}):
            ratio = median(ratios(row, kind))
            count += ratio >= 1.0
            if ratio < 1.0:
                yield f"falls short: {name} is {ratio:.2f}× as fast as {kind}, the goal is 1×"
    yield f"reached: {count} shapes and opponents, at least as fast"


def shape_of(name: str) -> tuple[Shape, str]:
    shape, _, cell = name.partition("-")
    return SHAPES[shape], cell


def batches(shape: Shape) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Return made-up inputs, ids int32 [batch, steps] or float32 with features, and targets."""
    rng, size = np.random.default_rng(0), (shape.batch, shape.steps)
    wanted = size if shape.every else size[:1]
    return [
        (
            rng.integers(shape.vocabulary, size=size, dtype=np.int32)
            if shape.vocabulary
            else rng.normal(size=(*size, shape.features)).astype(np.float32),
            rng.normal(size=(*wanted, 1)).astype(np.float32)
            if shape.outputs == 1
            else rng.integers(shape.outputs, size=wanted, dtype=np.int32),
        )
        for _ in range(BATCHES)
    ]


def weights(shape: Shape, cell: str) -> list[NDArray[np.float32]]:
    """Return the first weights, in the order of Keras: embedding, kernel, recurrent kernel, bias, dense layer."""
    rng, wide = np.random.default_rng(1), shape.units * CELLS[cell]

    def drawn(*size: int) -> NDArray[np.float32]:
        return rng.uniform(-1, 1, size).astype(np.float32) / np.float32(np.sqrt(size[0]))

    table = [drawn(shape.vocabulary, shape.features)] if shape.vocabulary else []
    bias = np.zeros((2, wide) if cell == "gru" else wide, np.float32)
    layer = [drawn(shape.features, wide), drawn(shape.units, wide), bias]
    return [*table, *layer, drawn(shape.units, shape.outputs), np.zeros(shape.outputs, np.float32)]


def in_keras(kind: str, name: str) -> None:
    """Train for ever, in turns, with the project's layer or with that of Keras."""
    from pipeline.layers import keras, sequences
    from pipeline.training import optimizers
    from pipeline.training.compiled import Compiled

    shape, cell = shape_of(name)
    source = sequences if kind == "project" else keras.layers
    layer = {"lstm": source.LSTM, "gru": source.GRU}[cell](shape.units, return_sequences=shape.every)
    ids = keras.Input((None,), dtype="int32") if shape.vocabulary else keras.Input((None, shape.features))
    x = keras.layers.Embedding(shape.vocabulary, shape.features)(ids) if shape.vocabulary else ids
    model = keras.Model(ids, keras.layers.Dense(shape.outputs)(layer(x)))
    model.set_weights(weights(shape, cell))
    losses = keras.losses
    loss = losses.MeanSquaredError() if shape.outputs == 1 else losses.SparseCategoricalCrossentropy(from_logits=True)
    compiled, turns = Compiled(model, loss, optimizers.Adam(RATE, epsilon=EPSILON)), Turns()
    turns.wait()
    for inputs, targets in itertools.cycle(batches(shape)):
        turns.step(compiled.train(inputs, targets, None))


def in_pytorch(kind: str, name: str) -> None:
    """Train for ever, in turns, with a layer of PyTorch."""
    import torch
    from torch import nn

    from benchmarks import pytorch_networks

    shape, cell = shape_of(name)
    table = [nn.Embedding(shape.vocabulary, shape.features)] if shape.vocabulary else []
    layer = pytorch_networks.CELLS[cell](shape.features, shape.units, batch_first=True)
    dense = nn.Linear(shape.units, shape.outputs)
    model = nn.ModuleList([*table, layer, dense])
    pytorch_networks.assign(model, weights(shape, cell))
    optimiser, turns = torch.optim.Adam(model.parameters(), RATE, eps=EPSILON), Turns()
    fed = [tuple(map(torch.from_numpy, batch)) for batch in batches(shape)]
    turns.wait()
    for x, y in itertools.cycle(fed):
        optimiser.zero_grad()
        out = layer(table[0](x) if table else x)[0]
        logits = dense(out if shape.every else out[:, -1])
        found = logits.flatten(0, -2), y.flatten().long()
        loss = nn.functional.mse_loss(logits, y) if shape.outputs == 1 else nn.functional.cross_entropy(*found)
        loss.backward()
        optimiser.step()
        turns.step(loss.item())


if __name__ == "__main__":
    sys.exit(main())
