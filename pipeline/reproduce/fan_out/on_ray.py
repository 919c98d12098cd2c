"""Workers on a Ray cluster."""

import contextlib
from multiprocessing.connection import Connection
from typing import Any

from pipeline.cluster import connection
from pipeline.cluster.session import Session
from pipeline.errors import UserError
from pipeline.reproduce.fan_out import clones
from pipeline.reproduce.fan_out.clones import Job, Outcome
from pipeline.reproduce.fan_out.fan_out import GOES_ON

LOOK_EVERY = 0.2  # seconds


class OnRay:
    """Runs each job as a task of the cluster, which reserves `cpus` cores for it.

    Raises UserError if there is no cluster.
    """

    def __init__(self, address: str, cpus: float) -> None:
        self._session = Session(address, _serve, cpus, options={}, then=GOES_ON)
        self.place = str(self._session.ready)

    def submit(self, job: Job) -> None:
        self._session.send(dict(job))

    def next(self) -> Outcome:
        _, outcome = self._session.receive()
        return dict(outcome)

    def close(self) -> None:
        self._session.close()


def _serve(ray: Any, pipe: Connection, cpus: float) -> None:
    """Run jobs that arrive in the pipe as tasks, and send their outcomes back, until the driver closes the pipe."""
    nodes, cores = connection.size(ray)
    if cores < cpus:
        raise UserError(f"{nodes} nodes have {cores:g} cores, and a stage needs {cpus:g}; set --cpus")
    pipe.send(("ready", f"Ray on {nodes} node{'s' * (nodes != 1)} with {cores:g} cores"))
    ray.cloudpickle.register_pickle_by_value(clones)  # the project's code is not on the nodes yet
    _Tasks(pipe, ray, ray.remote(num_cpus=cpus, max_retries=0)(clones.run)).serve()


class _Tasks:
    def __init__(self, pipe: Connection, ray: Any, task: Any) -> None:
        self.pipe, self.ray, self.task = pipe, ray, task
        self.running: dict[Any, str] = {}

    def serve(self) -> None:
        try:
            while True:
                self._look()
        finally:
            for reference in self.running:
                with contextlib.suppress(Exception):
                    self.ray.cancel(reference, force=True)

    def _look(self) -> None:
        while self.pipe.poll(0 if self.running else None):
            job = self.pipe.recv()
            self.running[self.task.options(name=job["stage"]).remote(job)] = job["stage"]
        ended, _ = self.ray.wait(list(self.running), timeout=LOOK_EVERY)
        for reference in ended:
            self.pipe.send(("ended", self._outcome(reference, self.running.pop(reference))))

    def _outcome(self, reference: Any, stage: str) -> Outcome:
        """Return how the job ended. Raises EOFError if the cluster's own process on this machine has died."""
        errors = self.ray.exceptions
        try:
            return dict(self.ray.get(reference))
        except errors.LocalRayletDiedError:
            raise EOFError from None
        except errors.RayError as error:  # the task's process or node
            why = (str(error).strip().splitlines() or [""])[0]
            return clones.outcome(clones.LOST, stage, f"{type(error).__name__}: {why}")
