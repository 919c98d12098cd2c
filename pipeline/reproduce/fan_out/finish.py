"""The end of a fan-out: dvc.lock, the outputs and the journals for MLflow here, and a `dvc repro` that runs nothing."""

from collections.abc import Sequence
from typing import Any

from pipeline.artifacts import Project
from pipeline.errors import UserError
from pipeline.reproduce.fan_out import graph, lock_files, results
from pipeline.reproduce.fan_out.graph import Plan
from pipeline.reproduce.fan_out.schedule import Schedule
from pipeline.stages import index


def finish(project: Project, schedule: Schedule, targets: Sequence[str]) -> list[str]:
    """Make this folder what `dvc repro` would have made; return the stages that DVC had to run here after all."""
    from dvc.repo import Repo

    made = [schedule.done[name] for name in schedule.plan.names]
    results.write_files(project, made)
    lock_files.merge(project, made)
    results.unpack_journals(project, schedule.folder)
    with Repo(str(project.root)) as repo, repo.scm_context(quiet=True):  # reads the lock files anew
        _pull(repo, schedule.plan)
        ran = _repro(repo, targets)
    index.send(project)
    return ran


def _pull(repo: Any, plan: Plan) -> None:
    """Bring the outputs here. Raises UserError."""
    from dvc.exceptions import CheckoutError, DownloadError

    kept = [stage.addressing for stage in plan.to_run if any(out.use_cache for out in stage.outs)]
    try:
        repo.pull(targets=kept, force=True)
    except (CheckoutError, DownloadError) as error:
        raise UserError(f"the outputs of {graph.listed(kept)} cannot be pulled ({error}); run fan-out again") from None


def _repro(repo: Any, targets: Sequence[str]) -> list[str]:
    """Run `dvc repro --pull`; return what it ran."""
    from dvc.stage import run

    original, ran = run.cmd_run, list[str]()

    def command(stage: Any, *arguments: Any, **options: Any) -> None:
        ran.append(stage.addressing)
        original(stage, *arguments, **options)

    run.cmd_run = command
    try:
        repo.reproduce(targets=list(targets) or None, all_pipelines=not targets, pull=True, run_cache=False)
    finally:
        run.cmd_run = original
    return ran
