"""The other processes of a data-parallel training: how they join, and what is said when one of them is lost.

This process is worker 0. It sends the others their rows of each batch and the weights, and adds up the gradients in the
order of the workers. All else, such as the optimiser, the average of the weights, the validation and checkpoints, is
here alone.
"""

import contextlib
import json
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import AuthenticationError
from pathlib import Path
from statistics import median
from typing import Any, Protocol

from numpy.typing import NDArray

from pipeline.errors import WorkerLost
from pipeline.training.wire import Arrays, Wire

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "pipeline.stages.worker"]
LOOPBACK = "127.0.0.1"
WAKE = 0.5  # seconds between two looks at whether the others are still there
LEAVING = 5.0  # seconds from the end of a connection to that of the process
AGAIN = "run the training again: it goes on after its last checkpoint"
Offer = dict[str, Any]  # how a worker finds this process: host, port, key and its number


class Launched(Protocol):
    """Processes that were started, one for each offer."""

    def ended(self, worker: int, patience: float = 0.0) -> str | None:
        """Say how a worker ended; None if it is still running after `patience` seconds."""
        ...

    def close(self) -> None:
        """End all that are left."""
        ...


class Local:
    """Processes on this machine."""

    def __init__(self, offers: Sequence[Offer]) -> None:
        self.processes = [subprocess.Popen(COMMAND, stdin=subprocess.PIPE, cwd=ROOT, text=True) for _ in offers]
        for process, offer in zip(self.processes, offers, strict=True):
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # it has ended already, which join() reports
                process.stdin.write(json.dumps(offer) + "\n")  # not an argument: everybody can read those
                process.stdin.close()

    def ended(self, worker: int, patience: float = 0.0) -> str | None:
        """Say how a worker ended."""
        try:
            code = self.processes[worker - 1].wait(patience)
        except subprocess.TimeoutExpired:
            return None
        return f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"

    def close(self) -> None:
        """Wait for the workers, which end with their connections; kill those that do not."""
        for process in self.processes:
            try:
                process.wait(LEAVING)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class Crew:
    """Workers 1 … N − 1 of a training.

    setup: what a worker builds its network from, see pipeline.stages.worker. launch: starts a process for each offer.
    """

    def __init__(
        self,
        workers: int,
        setup: Mapping[str, Any],
        launch: Callable[[Sequence[Offer]], Launched] = Local,
        host: str = LOOPBACK,
    ) -> None:
        self.workers, self.setup, self.wires = workers, setup, dict[int, Wire]()
        self.here = workers - 1 if launch is Local else 0  # processes on this machine but this one
        self.sent = self.received = 0  # bytes
        self.seconds, self.computing = list[float](), list[float]()  # of each step, and of worker 0's gradients in it
        self.key = secrets.token_bytes(32)
        self.server = socket.create_server((host, 0))
        self.server.settimeout(WAKE)
        offer = {"host": host, "port": self.server.getsockname()[1], "key": self.key.hex()}
        try:
            self.launched = launch([{**offer, "number": number} for number in range(1, workers)])
        except BaseException:
            self.server.close()
            raise

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for wire in self.wires.values():
            wire.close()
        self.server.close()
        self.launched.close()

    def join(self) -> None:
        """Wait for all workers. Raises WorkerLost if one ends before."""
        while len(self.wires) < self.workers - 1:
            for number in set(range(1, self.workers)) - {*self.wires}:
                if how := self.launched.ended(number):
                    host, port, *_ = self.server.getsockname()
                    what = f"worker {number} of {self.workers} {how} before it began"
                    raise WorkerLost(f"{what}; it must be able to reach {host}:{port}")
            try:
                connection, _ = self.server.accept()
            except TimeoutError:
                continue
            self._admit(Wire(connection))

    def _admit(self, wire: Wire) -> None:
        """Take a worker in, or close the connection if it is something else."""
        try:
            wire.accept(self.key)
            facts, _ = wire.receive()
        except (OSError, EOFError, AuthenticationError, ValueError):
            wire.close()
            return
        self.wires[facts["number"]] = wire
        self.give(facts["number"], dict(self.setup), [])

    def give(self, worker: int, facts: dict[str, Any], arrays: Sequence[NDArray[Any]]) -> None:
        """Send a worker a message. Raises WorkerLost."""
        try:
            self.wires[worker].send(facts, arrays)
        except OSError as error:
            raise self._lost(worker, error) from None
        self.sent += sum(array.nbytes for array in arrays)

    def take(self, worker: int) -> Arrays:
        """Wait for a worker's answer. Raises WorkerLost if it has ended, or could not answer."""
        try:
            facts, arrays = self.wires[worker].receive()
        except (OSError, EOFError, ValueError) as error:
            raise self._lost(worker, error) from None
        if "error" in facts:
            raise WorkerLost(f"worker {worker} of {self.workers} failed: {facts['error']}; {AGAIN}")
        self.received += sum(array.nbytes for array in arrays)
        return arrays

    def _lost(self, worker: int, error: BaseException) -> WorkerLost:
        how = self.launched.ended(worker, LEAVING) or f"is gone ({error})"
        return WorkerLost(f"worker {worker} of {self.workers} {how}; {AGAIN}")

    def summary(self) -> str:
        """Say what the exchange took."""
        if not self.seconds:
            return f"{self.workers} workers had nothing to train"
        step, own = 1e3 * median(self.seconds), 1e3 * median(self.computing)
        messages = len(self.seconds) * (self.workers - 1)
        sent, received = self.sent / messages / 1e6, self.received / messages / 1e6
        return (
            f"{self.workers} workers: a step took {step:.0f} ms, of which {own:.0f} ms computed worker 0's gradients; "
            f"{sent:.2f} MB went to each other worker, and {received:.2f} MB came back"
        )
