"""Connect to the cluster in RAY_ADDRESS, or start one of this machine's cores."""

import contextlib
import importlib.util
import os
import socket
from collections.abc import Iterator
from typing import Any

from pipeline.errors import UserError

VARIABLE = "RAY_ADDRESS"
PORT = 6379  # of `ray start --head`
SECONDS = 5.0  # in which a cluster that is there answers
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a task that reserves no GPU keeps CUDA_VISIBLE_DEVICES as it is
}


def refuse_missing(address: str = "") -> None:
    """Raise UserError if Ray is not installed, or nothing listens at the address. Takes seconds at most."""
    if importlib.util.find_spec("ray") is None:
        raise UserError(
            "Ray is not installed here; make ray installs it, and without it there is `executor: local` in "
            "params.yaml, or --executor local of fan-out"
        )
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if not host:
        return
    if not port.isdecimal():
        raise UserError(f"{VARIABLE}={address}: it must be host:port, such as 10.0.0.1:{PORT}, or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"{VARIABLE}={address}: no cluster answers there ({error}); `ray start --head --port {PORT}` starts one; "
            f"without {VARIABLE}, Ray uses this machine alone"
        ) from None


@contextlib.contextmanager
def connected(address: str = "", **options: Any) -> Iterator[Any]:
    """Give the module `ray`, connected to the cluster at the address, or to a new one of this machine if it is empty.

    options: of ray.init. Raises UserError if that fails. At the end the connection closes, and a new cluster ends.
    """
    refuse_missing(address)
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    try:
        ray.init(address or "local", logging_level="error", log_to_driver=False, include_dashboard=None, **options)
    except Exception as error:  # Ray has many, and raises Python's own too
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(f"{VARIABLE}={address}: Ray cannot connect ({why})") from None
    try:
        yield ray
    finally:
        with contextlib.suppress(Exception):
            ray.shutdown()


def size(ray: Any) -> tuple[int, float]:
    """Return the number of nodes that live, and of their cores."""
    nodes = [node for node in ray.nodes() if node["Alive"]]
    return len(nodes), sum(node["Resources"].get("CPU", 0.0) for node in nodes)
