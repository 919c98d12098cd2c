"""Work in a process of its own: its answer, its errors, its deadline, and no process that outlives the caller."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.tracking import child
from pipeline.tracking.child import Clock, Failed, GivenUp, within

ROOT = Path(__file__).parents[2]


def nothing() -> None:
    """Say nothing."""


def answered(value: Any, clock: Clock) -> Any:
    return value


def failed(clock: Clock) -> None:
    raise OSError("http://ann:s3cret@host is down")


def hanging(into: Path, clock: Clock) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    into.write_text(str(os.getpid()))
    while True:
        time.sleep(60)


def arriving(clock: Clock) -> str:
    for _ in range(5):
        time.sleep(0.2)
        clock.gain(0.3)
    return "all"


def computing(clock: Clock) -> str:
    clock.own_work(True)
    time.sleep(0.6)
    clock.own_work(False)
    return "done"


def test_the_answer_and_the_error_of_the_work() -> None:
    assert within(10, partial(answered, {"ids": ["a", None]}), nothing) == {"ids": ["a", None]}
    with pytest.raises(Failed, match="OSError: http://host is down"):
        within(10, failed, nothing)


def test_the_deadline_moves_with_what_arrives_and_not_during_own_work() -> None:
    assert within(0.5, arriving, nothing) == "all"
    assert within(0.3, computing, nothing) == "done"


def test_work_that_hangs_is_killed_and_one_line_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "SAY_AFTER", 0.3)
    said: list[float] = []
    begin = time.monotonic()
    with pytest.raises(GivenUp, match="within 1 s"):
        within(1.0, partial(hanging, tmp_path / "pid"), lambda: said.append(time.monotonic() - begin))
    assert 1.0 <= time.monotonic() - begin < 5.0
    assert len(said) == 1 and said[0] >= 0.3
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_a_process_that_is_killed_is_an_answer() -> None:
    begin = time.monotonic()
    with pytest.raises(GivenUp, match="has been ended"):
        within(60, lambda clock: os.kill(os.getpid(), signal.SIGKILL), nothing)
    assert time.monotonic() - begin < 10


@pytest.mark.fault("mlflow-no-orphan")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_process_ends_with_its_parent(tmp_path: Path, how: signal.Signals) -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/tracking'); from pathlib import Path; from functools import partial\n"
        "import signal, time, os\n"
        "from pipeline.tracking.child import within\n"
        "def hang(clock):\n"
        "    Path(sys.argv[1], 'new').write_text(str(os.getpid()))\n"
        "    os.rename(sys.argv[1] + '/new', sys.argv[1] + '/pid')\n"
        "    time.sleep(600)\n"
        "within(600, hang, lambda: None)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as parent:
        while not (tmp_path / "pid").exists():
            assert parent.poll() is None
            time.sleep(0.01)
        parent.send_signal(how)
    with contextlib.suppress(psutil.NoSuchProcess):
        child_of_it = psutil.Process(int((tmp_path / "pid").read_text()))
        with contextlib.suppress(psutil.TimeoutExpired):
            child_of_it.wait(10)
        assert child_of_it.status() == psutil.STATUS_ZOMBIE, "it runs on"
