"""A fan-out in this process: each worker command runs in a fork of it, one after the other, so that no test imports DVC
again."""

import contextlib
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.artifacts import Project
from pipeline.errors import UserError
from pipeline.reproduce.fan_out import clones, fan_out, worker
from pipeline.reproduce.fan_out.clones import Job, Outcome
from pipeline.reproduce.fan_out.fan_out import Settings
from tests.reproduce.fan_out.tiny import Tiny


class Serial:
    """An executor; `before` is called before each job."""

    place = "one worker"

    def __init__(self, before: "Callable[[Job], None] | None" = None) -> None:
        self.jobs: list[Job] = []
        self.started: list[Job] = []
        self.before = before

    def submit(self, job: Job) -> None:
        self.jobs.append(job)

    def next(self) -> Outcome:
        job = self.jobs.pop(0)
        self.started.append(job)
        if self.before is not None:
            self.before(job)
        return clones.run(job)

    def close(self) -> None:
        self.jobs.clear()


def forked(project: Path, job: Job) -> "tuple[int, str]":
    """Run the worker command in a fork, in place of clones._command."""
    log = project / clones.RESULTS / "worker.log"
    pid = os.fork()
    if pid == 0:
        os._exit(_work(project, job, log))
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code, log.read_text()


def _work(project: Path, job: Job, log: Path) -> int:
    file = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.dup2(file, 1), os.dup2(file, 2)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", closefd=False)
    os.environ.update(job["environment"])
    os.chdir(project)
    try:
        worker.work(Project(project), job["stage"], clones.RESULTS)
        return 0
    except UserError as error:
        print(error)
        return error.code
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()


@contextlib.contextmanager
def user_in(tiny: Tiny) -> "Iterator[pytest.MonkeyPatch]":
    """Be in the project's folder, with the variables of a user's terminal."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of DVC's libraries
        for name in os.environ.keys() - tiny.environment.keys():
            patch.delenv(name)
        for name, value in tiny.environment.items():
            patch.setenv(name, value)
        patch.chdir(tiny.root)
        patch.setattr(clones, "_command", forked)
        yield patch


def run(tiny: Tiny, *targets: str, executor: "Serial | None" = None, **settings: object) -> Serial:
    """Run fan-out for the targets."""
    serial = executor or Serial()
    with user_in(tiny):
        given = {"scratch": str(tiny.root.parent / "clones"), **settings}
        fan_out.run(Project(tiny.root), Settings(targets, **given), lambda: serial)  # type: ignore[arg-type]
    return serial
