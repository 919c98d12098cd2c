"""Where workers run: as processes of this machine, or on a cluster."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from pipeline.reproduce.fan_out import clones
from pipeline.reproduce.fan_out.clones import Job, Outcome


class Executor(Protocol):
    """Runs jobs, as many at once as it has places."""

    place: str  # in words

    def submit(self, job: Job) -> None:
        """Take a job; it starts when there is a place."""
        ...

    def next(self) -> Outcome:
        """Wait for the next job that ends. Raises UserError if no job can end any more."""
        ...

    def close(self) -> None:
        """End the jobs that run, and wait until they have."""
        ...


class Local:
    """Processes of this machine, each with a clone of its own."""

    def __init__(self, workers: int, run: Callable[[Job], Outcome] = clones.run) -> None:
        self.place = f"{workers} worker{'s' * (workers > 1)} on this machine"
        self._run = run
        self._threads = ThreadPoolExecutor(workers)
        self._ended: queue.Queue[Outcome] = queue.Queue()
        self._over = threading.Event()

    def submit(self, job: Job) -> None:
        self._threads.submit(self._one, job)

    def next(self) -> Outcome:
        return self._ended.get()

    def close(self) -> None:
        self._over.set()
        clones.stop()
        self._threads.shutdown(cancel_futures=True)

    def _one(self, job: Job) -> None:
        try:
            outcome: Any = self._run(job)
        except Exception as error:
            outcome = clones.outcome(clones.LOST, job["stage"], f"{type(error).__name__}: {error}")
        if not self._over.is_set():
            self._ended.put(outcome)
