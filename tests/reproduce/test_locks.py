"""Lock files that a killed run of DVC left damaged cost one line, or a command that is printed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.artifacts import Project
from pipeline.errors import UserError
from pipeline.reproduce import locks
from tests.commands import environment

ROOT = Path(__file__).parents[2]
DVC = "import sys, time; print('runs', flush=True); time.sleep(60)"
ENTRY = {"cmd": "dvc repro"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    return Project(tmp_path)


def running(folder: Path) -> "subprocess.Popen[str]":
    """A process whose command line is that of DVC, in the folder."""
    script = folder / "dvc"
    script.write_text(DVC)
    process = subprocess.Popen([sys.executable, str(script), "repro"], cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "runs\n"
    return process


@pytest.mark.fault("damaged-rwlock")
@pytest.mark.parametrize(
    "content", ["", "{", '{"write": {"a', "[]", '{"read": {"a": 1}}', '{"write": {"a": {"pid": 1}}}']
)
def test_a_damaged_list_of_busy_paths_is_deleted(
    content: str, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project.root / locks.RWLOCK
    path.write_text(content)
    with running(project.root) as dvc:
        with pytest.raises(UserError, match=rf"rwlock: damaged, and DVC runs in this project as process {dvc.pid};"):
            locks.clear(project)
        assert path.exists()
        dvc.kill()
    locks.clear(project)
    assert not path.exists()
    assert "rwlock: was damaged when a run was killed; deleted" in capsys.readouterr().out


def test_a_process_that_nobody_waited_for_blocks_nothing(project: Project) -> None:
    path = project.root / locks.RWLOCK
    dead = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)  # a zombie
    for pid, kept in ((dead.pid, False), (os.getpid(), True)):
        path.write_text(json.dumps({"write": {"out": {"pid": pid, **ENTRY}}, "read": {"in": [{"pid": pid, **ENTRY}]}}))
        locks.clear(project)
        assert path.exists() is kept
    dead.wait()


def test_lists_that_are_whole_or_missing_stay(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    locks.clear(project)
    (project.root / locks.RWLOCK).write_text('{"write": {}, "read": {}}')
    locks.clear(project)
    assert (project.root / locks.RWLOCK).exists()
    assert capsys.readouterr().out == ""


@pytest.mark.fault("damaged-rwlock", "damaged-dvc-lock")
def test_a_run_gets_over_both(tmp_path: Path) -> None:
    from tests.reproduce.test_repro import SETTINGS

    def run(code: int) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pipeline", "repro"],
            cwd=tmp_path, env=environment(PYTHONPATH=str(ROOT)),
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    (tmp_path / "params.yaml").write_text(SETTINGS)
    (tmp_path / "src").write_text("1")
    (tmp_path / "dvc.yaml").write_text("stages: {one: {cmd: echo run >> runs; echo 1 > one, deps: [src], outs: [one]}}")
    subprocess.run(["dvc", "init", "--no-scm", "-q"], cwd=tmp_path, env=environment(), check=True, timeout=60)
    (tmp_path / ".dvc" / "tmp" / "rwlock").write_text("")
    assert "deleted" in run(0)
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\nstages:\n  one:\n    cm")
    said = run(2)
    assert "dvc.lock: damaged" in said and "`rm dvc.lock`" in said and "Traceback" not in said
    (tmp_path / "dvc.lock").unlink()
    run(0)
    assert (tmp_path / "runs").read_text() == "run\n", "the stage came back from DVC's cache"
