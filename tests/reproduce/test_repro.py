"""`make repro` on a tiny project of shell commands: what it prints, what it leaves, and what stops it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.reproduce.unchanged import _of, unchanged
from tests.commands import environment
from tests.reproduce.test_warm import alive, until

ROOT = Path(__file__).parents[2]
STAGES = """\
stages:
  first:
    foreach: [a, b]
    do:
      cmd: echo at ${item}; sleep 0.4; cat src.txt > first-${item}.txt
      deps:
        - src.txt
      outs:
        - first-${item}.txt
  train:
    foreach: [a, b]
    do:
      cmd: cat dvc.lock > seen-${item}.txt; cat first-${item}.txt > train-${item}.txt
      deps:
        - first-${item}.txt
      outs:
        - train-${item}.txt
  last:
    cmd: cat train-a.txt train-b.txt > last.txt
    deps:
      - train-a.txt
      - train-b.txt
    outs:
      - last.txt
"""
OTHER = """\
stages:
  last:
    wdir: ..
    cmd: cat last.txt > other.txt
    deps:
      - last.txt
    outs:
      - other.txt
"""
SETTINGS = """\
seed: 1
edition: synthetic
cell: null
sources: {}
studies: {}
tunings: {}
own: {}
recipes: {}
datasets: {}
experiments: {}
"""
NAMES = ["first@a", "first@b", "train@a", "train@b", "last", "other/dvc.yaml:last"]


class Project:
    """The project, and the commands that a user types there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.command = [sys.executable, "-m", "pipeline", "repro"]
        self.environment = environment(PYTHONPATH=str(ROOT))

    def repro(self, code: int = 0) -> "tuple[str, str]":
        done = subprocess.run(
            self.command, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == code, done.stderr
        return done.stdout, done.stderr

    def start(self) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self.command, cwd=self.root, env=self.environment, stdout=pipe, stderr=pipe, text=True, process_group=0,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # the background ignores it
        )  # fmt: skip

    def dvc(self, *command: str) -> str:
        line = ["dvc", *command]
        done = subprocess.run(
            line, cwd=self.root, env=self.environment, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    def changed(self) -> "set[str]":
        return set(json.loads(self.dvc("status", "--json")))

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text)

    def read(self, name: str) -> str:
        return (self.root / name).read_text()


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project before its first run."""
    project = Project(tmp_path_factory.mktemp("repro") / "new")
    (project.root / "other").mkdir(parents=True)
    project.write("dvc.yaml", STAGES)
    project.write("other/dvc.yaml", OTHER)
    project.write("params.yaml", SETTINGS)
    project.write("src.txt", "1\n")
    project.dvc("init", "--no-scm", "--quiet")
    return project.root


@pytest.fixture(scope="module")
def done(new: Path, tmp_path_factory: pytest.TempPathFactory) -> "tuple[Path, str]":
    """The project after its first run, and what that printed."""
    root = tmp_path_factory.mktemp("repro") / "done"
    shutil.copytree(new, root)
    return root, Project(root).repro()[0]


@pytest.fixture
def fresh(new: Path, tmp_path: Path) -> Project:
    return Project(Path(shutil.copytree(new, tmp_path / "fresh")))


@pytest.fixture
def finished(done: "tuple[Path, str]", tmp_path: Path) -> Project:
    return Project(Path(shutil.copytree(done[0], tmp_path / "finished")))


def stages(out: str) -> "list[str]":
    """The stages that have a line in the output."""
    return re.findall(r"^\[ *\d+/6\] (\S+) … \d+ s", out, re.MULTILINE)


def test_a_first_run_prints_a_line_for_each_stage_and_what_to_do_next(done: "tuple[Path, str]") -> None:
    root, out = done
    assert sorted(stages(out)) == sorted(NAMES)
    assert re.findall(r"^\[ *(\d+)/6\]", out, re.MULTILINE) == [str(n) for n in range(1, 7)]
    assert "at a" not in out and "reports/index.html" in out and "make ui" in out
    log = Project(root).read(".dvc/tmp/repro.log")
    assert "at a\n" in log and "at b\n" in log


def test_it_leaves_what_dvc_leaves(done: "tuple[Path, str]", new: Path, tmp_path: Path) -> None:
    ours, theirs = Project(done[0]), Project(Path(shutil.copytree(new, tmp_path / "dvc")))
    assert ours.changed() == set()
    assert "up to date" in ours.dvc("repro", "--all-pipelines")
    theirs.dvc("repro", "--all-pipelines")
    for name in ("dvc.lock", "other/dvc.lock"):
        assert sorted(ours.read(name).splitlines()) == sorted(theirs.read(name).splitlines())


def test_a_training_finds_its_data_in_the_lock(done: "tuple[Path, str]") -> None:
    for name in "ab":
        assert f"first@{name}:" in Project(done[0]).read(f"seen-{name}.txt")


def test_unchanged_stages_have_one_line_together(finished: Project) -> None:
    out, _ = finished.repro()
    assert stages(out) == [] and out.startswith("6 stages up to date\n")


def test_only_what_changed_runs(finished: Project) -> None:
    finished.write("other/dvc.yaml", OTHER.replace("cat last", "cat src.txt last"))
    out, _ = finished.repro()
    assert stages(out) == ["other/dvc.yaml:last"] and "5 stages up to date" in out


def test_a_failed_stage_shows_its_output_and_keeps_what_was_done(fresh: Project) -> None:
    wrong = "echo before; echo no such thing >&2; exit 3; "
    fresh.write("dvc.yaml", STAGES.replace("cat train-a.txt", f"{wrong}cat train-a.txt"))
    out, err = fresh.repro(code=255)
    assert sorted(stages(out)) == sorted(NAMES[:4])
    assert err.startswith("last failed") and "no such thing" in err and "exited with 3" in err
    assert "repro.log" in err and "Traceback" not in err
    assert "no such thing" in fresh.read(".dvc/tmp/repro.log")
    assert fresh.changed() == {"last", "other/dvc.yaml:last"}
    fresh.write("dvc.yaml", STAGES)
    assert sorted(stages(fresh.repro()[0])) == sorted(NAMES[4:])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_leaves_no_locks_and_goes_on_later(number: int, fresh: Project) -> None:
    fresh.write("dvc.yaml", STAGES.replace("cat train-a.txt", "echo $$ > pid; sleep 5; cat train-a.txt"))
    with fresh.start() as process:
        until((fresh.root / "pid").is_file)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    stage = int(fresh.read("pid"))
    if number == signal.SIGKILL:
        until(lambda: not alive(stage))  # as with DVC, it goes on alone
    else:
        assert process.returncode == 130 and "interrupted" in err and "Traceback" not in err
        assert not alive(stage)
    fresh.write("dvc.yaml", STAGES)
    out, _ = fresh.repro()
    assert {*stages(out)} == {"last", "other/dvc.yaml:last"}, "the others are in the lock file, or in DVC's cache"
    assert fresh.changed() == set()


@pytest.mark.fault("killed-by-the-system")
@pytest.mark.parametrize("number", [9, 6])
def test_a_stage_that_a_signal_ends_says_which_and_why(number: int, fresh: Project) -> None:
    fresh.write("dvc.yaml", STAGES.replace("cat train-a.txt", f"kill -{number} $$; cat train-a.txt"))
    _, err = fresh.repro(code=255)
    name = {9: "SIGKILL", 6: "SIGABRT"}[number]
    assert re.search(rf"exited with -{number}: {name} ended it; Linux kills a process that needs more memory", err)
    assert "Traceback" not in err


def test_an_invalid_file_is_reported_without_a_traceback(fresh: Project) -> None:
    fresh.write("dvc.yaml", STAGES.replace("        - src.txt", "        - [src.txt"))
    _, err = fresh.repro(code=2)
    assert "dvc.yaml" in err and "Traceback" not in err


@pytest.mark.fault("two-runs")
def test_another_run_in_the_same_folder_is_named(fresh: Project) -> None:
    fresh.write("dvc.yaml", STAGES.replace("sleep 0.4", "sleep 3"))
    with fresh.start() as process:
        time.sleep(2)
        _, err = fresh.repro(code=2)
        assert f"make repro has been run by process {process.pid} since 2" in err and "Traceback" not in err
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=20)


EDITS = {
    "an input": lambda project: project.write("src.txt", "2\n"),
    "an output": lambda project: project.write("train-a.txt", "2\n"),
    "a removed output": lambda project: (project.root / "other.txt").unlink(),
    "a stage": lambda project: project.write("dvc.yaml", STAGES.replace("cat train-a.txt train-b", "cat train-b")),
    "a new pipeline": lambda project: project.write("mine/dvc.yaml", "stages: {mine: {cmd: echo 1 > x, outs: [x]}}"),
    "a removed lock file": lambda project: (project.root / "other" / "dvc.lock").unlink(),
}


def test_nothing_new_is_told_without_dvc(finished: Project) -> None:
    finished.repro()  # the paths of this copy
    (finished.root / ".dvc" / "tmp" / "repro.log").unlink()
    out, _ = finished.repro()
    assert out.startswith("6 stages up to date\n")
    assert not (finished.root / ".dvc" / "tmp" / "repro.log").exists()


@pytest.mark.parametrize("edit", EDITS)
def test_any_change_is_left_to_dvc(edit: str, done: "tuple[Path, str]", tmp_path: Path) -> None:
    project = Project(Path(shutil.copytree(done[0], tmp_path / "copy")))
    file = tmp_path / "state.json"
    text = project.read(".dvc/tmp/up-to-date.json").replace(str(done[0]), str(project.root))
    file.write_text(text)
    stored = json.loads(text)
    stored["state"] = {path: _of(path) for path in stored["state"]}
    file.write_text(json.dumps(stored))
    assert unchanged(file, project.root) == 6
    (project.root / "mine").mkdir()
    EDITS[edit](project)
    assert unchanged(file, project.root) is None


def test_an_edit_during_a_run_is_not_forgotten(fresh: Project) -> None:
    fresh.write("dvc.yaml", STAGES.replace("cat train-a.txt", "echo 2 > src.txt; cat train-a.txt"))
    fresh.repro()
    out, _ = fresh.repro()
    assert {"first@a", "first@b"} <= {*stages(out)}


def test_plots_that_a_stage_describes_are_no_edit(fresh: Project) -> None:
    describe = r"mkdir -p drawn; printf 'plots:\n  []\n' > drawn/dvc.yaml; cat train-a.txt"
    fresh.write("dvc.yaml", STAGES.replace("cat train-a.txt", describe))
    fresh.repro()
    assert unchanged(fresh.root / ".dvc" / "tmp" / "up-to-date.json", fresh.root) == 6
