"""What trainings are doing now: a file for each in data/progress, replaced after epochs and every few seconds.

For readers: `snapshots(project)` lists the trainings; one that is not `alive` was killed. `forget(project, snapshot)`
deletes its file. For writers: `Progress` is a context that writes the file and deletes it at the end, also after an
error; only a killed training leaves its file.
"""

import contextlib
import json
import platform
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import psutil

from pipeline.artifacts import Project

EVERY = 2.0  # seconds between two files while an epoch runs
AFTER_EPOCH = 0.5  # seconds that must have passed since the last file, for epochs shorter than that
ROWS = 500  # epochs in a file, the last ones
SAME_PROCESS = 1.0  # seconds; the start of a process is known to 1/100 s
SILENCE = 60.0  # seconds without a new file after which a training on another computer counts as ended
Row = dict[str, float]


@dataclass(frozen=True)
class Snapshot:
    """A training at one moment.

    `run_key`: of its run in MLflow. `network` of `networks`, from 1: folds and repeats are trained one after another.
    `phase`: the run with validation, or the refit. `epoch`: finished epochs of `epochs` in this phase; `step`: finished
    steps of `steps` in the epoch under way. `history`: a row for each of the last finished epochs of this phase, as in
    training.fit.Fitted; `loss`: the mean over the steps of the epoch under way, None before its first step.

    `seconds_left`: None until it is known, of the whole experiment. `resumed_at`: the epoch of this phase at which the
    training went on from a checkpoint. `started`, `updated`, `process_started`: seconds since 1970.
    """

    experiment: str
    run_key: str
    pid: int
    process_started: float
    computer: str
    started: float
    updated: float
    network: int = 1
    networks: int = 1
    phase: Literal["train", "refit"] = "train"
    epoch: int = 0
    epochs: int = 0
    step: int = 0
    steps: int = 0
    loss: float | None = None
    seconds_left: float | None = None
    resumed_at: int | None = None
    history: tuple[Row, ...] = ()

    @property
    def alive(self) -> bool:
        """Whether its process runs. On another computer: whether it has written its file in the last minute."""
        if self.computer != platform.node():
            return time.time() - self.updated < SILENCE
        try:
            return abs(psutil.Process(self.pid).create_time() - self.process_started) < SAME_PROCESS
        except psutil.Error:
            return False


def snapshots(project: Project) -> list[Snapshot]:
    """Return the trainings that have a file, the one that began first before the others. Skips damaged files."""
    found = []
    for path in _folder(project).glob("[!.]*.json"):
        with contextlib.suppress(OSError, ValueError, TypeError):
            stored = json.loads(path.read_text(encoding="utf-8"))
            found.append(Snapshot(**{**stored, "history": tuple(stored["history"])}))
    return sorted(found, key=lambda snapshot: snapshot.started)


def forget(project: Project, snapshot: Snapshot) -> None:
    """Delete the file of a training."""
    _path(project, snapshot).unlink(missing_ok=True)


def _folder(project: Project) -> Path:
    return project.home / "data" / "progress"


def _path(project: Project, snapshot: Snapshot) -> Path:
    # Two trainings of one experiment may run at once, in DVC's temporary copies of the project.
    return _folder(project) / f"{snapshot.experiment}.{snapshot.pid}.json"


class Progress:
    """Writes the file of the training in this process. A file that cannot be written never stops a training."""

    def __init__(self, project: Project, experiment: str, run_key: str) -> None:
        process, at = psutil.Process(), time.time()
        self.project = project
        self.now = Snapshot(experiment, run_key, process.pid, process.create_time(), platform.node(), at, at)
        self.rows: list[Row] = []
        self._losses: list[float] = []
        self._paces: deque[float] = deque(maxlen=5)  # seconds of the last epochs
        self._after = 0  # epochs of the phases and networks to come, at most
        self._written = self._begun = time.monotonic()

    def __enter__(self) -> Self:
        self._write()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            forget(self.project, self.now)

    def begins(
        self, network: int, networks: int, phase: Literal["train", "refit"], epochs: int, steps: int, after: int
    ) -> None:
        """A phase of a network begins. after: epochs of all phases and networks after it, at most."""
        self.rows, self._losses, self._after, self._begun = [], [], after, time.monotonic()
        self.now = replace(
            self.now, network=network, networks=networks, phase=phase, epochs=epochs, steps=steps,
            epoch=0, step=0, loss=None, resumed_at=None, history=(),
        )  # fmt: skip
        self._write()

    def resumes(self, rows: list[Row]) -> None:
        """The phase goes on after the epochs of these rows."""
        self.rows, self._begun = list(rows), time.monotonic()
        self.now = replace(self.now, epoch=len(rows), resumed_at=len(rows) + 1)
        self._write()

    def step(self, loss: float) -> None:
        """A step has ended with this loss."""
        self._losses.append(loss)
        if time.monotonic() - self._written >= EVERY:
            self._write()

    def epoch(self, row: Mapping[str, float]) -> None:
        """An epoch has ended with this row of figures."""
        self.rows.append(dict(row))
        self._paces.append(time.monotonic() - self._begun)
        self._losses, self._begun = [], time.monotonic()
        self.now = replace(self.now, epoch=len(self.rows))
        if time.monotonic() - self._written >= AFTER_EPOCH:
            self._write()

    def _current(self) -> Snapshot:
        step, left = len(self._losses), self._seconds_left()
        loss = sum(self._losses) / step if step else None
        return replace(
            self.now, step=step, loss=loss, seconds_left=left, updated=time.time(), history=tuple(self.rows[-ROWS:])
        )

    def _seconds_left(self) -> float | None:
        """Count on epochs as long as the last ones, before the first has ended on steps as long as its own."""
        spent, done = time.monotonic() - self._begun, len(self._losses)
        if self._paces:
            pace = sum(self._paces) / len(self._paces)
        elif done > 1:
            pace = spent / done * self.now.steps
        else:
            return None
        return max(0.0, pace * (self.now.epochs - self.now.epoch + self._after) - spent)

    def _write(self) -> None:
        """Replace the file, without waiting for the disk: after a power failure it is of no use."""
        self._written, path = time.monotonic(), _path(self.project, self.now)
        fresh = path.with_name(f".{path.name}.tmp")
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(_as_json(asdict(self._current())), encoding="utf-8")
            fresh.replace(path)


def _as_json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, default=float)
