"""Chromium without a window, in a fresh profile: what a person sees who opens an address and clicks."""

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason=f"none of {', '.join(NAMES)} is installed")
OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --remote-debugging-port=0 --window-size=1400,900"
    # no network but this machine
    " --host-resolver-rules=MAP\t*\t~NOTFOUND,EXCLUDE\t127.0.0.1"
)
SECONDS = 120.0  # until something is there, on a busy machine


class Page:
    """A page in the browser, driven by the DevTools protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0

    async def open(self, address: str) -> None:
        await self._send("Page.navigate", url=address)

    async def value(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        done = await self._send("Runtime.evaluate", expression=script, returnByValue=True)
        return done["result"].get("value")

    async def until(self, script: str) -> Any:
        """Wait until the expression is true, and return its value."""
        end = time.monotonic() + SECONDS
        while not (found := await self.value(script)):
            if time.monotonic() > end:
                text = await self.value("location.href + '\\n' + document.body.innerText")
                raise AssertionError(f"never true: {script}\n{text}")
            await asyncio.sleep(0.3)
        return found

    async def click(self, text: str) -> None:
        """Click the link with the text, once it is there."""
        link = f"[...document.querySelectorAll('a')].find((a) => a.innerText.trim() === {json.dumps(text)})"
        await self.until(f"Boolean({link})")
        await self.value(f"{link}.click()")

    async def text(self) -> str:
        return str(await self.value("document.body.innerText"))

    async def _send(self, method: str, **params: Any) -> Any:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": params})
        while True:
            message = await self._socket.receive_json(timeout=SECONDS)
            if message.get("id") == self._number:
                return message["result"]


def browse(profile: Path, visit: Callable[[Page], Awaitable[None]]) -> None:
    """Start the browser with an empty profile in the folder, and visit a page."""

    async def run() -> None:
        async with _page(profile) as page:
            await visit(page)

    asyncio.run(run())


@asynccontextmanager
async def _page(profile: Path) -> AsyncIterator[Page]:
    command = [str(CHROMIUM), *OPTIONS.split(" "), f"--user-data-dir={profile}", "about:blank"]
    command = [word.replace("\t", " ") for word in command]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            port = await _port(profile / "DevToolsActivePort")
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                    (target, *_) = (one for one in await answer.json() if one["type"] == "page")
                async with session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    yield Page(socket)
        finally:
            process.terminate()


async def _port(file: Path) -> str:
    end = time.monotonic() + SECONDS
    while not (file.is_file() and "\n" in file.read_text()):
        assert time.monotonic() < end, "the browser did not start"
        await asyncio.sleep(0.2)
    return file.read_text().split()[0]
