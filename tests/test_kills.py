"""A stage is killed before each of its writes: what has its name is whole, and the next run makes the rest.

The kills come from an audit hook of Python: it sees each file that is opened for writing, renamed or deleted, whoever
does it, and the code under test is not changed.
"""

import importlib
import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.__main__ import main

PARAMS = """\
seed: 1
edition: synthetic
cell: null
sources: {cosine: {reader: cosine}}
own: {mine: {path: mine.txt, reader: own_text}}
datasets: {cosine: {source: cosine, task: forecasting}}
experiments: {cosine: {dataset: cosine, task: forecasting, units: 2, batch_size: 8, time_steps: 16, epochs: 1}}
"""
STEPS = ("download cosine", "import mine", "preprocess cosine", "baseline cosine")
LATER = ("train cosine", "evaluate cosine", "report cosine")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link")
# What is not the same in every run: journals with the times and the keys of runs, progress, DVC's folder, logs.
ELSEWHERE = ("data/spool", "data/progress", ".dvc", "mlflow.db")


def outputs(root: Path) -> "dict[str, bytes]":
    """The files under their names, without those that no later stage reads."""
    paths = (path for path in root.rglob("*") if path.is_file())
    named = ((path.relative_to(root).as_posix(), path) for path in paths)
    return {
        name: path.read_bytes()
        for name, path in named
        if not name.startswith(ELSEWHERE) and not any(part.startswith(".") for part in name.split("/"))
    }


def temporary(root: Path) -> "list[Path]":
    return list(root.rglob(".*.tmp"))


def forked(root: Path, command: str, hook: "Callable[[], None]") -> int:
    """Run the command in a fork of this process, and return its exit code, or minus the signal that ended it.

    hook: is called before each change of a file in the project.
    """
    pid = os.fork()
    if pid == 0:
        try:
            os.chdir(root)
            sys.addaudithook(lambda event, args: hook() if _changes(root, event, args) else None)
            os._exit(main(command.split()))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _changes(root: Path, event: str, args: "tuple[Any, ...]") -> bool:
    if event == "open":
        path, _, flags = args
        return isinstance(path, str | os.PathLike) and bool(flags & WRITES) and _inside(root, path)
    return event in CHANGES and isinstance(args[0], str | os.PathLike) and _inside(root, args[0])


def _inside(root: Path, path: "str | os.PathLike[str]") -> bool:
    return os.path.abspath(path).startswith(f"{root}/") and ".dvc" not in os.fspath(path)


def points(root: Path, command: str) -> int:
    """Run the command, and return the number of its changes."""
    reader, writer = os.pipe()
    assert forked(root, command, lambda: os.write(writer, b".") and None) == 0
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        return len(pipe.read())


def kill_everywhere(before: Path, command: str, tmp_path: Path, every: int = 1) -> None:
    whole = Path(shutil.copytree(before, tmp_path / "whole"))
    count, left = points(whole, command), 0
    expected = outputs(whole)
    assert expected != outputs(before)
    for point in range(1, count + 1, every):
        root, seen = Path(shutil.copytree(before, tmp_path / f"killed-{point}")), [0]

        def hook(seen: "list[int]" = seen, point: int = point) -> None:
            seen[0] += 1
            if seen[0] == point:
                os.kill(os.getpid(), signal.SIGKILL)

        assert forked(root, command, hook) == -signal.SIGKILL, point
        found = outputs(root)
        assert {name: found[name] for name in found if found[name] != expected.get(name)} == {}, point
        left += len(temporary(root))
        assert forked(root, command, lambda: None) == 0
        assert outputs(root) == expected, point
        assert temporary(root) == []
        shutil.rmtree(root)
    assert left > 0, "some kill left a temporary file, so their removal was seen"


def project(root: Path) -> Path:
    (root / ".dvc").mkdir(parents=True)
    (root / "params.yaml").write_text(PARAMS)
    (root / "mine.txt").write_text("the old man sat by the sea. " * 200)
    return root


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("DVC_ROOT", "DVC_STAGE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.fault("kill-in-a-stage")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # a fork of a process with threads, those of NumPy's BLAS
@pytest.mark.parametrize(
    "command",
    ["preprocess cosine", *(pytest.param(s, marks=pytest.mark.long) for s in STEPS if s != "preprocess cosine")],
)
def test_a_killed_stage_leaves_whole_files_and_runs_again(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = project(tmp_path / "project")
    monkeypatch.chdir(root)
    for step in STEPS[: STEPS.index(command)]:
        assert main(step.split()) == 0
    kill_everywhere(root, command, tmp_path, every=5 if command.startswith("baseline") else 1)


@pytest.mark.fault("kill-in-a-stage")
@pytest.mark.long
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_killed_evaluation_or_report_leaves_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = project(tmp_path / "project")
    for step in STEPS:
        assert forked(root, step, lambda: None) == 0
    # Not in a fork: TensorFlow waits for ever in one if another test of this process has trained with it.
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run([sys.executable, "-m", "pipeline", "train", "cosine"], cwd=root, env=environment, check=True)
    model = outputs(root / "data" / "models")
    for name in ("evaluate", "report"):  # once, for all forks
        importlib.import_module(f"pipeline.stages.{name}")
    for command, every in (("evaluate cosine", 2), ("report cosine", 5)):
        kill_everywhere(root, command, tmp_path / command.split()[0], every)
        assert forked(root, command, lambda: None) == 0
    assert outputs(root / "data" / "models") == model
