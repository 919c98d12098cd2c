"""The warm process, with a tiny package in place of the pipeline's: what users see of it is that stages run faster."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands import environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no warm process elsewhere")
ROOT = Path(__file__).parents[2]
COPIED = ("__init__.py", "handover.py", "reproduce/__init__.py", "reproduce/warm.py")
MAIN = """\
import atexit, json, os, subprocess, sys, threading, time
from pipeline.handover import hand_over, run_alone
from pipeline.value import VALUE

def main(argv):
    if argv[0] == "alone":
        run_alone()
    try:
        return stage(argv)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        return 130

def stage(argv):
    said = {"argv": argv, "value": VALUE, "warm": os.environ.get("PIPELINE_WARM"), "stage": os.environ["DVC_STAGE"]}
    print(json.dumps({**said, "pid": os.getpid(), "modules": "preloaded" in sys.modules}), flush=True)
    if argv[0] == "fail":
        print("wrong", file=sys.stderr)
        return 3
    if argv[0] == "last":
        atexit.register(print, "at exit")
        threading.Thread(target=lambda: (time.sleep(0.2), print("from a thread"))).start()
        print("unflushed", end=" ")
    if argv[0] == "crash":
        os.kill(os.getpid(), 9)
    if argv[0] == "wait":
        if argv[1:]:
            subprocess.Popen(["sleep", "60"])
        time.sleep(60)
    return 0

if __name__ == "__main__":
    code = hand_over(sys.argv[1:])
    sys.exit(main(sys.argv[1:]) if code is None else code)
"""
PRELOAD = """\
import sys
import pipeline.__main__, pipeline.value

def preload():
    sys.modules["preloaded"] = sys
"""
# Runs stages until one of them is forked, as DVC would, and then one that waits.
OWNER = """\
import subprocess, sys
stage = [sys.executable, "-m", "pipeline"]
while b"forked" not in subprocess.run([*stage, "first"], stdout=subprocess.PIPE).stdout:
    pass
subprocess.run([*stage, "wait"])
"""


class Project:
    """A folder with the package, and a way to run its stages as DVC would."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in COPIED:
            (root / "pipeline" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / "pipeline" / name, root / "pipeline" / name)
        self.write("__main__.py", MAIN)
        self.write("reproduce/preload.py", PRELOAD)
        self.write("value.py", "VALUE = 1\n")

    def write(self, name: str, text: str) -> None:
        (self.root / "pipeline" / name).write_text(text)

    def start(self, *argv: str, stage: str = "preprocess@x", **more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pipeline", *argv]
        settings = environment(DVC_STAGE=stage, PYTHONDONTWRITEBYTECODE="1", **more)
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.root, env=settings, text=True, stdout=pipe, stderr=pipe)

    def run(self, *argv: str, **more: str) -> dict[str, Any]:
        process = self.start(*argv, **more)
        out, err = process.communicate(timeout=30)
        said: dict[str, Any] = json.loads(out.splitlines()[0])
        return {**said, "code": process.returncode, "err": err, "client": process.pid}

    @contextlib.contextmanager
    def waiting(self, *argv: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
        """A stage that waits to be stopped, and its pid."""
        with self.start("wait", *argv) as process:
            assert process.stdout
            said = json.loads(process.stdout.readline())
            assert said["warm"] == "forked"
            try:
                yield process, said["pid"]
            finally:
                process.kill()

    def warmed(self) -> "Project":
        """Run stages until one of them is forked."""
        until(lambda: self.run("first")["warm"] == "forked")
        return self


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def warm_processes(root: Path) -> list[int]:
    """The warm processes that run in the folder, without the stages that they forked."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                of_warm = b"pipeline.reproduce.warm" in (entry / "cmdline").read_bytes()
                if of_warm and (entry / "cwd").resolve() == root:
                    found.append(int(entry.name))
            except OSError:
                pass
    forked = {child for pid in found for child in children(pid)}
    return [pid for pid in found if pid not in forked]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path.resolve())
    yield made
    for pid in warm_processes(made.root):
        os.kill(pid, signal.SIGKILL)


def test_stages_are_forked_once_a_warm_process_is_ready(project: Project) -> None:
    first = project.run("first", "x")
    assert (first["warm"], first["pid"]) == (None, first["client"])
    project.warmed()
    forked = project.run("second", "x", stage="second@x")
    assert (forked["warm"], forked["modules"], forked["argv"]) == ("forked", True, ["second", "x"])
    assert (forked["stage"], forked["code"]) == ("second@x", 0)
    assert len(warm_processes(project.root)) == 1


def test_a_lone_training_starts_no_warm_process(project: Project) -> None:
    assert project.run("train", "x")["warm"] is None
    time.sleep(0.3)
    assert warm_processes(project.root) == []


@pytest.mark.parametrize("how", ["variable", "not from DVC"])
def test_it_is_not_used(how: str, project: Project) -> None:
    if how == "variable":
        assert project.run("first", PIPELINE_WARM="0")["warm"] == "0"
    else:
        command = [sys.executable, "-m", "pipeline", "first"]
        settings = environment()
        settings.pop("DVC_STAGE", None)
        subprocess.run(command, cwd=project.root, env=settings, check=False, capture_output=True, timeout=30)
    time.sleep(0.3)
    assert warm_processes(project.root) == []


def test_output_and_exit_code_are_those_of_the_stage(project: Project) -> None:
    project.warmed()
    failed = project.run("fail")
    assert (failed["warm"], failed["code"], failed["err"]) == ("forked", 3, "wrong\n")
    assert project.run("crash")["code"] == -signal.SIGKILL


def test_all_that_a_stage_prints_arrives(project: Project) -> None:
    with project.warmed().start("last") as process:
        out, _ = process.communicate(timeout=20)
    assert out.splitlines()[1:] == ["unflushed from a thread", "at exit"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_signals_reach_the_stage(number: int, code: int, project: Project) -> None:
    with project.warmed().waiting() as (process, stage):
        process.send_signal(number)
        process.communicate(timeout=10)
        assert process.returncode == code
        assert not alive(stage)


def test_a_stage_dies_with_the_process_that_waits_for_it(project: Project) -> None:
    with project.warmed().waiting("with a child") as (process, stage):
        until(lambda: bool(children(stage)))
        both = [stage, *children(stage)]
        process.kill()
        process.wait(10)
        until(lambda: not any(map(alive, both)))


def test_a_killed_warm_process_takes_its_stages_along_and_the_next_stage_runs(project: Project) -> None:
    with project.warmed().waiting() as (process, stage):
        (warm,) = warm_processes(project.root)
        os.kill(warm, signal.SIGKILL)
        _, err = process.communicate(timeout=10)
        assert process.returncode == 1
        assert err == "error: the process that ran this stage has ended; run the command again\n"
        until(lambda: not alive(stage))
    assert project.run("first")["code"] == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_the_process_that_runs_dvc(number: int, project: Project) -> None:
    command = [sys.executable, "-c", OWNER]
    with subprocess.Popen(
        command, cwd=project.root, env=environment(DVC_STAGE="x"), text=True, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout
        stage = json.loads(owner.stdout.readline())
        assert stage["warm"] == "forked"
        owner.send_signal(number)
        owner.wait(10)
        until(lambda: not warm_processes(project.root) and not alive(stage["pid"]))


def test_changed_code_is_never_run_as_it_was(project: Project) -> None:
    project.warmed()
    project.write("value.py", "VALUE = 2\n")
    assert project.run("first")["value"] == 2
    until(lambda: project.run("first")["warm"] == "forked")  # a new one has taken its place
    assert project.run("first")["value"] == 2


def test_another_environment_is_refused(project: Project) -> None:
    project.warmed()
    assert project.run("first", ONEDNN_DEFAULT_FPMATH_MODE="BF16")["warm"] is None
    assert project.run("first", DVC_STAGE_OF="x")["code"] == 0


def test_another_checkout_has_its_own(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    project.warmed()
    other = Project(tmp_path_factory.mktemp("other").resolve())
    other.write("value.py", "VALUE = 5\n")
    assert other.run("first")["value"] == 5
    for pid in warm_processes(other.root):
        os.kill(pid, signal.SIGKILL)


def test_a_stage_that_needs_its_own_imports_starts_again_in_the_same_process(project: Project) -> None:
    project.warmed()
    alone = project.run("alone", "x")
    assert (alone["warm"], alone["modules"], alone["code"]) == ("0", False, 0)


def test_two_stages_run_at_once(project: Project) -> None:
    project.warmed()
    with project.waiting() as (first, one), project.waiting() as (second, other):
        assert one != other
        for process in (first, second):
            process.terminate()
            assert process.wait(10) == -signal.SIGTERM


def test_handing_over_imports_little() -> None:
    # Each of 200 stages pays for what is imported before it is handed over.
    code = textwrap.dedent("""\
        import sys
        import pipeline.__main__
        heavy = {"numpy", "pydantic", "ruamel", "tensorflow", "keras", "mlflow", "pandas", "scipy"}
        print(*sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
    """)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == ""
