"""The HTTP application of the demo: one page, and the questions that it asks, within the bounds of `serve`."""

import asyncio
import ipaddress
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.demo import contributions, models, pasted
from pipeline.demo.models import Models
from pipeline.errors import DataError
from pipeline.raw_input import Answer
from pipeline.serving import bounds
from pipeline.serving.bounds import Refused
from pipeline.serving.served import Served
from pipeline.serving.server import Desk, Server, parsed

Answering = Callable[[Server, int, Any, dict[str, Any], float], Awaitable[Response]]
PAGE = Path(__file__).parent / "page"
FEW_WORDS = 50  # a text of more words is a large request: each word is a text to classify
HEADERS = {
    # Nothing from another address, no inline script, no frame around it.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses requests for another host, and adds HEADERS to every response.

    A page on the internet can let its name point to this machine and read answers as if they were its own; an address
    in numbers cannot be redirected that way.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self.app, self.names = app, {"localhost", host.lower(), socket.gethostname().lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        given = Headers(scope=scope).get("host", "")
        if self._known(given):
            await self.app(scope, receive, sent)
            return
        refused = Refused(421, "BAD_REQUEST", f"Host: {given[:60]!r} is not this server; open it by its address")
        await bounds.failure(refused)(scope, receive, sent)

    def _known(self, given: str) -> bool:
        host = given.lower().rsplit(":", 1)[0] if not given.endswith("]") else given
        try:
            return host in self.names or bool(ipaddress.ip_address(host.strip("[]")))
        except ValueError:
            return False


class Demo:
    """The application; `app` is what a server of ASGI runs."""

    def __init__(self, known: Models, host: str) -> None:
        self.models = known
        # The pages of documentation that FastAPI offers load scripts from elsewhere.
        self.app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        self.app.add_middleware(Guard, host=host)
        self.app.add_api_route("/", self.page, response_model=None)
        self.app.add_api_route("/models", self.listed, response_model=None)
        self.app.add_api_route("/models/{name}", self.described, response_model=None)
        for path, answer in (
            ("invocations", self.invocations), ("words", self.words), ("numbers", self.numbers), ("stream", self.stream)
        ):  # fmt: skip
            self.app.add_api_route(f"/models/{{name}}/{path}", answer, methods=["POST"], response_model=None)
        self.app.mount("/page", StaticFiles(directory=PAGE))

    async def page(self) -> Response:
        """Return the page."""
        return FileResponse(PAGE / "index.html")

    async def listed(self) -> Response:
        """List the models."""
        rows, faults = self.models.listed()
        return bounds.as_json({"models": rows, "faults": faults or ([] if rows else [models.none(self.models.folder)])})

    async def described(self, name: str) -> Response:
        """Say what a model can be asked."""
        try:
            return bounds.as_json(self.models.described(name, await self.models.get(name)))
        except Exception as error:
            return bounds.failure(error)

    async def invocations(self, name: str, request: Request) -> Response:
        """Answer as `serve` does."""
        try:
            server = await self.models.get(name)
        except Exception as error:
            return bounds.failure(error)
        return await server.invocations(request)

    async def words(self, name: str, request: Request) -> Response:
        """Classify a text, and say what each of its words contributes."""

        async def answer(server: Server, size: int, text: Any, options: dict[str, Any], arrived: float) -> Response:
            _does(server, "predict")

            def explained(served: Served, left: float) -> Answer:
                return contributions.contributions(lambda given: served.answer(given, options, left), text)

            few = isinstance(text, str) and len(contributions.word_spans(text[:size])) <= FEW_WORDS
            return bounds.as_json(await (server.small if few else server.large).ask(explained, arrived))

        return await self._answered(name, request, answer)

    async def numbers(self, name: str, request: Request) -> Response:
        """Forecast from pasted numbers, and return them as they were read."""

        async def answer(server: Server, size: int, text: Any, options: dict[str, Any], arrived: float) -> Response:
            _does(server, "forecast")
            columns = self.models.described(name, server)["series"]["columns"]
            start = {"start": options.pop("start")} if "start" in options else {}
            if not isinstance(text, str):
                raise DataError("paste numbers as text")

            def forecast(served: Served, left: float) -> Answer:
                given = pasted.series(text, columns)
                return {**served.answer([{**given, **start}], options, left)[0], "given": given}

            return bounds.as_json(await server.desk(size, [text], options).ask(forecast, arrived))

        return await self._answered(name, request, answer)

    async def stream(self, name: str, request: Request) -> Response:
        """Continue a prompt: a line of JSON for the characters that are there, until the last."""

        async def answer(server: Server, size: int, text: Any, options: dict[str, Any], arrived: float) -> Response:
            parts = _parts(server.desk(size, [text], options), text, options, arrived)
            first = await anext(parts)  # an error in the options is known now, and is no line
            return StreamingResponse(_lines(first, parts), media_type="application/x-ndjson")

        return await self._answered(name, request, answer)

    async def _answered(self, name: str, request: Request, answer: Answering) -> Response:
        """Read a request with one input, and return answer(model, bytes of the body, input, options, time)."""
        arrived = time.monotonic()

        async def handle(body: bytes) -> Response:
            inputs, options = parsed(body)
            if len(inputs) != 1:
                raise Refused(400, "BAD_REQUEST", f"inputs: found {len(inputs)}; give one")
            return await answer(await self.models.get(name), len(body), inputs[0], options, arrived)

        return await self.models.intake.answered(request, handle)


def _does(server: Server, command: str) -> None:
    task = server.small.served.task
    if task.command != command:
        raise DataError(f"this model does {task.title}; `{command}` is for others")


async def _parts(desk: Desk, given: Any, options: dict[str, Any], arrived: float) -> AsyncIterator[Answer]:
    """Yield the parts of an answer, joined if several are there. Its thread stops after this is closed."""
    loop, ready, closed = asyncio.get_running_loop(), asyncio.Queue[Answer | None](), threading.Event()

    def write(served: Served, left: float) -> None:
        parts = served.stream(given, options, left)
        for part in parts:
            loop.call_soon_threadsafe(ready.put_nowait, part)
            if closed.is_set():
                break
        parts.close()

    def ended(writing: asyncio.Future[None]) -> None:
        if not writing.cancelled():
            writing.exception()  # seen, whether somebody still waits for it or not
        ready.put_nowait(None)

    writing = asyncio.ensure_future(desk.ask(write, arrived))
    writing.add_done_callback(ended)
    try:
        while (part := await ready.get()) is not None:
            while not ready.empty() and (more := ready.get_nowait()) is not None:
                part = {**part, **more, "text": part["text"] + more["text"]}
            yield part
            if writing.done() and ready.empty():
                break
        await writing
    finally:
        closed.set()


async def _lines(first: Answer, parts: AsyncIterator[Answer]) -> AsyncIterator[str]:
    """Yield lines of JSON. The last one is {"done": true} or {"error": sentence}."""
    yield json.dumps(first) + "\n"
    try:
        async for part in parts:
            yield json.dumps(part) + "\n"
    except Exception as error:
        yield json.dumps({"error": bounds.sentence(error)}) + "\n"
    else:
        yield json.dumps({"done": True}) + "\n"
