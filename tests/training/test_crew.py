"""A worker that is lost ends the training with a sentence, and a training that is lost ends its workers."""

import sys
import textwrap
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.errors import WorkerLost
from pipeline.training import crew
from pipeline.training.crew import Crew
from tests.tasks.case import CASES
from tests.training.test_parallel import Threads

JOINS = """
    import json, os, sys, time
    from pipeline.training.wire import connected
    offer = json.loads(sys.stdin.readline())
    wire = connected(offer["host"], offer["port"], bytes.fromhex(offer["key"]))
    wire.send({"number": offer["number"]})
    wire.receive()
"""


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let workers be processes that run some code."""

    def use(code: str) -> None:
        monkeypatch.setattr(crew, "COMMAND", [sys.executable, "-c", textwrap.dedent(code)])

    return use


def test_a_worker_that_ends_before_it_begins_is_named(running: Callable[[str], None]) -> None:
    running("raise SystemExit(3)")
    with (
        Crew(2, {}) as made,
        pytest.raises(
            WorkerLost, match=r"worker 1 of 2 ended with exit code 3 before it began; it must be able to reach 127"
        ),
    ):
        made.join()


def test_a_worker_that_is_killed_ends_the_training(running: Callable[[str], None]) -> None:
    running(f"{JOINS}\n    wire.receive()\n    os.kill(os.getpid(), 9)")
    with Crew(2, {}) as made:
        made.join()
        made.give(1, {"reset": True}, [np.zeros(10)])
        with pytest.raises(WorkerLost, match=r"worker 1 of 2 was ended by SIGKILL; run the training again"):
            made.take(1)


def test_the_error_of_a_worker_is_passed_on(running: Callable[[str], None]) -> None:
    running(f'{JOINS}\n    wire.send({{"error": "MemoryError: too large"}})\n    wire.receive()')
    with Crew(2, {}) as made:
        made.join()
        with pytest.raises(WorkerLost, match="worker 1 of 2 failed: MemoryError: too large; run"):
            made.take(1)


def test_a_network_that_cannot_be_built_is_said() -> None:
    case = CASES["returns"]
    row = case.network_row(workers=2)
    with Crew(2, {"row": {**row.model_dump(mode="json"), "task": "none"}, "encoder": {}}, Threads) as made:
        made.join()
        made.give(1, {"reset": True}, [np.zeros(1_000_000)])
        with pytest.raises(WorkerLost, match=r"worker 1 of 2 failed: ValidationError: .*; run the training again"):
            made.take(1)


def test_strangers_are_not_let_in(running: Callable[[str], None]) -> None:
    knocks = 'import socket; socket.create_connection((offer["host"], offer["port"])); wire = '
    running(JOINS.replace("wire = ", knocks) + "    wire.receive()\n")
    with Crew(3, {}) as made:
        made.join()
        assert sorted(made.wires) == [1, 2]


def test_workers_end_with_their_training(running: Callable[[str], None]) -> None:
    running(f"""{JOINS}
    try:
        wire.receive()
    except EOFError:
        pass
    """)
    with Crew(3, {}) as made:
        made.join()
        processes = made.launched.processes  # type: ignore[attr-defined]
    assert [process.returncode for process in processes] == [0, 0]
