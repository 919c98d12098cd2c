"""The process that talks to Ray, here without Ray: its answers, its refusals, and its end."""

import contextlib
import os
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

import pytest

from pipeline.cluster import connection, session
from pipeline.cluster.session import Session
from pipeline.errors import UserError


@contextlib.contextmanager
def no_ray(address: str, **options: Any) -> Iterator[str]:
    yield f"{address} {options}"


def run(serve: Any, pipe: Connection, address: str, options: Any, arguments: Any) -> None:
    """In the process: as `session._run`, without Ray."""
    connection.connected = no_ray  # type: ignore[assignment]
    ORIGINAL(serve, pipe, address, options, arguments)


ORIGINAL = session._run


@pytest.fixture(autouse=True)
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_run", run)
    monkeypatch.setattr(connection, "refuse_missing", lambda _: None)


def echo(ray: str, pipe: Connection, more: int) -> None:
    pipe.send(("ready", (ray, more, os.getpid())))
    while True:
        pipe.send(("echo", pipe.recv()))


def dying(ray: str, pipe: Connection) -> None:
    pipe.send(("ready", None))
    pipe.recv()
    os._exit(1)


def refusing(ray: str, pipe: Connection) -> None:
    raise UserError("the cluster has no core")


def test_messages_larger_than_the_pipe_holds_pass_both_ways() -> None:
    made = Session("there", echo, 5, options={"x": 1}, then="go on")
    said, more, process = made.ready
    assert (said, more) == ("there {'x': 1}", 5) and process != os.getpid()
    sent = [bytes([number]) * 500_000 for number in range(5)]
    for message in sent:
        made.send(message)
    assert [made.receive() for _ in sent] == [("echo", message) for message in sent]
    made.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_cluster_that_dies_or_refuses_is_said() -> None:
    made = Session("there", dying, options={}, then="go on")
    made.send("die")
    with pytest.raises(UserError, match=r"^there does not answer any more; go on$"):
        made.receive()
    made.close()
    with pytest.raises(UserError, match=r"^the cluster has no core$"):
        Session("", refusing, options={}, then="go on")
