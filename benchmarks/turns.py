"""Trainings that take turns: each is a process of its own that trains for some steps while the others wait.

The script that compares them starts itself with --opponent; there, a training calls Turns after each step.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple

ROUNDS, SECONDS = 7, 1.0  # of a round of the slowest opponent, about
FEWEST, MOST = 6, 100  # steps in a round
WARM_UP = 4  # steps, of which the first traces the graph
# How far the mean losses of the same steps may be apart, as a share. They start from the same weights; the dropout of
# PyTorch has other masks.
NOISE = {"stock": 0.03, "before": 0.03, "pytorch": 0.06}


class Measured(NamedTuple):
    """Of each round: milliseconds a step, and those of all processors; and the loss of each step, from the first on."""

    times: list[float]
    used: list[float]
    losses: list[float]


Row = dict[str, Measured]  # by opponent


def compared(script: str, name: str, opponents: Mapping[str, Path], data: Path, rounds: int) -> Row:
    """Let the opponents take turns. Each is the script with its own kind, and with the pipeline of a folder."""
    with ExitStack() as stack:
        running = {
            kind: stack.enter_context(opponent(script, kind, root, name, data)) for kind, root in opponents.items()
        }
        return measured(running, rounds, SECONDS)


def measured(running: Mapping[str, Any], rounds: int, seconds: float) -> Row:
    """Measure processes that wait for their first turn. seconds: of a turn of the slowest one, about."""
    found: Row = {kind: Measured([], [], []) for kind in running}
    slowest = 0.0
    for kind, process in running.items():
        times, _, losses = turn(process, WARM_UP)
        slowest = max(slowest, sum(times[1:]) / (WARM_UP - 1))
        found[kind].losses.extend(losses)
    steps = min(MOST, max(FEWEST, round(1000 * seconds / slowest)))
    for _ in range(rounds):
        for kind, process in running.items():
            times, used, losses = turn(process, steps)
            found[kind].times.append(sum(times) / steps)
            found[kind].used.append(used)
            found[kind].losses.extend(losses)
    return found


@contextmanager
def opponent(script: str, kind: str, root: Path, name: str, data: Path) -> Iterator[Any]:
    command = [sys.executable, script, name, "--data", str(data.resolve()), "--opponent", kind, str(root)]
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


def say(process: Any, steps: int) -> None:
    """Tell an opponent how many steps its next turn has; 0: go on to the next training."""
    process.stdin.write(f"{steps}\n")
    process.stdin.flush()


def turn(process: Any, steps: int) -> tuple[list[float], float, Any]:
    """Let an opponent train on its next batches.

    Return the milliseconds of each step, those of all processors a step, and the loss of each step.
    """
    say(process, steps)
    for text in process.stdout:
        if text.startswith("["):
            times, used, losses = json.loads(text)
            return times, used, losses
    raise SystemExit(f"{' '.join(process.args)} has ended")


class Turns:
    """Watches a training: stops it after each turn, until the next one is wanted."""

    def __init__(self) -> None:
        self.left, self.since, self.used = 0, 0.0, 0.0
        self.times, self.losses = list[float](), list[float]()

    def wait(self) -> None:
        """Wait for the next turn. Raises StopIteration if this training is over."""
        self.left, self.times, self.losses = int(sys.stdin.readline() or sys.exit(0)), [], []
        if not self.left:
            raise StopIteration
        self.since, self.used = time.perf_counter(), time.process_time()

    def step(self, loss: float) -> None:
        now = time.perf_counter()
        self.times.append(1000 * (now - self.since))
        self.losses.append(float(loss))
        self.since, self.left = now, self.left - 1
        if not self.left:
            used = 1000 * (time.process_time() - self.used) / len(self.times)
            print(json.dumps([self.times, used, self.losses]), flush=True)
            self.wait()

    def begins(self, *_: Any) -> None:
        self.wait()

    def resumes(self, *_: Any) -> None: ...

    def epoch(self, *_: Any) -> None: ...


class EachLoss:
    """The losses of single steps, from the mean of all steps so far that Keras' `fit` reports."""

    def __init__(self) -> None:
        self.steps, self.total = 0, 0.0

    def of(self, mean: float) -> float:
        before, self.steps = self.total, self.steps + 1
        self.total = mean * self.steps
        return self.total - before


def ratios(row: Row, kind: str, of: int = 0) -> list[float]:
    """How many times as long as the project an opponent took, in each round; of 1: in processor time."""
    return [theirs / ours for theirs, ours in zip(row[kind][of], row["project"][of], strict=True)]


def early_loss(measured: Measured) -> float:
    """The mean loss of the first steps, at most MOST, on which all opponents have the same batches."""
    return fmean(measured.losses[:MOST])


def line(name: str, row: Row) -> str:
    parts = [
        f"{kind} {median(found.times):.1f} ms ({median(found.used):.0f}), loss {early_loss(found):.4g}"
        for kind, found in row.items()
    ]
    for kind in row:
        if kind != "project":
            of = ratios(row, kind)
            spread = f"{min(of):.2f}–{max(of):.2f}, processors {median(ratios(row, kind, 1)):.2f}×"
            parts.append(f"{median(of):.2f}× {kind} ({spread})")
    return f"{name:22} {', '.join(parts)}"


def learning(rows: Mapping[str, Row]) -> Iterator[str]:
    """Yield a line for each opponent whose loss over the same steps is not the project's, and one if none is."""
    pairs = 0
    for name, row in rows.items():
        ours = early_loss(row["project"])
        for kind in sorted(row.keys() - {"project"}):
            theirs, pairs = early_loss(row[kind]), pairs + 1
            if not abs(theirs - ours) <= NOISE[kind] * abs(ours):
                steps = len(row[kind].losses[:MOST])
                yield (
                    f"differs: over {steps} steps of {name} the mean loss of {kind} is {theirs:.4g}, "
                    f"the project's is {ours:.4g}"
                )
                pairs -= 1
    yield f"learn alike: {pairs} pairs of opponents, over the first steps on the same batches from the same weights"
