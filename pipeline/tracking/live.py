"""Show a training in MLflow while it runs, and mark one that was killed.

A process of its own follows the files in data/progress and sends what is new. So the training never waits for MLflow.
What cannot be sent is not lost: the journal of the whole training has it, or that of a killed one.
"""

import contextlib
import multiprocessing
import os
import platform
import shutil
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any

import psutil

from pipeline import artifacts, progress
from pipeline.artifacts import Project
from pipeline.errors import DataError
from pipeline.progress import Snapshot
from pipeline.tracking import build
from pipeline.tracking.address import address, credentials
from pipeline.tracking.child import end_with
from pipeline.tracking.delivery import later, running_folder, spool, spooled
from pipeline.tracking.environment import environment_tags
from pipeline.tracking.record import Content, Journal, load
from pipeline.tracking.store import check_reachable, experiment_id, import_mlflow, one_at_a_time, prepare
from pipeline.tracking.upload import send

RUNNING_FOR = 20.0  # seconds after which a training is shown
LEFT = {True: 40.0, False: 180.0}  # seconds that it must still take, by whether MLflow is imported, which takes 4 s
LOOK_EVERY = 2.0
SEND_EVERY = 5.0
AFTER_FAILURE = 60.0
STOP_SECONDS = 10.0  # for the request under way when the training ends
NICE = 10  # the training goes first


@contextlib.contextmanager
def shown(project: Project, experiment: str, opening: Journal) -> Iterator[None]:
    """Show the training of the block in MLflow as RUNNING, with its curves, if it takes about a minute or more.

    opening: from build.opening. If no journal of the whole training, or of its failure, is delivered after the block,
    a folder in the spool stays, by which `mark_killed` knows it. Call it before TensorFlow starts threads: it forks.
    """
    mark_killed(project)
    with contextlib.suppress(OSError):
        _announce(project, experiment, opening)
    if later():
        yield
        return
    context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    theirs, ours = context.Pipe(duplex=False)
    asking = context.RawValue("b", 0)
    given = (project, opening.content, theirs, asking, os.getpid())
    follower = context.Process(target=_follow, args=given, daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of forks with threads; the child uses none of them
        follower.start()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            ours.send_bytes(b"stop")
        follower.join(STOP_SECONDS if asking.value else 0)
        follower.kill()
        follower.join()


def _announce(project: Project, experiment: str, opening: Journal) -> None:
    folder, process, at = running_folder(project, opening.content.run_key), psutil.Process(), time.time()
    folder.mkdir(parents=True)
    me = Snapshot(experiment, opening.content.run_key, process.pid, process.create_time(), platform.node(), at, at)
    artifacts.save_json(folder / "process.json", asdict(me))
    opening.save(folder)


def mark_killed(project: Project) -> None:
    """Spool a journal for each training whose process has ended without one: its curves and the status KILLED."""
    for folder in project.spool.glob(".running-*"):
        with contextlib.suppress(OSError, TypeError, ValueError, DataError):
            me = Snapshot(**artifacts.load_json(folder / "process.json"))
            last = next((one for one in progress.snapshots(project) if one.run_key == me.run_key), None)
            if (last or me).alive:
                continue
            if not any("-train-" in entry.name for entry in spooled(project, me.run_key)):
                spool(_killed(load(folder), last), project)
            shutil.rmtree(folder, ignore_errors=True)
            if last is not None:
                progress.forget(project, last)


def _killed(opening: Content, last: Snapshot | None) -> Journal:
    journal = Journal("killed", opening.run_key, opening.source, opening.run_name, opening.start)
    journal.params(opening.params)
    journal.tags(opening.tags)
    build.epochs(journal, _from_the_first(_curves(last)))
    end = None if last is None else round(1000 * last.updated)
    journal.finish("KILLED", end)
    return journal


def _curves(snapshot: Snapshot | None) -> list[dict[str, float]]:
    """Return the epochs that the whole training's journal will have too: of several networks it has only the means."""
    if snapshot is None or snapshot.networks > 1 or snapshot.phase != "train":
        return []
    return list(snapshot.history)


def _from_the_first(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    """Return the rows, or none if the first epochs are not among them: the times of all follow from those."""
    return rows if [row["epoch"] for row in rows] == list(range(1, len(rows) + 1)) else []


def _follow(project: Project, opening: Content, stop: Connection, asking: Any, parent: int) -> None:
    """Send what is new until `stop` says so; runs in the child process. asking: set to 1 during requests."""
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICE)
    follower = _Follower(project, opening, asking)
    with credentials():
        while not stop.poll(LOOK_EVERY):
            follower.look()
    os._exit(0)


class _Follower:
    def __init__(self, project: Project, opening: Content, asking: Any) -> None:
        self.project, self.opening, self.asking = project, opening, asking
        self.client: Any = None
        self.rows: dict[float, dict[str, float]] = {}  # by epoch; the file has only the last ones
        self.sent, self.next = 0, 0.0  # the last epoch sent; when to send again, by the monotonic clock

    def look(self) -> None:
        """Send the epochs since the last time, if it is time."""
        found = [one for one in progress.snapshots(self.project) if one.run_key == self.opening.run_key]
        if not found:
            return
        self.rows |= {row["epoch"]: row for row in _curves(found[0])}
        if time.monotonic() < self.next or not (self.client or _is_long(found[0])):
            return
        rows = _from_the_first(list(self.rows.values()))
        if self.client and not any(row["epoch"] > self.sent for row in rows):
            return
        self.next = time.monotonic() + SEND_EVERY
        try:
            self._send(rows)
        except Exception:  # whatever fails in MLflow: the journal of the whole training has everything
            self.client, self.next, self.asking.value = None, time.monotonic() + AFTER_FAILURE, 0

    def _send(self, rows: list[dict[str, float]]) -> None:
        uri = address(self.project)
        check_reachable(uri)
        mlflow = import_mlflow()
        first = self.client is None
        # All rows give the same metrics as before, which MLflow stores once; the times are counted from the first.
        journal = Journal("live", self.opening.run_key, self.opening.source, self.opening.run_name, self.opening.start)
        build.epochs(journal, rows)
        content = journal.content
        content.metrics = [metric for metric in content.metrics if metric.step > self.sent]
        if first:
            content.params, content.tags = self.opening.params, {**self.opening.tags, **environment_tags(self.project)}
        with one_at_a_time(self.project):
            self.asking.value = 1
            if first:
                prepare(self.project, uri)
                self.client = mlflow.MlflowClient(tracking_uri=uri)
            send(self.client, experiment_id(self.client, content.source, self.project), content)
        self.asking.value = 0
        self.sent = max([self.sent, *(metric.step for metric in content.metrics)])


def _is_long(snapshot: Snapshot) -> bool:
    age, left = time.time() - snapshot.started, snapshot.seconds_left
    return age >= RUNNING_FOR and left is not None and left >= LEFT["mlflow" in sys.modules]
