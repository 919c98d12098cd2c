"""Serve one trained model over HTTP within bounds, for `python -m pipeline serve`.

The interface is that of `mlflow models serve` for texts, numbers and objects in JSON: POST /invocations with {"inputs":
[…], "params": {…}} gives {"predictions": […]}; /ping and /version answer too. Every request gets its answer, a 400 with
a sentence, or a 503 with Retry-After, within about SECONDS. Small requests have a thread and a network of their own, so
that a large one never blocks them. Nothing here imports MLflow.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pipeline.errors import Busy
from pipeline.serving import bounds
from pipeline.serving.bounds import BACKLOG, RETRY_SECONDS, Intake, Lane, Refused
from pipeline.serving.served import SECONDS, Served

SMALL_BODY = 64 * 2**10  # bytes
SMALL_WORK = 400  # characters or steps to make, and BYTES_A_STEP bytes to read count as one
BYTES_A_STEP = 200
SMALL_WAIT, LARGE_WAIT = 128, 4  # requests of each kind that may wait or be answered at once


@dataclass
class Desk:
    """A network with a thread of its own, which answers its requests one after another."""

    served: Served
    lane: Lane

    async def ask(self, question: Callable[[Served, float], Any], arrived: float) -> Any:
        """Return question(served, seconds that are left since it arrived) when its turn comes.

        Raises Busy if too many requests wait, or for too long.
        """

        def asked() -> Any:
            left = SECONDS - (time.monotonic() - arrived)
            if left <= 0:
                raise Busy(f"no answer within {SECONDS:g} s: too many requests wait; try again later")
            return question(self.served, left)

        return await self.lane.run(asked)


class Server:
    """The HTTP application of one model, of which small and large requests ask a network each."""

    def __init__(self, small: Served, large: Served, intake: Intake | None = None) -> None:
        self.small, self.large = Desk(small, Lane(SMALL_WAIT, 1)), Desk(large, Lane(LARGE_WAIT, RETRY_SECONDS))
        self.intake = intake or Intake()
        routes = [
            Route("/invocations", self.invocations, methods=["POST"]),
            *(Route(path, self.ping) for path in ("/ping", "/health")),
            Route("/version", self.version),
        ]
        self.app = Starlette(routes=routes)

    async def ping(self, request: Request) -> Response:
        """Say that the model is loaded."""
        return PlainTextResponse("\n")

    async def version(self, request: Request) -> Response:
        """Return the version of MLflow, as its own server does."""
        return PlainTextResponse(metadata.version("mlflow"))

    async def invocations(self, request: Request) -> Response:
        """Answer the inputs of one request."""
        arrived = time.monotonic()

        async def answered(body: bytes) -> Response:
            return bounds.as_json({"predictions": await self._answers(body, arrived)})

        return await self.intake.answered(request, answered)

    async def _answers(self, body: bytes, arrived: float) -> list[Any]:
        """Parse a small body at once, a large one when its turn comes; return the answers."""
        if len(body) > SMALL_BODY:
            return list(await self.large.ask(lambda served, left: served.answer(*parsed(body), left), arrived))
        inputs, options = parsed(body)
        desk = self.desk(len(body), inputs, options)
        return list(await desk.ask(lambda served, left: served.answer(inputs, options, left), arrived))

    def desk(self, size: int, inputs: list[Any], options: Mapping[str, Any]) -> Desk:
        """Return the desk for a request; size: bytes of its body."""
        known = dict(self.small.served.task.serving_example.options or {})
        return self.small if work(size, inputs, {**known, **options}) <= SMALL_WORK else self.large


def parsed(body: bytes) -> tuple[list[Any], dict[str, Any]]:
    """Return inputs and options of a request's body. Raises Refused for anything else than the documented form."""
    found = bounds.read_json(body)
    if not isinstance(found, dict) or not isinstance(found.get("inputs"), list):
        raise Refused(400, "BAD_REQUEST", 'the body must be {"inputs": [one input, …], "params": {options}}')
    if unknown := found.keys() - {"inputs", "params"}:
        raise Refused(400, "BAD_REQUEST", f"{sorted(unknown)[0][:60]!r}: no such key; known: inputs, params")
    options = found.get("params")
    if not isinstance(options, dict | None):
        raise Refused(400, "BAD_REQUEST", "params: must be an object of options")
    return found["inputs"], options or {}


def work(size: int, inputs: list[Any], options: Mapping[str, Any]) -> float:
    """Estimate the work of a request, in characters or steps; size: bytes of its body."""
    steps = [value for name in ("length", "steps") if isinstance(value := options.get(name), int)]
    return len(inputs) * max([1, *steps]) + size / BYTES_A_STEP


def run(folder: Path, host: str, port: int, name: str) -> None:
    """Serve a model's folder until the process is told to end. Raises DataError for a damaged model or a taken port."""
    import uvicorn

    place = bounds.listening(host, port)
    small = Served(folder)
    large = small.twin()
    for served in (small, large):
        served.try_out()
    place.listen(BACKLOG)
    config = uvicorn.Config(
        Server(small, large).app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    print(f"{name}: answers at http://{host}:{place.getsockname()[1]}/invocations; Ctrl-C ends it", flush=True)
    uvicorn.Server(config).run(sockets=[place])
    sys.stdout.flush()
    os._exit(0)  # an answer that is being made would keep the process for the rest of its minute
