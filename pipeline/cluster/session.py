"""A process of its own that talks to Ray: when a cluster dies, Ray ends the process that used it."""

import contextlib
import multiprocessing
import queue
import signal
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any

from pipeline.cluster import connection
from pipeline.errors import UserError

PATIENCE = 20.0  # seconds that the process has to end


class Session:
    """Runs `serve(ray, pipe, *arguments)` in that process, connected to the cluster at the address.

    `serve` receives what `send` sends, answers with pairs of a kind and a value, of which the first has the kind
    "ready", and raises EOFError or OSError when this side closes the pipe. options: of ray.init. then: what the message
    adds if the cluster dies. Raises UserError if there is no cluster, or if `serve` refuses it with a UserError.
    """

    def __init__(
        self, address: str, serve: Callable[..., None], *arguments: Any, options: Mapping[str, Any], then: str
    ) -> None:
        connection.refuse_missing(address)
        self._address, self._then = address or "the cluster of this machine", then
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_run, args=(serve, theirs, address, options, arguments), daemon=True)
        self._process.start()
        theirs.close()
        self._messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        try:
            _, self.ready = self.receive()
        except UserError:
            self.close()
            raise
        # A pipe holds little: if both sides only sent, neither would read.
        threading.Thread(target=self._send, daemon=True).start()

    def send(self, message: Any) -> None:
        """Send a message, not None, without waiting until it is read."""
        self._messages.put(message)

    def receive(self) -> tuple[str, Any]:
        """Wait for the next answer. Raises UserError if the cluster died."""
        try:
            kind, value = self._pipe.recv()
        except (EOFError, OSError):
            raise UserError(f"{self._address} does not answer any more; {self._then}") from None
        if kind == "refused":
            raise UserError(value)
        return kind, value

    def close(self) -> None:
        """End the process, and with it what it runs on the cluster."""
        self._messages.put(None)
        self._pipe.close()
        self._process.join(PATIENCE)
        self._process.kill()
        self._process.join()

    def _send(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # the end of the pipe shows when an answer is read
            for message in iter(self._messages.get, None):
                self._pipe.send(message)


def _run(
    serve: Callable[..., None], pipe: Connection, address: str, options: Mapping[str, Any], arguments: tuple[Any, ...]
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the driver too, which then ends this process
    with contextlib.suppress(EOFError, OSError):  # the driver has ended
        try:
            with connection.connected(address, **options) as ray:
                serve(ray, pipe, *arguments)
        except UserError as error:
            pipe.send(("refused", str(error)))
