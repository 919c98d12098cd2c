"""A running demo for tests."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn

from pipeline.demo.app import Demo


@contextlib.contextmanager
def running(models: Any) -> Iterator[str]:
    """The address of a demo in a thread, which ends with the block."""
    place = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(Demo(models, "127.0.0.1").app, log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{place.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
