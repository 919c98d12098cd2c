"""Run the stages that have changed in clones, here or on a cluster, and end with what `dvc repro` would have made.

Each worker gets the commit, the DVC remote and the results of the stages before its own. What it returns is kept in a
folder, so that a run that was stopped goes on. At the end the entries of all stages are written into dvc.lock in DVC's
order, their outputs are pulled, and DVC finds nothing left to run.
"""

import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.errors import StageFailed, UserError
from pipeline.integrity import claims
from pipeline.reproduce import lines, locks
from pipeline.reproduce.fan_out import clones, finish, graph, lock_files, repository, results
from pipeline.reproduce.fan_out.clones import Job, Outcome
from pipeline.reproduce.fan_out.executors import Executor
from pipeline.reproduce.fan_out.graph import Plan
from pipeline.reproduce.fan_out.results import Result
from pipeline.reproduce.fan_out.schedule import Schedule
from pipeline.reproduce.lines import Lines
from pipeline.tracking.address import VARIABLE, address, is_shared

FAILED, INTERRUPTED = 255, 130  # exit codes, as those of `make repro`
GOES_ON = "what has ended is kept, and the next fan-out goes on from there"
TAIL = 15  # lines of a failed stage that are printed
TIMES = Path(".dvc") / "tmp" / "repro.json"  # the seconds of stages in earlier runs, those of `make repro` included
PASSED_ON = ("KERAS_", "PIPELINE_MIRROR", "TF_", *clones.THREADS)  # variables of this process that a stage may read


@dataclass(frozen=True)
class Settings:
    """What the user gives. repository, results: None for the default; elsewhere: workers are on other machines."""

    targets: Sequence[str] = ()
    repository: str | None = None
    scratch: str = ""
    results: Path | None = None
    elsewhere: bool = False


def run(project: Project, settings: Settings, executor: Callable[[], Executor]) -> None:
    """Run what has changed, and say what came of it. Raises UserError, and StageFailed if a stage fails."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with claims.claimed(project.root, claims.ALL_STAGES, "fan-out", patience=0):
        locks.clear(project)
        with _dvc(project) as repo:
            plan = graph.plan(repo, settings.targets)
            graph.refuse_endless(plan)
            if plan.to_run:
                _run(project, repo, plan, settings, executor)
            else:
                print(f"{len(plan.order)} stages up to date")


def print_waves(project: Project, targets: Sequence[str]) -> None:
    """Print what must run as JSON: groups of stages, each of which needs only the groups before its own."""
    with _dvc(project) as repo:
        print(json.dumps(graph.plan(repo, targets).waves()))


@contextlib.contextmanager
def _dvc(project: Project) -> Iterator[Any]:
    """Open the project with DVC, whose own lines go to a log. What it cannot read is a UserError."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    os.environ.setdefault("DVC_NO_ANALYTICS", "true")
    try:
        with Repo(str(project.root)) as repo, repo.scm_context(quiet=True):
            log = logging.FileHandler(Path(repo.tmp_dir) / "fan-out.log", mode="w", encoding="utf-8")
            for name in ("dvc", "dvc_data", "dvc_objects"):
                logger = logging.getLogger(name)
                logger.handlers, logger.propagate = [log], False
                logger.setLevel(logging.INFO)
            with contextlib.closing(log):
                yield repo
    except DvcException as error:
        raise UserError(locks.explained(project, str(error))) from error


def _run(project: Project, repo: Any, plan: Plan, settings: Settings, executor: Callable[[], Executor]) -> None:
    schedule = _checked(project, repo, plan, settings)
    with contextlib.closing(executor()) as workers:
        up_to_date = len(plan.order) - len(plan.to_run)
        print(f"{len(schedule.waiting)} stages to run by {workers.place}; {up_to_date} are up to date", flush=True)
        repository.push(repo, plan)
        try:
            with lines.live(schedule.lines):
                schedule.run(workers)
        except KeyboardInterrupt:
            raise _stopped(
                "interrupted; what has ended is kept, and `fan-out` goes on from there", INTERRUPTED
            ) from None
        finally:
            times = project.root / TIMES
            artifacts.save_json(times, {**schedule.lines.earlier, **schedule.lines.seconds})
    if schedule.failure is not None:
        raise _failed(schedule.failure)
    _say(plan, schedule, finish.finish(project, schedule, settings.targets))


def _checked(project: Project, repo: Any, plan: Plan, settings: Settings) -> Schedule:
    """Check all that workers need, and describe the work. Raises UserError before anything has changed."""
    commit = repository.commit(project)
    repository.refuse_changes(project, plan)
    source = repository.address(project, settings.repository, here=not settings.elsewhere)
    repository.refuse_unpushed(project, source, commit)
    remote, place, environment = repository.remote(repo), repository.folder(project), _environment(project)

    def job(stage: str, before: Mapping[str, bytes]) -> Job:
        return clones.job(
            stage, commit=commit, repository=source, folder=place, remote=remote, results=before,
            environment=environment, scratch=settings.scratch,
        )  # fmt: skip

    folder = settings.results or project.root / clones.RESULTS / commit
    known = _known(project, plan, commit, results.in_folder(folder, commit))
    names = [name for name in plan.names if name not in known]
    earlier = artifacts.load_json(project.root / TIMES) if (project.root / TIMES).is_file() else {}
    shown = Lines(earlier, sys.stdout)
    shown.begins(names)
    return Schedule(plan, job, folder, shown, known)


def _known(project: Project, plan: Plan, commit: str, found: Mapping[str, Result]) -> dict[str, Result]:
    """The results of the stages that are up to date here, and of those that workers have run before."""
    known: dict[str, Result] = {}
    to_run = set(plan.names)
    for stage in (one for one in plan.order if one.cmd):
        name = stage.addressing
        before = [known[one.addressing] for one in plan.before[name] if one.addressing in known]
        if name not in to_run:
            made = lock_files.result_of(project, stage, commit, before)
            if made is not None:
                known[name] = made
        elif name in found and found[name].fits(before):
            known[name] = found[name]
    return known


def _environment(project: Project) -> dict[str, str]:
    """The variables that a stage may read, and the address of the MLflow store if all machines can reach it."""
    passed = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
    where = address(project)
    return {**passed, "PIPELINE_WARM": "0", "DVC_NO_ANALYTICS": "true", VARIABLE: where if is_shared(where) else ""}


def _say(plan: Plan, schedule: Schedule, here: Sequence[str]) -> None:
    ran = sum(schedule.done[name].seconds is not None for name in plan.names)
    restored = len(plan.to_run) - ran
    print(f"{ran} stages ran, {restored} came from DVC's cache, {len(plan.order) - len(plan.to_run)} were up to date")
    if here:
        print(f"{graph.listed(here)} ran here at the end: files in this folder, not in git, change what they read")


def _failed(outcome: Outcome) -> StageFailed:
    output = outcome["output"].strip().splitlines()
    shown = [f"    {line}" for line in output[-TAIL:]]
    print("\n".join([f"{outcome['stage']}, after it had printed:", *shown]), file=sys.stderr)
    if outcome["status"] == clones.FAILED:
        return _stopped(f"{outcome['stage']} failed; {GOES_ON}", FAILED)
    return _stopped(f"{outcome['stage']}: no worker could run it; {GOES_ON}", UserError.code)


def _stopped(message: str, code: int) -> StageFailed:
    error = StageFailed(message)
    error.code = code
    return error
