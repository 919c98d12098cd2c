"""Times a training step of the shipped experiments, at their published settings and on the published data.

    python benchmarks/training_steps.py                        # against the same networks in stock Keras under `fit`
    python benchmarks/training_steps.py --before 4c5702a umich # also against the project at an older commit

If PyTorch is installed (the extra `torch`), the same networks written in it are an opponent too (pytorch_networks.py).
Each opponent is a process of its own. They take turns: in every round each one trains on the same next batches, while
the others wait. A step is the whole one, with its batch, its update and its averaged weights. The table has the median
of milliseconds over the rounds, in brackets those of all processors together, and the median ratio with its smallest
and largest value. The last lines say which goals fall short; with --check, the script then ends with 1.
"""

import argparse
import importlib.util
import itertools
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
EXPERIMENTS = (
    "alice", "sonnets", "shakespeare", "warpeace",
    "sonnets-simple-rnn", "sonnets-lstm", "sonnets-gru", "sonnets-peephole-lstm", "sonnets-coupled-lstm",
    "umich", "imdb", "treebank", "electricity", "cifar10",
)  # fmt: skip
# The goals: times as fast, each experiment and their geometric mean.
GOALS = {"stock": (1.5, 2.2), "before": (1.5, 2.2), "pytorch": (1.0, 1.3)}
HAS_TORCH = importlib.util.find_spec("torch") is not None
ROUNDS, SECONDS = 7, 1.0  # of a round of the slowest opponent, about
FEWEST, MOST = 6, 100  # steps in a round
Row = dict[str, tuple[list[float], list[float]]]  # of each opponent and round: milliseconds a step, and of processors
WARM_UP = 4  # steps, of which the first traces the graph


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
    sys.path.insert(0, str(ROOT))
    prepare(arguments.data, arguments.experiments)
    with checked_out(arguments.before) as before:
        opponents = {"project": ROOT, "stock": ROOT} | ({"before": before} if before else {})
        rows = {}
        for name in arguments.experiments:
            pytorch = {"pytorch": ROOT} if HAS_TORCH and "peephole" not in name and "coupled" not in name else {}
            rows[name] = compared(name, opponents | pytorch, arguments.data, arguments.rounds)
            print(line(name, rows[name]), flush=True)
    verdicts = list(judged(rows))
    print("\n".join(verdicts))
    return int(arguments.check and any(line.startswith("falls short") for line in verdicts))


def prepare(folder: Path, experiments: Any) -> None:
    """Prepare the published data of the experiments in a project of its own."""
    from pipeline.artifacts import Project
    from pipeline.stages import download, parameters, preprocess

    folder.mkdir(parents=True, exist_ok=True)
    text = (ROOT / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("\nedition: synthetic", "\nedition: published", 1))
    project = Project(folder)
    params = parameters(project)
    for dataset in sorted({params.experiments[name].dataset for name in experiments}):
        if not (project.prepared(dataset) / "arrays.npz").exists():
            download.run(project, params.datasets[dataset].source)
            preprocess.run(project, dataset)


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


def compared(name: str, opponents: dict[str, Path], data: Path, rounds: int) -> Row:
    """Milliseconds a step of each opponent, and of the processors, one figure for each round."""
    with ExitStack() as stack:
        running = {kind: stack.enter_context(opponent(kind, root, name, data)) for kind, root in opponents.items()}
        slowest = max(sum(turn(process, WARM_UP)[0][1:]) / (WARM_UP - 1) for process in running.values())
        steps = min(MOST, max(FEWEST, round(1000 * SECONDS / slowest)))
        found: Row = {kind: ([], []) for kind in running}
        for _ in range(rounds):
            for kind, process in running.items():
                times, used = turn(process, steps)
                found[kind][0].append(sum(times) / steps)
                found[kind][1].append(used)
    return found


@contextmanager
def opponent(kind: str, root: Path, name: str, data: Path) -> Iterator[Any]:
    command = [sys.executable, __file__, name, "--data", str(data.resolve()), "--opponent", kind, str(root)]
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        command,
        cwd=data,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def turn(process: Any, steps: int) -> tuple[list[float], float]:
    """Let an opponent train on its next batches; return the milliseconds of each step, and of the processors a step."""
    process.stdin.write(f"{steps}\n")
    process.stdin.flush()
    for text in process.stdout:
        if text.startswith("["):
            times, used = json.loads(text)
            return times, used
    raise SystemExit(f"{' '.join(process.args)} has ended")


class Turns:
    """Watches a training: stops it after each turn, until the next one is wanted."""

    def __init__(self) -> None:
        self.left, self.times, self.since, self.used = 0, list[float](), 0.0, 0.0

    def wait(self) -> None:
        self.left, self.times = int(sys.stdin.readline() or sys.exit(0)), []
        self.since, self.used = time.perf_counter(), time.process_time()

    def step(self, loss: float) -> None:
        now = time.perf_counter()
        self.times.append(1000 * (now - self.since))
        self.since, self.left = now, self.left - 1
        if not self.left:
            used = 1000 * (time.process_time() - self.used) / len(self.times)
            print(json.dumps([self.times, used]), flush=True)
            self.wait()

    def begins(self, *_: Any) -> None:
        self.wait()

    def resumes(self, *_: Any) -> None: ...

    def epoch(self, *_: Any) -> None: ...


def train_in_turns(kind: str, name: str, data: Path) -> None:
    """Train an experiment for ever, in turns: with the project's own loop, or in stock Keras."""
    from pipeline import artifacts
    from pipeline.artifacts import Project
    from pipeline.stages import parameters
    from pipeline.tasks import task_named

    project = Project(data)
    row = parameters(project).experiment(name).model_copy(update={"epochs": 1000, "repeats": 1})
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
    repeats.train(task_named(row.task), row, encoded, seed=42, label=name, progress=Turns())  # type: ignore[arg-type]


def in_pytorch(name: str, row: Any, encoded: Any) -> None:
    """Train the same network as one would write it in PyTorch, on the same batches; its process makes none itself."""
    from benchmarks import pytorch_networks

    file = Path(f"batches-{name}.npz")
    command = [sys.executable, __file__, name, "--data", ".", "--opponent", "batches", str(ROOT)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with np.load(file) as stored:
        fed = [[stored.get(f"{i}-{part}") for part in range(3)] for i in range(MOST)]
    turns = Turns()
    turns.wait()
    pytorch_networks.train(row, encoded.encoder, itertools.cycle(fed), turns.step)


def write_batches(name: str, task: Any, row: Any, encoded: Any) -> None:
    """Write the first batches to a file: TensorFlow, which the feeds import, cannot share a process with PyTorch."""
    from pipeline.training.course import batches

    feed = task.network().feed(row, encoded, ("train",), 0)
    endless = (batch for epoch in itertools.count(1) for batch in batches(feed, 42, epoch))
    fed = {
        f"{i}-{part}": array
        for i, batch in enumerate(itertools.islice(endless, MOST))
        for part, array in enumerate(batch)
        if array is not None
    }
    np.savez(f"batches-{name}.npz", **fed)


def stock(task: Any, row: Any, encoded: Any) -> None:
    """Train under Keras' own `fit`, with its optimiser and its averaged weights."""
    import tensorflow as tf

    from pipeline.layers import keras
    from pipeline.training.course import batches
    from pipeline.training.fit import optimizer

    module, turns = task.network(), Turns()
    model = module.build(row, encoded.encoder, row.batch_size if row.stateful else None)
    if module.start is not None:
        module.start(model, row, encoded, ("train",), 0)
    feed = module.feed(row, encoded, ("train",), 0)
    first = next(batches(feed, 42, 1))
    shapes = [
        [row.batch_size if row.stateful else None, *[None] * (array.ndim - 1)] for array in first if array is not None
    ]
    signature = tuple(tf.TensorSpec(shape, array.dtype) for shape, array in zip(shapes, first, strict=False))
    endless = (
        tuple(a for a in batch if a is not None) for epoch in range(1, 1000) for batch in batches(feed, 42, epoch)
    )
    used = optimizer(row)
    used.use_ema, used.ema_momentum = bool(row.ema_momentum), row.ema_momentum or 0.99
    model.compile(optimizer=used, loss=module.loss(row))
    step = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: turns.wait(), on_train_batch_end=lambda batch, logs: turns.step(0.0)
    )
    model.fit(tf.data.Dataset.from_generator(lambda: endless, output_signature=signature), callbacks=[step], verbose=0)


def ratios(row: Row, kind: str, of: int = 0) -> list[float]:
    """How many times as long as the project an opponent took, in each round; of 1: in processor time."""
    return [theirs / ours for theirs, ours in zip(row[kind][of], row["project"][of], strict=True)]


def line(name: str, row: Row) -> str:
    parts = [f"{kind} {median(times):.1f} ms ({median(used):.0f})" for kind, (times, used) in row.items()]
    for kind in row:
        if kind != "project":
            of = ratios(row, kind)
            spread = f"{min(of):.2f}–{max(of):.2f}, processors {median(ratios(row, kind, 1)):.2f}×"
            parts.append(f"{median(of):.2f}× {kind} ({spread})")
    return f"{name:22} {', '.join(parts)}"


def judged(rows: dict[str, Row]) -> Iterator[str]:
    """Yield a line for each goal that falls short, and one for each geometric mean."""
    for kind in sorted({kind for row in rows.values() for kind in row} - {"project"}):
        found = {name: median(ratios(row, kind)) for name, row in rows.items()}
        mean = math.exp(sum(map(math.log, found.values())) / len(found))
        for name, ratio in found.items():
            if ratio < GOALS[kind][0]:
                yield f"falls short: {name} is {ratio:.2f}× as fast as {kind}, the goal is {GOALS[kind][0]}×"
        verdict = "falls short" if mean < GOALS[kind][1] else "reached"
        yield f"{verdict}: the geometric mean against {kind} is {mean:.2f}×, the goal is {GOALS[kind][1]}×"


if __name__ == "__main__":
    sys.exit(main())
