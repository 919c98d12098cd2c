"""Serve one trained model over HTTP within bounds, for `python -m pipeline serve`.

The interface is that of `mlflow models serve` for texts, numbers and objects in JSON: POST /invocations with {"inputs":
[…], "params": {…}} gives {"predictions": […]}; /ping and /version answer too. Every request gets its answer, a 400 with
a sentence, or a 503 with Retry-After, within about SECONDS. Small requests have a thread and a network of their own, so
that a large one never blocks them. Nothing here imports MLflow.
"""

import asyncio
import json
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pipeline.errors import Busy, DataError
from pipeline.serving.served import SECONDS, Served

MAX_BODY = 16 * 2**20  # bytes of one request
MAX_HELD = 4 * MAX_BODY  # bytes of all requests that are being read or wait
READ_SECONDS = 30.0  # for the body of a request
SMALL_BODY = 64 * 2**10
SMALL_WORK = 400  # characters or steps to make, and BYTES_A_STEP bytes to read count as one
BYTES_A_STEP = 200
SMALL_WAIT, LARGE_WAIT = 128, 4  # requests of each kind that may wait or be answered at once
BACKLOG = 512  # connections that wait to be accepted
RETRY_SECONDS = 10  # small requests may try again sooner


@dataclass
class Lane:
    """A thread with a network of its own, which answers its requests one after another."""

    served: Served
    room: int
    retry_seconds: int
    waiting: int = 0
    thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    async def run(self, work: Callable[[], Any]) -> Any:
        """Return what `work` returns. Raises Busy if no more requests may wait."""
        if self.waiting >= self.room:
            raise Full(f"{self.waiting} requests wait already; try again later", self.retry_seconds)
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.thread, work)
        finally:
            self.waiting -= 1


class Full(Busy):
    """No more requests may wait. retry_seconds: after which another try is worth it."""

    def __init__(self, message: str, retry_seconds: int) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class Refused(Exception):
    """A request that is answered with an error: its HTTP status, MLflow's code for it, and a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Server:
    """The HTTP application of one model, of which small and large requests ask a network each."""

    def __init__(self, small: Served, large: Served) -> None:
        self.small, self.large = Lane(small, SMALL_WAIT, 1), Lane(large, LARGE_WAIT, RETRY_SECONDS)
        self.held = 0  # bytes
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
        try:
            _check_type(request.headers.get("content-type", ""))
            size = _size(request)
            if self.held + size > MAX_HELD:
                raise Busy("too much data waits already; try again later")
            self.held += size
            try:
                body = await _body(request)
                return _json(200, {"predictions": await self._answers(body, arrived)})
            finally:
                self.held -= size
        except Refused as error:
            return _error(error.status, error.code, str(error))
        except DataError as error:
            return _error(400, "INVALID_PARAMETER_VALUE", str(error))
        except (Busy, MemoryError) as error:
            message = str(error) or "not enough memory at present; ask for less at once"
            seconds = getattr(error, "retry_seconds", RETRY_SECONDS)
            return _error(503, "TEMPORARILY_UNAVAILABLE", message, {"Retry-After": str(seconds)})
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception:
            traceback.print_exc()
            return _error(500, "INTERNAL_ERROR", "the model failed on this input; the server’s log says how")

    async def _answers(self, body: bytes, arrived: float) -> list[Any]:
        """Parse a small body at once, a large one when its turn comes; return the answers."""

        def answer(lane: Lane, inputs: list[Any], options: Mapping[str, Any]) -> list[Any]:
            left = SECONDS - (time.monotonic() - arrived)
            if left <= 0:
                raise Busy(f"no answer within {SECONDS:g} s: too many requests wait; try again later")
            return lane.served.answer(inputs, options, left)

        if len(body) > SMALL_BODY:
            return list(await self.large.run(lambda: answer(self.large, *parsed(body))))
        inputs, options = parsed(body)
        known = dict(self.small.served.task.serving_example.options or {})
        small = work(len(body), inputs, {**known, **options}) <= SMALL_WORK
        lane = self.small if small else self.large
        return list(await lane.run(lambda: answer(lane, inputs, options)))


def parsed(body: bytes) -> tuple[list[Any], dict[str, Any]]:
    """Return inputs and options of a request's body. Raises Refused for anything else than the documented form."""
    try:
        found = json.loads(body.decode(), parse_constant=_not_json)
    except RecursionError:
        raise Refused(400, "BAD_REQUEST", "the body is not a request: too many nested brackets") from None
    except ValueError as error:  # also bytes that are not UTF-8, and a number of too many digits
        raise Refused(400, "BAD_REQUEST", f"the body is not JSON in UTF-8: {str(error)[:200]}") from None
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

    place = _bound(host, port)
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


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        # Without the protocol's number, asyncio would not set TCP_NODELAY, and answers would wait 40 ms for an ACK.
        place = socket.socket(family, kind, protocol)
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(address)
    except (OSError, OverflowError) as error:
        raise DataError(f"{host}, port {port}: {error}; choose another with --host and --port") from None
    return place


def _check_type(given: str) -> None:
    kind, _, rest = given.partition(";")
    charset = rest.strip().lower().removeprefix("charset=").strip('"')
    if kind.strip().lower() != "application/json" or charset not in ("", "utf-8"):
        raise Refused(415, "BAD_REQUEST", f"Content-Type: found {given[:60]!r}; send application/json in UTF-8")


def _size(request: Request) -> int:
    """Return the announced size of the body, in bytes; the largest one allowed if none is announced."""
    given = request.headers.get("content-length")
    size = int(given) if given and given.isascii() and given.isdigit() else MAX_BODY
    if size > MAX_BODY:
        raise Refused(413, "BAD_REQUEST", f"the body has {size} bytes; at most {MAX_BODY} are read: send several")
    return size


async def _body(request: Request) -> bytes:
    """Read the body. Raises Refused if it is too large or comes too slowly."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > MAX_BODY:
                    raise Refused(413, "BAD_REQUEST", f"more than {MAX_BODY} bytes; send several requests")
                parts.append(part)
    except TimeoutError:
        raise Refused(408, "BAD_REQUEST", f"the body did not arrive within {READ_SECONDS:g} s") from None
    return b"".join(parts)


def _not_json(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _json(status: int, content: Any, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.dumps(content, allow_nan=False), status, headers, "application/json")


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return _json(status, {"error_code": code, "message": message}, headers)
