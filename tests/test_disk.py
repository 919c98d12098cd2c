"""A disk that is full, or must not be written: a sentence says where, and what to do; what was there is kept."""

import contextlib
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.__main__ import main
from tests.commands import environment

ROOT = Path(__file__).parents[1]
PARAMS = """\
seed: 1
edition: synthetic
cell: null
sources: {umich: {reader: umich}}
studies: {}
tunings: {}
own: {}
datasets: {umich: {source: umich, task: sentiment}}
experiments: {umich: {dataset: umich, task: sentiment, units: 4, embedding: 4, batch_size: 512, epochs: 1}}
"""
FOLDERS = {"download": "data/raw", "preprocess": "data/prepared", "baseline": "data/baselines"}
# One stage for `make test`.
STAGES = ["preprocess", *(pytest.param(stage, marks=pytest.mark.long) for stage in ("download", "baseline"))]
LATER = {"train": "data/models", "evaluate": "reports/metrics", "report": "reports/umich"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after its baselines."""
    return _after(tmp_path_factory.mktemp("disk"), FOLDERS)


def _after(root: Path, stages: "dict[str, str]") -> Path:
    (root / "params.yaml").write_text(PARAMS)
    (root / ".dvc").mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DVC_ROOT", raising=False)
        patch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
        patch.chdir(root)
        for stage in stages:
            assert main([stage, "umich"]) == 0
    return root


@pytest.fixture
def project(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, and the current folder."""
    root = Path(shutil.copytree(prepared, tmp_path / "project"))
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(root)
    return root


def tree(folder: Path) -> "dict[str, bytes]":
    """The files below the folder, without the locks of stages and the marks of trainings."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.parent.name.startswith(".running"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process may be longer."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def refused(stage: str, folder: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Run the stage where no file may have more than 1,000 bytes; nothing may change but the logs of errors."""
    before = tree(project / "data"), tree(project / "reports")
    capsys.readouterr()
    with largest_file(1_000):
        assert main([stage, "umich"]) == 2
    err = capsys.readouterr().err
    assert re.search(rf"error: {folder}\S*: file too large; the limit is 1,000 bytes in a file\. .*ulimit -f", err), err
    assert "Traceback" not in err
    assert (tree(project / "data"), tree(project / "reports")) == before
    assert not list(project.rglob("*.tmp"))


@pytest.mark.fault("file-size-limit")
@pytest.mark.parametrize("stage", FOLDERS)
def test_a_file_that_may_not_grow_leaves_the_old_one(
    stage: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(stage, FOLDERS[stage], project, capsys)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.fault("file-size-limit")
@pytest.mark.filterwarnings("ignore")  # MLflow and what it imports warn about each other
def test_a_model_that_cannot_be_written_leaves_the_old_one(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _after(project, LATER)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    for stage, folder in {**LATER, "train": "data/"}.items():
        refused(stage, folder, project, capsys)


def in_namespace(script: str, project: Path) -> "subprocess.CompletedProcess[str]":
    """Run a script that mounts what no other process sees; skip where that is not allowed."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this system allows no mounts")
    variables = environment(PYTHONPATH=str(ROOT), PYTHON=sys.executable)
    command = ["unshare", "-rm", "bash", "-ec", script]
    return subprocess.run(command, cwd=project, env=variables, capture_output=True, text=True, timeout=120, check=False)


# Puts what is in the folder on a disk of 8 MB, fills that, runs the stage there, and copies what is then on the disk.
SMALL_DISK = """
cp -a {folder} kept; mount -t tmpfs -o size=8m tmpfs {folder}; cp -a kept/. {folder}
dd if=/dev/zero of={folder}/filler bs=4k status=none || true
set +e; "$PYTHON" -m pipeline {stage} umich; code=$?; rm {folder}/filler; cp -a {folder}/. after; exit $code
"""


@pytest.mark.fault("disk-full")
@pytest.mark.skipif(shutil.which("unshare") is None, reason="no namespaces here")
@pytest.mark.parametrize("stage", STAGES)
def test_a_full_disk_is_named_and_the_old_results_are_kept(stage: str, project: Path) -> None:
    folder = FOLDERS[stage]
    before = tree(project / folder)
    (project / "after").mkdir()
    done = in_namespace(SMALL_DISK.format(folder=folder, stage=stage), project)
    assert done.returncode == 2, done.stderr
    assert re.search(
        rf"error: {folder}\S*: no space left on device; 0 bytes of 8 MB are free there\. Free", done.stderr
    )
    assert "Traceback" not in done.stderr
    assert tree(project / "after") == before


READ_ONLY = """
mount --bind {folder} {folder}; mount -o remount,bind,ro {folder}; exec "$PYTHON" -m pipeline {stage} umich
"""


@pytest.mark.fault("read-only-disk")
@pytest.mark.skipif(shutil.which("unshare") is None, reason="no namespaces here")
@pytest.mark.parametrize("stage", STAGES)
def test_a_read_only_disk_is_named(stage: str, project: Path) -> None:
    before = tree(project / "data")
    done = in_namespace(READ_ONLY.format(stage=stage, folder=FOLDERS[stage]), project)
    assert done.returncode == 2, done.stderr
    assert re.search(rf"error: {FOLDERS[stage]}\S*: read-only file system; mount it for writing", done.stderr)
    assert "Traceback" not in done.stderr and tree(project / "data") == before


@pytest.fixture
def foreign(prepared: Path) -> Iterator[Path]:
    """A copy whose folders nobody but root may change."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        root = Path(shutil.copytree(prepared, Path(folder, "project")))
        for path in (root, *root.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield root
        for path in (root, *root.rglob("*")):
            path.chmod(0o755)


def as_nobody(root: Path, *command: str) -> "tuple[int, str]":
    """Run the command in the folder as a user without rights; its exit code, and what it says."""
    said, said_by = os.pipe()
    child = os.fork()  # it has all modules, which that user may not be allowed to read
    if child == 0:
        os.dup2(said_by, 2)
        os.close(said)
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        os.chdir(root)
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(65_534)
            os.setuid(65_534)
        os._exit(main(list(command)))
    os.close(said_by)
    with open(said) as file:
        text = file.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text


@pytest.mark.fault("folder-of-another-user")
@pytest.mark.parametrize("stage", FOLDERS)
def test_a_folder_of_another_user_is_named(stage: str, foreign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    code, err = as_nobody(foreign, stage, "umich")
    assert code == 2, err
    said = rf"error: {FOLDERS[stage]}\S*: permission denied for the user \w+; \S+ belongs to \w+, mode 555\. Change"
    assert re.search(said, err), err
    log = re.search(r"the whole of it is in (\S+)", err)
    assert "Traceback" not in err and log
    assert "Traceback" in Path(log[1]).read_text()
    Path(log[1]).unlink()
