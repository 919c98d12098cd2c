"""The worker command: in a clone, run one stage of DVC, push what it has made, and write down its result.

    python -m pipeline fan-out --worker <stage> --results <folder>

The folder has the results of the stages before it, as other workers wrote them; the new one goes to <folder>/new. The
clone needs the commit, and a DVC remote that has the outputs of those stages. Nothing else is shared.
"""

import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline import artifacts
from pipeline.artifacts import Project
from pipeline.errors import StageFailed, UserError
from pipeline.reproduce.fan_out import graph, lock_files, repository, results, run_cache
from pipeline.reproduce.fan_out.results import Result
from pipeline.tracking.address import address, is_shared
from pipeline.tracking.delivery import LATER, sync

NEW = "new"
PLOTS = "reports/dvc.yaml"
FAILED = 255  # exit code if the stage fails, as that of `dvc repro`


def work(project: Project, name: str, folder: Path) -> Mapping[str, float]:
    """Run the stage `name`, or restore it from the run-cache; return the seconds of the parts.

    Raises StageFailed if its command fails, and UserError if something before or after that does.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    if not is_shared(address(project)):
        os.environ[LATER] = "1"
    _print_what_dvc_does()
    commit, clock = repository.commit(project), Clock()
    earlier = results.in_folder(folder, commit)
    lock_files.merge(project, earlier.values())
    results.write_files(project, earlier.values())
    try:
        with Repo(str(project.root)) as repo, repo.scm_context(quiet=True):
            (stage,) = graph.wanted(repo, [name])
            before = _ancestors(repo, stage)
            made_of = [_result(project, one, commit, earlier) for one in before if one.cmd]
            with clock.times("pull"):
                _pull(repo, before, made_of)
            plots = results.read_files(project, [PLOTS])
            ran = _reproduce(repo, stage, clock)
            with clock.times("push"):
                repo.push(targets=[name])
                run_cache.push(repo, stage)
            made = lock_files.result_of(project, stage, commit, made_of, clock.seconds["run"] if ran else None)
    except DvcException as error:
        raise UserError(f"{name}: {_reason(error)}") from error
    assert made is not None
    if (drawn := results.read_files(project, [PLOTS])) != plots:  # a by-product of some stages
        made = replace(made, files={**made.files, **drawn})
    _store(project, folder / NEW, made)
    return clock.seconds


def _print_what_dvc_does() -> None:
    for name in ("dvc", "dvc_data", "dvc_objects"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [logging.StreamHandler(sys.stdout)], False
        logger.setLevel(logging.INFO)


class Clock:
    """The seconds of each part of the work."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def times(self, part: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[part] = time.monotonic() - began


def _ancestors(repo: Any, stage: Any) -> list[Any]:
    from dvc.repo.reproduce import get_active_graph

    return list(get_active_graph(repo.index.graph).successors(stage))


def _result(project: Project, stage: Any, commit: str, earlier: Mapping[str, Result]) -> Result:
    """The result of a stage before this one: that of a worker, or what dvc.lock of the commit says."""
    found = earlier.get(stage.addressing) or lock_files.result_of(project, stage, commit)
    if found is None:
        raise UserError(f"{stage.addressing} has no result yet; run it first, and give its file with --results")
    return found


def _pull(repo: Any, before: list[Any], made_of: list[Result]) -> None:
    """Bring the outputs of the stages before this one into the workspace."""
    from dvc.exceptions import CheckoutError, DownloadError

    kept = [stage.addressing for stage in before if any(out.use_cache for out in stage.outs)]
    try:
        if kept:
            repo.pull(targets=kept)
    except (CheckoutError, DownloadError) as error:
        raise UserError(f"the DVC remote does not have all that {graph.listed(kept)} made: {_reason(error)}") from None


def _reproduce(repo: Any, stage: Any, clock: Clock) -> bool:
    """Run the stage, as `dvc repro -s --pull` does; return whether its command ran. Raises StageFailed."""
    from dvc.stage.exceptions import StageCmdFailedError

    clock.seconds["run"] = 0.0
    with repo.lock, _timed(clock) as ran:
        run_cache.pull(repo, stage)
        try:
            with clock.times("repro"):
                if stage.reproduce(interactive=False, pull=True) is not None:
                    stage.dump(update_pipeline=False)
        except StageCmdFailedError as error:
            failed = StageFailed(_reason(error))
            failed.code = FAILED
            raise failed from None
    return bool(ran)


@contextmanager
def _timed(clock: Clock) -> Iterator[list[str]]:
    """Time the stage's command; the list has its name once it has run."""
    from dvc.stage import run

    original, ran = run.cmd_run, list[str]()

    def command(stage: Any, *arguments: Any, **options: Any) -> None:
        ran.append(stage.addressing)
        with clock.times("run"):
            original(stage, *arguments, **options)

    run.cmd_run = command
    try:
        yield ran
    finally:
        run.cmd_run = original


def _reason(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split()) or type(error).__name__


def _store(project: Project, folder: Path, made: Result) -> None:
    """Write the result, the journals first: a result means that all of it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(UserError):  # they stay in the spool, and travel with the result
        sync(project)
    file = folder / results.file_name(made.stage)
    results.pack_journals(project, file.with_suffix(".tar"))
    artifacts.save_bytes(file, made.to_bytes())
