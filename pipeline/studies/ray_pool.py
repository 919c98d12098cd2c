"""Trials on a Ray cluster, each a task on one core. Code and data reach the nodes by content, not by a shared disk."""

import contextlib
import hashlib
import importlib
import itertools
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pipeline.artifacts import Project, new_folder
from pipeline.cluster import connection
from pipeline.cluster.session import Session
from pipeline.errors import TrainingError, UserError
from pipeline.integrity import checksums
from pipeline.studies.pool import TRIES, Done, Event, Failed, Reported
from pipeline.studies.store import Store
from pipeline.studies.trial import CODE, Trial, run

LOOK_EVERY = 0.2  # seconds
LONGEST = 200  # characters of an error
PASSED_ON = ("KERAS_", "ONEDNN_", "TF_")  # variables that change what a training computes
KEPT = "finished trials are kept, and the same command goes on with the others"


class RayPool:
    """Runs as many trials at once as the cluster in RAY_ADDRESS has cores; without RAY_ADDRESS, as this machine has.

    Raises UserError if there is no cluster.
    """

    def __init__(self, project: Project) -> None:
        self.store, self.trials = Store(project), dict[int, Trial]()
        self._numbers, self._code = itertools.count(), tempfile.TemporaryDirectory()
        # A copy of the package alone: Ray would send the whole folder of the checkout, data included.
        shutil.copytree(CODE, Path(self._code.name) / CODE.name, ignore=shutil.ignore_patterns("__pycache__"))
        environment = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
        options = {"runtime_env": {"working_dir": self._code.name, "env_vars": environment}}
        address = os.environ.get(connection.VARIABLE, "")
        try:
            self.session = Session(address, _serve, project, options=options, then=KEPT)
        except UserError:
            self._code.cleanup()
            raise
        self.workers: int = self.session.ready

    def submit(self, trial: Trial) -> None:
        number = next(self._numbers)
        self.trials[number] = trial
        self.session.send((number, trial))

    def next(self) -> Event:
        while True:
            if not self.trials:
                raise RuntimeError("no trial is running")
            kind, (number, value) = self.session.receive()
            trial = self.trials.get(number)
            if trial is None:  # it was stopped
                continue
            if kind == "epoch":
                return Reported(trial, *value)
            del self.trials[number]
            if kind == "failed":
                return Failed(trial, value)
            if kind == "lost":
                raise UserError(value)
            self.store.save(trial, value)
            return Done(trial, value)

    def stop(self, trial: Trial) -> None:
        for number in [number for number, one in self.trials.items() if one.key == trial.key]:
            del self.trials[number]
            self.session.send((number, None))

    def close(self) -> None:
        self.trials.clear()
        self.session.close()
        self._code.cleanup()


def _serve(ray: Any, pipe: Connection, project: Project) -> None:
    """Run trials that arrive in the pipe as tasks, and send back what happens, until the driver closes the pipe."""
    nodes, cores = connection.size(ray)
    if cores < 1:
        raise UserError(f"the cluster has {nodes} nodes and no core for trials; `ray status` shows what it has")
    pipe.send(("ready", int(cores)))
    _Tasks(ray, pipe, project).serve()


@dataclass(frozen=True)
class _Attempt:
    number: int
    trial: Trial
    count: int


class _Tasks:
    """The side of the cluster: a process of its own for each trial, whose memory is measured."""

    def __init__(self, ray: Any, pipe: Connection, project: Project) -> None:
        self.ray, self.pipe, self.project = ray, pipe, project
        self.running: dict[Any, _Attempt] = {}
        self.data: dict[str, tuple[str, Any]] = {}
        self.task = ray.remote(num_cpus=1, max_retries=0, max_calls=1)(_work)
        here = importlib.import_module("ray.util.scheduling_strategies").NodeAffinitySchedulingStrategy(
            node_id=ray.get_runtime_context().get_node_id(), soft=False
        )  # a node that dies must not take the reports of the others with it
        self.reports = importlib.import_module("ray.util.queue").Queue(
            actor_options={"num_cpus": 0, "scheduling_strategy": here}
        )

    def serve(self) -> None:
        try:
            while True:
                self._look()
        finally:
            for reference in self.running:
                self._cancel(reference)

    def _look(self) -> None:
        while self.pipe.poll(0 if self.running else None):
            number, trial = self.pipe.recv()
            if trial is None:
                self._stop(number)
            else:
                self._start(_Attempt(number, trial, 1))
        if not self.running:
            return
        ended, _ = self.ray.wait(list(self.running), timeout=LOOK_EVERY)
        for number, *report in self.reports.get_nowait_batch(self.reports.qsize()):
            self.pipe.send(("epoch", (number, report)))
        for reference in ended:
            self._ended(reference, self.running.pop(reference))

    def _start(self, attempt: _Attempt) -> None:
        dataset = str(attempt.trial.settings["dataset"])
        if dataset not in self.data:
            files = _files(self.project.prepared(dataset))
            self.data[dataset] = (_address(files), self.ray.put(files))
        address, files_of = self.data[dataset]
        name = f"trial {attempt.trial.key[:8]}"
        reference = self.task.options(name=name).remote(files_of, address, attempt.trial, attempt.number, self.reports)
        self.running[reference] = attempt

    def _stop(self, number: int) -> None:
        for reference in [one for one, attempt in self.running.items() if attempt.number == number]:
            del self.running[reference]
            self._cancel(reference)

    def _cancel(self, reference: Any) -> None:
        with contextlib.suppress(Exception):  # it has ended, or the cluster has
            self.ray.cancel(reference, force=True)

    def _ended(self, reference: Any, attempt: _Attempt) -> None:
        """Send the result. Begin again if the process or its node has died."""
        try:
            kind, value = self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            if attempt.count < TRIES:
                self._start(_Attempt(attempt.number, attempt.trial, attempt.count + 1))
                return
            lines = str(error).strip().splitlines() or [""]
            why = lines[-1 if isinstance(error, self.ray.exceptions.RayTaskError) else 0][:LONGEST]
            kind, value = "lost", f"a trial ended {TRIES} times without a result ({type(error).__name__}: {why})"
        self.pipe.send((kind, (attempt.number, value)))


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _address(files: Mapping[str, bytes]) -> str:
    found = hashlib.sha256()
    for name in sorted(files):
        found.update(f"{name} {len(files[name])} ".encode() + files[name])
    return found.hexdigest()[:40]


def _work(files: Mapping[str, bytes], address: str, trial: Trial, number: int, reports: Any) -> tuple[str, Any]:
    """On the node: train, and return the result or why there is none."""
    project = Project(Path.cwd() / address)  # in the folder that Ray gives the code, which it deletes later
    try:
        _unpack(files, project.prepared(str(trial.settings["dataset"])))
        return "done", run(project, trial, lambda epoch, value: reports.put((number, epoch, value)))
    except (TrainingError, UserError) as error:
        return "failed", str(error)


def _unpack(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the data set, unless an earlier trial has."""
    if folder.is_dir() and not checksums.faults_of(folder):
        return
    with contextlib.suppress(OSError), new_folder(folder) as fresh:  # OSError: another trial was first
        for name, content in files.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).write_bytes(content)
    checksums.check(folder)
