"""Where trials run: processes of this machine, or what else keeps to the protocol of a pool."""

import contextlib
import importlib
import multiprocessing
import os
import sys
import tempfile
import warnings
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from pipeline.artifacts import Project
from pipeline.errors import TrainingError, UserError
from pipeline.studies.store import Store
from pipeline.studies.trial import Report, Trial, TrialResult, run
from pipeline.tracking.child import end_with

TRIES = 3  # of a trial whose process is killed


@dataclass(frozen=True)
class Reported:
    """An epoch of the trial has ended with this validation figure."""

    trial: Trial
    epoch: int
    value: float


@dataclass(frozen=True)
class Done:
    """The trial has ended, and is in the store."""

    trial: Trial
    result: TrialResult


@dataclass(frozen=True)
class Failed:
    """The trial cannot be trained: its loss is not finite, or its settings do not work with the data."""

    trial: Trial
    message: str


Event = Reported | Done | Failed
Train = Callable[[Project, Trial, Report], TrialResult]


class Pool(Protocol):
    """Runs trials. `workers`: how many at once."""

    workers: int

    def submit(self, trial: Trial) -> None:
        """Take the trial; it starts when a worker is free."""
        ...

    def next(self) -> Event:
        """Wait for what happens next. Raises UserError if a trial's processes keep being killed."""
        ...

    def stop(self, trial: Trial) -> None:
        """End the trial, without any further event of it."""
        ...

    def close(self) -> None:
        """End all trials."""
        ...


@dataclass
class _Running:
    trial: Trial
    process: Any
    connection: Connection
    output: Any
    message: str = ""
    done: bool = False


class LocalPool:
    """A process for each trial. On Linux it is forked from this one, which has imported TensorFlow and not used it."""

    def __init__(self, project: Project, workers: int, train: Train = run) -> None:
        self.project, self.workers, self.train, self.store = project, workers, train, Store(project)
        self.context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        self.waiting: deque[Trial] = deque()
        self.running: list[_Running] = []
        self.tries: dict[str, int] = {}

    def submit(self, trial: Trial) -> None:
        self.waiting.append(trial)
        self._fill()

    def next(self) -> Event:
        while True:
            if not self.running:
                raise RuntimeError("no trial is running")
            by_file: dict[Any, _Running] = {r.connection: r for r in self.running}
            for file in wait(list(by_file)):
                event = self._event(by_file[file])
                if event is not None:
                    return event

    def stop(self, trial: Trial) -> None:
        self.waiting = deque(one for one in self.waiting if one.key != trial.key)
        for running in [r for r in self.running if r.trial.key == trial.key]:
            running.process.kill()
            self._remove(running)
        self._fill()

    def close(self) -> None:
        self.waiting.clear()
        for running in list(self.running):
            running.process.kill()
            self._remove(running)

    def _fill(self) -> None:
        while self.waiting and len(self.running) < self.workers:
            trial = self.waiting.popleft()
            self.tries[trial.key] = self.tries.get(trial.key, 0) + 1
            ours, theirs = self.context.Pipe(duplex=False)
            output = tempfile.TemporaryFile()  # noqa: SIM115 – closed when the trial ends
            process = self.context.Process(
                target=_work,
                args=(self.project, trial, self.train, theirs, output.fileno(), os.getpid()),
                daemon=True,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python 3.12 warns of forks with threads; the child uses none of them
                process.start()
            theirs.close()
            self.running.append(_Running(trial, process, ours, output))

    def _event(self, running: _Running) -> Event | None:
        """What the process says, or what its end means."""
        try:
            kind, value = running.connection.recv()
        except (EOFError, OSError):
            return self._ended(running)
        if kind == "epoch":
            return Reported(running.trial, *value)
        running.done, running.message = kind == "done", value
        return None  # its end follows

    def _ended(self, running: _Running) -> Event | None:
        trial = running.trial
        running.process.join()
        result = self.store.load(trial) if running.done else None
        last, code = _last_line(running.output), running.process.exitcode
        self._remove(running)
        if result is None and not running.message:
            if self.tries[trial.key] >= TRIES:
                said = f"; its last line: {last}" if last else ""
                raise UserError(f"a trial ended {TRIES} times without a result (exit code {code}){said}")
            self.waiting.appendleft(trial)
        self._fill()
        if result is not None:
            return Done(trial, result)
        return Failed(trial, running.message) if running.message else None

    def _remove(self, running: _Running) -> None:
        self.running.remove(running)
        running.process.join()
        running.connection.close()
        running.output.close()


def _work(project: Project, trial: Trial, train: Train, to: Connection, output: int, parent: int) -> None:
    end_with(parent)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        result = train(project, trial, lambda epoch, value: to.send(("epoch", (epoch, value))))
        Store(project).save(trial, result)
        to.send(("done", ""))
    except (TrainingError, UserError) as error:
        to.send(("failed", str(error)))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # not by way of Python's exit, which would run what the parent has registered


def _last_line(output: Any) -> str:
    output.seek(0)
    lines = output.read().decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else ""


def in_child(work: Callable[[], Any]) -> Any:
    """Return what `work` returns, computed in a process of its own: this one must not use TensorFlow before it forks.

    Raises the ConfigError, DataError or TrainingError that `work` raises.
    """
    context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(work, theirs, os.getpid()), daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        process.start()
    theirs.close()
    try:
        found, value = ours.recv()
    except EOFError:
        raise UserError("a process that was to size the networks was killed; run the command again") from None
    finally:
        process.join()
    if found:
        return value
    raise value


def _answer(work: Callable[[], Any], to: Connection, parent: int) -> None:
    end_with(parent)
    try:
        message = (True, work())
    except UserError as error:
        message = (False, error)
    to.send(message)
    os._exit(0)


def cores() -> int:
    """The processors that this process may use."""
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def import_training() -> None:
    """Import what trains, so that forked processes need not."""
    importlib.import_module("pipeline.training.repeats")
