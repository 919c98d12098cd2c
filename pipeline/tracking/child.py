"""Run work in a process of its own that is killed at a deadline: whatever MLflow does, the caller goes on.

A thread could not be stopped, and would keep the process from ending.
"""

import ctypes
import json
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from pipeline.tracking.address import reason

SAY_AFTER = 5.0  # seconds
OWN_WORK = 120.0  # seconds for imports and new tables, which take long on a busy machine
PR_SET_PDEATHSIG = 1


class GivenUp(TimeoutError):
    """The deadline has passed, or the process has ended without an answer."""


class Failed(Exception):
    """The work has failed; the message is that of its error."""


class Clock:
    """The child's side: says what its time is spent on."""

    def __init__(self, to: Connection) -> None:
        self._to = to

    def own_work(self, doing: bool) -> None:
        """Begin or end work of this machine, such as imports, during which the deadline does not come nearer."""
        self._say({"own": doing})

    def gain(self, seconds: float) -> None:
        """Move the deadline, since something has arrived."""
        self._say({"gain": seconds})

    def _say(self, message: dict[str, Any]) -> None:
        self._to.send_bytes(json.dumps(message).encode())


def within(seconds: float, work: Callable[[Clock], Any], waiting: Callable[[], None]) -> Any:
    """Return what `work` returns, JSON-able, in a child process. Call `waiting` once if it takes more than 5 s.

    Raises GivenUp after `seconds`, when the child is killed, and Failed if the work raises an error.
    """
    context: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(work, theirs, os.getpid()), daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of forks with threads; the child uses none of them
        process.start()
    theirs.close()
    try:
        return _answer(ours, seconds, waiting)
    finally:
        process.kill()
        process.join()
        ours.close()


def _answer(ours: Connection, seconds: float, waiting: Callable[[], None]) -> Any:
    left, own, said = seconds, False, False
    while True:
        begin = time.monotonic()
        until_line = left if said or own else min(left, max(0.0, SAY_AFTER - (seconds - left)))
        arrived = ours.poll(OWN_WORK if own else until_line)
        left -= 0.0 if own else time.monotonic() - begin
        if arrived:
            message = _received(ours)
            if "result" in message:
                return message["result"]
            if "error" in message:
                raise Failed(message["error"])
            own = message.get("own", own)
            left += message.get("gain", 0.0)
            seconds += message.get("gain", 0.0)
        elif own or left <= 0.01:
            raise GivenUp(f"no complete answer within {seconds:.0f} s")
        elif not said:
            said = True
            waiting()


def _received(ours: Connection) -> dict[str, Any]:
    try:
        return dict(json.loads(ours.recv_bytes()))
    except EOFError:
        raise GivenUp("the process that sends has been ended") from None


def _run(work: Callable[[Clock], Any], to: Connection, parent: int) -> None:
    end_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which then ends this process
    try:
        message = {"result": work(Clock(to))}
    except Exception as error:
        message = {"error": str(error) if isinstance(error, Failed) else reason(error)}
    except BaseException:
        os._exit(1)
    to.send_bytes(json.dumps(message).encode())
    os._exit(0)  # not by way of Python's exit, which waits for the threads of MLflow


def end_with(parent: int) -> None:
    """Let the system kill this process when its parent ends, by whatever signal."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
