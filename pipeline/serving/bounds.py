"""Bounds of an HTTP server on what it reads, holds and computes at once, and a sentence for whoever exceeds them.

`serve` and `demo` share them. Nothing here knows models.
"""

import asyncio
import json
import socket
import traceback
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from pipeline.errors import Busy, DataError

MAX_BODY = 16 * 2**20  # bytes of one request
MAX_HELD = 4 * MAX_BODY  # bytes of all requests that are being read or wait
READ_SECONDS = 30.0  # for the body of a request
RETRY_SECONDS = 10  # small requests may try again sooner
BACKLOG = 512  # connections that wait to be accepted


@dataclass
class Lane:
    """A thread that does its work one after another, and lets `room` requests wait for it or be answered."""

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


class Intake:
    """Reads the bodies of all requests of a process, within MAX_HELD bytes."""

    def __init__(self) -> None:
        self.held = 0  # bytes

    async def answered(self, request: Request, handle: Callable[[bytes], Awaitable[Response]]) -> Response:
        """Read the body of a request in JSON and return what `handle` makes of it, or the response to its error."""
        try:
            _check_type(request.headers.get("content-type", ""))
            size = _size(request)
            if self.held + size > MAX_HELD:
                raise Busy("too much data waits already; try again later")
            self.held += size
            try:
                return await handle(await _body(request))
            finally:
                self.held -= size
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            return failure(error)


def failure(error: Exception) -> Response:
    """Return the response to an error: its sentence, or for one that nobody expected the advice to read the log."""
    if isinstance(error, Refused):
        return _error(error.status, error.code, str(error))
    if isinstance(error, DataError):
        return _error(400, "INVALID_PARAMETER_VALUE", str(error))
    if isinstance(error, Busy | MemoryError):
        seconds = getattr(error, "retry_seconds", RETRY_SECONDS)
        return _error(503, "TEMPORARILY_UNAVAILABLE", sentence(error), {"Retry-After": str(seconds)})
    return _error(500, "INTERNAL_ERROR", sentence(error))


def sentence(error: Exception) -> str:
    """Return what the client may read about an error. One that nobody expected is logged."""
    if isinstance(error, Refused | DataError | Busy):
        return str(error)
    if isinstance(error, MemoryError):
        return "not enough memory at present; ask for less at once"
    traceback.print_exception(error)
    return "the model failed on this input; the server’s log says how"


def read_json(body: bytes) -> Any:
    """Parse a body. Raises Refused for anything else than JSON in UTF-8 without NaN."""
    try:
        return json.loads(body.decode(), parse_constant=_not_json)
    except RecursionError:
        raise Refused(400, "BAD_REQUEST", "the body is not a request: too many nested brackets") from None
    except ValueError as error:  # also bytes that are not UTF-8, and a number of too many digits
        raise Refused(400, "BAD_REQUEST", f"the body is not JSON in UTF-8: {str(error)[:200]}") from None


def as_json(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response in JSON. Raises ValueError for NaN."""
    return Response(json.dumps(content, allow_nan=False), status, headers, "application/json")


def listening(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address, which does not listen yet. Raises DataError if the port is taken."""
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


def _error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return as_json({"error_code": code, "message": message}, status, headers)
