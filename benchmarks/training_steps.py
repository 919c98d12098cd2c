"""Times a training step of the shipped experiments, at their published settings and on the published data.

    python benchmarks/training_steps.py                        # against the same networks in stock Keras under `fit`
    python benchmarks/training_steps.py --before 4c5702a umich # also against the project at an older commit

If PyTorch is installed (the extra `torch`), the same networks written in it are an opponent too (pytorch_networks.py).
Each opponent is a process of its own. They take turns: in every round each one trains on the same next batches, while
the others wait. A step is the whole one, with its batch, its update and its averaged weights. The table has the median
of milliseconds over the rounds, in brackets those of all processors together, and the median ratio with its smallest
and largest value. All start from the same weights with a constant learning rate, and the mean loss of the first steps,
at most MOST, must be the same but for noise (turns.NOISE). The last lines say which goals fall short, and which
opponents learn something else; with --check, the script then ends with 1.
"""

import argparse
import importlib.util
import itertools
import json
import math
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, get_args

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.turns import MOST, ROUNDS, EachLoss, Row, Turns, compared, learning, line, ratios

ROOT = Path(__file__).resolve().parents[1]
SEED = 42
ROWS = "rows.json"  # in the folder of the data: the settings that all opponents have
EXPERIMENTS = (
    "alice", "sonnets", "shakespeare", "warpeace",
    "sonnets-simple-rnn", "sonnets-lstm", "sonnets-gru", "sonnets-peephole-lstm", "sonnets-coupled-lstm",
    "umich", "imdb", "treebank", "electricity", "cifar10",
)  # fmt: skip
# The goals: times as fast, each experiment and their geometric mean.
GOALS = {"stock": (1.5, 2.2), "before": (1.5, 2.2), "pytorch": (1.0, 1.3)}
HAS_TORCH = importlib.util.find_spec("torch") is not None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="*", default=EXPERIMENTS, help="all of them without it")
    parser.add_argument("--before", metavar="COMMIT", help="an older commit of the project as a further opponent")
    parser.add_argument("--data", type=Path, default=ROOT / ".dvc/tmp/bench", help="folder for the prepared data")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--check", action="store_true", help="end with 1 if a goal falls short")
    parser.add_argument("--opponent", nargs=2, metavar=("KIND", "ROOT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.opponent:
        kind, root = arguments.opponent
        sys.path.insert(0, root)
        train_in_turns(kind, arguments.experiments[0], arguments.data)
        return 0
    prepare(arguments.data, arguments.experiments)
    with checked_out(arguments.before) as before:
        opponents = {"project": ROOT, "stock": ROOT} | ({"before": before} if before else {})
        rows = {}
        for name in arguments.experiments:
            pytorch = {"pytorch": ROOT} if HAS_TORCH and "peephole" not in name and "coupled" not in name else {}
            rows[name] = compared(__file__, name, opponents | pytorch, arguments.data, arguments.rounds)
            print(line(name, rows[name]), flush=True)
    verdicts = [*judged(rows), *learning(rows)]
    print("\n".join(verdicts))
    return int(arguments.check and any(verdict.startswith(("falls short", "differs")) for verdict in verdicts))


def prepare(folder: Path, experiments: Any, edition: str = "published") -> None:
    """Prepare the data of the experiments in a project of its own."""
    from pipeline.artifacts import Project
    from pipeline.stages import download, parameters, preprocess

    folder.mkdir(parents=True, exist_ok=True)
    text = (ROOT / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("\nedition: synthetic", f"\nedition: {edition}", 1))
    project = Project(folder)
    params = parameters(project)
    for dataset in sorted({params.experiments[name].dataset for name in experiments}):
        if not (project.prepared(dataset) / "arrays.npz").exists():
            download.run(project, params.datasets[dataset].source)
            preprocess.run(project, dataset)
    rows = {name: params.experiment(name).model_dump(mode="json") for name in experiments}
    (folder / ROWS).write_text(json.dumps(rows))


def row_of(data: Path, name: str) -> Any:
    """The settings of an experiment, as far as the project at this commit has them: new ones stay at their defaults."""
    from pipeline.config.schema.networks import ExperimentRows

    row = json.loads((data / ROWS).read_text())[name]
    kind = next(k for k in get_args(ExperimentRows) if row["task"] in get_args(k.model_fields["task"].annotation))
    return kind.model_validate({key: value for key, value in row.items() if key in kind.model_fields})


@contextmanager
def checked_out(commit: str | None) -> Iterator[Path | None]:
    """The project at a commit, in a temporary folder."""
    if commit is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "x", "-C", folder], input=archive, check=True)
        yield Path(folder)


def train_in_turns(kind: str, name: str, data: Path) -> None:
    """Train an experiment for ever, in turns: with the project's own loop, or in stock Keras."""
    from pipeline import artifacts
    from pipeline.artifacts import Project
    from pipeline.tasks import task_named

    project = Project(data)
    # A constant rate is the same in all opponents: Keras' `fit` and PyTorch know nothing of the project's schedule.
    fixed = {"epochs": 1000, "repeats": 1, "schedule": "constant"}
    row = row_of(data, name).model_copy(update=fixed)
    encoded = artifacts.load_encoded(project.prepared(row.dataset))
    if row.precision == "bfloat16":
        os.environ["ONEDNN_DEFAULT_FPMATH_MODE"] = "BF16"
    if kind == "pytorch":
        return in_pytorch(name, row, encoded)
    if kind == "batches":
        return write_batches(name, task_named(row.task), row, encoded)
    if kind == "stock":
        stock(task_named(row.task), row.model_copy(update={"kernel": "keras"}), encoded)
        return
    from pipeline.training import fit, repeats

    fit._validated = lambda course, network, epoch, *_: course.fitted.__setattr__("best_epoch", epoch) or {}
    repeats.train(task_named(row.task), row, encoded, seed=SEED, label=name, progress=Turns())  # type: ignore[arg-type]


def in_pytorch(name: str, row: Any, encoded: Any) -> None:
    """Train the same network as one would write it in PyTorch, on the same batches; its process makes none itself."""
    from benchmarks import pytorch_networks

    file = Path(f"batches-{name}.npz")
    command = [sys.executable, __file__, name, "--data", ".", "--opponent", "batches", str(ROOT)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with np.load(file) as stored:
        fed = [[stored.get(f"{i}-{part}") for part in range(3)] for i in range(MOST)]
        weights = [stored[f"weights-{i}"] for i in range(sum(key.startswith("weights") for key in stored))]
    turns = Turns()
    turns.wait()
    pytorch_networks.train(row, encoded.encoder, weights, itertools.cycle(fed), turns.step)


def write_batches(name: str, task: Any, row: Any, encoded: Any) -> None:
    """Write the first batches and the first weights to a file.

    TensorFlow, which the feeds import, cannot share a process with PyTorch.
    """
    from pipeline.training.course import batches

    module = task.network()
    weights = {f"weights-{i}": np.asarray(v) for i, v in enumerate(built(module, row, encoded).trainable_variables)}
    feed = module.feed(row, encoded, ("train",), 0)
    endless = (batch for epoch in itertools.count(1) for batch in batches(feed, SEED, epoch))
    fed = {
        f"{i}-{part}": array
        for i, batch in enumerate(itertools.islice(endless, MOST))
        for part, array in enumerate(batch)
        if array is not None
    }
    np.savez(f"batches-{name}.npz", **fed, **weights)


def built(module: Any, row: Any, encoded: Any) -> Any:
    """Build a network with the weights from which the project starts."""
    random.seed(SEED)  # Keras draws the seeds of initialisers and dropout from Python's generator
    model = module.build(row, encoded.encoder, row.batch_size if row.stateful else None)
    if module.start is not None:
        module.start(model, row, encoded, ("train",), 0)
    return model


def stock(task: Any, row: Any, encoded: Any) -> None:
    """Train under Keras' own `fit`, with its optimiser and its averaged weights."""
    import tensorflow as tf

    from pipeline.layers import keras
    from pipeline.training.course import batches
    from pipeline.training.fit import optimizer

    module, turns, each = task.network(), Turns(), EachLoss()
    model = built(module, row, encoded)
    feed = module.feed(row, encoded, ("train",), 0)
    first = next(batches(feed, SEED, 1))
    shapes = [
        [row.batch_size if row.stateful else None, *[None] * (array.ndim - 1)] for array in first if array is not None
    ]
    signature = tuple(tf.TensorSpec(shape, array.dtype) for shape, array in zip(shapes, first, strict=False))
    endless = (
        tuple(a for a in batch if a is not None) for epoch in range(1, 1000) for batch in batches(feed, SEED, epoch)
    )
    used = optimizer(row)
    used.use_ema, used.ema_momentum = bool(row.ema_momentum), row.ema_momentum or 0.99
    model.compile(optimizer=used, loss=module.loss(row))
    step = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: turns.wait(),
        on_train_batch_end=lambda batch, logs: turns.step(each.of(logs["loss"])),
    )
    model.fit(tf.data.Dataset.from_generator(lambda: endless, output_signature=signature), callbacks=[step], verbose=0)


def judged(rows: dict[str, Row]) -> Iterator[str]:
    """Yield a line for each goal that falls short, and one for each geometric mean."""
    for kind in sorted({kind for row in rows.values() for kind in row} - {"project"}):
        found = {name: median(ratios(row, kind)) for name, row in rows.items() if kind in row}
        mean = math.exp(sum(map(math.log, found.values())) / len(found))
        for name, ratio in found.items():
            if ratio < GOALS[kind][0]:
                yield f"falls short: {name} is {ratio:.2f}× as fast as {kind}, the goal is {GOALS[kind][0]}×"
        verdict = "falls short" if mean < GOALS[kind][1] else "reached"
        yield f"{verdict}: the geometric mean against {kind} is {mean:.2f}×, the goal is {GOALS[kind][1]}×"


if __name__ == "__main__":
    sys.exit(main())
