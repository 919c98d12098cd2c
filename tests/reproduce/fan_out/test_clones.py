"""A clone for each worker: reused, clean, and of the right commit; no worker meets what a killed one has left."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipeline.reproduce.fan_out import clones
from pipeline.reproduce.fan_out.clones import Job, Outcome
from tests.clone import git
from tests.reproduce.fan_out.tiny import Tiny


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a file and a folder for DVC."""
    tiny = Tiny(tmp_path / "repository")
    tiny.write("code.txt", "1\n")
    tiny.write(".dvc/.gitignore", "/config.local\n/tmp\n/cache\n")
    git(tiny.root, "init", "--quiet")
    tiny.commit()
    return tiny.root


def job(repository: Path, commit: str = "", **environment: str) -> Job:
    head = git(repository, "rev-parse", "HEAD").strip()
    return clones.job(
        "train@x", commit=commit or head, repository=str(repository), folder=".",
        remote={"name": "storage", "url": "/remote"}, results={"before.json": b"{}"}, environment=environment,
        scratch=str(repository.parent / "scratch"),
    )  # fmt: skip


def outcome(one: Job, monkeypatch: pytest.MonkeyPatch, code: int = 0, script: str = "") -> Outcome:
    """What comes of the job if the worker command is a script, which runs in the clone."""

    def command(project: Path, job: Job) -> "tuple[int, str]":
        subprocess.run(["sh", "-c", script], cwd=project, check=True, env=clones._environment(job))
        return code, "said\n"

    monkeypatch.setattr(clones, "_command", command)
    return clones.run(one)


def test_results_come_back_as_bytes(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "cp .dvc/tmp/fan-out/before.json .dvc/tmp/fan-out/new/after.json; cp code.txt .dvc/tmp/fan-out/new/x.tar"
    done = outcome(job(repository), monkeypatch, script=script)
    assert (done["status"], done["files"]) == (clones.DONE, {"after.json": b"{}", "x.tar": b"1\n"})
    config = (repository.parent / "scratch" / "0" / ".dvc" / "config.local").read_text()
    assert config == "[core]\n    remote = storage\n['remote \"storage\"']\n    url = /remote\n"


def test_a_clone_is_used_again_and_keeps_only_the_cache_and_checkpoints(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = "mkdir -p data/models data/checkpoints .dvc/cache; touch data/models/m data/checkpoints/c .dvc/cache/o new"
    outcome(job(repository), monkeypatch, script=f"{script}; echo changed > code.txt")
    (repository / "code.txt").write_text("2\n")
    git(repository, "commit", "--quiet", "--all", "--message", "next")
    listed = "{ find . -path ./.git -prune -o -type f -print; cat code.txt; } > .dvc/tmp/fan-out/new/list"
    done = outcome(job(repository), monkeypatch, script=listed)
    lines = done["files"]["list"].decode().split()
    assert {"./data/checkpoints/c", "./.dvc/cache/o"} <= set(lines) and lines[-1] == "2"
    assert not {"./data/models/m", "./new"} & set(lines)
    assert [path.name for path in (repository.parent / "scratch").iterdir() if path.is_dir()] == ["0"]


def test_what_a_killed_worker_has_left_running_is_ended(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome(job(repository), monkeypatch)
    clone = repository.parent / "scratch" / "0"
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=clone, stdin=subprocess.PIPE) as orphan:
        assert outcome(job(repository), monkeypatch)["status"] == clones.DONE
        assert not psutil.pid_exists(orphan.pid) or orphan.wait(10) == -9


def test_a_clone_of_another_repository_is_replaced(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome(job(repository), monkeypatch)
    git(repository.parent, "clone", "--quiet", "--bare", str(repository), "other")
    other = {**job(repository), "repository": str(repository.parent / "other")}
    assert outcome(other, monkeypatch)["status"] == clones.DONE
    assert git(repository.parent / "scratch" / "0", "config", "remote.origin.url").strip() == other["repository"]


def test_a_commit_that_is_not_there_is_a_refusal(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = outcome(job(repository, commit="1" * 40), monkeypatch)
    assert done["status"] == clones.REFUSED
    assert done["output"] == f"{repository} has no commit 1111111111; push it: git push"


@pytest.mark.parametrize(
    ("code", "status"), [(255, clones.FAILED), (2, clones.REFUSED), (70, clones.REFUSED), (-9, clones.LOST)]
)
def test_an_exit_code_says_whose_fault_it_is(
    code: int, status: str, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = outcome(job(repository), monkeypatch, code=code)
    assert done["status"] == status and done["output"].endswith("said\n") and done["files"] == {}


def test_a_stage_gets_the_driver_s_variables_and_not_those_of_the_cluster(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ray sets the number of threads, which changes the last digits of sums.
    for name in ("OMP_NUM_THREADS", "RAY_JOB_ID", "DVC_STAGE", "DVC_ROOT", "PYTHONPATH"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("AWS_PROFILE", "of this machine")
    found = clones._environment(job(repository, OPENBLAS_NUM_THREADS="2"))
    assert (found["OPENBLAS_NUM_THREADS"], found["AWS_PROFILE"]) == ("2", "of this machine")
    assert not {"OMP_NUM_THREADS", "RAY_JOB_ID", "DVC_STAGE", "DVC_ROOT", "PYTHONPATH"} & found.keys()
    assert found["PATH"].split(os.pathsep)[0] == str(Path(sys.executable).parent)
