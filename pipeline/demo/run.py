"""Start the demo, for `python -m pipeline demo` and `make demo`."""

import contextlib
import os
import sys

from pipeline.artifacts import Project
from pipeline.demo import models
from pipeline.errors import DataError
from pipeline.serving import bounds

LOCAL = ("127.0.0.1", "localhost", "::1")


def run(project: Project, host: str, port: int) -> None:
    """Serve the demo until the process is told to end. Raises DataError if no model is trained or the port is taken."""
    import uvicorn

    from pipeline.demo.app import Demo

    known = models.Models(project)
    rows, faults = known.listed()
    if not rows:
        raise DataError("; ".join(faults) or models.none(known.folder))
    place = bounds.listening(host, port)
    place.listen(bounds.BACKLOG)
    config = uvicorn.Config(
        Demo(known, host).app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=2
    )
    if host not in LOCAL:
        print("Others on the network can open this page; it asks for no password.", file=sys.stderr)
    named = f"[{host}]" if ":" in host else host
    print(f"{len(rows)} models at http://{named}:{place.getsockname()[1]}/ ; Ctrl-C ends it", flush=True)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn has ended, and repeats the signal
        uvicorn.Server(config).run(sockets=[place])
    sys.stdout.flush()
    os._exit(0)  # an answer that is being made would keep the process
