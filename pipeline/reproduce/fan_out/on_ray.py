"""Workers on a Ray cluster.

A process of its own talks to Ray: when a cluster dies, Ray ends the process that used it.
"""

import contextlib
import multiprocessing
import queue
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from pipeline.cluster import connection
from pipeline.errors import UserError
from pipeline.reproduce.fan_out import clones
from pipeline.reproduce.fan_out.clones import Job, Outcome
from pipeline.reproduce.fan_out.fan_out import GOES_ON

Serve = Callable[[Connection, str, float], None]
LOOK_EVERY = 0.2  # seconds
PATIENCE = 20.0  # seconds that the process has to end


class OnRay:
    """Runs each job as a task of the cluster, which reserves `cpus` cores for it.

    Raises UserError if there is no cluster.
    """

    def __init__(self, address: str, cpus: float, serve: Serve | None = None) -> None:
        connection.refuse_missing(address)
        self._address = address or "the cluster of this machine"
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve or _serve, args=(theirs, address, cpus), daemon=True)
        self._process.start()
        theirs.close()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        kind, what = self._received()
        if kind == "refused":
            self.close()
            raise UserError(what)
        self.place = str(what)
        # A pipe holds little: if both sides only sent, neither would read.
        threading.Thread(target=self._send, daemon=True).start()

    def submit(self, job: Job) -> None:
        self._jobs.put(job)

    def _send(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # the end of the pipe shows when an outcome is read
            for job in iter(self._jobs.get, None):
                self._pipe.send(dict(job))

    def next(self) -> Outcome:
        kind, what = self._received()
        if kind == "died":
            raise self._died()
        return dict(what)

    def close(self) -> None:
        self._jobs.put(None)
        self._pipe.close()
        self._process.join(PATIENCE)
        self._process.kill()
        self._process.join()

    def _received(self) -> tuple[str, Any]:
        try:
            kind, what = self._pipe.recv()
        except (EOFError, OSError):
            raise self._died() from None
        return kind, what

    def _died(self) -> UserError:
        return UserError(f"{self._address} does not answer any more; {GOES_ON}")


def _serve(pipe: Connection, address: str, cpus: float) -> None:
    """Run jobs that arrive in the pipe as tasks, and send their outcomes back, until the driver closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the driver too, which then ends this process
    try:
        with connection.connected(address) as ray:
            nodes, cores = connection.size(ray)
            if cores < cpus:
                raise UserError(f"{nodes} nodes have {cores:g} cores, and a stage needs {cpus:g}; set --cpus")
            pipe.send(("ready", f"Ray on {nodes} node{'s' * (nodes != 1)} with {cores:g} cores"))
            ray.cloudpickle.register_pickle_by_value(clones)  # the project's code is not on the nodes yet
            _Tasks(pipe, ray, ray.remote(num_cpus=cpus, max_retries=0)(clones.run)).serve()
    except UserError as error:
        pipe.send(("refused", str(error)))
    except (EOFError, OSError):  # the driver has ended
        return


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
            self.pipe.send(self._outcome(reference, self.running.pop(reference)))

    def _outcome(self, reference: Any, stage: str) -> tuple[str, Outcome | None]:
        errors = self.ray.exceptions
        try:
            return "ended", dict(self.ray.get(reference))
        except errors.LocalRayletDiedError:  # the cluster's own process on this machine
            return "died", None
        except errors.RayError as error:  # the task's process or node
            why = (str(error).strip().splitlines() or [""])[0]
            return "ended", clones.outcome(clones.LOST, stage, f"{type(error).__name__}: {why}")
