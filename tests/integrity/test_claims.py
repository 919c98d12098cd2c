"""One process at a time runs a stage: the second is told who does, and no late one replaces newer outputs."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import artifacts
from pipeline.errors import UserError
from pipeline.integrity import claims
from pipeline.integrity.claims import claimed

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from pathlib import Path
from pipeline.integrity.claims import claimed
with claimed(Path(sys.argv[1]), "train@x"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project of DVC."""
    (tmp_path / ".dvc").mkdir()
    return tmp_path


def holder(root: Path) -> "subprocess.Popen[str]":
    """Another process that runs train@x until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.fault("two-processes")
def test_a_second_process_is_told_who_runs_the_stage_and_since_when(root: Path) -> None:
    with holder(root) as first:
        said = rf"train@x has been run by process {first.pid} since 2\d\d\d-\d\d-\d\d .*kill -9 {first.pid}"
        with pytest.raises(UserError, match=said), claimed(root, "train@x", patience=0):
            pass
        with claimed(root, "train@y", patience=0):
            pass  # another stage is free
        first.kill()
    with claimed(root, "train@x", patience=0):
        pass  # a killed process holds nothing


def test_a_stage_waits_a_moment_for_one_that_ends(root: Path) -> None:
    with holder(root) as first:
        assert first.stdin is not None
        first.stdin.close()
        with claimed(root, "train@x", patience=60):
            pass


@pytest.mark.parametrize("name", ["a/b", "x" * 250, "ü \n"])
def test_every_name_can_be_claimed(name: str, root: Path) -> None:
    with claimed(root, f"train@{name}"):
        (file,) = (root / ".dvc" / "tmp" / "running").iterdir()
        assert json.loads(file.read_text())["what"] == f"train@{name}"


@pytest.mark.fault("late-writer")
def test_a_late_process_replaces_nothing(root: Path) -> None:
    target = root / "data" / "models" / "x"
    with claimed(root, "train@x"):
        with pytest.raises(UserError, match="train@x: another process has started it since"):  # noqa: SIM117, PT012
            with artifacts.new_folder(target) as late:
                (late / "weights").write_text("older")
                next((root / ".dvc" / "tmp" / "running").iterdir()).unlink()
                with holder(root) as second:
                    target.mkdir(parents=True)
                    (target / "weights").write_text("newer")
                    second.kill()
        with pytest.raises(UserError, match="another process"):
            artifacts.save_text(target / "weights", "older")
    assert (target / "weights").read_text() == "newer"
    assert not list(target.parent.glob(".*"))


def test_a_project_without_room_for_a_lock_can_still_be_read(root: Path) -> None:
    (root / ".dvc" / "tmp").write_text("a file")
    with claimed(root, "verify"), claimed(root, "verify", patience=0):
        pass


def test_a_deleted_lock_that_nobody_took_costs_no_result(root: Path) -> None:
    with claimed(root, "train@x"):
        next((root / ".dvc" / "tmp" / "running").iterdir()).unlink()
        artifacts.save_text(root / "result", "kept")
    assert (root / "result").read_text() == "kept"


CALLER = """
import os, subprocess, sys
os.environ["DVC_STAGE"] = "train@x"
code = "from pipeline.integrity.claims import *; end_with_caller(); print(1, flush=True); time.sleep(60)"
process = subprocess.Popen([*sys.argv[1:], sys.executable, "-c", code])
print(process.pid, flush=True)
process.wait()
"""


@pytest.mark.fault("orphan")
@pytest.mark.parametrize("shell", [(), ("sh", "-c", '"$0" "$@"; true')])
def test_a_stage_ends_after_its_caller_was_killed(shell: tuple[str, ...]) -> None:
    """With a shell in between, which lives on, as with those that do not replace themselves by their last command."""
    environment = {name: value for name, value in os.environ.items() if name != "PIPELINE_WARM"}
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER, *shell], cwd=ROOT, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert caller.stdout is not None and caller.stderr is not None
    pid, running = int(caller.stdout.readline()), caller.stdout.readline()
    assert running == "1\n"
    os.kill(caller.pid, signal.SIGKILL)
    caller.wait()
    # The pipe ends once the last process that holds it has ended.
    assert caller.stdout.read() == ""
    said = caller.stderr.read()
    assert said == f"error: process {caller.pid}, which started this stage, has ended, so it ends too\n"
    assert pid != caller.pid
    caller.stdout.close()
    caller.stderr.close()


def test_a_stage_started_by_hand_outlives_its_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.setattr(claims.threading, "Thread", None)
    claims.end_with_caller()
